//! Tensors of JSON: `data` is one list or lists in lists, and becomes the bytes of each sample's field.
//!
//! ```text
//! "shape": [2, 2], "datatype": "UINT8", "data": [[1, 2], [3, 4]]   →   [1, 2], [3, 4]      the same of [1, 2, 3, 4]
//! ```
//!
//! A number is taken where the model's type holds it: whole ones for whole types, in their range; those of
//! `FP64` are rounded for a model that reads `FP32`. Text (`BYTES`) is not: `/predict` takes it.

use crate::base::schema::Field;
use crate::base::tensor::DType;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use std::fmt;

/// The most lists in lists; shapes of samples are shorter.
const MOST_AXES: usize = 16;

/// Numbers of JSON, in order.
#[derive(Debug, Default)]
pub(super) struct TensorData {
    numbers: Vec<f64>,
    /// Whether one of them was `true` or `false`, and whether one was not.
    truths: (bool, bool),
    /// The length of the lists of each depth; `None` where they differ.
    lengths: Vec<Option<usize>>,
}

/// A tensor of a request.
#[derive(Debug, serde::Deserialize)]
pub(super) struct GivenTensor {
    /// Its name.
    pub name: String,
    /// Its shape, the samples first.
    pub shape: Vec<u64>,
    /// Its type, as the protocol has it.
    pub datatype: String,
    /// Its elements.
    pub data: TensorData,
}

impl<'de> Deserialize<'de> for TensorData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TensorData, D::Error> {
        let mut data = TensorData::default();
        deserializer.deserialize_seq(ListOf { data: &mut data, depth: 0 })?;
        Ok(data)
    }
}

/// A list of numbers or of lists, at a depth.
struct ListOf<'d> {
    data: &'d mut TensorData,
    depth: usize,
}

impl<'de> Visitor<'de> for ListOf<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of numbers, or of such lists")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let ListOf { data, depth } = self;
        if depth == MOST_AXES {
            return Err(A::Error::custom(format!("`data` has more than {MOST_AXES} axes")));
        }
        let is_first = data.lengths.len() == depth;
        if is_first {
            data.lengths.push(None);
        }
        let mut length = 0;
        while list.next_element_seed(ElementOf { data, depth })?.is_some() {
            length += 1;
        }
        match data.lengths[depth] {
            None if is_first => data.lengths[depth] = Some(length),
            Some(before) if before == length => {}
            _ => data.lengths[depth] = None,
        }
        Ok(())
    }
}

/// An element of a list: a number, or a list one deeper.
struct ElementOf<'d> {
    data: &'d mut TensorData,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for ElementOf<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ElementOf<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a list of numbers")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.data.push(number as f64);
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.data.push(number as f64);
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.data.push(number);
        Ok(())
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<(), E> {
        self.data.numbers.push(f64::from(u8::from(truth)));
        self.data.truths.0 = true;
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        ListOf { data: self.data, depth: self.depth + 1 }.visit_seq(list)
    }
}

impl TensorData {
    fn push(&mut self, number: f64) {
        self.numbers.push(number);
        self.truths.1 = true;
    }
}

/// The name of an element type in the protocol.
pub(super) fn datatype(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "FP32",
        DType::F64 => "FP64",
        DType::I32 => "INT32",
        DType::U8 => "UINT8",
        DType::Bool => "BOOL",
    }
}

/// Whether numbers of a datatype may be those of a field.
fn suits(datatype: &str, dtype: DType) -> bool {
    let whole = ["INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"];
    match dtype {
        DType::F32 | DType::F64 => {
            ["FP16", "BF16", "FP32", "FP64"].contains(&datatype) || whole.contains(&datatype)
        }
        DType::I32 | DType::U8 => whole.contains(&datatype),
        DType::Bool => datatype == "BOOL",
    }
}

fn shown(shape: &[u64]) -> String {
    let extents: Vec<String> = shape.iter().map(u64::to_string).collect();
    format!("[{}]", extents.join(", "))
}

/// The bytes of a field in each sample of a tensor.
pub(super) fn samples_of(tensor: &GivenTensor, field: &Field) -> Result<Vec<Vec<u8>>, String> {
    let (name, own) = (&field.name, datatype(field.dtype));
    if !suits(&tensor.datatype, field.dtype) {
        let given: String = tensor.datatype.chars().take(16).collect();
        return Err(format!("`{name}` is {own} in this model, and {given} in the request"));
    }
    let inner: Vec<u64> = field.shape.iter().map(|&extent| extent as u64).collect();
    let count = match tensor.shape.split_first() {
        Some((&count, rest)) if *rest == inner[..] => count,
        _ => {
            let wanted: Vec<String> = inner.iter().map(|extent| format!(", {extent}")).collect();
            let given = shown(&tensor.shape[..tensor.shape.len().min(MOST_AXES)]);
            let wanted = wanted.concat();
            return Err(format!(
                "`{name}` has the shape {given}; the model takes [samples{wanted}]"
            ));
        }
    };
    let TensorData { numbers, truths, lengths } = &tensor.data;
    let elements = inner.iter().fold(count, |all, &extent| all.saturating_mul(extent));
    let is_nested = lengths.len() > 1;
    let is_shape = || {
        lengths.iter().map(|it| it.map(|it| it as u64)).eq(tensor.shape.iter().map(|&it| Some(it)))
    };
    if elements != numbers.len() as u64 || is_nested && !is_shape() {
        let (shape, there) = (shown(&tensor.shape), numbers.len());
        let lists = if is_nested { ", in lists of that shape or in one list" } else { "" };
        return Err(format!(
            "`{name}` has {there} numbers in its data; its shape {shape} has {elements}{lists}"
        ));
    }
    if count == 0 {
        return Err(format!("`{name}` has no samples"));
    }
    let is_truth = field.dtype == DType::Bool;
    if truths.0 && !is_truth || truths.1 && is_truth {
        let wanted = if is_truth { "true or false" } else { "numbers" };
        return Err(format!("the data of `{name}` are {wanted} in this model"));
    }
    let of_sample = numbers.len() / count as usize;
    if of_sample == 0 {
        return Ok(vec![Vec::new(); count as usize]);
    }
    let bytes = |numbers: &[f64]| {
        bytes_of(numbers, field.dtype).map_err(|wrong| format!("{wrong} of `{name}` is no {own}"))
    };
    numbers.chunks_exact(of_sample).map(bytes).collect()
}

