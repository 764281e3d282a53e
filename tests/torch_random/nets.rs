//! Random nets to train: a few layers, and every optimiser of the prelude with every argument and
//! the settings around it.
//!
//! ```text
//! train net {
//!     loss = huber
//!     optimizer = nadam(lr: 0.02, momentum_decay: 0.1)
//!     clip_norm = 0.1
//!     l2 = decay(0.01, except: "*.bias")
//! }
//! ```
//!
//! Nothing in them is random while they train: dropout is left to random programs.

use nnc::base::rng::Sequence;
use nnc::base::tensor::Tensor;
use serde_json::{Value, json};

use super::support::engines::Tensors;

/// An argument and the numbers that it is given.
type Argument = (&'static str, &'static [f64]);

const BETA1: Argument = ("beta1", &[0.9, 0.5, 0.0, 0.8]);
const BETA2: Argument = ("beta2", &[0.999, 0.9, 0.95]);
const EPS: Argument = ("eps", &[1e-8, 1e-4, 1e-2]);
const DECAY: Argument = ("weight_decay", &[0.0, 0.01, 0.2]);

/// Every optimiser with its arguments. `nesterov`, a truth, is 0 or 1.
pub const OPTIMIZERS: [(&str, &[Argument]); 8] = [
    (
        "sgd",
        &[("lr", &[0.02, 0.1, 0.2]), ("momentum", &[0.5, 0.9]), ("nesterov", &[0.0, 1.0]), DECAY],
    ),
    ("rmsprop", &[("lr", &[0.002, 0.01]), ("alpha", &[0.99, 0.9]), EPS, ("momentum", &[0.0, 0.5])]),
    (
        "adagrad",
        &[
            ("lr", &[0.01, 0.1]),
            ("lr_decay", &[0.0, 0.1]),
            ("eps", &[1e-10, 1e-3]),
            ("initial", &[0.0, 0.1]),
        ],
    ),
    ("adadelta", &[("lr", &[1.0, 0.3]), ("rho", &[0.9, 0.5]), ("eps", &[1e-6, 1e-3])]),
    ("adam", &[("lr", &[1e-3, 0.02]), BETA1, BETA2, EPS]),
    ("adamw", &[("lr", &[1e-3, 0.02]), BETA1, BETA2, EPS, DECAY]),
    ("nadam", &[("lr", &[2e-3, 0.02]), BETA1, BETA2, EPS, ("momentum_decay", &[4e-3, 0.1])]),
    ("lion", &[("lr", &[1e-3, 1e-4]), BETA1, BETA2, DECAY]),
];

const LOSSES: [&str; 4] = ["mse", "huber", "cross_entropy", "binary_cross_entropy"];

/// A net that is trained.
#[derive(Clone, Debug)]
pub struct Net {
    /// The input's type, without the batch.
    input: Vec<usize>,
    layers: Vec<String>,
    /// Outputs.
    units: usize,
    loss: &'static str,
    pub optimizer: &'static str,
    /// Those that are written; the others are left at their defaults.
    pub args: Vec<(&'static str, f64)>,
    /// Settings with their numbers, and the pattern of what is spared.
    settings: Vec<(&'static str, f64, Option<&'static str>)>,
    pub batch: usize,
}

/// The net of a seed; optimisers go round.
pub fn random_net(seed: u64) -> Net {
    let mut draw = Draw(Sequence::new(seed, 9));
    let count = OPTIMIZERS.len() as u64;
    let (optimizer, arguments) = OPTIMIZERS[(seed % count) as usize];
    let mut args = Vec::new();
    for (name, numbers) in arguments {
        if draw.below(3) > 0 {
            args.push((*name, draw.of(numbers)));
        }
    }
    // Nesterov's step needs a momentum.
    if !args.iter().any(|(name, _)| *name == "momentum") {
        args.retain(|(name, _)| *name != "nesterov");
    }
    let decays = args.iter().any(|(name, _)| *name == "weight_decay");
    let settings = draw.settings(decays);
    let (input, mut layers) = if draw.below(4) == 0 { draw.images() } else { draw.rows() };
    let units = 2 + draw.below(3);
    layers.push(format!("dense({units})"));
    let (loss, batch) = (draw.of(&LOSSES), 2 + draw.below(8));
    Net { input, layers, units, loss, optimizer, args, settings, batch }
}

struct Draw(Sequence);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u32) as usize
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn activation(&mut self) -> String {
        self.of(&["tanh", "gelu", "silu", "softplus", "relu", "elu", "mish"]).into()
    }

    fn rows(&mut self) -> (Vec<usize>, Vec<String>) {
        let mut layers = Vec::new();
        for _ in 0..1 + self.below(2) {
            let units = 3 + self.below(8);
            layers.push(format!("dense({units})"));
            match self.below(6) {
                0 => layers.push("layer_norm".into()),
                1 => layers.push("rms_norm".into()),
                _ => {}
            }
            layers.push(self.activation());
        }
        (vec![2 + self.below(7)], layers)
    }

    fn images(&mut self) -> (Vec<usize>, Vec<String>) {
        let filters = 2 + self.below(4);
        // A bias that a norm takes away again has the gradient 0 and nothing but rounding in it.
        let mut layers = match self.below(3) {
            0 => vec![format!("conv({filters}, 3, pad: 1, bias: false)"), "batch_norm".into()],
            _ => vec![format!("conv({filters}, 3, pad: 1)")],
        };
        layers.push(self.activation());
        layers.push(self.of(&["max_pool(2)", "avg_pool(2)", "global_avg_pool"]).into());
        layers.push("flatten".into());
        (vec![4 + self.below(3), 4 + self.below(3), 1 + self.below(3)], layers)
    }

    /// Settings around the optimiser, one time in two.
    fn settings(&mut self, decays: bool) -> Vec<(&'static str, f64, Option<&'static str>)> {
        let mut settings = Vec::new();
        if self.below(2) == 0 {
            return settings;
        }
        match self.below(3) {
            0 => settings.push(("clip_norm", self.of(&[0.05, 1.0, 100.0]), None)),
            1 => settings.push(("clip_value", self.of(&[0.01, 0.1]), None)),
            _ => {}
        }
        for (name, numbers) in
            [("l1", [0.001, 0.02]), ("l2", [0.01, 0.1]), ("weight_decay", [0.01, 0.3])]
        {
            if self.below(2) == 0 && !(name == "weight_decay" && decays) {
                let spared = (self.below(3) == 0).then_some("*.bias");
                settings.push((name, self.of(&numbers), spared));
            }
        }
        settings
    }
}

