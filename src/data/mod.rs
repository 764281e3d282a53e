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
//! | `images(folder, size:, channels:, test:, validation:, resize:, …)` | folders, a sub-folder a class |
//! | `images(folder, labels:, …) { … }` | a folder, and a table that names each image |
//! | `digits(train:, test:, seed:, validation:)` | drawn by the program itself |
//! | `audio(folder, rate:, seconds:, spectrum:, …)` | recordings, a sub-folder a class |
//! | `waves(folder, rate:, window:, …)` | windows of recordings, and what comes next |
//! | `csv(file, target:, test:, validation:, split:, …) { … }` | the rows of tables |
//!
//! Transforms ([`transform`]) change samples on their way to a step.
//!
//! Nothing here knows the language or a graph, reads the environment, or prints: where to look
//! is handed in as [`Places`], and what a user should hear is in [`Dataset::notice`].

mod arrays;
mod audio;
mod constants;
mod dataset;
pub mod digits;
mod duplicates;
mod error;
mod feed;
mod fetch;
mod fields;
mod gather;
mod gunzip;
mod idx;
mod images;
mod input;
mod labelled;
mod locate;
mod mnist;
mod origins;
mod pictures;
mod positioned;
mod request;
mod samples;
mod scale;
mod series;
mod source;
mod spill;
mod split;
mod table;
#[cfg(test)]
mod tests;
mod text;
pub mod transform;
mod windows;
mod words;

pub use arrays::write_npz;
pub use audio::clip as sound_clip;
pub use audio::{levels_of, recording_of, silence};
pub use dataset::{Dataset, Note, SplitPass, order};
pub use duplicates::{SharedSamples, shared_samples};
pub use error::{DataError, Mending};
pub use feed::{Batch, Feed, FeedError, Plan, prefetch_bytes};
pub use input::{GivenInput, InputReader, InputSample, input_reader};
pub use origins::{SampleOrigin, SampleOrigins};
pub use pictures::{Preprocessor, csv_records, idx_records};
pub use request::{Argument, FieldRequest, Literal, Places, SourceRequest, TransformCall, Watch};
pub use samples::{Column, Records, Samples, Split};
pub use text::{Encoder, TokenDecoder, token_text, unknown_token};
pub use words::{ColumnValue, described, first_samples, number_text, sample_columns};

use std::sync::Arc;

use self::request::Arguments;
use self::source::SampleSource;
use crate::base::names::nearest;
use crate::base::schema::{Field, Schema};

/// All sources, in the order in which messages list them.
const SOURCES: &[&dyn SampleSource] = &[
    &mnist::Mnist,
    &idx::IdxFiles,
    &images::ImageFiles,
    &digits::Digits,
    &table::Csv,
    &series::SeriesOfRows,
    &arrays::Arrays,
    &text::TextWindows,
    &audio::Recordings,
    &audio::WaveWindows,
];

/// Sources of the language that this version does not have.
const PLANNED: [&str; 0] = [];

/// The names of all sources.
pub fn source_names() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|source| source.name())
}

/// The names of all transforms.
pub fn transform_names() -> impl Iterator<Item = &'static str> {
    transform::TRANSFORMS.iter().map(|(name, _)| *name)
}

/// The source of a name.
fn source_of(name: &str) -> Option<&'static dyn SampleSource> {
    SOURCES.iter().copied().find(|source| source.name() == name)
}

/// The source of a request, and what the request gives it.
fn asked(request: &SourceRequest) -> Result<(&'static dyn SampleSource, Arguments<'_>), DataError> {
    let source = source_of(&request.name).ok_or_else(|| unknown_source(&request.name))?;
    if request.fields.is_some() && !source.takes_fields() {
        let message = format!("the fields of `{}` are known and not written", request.name);
        return Err(DataError::new(message).help("leave the braces out"));
    }
    Ok((source, Arguments::new(request, source.arguments())?))
}

