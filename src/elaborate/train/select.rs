//! Which model of a program is meant, and which `train` block trains it.
//!
//! A name given by the caller decides; else the only `train` block; else the only model. A `train`
//! block of the main file comes before those of the files it uses.

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::Edit;
use crate::base::source::{FileId, Span};
use crate::elaborate::ProgramFiles;
use crate::elaborate::items::{FnId, Items};
use crate::syntax::ast::{File, FunctionKind, ItemKind, Train};

/// A model, and how it is trained, if it is.
pub(in crate::elaborate) struct Selected<'a> {
    /// The model.
    pub model: FnId,
    /// The `train` block.
    pub train: Option<&'a Train>,
}

/// The model that is meant; `main` is the file that was named.
pub(in crate::elaborate) fn select<'a>(
    items: &Items<'a>,
    main: FileId,
    model: Option<&str>,
) -> Result<Selected<'a>, Box<Diagnostic>> {
    let of_model = |train: &Train| model.is_none_or(|model| train.model.text == model);
    let trains: Vec<(&'a Train, Span)> =
        items.trains.iter().filter(|(train, _)| of_model(train)).copied().collect();
    let mains: Vec<_> = trains.iter().filter(|(_, span)| span.file == main).copied().collect();
    let trains = if mains.is_empty() { trains } else { mains };
    match (&trains[..], model) {
        ([(train, _)], _) => {
            let id = named_model(items, &train.model.text, Some(train.model.span))?;
            Ok(Selected { model: id, train: Some(train) })
        }
        ([(first, _), .., (last, _)], _) => Err(Box::new(several_trains(first, last))),
        ([], Some(name)) => Ok(Selected { model: named_model(items, name, None)?, train: None }),
        ([], None) => Ok(Selected { model: only_model(items, main)?, train: None }),
    }
}

fn several_trains(first: &Train, last: &Train) -> Diagnostic {
    let same = first.model.text == last.model.text;
    let error = Diagnostic::error(codes::NO_MODEL, "there are several `train` blocks")
        .primary(last.model.span, "")
        .label(first.model.span, "another one");
    if same {
        error.help("keep one for each model")
    } else {
        error.help(format!(
            "say which model is meant: `--model {}` or `--model {}`",
            first.model.text, last.model.text
        ))
    }
}

/// The model of that name, asked for at a place or by the caller.
fn named_model(items: &Items<'_>, name: &str, span: Option<Span>) -> Result<FnId, Box<Diagnostic>> {
    if let Some(id) = items.find(FunctionKind::Model, name, false) {
        return Ok(id);
    }
    let mut error = Diagnostic::error(codes::NO_MODEL, format!("unknown model `{name}`"));
    if let Some(span) = span {
        error = error.primary(span, "no model has this name");
    }
    let names: Vec<&str> = items.names(FunctionKind::Model).collect();
    if let Some(id) = items.find(FunctionKind::Layer, name, false) {
        // `layer ` stands before the name, as a rule: what it is not is found when it is checked.
        let place = items.function(id).function.name.span;
        let word = Span { start: place.start.saturating_sub(6), end: place.start, ..place };
        error = error
            .label(place, "a layer has this name")
            .fix("make it a model", vec![Edit { span: word, text: "model ".into() }]);
    }
    if let Some(span) = span {
        error = error.misspelt(span, name, names.iter().copied());
    }
    Err(Box::new(error.or_help(|| match &names[..] {
        [] => "the program declares no model".into(),
        names => format!("its models are {}", names.join(", ")),
    })))
}

fn only_model(items: &Items<'_>, main: FileId) -> Result<FnId, Box<Diagnostic>> {
    match &items.models[..] {
        [only] => Ok(*only),
        [] => Err(Box::new(
            Diagnostic::error(codes::NO_MODEL, "the program has no model")
                .primary(Span::new(main, 0, 0), "")
                .help("write one: `model net(x: f32[N, 10]) -> f32[N, 2] { x |> dense(2) }`"),
        )),
        [first, .., last] => {
            let [first, last] = [first, last].map(|id| &items.function(*id).function.name);
            let error = Diagnostic::error(codes::NO_MODEL, "there are several models");
            let help =
                format!("say which is meant: `--model {}` or `--model {}`", first.text, last.text);
            let error = error.primary(last.span, "").label(first.span, "another one").help(help);
            Err(Box::new(error))
        }
    }
}

/// The models of the main file, where it has several; with them those that a `train` block names and
/// that do not exist, so that whoever looks at each reports it. Empty where one is meant anyway.
pub fn several_models(files: &[File]) -> Vec<String> {
    let Some(main) = files.first() else { return Vec::new() };
    let mut models: Vec<&str> = Vec::new();
    let mut trained: Vec<&str> = Vec::new();
    for item in &main.items {
        match &item.kind {
            ItemKind::Function(function) if function.kind == FunctionKind::Model => {
                models.push(&function.name.text);
            }
            ItemKind::Train(train) => trained.push(&train.model.text),
            _ => {}
        }
    }
    if models.len() < 2 {
        return Vec::new();
    }
    let known = |name: &&str| {
        files.iter().flat_map(|file| &file.items).any(|item| {
            matches!(&item.kind, ItemKind::Function(function)
            if function.kind == FunctionKind::Model && function.name.text == **name)
        })
    };
    let unknown = trained.into_iter().filter(|name| !known(name));
    let mut all: Vec<String> = Vec::new();
    for name in models.into_iter().chain(unknown) {
        if !all.iter().any(|it| it == name) {
            all.push(name.to_owned());
        }
    }
    all
}

/// The model of a program that is meant, and how it is trained.
pub(in crate::elaborate) fn choose<'a>(
    program: &ProgramFiles<'a>,
    items: &Items<'a>,
    model: Option<&str>,
) -> Result<Selected<'a>, Box<Diagnostic>> {
    let main = program.files.first().map_or(program.prelude.id, |file| file.id);
    select(items, main, model)
}
