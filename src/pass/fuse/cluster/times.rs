//! When nodes run, as far as scans go: a kernel runs either in each step of a scan, or before or after
//! it as a whole.
//!
//! ```text
//! %1 = exp %0                    before scan0
//! %2 = scan_slice scan0 %1       in scan0
//! %3 = scan_stack scan0 %2       after scan0
//! %4 = neg %0                    before scan0: nothing of %4 waits for it
//! ```

use crate::base::entity::Entity;
use crate::graph::scan::{Bodies, Unit, units};
use crate::graph::{BoundGraph, NodeId, Op, OpKind};
use rustc_hash::FxHashMap;

/// The times of nodes; empty where there are no scans.
#[derive(Default)]
pub(super) struct Times {
    /// A number for each time.
    of: Vec<usize>,
}

/// A time.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Time {
    /// In each step of the scan of this number.
    In(usize),
    /// After these scans, in order of their numbers.
    After(Vec<usize>),
}

impl Times {
    pub fn of(graph: &BoundGraph) -> Times {
        if graph.scans.is_empty() {
            return Times::default();
        }
        let bodies = Bodies::of(graph);
        // The scans that each node, and each scan, waits for.
        let mut waits: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
        let mut scans: Vec<Vec<usize>> = vec![Vec::new(); graph.scans.len()];
        for unit in units(graph, &bodies).expect("a verified graph") {
            let joined = |nodes: &mut dyn Iterator<Item = NodeId>, own: Vec<usize>| {
                let mut all: Vec<usize> =
                    nodes.flat_map(|node| waits[node.index()].clone()).collect();
                all.extend(own);
                all.sort_unstable();
                all.dedup();
                all
            };
            match unit {
                Unit::Node(node) => {
                    let own = match graph.nodes[node].op {
                        Op::ScanStack(scan) => {
                            let mut own = scans[scan.index()].clone();
                            own.push(scan.index());
                            own
                        }
                        _ => Vec::new(),
                    };
                    let args = &graph.nodes[node].args;
                    waits[node.index()] = joined(&mut args.iter().copied(), own);
                }
                Unit::Scan(scan) => {
                    let body = bodies.nodes(scan).iter();
                    let mut read = body.flat_map(|&node| graph.nodes[node].args.iter().copied());
                    let next = graph.carries.values().filter(|carry| carry.scan == scan);
                    let mut next = next.filter_map(|carry| carry.next);
                    let mut all = joined(&mut read, Vec::new());
                    all.extend(joined(&mut next, Vec::new()));
                    scans[scan.index()] = all;
                }
            }
        }
        let mut known: FxHashMap<Time, usize> = FxHashMap::default();
        let times = graph.nodes.keys().map(|node| match bodies.scan(node) {
            Some(scan) => Time::In(scan.index()),
            None => Time::After(std::mem::take(&mut waits[node.index()])),
        });
        let of = times
            .map(|time| {
                let next = known.len();
                *known.entry(time).or_insert(next)
            })
            .collect();
        Times { of }
    }

    /// Whether two nodes run at the same time.
    pub fn are_equal(&self, a: NodeId, b: NodeId) -> bool {
        self.of.is_empty() || self.of[a.index()] == self.of[b.index()]
    }
}

/// The values that scans read from memory as they lie there: what is cut, begun with and stacked.
pub(super) fn into_scans(graph: &BoundGraph) -> impl Iterator<Item = NodeId> + '_ {
    let scanned = graph.nodes.values().filter(|node| node.op.kind() == OpKind::Scan);
    scanned.map(|node| node.args[0])
}
