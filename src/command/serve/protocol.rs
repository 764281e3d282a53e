//! The JSON of version 2 of KServe's inference protocol (the Open Inference Protocol): what is asked, and
//! what is answered.
//!
//! ```text
//! {"id":"7","inputs":[{"name":"image","shape":[1,28,28,1],"datatype":"UINT8","data":[…]}]}
//! {"model_name":"lenet","id":"7","outputs":[{"name":"output","datatype":"FP32","shape":[1,10],"data":[…]}]}
//! ```
//!
//! Inputs are the fields of a sample as a step gets them, outputs what the model gives, as `nnc predict
//! --raw` writes it: logits. Fields of the request that are not known are read over, as `parameters` are.

use super::queue::InputBytes;
use super::tensors::{self, GivenTensor};
use crate::base::schema::Field;
use crate::command::answers::PredictedOutput;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

/// A request for a prediction.
#[derive(Debug, Deserialize)]
struct InferenceRequest {
    id: Option<String>,
    inputs: Vec<GivenTensor>,
    outputs: Option<Vec<WantedOutput>>,
}

#[derive(Debug, Deserialize)]
struct WantedOutput {
    name: String,
}

/// A request that suits the model.
pub(super) struct Inference {
    /// The client's name for it.
    id: Option<String>,
    /// The samples.
    pub samples: Vec<InputBytes>,
    /// The numbers of the outputs to answer with.
    wanted: Vec<usize>,
}

/// Reads a request for a model of these inputs and outputs; a request has at most so many samples.
pub(super) fn parse(
    body: &[u8],
    fields: &[Field],
    outputs: &[PredictedOutput],
    most: usize,
) -> Result<Inference, String> {
    let request: InferenceRequest =
        serde_json::from_slice(body).map_err(|error| format!("the body is wrong: {error}"))?;
    let named = |name: &str| {
        let place = outputs.iter().position(|output| output.name == name);
        place.ok_or_else(|| {
            let names = list(outputs.iter().map(|output| &output.name[..]));
            format!("the model has no output `{}`; it has {names}", cut(name))
        })
    };
    let wanted = match &request.outputs {
        None => (0..outputs.len()).collect(),
        Some(wanted) => wanted.iter().map(|it| named(&it.name)).collect::<Result<_, _>>()?,
    };
    for (index, tensor) in request.inputs.iter().enumerate() {
        let name = cut(&tensor.name);
        if request.inputs[..index].iter().any(|other| other.name == tensor.name) {
            return Err(format!("the input `{name}` comes twice"));
        }
        if !fields.iter().any(|field| field.name == tensor.name) {
            let names = list(fields.iter().map(|field| &field.name[..]));
            return Err(format!("the model has no input `{name}`; it takes {names}"));
        }
        if tensor.shape.first().is_some_and(|&count| count > most as u64) {
            return Err(format!("`{name}` has more than {most} samples: send several requests"));
        }
    }
    let mut samples: Vec<InputBytes> = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        let tensor = request.inputs.iter().find(|tensor| tensor.name == field.name);
        let tensor = tensor.ok_or_else(|| format!("the input `{}` is missing", field.name))?;
        let column = tensors::samples_of(tensor, field)?;
        if index == 0 {
            samples.resize_with(column.len(), Vec::new);
        }
        if column.len() != samples.len() {
            let (here, there) = (column.len(), samples.len());
            let (name, first) = (&field.name, &fields[0].name);
            return Err(format!("`{name}` has {here} samples, and `{first}` has {there}"));
        }
        samples.iter_mut().zip(column).for_each(|(sample, bytes)| sample.push(bytes));
    }
    Ok(Inference { id: request.id, samples, wanted })
}

/// A name of a request in a message: no longer than names are.
fn cut(name: &str) -> String {
    name.chars().take(64).collect()
}

fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// An answer.
#[derive(Serialize)]
struct InferenceResponse<'a> {
    model_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: Vec<TensorResponse<'a>>,
}

#[derive(Serialize)]
struct TensorResponse<'a> {
    name: &'a str,
    datatype: &'static str,
    shape: Vec<usize>,
    data: Elements<'a>,
}

/// The elements of an output, sample after sample.
struct Elements<'a> {
    samples: &'a [Vec<Vec<f32>>],
    output: usize,
}

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = self.samples.iter().map(|sample| sample[self.output].len()).sum();
        let mut list = serializer.serialize_seq(Some(count))?;
        for number in self.samples.iter().flat_map(|sample| &sample[self.output]) {
            list.serialize_element(number)?;
        }
        list.end()
    }
}

impl Inference {
    /// The answer, from the outputs of each sample. Numbers that are not finite are `null`: JSON has none.
    pub fn answer(
        &self,
        model: &str,
        outputs: &[PredictedOutput],
        samples: &[Vec<Vec<f32>>],
    ) -> Vec<u8> {
        let tensor = |&output: &usize| TensorResponse {
            name: &outputs[output].name,
            datatype: "FP32",
            shape: [&[samples.len()], &outputs[output].shape[..]].concat(),
            data: Elements { samples, output },
        };
        let outputs = self.wanted.iter().map(tensor).collect();
        let response = InferenceResponse { model_name: model, id: self.id.as_deref(), outputs };
        serde_json::to_vec(&response).expect("numbers and texts can be written")
    }
}

/// The description of a model: its inputs and outputs.
pub(super) fn metadata(model: &str, fields: &[Field], outputs: &[PredictedOutput]) -> Value {
    let tensor = |name: &str, datatype: &str, shape: &[usize]| {
        let shape: Vec<Value> =
            std::iter::once(json!(-1)).chain(shape.iter().map(|it| json!(it))).collect();
        json!({ "name": name, "datatype": datatype, "shape": shape })
    };
    let input = |field: &Field| tensor(&field.name, tensors::datatype(field.dtype), &field.shape);
    let inputs: Vec<Value> = fields.iter().map(input).collect();
    let output = |output: &PredictedOutput| tensor(&output.name, "FP32", &output.shape);
    let outputs: Vec<Value> = outputs.iter().map(output).collect();
    json!({ "name": model, "platform": "nnc", "inputs": inputs, "outputs": outputs })
}
