//! Exported models in onnxruntime, beside what nnc computes.

use crate::support::engines::{Engine, Job, Tensors};
use crate::support::python::python;
use nnc::base::tensor::{Data, Tensor};
use nnc::codegen::Target;
use nnc::graph::{Graph, Op};
use nnc::onnx::encode::encode;
use nnc::onnx::export::{ExportSettings, ImageLayout, export};
use nnc::onnx::model::OnnxModel;
use nnc::pass::bind;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Numbers that look random and are always the same.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Between 0 and 1.
    fn unit(&mut self) -> f32 {
        (self.next() % 10_000) as f32 / 10_000.0
    }

    fn tensor(&mut self, like: &Tensor, below: u64) -> Tensor {
        let count = like.data.len();
        let data = match like.data {
            Data::F32(_) => Data::F32((0..count).map(|_| 2.0 * self.unit() - 1.0).collect()),
            Data::F64(_) => Data::F64((0..count).map(|_| f64::from(self.unit())).collect()),
            Data::I32(_) => Data::I32((0..count).map(|_| (self.next() % below) as i32).collect()),
            Data::U8(_) => Data::U8((0..count).map(|_| (self.next() % 256) as u8).collect()),
            Data::Bool(_) => {
                Data::Bool((0..count).map(|_| self.next().is_multiple_of(2)).collect())
            }
        };
        Tensor::new(like.shape.clone(), data)
    }
}

/// A graph of inference that is exported, with its weights.
pub struct Exported {
    pub graph: Graph,
    pub settings: ExportSettings,
    weights: Tensors,
    /// The batch, where it is fixed.
    fixed: Option<usize>,
}

impl Exported {
    /// With first values, vectors aside: of those, no norm's is 0 or 1.
    pub fn of(graph: Graph) -> Exported {
        let mut numbers = Numbers(7);
        let value = |(path, ty, init): (&str, &nnc::graph::Type, &nnc::graph::Init)| {
            let mut value = nnc::graph::initial_value(init, ty, path, 1);
            if let (Data::F32(elements), [_]) = (&mut value.data, &value.shape[..]) {
                elements.iter_mut().for_each(|it| *it = 0.5 + numbers.unit());
            }
            (path.to_owned(), value)
        };
        let weights = graph.variables().map(value).collect();
        let settings =
            ExportSettings { opset: None, layout: ImageLayout::ChannelsLast, fold: false };
        // Random numbers are the same only where the file holds them.
        let live = graph.live();
        let random = graph
            .nodes
            .values()
            .zip(live)
            .any(|(node, live)| live && matches!(node.op, Op::Uniform { .. }));
        Exported { graph, settings, weights, fixed: random.then_some(3) }
    }

    /// The same with another version of the operators.
    pub fn opset(mut self, opset: i64) -> Exported {
        self.settings.opset = Some(opset);
        self
    }

    /// The same with images that come in with their channels first.
    pub fn channels_first(mut self) -> Exported {
        self.settings.layout = ImageLayout::ChannelsFirst;
        self
    }

    /// The same with norms folded into convolutions.
    pub fn folded(mut self) -> Exported {
        self.settings.fold = true;
        self
    }

    pub fn model(&self) -> OnnxModel {
        let weights: Vec<(String, Tensor)> =
            self.weights.iter().map(|(path, value)| (path.clone(), value.clone())).collect();
        let bound = self.fixed.map(|batch| (bind::PASS.run)(&self.graph, &batch));
        export(bound.as_ref().unwrap_or(&self.graph), weights, self.settings).expect("an export")
    }

    /// How many entries the smallest table has that inputs may index.
    fn entries(&self) -> u64 {
        let tables = self.graph.nodes.values().filter_map(|node| match node.op {
            Op::Gather(axis) => self.graph.ty(node.args[0]).shape[axis].known(),
            _ => None,
        });
        tables.min().unwrap_or(2) as u64
    }

