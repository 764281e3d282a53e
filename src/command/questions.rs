//! The inputs of `nnc predict`: files, folders of images, tables of numbers, standard input.
//!
//! ```text
//! a.png  photos/  digits.idx  rows.csv      a question for each image and each record
//! -   "a.png\nb.png"                        a list of files, each as if it were an argument
//! -   "1,2,3\n4,5,6"                        rows of numbers
//! -   89 50 4e 47 …                         an image's own bytes
//! ```
//!
//! A path that cannot be read is an input too, with the reason for an answer: one missing file does
//! not keep others from theirs.

use crate::base::csv;
use crate::base::schema::Field;
use crate::data::{self, DataError, SourceRequest};
use crate::driver::session::Failure;
use crate::files::{read, write};
use std::io::Read;
use std::path::{Path, PathBuf};

/// One sample, or a file with samples, to predict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PredictInput {
    /// An image file.
    Image(PathBuf),
    /// An image's bytes: a record of a file, by its number there from 0.
    Record(PathBuf, usize, Vec<u8>),
    /// The bytes of standard input.
    Bytes(Vec<u8>),
    /// A row of a table: its file, its line, and the bytes of each input.
    Row(PathBuf, u32, Vec<Vec<u8>>),
    /// A path that cannot be read: its name, and why.
    Unreadable(String, String),
}

impl PredictInput {
    /// Its name in the output.
    pub fn name(&self) -> String {
        match self {
            PredictInput::Image(path) => path.to_string_lossy().into_owned(),
            PredictInput::Record(path, number, _) => format!("{}#{number}", path.to_string_lossy()),
            PredictInput::Bytes(_) => "-".to_owned(),
            PredictInput::Row(path, line, _) => format!("{}:{line}", path.to_string_lossy()),
            PredictInput::Unreadable(name, _) => name.clone(),
        }
    }
}

/// The questions that arguments ask.
pub fn questions(arguments: &[PathBuf]) -> Result<Vec<PredictInput>, Failure> {
    let mut found = Vec::new();
    for path in arguments {
        match path.as_os_str() == "-" {
            true => of_bytes(standard_input()?, &mut found),
            false => of_path(path, &mut found),
        }
    }
    Ok(found)
}

/// The questions of arguments that are tables, a row each.
pub fn table_questions(
    arguments: &[PathBuf],
    source: &SourceRequest,
    fields: &[Field],
) -> Result<Vec<PredictInput>, Failure> {
    let mut found = Vec::new();
    for path in arguments {
        // What is read from standard input is read again where it is wrong, so it is kept.
        let kept = match path.as_os_str() == "-" {
            true => {
                let failed = |error: std::io::Error| Failure::Io(error.to_string());
                let folder = tempfile::tempdir().map_err(failed)?;
                write::replace(&folder.path().join(STDIN), &standard_input()?).map_err(failed)?;
                Some(folder)
            }
            false => None,
        };
        let at = kept.as_ref().map_or(path.clone(), |folder| folder.path().join(STDIN));
        match data::predict_rows(source, fields, &at) {
            Ok(rows) => found.extend(rows.into_iter().map(|(line, sample)| match sample {
                Ok(fields) => PredictInput::Row(path.clone(), line, fields),
                Err(reason) => {
                    let name = format!("{}:{line}", path.to_string_lossy());
                    PredictInput::Unreadable(name, reason)
                }
            })),
            Err(error) => {
                let error = DataError { path: None, ..error };
                let reason = error.to_string();
                found.push(PredictInput::Unreadable(path.to_string_lossy().into_owned(), reason));
            }
        }
    }
    Ok(found)
}

/// The name of the file that standard input is kept in.
const STDIN: &str = "rows.csv";

fn standard_input() -> Result<Vec<u8>, Failure> {
    let bytes = read::stream(std::io::stdin().lock(), read::TABLE)
        .map_err(|error| Failure::Io(format!("cannot read standard input: {error}")))?;
    match bytes.trim_ascii().is_empty() {
        true => Err(Failure::Data("standard input is empty".to_owned())),
        false => Ok(bytes),
    }
}

/// Adds the inputs behind a path; a path that cannot be read is one of them.
fn of_path(path: &Path, found: &mut Vec<PredictInput>) {
    if let Err(reason) = asked_by(path, found) {
        found.push(PredictInput::Unreadable(path.to_string_lossy().into_owned(), reason));
    }
}

