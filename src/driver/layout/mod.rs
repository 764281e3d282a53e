//! Where PyTorch has the elements of parameters: images there are `[n, c, h, w]`, here `[n, h, w, c]`, and
//! what is flattened or unflattened on the way shows in the order of the weights beside it.
//!
//! ```text
//! conv |> flatten |> dense(10)     rows of the dense weight: channel first there, channel last here
//! dense |> reshape([N, 7, 7, 64]) |> conv     columns of the weight and the bias: the same
//! ```
//!
//! One walk over the forward graph gives each axis of each value a variable ([`Orders`]), which operators
//! join, merge and cut; images are known by what makes or reads them (an input of images, convolutions,
//! pools). What meets in two orders, or cannot be followed, is [`AxisOrder::Unknown`]: such a file is refused,
//! never guessed at. Which axes a weight has there (`[out, in]`)
//! is told by [`torch_forms`].

mod axes;
mod order;
mod reshape;
mod torch;

pub(crate) use axes::axis_names;
pub(crate) use torch::{TorchForm, squeezed, torch_forms};

use crate::base::entity::Entity;
use crate::graph::{Graph, Node, NodeId, Op, Range};
use order::{AxisOrder, OrderVar, Orders, joined};
use std::collections::{HashMap, HashSet};

/// A batch that no other extent is likely to be.
const BATCH: usize = 10_007;

/// Where PyTorch has the elements of each axis of each parameter and state (`None`: in the same
/// places), by path; or why nobody can say.
pub(crate) fn pytorch_orders(graph: &Graph) -> HashMap<String, Result<AxisPlaces, &'static str>> {
    let mut walk = LayoutWalk::new(graph);
    for id in needed(graph) {
        let value = walk.value(id);
        walk.values.insert(id, value);
    }
    walk.hand_on();
    let paths = graph.variables().map(|(path, ..)| path.to_owned());
    let place = |orders: &Orders, axis: &OrderVar| match orders.of(*axis) {
        AxisOrder::Free | AxisOrder::Same => Ok(None),
        AxisOrder::Moved(places) => Ok(Some(places.to_vec())),
        AxisOrder::Unknown(why) => Err(*why),
    };
    let all = paths.zip(&walk.variables);
    all.map(|(path, axes)| (path, axes.iter().map(|axis| place(&walk.orders, axis)).collect()))
        .collect()
}

/// The paths of tables that entries are taken from, as of an embedding: PyTorch has them as they are.
pub(crate) fn tables(graph: &Graph) -> HashSet<&str> {
    let gathers = graph.nodes.values().filter(|node| matches!(node.op, Op::Gather(0)));
    let table = |node: &Node| {
        let Op::Param(param) = graph.nodes[node.args[0]].op else { return None };
        Some(graph.params[param].path.as_str())
    };
    gathers.filter_map(table).collect()
}

/// For each axis of a tensor, where its elements are there.
pub(crate) type AxisPlaces = Vec<Option<Vec<usize>>>;

/// The nodes that the output is computed from, in order.
fn needed(graph: &Graph) -> Vec<NodeId> {
    let needed = graph.behind(graph.model_outputs());
    graph.nodes.keys().filter(|id| needed[id.index()]).collect()
}

/// How the axes of a value lie there.
#[derive(Clone, Debug, PartialEq)]
enum LayoutKind {
    /// It has at most one axis beside the batch that matters: any way will do.
    Any,
    /// In the same sequence.
    Same,
    /// The last so many axes are channels, and come behind the batch there.
    Image(usize),
    /// An axis that was cut into all of these: an image if something reads it as one, else the same.
    Cut(OrderVar),
    /// It cannot be said, and why.
    Unknown(&'static str),
}

#[derive(Clone, Debug)]
struct ValueLayout {
    axes: Vec<OrderVar>,
    kind: LayoutKind,
}

struct LayoutWalk<'a> {
    graph: &'a Graph,
    orders: Orders,
    values: HashMap<NodeId, ValueLayout>,
    /// The axes of parameters, then of states.
    variables: Vec<Vec<OrderVar>>,
}

