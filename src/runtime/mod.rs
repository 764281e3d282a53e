//! What runs compiled steps: memory, threads, and (above them) the trainer.

pub mod pool;
pub mod program;
