//! Values of expressions by their places, as an editor shows them.
//!
//! ```text
//! image |> conv(32, 3) |> relu      `conv(32, 3)`: f32[N, 28, 28, 1] → f32[N, 26, 26, 32],
//!                                   320 parameters, 389 376 operations a sample
//! ```
//!
//! Whoever wants them gives elaboration a [`Trace`]. Code that runs several times (a layer that is
//! called twice, a `repeat`) has a value for each different one, up to [`MOST_VALUES`]. What fails
//! has no value; what was elaborated before it has. Places of the prelude are not noted.

use super::context::Elaborator;
use super::value::Value;
use crate::base::source::Span;
use crate::graph::Op;
use crate::graph::scan::Bodies;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many different values of one place are kept.
const MOST_VALUES: usize = 8;

/// The values of a program's expressions, by their places. Clones are the same table.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    places: Arc<Mutex<HashMap<Span, Vec<TracedValue>>>>,
}

/// A value of an expression, a stage or a name.
#[derive(Clone, Debug, PartialEq)]
pub struct TracedValue {
    /// The value that a stage takes: `f32[N, 28, 28, 1]`.
    pub input: Option<String>,
    /// The value, as it would be written; of a tensor, its type.
    pub value: String,
    /// Whether it is a tensor.
    pub is_tensor: bool,
    /// The path of the layer that it is computed in: empty in the model itself.
    pub path: String,
    /// The costs of computing it.
    pub cost: LayerCost,
}

/// The costs of a stage or a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerCost {
    /// How many numbers it trains.
    pub parameters: usize,
    /// Operations of its contractions over one sample, forward.
    pub flops: u64,
    /// Bytes of its output, over one sample.
    pub activation: usize,
}

impl Trace {
    /// All places with their values, in no order.
    pub fn take(&self) -> HashMap<Span, Vec<TracedValue>> {
        std::mem::take(&mut *self.places.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps a value of a place, unless it is known; `cost` computes what is kept with it.
    fn note(&self, span: Span, mut value: TracedValue, cost: impl FnOnce() -> LayerCost) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let values = places.entry(span).or_default();
        let same =
            |known: &TracedValue| (&known.input, &known.value) == (&value.input, &value.value);
        if values.len() < MOST_VALUES && !values.iter().any(same) {
            value.cost = cost();
            values.push(value);
        }
    }
}

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
        let traced = TracedValue {
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
                _ => {
                    // Each product is multiplied and added.
                    let products = bodies.times(graph, id) * graph.products(node, 1).unwrap_or(0);
                    cost.flops = cost.flops.saturating_add(2 * products as u64);
                }
            }
        }
        cost
    }
}
