//! Scheduling: loops to loops. In which order kernels run, where threads wait for each other, and
//! where every buffer lies.
//!
//! ```text
//! runs in any right order ─order→ few barriers ─plan→ an offset for every buffer
//!
//! k0 k1 k2 k3        k0 k2 | k1 | k3       %4 at 128, %9 at 128: never alive together
//! ```
//!
//! [`barrier`] proves from footprints which runs may follow each other without a barrier, [`order`]
//! orders them so that few are needed, and [`plan`] gives buffers whose lives don't overlap the same
//! bytes. Parameters, states and their other layouts have their places in [`Globals`], which all
//! programs of a run share. This room knows nothing of graphs.

pub mod barrier;
pub mod globals;
pub mod order;
pub mod plan;

pub use globals::{Global, Globals, ParamLayout};
