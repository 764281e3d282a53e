//! Examples of the site: the programs of the manual that use an item, each elaborated anew when the
//! site is made, with the shapes that came of it.

use crate::driver::layers::layers;
use crate::driver::{Request, Session};
use crate::elaborate::MANUAL;

/// How many lines an example has at most, and how many are shown of an item.
const MOST_LINES: usize = 30;
const MOST_SHOWN: usize = 2;

/// A program of the manual that elaborates.
pub(super) struct CheckedExample {
    /// The program.
    pub text: String,
    /// Its page of the manual.
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