/// Fields and counts of the data. `mnist` and `digits` are known beforehand; `idx` reads the
/// headers of its images and all labels, `images` the names of files.
pub fn schema(request: &SourceRequest, places: &Places) -> Result<Schema, DataError> {
    // What is wrong without the data is found without it.
    let items = transform::parse(&request.transforms)?;
    Ok(transform::fit(&items, &source_schema(request, places)?)?.1)
}

/// Bytes of samples that lie in memory while a run goes on.
pub fn resident_bytes(request: &SourceRequest, schema: &Schema) -> usize {
    let splits = [schema.train, schema.validation, schema.test];
    let samples: usize = splits.into_iter().flatten().sum();
    let resident = schema.fields.iter().filter(|field| is_resident(request, field));
    samples * resident.map(Field::bytes).sum::<usize>()
}

/// Whether the values of a field lie in memory while a run goes on.
fn is_resident(request: &SourceRequest, field: &Field) -> bool {
    asked(request).map_or(true, |(source, args)| source.is_resident(&args, field))
}

/// Bytes that decoding takes at once while data are read on so many threads.
pub fn decoding_bytes(schema: &Schema, threads: usize) -> usize {
    usize::try_from(images::decoding_bytes(schema.pixels(), threads as u64)).unwrap_or(usize::MAX)
}

/// Fields and counts of the source's samples, before transforms.
pub fn source_schema(request: &SourceRequest, places: &Places) -> Result<Schema, DataError> {
    let (source, args) = asked(request)?;
    source.schema(&args, places)
}

/// Help of a source where there are oddities in its data, if it has some.
pub fn help_for_oddities(request: &SourceRequest) -> Option<&'static str> {
    source_of(&request.name)?.help_for_oddities()
}

/// The names of the classes, as far as they can be had by looking at the names of files; none where
/// classes are numbers, or the data are not there.
pub fn class_names(request: &SourceRequest, places: &Places) -> Vec<String> {
    let names = asked(request).and_then(|(source, args)| source.class_names(&args, places));
    names.unwrap_or_default()
}

/// The schema to assume while a data set's files are missing: what the arguments say,
/// and a guess of the number of classes. Fails where transforms do not fit that.
pub fn presumed(request: &SourceRequest, places: &Places) -> Result<Option<Schema>, DataError> {
    let (source, args) = asked(request)?;
    let Some(schema) = source.presumed(&args, places)? else { return Ok(None) };
    let items = transform::parse(&request.transforms)?;
    Ok(Some(transform::fit(&items, &schema)?.1))
}

/// The samples. `watch` follows what takes long.
pub fn open(
    request: &SourceRequest,
    places: &Places,
    watch: Watch<'_>,
) -> Result<Dataset, DataError> {
    let items = transform::parse(&request.transforms)?;
    let (source, args) = asked(request)?;
    let data = source.open(&args, places, watch)?;
    let (transforms, schema) = transform::fit(&items, &data.schema)?;
    let odd = schema.oddities.iter().cloned().map(Note::of);
    let notes = odd.chain(data.notes).collect();
    Ok(Dataset { transforms: Arc::new(transforms), schema, notes, ..data })
}

fn unknown_source(name: &str) -> DataError {
    let names: Vec<&str> = source_names().collect();
    let there = format!("sources are {}", names.join(", "));
    if PLANNED.contains(&name) {
        let error = DataError::new(format!("the source `{name}` is not in this version"));
        return error.help(format!("it is still to come; {there}"));
    }
    let error = DataError::new(format!("unknown data source `{name}`"));
    error.misspelt(name, source_names(), || match nearest(name, PLANNED) {
        Some(planned) => {
            format!("did you mean `{planned}`? It is still to come; {there}")
        }
        None => there,
    })
}

/// The names of a source's or transform's arguments, in order: where one stands that is given by
/// place. Empty for a name that is neither.
pub fn argument_names(name: &str) -> &'static [&'static str] {
    let of_transform = || {
        let mut all = transform::TRANSFORMS.iter().chain(&fields::TRANSFORMS);
        all.find(|(known, _)| *known == name).map_or(&[][..], |(_, arguments)| arguments)
    };
    source_of(name).map_or_else(of_transform, |source| source.arguments())
}
