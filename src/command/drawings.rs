//! The outputs of `predict` that are pictures, as PNG files: masks and images.
//!
//! ```text
//! a class a pixel, f32[96, 96, 3]       out/cell-001.png   grey, each byte the class of its pixel
//! an image as target, f32[28, 28, 1]    out/digits-7.png   the bytes that the data would have
//! several of them                       out/cell-001.NAME.png
//! ```
//!
//! A mask is what `images(…, masks:)` reads. Files are named like the samples; those below a folder keep
//! their place in it. What is there already is not written over without leave, and that is found out
//! before anything is written. Nothing is guessed from a shape: which output is a picture, its task and
//! its target say.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::base::schema::{Conversion, ImageField};
use crate::base::shown::Show;
use crate::base::task::Task;
use crate::command::answers::PredictedOutput;
use crate::command::predict::Predictor;
use crate::data::InputSample;
use crate::driver::session::Failure;
use crate::files::read::is_there;
use crate::report::html::Picture;
use crate::run::folder::make_folder;
use crate::run::write_file;

/// Classes that a mask of bytes can have.
const MOST_CLASSES: usize = 256;

/// Pictures on their way into a folder.
pub struct DrawnOutputs {
    /// The outputs that are pictures, by their place, and how each becomes one.
    drawn: Vec<(usize, PredictedOutput, PictureForm)>,
    folder: PathBuf,
    /// The stems of the files of each sample.
    stems: HashMap<SampleKey, PathBuf>,
}

/// A sample's file and its place there.
type SampleKey = (PathBuf, String);

fn key(sample: &InputSample) -> SampleKey {
    (sample.path.clone(), sample.place.suffix())
}

/// How an output becomes a picture.
#[derive(Clone, Debug, PartialEq)]
enum PictureForm {
    /// A class a pixel.
    Mask([usize; 2]),
    /// An image of the data: its height, width and channels, and a pair of factor and summand for each
    /// channel, which made the model's numbers of bytes.
    Image([usize; 3], Vec<(f64, f64)>),
}

impl DrawnOutputs {
    /// Files in a folder, for the samples that a user named by `files`; `force` is leave to write over
    /// what is there. Makes the folder.
    pub fn new(
        folder: &Path,
        predictor: &Predictor,
        samples: &[InputSample],
        files: &[PathBuf],
        force: bool,
    ) -> Result<DrawnOutputs, Failure> {
        let outputs = predictor.outputs().iter().enumerate();
        let form = |(place, output): (usize, &PredictedOutput)| {
            form_of(output).map(|form| Some((place, output.clone(), form?))).transpose()
        };
        let drawn = outputs.filter_map(form).collect::<Result<Vec<_>, _>>()?;
        if drawn.is_empty() {
            let tasks: Vec<String> = (predictor.outputs().iter())
                .map(|output| format!("`{}` is {}", output.name, output.task))
                .collect();
            return Err(Failure::Data(format!(
                "no output of `{}` is a mask or a picture: {}; `--raw FILE.npz` writes any output",
                predictor.model,
                tasks.join(", ")
            )));
        }
        let all =
            DrawnOutputs { drawn, folder: folder.to_path_buf(), stems: stems(samples, files)? };
        let known = samples.iter().filter_map(|sample| all.stems.get(&key(sample)));
        let there = known.flat_map(|stem| all.paths(stem)).find(|path| is_there(path));
        if let Some(there) = there.filter(|_| !force) {
            let there = there.shown();
            return Err(Failure::Data(format!(
                "{there} is there already; `--force` writes over it"
            )));
        }
        make_folder(folder)?;
        Ok(all)
    }

    /// The files of a sample, one for each picture.
    fn paths(&self, stem: &Path) -> impl Iterator<Item = PathBuf> {
        let several = self.drawn.len() > 1;
        self.drawn.iter().map(move |(_, output, _)| {
            let mut name = self.folder.join(stem).into_os_string();
            if several {
                name.push(format!(".{}", output.name));
            }
            name.push(".png");
            PathBuf::from(name)
        })
    }

