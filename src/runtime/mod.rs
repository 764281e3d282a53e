//! Running compiled programs: memory, threads, training, checkpoints, files of weights.

pub mod checkpoint;
pub mod pool;
pub mod program;
pub mod trainer;
pub mod weights;
