//! Productions that move elements: reshapes, transposes, slices, joins, borders, matrix products and
//! tables.

use nnc::base::tensor::DType;
use nnc::graph::{Dim, Type};

use super::{Generator, Made, Value, elements, listed};

impl Generator {
    pub(super) fn reshape(&mut self) -> Made {
        let x = self.float_of_rank(1)?;
        let mut dims = self.dims(x);
        let axis = self.below(dims.len());
        let feature = match self.below(6) {
            0 if dims[0] == Dim::N && dims.len() > 1 => {
                let rest = elements(&dims[1..], 1);
                if dims[1..].iter().all(|dim| dim.known().is_some()) {
                    let text = self.choose(&["$0 |> flatten", "reshape($0, [N, -1])"]);
                    let line = self.line("reshape", text, &[x], [Dim::N, Dim::Known(rest)], 0.0);
                    return Some(line.feature("flatten")).map(|mut line| {
                        line.bound = self.bound(x);
                        line
                    });
                }
                "same"
            }
            1 => {
                let at = self.below(dims.len() + 1);
                dims.insert(at, Dim::Known(1));
                "unit axis"
            }
            2 | 3 if axis + 1 < dims.len() => match dims[axis].mul(dims[axis + 1]) {
                Some(product) => {
                    dims.splice(axis..axis + 2, [product]);
                    "joins"
                }
                None => "same",
            },
            _ => self.cut(&mut dims, axis),
        };
        if !self.fits(&dims) {
            return None;
        }
        let text = format!("reshape($0, {})", listed(&dims));
        Some(self.line("reshape", text, &[x], dims, self.bound(x)).feature(feature))
    }

