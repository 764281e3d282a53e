//! The MNIST digits: four known files, looked for in known places.
//!
//! In order: the folder named for this run (itself, or `mnist` in it; nothing else is looked at
//! then), `mnist` beside the program, `mnist` in the folder for data, the cache, and a download
//! into the cache. Files may be plain or in gzip. Whatever the place, the SHA-256 of what is
//! unpacked must be that of the original, so a result on "MNIST" is one.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::dataset::Dataset;
use super::digits::Digits;
use super::error::DataError;
use super::fetch::{KnownFile, fetch};
use super::idx::Idx;
use super::request::{Arguments, Places, Watch};
use super::source::SampleSource;
use super::{digits, idx, labelled};
use crate::base::schema::Schema;
use crate::base::shown::Show;

/// Images and labels to train on, then to test on.
pub const FILES: [KnownFile; 4] = [
    KnownFile {
        name: "train-images-idx3-ubyte",
        sum: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    KnownFile {
        name: "train-labels-idx1-ubyte",
        sum: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    KnownFile {
        name: "t10k-images-idx3-ubyte",
        sum: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    KnownFile {
        name: "t10k-labels-idx1-ubyte",
        sum: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
];

/// Where the files can be had.
pub const MIRRORS: [&str; 2] = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
];

const TRAIN: [usize; 3] = [60_000, 28, 28];
const TEST: usize = 10_000;
const HOW_TO_GET: &str = "put the four files (train-images-idx3-ubyte.gz, \
    train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz) into a \
    folder `mnist` beside the program or under NNC_DATA, or name their folder with --data; \
    `fallback: digits` trains on drawn digits without them";

/// The source `mnist`.
pub struct Mnist;

impl SampleSource for Mnist {
    fn name(&self) -> &'static str {
        "mnist"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["validation", "fallback"]
    }

    fn schema(&self, args: &Arguments<'_>, _: &Places) -> Result<Schema, DataError> {
        Ok(MnistOptions::of(args)?.schema())
    }

    fn open(
        &self,
        args: &Arguments<'_>,
        places: &Places,
        _: Watch<'_>,
    ) -> Result<Dataset, DataError> {
        MnistOptions::of(args)?.open(places)
    }
}

/// The arguments of `mnist(…)`.
struct MnistOptions {
    validation: f64,
    fallback: bool,
}

impl MnistOptions {
    fn of(args: &Arguments<'_>) -> Result<Self, DataError> {
        let fallback = args.name("fallback", &[Digits.name()])?.is_some();
        Ok(MnistOptions { validation: args.fraction("validation")?, fallback })
    }

    fn schema(&self) -> Schema {
        labelled::image_schema(&TRAIN, 10, self.validation, TEST)
    }

    /// The samples. Where there are no files and no way to get them, the drawn digits if those
    /// were allowed. Files that are there but wrong are an error all the same, and so is a folder
    /// that was named for this run and holds none.
    fn open(&self, places: &Places) -> Result<Dataset, DataError> {
        let mut tried = Vec::new();
        if let Some(files) = find(places, &mut tried) {
            return self.read(&files);
        }
        if let Some(folder) = &places.override_ {
            return Err(DataError::new("no MNIST in the folder that --data names")
                .path(folder)
                .tried(tried)
                .help(HOW_TO_GET));
        }
        match download(places) {
            Ok(folder) => {
                let files = complete(&folder).map_err(|missing| {
                    DataError::new(format!("{missing} is gone after its download")).path(&folder)
                })?;
                return self.read(&files);
            }
            Err(error) if error.tried.is_empty() => tried.push(error.to_string()),
            Err(error) => tried.extend(error.tried),
        }
        if !self.fallback {
            return Err(DataError::new("MNIST is not here and could not be downloaded")
                .tried(tried)
                .help(HOW_TO_GET));
        }
        let mut drawn = digits::standing_in(self.validation);
        drawn.notice = Some(format!(
            "MNIST could not be had, so this run uses digits drawn by the program (`fallback: \
             digits`); its accuracy is not MNIST's. Looked at: {}",
            tried.join("; ")
        ));
        Ok(drawn)
    }

    /// Reads the four files at once and checks their sums.
    fn read(&self, files: &[PathBuf; 4]) -> Result<Dataset, DataError> {
        let read: Vec<_> = files.par_iter().zip(&FILES).map(checked).collect();
        let mut read = read.into_iter();
        let mut next = || read.next().expect("four files");
        let (train_images, train_labels, test_images, test_labels) =
            (next()?, next()?, next()?, next()?);
        let samples = |images: Idx, labels: &Idx| {
            labelled::image_samples(&images.dims, images.bytes, &labels.bytes)
        };
        let train = samples(train_images, &train_labels);
        let test = samples(test_images, &test_labels);
        let (schema, labels) = (self.schema(), &train_labels.bytes);
        Ok(labelled::assemble(Mnist.name(), schema, train, labels, self.validation, Some(test)))
    }
}

/// Reads a file that must have a known sum.
fn checked((path, known): (&PathBuf, &KnownFile)) -> Result<Idx, DataError> {
    let (contents, sum) = idx::read(path)?;
    if sum == known.sum {
        return Ok(contents);
    }
    let message = format!("not the original: its SHA-256 is {sum}, should be {}", known.sum);
    Err(DataError::new(message).path(path).help("delete it and get it again"))
}

/// The first folder with all four files; notes what was wrong with each before it.
fn find(places: &Places, tried: &mut Vec<String>) -> Option<[PathBuf; 4]> {
    let folders = match &places.override_ {
        Some(folder) => vec![folder.clone(), folder.join("mnist")],
        None => places.roots().chain(&places.cache).map(|folder| folder.join("mnist")).collect(),
    };
    for folder in folders {
        match complete(&folder) {
            Ok(files) => return Some(files),
            Err(_) if !folder.is_dir() => {
                tried.push(format!("{} (no such folder)", folder.shown()))
            }
            Err(missing) => tried.push(format!("{} (no {missing})", folder.shown())),
        }
    }
    None
}

/// The four files of a folder, or the name of one that is not there.
fn complete(folder: &Path) -> Result<[PathBuf; 4], &'static str> {
    let mut files: [PathBuf; 4] = Default::default();
    for (file, known) in files.iter_mut().zip(&FILES) {
        // Some archives spell it `train-images.idx3-ubyte`.
        let dotted = known.name.replacen("-idx", ".idx", 1);
        let spellings = [known.name, &dotted].map(|name| [name.to_string(), format!("{name}.gz")]);
        let mut paths = spellings.iter().flatten().map(|name| folder.join(name));
        *file = paths.find(|path| path.is_file()).ok_or(known.name)?;
    }
    Ok(files)
}

/// Downloads what is missing into the cache; returns its folder.
fn download(places: &Places) -> Result<PathBuf, DataError> {
    if !places.network {
        return Err(DataError::new("downloads are not allowed"));
    }
    let Some(cache) = &places.cache else {
        return Err(DataError::new("there is no cache folder to download to"));
    };
    let folder = cache.join("mnist");
    fetch(&FILES, &MIRRORS, &folder)?;
    Ok(folder)
}
