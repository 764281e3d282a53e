//! What works on the result of what: the edges between nodes that work, followed through views and
//! cheap nodes once.
//!
//! ```text
//! %3 = matmul %0 %1
//! %4 = broadcast %2        view
//! %5 = gt %3 %4            cheap
//! %6 = where %5 %7 %8      reads %3, through %5;  readers of %3: %6
//! ```

use super::Class;
use crate::base::entity::Entity;
use crate::graph::{Bound, NodeId};

/// The edges, once every node has its class.
#[derive(Default)]
pub(super) struct Flow {
    /// For each cheap node, the working nodes that it is computed from.
    through: Vec<Vec<NodeId>>,
    /// For each working node, the working nodes that read it, one after the other.
    readers: Vec<NodeId>,
    /// Where those of each begin.
    first: Vec<u32>,
    /// For each node, the last working node that it is or is computed from.
    last: Vec<Option<NodeId>>,
}

impl Flow {
    /// The edges between nodes of these classes.
    pub fn new(graph: &Bound, class: &[Class]) -> Flow {
        let count = graph.nodes.len();
        let mut flow = Flow {
            through: vec![Vec::new(); count],
            readers: Vec::new(),
            first: Vec::new(),
            last: Vec::with_capacity(count),
        };
        let mut edges: Vec<(NodeId, NodeId)> = Vec::new();
        for (id, node) in graph.nodes.iter() {
            let args = node.args.iter().filter_map(|arg| flow.last[arg.index()]);
            let last = match class[id.index()] {
                Class::Work => Some(id),
                Class::View | Class::Cheap => args.max(),
                Class::Free => None,
            };
            flow.last.push(last);
            let mut sources = Vec::new();
            match class[id.index()] {
                Class::View | Class::Free => continue,
                Class::Cheap | Class::Work => {
                    flow.each_source(graph, class, &node.args, |source| {
                        if !sources.contains(&source) {
                            sources.push(source);
                        }
                    })
                }
            }
            if class[id.index()] == Class::Cheap {
                flow.through[id.index()] = sources;
            } else {
                edges.extend(sources.into_iter().map(|source| (source, id)));
            }
        }
        flow.collect_readers(count, edges);
        flow
    }

    /// Sorts edges by what is read; readers stay in order.
    fn collect_readers(&mut self, count: usize, mut edges: Vec<(NodeId, NodeId)>) {
        edges.sort_unstable();
        self.first = vec![0; count + 1];
        for (source, _) in &edges {
            self.first[source.index() + 1] += 1;
        }
        for at in 0..count {
            self.first[at + 1] += self.first[at];
        }
        self.readers = edges.into_iter().map(|(_, reader)| reader).collect();
    }

    /// The working nodes that read a working node.
    pub fn readers(&self, node: NodeId) -> &[NodeId] {
        let (first, end) = (self.first[node.index()], self.first[node.index() + 1]);
        &self.readers[first as usize..end as usize]
    }

    /// The last working node that a node is or is computed from.
    pub fn last(&self, node: NodeId) -> Option<NodeId> {
        self.last[node.index()]
    }

    /// The working nodes that values are computed from, in order of the arguments; some perhaps
    /// several times.
    pub fn each_source(
        &self,
        graph: &Bound,
        class: &[Class],
        args: &[NodeId],
        mut found: impl FnMut(NodeId),
    ) {
        for &arg in args {
            let source = graph.base_or(arg, |node| class[node.index()] == Class::Work);
            match class[source.index()] {
                Class::Work => found(source),
                Class::Cheap => self.through[source.index()].iter().copied().for_each(&mut found),
                Class::Free | Class::View => {}
            }
        }
    }
}
