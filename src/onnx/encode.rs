//! Writes models in protobuf's wire format, as `onnx.proto3` numbers its fields.
//!
//! ```text
//! OnnxNode { op: "Relu", inputs: ["x"], … }   →   0a 01 78 … 22 04 52 65 6c 75
//! ```
//!
//! A message needs the length of what is in it before it, so an encoded message is a list of pieces:
//! the elements of large tensors are borrowed from the model, all else is bytes of its own. So a file
//! is written without a copy of its weights. The format is four rules long: a crate for it would
//! bring a build step and hold each tensor once more.

use super::model::{OnnxAttribute, OnnxDim, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValue};
use std::io::{self, Write};

/// The most bytes of a message: protobuf's readers count them in an `i32`.
pub const LARGEST_FILE: usize = i32::MAX as usize;

/// Bytes of elements up to which they are copied into the message around them.
const SMALL: usize = 256;

/// A model that is encoded, without a copy of its large tensors.
pub struct EncodedModel<'a>(OnnxMessage<'a>);

/// Encodes a model.
pub fn encode(model: &OnnxModel) -> EncodedModel<'_> {
    let mut message = OnnxMessage::default();
    message.int(1, model.ir_version);
    message.text(2, &model.producer.0);
    message.text(3, &model.producer.1);
    message.text(6, &model.doc);
    message.message(7, graph(&model.graph));
    for (domain, version) in &model.opsets {
        let mut opset = OnnxMessage::default();
        opset.text(1, domain);
        opset.int(2, *version);
        message.message(8, opset);
    }
    for (key, value) in &model.metadata {
        let mut entry = OnnxMessage::default();
        entry.text(1, key);
        entry.text(2, value);
        message.message(14, entry);
    }
    EncodedModel(message)
}

impl EncodedModel<'_> {
    /// How many bytes the file has.
    pub fn bytes(&self) -> usize {
        self.0.length
    }

    /// Writes the file.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.0.pieces.iter().try_for_each(|piece| match piece {
            EncodedPiece::Own(bytes) => out.write_all(bytes),
            EncodedPiece::Borrowed(bytes) => out.write_all(bytes),
        })
    }
}

/// Part of a message.
enum EncodedPiece<'a> {
    Own(Vec<u8>),
    Borrowed(&'a [u8]),
}

/// The fields of a message, encoded.
#[derive(Default)]
struct OnnxMessage<'a> {
    pieces: Vec<EncodedPiece<'a>>,
    /// Bytes of all pieces.
    length: usize,
}

impl<'a> OnnxMessage<'a> {
    fn put(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        match self.pieces.last_mut() {
            Some(EncodedPiece::Own(last)) => last.extend_from_slice(bytes),
            _ => self.pieces.push(EncodedPiece::Own(bytes.to_vec())),
        }
    }

    /// Seven bits a byte, the lowest first; all but the last byte have the highest bit.
    fn varint(&mut self, mut value: u64) {
        let mut bytes = [0; 10];
        let mut length = 0;
        loop {
            bytes[length] = (value & 0x7f) as u8;
            value >>= 7;
            length += 1;
            if value == 0 {
                return self.put(&bytes[..length]);
            }
            bytes[length - 1] |= 0x80;
        }
    }

    /// A field's number, and how its value is written: 0 a varint, 2 bytes behind their length, 5 four
    /// bytes.
    fn key(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    /// A whole number; negative ones have ten bytes.
    fn int(&mut self, field: u64, value: i64) {
        self.key(field, 0);
        self.varint(value as u64);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.key(field, 5);
        self.put(&value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &'a [u8]) {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        if bytes.len() <= SMALL {
            return self.put(bytes);
        }
        self.length += bytes.len();
        self.pieces.push(EncodedPiece::Borrowed(bytes));
    }

    /// A text; an empty one is left out, as protobuf does.
    fn text(&mut self, field: u64, text: &'a str) {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
    }

    /// A text of a list, where an empty one counts.
    fn item(&mut self, field: u64, text: &'a str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: OnnxMessage<'a>) {
        self.key(field, 2);
        self.varint(message.length as u64);
        for piece in message.pieces {
            match piece {
                EncodedPiece::Own(bytes) => self.put(&bytes),
                EncodedPiece::Borrowed(bytes) => {
                    self.length += bytes.len();
                    self.pieces.push(EncodedPiece::Borrowed(bytes));
                }
            }
        }
    }

    /// Whole numbers in one field.
    fn ints(&mut self, field: u64, values: &[i64]) {
        let mut packed = OnnxMessage::default();
        values.iter().for_each(|&value| packed.varint(value as u64));
        self.message(field, packed);
    }
}

fn graph(graph: &OnnxGraph) -> OnnxMessage<'_> {
    let mut message = OnnxMessage::default();
    graph.nodes.iter().for_each(|it| message.message(1, node(it)));
    message.text(2, &graph.name);
    graph.initializers.iter().for_each(|it| message.message(5, tensor(it)));
    graph.inputs.iter().for_each(|it| message.message(11, value(it)));
    graph.outputs.iter().for_each(|it| message.message(12, value(it)));
    graph.values.iter().for_each(|it| message.message(13, value(it)));
    message
}

