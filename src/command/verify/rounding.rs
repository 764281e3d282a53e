//! How far a graph's results move when everything that it computes is off by about a rounding.
//!
//! Where a function jumps (a mask, a sign, the largest of near ones) or where large numbers leave a
//! small one (the gradient of a bias before `batch_norm`: sums that are 0, times `1/sqrt(var + eps)`),
//! another order of summation may give quite another result, and neither is wrong. So the graph's
//! interpreter is run several times with changes as small as roundings, of its inputs and of what
//! each operator gives: a tensor's size says nothing of its error, the size of what it is the sum of
//! does.

use crate::base::entity::{Arena, Entity};
use crate::base::rng::Sequence;
use crate::base::tensor::{DType, Data, Tensor};
use crate::graph::interp::{self as oracle, Env, StepOutcome};
use crate::graph::{Binary, Graph, Node, NodeId, Op, Type};
use smallvec::smallvec;
use std::collections::BTreeMap;

/// How often inputs are changed to see what becomes of it.
const CHANGES: u64 = 8;

/// Cost of [`spread`] in passes over the graph: the noise of an element is four operators.
pub(super) const PASSES: f64 = 5.0 * CHANGES as f64;

/// How much of a tensor's change by a rounding of the inputs an engine may be away from another.
pub const SPREADS: f32 = 4.0;

/// How far each tensor moves when inputs, parameters and states change by a part in a million and
/// each operator's result by about a rounding; by name, parameters and states as `param 0`, `state 0`.
pub fn spread(
    graph: &Graph,
    batch: usize,
    env: &Env,
    expected: &StepOutcome,
) -> BTreeMap<String, f32> {
    let mut spread = BTreeMap::new();
    for change in 0..CHANGES {
        let mut sequence = Sequence::new(change, 11);
        let mut env = env.clone();
        let given = env.inputs.values_mut().chain(&mut env.params).chain(&mut env.states);
        for tensor in given {
            if let Data::F32(values) = &mut tensor.data {
                for value in values {
                    *value *= 1.0 + 1e-6 * (2.0 * sequence.unit() as f32 - 1.0);
                }
            }
        }
        let Ok(moved) = oracle::run(&noisy(graph, change), batch, &env) else { continue };
        for ((name, expected), (_, moved)) in tensors(expected).into_iter().zip(tensors(&moved)) {
            let far = furthest(expected, moved).unwrap_or(f32::INFINITY);
            let known = spread.entry(name).or_insert(0f32);
            *known = known.max(far);
        }
    }
    spread
}

/// A graph in which each operator's floats are off by at most two roundings, other ones for each
/// change.
fn noisy(graph: &Graph, change: u64) -> Graph {
    let mut streams = 1_000_000 * (1 + change as u32);
    let mut nodes: Arena<NodeId, Node> = Arena::new();
    let mut names: Vec<NodeId> = Vec::new();
    for node in graph.nodes.values() {
        let mut node = node.clone();
        node.args.iter_mut().for_each(|arg| *arg = names[arg.index()]);
        let ty = node.ty.clone();
        let exact = node.args.is_empty() || ty.dtype != DType::F32;
        let mut name = nodes.push(node);
        if !exact {
            // Of each element its own: what cancels must not go on to cancel.
            streams += 1;
            let noise = Op::Uniform { shape: ty.shape.clone(), stream: streams };
            let noise =
                nodes.push(Node { op: noise, args: smallvec![], ty: ty.clone(), origin: None });
            let mut apply = |op: Binary, to: NodeId, by: f64| {
                let scalar = Type::scalar(DType::F32);
                let by = Op::Const(f64::from(by as f32), DType::F32);
                let by = nodes.push(Node { op: by, args: smallvec![], ty: scalar, origin: None });
                let repeated = Op::Broadcast(ty.shape.clone());
                let repeated =
                    Node { op: repeated, args: smallvec![by], ty: ty.clone(), origin: None };
                let by = if ty.shape.rank() > 0 { nodes.push(repeated) } else { by };
                let op = Op::Binary(op);
                nodes.push(Node { op, args: smallvec![to, by], ty: ty.clone(), origin: None })
            };
            let noise = apply(Binary::Mul, noise, 4.8e-7);
            let noise = apply(Binary::Add, noise, 1.0 - 2.4e-7);
            let op = Op::Binary(Binary::Mul);
            name = nodes.push(Node { op, args: smallvec![name, noise], ty, origin: None });
        }
        names.push(name);
    }
    let mut noisy = Graph { nodes, ..graph.clone() };
    let outputs = noisy.outputs.iter_mut().map(|output| &mut output.node);
    let updates = noisy.updates.iter_mut().map(|update| &mut update.node);
    outputs.chain(updates).for_each(|node| *node = names[node.index()]);
    noisy
}

/// The tensors of an outcome by name.
pub fn tensors(outcome: &StepOutcome) -> Vec<(String, &Tensor)> {
    let outputs = outcome.outputs.iter().map(|(name, tensor)| (name.clone(), tensor));
    let numbered = |kind: &'static str| move |(at, tensor)| (format!("{kind} {at}"), tensor);
    let params = outcome.params.iter().enumerate().map(numbered("param"));
    outputs.chain(params).chain(outcome.states.iter().enumerate().map(numbered("state"))).collect()
}

/// The largest distance between elements; none if one of them is not a number.
pub fn furthest(a: &Tensor, b: &Tensor) -> Option<f32> {
    let (Data::F32(a), Data::F32(b)) = (&a.data, &b.data) else { return Some(0.0) };
    let mut far = 0f32;
    for (a, b) in a.iter().zip(b).filter(|(a, b)| a.to_bits() != b.to_bits()) {
        let distance = (a - b).abs();
        if distance.is_nan() {
            return None;
        }
        far = far.max(distance);
    }
    Some(far)
}
