//! The gradient check of `nnc verify`: no false alarm on random sound graphs, whatever kinks, jumps and
//! stopped gradients are in them; and a derivative that is changed is found.
//!
//! `NNC_VERIFY_COUNT` is how many graphs are tried (a thousand, so that one in fifty of the changed
//! derivatives is some eight of four hundred); the seeds are the same every time.

mod support;

use nnc::base::entity::Entity;
use nnc::base::rng::Sequence;
use nnc::base::tensor::{DType, Data};
use nnc::command::gradient_errors;
use nnc::graph::interp::widened;
use nnc::graph::{Binary, Builder, Dim, Env, Graph, NodeId, Op, Reduce, StepOutcome, Unary, run};
use nnc::pass::autodiff::{self, Wrt};
use support::random_graph::random_graph;

const BATCH: usize = 3;

fn count() -> u64 {
    let asked = std::env::var("NNC_VERIFY_COUNT").ok().and_then(|count| count.parse().ok());
    asked.unwrap_or(1000)
}

/// A random graph whose loss is made of its outputs, some of them through a stopped copy, and what it is
/// run on.
fn subject(seed: u64) -> (Graph, Graph, Env) {
    let random = random_graph(seed, 10);
    let env = random.env(BATCH, seed);
    let mut builder = Builder::resume(random.graph);
    let outputs: Vec<NodeId> = builder.graph.outputs.iter().map(|output| output.node).collect();
    builder.graph.outputs.clear();
    builder.graph.updates.clear();
    let mut total = builder.constant(0.0, DType::F32);
    for (index, node) in outputs.into_iter().enumerate() {
        let axes: Vec<usize> = (0..builder.ty(node).shape.rank()).collect();
        let bent = builder.unary(Unary::Tanh, node).expect("floats");
        let other = match index % 3 {
            0 => builder.op(Op::StopGradient, &[node]).expect("a value"),
            1 => node,
            _ => builder.unary(Unary::Abs, node).expect("floats"),
        };
        let product = builder.binary(Binary::Mul, bent, other).expect("one shape");
        let sum = builder.reduce(Reduce::Sum, product, &axes, false).expect("a sum");
        let elements: usize =
            builder.ty(node).shape.iter().map(|dim: &Dim| dim.at(BATCH)).product();
        let share = builder.constant(1.0 / elements as f64, DType::F32);
        let mean = builder.binary(Binary::Mul, sum, share).expect("scalars");
        total = builder.binary(Binary::Add, total, mean).expect("scalars");
    }
    builder.output("loss", total);
    let graph = builder.finish();
    let open = autodiff::run(&graph, Wrt { inputs: true });
    (graph, open, env)
}

/// The worst error, as a part of what is allowed; 0 where nothing can be said.
fn worst(graph: &Graph, open: &Graph, env: &Env) -> f64 {
    let errors = gradient_errors(graph, open, BATCH, env).expect("a graph that runs");
    errors.unwrap_or_default().iter().map(|error| error.error).fold(0.0, f64::max)
}

#[test]
fn sound_graphs_give_no_alarm() {
    let mut checked = 0;
    let mut alarms = Vec::new();
    for seed in 0..count() {
        let (graph, open, env) = subject(seed);
        let errors = gradient_errors(&graph, &open, BATCH, &env).expect("a graph that runs");
        checked += usize::from(errors.as_ref().is_some_and(|errors| !errors.is_empty()));
        for error in errors.unwrap_or_default() {
            if error.error > 1.0 {
                alarms.push(format!("seed {seed}, {}: {:.1}", error.name, error.error));
            }
        }
    }
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
    assert!(checked as u64 * 10 >= count() * 9, "only {checked} have gradients");
}

/// A node behind the forward graph that becomes another function of the same arguments.
fn mutated(open: &Graph, forward: usize, sequence: &mut Sequence) -> Option<Graph> {
    let other = |op: &Op| {
        Some(match op {
            Op::Binary(Binary::Mul) => Op::Binary(Binary::Add),
            Op::Binary(Binary::Add) => Op::Binary(Binary::Sub),
            Op::Binary(Binary::Sub) => Op::Binary(Binary::Add),
            Op::Unary(Unary::Neg) => Op::Unary(Unary::Abs),
            _ => return None,
        })
    };
    let behind =
        open.nodes.iter().filter(|(id, node)| id.index() >= forward && node.ty.dtype == DType::F32);
    let places: Vec<(NodeId, Op)> =
        behind.filter_map(|(id, node)| Some((id, other(&node.op)?))).collect();
    if places.is_empty() {
        return None;
    }
    let (place, op) = places[sequence.below(places.len() as u32) as usize].clone();
    let mut graph = open.clone();
    graph.nodes[place].op = op;
    Some(graph)
}

/// How far the gradients of two steps are apart, as a part of their size.
fn apart(a: &StepOutcome, b: &StepOutcome) -> f64 {
    let mut most: f64 = 0.0;
    for (name, value) in a.outputs.iter().filter(|(name, _)| name.starts_with("grad.")) {
        let (Data::F64(a), Data::F64(b)) = (&value.data, &b.outputs[name].data) else { continue };
        let size: f64 = a.iter().map(|a| a.abs()).sum::<f64>().max(1e-3);
        let difference: f64 = a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum();
        most = most.max(difference / size);
    }
    most
}

#[test]
fn changed_derivatives_are_found() {
    let (mut changed, mut missed) = (0, Vec::new());
    for seed in 0..count() / 2 {
        let (graph, open, env) = subject(seed);
        let mut sequence = Sequence::new(seed, 7);
        let Some(wrong) = mutated(&open, graph.nodes.len(), &mut sequence) else { continue };
        let mut wide = env.clone();
        let all = wide.params.iter_mut().chain(&mut wide.states).chain(wide.inputs.values_mut());
        for tensor in all {
            if let Data::F32(values) = &tensor.data {
                tensor.data = Data::F64(values.iter().map(|&value| f64::from(value)).collect());
            }
        }
        let right = run(&widened(&open), BATCH, &wide).expect("a step");
        let other = run(&widened(&wrong), BATCH, &wide).expect("a step");
        // What changes next to nothing is no mistake to be found.
        if apart(&right, &other) < 0.02 {
            continue;
        }
        changed += 1;
        if worst(&graph, &wrong, &env) <= 1.0 {
            missed.push(seed);
        }
    }
    assert!(changed as u64 * 4 >= count() / 2, "only {changed} changes matter");
    // A loss that jumps wherever a tensor is moved says nothing of that tensor.
    let most = changed / 50;
    assert!(missed.len() <= most, "of {changed} wrong derivatives, seeds {missed:?} pass");
}
