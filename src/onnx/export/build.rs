//! The model that is being made: its nodes, names and stored tensors.

use super::constants;
use super::pattern::{Needs, variable};
use super::value::{Change, KnownTensor, LaidOut, ValuePlace, changed, changed_owned};
use super::{ExportRefusal, ExportSettings, USUAL_OPSET};
use crate::base::entity::Entity;
use crate::base::tensor::{DType, Data, Tensor};
use crate::graph::scan::Bodies;
use crate::graph::{Dim, Graph, Node, NodeId};
use crate::onnx::model::{OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor};
use std::collections::{HashMap, HashSet};

/// The attributes of a node.
pub(super) type Attributes = Vec<(String, OnnxAttribute)>;

/// Makes a model of a graph.
pub(super) struct Exporter<'a> {
    pub graph: &'a Graph,
    pub bodies: &'a Bodies,
    pub needs: &'a Needs,
    pub settings: ExportSettings,
    /// The version of ONNX's operators.
    pub opset: i64,
    variables: HashMap<String, Tensor>,
    pub constants: HashMap<NodeId, Tensor>,
    /// The values of nodes that were lowered.
    pub values: Vec<Option<LaidOut>>,
    /// The model's graph: its nodes are those of the graph, or of the body that is being made.
    pub onnx: OnnxGraph,
    /// Nodes that come before all others: they read inputs alone.
    prelude: Vec<OnnxNode>,
    /// The value that holds the batch, once something needs it.
    batch: Option<String>,
    taken: HashSet<String>,
    /// Stored tensors that are in the file, by how they stand.
    written: HashMap<(KnownTensor, Vec<Change>), String>,
    /// Small constants that are in the file.
    small: HashMap<(i32, Vec<i64>, Vec<u8>), String>,
    /// Values in another shape or order of axes, which have been made.
    pub views: HashMap<(String, String), String>,
    /// The node that is being lowered: its place names what is made for it.
    pub now: NodeId,
}

