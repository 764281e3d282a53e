//! The whole pipeline: which stage follows which is said here and nowhere else.
//!
//! ```text
//! parse → elaborate → autodiff → update ─┬→ bind → simplify → cse → dce → fuse → loops → plan
//!                                        │      → clif → asm           (the training step)
//!                                        ├→ …                          (its last, smaller batch)
//!                     elaborate(eval) ───┴→ …                          (evaluation steps)
//! ```
//!
//! [`front`] reads files and elaborates, [`pipeline`] is the stages, [`session`] times, verifies,
//! prints and blames them; `source` asks the data for their schema, `repair` finds the fixes that
//! hold, `report` and `forecast` say what a good program is and takes; [`run()`], [`check`],
//! [`bench`], [`grad()`] and [`emit`] are what the commands ask for.
//!
//! Around training: `train` takes a run from its program to its result, in a `folder` with
//! checkpoints and logs, from an `initial` state, with settings that `set` writes into the program;
//! `replay` finds what was not finite; `series` makes several runs; `trained` models are judged by
//! `evaluate` and asked by `predict`; `lr_find`, `compare`, `profile`, `verify`, `data` and `doctor` are
//! the commands of their names. Nothing here prints, exits or asks the environment.

mod batch;
mod bench;
mod check;
mod compare;
mod data;
mod doctor;
mod emit;
mod evaluate;
mod explain;
mod failures;
mod fastest;
mod folder;
mod forecast;
mod front;
mod grad;
mod initial;
mod kept;
mod layout;
mod lr_find;
mod meaning;
mod memory;
mod parameters;
mod peak;
mod pipeline;
mod predict;
mod profile;
mod questions;
mod raw;
mod repair;
mod replay;
mod report;
mod run;
mod schedules;
mod series;
mod session;
mod set;
mod slips;
mod source;
mod steps;
mod stream;
mod train;
mod trained;
mod verify;

pub use bench::{Bench, Times, bench};
pub use check::{Wanted, check, each_model, merge};
pub use compare::{Compared, compare, overlaid};
pub use data::{DataReport, WantedBatch, WrittenBatch, data};
pub use doctor::{Finding, Health, doctor};
pub use emit::{Emit, STAGES, Stage, emit};
pub use evaluate::{
    ClassCount, ClassCounts, Details, Evaluation, Judged, NumberErrors, Said, SplitName, Worst,
    evaluation,
};
pub use explain::{Explained, ExplainedKernel};
pub use folder::{KeptFile, RunFolder, RunInfo, RunResult, Status, epoch_json, put_scores};
pub use front::{Front, source_text};
pub use grad::{Engine, Grad, Graded, SEED, grad};
pub use lr_find::{Found, Range, lr_find};
pub use pipeline::{Compiled, Phase};
pub use predict::{Answer, Predictor, Question, predictor};
pub use profile::{Profile, Spent};
pub use questions::questions;
pub use raw::RawOutputs;
pub use repair::{Changed, Fixed, fix};
pub use report::Report;
pub use run::{Overrides, Run, check_writable, run, save_weights, write_file};
pub use series::{Left, Member, Series, columns, folds, spread, sweep};
pub use session::{Failure, Request, Session, Timing};
pub use set::{Setting, set};
pub use source::Source;
pub use stream::Streams;
pub use train::{Ended, Job, Place, Prepared, job, prepare};
pub use trained::{Model, Which};
pub use verify::rounding;
pub use verify::{
    Asked as VerifyAsked, Check, GradientError, Verdict, Verified, gradient_errors, verify,
};

impl Front {
    /// Samples a step, as the program says.
    fn batch(&self) -> usize {
        let training = self.experiment.training.as_ref();
        training.map_or(emit::DEFAULT_BATCH, |training| training.settings.batch)
    }
}
