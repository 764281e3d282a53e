//! A case: a model with inputs and outputs, in a folder.

use nnc::base::tensor::{Data, Tensor};
use nnc::command::imported;
use nnc::driver::Failure;
use nnc::onnx::decode::{decode, decode_tensor};
use nnc::onnx::import::ImportRequest;
use nnc::onnx::model::{OnnxModel, OnnxTensor};
use std::collections::BTreeMap;
use std::path::Path;

use crate::evaluate::{evaluate, tensor};

/// What came of a case.
pub enum CaseResult {
    /// Its numbers are right; how it was imported, if not as it is.
    Passed(&'static str),
    /// It was refused, with a reason.
    Unsupported(String),
    /// It is wrong.
    Failed(String),
}

/// Imports a case and compares its numbers.
pub fn run_case(folder: &Path) -> CaseResult {
    let bytes = std::fs::read(folder.join("model.onnx")).expect("a model");
    let mut model = match decode(&bytes) {
        Ok(model) => model,
        Err(error) => return CaseResult::Unsupported(error.to_string()),
    };
    let (inputs, outputs) = (tensors(folder, "input"), tensors(folder, "output"));
    let inputs = named(&model, inputs);
    let of_torch = folder.components().any(|part| part.as_os_str() == "torch");
    let slack = if of_torch { 0.0 } else { 1e-3 };
    let first = attempt(&model, &inputs, &outputs, slack);
    let CaseResult::Unsupported(reason) = first else { return first };
    // ONNX's tests give weights, axes and the like as inputs: here they are constants.
    for (name, tensor) in inputs.iter().skip(1) {
        model.graph.inputs.retain(|input| input.name != *name);
        model.graph.initializers.push(OnnxTensor { name: name.clone(), ..tensor.clone() });
    }
    match attempt(&model, &inputs[..inputs.len().min(1)], &outputs, slack) {
        CaseResult::Passed(_) => CaseResult::Passed(" (with its other inputs as constants)"),
        CaseResult::Unsupported(_) => CaseResult::Unsupported(reason),
        failed => failed,
    }
}

fn tensors(folder: &Path, kind: &str) -> Vec<OnnxTensor> {
    let path = |at: usize| folder.join(format!("{kind}_{at}.pb"));
    (0..)
        .map_while(|at| std::fs::read(path(at)).ok())
        .map(|bytes| decode_tensor(&bytes).unwrap_or_default())
        .collect()
}

/// Tensors under the names of the inputs that they are for.
fn named(model: &OnnxModel, tensors: Vec<OnnxTensor>) -> Vec<(String, OnnxTensor)> {
    let initial: Vec<&str> = model.graph.initializers.iter().map(|it| it.name.as_str()).collect();
    let names = model.graph.inputs.iter().map(|input| input.name.clone());
    let names: Vec<String> = names.filter(|name| !initial.contains(&name.as_str())).collect();
    let all_named = tensors.iter().all(|tensor| names.contains(&tensor.name));
    let place = |(at, tensor): (usize, OnnxTensor)| match all_named {
        true => Some((tensor.name.clone(), tensor)),
        false => Some((names.get(at)?.clone(), tensor)),
    };
    tensors.into_iter().enumerate().filter_map(place).collect()
}

fn attempt(
    model: &OnnxModel,
    inputs: &[(String, OnnxTensor)],
    outputs: &[OnnxTensor],
    slack: f32,
) -> CaseResult {
    let open = model.graph.inputs.iter().filter(|input| {
        let known =
            |dim: &nnc::onnx::model::OnnxDim| matches!(dim, nnc::onnx::model::OnnxDim::Known(_));
        !input.dims.as_ref().is_some_and(|dims| dims.iter().all(known))
    });
    let open: Vec<&String> = open.map(|input| &input.name).collect();
    let shapes = inputs
        .iter()
        .filter(|(name, _)| open.contains(&name))
        .map(|(name, tensor)| (name.clone(), tensor.dims.clone()));
    let request = ImportRequest { name: "net".into(), shapes: shapes.collect() };
    let program = match imported(model, &request) {
        Ok(program) => program,
        Err(Failure::Data(message)) if !message.contains("is refused") => {
            return CaseResult::Unsupported(message);
        }
        Err(other) => return CaseResult::Failed(format!("{other:?}").chars().take(3000).collect()),
    };
    if std::env::var("NNC_ONNX_SHOW").is_ok() {
        println!("{:?}\n{}", program.model.whole, program.text);
    }
    let mut given = BTreeMap::new();
    for (name, value) in inputs {
        let Some(value) = tensor(value) else {
            return CaseResult::Unsupported("an input of another type".into());
        };
        given.insert(name.clone(), value);
    }
    let made = match evaluate(&program, model, &given) {
        Ok(made) => made,
        Err(message) => return CaseResult::Failed(format!("{message}\n{}", program.text)),
    };
    // Outputs that nothing asked for are left out.
    for (output, original) in made.iter().zip(&program.model.outputs) {
        let at = model.graph.outputs.iter().position(|it| it.name == original.original);
        let Some(wanted) = at.and_then(|at| outputs.get(at)).and_then(tensor) else {
            return CaseResult::Unsupported("an output of another type".into());
        };
        if let Some(difference) = difference(output, &wanted, slack) {
            let text: String = program.text.chars().take(4000).collect();
            return CaseResult::Failed(format!("{}: {difference}\n{text}", original.original));
        }
    }
    CaseResult::Passed("")
}

/// How two tensors differ, if they do by more than rounding.
pub fn difference(got: &Tensor, wanted: &Tensor, slack: f32) -> Option<String> {
    if got.shape != wanted.shape {
        return Some(format!("the shape {:?}, not {:?}", got.shape, wanted.shape));
    }
    let (Data::F32(got), Data::F32(wanted)) = (&got.data, &wanted.data) else {
        return (got.data != wanted.data).then(|| format!("{:?}, not {:?}", got.data, wanted.data));
    };
    let most = wanted.iter().filter(|it| it.is_finite()).fold(0f32, |most, it| most.max(it.abs()));
    let bound = 1e-5 + 1e-4 * most;
    let close = |(got, wanted): (&f32, &f32)| {
        // The second bound is that of ONNX's own runner, whose numbers are rounded to four digits.
        let bound = bound.max(slack * wanted.abs());
        got == wanted || (got.is_nan() && wanted.is_nan()) || (got - wanted).abs() <= bound
    };
    let at = got.iter().zip(wanted).position(|pair| !close(pair))?;
    Some(format!("{} at {at}, not {}, of at most {most}", got[at], wanted[at]))
}
