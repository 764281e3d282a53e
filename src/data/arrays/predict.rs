//! Arrays to predict: the model's inputs by their names; the first axis are the samples.
//!
//! ```text
//! features f4 [3, 16], kind i8 [3]   →   new.npz#0, new.npz#1, new.npz#2    (kind, a target, is not read)
//! new.npy f4 [3, 16]                 →   of a model with one input the same, whatever its name
//! ```
//!
//! Numbers are converted to the type that the model was trained on where every value survives exactly,
//! `f64` rounded. A class that the data to train on did not have is an error of its sample.

use std::path::Path;

use super::file::is_safetensors;
use super::{ArrayFile, NamedArray, float, integer, no_array, same_count};
use crate::base::schema::{Field, FieldKind};
use crate::base::shown::Show;
use crate::base::tensor::DType;
use crate::data::error::DataError;
use crate::data::input::{
    GivenInput, InputContent, InputPlace, InputReader, InputRequest, InputSample, PictureInputs,
};
use crate::data::request::Arguments;

/// Reads samples of arrays.
pub struct ArrayInputs {
    /// The fields that the model reads, as the source has them, and the names of their arrays.
    fields: Vec<(Field, String)>,
    /// The same, as a step gets them.
    prepared: Vec<Field>,
    /// Of a model whose only input is an image: its transforms, and files of images.
    pictures: Option<PictureInputs>,
}

impl ArrayInputs {
    /// For a model that reads arrays.
    pub fn new(asked: &InputRequest<'_>) -> Result<ArrayInputs, DataError> {
        let array = |field: &Field| -> Result<String, DataError> {
            let own = asked.args.fields.and_then(|all| all.iter().find(|it| it.name == field.name));
            let name = match own {
                Some(own) => Arguments::of_call(&own.kind, &["name"])?.text("name")?,
                None => None,
            };
            Ok(name.unwrap_or(&field.name).to_owned())
        };
        let named = |field: &Field| Ok((field.clone(), array(field)?));
        let fields = asked.wanted.iter().map(named).collect::<Result<Vec<_>, DataError>>()?;
        let pictures = match &asked.wanted[..] {
            [field] if field.as_image().is_some() => PictureInputs::new(asked).ok(),
            _ => None,
        };
        if pictures.is_none() && !asked.request.transforms.is_empty() {
            let message = "transforms are made of one image, but the model reads other fields";
            return Err(DataError::new(message));
        }
        let prepared = match &pictures {
            Some(pictures) => pictures.fields().to_vec(),
            None => asked.wanted.clone(),
        };
        Ok(ArrayInputs { fields, prepared, pictures })
    }

    /// The elements of each field, and how many samples there are.
    fn columns(&self, path: &Path) -> Result<(Vec<Vec<u8>>, usize), DataError> {
        let there = ArrayFile::of(path)?;
        let mut columns = Vec::new();
        let mut samples: Option<(usize, String)> = None;
        for (field, name) in &self.fields {
            let place = match there.names.len() {
                // The name of a lone array is often that of its file.
                1 if self.fields.len() == 1 => Some(0),
                _ => there.place(name),
            };
            let array = there.array(place.ok_or_else(|| no_array(name, &there))?)?;
            let count = count_of(&array, field)?;
            same_count(&mut samples, &array.name, count)?;
            columns.push(as_type(&array, field.dtype).map_err(DataError::new)?);
        }
        match samples {
            Some((count @ 1.., _)) => Ok((columns, count)),
            _ => Err(DataError::new("there are no samples in it")),
        }
    }

    fn sample(&self, columns: &[Vec<u8>], index: usize) -> InputContent {
        let mut fields = Vec::new();
        for ((field, name), column) in self.fields.iter().zip(columns) {
            let bytes = &column[index * field.bytes()..][..field.bytes()];
            if let Some(reason) = strange_class(field, name, bytes) {
                return InputContent::Unreadable(reason);
            }
            fields.push(bytes.to_vec());
        }
        match self.pictures {
            // An image is the only field.
            Some(_) => InputContent::Record(fields.concat()),
            None => InputContent::Fields(fields),
        }
    }
}

impl InputReader for ArrayInputs {
    fn fields(&self) -> &[Field] {
        &self.prepared
    }

