//! Formulas of doc comments as MathML.
//!
//! ```text
//! `(x - mean) / sqrt(variance + eps)`   a fraction over a root
//! `pad: same`, `[N, T, D]`, `relu`      no formulas: they stay code
//! ```
//!
//! There is no mark for formulas: text in code font is one if all of it is an expression in the
//! notation below and if it computes something. The notation is the language's, with the signs
//! that comments use besides: `·`, `²`, `'`, `|x|`, `Σ x`, `log p`.
//!
//! ```text
//! relation = sum (("=" | "<" | ">" | "≥" | "≤") sum)*
//! sum      = product (("+" | "-") product)*
//! product  = sign (("*" | "·" | "/" | "@") sign)*
//! sign     = "-" sign | power
//! power    = atom ("²" | "'")* ("^" sign)?
//! atom     = number | name | name "(" relation, … ")" | function atom | "(" relation ")" | "|" sum "|"
//! ```

use crate::base::shown::visible;
use maud::{Markup, PreEscaped};

/// Functions that take their argument without brackets, too: `log p`.
const FUNCTIONS: [&str; 12] =
    ["log", "exp", "tanh", "sin", "cos", "mean", "softmax", "sigmoid", "Σ", "Φ", "sqrt", "√"];
/// Greek letters by their names.
const GREEK: [(&str, &str); 9] = [
    ("alpha", "α"),
    ("beta", "β"),
    ("beta1", "β₁"),
    ("beta2", "β₂"),
    ("gamma", "γ"),
    ("delta", "δ"),
    ("eps", "ε"),
    ("lambda", "λ"),
    ("pi", "π"),
];
/// Brackets inside one another.
const MOST_DEPTH: usize = 32;

/// The MathML of a formula; `None` of what is none.
pub(super) fn formula(text: &str) -> Option<Markup> {
    let mut reader = Reader { rest: text, computes: false, depth: 0 };
    let whole = reader.relation()?;
    reader.blanks();
    if !reader.rest.is_empty() || !reader.computes {
        return None;
    }
    Some(PreEscaped(format!("<math>{}</math>", whole.markup)))
}

/// A part of a formula.
struct Math {
    /// With the brackets that were written.
    markup: String,
    /// Without them, where a fraction or a root does without.
    bare: Option<String>,
}

impl Math {
    fn new(markup: String) -> Math {
        Math { markup, bare: None }
    }

    fn bare(&self) -> &str {
        self.bare.as_ref().unwrap_or(&self.markup)
    }
}

fn row(markup: &str) -> String {
    format!("<mrow>{markup}</mrow>")
}

fn sign(sign: &str) -> String {
    format!("<mo>{sign}</mo>")
}

