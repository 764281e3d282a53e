//! Productions that take many elements to one, over any axes, and what languages make of them at
//! once: softmax, a value less its mean.

use nnc::base::tensor::DType;
use nnc::graph::Dim;

use super::{Generator, Made, Value};

/// Axes of a reduction, as the language writes them and as it means them.
pub struct Axes {
    /// `, axis: …`; empty for all axes.
    text: String,
    /// Ascending.
    axes: Vec<usize>,
    /// Where they are: `first`, `middle`, `last`, `several`, `apart`, `all`.
    pub place: &'static str,
}

impl Generator {
    /// Some axes of a shape.
    fn axes(&mut self, rank: usize) -> Axes {
        let mut axes: Vec<usize> = match self.below(5) {
            0 => (0..rank).filter(|_| self.coin()).collect(),
            1 => (0..rank).step_by(2).collect(),
            2 => vec![rank / 2],
            _ => vec![self.below(rank)],
        };
        if axes.is_empty() {
            axes.push(rank - 1);
        }
        let place = place(&axes, rank);
        let written = |own: &mut Self, axis: usize| match own.coin() {
            true => axis.to_string(),
            false => (axis as i64 - rank as i64).to_string(),
        };
        let text = match axes[..] {
            _ if axes.len() == rank && self.coin() => String::new(),
            [axis] if self.coin() => format!(", axis: {}", written(self, axis)),
            _ => {
                let axes: Vec<String> = axes.iter().map(|&axis| written(self, axis)).collect();
                format!(", axis: [{}]", axes.join(", "))
            }
        };
        Axes { text, axes, place }
    }

    /// Reduces some axes of a value.
    fn reduced(&mut self, kind: &'static str, op: &str, bound: impl Fn(f64, f64) -> f64) -> Made {
        let x = self.float_of_rank(1)?;
        let dims = self.dims(x);
        let axes = self.axes(dims.len());
        let keep = self.coin();
        let count: usize = axes.axes.iter().map(|&axis| dims[axis].at(self.batch)).product();
        let keeping = if keep { ", keep: true" } else { "" };
        let text = format!("{op}($0{}{keeping})", axes.text);
        let bound = bound(self.bound(x), count as f64);
        let left = left(&dims, &axes.axes, keep);
        let line = self.line(kind, text, &[x], left, bound);
        Some(line.feature(axes.place).feature(format!("keep {keep}")))
    }

    pub(super) fn sum(&mut self) -> Made {
        self.reduced("sum", "sum", |bound, count| bound * count.sqrt())
    }

    pub(super) fn mean(&mut self) -> Made {
        self.reduced("mean", "mean", |bound, _| bound)
    }

    pub(super) fn largest(&mut self) -> Made {
        let op = self.choose(&["max", "min"]);
        let line = self.reduced("extreme", op, |bound, _| bound)?;
        let places = line.features.clone();
        Some(places.into_iter().fold(line, |line, place| line.feature(format!("{op} {place}"))))
    }

    pub(super) fn variance(&mut self) -> Made {
        let x = self.float_of_rank(1)?;
        let dims = self.dims(x);
        let axes = self.axes(dims.len());
        let keep = self.coin();
        // The unbiased one of a single value is not known, whatever the batch may be.
        let counts = axes.axes.iter().map(|&axis| dims[axis].known().unwrap_or(1));
        let several = counts.product::<usize>() > 1;
        let unbiased = if several && self.coin() { ", correction: 1" } else { "" };
        let text = format!("variance($0{}, keep: {keep}{unbiased})", axes.text);
        let left = left(&dims, &axes.axes, keep);
        let line = self.line("variance", text, &[x], left, self.bound(x).powi(2) * 1.5);
        Some(line.feature(axes.place).feature(format!("keep {keep}")))
    }

    pub(super) fn arg_max(&mut self) -> Made {
        let x = self.float_of_rank(1)?;
        let dims = self.dims(x);
        let axis = self.below(dims.len());
        let keep = self.coin();
        let text = match axis + 1 == dims.len() && !keep {
            true => "argmax($0)".into(),
            false => format!("argmax($0, axis: {axis}, keep: {keep})"),
        };
        let left = left(&dims, &[axis], keep);
        let bound = dims[axis].at(self.batch) as f64;
        let line = self.line("argmax", text, &[x], left, bound).of(DType::I32);
        let line = line.index(dims[axis].known().is_some());
        Some(line.feature(place(&[axis], dims.len())))
    }

