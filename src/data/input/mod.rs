//! Samples to predict: what a user names, read as the source of a run reads its own files, with all that
//! the run has fitted.
//!
//! ```text
//! csv      new.csv        →  new.csv:2, new.csv:3, …           a row each
//! series   months.csv     →  months.csv:14-145                 the last window
//! text     lines.txt      →  lines.txt:1, lines.txt:2, …       a line each
//! audio    calls/         →  calls/a.wav, calls/b.wav, …       a recording each
//! arrays   new.npz        →  new.npz#0, new.npz#1, …           a place of the first axis each
//! others   photos/        →  photos/a.png, photos/b.png, …     an image each
//! ```
//!
//! A source gives an [`InputReader`] for its files (`SampleSource::inputs`); nobody else knows which
//! source has which. Of a file, only what the model reads is needed; targets may be missing. What cannot
//! be read is a sample like any other, with the reason in place of its bytes, and keeps no other sample
//! from its answer.

mod listed;
mod pictures;

pub use listed::{FileKind, files_of};
pub use pictures::PictureInputs;

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::DataError;
use super::request::{Arguments, SourceRequest};
use crate::base::schema::{Field, Schema};
use crate::files::write;

/// Something that a user names to be predicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GivenInput {
    /// A file or a folder.
    Path(PathBuf),
    /// All of standard input.
    Stdin(Vec<u8>),
    /// The bytes of a request, which are samples themselves: whatever they say, no file is opened by it.
    Body(Vec<u8>),
}

/// A model's wish for samples: the run's source, and the fields that the model reads.
pub struct InputRequest<'a> {
    /// The source as the program names it.
    pub request: &'a SourceRequest,
    /// Its arguments.
    pub(super) args: &'a Arguments<'a>,
    /// The fields of the source's samples before transforms, as the run fitted them.
    pub schema: &'a Schema,
    /// Those of them that the model reads, in order.
    pub wanted: Vec<Field>,
}

/// Makes samples of what a user names. Many threads may read at once.
pub trait InputReader: Send + Sync {
    /// The fields of a sample, as a step gets them, in the order of [`InputReader::read`].
    fn fields(&self) -> &[Field];

    /// The word for a sample's place, the head of its column in a table.
    fn place_name(&self) -> &'static str {
        "file"
    }

    /// The samples behind a name, in order.
    fn samples(&self, given: &GivenInput) -> Vec<InputSample>;

    /// The bytes of each field of a sample, or in plain words why there are none.
    fn read(&self, sample: &InputSample) -> Result<Vec<Vec<u8>>, String> {
        match &sample.content {
            InputContent::Fields(fields) => Ok(fields.clone()),
            InputContent::Unreadable(reason) => Err(reason.clone()),
            InputContent::File | InputContent::Bytes(_) | InputContent::Record(_) => {
                self.made(sample)
            }
        }
    }

    /// The same of a sample whose fields are still to be made.
    fn made(&self, _: &InputSample) -> Result<Vec<Vec<u8>>, String> {
        Err("the model takes no such files".to_owned())
    }
}

/// A sample to predict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSample {
    /// The file or folder that it is in; `-` is standard input.
    pub path: PathBuf,
    /// Where in the file.
    pub place: InputPlace,
    /// Its values.
    pub content: InputContent,
}

/// Where a sample stands in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputPlace {
    /// It is all of it.
    Whole,
    /// A record by its number from 0.
    Record(usize),
    /// A line from 1.
    Line(u32),
    /// From one line to another.
    Lines(u32, u32),
    /// Tokens of a line.
    Tokens(TokenPlace),
}

/// The tokens of a line that a sample has, and those that its answer is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPlace {
    /// The line, from 1.
    pub line: u32,
    /// The tokens of the line that the answer is about; `None` where they are all of it.
    pub part: Option<Range<usize>>,
    /// The positions of the sample where they stand.
    pub positions: Range<usize>,
}

/// The values of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputContent {
    /// The bytes of each field.
    Fields(Vec<Vec<u8>>),
    /// A file, which is read when its turn comes.
    File,
    /// The bytes of such a file.
    Bytes(Vec<u8>),
    /// The bytes of an image's pixels, as the source has them.
    Record(Vec<u8>),
    /// Why there are none.
    Unreadable(String),
}

