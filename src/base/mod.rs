//! The foundation of every other module: typed ids, sources and spans, diagnostics, tensors,
//! random numbers, elementary functions, and the plain schema of a data set.
//!
//! Nothing here knows the language, a graph or a machine, and nothing here does I/O.

pub mod caught;
pub mod changed;
pub mod codes;
pub mod csv;
pub mod diagnostic;
pub mod entity;
pub mod field;
pub mod fit;
pub mod fix;
pub mod identifier;
pub mod limits;
pub mod math;
pub mod names;
pub mod reported;
pub mod rng;
pub mod scalar;
pub mod schema;
pub mod sentence;
pub mod settings;
pub mod shown;
pub mod source;
pub mod statistic;
pub mod step_output;
pub mod table;
pub mod task;
pub mod tensor;
pub mod topological;
pub mod units;
