//! The loop nest that element-wise nodes and reductions share: what makes several nodes one
//! kernel, and how each node's axes lie over the kernel's loops.
//!
//! Takes nodes; gives the axes of their common iteration space, finest cuts of all shapes
//! involved, and for each node whether it has a value for each element or one a row. Softmax of
//! `x[8, 10]`: axes `8 | 10`; `x - max` and `exp` are full, `max` and `sum` are rows. Nodes on
//! `[8, 28, 28]` and, reshaped, on `[8, 784]` share axes `8, 28, 28`. `None` where nodes do not
//! fit one nest. Decides nothing about what should be fused.

mod columns;
mod scores;

pub use columns::MOST_KEPT;

use crate::graph::bound::BoundGraph;
use crate::graph::op::{NodeId, Op};
use crate::graph::view::row_major;
use rustc_hash::FxHashMap;

/// How often a nest computes a node: one value a row, or one an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Each row: what reductions over the columns give.
    Row,
    /// Each element.
    Full,
}

/// An index that is linear in a domain's axes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AffineIndex {
    /// The constant.
    pub offset: i64,
    /// A factor for each axis.
    pub factors: Vec<i64>,
}

impl AffineIndex {
    /// A constant.
    pub fn constant(offset: i64, axes: usize) -> AffineIndex {
        AffineIndex { offset, factors: vec![0; axes] }
    }

    /// Adds `factor` times another.
    pub fn add(&mut self, other: &AffineIndex, factor: i64) {
        self.offset += other.offset * factor;
        for (own, other) in self.factors.iter_mut().zip(&other.factors) {
            *own += other * factor;
        }
    }
}

/// The iteration space of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    /// The extents, outermost first; none is 1.
    pub axes: Vec<usize>,
    /// How many of them are rows; all of them where nothing is reduced.
    pub rows: usize,
    /// Whether something is reduced over the columns.
    pub reduces: bool,
    /// The level of each node.
    pub levels: FxHashMap<NodeId, Level>,
}

/// Result of adding a node to a nest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// It is part of the nest.
    Added,
    /// No nest holds it beside the others.
    Misfit,
    /// The axes would be other ones: whoever asks makes the nest anew.
    Anew,
}

impl Domain {
    /// The nest of a shape's elements, whatever computes them.
    pub fn over(shape: &[usize]) -> Domain {
        let axes: Vec<usize> = shape.iter().copied().filter(|&extent| extent != 1).collect();
        Domain { rows: axes.len(), axes, reduces: false, levels: FxHashMap::default() }
    }

    /// The common nest of nodes (arguments before uses), if they have one.
    pub fn of(graph: &BoundGraph, nodes: &[NodeId]) -> Option<Domain> {
        let reductions: Vec<(NodeId, usize)> =
            nodes.iter().filter_map(|&node| Some((node, graph.columns(node)?))).collect();
        let total = match reductions.first() {
            Some(&(node, _)) => graph.elements(graph.nodes[node].args[0]),
            None => nodes.iter().map(|&node| graph.elements(node)).max()?,
        };
        let cols = reductions.first().map_or(1, |&(_, cols)| cols);
        for &(node, own) in &reductions {
            let full = graph.elements(graph.nodes[node].args[0]);
            if own != cols || full != total || !graph.reduces_last(node) {
                return None;
            }
        }
        let mut domain = Domain {
            axes: Vec::new(),
            rows: 0,
            reduces: !reductions.is_empty(),
            levels: FxHashMap::default(),
        };
        domain.set_levels(graph, nodes, total, total / cols.max(1))?;
        domain.cut(graph, nodes, total, cols, &[])?;
        domain.fits(graph, nodes).then_some(domain)
    }

    /// Whether each value is one a row or one an element, from what it is computed from.
    fn set_levels(
        &mut self,
        graph: &BoundGraph,
        nodes: &[NodeId],
        total: usize,
        rows: usize,
    ) -> Option<()> {
        for &node in nodes {
            let level = self.level(graph, node, total, rows)?;
            self.levels.insert(node, level);
        }
        Some(())
    }

    /// Whether a node that reads nodes of the nest has a value a row or a value an element.
    fn level(&self, graph: &BoundGraph, node: NodeId, total: usize, rows: usize) -> Option<Level> {
        if graph.columns(node).is_some() {
            return Some(Level::Row);
        }
        let (mut reads_full, mut reads_row) = (false, false);
        for &arg in &graph.nodes[node].args {
            let base = graph.base_or(arg, |node| self.levels.contains_key(&node));
            match self.levels.get(&base) {
                Some(Level::Full) => reads_full = true,
                Some(Level::Row) => reads_row = true,
                None => {}
            }
        }
        let own = graph.elements(node);
        if own == total && (reads_full || own != rows || !reads_row) {
            Some(Level::Full)
        } else if own == rows && self.reduces && !reads_full {
            Some(Level::Row)
        } else {
            None
        }
    }

