//! Operators that move elements or give axes other names. Most of them become nothing at all.

use super::Translator;
use crate::onnx::import::constant::{Constant, ElementKind};
use crate::onnx::import::fold::{shape_change, triangle};
use crate::onnx::import::known::Made;
use crate::onnx::import::net::{CallSetting, NetForm, NetId, Weight};
use crate::onnx::import::node::NodeReader;
use crate::onnx::import::size::{SymbolicSize, listed};
use crate::onnx::import::value::{GraphValue, Placed, axis_of};

impl<'a> Translator<'a> {
    pub(super) fn movement(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let op = node.node.op.as_str();
        match op {
            "Transpose" => self.transpose(node),
            "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => {
                let x = self.tensor(node, 0)?;
                // The axes that rows were made of say where the batch is in them.
                let by_place = op != "Reshape" || self.copies_axes(node)?;
                let from = if by_place { x.clone() } else { x.apart() };
                let dims =
                    shape_change(node, &from.dims, &self.known)?.ok_or("its shape is unknown")?;
                match self.grouped(node, &x, &dims)? {
                    Some(made) => Ok(made),
                    None => self.reshaped(&x, dims),
                }
            }
            "Expand" => {
                let target = self.known.sizes(node, 1)?;
                let x = self.one_sample(self.known.value(node, 0)?, &target);
                let x = self.computed(x)?;
                let target = self.known.with_batch(target, &x.dims);
                self.expanded(&x, target)
            }
            "Pad" => self.pad(node),
            "Tile" => self.tile(node),
            "Trilu" => self.trilu(node),
            "DepthToSpace" => self.depth_to_space(node),
            "SpaceToDepth" => self.space_to_depth(node),
            _ => Err(format!("`{op}` has no counterpart in the language")),
        }
    }

    /// Zeros above a diagonal, or below it.
    fn trilu(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        if x.rank() < 2 || !matches!(x.kind, ElementKind::Float | ElementKind::Int) {
            return Err("it is for matrices of numbers alone".into());
        }
        let (diagonal, sign) = triangle(node, &self.known)?;
        let kept = self.triangle(&x.dims[x.rank() - 2..], diagonal, sign)?;
        let zero = GraphValue::Filled(0.0, x.kind, Vec::new());
        self.choice([&GraphValue::Tensor(kept), &GraphValue::Tensor(x), &zero])
    }

    /// Whether a shape names axes of the input by their places (with zeros).
    fn copies_axes(&self, node: &NodeReader<'a>) -> Made<bool> {
        let target = match node.ints("shape")? {
            Some(shape) => shape.into_iter().map(SymbolicSize::known).collect(),
            None => self.known.sizes(node, 1)?,
        };
        Ok(target.contains(&SymbolicSize::known(0)))
    }

    fn transpose(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        let x = self.unshuffled(&x)?;
        let rank = x.rank();
        let order = node.ints("perm")?.unwrap_or_else(|| (0..rank as i64).rev().collect());
        let order: Vec<usize> =
            order.iter().map(|&axis| axis_of(axis, rank)).collect::<Made<_>>()?;
        self.renamed(&x, &order)
    }

    /// Axis `j` of what is made is axis `order[j]` of the value: nothing moves.
    pub(super) fn renamed(&mut self, x: &Placed, order: &[usize]) -> Made<Placed> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if sorted.len() != x.rank() || sorted.iter().enumerate().any(|(at, &axis)| at != axis) {
            return Err(format!("{order:?} is no order of {} axes", x.rank()));
        }
        let dims = order.iter().map(|&axis| x.dims[axis]).collect();
        let new = |axis: &usize| order.iter().position(|it| it == axis).unwrap_or(0);
        Ok(Placed { dims, order: x.order.iter().map(new).collect(), ..x.clone() })
    }

    pub(super) fn concat(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let count = node.node.inputs.len();
        let given: Vec<GraphValue> =
            (0..count).map(|index| self.known.value(node, index)).collect::<Made<_>>()?;
        let shape = self.batched_shape(&given).unwrap_or_default();
        let mut values = Vec::with_capacity(count);
        for value in given {
            let value = self.one_sample(value, &shape);
            let value = self.computed(value)?;
            values.push(self.unshuffled(&value)?);
        }
        let axis = node.int("axis", 1)?;
        self.joined(values, axis)
    }

    /// Values beside each other along an axis of the graph.
    pub(super) fn joined(&mut self, values: Vec<Placed>, axis: i64) -> Made<Placed> {
        let first = values.first().ok_or("it has no inputs")?;
        if values.len() == 1 {
            return Ok(first.clone());
        }
        let (rank, kind) = (first.rank(), first.kind);
        let axis = axis_of(axis, rank)?;
        if values.iter().any(|value| value.rank() != rank || value.kind != kind) {
            return Err("it joins values of several types".into());
        }
        let moved = values.iter().find(|value| !value.is_plain()).unwrap_or(first);
        let order = moved.order.clone();
        // The shape of the others; a constant is repeated for each sample.
        let model = values.iter().find(|value| value.dims.iter().any(|size| size.has_batch()));
        let model = model.unwrap_or(first).dims.clone();
        let (mut args, mut total) = (Vec::new(), None::<SymbolicSize>);
        for value in values {
            let mut dims = model.clone();
            dims[axis] = value.dims[axis];
            let whole = self.batch_of_one(&value, &dims)?;
            if whole.dims != dims {
                return Err(format!("{} is joined to {}", listed(&whole.dims), listed(&model)));
            }
            args.push(self.ordered(&whole, &order)?.id);
            total = match total {
                None => Some(dims[axis]),
                Some(total) => Some(total.add(dims[axis]).ok_or("its shape is too large")?),
            };
        }
        let mut dims = model;
        dims[axis] = total.unwrap_or(SymbolicSize::ONE);
        if dims[axis].has_batch() {
            return Err("it joins along the axis of the batch".into());
        }
        let parts = CallSetting::List((0..args.len()).map(CallSetting::Arg).collect());
        let shape = self.shape(&dims, &order);
        let place = order.iter().position(|&it| it == axis).unwrap_or(0) + self.leading();
        let mut settings = vec![(None, parts)];
        if place + 1 != shape.len() {
            settings.push((Some("axis"), CallSetting::Int(place as i64)));
        }
        let form = NetForm::Call { callee: "concat".into(), settings };
        let id = self.net.add(form, args, shape, kind);
        Ok(Placed { id, kind, dims, order, shuffle: None, rows: None })
    }

    /// A constant of the batch that the file was written with, for every batch.
    fn batch_of_one(&mut self, value: &Placed, dims: &[SymbolicSize]) -> Made<Placed> {
        let constant = !value.dims.iter().any(|size| size.has_batch());
        let single = |(own, wanted): (&SymbolicSize, &SymbolicSize)| {
            own == wanted || (*own == SymbolicSize::ONE && wanted.has_batch())
        };
        match constant && value.dims != dims && value.dims.iter().zip(dims).all(single) {
            true => self.expanded(value, dims.to_vec()),
            false => Ok(value.clone()),
        }
    }

    fn tile(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let mut x = self.tensor(node, 0)?;
        let times = self.known.constant(node, 1)?.ints(&self.known.stored);
        if times.len() != x.rank() || times.iter().any(|times| !(1..=64).contains(times)) {
            return Err("it repeats not at all, or more than 64 times".into());
        }
        for (axis, &times) in times.iter().enumerate() {
            if times > 1 {
                x = self.unshuffled(&x)?;
                let copies = vec![x.clone(); times as usize];
                x = self.joined(copies, axis as i64)?;
            }
        }
        Ok(x)
    }

    /// The batch, channels, rows and columns of images, and a block's edge.
    fn blocks(&mut self, node: &NodeReader<'a>) -> Made<(Placed, [SymbolicSize; 4], i64)> {
        let x = self.tensor(node, 0)?;
        let edge = node.int("blocksize", 0)?;
        let [batch, channels, rows, columns] = x.dims[..] else {
            return Err("it is for images alone".into());
        };
        if !(1..1 << 12).contains(&edge) {
            return Err(format!("a block of {edge} is none"));
        }
        Ok((x, [batch, channels, rows, columns], edge))
    }

    fn depth_to_space(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let (x, [batch, channels, rows, columns], edge) = self.blocks(node)?;
        let b = SymbolicSize::known(edge);
        let unfit = "the blocks do not divide the channels";
        let inner = exactly(channels, edge * edge).ok_or(unfit)?;
        let (apart, order) = match node.text("mode", "DCR")? {
            "DCR" => ([batch, b, b, inner, rows, columns], [0, 3, 4, 1, 5, 2]),
            "CRD" => ([batch, inner, b, b, rows, columns], [0, 1, 4, 2, 5, 3]),
            other => return Err(format!("the mode `{other}` is not known")),
        };
        let large = |size: SymbolicSize| size.mul(b).ok_or(unfit);
        let made = vec![batch, inner, large(rows)?, large(columns)?];
        let apart = self.reshaped(&x, apart.to_vec())?;
        let apart = self.renamed(&apart, &order)?;
        self.reshaped(&apart, made)
    }

    fn space_to_depth(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let (x, [batch, channels, rows, columns], edge) = self.blocks(node)?;
        let (b, unfit) = (SymbolicSize::known(edge), "the blocks do not divide the image");
        let (rows, columns) =
            (exactly(rows, edge).ok_or(unfit)?, exactly(columns, edge).ok_or(unfit)?);
        let deep = channels.mul(SymbolicSize::known(edge * edge)).ok_or(unfit)?;
        let apart = self.reshaped(&x, vec![batch, channels, rows, b, columns, b])?;
        let apart = self.renamed(&apart, &[0, 3, 5, 1, 2, 4])?;
        self.reshaped(&apart, vec![batch, deep, rows, columns])
    }

    /// An index of data as whole numbers of the program.
    pub(super) fn index_value(&mut self, constant: &Constant) -> Made<NetId> {
        self.weight_node(Weight::new(constant.clone()))
    }
}

/// A size divided by a number that divides it.
fn exactly(size: SymbolicSize, by: i64) -> Option<SymbolicSize> {
    size.number().filter(|size| size % by == 0).map(|size| SymbolicSize::known(size / by))
}
