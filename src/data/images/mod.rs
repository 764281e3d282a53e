//! Images in folders, a sub-folder a class.
//!
//! ```text
//! images("photos/train", size: [150, 150], test: "photos/test", validation: 0.1)
//! photos/train/cat/1.jpg …  →  image: u8[150, 150, 3], label: i32[] (0 is `cat`, 1 is `dog`)
//! ```
//!
//! In order: [`find`] the folders, [`scan`] their names, [`load`] each image ([`decode`], then [`fit`]
//! to the size) unless the [`cache`] has it in its [`packed`] file, and [`report`] what could not be
//! read. Images that cannot be read are left out, up to a part of them; what is wrong with a folder
//! as a whole is an error.

mod cache;
mod class_pixels;
mod decode;
mod find;
mod fit;
mod jpeg;
mod listed;
mod load;
mod masks;
mod packed;
mod report;
mod scan;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::ffi::OsString;
use std::sync::Arc;

use self::cache::{CachePlan, Loaded};
pub use self::fit::FitTarget;
use self::load::Progress;
pub use self::load::{Decoder, decoding_bytes, read as read_image};
use self::scan::Folder;
pub use self::scan::{files_below, images_below, is_image};
use super::dataset::{Dataset, Note};
use super::error::DataError;
use super::labelled::label_field;
use super::locate;
use super::request::{Arguments, Part, Places, Watch};
use super::samples::{Column, Samples, Split};
use super::source::{FitMode, SampleSource, schema_of};
use super::split::{kept, parts};
use crate::base::schema::{Field, FieldKind, ImageField, Schema};

/// No side of an image is longer once it is resized.
const MOST_SIDE: usize = 4096;
/// How many classes `check` and `bench` take there to be without a folder, if nothing says.
const PRESUMED_CLASSES: usize = 10;

/// The source `images`.
pub struct ImageFiles;

impl SampleSource for ImageFiles {
    fn name(&self) -> &'static str {
        "images"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &[
            "folder",
            "size",
            "channels",
            "test",
            "validation",
            "resize",
            "unreadable",
            "classes",
            "masks",
            "validation_masks",
            "test_masks",
            "labels",
            "file",
            "target",
            "split",
            "seed",
            "delimiter",
            "header",
            "na",
        ]
    }

    fn takes_fields(&self) -> bool {
        true
    }

    fn schema(&self, args: &Arguments<'_>, places: &Places) -> Result<Schema, DataError> {
        match Labels::of(args)? {
            Labels::Masks => Ok(schema_of(masks::load(args, places)?)),
            Labels::Table => listed::schema(args, places),
            Labels::Folders => Options::of(args)?.schema(places),
        }
    }

    fn presumed(&self, args: &Arguments<'_>, places: &Places) -> Result<Option<Schema>, DataError> {
        match Labels::of(args)? {
            Labels::Masks => masks::presumed(args).map(Some),
            Labels::Table => Ok(None),
            Labels::Folders => Ok(Some(Options::of(args)?.presumed(places))),
        }
    }

    fn open(
        &self,
        args: &Arguments<'_>,
        places: &Places,
        watch: Watch<'_>,
    ) -> Result<Dataset, DataError> {
        match Labels::of(args)? {
            Labels::Masks => masks::load(args, places),
            Labels::Table => listed::load(args, places, watch),
            Labels::Folders => Options::of(args)?.open(places, watch),
        }
    }

    fn class_names(&self, args: &Arguments<'_>, places: &Places) -> Result<Vec<String>, DataError> {
        match Labels::of(args)? {
            Labels::Masks | Labels::Table => Ok(Vec::new()),
            Labels::Folders => Ok(Options::of(args)?.class_names(places)),
        }
    }

    /// Images are read from the cache as they are needed.
    fn is_resident(&self, args: &Arguments<'_>, field: &Field) -> bool {
        args.get("masks").is_some() || field.as_image().is_none()
    }

    fn resize(&self, args: &Arguments<'_>) -> Result<FitMode, DataError> {
        Ok(Options::of(args)?.shape.resize)
    }

    fn help_for_oddities(&self) -> Option<&'static str> {
        Some("`images(\"photos/train\", test: \"photos/test\")` is how splits are named")
    }
}

