//! The task that a loss sets, and so the meaning of a model's output.
//!
//! ```text
//! cross_entropy(logits: f32[N, 10], label: i32[N])      one of 10 classes
//! a loss that looks labels up in f32[N, 96, 96, 4]      one of 4 classes at each of 9216 positions
//! binary_cross_entropy of f32[N]                        yes or no
//! mse of f32[N]                                         a number
//! the same of an image of the data                      a picture
//! ```
//!
//! The front end derives it from how the loss meets the output and the target; evaluation, reports
//! and predictions follow it and never look at a shape to guess.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The task of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Task {
    /// One class for each sample: the output has a number for each class.
    Class {
        /// How many there are.
        classes: usize,
        /// Scale of the output's numbers.
        scale: Scale,
    },
    /// One class for each position of a sample, such as a pixel.
    ClassPerPosition {
        /// Positions of a sample.
        positions: usize,
        /// How many classes there are; the output's last axis.
        classes: usize,
        /// Scale of the output's numbers.
        scale: Scale,
    },
    /// Yes or no for each number of the output.
    Labels {
        /// Numbers of a sample.
        labels: usize,
        /// Scale of the output's numbers.
        scale: Scale,
    },
    /// Numbers that are to be near those of the target.
    Numbers {
        /// Numbers of a sample.
        numbers: usize,
    },
    /// An image like those of the data.
    Picture {
        /// Height, width and channels.
        sides: [usize; 3],
        /// Scale of the output's numbers, where they are compared as yes and no; they are those of the
        /// image otherwise.
        scale: Option<Scale>,
    },
    /// None of these: only the program's own loss knows.
    #[default]
    Other,
}

/// The task of one of a model's outputs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OutputTask {
    /// The output's name: `output` where the model gives one tensor.
    pub output: String,
    /// The name of the field that it is compared with.
    pub target: Option<String>,
    /// The task.
    pub task: Task,
    /// The label that does not count, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<i64>,
}

/// Scale of an output's numbers: raw, or after a sigmoid or softmax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Their softmax is probabilities.
    Logits,
    /// The sigmoid of each is a probability.
    Sigmoids,
    /// Logarithms of probabilities.
    LogProbabilities,
    /// Probabilities.
    Probabilities,
    /// The largest is the model's choice; how sure it is, nothing says.
    Scores,
}

impl Scale {
    /// Probabilities of the classes, in `f64`; of scores there are none, and they stay as they are.
    pub fn apply(self, numbers: &[f32]) -> Vec<f64> {
        match self {
            Scale::Logits => softmax(numbers),
            _ => numbers.iter().map(|&number| self.of_one(number)).collect(),
        }
    }

    /// Whether [`Scale::apply`] gives probabilities.
    pub fn is_sure(self) -> bool {
        self != Scale::Scores
    }

    /// The same of a number that stands alone; a softmax of one number is 1.
    pub fn of_one(self, number: f32) -> f64 {
        let number = f64::from(number);
        match self {
            Scale::Logits => 1.0,
            Scale::Sigmoids => 1.0 / (1.0 + (-number).exp()),
            Scale::LogProbabilities => number.exp(),
            Scale::Probabilities | Scale::Scores => number,
        }
    }
}

/// Probabilities of logits; large ones do not overflow.
fn softmax(logits: &[f32]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let parts: Vec<f64> =
        logits.iter().map(|&logit| (f64::from(logit) - f64::from(most)).exp()).collect();
    let total: f64 = parts.iter().sum();
    parts.into_iter().map(|part| part / total).collect()
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Task::Class { classes, .. } => write!(f, "one of {classes} classes"),
            Task::ClassPerPosition { positions, classes, .. } => {
                write!(f, "one of {classes} classes at each of {positions} positions")
            }
            Task::Labels { labels: 1, .. } => write!(f, "yes or no"),
            Task::Labels { labels, .. } => write!(f, "yes or no for each of {labels} labels"),
            Task::Numbers { numbers: 1 } => write!(f, "a number"),
            Task::Numbers { numbers } => write!(f, "{numbers} numbers"),
            Task::Picture { sides: [height, width, channels], .. } => {
                write!(f, "a picture of {height} × {width} × {channels}")
            }
            Task::Other => write!(f, "what the loss says"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_of_large_logits_are_finite() {
        let probabilities = Scale::Logits.apply(&[1000.0, 999.0, -1000.0]);
        assert!((probabilities[0] - 0.731_058_578).abs() < 1e-6);
        assert_eq!(Scale::Sigmoids.apply(&[-1000.0, 0.0]), [0.0, 0.5]);
        assert_eq!(Scale::LogProbabilities.apply(&[0.5f32.ln()])[0] as f32, 0.5);
    }
}
