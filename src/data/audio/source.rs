//! `audio("folder", rate: 8000, seconds: 1.0)`: recordings in folders, a sub-folder a class.
//!
//! ```text
//! digits/train/seven/7_theo_3.wav   →   wave: f32[8000, 1], label: i32[]
//! with spectrum: mel(bands: 40)     →   spectrum: f32[frames, 40], label: i32[]
//! ```
//!
//! Recordings are averaged to one channel, resampled, and cut or padded with zeros at their ends.

mod predict;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

pub(super) use self::predict::RecordingFiles;
use self::predict::RecordingInputs;
use super::splits::SplitRecordings;
use super::{
    AudioError, MelSpectrogram, Mfcc, Spectrogram, SpectrumScale, fit_length, read, resample,
};
use crate::base::schema::MissingValue;
use crate::base::schema::{CellMeaning, ClassField, Field, FieldKind, FieldRecipe};
use crate::base::shown::Show;
use crate::base::tensor::DType;
use crate::data::dataset::Dataset;
use crate::data::error::DataError;
use crate::data::input::{InputReader, InputRequest};
use crate::data::locate::folder;
use crate::data::origins::SampleOrigins;
use crate::data::request::{Arguments, Literal, Places, TransformCall, Watch};
use crate::data::samples::{Column, Samples};
use crate::data::source::SampleSource;
use crate::files;

/// Samples that a recording has at most.
pub(super) const MOST_SAMPLES: usize = 1 << 26;
/// Bytes of a file.
pub(super) const MOST_BYTES: u64 = 1 << 30;

/// The source `audio`.
pub struct Recordings;

impl SampleSource for Recordings {
    fn name(&self) -> &'static str {
        "audio"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["folder", "rate", "seconds", "spectrum", "test", "validation"]
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
        Ok(Box::new(RecordingInputs::new(asked)?))
    }
}

/// The feature that a recording becomes.
enum Feature {
    Wave,
    Spectrum(Spectrogram),
    Mel(MelSpectrogram),
    Mfcc(Mfcc),
}

impl Feature {
    /// The argument `spectrum`.
    fn of(args: &Arguments<'_>, rate: u32) -> Result<Feature, DataError> {
        let wrong = || args.wrong("spectrum", "spectrogram(…), mel(…) or mfcc(…)");
        let named;
        let call = match args.get("spectrum") {
            None => return Ok(Feature::Wave),
            Some(Literal::Call(call)) => call,
            Some(Literal::Name(name)) => {
                named = TransformCall::new(name, Vec::new());
                &named
            }
            Some(_) => return Err(wrong()),
        };
        let made = feature(call, rate);
        made.map_err(|error| error.argument("spectrum"))?.ok_or_else(wrong)
    }

    /// The shape for recordings of so many samples.
    fn shape(&self, samples: usize) -> [usize; 2] {
        match self {
            Feature::Wave => [samples, 1],
            Feature::Spectrum(spectrum) => [spectrum.frames(samples), spectrum.bins()],
            Feature::Mel(mel) => [mel.frames(samples), mel.bands()],
            Feature::Mfcc(mfcc) => [mfcc.frames(samples), mfcc.coefficients()],
        }
    }

    fn apply(&self, samples: &[f32], out: &mut [f32]) -> Result<(), AudioError> {
        match self {
            Feature::Wave => {
                out.copy_from_slice(samples);
                Ok(())
            }
            Feature::Spectrum(spectrum) => spectrum.apply(samples, out),
            Feature::Mel(mel) => mel.apply(samples, out),
            Feature::Mfcc(mfcc) => mfcc.apply(samples, out),
        }
    }
}

