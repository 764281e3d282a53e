//! Whether something fits the memory that may be used, asked before anything is allocated.

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::schema::Schema;
use crate::data;
use crate::driver::session::{Failure, Request, Session};
use crate::graph::interp::{self, Cost};
use crate::graph::{Graph, Type};
use crate::runtime::program::{BlockBytes, CompiledProgram};

/// Refuses programs whose shared memory, and `beside` bytes more, are larger than what may be used.
pub fn refuse_too_large(
    session: &Session,
    request: &Request,
    programs: &[&CompiledProgram],
    threads: usize,
    beside: usize,
) -> Result<(), Failure> {
    let blocks = programs.iter().map(|program| program.blocks());
    let bytes = blocks.fold(BlockBytes::default(), BlockBytes::max).total(threads);
    refuse(session, request, bytes.saturating_add(beside))
}

/// Refuses data whose images cannot be decoded in the memory that may be used.
pub fn refuse_decoding(request: &Request, schema: &Schema, threads: usize) -> Result<(), Failure> {
    let bytes = data::decoding_bytes(schema, threads);
    match request.memory {
        Some(memory) if bytes > memory => Err(Failure::Data(format!(
            "decoding the images needs {bytes} bytes of memory, and {memory} may be used here: the \
             largest has {} pixels; make it smaller, or use fewer `--threads`",
            schema.pixels()
        ))),
        Some(_) | None => Ok(()),
    }
}

/// Refuses what takes more bytes than may be used.
pub fn refuse(session: &Session, request: &Request, bytes: usize) -> Result<(), Failure> {
    match request.memory {
        Some(memory) if bytes > memory => {
            let error = Diagnostic::error(
                codes::MEMORY,
                format!("a step needs {bytes} bytes of memory, and {memory} may be used here"),
            );
            let error =
                error.help("make `batch` or the model smaller; `nnc check` lists its tensors");
            Err(session.program_failure(vec![error]))
        }
        Some(_) | None => Ok(()),
    }
}

/// Bytes of a graph's parameters and states.
pub fn variable_bytes(graph: &Graph) -> usize {
    graph.variables().map(|(_, ty, _)| bytes(ty, 1)).fold(0, usize::saturating_add)
}

/// Cost of a batch in the graphs' interpreter, with the bytes of parameters and states before and
/// after the step among it.
pub fn interpreted(graph: &Graph, batch: usize) -> Cost {
    let cost = interp::cost(graph, batch);
    let variables = variable_bytes(graph).saturating_mul(2);
    Cost { bytes: cost.bytes.saturating_add(variables), ..cost }
}

/// Bytes of a value, a number taken for four.
fn bytes(ty: &Type, batch: usize) -> usize {
    let extents = ty.shape.iter().map(|&dim| crate::driver::batch::extent(dim, batch));
    extents.fold(4, usize::saturating_mul)
}
