//! Recordings of all splits in a row: those of the source's own folder, of which fractions may be kept for
//! validation and test, then those of further folders.

use std::ops::Range;

use crate::data::error::DataError;
use crate::data::request::{Arguments, Part};
use crate::data::split::parts;

/// The recordings of a source, each a `T`.
pub struct SplitRecordings<T> {
    /// All of them.
    pub all: Vec<T>,
    /// How many are in the source's own folder.
    pub own: usize,
    /// The parts of these that are kept, for validation and for test.
    fractions: [f64; 2],
    /// The further ones, of validation and of test.
    further: [Range<u32>; 2],
}

impl<T> SplitRecordings<T> {
    /// Adds those that the arguments `validation` and `test` name; `find` finds them below a folder, which
    /// it is given with its argument.
    pub fn of(
        args: &Arguments<'_>,
        own: Vec<T>,
        find: impl Fn(&str, &str) -> Result<Vec<T>, DataError>,
    ) -> Result<SplitRecordings<T>, DataError> {
        let (count, mut all) = (own.len(), own);
        let mut of = |argument: &str| -> Result<(f64, Range<u32>), DataError> {
            match args.part(argument)? {
                Part::Fraction(fraction) => Ok((fraction, 0..0)),
                Part::Folder(name) => {
                    let first = all.len() as u32;
                    all.extend(find(name, argument)?);
                    Ok((0.0, first..all.len() as u32))
                }
            }
        };
        let (validation, validation_rows) = of("validation")?;
        let (test, test_rows) = of("test")?;
        let (fractions, further) = ([validation, test], [validation_rows, test_rows]);
        Ok(SplitRecordings { all, own: count, fractions, further })
    }

    /// The recordings to train, to validate and to test on, by the classes of the source's own.
    pub fn splits(&self, labels: &[usize]) -> [Vec<u32>; 3] {
        let ([validation, test], [more_validation, more_test]) = (self.fractions, &self.further);
        let cut = parts(labels, [test, validation]);
        let joined = |part: &[u32], more: &Range<u32>| -> Vec<u32> {
            part.iter().copied().chain(more.clone()).collect()
        };
        [cut[0].clone(), joined(&cut[2], more_validation), joined(&cut[1], more_test)]
    }
}