    /// Writes the pictures of a sample; of one that could not be read there are none.
    pub fn write(&self, sample: &InputSample, outputs: &[Vec<f32>]) -> Result<(), Failure> {
        let Some(stem) = self.stems.get(&key(sample)).filter(|_| !outputs.is_empty()) else {
            return Ok(());
        };
        for ((place, output, form), path) in self.drawn.iter().zip(self.paths(stem)) {
            if let Some(folder) = path.parent() {
                make_folder(folder)?;
            }
            let png = picture(output, form, &outputs[*place]).png().ok_or_else(|| {
                Failure::Data(format!("`{}` makes no picture that PNG can hold", output.name))
            })?;
            write_file(&path, &png)?;
        }
        Ok(())
    }
}

/// The form of an output; none where it is no picture.
fn form_of(output: &PredictedOutput) -> Result<Option<PictureForm>, Failure> {
    match (output.task, &output.shape[..]) {
        (Task::ClassPerPosition { classes, .. }, &[height, width, _]) => match classes {
            0..=MOST_CLASSES => Ok(Some(PictureForm::Mask([height, width]))),
            _ => Err(Failure::Data(format!(
                "`{}` has {classes} classes; a mask has a byte a pixel, so {MOST_CLASSES} at most; \
                 `--raw FILE.npz` writes any output",
                output.name
            ))),
        },
        (Task::Picture { sides: sides @ [_, _, channels @ 1..=4], .. }, _) => {
            let image = output.target.as_ref().and_then(|field| field.as_image());
            let form = |image: &ImageField| {
                let of = |channel| Conversion::joined(&image.conversions, channel);
                PictureForm::Image(sides, (0..channels).map(of).collect())
            };
            Ok(image.map(form))
        }
        _ => Ok(None),
    }
}

fn picture(output: &PredictedOutput, form: &PictureForm, numbers: &[f32]) -> Picture {
    match form {
        &PictureForm::Mask([height, width]) => {
            let classes = output.position_classes(numbers);
            let bytes = classes.into_iter().map(|class| class as u8).collect();
            Picture { height, width, channels: 1, bytes }
        }
        PictureForm::Image([height, width, channels], conversions) => {
            let number = |number: f32| match output.task {
                Task::Picture { scale: Some(scale), .. } => scale.of_one(number),
                _ => f64::from(number),
            };
            let byte = |(index, &it): (usize, &f32)| {
                let (scale, offset) = conversions[index % channels];
                // Beyond both ends, and of what is no number, the nearest byte.
                ((number(it) - offset) / scale).round() as u8
            };
            let bytes = numbers.iter().enumerate().map(byte).collect();
            Picture { height: *height, width: *width, channels: *channels, bytes }
        }
    }
}

/// The stems of the samples' files, below a folder. Files whose names differ in their endings alone keep
/// these.
fn stems(
    samples: &[InputSample],
    files: &[PathBuf],
) -> Result<HashMap<SampleKey, PathBuf>, Failure> {
    let mut by_stem: BTreeMap<PathBuf, Vec<&InputSample>> = BTreeMap::new();
    for sample in samples {
        by_stem.entry(stem(sample, files, false)).or_default().push(sample);
    }
    let mut found = HashMap::new();
    let mut taken: HashMap<PathBuf, String> = HashMap::new();
    for (short, alike) in by_stem {
        for sample in &alike {
            let stem = if alike.len() > 1 { stem(sample, files, true) } else { short.clone() };
            if let Some(other) = taken.insert(stem.clone(), sample.name()) {
                let (other, name, stem) = (other.shown(), sample.path.shown(), stem.shown());
                return Err(Failure::Data(format!(
                    "{other} and {name} would both be written to {stem}.png; name their folder, or \
                     predict them one after the other"
                )));
            }
            found.insert(key(sample), stem);
        }
    }
    Ok(found)
}

/// The stem of a sample's file: its place below the folder that the user named, or its name.
fn stem(sample: &InputSample, files: &[PathBuf], whole: bool) -> PathBuf {
    let below = files.iter().find_map(|file| {
        let rest = sample.path.strip_prefix(file).ok()?;
        (!rest.as_os_str().is_empty()).then_some(rest)
    });
    let name = Path::new(sample.path.file_name().unwrap_or_default());
    let path = match sample.path.as_os_str() == "-" {
        true => Path::new("stdin"),
        false => below.unwrap_or(name),
    };
    let mut stem =
        if whole { path.to_path_buf() } else { path.with_extension("") }.into_os_string();
    stem.push(sample.place.suffix());
    PathBuf::from(stem)
}
