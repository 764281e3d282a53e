//! The abilities of the server, as it tells a client.

use crate::editor::lines::ColumnUnit;
use crate::editor::tokens::{LEGEND, MODIFIERS};
use gen_lsp_types::{InitializeResult, ServerCapabilities, ServerInfo};
use serde_json::{Value, json};

/// The answer to `initialize`.
pub(super) fn result(unit: ColumnUnit) -> InitializeResult {
    let capabilities: ServerCapabilities =
        serde_json::from_value(offered(unit)).unwrap_or_default();
    let version = Some(env!("CARGO_PKG_VERSION").to_owned());
    let server_info = Some(ServerInfo { name: "nnc".to_owned(), version });
    InitializeResult { capabilities, server_info }
}

fn offered(unit: ColumnUnit) -> Value {
    json!({
        "positionEncoding": unit.name(),
        // Edits come as they are made; saving tells that a file is now as it is here.
        "textDocumentSync": {
            "openClose": true,
            "change": 2,
            "save": { "includeText": false },
        },
        "hoverProvider": true,
        "inlayHintProvider": true,
        "completionProvider": { "triggerCharacters": [">", ".", ":", "(", ",", "\"", "/", "="] },
        "signatureHelpProvider": { "triggerCharacters": ["(", ","] },
        "definitionProvider": true,
        "referencesProvider": true,
        "documentHighlightProvider": true,
        "renameProvider": { "prepareProvider": true },
        "documentSymbolProvider": true,
        "workspaceSymbolProvider": true,
        "foldingRangeProvider": true,
        "selectionRangeProvider": true,
        "documentFormattingProvider": true,
        "documentRangeFormattingProvider": true,
        "codeActionProvider": { "codeActionKinds": ["quickfix"] },
        "codeLensProvider": { "resolveProvider": true },
        "semanticTokensProvider": {
            "legend": { "tokenTypes": LEGEND, "tokenModifiers": MODIFIERS },
            "range": true,
            "full": true,
        },
        "workspace": {
            "workspaceFolders": { "supported": true, "changeNotifications": true },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_has_a_form_that_the_protocol_knows() {
        let offered = offered(ColumnUnit::Utf16);
        let capabilities: ServerCapabilities = serde_json::from_value(offered.clone()).unwrap();
        assert_eq!(serde_json::to_value(capabilities).unwrap(), offered);
    }
}