/// Numbers in an element type; the number that it does not hold.
fn bytes_of(numbers: &[f64], dtype: DType) -> Result<Vec<u8>, f64> {
    let is_whole =
        |number: f64, from: f64, to: f64| number.fract() == 0.0 && (from..=to).contains(&number);
    let mut out = Vec::with_capacity(numbers.len() * dtype.size());
    for &number in numbers {
        match dtype {
            DType::F32 if (number as f32).is_finite() => {
                out.extend((number as f32).to_ne_bytes());
            }
            DType::F64 => out.extend(number.to_ne_bytes()),
            DType::U8 if is_whole(number, 0.0, 255.0) => out.push(number as u8),
            DType::I32 if is_whole(number, f64::from(i32::MIN), f64::from(i32::MAX)) => {
                out.extend((number as i32).to_ne_bytes());
            }
            DType::Bool if is_whole(number, 0.0, 1.0) => out.push(number as u8),
            DType::F32 | DType::U8 | DType::I32 | DType::Bool => return Err(number),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(
        field: &Field,
        shape: &str,
        datatype: &str,
        data: &str,
    ) -> Result<Vec<Vec<u8>>, String> {
        let text = format!(
            r#"{{"name":"x","shape":{shape},"data":{data},"datatype":"{datatype}","parameters":{{}}}}"#
        );
        let tensor: GivenTensor = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        samples_of(&tensor, field)
    }

    #[test]
    fn lists_may_be_flat_or_nested_as_the_shape_says() {
        let field = Field::image("x", &[2, 1]);
        let both = Ok(vec![vec![1, 2], vec![3, 255]]);
        assert_eq!(samples(&field, "[2,2,1]", "UINT8", "[1,2,3,255]"), both);
        assert_eq!(samples(&field, "[2,2,1]", "INT64", "[[[1],[2]],[[3],[255]]]"), both);
        for (shape, data) in [
            ("[2,2,1]", "[1,2,3]"),
            ("[2,2,1]", "[[1,2],[3,255]]"),
            ("[2,2,1]", "[[1,2,3],[255]]"),
            ("[2,2,1]", "[[[1],[2]],[[3],[]],4]"),
            ("[4]", "[1,2,3,4]"),
            ("[]", "[]"),
            ("[0,2,1]", "[]"),
            ("[18446744073709551615,2,1]", "[1]"),
            ("[9223372036854775808,2,1]", "[]"),
            ("[-1,2,1]", "[1,2]"),
            ("[2,2,1]", "7"),
            ("[2,2,1]", "[\"a\"]"),
            ("[2,2,1]", "[null]"),
            ("[2,2,1]", "[1,2,3,256]"),
            ("[2,2,1]", "[1,2,3,-1]"),
            ("[2,2,1]", "[1,2,3,0.5]"),
            ("[2,2,1]", "[1,2,3,true]"),
        ] {
            assert!(samples(&field, shape, "UINT8", data).is_err(), "{shape} {data}");
        }
        assert!(samples(&field, "[1,2,1]", "FP32", "[1,2]").unwrap_err().contains("UINT8"));
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(samples(&field, "[1,2,1]", "UINT8", &deep).unwrap_err().contains("axes"));
    }

    #[test]
    fn numbers_become_the_type_of_the_model() {
        let of = |dtype| Field::number("x", dtype, &[]);
        let floats = samples(&of(DType::F32), "[2]", "FP64", "[0.1, -3]").unwrap();
        assert_eq!(floats, [0.1_f32.to_ne_bytes().to_vec(), (-3.0_f32).to_ne_bytes().to_vec()]);
        assert!(samples(&of(DType::F32), "[1]", "FP64", "[1e300]").is_err(), "not finite");
        let whole = samples(&of(DType::I32), "[1]", "INT64", "[-7]").unwrap();
        assert_eq!(whole, [(-7_i32).to_ne_bytes().to_vec()]);
        assert!(samples(&of(DType::I32), "[1]", "INT64", "[3000000000]").is_err());
        assert_eq!(samples(&of(DType::Bool), "[2]", "BOOL", "[true,false]").unwrap(), [[1], [0]]);
        assert!(samples(&of(DType::Bool), "[1]", "BOOL", "[1]").is_err());
        assert!(samples(&of(DType::I32), "[1]", "BYTES", "[1]").is_err());
    }
}
