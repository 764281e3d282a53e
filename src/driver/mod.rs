//! From a program to compiled steps.
//!
//! ```text
//! parse → elaborate → autodiff → update ─┬→ bind → hoist → simplify → cse → dce → fuse → loops → plan
//!                                        │      → clif → asm           (the training step)
//!                                        ├→ …                          (its last, smaller batch)
//!                     elaborate(eval) ───┴→ …                          (evaluation steps)
//! ```
//!
//! [`front`] reads files and elaborates (`source` asks the data for their schema, `set` writes
//! settings of the command line into the text), [`repair`] finds the fixes that hold, [`pipeline`] is
//! the stages, [`compiled`] their result and [`steps`] all the steps of a run, with the `initial` values
//! of their parameters.
//! [`session`] times, verifies, prints and blames the stages. What a training run is stands in
//! [`run`](crate::run), what each command asks for in [`command`](crate::command). Nothing here
//! prints, exits or reads variables of the environment; a file is touched where `#[expect]` says so.

pub(crate) mod batch;
mod buckets;
pub(crate) mod checked;
pub(crate) mod checks;
pub(crate) mod compiled;
mod documented;
pub(crate) mod front;
pub(crate) mod initial;
pub(crate) mod json_cache;
pub(crate) mod known_weights;
pub(crate) mod layers;
pub(crate) mod layout;
pub(crate) mod memory;
pub(crate) mod misfits;
pub(crate) mod pipeline;
pub(crate) mod repair;
pub(crate) mod run_weights;
pub(crate) mod schedules;
pub(crate) mod session;
pub(crate) mod set;
pub(crate) mod source;
pub(crate) mod steps;
pub(crate) mod torch_names;

pub use checked::Front;
pub use compiled::{CompiledStep, Phase};
pub use front::source_text;
pub use repair::{Changed, Fixed, each_model, fix, merge};
pub use session::{Failure, Request, Session, Timing};
pub use set::{Setting, set};
pub use source::{DataSource, source_request};

impl Front {
    /// Samples a step, as the program says.
    pub(crate) fn batch(&self) -> usize {
        let training = self.experiment.training.as_ref();
        training.map_or(batch::DEFAULT_BATCH, |training| training.settings.batch)
    }
}
