//! Requests and their answers.

use super::convert::{AtPosition, InDocument};
use super::state::ServerState;
use crate::base::source::{Sources, Span};
use crate::editor::actions::{self, FoundFixes};
use crate::editor::analysis::Analysis;
use crate::editor::documents::OpenText;
use crate::editor::lenses::{self, LensKind};
use crate::editor::lines::TextLines;
use crate::editor::outline::{OutlineEntry, folds, selections, symbols};
use crate::editor::published::{Addresses, diagnostic};
use crate::editor::rename::{self, NameDefinition};
use crate::editor::{completion, hints, hover, layout, signature, tokens, uri};
use gen_lsp_types::{
    BaseSymbolInformation, CodeAction, CodeActionKind, CodeLens, Command, CompletionList,
    DocumentSymbol, FoldingRange, FoldingRangeKind, Hover, InlayHint, InlayHintKind, Location,
    MarkupContent, MarkupKind, Position, PrepareRenamePlaceholder, Range, SelectionRange,
    SemanticTokens, TextEdit, Uri, WorkspaceEdit, WorkspaceSymbol,
};
use lsp_server::ErrorCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::ops::Range as Bytes;
use std::path::PathBuf;

/// How many symbols of a workspace are told.
const MOST_SYMBOLS: usize = 500;

/// Why a request has no answer.
#[derive(Debug)]
pub(super) struct Refused {
    pub code: ErrorCode,
    pub message: String,
}

type Reply = Result<Value, Refused>;

fn refused(code: ErrorCode, message: impl Into<String>) -> Refused {
    Refused { code, message: message.into() }
}

/// The answer to a request.
pub(super) fn answer(state: &mut ServerState, method: &str, params: Value) -> Reply {
    match method {
        "textDocument/hover" => at(state, params, hovered),
        "textDocument/completion" => completed(state, read(params)?),
        "textDocument/signatureHelp" => at(state, params, |analysis, open, byte| {
            value(signature::help(analysis, &open.text, byte))
        }),
        "textDocument/definition" => defined(state, read(params)?),
        "textDocument/references" => referred(state, read(params)?),
        "textDocument/documentHighlight" => at(state, params, highlighted),
        "textDocument/prepareRename" => renamable(state, read(params)?),
        "textDocument/rename" => renamed(state, read(params)?),
        "textDocument/inlayHint" => hinted(state, read(params)?),
        "textDocument/documentSymbol" => within(state, params, outlined),
        "textDocument/foldingRange" => within(state, params, folded),
        "textDocument/selectionRange" => selected(state, read(params)?),
        "textDocument/semanticTokens/full" | "textDocument/semanticTokens/range" => {
            within(state, params, |analysis, open, bytes| {
                let data = tokens::semantic_tokens(analysis, open, bytes);
                value(SemanticTokens { result_id: None, data })
            })
        }
        "textDocument/formatting" | "textDocument/rangeFormatting" => {
            within(state, params, |_, open, bytes| value(layout::edits(open, bytes)))
        }
        "textDocument/codeAction" => acted(state, read(params)?),
        "textDocument/codeLens" => lensed(state, read(params)?),
        "codeLens/resolve" => resolved(state, read(params)?),
        "workspace/symbol" => found(state, &params),
        _ => Err(refused(ErrorCode::MethodNotFound, format!("no such request: {method}"))),
    }
}

fn read<P: DeserializeOwned>(params: Value) -> Result<P, Refused> {
    serde_json::from_value(params)
        .map_err(|error| refused(ErrorCode::InvalidParams, error.to_string()))
}

fn value(answer: impl Serialize) -> Reply {
    serde_json::to_value(answer)
        .map_err(|error| refused(ErrorCode::InternalError, error.to_string()))
}

fn not_open(uri: &str) -> Refused {
    refused(ErrorCode::InvalidParams, format!("{uri} is not open"))
}

fn analysed<'s>(
    state: &'s mut ServerState,
    uri: &str,
) -> Result<(&'s OpenText, &'s Analysis), Refused> {
    state.analysed(uri).ok_or_else(|| not_open(uri))
}

