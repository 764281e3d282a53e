//! Errors and notes about folders of images: an error is about a folder as a whole, a note about
//! is a note.
//!
//! ```text
//! photos/train/bird: an empty folder, but every class needs images        an error
//! 3 of 1000 images in photos/train cannot be read and are left out; …     a note, up to 1 %
//! ```
//!
//! Every message names a path and a number. Nothing is decided here about single images.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::scan::{Folder, composed};
use crate::base::shown::Show;
use crate::data::dataset::Note;
use crate::data::error::DataError;

/// Lines that an error lists before it only counts.
const MOST_LISTED: usize = 20;
const LAYOUT: &str =
    "each class is a sub-folder with its images: photos/cat/1.jpg, photos/dog/2.jpg";

/// Refuses a training folder whose classes cannot be learnt.
pub fn refuse_classes(folder: &Folder, expected: Option<usize>) -> Result<(), DataError> {
    let wrong = |message: String| Err(DataError::new(message).path(&folder.root).help(LAYOUT));
    if folder.files.is_empty() {
        let outside = folder.passed.iter().filter(|(_, reason)| *reason == "an image of no class");
        return match (outside.count(), folder.classes.len()) {
            (0, 0) => wrong("no sub-folders, so no classes and no images".to_string()),
            (0, classes) => {
                wrong(format!("no images in its {}", counted(classes, "sub-folder", "sub-folders")))
            }
            (images, _) => wrong(format!(
                "{} in the folder itself, none in a sub-folder",
                counted(images, "image", "images")
            )),
        };
    }
    refuse_twins(folder)?;
    if let [class] = folder.classes.as_slice() {
        let name = class.shown();
        return wrong(format!(
            "one class only (`{name}`); a model needs at least two to tell apart"
        ));
    }
    refuse_empty(folder, &folder.counts(), "an empty class: no images in this folder")?;
    match expected {
        Some(expected) if expected != folder.classes.len() => {
            let found = folder.classes.len();
            Err(DataError::new(format!("{found} classes, but `classes` says {expected}"))
                .path(&folder.root)
                .argument("classes"))
        }
        _ => Ok(()),
    }
}

/// Refuses two folders whose names are one name: nobody could tell them apart.
fn refuse_twins(folder: &Folder) -> Result<(), DataError> {
    let mut known: HashMap<Cow<'_, OsStr>, &OsStr> = HashMap::new();
    for class in &folder.classes {
        if let Some(twin) = known.insert(composed(class), class) {
            let spelt = |name: &OsStr| {
                let units = name.to_string_lossy();
                let units = units.chars().map(|c| match c.is_ascii_graphic() {
                    true => c.to_string(),
                    false => format!("U+{:04X}", u32::from(c)),
                });
                units.collect::<Vec<_>>().join(" ")
            };
            let message = "two classes of one name, whose accents are composed differently";
            return Err(DataError::new(message)
                .path(folder.root.join(class))
                .notes(vec![spelt(class), spelt(twin)])
                .help("put their images into one folder"));
        }
    }
    Ok(())
}

/// Remarks on the classes of a training folder: those whose names are those of splits.
pub fn oddities(folder: &Folder) -> Vec<String> {
    const SPLITS: [&str; 7] =
        ["train", "training", "test", "testing", "val", "valid", "validation"];
    let is_split = |name: &&OsString| {
        let name = name.to_str().unwrap_or_default();
        SPLITS.iter().any(|split| split.eq_ignore_ascii_case(name))
    };
    let named: Vec<String> =
        folder.classes.iter().filter(is_split).map(|name| format!("`{}`", name.shown())).collect();
    match &named[..] {
        [] => Vec::new(),
        [name] => vec![format!("the class {name} is called as a split of the data is")],
        names => {
            let names = names.join(" and ");
            vec![format!("the classes {names} are called as splits of the data are")]
        }
    }
}

/// Refuses classes of which there are no images.
fn refuse_empty(folder: &Folder, counts: &[usize], message: &str) -> Result<(), DataError> {
    let empty = folder.classes.iter().zip(counts).filter(|(_, count)| **count == 0);
    let empty: Vec<PathBuf> = empty.map(|(class, _)| folder.root.join(class)).collect();
    let Some((first, others)) = empty.split_first() else { return Ok(()) };
    let others = others.iter().map(|path| format!("so is {}", path.shown()));
    Err(DataError::new(message)
        .path(first)
        .notes(listed(others))
        .help("put images into it, or take the folder away"))
}

