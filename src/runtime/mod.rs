//! Running compiled programs: memory, threads, training.
