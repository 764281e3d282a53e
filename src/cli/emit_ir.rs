//! `nnc emit-ir`: any stage of the compilation as text, of a program or from a stage's text on.

use super::{Common, write};
use crate::command::{self, EmitRequest};
use crate::driver::{self, Failure};
use crate::pass::PIPELINE;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

/// Shows a stage of the compilation.
#[derive(Args)]
pub struct EmitIrArgs {
    #[command(flatten)]
    common: Common,
    /// The stage [default: what the file holds: a program's graph, a graph, or loops]
    #[arg(long, value_name = "STAGE", value_parser = PossibleValuesParser::new(stages()))]
    stage: Option<String>,
    /// The graph after this pass, instead of a stage
    #[arg(long, value_name = "PASS", conflicts_with = "stage",
          value_parser = PossibleValuesParser::new(passes()))]
    after: Option<String>,
    /// Show the evaluation step instead of the training step
    #[arg(long)]
    eval: bool,
    /// Batch size, instead of the file's `batch`
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
}

fn stages() -> impl Iterator<Item = PossibleValue> {
    command::STAGES.iter().map(|stage| PossibleValue::new(stage.name).help(stage.description))
}

fn passes() -> impl Iterator<Item = PossibleValue> {
    PIPELINE.names().map(|(name, description)| PossibleValue::new(name).help(description))
}

impl EmitIrArgs {
    /// Prints the stage on standard output.
    pub fn execute(self) -> Result<u8, Failure> {
        let mut session = driver::Session::new(None);
        let request = self.common.request(false)?;
        let asked = EmitRequest {
            step: self.step(),
            evaluation: self.eval,
            batch: self.batch.map(|batch| batch as usize),
        };
        let text = command::emit(&mut session, &request, asked)?;
        self.common.print_timings(&session.timings);
        write::raw(text.as_bytes())?;
        Ok(0)
    }

    fn step(&self) -> Option<&'static str> {
        let named = |wanted: &str| PIPELINE.names().map(|(name, _)| name).find(|it| *it == wanted);
        let after = self.after.as_deref().and_then(named);
        let stage = command::STAGES.iter().find(|stage| self.stage.as_deref() == Some(stage.name));
        after.or(stage.map(|stage| stage.made_by))
    }
}
