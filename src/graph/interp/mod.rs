//! Runs a graph, slowly and obviously: the oracle for everything that makes it fast.
//!
//! In go a graph, the number of samples, and an [`Env`] of tensors; out come the outputs and the
//! parameters and states after the step's updates. `N` is the number of samples, so one graph
//! runs at any batch.
//!
//! Every element is held in `f64`: element-wise operators round each result to the element type,
//! sums and contractions are added in `f64` and rounded once; a graph in `f64` ([`widened`]) is
//! nowhere rounded to less. Compiled code, which adds in `f32`,
//! is compared within a tolerance. A bad index is an [`InterpError`] that names the node and the place.

mod contraction;
mod cost;
mod movement;
mod scan;
mod window;

use crate::base::entity::Entity;
use crate::base::rng::{element_word, unit_f32};
use crate::base::tensor::{DType, Data, Tensor};
use crate::graph::data::{Graph, Node, UpdateTarget};
use crate::graph::element;
use crate::graph::init::initial_value;
use crate::graph::op::{Binary, NodeId, Op, OpKind};
use crate::graph::types::Type;
use contraction::BadIndex;
pub use cost::{Cost, cost};
use ndarray::{ArrayD, IxDyn, Zip};
use std::collections::BTreeMap;
use std::fmt;

/// Elements of any type, each as the `f64` of its value.
type Array = ArrayD<f64>;

/// Values that a step reads.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// The inputs by name.
    pub inputs: BTreeMap<String, Tensor>,
    /// A value for each parameter, in order of their ids.
    pub params: Vec<Tensor>,
    /// A value for each state, in order of their ids.
    pub states: Vec<Tensor>,
    /// A value for each hyper-parameter, in order of their ids.
    pub hypers: Vec<f64>,
    /// The step's number, from 1.
    pub step: u64,
    /// The seed of random operators.
    pub seed: u64,
}

impl Env {
    /// The first step of a graph: parameters and states as they begin, hyper-parameters as they
    /// are written, and no inputs yet.
    pub fn initial(graph: &Graph, seed: u64) -> Env {
        let params = graph.params.values().map(|p| initial_value(&p.init, &p.ty, &p.path, seed));
        let states = graph.states.values().map(|s| initial_value(&s.init, &s.ty, &s.path, seed));
        Env {
            inputs: BTreeMap::new(),
            params: params.collect(),
            states: states.collect(),
            hypers: graph.hypers.values().map(|hyper| hyper.value).collect(),
            step: 1,
            seed,
        }
    }

    /// The same with an input.
    pub fn with(mut self, name: &str, tensor: Tensor) -> Env {
        self.inputs.insert(name.into(), tensor);
        self
    }
}

/// Values that a step gives.
#[derive(Clone, Debug, PartialEq)]
pub struct StepOutcome {
    /// The outputs by name.
    pub outputs: BTreeMap<String, Tensor>,
    /// The parameters after the step.
    pub params: Vec<Tensor>,
    /// The states after the step.
    pub states: Vec<Tensor>,
}

/// Why a step could not be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterpError {
    /// The node that failed; `None` where what was given does not fit the graph.
    pub node: Option<NodeId>,
    /// Where in the node's indices the bad one stands; empty where nothing was given to index.
    pub place: Vec<usize>,
    /// The mistake.
    pub message: String,
}

