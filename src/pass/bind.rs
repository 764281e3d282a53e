//! The batch gets its number.
//!
//! In: a graph of symbolic batch `N`. Out: the same graph, node for node, with every `k·N`
//! replaced by its extent and [`Op::Extent`] by a constant, so that all shapes below are static.
//!
//! ```text
//! %0 = input0 : f32[N, 784]      batch 32      %0 = input0 : f32[32, 784]
//! %7 = extent N : f64                          %7 = const 32 : f64
//! ```
//!
//! It renames nothing: node ids, outputs and origins stay. A step for another batch size (the
//! last, smaller one) is bound from the same symbolic graph.

use crate::base::tensor::DType;
use crate::graph::{Dim, Graph, Op, Shape};
use crate::pass::Pass;

/// This pass.
pub const PASS: Pass<usize> = Pass {
    name: "bind",
    description: "gives the batch its size",
    run: |graph, batch| run(graph, *batch),
};

/// The graph for batches of `batch` samples.
pub fn run(graph: &Graph, batch: usize) -> Graph {
    let mut graph = graph.clone();
    for input in graph.inputs.values_mut() {
        bind_shape(&mut input.ty.shape, batch);
    }
    for node in graph.nodes.values_mut() {
        bind_shape(&mut node.ty.shape, batch);
        bind_op(&mut node.op, batch);
    }
    graph
}

fn bind_shape(shape: &mut Shape, batch: usize) {
    if shape.has_batch() {
        *shape = shape.iter().map(|dim| Dim::Known(dim.at(batch))).collect();
    }
}

fn bind_op(op: &mut Op, batch: usize) {
    match op {
        Op::Extent(dim) => *op = Op::Const(dim.at(batch) as f64, DType::F64),
        Op::Iota { shape, .. }
        | Op::Uniform { shape, .. }
        | Op::Broadcast(shape)
        | Op::Reshape(shape)
        | Op::ScatterAdd { shape, .. } => bind_shape(shape, batch),
        // No other has an extent of the batch among its attributes: windows slide over known axes.
        // `verify` finds one that has, as its type is bound and it is not.
        _ => {}
    }
}
