//! Productions that work element by element: functions, activations, arithmetic with every pattern
//! of broadcasting, comparisons, logic, integers, casts, random numbers.

use nnc::base::scalar::unary::{Growth, UnaryRow};
use nnc::base::tensor::DType;
use nnc::graph::{Dim, Type, Unary};

use super::{Generator, Line, Made, Value, listed};

/// The functions of floats that the language calls by name.
fn called(fits: impl Fn(&UnaryRow) -> bool) -> Vec<Unary> {
    let functions = Unary::ALL.iter().copied();
    functions.filter(|op| op.row().called && fits(op.row())).collect()
}

impl Generator {
    pub(super) fn smooth(&mut self) -> Made {
        let x = self.float_of_rank(0)?;
        let functions = called(|row| row.domain == f64::NEG_INFINITY && !row.is_flat());
        let others = ["-", "stop_gradient"];
        let names: Vec<&str> = functions.iter().map(|op| op.name()).chain(others).collect();
        let op = self.choose(&names);
        let bound = self.bound(x);
        let plain = format!("{op}($0)");
        let Some(row) = Unary::from_name(op).map(Unary::row) else {
            let text = if op == "-" { "-$0".into() } else { plain };
            return Some(self.line("smooth", text, &[x], self.dims(x), bound));
        };
        let (text, bound) = match row.growth {
            _ if row.is_bounded() => (plain, row.range.0.abs().max(row.range.1)),
            Growth::Fast if bound <= 3.0 => (plain, bound.exp()),
            Growth::Fast => (format!("{op}(tanh($0))"), 2.8),
            // What grows slower than its argument may be more than a small one.
            Growth::Slow => (plain, bound.max(4.0)),
            Growth::Linear => (plain, bound),
        };
        Some(self.line("smooth", text, &[x], self.dims(x), bound))
    }

    pub(super) fn positive_domain(&mut self) -> Made {
        let x = self.float_of_rank(0)?;
        let functions = called(|row| row.domain.is_finite());
        let names: Vec<&str> = functions.iter().map(|op| op.name()).collect();
        let op = self.choose(&names);
        let positive = self.choose(&["abs($0) + 0.5", "$0 * $0 + 1", "exp(tanh($0))"]);
        Some(self.line("positive", format!("{op}({positive})"), &[x], self.dims(x), 3.0))
    }

    pub(super) fn jump(&mut self) -> Made {
        let x = self.float_of_rank(0)?;
        let text = self.choose(&[
            "floor($0)",
            "sign($0)",
            "floor(3 * $0) / 3",
            "$0 - floor($0)",
            "floor($0 / 0.75)",
        ]);
        Some(self.line("jump", text, &[x], self.dims(x), 2.0 * self.bound(x) + 1.0))
    }

    pub(super) fn activation(&mut self) -> Made {
        let x = self.float_of_rank(0)?;
        let layer = self.choose(&[
            "relu",
            "relu",
            "leaky_relu",
            "leaky_relu(0.2)",
            "elu",
            "elu(alpha: 0.5)",
            "selu",
            "gelu",
            "silu",
            "softplus",
            "mish",
            "hard_swish",
            "relu6",
            "hard_sigmoid",
        ]);
        let text = match self.coin() {
            true => format!("$0 |> {layer}"),
            false => match layer.split_once('(') {
                Some((name, args)) => format!("{name}($0, {args}"),
                None => format!("{layer}($0)"),
            },
        };
        Some(self.line("activation", text, &[x], self.dims(x), 1.8 * self.bound(x) + 1.0))
    }

    /// Two tensors of shapes that broadcast to one.
    fn pair(&mut self) -> Option<(Value, Value, Vec<Dim>)> {
        let a = self.float_of_rank(0)?;
        let all = self.values();
        let mut others: Vec<(Value, Vec<Dim>)> = all
            .into_iter()
            .filter(|&b| self.ty(b).dtype == DType::F32)
            .filter_map(|b| Some((b, broadcast(&self.dims(a), &self.dims(b))?)))
            .filter(|(_, dims)| self.fits(dims))
            .collect();
        // Shapes that differ are the rarer and the more interesting ones.
        let unequal: Vec<_> =
            others.iter().filter(|(b, _)| self.dims(*b) != self.dims(a)).cloned().collect();
        if !unequal.is_empty() && self.below(3) > 0 {
            others = unequal;
        }
        let (b, dims) = self.choose(&others);
        Some(if self.coin() { (a, b, dims) } else { (b, a, dims) })
    }

