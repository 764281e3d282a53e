//! Graph to graph, one file a pass.
//!
//! ```text
//! forward graph ─autodiff→ + gradients ─update→ + what is written ─bind→ static shapes
//!               ─simplify→ ─cse→ ─dce→ small ─fuse→ kernels
//! ```
//!
//! A pass is a function and a [`Pass`], its name and purpose; the name is its file, its flag
//! (`--after cse`), its line in the timings and its folder of golden tests. After each pass the
//! graph is verified again, so a mistake is found where it was made. Passes don't fail: what
//! they are given has been verified, and a rule that builds a wrong node is a bug that panics
//! with both types ([`emit`]).
//!
//! To add a pass: its file with `PASS` and `run`, its place in [`ALL`] and in the driver.

pub mod autodiff;
pub mod bind;
pub mod cse;
pub mod dce;
pub mod derivative;
pub mod emit;
pub mod fuse;
pub mod probe;
pub mod rebuild;
pub mod simplify;
pub mod update;

/// A pass's name and purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Its name: of its file, its flag and its golden folder.
    pub name: &'static str,
    /// What it does, in a line.
    pub description: &'static str,
}

/// The passes, in the order of the pipeline.
pub const ALL: &[&Pass] = &[
    &autodiff::PASS,
    &update::PASS,
    &bind::PASS,
    &simplify::PASS,
    &cse::PASS,
    &dce::PASS,
    &fuse::PASS,
];

/// The pass of that name.
pub fn named(name: &str) -> Option<&'static Pass> {
    ALL.iter().copied().find(|pass| pass.name == name)
}
