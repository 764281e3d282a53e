//! Images to predict: files of images, folders of them, records of idx files, rows of numbers.
//!
//! ```text
//! a.png  photos/  digits.idx  rows.csv      a sample for each image and each record
//! -   "a.png\nb.png"                        a list of files, each as if it were named
//! -   "1,2,3\n4,5,6"                        rows of numbers, each an image's bytes
//! -   89 50 4e 47 …                         an image's own bytes
//! ```

use std::io::Read;
use std::path::{Path, PathBuf};

use super::listed::{FileKind, files_of, whole};
use super::{GivenInput, InputContent, InputPlace, InputReader, InputRequest, InputSample};
use crate::base::csv;
use crate::base::schema::Field;
use crate::data::error::DataError;
use crate::data::images;
use crate::data::pictures::{Preprocessor, csv_records, idx_records};
use crate::files::read;

/// Reads images, and takes them through the run's transforms.
pub struct PictureInputs {
    pictures: Preprocessor,
    fields: Vec<Field>,
}

impl PictureInputs {
    /// For a model whose only input is an image.
    pub fn new(asked: &InputRequest<'_>) -> Result<PictureInputs, DataError> {
        let pictures = Preprocessor::new(asked.request, asked.schema)?;
        let fields = pictures.schema().inputs().into_iter().cloned().collect();
        Ok(PictureInputs { pictures, fields })
    }
}

impl InputReader for PictureInputs {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn samples(&self, given: &GivenInput) -> Vec<InputSample> {
        files_of(given, &Pictures)
    }

    fn made(&self, sample: &InputSample) -> Result<Vec<Vec<u8>>, String> {
        let mut out = vec![0; self.pictures.bytes()];
        match &sample.content {
            InputContent::File => {
                self.pictures.image(&images::read_image(&sample.path)?, &mut out)?;
            }
            InputContent::Bytes(bytes) => self.pictures.image(bytes, &mut out)?,
            InputContent::Record(bytes) => self.pictures.record(bytes, &mut out)?,
            _ => return Err("the model takes images".to_owned()),
        }
        Ok(vec![out])
    }
}

/// Files of images, and those that have images as numbers.
struct Pictures;

impl FileKind for Pictures {
    fn below(&self, folder: &Path) -> Result<Vec<PathBuf>, DataError> {
        images::images_below(folder)
    }

    fn plural(&self) -> &'static str {
        "images"
    }

    /// Names may begin as images do (`BMW.jpg`), and need not be UTF-8; no image is text.
    fn is_file(&self, bytes: &[u8]) -> bool {
        std::str::from_utf8(bytes).is_err() && image::guess_format(bytes).is_ok()
    }

    /// An image by its name, numbers by theirs, an idx file by its first bytes.
    fn of_file(&self, path: &Path) -> Result<Vec<InputSample>, String> {
        let ends =
            |ending: &str| path.extension().is_some_and(|it| it.eq_ignore_ascii_case(ending));
        if ends("csv") || ends("tsv") {
            let text = read::text(path, read::TABLE).map_err(|error| error.to_string())?;
            return Ok(rows(path, &text));
        }
        if images::is_image(path) || !is_idx(path)? {
            // Whatever it is called: what it is, its bytes say.
            return Ok(vec![whole(path)]);
        }
        let idx = idx_records(path).map_err(|error| error.message.to_string())?;
        let content = idx.into_iter().map(InputContent::Record);
        Ok(records(path, content))
    }

    /// Text is a table if a line of it has nothing but numbers.
    fn of_lines(&self, path: &Path, bytes: &[u8], lines: &[&[u8]]) -> Option<Vec<InputSample>> {
        if !lines.iter().any(|line| is_row(line)) {
            return None;
        }
        Some(match std::str::from_utf8(bytes) {
            Ok(text) => rows(path, text),
            Err(_) => {
                let reason = read::not_text().to_string();
                records(path, std::iter::once(InputContent::Unreadable(reason)))
            }
        })
    }
}

/// A sample for each row of a table; of one that is no image, why.
fn rows(path: &Path, text: &str) -> Vec<InputSample> {
    let content = |row| match row {
        Ok(bytes) => InputContent::Record(bytes),
        Err(reason) => InputContent::Unreadable(reason),
    };
    records(path, csv_records(text).into_iter().map(content))
}

fn records(path: &Path, content: impl Iterator<Item = InputContent>) -> Vec<InputSample> {
    let record = |(number, content)| {
        let (path, place) = (path.to_path_buf(), InputPlace::Record(number));
        InputSample { path, place, content }
    };
    content.enumerate().map(record).collect()
}

/// Whether a file begins as idx files do, packed or not.
fn is_idx(path: &Path) -> Result<bool, String> {
    let mut start = Vec::new();
    let file = read::open(path).map_err(|error| error.to_string())?;
    file.take(3).read_to_end(&mut start).map_err(|error| error.to_string())?;
    Ok(start == [0, 0, 8] || start.starts_with(&[0x1f, 0x8b]))
}

/// Whether a line has nothing but numbers.
fn is_row(line: &[u8]) -> bool {
    let Ok(line) = std::str::from_utf8(line) else { return false };
    let mut rows = csv::records(line, csv::delimiter(line));
    rows.next().is_some_and(|row| row.fields.iter().all(|field| field.parse::<f64>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Vec<String> {
        let named = |sample: &InputSample| match &sample.content {
            InputContent::Unreadable(reason) => format!("{}: {reason}", sample.name()),
            InputContent::Record(bytes) => format!("{bytes:?}"),
            InputContent::File => sample.name(),
            InputContent::Bytes(bytes) => format!("{} bytes", bytes.len()),
            InputContent::Fields(_) => panic!("images have no fields of their own"),
        };
        let given = GivenInput::Stdin(text.as_bytes().to_vec());
        files_of(&given, &Pictures).iter().map(named).collect()
    }

    #[test]
    fn a_list_is_no_table_and_a_table_no_list() {
        assert_eq!(asked("nope.png"), ["nope.png"], "read, and found missing, in its turn");
        assert_eq!(asked("nope.png\r\n'no such.png'\n"), ["nope.png", "no such.png"]);
        assert_eq!(asked("a,b\n1,2\n"), ["[1, 2]"]);
        assert_eq!(asked("1,2\n3,4"), ["[1, 2]", "[3, 4]"]);
        let rows = asked("1,2\n3,x\n5,6");
        assert_eq!((&rows[0][..], &rows[2][..]), ("[1, 2]", "[5, 6]"));
        assert!(rows[1].starts_with("-#1: line 2, column 2"), "{}", rows[1]);
        assert_eq!(asked("\u{feff}nope.png\nb.png"), ["nope.png", "b.png"], "no mark in a name");
        assert!(asked("a,b")[0].starts_with("a,b: No such file"), "a list of one file");
        assert_eq!(asked("BMW.jpg\n"), ["BMW.jpg"]);
        assert_eq!(asked("\0\u{1}"), ["2 bytes"]);
    }

    #[test]
    fn names_may_be_quoted_or_have_space_around_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        for name in ["a b.png", " c.png ", "\"d\".png"] {
            std::fs::write(at(name), "x").unwrap();
        }
        let list = format!("\"{}\"\n{}\n{}\n", at("a b.png"), at(" c.png "), at("\"d\".png"));
        let found = asked(&list);
        assert_eq!(found, [at("a b.png"), at(" c.png "), at("\"d\".png")]);
    }
}
