//! The layers that a model calls, with their outputs, parameters and operations.
//!
//! ```text
//! conv         [N, 26, 26, 32]           320    389.4 k      84.5 kB
//! ```

use crate::base::entity::Entity;
use crate::base::units::grouped;
use crate::graph::scan::Bodies;
use crate::graph::{Graph, Op};
use std::collections::HashMap;

/// The row of operators in the model's own body.
const OPERATORS: &str = "(operators)";

/// A call of a layer by the model.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// Its path.
    pub(crate) path: String,
    /// The type of its output.
    pub(crate) output: String,
    /// How many numbers it trains.
    pub(crate) parameters: usize,
    /// Operations of its contractions, over one sample.
    pub(crate) flops: u64,
    /// Bytes of its output, over one sample.
    pub(crate) activation: usize,
}

impl Layer {
    /// Path, output, parameters and operations a sample, for a table.
    pub(crate) fn row(&self) -> [String; 4] {
        let numbers = [grouped(self.parameters as u64), grouped(self.flops)];
        let [parameters, flops] = numbers;
        [self.path.clone(), self.output.clone(), parameters, flops]
    }
}

/// The layers that a forward graph's model calls, in order.
pub(crate) fn layers(graph: &Graph) -> Vec<Layer> {
    let needed = graph.behind(graph.model_outputs());
    let bodies = Bodies::of(graph);
    let mut layers: Vec<Layer> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (id, node) in graph.nodes.iter().filter(|(id, _)| needed[id.index()]) {
        let path = node.origin.map_or("", |origin| graph.origins.get(origin).path.as_str());
        let path = match path.split('.').next().unwrap_or_default() {
            "" if node.args.is_empty() => continue,
            "" => OPERATORS,
            first => first,
        };
        let index = *known.entry(path).or_insert_with(|| {
            layers.push(Layer {
                path: path.to_owned(),
                output: String::new(),
                parameters: 0,
                flops: 0,
                activation: 0,
            });
            layers.len() - 1
        });
        let layer = &mut layers[index];
        let elements: usize = node.ty.shape.at(1).iter().product();
        if let Op::Param(_) = node.op {
            layer.parameters += elements;
            continue;
        }
        layer.flops += bodies.operations(graph, id);
        layer.output = node.ty.shape.to_string();
        layer.activation = elements * node.ty.dtype.size();
    }
    // What prepares samples, and sums between layers, say little.
    layers.retain(|layer| layer.path != OPERATORS || layer.flops > 0);
    layers
}
