//! Whether a step of a given batch can be: the one thing that elaboration, to which the batch is a
//! symbol, cannot know.
//!
//! A batch of 10¹⁰ makes tensors that are too large; a batch of 1 leaves `batch_norm` over rows
//! one value a channel, whose unbiased variance divides by `1 - 1`.

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::limits;
use crate::base::source::{Sources, Span};
use crate::base::tensor::DType;
use crate::driver::compiled::place;
use crate::driver::session::{Failure, Session};
use crate::graph::{self, Binary, Dim, Graph, NodeId, Op, Shape, Type};
use std::collections::HashMap;

/// The batch where nothing says one.
pub(crate) const DEFAULT_BATCH: usize = 32;

impl Session {
    /// Checks what must hold for a step of this batch.
    pub(crate) fn check_batch(&self, graph: &Graph, batch: usize) -> Result<(), Failure> {
        let (operators, most) = (graph.nodes.len(), limits::STEP_OPERATORS);
        if operators > most {
            let message = format!("a step of {operators} operators; at most {most} are compiled");
            let error = Diagnostic::error(codes::TOO_LARGE, message).help(
                "each parameter adds those of its gradient and of its update: use fewer layers",
            );
            return Err(self.program_failure(vec![error]));
        }
        fits(graph, batch)?;
        let Some(node) = zero_division(graph, batch) else { return Ok(()) };
        let error = divides_by_zero(&self.sources, batch, place(&self.sources, graph, node));
        Err(self.program_failure(vec![error]))
    }
}

/// The error of a step of this batch that divides by zero, and where.
pub(crate) fn divides_by_zero(sources: &Sources, batch: usize, place: Option<Span>) -> Diagnostic {
    let samples = if batch == 1 { "1 sample".into() } else { format!("{batch} samples") };
    let error =
        Diagnostic::error(codes::ZERO_DIVISION, format!("a step of {samples} divides by zero"))
            .help("make `batch` larger; where it is the last of an epoch, `last_batch = drop`");
    let Some(place) = place else { return error };
    let error = error.primary(place, "here");
    match sources.text(place).starts_with("batch_norm") {
        true => {
            error.note("the variance of one value is not known: `batch_norm` needs two a channel")
        }
        false => {
            error.note(format!("the divisor depends on the batch, and is 0 where it is {batch}"))
        }
    }
}

/// Whether all values of a step of this batch may be as large as they are.
fn fits(graph: &Graph, batch: usize) -> Result<(), Failure> {
    for node in graph.nodes.values() {
        let extents: Vec<usize> = node.ty.shape.iter().map(|&dim| extent(dim, batch)).collect();
        let bound = Type::new(node.ty.dtype, Shape::known(&extents));
        if let Err(mismatch) = graph::infer::check_type(&bound) {
            return Err(Failure::Data(format!("a batch of {batch} is too large: {mismatch}")));
        }
        let types: Vec<&Type> = node.args.iter().map(|&arg| graph.ty(arg)).collect();
        let at = |dim| extent(dim, batch);
        if let Err(mismatch) = graph::infer::check_indices(&node.op, &types, at) {
            return Err(Failure::Data(format!("a batch of {batch} is too large: {mismatch}")));
        }
    }
    Ok(())
}

pub(crate) fn extent(dim: Dim, batch: usize) -> usize {
    match dim {
        Dim::Known(extent) => extent,
        Dim::Batch(times) => times.saturating_mul(batch),
    }
}

/// The first division by a number that only the batch decides, and that is 0.
pub(crate) fn zero_division(graph: &Graph, batch: usize) -> Option<NodeId> {
    let mut known: HashMap<NodeId, f64> = HashMap::new();
    for (id, node) in graph.nodes.iter() {
        let value = match &node.op {
            Op::Const(value, DType::F64) => Some(*value),
            Op::Extent(dim) => Some(extent(*dim, batch) as f64),
            Op::Binary(op) => {
                let args = (known.get(&node.args[0]), known.get(&node.args[1]));
                if *op == Binary::Div && args.1 == Some(&0.0) {
                    return Some(id);
                }
                args.0.zip(args.1).map(|(a, b)| op.eval(*a, *b))
            }
            // Other numbers of a step change with it, or are made of tensors.
            _ => None,
        };
        if let Some(value) = value {
            known.insert(id, value);
        }
    }
    None
}
