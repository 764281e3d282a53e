//! The outputs of a step, as data: the graph names its outputs by these keys, lowering gives each its
//! buffer, and whoever runs the step reads it by key. Only text forms know the words: `output loss =
//! %6` in a graph, `"output.loss"` in loops.

use std::fmt;

/// A value that a step puts out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StepOutput {
    /// The mean loss of the batch: `loss`.
    Loss,
    /// The sum of the weights of the samples' losses, where they have weights: `loss_weight`.
    LossWeight,
    /// The model's result: `output`.
    Output,
    /// A tensor of the record that the model gives, by its name: `output.kind`.
    Part(String),
    /// A metric, by its name: its mean, or its numerator and denominator: `metric.accuracy`.
    Metric(String),
    /// The loss's gradient by the parameter of this path: `grad.dense.weight`.
    Gradient(String),
    /// The loss's gradient by the input of this name: `grad.input.image`.
    InputGradient(String),
    /// The Euclidean norm of all gradients together: `grad_norm`.
    GradNorm,
    /// The sum of the squares of the scaled gradients: `grad_square`.
    GradSquare,
    /// Whether the step has written anything, 0 or 1: `finite`.
    Finite,
    /// How many elements of the node of this number are not finite: `probe.7`.
    Probe(usize),
    /// Any other value: of an optimiser's rule (`clip_norm`), of a graph that is written by hand.
    Named(String),
}

/// Prefixes of the words of gradients by inputs, of other gradients, metrics, parts of the output and
/// counts.
const INPUT_GRADIENT: &str = "grad.input.";
const GRADIENT: &str = "grad.";
const METRIC: &str = "metric.";
const PART: &str = "output.";
const PROBE: &str = "probe.";

impl StepOutput {
    /// The name of the result of a model that gives one tensor.
    pub const ONLY: &str = "output";

    /// The result of a model, or the part of it, of a name.
    pub fn of_model(name: &str) -> StepOutput {
        match name {
            StepOutput::ONLY => StepOutput::Output,
            part => StepOutput::Part(part.to_owned()),
        }
    }

    /// The name of the model's result or of a part of it, if it is one.
    pub fn model_name(&self) -> Option<&str> {
        match self {
            StepOutput::Output => Some(StepOutput::ONLY),
            StepOutput::Part(name) => Some(name),
            _ => None,
        }
    }

    /// Whether the forward pass computes it.
    pub fn is_forward(&self) -> bool {
        match self {
            StepOutput::Loss | StepOutput::LossWeight | StepOutput::Output => true,
            StepOutput::Part(_) | StepOutput::Metric(_) => true,
            StepOutput::Gradient(_) | StepOutput::InputGradient(_) => false,
            StepOutput::GradNorm | StepOutput::GradSquare | StepOutput::Finite => false,
            StepOutput::Probe(_) | StepOutput::Named(_) => false,
        }
    }

    /// Whether it is a gradient.
    pub fn is_gradient(&self) -> bool {
        matches!(self, StepOutput::Gradient(_) | StepOutput::InputGradient(_))
    }

    /// The metric's name, if it is one.
    pub fn metric(&self) -> Option<&str> {
        match self {
            StepOutput::Metric(name) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for StepOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepOutput::Loss => f.write_str("loss"),
            StepOutput::LossWeight => f.write_str("loss_weight"),
            StepOutput::Output => f.write_str("output"),
            StepOutput::Part(name) => write!(f, "{PART}{name}"),
            StepOutput::Metric(name) => write!(f, "{METRIC}{name}"),
            StepOutput::Gradient(path) => write!(f, "{GRADIENT}{path}"),
            StepOutput::InputGradient(name) => write!(f, "{INPUT_GRADIENT}{name}"),
            StepOutput::GradNorm => f.write_str("grad_norm"),
            StepOutput::GradSquare => f.write_str("grad_square"),
            StepOutput::Finite => f.write_str("finite"),
            StepOutput::Probe(node) => write!(f, "{PROBE}{node}"),
            StepOutput::Named(name) => f.write_str(name),
        }
    }
}

impl From<&str> for StepOutput {
    /// The value that a text form means.
    fn from(text: &str) -> StepOutput {
        let probe = || text.strip_prefix(PROBE)?.parse().ok().map(StepOutput::Probe);
        let prefixed = |prefix: &str, of: fn(String) -> StepOutput| {
            text.strip_prefix(prefix).map(|rest| of(rest.to_owned()))
        };
        match text {
            "loss" => StepOutput::Loss,
            "loss_weight" => StepOutput::LossWeight,
            "output" => StepOutput::Output,
            "grad_norm" => StepOutput::GradNorm,
            "grad_square" => StepOutput::GradSquare,
            "finite" => StepOutput::Finite,
            _ => prefixed(METRIC, StepOutput::Metric)
                .or_else(|| prefixed(PART, StepOutput::Part))
                .or_else(|| prefixed(INPUT_GRADIENT, StepOutput::InputGradient))
                .or_else(|| prefixed(GRADIENT, StepOutput::Gradient))
                .or_else(probe)
                .unwrap_or_else(|| StepOutput::Named(text.to_owned())),
        }
    }
}

impl From<&String> for StepOutput {
    fn from(text: &String) -> StepOutput {
        StepOutput::from(text.as_str())
    }
}

impl From<&StepOutput> for StepOutput {
    fn from(output: &StepOutput) -> StepOutput {
        output.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_output_is_read_as_it_is_written() {
        let name = || "dense.weight".to_owned();
        let all = [
            StepOutput::Loss,
            StepOutput::LossWeight,
            StepOutput::Output,
            StepOutput::Part(name()),
            StepOutput::Metric(name()),
            StepOutput::Gradient(name()),
            StepOutput::InputGradient(name()),
            StepOutput::GradNorm,
            StepOutput::GradSquare,
            StepOutput::Finite,
            StepOutput::Probe(7),
            StepOutput::Named("clip_norm".to_owned()),
            StepOutput::Named("probe.first".to_owned()),
        ];
        for output in all {
            assert_eq!(StepOutput::from(&output.to_string()), output);
        }
    }
}
