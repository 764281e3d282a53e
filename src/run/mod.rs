//! A training run and its folder.
//!
//! [`job`] prepares a run: it has the steps [`build`]t and begins or reopens its [`folder`]; `train`
//! takes it to its result, and writes checkpoints, logs and a page there; `replay` finds what was not
//! finite, and [`series`] makes several runs. What a run leaves is [`trained`], and [`evaluate`]
//! measures it.

pub(crate) mod build;
pub(crate) mod evaluate;
pub(crate) mod failures;
mod fits;
pub(crate) mod folder;
pub(crate) mod job;
mod meaning;
mod replay;
pub(crate) mod series;
mod train;
pub(crate) mod trained;

pub use build::{BuiltRun, Overrides, check_writable, run, save_weights, write_file};
pub use evaluate::{
    Answer, ClassCount, ClassCounts, Details, Evaluated, EvaluatedSample, Evaluation, NumberErrors,
    SplitName, evaluation,
};
pub use folder::{KeptFile, RunFolder, RunInfo, RunResult, Status, epoch_json, put_scores};
pub use job::{Job, PreparedRun, RunPlace, job, prepare};
pub use series::{Member, MemberState, RunSeries, columns, folds, spread, sweep};
pub use train::Ended;
pub use trained::{Model, Which};