/// The feature that a call names; none of another name.
fn feature(call: &TransformCall, rate: u32) -> Result<Option<Feature>, DataError> {
    let known: &[&'static str] = match call.name.as_str() {
        "spectrogram" => &["size", "hop", "scale"],
        "mel" => &["bands", "size", "hop", "low", "high"],
        "mfcc" => &["count", "bands", "size", "hop", "low", "high"],
        _ => return Ok(None),
    };
    let args = Arguments::of_call(call, known)?;
    let size = args.count("size", 256, 2)?;
    let hop = args.count("hop", size / 2, 1)?;
    if call.name == "spectrogram" {
        let scale = match args.name("scale", &["log", "power", "magnitude"])? {
            Some("power") => SpectrumScale::Power,
            Some("magnitude") => SpectrumScale::Magnitude,
            _ => SpectrumScale::LogPower,
        };
        let made = Spectrogram::new(size, size, hop, scale);
        return made.map(|it| Some(Feature::Spectrum(it))).map_err(said);
    }
    let half = f64::from(rate) / 2.0;
    let (low, high) =
        (args.number("low", 0.0, 0.0..=half)?, args.number("high", half, 1.0..=half)?);
    let power = Spectrogram::new(size, size, hop, SpectrumScale::Power).map_err(said)?;
    let bands = args.count("bands", 40, 1)?;
    let mel = MelSpectrogram::new(power, rate, bands, low, high, true).map_err(said)?;
    if let Some(band) = mel.silent_bands().first() {
        let message =
            format!("band {} of {bands} is narrower than a frequency of {size}", band + 1);
        return Err(DataError::new(message).help("take fewer `bands:`, or a larger `size:`"));
    }
    match call.name == "mel" {
        true => Ok(Some(Feature::Mel(mel))),
        false => {
            let mfcc = Mfcc::new(mel, args.count("count", 13, 1)?).map_err(said)?;
            Ok(Some(Feature::Mfcc(mfcc)))
        }
    }
}

/// An error of a recording as one of the data.
fn said(error: AudioError) -> DataError {
    let made = DataError::new(error.message);
    match error.help {
        Some(help) => made.help(help),
        None => made,
    }
}

/// Whether a file's name says that it is a recording.
pub(super) fn is_recording(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    ["wav", "wave", "flac"].iter().any(|known| ending == *known)
}

/// The recordings below a folder with the names of their classes.
fn files_of(folder: &Path) -> Result<Vec<(PathBuf, String)>, DataError> {
    let failed =
        |error: std::io::Error| DataError::new(format!("cannot read: {error}")).path(folder);
    let entries = |path: &Path| -> std::io::Result<Vec<PathBuf>> {
        let mut found: Vec<PathBuf> =
            std::fs::read_dir(path)?.flatten().map(|entry| entry.path()).collect();
        found.sort();
        Ok(found)
    };
    let mut found = Vec::new();
    for class in entries(folder).map_err(failed)?.into_iter().filter(|path| path.is_dir()) {
        let name = class.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let files = entries(&class).map_err(failed)?.into_iter().filter(|it| is_recording(it));
        found.extend(files.map(|file| (file, name.clone())));
    }
    match found.is_empty() {
        true => {
            let error =
                DataError::new("has no sub-folders with WAV or FLAC files in them").path(folder);
            Err(error.help("each class has a folder of its name"))
        }
        false => Ok(found),
    }
}

/// How recordings become samples.
struct RecordingPlan {
    rate: u32,
    /// Samples of a recording.
    samples: usize,
    feature: Feature,
    shape: [usize; 2],
}

impl RecordingPlan {
    /// As the arguments of the source say.
    fn of(args: &Arguments<'_>) -> Result<RecordingPlan, DataError> {
        let rate = args.count("rate", 16_000, 100)? as u32;
        let seconds = args.number("seconds", 1.0, 0.001..=600.0)?;
        let samples = ((f64::from(rate) * seconds).round() as usize).max(1);
        let feature = Feature::of(args, rate)?;
        let shape = feature.shape(samples);
        match shape.contains(&0) {
            true => {
                let message = format!("{samples} samples are shorter than a frame");
                Err(DataError::new(message).argument("seconds"))
            }
            false => Ok(RecordingPlan { rate, samples, feature, shape }),
        }
    }

    /// The field of the feature.
    fn field(&self) -> Field {
        let name = if matches!(self.feature, Feature::Wave) { "wave" } else { "spectrum" };
        Field::number(name, DType::F32, &self.shape)
    }

    /// The bytes of a file's feature.
    fn of_file(&self, file: &Path) -> Result<Vec<u8>, DataError> {
        of_file(file, |bytes| self.of_bytes(bytes))
    }

