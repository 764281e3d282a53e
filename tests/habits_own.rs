//! Programs that are written as the language has it are never read as those of another framework.
//!
//! Every program of `models`, `examples`, the documents and the golden suites that parses comes out of the
//! habits' machinery as it is, by itself and with a foreign line behind it; so do the calls below, each of
//! which was once taken for another framework's.

use std::fs;
use std::path::{Path, PathBuf};

use nnc::base::source::Sources;
use nnc::driver::{self, Request};
use nnc::repair::habits;
use nnc::syntax;
use rayon::prelude::*;

/// The least number of programs.
const PROGRAMS: usize = 500;
/// An item with a line of PyTorch, and the same as it is written here.
const FOREIGN: [&str; 2] = [
    "\n\nmodel behind(v: f32[N, 4]) -> f32[N, 2] {\n    nn.Linear(4, 2)(v)\n}\n",
    "\n\nmodel behind(v: f32[N, 4]) -> f32[N, 2] {\n    dense(v, 2)\n}\n",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a folder and those below.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// The programs of a document: what stands in its fences, but for those that are to have errors.
fn fences(path: &Path, text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let parts = text.split("\n```nn").skip(1);
    for (at, part) in parts.enumerate() {
        let Some((words, rest)) = part.split_once('\n') else { continue };
        let code = rest.split("\n```").next().unwrap_or_default();
        if !words.contains("error") {
            found.push((format!("{} {at}", path.display()), format!("{code}\n")));
        }
    }
    found
}

/// Whether a text parses.
fn parses(text: &str) -> bool {
    let mut sources = Sources::new();
    let id = sources.add("it.nn", text.to_owned());
    syntax::parse(&sources, id).is_ok()
}

/// All programs that parse, each with where it is from.
fn programs() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for folder in ["models", "examples", "docs", "tests/golden"] {
        files(&root().join(folder), &mut paths);
    }
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let is_mistake = path.parent().is_some_and(|folder| folder.ends_with("golden/check"));
        match path.extension().and_then(|it| it.to_str()) {
            Some("md") => found.extend(fences(&path, &text)),
            Some("nn") if !is_mistake => found.push((path.display().to_string(), text)),
            Some("fixed") if is_mistake => found.push((path.display().to_string(), text)),
            _ => {}
        }
    }
    found.retain(|(_, text)| parses(text));
    found
}

#[test]
fn programs_of_the_language_stay_as_they_are() {
    let programs = programs();
    assert!(programs.len() >= PROGRAMS, "{} programs", programs.len());
    let changed = |(name, text): &(String, String)| {
        let made = habits::translated(text)?.text;
        let (line, other) = text.lines().zip(made.lines()).find(|(a, b)| a != b)?;
        Some(format!("{name}: `{line}` becomes `{other}`"))
    };
    let changed: Vec<String> = programs.par_iter().filter_map(changed).collect();
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}

#[test]
fn a_foreign_line_leaves_the_others_as_they_are() {
    let changed = |(name, text): &(String, String)| {
        let [before, after] = FOREIGN.map(|item| format!("{}{item}", text.trim_end()));
        let made = habits::translated(&before).map_or(before, |made| made.text);
        let (line, other) = after.lines().zip(made.lines()).find(|(a, b)| a != b)?;
        Some(format!("{name}: `{line}` becomes `{other}`"))
    };
    let changed: Vec<String> = programs().par_iter().filter_map(changed).collect();
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}

/// What `--fix` makes of a program.
fn fixed(text: &str) -> String {
    let place = tempfile::Builder::new().suffix(".nn").tempfile().expect("a file");
    fs::write(place.path(), text).expect("writable");
    let fixed = driver::fix(&Request::new(place.path())).expect("a program that can be read");
    fixed.changed.first().map_or(text.to_owned(), |it| it.after.clone())
}

/// Each line here is right, in a program whose last layer is PyTorch's: only that one is written anew.
#[test]
fn what_is_right_beside_a_foreign_line_stays() {
    for (transform, layer, setting) in [
        ("random_flip(p: 0.3)", "flatten", "seed = 1"),
        ("random_flip(vertical)", "dropout(0.3)", "batch = 64"),
        ("normalize(mean: 0.13, std: 0.31)", "batch_norm(momentum: 0.9)", "metrics = accuracy"),
        ("normalize(0.13, 0.31)", "conv(8, [3, 3], pad: same)", "weight_decay = decay(0.01)"),
        ("random_crop(pad: 2)", "max_pool([2, 2])", "weight_decay = 0.01"),
        ("random_rotate(10, fill: edge)", "avg_pool(2)", "l2 = decay(1e-4, only: \"*.weight\")"),
        ("color_jitter(brightness: 0.2)", "leaky_relu(slope: 0.2)", "optimizer = adamw(lr: 1e-3)"),
        ("random_erase(p: 0.2)", "layer_norm(eps: 1e-6)", "early_stop = patience(loss, 3)"),
        ("mixup(0.2)", "softmax(axis: -1)", "optimizer = sgd(lr: cosine(0.1, floor: 0.01))"),
    ] {
        let program = |head: &str| {
            format!(
                "data drawn = digits(train: 100) |> {transform}\n\nmodel net(image: f32[N, 28, 28, \
                 1]) -> f32[N, 10] {{\n    image |> {layer} |> flatten\n        |> {head}\n}}\n\n\
                 train net on drawn {{\n    loss = cross_entropy\n    {setting}\n}}\n"
            )
        };
        assert_eq!(fixed(&program("nn.Linear(784, 10)")), program("dense(10)"));
    }
}