/// Where the labels of images come from.
enum Labels {
    /// The folder that an image is in.
    Folders,
    /// A mask of each image.
    Masks,
    /// A table with a row for each image.
    Table,
}

impl Labels {
    fn of(args: &Arguments<'_>) -> Result<Labels, DataError> {
        let of_table = ["file", "target", "split", "seed", "delimiter", "header", "na"];
        let strange = of_table.into_iter().find(|argument| args.get(argument).is_some());
        match (args.get("labels"), args.get("masks"), strange) {
            (Some(_), ..) => Ok(Labels::Table),
            (None, _, Some(argument)) => {
                let error = args.wrong(argument, "left out: it is about the table of `labels:`");
                Err(error.help("name the table: `labels: \"labels.csv\"`"))
            }
            (None, ..) if args.fields.is_some() => {
                let error = DataError::new("the fields of images without a table are known");
                Err(error.help("leave the braces out, or name a table: `labels: \"labels.csv\"`"))
            }
            (None, Some(_), None) => Ok(Labels::Masks),
            (None, None, None) => Ok(Labels::Folders),
        }
    }
}

/// The arguments of `images(…)`.
struct Options<'a> {
    folder: &'a str,
    shape: FitTarget,
    test: Part<'a>,
    validation: Part<'a>,
    /// The part of images that may be unreadable.
    unreadable: f64,
    classes: Option<usize>,
}

/// The folders of a data set, looked through.
struct Folders {
    train: Folder,
    validation: Option<Folder>,
    test: Option<Folder>,
}

impl<'a> Options<'a> {
    fn of(args: &Arguments<'a>) -> Result<Self, DataError> {
        let [height, width] = args.size("size", MOST_SIDE)?;
        let channels = args.count("channels", 3, 1)?;
        if channels != 1 && channels != 3 {
            let message = "`channels` of `images` must be 1 (grey) or 3 (colours)";
            return Err(DataError::new(message).argument("channels"));
        }
        let resize = match args.name("resize", &["stretch", "crop", "pad"])? {
            Some("crop") => FitMode::Crop,
            Some("pad") => FitMode::Pad,
            _ => FitMode::Stretch,
        };
        let (validation, test) = (args.part("validation")?, args.part("test")?);
        if let (Part::Fraction(one), Part::Fraction(other)) = (&validation, &test)
            && one + other >= 1.0
        {
            let message = "`validation` and `test` of `images` leave nothing to train on";
            return Err(DataError::new(message).argument("test"));
        }
        Ok(Options {
            folder: args.required_text("folder")?,
            shape: FitTarget { height, width, channels, resize },
            test,
            validation,
            unreadable: args.tolerance("unreadable", 0.01)?,
            classes: Some(args.count("classes", 0, 2)?).filter(|&classes| classes > 0),
        })
    }

    /// The schema without the folders; the number of classes is a guess then, unless
    /// `classes` says.
    fn presumed(&self, places: &Places) -> Schema {
        // Where only another split's folder is missing, the training folder tells the classes.
        let train = find::train(self.folder, places).and_then(|folder| Folder::scan(&folder));
        let classes = train.ok().map(|folder| folder.classes.len()).filter(|&classes| classes > 1);
        let classes = classes.or(self.classes).unwrap_or(PRESUMED_CLASSES);
        self.described(Some(classes))
    }

    /// The names of the classes, where the folder to train on is there.
    fn class_names(&self, places: &Places) -> Vec<String> {
        let train = find::train(self.folder, places).and_then(|folder| Folder::scan(&folder));
        train.map(|folder| folder.class_names()).unwrap_or_default()
    }

