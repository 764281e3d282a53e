//! Examples of the site: the programs of the manual that use an item, and the fenced examples of a
//! user's `///` lines. Each is elaborated when the site is made, and shown with the shapes that came of it.
//!
//! An example of a user's item is a program beside its file, which it uses: items are called by their
//! names. One that does not hold is an error, so that a site never shows it.

use crate::driver::layers::layers;
use crate::driver::{Failure, Request, Session};
use crate::elaborate::{DocBlock, DocKind, Documentation, ItemDoc, MANUAL};
use std::path::Path;

/// How many lines an example has at most, and how many are shown of an item.
const MOST_LINES: usize = 30;
const MOST_SHOWN: usize = 2;

/// A program of the manual that elaborates.
pub(super) struct CheckedExample {
    /// The program.
    pub text: String,
    /// Its page of the manual; empty of a user's.
    pub page: &'static str,
    /// The layers that its model calls, each with the shape of its output and its parameters.
    pub layers: Vec<[String; 4]>,
}

/// The programs of the manual that are whole, short, and hold.
pub(super) fn examples() -> Vec<CheckedExample> {
    let mut found = Vec::new();
    for (page, text) in MANUAL {
        let mut parts = text.split("\n```nn\n").skip(1);
        for fence in parts.by_ref().filter_map(|part| part.split("\n```").next()) {
            if fence.lines().count() > MOST_LINES || !fence.contains("model ") {
                continue;
            }
            if let Some(layers) = elaborated(fence) {
                found.push(CheckedExample { text: fence.to_owned(), page, layers });
            }
        }
    }
    found.sort_by_key(|example| example.text.len());
    found
}

/// The layers of a program; `None` where it cannot be elaborated without data.
fn elaborated(text: &str) -> Option<Vec<[String; 4]>> {
    let request = Request::new("example.nn");
    let mut session = Session::default();
    session.overlay(request.file.clone(), text.to_owned());
    let experiment = session.front_without_data(&request, false).ok()?;
    Some(layers(&experiment.train).iter().map(|layer| layer.row()).collect())
}

/// The examples of a program's items.
pub(super) fn of_program(
    file: &Path,
    items: &Documentation,
) -> Result<Vec<CheckedExample>, Failure> {
    let mut found = Vec::new();
    for item in items.items() {
        for block in item.blocks() {
            // Words such as `text` say that it is no program.
            if let DocBlock::Code("" | "nn", code) = block {
                let layers = holds(file, item, code)?;
                found.push(CheckedExample { text: code.to_owned(), page: "", layers });
            }
        }
    }
    Ok(found)
}

/// Elaborates an example of an item; gives the layers of its model, if it has one.
fn holds(file: &Path, item: &ItemDoc, code: &str) -> Result<Vec<[String; 4]>, Failure> {
    let main = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = file.with_file_name(format!("example of {}.nn", item.name));
    let mut session = Session::default();
    session.overlay(beside.clone(), format!("{code}\n\nuse {main:?}\n"));
    let declared = session.documentation(&Request::new(&beside))?;
    // Its own model comes before those of the file that it uses.
    let own = |model: &&ItemDoc| {
        let of = model.source.as_ref().map(|source| source.file.as_str());
        of == Some(&*beside.to_string_lossy())
    };
    let Some(model) = declared.of_kind(DocKind::Model).find(own) else { return Ok(Vec::new()) };
    let request = Request { model: Some(model.name.clone()), ..Request::new(&beside) };
    let experiment = session.front_without_data(&request, false)?;
    Ok(layers(&experiment.train).iter().map(|layer| layer.row()).collect())
}

/// The shortest examples in which a name stands.
pub(super) fn of<'e>(name: &str, examples: &'e [CheckedExample]) -> Vec<&'e CheckedExample> {
    let uses = |example: &&CheckedExample| words(&example.text).any(|word| word == name);
    examples.iter().filter(uses).take(MOST_SHOWN).collect()
}

/// The names in a program, comments aside.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'))
}
