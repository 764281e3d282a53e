//! The sums that gates of recurrent layers are functions of, taken apart.
//!
//! ```text
//! sigmoid((x @ w + b)[t][:, 4..8] + (h @ r)[:, 4..8])    weight: w from column 4, recurrent: r from column 4,
//!                                                        bias: b from element 4
//! ```
//!
//! It does not matter where the program slices, in what order it adds, nor whether it multiplies the sequence
//! before the scan or the slice of each step.

use super::OnnxPattern;
use crate::graph::{Binary, Dim, NodeId, Op, Range};
use crate::onnx::export::matching::Matcher;

/// Columns of a matrix, or elements of a vector, from one on.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::onnx::export) struct GateColumns {
    pub of: NodeId,
    /// Whether the matrix stands with its columns as rows.
    pub transposed: bool,
    pub from: usize,
}

/// The terms that a gate adds up.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::onnx::export) struct GateSum {
    /// Multiplied with the step of the sequence.
    pub weight: Option<GateColumns>,
    /// Multiplied with the state.
    pub recurrent: Option<GateColumns>,
    /// Vectors that are added to the sequence.
    pub bias: Vec<GateColumns>,
    /// Vectors that are added within the step.
    pub recurrent_bias: Vec<GateColumns>,
    /// All else.
    pub rest: Vec<NodeId>,
}

impl GateSum {
    /// The nodes that it reads.
    pub fn reads(&self) -> impl Iterator<Item = NodeId> + '_ {
        let matrices = self.weight.iter().chain(&self.recurrent);
        matrices.chain(&self.bias).chain(&self.recurrent_bias).map(|columns| columns.of)
    }

    /// Whether it is a step's product, a state's product and vectors.
    pub fn is_whole(&self) -> bool {
        self.weight.is_some() && self.recurrent.is_some() && self.rest.is_empty()
    }
}

/// A sequence that a layer reads: `[N, T, D]`, or `[T, N, D]` with the steps first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::onnx::export) struct LayerSequence {
    pub of: NodeId,
    pub steps_first: bool,
}

/// Takes the sums of a layer's gates apart.
pub(super) struct GateReader<'m, 'a> {
    pub matcher: &'m Matcher<'a>,
    /// The layer's state: a carry.
    pub state: NodeId,
    pub units: usize,
    /// The sequence, once a gate reads it.
    pub sequence: Option<LayerSequence>,
}

/// A part of a sum: columns of a node's value.
#[derive(Clone, Copy)]
struct SumPart {
    node: NodeId,
    from: usize,
    /// Before the scan: whether the steps are the first axis.
    outside: Option<bool>,
}

impl GateReader<'_, '_> {
    /// The terms of a node, if all gates read one sequence.
    pub fn sum(&mut self, node: NodeId) -> Option<GateSum> {
        let mut sum = GateSum::default();
        self.add(SumPart { node, from: 0, outside: None }, &mut sum)?;
        Some(sum)
    }

    fn add(&mut self, part: SumPart, sum: &mut GateSum) -> Option<()> {
        let id = self.columns_of(part.node);
        let node = self.matcher.node(id);
        match (&node.op, part.outside) {
            (Op::Binary(Binary::Add), _) => {
                self.add(SumPart { node: node.args[0], ..part }, sum)?;
                self.add(SumPart { node: node.args[1], ..part }, sum)
            }
            (Op::Slice(ranges), _) => {
                let from = part.from + columns(ranges)?;
                self.add(SumPart { node: node.args[0], from, ..part }, sum)
            }
            (Op::ScanSlice(_), None) => {
                self.add(SumPart { node: node.args[0], outside: Some(true), ..part }, sum)
            }
            (Op::Transpose(order), Some(steps_first)) if order[..] == [1, 0, 2] => {
                let outside = Some(!steps_first);
                self.add(SumPart { node: node.args[0], outside, ..part }, sum)
            }
            (Op::Param(_) | Op::State(_), outside) => {
                let vector = self.vector(id, part.from)?;
                let to = if outside.is_some() { &mut sum.bias } else { &mut sum.recurrent_bias };
                to.push(vector);
                Some(())
            }
            (_, outside) => self.product(id, part, outside, sum),
        }
    }

