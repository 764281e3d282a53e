//! What is wrong with programs.