/// Analyses a document, so that it can be read beside the rest of the state.
fn read_only<'s>(
    state: &'s mut ServerState,
    uri: &str,
) -> Result<(&'s ServerState, &'s OpenText, &'s Analysis), Refused> {
    analysed(state, uri)?;
    let state = &*state;
    let document = state.documents.get(uri).ok_or_else(|| not_open(uri))?;
    let analysis = document.analysis.as_ref().ok_or_else(|| not_open(uri))?;
    Ok((state, &document.open, analysis))
}

/// The answer about a position.
fn at(
    state: &mut ServerState,
    params: Value,
    answer: impl FnOnce(&Analysis, &OpenText, usize) -> Reply,
) -> Reply {
    let AtPosition { text_document, position, .. } = read(params)?;
    let (open, analysis) = analysed(state, &text_document.uri.0)?;
    answer(analysis, open, open.lines.byte(&open.text, position))
}

/// The answer about a range, or a whole document.
fn within(
    state: &mut ServerState,
    params: Value,
    answer: impl FnOnce(&Analysis, &OpenText, Bytes<usize>) -> Reply,
) -> Reply {
    let InDocument { text_document, range, .. } = read(params)?;
    let (open, analysis) = analysed(state, &text_document.uri.0)?;
    let bytes = bytes(open, range);
    answer(analysis, open, bytes)
}

/// The bytes of a range; of none, all.
fn bytes(open: &OpenText, range: Option<Range>) -> Bytes<usize> {
    let byte = |position: Position| open.lines.byte(&open.text, position);
    range.map_or(0..open.text.len(), |range| byte(range.start)..byte(range.end))
}

fn markdown(text: String) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value: text }
}

// ---- Places

fn hovered(analysis: &Analysis, open: &OpenText, byte: usize) -> Reply {
    let found = hover::hover(analysis, byte).map(|it| Hover {
        contents: markdown(it.text).into(),
        range: Some(open.lines.range_of(&open.text, it.span)),
    });
    value(found)
}

fn completed(state: &mut ServerState, params: AtPosition) -> Reply {
    let (state, open, analysis) = read_only(state, &params.text_document.uri.0)?;
    let byte = open.lines.byte(&open.text, params.position);
    let data = state.options.request.nnc_data.as_deref();
    let mut items = completion::complete(analysis, open, data, byte);
    if !state.takes_snippets {
        items.iter_mut().for_each(completion::without_form);
    }
    value(CompletionList { is_incomplete: false, items, ..Default::default() })
}

fn defined(state: &mut ServerState, params: AtPosition) -> Reply {
    let uri = &params.text_document.uri.0;
    let (open, analysis) = analysed(state, uri)?;
    let byte = open.lines.byte(&open.text, params.position);
    match rename::definition(analysis, byte) {
        None => Ok(Value::Null),
        Some(NameDefinition::File(path)) => {
            value(Location { uri: Uri(uri::of_path(&path)), range: Range::default() })
        }
        Some(NameDefinition::Place(span)) => {
            if analysis.sources.file(span.file).builtin {
                state.prelude();
            }
            let (state, open, analysis) = read_only(state, uri)?;
            value(state.addresses(open).location(&analysis.sources, span))
        }
    }
}

fn highlighted(analysis: &Analysis, open: &OpenText, byte: usize) -> Reply {
    let declared = analysis.names.declaration_at(analysis.main, byte);
    let places = declared.into_iter().flat_map(|(index, _)| analysis.names.places(index));
    let here = places.filter(|span| span.file == analysis.main);
    let range = |span| json!({ "range": open.lines.range_of(&open.text, span) });
    value(here.map(range).collect::<Vec<_>>())
}

/// The folders to look for other programs in: those that are open, or the document's own.
fn folders(state: &ServerState, open: &OpenText) -> Vec<PathBuf> {
    let around = state.folders.iter().any(|folder| open.path.starts_with(folder));
    let own = (!around).then(|| open.folder().to_path_buf());
    let own = own.filter(|folder| uri::to_path(&open.uri).is_some() && folder.parent().is_some());
    state.folders.iter().cloned().chain(own).collect()
}

