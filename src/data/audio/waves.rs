//! `waves("folder", rate: 8000, window: 2048)`: windows of recordings as levels, each with the same moved
//! by one, for models that go on with a sound.
//!
//! ```text
//! 7_theo_3.wav   3,460 samples   window 2048, stride 1024   →   levels [128 130 127 …]
//!                                                               next   [130 127 …], …
//! ```
//!
//! A window lies within one recording; one that is shorter than a window is followed by silence.
//! Recordings are averaged to one channel and resampled. They are split as wholes: no sound to test on was
//! heard in training.

use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use super::clip;
use super::levels::{level_of, sample_of};
use super::source::{RecordingFiles, is_recording, of_file, refuse_other_fields, samples_of};
use super::splits::SplitRecordings;
use crate::base::schema::{CellMeaning, Field, WaveLevels};
use crate::data::dataset::Dataset;
use crate::data::error::DataError;
use crate::data::images::files_below;
use crate::data::input::{
    GivenInput, InputContent, InputReader, InputRequest, InputSample, files_of, reason_of,
};
use crate::data::locate::folder;
use crate::data::origins::SampleOrigins;
use crate::data::request::{Arguments, Places, Watch};
use crate::data::samples::Samples;
use crate::data::source::SampleSource;
use crate::data::windows::{token_field, with_next};

/// The source `waves`.
pub struct WaveWindows;

impl SampleSource for WaveWindows {
    fn name(&self) -> &'static str {
        "waves"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["folder", "rate", "window", "stride", "levels", "test", "validation"]
    }

    fn open(
        &self,
        args: &Arguments<'_>,
        places: &Places,
        _: Watch<'_>,
    ) -> Result<Dataset, DataError> {
        load(args, places)
    }

    fn inputs(&self, asked: &InputRequest<'_>) -> Result<Box<dyn InputReader>, DataError> {
        Ok(Box::new(WaveInputs::new(asked)?))
    }
}

/// The levels of a recording's samples.
///
/// # Errors
///
/// Bytes that are no recording, or one without samples.
pub fn levels_of(bytes: &[u8], form: WaveLevels) -> Result<Vec<i32>, DataError> {
    let samples = samples_of(bytes, form.rate)?;
    Ok(samples.into_iter().map(|sample| level_of(sample, form.count)).collect())
}

/// The level of silence.
pub fn silence(form: WaveLevels) -> i32 {
    level_of(0.0, form.count)
}

/// Levels as a recording: a WAV file of one channel and 16 bits.
pub fn recording_of(levels: &[i32], form: WaveLevels) -> Vec<u8> {
    let samples: Vec<f32> = levels.iter().map(|&level| sample_of(level, form.count)).collect();
    clip::wav(&samples, form.rate)
}

/// How recordings become samples.
struct WavePlan {
    form: WaveLevels,
    window: usize,
    stride: usize,
}

impl WavePlan {
    fn of(args: &Arguments<'_>) -> Result<WavePlan, DataError> {
        let rate = args.count("rate", 16_000, 100)? as u32;
        let window = args.count("window", 0, 1)?;
        if window == 0 {
            return Err(args.wrong("window", "given: the number of levels of a sample"));
        }
        let count = args.count("levels", 256, 2)?;
        if count > 1 << 16 {
            return Err(args.wrong("levels", "at most 65,536"));
        }
        let stride = args.count("stride", window, 1)?;
        Ok(WavePlan { form: WaveLevels { rate, count }, window, stride })
    }

    fn field(&self) -> Field {
        token_field("levels", self.window, CellMeaning::Levels(self.form), self.form.count)
    }

    /// How many windows a recording of so many samples has, at least one.
    fn windows(&self, samples: usize) -> usize {
        samples.saturating_sub(self.window + 1) / self.stride + 1
    }
}

/// The recordings below a folder, in the order of their names.
fn recordings(name: &str, argument: &str, places: &Places) -> Result<Vec<PathBuf>, DataError> {
    let folder = folder(name, argument, places, None)?;
    files_below(&folder, is_recording, "recordings")
}

