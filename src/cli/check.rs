//! `nnc check`: mistakes without running anything; on a good file, the model's size.

use super::{Common, render};
use crate::driver::{self, Failure};
use clap::Args;

/// Finds mistakes without running anything.
#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    common: Common,
}

impl Check {
    /// Prints mistakes, or what the model is.
    pub fn execute(self) -> Result<u8, Failure> {
        let mut session = driver::Session::new(None);
        let request = self.common.request(false)?;
        let report = driver::check(&mut session, &request)?;
        render::print(&report.warnings, &session.sources);
        self.common.print_timings(&session.timings);
        print!("{}", report.text());
        Ok(0)
    }
}
