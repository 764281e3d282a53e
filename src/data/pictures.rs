//! Samples that are no part of a data set, made as the data set makes those to judge by: files of
//! images, idx files, rows of numbers.
//!
//! ```text
//! photo.jpg          decoded, fitted to the source's size, taken through the transforms
//! images-idx3-ubyte  each record an image of the source's size
//! 0,0,12,255,…       a row of a CSV file: an image's bytes in order
//! ```

use std::cell::RefCell;
use std::path::Path;

use fast_image_resize::Resizer;

use super::error::DataError;
use super::idx;
use super::images::{Decoder, FitTarget};
use super::request::SourceRequest;
use super::transform::{self, Frame, Size, Transforms};
use crate::base::csv;
use crate::base::schema::Schema;
use crate::base::tensor::DType;

/// Makes samples of files; many threads may use it.
#[derive(Debug)]
pub struct Preprocessor {
    /// Of images with as many channels as files of images have.
    decoder: Option<Decoder>,
    transforms: Transforms,
    /// Size of samples before the transforms.
    before: Size,
    schema: Schema,
}

thread_local! {
    /// Buffers that a thread keeps between samples.
    static BENCH: RefCell<(Frame, Resizer)> = RefCell::new((Frame::default(), Resizer::new()));
}

impl Preprocessor {
    /// For a model that was trained on a source whose samples look like this.
    pub fn new(request: &SourceRequest, source: &Schema) -> Result<Preprocessor, DataError> {
        let [field] = source.inputs()[..] else {
            return Err(DataError::new("the model takes more than an image"));
        };
        let (height, width, channels) = match field.shape[..] {
            [height, width, channels] => (height, width, channels),
            [length] => (1, length, 1),
            _ => {
                let message = format!("the model takes no images, but {:?}", field.shape);
                return Err(DataError::new(message));
            }
        };
        if field.dtype != DType::U8 {
            return Err(DataError::new(format!(
                "the model takes {}, not bytes",
                field.dtype.name()
            )));
        }
        let items = transform::parse(&request.transforms)?;
        let (transforms, schema) = transform::fit(&items, source)?;
        let decoder = match channels {
            1 | 3 => {
                let (kind, args) = super::asked(request)?;
                let resize = kind.resize(&args)?;
                Some(Decoder::new(FitTarget { height, width, channels, resize }))
            }
            _ => None,
        };
        Ok(Preprocessor { decoder, transforms, before: Size { height, width, channels }, schema })
    }

    /// Fields of a sample as the model gets it.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Bytes of a sample.
    pub fn bytes(&self) -> usize {
        self.schema.inputs()[0].bytes()
    }

    /// Makes a sample of an image file that has been read. An error is a reason in plain words.
    pub fn image(&self, file: &[u8], out: &mut [u8]) -> Result<(), String> {
        let Some(decoder) = &self.decoder else {
            let channels = self.before.channels;
            return Err(format!(
                "the model takes {channels} channels, which no image has: give it idx files or rows"
            ));
        };
        BENCH.with_borrow_mut(|(frame, resizer)| {
            frame.load(self.before, |room| decoder.bytes(file, resizer, room))?;
            self.transformed(frame, out);
            Ok(())
        })
    }

    /// Makes a sample of an image's bytes as the source has them.
    pub fn record(&self, bytes: &[u8], out: &mut [u8]) -> Result<(), String> {
        if bytes.len() != self.before.bytes() {
            let Size { height, width, channels } = self.before;
            return Err(format!(
                "has {} values; the model was trained on {height} × {width} × {channels}",
                bytes.len()
            ));
        }
        BENCH.with_borrow_mut(|(frame, _)| {
            frame.load(self.before, |room| {
                room.copy_from_slice(bytes);
                Ok::<(), String>(())
            })?;
            self.transformed(frame, out);
            Ok(())
        })
    }

    fn transformed(&self, frame: &mut Frame, out: &mut [u8]) {
        if self.transforms.change_images(false) {
            self.transforms.apply(frame, None);
        }
        out.copy_from_slice(&frame.pixels);
    }
}

/// The records of an idx file, each an image's bytes.
pub fn idx_records(path: &Path) -> Result<Vec<Vec<u8>>, DataError> {
    let (idx, _) = idx::read(path)?;
    let size: usize = idx.dims[1..].iter().product();
    Ok(idx.bytes.chunks(size.max(1)).map(<[u8]>::to_vec).collect())
}

/// The rows of a table (CSV, or with `;` or tabs between its fields), each an image's bytes: numbers
/// from 0 to 255. A first row of names is passed over, and so is a first column that it calls `label`.
/// A row that is no image has the place and the reason in its stead; the others are not worse for it.
pub fn csv_records(text: &str) -> Vec<Result<Vec<u8>, String>> {
    let mut records = Vec::new();
    let mut labelled = false;
    for (index, row) in csv::records(text, csv::delimiter(text)).enumerate() {
        if index == 0 && row.fields.iter().any(|field| field.parse::<f64>().is_err()) {
            labelled = row.fields[0].eq_ignore_ascii_case("label");
            continue;
        }
        let value = |(column, field): (usize, &String)| match field.parse::<f64>() {
            Ok(value) if (0.0..=255.0).contains(&value) && value.fract() == 0.0 => Ok(value as u8),
            _ => Err(format!(
                "line {}, column {}: `{}` is no whole number from 0 to 255",
                row.line,
                column + 1,
                field.chars().take(MOST_SHOWN).collect::<String>(),
            )),
        };
        let values = row.fields.iter().enumerate().skip(usize::from(labelled));
        records.push(values.map(value).collect());
    }
    records
}

/// Characters of a field that a message shows: a quote that is not closed makes one of the whole rest.
const MOST_SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use super::csv_records;

    #[test]
    fn rows_are_bytes_and_names_are_passed_over() {
        for sign in [",", ";", "\t"] {
            let text = "1,2,3\n\n4, 5 ,255\n".replace(',', sign);
            assert_eq!(csv_records(&text), [Ok(vec![1, 2, 3]), Ok(vec![4, 5, 255])]);
        }
        assert_eq!(csv_records("label,\"a,b\"\n9,1\n"), [Ok(vec![1])], "a name with a comma");
        assert_eq!(csv_records("label,a,b\n9,1,2\n"), [Ok(vec![1, 2])]);
        assert_eq!(csv_records("\"a\",\"b\"\n1,2.0\n"), [Ok(vec![1, 2])]);
        assert_eq!(csv_records("\u{feff}1,2\n"), [Ok(vec![1, 2])], "a mark is no name");
        let rows = csv_records("1,2\n3,nan\n5,6\n");
        assert_eq!((&rows[0], &rows[2]), (&Ok(vec![1, 2]), &Ok(vec![5, 6])));
        assert!(rows[1].as_ref().unwrap_err().contains("line 2, column 2: `nan`"));
        for (text, wanted) in [("1,256", "line 1, column 2"), ("1,2\n3,x", "line 2, column 2: `x`")]
        {
            let message = csv_records(text).pop().unwrap().unwrap_err();
            assert!(message.contains(wanted), "{message}");
        }
    }
}