/// An image by its name, numbers by theirs, an idx file by its first bytes, a folder by the images
/// below it.
fn asked_by(path: &Path, found: &mut Vec<PredictInput>) -> Result<(), String> {
    if path.is_dir() {
        let images = data::images_below(path).map_err(|error| error.to_string())?;
        if images.is_empty() {
            return Err("has no images in it".to_owned());
        }
        found.extend(images.into_iter().map(PredictInput::Image));
        return Ok(());
    }
    let ends = |ending: &str| path.extension().is_some_and(|it| it.eq_ignore_ascii_case(ending));
    if ends("csv") || ends("tsv") {
        let text = read::text(path, read::TABLE).map_err(|error| error.to_string())?;
        found.extend(rows(path, &text));
    } else if !data::is_image(path) && is_idx(path)? {
        let idx = data::idx_records(path).map_err(|error| error.message.to_string())?;
        let record = |(number, bytes)| PredictInput::Record(path.to_path_buf(), number, bytes);
        found.extend(idx.into_iter().enumerate().map(record));
    } else {
        // Whatever it is called: what it is, its bytes say.
        found.push(PredictInput::Image(path.to_path_buf()));
    }
    Ok(())
}

/// A question for each row of a table; of one that is no image, why.
fn rows(path: &Path, text: &str) -> impl Iterator<Item = PredictInput> {
    let row = |(number, row)| match row {
        Ok(bytes) => PredictInput::Record(path.to_path_buf(), number, bytes),
        Err(reason) => {
            PredictInput::Unreadable(format!("{}#{number}", path.to_string_lossy()), reason)
        }
    };
    data::csv_records(text).into_iter().enumerate().map(row)
}

/// Whether a file begins as idx files do, packed or not.
fn is_idx(path: &Path) -> Result<bool, String> {
    let mut start = Vec::new();
    let file = read::open(path).map_err(|error| error.to_string())?;
    file.take(3).read_to_end(&mut start).map_err(|error| error.to_string())?;
    Ok(start == [0, 0, 8] || start.starts_with(&[0x1f, 0x8b]))
}

/// Adds the inputs on standard input. Text is a table if a line of it has nothing but numbers and
/// no line is the name of a file; a list otherwise.
fn of_bytes(bytes: Vec<u8>, found: &mut Vec<PredictInput>) {
    // Names may begin as images do (`BMW.jpg`), and need not be UTF-8; no image is text.
    let is_text = std::str::from_utf8(&bytes).is_ok();
    if bytes.contains(&0) || (!is_text && data::looks_like_image(&bytes)) {
        found.push(PredictInput::Bytes(bytes));
        return;
    }
    // A mark of the encoding is no part of the first name.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
    let lines = bytes.split(|&byte| byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines: Vec<&[u8]> = lines.filter(|line| !line.trim_ascii().is_empty()).collect();
    let is_list = lines.iter().any(|line| named(line).exists());
    if !is_list && lines.iter().any(|line| is_row(line)) {
        let table = PathBuf::from("-");
        match std::str::from_utf8(&bytes) {
            Ok(text) => found.extend(rows(&table, text)),
            Err(_) => {
                let reason = read::not_text().to_string();
                found.push(PredictInput::Unreadable("-".to_owned(), reason));
            }
        }
        return;
    }
    lines.into_iter().for_each(|line| of_path(&named(line), found));
}

/// Whether a line has nothing but numbers.
fn is_row(line: &[u8]) -> bool {
    let Ok(line) = std::str::from_utf8(line) else { return false };
    let mut rows = csv::records(line, csv::delimiter(line));
    rows.next().is_some_and(|row| row.fields.iter().all(|field| field.parse::<f64>().is_ok()))
}

/// The file that a line of a list names: the line as it is if there is one, otherwise without space
/// around it, and without the quotes in which shells and file managers put names.
fn named(line: &[u8]) -> PathBuf {
    let whole = path_of(line);
    if whole.exists() {
        return whole;
    }
    let name = line.trim_ascii();
    match name {
        [open @ (b'"' | b'\''), inner @ .., close] if open == close => path_of(inner),
        name => path_of(name),
    }
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        of_bytes(text.as_bytes().to_vec(), &mut found);
        let named = |question: &PredictInput| match question {
            PredictInput::Unreadable(name, reason) => format!("{name}: {reason}"),
            PredictInput::Record(_, _, bytes) => format!("{bytes:?}"),
            PredictInput::Image(path) => path.to_string_lossy().into_owned(),
            PredictInput::Bytes(bytes) => format!("{} bytes", bytes.len()),
            PredictInput::Row(_, line, _) => format!("line {line}"),
        };
        found.iter().map(named).collect()
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
