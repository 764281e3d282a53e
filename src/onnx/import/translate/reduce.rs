//! Reductions along axes, and the softmax of one.

use super::Translator;
use super::pool::without;
use crate::onnx::import::constant::ElementKind;
use crate::onnx::import::known::Made;
use crate::onnx::import::net::{CallSetting, NetForm};
use crate::onnx::import::node::NodeReader;
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::{Placed, axis_of};

impl<'a> Translator<'a> {
    pub(super) fn reduce(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        let x = self.unshuffled(&x)?;
        let axes = self.known.listed(node, "axes", 1)?.unwrap_or_default();
        let (none, keep) =
            (node.int("noop_with_empty_axes", 0)? == 1, node.int("keepdims", 1)? == 1);
        let mut axes: Vec<usize> =
            axes.iter().map(|&axis| axis_of(axis, x.rank())).collect::<Made<_>>()?;
        let op = node.node.op.as_str();
        if axes.is_empty() {
            if none {
                return match op {
                    "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" => Ok(x),
                    _ => Err("it reduces no axes".into()),
                };
            }
            axes = (0..x.rank()).collect();
        }
        axes.sort_unstable();
        axes.dedup();
        let takes_ints = matches!(op, "ReduceSum" | "ReduceMax" | "ReduceMin");
        if x.kind != ElementKind::Float && !(x.kind == ElementKind::Int && takes_ints) {
            return Err(format!("it is not for values of the type {}", x.kind.word()));
        }
        let square = NetForm::Infix("*", CallSetting::Arg(0), CallSetting::Arg(0));
        let (before, callee, after) = match op {
            "ReduceMean" => (None, "mean", None),
            "ReduceSum" => (None, "sum", None),
            "ReduceMax" => (None, "max", None),
            "ReduceMin" => (None, "min", None),
            "ReduceL1" => (Some("abs"), "sum", None),
            "ReduceL2" => (Some("square"), "sum", Some("sqrt")),
            "ReduceSumSquare" => (Some("square"), "sum", None),
            "ReduceLogSum" => (None, "sum", Some("log")),
            "ReduceLogSumExp" => return self.log_sum_exp(&x, &axes, keep),
            _ => return Err("it has no counterpart in the language".into()),
        };
        let x = match before {
            Some("square") => self.same_place(&x, square, ElementKind::Float),
            Some(function) => self.of_one(&x, function, Vec::new()),
            None => x,
        };
        let made = self.reduced(&x, callee, &axes, keep)?;
        Ok(match after {
            Some(function) => self.of_one(&made, function, Vec::new()),
            None => made,
        })
    }

    /// `max + log(sum(exp(x - max)))`
    fn log_sum_exp(&mut self, x: &Placed, axes: &[usize], keep: bool) -> Made<Placed> {
        let most = self.reduced(x, "max", axes, true)?;
        let less = NetForm::Infix("-", CallSetting::Arg(0), CallSetting::Arg(1));
        let shifted = self.pair(less, x, &most, ElementKind::Float);
        let exps = self.of_one(&shifted, "exp", Vec::new());
        let sums = self.reduced(&exps, "sum", axes, keep)?;
        let logs = self.of_one(&sums, "log", Vec::new());
        let most = if keep { most } else { self.reduced(x, "max", axes, false)? };
        let sum = NetForm::Infix("+", CallSetting::Arg(0), CallSetting::Arg(1));
        Ok(self.pair(sum, &logs, &most, ElementKind::Float))
    }

    /// A reduction along axes of the graph.
    pub(super) fn reduced(
        &mut self,
        x: &Placed,
        callee: &str,
        axes: &[usize],
        keep: bool,
    ) -> Made<Placed> {
        let x = self.unshuffled(x)?;
        let lead = self.leading();
        let mut places: Vec<i64> = axes.iter().map(|&axis| (x.place(axis) + lead) as i64).collect();
        places.sort_unstable();
        let (dims, order) = without(&x, axes, keep);
        let shape = self.shape(&dims, &order);
        if axes.is_empty() {
            return Ok(x);
        }
        let mut settings = vec![(Some("axis"), CallSetting::axes(&places))];
        if keep {
            settings.push((Some("keep"), CallSetting::bool(true)));
        }
        let id = self.call(callee, vec![x.id], settings, shape, x.kind);
        Ok(Placed { id, kind: x.kind, dims, order, shuffle: None, rows: None })
    }

