//! `nnc ui`: a page of all runs.

use super::{on_interrupt, write};
use crate::base::shown::Show;
use crate::command::UiServer;
use crate::driver::Failure;
use clap::Args;
use std::path::PathBuf;

/// Shows the training runs of a folder on a page: lists, filters and compares them while they train. The
/// page is for this machine alone, at an address with a token that nobody else knows. Ctrl-C ends it.
#[derive(Args)]
pub struct UiArgs {
    /// The folder of runs, or a run
    #[arg(value_name = "RUNS", default_value = "runs")]
    runs: PathBuf,
    /// The port to listen on; 0 takes one that is free
    #[arg(long, value_name = "P", default_value_t = 0)]
    port: u16,
}

impl UiArgs {
    /// Answers until Ctrl-C; the second one ends the program at once.
    pub fn execute(self) -> Result<u8, Failure> {
        let server = UiServer::open(&self.runs, self.port)?;
        let stopper = server.stopper();
        on_interrupt(move || stopper.stop())?;
        write::line(&format!("the runs in {} are at {}", self.runs.shown(), server.url))?;
        server.run();
        Ok(0)
    }
}
