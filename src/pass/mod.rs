//! Graph to graph, one file a pass; and [`PIPELINE`], which is their order.
//!
//! ```text
//! forward graph ─autodiff→ + gradients ─update→ + what is written ─bind→ static shapes
//!               ─hoist→ ─simplify→ ─cse→ ─dce→ small ─fuse→ kernels
//! ```
//!
//! A pass is a value: a name, a description and a function. The name is its file, its flag
//! (`--after cse`), its line in the timings and its folder of golden tests. All that runs passes
//! iterates over [`PIPELINE`]: the driver, `emit-ir`, the benches, the golden suites and tests. After
//! each pass the graph is verified again, so a mistake is found where it was made. Passes don't
//! fail: what they are given has been verified, and a rule that builds a wrong node is a bug that
//! panics with both types ([`emit`]).
//!
//! `CONTRIBUTING.md` has the steps by which a pass is added.

pub mod autodiff;
pub mod bind;
pub mod causal;
pub mod cse;
pub mod dce;
pub mod derivative;
pub mod emit;
pub mod fuse;
pub mod hoist;
pub mod incremental;
pub mod probe;
pub mod rebuild;
pub mod simplify;
pub mod update;

use crate::graph::kernels::Kernels;
use crate::graph::{Graph, UpdateRule};

/// The passes, in the order in which they run.
pub const PIPELINE: Passes = Passes {
    train: &[autodiff::PASS, update::PASS],
    step: &[bind::PASS, hoist::PASS, simplify::PASS, cse::PASS, dce::PASS],
    kernels: fuse::PASS,
};

/// Passes by what they take and make.
pub struct Passes {
    /// From a forward graph to that of a training step. The batch is a symbol, so one result serves
    /// all batch sizes.
    pub train: &'static [Pass<TrainingStep>],
    /// From a step's graph to a small one, for so many samples a step.
    pub step: &'static [Pass<usize>],
    /// From the small graph to kernels.
    pub kernels: Pass<Fusion, Kernels>,
}

/// A pass: its name, its purpose and its function, which takes what is given to all passes of its
/// kind besides the graph.
#[derive(Debug)]
pub struct Pass<Given, Made = Graph> {
    /// Its name: of its file, its flag and its golden folder.
    pub name: &'static str,
    /// Its effect, in one line.
    pub description: &'static str,
    /// Its function.
    pub run: fn(&Graph, &Given) -> Made,
}

/// Arguments of the pass that makes a training step.
#[derive(Clone, Debug)]
pub struct TrainingStep {
    /// The optimiser's rule.
    pub rule: UpdateRule,
    /// The use of the gradients.
    pub gradients: Gradients,
}

/// The use of a training step's gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gradients {
    /// They update the parameters, with those that were accumulated before them.
    Applied,
    /// The same, and they are outputs; so are the gradients of `f32` inputs.
    Shown,
    /// They are added to those of the batches before, for an update that a later batch makes.
    Accumulated,
}

/// How many operators a kernel may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fusion {
    /// As many as one nest of loops can compute.
    Full,
    /// One: what fusion is compared with.
    Off,
}

impl Passes {
    /// Name and description of each pass, in order.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let train = self.train.iter().map(|pass| (pass.name, pass.description));
        let step = self.step.iter().map(|pass| (pass.name, pass.description));
        train.chain(step).chain([(self.kernels.name, self.kernels.description)])
    }
}