impl<'a> Exporter<'a> {
    pub fn new(
        graph: &'a Graph,
        bodies: &'a Bodies,
        needs: &'a Needs,
        variables: HashMap<String, Tensor>,
        settings: ExportSettings,
    ) -> Exporter<'a> {
        Exporter {
            graph,
            bodies,
            needs,
            settings,
            opset: settings.opset.unwrap_or(needs.opset.max(USUAL_OPSET)),
            variables,
            constants: constants::fold(graph, &needs.nodes),
            values: vec![None; graph.nodes.len()],
            onnx: OnnxGraph { name: graph.name.clone(), ..OnnxGraph::default() },
            prelude: Vec::new(),
            batch: None,
            taken: HashSet::new(),
            written: HashMap::new(),
            small: HashMap::new(),
            views: HashMap::new(),
            now: NodeId::from_index(0),
        }
    }

    /// The finished model.
    pub fn finish(mut self) -> OnnxModel {
        self.prelude.append(&mut self.onnx.nodes);
        self.onnx.nodes = self.prelude;
        super::model(self.onnx, self.opset)
    }

    /// A node of the graph.
    pub fn node(&self, node: NodeId) -> &'a Node {
        &self.graph.nodes[node]
    }

    /// The shape that the graph says a node has.
    pub fn shape(&self, node: NodeId) -> &'a [Dim] {
        &self.graph.nodes[node].ty.shape
    }

    /// Why a node cannot be exported.
    pub fn refuse<T>(&self, node: NodeId, why: &str) -> Result<T, ExportRefusal> {
        let message = format!("`{}` cannot be exported to ONNX: {why}", self.node(node).op.name());
        Err(ExportRefusal { node, message })
    }

    /// A name that nothing in the model has: this one, or this one and a number.
    pub fn name(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut number = 1;
        while !self.taken.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}_{number}");
        }
        name
    }

    /// The path of the layer that a node is part of; empty at the top.
    fn path(&self, node: NodeId) -> &'a str {
        self.node(node).origin.map_or("", |origin| &self.graph.origins.get(origin).path)
    }

    /// A node of the model with one value, and that value's name.
    pub fn emit(&mut self, op: &str, inputs: &[String], attributes: Attributes) -> String {
        let [value] = self.emit_many(op, inputs, attributes);
        value
    }

    /// A node of the model with so many values, and their names.
    pub fn emit_many<const COUNT: usize>(
        &mut self,
        op: &str,
        inputs: &[String],
        attributes: Attributes,
    ) -> [String; COUNT] {
        let path = self.path(self.now);
        let wanted = if path.is_empty() { op.to_owned() } else { format!("{path}/{op}") };
        let name = self.name(&wanted);
        let outputs: [String; COUNT] = std::array::from_fn(|at| match at {
            0 => name.clone(),
            at => format!("{name}:{at}"),
        });
        self.onnx.nodes.push(OnnxNode {
            name,
            op: op.to_owned(),
            domain: String::new(),
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
            attributes,
        });
        outputs
    }

    /// The name of a value in the model; a stored tensor is put into the file.
    pub fn named(&mut self, value: &LaidOut) -> String {
        match &value.place {
            ValuePlace::Named(name) => name.clone(),
            ValuePlace::Stored(stored, changes) => self.store(stored, changes),
        }
    }

    fn store(&mut self, stored: &KnownTensor, changes: &[Change]) -> String {
        let key = (stored.clone(), changes.to_vec());
        if let Some(name) = self.written.get(&key) {
            return name.clone();
        }
        let name = match stored {
            KnownTensor::Constant(node) => {
                let tensor = changed(&self.constants[node], changes);
                self.constant(&tensor)
            }
            KnownTensor::Variable(path) => {
                let tensor = changed_owned(self.take_variable(path), changes);
                self.initializer(path, &tensor)
            }
        };
        self.written.insert(key, name.clone());
        name
    }

    /// The value of a variable, which is let go if nothing else reads it.
    fn take_variable(&mut self, path: &str) -> Tensor {
        let value = match self.needs.uses.get(path) == Some(&1) {
            true => self.variables.remove(path),
            false => self.variables.get(path).cloned(),
        };
        value.expect("a value of each variable")
    }

    /// The path and the value of a node that is a variable.
    pub fn stored(&self, node: NodeId) -> (&'a str, &Tensor) {
        let path = variable(self.graph, node).expect("a parameter or a state");
        (path, self.variables.get(path).expect("a value of each variable"))
    }

    /// The same for the last time, if nothing else reads it.
    pub fn take_stored(&mut self, node: NodeId) -> (&'a str, Tensor) {
        let path = variable(self.graph, node).expect("a parameter or a state");
        (path, self.take_variable(path))
    }

    /// A tensor in the file under a name, or one like it.
    pub fn initializer(&mut self, wanted: &str, tensor: &Tensor) -> String {
        let name = self.name(wanted);
        self.onnx.initializers.push(onnx_tensor(&name, tensor));
        name
    }

    /// A constant in the file; equal ones are one.
    pub fn constant(&mut self, tensor: &Tensor) -> String {
        let stored = onnx_tensor("", tensor);
        self.constant_of(stored)
    }

    fn constant_of(&mut self, mut stored: OnnxTensor) -> String {
        let key = (stored.element, stored.dims.clone(), stored.data.clone());
        if let Some(name) = self.small.get(&key) {
            return name.clone();
        }
        let name = self.name("constant");
        stored.name.clone_from(&name);
        self.onnx.initializers.push(stored);
        self.small.insert(key, name.clone());
        name
    }

    /// A constant of whole numbers, as axes and shapes are given.
    pub fn ints(&mut self, values: &[i64]) -> String {
        self.int_tensor(vec![values.len() as i64], values)
    }

    /// A constant of whole numbers in a shape.
    pub fn int_tensor(&mut self, dims: Vec<i64>, values: &[i64]) -> String {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let name = String::new();
        self.constant_of(OnnxTensor { name, dims, element: 7, data, external: None })
    }

    /// A scalar of a type.
    pub fn scalar(&mut self, value: f64, dtype: DType) -> String {
        self.constant(&scalar_tensor(value, dtype))
    }

    /// The batch as a value of the model, `int64[1]`.
    pub fn batch(&mut self) -> String {
        if let Some(name) = &self.batch {
            return name.clone();
        }
        let (input, axis) = self.batch_input();
        let outer = std::mem::take(&mut self.onnx.nodes);
        let shape = self.emit("Shape", &[input], Vec::new());
        let axis = self.ints(&[axis]);
        let name = self.emit("Gather", &[shape, axis], vec![int("axis", 0)]);
        let mut made = std::mem::replace(&mut self.onnx.nodes, outer);
        self.prelude.append(&mut made);
        self.batch = Some(name.clone());
        name
    }

    /// An input of the model whose extent along an axis is the batch.
    fn batch_input(&self) -> (String, i64) {
        let whole = |dim: &crate::onnx::model::OnnxDim| matches!(dim, crate::onnx::model::OnnxDim::Named(name) if name == "N");
        let found = self.onnx.inputs.iter().find_map(|input| {
            let axis = input.dims.as_ref()?.iter().position(whole)?;
            Some((input.name.clone(), axis as i64))
        });
        found.expect("an input of samples: the batch is a symbol in no other graph")
    }

    /// A shape as a value of the model, `int64[rank]`.
    pub fn shape_value(&mut self, dims: &[Dim]) -> String {
        if let Some(known) = dims.iter().map(|dim| dim.known()).collect::<Option<Vec<_>>>() {
            let known: Vec<i64> = known.into_iter().map(|dim| dim as i64).collect();
            return self.ints(&known);
        }
        let mut parts = Vec::new();
        for &dim in dims {
            parts.push(self.extent_value(dim));
        }
        self.emit("Concat", &parts, vec![int("axis", 0)])
    }

    /// An extent as a value of the model, `int64[1]`.
    pub fn extent_value(&mut self, dim: Dim) -> String {
        match dim {
            Dim::Known(extent) => self.ints(&[extent as i64]),
            Dim::Batch(1) => self.batch(),
            Dim::Batch(factor) => {
                let (batch, factor) = (self.batch(), self.ints(&[factor as i64]));
                self.emit("Mul", &[batch, factor], Vec::new())
            }
        }
    }
}