impl fmt::Display for InterpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.node {
            Some(node) => write!(f, "{node}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for InterpError {}

/// Runs a verified graph for `batch` samples. A value is held until its last reader has run.
pub fn run(graph: &Graph, batch: usize, env: &Env) -> Result<StepOutcome, InterpError> {
    let arrays = arrays(graph, batch, env, &last_readers(graph))?;
    let value = |node: NodeId| tensor(&arrays[node.index()], graph.ty(node).dtype);
    let outputs = graph.outputs.iter().map(|output| (output.name.to_string(), value(output.node)));
    let outputs = outputs.collect();
    let (mut params, mut states) = (env.params.clone(), env.states.clone());
    for update in &graph.updates {
        match update.target {
            UpdateTarget::Param(id) => params[id.index()] = value(update.node),
            UpdateTarget::State(id) => states[id.index()] = value(update.node),
        }
    }
    Ok(StepOutcome { outputs, params, states })
}

/// The value of every node, in order: for tests that look inside.
pub fn values(graph: &Graph, batch: usize, env: &Env) -> Result<Vec<Tensor>, InterpError> {
    let arrays = arrays(graph, batch, env, &vec![None; graph.nodes.len()])?;
    let typed = arrays.iter().zip(graph.nodes.values());
    Ok(typed.map(|(array, node)| tensor(array, node.ty.dtype)).collect())
}

/// The elements of every node; none of those that were let go after their last reader. Those of a
/// scan's body are the last step's.
fn arrays(
    graph: &Graph,
    batch: usize,
    env: &Env,
    last: &[Option<NodeId>],
) -> Result<Vec<Array>, InterpError> {
    check(graph, batch, env)?;
    if !graph.scans.is_empty() {
        return scan::arrays(graph, batch, env);
    }
    let mut arrays: Vec<Array> = Vec::with_capacity(graph.nodes.len());
    for (id, node) in graph.nodes.iter() {
        arrays.push(Run { graph, batch, env, arrays: &arrays }.value(id)?);
        for arg in node.args.iter().map(|arg| arg.index()).chain([id.index()]) {
            if last[arg] == Some(id) {
                arrays[arg] = Array::zeros(IxDyn(&[0]));
            }
        }
    }
    Ok(arrays)
}

/// The last reader of each node, itself where nothing reads it; `None` for what the step gives.
fn last_readers(graph: &Graph) -> Vec<Option<NodeId>> {
    let mut last: Vec<Option<NodeId>> = graph.nodes.iter().map(|(id, _)| Some(id)).collect();
    for (id, node) in graph.nodes.iter() {
        node.args.iter().for_each(|arg| last[arg.index()] = Some(id));
    }
    graph.roots().for_each(|root| last[root.index()] = None);
    last
}

/// Checks that everything the graph declares is given, with its type.
fn check(graph: &Graph, batch: usize, env: &Env) -> Result<(), InterpError> {
    let fault = |message: String| Err(InterpError { node: None, place: Vec::new(), message });
    let fits = |ty: &Type, tensor: &Tensor| {
        tensor.dtype() == ty.dtype && tensor.shape == ty.shape.at(batch)
    };
    if batch == 0 {
        return fault("a step of no samples".into());
    }
    for input in graph.inputs.values() {
        match env.inputs.get(&input.name) {
            None => return fault(format!("input `{}` is not given", input.name)),
            Some(tensor) if fits(&input.ty, tensor) => {}
            Some(tensor) => {
                let (name, ty) = (&input.name, &input.ty);
                let (dtype, shape) = (tensor.dtype(), &tensor.shape);
                return fault(format!(
                    "input `{name}` is {ty}, given {dtype}{shape:?}, N = {batch}"
                ));
            }
        }
    }
    let params = graph.params.values().map(|param| &param.ty);
    let states = graph.states.values().map(|state| &state.ty);
    for (kind, given, types) in [
        ("parameter", &env.params, params.collect::<Vec<_>>()),
        ("state", &env.states, states.collect::<Vec<_>>()),
    ] {
        if given.len() != types.len() {
            return fault(format!("{} values for {} {kind}s", given.len(), types.len()));
        }
        let unfit = given.iter().zip(types).position(|(tensor, ty)| !fits(ty, tensor));
        if let Some(index) = unfit {
            return fault(format!("the value of {kind} {index} is not of its type"));
        }
    }
    if env.hypers.len() != graph.hypers.len() {
        let (found, wanted) = (env.hypers.len(), graph.hypers.len());
        return fault(format!("{found} values for {wanted} hyper-parameters"));
    }
    Ok(())
}

/// The same graph with `f64` in place of `f32`, for the interpreter alone: no other engine has tensors
/// of that type.
pub fn widened(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    let wide = |dtype: &mut DType| {
        if *dtype == DType::F32 {
            *dtype = DType::F64;
        }
    };
    graph.inputs.values_mut().for_each(|input| wide(&mut input.ty.dtype));
    graph.params.values_mut().for_each(|param| wide(&mut param.ty.dtype));
    graph.states.values_mut().for_each(|state| wide(&mut state.ty.dtype));
    for node in graph.nodes.values_mut() {
        wide(&mut node.ty.dtype);
        if let Op::Cast(to) | Op::Const(_, to) = &mut node.op {
            wide(to);
        }
    }
    graph
}

/// A step halfway through.
struct Run<'a> {
    graph: &'a Graph,
    batch: usize,
    env: &'a Env,
    /// The values so far.
    arrays: &'a [Array],
}

impl Run<'_> {
    fn arg(&self, node: &Node, index: usize) -> &Array {
        &self.arrays[node.args[index].index()]
    }

