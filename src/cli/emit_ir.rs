//! `nnc emit-ir`: any stage of the compilation as text.

use super::Common;
use crate::driver::{self, Failure};
use clap::Args;
use clap::builder::PossibleValuesParser;

/// Shows a stage of the compilation.
#[derive(Args)]
pub struct EmitIr {
    #[command(flatten)]
    common: Common,
    /// The stage: the syntax tree, the graph after a pass, the fused kernels, the loops with their
    /// memory planned, Cranelift's code, or the machine's
    #[arg(long, visible_alias = "after", default_value = "dce",
          value_parser = PossibleValuesParser::new(driver::STAGES))]
    stage: String,
    /// Show the evaluation step instead of the training step
    #[arg(long)]
    eval: bool,
    /// Samples a step, instead of what the file says
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
}

impl EmitIr {
    /// Prints the stage on standard output.
    pub fn execute(self) -> Result<u8, Failure> {
        let mut session = driver::Session::new(Some(&self.stage));
        let request = self.common.request(false)?;
        let batch = self.batch.map(|batch| batch as usize);
        let text = driver::emit(&mut session, &request, self.eval, batch)?;
        self.common.print_timings(&session.timings);
        print!("{text}");
        Ok(0)
    }
}