fn node(node: &OnnxNode) -> OnnxMessage<'_> {
    let mut message = OnnxMessage::default();
    node.inputs.iter().for_each(|name| message.item(1, name));
    node.outputs.iter().for_each(|name| message.item(2, name));
    message.text(3, &node.name);
    message.text(4, &node.op);
    for (name, value) in &node.attributes {
        message.message(5, attribute(name, value));
    }
    message.text(7, &node.domain);
    message
}

/// An attribute: its name, its value in the field of its kind, and the kind's number.
fn attribute<'a>(name: &'a str, value: &'a OnnxAttribute) -> OnnxMessage<'a> {
    let mut message = OnnxMessage::default();
    message.text(1, name);
    let kind = match value {
        OnnxAttribute::Float(number) => {
            message.float(2, *number);
            1
        }
        OnnxAttribute::Int(number) => {
            message.int(3, *number);
            2
        }
        OnnxAttribute::String(bytes) => {
            message.bytes(4, bytes);
            3
        }
        OnnxAttribute::Tensor(it) => {
            message.message(5, tensor(it));
            4
        }
        OnnxAttribute::Graph(it) => {
            message.message(6, graph(it));
            5
        }
        OnnxAttribute::Floats(numbers) => {
            numbers.iter().for_each(|&number| message.float(7, number));
            6
        }
        OnnxAttribute::Ints(numbers) => {
            message.ints(8, numbers);
            7
        }
        OnnxAttribute::Strings(texts) => {
            texts.iter().for_each(|text| message.bytes(9, text));
            8
        }
        OnnxAttribute::Other(kind) => *kind,
    };
    message.int(20, kind);
    message
}

fn tensor(tensor: &OnnxTensor) -> OnnxMessage<'_> {
    let mut message = OnnxMessage::default();
    message.ints(1, &tensor.dims);
    message.int(2, i64::from(tensor.element));
    message.text(8, &tensor.name);
    match &tensor.external {
        None => message.bytes(9, &tensor.data),
        Some(place) => {
            let mut entry = |key: &'static str, value: String| {
                let mut pair = OnnxMessage::default();
                pair.text(1, key);
                pair.key(2, 2);
                pair.varint(value.len() as u64);
                pair.put(value.as_bytes());
                message.message(13, pair);
            };
            entry("location", place.location.clone());
            entry("offset", place.offset.to_string());
            if let Some(length) = place.length {
                entry("length", length.to_string());
            }
            message.int(14, 1);
        }
    }
    message
}

/// A value's name with its type: a tensor's elements and shape, each within a message of its own.
fn value(value: &OnnxValue) -> OnnxMessage<'_> {
    let mut tensor = OnnxMessage::default();
    tensor.int(1, i64::from(value.element));
    if let Some(dims) = &value.dims {
        let mut shape = OnnxMessage::default();
        for dim in dims {
            let mut extent = OnnxMessage::default();
            match dim {
                OnnxDim::Known(number) => extent.int(1, *number),
                OnnxDim::Named(name) => extent.text(2, name),
                OnnxDim::Unknown => {}
            }
            shape.message(1, extent);
        }
        tensor.message(2, shape);
    }
    let mut ty = OnnxMessage::default();
    ty.message(1, tensor);
    let mut message = OnnxMessage::default();
    message.text(1, &value.name);
    message.message(2, ty);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(message: OnnxMessage<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let encoded = EncodedModel(message);
        encoded.write(&mut bytes).expect("memory takes all");
        assert_eq!(bytes.len(), encoded.bytes());
        bytes
    }

    #[test]
    fn numbers_have_seven_bits_a_byte() {
        let mut message = OnnxMessage::default();
        message.int(1, 300);
        message.int(2, -1);
        let mut expected = vec![0x08, 0xac, 0x02, 0x10];
        expected.extend([0xff; 9]);
        expected.push(0x01);
        assert_eq!(bytes(message), expected);
    }

    #[test]
    fn a_node_is_its_inputs_outputs_and_operator() {
        let relu = OnnxNode {
            op: "Relu".into(),
            inputs: vec!["x".into(), String::new()],
            outputs: vec!["y".into()],
            ..OnnxNode::default()
        };
        let expected = b"\x0a\x01x\x0a\x00\x12\x01y\x22\x04Relu";
        assert_eq!(bytes(node(&relu)), expected);
    }

    #[test]
    fn large_elements_are_not_copied() {
        let large = OnnxTensor {
            name: "w".into(),
            dims: vec![1000],
            element: 2,
            data: vec![7; 1000],
            external: None,
        };
        let message = tensor(&large);
        let borrowed =
            message.pieces.iter().any(|piece| matches!(piece, EncodedPiece::Borrowed(_)));
        assert!(borrowed && message.length > 1000);
        assert!(bytes(message).ends_with(&[7; 1000]));
    }
}