    /// A node's value, from those of its arguments.
    fn value(&self, id: NodeId) -> Result<Array, InterpError> {
        let node = &self.graph.nodes[id];
        let array = self.node(node).map_err(|BadIndex { message, place }| {
            let node = Some(id);
            InterpError { node, place, message }
        })?;
        debug_assert_eq!(array.shape(), node.ty.shape.at(self.batch), "the extents of {id}");
        Ok(array)
    }

    fn node(&self, node: &Node) -> Result<Array, BadIndex> {
        use {contraction as many, movement as moved, window as windows};
        let x = |index| self.arg(node, index);
        let extents = node.ty.shape.at(self.batch);
        let number = |value: f64| Array::from_elem(IxDyn(&[]), value);
        let value = match &node.op {
            Op::Input(id) => array(&self.env.inputs[&self.graph.inputs[*id].name]),
            Op::Param(id) => array(&self.env.params[id.index()]),
            Op::State(id) => array(&self.env.states[id.index()]),
            Op::Hyper(id) => number(self.env.hypers[id.index()]),
            Op::Step => number(self.env.step as f64),
            Op::Extent(dim) => number(dim.at(self.batch) as f64),
            Op::Const(value, _) => number(*value),
            Op::Iota { axis, .. } => Array::from_shape_fn(extents, |index| index[*axis] as f64),
            Op::Uniform { stream, .. } => self.uniform(*stream, extents),
            Op::Unary(op) => x(0).mapv(|x| element::unary(*op, node.ty.dtype, x)),
            Op::Binary(op) => zip(x(0), x(1), self.dtype(node, 0), *op),
            Op::Where => select(x(0), x(1), x(2)),
            Op::Cast(to) => x(0).mapv(|x| element::cast(x, self.dtype(node, 0), *to)),
            Op::Broadcast(_) => x(0).broadcast(extents).expect("verified shapes").to_owned(),
            Op::Reshape(_) => moved::reshape(x(0), extents),
            Op::Transpose(perm) => moved::transpose(x(0), perm),
            Op::Slice(ranges) => moved::slice(x(0), ranges, extents),
            Op::Concat(axis) => {
                let parts: Vec<&Array> = (0..node.args.len()).map(x).collect();
                moved::concat(&parts, *axis, extents)
            }
            Op::Pad { amounts, value } => moved::pad(x(0), amounts, *value, extents),
            Op::Reduce(op, axes) => many::reduce(*op, node.ty.dtype, x(0), axes),
            Op::ArgMax(axis) => many::arg_max(x(0), *axis),
            Op::MatMul { transpose_a, transpose_b } => {
                many::matmul(x(0), *transpose_a, x(1), *transpose_b, extents)
            }
            Op::Variance(axes) => many::variance(x(0), axes),
            Op::Conv { window, groups } => windows::conv(window, *groups, x(0), x(1), extents),
            Op::ConvInputGrad { window, groups, .. } => {
                windows::conv_input_grad(window, *groups, x(0), x(1), extents)
            }
            Op::ConvWeightGrad { window, groups } => {
                windows::conv_weight_grad(window, *groups, x(0), x(1), extents)
            }
            Op::MaxPool(window) => windows::max_pool(window, x(0), extents),
            Op::MaxPoolIndex(window) => windows::max_pool_index(window, x(0), extents),
            Op::MaxPoolGrad { window, .. } => windows::max_pool_grad(window, x(0), x(1), extents),
            Op::SumPool(window) => windows::sum_pool(window, x(0), extents),
            Op::SumPoolGrad { window, .. } => windows::sum_pool_grad(window, x(0), extents),
            Op::Pick => many::pick(x(0), x(1))?,
            Op::Gather(axis) => many::gather(x(0), x(1), *axis, extents)?,
            Op::ScatterAdd { axis, .. } => many::scatter_add(x(0), x(1), *axis, extents)?,
            Op::StopGradient => x(0).clone(),
            Op::ScanSlice(_) | Op::Carry(_) | Op::ScanStack(_) => {
                unreachable!("`scan` computes a scan's own nodes")
            }
        };
        Ok(self.rounded(node, value))
    }

