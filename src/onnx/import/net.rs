//! The network that a program is printed from: calls of the language on values, each with its weights.
//!
//! ```text
//! 0  Input image                      [N, 224, 224, 3]
//! 1  Call conv(0, 64, 7, stride: 2)   [N, 112, 112, 64]   weights: conv1.weight
//! 2  Call relu(1)
//! 3  Infix + (2, 2)
//! ```
//!
//! Shapes are as the program has them, the batch included.

use super::constant::{Constant, ElementKind, StoredTensors, TensorElements, strides, transposed};
use super::size::SymbolicSize;
use std::collections::HashSet;

/// The index of a node.
pub(super) type NetId = usize;

/// Nodes in an order in which they can run.
#[derive(Clone, Debug, Default)]
pub(super) struct Net {
    pub nodes: Vec<NetNode>,
    pub outputs: Vec<(String, NetId)>,
    /// Weights of the file that are several of the program.
    pub copies: Vec<String>,
}

/// A value of the program.
#[derive(Clone, Debug)]
pub(super) struct NetNode {
    pub form: NetForm,
    /// The values that it reads; the form names them by their place here.
    pub args: Vec<NetId>,
    pub shape: Vec<SymbolicSize>,
    pub kind: ElementKind,
    /// The variables that a call declares, in the order in which the layer does.
    pub weights: Vec<Weight>,
    /// The name that the file gives to what it is made of; may be empty.
    pub name: String,
}

impl NetNode {
    /// The values that its text names, each as often as it stands there: `x * x` names one twice.
    pub fn named(&self) -> impl Iterator<Item = NetId> {
        let settings: Vec<&CallSetting> = match &self.form {
            NetForm::Call { settings, .. } => settings.iter().map(|(_, setting)| setting).collect(),
            NetForm::Infix(_, left, right) => vec![left, right],
            NetForm::Input(_)
            | NetForm::Index(_)
            | NetForm::Variable { .. }
            | NetForm::Again(_) => Vec::new(),
        };
        let args = self.args.iter().enumerate();
        args.flat_map(move |(place, &arg)| {
            let times: usize = settings.iter().map(|setting| setting.times(place)).sum();
            std::iter::repeat_n(arg, times.max(1))
        })
    }
}