fn locations(addresses: &Addresses<'_>, sources: &Sources, places: &[Span]) -> Vec<Location> {
    places.iter().filter_map(|span| addresses.location(sources, *span)).collect()
}

fn all_references(
    state: &ServerState,
    open: &OpenText,
    analysis: &Analysis,
    index: usize,
) -> Vec<Location> {
    let request = state.request(&open.path);
    let folders = folders(state, open);
    let found = rename::references(&state.analyst, analysis, &request, index, &folders);
    let addresses = state.addresses(open);
    found.iter().flat_map(|it| locations(&addresses, &it.sources, &it.places)).collect()
}

fn referred(state: &mut ServerState, params: AtPosition) -> Reply {
    let (state, open, analysis) = read_only(state, &params.text_document.uri.0)?;
    let byte = open.lines.byte(&open.text, params.position);
    let Some((index, _)) = analysis.names.declaration_at(analysis.main, byte) else {
        return Ok(Value::Null);
    };
    value(all_references(state, open, analysis, index))
}

fn renamable(state: &mut ServerState, params: AtPosition) -> Reply {
    let (_, open, analysis) = read_only(state, &params.text_document.uri.0)?;
    let byte = open.lines.byte(&open.text, params.position);
    let (_, span) = rename::renamed(analysis, byte)
        .map_err(|reason| refused(ErrorCode::RequestFailed, reason))?;
    let range = open.lines.range_of(&open.text, span);
    let placeholder = analysis.sources.text(span).to_owned();
    value(PrepareRenamePlaceholder { range, placeholder })
}

fn renamed(state: &mut ServerState, params: AtPosition) -> Reply {
    let (state, open, analysis) = read_only(state, &params.text_document.uri.0)?;
    let byte = open.lines.byte(&open.text, params.position);
    let failed = |reason| refused(ErrorCode::RequestFailed, reason);
    let (index, _) = rename::renamed(analysis, byte).map_err(failed)?;
    if analysis.half_typed {
        let reason = "the file does not parse: some uses of the name may not be seen".to_owned();
        return Err(failed(reason));
    }
    let mut changes: HashMap<Uri, Vec<TextEdit>> = HashMap::new();
    for index in rename::linked(analysis, index).map_err(failed)? {
        rename::refused(analysis, index, &params.new_name).map_err(failed)?;
        for Location { uri, range } in all_references(state, open, analysis, index) {
            let new_text = params.new_name.clone();
            changes.entry(uri).or_default().push(TextEdit { range, new_text });
        }
    }
    value(WorkspaceEdit { changes: Some(changes), ..Default::default() })
}

// ---- Documents

fn hinted(state: &mut ServerState, params: InDocument) -> Reply {
    let uri = &params.text_document.uri.0;
    let (state, open, analysis) = read_only(state, uri)?;
    let bytes = bytes(open, params.range);
    let mut found = hints::hints(analysis, bytes.start, bytes.end);
    if let Some(document) = state.documents.get(uri) {
        hints::fill(analysis, &open.text, &document.hints, &mut found);
        found.retain(|hint| (bytes.start..=bytes.end).contains(&hint.byte));
    }
    let hint = |it: hints::Hint| InlayHint {
        position: open.lines.position(&open.text, it.byte),
        label: it.label.into(),
        kind: Some(InlayHintKind::Type),
        tooltip: Some(markdown(it.tooltip).into()),
        text_edits: None,
        padding_left: None,
        padding_right: None,
        data: None,
    };
    value(found.into_iter().map(hint).collect::<Vec<_>>())
}

fn outlined(analysis: &Analysis, open: &OpenText, _: Bytes<usize>) -> Reply {
    fn symbol(open: &OpenText, entry: OutlineEntry) -> DocumentSymbol {
        let children = entry.children.into_iter().map(|inner| symbol(open, inner));
        #[expect(deprecated, reason = "the field is part of the type")]
        DocumentSymbol {
            name: entry.name,
            detail: Some(entry.detail).filter(|detail| !detail.is_empty()),
            kind: entry.kind,
            range: open.lines.range_of(&open.text, entry.whole),
            selection_range: open.lines.range_of(&open.text, entry.name_span),
            children: Some(children.collect()),
            tags: None,
            deprecated: None,
        }
    }
    let symbols = symbols(analysis).into_iter();
    value(symbols.map(|entry| symbol(open, entry)).collect::<Vec<_>>())
}