    /// Sums of what stands before along an axis, which is the second one of three for that.
    pub(super) fn cumulative_sum(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        let x = self.unshuffled(&x)?;
        let axis = self.known.constant(node, 1)?;
        let axis = axis.scalar(&self.known.stored).ok_or("its axis is no single number")?;
        let axis = axis_of(axis as i64, x.rank())?;
        let steps = x.dims[axis].number().ok_or("it sums along the axis of the batch")?;
        if x.kind != ElementKind::Float || self.lead || axis == 0 {
            return Err("it is for floats alone, and not along the first axis".into());
        }
        let mut settings = Vec::new();
        for name in ["exclusive", "reverse"] {
            if node.int(name, 0)? != 0 {
                settings.push((Some(name), CallSetting::bool(true)));
            }
        }
        let others = (1..x.rank()).filter(|&other| other != axis);
        let order: Vec<usize> = [0, axis].into_iter().chain(others).collect();
        let turned = self.renamed(&x, &order)?;
        let rest =
            SymbolicSize::product(&turned.dims[2..]).ok_or("its axes depend on the batch")?;
        let flat = vec![turned.dims[0], SymbolicSize::known(steps), rest];
        let flat = self.reshaped(&turned, flat)?;
        let flat = self.plain(&flat)?;
        let made = self.of_one(&flat, "cumulative_sum", settings);
        let made = self.reshaped(&made, turned.dims.clone())?;
        let back: Vec<usize> =
            (0..x.rank()).map(|at| order.iter().position(|&it| it == at).unwrap_or(at)).collect();
        self.renamed(&made, &back)
    }

    pub(super) fn arg_extreme(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        let x = self.unshuffled(&x)?;
        let axis = axis_of(node.int("axis", 0)?, x.rank())?;
        let keep = node.int("keepdims", 1)? == 1;
        if node.int("select_last_index", 0)? != 0 {
            return Err("it asks for the last of equal elements".into());
        }
        if x.kind != ElementKind::Float {
            return Err(format!("it is not for values of the type {}", x.kind.word()));
        }
        let x = match node.node.op.as_str() {
            "ArgMin" => {
                let form = NetForm::Infix("-", CallSetting::Float(0.0), CallSetting::Arg(0));
                self.same_place(&x, form, ElementKind::Float)
            }
            _ => x,
        };
        let place = (x.place(axis) + self.leading()) as i64;
        let mut settings = vec![(Some("axis"), CallSetting::Int(place))];
        if keep {
            settings.push((Some("keep"), CallSetting::bool(true)));
        }
        let (dims, order) = without(&x, &[axis], keep);
        let shape = self.shape(&dims, &order);
        let id = self.call("argmax", vec![x.id], settings, shape, ElementKind::Int);
        Ok(Placed { id, kind: ElementKind::Int, dims, order, shuffle: None, rows: None })
    }

    /// Along one axis; before version 13, over all axes from one on.
    pub(super) fn softmax(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        if x.kind != ElementKind::Float {
            return Err("it is for floats alone".into());
        }
        let x = self.unshuffled(&x)?;
        let old = node.opset < 13;
        let axis = axis_of(node.int("axis", if old { 1 } else { -1 })?, x.rank())?;
        let callee = if node.node.op == "Softmax" { "softmax" } else { "log_softmax" };
        let behind = &x.dims[axis + 1..];
        if !old || behind.iter().all(|&size| size == SymbolicSize::ONE) {
            return Ok(self.along(&x, callee, axis));
        }
        let merged =
            SymbolicSize::product(&x.dims[axis..]).ok_or("its axes depend on the batch")?;
        let flat: Vec<SymbolicSize> = x.dims[..axis].iter().copied().chain([merged]).collect();
        let flat = self.reshaped(&x, flat)?;
        let flat = self.unshuffled(&flat)?;
        let made = self.along(&flat, callee, axis);
        self.reshaped(&made, x.dims.clone())
    }

    /// A function along an axis of the graph.
    fn along(&mut self, x: &Placed, callee: &str, axis: usize) -> Placed {
        let place = x.place(axis) + self.leading();
        let last = place + 1 == x.rank() + self.leading();
        let axis = (!last).then_some((Some("axis"), CallSetting::Int(place as i64)));
        self.of_one(x, callee, axis.into_iter().collect())
    }
}
