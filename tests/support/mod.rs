//! What several test crates share.

pub mod pipeline;
pub mod random_graph;
