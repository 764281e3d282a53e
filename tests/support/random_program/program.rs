//! What is done with a random program: its text, inputs for a step, what it is an example of.

use std::collections::{BTreeMap, BTreeSet};

use nnc::base::rng::Sequence;
use nnc::base::tensor::{DType, Data, Tensor};
use nnc::graph::{Env, Graph};

use super::{Line, RandomProgram, Value};

impl RandomProgram {
    /// The program's text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let items: BTreeSet<&str> =
            self.lines.iter().flat_map(|line| line.items.iter().copied()).collect();
        for item in items.into_iter().chain(self.training.item()) {
            text += item.trim();
            text += "\n\n";
        }
        let inputs: Vec<String> = self
            .inputs
            .iter()
            .enumerate()
            .map(|(at, input)| format!("x{at}: {}", input.ty))
            .collect();
        text += &format!("model net({}) {{\n", inputs.join(", "));
        for (at, line) in self.lines.iter().enumerate() {
            text += &format!("    let v{at} = {}\n", line.filled());
        }
        text += &format!("    {}\n}}\n\n{}", name(self.output), self.training.text());
        text
    }

    /// Inputs of a step (or of an evaluation) for `batch` samples: floats in [-2, 2], not on an
    /// edge; first values of parameters and states.
    pub fn env(&self, graph: &Graph, batch: usize, seed: u64) -> Env {
        let mut sequence = Sequence::new(seed, 8);
        let mut env = Env::initial(graph, seed);
        env.step = 1 + seed % 4;
        for input in graph.inputs.values() {
            let shape = input.ty.shape.at(batch);
            let count: usize = shape.iter().product();
            let own = input.name.strip_prefix('x').and_then(|at| at.parse::<usize>().ok());
            let indices = match own {
                Some(at) => self.inputs[at].indices,
                None => self.training.classes,
            };
            let unit = |sequence: &mut Sequence| sequence.unit() as f32;
            let data = match input.ty.dtype {
                DType::F32 if own.is_none() => {
                    Data::F32((0..count).map(|_| unit(&mut sequence)).collect())
                }
                DType::F32 => {
                    Data::F32((0..count).map(|_| 4.0 * unit(&mut sequence) - 2.0).collect())
                }
                DType::U8 => Data::U8((0..count).map(|_| sequence.below(256) as u8).collect()),
                DType::I32 => {
                    let below = indices.max(1) as u32;
                    Data::I32((0..count).map(|_| sequence.below(below) as i32).collect())
                }
                DType::Bool => Data::Bool((0..count).map(|_| sequence.below(2) == 1).collect()),
                DType::F64 => unreachable!("no input is f64"),
            };
            env.inputs.insert(input.name.clone(), Tensor::new(shape, data));
        }
        env
    }

    /// What the program is an example of: productions, and pairs of them where the second reads
    /// the first.
    pub fn features(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for line in &self.lines {
            found.insert(line.kind.to_string());
            found.extend(line.features.iter().map(|feature| format!("{}: {feature}", line.kind)));
            found.extend(
                line.ty
                    .shape
                    .iter()
                    .position(|dim| dim.known().is_none())
                    .map(|axis| format!("{} at axis {axis} of {}", "batch", line.ty.shape.rank())),
            );
            found.insert(format!("rank {}", line.ty.shape.rank()));
            for &arg in &line.args {
                if let Value::Line(at) = arg {
                    found.insert(format!("{} of {}", line.kind, self.lines[at].kind));
                }
            }
        }
        found
    }

    /// Leaves out lines and inputs that the output does not need, and renames the others.
    pub fn prune(&mut self) {
        let mut needed = BTreeSet::from([self.output]);
        for at in (0..self.lines.len()).rev() {
            if needed.contains(&Value::Line(at)) {
                needed.extend(self.lines[at].args.iter().copied());
            }
        }
        if !needed.iter().any(|value| matches!(value, Value::Input(_))) {
            needed.insert(Value::Input(0));
        }
        let mut names: BTreeMap<Value, Value> = BTreeMap::new();
        let (mut inputs, mut lines) = (Vec::new(), Vec::new());
        for &value in &needed {
            match value {
                Value::Input(at) => {
                    names.insert(value, Value::Input(inputs.len()));
                    inputs.push(self.inputs[at].clone());
                }
                Value::Line(at) => {
                    let mut line = self.lines[at].clone();
                    line.args.iter_mut().for_each(|arg| *arg = names[arg]);
                    names.insert(value, Value::Line(lines.len()));
                    lines.push(line);
                }
            }
        }
        self.output = names[&self.output];
        (self.inputs, self.lines) = (inputs, lines);
    }
}

impl Line {
    /// The expression with the names of its arguments.
    fn filled(&self) -> String {
        let mut text = self.text.clone();
        for (at, &arg) in self.args.iter().enumerate() {
            text = text.replace(&format!("${at}"), &name(arg));
        }
        text
    }
}

fn name(value: Value) -> String {
    match value {
        Value::Input(at) => format!("x{at}"),
        Value::Line(at) => format!("v{at}"),
    }
}