    fn place_name(&self) -> &'static str {
        "sample"
    }

    fn samples(&self, given: &GivenInput) -> Vec<InputSample> {
        if let Some(pictures) = self.pictures.as_ref().filter(|_| !has_arrays(given)) {
            return pictures.samples(given);
        }
        let (columns, count) = match given.with_file(|path| self.columns(path)) {
            Ok(read) => read,
            Err(error) => return given.failed(error),
        };
        let sample = |index| InputSample {
            path: given.path().to_path_buf(),
            place: InputPlace::Record(index),
            content: self.sample(&columns, index),
        };
        (0..count).map(sample).collect()
    }

    fn made(&self, sample: &InputSample) -> Result<Vec<Vec<u8>>, String> {
        match &self.pictures {
            Some(pictures) => pictures.made(sample),
            None => Err("the model takes files of arrays".to_owned()),
        }
    }
}

/// Whether a name, or what standard input begins with, is that of arrays.
fn has_arrays(given: &GivenInput) -> bool {
    match given {
        GivenInput::Path(path) => {
            let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
            ["npz", "npy", "safetensors"].iter().any(|known| ending == *known)
        }
        GivenInput::Stdin(bytes) | GivenInput::Body(bytes) => {
            is_safetensors(bytes) || bytes.starts_with(b"PK") || bytes.starts_with(b"\x93NUMPY")
        }
    }
}

/// The number of samples of an array that has those of a field.
fn count_of(array: &NamedArray, field: &Field) -> Result<usize, DataError> {
    match array.shape.split_first() {
        Some((&count, shape)) if *shape == field.shape[..] => Ok(count),
        _ => {
            let text = |shape: &[usize]| {
                let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
                extents.join(", ")
            };
            let (name, own) = (array.name.shown(), text(&array.shape));
            let comma = if field.shape.is_empty() { "" } else { ", " };
            let wanted = format!("samples{comma}{}", text(&field.shape));
            let message = format!("`{name}` has the shape [{own}]; the model takes [{wanted}]");
            Err(DataError::new(message))
        }
    }
}

/// The elements of an array in another type: exactly, or `f64` rounded to `f32`. An error names the
/// element.
fn as_type(array: &NamedArray, dtype: DType) -> Result<Vec<u8>, String> {
    if array.element.dtype() == dtype {
        return array.clone().converted();
    }
    let size = array.element.size();
    let mut out = Vec::with_capacity(array.bytes.len() / size * dtype.size());
    for (index, bytes) in array.bytes.chunks_exact(size).enumerate() {
        let whole = (!array.element.is_float()).then(|| integer(array.element, bytes));
        let wide = whole.map_or_else(|| float(array.element, bytes), |whole| whole as f64);
        let fits = match dtype {
            DType::F32 => {
                f64::from(wide as f32) == wide && whole.is_none_or(|it| it == wide as i128)
            }
            DType::U8 => wide.fract() == 0.0 && (0.0..=255.0).contains(&wide),
            _ => f64::from(wide as i32) == wide,
        };
        if !fits {
            let (name, into) = (array.name.shown(), dtype.name());
            let shown = whole.map_or(wide.to_string(), |whole| whole.to_string());
            return Err(format!(
                "element {index} of `{name}` is {shown}, but the model takes {into}"
            ));
        }
        match dtype {
            DType::F32 => out.extend((wide as f32).to_le_bytes()),
            DType::U8 => out.push(wide as u8),
            _ => out.extend((wide as i32).to_le_bytes()),
        }
    }
    Ok(out)
}

/// The reason where a field of classes has one that the run's data did not have.
fn strange_class(field: &Field, name: &str, bytes: &[u8]) -> Option<String> {
    let FieldKind::Class(class) = &field.kind else { return None };
    let count = class.count.filter(|_| field.dtype == DType::I32)?;
    let classes = bytes.as_chunks::<4>().0.iter().map(|it| i32::from_le_bytes(*it));
    let is_known = |class: &i32| usize::try_from(*class).is_ok_and(|class| class < count);
    let strange = classes.into_iter().find(|class| !is_known(class))?;
    let name = name.shown();
    Some(format!("`{name}` has {strange}; the data of the run have 0 to {}", count - 1))
}