    /// The element type of an argument.
    fn dtype(&self, node: &Node, arg: usize) -> DType {
        self.graph.ty(node.args[arg]).dtype
    }

    /// Sums of `f64`, rounded once; other values are of their type already.
    fn rounded(&self, node: &Node, value: Array) -> Array {
        let sums = match node.op.kind() {
            OpKind::Product | OpKind::Convolution | OpKind::Pool => true,
            OpKind::Reduction | OpKind::Indexed => true,
            OpKind::Scan => false,
            OpKind::Given | OpKind::Number | OpKind::Const | OpKind::Generated => false,
            OpKind::Elementwise | OpKind::View | OpKind::Joined | OpKind::Choice => false,
        };
        if sums { value.mapv_into(|value| element::round_to(value, node.ty.dtype)) } else { value }
    }

    fn uniform(&self, stream: u32, extents: Vec<usize>) -> Array {
        let len = extents.iter().product();
        let draw = |i| unit_f32(element_word(self.env.seed, self.env.step, stream, i));
        let values: Vec<f64> = (0..len).map(|i| f64::from(draw(i))).collect();
        Array::from_shape_vec(extents, values).expect("as many as the extents say")
    }
}

/// A function of each two elements of a type.
fn zip(a: &Array, b: &Array, dtype: DType, op: Binary) -> Array {
    Zip::from(a).and(b).map_collect(|&a, &b| element::binary(op, dtype, a, b))
}

/// Elements of `a` where the condition is true, of `b` elsewhere.
fn select(condition: &Array, a: &Array, b: &Array) -> Array {
    let choose = |&condition: &f64, &a: &f64, &b: &f64| if condition != 0.0 { a } else { b };
    Zip::from(condition).and(a).and(b).map_collect(choose)
}

/// A tensor's elements in `f64`.
fn array(tensor: &Tensor) -> Array {
    let values: Vec<f64> = match &tensor.data {
        Data::F32(values) => values.iter().map(|&value| f64::from(value)).collect(),
        Data::F64(values) => values.clone(),
        Data::I32(values) => values.iter().map(|&value| f64::from(value)).collect(),
        Data::U8(values) => values.iter().map(|&value| f64::from(value)).collect(),
        Data::Bool(values) => values.iter().map(|&value| f64::from(u8::from(value))).collect(),
    };
    Array::from_shape_vec(tensor.shape.clone(), values).expect("a tensor fills its shape")
}

/// Elements, each a value of `dtype`, as a tensor.
fn tensor(array: &Array, dtype: DType) -> Tensor {
    let shape = array.shape().to_vec();
    let values = array.iter();
    let data = match dtype {
        DType::F32 => Data::F32(values.map(|&value| value as f32).collect()),
        DType::F64 => Data::F64(values.copied().collect()),
        DType::I32 => Data::I32(values.map(|&value| value as i32).collect()),
        DType::U8 => Data::U8(values.map(|&value| value as u8).collect()),
        DType::Bool => Data::Bool(values.map(|&value| value != 0.0).collect()),
    };
    Tensor::new(shape, data)
}

#[cfg(test)]
mod tests;
