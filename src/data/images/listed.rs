//! `images("pictures", labels: "labels.csv") { … }`: each picture with the row of a table that names it.
//!
//! ```text
//! file,kind,age
//! a/1.png,cat,3      pictures/a/1.png   →   image: u8[64, 64, 3], kind: i32[], age: f32[]
//! ```
//!
//! The column that names pictures is the first, or that of `file:`; names are relative to the folder,
//! and one without an ending means the only picture of that name. The other columns are fields as
//! those of `csv` are. Rows are split and fields fitted by the rows whose pictures can be read.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::cache::{CachePlan, Loaded};
use super::load::Progress;
use super::scan::Folder;
use super::{ImageFiles, Options, all_grey, find, is_image, most_pixels, report};
use crate::base::names::near;
use crate::base::schema::{Field, FieldKind, ImageField, Schema};
use crate::base::shown::Show;
use crate::data::dataset::{Dataset, Note};
use crate::data::error::DataError;
use crate::data::fields::{MISSING_TEXT, RawColumn, kept_rows};
use crate::data::request::{Arguments, Places, Watch};
use crate::data::samples::Samples;
use crate::data::source::SampleSource;
use crate::data::spill::Spill;
use crate::data::table::RequestedTable;

/// A table and the pictures that its rows name.
struct ListedPictures<'a> {
    options: Options<'a>,
    requested: RequestedTable,
    /// The rows that samples are made of.
    kept: Vec<u32>,
    /// The pictures of those rows, in their order.
    folder: Folder,
    notes: Vec<Note>,
}

/// The fields and counts of the samples; no picture is decoded.
pub fn schema(args: &Arguments<'_>, places: &Places) -> Result<Schema, DataError> {
    let ListedPictures { options, requested, kept, folder, .. } = ListedPictures::of(args, places)?;
    let splits = requested.splits(&kept)?;
    let (built, oddities) = requested.built(args, &kept, &splits)?;
    let grey = options.shape.channels == 3 && all_grey(&folder);
    let image = ImageField { grey, pixels: most_pixels(&folder), ..ImageField::default() };
    let image = Field { kind: FieldKind::Image(image), ..options.image_field() };
    let fields = std::iter::once(image).chain(built.into_iter().map(|built| built.field));
    let counts = [splits.train.len(), splits.validation.len(), splits.test.len()];
    Ok(Schema { oddities, ..Schema::of(fields.collect()).counted(counts) })
}

/// Reads the table, and decodes the pictures that earlier runs have not left decoded.
pub fn load(args: &Arguments<'_>, places: &Places, watch: Watch<'_>) -> Result<Dataset, DataError> {
    let ListedPictures { options, requested, kept, folder, mut notes } =
        ListedPictures::of(args, places)?;
    let plan = CachePlan::new(&folder, &options.shape, places);
    let progress = Progress::new(watch, plan.fresh());
    let Loaded { images, reasons, note } = plan.load(&progress)?;
    report::refuse_unreadable(&folder, &reasons, options.unreadable)?;
    notes.extend(report::notes(&folder, &folder, &reasons));
    notes.extend(note);
    let readable = kept.iter().zip(&reasons).filter(|(_, reason)| reason.is_none());
    let readable: Vec<u32> = readable.map(|(&row, _)| row).collect();
    let splits = requested.splits(&readable)?;
    let (built, oddities) = requested.built(args, &kept, &splits)?;
    let further = built.into_iter().map(|built| (built.field, built.column));
    let columns = std::iter::once((options.image_field(), images)).chain(further);
    let samples = Arc::new(Samples::new(kept.len(), columns.collect()));
    let mut data = Dataset::of_splits(ImageFiles.name(), samples, splits.places(&kept));
    data.schema.oddities = oddities;
    data.notes = notes;
    Ok(data)
}

