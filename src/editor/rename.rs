//! Definitions, references and new names, in all files of the program and in others that use them.

use super::analysis::{Analysis, Analyst};
use super::names::{DeclaredName, NameRole, NameTarget, NameUses};
use super::uri;
use crate::base::source::{Sources, Span};
use crate::driver::Request;
use crate::files::read;
use crate::syntax::ast::{FunctionKind, ItemKind};
use crate::syntax::{RESERVED, TokenKind, tokens};
use std::path::{Path, PathBuf};

/// How many programs of a folder are looked through for uses.
const MOST_PROGRAMS: usize = 1000;
/// How deep folders are looked into.
const DEEPEST: usize = 8;

/// The place of the definition of the name at a byte; of the path of a `use`, the file's beginning.
pub(super) fn definition(analysis: &Analysis, byte: usize) -> Option<NameDefinition> {
    if let Some(path) = used_file(analysis, byte) {
        return Some(NameDefinition::File(path));
    }
    let (_, declared) = analysis.names.declaration_at(analysis.main, byte)?;
    Some(NameDefinition::Place(declared.span))
}

/// Where a name leads.
#[derive(Debug)]
pub(super) enum NameDefinition {
    /// A place of the program.
    Place(Span),
    /// A file.
    File(PathBuf),
}

/// The file of the `use` at a byte.
fn used_file(analysis: &Analysis, byte: usize) -> Option<PathBuf> {
    let folder = analysis.path(analysis.main)?;
    let items = &analysis.tree()?.items;
    let used = items.iter().find_map(|item| match &item.kind {
        ItemKind::Use { path, path_span: span } => {
            let here = (span.start as usize..=span.end as usize).contains(&byte);
            here.then_some(path)
        }
        _ => None,
    })?;
    Some(uri::tidy(&folder.parent().unwrap_or(Path::new("")).join(used)))
}

/// The places of a name in a program, with the texts that they are in.
pub(super) struct References {
    pub places: Vec<Span>,
    pub sources: Sources,
}

/// All uses of a declaration: in its program, and in other programs of these folders that read the
/// file it is in. Names within a function are in no other file.
pub(super) fn references(
    analyst: &Analyst,
    analysis: &Analysis,
    request: &Request,
    index: usize,
    folders: &[PathBuf],
) -> Vec<References> {
    let declared = &analysis.names.declared[index];
    let places = analysis.names.places(index).collect();
    let mut found = vec![References { places, sources: analysis.sources.clone() }];
    let Some(file) = analysis.path(declared.span.file) else { return found };
    if is_local(declared) {
        return found;
    }
    let mut known: Vec<PathBuf> =
        analysis.files.iter().filter_map(|file| analysis.path(file.id)).collect();
    for program in programs(folders) {
        if known.contains(&program) {
            continue;
        }
        let Some(other) = program_names(analyst, request, &program) else { continue };
        let path_of = |span: Span| uri::tidy(Path::new(&other.sources.file(span.file).name));
        let same = |it: &DeclaredName| {
            (it.span.start, it.span.end, it.role)
                == (declared.span.start, declared.span.end, declared.role)
                && path_of(it.span) == file
        };
        let Some(index) = other.names.declared.iter().position(same) else { continue };
        // Files that both programs read are told once.
        let places: Vec<Span> =
            other.names.places(index).filter(|span| !known.contains(&path_of(*span))).collect();
        known.extend(other.files);
        if !places.is_empty() {
            found.push(References { places, sources: other.sources });
        }
    }
    found
}

/// Whether nothing outside of its function can name it.
fn is_local(declared: &DeclaredName) -> bool {
    match declared.role {
        NameRole::Function(_) | NameRole::Constant | NameRole::Data => false,
        NameRole::Field | NameRole::Argument => declared.owner.is_none(),
        NameRole::Dimension | NameRole::Variable | NameRole::Weight => true,
        NameRole::State | NameRole::Stage => true,
    }
}

/// The names of a program.
struct ProgramNames {
    names: NameUses,
    sources: Sources,
    files: Vec<PathBuf>,
}

