//! Lints that follow values through the graph: probabilities taken for logits, parameters that
//! reach no loss, biases before batch norm, pooling that skips, a last batch of one, dropout of
//! nothing.

use super::LintInput;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::limits::FINDINGS;
use crate::base::settings::LastBatch;
use crate::base::source::Span;
use crate::base::step_output::StepOutput;
use crate::graph::{Binary, Graph, NodeId, Op, ParamId, Unary};
use crate::repair;
use std::collections::HashSet;

/// All lints of this file.
pub fn lints(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    softmax_twice(program, found);
    no_path(program, found);
    bias_before_norm(program, found);
    skipping_pool(program, found);
    last_of_one(program, found);
}

/// A value without the views around it: shapes that are only read in another way.
fn behind_views(graph: &Graph, mut node: NodeId) -> NodeId {
    loop {
        match graph.nodes[node].op {
            Op::Reshape(_) | Op::Broadcast(_) | Op::Transpose(_) | Op::Slice(_) => {
                node = graph.nodes[node].args[0];
            }
            _ => return node,
        }
    }
}

/// The values that the code of an item of the prelude reads and did not make.
fn inputs_of(program: &LintInput<'_>, name: &str) -> Vec<(NodeId, NodeId)> {
    let graph = &program.experiment.train;
    let mut inputs = Vec::new();
    for (id, node) in graph.nodes.iter() {
        if program.made_by(id).first() != Some(&name) {
            continue;
        }
        let outside = |arg: &&NodeId| !program.made_by(**arg).contains(&name);
        inputs.extend(node.args.iter().filter(outside).map(|&arg| (id, arg)));
    }
    inputs
}

/// `softmax` or `sigmoid` whose result is taken for logits.
fn softmax_twice(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    let graph = &program.experiment.train;
    let mut told: HashSet<Span> = HashSet::new();
    for taker in ["log_softmax", "binary_cross_entropy", "softmax"] {
        for (user, arg) in inputs_of(program, taker) {
            let maker = behind_views(graph, arg);
            let by = program.made_by(maker);
            let what = match graph.nodes[maker].op {
                Op::Unary(Unary::Sigmoid) => "sigmoid",
                _ if by.first() == Some(&"softmax") => "softmax",
                _ => continue,
            };
            let Some(place) = program.place(maker).filter(|place| told.insert(*place)) else {
                continue;
            };
            if found.len() > FINDINGS {
                return;
            }
            let message = format!("the result of `{what}` is taken for logits");
            let mut warning = Diagnostic::warning(codes::SOFTMAX_TWICE, message)
                .primary(place, format!("gives probabilities, and `{taker}` computes its own"));
            if let Some(user) = program.place(user).filter(|user| *user != place) {
                warning = warning.label(user, "takes logits");
            }
            if let Some(fix) = repair::without_stage(&program.editable(), place) {
                warning.fixes.push(fix);
            }
            found.push(warning.help("leave it out: the loss takes the model's plain output"));
        }
    }
}

/// Parameters that the loss does not depend on, or only through values that pass no gradient.
fn no_path(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    let graph = &program.experiment.train;
    let Some(loss) = graph.output(StepOutput::Loss) else { return };
    let mut reached: HashSet<NodeId> = HashSet::new();
    let mut open = vec![loss];
    while let Some(node) = open.pop() {
        let no_gradient = matches!(graph.nodes[node].op, Op::StopGradient | Op::ArgMax(_));
        if reached.insert(node) && !no_gradient {
            open.extend(graph.reads(node));
        }
    }
    let read: HashSet<ParamId> = graph
        .nodes
        .iter()
        .filter(|(id, _)| reached.contains(id))
        .filter_map(|(_, node)| match node.op {
            Op::Param(param) => Some(param),
            _ => None,
        })
        .collect();
    let mut told: HashSet<Span> = HashSet::new();
    for (_, param) in graph.params.iter().filter(|(id, _)| !read.contains(id)) {
        let Some(place) = program.user_place(param.origin) else { continue };
        if !told.insert(place) {
            continue;
        }
        if found.len() > FINDINGS {
            return;
        }
        let message = format!("`{}` has no path to the loss: it never learns", param.path);
        let mut warning = Diagnostic::warning(codes::NO_PATH, message)
            .primary(place, "nothing that the loss depends on uses this");
        if let Some(fix) = repair::without_statement(&program.editable(), place) {
            warning.fixes.push(fix);
        }
        found.push(warning.help("use its result, or leave it out"));
    }
}

