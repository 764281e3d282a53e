//! Programs through the whole of elaboration.

mod errors;
mod language;
mod support;
