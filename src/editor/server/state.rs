//! The open texts with their analyses, and how messages change them.

use super::EditorOptions;
use crate::base::schema::Schema;
use crate::base::shown::Show;
use crate::driver;
use crate::editor::actions::FoundFixes;
use crate::editor::analysis::{Analysis, Analyst};
use crate::editor::documents::OpenText;
use crate::editor::hints::KnownHints;
use crate::editor::lines::ColumnUnit;
use crate::editor::published::{Addresses, diagnostics};
use crate::editor::uri;
use crate::elaborate;
use crate::files::write;
use gen_lsp_types::{
    DidChangeTextDocumentParams, DidChangeWorkspaceFoldersParams, DidOpenTextDocumentParams,
    PublishDiagnosticsParams, Uri,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An open text with all that is known of it.
pub(super) struct Document {
    pub open: OpenText,
    /// Of the text as it is; `None` after a change.
    pub analysis: Option<Analysis>,
    /// Schemas of data and paths of parameters, as far as they were known before.
    pub known: (Vec<(String, Schema)>, Vec<String>),
    /// Hints of the last sound state of the text.
    pub hints: KnownHints,
    /// Whether the client has the findings of the text as it is.
    pub is_published: bool,
    /// Fixes that were looked for in this state of the text.
    pub fixes: Vec<FoundFixes>,
    /// The version of the text that is in its file, as far as the client said.
    pub saved: i32,
}

/// All that the server knows.
pub(super) struct ServerState {
    pub options: EditorOptions,
    pub unit: ColumnUnit,
    pub folders: Vec<PathBuf>,
    /// Whether the client fills in the forms of completions.
    pub takes_snippets: bool,
    pub documents: BTreeMap<String, Document>,
    pub analyst: Analyst,
    /// The readable copy of the prelude, once somebody wanted it.
    prelude: Option<PathBuf>,
    log: Vec<String>,
}

impl ServerState {
    pub fn new(options: EditorOptions, unit: ColumnUnit, folders: Vec<PathBuf>) -> ServerState {
        ServerState {
            options,
            unit,
            folders,
            takes_snippets: false,
            documents: BTreeMap::new(),
            analyst: Analyst::new(unit),
            prelude: None,
            log: Vec::new(),
        }
    }

    /// Messages for the client's log.
    pub fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// Forgets all analyses: one of them made an answer fail.
    pub fn forget(&mut self) {
        self.documents.values_mut().for_each(|document| document.analysis = None);
    }

    /// The compiler's request for a file.
    pub fn request(&self, path: &Path) -> driver::Request {
        driver::Request { file: path.to_path_buf(), ..self.options.request.clone() }
    }

    // ---- Analyses

    /// The document of an address, its analysis made if it is stale.
    pub fn analysed(&mut self, uri: &str) -> Option<(&OpenText, &Analysis)> {
        let path = self.documents.get(uri)?.open.path.clone();
        let request = self.request(&path);
        let document = self.documents.get_mut(uri)?;
        if document.analysis.is_none() {
            let mut analysis = self.analyst.analyse(&request);
            analysis.remember(&document.known.0, &document.known.1);
            document.known = (analysis.schemas.clone(), analysis.paths.clone());
            self.log.extend(analysis.bug.clone());
            if let Some(hints) = KnownHints::of(&analysis) {
                document.hints = hints;
            }
            document.fixes.clear();
            document.analysis = Some(analysis);
        }
        Some((&document.open, document.analysis.as_ref()?))
    }

    /// The addresses of the files of an open text's program.
    pub fn addresses<'s>(&'s self, open: &'s OpenText) -> Addresses<'s> {
        Addresses {
            open,
            others: self.documents.values().map(|document| &document.open).collect(),
            prelude: self.prelude.as_deref(),
            unit: self.unit,
        }
    }

    /// Analyses one of the texts whose findings the client does not have; returns them in the form of a
    /// notification.
    pub fn analyse_one_stale(&mut self) -> Option<Value> {
        let stale = self.documents.iter().find(|(_, document)| !document.is_published);
        let uri = stale.map(|(uri, _)| uri.clone())?;
        let made = crate::base::caught::caught(|| self.published(&uri));
        if let Some(document) = self.documents.get_mut(&uri) {
            document.is_published = true;
        }
        match made {
            Ok(published) => published,
            Err(panic) => {
                self.log.push(format!("nnc has a bug: analysing {uri} failed: {panic}"));
                Some(publish(&uri, None, Vec::new()))
            }
        }
    }

    fn published(&mut self, uri: &str) -> Option<Value> {
        self.analysed(uri)?;
        let document = self.documents.get(uri)?;
        let found = diagnostics(document.analysis.as_ref()?, &self.addresses(&document.open));
        Some(publish(uri, Some(document.open.version), found))
    }

    /// The path of the readable copy of the prelude, written if it is not there.
    #[expect(clippy::disallowed_methods, reason = "a folder of the cache")]
    pub fn prelude(&mut self) -> Option<&Path> {
        if self.prelude.is_none() {
            let folder = self.options.prelude_folder.clone()?;
            // One for each version: two servers may be of different ones.
            let sum = blake3::hash(elaborate::PRELUDE.as_bytes()).to_hex();
            let path = folder.join(format!("prelude-{}.nn", &sum[..8]));
            let made = std::fs::create_dir_all(&folder);
            match made.and_then(|()| write::replace(&path, elaborate::PRELUDE.as_bytes())) {
                Ok(()) => self.prelude = Some(path),
                Err(error) => {
                    self.log.push(format!("no copy of the prelude: {}: {error}", path.shown()));
                }
            }
        }
        self.prelude.as_deref()
    }

    // ---- Notifications

    /// Takes a notification. Returns findings to publish: none any more, of a text that was closed.
    pub fn take_note(&mut self, method: &str, params: Value) -> Result<Option<Value>, String> {
        match method {
            "textDocument/didOpen" => {
                let params: DidOpenTextDocumentParams = read(params)?;
                let it = params.text_document;
                let open = OpenText::new(&it.uri.0, it.version, it.text, self.unit);
                self.analyst.overlay(open.path.clone(), open.text.clone());
                let (analysis, saved) = (None, open.version);
                let (is_published, fixes) = (false, Vec::new());
                let known = (Vec::new(), Vec::new());
                let hints = KnownHints::default();
                let document =
                    Document { open, analysis, known, hints, is_published, fixes, saved };
                self.documents.insert(it.uri.0, document);
                self.make_stale();
            }
            "textDocument/didChange" => {
                let params: DidChangeTextDocumentParams = read(params)?;
                let uri = params.text_document.text_document_identifier.uri.0;
                let document = self.documents.get_mut(&uri).ok_or("it is not open")?;
                document.open.change(params.text_document.version, params.content_changes);
                let (path, text) = (document.open.path.clone(), document.open.text.clone());
                self.analyst.overlay(path, text);
                self.make_stale();
            }
            "textDocument/didSave" => {
                let uri = uri_of(&params)?;
                if let Some(document) = self.documents.get_mut(&uri) {
                    document.saved = document.open.version;
                }
                self.analyst.forget_data();
                self.make_stale();
            }
            "textDocument/didClose" => {
                let uri = uri_of(&params)?;
                let document = self.documents.remove(&uri).ok_or("it is not open")?;
                self.analyst.uncover(&document.open.path);
                self.make_stale();
                return Ok(Some(publish(&uri, None, Vec::new())));
            }
            "workspace/didChangeWatchedFiles" | "workspace/didChangeConfiguration" => {
                self.analyst.forget_data();
                self.make_stale();
            }
            "workspace/didChangeWorkspaceFolders" => {
                let params: DidChangeWorkspaceFoldersParams = read(params)?;
                let path = |uri: &Uri| uri::to_path(&uri.0);
                let removed: Vec<PathBuf> =
                    params.event.removed.iter().filter_map(|it| path(&it.uri)).collect();
                self.folders.retain(|folder| !removed.contains(folder));
                self.folders.extend(params.event.added.iter().filter_map(|it| path(&it.uri)));
            }
            // Others are for information.
            _ => {}
        }
        Ok(None)
    }

    /// Any program may use the file that has changed.
    fn make_stale(&mut self) {
        for document in self.documents.values_mut() {
            document.analysis = None;
            document.is_published = false;
            document.fixes.clear();
        }
    }
}

fn read<P: serde::de::DeserializeOwned>(params: Value) -> Result<P, String> {
    serde_json::from_value(params).map_err(|error| error.to_string())
}

fn uri_of(params: &Value) -> Result<String, String> {
    let uri = params.pointer("/textDocument/uri").and_then(Value::as_str);
    uri.map(str::to_owned).ok_or_else(|| "no document is named".to_owned())
}

fn publish(uri: &str, version: Option<i32>, found: Vec<gen_lsp_types::Diagnostic>) -> Value {
    let uri = Uri(uri.to_owned());
    let params = PublishDiagnosticsParams { uri, version, diagnostics: found };
    serde_json::to_value(params).unwrap_or_default()
}
