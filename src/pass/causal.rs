//! Causality: which positions of a sequence each value depends on.
//!
//! ```text
//! %51 = matmul %45, %50 : f32[1, 4, 64, 64]    by axes 2 and 3: a query's tokens and a key's
//! %58 = le %56, %57                            true only where axis 3 ≤ axis 2
//! %63 = where %61, %51, −1e30                  by axis 2: what a later key gives is not taken
//! %74 = matmul %73, %49                        by axis 2: later keys have probability 0
//! ```
//!
//! The **reach** of a value is a set of its axes: an element depends on tokens up to the largest of
//! its indices along them. It is found from the first node to the last; a value of which that cannot
//! be said sees all tokens. Besides, it is known where a mask is true only up to the diagonal of two
//! axes, and where scores behind that diagonal are so low that their exponentials are 0.
//!
//! A model whose output has its own position as reach is causal: `generate` may go on with it token by
//! token ([`crate::pass::incremental`]). Which blocks of a kernel's scores need not be computed is
//! found where kernels are lowered (`lower/attention/causal.rs`, which says how the two differ).

use crate::base::entity::Entity;
use crate::base::tensor::DType;
use crate::graph::{
    Binary, Graph, InputId, Node, NodeId, Op, Range, Reduce, ScanId, Unary, Window,
};
use rustc_hash::FxHashSet;

mod facts;

pub use facts::{AxisSet, PositionReach};
use facts::{Facts, IndexSum, STEP};

/// Numbers up to this are low: no score of a network comes near.
const LOW: f64 = -1e4;

/// The reach of all values of a graph.
pub struct Causality {
    facts: Vec<Facts>,
}

/// Where an axis of a value goes when its elements are given another shape: `None` where it is not
/// an axis of the other.
pub fn reshaped_axis(from: &[usize], to: &[usize], axis: usize) -> Option<usize> {
    let before: usize = from[..axis].iter().product();
    let is_same =
        |at: &usize| to[*at] == from[axis] && to[..*at].iter().product::<usize>() == before;
    (0..to.len()).find(is_same)
}

/// The axes of a matrix product's arguments: rows and columns of the result, and what is added up.
#[derive(Clone, Copy, Debug)]
pub struct ProductAxes {
    /// Of `a`: the axis that becomes the result's last but one.
    pub rows: usize,
    /// Of `b`: the axis that becomes the result's last.
    pub columns: usize,
    /// The axes that are added up, of `a` and of `b`.
    pub summed: [usize; 2],
}

impl ProductAxes {
    /// Of arguments of so many axes.
    pub fn of(rank: usize, transpose_a: bool, transpose_b: bool) -> ProductAxes {
        let (first, last) = (rank - 2, rank - 1);
        let (rows, a) = if transpose_a { (last, first) } else { (first, last) };
        let (b, columns) = if transpose_b { (last, first) } else { (first, last) };
        ProductAxes { rows, columns, summed: [a, b] }
    }
}

/// Whether a slice takes the whole of an axis, in order.
pub fn is_whole(range: &Range, extent: usize) -> bool {
    range.start == 0 && range.step == 1 && range.len.is_none_or(|len| len == extent)
}

impl Causality {
    /// Of a graph for one sample, whose input is the tokens `[1, T]`.
    pub fn of(graph: &Graph, tokens: InputId) -> Causality {
        // Scans whose carries see more than the steps so far: each shows once the others are known.
        let mut open: FxHashSet<ScanId> = FxHashSet::default();
        loop {
            let mut finder = Finder { graph, tokens, open: &open, facts: Vec::new() };
            for node in graph.nodes.values() {
                let facts = finder.facts_of(node);
                finder.facts.push(facts);
            }
            let facts = finder.facts;
            let is_open = |next: NodeId| !facts[next.index()].reach.is_within(STEP);
            let carries = graph.carries.values().filter(|carry| carry.next.is_some_and(is_open));
            let found = carries.map(|carry| carry.scan).find(|scan| !open.contains(scan));
            match found {
                Some(scan) => open.insert(scan),
                None => return Causality { facts },
            };
        }
    }

    /// The reach of a value.
    pub fn reach(&self, node: NodeId) -> PositionReach {
        self.facts[node.index()].reach
    }

    /// Whether a value depends on no token.
    pub fn is_constant(&self, node: NodeId) -> bool {
        self.reach(node) == PositionReach::NONE
    }

