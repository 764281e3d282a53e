//! Uniform values: `f64` scalars of the graph become instructions that are run once a step.
//!
//! ```text
//! %3 = pow %1 %2 : f64; %4 = cast f32 %3     insts [.., pow 0 1], results [2], element 0
//! ```

use crate::base::entity::Entity;
use crate::graph::{Dim, Graph, NodeId, Op};
use crate::loops::{UniformInst, Uniforms};
use rustc_hash::FxHashMap;

/// The uniform values that kernels have asked for.
#[derive(Default)]
pub struct Collected {
    uniforms: Uniforms,
    insts: FxHashMap<NodeId, usize>,
    elements: FxHashMap<NodeId, usize>,
}

impl Collected {
    /// The element of the uniform buffer that holds a node's value.
    pub fn element(&mut self, graph: &Graph, node: NodeId) -> usize {
        if let Some(&element) = self.elements.get(&node) {
            return element;
        }
        let inst = self.inst(graph, node);
        self.uniforms.results.push(inst);
        self.elements.insert(node, self.uniforms.results.len() - 1);
        self.uniforms.results.len() - 1
    }

    fn inst(&mut self, graph: &Graph, node: NodeId) -> usize {
        if let Some(&inst) = self.insts.get(&node) {
            return inst;
        }
        let args = graph.nodes[node].args.clone();
        let args: Vec<usize> = args.into_iter().map(|arg| self.inst(graph, arg)).collect();
        let inst = match &graph.nodes[node].op {
            Op::Const(value, _) => UniformInst::Const(*value),
            Op::Step => UniformInst::Step,
            Op::Hyper(hyper) => UniformInst::Hyper(hyper.index()),
            Op::Extent(Dim::Known(extent)) => UniformInst::Const(*extent as f64),
            Op::Unary(op) => UniformInst::Unary(*op, args[0]),
            Op::Binary(op) => UniformInst::Binary(*op, args[0], args[1]),
            Op::Cast(_) | Op::StopGradient => return self.alias(node, args[0]),
            other => unreachable!("{node} {other:?} is not uniform"),
        };
        self.uniforms.insts.push(inst);
        self.insts.insert(node, self.uniforms.insts.len() - 1);
        self.uniforms.insts.len() - 1
    }

    fn alias(&mut self, node: NodeId, inst: usize) -> usize {
        self.insts.insert(node, inst);
        inst
    }

    /// How many values there are.
    pub fn count(&self) -> usize {
        self.uniforms.results.len()
    }

    /// All of them, with every hyper-parameter of the graph.
    pub fn finish(mut self, graph: &Graph) -> Uniforms {
        let hypers = graph.hypers.values().map(|hyper| (hyper.name.clone(), hyper.value));
        self.uniforms.hypers = hypers.collect();
        self.uniforms
    }
}
