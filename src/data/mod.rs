//! Data sets: sources, batches, cache.
