//! Scans as ONNX's `Scan`: the body becomes a graph of its own, which reads what is outside by name.

use super::ExportRefusal;
use super::build::{Exporter, int, ints};
use super::lower::declared;
use super::value::{LaidOut, ValuePlace};
use crate::base::entity::Entity;
use crate::base::tensor::{DType, Tensor};
use crate::graph::{Dim, NodeId, Op, ScanId};
use crate::onnx::model::{OnnxAttribute, OnnxGraph, OnnxValue};

/// A body that is being made: what goes in and comes out, in order.
#[derive(Default)]
struct ScanBody {
    graph: OnnxGraph,
    /// The outside's values for the body's inputs.
    given: Vec<String>,
}

impl Exporter<'_> {
    /// Lowers a scan: all steps of its body, and its stacks.
    pub fn lower_scan(&mut self, scan: ScanId) -> Result<(), ExportRefusal> {
        let needed =
            |id: &NodeId| self.needs.nodes[id.index()] && !self.needs.patterns.contains_key(id);
        let stacks: Vec<NodeId> = self.bodies.stacks(scan).iter().copied().filter(needed).collect();
        let Some(&first) = stacks.first() else { return Ok(()) };
        let nodes: Vec<NodeId> = self.bodies.nodes(scan).to_vec();
        let needed: Vec<NodeId> =
            nodes.into_iter().filter(|id| self.needs.nodes[id.index()]).collect();
        self.now = first;
        let mut body = ScanBody::default();
        let carries = self.take_carries(&needed, &mut body);
        let slices = self.take_slices(scan, &needed, &mut body);
        let outer = std::mem::take(&mut self.onnx.nodes);
        let views = self.views.clone();
        for &id in &needed {
            self.lower(id)?;
        }
        for &carry in &carries {
            let next = self.graph.next(carry).unwrap_or(carry);
            body.graph.outputs.push(self.body_output(next));
        }
        for &stack in &stacks {
            let arg = self.node(stack).args[0];
            body.graph.outputs.push(self.body_output(arg));
        }
        self.views = views;
        body.graph.nodes = std::mem::replace(&mut self.onnx.nodes, outer);
        self.now = first;
        self.emit_scan(scan, body, slices, carries.len(), &stacks);
        Ok(())
    }

    /// Makes inputs of the body of the carries, and gives their first values.
    fn take_carries(&mut self, needed: &[NodeId], body: &mut ScanBody) -> Vec<NodeId> {
        let is_carry = |id: &&NodeId| matches!(self.node(**id).op, Op::Carry(_));
        let carries: Vec<NodeId> = needed.iter().filter(is_carry).copied().collect();
        for &carry in &carries {
            let initial = self.node(carry).args[0];
            let given = self.whole_name(initial);
            self.body_input(carry, "carry", given, body);
        }
        carries
    }

    /// Makes inputs of the body of the slices, and gives what is sliced; how many they are. ONNX wants at
    /// least one.
    fn take_slices(&mut self, scan: ScanId, needed: &[NodeId], body: &mut ScanBody) -> usize {
        let is_slice = |id: &&NodeId| matches!(self.node(**id).op, Op::ScanSlice(_));
        let slices: Vec<NodeId> = needed.iter().filter(is_slice).copied().collect();
        for &slice in &slices {
            let given = self.whole_name(self.node(slice).args[0]);
            self.body_input(slice, "slice", given, body);
        }
        if slices.is_empty() {
            let steps = self.graph.scans[scan].steps;
            body.given.push(self.constant(&Tensor::f32([steps], vec![0.0; steps])));
            let name = self.name("step");
            body.graph.inputs.push(declared(&name, DType::F32, &[]));
        }
        slices.len().max(1)
    }

    fn body_input(&mut self, id: NodeId, name: &str, given: String, body: &mut ScanBody) {
        let name = self.name(name);
        let (dtype, shape) = (self.node(id).ty.dtype, self.shape(id).to_vec());
        body.graph.inputs.push(declared(&name, dtype, &shape));
        body.given.push(given);
        self.values[id.index()] = Some(LaidOut::plain(ValuePlace::Named(name), shape));
    }

    fn body_output(&mut self, id: NodeId) -> OnnxValue {
        let made = self.whole_name(id);
        let name = self.emit("Identity", &[made], Vec::new());
        declared(&name, self.node(id).ty.dtype, self.shape(id))
    }

    fn emit_scan(
        &mut self,
        scan: ScanId,
        body: ScanBody,
        slices: usize,
        carries: usize,
        stacks: &[NodeId],
    ) {
        let ScanBody { mut graph, given } = body;
        graph.name = self.name("body");
        let direction = i64::from(self.graph.scans[scan].reverse);
        let body = ("body".to_owned(), OnnxAttribute::Graph(Box::new(graph)));
        let attributes = vec![
            body,
            int("num_scan_inputs", slices as i64),
            ints("scan_input_directions", vec![direction; slices]),
            ints("scan_output_directions", vec![direction; stacks.len()]),
        ];
        let name = self.emit("Scan", &given, attributes);
        // Its values: what the carries are at the end, and the stacks.
        let finals: Vec<String> = (0..carries).map(|_| self.name("last")).collect();
        let made: Vec<String> = stacks.iter().map(|_| self.name("stack")).collect();
        let node = self.onnx.nodes.last_mut().expect("the scan was put there");
        debug_assert_eq!(node.outputs, [name]);
        node.outputs = finals.into_iter().chain(made.iter().cloned()).collect();
        for (&stack, name) in stacks.iter().zip(made) {
            let shape: Vec<Dim> = self.shape(stack).to_vec();
            self.values[stack.index()] = Some(LaidOut::plain(ValuePlace::Named(name), shape));
        }
    }
}
