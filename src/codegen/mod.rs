//! Loops to machine code. The only user of Cranelift and of iced.

pub mod tile;
