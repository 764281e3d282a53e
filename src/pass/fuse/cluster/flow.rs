//! The edges between nodes that do work, followed through views and cheap nodes once.
//!
//! ```text
//! %3 = matmul %0 %1
//! %4 = broadcast %2        view
//! %5 = gt %3 %4            cheap
//! %6 = where %5 %7 %8      reads %3, through %5;  readers of %3: %6
//! ```

use super::Class;
use crate::base::entity::Entity;
use crate::graph::{BoundGraph, NodeId};

/// The edges, once every node has its class.
#[derive(Default)]
pub(super) struct Flow {
    /// For each cheap node, the working nodes that it is computed from.
    through: Vec<Vec<NodeId>>,
    /// For each working node, the working nodes that read it.
    readers: Edges,
    /// For each node, the last working node that it is or is computed from.
    last: Vec<Option<NodeId>>,
}

impl Flow {
    /// The edges between nodes of these classes.
    pub fn new(graph: &BoundGraph, class: &[Class]) -> Flow {
        let count = graph.nodes.len();
        let mut flow = Flow {
            through: vec![Vec::new(); count],
            readers: Edges::default(),
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
        flow.readers = Edges::new(count, edges);
        flow
    }

    /// The working nodes that read a working node, in order.
    pub fn readers(&self, node: NodeId) -> &[NodeId] {
        self.readers.of(node)
    }

    /// The last working node that a node is or is computed from.
    pub fn last(&self, node: NodeId) -> Option<NodeId> {
        self.last[node.index()]
    }

    /// The working nodes that values are computed from, in order of the arguments; some perhaps
    /// several times.
    pub fn each_source(
        &self,
        graph: &BoundGraph,
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

/// Who reads each node: lists that stand one after the other.
#[derive(Default)]
pub(super) struct Edges {
    readers: Vec<NodeId>,
    /// Where those of each node begin.
    first: Vec<u32>,
}

impl Edges {
    /// Edges from what is read to who reads it, in order of the latter.
    pub fn new(nodes: usize, edges: Vec<(NodeId, NodeId)>) -> Edges {
        let mut next = vec![0u32; nodes + 1];
        for (source, _) in &edges {
            next[source.index() + 1] += 1;
        }
        for at in 0..nodes {
            next[at + 1] += next[at];
        }
        let first = next.clone();
        let mut readers = vec![NodeId::from_index(0); edges.len()];
        for (source, reader) in edges {
            let at = &mut next[source.index()];
            readers[*at as usize] = reader;
            *at += 1;
        }
        Edges { readers, first }
    }

    /// Those of all arguments of a graph's nodes.
    pub fn of_arguments(graph: &BoundGraph) -> Edges {
        let nodes = graph.nodes.iter();
        let edges = nodes.flat_map(|(id, node)| node.args.iter().map(move |&arg| (arg, id)));
        Edges::new(graph.nodes.len(), edges.collect())
    }

    /// Who reads a node, in order.
    pub fn of(&self, node: NodeId) -> &[NodeId] {
        let (first, end) = (self.first[node.index()], self.first[node.index() + 1]);
        &self.readers[first as usize..end as usize]
    }
}
