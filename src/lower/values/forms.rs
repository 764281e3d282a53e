//! The places that evaluating a nest's nodes reads, writes or counts, as forms of its axes.
//!
//! Two axes can be joined to one loop where each of these forms goes through both by one distance:
//!
//! ```text
//! %7 = add %5 (broadcast %2)    at (i, j)    10·i + j   10·i + j   j      not joined
//! ```
//!
//! Follows the operators exactly as their evaluation does, and emits nothing.

use super::{NestValues, flat};
use crate::base::tensor::DType;
use crate::graph::domain::{AffineIndex, Level};
use crate::graph::view::View;
use crate::graph::{NodeId, Op, OpKind};

impl NestValues<'_, '_> {
    /// The forms of all that a kernel reads, writes or counts: axes may be joined where all of
    /// these allow.
    pub fn all_forms(&self, nodes: &[NodeId]) -> Vec<AffineIndex> {
        let graph = self.step.graph;
        let axes = self.domain.axes.len();
        let mut found = Vec::new();
        for &node in nodes {
            let Some(&level) = self.domain.levels.get(&node) else { continue };
            let own = self.domain.own_forms(graph, node);
            found.push(flat(graph.extents(node), &own, axes));
            if !self.nodes.contains(&node) {
                continue;
            }
            self.forms_of_operator(node, &own, &mut found);
            let op = &graph.nodes[node].op;
            let by_rows = op.kind().reduces() && !matches!(op, Op::Variance(_));
            if by_rows && level == Level::Row {
                let arg = graph.nodes[node].args[0];
                if let Some(forms) = self.domain.forms(graph.extents(arg), Level::Full) {
                    self.forms_below(arg, &forms, &mut found);
                }
            }
        }
        found
    }

    /// The forms of all that evaluating a node at `forms` reads from memory or counts.
    pub fn forms_below(&self, node: NodeId, forms: &[AffineIndex], found: &mut Vec<AffineIndex>) {
        let graph = self.step.graph;
        let inside = |node: NodeId| self.domain.levels.contains_key(&node);
        let source = graph.base_or(node, |node| inside(node) || self.step.in_memory(node));
        if inside(source) {
            return;
        }
        if self.step.in_memory(source) {
            found.push(self.place(&self.step.view(node), forms));
        } else if graph.is_view(node) {
            if let Some(inner) = self.domain.through(graph, node, forms) {
                self.forms_below(graph.nodes[node].args[0], &inner, found);
            }
        } else {
            self.forms_of_operator(node, forms, found);
        }
    }

    /// The place of an element of a value in memory.
    pub(super) fn place(&self, view: &View, forms: &[AffineIndex]) -> AffineIndex {
        let mut flat = AffineIndex::constant(view.offset, self.domain.axes.len());
        for (&stride, form) in view.strides.iter().zip(forms) {
            flat.add(form, stride);
        }
        flat
    }

    fn forms_of_operator(&self, node: NodeId, forms: &[AffineIndex], found: &mut Vec<AffineIndex>) {
        let graph = self.step.graph;
        let args = &graph.nodes[node].args;
        match &graph.nodes[node].op {
            Op::Iota { axis, .. } => found.push(forms[*axis].clone()),
            Op::Gather(axis) => {
                let rank = graph.extents(args[1]).len();
                self.forms_below(args[1], &forms[*axis..*axis + rank], found);
                let mut table = forms[..*axis].to_vec();
                table.push(AffineIndex::constant(0, self.domain.axes.len()));
                table.extend_from_slice(&forms[*axis + rank..]);
                self.forms_below(args[0], &table, found);
            }
            Op::Pick => self.forms_below(args[1], forms, found),
            op if op.kind() == OpKind::Elementwise => {
                // A uniform value lies at one place.
                let tensors = args.iter().filter(|&&arg| graph.ty(arg).dtype != DType::F64);
                tensors.for_each(|&arg| self.forms_below(arg, forms, found));
            }
            _ if graph.is_view(node) => match self.step.view_of_copy(node) {
                Some(view) => found.push(self.place(&view, forms)),
                None => {
                    if let Some(inner) = self.domain.through(graph, node, forms) {
                        self.forms_below(args[0], &inner, found);
                    }
                }
            },
            // Leaves, and what is not computed element by element.
            _ => {}
        }
    }
}
