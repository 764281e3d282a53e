//! `arrays("file.npz")`: samples from named arrays of `.npz`, `.npy` or `.safetensors`; the first axis
//! are the samples.
//!
//! ```text
//! features f4 [2000, 16], kind i8 [2000]   →   features: f32[16], kind: i32[]
//! ```
//!
//! Numbers become `f32`, whole numbers `i32`, bytes stay bytes: converted where every value survives
//! exactly, `f64` rounded; what does not fit is an error that names the element.

mod file;
mod npy;
mod predict;
mod write;
mod zip;

pub use write::write_npz;

use std::sync::Arc;

use self::file::ArrayFile;
use self::predict::ArrayInputs;
use super::dataset::Dataset;
use super::error::DataError;
use super::fields::SplitPlan;
use super::input::{InputReader, InputRequest};
use super::locate;
use super::origins::SampleOrigins;
use super::request::{Arguments, FieldRequest, Literal, Places, Watch};
use super::samples::{Column, Samples, Split};
use super::source::SampleSource;
use super::split::parts;
use crate::base::names::near;
use crate::base::schema::{ClassField, Field, FieldKind};
use crate::base::shown::Show;
use crate::base::tensor::DType;

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Each is the type of its name.
pub enum ElementType {
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
}

impl ElementType {
    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            ElementType::I8 | ElementType::U8 | ElementType::Bool => 1,
            ElementType::F16 | ElementType::I16 | ElementType::U16 => 2,
            ElementType::F32 | ElementType::I32 | ElementType::U32 => 4,
            ElementType::F64 | ElementType::I64 | ElementType::U64 => 8,
        }
    }

    fn is_float(self) -> bool {
        matches!(self, ElementType::F16 | ElementType::F32 | ElementType::F64)
    }

    /// The type that it becomes.
    fn dtype(self) -> DType {
        match self {
            ElementType::U8 => DType::U8,
            _ if self.is_float() => DType::F32,
            _ => DType::I32,
        }
    }
}

/// An array of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedArray {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub element: ElementType,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its elements, little-endian, the last axis fastest.
    pub bytes: Vec<u8>,
}

impl NamedArray {
    /// The elements as a step takes them. An error names the element.
    fn converted(self) -> Result<Vec<u8>, String> {
        let size = self.element.size();
        let element = |index: usize| &self.bytes[index * size..][..size];
        let count = self.bytes.len() / size;
        let wrong = |index: usize, value: String, into: &str| {
            format!("element {index} of `{}` is {value}, which is no {into}", self.name.shown())
        };
        match self.element {
            ElementType::U8 | ElementType::I32 => Ok(self.bytes),
            ElementType::F32 => {
                let mut values = self.bytes.as_chunks().0.iter().map(|&it| f32::from_le_bytes(it));
                match values.position(|value| !value.is_finite()) {
                    None => Ok(self.bytes),
                    Some(index) => {
                        let value = float(self.element, element(index));
                        Err(wrong(index, value.to_string(), "finite number"))
                    }
                }
            }
            of if of.is_float() => {
                let mut out = Vec::with_capacity(4 * count);
                for index in 0..count {
                    let wide = float(of, element(index));
                    let value = wide as f32;
                    if !value.is_finite() {
                        let into = if wide.is_finite() { "f32" } else { "finite number" };
                        return Err(wrong(index, wide.to_string(), into));
                    }
                    out.extend(value.to_le_bytes());
                }
                Ok(out)
            }
            of => {
                let mut out = Vec::with_capacity(4 * count);
                for index in 0..count {
                    let wide = integer(of, element(index));
                    let value = i32::try_from(wide);
                    let value = value.map_err(|_| wrong(index, wide.to_string(), "i32"))?;
                    out.extend(value.to_le_bytes());
                }
                Ok(out)
            }
        }
    }
}

