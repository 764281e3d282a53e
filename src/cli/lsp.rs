//! `nnc lsp`: the language server, which editors start.

use super::threads::{self, threads};
use super::{cache_folder, memory};
use crate::codegen::Target;
use crate::driver::{Failure, Request};
use crate::editor::{EditorOptions, serve};
use clap::Args;
use lsp_server::Connection;
use std::path::PathBuf;

/// Answers an editor over the Language Server Protocol, on standard input and output: mistakes and fixes as
/// you type, shapes, completion, definitions and all else. Editors start it by themselves; docs/editors.md
/// says how they are told to.
#[derive(Args)]
pub struct LspArgs {
    /// Speak over standard input and output, which is the only way and the default
    #[arg(long)]
    stdio: bool,
}

impl LspArgs {
    /// Serves until the editor ends the connection.
    pub fn execute(self) -> Result<u8, Failure> {
        let Self { stdio: _ } = self;
        threads::prepare();
        let cache = cache_folder();
        let options = EditorOptions {
            request: Request {
                text: None,
                file: PathBuf::new(),
                model: None,
                data: None,
                nnc_data: std::env::var_os("NNC_DATA").map(PathBuf::from),
                cache: cache.clone(),
                network: false,
                target: Target::detect(),
                memory: memory::limit(),
                fitted: None,
            },
            prelude_folder: cache,
            threads: threads(None),
        };
        let (connection, io) = Connection::stdio();
        let said_so = serve(&connection, options).map_err(Failure::Io)?;
        drop(connection);
        // A reader that waits for a client that is gone would wait for ever.
        drop(io);
        Ok(u8::from(!said_so))
    }
}
