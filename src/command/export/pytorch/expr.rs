//! Expressions of Python with what a reader of them must know: how tightly they bind, and whether their
//! value has the shape that the graph gives it.

/// How tightly an expression binds, as Python has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PythonBinding {
    /// `a < b`
    Comparison,
    /// `a & b`
    Bits,
    /// `a + b`
    Sum,
    /// `a * b`
    Product,
    /// `-a`
    Sign,
    /// `a ** b`
    Power,
    /// A name, a call, an index.
    Atom,
}

/// The value of an expression, as its readers must take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    /// A number of Python, which meets any tensor.
    Number,
    /// A tensor that broadcasts to the shape of its node.
    Narrow,
    /// A tensor of the shape of its node.
    Whole,
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PyExpr {
    pub text: String,
    pub binding: PythonBinding,
    pub kind: ValueKind,
}

impl PyExpr {
    /// A name, a call or an index whose value has its node's shape.
    pub fn whole(text: impl Into<String>) -> PyExpr {
        PyExpr { text: text.into(), binding: PythonBinding::Atom, kind: ValueKind::Whole }
    }

    /// A number of Python.
    pub fn number(text: impl Into<String>) -> PyExpr {
        PyExpr { kind: ValueKind::Number, ..PyExpr::whole(text) }
    }

    /// The same value as another kind.
    pub fn of_kind(self, kind: ValueKind) -> PyExpr {
        PyExpr { kind, ..self }
    }

    pub fn is_number(&self) -> bool {
        self.kind == ValueKind::Number
    }

    /// The text where something that binds so tightly stands around it.
    pub fn within(&self, binding: PythonBinding) -> String {
        match self.binding < binding {
            true => format!("({})", self.text),
            false => self.text.clone(),
        }
    }

    /// A method of the value: `x.exp()`.
    pub fn method(&self, call: &str) -> String {
        format!("{}.{call}", self.within(PythonBinding::Atom))
    }
}

/// `a + b`; chains go to the left, so the right side binds more tightly.
pub(super) fn infix(a: &PyExpr, sign: &str, b: &PyExpr, binding: PythonBinding) -> String {
    let tighter = match binding {
        PythonBinding::Comparison => PythonBinding::Bits,
        PythonBinding::Bits => PythonBinding::Sum,
        PythonBinding::Sum => PythonBinding::Product,
        PythonBinding::Product => PythonBinding::Sign,
        PythonBinding::Sign | PythonBinding::Power | PythonBinding::Atom => PythonBinding::Atom,
    };
    let left = match binding {
        // Comparisons would be chained, and powers go to the right.
        PythonBinding::Comparison | PythonBinding::Power => tighter,
        _ => binding,
    };
    format!("{} {sign} {}", a.within(left), b.within(tighter))
}

/// A number as Python reads it.
pub(super) fn number(value: f64) -> String {
    match value {
        _ if value.is_nan() => "math.nan".to_owned(),
        f64::INFINITY => "math.inf".to_owned(),
        f64::NEG_INFINITY => "-math.inf".to_owned(),
        _ => format!("{value:?}"),
    }
}

/// A list of numbers: `1, 2`.
pub(super) fn list<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_stand_where_python_needs_them() {
        let name = |name: &str| PyExpr::whole(name);
        let sum = |a: &PyExpr, b: &PyExpr| PyExpr {
            text: infix(a, "+", b, PythonBinding::Sum),
            binding: PythonBinding::Sum,
            kind: ValueKind::Whole,
        };
        let ab = sum(&name("a"), &name("b"));
        assert_eq!(sum(&ab, &name("c")).text, "a + b + c");
        assert_eq!(sum(&name("c"), &ab).text, "c + (a + b)");
        assert_eq!(infix(&ab, "*", &name("c"), PythonBinding::Product), "(a + b) * c");
        assert_eq!(infix(&name("c"), "-", &ab, PythonBinding::Sum), "c - (a + b)");
        assert_eq!(ab.method("exp()"), "(a + b).exp()");
        assert_eq!((number(1e-5), number(f64::NEG_INFINITY)), ("1e-5".into(), "-math.inf".into()));
    }
}
