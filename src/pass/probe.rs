//! Counts, for every value of a step, the elements that are not finite.
//!
//! ```text
//! %4 = log %3 : f32[N, 10]          the same nodes, then
//!                                   %9 = lt (abs %4) inf
//!                                   %10 = sum (where %9 0 1) over 1 : f32[N]
//!                                   output probe.4 = %10
//! ```
//!
//! A value of the batch is counted sample by sample, any other as a whole; one of a scan's steps in
//! all of them. Nothing but the counts
//! is put out, and nothing is updated: the graph is for finding out where a step went wrong, from
//! the state that it began with.

use crate::base::entity::Entity;
use crate::base::step_output::StepOutput;
use crate::base::tensor::DType;
use crate::graph::scan::Bodies;
use crate::graph::{Binary, Dim, Graph, NodeId, Op, Output, Unary};
use crate::pass::Pass;
use crate::pass::emit::Emit;

/// This pass.
pub const PASS: Pass<()> = Pass {
    name: "probe",
    description: "counts the elements of every value that are not finite",
    run: |graph, ()| run(graph),
};

/// Puts out the counts of all nodes.
pub fn run(graph: &Graph) -> Graph {
    let probed: Vec<NodeId> = graph
        .nodes
        .iter()
        .filter(|(_, node)| node.ty.dtype == DType::F32 && !matches!(node.op, Op::Const(..)))
        .map(|(id, _)| id)
        .collect();
    let bodies = Bodies::of(graph);
    let mut emit = Emit::resume(graph.clone());
    emit.builder.set_origin(None);
    let mut outputs = Vec::new();
    for id in probed {
        let shape = emit.shape(id);
        let infinity = emit.like(id, f64::INFINITY);
        let size = emit.unary(Unary::Abs, id);
        let finite = emit.binary(Binary::Lt, size, infinity);
        let (zero, one) = (emit.like(id, 0.0), emit.like(id, 1.0));
        let flags = emit.select(finite, zero, one);
        let by_sample = matches!(shape.first(), Some(Dim::Batch(_)));
        let axes: Vec<usize> = (usize::from(by_sample)..shape.rank()).collect();
        let mut count = emit.sum(flags, &axes);
        if let Some(scan) = bodies.scan(id) {
            let steps = emit.op(Op::ScanStack(scan), &[count]);
            count = emit.sum(steps, &[0]);
        }
        outputs.push(Output { name: StepOutput::Probe(id.index()), node: count });
    }
    let mut probed = emit.finish();
    probed.outputs = outputs;
    probed.updates.clear();
    probed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::builder::Builder;
    use crate::graph::{Reduce, Type};

    #[test]
    fn values_of_the_batch_are_counted_by_sample() {
        let mut builder = Builder::new("g");
        let x = builder.input("x", Type::new(DType::F32, vec![Dim::N, Dim::Known(2)]));
        let log = builder.unary(Unary::Log, x).unwrap();
        let sum = builder.reduce(Reduce::Sum, log, &[0, 1], false).unwrap();
        builder.output("loss", sum);
        let graph = builder.finish();
        let probed = run(&graph);
        crate::graph::verify::verify(&probed).unwrap();
        let shapes: Vec<usize> =
            probed.outputs.iter().map(|it| probed.ty(it.node).shape.rank()).collect();
        assert_eq!(shapes, [1, 1, 0]);
    }
}
