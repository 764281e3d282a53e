//! The book holds: its chapters are listed, its programs are sound, its commands print what it shows.
//!
//! `tests/docs.rs` elaborates the programs that are shown by themselves. Here are those with a file's
//! name (`nn file net.nn`): each chapter has a folder of its own, in which its files are written and
//! the commands of its `console run` blocks are typed, in order. Of what is shown below a command, a
//! line that is `…` stands for any lines of standard output, and `…` in a line for any text.

#[path = "support/folder.rs"]
mod folder;

use folder::Folder;
use nnc::elaborate::{DocKind, Documentation};
use std::fs;
use std::path::{Path, PathBuf};

fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/book/src")
}

/// The chapters that the summary lists, by their paths, in order.
fn chapters() -> Vec<String> {
    let summary = fs::read_to_string(book().join("SUMMARY.md")).expect("a summary");
    let targets = summary.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.map(str::to_owned).collect()
}

/// Fenced blocks of a page: the words after the backticks, and the text.
fn fences(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(words), None) => open = Some((words.to_owned(), String::new())),
            (None, Some((words, text))) => open = Some((words, format!("{text}{line}\n"))),
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn every_chapter_is_listed_and_there() {
    let mut listed = chapters();
    let mut found = Vec::new();
    let mut folders = vec![book()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(book()).expect("inside").to_owned()),
            }
        }
    }
    let mut found: Vec<String> =
        found.into_iter().map(|path| path.to_str().expect("UTF-8").replace('\\', "/")).collect();
    found.retain(|path| path.ends_with(".md") && path != "SUMMARY.md");
    listed.sort();
    found.sort();
    assert_eq!(listed, found);
    for chapter in listed {
        let page = fs::read_to_string(book().join(&chapter)).expect("a chapter");
        let Some(included) = page.strip_prefix("{{#include ") else { continue };
        let document = included.trim_end().trim_end_matches("}}");
        let path = book().join(&chapter).with_file_name(document);
        assert!(path.is_file(), "{chapter} includes {document}");
    }
}

/// The data of the book's programs: a table of the examples, photos of two colours, a few texts.
fn data(folder: &Folder) {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data");
    for table in ["weather.csv", "ratings.csv"] {
        let bytes = fs::read(examples.join(table)).expect("a table");
        folder.write(&format!("data/{table}"), &bytes);
    }
    for (class, colour) in [("cat", [200, 90, 40]), ("dog", [40, 90, 200])] {
        for number in 0..12 {
            let pixel = |x, y| image::Rgb(colour.map(|of: u8| of ^ ((x * y + number) as u8 & 31)));
            let photo = image::RgbImage::from_fn(40, 30, pixel);
            let mut bytes = std::io::Cursor::new(Vec::new());
            photo.write_to(&mut bytes, image::ImageFormat::Png).expect("a picture");
            folder.write(&format!("photos/{class}/{number}.png"), bytes.get_ref());
        }
    }
    let mut table = String::from("text,kind\n");
    for number in 0..40 {
        table +=
            &format!("a very good story number {number},good\na dull and bad tale {number},bad\n");
    }
    folder.write("reviews.csv", table.as_bytes());
}

/// Whether a text is a pattern in which `…` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((before, behind)) = pattern.split_once('…') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    (0..=rest.len()).filter(|&at| rest.is_char_boundary(at)).any(|at| fits(behind, &rest[at..]))
}

/// Whether lines are those that are shown; a line that is `…` stands for any number of them.
fn shows(shown: &[&str], lines: &[&str]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((any, rest)) if any.trim() == "…" => {
            (0..=lines.len()).any(|at| shows(rest, &lines[at..]))
        }
        Some((first, rest)) => match lines.split_first() {
            Some((line, others)) => fits(first, line.trim_end()) && shows(rest, others),
            None => false,
        },
    }
}

/// Types the commands of a block, and holds what they print against what is shown.
fn type_commands(folder: &Folder, chapter: &str, block: &str) {
    let mut lines = block.lines().peekable();
    while let Some(line) = lines.next() {
        let command = line.strip_prefix("$ nnc ").expect("a command of nnc");
        let mut shown = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            shown.push(line);
        }
        let args: Vec<&str> = command.split_whitespace().collect();
        let printed = folder.good(&args);
        let printed: Vec<&str> = printed.lines().collect();
        assert!(
            shows(&shown, &printed),
            "{chapter}: `nnc {command}` prints\n{}\nand not\n{}",
            printed.join("\n"),
            shown.join("\n")
        );
    }
}

#[test]
fn what_is_shown_below_a_command_is_what_it_prints() {
    assert!(shows(&["a … c", "…", "e"], &["a b c", "d", "d", "e"]));
    assert!(!shows(&["a", "…", "e"], &["a", "d"]));
    assert!(!shows(&["a"], &["a", "b"]));
}

#[test]
fn every_program_is_sound_and_every_command_prints_what_is_shown() {
    let (mut programs, mut commands) = (0, 0);
    for chapter in chapters() {
        let page = fs::read_to_string(book().join(&chapter)).expect("a chapter");
        let folder = Folder::new(&[]);
        let mut files = Vec::new();
        for (words, text) in fences(&page) {
            if let Some(name) = words.strip_prefix("nn file ") {
                if files.is_empty() {
                    data(&folder);
                }
                folder.write(name, text.as_bytes());
                files.push(name.to_owned());
            } else if words == "console run" {
                type_commands(&folder, &chapter, &text);
                commands += 1;
            }
        }
        for file in &files {
            folder.good(&["check", "--deny", "warnings", file]);
            folder.good(&["fmt", "--check", file]);
            programs += 1;
        }
    }
    assert!(programs >= 12 && commands >= 15, "{programs} programs, {commands} blocks");
}

/// The page for those who come from PyTorch says of each layer, loss, optimizer, schedule and
/// initializer what it is there.
#[test]
fn the_table_of_pytorch_leaves_nothing_out() {
    let page = fs::read_to_string(book().join("recipes/pytorch.md")).expect("the page");
    let kinds = [
        DocKind::Layer,
        DocKind::Loss,
        DocKind::Optimizer,
        DocKind::Schedule,
        DocKind::Initializer,
    ];
    // Every framework calls these so.
    let plain = ["zeros", "ones", "normal", "uniform"];
    let spans: Vec<&str> = page.split('`').skip(1).step_by(2).collect();
    let named = |name: &str| spans.iter().any(|span| span.split('(').next() == Some(name));
    let language = Documentation::of_language();
    let items = kinds.into_iter().flat_map(|kind| language.of_kind(kind));
    let missing: Vec<&str> = items
        .map(|item| item.name.as_str())
        .filter(|name| !plain.contains(name) && !named(name))
        .collect();
    assert_eq!(missing, [""; 0]);
}
