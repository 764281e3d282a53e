//! A training run and its folder.
//!
//! [`job`] takes a run from its program to its result: it has the steps [`build`]t, trains them and
//! writes a [`folder`] with checkpoints, logs and a page; `replay` finds what was not finite, and
//! [`series`] makes several runs. What a run leaves is [`trained`], and [`evaluate`] measures it.

pub(crate) mod build;
pub(crate) mod evaluate;
pub(crate) mod failures;
pub(crate) mod folder;
pub(crate) mod job;
mod meaning;
mod replay;
pub(crate) mod series;
pub(crate) mod trained;

pub use build::{BuiltRun, Overrides, check_writable, run, save_weights, write_file};
pub use evaluate::{
    ClassCount, ClassCounts, ClassOrNumber, Details, Evaluated, Evaluation, NumberErrors,
    SplitName, WorstSample, evaluation,
};
pub use folder::{KeptFile, RunFolder, RunInfo, RunResult, Status, epoch_json, put_scores};
pub use job::{Ended, Job, PreparedRun, RunPlace, job, prepare};
pub use series::{Member, MemberState, RunSeries, columns, folds, spread, sweep};
pub use trained::{Model, Which};
