//! How a random program is trained: a loss that fits the output, an optimiser, settings.

use nnc::base::tensor::DType;
use nnc::graph::Dim;

use super::{Generator, Value};

/// A `train` block.
#[derive(Clone, Debug)]
pub struct Training {
    /// The loss and its arguments.
    pub loss: &'static str,
    /// The optimiser and its arguments.
    pub optimizer: &'static str,
    /// `key = value` lines.
    pub settings: Vec<&'static str>,
    /// How many classes there are, where the target is one.
    pub classes: usize,
}

/// A loss of the program's own.
const TOLERANT: &str = "
loss tolerant(output: f32[N, ..S], target: f32[N, ..S], margin: float = 0.1) -> f32[N] {
    let over = max(abs(output - target) - margin, 0)
    mean(reshape(over * over, [N, -1]), axis: 1)
}";

/// Of numbers.
const REGRESSIONS: [&str; 7] =
    ["mse", "mse", "mae", "huber(delta: 0.5)", "binary_cross_entropy", "tolerant", "tolerant(0.3)"];

/// Of scores of classes.
const CLASSIFICATIONS: [&str; 7] = [
    "cross_entropy",
    "cross_entropy(smoothing: 0.1)",
    "focal",
    "focal(gamma: 1.5)",
    "hinge",
    "nll",
    "kl_divergence",
];

const OPTIMIZERS: [&str; 14] = [
    "sgd(lr: 0.1)",
    "sgd(lr: 0.1, momentum: 0.9)",
    "sgd(lr: 0.1, momentum: 0.9, nesterov: true)",
    "sgd(lr: 0.1, weight_decay: 0.01)",
    "rmsprop(lr: 0.01, eps: 0.01)",
    "rmsprop(lr: 0.01, eps: 0.01, momentum: 0.5)",
    "adagrad(lr: 0.01, eps: 0.01)",
    "adadelta(lr: 0.5, eps: 0.01)",
    "adam(lr: 0.01, eps: 0.01)",
    "adamw(lr: 0.01, eps: 0.01, weight_decay: 0.1)",
    "nadam(lr: 0.01, eps: 0.01)",
    "lion(lr: 0.01)",
    "lion(lr: 0.01, weight_decay: 0.1)",
    "adam(lr: 0.02, beta1: 0.5, eps: 0.1)",
];

const SETTINGS: [&str; 5] =
    ["clip_norm = 1.0", "clip_value = 0.05", "l1 = 0.001", "l2 = 0.01", "weight_decay = 0.01"];

const METRICS: [&str; 7] = [
    "metrics = [accuracy]",
    "metrics = [top_k(k: 2), precision]",
    "metrics = [recall, f1(positive: 0)]",
    "metrics = [accuracy, f1]",
    "metrics = [precision(positive: 0)]",
    "metrics = [perplexity, position_accuracy]",
    "metrics = [iou, dice(positive: 0)]",
];

/// Metrics of numbers, and of labels of which a sample has several.
const OF_NUMBERS: [&str; 4] = [
    "metrics = [mae, mse]",
    "metrics = [rmse, r2]",
    "metrics = [label_accuracy]",
    "metrics = [label_f1]",
];

impl Generator {
    /// A `train` block for an output, which may need lines of its own.
    pub(super) fn training(&mut self, output: Value) -> (Value, Training) {
        let optimizer = self.choose(&OPTIMIZERS);
        let mut settings = Vec::new();
        if self.below(4) == 0 {
            let setting = self.choose(&SETTINGS);
            // An optimiser's own is the same one.
            if !(setting.starts_with("weight_decay") && optimizer.contains("weight_decay")) {
                settings.push(setting);
            }
        }
        if self.below(5) > 1 {
            let loss = self.choose(&REGRESSIONS);
            let metrics = self.choose(&OF_NUMBERS);
            let rank = self.dims(output).len();
            if self.below(3) == 0 && (rank == 2 || !metrics.contains("label_f1")) {
                settings.push(metrics);
            }
            return (output, Training { loss, optimizer, settings, classes: 0 });
        }
        let loss = self.choose(&CLASSIFICATIONS);
        if self.coin() && loss != "kl_divergence" {
            settings.push(self.choose(&METRICS));
        }
        let mut scores = output;
        if !matches!(self.dims(output)[..], [_, Dim::Known(2..)]) {
            let classes = self.choose(&[2, 3, 5]);
            let text = format!("reshape($0, [N, -1]) |> dense({classes})");
            let line =
                self.line("head", text, &[output], [Dim::N, Dim::Known(classes)], super::LARGE);
            scores = self.add(line);
        }
        let dims = self.dims(scores);
        if matches!(loss, "nll" | "kl_divergence") {
            let line = self.line("head", "log_softmax($0)", &[scores], dims.clone(), super::LARGE);
            scores = self.add(line);
        }
        debug_assert_eq!(self.ty(scores).dtype, DType::F32);
        (scores, Training { loss, optimizer, settings, classes: dims[1].at(1) })
    }
}

impl Training {
    /// The plainest one.
    pub fn plain() -> Training {
        Training { loss: "mse", optimizer: "sgd(lr: 0.1)", settings: Vec::new(), classes: 0 }
    }

    /// What it takes off the program that is trained in another way.
    pub fn item(&self) -> Option<&'static str> {
        self.loss.starts_with("tolerant").then_some(TOLERANT)
    }

    /// The block.
    pub fn text(&self) -> String {
        let mut text =
            format!("train net {{\n    loss = {}\n    optimizer = {}\n", self.loss, self.optimizer);
        for setting in &self.settings {
            text += &format!("    {setting}\n");
        }
        text + "}\n"
    }
}
