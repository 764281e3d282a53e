//! Data sources: each is one implementation of [`SampleSource`], listed once in `data::SOURCES`.
//!
//! ```text
//! digits(60000, seed: 1)
//! name: "digits"   arguments: ["train", "test", "seed", "validation"]
//! schema: image: u8[28, 28, 1], label: i32[]      open: a column of bytes for each field
//! ```
//!
//! A source hands out samples as named fields of any type and shape, one [`Column`] each. What a
//! program asks of it arrives as [`Arguments`]; a source reads those it declares, with types, ranges
//! and defaults, and refuses the others. Transforms are applied by the caller.
//!
//! [`Column`]: super::samples::Column

use super::constants::constant_targets;
use super::dataset::Dataset;
use super::error::DataError;
use super::input::{InputReader, InputRequest, PictureInputs};
use super::request::{Arguments, Places, Watch};
use crate::base::schema::{Field, Schema};

/// A kind of data that a program can name. Implementations hold no state.
pub trait SampleSource: Sync {
    /// The name in a program, and in the reports of runs.
    fn name(&self) -> &'static str;

    /// The names of its arguments, in the order in which they may stand without a name.
    fn arguments(&self) -> &'static [&'static str];

    /// Whether a program may say in braces how fields are made of what it gives.
    fn takes_fields(&self) -> bool {
        false
    }

    /// The fields, classes and counts of its samples. Reads as little as possible: nothing, headers,
    /// or the names of files. Fails with [`DataError::tried`] where files are missing.
    /// Unless a source knows a shorter way, it is that of the samples.
    fn schema(&self, args: &Arguments<'_>, places: &Places) -> Result<Schema, DataError> {
        Ok(schema_of(self.open(args, places, &|_, _| true)?))
    }

    /// The schema as far as the arguments alone determine it while files are missing, with a guess of
    /// the number of classes; `None` where they say nothing.
    fn presumed(
        &self,
        _args: &Arguments<'_>,
        _places: &Places,
    ) -> Result<Option<Schema>, DataError> {
        Ok(None)
    }

    /// Reads the samples. `watch` follows what takes long and may stop it.
    fn open(
        &self,
        args: &Arguments<'_>,
        places: &Places,
        watch: Watch<'_>,
    ) -> Result<Dataset, DataError>;

    /// The names of the classes, as far as names of files tell them; none where classes are numbers.
    fn class_names(
        &self,
        _args: &Arguments<'_>,
        _places: &Places,
    ) -> Result<Vec<String>, DataError> {
        Ok(Vec::new())
    }

    /// Whether the values of a field lie in memory while a run goes on, and not in a file.
    fn is_resident(&self, _args: &Arguments<'_>, _field: &Field) -> bool {
        true
    }

    /// How a file of an image that is no part of the data gets the size of its images.
    fn resize(&self, _args: &Arguments<'_>) -> Result<FitMode, DataError> {
        Ok(FitMode::Stretch)
    }

    /// Reads files that are no part of the data, to predict them. Unless a source says otherwise, they
    /// are images.
    fn inputs(&self, asked: &InputRequest<'_>) -> Result<Box<dyn InputReader>, DataError> {
        Ok(Box::new(PictureInputs::new(asked)?))
    }

    /// Help where there are [`Schema::oddities`].
    fn help_for_oddities(&self) -> Option<&'static str> {
        None
    }
}

/// The schema of samples that have been read, with what they say of it.
pub fn schema_of(data: Dataset) -> Schema {
    Schema { constants: constant_targets(&data.train), ..data.schema }
}

/// The way in which an image of other proportions is made to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FitMode {
    /// It is stretched.
    Stretch,
    /// Its middle is taken.
    Crop,
    /// It gets black borders.
    Pad,
}
