//! Keys by which callers reach a program's buffers: the output that it is, the path of a parameter or
//! state, the buffer's id.

use super::CompiledProgram;
use crate::base::step_output::StepOutput;
use crate::loops::BufferId;
use std::fmt::Display;

/// Something that names a global or pinned buffer of a program.
pub trait BufferKey {
    /// The buffer, if the program has it.
    fn find(&self, program: &CompiledProgram) -> Option<BufferId>;
    /// How a failure names it.
    fn shown(&self) -> impl Display;
}

/// The path of a parameter or state, or the name of any buffer in the text form.
impl BufferKey for str {
    fn find(&self, program: &CompiledProgram) -> Option<BufferId> {
        program.names.get(self).copied()
    }

    fn shown(&self) -> impl Display {
        self
    }
}

impl BufferKey for String {
    fn find(&self, program: &CompiledProgram) -> Option<BufferId> {
        BufferKey::find(self.as_str(), program)
    }

    fn shown(&self) -> impl Display {
        self
    }
}

impl BufferKey for StepOutput {
    fn find(&self, program: &CompiledProgram) -> Option<BufferId> {
        program.loops().io.output(self)
    }

    fn shown(&self) -> impl Display {
        self
    }
}

/// A buffer of the program's own.
impl BufferKey for BufferId {
    fn find(&self, _: &CompiledProgram) -> Option<BufferId> {
        Some(*self)
    }

    fn shown(&self) -> impl Display {
        self
    }
}

impl<K: BufferKey + ?Sized> BufferKey for &K {
    fn find(&self, program: &CompiledProgram) -> Option<BufferId> {
        (**self).find(program)
    }

    fn shown(&self) -> impl Display {
        (**self).shown()
    }
}
