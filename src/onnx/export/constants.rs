//! The nodes whose values are known when the file is written: constants and what is computed of them
//! alone, such as positions' angles and masks of triangles. Parameters are none: they keep their names.

use crate::base::entity::Entity;
use crate::base::tensor::Tensor;
use crate::graph::interp::{self, Env};
use crate::graph::{Dim, Graph, Node, NodeId, Op, OpKind};
use std::collections::HashMap;

/// The most elements of a constant that is computed here.
const LARGEST: usize = 1 << 22;

/// Computes the constants among the nodes that are needed, by the graph's interpreter.
pub(super) fn fold(graph: &Graph, needed: &[bool]) -> HashMap<NodeId, Tensor> {
    let constant = constants(graph);
    let mut behind = vec![false; graph.nodes.len()];
    for id in graph.nodes.keys().collect::<Vec<_>>().into_iter().rev() {
        behind[id.index()] |= constant[id.index()] && needed[id.index()];
        if behind[id.index()] {
            graph.nodes[id].args.iter().for_each(|arg| behind[arg.index()] = true);
        }
    }
    // A graph of the constants alone.
    let mut alone = Graph { hypers: graph.hypers.clone(), ..Graph::default() };
    let mut places: HashMap<NodeId, NodeId> = HashMap::new();
    for (id, node) in graph.nodes.iter().filter(|(id, _)| behind[id.index()]) {
        let args = node.args.iter().map(|arg| places[arg]).collect();
        places.insert(id, alone.nodes.push(Node { args, ..node.clone() }));
    }
    let env = Env::initial(&alone, 0);
    let Ok(values) = interp::values(&alone, 1, &env) else { return HashMap::new() };
    places.into_iter().map(|(id, place)| (id, values[place.index()].clone())).collect()
}

/// For each node, whether it depends on constants alone.
fn constants(graph: &Graph) -> Vec<bool> {
    let mut constant: Vec<bool> = Vec::with_capacity(graph.nodes.len());
    for node in graph.nodes.values() {
        let known = node.ty.shape.elements().and_then(Dim::known);
        let small = known.is_some_and(|elements| elements <= LARGEST);
        let of_constants = node.args.iter().all(|arg| constant[arg.index()]);
        constant.push(small && of_constants && computes(&node.op));
    }
    constant
}

/// Whether an operator has a value without inputs and parameters, once its arguments have.
fn computes(op: &Op) -> bool {
    match op {
        Op::Extent(dim) => dim.known().is_some(),
        Op::Uniform { .. } => true,
        _ => match op.kind() {
            OpKind::Given | OpKind::Scan => false,
            OpKind::Number | OpKind::Const | OpKind::Generated | OpKind::Elementwise => true,
            OpKind::View | OpKind::Joined | OpKind::Reduction | OpKind::Choice => true,
            OpKind::Product | OpKind::Convolution | OpKind::Pool | OpKind::Indexed => true,
        },
    }
}