/// A bias that batch norm subtracts again.
fn bias_before_norm(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    let graph = &program.experiment.train;
    let mut told: HashSet<Span> = HashSet::new();
    let norms = inputs_of(program, "batch_norm");
    // Whatever else reads the value sees the bias.
    let mut read_elsewhere: HashSet<NodeId> = HashSet::new();
    for (id, node) in graph.nodes.iter() {
        if !norms.is_empty() && !program.made_by(id).contains(&"batch_norm") {
            read_elsewhere.extend(&node.args);
        }
    }
    read_elsewhere.extend(graph.outputs.iter().map(|output| output.node));
    for &(user, arg) in &norms {
        if found.len() > FINDINGS {
            return;
        }
        let sum = behind_views(graph, arg);
        if !is_bias(graph, sum) || program.made_by(sum).is_empty() {
            continue;
        }
        let Some(place) = program.place(sum) else { continue };
        if read_elsewhere.contains(&arg) || !told.insert(place) {
            continue;
        }
        let message = "the bias before `batch_norm` has no effect";
        let mut warning =
            Diagnostic::warning(codes::BIAS_BEFORE_NORM, message).primary(place, "adds a bias");
        if let Some(user) = program.place(user).filter(|user| *user != place) {
            warning = warning.label(user, "subtracts the mean, and the bias with it");
        }
        if let Some(fix) = repair::with_argument(&program.editable(), place, "bias: false") {
            warning.fixes.push(fix);
        }
        found.push(warning.help("leave the bias out: `bias: false`"));
    }
}

/// Whether a value is another one plus a parameter with one element a channel.
fn is_bias(graph: &Graph, node: NodeId) -> bool {
    let node = &graph.nodes[node];
    let rank = node.ty.shape.rank();
    matches!(node.op, Op::Binary(Binary::Add))
        && node.args.iter().any(|&arg| {
            let param = behind_views(graph, arg);
            matches!(graph.nodes[param].op, Op::Param(_))
                && graph.ty(param).shape.rank() == 1
                && rank > 1
                && graph.ty(param).shape[0] == node.ty.shape[rank - 1]
        })
}

/// Pooling whose windows leave gaps.
fn skipping_pool(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    let graph = &program.experiment.train;
    let mut told: HashSet<Span> = HashSet::new();
    for (id, node) in graph.nodes.iter() {
        let (Op::MaxPool(window) | Op::SumPool(window)) = &node.op else { continue };
        let Some(axis) = (0..2).find(|&axis| window.stride[axis] > window.span(axis)) else {
            continue;
        };
        let Some(place) = program.place(id).filter(|place| told.insert(*place)) else { continue };
        if found.len() > FINDINGS {
            return;
        }
        let (stride, size) = (window.stride[axis], window.size[axis]);
        let message = format!("a pooling window of {size} with a stride of {stride} skips pixels");
        let gap = stride - window.span(axis);
        let mut warning = Diagnostic::warning(codes::SKIPPING_POOL, message)
            .primary(place, format!("{gap} of every {stride} rows or columns are never read"));
        let editable = program.editable();
        for (argument, value) in [("stride", size), ("size", stride)] {
            let fix = repair::argument_as(&editable, place, argument, &value.to_string());
            warning.fixes.extend(fix);
        }
        found.push(warning.help("a stride up to the window's size reads everything"));
    }
}

/// Batch norm over a last batch of one sample.
fn last_of_one(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    let Some(training) = &program.experiment.training else { return };
    let settings = &training.settings;
    let samples = program.schema.and_then(|schema| schema.train);
    let (Some(samples), Some(node)) = (samples, program.zero_of_one) else { return };
    if settings.last_batch == LastBatch::Drop
        || settings.batch == 1
        || samples % settings.batch != 1
    {
        return;
    }
    let Some(place) = program.place(node) else { return };
    let batch = settings.batch;
    let message = format!(
        "the last batch of an epoch has one sample: {samples} are {}·{batch} + 1",
        samples / batch
    );
    let mut warning = Diagnostic::warning(codes::LAST_OF_ONE, message)
        .primary(place, "the variance of one value is not known");
    if let Some(&place) = settings.places.get("batch") {
        warning = warning.label(place, "the batch");
    }
    if let Some(train) = program.train() {
        let key = "last_batch";
        warning.fixes.extend(repair::with_setting(&program.editable(), train, key, "drop"));
    }
    found.push(warning.help("`last_batch = drop` leaves it out"));
}
