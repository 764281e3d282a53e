//! The loop nest that element-wise nodes and reductions share: what makes several nodes one
//! kernel, and how each node's axes lie over the kernel's loops.
//!
//! Takes nodes; gives the axes of their common iteration space, finest cuts of all shapes
//! involved, and for each node whether it has a value for each element or one a row. Softmax of
//! `x[8, 10]`: axes `8 | 10`; `x - max` and `exp` are full, `max` and `sum` are rows. Nodes on
//! `[8, 28, 28]` and, reshaped, on `[8, 784]` share axes `8, 28, 28`. `None` where nodes do not
//! fit one nest. Decides nothing about what should be fused.

mod columns;

pub use columns::{MOST_KEPT, sums_columns};

use crate::base::entity::IdMap;
use crate::graph::data::{Graph, Node};
use crate::graph::op::{NodeId, Op};
use crate::graph::view::row_major;

/// What a node has one value for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Each row: what reductions over the columns give.
    Row,
    /// Each element.
    Full,
}

/// An index that is linear in a domain's axes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Form {
    /// The constant.
    pub offset: i64,
    /// A factor for each axis.
    pub factors: Vec<i64>,
}

impl Form {
    /// A constant.
    pub fn constant(offset: i64, axes: usize) -> Form {
        Form { offset, factors: vec![0; axes] }
    }

    /// Adds `factor` times another.
    pub fn add(&mut self, other: &Form, factor: i64) {
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
    /// What each node has one value for.
    pub levels: IdMap<NodeId, Level>,
}

/// The extents of a node's value; the batch is bound by now.
pub fn extents(graph: &Graph, node: NodeId) -> Vec<usize> {
    graph.ty(node).shape.extents().expect("a bound batch")
}

/// How many elements a node's value has.
pub fn elements(graph: &Graph, node: NodeId) -> usize {
    graph.ty(node).shape.iter().map(|dim| dim.known().expect("a bound batch")).product()
}

/// Whether a node only reads its argument in another order. A reduction over unit axes is a
/// reshape.
pub fn is_view(graph: &Graph, node: NodeId) -> bool {
    match &graph.nodes[node].op {
        Op::Reshape(_) | Op::Broadcast(_) | Op::Transpose(_) | Op::Slice(_) | Op::StopGradient => {
            true
        }
        Op::Reduce(..) => elements(graph, node) == elements(graph, graph.nodes[node].args[0]),
        _ => false,
    }
}

/// Whether a convolution (or gradient of one) takes each channel by itself, so that there are no
/// products to add up over channels.
pub fn is_depthwise(graph: &Graph, node: NodeId) -> bool {
    let Node { op, args, .. } = &graph.nodes[node];
    let (groups, w) = match op {
        Op::Conv { groups, .. } | Op::ConvInputGrad { groups, .. } => (*groups, args[1]),
        Op::ConvWeightGrad { groups, .. } => (*groups, node),
        _ => return false,
    };
    matches!(extents(graph, w)[..], [_, _, 1, outputs] if outputs == groups)
}

/// The first node below `node` that is not a view, or that `stop` names.
pub fn base(graph: &Graph, mut node: NodeId, stop: impl Fn(NodeId) -> bool) -> NodeId {
    while !stop(node) && is_view(graph, node) {
        node = graph.nodes[node].args[0];
    }
    node
}

/// Whether a node takes many elements of its first argument to one, over its last axes: gives
/// the number of columns.
fn columns(graph: &Graph, node: NodeId) -> Option<usize> {
    let full = elements(graph, *graph.nodes[node].args.first()?);
    match &graph.nodes[node].op {
        Op::Reduce(..) if !is_view(graph, node) => Some(full / elements(graph, node).max(1)),
        Op::ArgMax(_) | Op::Pick => Some(full / elements(graph, node).max(1)),
        _ => None,
    }
}

/// Whether the reduced axes of a node are the last ones (unit axes aside).
pub fn reduces_last(graph: &Graph, node: NodeId) -> bool {
    let shape = extents(graph, graph.nodes[node].args[0]);
    let reduced = |axis: usize| match &graph.nodes[node].op {
        Op::Reduce(_, axes) | Op::Variance(axes) => axes.contains(&axis),
        Op::ArgMax(reduced) => *reduced == axis,
        _ => axis + 1 == shape.len(),
    };
    let real = (0..shape.len()).filter(|&axis| shape[axis] != 1).collect::<Vec<_>>();
    let first = real.iter().position(|&axis| reduced(axis)).unwrap_or(real.len());
    real[first..].iter().all(|&axis| reduced(axis))
}

impl Domain {
    /// The nest of a shape's elements, whatever computes them.
    pub fn over(shape: &[usize]) -> Domain {
        let axes: Vec<usize> = shape.iter().copied().filter(|&extent| extent != 1).collect();
        Domain { rows: axes.len(), axes, reduces: false, levels: IdMap::default() }
    }