impl<'a> ListedPictures<'a> {
    fn of(args: &Arguments<'a>, places: &Places) -> Result<ListedPictures<'a>, DataError> {
        for argument in ["masks", "classes"] {
            if args.get(argument).is_some() {
                let error = args.wrong(argument, "left out where a table has the labels");
                return Err(error.help("the fields of the table say what is learnt"));
            }
        }
        let options = Options::of(args)?;
        let root = find::train(options.folder, places)?;
        let requested =
            RequestedTable::read(args, places, "labels", Some("file"), &Spill::of(places))?;
        if let Some(plan) = requested.plans.iter().find(|plan| plan.bucket.is_some()) {
            let error = DataError::new("texts beside images have one length, and no buckets");
            let error = error.maybe_field(plan.place).help("write `length: 64` instead");
            return Err(error);
        }
        let found = Folder::flat(&root)?;
        let files = files_of(&requested, &found)?;
        let (kept, left_out) = kept_rows(&requested.plans, &requested.table)?;
        let mut notes: Vec<Note> = left_out.into_iter().map(Note::of).collect();
        notes.extend(unlisted(&found, &files, &requested.path));
        let file = |&row: &u32| found.files[files[row as usize]].clone();
        let files = kept.iter().map(file).collect();
        let folder = Folder { files, passed: Vec::new(), ..found };
        Ok(ListedPictures { options, requested, kept, folder, notes })
    }
}

/// For each row of a table, the place of its picture among those of a folder.
fn files_of(requested: &RequestedTable, folder: &Folder) -> Result<Vec<usize>, DataError> {
    let column = requested.beside.clone().unwrap_or_default();
    let all = requested.table.all();
    let table = requested.table.part(std::slice::from_ref(&column), &all)?;
    let lines = requested.table.lines(&all)?;
    let RawColumn::Texts { ids, names } = table.column(&column) else {
        return Ok(Vec::new());
    };
    let pictures = PictureNames::of(folder);
    let found: Vec<Result<usize, DataError>> = names.iter().map(|it| pictures.find(it)).collect();
    let mut first_line: HashMap<usize, u32> = HashMap::new();
    let mut files = Vec::with_capacity(ids.len());
    let mut wrong: Vec<(usize, DataError)> = Vec::new();
    for (row, (&id, &line)) in ids.iter().zip(&lines).enumerate() {
        let found = match id {
            MISSING_TEXT => Err(DataError::new("the row names no image")),
            id => found[id as usize].clone(),
        };
        let found = found.and_then(|file| match first_line.insert(file, line) {
            None => Ok(file),
            Some(first) => {
                let name = folder.files[file].path.shown().to_string();
                let message = format!("`{name}` stands in line {first} already");
                Err(DataError::new(message).help("an image has one row"))
            }
        });
        match found {
            Ok(file) => files.push(file),
            Err(error) => wrong.push((row, error)),
        }
    }
    let mut wrong = wrong.into_iter().map(|(row, error)| {
        let reason = format!("column `{}`: {}", column.shown(), error.message);
        let message = format!("line {}, {reason}", lines[row]);
        DataError { help: error.help, notes: error.notes, ..requested.table.error_of(row, message) }
    });
    let Some(first) = wrong.next() else { return Ok(files) };
    let notes = report::listed(wrong.map(|error| error.message.to_string()));
    Err(first.argument("labels").notes(notes))
}

/// A note on the pictures of a folder that no row names.
fn unlisted(folder: &Folder, files: &[usize], table: &Path) -> Option<Note> {
    let mut is_listed = vec![false; folder.files.len()];
    files.iter().for_each(|&file| is_listed[file] = true);
    let others = folder.files.iter().zip(is_listed).filter(|(_, is_listed)| !is_listed);
    let details: Vec<String> = others.map(|(file, _)| file.path.shown().to_string()).collect();
    let first = details.first()?;
    let line = format!(
        "{} of {} images in {} are in no row of {} and are left out; first {first}",
        details.len(),
        folder.files.len(),
        folder.root.shown(),
        table.shown()
    );
    Some(Note { line, details })
}

/// The pictures of a folder by their names.
struct PictureNames<'a> {
    folder: &'a Folder,
    paths: HashMap<&'a Path, usize>,
    /// By names without an ending; none where several pictures have it.
    stems: HashMap<PathBuf, Option<usize>>,
}

impl<'a> PictureNames<'a> {
    fn of(folder: &'a Folder) -> PictureNames<'a> {
        let (mut paths, mut stems) = (HashMap::new(), HashMap::new());
        for (place, file) in folder.files.iter().enumerate() {
            paths.insert(&*file.path, place);
            let stem = stems.entry(file.path.with_extension("")).or_insert(Some(place));
            *stem = stem.filter(|&known| known == place);
        }
        PictureNames { folder, paths, stems }
    }

    /// The place of the picture that a cell names.
    fn find(&self, name: &str) -> Result<usize, DataError> {
        let shown = name.shown().to_string();
        let mut path = PathBuf::new();
        for part in Path::new(name).components() {
            match part {
                Component::Normal(part) => path.push(part),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    let error = DataError::new(format!("`{shown}` leaves the folder of images"));
                    return Err(error.help("names are relative to the folder"));
                }
            }
        }
        if let Some(&place) = self.paths.get(&*path) {
            return Ok(place);
        }
        match self.stems.get(&path).filter(|_| !is_image(&path)) {
            Some(&Some(place)) => return Ok(place),
            Some(None) => {
                let error = DataError::new(format!("several images are named `{shown}`"));
                return Err(error.help("write the name with its ending"));
            }
            None => {}
        }
        let error = DataError::new(format!("there is no image `{shown}`"));
        let error = error.notes(vec![format!("looked in {}", self.folder.root.shown())]);
        let known = self.folder.files.iter().filter_map(|file| file.path.to_str());
        Err(match near(name, known).first() {
            Some(near) => error.help(format!("did you mean `{}`?", near.shown())),
            None => error.help("names are relative to the folder of images"),
        })
    }
}
