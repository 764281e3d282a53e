//! Parameters as kernels read them: in their own order, or in another layout that a step keeps up to date.

use super::StepBuilder;
use crate::graph::view::View;
use crate::graph::{Op, Param, ParamId};
use crate::loops::{BufferId, Space};
use crate::lower::alike::BuilderRequest;
use crate::schedule::globals::ParamLayout;

impl StepBuilder<'_> {
    /// The parameter that a view is, whole and in its own order.
    pub fn whole_param(&self, view: &View) -> Option<ParamId> {
        let covers = self.graph.elements(view.base) == view.extents.iter().product::<usize>();
        match self.graph.nodes[view.base].op {
            Op::Param(param) if covers && view.is_whole() => Some(param),
            _ => None,
        }
    }

    /// A second layout of a parameter, `None` where nobody would keep it up to date.
    pub fn derived(&mut self, param: ParamId, layout: ParamLayout) -> Option<BufferId> {
        let Param { path, ty, .. } = &self.graph.params[param];
        if !self.globals.derive(path, layout) {
            self.asked(BuilderRequest::Derived(param, layout, false));
            return None;
        }
        let name = format!("{path}{}", layout.suffix());
        let buffer = self.named(name, ty.dtype, layout.len(), Space::Global);
        Some(self.gave(BuilderRequest::Derived(param, layout, true), buffer))
    }
}