    /// The part of the schema that the arguments determine, of so many classes.
    fn described(&self, classes: Option<usize>) -> Schema {
        Schema::of(vec![self.image_field(), label_field(classes)])
    }

    /// Looks through the folders; of files, it reads the headers of the largest, and of all while
    /// these are grey.
    fn schema(&self, places: &Places) -> Result<Schema, DataError> {
        let folders = self.look(places)?;
        let all = folders.train.files.len();
        let count = |part: &Part<'_>, folder: &Option<Folder>| match (part, folder) {
            (Part::Fraction(fraction), _) => (kept(all, *fraction), kept(all, *fraction)),
            (Part::Folder(_), folder) => (folder.as_ref().map_or(0, |it| it.files.len()), 0),
        };
        let (validation, from_train) = count(&self.validation, &folders.validation);
        let (test, also_from_train) = count(&self.test, &folders.test);
        let grey = self.shape.channels == 3 && all_grey(&folders.train);
        let image = ImageField { grey, pixels: folders.most_pixels(), ..ImageField::default() };
        let image = Field { kind: FieldKind::Image(image), ..self.image_field() };
        let label = label_field(Some(folders.train.classes.len()));
        let schema = Schema::of(vec![image, label]);
        let schema = schema.counted([all - from_train - also_from_train, validation, test]);
        Ok(Schema { oddities: report::oddities(&folders.train), ..schema })
    }

    /// Decodes all images that earlier runs have not left decoded.
    fn open(&self, places: &Places, watch: Watch<'_>) -> Result<Dataset, DataError> {
        let folders = self.look(places)?;
        let plan = |folder| CachePlan::new(folder, &self.shape, places);
        let train_plan = plan(&folders.train);
        let [validation_plan, test_plan] =
            [&folders.validation, &folders.test].map(|folder| folder.as_ref().map(plan));
        let plans = [Some(&train_plan), validation_plan.as_ref(), test_plan.as_ref()];
        let progress =
            Progress::new(watch, plans.into_iter().flatten().map(CachePlan::fresh).sum());
        let mut notes = Vec::new();
        let mut samples =
            |plan: CachePlan<'_>| self.samples(plan, &folders.train, &progress, &mut notes);
        let fraction = |part: &Part<'_>| match part {
            Part::Fraction(fraction) => *fraction,
            Part::Folder(_) => 0.0,
        };
        let [train, validation, test] =
            samples(train_plan)?.parts([&self.validation, &self.test].map(fraction));
        let mut other = |plan: Option<CachePlan<'_>>, part: Split| match plan {
            Some(plan) => samples(plan).map(Labelled::all),
            None => Ok(part),
        };
        let (validation, test) = (other(validation_plan, validation)?, other(test_plan, test)?);
        let schema = self.described(Some(folders.train.classes.len()));
        let schema = schema.counted([train.count(), validation.count(), test.count()]);
        let schema = Schema { oddities: report::oddities(&folders.train), ..schema };
        let transforms = Arc::default();
        let classes = folders.train.class_names();
        Ok(Dataset {
            source: ImageFiles.name(),
            classes,
            schema,
            train,
            validation,
            test,
            transforms,
            notice: None,
            notes,
        })
    }

    /// Finds the folders and looks through them.
    fn look(&self, places: &Places) -> Result<Folders, DataError> {
        let train = Folder::scan(&find::train(self.folder, places)?)?;
        report::refuse_classes(&train, self.classes)?;
        let other = |part: &Part<'_>, argument| match part {
            Part::Fraction(_) => Ok(None),
            Part::Folder(name) => {
                let folder = Folder::scan(&locate::folder(name, argument, places, None)?)?;
                report::refuse_strangers(&folder, &train, argument)?;
                Ok(Some(folder))
            }
        };
        let validation = other(&self.validation, "validation")?;
        let test = other(&self.test, "test")?;
        Ok(Folders { train, validation, test })
    }

    /// The samples of a folder, labelled by the classes of the training folder.
    fn samples(
        &self,
        plan: CachePlan<'_>,
        train: &Folder,
        progress: &Progress<'_>,
        notes: &mut Vec<Note>,
    ) -> Result<Labelled, DataError> {
        let folder = plan.folder;
        let Loaded { images, reasons, note } = plan.load(progress)?;
        report::refuse_unreadable(folder, &reasons, self.unreadable)?;
        notes.extend(report::notes(folder, train, &reasons));
        // Two folders may have the same to say about the cache.
        notes.extend(note.filter(|note| !notes.contains(note)));
        let number = |name: &OsString| train.class(name);
        let numbers: Vec<usize> = folder.classes.iter().filter_map(number).collect();
        let labels: Vec<usize> =
            folder.files.iter().map(|file| numbers[file.class as usize]).collect();
        let readable = (0..).zip(&reasons).filter(|(_, reason)| reason.is_none());
        let label_bytes = labels.iter().flat_map(|&label| (label as i32).to_le_bytes()).collect();
        let fields =
            vec![(self.image_field(), images), (label_field(None), Column::Memory(label_bytes))];
        Ok(Labelled {
            readable: readable.map(|(file, _)| file).collect(),
            samples: Arc::new(Samples::new(labels.len(), fields)),
            labels,
        })
    }

    fn image_field(&self) -> Field {
        let shape = [self.shape.height, self.shape.width, self.shape.channels];
        Field::image("image", &shape)
    }
}

