//! Programs through the whole of elaboration.

mod data;
mod domain;
mod errors;
mod language;
mod mutations;
mod prelude;
mod prepare;
mod support;
mod task;
mod torch;
