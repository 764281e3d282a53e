//! Cost of a graph in the interpreter: operations and bytes, counted before anything is run.
//!
//! A product of two 100 × 100 matrices is 2,000,000 operations; the sum of two vectors of 100 is
//! 800: what is done for an element beside its arithmetic (rounding, reading, writing) is counted
//! as [`ELEMENT`] operations, so that equal counts take about equal time.

use super::last_readers;
use crate::base::entity::Entity;
use crate::graph::data::{Graph, Node};
use crate::graph::op::{Op, OpKind};
use crate::graph::scan::Bodies;
use crate::graph::types::Type;

/// Operations for an element that is computed from others of the same place.
const ELEMENT: f64 = 8.0;
/// Operations for an element whose place is computed from its indices.
const INDEXED: f64 = 64.0;
/// Bytes of an element.
const BYTES: usize = size_of::<f64>();

/// Cost of a step in the interpreter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Operations, in units of a floating-point one.
    pub operations: f64,
    /// The most bytes held at once, beside those of the graph's surroundings and results.
    pub bytes: usize,
}

/// The cost of [`run`](super::run) for a graph at a number of samples.
pub fn cost(graph: &Graph, batch: usize) -> Cost {
    let last = last_readers(graph);
    let bytes = |ty: &Type| elements(ty, batch).saturating_mul(BYTES);
    let mut cost = Cost::default();
    let mut held = 0usize;
    let bodies = Bodies::of(graph);
    for (id, node) in graph.nodes.iter() {
        cost.operations += operations(graph, node, batch) * bodies.times(graph, id) as f64;
        let made = bytes(&node.ty);
        held = held.saturating_add(made);
        // A result may be rounded into another array before the first is let go.
        cost.bytes = cost.bytes.max(held.saturating_add(made));
        if !graph.scans.is_empty() {
            // Nothing is let go.
            continue;
        }
        let mut ended: Vec<_> = node.args.iter().copied().chain([id]).collect();
        ended.sort_unstable();
        ended.dedup();
        for arg in ended.into_iter().filter(|arg| last[arg.index()] == Some(id)) {
            held = held.saturating_sub(bytes(graph.ty(arg)));
        }
    }
    cost
}

/// Elements of a value.
fn elements(ty: &Type, batch: usize) -> usize {
    ty.shape.at(batch).into_iter().fold(1, usize::saturating_mul)
}

fn operations(graph: &Graph, node: &Node, batch: usize) -> f64 {
    let of = |ty: &Type| elements(ty, batch) as f64;
    let arg = |index: usize| graph.ty(node.args[index]);
    let made = of(&node.ty);
    match (&node.op, node.op.kind()) {
        (_, OpKind::Product | OpKind::Convolution) => {
            2.0 * graph.products(node, batch).unwrap_or(0) as f64
        }
        (Op::MaxPool(window) | Op::MaxPoolIndex(window) | Op::SumPool(window), _) => {
            INDEXED * made * window.taps() as f64
        }
        (Op::MaxPoolGrad { window, .. }, _) => INDEXED * of(arg(1)) * window.taps() as f64,
        (Op::SumPoolGrad { window, .. }, _) => INDEXED * of(arg(0)) * window.taps() as f64,
        (Op::Gather(_) | Op::Pick | Op::Iota { .. }, _) => INDEXED * made,
        (Op::ScatterAdd { .. }, _) => INDEXED * of(arg(1)) + made,
        (_, OpKind::Reduction | OpKind::Choice) => ELEMENT * of(arg(0)),
        (_, OpKind::Given | OpKind::Number | OpKind::Const | OpKind::Generated) => ELEMENT * made,
        (_, OpKind::Elementwise | OpKind::View | OpKind::Joined | OpKind::Scan) => ELEMENT * made,
        (_, OpKind::Pool | OpKind::Indexed) => INDEXED * made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tensor::DType;
    use crate::graph::builder::Builder;
    use crate::graph::{Dim, Unary};

    #[test]
    fn products_and_elements_are_counted_and_values_end_with_their_last_reader() {
        let mut builder = Builder::new("g");
        let matrix = |n: Dim| Type::new(DType::F32, vec![n, Dim::Known(100)]);
        let x = builder.input("x", matrix(Dim::N));
        let w = builder.input("w", matrix(Dim::Known(100)));
        let op = Op::MatMul { transpose_a: false, transpose_b: false };
        let mut y = builder.op(op, &[x, w]).unwrap();
        for _ in 0..10 {
            y = builder.unary(Unary::Tanh, y).unwrap();
        }
        builder.output("y", y);
        let Cost { operations, bytes } = cost(&builder.finish(), 100);
        assert_eq!(operations, 2e6 + 12.0 * ELEMENT * 1e4);
        assert_eq!(bytes, 4 * 80_000, "two factors, a product and its rounding");
    }
}
