//! The task of a model, from how its loss and metrics meet the output and the target.
//!
//! ```text
//! pick(log_softmax(output), label)                 a class: its axis has a sum of exponentials
//! output * target + log1p(exp(-abs(output)))       yes or no: elements meet, through a sigmoid
//! (output - target) ^ 2                            numbers, or a picture if the target is an image of the data
//! pick(log_softmax(-output), label)                the loss falls as another class gets likelier: nobody knows
//! sum(output ^ 2)                                  the target is not used: nobody knows
//! ```
//!
//! One walk over the graph in its order ([`transfer`]) brings each value into a normal form ([`form`]);
//! [`meeting`] knows those in which the bare output meets the bare target. Movement, casts and what is added to
//! a whole row change neither. Nothing is concluded from shapes alone, and what has no known form is
//! [`Task::Other`]: no class or probability is told that the loss does not define.

mod binary;
mod form;
mod meeting;
mod plus;
mod range;
mod transfer;
mod unary;
mod value;
mod walk;

use crate::base::entity::Entity;
use crate::base::schema::{Field, Schema};
use crate::base::step_output::StepOutput;
use crate::base::task::{OutputTask, Scale, Task};
use crate::elaborate::comparison::Comparison;
use crate::graph::{Binary, Graph, NodeId, Op};
use meeting::About;
use transfer::walked;
use value::{Kind, is_bare};
use walk::{BATCH, TaskWalk};

/// The tasks of a model's outputs: that of each comparison that its loss makes, the first of each
/// output. Samples have the fields of `schema`, where the data are known.
pub(in crate::elaborate) fn derive(
    graph: &Graph,
    compared: &[Comparison],
    schema: Option<&Schema>,
) -> Vec<OutputTask> {
    let mut tasks: Vec<OutputTask> = Vec::new();
    for comparison in compared {
        let Some(output) = comparison.output.clone() else { continue };
        if tasks.iter().any(|known| known.output == output) {
            continue;
        }
        let target = comparison.target.clone();
        let ignore = comparison.ignore;
        let mut of_output = OutputTask { output, target, task: Task::Other, ignore };
        if let (Some(output), Some(target)) =
            (graph.output(StepOutput::of_model(&of_output.output)), &of_output.target)
        {
            let prepared = comparison.prepared.unwrap_or((1.0, 0.0));
            of_output.task = task(walked(graph, output, target, prepared), &comparison.loss);
        }
        let target = of_output.target.as_deref().and_then(|name| schema?.field(name));
        if let Some(picture) = target.and_then(|field| picture(of_output.task, field)) {
            of_output.task = picture;
        }
        tasks.push(of_output);
    }
    tasks
}

/// Labels or numbers that are an image's, as the picture that they are.
fn picture(task: Task, target: &Field) -> Option<Task> {
    let (numbers, scale) = match task {
        Task::Labels { labels, scale } => (labels, Some(scale)),
        Task::Numbers { numbers } => (numbers, None),
        _ => return None,
    };
    let &[height, width, channels] = &target.shape[..] else { return None };
    let fits = target.as_image().is_some() && height * width * channels == numbers;
    fits.then_some(Task::Picture { sides: [height, width, channels], scale })
}

/// The task of an output that a loss compares with an input of the step.
fn task(walk: TaskWalk<'_>, loss: &StepOutput) -> Task {
    let graph = walk.graph;
    let Some(loss) = graph.output(loss) else { return Task::Other };
    match walk.settled(loss, true).kind {
        Kind::Settled { about: About::Class(scale), falls: true } => class_task(&walk, scale),
        Kind::Settled { about: About::Labels(scale), falls: true } => {
            Task::Labels { labels: walk.output_elements() / BATCH, scale }
        }
        Kind::Settled { about: About::Numbers, falls: true } => {
            Task::Numbers { numbers: walk.output_elements() / BATCH }
        }
        // It says the opposite.
        Kind::Settled { .. } => Task::Other,
        _ => {
            let mut metrics = graph.outputs.iter().filter(|output| output.name.metric().is_some());
            match metrics.any(|metric| looks_for_largest(&walk, metric.node)) {
                true => class_task(&walk, Scale::Scores),
                false => Task::Other,
            }
        }
    }
}

/// A class of each sample, or of each position.
fn class_task(walk: &TaskWalk<'_>, scale: Scale) -> Task {
    let classes = walk.last(walk.output);
    match walk.output_elements() / BATCH / classes.max(1) {
        1 => Task::Class { classes, scale },
        positions => Task::ClassPerPosition { positions, classes, scale },
    }
}

/// Whether a metric compares the place of the largest number with the label, or looks the
/// label's number up.
fn looks_for_largest(walk: &TaskWalk<'_>, metric: NodeId) -> bool {
    let mut seen = vec![false; walk.graph.nodes.len()];
    let mut open = vec![metric];
    while let Some(id) = open.pop() {
        if std::mem::replace(&mut seen[id.index()], true) || id == walk.output {
            continue;
        }
        let args = &walk.graph.nodes[id].args;
        let of = |index: usize| &walk.value(args[index]).kind;
        let found = match walk.graph.nodes[id].op {
            Op::Binary(Binary::Eq) => {
                *of(0) == Kind::Largest && is_bare(of(1))
                    || *of(1) == Kind::Largest && is_bare(of(0))
            }
            Op::Pick => match of(0) {
                Kind::Out(form) => form.affine() == Some((1.0, 0.0)) && is_bare(of(1)),
                _ => false,
            },
            _ => false,
        };
        if found {
            return true;
        }
        open.extend(args);
    }
    false
}
