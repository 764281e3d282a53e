//! Numbers and names as C has them.
//!
//! ```text
//! 0.1f32        →  0.1f
//! ∞             →  NNC_INFINITY
//! i32::MIN      →  (-2147483647 - 1)
//! conv-1.weight →  conv_1_weight
//! ```

use crate::base::identifier;

/// A float: the shortest digits that give it again.
pub fn float(value: f32) -> String {
    if value.is_nan() {
        return "NNC_NAN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "NNC_INFINITY".to_owned() } else { "-NNC_INFINITY".to_owned() };
    }
    format!("{value:?}f")
}

/// A double, likewise. Infinite and undefined ones are written as quotients.
pub fn double(value: f64) -> String {
    if value.is_nan() {
        return "(0.0 / 0.0)".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "(1.0 / 0.0)".to_owned() } else { "(-1.0 / 0.0)".to_owned() };
    }
    format!("{value:?}")
}

/// A 32-bit integer; C has no literal for the least one.
pub fn int(value: i32) -> String {
    match value {
        i32::MIN => "(-2147483647 - 1)".to_owned(),
        _ => value.to_string(),
    }
}

/// A name as an identifier: what C does not allow becomes `_`, and its own words get one more.
pub fn identifier(name: &str) -> String {
    identifier::identifier(name, KEYWORDS)
}

/// The words of C and C++ (a header is read by both) that could be names of fields.
const KEYWORDS: &[&str] = &[
    "and",
    "asm",
    "auto",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "class",
    "const",
    "continue",
    "default",
    "delete",
    "do",
    "double",
    "else",
    "enum",
    "export",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "mutable",
    "namespace",
    "new",
    "not",
    "operator",
    "or",
    "private",
    "protected",
    "public",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "struct",
    "switch",
    "template",
    "this",
    "throw",
    "true",
    "try",
    "typedef",
    "typename",
    "union",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "while",
    "xor",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_read_back_as_they_are() {
        for value in [0.1f32, 1.0, -0.0, f32::MIN_POSITIVE, f32::MAX, 1e-7, 16_777_216.0] {
            let text = float(value);
            let back: f32 = text.trim_end_matches('f').parse().expect("a number");
            assert_eq!(back.to_bits(), value.to_bits(), "{text}");
            assert!(text.contains(['.', 'e']), "{text} is no integer with a suffix");
        }
        assert_eq!(float(f32::NEG_INFINITY), "-NNC_INFINITY");
    }

    #[test]
    fn names_become_identifiers() {
        assert_eq!(identifier("dense.weight^T"), "dense_weight_T");
        assert_eq!(identifier("int"), "int_");
        assert_eq!(identifier("2x"), "_2x");
    }
}
