//! Products that no step of a scan waits for are taken out of it.
//!
//! ```text
//! %4 = scan_slice scan0 %0 : f32[N, 8]        %4 = reshape %0 : f32[6N, 8]
//! %5 = matmul %4, %w : f32[N, 32]             %5 = matmul %4, %w : f32[6N, 32]
//!                                             %6 = reshape %5 : f32[6, N, 32]
//!                                             %7 = scan_slice scan0 %6 : f32[N, 32]
//! ```
//!
//! A product of a matrix from before the scan and of what depends on slices alone is computed for all
//! steps before the scan; one that is only stacked, behind it. So is, on the way to such a product,
//! element-wise work on slices. What depends on a carry stays: it is what the scan is for. Nothing
//! else is moved: one large product is faster than many small ones, and element-wise work is not.

use crate::base::entity::Entity;
use crate::graph::scan::Bodies;
use crate::graph::{Dim, Graph, Node, NodeId, Op, OpKind, ScanId};
use crate::pass::Pass;
use crate::pass::rebuild::Rebuild;
use rustc_hash::FxHashMap;

/// This pass.
pub const PASS: Pass<usize> = Pass {
    name: "hoist",
    description: "takes products that no step waits for out of scans",
    run: |graph, _| run(graph),
};

/// How many element-wise operators are followed from a product to slices.
const MOST_FOLLOWED: usize = 16;

/// The graph with fewer products in scans.
pub fn run(graph: &Graph) -> Graph {
    if graph.scans.is_empty() {
        return graph.clone();
    }
    let bodies = Bodies::of(graph);
    let mut hoist = Hoist {
        graph,
        bodies: &bodies,
        uses: graph.use_counts(),
        rebuild: Rebuild::new(graph),
        all: FxHashMap::default(),
    };
    for (id, node) in graph.nodes.iter() {
        hoist.rebuild.emit.builder.set_origin(node.origin);
        let moved = match node.op {
            Op::MatMul { .. } => hoist.before(id),
            Op::ScanStack(scan) => hoist.behind(scan, node),
            _ => None,
        };
        match moved {
            Some(new) => hoist.rebuild.replace(id, new),
            None => drop(hoist.rebuild.keep(id, node)),
        }
    }
    hoist.rebuild.finish()
}

struct Hoist<'a> {
    graph: &'a Graph,
    bodies: &'a Bodies,
    uses: Vec<usize>,
    rebuild: Rebuild,
    /// The values of all steps of old nodes, where they were asked for.
    all: FxHashMap<NodeId, Option<NodeId>>,
}

impl Hoist<'_> {
    fn mapped(&self, old: NodeId) -> NodeId {
        self.rebuild.mapped(old).expect("arguments come before uses")
    }

    /// The product for all steps, and its slice.
    fn before(&mut self, id: NodeId) -> Option<NodeId> {
        let scan = self.bodies.scan(id)?;
        let product = self.all_steps(scan, id, MOST_FOLLOWED)?;
        Some(self.rebuild.emit.op(Op::ScanSlice(scan), &[product]))
    }

    /// The product of what is stacked.
    fn behind(&mut self, scan: ScanId, node: &Node) -> Option<NodeId> {
        let product = node.args[0];
        let Node { op: Op::MatMul { transpose_a: false, transpose_b }, args, .. } =
            &self.graph.nodes[product]
        else {
            return None;
        };
        let is_movable = self.uses[product.index()] == 1 && self.is_matrix(scan, args);
        if !is_movable {
            return None;
        }
        let stacked = self.mapped(args[0]);
        let stacked = self.rebuild.emit.op(Op::ScanStack(scan), &[stacked]);
        Some(self.product(stacked, args[1], *transpose_b))
    }

    /// Whether the arguments of a product are a step's rows and a matrix from before the scan.
    fn is_matrix(&self, scan: ScanId, args: &[NodeId]) -> bool {
        let rank = |node: NodeId| self.graph.ty(node).shape.rank();
        self.bodies.scan(args[0]) == Some(scan)
            && self.bodies.scan(args[1]).is_none()
            && rank(args[0]) == 2
            && rank(args[1]) == 2
    }

    /// The rows of all steps times a matrix: `[t, m, k]`, `[k, n]` to `[t, m, n]`.
    fn product(&mut self, rows: NodeId, matrix: NodeId, transpose_b: bool) -> NodeId {
        let matrix = self.mapped(matrix);
        let emit = &mut self.rebuild.emit;
        let shape = emit.shape(rows);
        let flat = emit.rows(rows);
        let op = Op::MatMul { transpose_a: false, transpose_b };
        let product = emit.op(op, &[flat, matrix]);
        let columns = emit.shape(product)[1];
        emit.reshape(product, &vec![shape[0], shape[1], columns].into())
    }

    /// The values of a node in all steps, if it depends on nothing of a step but slices.
    fn all_steps(&mut self, scan: ScanId, id: NodeId, left: usize) -> Option<NodeId> {
        if let Some(&known) = self.all.get(&id) {
            return known;
        }
        let found = self.find_all(scan, id, left);
        if left == MOST_FOLLOWED || found.is_some() {
            self.all.insert(id, found);
        }
        found
    }

    fn find_all(&mut self, scan: ScanId, id: NodeId, left: usize) -> Option<NodeId> {
        let Node { op, args, .. } = &self.graph.nodes[id];
        match op {
            Op::ScanSlice(_) => Some(self.mapped(args[0])),
            Op::MatMul { transpose_a: false, transpose_b } if self.is_matrix(scan, args) => {
                let rows = self.all_steps(scan, args[0], left.checked_sub(1)?)?;
                Some(self.product(rows, args[1], *transpose_b))
            }
            op if op.kind() == OpKind::Elementwise => {
                let mut all = Vec::new();
                for &arg in args {
                    all.push(match self.bodies.scan(arg) {
                        Some(_) => self.all_steps(scan, arg, left.checked_sub(1)?)?,
                        None => {
                            let arg = self.mapped(arg);
                            let steps = Dim::Known(self.graph.scans[scan].steps);
                            let shape = self.rebuild.emit.shape(arg).inserted(0, steps);
                            self.rebuild.emit.broadcast(arg, &shape)
                        }
                    });
                }
                Some(self.rebuild.emit.op(op.clone(), &all))
            }
            _ => None,
        }
    }
}
