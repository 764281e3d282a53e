//! What fusion and lowering achieve: few kernels, few barriers, little memory.

#[path = "engines/check.rs"]
mod check;
mod support;

use nnc::base::tensor::{Data, Tensor};
use nnc::graph::kernels::KernelKind;
use nnc::graph::{Env, Graph, NodeId, Op, Unary};
use nnc::loops::{Action, Program, Space};
use nnc::schedule::Globals;
use support::pipeline::{experiment, lowered, mnist, training};

const MLP: &str = "
data handwriting = mnist()

model mlp(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> flatten |> dense(128) |> relu |> dense(10)
}

train mlp on handwriting {
    loss      = cross_entropy
    optimizer = adam(lr: 1e-3)
    epochs    = 5
    batch     = 32
    metrics   = [accuracy]
}
";

fn mlp() -> Graph {
    training(&experiment(MLP, vec![("handwriting".into(), mnist())]))
}

fn first_batch(graph: &Graph, batch: usize) -> Env {
    let mut env = Env::initial(graph, 7);
    for input in graph.inputs.values() {
        let shape = input.ty.shape.at(batch);
        let len: usize = shape.iter().product();
        let data = match input.name.as_str() {
            "image" => Data::U8((0..len).map(|i| (i * 37 % 256) as u8).collect()),
            _ => Data::I32((0..len).map(|i| (i % 10) as i32).collect()),
        };
        env.inputs.insert(input.name.clone(), Tensor::new(shape, data));
    }
    env
}

fn barriers(program: &Program) -> usize {
    program.actions.iter().filter(|action| **action == Action::Barrier).count()
}

#[test]
fn a_step_of_the_mnist_network_has_two_barriers_and_one_kernel_for_the_loss() {
    let graph = mlp();
    let (kernels, lowered) = check::compare("mlp", &graph, 32, &first_batch(&graph, 32));
    let text = || nnc::graph::print::print_kernels(&kernels, None);
    assert!(barriers(&lowered.program) <= 2, "{}", lowered.program);
    let with = |op: &dyn Fn(&Op) -> bool| {
        let has = |node: &NodeId| op(&kernels.graph.nodes[*node].op);
        kernels.kernels.values().filter(|kernel| kernel.nodes.iter().any(has)).count()
    };
    assert_eq!(with(&|op| *op == Op::Pick), 1, "{}", text());
    let loss = kernels.kernels.values();
    let loss = loss.filter(|kernel| {
        let has = |op: Op| kernel.nodes.iter().any(|node| kernels.graph.nodes[*node].op == op);
        has(Op::Pick) && has(Op::Unary(Unary::Exp)) && has(Op::Unary(Unary::Log))
    });
    assert_eq!(loss.count(), 1, "softmax, cross-entropy and its gradient\n{}", text());
    // The contractions: two forward, one input gradient, two weight gradients.
    let contractions = kernels.kernels.values();
    let contractions = contractions.filter(|kernel| kernel.kind == KernelKind::Contraction).count();
    assert_eq!(contractions, 5, "{}", text());
    let updates = lowered.program.kernels.values().filter(|kernel| kernel.name.ends_with("update"));
    assert_eq!(updates.count(), 4, "one kernel a parameter\n{}", text());
}

#[test]
fn batches_that_do_not_divide_into_parts_are_whole_steps_too() {
    let graph = mlp();
    for batch in [1, 9, 20, 100] {
        check::compare(&format!("mlp at {batch}"), &graph, batch, &first_batch(&graph, batch));
    }
}

#[test]
fn programs_of_a_run_share_the_places_of_parameters() {
    let graph = mlp();
    let mut globals = Globals::new();
    let (_, full) = lowered(&graph, 32, &mut globals);
    let bytes = globals.bytes();
    let (_, last) = lowered(&graph, 16, &mut globals);
    assert_eq!(globals.bytes(), bytes, "the last batch adds nothing");
    for program in [&full.program, &last.program] {
        for buffer in program.buffers.values().filter(|buffer| buffer.space == Space::Global) {
            let known = globals.get(&buffer.name).expect("a global of the run");
            assert_eq!(buffer.offset, Some(known.offset), "{}", buffer.name);
        }
    }
    assert!(full.program.refresh.len() == 1, "the second weight is kept transposed");
}
