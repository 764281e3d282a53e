//! The name of a kernel of loops: what it computes, for people.
//!
//! ```text
//! dense.matmul    dense.update    stage.conv.total    dense.weight^T    output
//! ```
//!
//! A title refers to the graph, so that one lowering can serve several kernels of the graph
//! ([`alike`](crate::lower::alike)); its text is made when the kernel is run.

use crate::graph::{Graph, NodeId, ParamId};

/// The name of a kernel of loops, made into text only where it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Title {
    subject: TitleSubject,
    /// Which of several kernels for the same subject: `total`, `border`.
    part: Option<&'static str>,
}

/// The purpose of a kernel of loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TitleSubject {
    /// A kernel of the graph, by a node whose layer it is named after, and its kind: `matmul`.
    Node(NodeId, &'static str),
    /// A second layout of a parameter, by the layout's suffix: `^T`.
    Layout(ParamId, &'static str),
    /// The step itself: `output`, `update`.
    Step(&'static str),
}

impl Title {
    /// The kind of a kernel that computes new values of parameters or states.
    pub const UPDATES: &str = "update";

    /// The title of the only or main kernel for a subject.
    pub const fn new(subject: TitleSubject) -> Title {
        Title { subject, part: None }
    }

    /// The title of a further kernel for the same subject: `total` of `dense.conv` is
    /// `dense.conv.total`.
    pub fn and(self, part: &'static str) -> Title {
        Title { part: Some(part), ..self }
    }

    /// The same title of a kernel that is lowered alike, whose nodes are others.
    pub fn with_nodes(self, map: impl FnOnce(NodeId) -> NodeId) -> Title {
        match self.subject {
            TitleSubject::Node(node, kind) => {
                Title { subject: TitleSubject::Node(map(node), kind), ..self }
            }
            TitleSubject::Layout(..) | TitleSubject::Step(_) => self,
        }
    }

    /// The parameter that the kernel updates (or whose optimiser states), or lays out anew. Sums on
    /// the way to an update are counted where their operators stand.
    pub fn param(&self, graph: &Graph) -> Option<ParamId> {
        match (self.subject, self.part) {
            (TitleSubject::Layout(param, _), _) => Some(param),
            (TitleSubject::Node(node, Title::UPDATES), None) => {
                let path = &graph.origins.get(graph.nodes[node].origin?).path;
                graph.params.iter().find(|(_, param)| param.path == *path).map(|(id, _)| id)
            }
            (TitleSubject::Node(..) | TitleSubject::Step(_), _) => None,
        }
    }

    /// The title as text.
    pub fn text(&self, graph: &Graph) -> String {
        let mut text = match self.subject {
            TitleSubject::Node(node, kind) => {
                let origin = graph.nodes[node].origin;
                match origin.map(|origin| graph.origins.get(origin).path.as_str()) {
                    Some(path) if !path.is_empty() => format!("{path}.{kind}"),
                    _ => kind.to_string(),
                }
            }
            TitleSubject::Layout(param, suffix) => format!("{}{suffix}", graph.params[param].path),
            TitleSubject::Step(name) => name.to_string(),
        };
        if let Some(part) = self.part {
            text.push('.');
            text.push_str(part);
        }
        text
    }
}
