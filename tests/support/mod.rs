//! What several test crates share.

#![allow(dead_code)] // Each test crate uses its own part.

pub mod compare;
pub mod engines;
pub mod mutation;
pub mod pipeline;
pub mod python;
pub mod random_graph;
pub mod random_program;
pub mod regression;