    pub(super) fn arithmetic(&mut self) -> Made {
        let (a, b, dims) = self.pair()?;
        let (x, y) = (self.bound(a), self.bound(b));
        let (text, bound) = self.choose(&[
            ("$0 + $1", x + y),
            ("$0 - $1", x + y),
            ("$0 * $1", x * y),
            ("$0 / (abs($1) + 1)", x),
            ("min($0, $1)", x.max(y)),
            ("max($0, $1)", x.max(y)),
            ("(abs($0) + 0.5) ^ tanh($1)", x + 3.0),
            ("where($0 > $1, $0, 0.5 * $1)", x.max(y)),
        ]);
        let feature = match (self.dims(a) == dims, self.dims(b) == dims) {
            (true, true) => "equal",
            (false, false) => "both repeated",
            _ => "one repeated",
        };
        Some(self.line("arithmetic", text, &[a, b], dims, bound).feature(feature))
    }

    pub(super) fn with_number(&mut self) -> Made {
        let x = self.float_of_rank(0)?;
        let bound = self.bound(x);
        let (text, bound) = self.choose(&[
            ("2 * $0 - 0.5", 2.0 * bound + 0.5),
            ("1.5 - $0 / 4", 1.5 + bound),
            ("$0 ^ 2", bound.powi(2)),
            ("$0 ^ 3", bound.powi(3)),
            ("(abs($0) + 0.5) ^ 1.7", (bound + 0.5).powf(1.7)),
            ("1 / (1 + abs($0))", 1.0),
            ("max($0, 0.25)", bound.max(0.25)),
            ("min(0.5, $0)", bound.max(0.5)),
            ("$0 * len([1, 2, 3])", bound * 3.0),
            ("$0 / (1.0 * N)", bound),
            ("0.5 ^ $0", 2f64.powf(bound)),
        ]);
        Some(self.line("number", text, &[x], self.dims(x), bound))
    }

    /// A condition, or a choice by one.
    pub(super) fn compare(&mut self) -> Made {
        let x = self.float_of_rank(0)?;
        let op = self.choose(&["==", "!=", "<", "<=", ">", ">="]);
        let other = self.choose(&["0", "0.3", "sin($0)"]);
        let (dims, bound) = (self.dims(x), self.bound(x));
        Some(match self.coin() {
            true => {
                let text = format!("$0 {op} {other}");
                self.line("compare", text, &[x], dims, 1.0).of(DType::Bool)
            }
            false => {
                let text = format!("where($0 {op} {other}, $0, tanh($0))");
                self.line("compare", text, &[x], dims, bound)
            }
        })
    }

    pub(super) fn logic(&mut self) -> Made {
        let known = self.value(|own, value| own.ty(value).dtype == DType::Bool);
        let a = match known {
            Some(value) => value,
            None => {
                let extent = self.choose(&[1, 3, 4]);
                self.input(Type::new(DType::Bool, vec![Dim::N, Dim::Known(extent)]), 0)
            }
        };
        let b = self.alike(a);
        let text = self.choose(&["$0 and not $1", "$0 or $1", "not ($0 and $1)"]);
        let line = self.line("logic", text, &[a, b], self.dims(a), 1.0);
        Some(match self.coin() {
            true => line.of(DType::Bool),
            false => {
                let text = format!("cast({text}, f32)");
                Line { text, ..line }
            }
        })
    }

