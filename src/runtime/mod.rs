//! Running compiled programs: memory, threads, training.

pub mod checkpoint;
pub mod pool;
pub mod program;
pub mod trainer;
pub mod weights;