    /// The common nest of nodes (arguments before uses), if they have one.
    pub fn of(graph: &Graph, nodes: &[NodeId]) -> Option<Domain> {
        let reductions: Vec<(NodeId, usize)> =
            nodes.iter().filter_map(|&node| Some((node, columns(graph, node)?))).collect();
        let total = match reductions.first() {
            Some(&(node, _)) => elements(graph, graph.nodes[node].args[0]),
            None => nodes.iter().map(|&node| elements(graph, node)).max()?,
        };
        let cols = reductions.first().map_or(1, |&(_, cols)| cols);
        for &(node, own) in &reductions {
            let full = elements(graph, graph.nodes[node].args[0]);
            if own != cols || full != total || !reduces_last(graph, node) {
                return None;
            }
        }
        let mut domain = Domain {
            axes: Vec::new(),
            rows: 0,
            reduces: !reductions.is_empty(),
            levels: IdMap::default(),
        };
        domain.set_levels(graph, nodes, total, total / cols.max(1))?;
        domain.cut(graph, nodes, total, cols, &[])?;
        domain.fits(graph, nodes).then_some(domain)
    }

    /// Whether each value is one a row or one an element, from what it is computed from.
    fn set_levels(
        &mut self,
        graph: &Graph,
        nodes: &[NodeId],
        total: usize,
        rows: usize,
    ) -> Option<()> {
        for &node in nodes {
            let own = elements(graph, node);
            let args = &graph.nodes[node].args;
            let arg_levels: Vec<Level> = args
                .iter()
                .filter_map(|&arg| {
                    let base = base(graph, arg, |node| self.levels.contains_key(&node));
                    self.levels.get(&base).copied()
                })
                .collect();
            let level = if columns(graph, node).is_some() {
                Level::Row
            } else if own == total
                && (arg_levels.contains(&Level::Full)
                    || own != rows
                    || !arg_levels.contains(&Level::Row))
            {
                Level::Full
            } else if own == rows && self.reduces && !arg_levels.contains(&Level::Full) {
                Level::Row
            } else {
                return None;
            };
            self.levels.insert(node, level);
        }
        Some(())
    }

    /// The finest axes: cut wherever a node's shape (or a reduction's argument's, or one of
    /// `others`) has an edge.
    fn cut(
        &mut self,
        graph: &Graph,
        nodes: &[NodeId],
        total: usize,
        cols: usize,
        others: &[Vec<usize>],
    ) -> Option<()> {
        // An edge is the number of elements after it.
        let mut edges = vec![1, cols, total];
        let mut add = |shape: &[usize], scale: usize| {
            let mut after = scale;
            for &extent in shape.iter().rev() {
                after *= extent;
                edges.push(after);
            }
        };
        for &node in nodes {
            let scale = if self.levels[&node] == Level::Row { cols } else { 1 };
            add(&extents(graph, node), scale);
            if columns(graph, node).is_some() {
                add(&extents(graph, graph.nodes[node].args[0]), 1);
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
    fn fits(&self, graph: &Graph, nodes: &[NodeId]) -> bool {
        nodes.iter().all(|&node| {
            let reduces = columns(graph, node).is_some();
            graph.nodes[node].args.iter().enumerate().all(|(position, &arg)| {
                let level = if reduces && position == 0 { Level::Full } else { self.levels[&node] };
                self.reads_in_place(graph, arg, level)
            })
        })
    }

    fn reads_in_place(&self, graph: &Graph, arg: NodeId, level: Level) -> bool {
        let inside = |node: NodeId| self.levels.contains_key(&node);
        if !inside(base(graph, arg, inside)) {
            return true;
        }
        let shape = extents(graph, arg);
        let Some(mut forms) = self.forms(&shape, level) else { return false };
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
    pub fn forms(&self, shape: &[usize], level: Level) -> Option<Vec<Form>> {
        let end = if level == Level::Full { self.axes.len() } else { self.rows };
        let mut forms = vec![Form::constant(0, self.axes.len()); shape.len()];
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
    pub fn own_forms(&self, graph: &Graph, node: NodeId) -> Vec<Form> {
        self.forms(&extents(graph, node), self.levels[&node]).expect("a node of the nest")
    }

    /// Where a view at `forms` reads its argument.
    pub fn through(&self, graph: &Graph, view: NodeId, forms: &[Form]) -> Option<Vec<Form>> {
        let shape = extents(graph, view);
        let arg = graph.nodes[view].args[0];
        let inner = extents(graph, arg);
        match &graph.nodes[view].op {
            Op::StopGradient => Some(forms.to_vec()),
            Op::Reshape(_) | Op::Reduce(..) => self.reshape(&shape, forms, &inner),
            Op::Broadcast(_) => {
                let added = shape.len() - inner.len();
                let form = |axis: usize| match inner[axis] {
                    1 => Form::constant(0, self.axes.len()),
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
                        let mut moved = Form::constant(range.start as i64, self.axes.len());
                        moved.add(form, range.step as i64);
                        moved
                    })
                    .collect(),
            ),
            _ => None,
        }
    }

    fn reshape(&self, shape: &[usize], forms: &[Form], inner: &[usize]) -> Option<Vec<Form>> {
        for level in [Level::Full, Level::Row] {
            if self.forms(shape, level).as_deref() == Some(forms) {
                return self.forms(inner, level);
            }
        }
        merge(shape, forms, inner, self.axes.len())
    }
}

/// The forms of a shape whose axes are each a run of axes of the shape that `forms` are of.
fn merge(shape: &[usize], forms: &[Form], inner: &[usize], axes: usize) -> Option<Vec<Form>> {
    let mut result = vec![Form::constant(0, axes); inner.len()];
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
    merge(shape, &vec![Form::constant(0, 0); shape.len()], inner, 0).is_some()
}
