//! How elaboration notes values for whoever wants them: with what they cost.

use super::context::Elaborator;
use super::trace::{LayerCost, ShownValue};
use super::value::Value;
use crate::base::source::Span;
use crate::graph::Op;
use crate::graph::scan::Bodies;

impl Elaborator<'_> {
    /// Notes the value of a place of the user's, which the nodes after the first `from` compute.
    pub fn note_value(
        &self,
        span: Span,
        value: Option<&Value>,
        input: Option<&Value>,
        from: usize,
    ) {
        let (Some(trace), Some(value)) = (self.trace, value) else { return };
        if self.items.in_prelude(span) {
            return;
        }
        let graph = &self.builder.graph;
        let traced = ShownValue {
            input: input.map(|input| input.show(graph)),
            value: value.show(graph),
            is_tensor: matches!(value, Value::Tensor(_)),
            path: self.frame().path.clone(),
            cost: LayerCost::default(),
        };
        trace.note(span, traced, || self.cost(value, from));
    }

    /// The costs of the nodes after the first `from`, which compute a value.
    fn cost(&self, value: &Value, from: usize) -> LayerCost {
        let graph = &self.builder.graph;
        let mut cost = LayerCost::default();
        if let Value::Tensor(node) = value {
            let ty = graph.ty(*node);
            cost.activation = ty.shape.at(1).iter().product::<usize>() * ty.dtype.size();
        }
        if from == graph.nodes.len() {
            return cost;
        }
        let bodies = Bodies::of(graph);
        for (id, node) in graph.nodes.iter().skip(from) {
            match node.op {
                Op::Param(_) => cost.parameters += node.ty.shape.at(1).iter().product::<usize>(),
                _ => cost.flops = cost.flops.saturating_add(bodies.operations(graph, id)),
            }
        }
        cost
    }
}