fn float(of: ElementType, bytes: &[u8]) -> f64 {
    match (of, bytes) {
        (ElementType::F64, &[a, b, c, d, e, f, g, h]) => {
            f64::from_le_bytes([a, b, c, d, e, f, g, h])
        }
        (ElementType::F32, &[a, b, c, d]) => f64::from(f32::from_le_bytes([a, b, c, d])),
        (_, &[low, high]) => half::f16::from_le_bytes([low, high]).to_f64(),
        _ => f64::NAN,
    }
}

fn integer(of: ElementType, bytes: &[u8]) -> i128 {
    let unsigned = bytes.iter().rev().fold(0u64, |all, &byte| all << 8 | u64::from(byte));
    let bits = 8 * bytes.len() as u32;
    match of {
        ElementType::I8 | ElementType::I16 | ElementType::I32 | ElementType::I64 => {
            i128::from((unsigned << (64 - bits)) as i64 >> (64 - bits))
        }
        _ => i128::from(unsigned),
    }
}

/// The source `arrays`.
pub struct Arrays;

impl SampleSource for Arrays {
    fn name(&self) -> &'static str {
        "arrays"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["file", "target", "test", "validation", "split"]
    }

    fn takes_fields(&self) -> bool {
        true
    }

    fn open(
        &self,
        args: &Arguments<'_>,
        places: &Places,
        _: Watch<'_>,
    ) -> Result<Dataset, DataError> {
        load(args, places)
    }

    fn inputs(&self, asked: &InputRequest<'_>) -> Result<Box<dyn InputReader>, DataError> {
        Ok(Box::new(ArrayInputs::new(asked)?))
    }
}

/// The arrays that are fields: their names in the file and in samples, and whether they are targets.
struct ArrayField {
    array: String,
    name: String,
    is_target: bool,
    place: Option<usize>,
}

fn wanted(args: &Arguments<'_>, there: &ArrayFile) -> Result<Vec<ArrayField>, DataError> {
    let Some(fields) = args.fields else {
        let targets: Vec<String> = match args.get("target") {
            None => Vec::new(),
            Some(Literal::Name(name) | Literal::Str(name)) => vec![name.clone()],
            Some(Literal::List(names)) => names
                .iter()
                .map(|name| match name {
                    Literal::Name(name) | Literal::Str(name) => Ok(name.clone()),
                    _ => Err(args.wrong("target", "the name of an array, or a list of names")),
                })
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(args.wrong("target", "the name of an array, or a list of names")),
        };
        if let Some(name) = targets.iter().find(|name| there.place(name).is_none()) {
            return Err(no_array(name, there).argument("target"));
        }
        let field = |name: &String| ArrayField {
            array: name.clone(),
            name: name.clone(),
            is_target: targets.contains(name),
            place: None,
        };
        let mut fields: Vec<ArrayField> = there.names.iter().map(field).collect();
        fields.sort_by_key(|field| field.is_target);
        return Ok(fields);
    };
    let field = |(place, field): (usize, &FieldRequest)| {
        if field.kind.name != "array" {
            let message = format!("fields of arrays are `array`, not `{}`", field.kind.name);
            return Err(DataError::new(message)
                .help("write `array` or `array(\"name\")`")
                .field(place));
        }
        if !field.transforms.is_empty() {
            let message = "fields of arrays have no transforms: prepare the numbers in the model";
            return Err(DataError::new(message).field(place));
        }
        let of = Arguments::of_call(&field.kind, &["name"])?;
        let array = of.text("name")?.unwrap_or(&field.name).to_owned();
        if there.place(&array).is_none() {
            return Err(no_array(&array, there).field(place));
        }
        let (name, is_target) = (field.name.clone(), field.is_target);
        Ok(ArrayField { array, name, is_target, place: Some(place) })
    };
    let mut fields: Vec<ArrayField> =
        fields.iter().enumerate().map(field).collect::<Result<_, _>>()?;
    fields.sort_by_key(|field| field.is_target);
    Ok(fields)
}