/// How a value is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NetForm {
    /// An input of the model.
    Input(String),
    /// A call of a layer or operator with its arguments, some of them by name.
    Call { callee: String, settings: Vec<(Option<&'static str>, CallSetting)> },
    /// `a + b`
    Infix(&'static str, CallSetting, CallSetting),
    /// Parts of the first argument, one entry for each axis.
    Index(Vec<IndexEntry>),
    /// A tensor that the body declares: trained or not.
    Variable { trained: bool },
    /// The layer of an earlier node again, with its weights.
    Again(NetId),
}

/// An entry of an index: `:`, `2`, `1:5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IndexEntry {
    All,
    At(i64),
    Range(i64, i64),
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum CallSetting {
    /// The value at this place of the node's arguments.
    Arg(usize),
    Int(i64),
    /// An extent, which may depend on the batch.
    Dim(SymbolicSize),
    Float(f64),
    /// A name or keyword.
    Word(&'static str),
    Text(&'static str),
    List(Vec<CallSetting>),
}

impl CallSetting {
    /// How often the argument at a place stands in it.
    fn times(&self, place: usize) -> usize {
        match self {
            CallSetting::Arg(arg) => usize::from(*arg == place),
            CallSetting::List(settings) => settings.iter().map(|it| it.times(place)).sum(),
            CallSetting::Int(_) | CallSetting::Dim(_) | CallSetting::Float(_) => 0,
            CallSetting::Word(_) | CallSetting::Text(_) => 0,
        }
    }

    pub fn ints(values: &[i64]) -> CallSetting {
        // One number for all axes, where they agree.
        match values {
            [first, rest @ ..] if rest.iter().all(|it| it == first) => CallSetting::Int(*first),
            _ => CallSetting::list(values),
        }
    }

    /// An axis, or several.
    pub fn axes(values: &[i64]) -> CallSetting {
        match values {
            [one] => CallSetting::Int(*one),
            several => CallSetting::list(several),
        }
    }

    pub fn list(values: &[i64]) -> CallSetting {
        CallSetting::List(values.iter().map(|&value| CallSetting::Int(value)).collect())
    }

    pub fn dims(sizes: &[SymbolicSize]) -> CallSetting {
        CallSetting::List(sizes.iter().map(|&size| CallSetting::Dim(size)).collect())
    }

    pub fn bool(value: bool) -> CallSetting {
        CallSetting::Word(if value { "true" } else { "false" })
    }
}

/// A variable: a constant of the file, and how its elements are put in order.
#[derive(Clone, Debug)]
pub(super) struct Weight {
    pub from: Constant,
    pub moves: Vec<Move>,
    /// The shape that it has in the program.
    pub dims: Vec<usize>,
    /// Whether it is kept, not trained.
    pub is_state: bool,
}

/// A change of the order of a weight's elements.
#[derive(Clone, Debug)]
pub(super) enum Move {
    /// Seen in this shape, its axes in this order.
    Transpose { dims: Vec<usize>, order: Vec<usize> },
    /// Seen in this shape, blocks along the first axis in another order.
    Rearrange { dims: Vec<usize>, order: Vec<usize> },
    /// Another constant is added, element by element.
    Add(Constant),
    /// Every element times this.
    Scale(f32),
}

impl Weight {
    pub fn new(from: Constant) -> Weight {
        let dims = from.dims.clone();
        let (from, moves) = match from.elements {
            TensorElements::Turned(index, own) => {
                let step = Move::Transpose { dims: own.to_vec(), order: vec![1, 0] };
                let (elements, dims) = (TensorElements::Stored(index), own.to_vec());
                (Constant { elements, dims, ..from }, vec![step])
            }
            _ => (from, Vec::new()),
        };
        Weight { from, moves, dims, is_state: false }
    }

    /// Whether another weight begins with the same elements of the file in the same order.
    pub fn same(&self, other: &Weight) -> bool {
        let moves = self.moves.len() == other.moves.len()
            && self.moves.iter().zip(&other.moves).all(|(a, b)| a.same(b));
        let shape = self.dims == other.dims && self.is_state == other.is_state;
        // What a constant's own shape was does not matter, unless something moves in it.
        moves && shape && self.from.reshaped(Vec::new()).same(&other.from.reshaped(Vec::new()))
    }

    pub fn state(self) -> Weight {
        Weight { is_state: true, ..self }
    }

    /// In another shape, with the same elements.
    pub fn reshaped(mut self, dims: Vec<usize>) -> Weight {
        self.dims = dims;
        self
    }

    /// With its axes in another order.
    pub fn transposed(mut self, order: &[usize]) -> Weight {
        if let Some(Move::Transpose { dims, order: before }) = self.moves.last()
            && before.iter().map(|&axis| dims[axis]).eq(self.dims.iter().copied())
            && order.iter().map(|&axis| before[axis]).eq(0..before.len())
        {
            // Back again.
            self.dims.clone_from(dims);
            self.moves.pop();
            return self;
        }
        if order.iter().enumerate().any(|(at, &axis)| at != axis) {
            let (dims, order) = (self.dims.clone(), order.to_vec());
            self.dims = order.iter().map(|&axis| dims[axis]).collect();
            self.moves.push(Move::Transpose { dims, order });
        }
        self
    }

    /// With equal parts along the first axis in another order.
    pub fn blocks(mut self, order: &[usize]) -> Weight {
        let rest = self.dims[0] / order.len() * self.dims[1..].iter().product::<usize>();
        let dims = vec![order.len(), rest];
        self.moves.push(Move::Rearrange { dims, order: order.to_vec() });
        self
    }

    pub fn moved(mut self, step: Move) -> Weight {
        self.moves.push(step);
        self
    }

    /// The elements, in the program's order.
    pub fn values(&self, stored: &StoredTensors<'_>) -> Vec<f32> {
        self.moves.iter().fold(self.from.floats(stored), |values, step| step.apply(values, stored))
    }
}

impl Move {
    fn same(&self, other: &Move) -> bool {
        match (self, other) {
            (Move::Transpose { dims, order }, Move::Transpose { dims: own, order: of }) => {
                dims == own && order == of
            }
            (Move::Rearrange { dims, order }, Move::Rearrange { dims: own, order: of }) => {
                dims == own && order == of
            }
            (Move::Add(a), Move::Add(b)) => a.same(b),
            (Move::Scale(a), Move::Scale(b)) => a == b,
            _ => false,
        }
    }

    fn apply(&self, values: Vec<f32>, stored: &StoredTensors<'_>) -> Vec<f32> {
        match self {
            Move::Transpose { dims, order } => transposed(&values, dims, order),
            Move::Rearrange { dims, order } => {
                let step = strides(dims)[0];
                let block = |&at: &usize| values[at * step..(at + 1) * step].iter().copied();
                order.iter().flat_map(block).collect()
            }
            Move::Add(other) => {
                let other = other.floats(stored);
                values.iter().zip(&other).map(|(a, b)| a + b).collect()
            }
            Move::Scale(factor) => values.iter().map(|value| value * factor).collect(),
        }
    }
}

impl Net {
    pub fn push(&mut self, node: NetNode) -> NetId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Adds a value that is computed without weights.
    pub fn add(
        &mut self,
        form: NetForm,
        args: Vec<NetId>,
        shape: Vec<SymbolicSize>,
        kind: ElementKind,
    ) -> NetId {
        self.push(NetNode { form, args, shape, kind, weights: Vec::new(), name: String::new() })
    }

    /// Adds a call on these values, with settings behind them.
    pub fn call(
        &mut self,
        callee: &str,
        args: Vec<NetId>,
        settings: Vec<(Option<&'static str>, CallSetting)>,
        shape: Vec<SymbolicSize>,
        kind: ElementKind,
    ) -> NetId {
        let values = (0..args.len()).map(|index| (None, CallSetting::Arg(index)));
        let settings = values.chain(settings).collect();
        self.add(NetForm::Call { callee: callee.to_owned(), settings }, args, shape, kind)
    }

    /// Nodes that stand in one body with others: layers that are called again, and those calls.
    pub fn bound(&self) -> HashSet<NetId> {
        let calls = self.nodes.iter().enumerate().filter_map(|(id, node)| match node.form {
            NetForm::Again(layer) => Some([id, layer]),
            _ => None,
        });
        calls.flatten().collect()
    }

    /// How often each node is read, outputs included.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.nodes.len()];
        for node in &self.nodes {
            node.args.iter().for_each(|&arg| uses[arg] += 1);
        }
        self.outputs.iter().for_each(|(_, id)| uses[*id] += 1);
        uses
    }
}