    /// The same of a file's bytes.
    fn of_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, DataError> {
        let same = samples_of(bytes, self.rate)?;
        let mut out = vec![0.0; self.shape[0] * self.shape[1]];
        self.feature.apply(&fit_length(same, self.samples), &mut out).map_err(said)?;
        Ok(out.iter().flat_map(|value| value.to_le_bytes()).collect())
    }
}

/// The samples of a recording, one channel at a rate.
pub(super) fn samples_of(bytes: &[u8], rate: u32) -> Result<Vec<f32>, DataError> {
    let wave = read(bytes, MOST_SAMPLES).map_err(said)?;
    if wave.samples.is_empty() {
        return Err(DataError::new("the recording has no samples"));
    }
    resample(&wave.samples, wave.rate, rate).map_err(said)
}

/// Makes something of the bytes of a file; errors name it.
pub(super) fn of_file<T>(
    file: &Path,
    make: impl FnOnce(&[u8]) -> Result<T, DataError>,
) -> Result<T, DataError> {
    let bytes = files::read::bytes(file, MOST_BYTES)
        .map_err(|error| DataError::new(format!("cannot be read: {error}")).path(file))?;
    make(&bytes).map_err(|error| error.path(file))
}

/// Refuses a model that reads other fields of recordings than one.
pub(super) fn refuse_other_fields(
    asked: &InputRequest<'_>,
    field: &Field,
) -> Result<(), DataError> {
    match asked.wanted.iter().find(|other| other.name != field.name) {
        Some(other) => {
            let message = format!("the model reads `{}`, which no recording has", other.name);
            Err(DataError::new(message))
        }
        None => Ok(()),
    }
}

fn load(args: &Arguments<'_>, places: &Places) -> Result<Dataset, DataError> {
    let plan = RecordingPlan::of(args)?;
    let train = files_of(&folder(args.required_text("folder")?, "folder", places, None)?)?;
    let mut names: Vec<String> = train.iter().map(|(_, name)| name.clone()).collect();
    names.dedup();
    if let [only] = &names[..] {
        let error = DataError::new(format!("one class only: `{}`", only.shown()));
        let help = "a model needs at least two classes, a folder each, to tell apart";
        return Err(error.argument("folder").help(help));
    }
    let found = SplitRecordings::of(args, train, |name, argument| {
        files_of(&folder(name, argument, places, None)?)
    })?;
    let label = |(file, name): &(PathBuf, String)| {
        names.iter().position(|known| known == name).ok_or_else(|| {
            let message = format!("no recording to train on is of the class `{}`", name.shown());
            DataError::new(message).path(file)
        })
    };
    let labels: Vec<usize> = found.all.iter().map(label).collect::<Result<_, _>>()?;
    let one = |(file, _): &(PathBuf, String)| plan.of_file(file);
    let features: Vec<Vec<u8>> = found.all.par_iter().map(one).collect::<Result<_, _>>()?;
    let splits = found.splits(&labels[..found.own]);
    let label_bytes = labels.iter().flat_map(|&label| (label as i32).to_le_bytes()).collect();
    let columns = vec![
        (plan.field(), Column::Memory(features.concat())),
        (label_field(names), Column::Memory(label_bytes)),
    ];
    let files = found.all.into_iter().map(|(file, _)| file).collect::<Vec<_>>();
    let samples = Samples::new(files.len(), columns);
    let samples = Arc::new(samples.from(SampleOrigins::Recordings(files)));
    Ok(Dataset::of_splits(Recordings.name(), samples, splits))
}

/// The class of a recording, by the names of the folders.
fn label_field(names: Vec<String>) -> Field {
    let count = Some(names.len());
    let recipe = FieldRecipe {
        columns: Vec::new(),
        value: CellMeaning::Category { names, closed: true },
        missing: MissingValue::Refuse,
        transforms: Vec::new(),
    };
    Field {
        kind: FieldKind::Class(ClassField { count, one_hot: false }),
        is_target: true,
        recipe: Some(Arc::new(recipe)),
        ..Field::number("label", DType::I32, &[])
    }
}