fn load(args: &Arguments<'_>, places: &Places) -> Result<Dataset, DataError> {
    let plan = WavePlan::of(args)?;
    let find = |name: &str, argument: &str| recordings(name, argument, places);
    let own = find(args.required_text("folder")?, "folder")?;
    let found = SplitRecordings::of(args, own, find)?;
    let read = |file: &PathBuf| of_file(file, |bytes| levels_of(bytes, plan.form));
    let levels: Vec<Vec<i32>> = found.all.par_iter().map(read).collect::<Result<_, _>>()?;
    // No recording is of a class.
    let splits = found.splits(&vec![0; found.own]);
    let laid = WaveSamples::new(&plan, &levels);
    let splits = splits.map(|files| laid.windows(&plan, &files, &levels));
    let fields = with_next(plan.field(), plan.stride, laid.levels.iter().copied());
    let owners = laid.owners.iter().map(|&file| found.all[file].clone());
    let origins = SampleOrigins::Recordings(owners.collect());
    let samples = Arc::new(Samples::new(laid.owners.len(), fields).from(origins));
    Ok(Dataset::of_splits(WaveWindows.name(), samples, splits))
}

/// Recordings one after the other, each from a whole number of strides on.
struct WaveSamples {
    levels: Vec<i32>,
    /// The first window of each recording, in strides.
    firsts: Vec<usize>,
    /// The recording of each window, and of those that nobody takes.
    owners: Vec<usize>,
}

impl WaveSamples {
    fn new(plan: &WavePlan, recordings: &[Vec<i32>]) -> WaveSamples {
        let mut laid = WaveSamples { levels: Vec::new(), firsts: Vec::new(), owners: Vec::new() };
        for (file, levels) in recordings.iter().enumerate() {
            laid.firsts.push(laid.owners.len());
            laid.levels.extend(levels);
            let last = (plan.windows(levels.len()) - 1) * plan.stride + plan.window + 1;
            let strides = last.max(levels.len()).div_ceil(plan.stride);
            laid.owners.resize(laid.owners.len() + strides, file);
            laid.levels.resize(laid.owners.len() * plan.stride, silence(plan.form));
        }
        // Windows that nobody takes have their bytes, too.
        laid.levels.resize(laid.levels.len() + plan.window + 1, silence(plan.form));
        laid
    }

    /// The windows of some recordings.
    fn windows(&self, plan: &WavePlan, files: &[u32], recordings: &[Vec<i32>]) -> Vec<u32> {
        let of = |&file: &u32| {
            let file = file as usize;
            let first = self.firsts[file];
            (first..first + plan.windows(recordings[file].len())).map(|window| window as u32)
        };
        files.iter().flat_map(of).collect()
    }
}

/// Reads recordings to predict: the first window of each.
struct WaveInputs {
    plan: WavePlan,
    fields: Vec<Field>,
}

impl WaveInputs {
    fn new(asked: &InputRequest<'_>) -> Result<WaveInputs, DataError> {
        let plan = WavePlan::of(asked.args)?;
        let field = plan.field();
        refuse_other_fields(asked, &field)?;
        Ok(WaveInputs { fields: vec![field], plan })
    }
}

impl InputReader for WaveInputs {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn samples(&self, given: &GivenInput) -> Vec<InputSample> {
        files_of(given, &RecordingFiles)
    }

    fn made(&self, sample: &InputSample) -> Result<Vec<Vec<u8>>, String> {
        let levels = match &sample.content {
            InputContent::File => of_file(&sample.path, |bytes| levels_of(bytes, self.plan.form)),
            InputContent::Bytes(bytes) => levels_of(bytes, self.plan.form),
            _ => return Err("the model takes recordings".to_owned()),
        };
        let mut levels = levels.map_err(|error| reason_of(&error))?;
        levels.resize(self.plan.window, silence(self.plan.form));
        Ok(vec![levels.iter().flat_map(|level| level.to_le_bytes()).collect()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_within_recordings_and_short_ones_end_in_silence() {
        let form = WaveLevels { rate: 1000, count: 16 };
        let plan = WavePlan { form, window: 4, stride: 2 };
        let counts = [1, 5, 6, 7, 8].map(|samples| plan.windows(samples));
        assert_eq!(counts, [1, 1, 1, 2, 2]);
        let recordings = [vec![1; 7], vec![2; 3], vec![3; 8]];
        let laid = WaveSamples::new(&plan, &recordings);
        let starts = laid.windows(&plan, &[0, 1, 2], &recordings);
        let windows: Vec<&[i32]> =
            starts.iter().map(|&at| &laid.levels[2 * at as usize..][..5]).collect();
        let quiet = silence(form);
        let short = [2, 2, 2, quiet, quiet];
        assert_eq!(windows, [&[1; 5][..], &[1; 5], &short, &[3; 5], &[3; 5]]);
        assert!(laid.levels.len() >= 2 * laid.owners.len() + 5);
        let owners: Vec<usize> = starts.iter().map(|&at| laid.owners[at as usize]).collect();
        assert_eq!(owners, [0, 0, 1, 2, 2]);
    }
}
