//! What fusion and lowering achieve: few kernels, few barriers, little memory.

#[path = "engines/check.rs"]
mod check;
mod support;

use nnc::base::tensor::{Data, Tensor};
use nnc::graph::Env;
use nnc::graph::Graph;
use nnc::loops::Action;
use support::pipeline::{experiment, mnist, training};

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

#[test]
fn a_step_of_the_mnist_network_has_two_barriers() {
    let graph = mlp();
    let (kernels, lowered) = check::compare("mlp", &graph, 32, &first_batch(&graph, 32));
    let barriers =
        lowered.program.actions.iter().filter(|action| **action == Action::Barrier).count();
    println!("{}", nnc::graph::print::print_kernels(&kernels, None));
    for action in &lowered.program.actions {
        match action {
            Action::Run { kernel, args } => {
                let names: Vec<&str> =
                    args.iter().map(|&arg| lowered.program.buffers[arg].name.as_str()).collect();
                println!("{} {}", lowered.program.kernels[*kernel].name, names.join(" "));
            }
            Action::Barrier => println!("barrier"),
        }
    }
    println!("{:?}", lowered.layout);
    assert!(barriers <= 2, "{barriers} barriers\n{}", lowered.program);
}
