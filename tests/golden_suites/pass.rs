//! `tests/golden/pass/<name>`: a graph as text, and what the pass of that name makes of it. Both
//! are verified. An input of `update` is an optimiser's rule; the graph it is inlined in is
//! [`TRAINED`].

use super::{Case, Output, Suite};
use nnc::graph::print::print_kernels;
use nnc::graph::{Graph, read, verify};
use nnc::pass::autodiff::Wrt;
use nnc::pass::{autodiff, bind, cse, dce, fuse, simplify, update};

/// The suite of one pass.
macro_rules! suite {
    ($name:literal, $run:expr) => {
        Suite {
            folder: concat!("pass/", $name),
            input: "graph",
            outputs: &[Output { extension: "out", produce: |case| after(case, $run) }],
        }
    };
}

pub const AUTODIFF: Suite = suite!("autodiff", |graph| autodiff::run(graph, Wrt { inputs: true }));
pub const UPDATE: Suite = suite!("update", |rule| {
    update::run(&graph(TRAINED).expect("a graph"), &rule.clone().into(), false)
});
pub const BIND: Suite = suite!("bind", |graph| bind::run(graph, 4));
pub const SIMPLIFY: Suite = suite!("simplify", simplify::run);
pub const CSE: Suite = suite!("cse", cse::run);
pub const DCE: Suite = suite!("dce", dce::run);
pub const FUSE: Suite = Suite {
    folder: "pass/fuse",
    input: "graph",
    outputs: &[Output { extension: "out", produce: kernels }],
};

/// Two parameters with gradients, one without, and a layer's state.
const TRAINED: &str = "graph trained {
    input0 g: f32[4, 3]
    param0 dense.weight: f32[4, 3] = constant(0.5)
    param1 dense.bias: f32[3] = constant(0.0)
    param2 frozen: f32 = constant(0.0)
    state0 seen: f32[3] = constant(0.0)
    %0 = input0 : f32[4, 3]
    %1 = reduce_sum [0] %0 : f32[3]
    %2 = reduce_sum [0] %1 : f32
    output loss = %2
    output grad.dense.weight = %0
    output grad.dense.bias = %1
    update state0 = %1
}";

fn graph(text: &str) -> Result<Graph, String> {
    let graph = read(text).map_err(|error| error.to_string())?;
    verify(&graph).map_err(|findings| findings.join("\n"))?;
    Ok(graph)
}

fn kernels(case: &Case) -> Result<Option<String>, String> {
    let kernels = fuse::run(&graph(&case.text)?);
    verify(&kernels.graph).map_err(|findings| findings.join("\n"))?;
    Ok(Some(print_kernels(&kernels, None)))
}

/// The text of what a pass makes of an input.
fn after(case: &Case, run: impl Fn(&Graph) -> Graph) -> Result<Option<String>, String> {
    let after = run(&graph(&case.text)?);
    verify(&after).map_err(|findings| findings.join("\n"))?;
    Ok(Some(after.to_string()))
}
