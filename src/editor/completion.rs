//! Completion: the names that can stand where the cursor is, with what each is.
//!
//! The place decides (see [`context`](super::context)): layers behind `|>`, arguments in a call, keys in
//! a `train` block, fields behind `photos.`, files in a string. Clients filter by what is typed so far,
//! so all that can stand there is given.

use super::analysis::Analysis;
use super::context::{CursorContext, OpenBracket};
use super::documents::OpenText;
use super::headers::{documentation, given_otherwise, header};
use super::hover::of_field;
use super::meanings;
use super::names::{DeclaredName, NameRole};
use super::signature::{built_in, kinds_of};
use crate::data;
use crate::elaborate::{self, DocKind};
use crate::files::read;
use crate::syntax::ast::FunctionKind;
use gen_lsp_types::{
    CompletionItem, CompletionItemKind, Documentation, InsertTextFormat, MarkupContent, MarkupKind,
};
use std::path::{Path, PathBuf};

/// Settings whose strings are patterns of parameter paths.
const PATTERN_KEYS: [&str; 4] = ["freeze", "weight_decay", "l1", "l2"];
/// How many entries of a folder are offered.
const MOST_FILES: usize = 500;

/// The names that can stand at a byte of an open text; `data` is where data are looked for beside its folder.
pub(super) fn complete(
    analysis: &Analysis,
    open: &OpenText,
    data: Option<&Path>,
    byte: usize,
) -> Vec<CompletionItem> {
    let context = CursorContext::at(&open.text, byte);
    if let Some(string) = context.string {
        return in_string(analysis, &context, string, open.folder(), data);
    }
    let mut found = Vec::new();
    let last = context.last().map(|last| last.text);
    match (context.item, last) {
        (Some(_), Some(".")) => members(analysis, &context, &mut found),
        (Some("data"), _) => in_data(&context, last, &mut found),
        (Some("train"), _) => in_train(analysis, &context, (&open.text, byte), &mut found),
        (Some("use"), _) | (None, _) => items(&mut found),
        (Some(_), Some("|>")) => stages(analysis, &mut found),
        (Some(_), Some(":" | "->")) if is_type_place(&context) => types(&mut found),
        (Some(_), _) if context.open.is_empty() => items(&mut found),
        (Some(item), _) => {
            arguments(analysis, &context, &mut found);
            values(analysis, byte, item, &mut found);
            if context.begins_line(&open.text, byte) {
                statements(&mut found);
            }
        }
    }
    found
}

fn item(label: &str, kind: CompletionItemKind, detail: &str) -> CompletionItem {
    let detail = (!detail.is_empty()).then(|| detail.to_owned());
    CompletionItem { label: label.to_owned(), kind: Some(kind), detail, ..Default::default() }
}

/// An item with a form to fill in.
fn snippet(label: &str, detail: &str, form: &str) -> CompletionItem {
    CompletionItem {
        insert_text: Some(form.to_owned()),
        insert_text_format: Some(InsertTextFormat::Snippet),
        ..item(label, CompletionItemKind::Snippet, detail)
    }
}

/// Makes an item of its word alone, for clients that do not fill in forms.
pub(super) fn without_form(item: &mut CompletionItem) {
    if item.insert_text_format == Some(InsertTextFormat::Snippet) {
        (item.insert_text, item.insert_text_format) = (None, None);
        item.kind = Some(CompletionItemKind::Keyword);
    }
}

fn items(found: &mut Vec<CompletionItem>) {
    let of = |(word, form): &(&str, &str)| {
        snippet(word, meanings::of(DocKind::Keyword, word).unwrap_or_default(), form)
    };
    found.extend(meanings::ITEMS.iter().map(of));
}

fn types(found: &mut Vec<CompletionItem>) {
    let of = |(name, takes)| item(name, CompletionItemKind::TypeParameter, takes);
    found.extend(meanings::all(DocKind::Type).map(of));
}

fn statements(found: &mut Vec<CompletionItem>) {
    found.extend(meanings::STATEMENTS.iter().map(|(word, form)| snippet(word, "", form)));
}

