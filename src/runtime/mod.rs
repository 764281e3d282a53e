//! Running compiled programs: memory, threads, training.

pub mod pool;
pub mod program;
pub mod trainer;
pub mod weights;
