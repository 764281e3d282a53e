//! Parameters of requests and forms of answers that several share.

use crate::editor::uri;
use gen_lsp_types::{InitializeParams, Position, Range, TextDocumentIdentifier, WorkspaceFolders};
use serde::Deserialize;
use std::path::PathBuf;

/// A position in a document: what most requests are about.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AtPosition {
    pub text_document: TextDocumentIdentifier,
    pub position: Position,
    /// Of a rename.
    #[serde(default)]
    pub new_name: String,
}

/// A document, or a range of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InDocument {
    pub text_document: TextDocumentIdentifier,
    pub range: Option<Range>,
    /// Of selections.
    #[serde(default)]
    pub positions: Vec<Position>,
}

/// Whether a client fills in the forms of completions.
pub(super) fn takes_snippets(params: &InitializeParams) -> bool {
    let documents = params.capabilities.text_document.as_ref();
    let completion = documents.and_then(|it| it.completion.as_ref());
    let item = completion.and_then(|it| it.completion_item.as_ref());
    item.and_then(|it| it.snippet_support).unwrap_or(false)
}

/// The folders that a client has open.
pub(super) fn folders(params: &InitializeParams) -> Vec<PathBuf> {
    let listed = &params.workspace_folders_initialize_params.workspace_folders;
    let mut found: Vec<PathBuf> = match listed {
        Some(WorkspaceFolders::WorkspaceFolderList(folders)) => {
            folders.iter().filter_map(|folder| uri::to_path(&folder.uri.0)).collect()
        }
        Some(WorkspaceFolders::Null) | None => Vec::new(),
    };
    #[expect(deprecated, reason = "clients that know no folders name one root")]
    let root = params.root_uri.as_ref().and_then(|root| uri::to_path(&root.0));
    if found.is_empty() {
        found.extend(root);
    }
    found
}
