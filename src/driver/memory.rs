//! Whether a plan fits the machine, asked before anything is allocated.

use super::session::{Failure, Request, Session};
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::runtime::program::{Blocks, Program};

/// Refuses programs that share a memory larger than the machine's.
pub fn refuse_too_large(
    session: &Session,
    request: &Request,
    programs: &[&Program],
    threads: usize,
) -> Result<(), Failure> {
    let blocks = programs.iter().map(|program| program.blocks());
    let bytes = blocks.fold(Blocks::default(), Blocks::max).total(threads);
    match request.memory {
        Some(memory) if bytes > memory => {
            let error = Diagnostic::error(
                codes::MEMORY,
                format!("a step needs {bytes} bytes of memory, and the machine has {memory}"),
            );
            let error =
                error.help("make `batch` or the model smaller; `nnc check` lists its tensors");
            Err(session.program_failure(vec![error]))
        }
        Some(_) | None => Ok(()),
    }
}