/// A tensor of one element.
pub(super) fn scalar_tensor(value: f64, dtype: DType) -> Tensor {
    let data = match dtype {
        DType::F32 => Data::F32(vec![value as f32]),
        DType::F64 => Data::F64(vec![value]),
        DType::I32 => Data::I32(vec![value as i32]),
        DType::U8 => Data::U8(vec![value as u8]),
        DType::Bool => Data::Bool(vec![value != 0.0]),
    };
    Tensor::new(Vec::new(), data)
}

/// The number of an element type in `TensorProto.DataType`.
pub(super) fn element(dtype: DType) -> i32 {
    match dtype {
        DType::F32 => 1,
        DType::U8 => 2,
        DType::I32 => 6,
        DType::Bool => 9,
        DType::F64 => 11,
    }
}

fn onnx_tensor(name: &str, tensor: &Tensor) -> OnnxTensor {
    let data = match &tensor.data {
        Data::F32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Data::F64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Data::I32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Data::U8(values) => values.clone(),
        Data::Bool(values) => values.iter().map(|&value| u8::from(value)).collect(),
    };
    OnnxTensor {
        name: name.to_owned(),
        dims: tensor.shape.iter().map(|&extent| extent as i64).collect(),
        element: element(tensor.dtype()),
        data,
        external: None,
    }
}

/// An attribute that is a whole number.
pub(super) fn int(name: &str, value: i64) -> (String, OnnxAttribute) {
    (name.to_owned(), OnnxAttribute::Int(value))
}

/// An attribute of whole numbers.
pub(super) fn ints(name: &str, values: Vec<i64>) -> (String, OnnxAttribute) {
    (name.to_owned(), OnnxAttribute::Ints(values))
}

/// An attribute that is a number.
pub(super) fn float(name: &str, value: f64) -> (String, OnnxAttribute) {
    (name.to_owned(), OnnxAttribute::Float(value as f32))
}

/// An attribute that is a text.
pub(super) fn text(name: &str, value: &str) -> (String, OnnxAttribute) {
    (name.to_owned(), OnnxAttribute::String(value.as_bytes().to_vec()))
}