/// Whether a `:` or `->` here comes before a type.
fn is_type_place(context: &CursorContext<'_>) -> bool {
    let last = context.last().is_some_and(|last| last.is("->"));
    let declares = context
        .before
        .iter()
        .rev()
        .nth(2)
        .is_some_and(|word| ["param", "state", "carry"].contains(&word.text));
    // The parameters are in the first bracket of the item, which nothing but its name is before.
    let in_header = context.open.len() == 1 && context.open[0].sign == "(";
    last || declares || in_header
}

// ---- Functions

/// A function with its header and documentation.
fn function(analysis: &Analysis, declared: &DeclaredName) -> CompletionItem {
    let header = header(analysis, declared).unwrap_or_default();
    let doc = documentation(declared);
    let content = MarkupContent { kind: MarkupKind::Markdown, value: doc };
    CompletionItem {
        documentation: Some(Documentation::MarkupContent(content)),
        ..item(&declared.name, CompletionItemKind::Function, &header)
    }
}

/// The functions of a kind, the user's before the prelude's.
fn functions(analysis: &Analysis, kind: FunctionKind, found: &mut Vec<CompletionItem>) {
    for declared in &analysis.names.declared {
        let known = found.iter().any(|it| it.label == declared.name);
        if declared.role == NameRole::Function(kind) && !known {
            found.push(function(analysis, declared));
        }
    }
}

fn operators(found: &mut Vec<CompletionItem>) {
    for (name, _) in elaborate::operators() {
        if !found.iter().any(|it| it.label == name) {
            let label = built_in(name).map(|(label, ..)| label).unwrap_or_default();
            found.push(item(name, CompletionItemKind::Function, &label));
        }
    }
}

fn stages(analysis: &Analysis, found: &mut Vec<CompletionItem>) {
    functions(analysis, FunctionKind::Layer, found);
    let labels = analysis.names.declared.iter().filter(|it| it.role == NameRole::Stage);
    found.extend(labels.map(|it| item(&it.name, CompletionItemKind::Variable, "a stage")));
    operators(found);
    found.extend(
        meanings::STATEMENTS
            .iter()
            .filter(|(word, _)| *word == "repeat")
            .map(|(word, form)| snippet(word, "a chain of stages, several times", form)),
    );
}

/// Names in the function around the cursor, constants, functions and words.
fn values(analysis: &Analysis, byte: usize, item_word: &str, found: &mut Vec<CompletionItem>) {
    let tree = analysis.tree();
    let mut items = tree.iter().flat_map(|file| &file.items);
    let around = items.find(|it| (it.span.start as usize..=it.span.end as usize).contains(&byte));
    for declared in &analysis.names.declared {
        let (kind, local) = match declared.role {
            NameRole::Argument | NameRole::Variable | NameRole::Weight | NameRole::State => {
                (CompletionItemKind::Variable, true)
            }
            NameRole::Dimension => (CompletionItemKind::TypeParameter, true),
            NameRole::Constant => (CompletionItemKind::Constant, false),
            NameRole::Data => (CompletionItemKind::Module, false),
            NameRole::Function(_) | NameRole::Field | NameRole::Stage => continue,
        };
        let here = !local || around.is_some_and(|it| it.span.contains(declared.span));
        if here && !found.iter().any(|it| it.label == declared.name) {
            let values = analysis.values.get(&declared.span);
            let detail = values.and_then(|values| Some(values.first()?.value.clone()));
            found.push(item(&declared.name, kind, &detail.unwrap_or_default()));
        }
    }
    functions(analysis, FunctionKind::Layer, found);
    if item_word == "loss" || item_word == "metric" {
        functions(analysis, FunctionKind::Loss, found);
        functions(analysis, FunctionKind::Metric, found);
    }
    operators(found);
    for word in ["true", "false", "none", "training", "not"] {
        found.push(item(word, CompletionItemKind::Keyword, ""));
    }
}

/// The arguments of the call around the cursor that are not given yet, and the values of the one that
/// is being typed.
fn arguments(analysis: &Analysis, context: &CursorContext<'_>, found: &mut Vec<CompletionItem>) {
    let Some(call) = context.call() else { return };
    let Some(callee) = call.callee else { return };
    let calls = context.open.iter().filter(|open| open.sign == "(").count();
    let kinds = kinds_of(context.item, context.key, calls);
    if let Some((index, declared)) = analysis.names.function(callee, &kinds) {
        let before = given_otherwise(declared, call.is_stage);
        for param in analysis.names.members(index).skip(before) {
            if call.current == Some(&param.name) {
                kind_values(analysis, param, found);
            } else if call.current.is_none() && !call.named.contains(&param.name.as_str()) {
                let whole = analysis.sources.text(param.whole);
                found.push(argument(&param.name, whole));
            }
        }
    } else if let Some((label, names, _)) = built_in(callee) {
        given_none(call, &names, &label, found);
    }
}

