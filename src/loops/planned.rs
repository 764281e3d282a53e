//! Programs that may run: verified, and planned.
//!
//! [`Planned::new`] is the only way to make one, so whoever is given a [`Planned`] (code generation,
//! the runtime) knows without looking:
//!
//! - [`verify`](verify::verify) has passed: every access is inside the buffer that its slot is given,
//!   every run gives its kernel buffers of the right types;
//! - every buffer has a place, and ends before [`MOST_BYTES`].
//!
//! So compiled code touches only bytes of the blocks that hold the program's buffers. It is not said
//! that threads never race (`loops::footprint` proves that where barriers are put) or that buffers
//! that share bytes are not alive together: that would be wrong numbers, in the program's own memory.

use crate::loops::program::Program;
use crate::loops::verify;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The last byte that a buffer may end at, so that sizes of blocks fit into a number.
const MOST_BYTES: usize = 1 << 48;

/// A verified program whose buffers all have places. It never changes; copies share it.
#[derive(Clone, Debug)]
pub struct Planned(Arc<Program>);

impl Planned {
    /// Verifies a program; otherwise what is wrong with it, a sentence each.
    pub fn new(program: Program) -> Result<Planned, Vec<String>> {
        verify::verify(&program)?;
        let mut errors = Vec::new();
        for (id, buffer) in program.buffers.iter() {
            match buffer.offset.map(|offset| offset.checked_add(buffer.bytes())) {
                None => errors.push(format!("buffer {id}: it has no place")),
                Some(Some(end)) if end <= MOST_BYTES => {}
                Some(_) => errors.push(format!("buffer {id}: its place is behind any memory")),
            }
        }
        if errors.is_empty() { Ok(Planned(Arc::new(program))) } else { Err(errors) }
    }

    /// The program, to be changed.
    pub fn into_program(self) -> Program {
        Arc::unwrap_or_clone(self.0)
    }
}

impl Deref for Planned {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.0
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tensor::DType;
    use crate::loops::program::{Buffer, Space};

    fn with_a_buffer_at(offset: Option<usize>) -> Result<Planned, Vec<String>> {
        let (name, dtype, len) = ("x".to_owned(), DType::F32, 4);
        let mut program = Program::default();
        program.buffers.push(Buffer { name, dtype, len, space: Space::Pinned, offset, part: None });
        Planned::new(program)
    }

    #[test]
    fn every_buffer_has_a_place_in_memory() {
        assert!(with_a_buffer_at(Some(64)).is_ok());
        let errors = |offset| with_a_buffer_at(offset).unwrap_err();
        assert_eq!(errors(None), ["buffer b0: it has no place"]);
        assert_eq!(errors(Some(MOST_BYTES)), ["buffer b0: its place is behind any memory"]);
        assert_eq!(errors(Some(usize::MAX - 63)), ["buffer b0: its place is behind any memory"]);
        assert_eq!(errors(Some(8)), ["buffer b0: its offset is not a multiple of 64"]);
    }
}