fn program_names(analyst: &Analyst, request: &Request, program: &Path) -> Option<ProgramNames> {
    let request = Request { file: program.to_path_buf(), model: None, ..request.clone() };
    let mut session = analyst.session();
    let text = session.main_text(&request).ok()?;
    // A program that uses no other file has nothing of another.
    if !text.contains("use") {
        return None;
    }
    let (parsed, _) = session.parse(program, text).ok()?;
    let names = NameUses::of(&parsed.files, &parsed.prelude);
    let path = |id| uri::tidy(Path::new(&session.sources.file(id).name));
    let files = parsed.files.iter().map(|file| path(file.id)).collect();
    Some(ProgramNames { names, sources: session.sources.clone(), files })
}

/// The programs in these folders and below, in the order of their paths.
pub(super) fn programs(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<(PathBuf, usize)> = folders.iter().map(|it| (it.clone(), 0)).collect();
    while let Some((folder, depth)) = open.pop() {
        for (name, is_folder) in read::entries(&folder, MOST_PROGRAMS) {
            let skipped = name.starts_with('.') || name == "target" || name == "node_modules";
            if skipped || found.len() >= MOST_PROGRAMS {
                continue;
            }
            let path = folder.join(&name);
            match is_folder {
                true if depth < DEEPEST => open.push((path, depth + 1)),
                false if name.ends_with(".nn") => found.push(uri::tidy(&path)),
                _ => {}
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The declaration at a byte that can have another name, or why it cannot.
pub(super) fn renamed(analysis: &Analysis, byte: usize) -> Result<(usize, Span), String> {
    let name = analysis.names.at(analysis.main, byte).ok_or("there is no name here")?;
    let text = analysis.sources.text(name.span);
    let NameTarget::Declared(index) = name.target else {
        return Err(format!("`{text}` is not declared in a program, so it has no other name"));
    };
    let declared = &analysis.names.declared[index];
    if analysis.sources.file(declared.span.file).builtin {
        return Err(format!("`{text}` is the prelude's"));
    }
    Ok((index, name.span))
}

/// The declarations that have one name with this one: a field of data and the model's input that takes it
/// by its name, where a `train` block brings them together. Says why there is no other name, where the
/// field is one that the source gives.
pub(super) fn linked(analysis: &Analysis, index: usize) -> Result<Vec<usize>, String> {
    let names = &analysis.names.declared;
    let declared = &names[index];
    let member = |owner: usize, role: NameRole| {
        names
            .iter()
            .position(|it| it.owner == Some(owner) && it.role == role && it.name == declared.name)
    };
    let mut found = vec![index];
    for item in analysis.files.iter().flat_map(|file| &file.items) {
        let ItemKind::Train(train) = &item.kind else { continue };
        let Some(data) = &train.data else { continue };
        let model = analysis.names.function(&train.model.text, &[FunctionKind::Model]);
        let of_data = names.iter().position(|it| it.role == NameRole::Data && it.name == data.text);
        let (Some((model, _)), Some(of_data)) = (model, of_data) else { continue };
        let other = match declared.owner {
            Some(owner) if owner == model => member(of_data, NameRole::Field),
            Some(owner) if owner == of_data => member(model, NameRole::Argument),
            _ => continue,
        };
        let given = analysis.schema(&data.text).and_then(|schema| schema.field(&declared.name));
        if other.is_none() && declared.role == NameRole::Argument && given.is_some() {
            let message = "is a field of the data, which the input takes by its name";
            return Err(format!("`{}` {message}", declared.name));
        }
        found.extend(other);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Says why a declaration cannot have this name.
pub(super) fn refused(analysis: &Analysis, index: usize, name: &str) -> Result<(), String> {
    let words = tokens(name, 0..name.len());
    let is_name = matches!(&words[..], [word] if word.kind == TokenKind::Word && word.text == name);
    if !is_name || RESERVED.contains(&name) {
        return Err(format!("`{name}` is no name: a letter or `_`, then letters, digits and `_`"));
    }
    let declared = &analysis.names.declared[index];
    let items = analysis.files.iter().flat_map(|file| &file.items);
    let around = items.map(|item| item.span).find(|span| span.contains(declared.span));
    let taken = analysis.names.declared.iter().find(|other| {
        let builtin = analysis.sources.file(other.span.file).builtin;
        let near = match is_local(declared) || declared.owner.is_some() {
            true => around.is_some_and(|around| around.contains(other.span)),
            false => other.role == declared.role,
        };
        other.name == name && near && !builtin && other.span != declared.span
    });
    match taken {
        Some(other) => {
            let place = analysis.sources.place(other.span);
            Err(format!("`{name}` is declared already, at {place}"))
        }
        None => Ok(()),
    }
}