impl Net {
    fn is_classifier(&self) -> bool {
        self.loss == "cross_entropy"
    }

    /// The program.
    pub fn text(&self) -> String {
        let dims: Vec<String> = self.input.iter().map(ToString::to_string).collect();
        let (dims, layers) = (dims.join(", "), self.layers.join(" |> "));
        let written = |(name, number): &(&str, f64)| match *name {
            "nesterov" => format!("nesterov: {}", *number != 0.0),
            _ => format!("{name}: {number:?}"),
        };
        let args: Vec<String> = self.args.iter().map(written).collect();
        let (units, loss, optimizer) = (self.units, self.loss, self.optimizer);
        let mut text = format!(
            "model net(x: f32[N, {dims}]) -> f32[N, {units}] {{\n    x |> {layers}\n}}\n\n\
             train net {{\n    loss = {loss}\n    optimizer = {optimizer}({})\n",
            args.join(", ")
        );
        for (name, number, spared) in &self.settings {
            text += &match spared {
                None => format!("    {name} = {number:?}\n"),
                Some(spared) => format!("    {name} = decay({number:?}, except: \"{spared}\")\n"),
            };
        }
        text + "}\n"
    }

    /// How it is trained, for PyTorch.
    pub fn training(&self, steps: u64) -> Value {
        let args: serde_json::Map<String, Value> =
            self.args.iter().map(|(name, number)| (name.to_string(), json!(number))).collect();
        let setting = |(name, number, spared): &(&str, f64, Option<&str>)| {
            (name.to_string(), json!({ "number": number, "except": spared }))
        };
        let settings: serde_json::Map<String, Value> = self.settings.iter().map(setting).collect();
        json!({ "optimizer": self.optimizer, "args": args, "settings": settings, "steps": steps })
    }

    /// The batch that it is trained on, step by step.
    pub fn inputs(&self, seed: u64) -> Tensors {
        let mut sequence = Sequence::new(seed, 10);
        let mut numbers = |count: usize, scale: f64, shift: f64| -> Vec<f32> {
            (0..count).map(|_| (scale * sequence.unit() + shift) as f32).collect()
        };
        let shape: Vec<usize> = [self.batch].into_iter().chain(self.input.clone()).collect();
        let x = Tensor::f32(shape.clone(), numbers(shape.iter().product(), 4.0, -2.0));
        let label = match self.is_classifier() {
            true => {
                let classes = numbers(self.batch, self.units as f64, 0.0);
                Tensor::i32([self.batch], classes.iter().map(|&class| class as i32).collect())
            }
            false => {
                Tensor::f32([self.batch, self.units], numbers(self.batch * self.units, 1.0, 0.0))
            }
        };
        Tensors::from([("x".to_string(), x), ("label".to_string(), label)])
    }
}