    /// Inputs for a batch, and nnc's outputs of them.
    fn run(&self, batch: usize) -> (Tensors, Tensors) {
        let mut numbers = Numbers(batch as u64);
        let entries = self.entries();
        let input = |input: &nnc::graph::Input| {
            let like = Tensor::zeros(input.ty.dtype, input.ty.shape.at(batch));
            (input.name.clone(), numbers.tensor(&like, entries))
        };
        let inputs: Tensors = self.graph.inputs.values().map(input).collect();
        let given = inputs.clone();
        let job = Job {
            graph: self.graph.clone(),
            batch,
            seed: 0,
            given: self.weights.clone(),
            inputs: Box::new(move |_| given.clone()),
        };
        let left = Engine::Compiled(Target::detect(), 1).run(&job, 1);
        let output = |output: &nnc::graph::Output| {
            let shape = self.graph.ty(output.node).shape.at(batch);
            let name = output.name.model_name().expect("a model's output").to_owned();
            let values = left.outputs[&output.name.to_string()].clone();
            (name, Tensor::f32(shape, values))
        };
        let outputs = self.graph.outputs.iter().map(output).collect();
        let live: Vec<&str> = self.graph.live_inputs();
        let inputs = inputs.into_iter().filter(|(name, _)| live.contains(&name.as_str()));
        (inputs.collect(), outputs)
    }
}

/// Models to be checked by onnxruntime, all at once: starting Python takes longer than most of them.
pub struct Suite {
    folder: tempfile::TempDir,
    names: Vec<String>,
}

impl Suite {
    pub fn new() -> Suite {
        Suite { folder: tempfile::tempdir().expect("a folder"), names: Vec::new() }
    }

    /// Writes a model, and what it is to compute.
    pub fn add(&mut self, name: &str, exported: &Exported) -> OnnxModel {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        let model = exported.model();
        let mut bytes = Vec::new();
        encode(&model).write(&mut bytes).expect("memory takes all");
        std::fs::write(folder.join("model.onnx"), bytes).expect("a file");
        let batches = exported.fixed.map_or(vec![1, 3], |batch| vec![batch]);
        let case = |batch: usize| {
            let (inputs, outputs) = exported.run(batch);
            json!({
                "nchw": exported.settings.layout == ImageLayout::ChannelsFirst,
                "inputs": files(&folder, &format!("{batch}.in"), &inputs),
                "outputs": files(&folder, &format!("{batch}.out"), &outputs),
            })
        };
        let cases: Vec<Value> = batches.into_iter().map(case).collect();
        std::fs::write(folder.join("case.json"), json!(cases).to_string()).expect("a file");
        self.names.push(name.to_owned());
        model
    }

    /// Has all models checked and run.
    pub fn check(self) {
        let modules = "numpy, onnx, onnxruntime";
        let Some(python) = python(modules, "onnx and onnxruntime", "NNC_REQUIRE_ONNX") else {
            return;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export_onnx/check.py");
        let output = Command::new(&python).arg(script).arg(self.folder.path()).output();
        let output = output.expect("Python runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = String::from_utf8_lossy(&output.stderr);
        let wrong: Vec<&str> = said.lines().filter(|line| !line.ends_with(" ok")).collect();
        assert!(wrong.is_empty(), "{}\n{failed}", wrong.join("\n"));
        assert_eq!(said.lines().count(), self.names.len(), "{said}{failed}");
    }
}

fn files(folder: &Path, prefix: &str, tensors: &Tensors) -> Value {
    let file = |(at, (name, tensor)): (usize, (&String, &Tensor))| {
        let file = format!("{prefix}{at}");
        let (bytes, dtype): (Vec<u8>, &str) = match &tensor.data {
            Data::F32(values) => (values.iter().flat_map(|it| it.to_le_bytes()).collect(), "<f4"),
            Data::F64(values) => (values.iter().flat_map(|it| it.to_le_bytes()).collect(), "<f8"),
            Data::I32(values) => (values.iter().flat_map(|it| it.to_le_bytes()).collect(), "<i4"),
            Data::U8(values) => (values.clone(), "u1"),
            Data::Bool(values) => (values.iter().map(|&it| u8::from(it)).collect(), "?"),
        };
        std::fs::write(folder.join(&file), bytes).expect("a file");
        (name.clone(), json!({ "file": file, "type": dtype, "shape": tensor.shape }))
    };
    tensors.iter().enumerate().map(file).collect::<serde_json::Map<_, _>>().into()
}
