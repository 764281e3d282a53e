//! Element types and host tensors: what crosses the border of a compiled step, a file or an
//! interpreter.

use std::fmt;

/// The type of an element.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// 32-bit float: what networks compute in.
    F32,
    /// 64-bit float, of scalars only: constants, hyper-parameters and what depends on nothing
    /// but them and the step ("uniform" values) are computed once a step in this type.
    F64,
    /// 32-bit signed integer: labels, indices.
    I32,
    /// Byte: images as they are stored.
    U8,
    /// Truth value, stored as a byte 0 or 1.
    Bool,
}

impl DType {
    /// Every element type.
    pub const ALL: [DType; 5] = [DType::F32, DType::F64, DType::I32, DType::U8, DType::Bool];

    /// The type's name in the language.
    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I32 => "i32",
            DType::U8 => "u8",
            DType::Bool => "bool",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::F32 | DType::I32 => 4,
            DType::F64 => 8,
            DType::U8 | DType::Bool => 1,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The elements of a tensor, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `f32` elements.
    F32(Vec<f32>),
    /// `f64` elements.
    F64(Vec<f64>),
    /// `i32` elements.
    I32(Vec<i32>),
    /// `u8` elements.
    U8(Vec<u8>),
    /// `bool` elements.
    Bool(Vec<bool>),
}

impl Data {
    /// The element type.
    pub fn dtype(&self) -> DType {
        match self {
            Data::F32(_) => DType::F32,
            Data::F64(_) => DType::F64,
            Data::I32(_) => DType::I32,
            Data::U8(_) => DType::U8,
            Data::Bool(_) => DType::Bool,
        }
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        match self {
            Data::F32(values) => values.len(),
            Data::F64(values) => values.len(),
            Data::I32(values) => values.len(),
            Data::U8(values) => values.len(),
            Data::Bool(values) => values.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A dense row-major tensor in ordinary memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Extents, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// As many elements as the product of the extents.
    pub data: Data,
}

impl Tensor {
    /// A tensor of these elements; their number must be the product of the extents.
    pub fn new(shape: impl Into<Vec<usize>>, data: Data) -> Self {
        let shape = shape.into();
        assert_eq!(shape.iter().product::<usize>(), data.len(), "elements of shape {shape:?}");
        Tensor { shape, data }
    }

    /// An `f32` tensor.
    pub fn f32(shape: impl Into<Vec<usize>>, values: Vec<f32>) -> Self {
        Tensor::new(shape, Data::F32(values))
    }

    /// An `i32` tensor.
    pub fn i32(shape: impl Into<Vec<usize>>, values: Vec<i32>) -> Self {
        Tensor::new(shape, Data::I32(values))
    }

    /// All zeros (`false` for bool).
    pub fn zeros(dtype: DType, shape: impl Into<Vec<usize>>) -> Self {
        let shape = shape.into();
        let len = shape.iter().product();
        let data = match dtype {
            DType::F32 => Data::F32(vec![0.0; len]),
            DType::F64 => Data::F64(vec![0.0; len]),
            DType::I32 => Data::I32(vec![0; len]),
            DType::U8 => Data::U8(vec![0; len]),
            DType::Bool => Data::Bool(vec![false; len]),
        };
        Tensor { shape, data }
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.data.dtype()
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The `f32` elements; a tensor of another type is a bug of the caller's.
    pub fn as_f32(&self) -> &[f32] {
        match &self.data {
            Data::F32(values) => values,
            other => panic!("expected f32 elements, found {}", other.dtype()),
        }
    }

    /// The elements as bytes of this machine's order, as a step's memory holds them.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.data {
            Data::F32(values) => values.iter().flat_map(|value| value.to_ne_bytes()).collect(),
            Data::F64(values) => values.iter().flat_map(|value| value.to_ne_bytes()).collect(),
            Data::I32(values) => values.iter().flat_map(|value| value.to_ne_bytes()).collect(),
            Data::U8(values) => values.clone(),
            Data::Bool(values) => values.iter().map(|&value| u8::from(value)).collect(),
        }
    }

    /// A tensor from bytes of this machine's order; the inverse of [`Tensor::to_bytes`].
    pub fn from_bytes(dtype: DType, shape: impl Into<Vec<usize>>, bytes: &[u8]) -> Self {
        fn chunks<const SIZE: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; SIZE]> + '_ {
            bytes.chunks_exact(SIZE).map(|chunk| chunk.try_into().expect("exact chunks"))
        }
        let data = match dtype {
            DType::F32 => Data::F32(chunks(bytes).map(f32::from_ne_bytes).collect()),
            DType::F64 => Data::F64(chunks(bytes).map(f64::from_ne_bytes).collect()),
            DType::I32 => Data::I32(chunks(bytes).map(i32::from_ne_bytes).collect()),
            DType::U8 => Data::U8(bytes.to_vec()),
            DType::Bool => Data::Bool(bytes.iter().map(|&byte| byte != 0).collect()),
        };
        Tensor::new(shape, data)
    }
}