fn argument(name: &str, detail: &str) -> CompletionItem {
    CompletionItem {
        insert_text: Some(format!("{name}: ")),
        sort_text: Some(format!("!{name}")),
        ..item(&format!("{name}:"), CompletionItemKind::Property, detail)
    }
}

fn given_none(
    call: &OpenBracket<'_>,
    names: &[String],
    detail: &str,
    found: &mut Vec<CompletionItem>,
) {
    let free = |name: &&String| call.current.is_none() && !call.named.contains(&name.as_str());
    found.extend(names.iter().filter(free).map(|name| argument(name, detail)));
}

/// The words that an argument of this kind can be.
fn kind_values(analysis: &Analysis, param: &DeclaredName, found: &mut Vec<CompletionItem>) {
    let written = analysis.sources.text(param.whole);
    let of_kind = |word: &str| written.contains(&format!(": {word}"));
    if of_kind("initializer") {
        functions(analysis, FunctionKind::Initializer, found);
        for draw in
            ["zeros", "ones", "constant", "normal", "truncated_normal", "uniform", "orthogonal"]
        {
            found.push(item(draw, CompletionItemKind::Function, "an initializer"));
        }
    }
    if of_kind("padding") {
        found.extend(["same", "valid"].map(|it| item(it, CompletionItemKind::EnumMember, "")));
    }
    if of_kind("bool") {
        found.extend(["true", "false"].map(|it| item(it, CompletionItemKind::Keyword, "")));
    }
    if of_kind("f32") {
        functions(analysis, FunctionKind::Schedule, found);
    }
    // `mode: string in ["nearest", "bilinear"]`: its words.
    if let Some((_, list)) = written.split_once("in [") {
        let list = list.split(']').next().unwrap_or_default();
        let words = list.split(',').map(str::trim);
        found.extend(words.map(|word| item(word, CompletionItemKind::EnumMember, "")));
    }
}

// ---- Items with keys

fn in_data(context: &CursorContext<'_>, last: Option<&str>, found: &mut Vec<CompletionItem>) {
    if let Some(call) = context.call() {
        if let Some((label, names, _)) = call.callee.and_then(built_in) {
            given_none(call, &names, &label, found);
        }
        return;
    }
    let in_fields = context.open.first().is_some_and(|open| open.sign == "{");
    let names: Vec<&str> = match last {
        Some("=") if in_fields => {
            let of = |(name, of)| item(name, CompletionItemKind::Function, of);
            found.extend(meanings::all(DocKind::Field).map(of));
            return;
        }
        Some("=") => data::source_names().collect(),
        Some("|>") => data::transform_names().collect(),
        Some("as") => vec!["target"],
        _ => return,
    };
    for name in names {
        let label = built_in(name).map(|(label, ..)| label).unwrap_or_default();
        found.push(item(name, CompletionItemKind::Function, &label));
    }
}

