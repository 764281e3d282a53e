//! Names as identifiers of other languages: C, Python and their like.
//!
//! ```text
//! conv-1.weight  →  conv_1_weight      2d  →  _2d      for  →  for_
//! ```

/// A name as an identifier: signs that none may have become `_`, one that would begin with a digit gets
/// `_` in front, and one of `taken` gets it behind.
pub fn identifier(name: &str, taken: &[&str]) -> String {
    let plain = |sign: char| if sign.is_ascii_alphanumeric() { sign } else { '_' };
    let mut out: String = name.chars().map(plain).collect();
    if out.is_empty() || out.starts_with(|first: char| first.is_ascii_digit()) {
        out.insert(0, '_');
    }
    if taken.contains(&&out[..]) {
        out.push('_');
    }
    out
}