    /// Arithmetic of integers.
    pub(super) fn integers(&mut self) -> Made {
        let a = match self.value(|own, value| own.ty(value).dtype == DType::I32) {
            Some(value) if self.coin() => value,
            _ => {
                let x = self.float_of_rank(0)?;
                let line = self.line("integers", "cast(3 * $0, i32)", &[x], self.dims(x), 3.0);
                self.add(line.of(DType::I32))
            }
        };
        let b = self.alike(a);
        let text = self.choose(&[
            "$0 + $1",
            "2 - $0",
            "$0 * $1",
            "$0 / ($1 + 1)",
            "min($0, $1)",
            "max($0, 1)",
            "abs($0)",
            "sign($0)",
            "-$0",
            "where($0 > $1, $0, $1 - 1)",
        ]);
        Some(self.line("integers", text, &[a, b], self.dims(a), 100.0).of(DType::I32))
    }

    pub(super) fn cast(&mut self) -> Made {
        let from = self.choose(&[DType::F32, DType::F32, DType::I32, DType::U8, DType::Bool]);
        let x = match self.value(|own, value| own.ty(value).dtype == from) {
            Some(value) => value,
            None => {
                let dims = vec![Dim::N, Dim::Known(self.choose(&[1, 3, 5]))];
                self.input(Type::new(from, dims), if from == DType::I32 { 7 } else { 0 })
            }
        };
        let (to, name) = self.choose(&[
            (DType::F32, "f32"),
            (DType::F32, "f32"),
            (DType::I32, "i32"),
            (DType::U8, "u8"),
            (DType::Bool, "bool"),
        ]);
        let bound = match (from, to) {
            (_, DType::Bool) | (DType::Bool, _) => 1.0,
            (_, DType::U8) | (DType::U8, _) => 255.0,
            (DType::I32, DType::F32) => 100.0,
            _ => self.bound(x),
        };
        let text = format!("cast($0, {name})");
        let line = self.line("cast", text, &[x], self.dims(x), bound).of(to);
        Some(line.feature(format!("{from} to {to}")))
    }

    /// Counting along an axis.
    pub(super) fn counted(&mut self) -> Made {
        let x = self.float_of_rank(1)?;
        let dims = self.dims(x);
        let axis = self.below(dims.len());
        let from = self.below(axis + 1);
        let shape = listed(&dims[from..]);
        let back = axis as i64 - dims.len() as i64;
        let extent = dims[axis].at(self.batch) as f64;
        let bound = self.bound(x) + extent;
        let text = match self.coin() {
            true => format!("cast(iota({shape}, axis: {back}), f32) * 0.5 + $0"),
            false => format!("where(iota({shape}, axis: {back}) < 2, $0, 0.5 * $0)"),
        };
        Some(self.line("counted", text, &[x], dims, bound))
    }

    pub(super) fn random_numbers(&mut self) -> Made {
        let x = self.float_of_rank(0)?;
        let (dims, bound) = (self.dims(x), self.bound(x));
        let shape = listed(&dims);
        let (text, bound) = self.choose(&[
            ("$0 |> dropout(0.3)".to_string(), bound * 1.5),
            ("dropout($0)".to_string(), bound * 2.0),
            (format!("$0 + 0.3 * normal({shape})"), bound + 1.5),
            (format!("$0 * normal({shape}, mean: 1, std: 0.1)"), bound * 1.5),
            (format!("$0 * uniform({shape}, low: 0.5, high: 1.5)"), bound * 1.5),
            ("where(bernoulli(0.5, $0), $0, -$0)".to_string(), bound),
            (format!("$0 + uniform({shape})"), bound + 1.0),
            ("if training { dropout($0, 0.2) } else { 0.5 * $0 }".to_string(), bound * 1.25),
        ]);
        Some(self.line("random", text, &[x], dims, bound))
    }
}

/// NumPy's rule.
fn broadcast(a: &[Dim], b: &[Dim]) -> Option<Vec<Dim>> {
    let rank = a.len().max(b.len());
    let at = |dims: &[Dim], axis: usize| match (axis + dims.len()).checked_sub(rank) {
        Some(own) => dims[own],
        None => Dim::Known(1),
    };
    (0..rank)
        .map(|axis| match (at(a, axis), at(b, axis)) {
            (a, b) if a == b => Some(a),
            (Dim::Known(1), dim) | (dim, Dim::Known(1)) => Some(dim),
            _ => None,
        })
        .collect()
}
