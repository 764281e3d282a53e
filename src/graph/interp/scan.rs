//! Scans: the body once for each slice.

use super::{Array, Env, InterpError, Run};
use crate::base::entity::Entity;
use crate::graph::data::Graph;
use crate::graph::op::{NodeId, Op, ScanId};
use crate::graph::scan::{Bodies, Unit, units};
use ndarray::{Axis, IxDyn};

/// The elements of every node of a graph with scans; of a body's nodes those of the last step.
pub(super) fn arrays(graph: &Graph, batch: usize, env: &Env) -> Result<Vec<Array>, InterpError> {
    let bodies = Bodies::of(graph);
    let mut scans = Scans { graph, batch, env, bodies: &bodies, arrays: Vec::new() };
    scans.arrays.resize(graph.nodes.len(), Array::zeros(IxDyn(&[0])));
    for unit in units(graph, &bodies).expect("a verified graph") {
        match unit {
            // Written by its scan.
            Unit::Node(node) if matches!(graph.nodes[node].op, Op::ScanStack(_)) => {}
            Unit::Node(node) => scans.compute(node)?,
            Unit::Scan(scan) => scans.run(scan)?,
        }
    }
    Ok(scans.arrays)
}

/// The values of a step halfway through.
struct Scans<'a> {
    graph: &'a Graph,
    batch: usize,
    env: &'a Env,
    bodies: &'a Bodies,
    arrays: Vec<Array>,
}

impl Scans<'_> {
    fn compute(&mut self, node: NodeId) -> Result<(), InterpError> {
        let Scans { graph, batch, env, .. } = *self;
        let value = Run { graph, batch, env, arrays: &self.arrays }.value(node)?;
        self.arrays[node.index()] = value;
        Ok(())
    }

    fn arg(&self, node: NodeId) -> &Array {
        &self.arrays[self.graph.nodes[node].args[0].index()]
    }

    fn run(&mut self, scan: ScanId) -> Result<(), InterpError> {
        let body = self.bodies.nodes(scan);
        let stacks = self.bodies.stacks(scan);
        for &stack in stacks {
            let extents = self.graph.ty(stack).shape.at(self.batch);
            self.arrays[stack.index()] = Array::zeros(extents);
        }
        let carries = body.iter().filter_map(|&node| Some((node, self.graph.next(node)?)));
        let carries: Vec<(NodeId, NodeId)> = carries.collect();
        let steps = self.graph.scans[scan].steps;
        for step in 0..steps {
            let at = if self.graph.scans[scan].reverse { steps - 1 - step } else { step };
            // All are read before one is written: a carry may hand on to another.
            let carried = carries.iter().map(|&(node, next)| match step {
                0 => self.arg(node).clone(),
                _ => self.arrays[next.index()].clone(),
            });
            let carried: Vec<Array> = carried.collect();
            for (&(node, _), value) in carries.iter().zip(carried) {
                self.arrays[node.index()] = value;
            }
            for &node in body {
                match self.graph.nodes[node].op {
                    Op::ScanSlice(_) => {
                        let slice = self.arg(node).index_axis(Axis(0), at).to_owned();
                        self.arrays[node.index()] = slice;
                    }
                    Op::Carry(_) => {}
                    _ => self.compute(node)?,
                }
            }
            for &stack in stacks {
                let value = self.arg(stack).clone();
                self.arrays[stack.index()].index_axis_mut(Axis(0), at).assign(&value);
            }
        }
        Ok(())
    }
}
