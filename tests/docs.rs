//! The documents hold: every fenced example means what the text around it says, every link and
//! every named file is there, and the references leave nothing out.
//!
//! What is done with a fence is said by the words after its backticks:
//!
//! | words | what must hold |
//! |---|---|
//! | `nn` | items that parse; with a model, a program that elaborates |
//! | `nn body` | the body of a model of `x: f32[N, 6, 4]` and `index: i32[N]`, which elaborates |
//! | `nn fragment` | items or a body that parse |
//! | `nn file NAME` | nothing here: `tests/book.rs` writes it to that file and runs commands on it |
//! | … `error E0102` | the same, but with this error first |
//! | `report` | what `nnc check` prints about the wrong program before it |
//! | `graph` | a graph that is read, verified, and printed as it stands |
//! | `graph simplify` | what that pass makes of the graph before it |
//! | `loops` | a program of loops that is read, verified, and printed as it stands |
//! | `excerpt fused` | lines, in order, of that stage of `models/mnist.nn`; of that file, where it is one |
//! | `text`, `console`, `rust` | nothing; the commands of `console run` are run by `tests/book.rs` |

use nnc::base::diagnostic::Diagnostic;
use nnc::base::schema::Schema;
use nnc::base::source::Sources;
use nnc::cli::render::render;
use nnc::command;
use nnc::data::{self, Places};
use nnc::driver::{self, source_request};
use nnc::elaborate::{self, DataRequest, ElaborateOptions, PRELUDE, PRELUDE_NAME, ProgramFiles};
use nnc::graph::{self, Binary, Graph, Op, Unary, UpdateRule};
use nnc::loops;
use nnc::pass::{Gradients, PIPELINE, TrainingStep};
use nnc::syntax::ast::{FunctionKind, ItemKind};
use nnc::syntax::parse;
use std::fs;
use std::path::{Path, PathBuf};

/// A fenced example.
struct Fence {
    /// Its file and line, for messages.
    place: String,
    /// The words after the backticks.
    words: Vec<String>,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README and everything in `docs`, the book included, with their texts.
fn documents() -> Vec<(PathBuf, String)> {
    let mut paths = vec![root().join("README.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of documents") {
            let path = entry.expect("an entry").path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "md" => paths.push(path),
                _ => {}
            }
        }
    }
    paths.sort();
    let text = |path: PathBuf| (fs::read_to_string(&path).expect("UTF-8"), path);
    paths.into_iter().map(text).map(|(text, path)| (path, text)).collect()
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("the document")
}

/// A document's fences, and its lines outside them with their numbers.
fn split(path: &Path, text: &str) -> (Vec<Fence>, Vec<(usize, String)>) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (mut fences, mut prose) = (Vec::new(), Vec::new());
    let mut open: Option<Fence> = None;
    for (index, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", index + 1);
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(_), Some(fence)) => fences.push(fence),
            (Some(words), None) => {
                let words = words.split_whitespace().map(str::to_owned).collect();
                open = Some(Fence { place, words, text: String::new() });
            }
            (None, Some(mut fence)) => {
                fence.text += &format!("{line}\n");
                open = Some(fence);
            }
            (None, None) => prose.push((index + 1, line.to_owned())),
        }
    }
    assert!(open.is_none(), "{name}: the last fence is not closed");
    (fences, prose)
}

// ---- Examples