fn folded(_: &Analysis, open: &OpenText, _: Bytes<usize>) -> Reply {
    let range = |(start, end, is_comment): (usize, usize, bool)| {
        let range = open.lines.range(&open.text, start, end);
        // The closing bracket stays in sight.
        let end_line = range.end.line - u32::from(!is_comment);
        (end_line > range.start.line).then(|| FoldingRange {
            start_line: range.start.line,
            end_line,
            kind: is_comment.then_some(FoldingRangeKind::Comment),
            ..Default::default()
        })
    };
    value(folds(&open.text).into_iter().filter_map(range).collect::<Vec<_>>())
}

fn selected(state: &mut ServerState, params: InDocument) -> Reply {
    let (_, open, analysis) = read_only(state, &params.text_document.uri.0)?;
    let grown = |position: Position| {
        let byte = open.lines.byte(&open.text, position);
        let places = selections(analysis, byte);
        let ranges = places.iter().rev().map(|span| open.lines.range_of(&open.text, *span));
        let nested = ranges.fold(None, |parent: Option<SelectionRange>, range| {
            Some(SelectionRange { range, parent: parent.map(Box::new) })
        });
        let here = Range { start: position, end: position };
        nested.unwrap_or(SelectionRange { range: here, parent: None })
    };
    value(params.positions.into_iter().map(grown).collect::<Vec<_>>())
}

fn found(state: &mut ServerState, params: &Value) -> Reply {
    let query = params.get("query").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let mut symbols = Vec::new();
    let mut folders = state.folders.clone();
    let opened = state.documents.values();
    folders
        .extend(opened.map(|it| it.open.folder().to_path_buf()).filter(|it| it.parent().is_some()));
    for path in rename::programs(&folders) {
        let mut session = state.analyst.session();
        let request = state.request(&path);
        let Ok(text) = session.main_text(&request) else { continue };
        let file = session.sources.add(path.to_string_lossy(), text);
        let Ok(tree) = crate::syntax::parse(&session.sources, file) else { continue };
        let text = &session.sources.file(file).text;
        let lines = TextLines::of(text, state.unit);
        for item in &tree.items {
            let Some((name, kind)) = crate::editor::outline::named(item) else { continue };
            if name.text.to_lowercase().contains(&query) && symbols.len() < MOST_SYMBOLS {
                let range = lines.range_of(text, name.span);
                let location = Location { uri: Uri(uri::of_path(&path)), range };
                symbols.push(WorkspaceSymbol {
                    location: location.into(),
                    data: None,
                    base_symbol_information: BaseSymbolInformation {
                        name: name.text.clone(),
                        kind,
                        tags: None,
                        container_name: Some(item.kind.word().to_owned()),
                    },
                });
            }
        }
    }
    value(symbols)
}

// ---- Fixes and lenses

fn acted(state: &mut ServerState, params: InDocument) -> Reply {
    let uri = params.text_document.uri.0;
    let (known, open, analysis) = read_only(state, &uri)?;
    let asked = bytes(open, params.range);
    let (findings, sources) = &analysis.findings;
    let near = |span: Span| asked.start <= span.end as usize && span.start as usize <= asked.end;
    let addresses = known.addresses(open);
    let here = findings
        .iter()
        .filter(|it| it.place().is_some_and(|span| addresses.is_open(sources, span) && near(span)));
    let here: Vec<_> = here.cloned().collect();
    state.look_for_fixes(&uri, &here);
    let addresses = state.addresses_of(&uri).ok_or_else(|| not_open(&uri))?;
    let known = state.documents.get(&uri).map(|it| &it.fixes[..]).unwrap_or_default();
    let mut actions = Vec::new();
    for finding in &here {
        let is = |it: &&FoundFixes| {
            (it.finding.code, it.finding.place(), &it.finding.message)
                == (finding.code, finding.place(), &finding.message)
        };
        if let Some(it) = known.iter().find(is) {
            actions.extend(quick_fixes(it, &addresses));
        }
    }
    value(actions)
}