    /// Cuts an axis in two; where no factor divides it, turns the known axes around, which neither
    /// joins nor cuts one in its place.
    fn cut(&mut self, dims: &mut Vec<Dim>, axis: usize) -> &'static str {
        let factor = self.choose(&[2, 2, 3, 4, 5]);
        let Some(rest) = dims[axis].div(Dim::Known(factor)) else {
            let known: Vec<usize> =
                (0..dims.len()).filter(|&at| dims[at].known().is_some()).collect();
            if let [first, .., last] = known[..]
                && last - first + 1 == known.len()
            {
                dims[first..=last].reverse();
            }
            return "across";
        };
        let cut = match self.coin() || dims[axis].known().is_none() {
            true => [rest, Dim::Known(factor)],
            false => [Dim::Known(factor), rest],
        };
        dims.splice(axis..axis + 1, cut);
        "cuts"
    }

    pub(super) fn transpose(&mut self) -> Made {
        let x = self.float_of_rank(2)?;
        let dims = self.dims(x);
        let mut order: Vec<usize> = (0..dims.len()).collect();
        let text = match self.coin() {
            true => {
                order.swap(dims.len() - 1, dims.len() - 2);
                "transpose($0)".into()
            }
            false => {
                self.sequence.shuffle(&mut order);
                format!("transpose($0, {order:?})")
            }
        };
        let turned: Vec<Dim> = order.iter().map(|&axis| dims[axis]).collect();
        Some(self.line("transpose", text, &[x], turned, self.bound(x)))
    }

    pub(super) fn slice(&mut self) -> Made {
        let x = self.float_of_rank(1)?;
        let dims = self.dims(x);
        let (mut parts, mut left) = (Vec::new(), Vec::new());
        for &dim in &dims {
            let (part, dim) = match (dim, self.below(4)) {
                (Dim::Known(extent), 0) => {
                    let at = self.below(extent);
                    let back = at as i64 - extent as i64;
                    (if self.coin() { at.to_string() } else { back.to_string() }, None)
                }
                (Dim::Known(extent), 1 | 2) => {
                    let from = self.below(extent);
                    let to = from + 1 + self.below(extent - from);
                    let dim = Some(Dim::Known(to - from));
                    match (from, to == extent) {
                        (0, false) => (format!(":{to}"), dim),
                        (_, true) => (format!("{from}:"), dim),
                        _ => (format!("{from}:{to}"), dim),
                    }
                }
                _ => (":".to_string(), Some(dim)),
            };
            parts.push(part);
            left.extend(dim);
        }
        // Axes at an end that are taken whole may be left out.
        while parts.len() > 1 && parts.last().is_some_and(|part| part == ":") {
            parts.pop();
        }
        if parts.len() == dims.len()
            && let Some(whole) = parts.iter().take_while(|part| *part == ":").count().checked_sub(1)
            && self.coin()
        {
            parts.splice(..=whole, ["..".to_string()]);
        }
        let text = format!("$0[{}]", parts.join(", "));
        Some(self.line("slice", text, &[x], left, self.bound(x)))
    }

    /// A tensor with an axis of a known extent, and that axis.
    fn with_known_axis(&mut self) -> Option<(Value, Vec<Dim>, usize)> {
        let x = self.float(|dims| dims.iter().any(|dim| dim.known().is_some()))?;
        let dims = self.dims(x);
        let axes: Vec<usize> =
            (0..dims.len()).filter(|&axis| dims[axis].known().is_some()).collect();
        let axis = self.choose(&axes);
        Some((x, dims, axis))
    }

    pub(super) fn concat(&mut self) -> Made {
        let (x, mut dims, axis) = self.with_known_axis()?;
        let extent = dims[axis].known().expect("a known extent");
        let other = self.alike(x);
        let parts = self.choose(&["[$0, $1]", "[$1, 2 * $0]", "[$0, $1, $0]"]);
        let times = if parts == "[$0, $1, $0]" { 3 } else { 2 };
        dims[axis] = Dim::Known(extent * times);
        if !self.fits(&dims) {
            return None;
        }
        let bound = 2.0 * self.bound(x).max(self.bound(other));
        let text = match axis + 1 == dims.len() && self.coin() {
            true => format!("concat({parts})"),
            false => format!("concat({parts}, axis: {axis})"),
        };
        let line = self.line("concat", text, &[x, other], dims, bound);
        Some(line.feature(format!("axis {axis}")))
    }

    pub(super) fn split(&mut self) -> Made {
        let (x, mut dims, axis) = self.with_known_axis()?;
        let extent = dims[axis].known().expect("a known extent");
        let (parts, taken, size) = match extent {
            1 => ("1".to_string(), 0, 1),
            _ if extent % 2 == 0 && self.coin() => ("2".into(), self.below(2), extent / 2),
            _ => {
                let first = 1 + self.below(extent - 1);
                let taken = self.below(2);
                let size = if taken == 0 { first } else { extent - first };
                (format!("[{first}, {}]", extent - first), taken, size)
            }
        };
        dims[axis] = Dim::Known(size);
        let text = format!("split($0, {parts}, axis: {axis})[{taken}]");
        Some(self.line("split", text, &[x], dims, self.bound(x)))
    }

    pub(super) fn pad(&mut self) -> Made {
        let x = self.float_of_rank(1)?;
        let mut dims = self.dims(x);
        let mut amounts = Vec::new();
        for dim in &mut dims {
            let amount = match *dim {
                Dim::Known(extent) => {
                    let ends = [self.below(2), self.below(3)];
                    *dim = Dim::Known(extent + ends[0] + ends[1]);
                    ends
                }
                Dim::Batch(_) => [0, 0],
            };
            amounts.push(match amount {
                [before, after] if before == after => before.to_string(),
                ends => format!("{ends:?}"),
            });
        }
        if !self.fits(&dims) {
            return None;
        }
        let value = self.choose(&["", ", value: 0.75", ", value: -1"]);
        let text = format!("pad($0, [{}]{value})", amounts.join(", "));
        Some(self.line("pad", text, &[x], dims, self.bound(x).max(1.0)))
    }

    pub(super) fn matmul(&mut self) -> Made {
        let x = self.float_of_rank(1)?;
        let dims = self.dims(x);
        let rank = dims.len();
        let k = dims[rank - 1];
        let bound = |own: &Self, k: Dim| own.bound(x) * (k.at(own.batch) as f64).sqrt() * 1.5;
        if self.below(3) == 0 {
            let fits = |own: &Self, value: Value| {
                let other = own.dims(value);
                let at = other.len().saturating_sub(2);
                own.ty(value).dtype == DType::F32
                    && (1..=2).contains(&other.len())
                    && other[at] == k
            };
            if let Some(other) = self.value(fits) {
                let mut left = dims[..rank - 1].to_vec();
                left.extend(self.dims(other).get(1));
                let bound = bound(self, k) * self.bound(other);
                let line = self.line("matmul", "$0 @ $1", &[x, other], left, bound);
                return self.fits(&line.ty.shape).then(|| line.feature("by another"));
            }
        }
        if rank < 2 {
            return None;
        }
        let other = self.alike(x);
        let (mut left, text, k) = match self.below(3) {
            0 => ([&dims[..rank - 1], &[dims[rank - 2]]].concat(), "$0 @ transpose($1)", k),
            1 => ([&dims[..rank - 2], &[k, k]].concat(), "transpose($0) @ $1", dims[rank - 2]),
            _ => {
                let text = "softmax($0 @ transpose($1)) @ $0";
                (dims.clone(), text, Dim::Known(1))
            }
        };
        // Both are products of all pairs on the way.
        let square = dims[rank - 2].at(self.batch).pow(2).max(k.at(self.batch));
        if !self.fits(&left) || square * elements(&dims[..rank - 2], self.batch) > 8192 {
            return None;
        }
        left.truncate(rank);
        let bound = bound(self, k) * self.bound(other);
        Some(self.line("matmul", text, &[x, other], left, bound).feature(format!("rank {rank}")))
    }

    /// Entries of a table: a tensor's own along an axis, by counted or given indices.
    pub(super) fn gathered(&mut self) -> Made {
        let (x, dims, axis) = self.with_known_axis()?;
        let extent = dims[axis].known().expect("a known extent");
        let count = self.choose(&[1, 2, 3, 4]);
        let mut left = dims.clone();
        let batched = dims.iter().any(|dim| dim.known().is_none());
        let (index, entry) = match batched || self.coin() {
            true => {
                let text = self.choose(&["iota(COUNT) / 2", "iota(COUNT) * 0"]);
                let text = match extent >= count {
                    true => format!("iota({count})"),
                    false => text.replace("COUNT", &extent.to_string()),
                };
                let count = Dim::Known(count.min(extent));
                let line = self.line("iota", text, &[], [count], extent as f64);
                (self.add(line.of(DType::I32).index(true)), vec![count])
            }
            false => {
                let entry = vec![Dim::N, Dim::Known(count)];
                (self.input(Type::new(DType::I32, entry.clone()), extent), entry)
            }
        };
        left.splice(axis..axis + 1, entry);
        if !self.fits(&left) {
            return None;
        }
        let text = match axis {
            0 => "gather($0, $1)".to_string(),
            _ => format!("gather($0, $1, axis: {axis})"),
        };
        Some(self.line("gather", text, &[x, index], left, self.bound(x)))
    }
}