    /// The first of the nodes behind `of` that sees all positions, though its arguments do not.
    pub fn first_that_sees_all(&self, graph: &Graph, of: NodeId) -> Option<NodeId> {
        let sees_all = |node: &NodeId| self.reach(*node) == PositionReach::All;
        let mut open = vec![of];
        let mut seen = FxHashSet::default();
        let mut first: Option<NodeId> = None;
        while let Some(node) = open.pop() {
            if sees_all(&node) && seen.insert(node) {
                let mut from = graph.reads(node).filter(sees_all).peekable();
                if from.peek().is_none() {
                    first = Some(first.map_or(node, |known| known.min(node)));
                }
                open.extend(from);
            }
        }
        first
    }
}

/// The facts of nodes, in order.
struct Finder<'g> {
    graph: &'g Graph,
    tokens: InputId,
    open: &'g FxHashSet<ScanId>,
    facts: Vec<Facts>,
}

impl Finder<'_> {
    fn facts_of(&self, node: &Node) -> Facts {
        let args: Vec<&Facts> = node.args.iter().map(|arg| &self.facts[arg.index()]).collect();
        match &node.op {
            Op::Input(input) if *input == self.tokens => Facts::of(PositionReach::one(1)),
            Op::Iota { axis, .. } => Facts {
                index: Some(IndexSum { offset: 0, terms: vec![(*axis, 1)] }),
                ..Facts::of(PositionReach::NONE)
            },
            Op::Const(value, _) => Facts {
                index: (value.fract() == 0.0 && value.abs() < 1e9)
                    .then(|| IndexSum { offset: *value as i64, terms: Vec::new() }),
                ..Facts::of(PositionReach::NONE)
            },
            Op::Unary(function) => unary(*function, args[0]),
            Op::Binary(function) => self.binary(*function, node, args[0], args[1]),
            Op::Where => self.select(node, args[0], args[1], args[2]),
            Op::Cast(dtype) => Facts {
                index: args[0].index.clone().filter(|_| *dtype != DType::Bool),
                ..args[0].clone()
            },
            Op::StopGradient => args[0].clone(),
            Op::Broadcast(_) | Op::Reshape(_) | Op::Transpose(_) => self.moved(node, args[0]),
            Op::Slice(_) | Op::Concat(_) | Op::Pad { .. } => self.cut(node, &args),
            Op::Reduce(_, axes) | Op::Variance(axes) => self.reduced(node, axes, args[0]),
            Op::ArgMax(axis) => self.reduced(node, &[*axis], args[0]),
            Op::Pick => {
                let last = self.shape(node.args[0]).len() - 1;
                let row = self.reduced(node, &[last], args[0]);
                Facts::of(row.reach.and(args[1].reach))
            }
            Op::MatMul { transpose_a, transpose_b } => {
                self.product(node, *transpose_a, *transpose_b, args[0], args[1])
            }
            Op::Conv { .. } => self.convolved(node, args[0], args[1]),
            Op::Gather(axis) => gathered(*axis, args[0], args[1]),
            Op::ScanSlice(_) | Op::Carry(_) | Op::ScanStack(_) => self.scanned(node, args[0]),
            // Of what is left, only what depends on no token at all is known.
            _ => Facts::of(constant_or_all(&args)),
        }
    }

    fn shape(&self, node: NodeId) -> Vec<usize> {
        self.graph.ty(node).shape.at(1)
    }

    /// Whether a value is the same along an axis.
    fn is_even(&self, node: NodeId, axis: usize) -> bool {
        let Node { op: Op::Broadcast(shape), args, .. } = &self.graph.nodes[node] else {
            return matches!(self.graph.nodes[node].op, Op::Const(..));
        };
        let from = self.shape(args[0]);
        (axis + from.len()).checked_sub(shape.rank()).is_none_or(|axis| from[axis] == 1)
    }

    fn binary(&self, function: Binary, node: &Node, a: &Facts, b: &Facts) -> Facts {
        let reach = a.reach.and(b.reach);
        let both = a.index.as_ref().zip(b.index.as_ref());
        let known = Facts::of(reach);
        let one = |offset| IndexSum { offset, terms: Vec::new() };
        match (function, both) {
            (Binary::Add | Binary::Sub, Some((x, y))) => {
                let sum = x.plus(y, if function == Binary::Add { 1 } else { -1 });
                Facts { index: Some(sum), ..known }
            }
            (Binary::Le, Some((x, y))) => Facts::at_most(reach, &x.plus(y, -1)),
            (Binary::Lt, Some((x, y))) => Facts::at_most(reach, &x.plus(y, -1).plus(&one(1), 1)),
            (Binary::Ge, Some((x, y))) => Facts::at_most(reach, &y.plus(x, -1)),
            (Binary::Gt, Some((x, y))) => Facts::at_most(reach, &y.plus(x, -1).plus(&one(1), 1)),
            (Binary::And, _) => Facts {
                only: a.only.or(b.only),
                outside: a.outside.filter(|it| b.outside == Some(*it)),
                ..known
            },
            (Binary::Or, _) => Facts {
                only: a.only.filter(|it| b.only == Some(*it)),
                outside: a.outside.or(b.outside),
                ..known
            },
            (Binary::Add, None) => Facts { low: a.low.or(b.low), ..known },
            // What is taken away is a row's own: the largest of it, or the logarithm of its sum.
            (Binary::Sub, None) => {
                let low = a.low.filter(|it| self.is_even(node.args[1], it.key));
                Facts { low, ..known }
            }
            (Binary::Mul, _) => {
                let scale = |at: usize| self.constant(node.args[at]).is_some_and(|it| it >= 1e-3);
                let low = a.low.filter(|_| scale(1)).or(b.low.filter(|_| scale(0)));
                Facts { low, zero: a.zero.or(b.zero), ..known }
            }
            (Binary::Div, _) => {
                let scale = self.constant(node.args[1]).is_some_and(|it| (0.0..=1e3).contains(&it));
                Facts { low: a.low.filter(|_| scale), zero: a.zero, ..known }
            }
            _ => known,
        }
    }

    /// The number that all elements of a value are.
    fn constant(&self, node: NodeId) -> Option<f64> {
        let Node { op, args, .. } = &self.graph.nodes[node];
        match op {
            Op::Const(value, _) => Some(*value),
            Op::Broadcast(_) | Op::Reshape(_) | Op::Cast(_) => self.constant(args[0]),
            _ => None,
        }
    }

    fn select(&self, node: &Node, condition: &Facts, a: &Facts, b: &Facts) -> Facts {
        let reach = condition.reach.and(a.reach.inside(condition.only));
        let mut facts = Facts::of(reach.and(b.reach.inside(condition.outside)));
        let sides = [(condition.only, node.args[2], a), (condition.outside, node.args[1], b)];
        for (triangle, other, taken) in sides {
            let Some(value) = self.constant(other) else { continue };
            let [low, zero] = [value <= LOW, value == 0.0];
            facts.low = facts.low.or(triangle.or(taken.low).filter(|_| low));
            facts.zero = facts.zero.or(triangle.or(taken.zero).filter(|_| zero));
        }
        facts
    }

    fn moved(&self, node: &Node, arg: &Facts) -> Facts {
        let (from, to) = (self.shape(node.args[0]), node.ty.shape.at(1));
        match &node.op {
            Op::Transpose(order) => arg.map(|axis| order.iter().position(|&at| at == axis)),
            Op::Reshape(_) => arg.map(|axis| reshaped_axis(&from, &to, axis)),
            // Axes are aligned at the last.
            _ => arg.map(|axis| {
                let at = axis + to.len() - from.len();
                (to[at] == from[axis]).then_some(at)
            }),
        }
    }

    /// Parts of axes, joined axes, and axes with a border: the others stay as they are.
    fn cut(&self, node: &Node, args: &[&Facts]) -> Facts {
        let from = self.shape(node.args[0]);
        let stays = |axis: usize| match &node.op {
            Op::Slice(ranges) => is_whole(&ranges[axis], from[axis]),
            Op::Concat(joined) => *joined != axis,
            Op::Pad { amounts, .. } => amounts[axis] == (0, 0),
            _ => false,
        };
        let mapped = args.iter().map(|arg| arg.map(|axis| stays(axis).then_some(axis)));
        let facts = mapped.reduce(|all, arg| Facts {
            low: all.low.filter(|it| arg.low == Some(*it)),
            zero: all.zero.filter(|it| arg.zero == Some(*it)),
            ..Facts::of(all.reach.and(arg.reach))
        });
        facts.unwrap_or_else(|| Facts::of(PositionReach::All))
    }

    fn reduced(&self, node: &Node, axes: &[usize], arg: &Facts) -> Facts {
        let inside = match node.op {
            Op::Reduce(Reduce::Max, _) => arg.low,
            Op::Reduce(Reduce::Sum, _) => arg.zero,
            _ => None,
        };
        let inside = inside.filter(|it| axes.contains(&it.key) && !axes.contains(&it.query));
        let kept = |axis: usize| {
            let removed = axes.iter().filter(|&&removed| removed < axis).count();
            (!axes.contains(&axis)).then(|| axis - removed)
        };
        Facts::of(arg.reach.inside(inside).map(kept))
    }

    fn product(&self, node: &Node, ta: bool, tb: bool, a: &Facts, b: &Facts) -> Facts {
        let rank = node.ty.shape.rank();
        let ProductAxes { rows, columns, summed } = ProductAxes::of(rank, ta, tb);
        // Where one factor is 0 behind a query, the other counts up to that query.
        let of_a = |axis: usize| match axis {
            _ if axis == rows => Some(rank - 2),
            _ => (axis < rank - 2).then_some(axis),
        };
        let of_b = |axis: usize| match axis {
            _ if axis == columns => Some(rank - 1),
            _ => (axis < rank - 2).then_some(axis),
        };
        let [a_zero, b_zero] = [(a, summed[0]), (b, summed[1])]
            .map(|(arg, key)| arg.zero.filter(|zero| zero.key == key).map(|zero| zero.query));
        let query = a_zero.and_then(of_a).or(b_zero.and_then(of_b));
        let side = |arg: &Facts, key: usize, to: &dyn Fn(usize) -> Option<usize>| {
            arg.reach.map(|axis| if axis == key { query } else { to(axis) })
        };
        Facts::of(side(a, summed[0], &of_a).and(side(b, summed[1], &of_b)))
    }

    /// Along an axis of positions, a convolution whose taps lie at a position and before it gives one of
    /// the same reach.
    fn convolved(&self, node: &Node, x: &Facts, weights: &Facts) -> Facts {
        let Op::Conv { window, .. } = &node.op else { return Facts::of(PositionReach::All) };
        let stays = |axis: usize| match axis {
            0 => Some(0),
            1 | 2 => looks_back(window, axis - 1).then_some(axis),
            // Every channel of the result sees all of the argument's.
            _ => None,
        };
        let weights = if weights.reach == PositionReach::NONE {
            PositionReach::NONE
        } else {
            PositionReach::All
        };
        Facts::of(x.reach.map(stays).and(weights))
    }

    fn scanned(&self, node: &Node, arg: &Facts) -> Facts {
        let steps_on = |scan: ScanId| !self.graph.scans[scan].reverse && !self.open.contains(&scan);
        let reach = match node.op {
            Op::ScanSlice(scan) if steps_on(scan) => {
                arg.reach.map(|axis| Some(if axis == 0 { STEP } else { axis - 1 }))
            }
            Op::Carry(carry) if steps_on(self.graph.carries[carry].scan) => match arg.reach {
                PositionReach::NONE => PositionReach::one(STEP),
                _ => PositionReach::All,
            },
            Op::ScanStack(scan) if steps_on(scan) => stacked(arg),
            // A scan that begins with the last slice, over what depends on no token.
            _ => constant_or_all(&[arg]),
        };
        Facts::of(reach)
    }
}