fn quick_fixes(found: &FoundFixes, addresses: &Addresses<'_>) -> Vec<CodeAction> {
    let FoundFixes { finding, fixes, sources } = found;
    let told = diagnostic(finding, sources, addresses);
    let action = |(index, fix): (usize, &crate::base::fix::Fix)| {
        let mut changes: HashMap<Uri, Vec<TextEdit>> = HashMap::new();
        for edit in &fix.edits {
            let Location { uri, range } = addresses.location(sources, edit.span)?;
            changes.entry(uri).or_default().push(TextEdit { range, new_text: edit.text.clone() });
        }
        Some(CodeAction {
            title: fix.title.clone(),
            kind: Some(CodeActionKind::QuickFix),
            diagnostics: Some(vec![told.clone()]),
            is_preferred: Some(index == 0 && fix.automatic),
            edit: Some(WorkspaceEdit { changes: Some(changes), ..Default::default() }),
            ..Default::default()
        })
    };
    fixes.iter().enumerate().filter_map(action).collect()
}

fn command(title: &str, command: &str, arguments: Vec<Value>) -> Command {
    Command {
        title: title.to_owned(),
        tooltip: None,
        command: command.to_owned(),
        arguments: Some(arguments),
    }
}

fn lensed(state: &mut ServerState, params: InDocument) -> Reply {
    let uri = params.text_document.uri.0;
    let (_, open, analysis) = read_only(state, &uri)?;
    let lens = |lens: lenses::Lens| {
        let range = open.lines.range_of(&open.text, lens.span);
        let (command, data) = match lens.what {
            LensKind::Train(model) => {
                (Some(command("▶ train", "nnc.run", vec![json!(uri), json!(model)])), None)
            }
            LensKind::Check(model) => {
                (Some(command("check", "nnc.check", vec![json!(uri), json!(model)])), None)
            }
            LensKind::Figures(model, parameters) => {
                let data = json!({ "uri": uri, "model": model, "parameters": parameters });
                (None, Some(data))
            }
        };
        CodeLens { range, command, data }
    };
    value(lenses::lenses(analysis).into_iter().map(lens).collect::<Vec<_>>())
}

fn resolved(state: &mut ServerState, mut lens: CodeLens) -> Reply {
    let data = lens.data.clone().unwrap_or_default();
    let text = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (uri, model) = (text("uri"), text("model"));
    let parameters = data.get("parameters").and_then(Value::as_u64).unwrap_or_default();
    let document = state.documents.get(&uri).ok_or_else(|| not_open(&uri))?;
    let mut request = state.request(&document.open.path);
    request.model = Some(model.clone());
    // Planning the steps takes longer than typing allows.
    let as_saved = document.saved == document.open.version;
    let session = state.analyst.session();
    let threads = state.options.threads;
    let figures = as_saved.then(|| lenses::figures(session, &request, threads)).flatten();
    let counted = || lenses::counted(usize::try_from(parameters).unwrap_or_default());
    let title = figures.unwrap_or_else(counted);
    lens.command = Some(command(&title, "nnc.check", vec![json!(uri), json!(model)]));
    value(lens)
}

impl ServerState {
    /// The addresses of the files of a document's program.
    fn addresses_of(&self, uri: &str) -> Option<Addresses<'_>> {
        Some(self.addresses(&self.documents.get(uri)?.open))
    }

    /// Looks for fixes of findings that none were looked for of yet.
    fn look_for_fixes(&mut self, uri: &str, findings: &[crate::base::diagnostic::Diagnostic]) {
        let Some(document) = self.documents.get(uri) else { return };
        let request = self.request(&document.open.path);
        let unknown = findings.iter().filter(|finding| {
            !document
                .fixes
                .iter()
                .any(|it| (it.finding.code, it.finding.place()) == (finding.code, finding.place()))
        });
        let unknown: Vec<_> = unknown.cloned().collect();
        if unknown.is_empty() {
            return;
        }
        let found = actions::fixes(&self.analyst, &request, &unknown);
        if let Some(document) = self.documents.get_mut(uri) {
            document.fixes.extend(found);
        }
    }
}
