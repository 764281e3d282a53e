//! A file of ONNX to its messages, within bounds: the file may be damaged or hostile.
//!
//! ```text
//! 08 08 12 05 "torch" … 3a …  →  OnnxModel { ir_version: 8, producer: ("torch", …), graph: … }
//! ```
//!
//! A file is read once, from its front to its end; what is made of it never holds more than as many
//! bytes as the file has, and [`SLACK`]. Lengths are believed only where as many bytes are left, and
//! dimensions only where as many elements are there. Subgraphs are read to a depth of [`DEPTH`].
//! Functions, sparse tensors, quantization and training are not read. Elements that lie in other files
//! are named, not fetched.

mod tensor;
mod wire;

use super::model::{OnnxAttribute, OnnxDim, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValue};
use std::fmt;
use wire::{Message, WireField};

/// Subgraphs inside one another.
pub const DEPTH: usize = 16;
/// Bytes that messages may take beside those of the file: a graph without weights is larger in memory
/// than in its file.
pub const SLACK: usize = 16 << 20;

/// Why bytes are no model of ONNX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The byte at which it was found.
    pub at: usize,
    /// The mistake.
    pub message: String,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.at, self.message)
    }
}

impl std::error::Error for DecodeError {}

type Decoded<T> = Result<T, DecodeError>;

/// Reads a model.
pub fn decode(bytes: &[u8]) -> Decoded<OnnxModel> {
    let budget = wire::MemoryBudget::new(bytes.len() + SLACK);
    let mut message = Message::new(bytes, &budget);
    let (mut model, mut has_graph) = (OnnxModel::default(), false);
    while let Some((number, field)) = message.next()? {
        match number {
            1 => model.ir_version = field.int()?,
            2 => model.producer.0 = field.text()?,
            3 => model.producer.1 = field.text()?,
            6 => model.doc = field.text()?,
            7 => {
                has_graph = true;
                model.graph = graph(field.message()?, 0)?;
            }
            8 => model.opsets.push(opset(field.message()?)?),
            14 => model.metadata.push(entry(field.message()?)?),
            _ => {}
        }
    }
    match has_graph {
        true => Ok(model),
        false => Err(DecodeError { at: 0, message: "there is no graph in it".into() }),
    }
}

/// Reads a tensor by itself, as the files of ONNX's tests hold one.
pub fn decode_tensor(bytes: &[u8]) -> Decoded<OnnxTensor> {
    let budget = wire::MemoryBudget::new(bytes.len() + SLACK);
    tensor::tensor(Message::new(bytes, &budget))
}

fn opset(mut message: Message<'_>) -> Decoded<(String, i64)> {
    message.take::<(String, i64)>()?;
    let (mut domain, mut version) = (String::new(), 0);
    while let Some((number, field)) = message.next()? {
        match number {
            1 => domain = field.text()?,
            2 => version = field.int()?,
            _ => {}
        }
    }
    Ok((domain, version))
}

/// A key and its value, both texts.
fn entry(mut message: Message<'_>) -> Decoded<(String, String)> {
    message.take::<(String, String)>()?;
    let (mut key, mut value) = (String::new(), String::new());
    while let Some((number, field)) = message.next()? {
        match number {
            1 => key = field.text()?,
            2 => value = field.text()?,
            _ => {}
        }
    }
    Ok((key, value))
}

fn graph(mut message: Message<'_>, depth: usize) -> Decoded<OnnxGraph> {
    if depth > DEPTH {
        return Err(
            message.error(format!("graphs stand inside one another more than {DEPTH} deep"))
        );
    }
    let mut graph = OnnxGraph::default();
    while let Some((number, field)) = message.next()? {
        match number {
            1 => graph.nodes.push(node(field.message()?, depth)?),
            2 => graph.name = field.text()?,
            5 => graph.initializers.push(tensor::tensor(field.message()?)?),
            11 => graph.inputs.push(value(field.message()?)?),
            12 => graph.outputs.push(value(field.message()?)?),
            13 => graph.values.push(value(field.message()?)?),
            15 => return Err(field.error("it has sparse tensors, which are not read".into())),
            _ => {}
        }
    }
    Ok(graph)
}

