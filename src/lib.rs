//! nnc: a compiler and trainer for neural networks.

pub mod base;
// Front end and intermediate representations; they do not know one another.
pub mod data;
pub mod graph;
pub mod loops;
pub mod syntax;
// How files are opened and written; knows no formats.
pub mod files;
// How a run is drawn and written; knows none of them.
pub mod report;
// From one to the next.
pub mod codegen;
pub mod elaborate;
pub mod lint;
pub mod lower;
pub mod pass;
pub mod repair;
// What users run.
pub mod cli;
pub mod command;
pub mod driver;
pub mod run;
pub mod runtime;