    /// Adds a node that comes after all others, where that changes nothing for these.
    pub fn push(&mut self, graph: &BoundGraph, node: NodeId) -> Push {
        let cols: usize = match self.reduces {
            true => self.axes[self.rows..].iter().product(),
            false => 1,
        };
        let total: usize = self.axes.iter().product();
        if let Some(own) = graph.columns(node) {
            // The first reduction cuts rows off.
            if !self.reduces {
                return Push::Anew;
            }
            let full = graph.elements(graph.nodes[node].args[0]);
            if own != cols || full != total || !graph.reduces_last(node) {
                return Push::Misfit;
            }
        }
        let Some(level) = self.level(graph, node, total, total / cols) else { return Push::Misfit };
        let scale = if level == Level::Row { cols } else { 1 };
        let reduced = graph.columns(node).map(|_| graph.extents(graph.nodes[node].args[0]));
        if !self.has_edges(graph.extents(node), scale)
            || reduced.is_some_and(|shape| !self.has_edges(shape, 1))
        {
            return Push::Anew;
        }
        self.levels.insert(node, level);
        if !self.fits(graph, &[node]) {
            self.levels.remove(&node);
            return Push::Misfit;
        }
        Push::Added
    }

    /// The nest of the nodes of two that reduce nothing and have the same axes: where each reads the
    /// other at the very element that is being computed.
    pub fn joined(&self, graph: &BoundGraph, other: &Domain) -> Result<Domain, Push> {
        if self.reduces || other.reduces || self.axes != other.axes {
            return Err(Push::Anew);
        }
        let mut nest = self.clone();
        nest.levels.extend(other.levels.iter().map(|(&node, &level)| (node, level)));
        let crosses = |own: &Domain, node: NodeId| {
            graph.nodes[node].args.iter().any(|&arg| {
                let base = graph.base_or(arg, |node| nest.levels.contains_key(&node));
                nest.levels.contains_key(&base) && !own.levels.contains_key(&base)
            })
        };
        let fits = |own: &Domain| {
            own.levels.keys().all(|&node| !crosses(own, node) || nest.fits(graph, &[node]))
        };
        if fits(self) && fits(other) { Ok(nest) } else { Err(Push::Misfit) }
    }

    /// Whether no nest holds the nodes of both, whatever these read: not without a look at them.
    pub fn excludes(&self, other: &Domain) -> bool {
        let total = |nest: &Domain| nest.axes.iter().product::<usize>();
        let rows = |nest: &Domain| nest.axes[..nest.rows].iter().product::<usize>();
        match (self.reduces, other.reduces) {
            (false, false) => total(self) != total(other),
            (true, true) => total(self) != total(other) || rows(self) != rows(other),
            (true, false) => ![total(self), rows(self)].contains(&total(other)),
            (false, true) => ![total(other), rows(other)].contains(&total(self)),
        }
    }

    /// Whether the axes are cut wherever a shape is, whose elements have so many of the nest's.
    fn has_edges(&self, shape: &[usize], scale: usize) -> bool {
        let mut axes = self.axes.iter().rev();
        let mut edge = 1;
        let mut after = scale;
        shape.iter().rev().all(|&extent| {
            after *= extent;
            while edge < after {
                let Some(axis) = axes.next() else { return false };
                edge *= axis;
            }
            edge == after
        })
    }

