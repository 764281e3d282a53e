//! What several test crates share.

pub mod random_graph;
pub mod pipeline;