/// How many of a folder's files are looked at for the largest image.
const LOOKED_AT: usize = 8;

impl Folders {
    /// The pixels of the largest image, as the headers of the files with most bytes say.
    fn most_pixels(&self) -> u64 {
        let folders = [Some(&self.train), self.validation.as_ref(), self.test.as_ref()];
        folders.into_iter().flatten().map(most_pixels).max().unwrap_or(0)
    }
}

fn most_pixels(folder: &Folder) -> u64 {
    let mut files: Vec<&scan::ImageFile> = folder.files.iter().collect();
    let bytes = |file: &&scan::ImageFile| Reverse(file.stamp.as_ref().map_or(0, |it| it.bytes));
    files.sort_by_key(bytes);
    let pixels = |file: &&scan::ImageFile| decode::pixels(&folder.root.join(&file.path));
    files.iter().take(LOOKED_AT).filter_map(pixels).max().unwrap_or(0)
}

/// Whether every image of a folder says that it has no colours; the first that does not ends the
/// search.
fn all_grey(folder: &Folder) -> bool {
    let grey = |file: &scan::ImageFile| {
        let bytes = read_image(&folder.root.join(&file.path));
        bytes.is_ok_and(|bytes| decode::Header::read(&bytes).is_ok_and(|it| it.is_grey()))
    };
    !folder.files.is_empty() && folder.files.iter().all(grey)
}

/// A sample for each file, with those that can be used.
struct Labelled {
    samples: Arc<Samples>,
    labels: Vec<usize>,
    readable: Vec<u32>,
}

impl Labelled {
    /// All that can be used.
    fn all(self) -> Split {
        Split::of(self.samples, self.readable)
    }

    /// The samples to train on, then a split for each fraction.
    fn parts(self, fractions: [f64; 2]) -> [Split; 3] {
        let labels: Vec<usize> =
            self.readable.iter().map(|&file| self.labels[file as usize]).collect();
        let split = |part: Vec<u32>| {
            let files = part.into_iter().map(|index| self.readable[index as usize]);
            Split::of(self.samples.clone(), files.collect())
        };
        let parts: Vec<Split> = parts(&labels, fractions).into_iter().map(split).collect();
        parts.try_into().expect("two fractions, three parts")
    }
}