/// Refuses a test or validation folder with classes that training lacks, or without images.
pub fn refuse_strangers(folder: &Folder, train: &Folder, argument: &str) -> Result<(), DataError> {
    refuse_twins(folder)?;
    let strangers = folder.classes.iter().filter(|class| train.class(class).is_none());
    let paths: Vec<PathBuf> = strangers.map(|class| folder.root.join(class)).collect();
    if let Some((first, others)) = paths.split_first() {
        let classes = train.classes.iter().map(|class| class.shown().to_string());
        let mut notes = listed(others.iter().map(|path| format!("so is {}", path.shown())));
        notes.push(format!("{} has {}", train.root.shown(), some(classes)));
        let message = format!("a class of `{argument}` that is not among those to train on");
        return Err(DataError::new(message)
            .path(first)
            .argument(argument)
            .notes(notes)
            .help("classes are matched by the names of their folders"));
    }
    match folder.files.is_empty() {
        true => {
            let error = DataError::new("no images in it").path(&folder.root);
            Err(error.argument(argument).help(LAYOUT))
        }
        false => Ok(()),
    }
}

/// Refuses a folder with too many images that cannot be read, or a class of which none can.
pub fn refuse_unreadable(
    folder: &Folder,
    reasons: &[Option<String>],
    allowed: f64,
) -> Result<(), DataError> {
    let (bad, all) = (reasons.iter().flatten().count(), reasons.len());
    if bad as f64 > allowed * all as f64 {
        let share = 100.0 * bad as f64 / all as f64;
        let message = format!(
            "{bad} of {} cannot be read ({share:.1} %, more than the {} % that are allowed)",
            counted(all, "image", "images"),
            (allowed * 1e4).round() / 100.0
        );
        return Err(DataError::new(message)
            .path(&folder.root)
            .notes(listed(unreadable(folder, reasons)))
            .help("mend or remove them, or allow more, such as `unreadable: 0.05`"));
    }
    let mut left = folder.counts();
    for (file, _) in folder.files.iter().zip(reasons).filter(|(_, reason)| reason.is_some()) {
        left[file.class as usize] -= 1;
    }
    let had = folder.counts();
    // A class that was empty from the start is missing here, which is fine in a test folder.
    let lost: Vec<usize> =
        left.iter().zip(had).map(|(&left, had)| left.max(usize::from(had == 0))).collect();
    refuse_empty(folder, &lost, "none of the images of this class can be read")
}

/// Further notes on a folder, a line each.
pub fn notes(folder: &Folder, train: &Folder, reasons: &[Option<String>]) -> Vec<Note> {
    let root = folder.root.shown();
    let mut notes = Vec::new();
    let details: Vec<String> = unreadable(folder, reasons).collect();
    if let Some(first) = details.first() {
        let (bad, all) = (details.len(), counted(reasons.len(), "image", "images"));
        let line =
            format!("{bad} of {all} in {root} cannot be read and are left out; first {first}");
        notes.push(Note { line, details });
    }
    let passed = folder.passed.iter();
    let details: Vec<String> =
        passed.map(|(path, reason)| format!("{}: {reason}", shown(path))).collect();
    if let Some(first) = details.first() {
        let entries = counted(details.len(), "other entry", "other entries");
        let line = format!("{entries} of {root} passed over; first {first}");
        notes.push(Note { line, details });
    }
    let present = |class: &OsStr| {
        let number = folder.class(class);
        number.is_some_and(|number| folder.files.iter().any(|file| file.class as usize == number))
    };
    let missing = train.classes.iter().filter(|class| !present(class));
    let details: Vec<String> = missing.map(|class| class.shown().to_string()).collect();
    if !details.is_empty() {
        let (count, all) = (details.len(), counted(train.classes.len(), "class", "classes"));
        let line =
            format!("{root} has no images of {count} of {all}: {}", some(details.iter().cloned()));
        notes.push(Note { line, details });
    }
    notes
}

/// A line for each image that cannot be read.
fn unreadable<'a>(
    folder: &'a Folder,
    reasons: &'a [Option<String>],
) -> impl Iterator<Item = String> + 'a {
    let bad = folder.files.iter().zip(reasons);
    bad.filter_map(|(file, reason)| Some(format!("{}: {}", shown(&file.path), reason.as_ref()?)))
}

fn shown(path: &Path) -> String {
    path.shown().to_string()
}

/// The first lines, and how many more there are.
pub fn listed(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    let more = lines.len().saturating_sub(MOST_LISTED);
    if more > 0 {
        lines.truncate(MOST_LISTED);
        lines.push(format!("and {more} more"));
    }
    lines
}

/// The first few names of many.
fn some(names: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 5;
    let names: Vec<String> = names.collect();
    match names.len() {
        ..=SHOWN => names.join(", "),
        count => format!("{}, … ({count} in all)", names[..SHOWN].join(", ")),
    }
}

/// `1 image`, `2 images`.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
