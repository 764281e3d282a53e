//! `tests/golden/pass/<name>`: a graph as text, and what the pass of that name makes of it. Both
//! are verified. An input of `update` is an optimiser's rule; the graph it is inlined in is
//! [`TRAINED`]. There is a suite for each pass of the pipeline.

use super::{Case, Output, Suite};
use nnc::graph::print::print_kernels;
use nnc::graph::{Graph, UpdateRule, read, verify, verify_fused};
use nnc::pass::{Fusion, Gradients, PIPELINE, TrainingStep};
use std::path::Path;

/// A suite for each pass.
pub fn suites() -> impl Iterator<Item = Suite> {
    PIPELINE.names().map(|(name, _)| Suite {
        folder: format!("pass/{name}").leak(),
        input: "graph",
        outputs: &[Output { extension: "out", produce: after }],
    })
}

/// The batch that `bind` sets.
const BATCH: usize = 4;

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

/// The text of what the pass of the case's folder makes of it.
fn after(case: &Case) -> Result<Option<String>, String> {
    let folder = case.path.parent().and_then(Path::file_name).ok_or("a case in a folder")?;
    let (input, is_folders) = (graph(&case.text)?, |name: &str| folder == name);
    if is_folders(PIPELINE.kernels.name) {
        let kernels = (PIPELINE.kernels.run)(&input, &Fusion::Full);
        verify_fused(&kernels.graph).map_err(|findings| findings.join("\n"))?;
        return Ok(Some(print_kernels(&kernels, None)));
    }
    let train = PIPELINE.train.iter().find(|pass| is_folders(pass.name));
    let step = PIPELINE.step.iter().find(|pass| is_folders(pass.name));
    let made = match (train, step) {
        (Some(pass), _) if pass.name == "update" => {
            let step = TrainingStep { rule: input.into(), gradients: Gradients::Applied };
            (pass.run)(&graph(TRAINED)?, &step)
        }
        (Some(pass), _) => {
            let step = TrainingStep { rule: UpdateRule::default(), gradients: Gradients::Shown };
            (pass.run)(&input, &step)
        }
        (None, Some(pass)) => (pass.run)(&input, &BATCH),
        (None, None) => return Err(format!("no pass is called {folder:?}")),
    };
    verify(&made).map_err(|findings| findings.join("\n"))?;
    Ok(Some(made.to_string()))
}