fn in_train(
    analysis: &Analysis,
    context: &CursorContext<'_>,
    (text, byte): (&str, usize),
    found: &mut Vec<CompletionItem>,
) {
    let declared = |role: NameRole, found: &mut Vec<CompletionItem>| {
        let of = analysis.names.declared.iter().filter(|it| it.role == role);
        found.extend(of.map(|it| item(&it.name, CompletionItemKind::Module, "")));
    };
    match (context.open.len(), context.last().map(|last| last.text)) {
        (0, Some("train")) => return functions(analysis, FunctionKind::Model, found),
        (0, Some("on")) => return declared(NameRole::Data, found),
        (0, _) => return found.push(item("on", CompletionItemKind::Keyword, "")),
        (1, _) if context.begins_line(text, byte) => return keys(context, found),
        _ => {}
    }
    let calls = context.open.iter().filter(|open| open.sign == "(").count();
    arguments(analysis, context, found);
    match context.key {
        Some("loss") if calls == 0 => functions(analysis, FunctionKind::Loss, found),
        Some("loss") => {
            declared(NameRole::Field, found);
            let schemas = analysis.schemas.iter().flat_map(|(_, schema)| &schema.fields);
            found
                .extend(schemas.map(|it| item(&it.name, CompletionItemKind::Field, &of_field(it))));
        }
        Some("metrics") if calls == 0 => functions(analysis, FunctionKind::Metric, found),
        Some("optimizer") if calls == 0 => functions(analysis, FunctionKind::Optimizer, found),
        Some(key) if calls == 0 => {
            let known = meanings::KEYS.iter().find(|(known, _)| *known == key);
            if let Some((_, value)) = known {
                let meaning = meanings::of(DocKind::Setting, key).unwrap_or_default();
                found.push(item(value, CompletionItemKind::Value, meaning));
                let default = meanings::default_of(key).unwrap_or_default();
                found.push(item(default, CompletionItemKind::Value, "the default"));
            }
        }
        _ => {}
    }
}

/// The keys that the block does not have yet.
fn keys(context: &CursorContext<'_>, found: &mut Vec<CompletionItem>) {
    let written = |key: &str| context.before.windows(2).any(|two| two[0].is(key) && two[1].is("="));
    for (key, value) in meanings::KEYS.iter().filter(|(key, _)| !written(key)) {
        let meaning = meanings::of(DocKind::Setting, key).unwrap_or_default();
        let default = meanings::default_of(key).unwrap_or_default();
        let documentation = format!("{meaning}\n\nDefault: {default}");
        found.push(CompletionItem {
            documentation: Some(Documentation::String(documentation)),
            kind: Some(CompletionItemKind::Property),
            ..snippet(key, default, &format!("{key} = ${{1:{value}}}"))
        });
    }
}

/// The members of the data, or of its field, before the dot.
fn members(analysis: &Analysis, context: &CursorContext<'_>, found: &mut Vec<CompletionItem>) {
    let mut chain = context.before.iter().rev().skip(1).map(|word| word.text);
    let (object, before) = (chain.next().unwrap_or_default(), chain.next());
    if before == Some(".") {
        for member in ["count", "size", "mean"] {
            found.push(item(member, CompletionItemKind::Property, "a number"));
        }
        return;
    }
    let data = analysis.names.declared.iter().enumerate();
    let of_name = |(_, it): &(usize, &DeclaredName)| it.role == NameRole::Data && it.name == object;
    let Some((index, _)) = data.into_iter().find(of_name) else { return };
    if let Some(schema) = analysis.schema(object) {
        for field in &schema.fields {
            found.push(item(&field.name, CompletionItemKind::Field, &of_field(field)));
        }
    }
    for field in analysis.names.members(index) {
        if !found.iter().any(|it| it.label == field.name) {
            found.push(item(&field.name, CompletionItemKind::Field, ""));
        }
    }
    found.push(item("classes", CompletionItemKind::Property, "how many classes the target has"));
}

// ---- Strings

fn in_string(
    analysis: &Analysis,
    context: &CursorContext<'_>,
    typed: &str,
    folder: &Path,
    data: Option<&Path>,
) -> Vec<CompletionItem> {
    let key = context.key.unwrap_or_default();
    if context.item == Some("train") && PATTERN_KEYS.contains(&key) {
        return analysis
            .paths
            .iter()
            .map(|path| item(path, CompletionItemKind::Value, "a parameter"))
            .collect();
    }
    let is_use = context.item == Some("use");
    let inner = typed.rfind('/').map_or("", |slash| &typed[..=slash]);
    let places = [Some(folder), data.filter(|_| !is_use)];
    let mut found = Vec::new();
    for place in places.into_iter().flatten() {
        let place: PathBuf = place.join(inner);
        for (name, is_folder) in read::entries(&place, MOST_FILES) {
            let fits = is_folder || !is_use || name.ends_with(".nn");
            if name.starts_with('.')
                || !fits
                || found.iter().any(|it: &CompletionItem| it.label == name)
            {
                continue;
            }
            let kind = match is_folder {
                true => CompletionItemKind::Folder,
                false => CompletionItemKind::File,
            };
            found.push(item(&name, kind, ""));
        }
    }
    found
}