    pub(super) fn softmax(&mut self) -> Made {
        let x = self.float_of_rank(1)?;
        let dims = self.dims(x);
        let axis = self.below(dims.len());
        let written = if self.coin() { axis as i64 } else { axis as i64 - dims.len() as i64 };
        let (op, bound) = match self.below(3) {
            0 => ("log_softmax", 2.0 * self.bound(x) + 4.0),
            _ => ("softmax", 1.0),
        };
        let text = match self.coin() {
            true => format!("{op}($0, axis: {written})"),
            false => format!("$0 |> {op}(axis: {written})"),
        };
        let feature = format!("{op} {}", place(&[axis], dims.len()));
        Some(self.line("softmax", text, &[x], dims, bound).feature(feature))
    }

    /// A value and what is made of a reduction of it, broadcast back.
    pub(super) fn centre(&mut self) -> Made {
        let x = self.float_of_rank(1)?;
        let dims = self.dims(x);
        let axes = self.axes(dims.len());
        let keep = format!("$0{}, keep: true", axes.text);
        let bound = self.bound(x);
        let text = self.choose(&[
            format!("$0 - mean({keep})"),
            format!("$0 - min({keep})"),
            format!("$0 * sigmoid(mean({keep}))"),
            format!("exp(min($0, 2) - max({keep}))"),
            format!("$0 * rsqrt(mean({}, keep: true) + 0.5)", axes.text_of("$0 * $0")),
            format!("where($0 >= max({keep}), $0, 0)"),
            format!("($0 - mean({keep})) * rsqrt(variance({keep}) + 0.1)"),
            format!("$0 / (sum(abs($0){}, keep: true) + 1)", axes.text),
        ]);
        let line = self.line("centre", text, &[x], dims, 3.0 * bound);
        Some(line.feature(axes.place))
    }

    /// Elements of rows by index.
    pub(super) fn picked(&mut self) -> Made {
        let x = self.float(|dims| dims.len() >= 2 && dims[dims.len() - 1].known().is_some())?;
        let dims = self.dims(x);
        let (last, rows) = dims.split_last().expect("two axes");
        let classes = last.known().expect("a known extent");
        let rows = rows.to_vec();
        let fits = |own: &Self, value: Value| {
            own.is_index(value)
                && own.bound(value) <= classes as f64
                && own.ty(value).dtype == DType::I32
                && own.dims(value) == rows
        };
        let index = match self.value(fits) {
            Some(value) => value,
            None if rows[0] == Dim::N && rows[1..].iter().all(|dim| dim.known().is_some()) => {
                let ty = nnc::graph::Type::new(DType::I32, rows.clone());
                self.input(ty, classes)
            }
            None => {
                let line = self.line("argmax", "argmax($0)", &[x], rows.clone(), classes as f64);
                self.add(line.of(DType::I32).index(true))
            }
        };
        Some(self.line("pick", "pick($0, $1)", &[x, index], rows, self.bound(x)))
    }
}

impl Axes {
    fn text_of(&self, x: &str) -> String {
        format!("{x}{}", self.text)
    }
}

/// The dimensions that a reduction leaves.
fn left(dims: &[Dim], axes: &[usize], keep: bool) -> Vec<Dim> {
    let axis = |(axis, &dim): (usize, &Dim)| match (axes.contains(&axis), keep) {
        (false, _) => Some(dim),
        (true, true) => Some(Dim::Known(1)),
        (true, false) => None,
    };
    dims.iter().enumerate().filter_map(axis).collect()
}

/// Where axes are among others.
fn place(axes: &[usize], rank: usize) -> &'static str {
    let (first, last) = (axes[0], axes[axes.len() - 1]);
    match axes.len() {
        count if count == rank => "all",
        count if last - first >= count => "apart",
        1 if first == 0 => "first",
        1 if first + 1 == rank => "last",
        1 => "middle",
        _ => "several",
    }
}