#[test]
fn every_fenced_example_holds() {
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        let mut before = Before::default();
        for fence in split(&path, &text).0 {
            if let Err(complaint) = holds(&fence, &mut before) {
                wrong.push(format!("{}: {complaint}", fence.place));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

/// What earlier fences of a document left for later ones.
#[derive(Default)]
struct Before {
    graph: Option<Graph>,
    program: String,
}

/// Whether a fence is what its words say.
fn holds(fence: &Fence, before: &mut Before) -> Result<(), String> {
    let words: Vec<&str> = fence.words.iter().map(String::as_str).collect();
    match words[..] {
        ["nn", "file", _] => Ok(()),
        ["nn", ref rest @ ..] => {
            program(&fence.text, rest)?;
            before.program = fence.text.clone();
            Ok(())
        }
        ["report"] => same(&checked(&before.program), &fence.text),
        ["graph"] => {
            let graph = sound(&fence.text)?;
            let printed = graph.to_string();
            before.graph = Some(graph);
            same(&printed, &fence.text)
        }
        ["graph", pass] => {
            let before = before.graph.as_ref().ok_or("no graph stands before it")?;
            same(&after(before, pass)?.to_string(), &fence.text)
        }
        ["loops"] => {
            let program = loops::read::read(&fence.text).map_err(|error| error.to_string())?;
            loops::verify::verify(&program).map_err(|findings| findings.join("\n"))?;
            same(&program.to_string(), &fence.text)
        }
        ["excerpt", of] => are_lines(&fence.text, &whole(of)?),
        ["text" | "console" | "rust" | "lua" | "toml"] | ["console", "run"] => Ok(()),
        _ => Err(format!("what is to be done with {words:?}?")),
    }
}

fn same(actual: &str, shown: &str) -> Result<(), String> {
    if actual == shown { Ok(()) } else { Err(format!("it should be\n{actual}")) }
}

/// A file's text, or that of a stage of the training step of `models/mnist.nn`.
fn whole(of: &str) -> Result<String, String> {
    if of.contains('/') {
        return fs::read_to_string(root().join(of)).map_err(|error| error.to_string());
    }
    let stage = command::STAGES.iter().find(|stage| stage.name == of);
    let step = Some(stage.ok_or_else(|| format!("`{of}` is no stage"))?.made_by);
    let request = driver::Request::new(root().join("models/mnist.nn"));
    let asked = command::EmitRequest { step, ..command::EmitRequest::default() };
    let text = command::emit(&mut driver::Session::new(None), &request, asked);
    text.map_err(|failure| format!("{failure:?}"))
}

/// Whether lines (comments and indents aside) are lines of a text, in order; `…` stands for any.
fn are_lines(excerpt: &str, text: &str) -> Result<(), String> {
    let plain = |line: &str| line.split(" ;").next().unwrap_or("").trim().to_owned();
    let mut rest = text.lines().map(plain);
    for line in excerpt.lines().map(plain).filter(|line| line != "…") {
        if !rest.any(|other| other == line) {
            return Err(format!("there is no line (any more) that is\n{line}"));
        }
    }
    Ok(())
}

fn sound(text: &str) -> Result<Graph, String> {
    let graph = graph::read(text).map_err(|error| error.to_string())?;
    graph::verify(&graph).map_err(|findings| findings.join("\n"))?;
    Ok(graph)
}

fn after(graph: &Graph, pass: &str) -> Result<Graph, String> {
    let train = PIPELINE.train.iter().find(|it| it.name == pass);
    let step = PIPELINE.step.iter().find(|it| it.name == pass);
    let given = TrainingStep { rule: UpdateRule::default(), gradients: Gradients::Applied };
    let made = train.map(|pass| (pass.run)(graph, &given));
    let made = made.or_else(|| step.map(|pass| (pass.run)(graph, &4)));
    made.ok_or_else(|| format!("`{pass}` is no pass that makes a graph"))
}

/// Whether a program, body or fragment means something, or is wrong as it should be; gives what
/// is said about it.
fn program(text: &str, words: &[&str]) -> Result<String, String> {
    let (words, code) = match words {
        [words @ .., "error", code] => (words, Some(*code)),
        words => (words, None),
    };
    let as_body = |header: &str| format!("{header} {{\n{text}}}\n");
    let mut sources = Sources::new();
    let found = match words {
        [] => meaning(&mut sources, text),
        ["body"] => {
            let text = as_body("model example(x: f32[N, 6, 4], index: i32[N])");
            meaning(&mut sources, &text)
        }
        ["fragment"] => syntax_of(&mut sources, text)
            .or_else(|_| syntax_of(&mut sources, &as_body("layer example(x: f32[N, 4])"))),
        _ => return Err(format!("what is to be done with {words:?}?")),
    };
    match (found, code) {
        (Ok(()), None) => Ok(String::new()),
        (Ok(()), Some(code)) => Err(format!("no {code}")),
        (Err(errors), Some(code)) if errors[0].code == code => Ok(report(&errors, &sources)),
        (Err(errors), _) => Err(report(&errors, &sources)),
    }
}

/// What the command line prints, where no terminal shows it.
fn report(errors: &[Diagnostic], sources: &Sources) -> String {
    errors.iter().map(|error| render(error, sources, 100, false)).collect()
}

/// What `nnc check` prints about a program, as a user sees it.
fn checked(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("example.nn"), text).expect("writable");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_nnc"))
        .args(["check", "example.nn"])
        .current_dir(folder.path())
        .env("XDG_CACHE_HOME", folder.path())
        .output()
        .expect("nnc runs");
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn syntax_of(sources: &mut Sources, text: &str) -> Result<(), Vec<Diagnostic>> {
    let file = sources.add("example.nn", text);
    parse(sources, file).map(|_| ())
}

/// Parses items and, if a model is among them, elaborates them with the schema of their data.
fn meaning(sources: &mut Sources, text: &str) -> Result<(), Vec<Diagnostic>> {
    let file = sources.add("example.nn", text);
    let prelude = sources.add_builtin(PRELUDE_NAME, PRELUDE);
    let files = [parse(sources, file)?];
    let prelude = parse(sources, prelude)?;
    let is_model = |kind: &ItemKind| match kind {
        ItemKind::Function(function) => function.kind == FunctionKind::Model,
        _ => false,
    };
    if !files[0].items.iter().any(|item| is_model(&item.kind)) {
        return Ok(());
    }
    let program = ProgramFiles { files: &files, prelude: &prelude };
    let data = elaborate::data_request(&program, None, &Default::default())?;
    let schemas = data.iter().filter_map(|data| Some((data.name.clone(), schema(data)?)));
    let request = ElaborateOptions { schemas: schemas.collect(), ..ElaborateOptions::default() };
    elaborate::elaborate(&program, &request).map(|_| ())
}

/// The schema of an example's data; as far as it is known where its files would be needed.
fn schema(item: &DataRequest) -> Option<Schema> {
    let request = source_request(item);
    // Tables of examples are those that come with them.
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let places = Places { beside, ..Places::default() };
    match data::schema(&request, &places) {
        Ok(schema) => Some(schema),
        Err(error) if !error.tried.is_empty() => {
            data::presumed(&request, &places).expect("transforms that fit")
        }
        Err(error) => panic!("the data `{}`: {error}", item.name),
    }
}

#[test]
fn the_readme_shows_the_model_that_its_command_trains() {
    let model = document("models/mnist.nn");
    let program = &model[model.find("\ndata ").expect("a data item")..];
    assert!(document("README.md").contains(program), "README.md shows another program");
}

// ---- Links and names of files

#[test]
fn every_relative_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        for (line, prose) in split(&path, &text).1 {
            for target in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if !target.contains("://") && !leads_somewhere(&path, target) {
                    wrong.push(format!("{}:{line}: {target}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn leads_somewhere(from: &Path, target: &str) -> bool {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = from.parent().unwrap_or(Path::new(""));
    let path = if file.is_empty() { from.to_path_buf() } else { folder.join(file) };
    if anchor.is_empty() {
        return path.exists();
    }
    let Ok(mut text) = fs::read_to_string(&path) else { return false };
    // A page of the book that is one of the documents.
    if let Some(included) = text.strip_prefix("{{#include ").and_then(|it| it.split('}').next()) {
        let page = path.parent().unwrap_or(Path::new("")).join(included);
        text = fs::read_to_string(page).expect("the included document");
    }
    let prose = split(&path, &text).1;
    let headings = prose.iter().filter(|(_, line)| line.starts_with('#'));
    headings.into_iter().any(|(_, line)| anchor_of(line.trim_start_matches('#').trim()) == anchor)
}

/// The anchor of a heading, as code hosts make it.
fn anchor_of(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn every_named_file_is_there() {
    const FOLDERS: [&str; 7] =
        ["src/", "tests/", "docs/", "models/", "benches/", "grammar/", "examples/"];
    let is_path = |span: &str| {
        FOLDERS.iter().any(|folder| span.starts_with(folder))
            && span.chars().all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c))
    };
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        for (line, prose) in split(&path, &text).1 {
            let spans = prose.split('`').skip(1).step_by(2);
            for span in spans.filter(|span| is_path(span) && !root().join(span).exists()) {
                wrong.push(format!("{}:{line}: {span}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

// ---- Completeness

/// Names that a text does not have in code font, alone or at the start of a call.
fn missing<'n>(text: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let shown =
        |name: &str| ["`", "(", " "].iter().any(|end| text.contains(&format!("`{name}{end}")));
    names.into_iter().filter(|name| !shown(name)).collect()
}

#[test]
fn the_language_reference_names_every_code_source_and_item_of_the_prelude() {
    let text = document("docs/language.md");
    let mut sources = Sources::new();
    let file = sources.add_builtin(PRELUDE_NAME, PRELUDE);
    let prelude = parse(&sources, file).expect("the prelude parses");
    let items = prelude.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Function(function) => Some(function.name.text.as_str()),
        _ => None,
    });
    assert_eq!(missing(&text, items), [""; 0]);
    let codes = nnc::base::codes::TABLE.iter().map(|code| code.code);
    assert_eq!(missing(&text, codes), [""; 0]);
    assert_eq!(missing(&text, data::source_names()), [""; 0]);
    let transforms = data::transform::TRANSFORMS.map(|(name, _)| name);
    assert_eq!(missing(&text, transforms), [""; 0]);
}

#[test]
fn the_language_reference_names_every_operator_that_is_called() {
    let operators = elaborate::operators().map(|(name, _)| name);
    assert_eq!(missing(&document("docs/language.md"), operators), [""; 0]);
}

#[test]
fn the_language_reference_names_every_setting_of_train() {
    let keys = elaborate::TRAIN_KEYS.iter().copied();
    assert_eq!(missing(&document("docs/language.md"), keys), [""; 0]);
}

/// What the language calls by the same name stands in its reference.
#[test]
fn the_description_of_the_graph_names_every_other_operator_and_pass() {
    let text = document("docs/ir.md");
    let unary = Unary::ALL.iter().filter(|op| !op.row().called).map(|op| op.name());
    let binary = Binary::ALL.iter().map(|op| op.name());
    assert_eq!(missing(&text, unary.chain(binary)), [""; 0]);
    // Declared things are shown with their numbers.
    let declared = ["input", "param", "state", "hyper", "carry"];
    let called = |name: &str| elaborate::operators().any(|(other, _)| other == name);
    let others = Op::NAMES.iter().copied().filter(|name| !declared.contains(name) && !called(name));
    assert_eq!(missing(&text, others), [""; 0]);
    assert_eq!(missing(&text, PIPELINE.names().map(|(name, _)| name)), [""; 0]);
}
