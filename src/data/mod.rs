//! Data sets: from what a `.nn` file says of its data to samples in memory.
//!
//! A [`SourceRequest`] goes in, as `data handwriting = mnist(validation: 0.1, fallback: digits)`
//! says it; out come its [`Schema`], for which as little as possible is read, and the
//! [`Dataset`] itself: three splits whose samples are copied, batch by batch, into a step's
//! inputs.
//!
//! | source | where samples come from |
//! |---|---|
//! | `mnist(validation:, fallback:)` | the four original files: a folder, the cache or a mirror |
//! | `idx(images:, labels:, test_images:, test_labels:, validation:)` | any files of that format |
//! | `digits(train:, test:, seed:, validation:)` | drawn by the program itself |
//!
//! Nothing here knows the language or a graph, reads the environment, or prints: where to look
//! is handed in as [`Places`], and what a user should hear is in [`Dataset::notice`].

mod dataset;
pub mod digits;
mod error;
mod fetch;
mod idx;
mod labelled;
mod mnist;
mod request;
mod split;
#[cfg(test)]
mod tests;

pub use dataset::{Dataset, Samples, Split, order};
pub use error::DataError;
pub use request::{Argument, Call, Literal, Places, SourceRequest};

use crate::base::diagnostic::nearest;
use crate::base::schema::Schema;

/// The names of all sources.
pub const SOURCES: [&str; 3] = ["mnist", "idx", "digits"];

/// What the data will look like. `mnist` and `digits` are known beforehand; `idx` reads the
/// headers of its images and all labels.
pub fn schema(request: &SourceRequest, places: &Places) -> Result<Schema, DataError> {
    refuse_transforms(request)?;
    match request.name.as_str() {
        "mnist" => mnist::Options::of(request)?.schema(),
        "idx" => idx::Options::of(request)?.schema(places),
        "digits" => digits::Options::of(request)?.schema(),
        name => Err(unknown_source(name)),
    }
}

/// The samples, all in memory.
pub fn open(request: &SourceRequest, places: &Places) -> Result<Dataset, DataError> {
    refuse_transforms(request)?;
    match request.name.as_str() {
        "mnist" => mnist::Options::of(request)?.open(places),
        "idx" => idx::Options::of(request)?.open(places),
        "digits" => digits::Options::of(request)?.open(),
        name => Err(unknown_source(name)),
    }
}

fn unknown_source(name: &str) -> DataError {
    let error = DataError::new(format!("unknown data source `{name}`"));
    match nearest(name, SOURCES) {
        Some(known) => error.help(format!("did you mean `{known}`?")),
        None => error.help(format!("sources are {}", SOURCES.join(", "))),
    }
}

fn refuse_transforms(request: &SourceRequest) -> Result<(), DataError> {
    let Some(transform) = request.transforms.first() else { return Ok(()) };
    let message = format!("`{}` has no transform `{}`", request.name, transform.name);
    Err(DataError::new(message)
        .help("bytes of images reach the model as value / 255 by themselves"))
}
