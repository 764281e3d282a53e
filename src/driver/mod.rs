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
//! prints and blames them; [`run`], [`check`], [`bench`] and [`emit`] are what the commands ask
//! for. Nothing here prints, exits or asks the environment.

mod bench;
mod check;
mod front;
mod memory;
mod peak;
mod pipeline;
mod run;
mod session;

pub use bench::{Bench, Times, bench};
pub use check::{Report, check};
pub use front::{Front, Source};
pub use pipeline::{Compiled, STAGES};
pub use run::{Overrides, Run, check_writable, run, save_weights, train_failure};
pub use session::{Failure, Request, Session, Timing, inside_pass};

use crate::lower::Globals;

/// The text of the stage that the session wants, of the training step or the evaluation step.
pub fn emit(
    session: &mut Session,
    request: &Request,
    evaluation: bool,
    batch: Option<usize>,
) -> Result<String, Failure> {
    let front = session.front(request, false)?;
    let batch = batch.unwrap_or_else(|| front.batch());
    let graph = if evaluation {
        session.elaborated(front.experiment.eval)?
    } else {
        session.training_graph(front.experiment)?
    };
    session.compile(&graph, batch, &mut Globals::default(), &request.target)?;
    session.take_printed().ok_or_else(|| {
        Failure::Io(
            "this stage does not run for this step: only a training step is differentiated, and \
             only a model with a `train` block has one"
                .to_string(),
        )
    })
}

impl Front {
    /// Samples a step, as the program says.
    fn batch(&self) -> usize {
        const DEFAULT: usize = 32;
        self.experiment.training.as_ref().map_or(DEFAULT, |training| training.settings.batch)
    }
}
