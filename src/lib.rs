//! nnc: a compiler and trainer for neural networks.

pub mod base;
pub mod graph;
pub mod loops;
pub mod syntax;