/// An error as a reason behind the name of the file, in one line.
pub(super) fn reason_of(error: &DataError) -> String {
    match &error.help {
        Some(help) => format!("{}; {help}", error.message),
        None => error.message.to_string(),
    }
}

impl GivenInput {
    /// The path as it is named in answers: `-` of standard input, `body` of a request.
    pub fn path(&self) -> &Path {
        match self {
            GivenInput::Path(path) => path,
            GivenInput::Stdin(_) => Path::new("-"),
            GivenInput::Body(_) => Path::new("body"),
        }
    }

    /// The only sample of a name that cannot be read.
    pub(super) fn unreadable(&self, reason: impl Into<String>) -> Vec<InputSample> {
        let content = InputContent::Unreadable(reason.into());
        vec![InputSample { path: self.path().to_path_buf(), place: InputPlace::Whole, content }]
    }

    /// The same for an error, which need not name the file.
    pub(super) fn failed(&self, error: DataError) -> Vec<InputSample> {
        self.unreadable(reason_of(&error))
    }

    /// Calls `read` with a plain file: bytes lie in one of their own as long as that takes, since a reader
    /// may open it twice. A folder is none.
    pub(super) fn with_file<T>(
        &self,
        read: impl FnOnce(&Path) -> Result<T, DataError>,
    ) -> Result<T, DataError> {
        match self {
            GivenInput::Path(path) if path.is_dir() => {
                Err(DataError::new("is a folder, where a file is needed"))
            }
            GivenInput::Path(path) => read(path),
            GivenInput::Stdin(bytes) | GivenInput::Body(bytes) => {
                let failed = |error: std::io::Error| {
                    DataError::new(format!("cannot be kept while it is read: {error}"))
                };
                // A lone array is called by its file's name.
                let (_folder, path) = write::temporary("stdin", bytes).map_err(failed)?;
                read(&path)
            }
        }
    }
}

impl InputPlace {
    /// It as the end of a file's name.
    pub fn suffix(&self) -> String {
        match self {
            InputPlace::Whole => String::new(),
            InputPlace::Record(number) => format!("-{number}"),
            InputPlace::Line(line) => format!("-{line}"),
            InputPlace::Lines(first, last) => format!("-{first}-{last}"),
            InputPlace::Tokens(TokenPlace { line, part, .. }) => match part {
                None => format!("-{line}"),
                Some(part) => format!("-{line}-{}", part.start),
            },
        }
    }
}

impl InputSample {
    /// Its name in answers: the file, and its place there.
    pub fn name(&self) -> String {
        let path = self.path.to_string_lossy();
        match &self.place {
            InputPlace::Whole => path.into_owned(),
            InputPlace::Record(number) => format!("{path}#{number}"),
            InputPlace::Line(line) => format!("{path}:{line}"),
            InputPlace::Lines(first, last) => format!("{path}:{first}-{last}"),
            InputPlace::Tokens(TokenPlace { line, part: None, .. }) => format!("{path}:{line}"),
            InputPlace::Tokens(TokenPlace { line, part: Some(part), .. }) => {
                format!("{path}:{line}[{}..{}]", part.start, part.end)
            }
        }
    }

    /// The positions that its answer is about, where not all are its own.
    pub fn positions(&self) -> Option<Range<usize>> {
        match &self.place {
            InputPlace::Tokens(place) => Some(place.positions.clone()),
            _ => None,
        }
    }
}

/// A reader of inputs for a model that was trained on a source whose samples look like this. The model
/// reads the fields `wanted`.
pub fn input_reader(
    request: &SourceRequest,
    schema: &Schema,
    wanted: &[&str],
) -> Result<Box<dyn InputReader>, DataError> {
    let (source, args) = super::asked(request)?;
    let is_wanted = |field: &&Field| wanted.contains(&field.name.as_str());
    let wanted = schema.fields.iter().filter(is_wanted).cloned().collect();
    source.inputs(&InputRequest { request, args: &args, schema, wanted })
}