fn no_array(name: &str, there: &ArrayFile) -> DataError {
    let error = DataError::new(format!("there is no array `{}`", name.shown()));
    let names: Vec<&str> = there.names.iter().map(String::as_str).collect();
    match near(name, names.iter().copied()).first() {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("its arrays are {}", names.join(", "))),
    }
}

/// Notes the number of an array's samples, or refuses another than the first array's.
fn same_count(
    first: &mut Option<(usize, String)>,
    name: &str,
    count: usize,
) -> Result<(), DataError> {
    match first.get_or_insert_with(|| (count, name.to_owned())) {
        (known, _) if *known == count => Ok(()),
        (known, first) => {
            let (name, first) = (name.shown(), first.shown());
            Err(DataError::new(format!("`{name}` has {count} samples, `{first}` {known}")))
        }
    }
}

/// Reads the arrays, and makes samples of them.
fn load(args: &Arguments<'_>, places: &Places) -> Result<Dataset, DataError> {
    let path = locate::file(args.required_text("file")?, "file", places)?;
    let there = ArrayFile::of(&path)?;
    let fields = wanted(args, &there)?;
    let mut columns: Vec<(Field, Column)> = Vec::new();
    let mut samples: Option<(usize, String)> = None;
    for field in fields {
        let at_field = |error: DataError| error.maybe_field(field.place);
        let place = there.place(&field.array).ok_or_else(|| no_array(&field.array, &there))?;
        let array = there.array(place).map_err(|it| at_field(it.path(&path)))?;
        let Some((&count, shape)) = array.shape.split_first() else {
            let message = format!("`{}` is a single number", array.name.shown());
            return Err(at_field(DataError::new(message)));
        };
        same_count(&mut samples, &array.name, count).map_err(|it| at_field(it.path(&path)))?;
        let of = array_field(&field, &array, shape);
        let bytes = array.converted().map_err(|it| at_field(DataError::new(it).path(&path)))?;
        columns.push((of, Column::Memory(bytes)));
    }
    let Some((count @ 1.., _)) = samples else {
        return Err(DataError::new("there are no samples in it").path(&path));
    };
    dataset(args, Samples::new(count, columns).from(SampleOrigins::Within(path)))
}

/// A field of an array: bytes that are read are an image, whole numbers that are a target are classes.
fn array_field(wanted: &ArrayField, array: &NamedArray, shape: &[usize]) -> Field {
    let (name, dtype, is_target) = (&wanted.name, array.element.dtype(), wanted.is_target);
    if dtype == DType::U8 && !shape.is_empty() && !is_target {
        return Field::image(name, shape);
    }
    let field = Field { is_target, ..Field::number(name, dtype, shape) };
    if array.element.is_float() {
        return field;
    }
    let size = array.element.size();
    let values = array.bytes.chunks_exact(size).map(|bytes| integer(array.element, bytes));
    let most = values.clone().max().filter(|_| values.clone().all(|value| value >= 0));
    let count = most.and_then(|most| usize::try_from(most).ok()).map(|most| most + 1);
    Field { kind: FieldKind::Class(ClassField { count, one_hot: false }), ..field }
}

fn dataset(args: &Arguments<'_>, samples: Samples) -> Result<Dataset, DataError> {
    let (test, validation) = (args.fraction("test")?, args.fraction("validation")?);
    let plan = SplitPlan::of(args, |name| Some(name.to_owned()))?;
    if !matches!(plan, None | Some(SplitPlan::Random(None))) {
        return Err(args.wrong("split", "random"));
    }
    let (count, samples) = (samples.count(), Arc::new(samples));
    let labels = Split::all(samples.clone()).labels().unwrap_or_else(|| vec![0; count]);
    let parts = parts(&labels, [test, validation]);
    let splits = [&parts[0], &parts[2], &parts[1]].map(Clone::clone);
    Ok(Dataset::of_splits(Arrays.name(), samples, splits))
}