struct Reader<'t> {
    rest: &'t str,
    /// Whether anything was computed so far.
    computes: bool,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes one of some signs.
    fn take(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        self.blanks();
        let found = signs.iter().find(|sign| self.rest.starts_with(**sign))?;
        self.rest = &self.rest[found.len()..];
        Some(found)
    }

    fn relation(&mut self) -> Option<Math> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return None;
        }
        let mut whole = self.sum()?;
        while let Some(found) = self.take(&["=", "<", ">", "≥", "≤"]) {
            self.computes = true;
            let shown = found.replace('<', "&lt;").replace('>', "&gt;");
            whole = Math::new(whole.markup + &sign(&shown) + &self.sum()?.markup);
        }
        self.depth -= 1;
        Some(whole)
    }

    fn sum(&mut self) -> Option<Math> {
        let mut whole = self.product()?;
        while let Some(found) = self.take(&["+", "-"]) {
            self.computes = true;
            let shown = if found == "-" { "−" } else { found };
            whole = Math::new(whole.markup + &sign(shown) + &self.product()?.markup);
        }
        Some(whole)
    }

    fn product(&mut self) -> Option<Math> {
        let mut whole = self.sign()?;
        while let Some(found) = self.take(&["*", "·", "/", "@"]) {
            self.computes = true;
            let right = self.sign()?;
            whole = Math::new(match found {
                "/" => format!("<mfrac>{}{}</mfrac>", row(whole.bare()), row(right.bare())),
                "@" => format!("{}<mspace width=\"0.25em\"/>{}", whole.markup, right.markup),
                _ => whole.markup + &sign("·") + &right.markup,
            });
        }
        Some(whole)
    }

    fn sign(&mut self) -> Option<Math> {
        if self.take(&["-"]).is_some() {
            self.computes = true;
            self.depth += 1;
            let of = if self.depth > MOST_DEPTH { None } else { self.sign() };
            self.depth -= 1;
            return Some(Math::new(sign("−") + &of?.markup));
        }
        self.power()
    }

    fn power(&mut self) -> Option<Math> {
        let mut base = self.atom()?;
        loop {
            // No blank before it: `h'`, `g²`.
            if let Some(rest) = self.rest.strip_prefix('²') {
                (self.rest, self.computes) = (rest, true);
                base = Math::new(format!("<msup>{}<mn>2</mn></msup>", row(&base.markup)));
            } else if let Some(rest) = self.rest.strip_prefix('\'') {
                self.rest = rest;
                base = Math::new(format!("<msup>{}<mo>′</mo></msup>", row(&base.markup)));
            } else {
                break;
            }
        }
        if self.take(&["^"]).is_some() {
            self.computes = true;
            let exponent = self.sign()?;
            base = Math::new(format!("<msup>{}{}</msup>", row(&base.markup), row(exponent.bare())));
        }
        Some(base)
    }

    fn atom(&mut self) -> Option<Math> {
        self.blanks();
        let first = self.rest.chars().next()?;
        if self.take(&["("]).is_some() {
            let inner = self.relation()?.markup;
            self.take(&[")"])?;
            return Some(Math {
                markup: row(&format!("<mo>(</mo>{inner}<mo>)</mo>")),
                bare: Some(inner),
            });
        }
        if self.take(&["|"]).is_some() {
            self.computes = true;
            let inner = self.sum()?.markup;
            self.take(&["|"])?;
            return Some(Math::new(row(&format!("<mo>|</mo>{inner}<mo>|</mo>"))));
        }
        if first.is_ascii_digit() {
            let number = self.word(|c| c.is_ascii_digit() || c == '.' || c == 'e');
            return Some(Math::new(format!("<mn>{number}</mn>")));
        }
        let name = self.word(|c| c.is_alphanumeric() || c == '_' || c == '√');
        if name.is_empty() {
            return None;
        }
        if self.rest.starts_with('(') {
            return self.call(name);
        }
        if FUNCTIONS.contains(&name) {
            let before = self.rest;
            if before.starts_with(' ') || matches!(name, "Σ" | "√") {
                if let Some(argument) = self.power() {
                    self.computes = true;
                    return Some(applied(name, &argument));
                }
                self.rest = before;
            }
        }
        Some(Math::new(identifier(name)))
    }

    fn word(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c: char| !belongs(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// `name(…)`.
    fn call(&mut self, name: &str) -> Option<Math> {
        self.rest = &self.rest[1..];
        let mut arguments = vec![self.relation()?];
        while self.take(&[","]).is_some() {
            arguments.push(self.relation()?);
        }
        self.take(&[")"])?;
        let inner: Vec<&str> = arguments.iter().map(|it| it.markup.as_str()).collect();
        let inner = inner.join("<mo>,</mo>");
        let between = |open: &str, close: &str| row(&(sign(open) + &inner + &sign(close)));
        let known = match name {
            "sqrt" => Some(format!("<msqrt>{inner}</msqrt>")),
            "exp" => Some(format!("<msup><mi>e</mi>{}</msup>", row(&inner))),
            "floor" => Some(between("⌊", "⌋")),
            "ceil" => Some(between("⌈", "⌉")),
            "abs" => Some(between("|", "|")),
            _ => None,
        };
        self.computes |= known.is_some();
        Some(Math::new(known.unwrap_or_else(|| identifier(name) + &between("(", ")"))))
    }
}

/// A function before an argument without brackets.
fn applied(name: &str, argument: &Math) -> Math {
    Math::new(match name {
        "√" | "sqrt" => format!("<msqrt>{}</msqrt>", argument.bare()),
        "exp" => format!("<msup><mi>e</mi>{}</msup>", row(argument.bare())),
        "Σ" => sign("∑") + &argument.markup,
        _ => format!("{}<mspace width=\"0.2em\"/>{}", identifier(name), argument.markup),
    })
}

/// A name: a Greek letter, the index of a letter below the line (`x_k`), or the word.
fn identifier(name: &str) -> String {
    if let Some((_, letter)) = GREEK.iter().find(|(known, _)| *known == name) {
        return format!("<mi>{letter}</mi>");
    }
    let shown = |text: &str| text.chars().map(visible).collect::<String>();
    match name.split_once('_') {
        Some((base, below)) if base.chars().count() == 1 && !below.is_empty() => {
            format!("<msub><mi>{}</mi><mi>{}</mi></msub>", shown(base), shown(below))
        }
        _ => format!("<mi>{}</mi>", shown(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::formula;

    fn is_formula(text: &str) -> bool {
        formula(text).is_some()
    }

    #[test]
    fn what_computes_is_a_formula_and_the_rest_is_code() {
        let formulas = [
            "y = x @ weight + bias",
            "(x - mean) / sqrt(variance + eps) * weight + bias",
            "-(1 - p)^gamma · log p",
            "1 - Σ (t - o)² / Σ (t - mean t)²",
            "h' = (1 - z)·n + z·h",
            "max(x, 0) - x·t + log1p(exp(-|x|))",
            "floor((H + pad - dilation·(size - 1) - 1) / stride) + 1",
        ];
        for text in formulas {
            assert!(is_formula(text), "{text}");
        }
        for text in
            ["relu", "[N, T, D]", "pad: same", "conv(filters, size)", "x |> relu", "a b", ""]
        {
            assert!(!is_formula(text), "{text}");
        }
    }

    #[test]
    fn a_fraction_needs_no_brackets() {
        let markup = formula("(a + b) / 2").expect("a formula").0;
        let wanted = "<math><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mrow><mn>2</mn></mrow></mfrac></math>";
        assert_eq!(markup, wanted);
    }

    #[test]
    fn hostile_texts_are_none() {
        assert!(!is_formula(&"(".repeat(100_000)));
        assert!(!is_formula(&"-".repeat(100_000)));
        assert!(!is_formula("<script> + 1"));
        assert!(!is_formula("a + <b>"));
    }
}
