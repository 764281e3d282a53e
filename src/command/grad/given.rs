//! A file's tensors as a model's inputs, parameters and states, or everything that does not fit.
//!
//! `input.x`, `param.dense.weight` and `state.batch_norm.mean` are looked for by name; each must
//! have the type and shape that the model says, with the batch that the first input has. Inputs
//! must be there, parameters and states may be absent. `expect.` begins the names of another
//! program's results, which may stand in the same file. Any other name is a mistake.

use crate::base::names::nearest;
use crate::base::tensor::Tensor;
use crate::graph::init::initial_value;
use crate::graph::{Dim, Graph, Shape, Type};
use std::collections::BTreeMap;

/// Inputs, parameters and states of the step, from a file or drawn.
#[derive(Clone, Debug)]
pub struct StepInputs {
    /// Samples.
    pub batch: usize,
    /// The inputs by name.
    pub inputs: BTreeMap<String, Tensor>,
    /// A first value for each parameter and state, by path.
    pub kept: BTreeMap<String, Tensor>,
    /// The parameters that the file does not have.
    pub drawn: Vec<String>,
    /// The states that it does not have.
    pub fresh: Vec<String>,
}

/// Fits tensors to a training step whose first `own_states` states are the model's; the others
/// are the optimiser's and begin as its rule says. What is absent is drawn from `seed`.
pub fn fit(
    graph: &Graph,
    own_states: usize,
    tensors: Vec<(String, Tensor)>,
    seed: u64,
) -> Result<StepInputs, Vec<String>> {
    let known = names(graph, own_states);
    let mut file = UnclaimedTensors::new(graph, tensors);
    let mut inputs = BTreeMap::new();
    for input in graph.inputs.values() {
        let name = format!("input.{}", input.name);
        if !file.tensors.contains_key(&name) {
            file.complaints.push(format!("`{name}` is missing: {}", input.ty));
        }
        inputs.extend(file.take(&name, &input.ty).map(|tensor| (input.name.clone(), tensor)));
    }
    let mut kept = BTreeMap::new();
    let (mut drawn, mut fresh) = (Vec::new(), Vec::new());
    for param in graph.params.values() {
        let value = file.take(&format!("param.{}", param.path), &param.ty).unwrap_or_else(|| {
            drawn.push(param.path.clone());
            initial_value(&param.init, &param.ty, &param.path, seed)
        });
        kept.insert(param.path.clone(), value);
    }
    for (index, state) in graph.states.values().enumerate() {
        let own = index < own_states;
        let name = format!("state.{}", state.path);
        let given = if own { file.take(&name, &state.ty) } else { None };
        let value = given.unwrap_or_else(|| {
            fresh.extend(own.then(|| state.path.clone()));
            initial_value(&state.init, &state.ty, &state.path, seed)
        });
        kept.insert(state.path.clone(), value);
    }
    file.unknown(&known);
    match file {
        UnclaimedTensors { batch: Some((batch, _)), complaints, .. } if complaints.is_empty() => {
            Ok(StepInputs { batch, inputs, kept, drawn, fresh })
        }
        file => Err(file.complaints),
    }
}

/// The names that a file may have.
fn names(graph: &Graph, own_states: usize) -> Vec<String> {
    let inputs = graph.inputs.values().map(|input| format!("input.{}", input.name));
    let params = graph.params.values().map(|param| format!("param.{}", param.path));
    let states = graph.states.values().take(own_states);
    inputs.chain(params).chain(states.map(|state| format!("state.{}", state.path))).collect()
}

/// The tensors that nothing has taken yet.
struct UnclaimedTensors {
    tensors: BTreeMap<String, Tensor>,
    /// The number of samples, and the input that says so.
    batch: Option<(usize, String)>,
    complaints: Vec<String>,
}

impl UnclaimedTensors {
    fn new(graph: &Graph, tensors: Vec<(String, Tensor)>) -> UnclaimedTensors {
        let mut file = UnclaimedTensors {
            tensors: tensors.into_iter().collect(),
            batch: None,
            complaints: Vec::new(),
        };
        for input in graph.inputs.values() {
            let name = format!("input.{}", input.name);
            let Some(given) = file.tensors.get(&name) else { continue };
            if given.shape.len() != input.ty.shape.rank() || input.ty.shape[0] != Dim::N {
                continue;
            }
            if given.shape[0] == 0 {
                file.complaints.push(format!("`{name}` has no samples: {}", described(given)));
            }
            file.batch = Some((given.shape[0], name));
            break;
        }
        file
    }

    /// The tensor of a name, if it is there and as it should be.
    fn take(&mut self, name: &str, ty: &Type) -> Option<Tensor> {
        let tensor = self.tensors.remove(name)?;
        let right = match &self.batch {
            Some((batch, _)) => ty.shape.at(*batch) == tensor.shape,
            None => !ty.shape.has_batch() && ty.shape.at(1) == tensor.shape,
        };
        if right && tensor.dtype() == ty.dtype {
            return Some(tensor);
        }
        let batch = match &self.batch {
            Some((batch, from)) if ty.shape.has_batch() && name != from => {
                format!(", where N is {batch} as in `{from}`")
            }
            _ => String::new(),
        };
        let found = described(&tensor);
        self.complaints.push(format!("`{name}` is {found}; the model has {ty}{batch}"));
        None
    }

    /// Complains about what is left.
    fn unknown(&mut self, known: &[String]) {
        for name in self.tensors.keys().filter(|name| !name.starts_with("expect.")) {
            let near = nearest(name, known.iter().map(String::as_str));
            let near = near.map(|near| format!("; did you mean `{near}`?"));
            let what = match name.split('.').next() {
                Some("input") => "input",
                Some("param") => "parameter",
                Some("state") => "state",
                _ => "tensor",
            };
            let near = near.unwrap_or_default();
            self.complaints.push(format!("`{name}`: the model has no such {what}{near}"));
        }
    }
}

/// `f32[5, 12]`
fn described(tensor: &Tensor) -> String {
    Type::new(tensor.dtype(), Shape::known(&tensor.shape)).to_string()
}