    fn product(
        &mut self,
        id: NodeId,
        part: SumPart,
        outside: Option<bool>,
        sum: &mut GateSum,
    ) -> Option<()> {
        if let Some(steps_first) = outside {
            let Some(OnnxPattern::Dense { x, weight, transposed, bias: None }) =
                self.matcher.rows(id)
            else {
                return None;
            };
            let weight = self.matrix(weight, transposed, part.from)?;
            self.read(x, steps_first)?;
            return sum.weight.replace(weight).is_none().then_some(());
        }
        let node = self.matcher.node(id);
        if let Op::MatMul { transpose_a: false, transpose_b } = node.op {
            let of = self.matcher.strip(node.args[0]);
            if of == self.state {
                let matrix = self.matrix(node.args[1], transpose_b, part.from)?;
                return sum.recurrent.replace(matrix).is_none().then_some(());
            }
            if let Op::ScanSlice(_) = self.matcher.node(of).op {
                let matrix = self.matrix(node.args[1], transpose_b, part.from)?;
                self.read(self.matcher.node(of).args[0], true)?;
                return sum.weight.replace(matrix).is_none().then_some(());
            }
        }
        let whole = self.matcher.shape(id).last() == Some(&Dim::Known(self.units));
        sum.rest.push(id);
        (whole && part.from == 0).then_some(())
    }

    /// Notes the sequence; two that differ are none.
    fn read(&mut self, mut of: NodeId, mut steps_first: bool) -> Option<()> {
        while let Op::Transpose(order) = &self.matcher.node(of).op {
            if order[..] != [1, 0, 2] {
                break;
            }
            of = self.matcher.node(of).args[0];
            steps_first = !steps_first;
        }
        let sequence = LayerSequence { of, steps_first };
        let known = *self.sequence.get_or_insert(sequence);
        let same = known.steps_first == steps_first && self.matcher.same(known.of, of);
        same.then_some(())
    }

    /// Columns of a parameter that is a matrix, or of a slice of one.
    pub fn matrix(&self, id: NodeId, transposed: bool, from: usize) -> Option<GateColumns> {
        let node = self.matcher.node(id);
        if let (Op::Slice(ranges), false) = (&node.op, transposed) {
            return self.matrix(node.args[0], transposed, from + columns(ranges)?);
        }
        let shape = self.matcher.shape(id);
        let wide = shape.get(usize::from(!transposed)).and_then(|dim| dim.known())?;
        let stored = matches!(node.op, Op::Param(_) | Op::State(_));
        let fits = stored && shape.len() == 2 && from + self.units <= wide;
        fits.then_some(GateColumns { of: id, transposed, from })
    }

    fn vector(&self, of: NodeId, from: usize) -> Option<GateColumns> {
        let &[Dim::Known(long)] = self.matcher.shape(of) else { return None };
        (from + self.units <= long).then_some(GateColumns { of, transposed: false, from })
    }

    /// The value behind what repeats rows, or adds axes before the last.
    fn columns_of(&self, mut id: NodeId) -> NodeId {
        loop {
            let node = self.matcher.node(id);
            let repeats = match &node.op {
                Op::Broadcast(_) | Op::StopGradient => true,
                Op::Reshape(_) => self.matcher.adds_units(id),
                _ => false,
            };
            let same =
                |arg: NodeId| self.matcher.shape(arg).last() == self.matcher.shape(id).last();
            match node.args.first() {
                Some(&arg) if repeats && same(arg) => id = arg,
                _ => return id,
            }
        }
    }
}

/// The first of the columns that a slice of nothing but columns takes.
fn columns(ranges: &[Range]) -> Option<usize> {
    let (last, before) = ranges.split_last()?;
    let all = before.iter().all(|range| *range == Range::ALL);
    (all && last.step == 1).then_some(last.start)
}
