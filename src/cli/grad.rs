//! `nnc grad`: one training step on given tensors, to hold against another framework.

use super::threads::threads;
use super::{Common, ModelArgs, target_parser, write};
use crate::base::shown::Show;
use crate::codegen::Target;
use crate::command::{self, Engine, Graded};
use crate::driver::{self, Failure};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Computes a training step's output, loss and gradients on given tensors.
#[derive(Args)]
#[command(after_long_help = NAMES)]
pub struct GradArgs {
    /// The source file
    file: PathBuf,
    /// The tensors to compute on (safetensors)
    #[arg(long, value_name = "FILE")]
    tensors: PathBuf,
    /// The file to write (safetensors)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The model, if the file has several
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The engine that runs the step
    #[arg(long, value_enum, default_value_t = EngineName::Jit)]
    engine: EngineName,
    /// The instruction set to compile for [default: the best that this processor has]
    #[arg(long, value_parser = target_parser())]
    target: Option<Target>,
    /// Number of threads, which does not change the results [default: NNC_THREADS, or else all
    /// available processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Also write the parameters after so many optimiser steps on the same batch
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// Print how long each pass took
    #[arg(long)]
    time_passes: bool,
}

/// How inputs are understood, and the names in both files.
const NAMES: &str = "\
To check a port from another framework, give both the same tensors and compare the results. Inputs
have the shapes and types that the model declares; the data of the `train` block is not read, and
nothing is converted. The batch size is the first dimension of the first input.

Tensors that are read:
  input.NAME        each input of the model; input.label, the loss's target
  param.PATH        parameters; those absent are drawn from seed 0
  state.PATH        states of layers; those absent begin as the program says
  expect.…          anything; it is not looked at

Tensors that are written:
  output, loss
  grad.input.NAME   the loss's gradient by each f32 input
  grad.param.PATH   the loss's gradient by each parameter
  state.PATH        states after this one training step
  param.PATH        with --steps COUNT: parameters after COUNT steps";

/// Engines that can run a step.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineName {
    /// Compiled code, as `nnc run` runs it
    Jit,
    /// The interpreter of loops: the same bits, slowly
    Loops,
    /// The interpreter of graphs, which adds in f64
    Graph,
}

impl GradArgs {
    /// Computes and writes.
    pub fn execute(self) -> Result<u8, Failure> {
        let options = ModelArgs {
            model: self.model,
            data: None,
            target: self.target,
            time_passes: self.time_passes,
        };
        let common = Common { file: self.file, options };
        let asked = command::GradOptions {
            tensors: self.tensors,
            out: self.out,
            engine: match self.engine {
                EngineName::Jit => Engine::Jit,
                EngineName::Loops => Engine::Loops,
                EngineName::Graph => Engine::Graph,
            },
            threads: threads(self.threads),
            steps: self.steps.map_or(0, u64::from),
        };
        let mut session = driver::Session::new(None);
        let graded = command::grad(&mut session, &common.request(false)?, &asked)?;
        common.print_timings(&session.timings);
        notes(&graded);
        let (written, out) = (graded.written, asked.out.shown());
        let (model, batch) = (&graded.model, graded.batch);
        write::line(&format!("{model}, batch {batch}: {written} tensors in {out}"))?;
        Ok(0)
    }
}

/// Says on standard error what the user might not expect.
fn notes(graded: &Graded) {
    let Graded { drawn, fresh, .. } = graded;
    if !drawn.is_empty() {
        let absent = absent(drawn, "parameter");
        eprintln!("note: {absent}, drawn from seed {}: {}", command::SEED, few(drawn));
    }
    if !fresh.is_empty() {
        let absent = absent(fresh, "state");
        eprintln!("note: {absent}, begun as the program says: {}", few(fresh));
    }
    if let Some(step) = graded.not_finite {
        eprintln!(
            "note: the loss or a gradient is not finite in step {step}, so that step changed no \
             parameter and no state"
        );
    }
}

/// `2 parameters not in the file`
fn absent(paths: &[String], word: &str) -> String {
    let plural = if paths.len() == 1 { "" } else { "s" };
    format!("{} {word}{plural} not in the file", paths.len())
}

/// The first paths, for one line.
fn few(paths: &[String]) -> String {
    const FEW: usize = 4;
    let more = if paths.len() > FEW { ", …" } else { "" };
    format!("{}{more}", paths[..paths.len().min(FEW)].join(", "))
}