fn node(mut message: Message<'_>, depth: usize) -> Decoded<OnnxNode> {
    message.take::<OnnxNode>()?;
    let mut node = OnnxNode::default();
    while let Some((number, field)) = message.next()? {
        match number {
            1 => node.inputs.push(field.listed_text()?),
            2 => node.outputs.push(field.listed_text()?),
            3 => node.name = field.text()?,
            4 => node.op = field.text()?,
            5 => {
                let made = attribute(field.message()?, depth).map_err(|error| within(&node, error));
                node.attributes.push(made?);
            }
            7 => node.domain = field.text()?,
            _ => {}
        }
    }
    if node.domain == "ai.onnx" {
        node.domain.clear();
    }
    Ok(node)
}

/// An error in an attribute, with its node as far as it is read: names stand before attributes.
fn within(node: &OnnxNode, error: DecodeError) -> DecodeError {
    let shown = |text: &str| crate::base::shown::Show::shown(text).to_string();
    let named = match (node.op.is_empty(), node.name.is_empty()) {
        (true, true) => return error,
        (_, true) => shown(&node.op),
        (_, false) => format!("{} `{}`", shown(&node.op), shown(&node.name)),
    };
    DecodeError { message: format!("in {named}: {}", error.message), ..error }
}

/// The fields of an attribute as they are met; its kind says which of them counts.
#[derive(Default)]
struct AttributeFields {
    name: String,
    kind: i64,
    float: f32,
    int: i64,
    bytes: Vec<u8>,
    tensor: Option<OnnxTensor>,
    graph: Option<OnnxGraph>,
    floats: Vec<f32>,
    ints: Vec<i64>,
    strings: Vec<Vec<u8>>,
}

fn attribute(mut message: Message<'_>, depth: usize) -> Decoded<(String, OnnxAttribute)> {
    message.take::<(String, OnnxAttribute)>()?;
    let mut it = AttributeFields::default();
    while let Some((number, field)) = message.next()? {
        match number {
            1 => it.name = field.text()?,
            2 => it.float = field.float()?,
            3 => it.int = field.int()?,
            4 => it.bytes = field.copied()?,
            5 => it.tensor = Some(tensor::tensor(field.message()?)?),
            6 => it.graph = Some(graph(field.message()?, depth + 1)?),
            7 => field.floats(&mut it.floats)?,
            8 => field.ints(&mut it.ints)?,
            9 => it.strings.push(field.listed_bytes()?),
            20 => it.kind = field.int()?,
            _ => {}
        }
    }
    let missing = |what| message.error(format!("an attribute has no {what}, which it says it is"));
    let value = match it.kind {
        1 => OnnxAttribute::Float(it.float),
        2 => OnnxAttribute::Int(it.int),
        3 => OnnxAttribute::String(it.bytes),
        4 => OnnxAttribute::Tensor(it.tensor.ok_or_else(|| missing("tensor"))?),
        5 => OnnxAttribute::Graph(Box::new(it.graph.ok_or_else(|| missing("graph"))?)),
        6 => OnnxAttribute::Floats(it.floats),
        7 => OnnxAttribute::Ints(it.ints),
        8 => OnnxAttribute::Strings(it.strings),
        kind => OnnxAttribute::Other(kind),
    };
    Ok((it.name, value))
}

fn value(mut message: Message<'_>) -> Decoded<OnnxValue> {
    message.take::<OnnxValue>()?;
    let mut made = OnnxValue::default();
    while let Some((number, field)) = message.next()? {
        match number {
            1 => made.name = field.text()?,
            2 => {
                let mut kinds = field.message()?;
                while let Some((number, field)) = kinds.next()? {
                    // Sequences, maps and optional values keep the element type 0.
                    if number == 1 {
                        tensor_type(field.message()?, &mut made)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(made)
}

fn tensor_type(mut message: Message<'_>, value: &mut OnnxValue) -> Decoded<()> {
    while let Some((number, field)) = message.next()? {
        match number {
            1 => value.element = field.small()?,
            2 => value.dims = Some(dims(field.message()?)?),
            _ => {}
        }
    }
    Ok(())
}

fn dims(mut message: Message<'_>) -> Decoded<Vec<OnnxDim>> {
    let mut dims = Vec::new();
    while let Some((number, field)) = message.next()? {
        if number == 1 {
            message.take::<OnnxDim>()?;
            dims.push(dim(field)?);
        }
    }
    Ok(dims)
}

fn dim(field: WireField<'_>) -> Decoded<OnnxDim> {
    let (mut dim, mut parts) = (OnnxDim::Unknown, field.message()?);
    while let Some((number, field)) = parts.next()? {
        match number {
            1 => dim = OnnxDim::Known(field.int()?),
            2 => dim = OnnxDim::Named(field.text()?),
            _ => {}
        }
    }
    Ok(dim)
}