    /// The finest axes: cut wherever a node's shape (or a reduction's argument's, or one of
    /// `others`) has an edge.
    fn cut<'g>(
        &mut self,
        graph: &'g BoundGraph,
        nodes: &[NodeId],
        total: usize,
        cols: usize,
        others: &[&'g [usize]],
    ) -> Option<()> {
        // An edge is the number of elements after it. Neighbours most often have the same shape.
        let mut edges = vec![1, cols, total];
        let mut known: (&[usize], usize) = (&[], 0);
        let mut add = |shape: &'g [usize], scale: usize| {
            if known == (shape, scale) {
                return;
            }
            known = (shape, scale);
            let mut after = scale;
            for &extent in shape.iter().rev() {
                after *= extent;
                edges.push(after);
            }
        };
        for &node in nodes {
            let scale = if self.levels[&node] == Level::Row { cols } else { 1 };
            add(graph.extents(node), scale);
            if graph.columns(node).is_some() {
                add(graph.extents(graph.nodes[node].args[0]), 1);
            }
        }
        others.iter().for_each(|shape| add(shape, 1));
        edges.sort_unstable();
        edges.dedup();
        if edges[0] == 0 || edges.windows(2).any(|pair| !pair[1].is_multiple_of(pair[0])) {
            return None;
        }
        self.axes = edges.windows(2).rev().map(|pair| pair[1] / pair[0]).collect();
        self.rows = match self.reduces {
            true => edges.iter().filter(|&&edge| edge > cols).count(),
            false => self.axes.len(),
        };
        Some(())
    }

    /// Whether every value that passes from node to node within the nest is read at the very
    /// element (or row) that is being computed.
    fn fits(&self, graph: &BoundGraph, nodes: &[NodeId]) -> bool {
        nodes.iter().all(|&node| {
            let reduces = graph.columns(node).is_some();
            graph.nodes[node].args.iter().enumerate().all(|(position, &arg)| {
                let level = if reduces && position == 0 { Level::Full } else { self.levels[&node] };
                self.reads_in_place(graph, arg, level)
            })
        })
    }

    fn reads_in_place(&self, graph: &BoundGraph, arg: NodeId, level: Level) -> bool {
        let inside = |node: NodeId| self.levels.contains_key(&node);
        if !inside(graph.base_or(arg, inside)) {
            return true;
        }
        let shape = graph.extents(arg);
        let Some(mut forms) = self.forms(shape, level) else { return false };
        if self.levels.get(&arg) == Some(&level) {
            return true;
        }
        let mut node = arg;
        while !inside(node) {
            match self.through(graph, node, &forms) {
                Some(next) => forms = next,
                None => return false,
            }
            node = graph.nodes[node].args[0];
        }
        self.levels[&node] <= level && self.own_forms(graph, node) == forms
    }

    /// The index along each axis of a shape that ranges over the whole domain or its rows.
    pub fn forms(&self, shape: &[usize], level: Level) -> Option<Vec<AffineIndex>> {
        let end = if level == Level::Full { self.axes.len() } else { self.rows };
        let mut forms = vec![AffineIndex::constant(0, self.axes.len()); shape.len()];
        let mut axis = end;
        for (position, &extent) in shape.iter().enumerate().rev() {
            let mut taken = 1;
            while taken < extent {
                axis = axis.checked_sub(1)?;
                forms[position].factors[axis] = taken as i64;
                taken *= self.axes[axis];
            }
            if taken != extent {
                return None;
            }
        }
        (axis == 0).then_some(forms)
    }

    /// The index along each axis of a node of the nest.
    pub fn own_forms(&self, graph: &BoundGraph, node: NodeId) -> Vec<AffineIndex> {
        self.forms(graph.extents(node), self.levels[&node]).expect("a node of the nest")
    }

    /// Where a view at `forms` reads its argument.
    pub fn through(
        &self,
        graph: &BoundGraph,
        view: NodeId,
        forms: &[AffineIndex],
    ) -> Option<Vec<AffineIndex>> {
        let shape = graph.extents(view);
        let arg = graph.nodes[view].args[0];
        let inner = graph.extents(arg);
        match &graph.nodes[view].op {
            Op::StopGradient => Some(forms.to_vec()),
            Op::Reshape(_) | Op::Reduce(..) => self.reshape(shape, forms, inner),
            Op::Broadcast(_) => {
                let added = shape.len() - inner.len();
                let form = |axis: usize| match inner[axis] {
                    1 => AffineIndex::constant(0, self.axes.len()),
                    _ => forms[added + axis].clone(),
                };
                Some((0..inner.len()).map(form).collect())
            }
            Op::Transpose(perm) => {
                let mut result = forms.to_vec();
                for (axis, &from) in perm.iter().enumerate() {
                    result[from] = forms[axis].clone();
                }
                Some(result)
            }
            Op::Slice(ranges) => Some(
                forms
                    .iter()
                    .zip(ranges)
                    .map(|(form, range)| {
                        let mut moved = AffineIndex::constant(range.start as i64, self.axes.len());
                        moved.add(form, range.step as i64);
                        moved
                    })
                    .collect(),
            ),
            _ => None,
        }
    }

    fn reshape(
        &self,
        shape: &[usize],
        forms: &[AffineIndex],
        inner: &[usize],
    ) -> Option<Vec<AffineIndex>> {
        for level in [Level::Full, Level::Row] {
            if self.forms(shape, level).as_deref() == Some(forms) {
                return self.forms(inner, level);
            }
        }
        merge(shape, forms, inner, self.axes.len())
    }
}

/// The forms of a shape whose axes are each a run of axes of the shape that `forms` are of.
fn merge(
    shape: &[usize],
    forms: &[AffineIndex],
    inner: &[usize],
    axes: usize,
) -> Option<Vec<AffineIndex>> {
    let mut result = vec![AffineIndex::constant(0, axes); inner.len()];
    let strides = row_major(inner);
    let mut outer = (0..shape.len()).rev().filter(|&axis| shape[axis] != 1);
    for (position, &extent) in inner.iter().enumerate().rev() {
        let mut taken = 1;
        while taken < extent {
            let axis = outer.next()?;
            result[position].add(&forms[axis], taken as i64);
            taken *= shape[axis];
        }
        if taken != extent {
            return None;
        }
    }
    debug_assert_eq!(strides.len(), inner.len());
    Some(result)
}

/// Whether a reshape joins runs of axes (or adds and drops unit axes) and cuts none, so that
/// what is computed element by element below it can be computed above it.
pub fn only_joins(shape: &[usize], inner: &[usize]) -> bool {
    merge(shape, &vec![AffineIndex::constant(0, 0); shape.len()], inner, 0).is_some()
}