impl<'a> LayoutWalk<'a> {
    fn new(graph: &'a Graph) -> LayoutWalk<'a> {
        let mut orders = Orders::default();
        let variables = graph
            .variables()
            .map(|(_, ty, _)| ty.shape.iter().map(|_| orders.axis(AxisOrder::Free)).collect())
            .collect();
        LayoutWalk { graph, orders, values: HashMap::new(), variables }
    }

    fn extents(&self, node: NodeId) -> Vec<usize> {
        self.graph.ty(node).shape.at(BATCH)
    }

    /// Fresh axes for a node.
    fn fresh(&mut self, node: NodeId, order: AxisOrder) -> Vec<OrderVar> {
        (0..self.extents(node).len()).map(|_| self.orders.axis(order.clone())).collect()
    }

    /// The layout of a node, from those of its arguments.
    fn value(&mut self, id: NodeId) -> ValueLayout {
        let graph = self.graph;
        let node = &graph.nodes[id];
        let args: Vec<ValueLayout> = node.args.iter().map(|arg| self.values[arg].clone()).collect();
        match &node.op {
            Op::Input(_) => self.input(id),
            Op::Param(param) => self.kept(param.index()),
            Op::State(state) => self.kept(graph.params.len() + state.index()),
            Op::Hyper(_) | Op::Step | Op::Extent(_) | Op::Const(..) | Op::Uniform { .. } => {
                ValueLayout { axes: self.fresh(id, AxisOrder::Free), kind: LayoutKind::Any }
            }
            Op::Iota { axis, .. } => {
                let axes = self.fresh(id, AxisOrder::Free);
                self.orders.settled(axes[*axis]);
                ValueLayout { axes, kind: LayoutKind::Any }
            }
            Op::Unary(_) | Op::Cast(_) | Op::StopGradient => args[0].clone(),
            Op::Binary(_) | Op::Where => self.together(&args),
            Op::Broadcast(_) => self.broadcast(id, &args[0]),
            Op::Reshape(_) => self.reshape(id, args[0].clone()),
            Op::Transpose(perm) => self.transpose(&args[0], perm),
            Op::Slice(ranges) => self.slice(&args[0], ranges),
            Op::Concat(axis) => self.concat(id, &args, *axis),
            Op::Pad { amounts, .. } => self.pad(&args[0], amounts),
            Op::Reduce(_, axes) | Op::Variance(axes) => self.reduce(id, &args[0], axes),
            Op::ArgMax(axis) => self.looked_up(id, &args[0], *axis),
            Op::Pick => self.looked_up(id, &args[0], args[0].axes.len() - 1),
            Op::Gather(axis) => self.gather(&args, *axis),
            Op::MatMul { transpose_a, transpose_b } => {
                self.matmul(&args, *transpose_a, *transpose_b)
            }
            Op::Conv { groups, .. } => self.conv(id, &args, *groups, [2, 3]),
            // A transposed convolution reads the outputs of the other.
            Op::ConvInputGrad { groups, .. } => self.conv(id, &args, *groups, [3, 2]),
            // PyTorch's recurrent layers take features last, too.
            Op::ScanSlice(_) => {
                ValueLayout { axes: args[0].axes[1..].to_vec(), kind: LayoutKind::Same }
            }
            Op::Carry(_) => ValueLayout { axes: args[0].axes.clone(), kind: LayoutKind::Same },
            Op::ScanStack(_) => {
                let steps = self.orders.axis(AxisOrder::Same);
                let axes = std::iter::once(steps).chain(args[0].axes.iter().copied()).collect();
                ValueLayout { axes, kind: LayoutKind::Same }
            }
            Op::MaxPool(_) | Op::SumPool(_) => self.pool(id, &args[0]),
            _ => {
                let why = "it is behind an operator that is not followed";
                ValueLayout {
                    axes: self.fresh(id, AxisOrder::Unknown(why)),
                    kind: LayoutKind::Unknown(why),
                }
            }
        }
    }

    fn pad(&mut self, arg: &ValueLayout, amounts: &[(usize, usize)]) -> ValueLayout {
        for (axis, amount) in arg.axes.iter().zip(amounts) {
            if *amount != (0, 0) {
                self.read_in_place(*axis);
            }
        }
        arg.clone()
    }

    /// A reduction along an axis by the places of its elements.
    fn looked_up(&mut self, id: NodeId, arg: &ValueLayout, axis: usize) -> ValueLayout {
        self.read_in_place(arg.axes[axis]);
        self.reduce(id, arg, &[axis])
    }

    fn pool(&mut self, id: NodeId, arg: &ValueLayout) -> ValueLayout {
        let x = self.as_image(arg, self.graph.nodes[id].args[0]);
        let mut axes = self.fresh(id, AxisOrder::Same);
        axes[3] = x.axes[3];
        ValueLayout { axes, kind: LayoutKind::Image(1) }
    }

    fn input(&mut self, id: NodeId) -> ValueLayout {
        let axes = self.fresh(id, AxisOrder::Same);
        let kind = match axes.len() {
            0..=2 => LayoutKind::Same,
            3 => {
                LayoutKind::Unknown("whether the input is [n, channels, length] there is not known")
            }
            _ => LayoutKind::Image(1),
        };
        ValueLayout { axes, kind }
    }

    fn kept(&mut self, index: usize) -> ValueLayout {
        let axes = self.variables[index].clone();
        let kind = if axes.len() < 2 { LayoutKind::Any } else { LayoutKind::Same };
        ValueLayout { axes, kind }
    }

    /// An axis whose places are looked at: they must be the same there.
    fn read_in_place(&mut self, axis: OrderVar) {
        self.orders.settled(axis);
        self.orders.fix(axis, &AxisOrder::Same);
    }

    /// Values of one shape that meet element by element.
    fn together(&mut self, args: &[ValueLayout]) -> ValueLayout {
        let mut all = args[0].clone();
        for other in &args[1..] {
            for (&a, &b) in all.axes.iter().zip(&other.axes) {
                self.orders.join(a, b);
            }
            all.kind = self.agreed(&all, other);
        }
        all
    }

    fn agreed(&mut self, a: &ValueLayout, b: &ValueLayout) -> LayoutKind {
        match (&a.kind, &b.kind) {
            (LayoutKind::Any, kind) | (kind, LayoutKind::Any) => kind.clone(),
            (LayoutKind::Unknown(why), _) | (_, LayoutKind::Unknown(why)) => {
                LayoutKind::Unknown(why)
            }
            (a, b) if a == b => a.clone(),
            (LayoutKind::Cut(a), LayoutKind::Cut(b)) => {
                self.orders.join(*a, *b);
                LayoutKind::Cut(*a)
            }
            (LayoutKind::Cut(axis), LayoutKind::Same)
            | (LayoutKind::Same, LayoutKind::Cut(axis)) => {
                self.read_in_place(*axis);
                LayoutKind::Same
            }
            _ => LayoutKind::Unknown("an image meets what is none"),
        }
    }

    fn broadcast(&mut self, id: NodeId, arg: &ValueLayout) -> ValueLayout {
        let (to, from) = (self.extents(id), self.extents(self.graph.nodes[id].args[0]));
        let mut axes = self.fresh(id, AxisOrder::Free);
        let added = to.len() - from.len();
        for (axis, extent) in from.iter().enumerate() {
            if *extent == to[added + axis] {
                axes[added + axis] = arg.axes[axis];
            }
        }
        let matter = from.iter().filter(|&&extent| extent > 1 && !extent.is_multiple_of(BATCH));
        let kind = if matter.count() < 2 { LayoutKind::Any } else { arg.kind.clone() };
        ValueLayout { axes, kind }
    }

    fn transpose(&mut self, arg: &ValueLayout, perm: &[usize]) -> ValueLayout {
        let axes: Vec<OrderVar> = perm.iter().map(|&from| arg.axes[from]).collect();
        let rank = perm.len();
        let kind = match arg.kind {
            _ if perm.is_sorted() => arg.kind.clone(),
            LayoutKind::Image(channels) => {
                let first = rank - channels;
                let theirs = (0..1).chain(first..rank).chain(1..first);
                match theirs.eq(perm.iter().copied()) {
                    true => LayoutKind::Same,
                    false => LayoutKind::Unknown("the axes of an image are transposed"),
                }
            }
            LayoutKind::Cut(axis) => {
                self.read_in_place(axis);
                LayoutKind::Same
            }
            LayoutKind::Any | LayoutKind::Same | LayoutKind::Unknown(_) => arg.kind.clone(),
        };
        ValueLayout { axes, kind }
    }

    fn slice(&mut self, arg: &ValueLayout, ranges: &[Range]) -> ValueLayout {
        let mut value = arg.clone();
        for (axis, range) in value.axes.iter_mut().zip(ranges) {
            if *range != Range::ALL {
                self.read_in_place(*axis);
                let order = self.orders.of(*axis).clone();
                *axis = self.orders.axis(order);
            }
        }
        value
    }

    fn concat(&mut self, id: NodeId, args: &[ValueLayout], axis: usize) -> ValueLayout {
        let nodes = &self.graph.nodes[id].args;
        let extents: Vec<usize> = nodes.iter().map(|&node| self.extents(node)[axis]).collect();
        let parts: Vec<AxisOrder> =
            args.iter().map(|arg| self.orders.settled(arg.axes[axis])).collect();
        let mut all = args[0].clone();
        for other in &args[1..] {
            for place in (0..all.axes.len()).filter(|&place| place != axis) {
                self.orders.join(all.axes[place], other.axes[place]);
            }
            all.kind = self.agreed(&all, other);
        }
        all.axes[axis] = self.orders.axis(joined(&extents, &parts));
        all
    }

    fn reduce(&mut self, id: NodeId, arg: &ValueLayout, reduced: &[usize]) -> ValueLayout {
        let rank = arg.axes.len();
        let kept = (0..rank).filter(|axis| !reduced.contains(axis));
        let axes: Vec<OrderVar> = kept.map(|axis| arg.axes[axis]).collect();
        let kind = match arg.kind {
            LayoutKind::Image(channels) => {
                let gone = reduced.iter().filter(|&&axis| axis >= rank - channels).count();
                match channels - gone {
                    0 => LayoutKind::Same,
                    left => LayoutKind::Image(left),
                }
            }
            LayoutKind::Cut(axis) => {
                self.read_in_place(axis);
                LayoutKind::Same
            }
            LayoutKind::Any | LayoutKind::Same | LayoutKind::Unknown(_) => arg.kind.clone(),
        };
        let matter = self.extents(id).into_iter();
        let matter = matter.filter(|extent| *extent > 1 && !extent.is_multiple_of(BATCH));
        ValueLayout { axes, kind: if matter.count() < 2 { LayoutKind::Any } else { kind } }
    }

    fn gather(&mut self, args: &[ValueLayout], axis: usize) -> ValueLayout {
        let (table, index) = (&args[0], &args[1]);
        self.read_in_place(table.axes[axis]);
        let between = index.axes.iter().copied();
        let axes = table.axes[..axis].iter().copied().chain(between);
        let axes = axes.chain(table.axes[axis + 1..].iter().copied()).collect();
        ValueLayout { axes, kind: LayoutKind::Same }
    }

    fn matmul(
        &mut self,
        args: &[ValueLayout],
        transpose_a: bool,
        transpose_b: bool,
    ) -> ValueLayout {
        for arg in args {
            if let LayoutKind::Cut(axis) = arg.kind {
                self.read_in_place(axis);
            }
        }
        let (a, b) = (&args[0].axes, &args[1].axes);
        let rank = a.len();
        let (m, k) = if transpose_a { (rank - 1, rank - 2) } else { (rank - 2, rank - 1) };
        let (inner, n) = if transpose_b { (rank - 1, rank - 2) } else { (rank - 2, rank - 1) };
        self.orders.join(a[k], b[inner]);
        for axis in 0..rank - 2 {
            self.orders.join(a[axis], b[axis]);
        }
        let axes = a[..rank - 2].iter().copied().chain([a[m], b[n]]).collect();
        // PyTorch multiplies along the last axis, too: what was an image has been turned there, and
        // may have been turned back.
        let kind = match args[0].kind {
            LayoutKind::Image(_) if rank > 2 => LayoutKind::Unknown(
                "it is behind a product with an image's channels, before which the image is turned \
                 there, and behind which it may be turned back",
            ),
            _ => LayoutKind::Same,
        };
        ValueLayout { axes, kind }
    }

    /// A value that is read as an image.
    fn as_image(&mut self, value: &ValueLayout, node: NodeId) -> ValueLayout {
        if let LayoutKind::Cut(axis) = value.kind {
            let extents = self.extents(node);
            self.fix_cut(axis, &extents[1..]);
        }
        ValueLayout { axes: value.axes.clone(), kind: LayoutKind::Image(1) }
    }

    /// A convolution whose weight has its inputs and outputs in these axes.
    fn conv(
        &mut self,
        id: NodeId,
        args: &[ValueLayout],
        groups: usize,
        [inputs, outputs]: [usize; 2],
    ) -> ValueLayout {
        let x = self.as_image(&args[0], self.graph.nodes[id].args[0]);
        let weight = &args[1].axes;
        if groups == 1 {
            self.orders.join(x.axes[3], weight[inputs]);
        } else {
            for axis in [x.axes[3], weight[2], weight[3]] {
                self.read_in_place(axis);
            }
        }
        let mut axes = self.fresh(id, AxisOrder::Same);
        axes[3] = weight[outputs];
        ValueLayout { axes, kind: LayoutKind::Image(1) }
    }

    /// Joins the orders of values that a step of a scan hands on with those in which the next reads them.
    fn hand_on(&mut self) {
        for id in self.graph.nodes.keys() {
            let Some(next) = self.graph.next(id) else { continue };
            let [Some(carry), Some(next)] = [id, next].map(|id| self.values.get(&id)) else {
                continue;
            };
            for (&a, &b) in carry.axes.iter().zip(&next.axes) {
                self.orders.join(a, b);
            }
        }
    }
}
