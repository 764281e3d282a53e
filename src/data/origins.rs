//! Where samples are found by a user: in files of their own, in lines of a table, in one file.
//!
//! ```text
//! a recording       spoken/train/7/7_theo_3.wav
//! a row of a table  penguins.csv:12
//! an array's row    two_targets.npz, sample 7
//! ```
//!
//! Names of files are as they are: who prints them makes them fit to be shown.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where all samples of a data set are from.
#[derive(Clone, Debug, Default)]
pub enum SampleOrigins {
    /// Nothing is known but their numbers.
    #[default]
    Unknown,
    /// A file each.
    Files(Vec<PathBuf>),
    /// A recording each.
    Recordings(Vec<PathBuf>),
    /// The samples of one file, by their numbers.
    Within(PathBuf),
    /// Lines of tables.
    Lines {
        /// The files with the number of the first sample of each, in order.
        files: Vec<(PathBuf, u32)>,
        /// The line of each sample, from 1.
        lines: Vec<u32>,
    },
}

/// Where one sample is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleOrigin<'a> {
    /// The file.
    pub file: &'a Path,
    /// Its line in the file, from 1; of several lines the first.
    pub line: Option<u32>,
    /// Its number among the samples of the file, where that is how it is found.
    pub sample: Option<u32>,
}

impl SampleOrigins {
    /// The origin of a sample, by its number in the whole data.
    pub fn of(&self, sample: u32) -> Option<SampleOrigin<'_>> {
        match self {
            SampleOrigins::Unknown => None,
            SampleOrigins::Files(files) | SampleOrigins::Recordings(files) => {
                Some(SampleOrigin::file(files.get(sample as usize)?))
            }
            SampleOrigins::Within(file) => {
                Some(SampleOrigin { sample: Some(sample), ..SampleOrigin::file(file) })
            }
            SampleOrigins::Lines { files, lines } => {
                let after = files.partition_point(|(_, first)| *first <= sample);
                let (file, _) = files.get(after.checked_sub(1)?)?;
                Some(SampleOrigin {
                    line: Some(*lines.get(sample as usize)?),
                    ..SampleOrigin::file(file)
                })
            }
        }
    }
}

impl<'a> SampleOrigin<'a> {
    /// A file that is one sample.
    pub fn file(file: &'a Path) -> SampleOrigin<'a> {
        SampleOrigin { file, line: None, sample: None }
    }
}

impl fmt::Display for SampleOrigin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file.to_string_lossy())?;
        match (self.line, self.sample) {
            (Some(line), _) => write!(f, ":{line}"),
            (None, Some(sample)) => write!(f, ", sample {sample}"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_file_that_a_sample_is_from() {
        let files = vec![(PathBuf::from("a.csv"), 0), (PathBuf::from("b.csv"), 2)];
        let origins = SampleOrigins::Lines { files, lines: vec![2, 5, 2, 3] };
        let told = |sample| origins.of(sample).map(|origin| origin.to_string());
        assert_eq!(told(1).as_deref(), Some("a.csv:5"));
        assert_eq!(told(2).as_deref(), Some("b.csv:2"));
        assert_eq!(told(4), None);
        let within = SampleOrigins::Within("a.npz".into());
        assert_eq!(within.of(3).unwrap().to_string(), "a.npz, sample 3");
        assert_eq!(SampleOrigins::default().of(0), None);
    }
}
