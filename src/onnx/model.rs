//! The messages of ONNX that nnc reads and writes, as plain data; names and meanings are those of
//! `onnx.proto3`, at <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3>.

/// A model: a graph with the versions of the operators that it is made of (`ModelProto`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnnxModel {
    /// The version of the file format.
    pub ir_version: i64,
    /// The versions of operators by domain; the empty domain is ONNX's own.
    pub opsets: Vec<(String, i64)>,
    /// The program that wrote the file, and its version.
    pub producer: (String, String),
    /// Words about the model.
    pub doc: String,
    /// Facts by name.
    pub metadata: Vec<(String, String)>,
    /// The graph.
    pub graph: OnnxGraph,
}

/// Nodes in an order in which they can run (`GraphProto`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnnxGraph {
    /// Its name.
    pub name: String,
    /// The nodes.
    pub nodes: Vec<OnnxNode>,
    /// Constants, such as weights, by their names.
    pub initializers: Vec<OnnxTensor>,
    /// The values that are given; older files list initializers here, too.
    pub inputs: Vec<OnnxValue>,
    /// The values that are computed.
    pub outputs: Vec<OnnxValue>,
    /// Types of values between, where they are written down.
    pub values: Vec<OnnxValue>,
}

/// An operator on named values (`NodeProto`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnnxNode {
    /// Its name; may be empty.
    pub name: String,
    /// The operator, such as `Conv`.
    pub op: String,
    /// The operator's domain; empty for ONNX's own.
    pub domain: String,
    /// The values it reads; an empty name is an argument left out.
    pub inputs: Vec<String>,
    /// The values it makes.
    pub outputs: Vec<String>,
    /// Its attributes by name.
    pub attributes: Vec<(String, OnnxAttribute)>,
}

/// The value of an attribute (`AttributeProto`).
#[derive(Clone, Debug, PartialEq)]
pub enum OnnxAttribute {
    /// A number.
    Float(f32),
    /// A whole number.
    Int(i64),
    /// Bytes, mostly text.
    String(Vec<u8>),
    /// A tensor.
    Tensor(OnnxTensor),
    /// A subgraph, as of `If` and `Loop`.
    Graph(Box<OnnxGraph>),
    /// Numbers.
    Floats(Vec<f32>),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// Several texts.
    Strings(Vec<Vec<u8>>),
    /// Something that nnc has no use for (tensors, graphs, sparse tensors, types), by the number of its
    /// kind.
    Other(i64),
}

/// A tensor with its elements (`TensorProto`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnnxTensor {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub dims: Vec<i64>,
    /// The elements' type, a number of `TensorProto.DataType`: 1 is f32, 7 is i64.
    pub element: i32,
    /// The elements one after the other, little-endian, packed as `raw_data` is.
    pub data: Vec<u8>,
    /// Where the elements are, if in another file.
    pub external: Option<OnnxExternal>,
}

/// The place of a tensor's elements in another file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnnxExternal {
    /// The file, beside the model's.
    pub location: String,
    /// The first byte.
    pub offset: u64,
    /// How many bytes; none for all that follow.
    pub length: Option<u64>,
}

/// The name and type of a value (`ValueInfoProto` of a tensor).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnnxValue {
    /// Its name.
    pub name: String,
    /// The elements' type, as in [`OnnxTensor::element`]; 0 where it is not a tensor.
    pub element: i32,
    /// Its shape; none where it is not known.
    pub dims: Option<Vec<OnnxDim>>,
}

/// An extent of a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnnxDim {
    /// A number.
    Known(i64),
    /// A symbol, such as `N`.
    Named(String),
    /// Nothing is known.
    Unknown,
}