/// The reach of a value of all steps, which are its first axis.
fn stacked(arg: &Facts) -> PositionReach {
    let PositionReach::Axes(axes) = arg.reach else { return PositionReach::All };
    let moved = axes.axes().map(|axis| if axis == STEP { 0 } else { axis + 1 });
    PositionReach::Axes(moved.map(AxisSet::one).fold(AxisSet::default(), AxisSet::union))
}

/// Whether a window's taps along an axis (0 or 1 of the two) lie at each position and before it.
pub fn looks_back(window: &Window, axis: usize) -> bool {
    window.stride[axis] == 1 && window.pad[axis] == (window.span(axis) - 1, 0)
}

fn unary(function: Unary, arg: &Facts) -> Facts {
    let known = Facts::of(arg.reach);
    match function {
        Unary::Not => Facts { only: arg.outside, outside: arg.only, ..known },
        Unary::Exp => Facts { zero: arg.low, ..known },
        Unary::Neg => Facts {
            index: arg.index.as_ref().map(|index| IndexSum::default().plus(index, -1)),
            zero: arg.zero,
            ..known
        },
        _ => known,
    }
}

/// The entries of a table that no token changes, in the place of an axis.
fn gathered(axis: usize, table: &Facts, index: &Facts) -> Facts {
    match table.reach {
        PositionReach::NONE => Facts::of(index.reach.map(|at| Some(at + axis))),
        _ => Facts::of(PositionReach::All),
    }
}

fn constant_or_all(args: &[&Facts]) -> PositionReach {
    match args.iter().all(|arg| arg.reach == PositionReach::NONE) {
        true => PositionReach::NONE,
        false => PositionReach::All,
    }
}
