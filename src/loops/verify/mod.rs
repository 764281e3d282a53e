//! Checks a program: after it, lowering and code generation may rely on every rule that the
//! types of `loops::program` state.
//!
//! `store s1[4*i0] = r1` with `i0` up to 9 and 32 elements in `s1` gives
//! `kernel k0 "scale": store s1[4*i0]: reaches element 36 of 32`.
//!
//! Not checked: races between threads (`loops::footprint` proves their absence where barriers are
//! put, `loops::interp` looks for them) and bytes shared by buffers (the plan's work).

mod kernel;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::base::entity::Entity;
use crate::base::tensor::DType;
use crate::loops::program::{Action, Buffer, BufferId, KernelId, Program, SlotId, Space, Stmt};
use crate::loops::uniform::UniformInst;

/// Upper bound of a buffer's elements, so that sums of sizes fit into an `i64`.
const MOST_ELEMENTS: usize = 1 << 44;

/// Whether a program keeps all rules; otherwise what it breaks, a sentence each.
pub fn verify(program: &Program) -> Result<(), Vec<String>> {
    let mut errors = Vec::new();
    buffers(program, &mut errors);
    uniforms(program, &mut errors);
    for (id, kernel) in program.kernels.iter() {
        kernel::verify(id, kernel, &mut errors);
    }
    for (name, actions) in [("step", &program.actions), ("refresh", &program.refresh)] {
        for (index, action) in actions.iter().enumerate() {
            let place = format!("{name}, action {index}");
            let mut check = |action: &Action, steps: usize| match action {
                Action::Run { kernel, args } => {
                    let found = run(program, *kernel, args).chain(parts(program, args, steps));
                    errors.extend(found.map(|text| format!("{place}: {text}")));
                }
                Action::Loop { .. } => errors.push(format!("{place}: a loop in a loop")),
                Action::Barrier => {}
            };
            match action {
                Action::Loop { steps, body, .. } => body.iter().for_each(|it| check(it, *steps)),
                other => check(other, 1),
            }
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn buffers(program: &Program, errors: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    for (id, buffer) in program.buffers.iter() {
        if buffer.dtype == DType::F64 {
            errors.push(format!("buffer {id}: no buffer holds f64"));
        }
        if buffer.len > MOST_ELEMENTS {
            errors.push(format!("buffer {id}: {} elements are more than any memory", buffer.len));
        }
        if let Some(part) = buffer.part {
            let whole = program.buffers.get(part.of).filter(|whole| whole.part.is_none());
            let fits = |whole: &Buffer| (whole.dtype, whole.space) == (buffer.dtype, buffer.space);
            if !whole.is_some_and(fits) {
                errors.push(format!("buffer {id}: it is no part of {}", part.of));
            }
        } else if buffer.offset.is_some_and(|offset| offset % 64 != 0) {
            errors.push(format!("buffer {id}: its offset is not a multiple of 64"));
        }
        let is_named = matches!(buffer.space, Space::Global | Space::Pinned);
        if is_named && !names.insert(&buffer.name) {
            errors.push(format!("buffer {id}: another one is called {:?} too", buffer.name));
        }
    }
}

fn uniforms(program: &Program, errors: &mut Vec<String>) {
    let uniforms = &program.uniforms;
    for (index, inst) in uniforms.insts.iter().enumerate() {
        let fits = match *inst {
            UniformInst::Const(_) | UniformInst::Step => true,
            UniformInst::Hyper(hyper) => hyper < uniforms.hypers.len(),
            UniformInst::Unary(_, a) => a < index,
            UniformInst::Binary(_, a, b) => a < index && b < index,
        };
        if !fits {
            errors.push(format!("uniform value u{index}: an argument does not come before it"));
        }
    }
    if uniforms.results.iter().any(|&result| result >= uniforms.insts.len()) {
        errors.push("uniform values: a result does not exist".to_owned());
    }
    let Some(id) = uniforms.buffer else {
        if !uniforms.results.is_empty() {
            errors.push("uniform values: there are results, but no buffer for them".to_owned());
        }
        return;
    };
    let fits = program.buffers.get(id).is_some_and(|buffer| {
        let large = buffer.len >= uniforms.results.len();
        buffer.space == Space::Pinned && buffer.dtype == DType::F32 && large
    });
    if !fits {
        let len = uniforms.results.len();
        errors.push(format!("uniform values: {id} is not a pinned buffer of {len} f32"));
    }
}

/// Buffers of a run that reach out of those that they are parts of in one of so many steps.
fn parts(program: &Program, args: &[BufferId], steps: usize) -> impl Iterator<Item = String> {
    let reaches = move |&id: &BufferId| {
        let buffer = program.buffers.get(id)?;
        let part = buffer.part?;
        let whole = program.buffers.get(part.of)?;
        let moved = part.stride.checked_mul(steps.max(1) - 1)?;
        let end = moved.checked_add(part.first)?.checked_add(buffer.len)?;
        let (of, len) = (part.of, whole.len);
        (end > len).then(|| format!("{id} reaches element {end} of {of}, which has {len}"))
    };
    args.iter().filter_map(reaches).collect::<Vec<_>>().into_iter()
}

/// The mistakes of one run of a kernel, empty where it is sound.
fn run(program: &Program, id: KernelId, args: &[BufferId]) -> impl Iterator<Item = String> {
    let mut errors = Vec::new();
    match program.kernels.get(id) {
        None => errors.push(format!("there is no kernel {id}")),
        Some(kernel) if kernel.slots.len() != args.len() => errors.push(format!(
            "kernel {id} takes {} buffers and is given {}",
            kernel.slots.len(),
            args.len()
        )),
        Some(kernel) => {
            for ((slot_id, slot), &arg) in kernel.slots.iter().zip(args) {
                let Some(buffer) = program.buffers.get(arg) else {
                    errors.push(format!("there is no buffer {arg}"));
                    continue;
                };
                if buffer.dtype != slot.dtype || buffer.len < slot.len {
                    errors.push(format!(
                        "{arg} is {}[{}], but {slot_id} of kernel {id} is {}[{}]",
                        buffer.dtype, buffer.len, slot.dtype, slot.len
                    ));
                }
            }
            if errors.is_empty() {
                let mut aliases = Aliases { program, id, args, errors: &mut errors };
                aliases.body(&kernel.body, kernel.parts == 0);
            }
        }
    }
    errors.into_iter()
}

/// Rules about what is written, which depend on the buffers given.
struct Aliases<'a> {
    program: &'a Program,
    id: KernelId,
    args: &'a [BufferId],
    errors: &'a mut Vec<String>,
}

impl Aliases<'_> {
    fn body(&mut self, body: &[Stmt], by_all: bool) {
        for stmt in body {
            match stmt {
                Stmt::Parts { body, .. } | Stmt::For { body, .. } | Stmt::Vector { body, .. } => {
                    self.body(body, by_all);
                }
                Stmt::If { then, otherwise, .. } => {
                    self.body(then, by_all);
                    self.body(otherwise, by_all);
                }
                Stmt::Let { .. } => {}
                Stmt::Store { access, .. } => self.written(access.slot, by_all),
                Stmt::StoreAt { base, .. } => self.written(base.slot, by_all),
                Stmt::Tile(tile) => {
                    self.written(tile.c.slot, by_all);
                    let bias = tile.bias.as_ref().map(|bias| bias.slot);
                    for read in [tile.a.slot, tile.b.slot].into_iter().chain(bias) {
                        if self.buffer(read) == self.buffer(tile.c.slot) {
                            let (id, buffer) = (self.id, self.buffer(read));
                            self.errors
                                .push(format!("a tile of kernel {id} reads and writes {buffer}"));
                        }
                    }
                }
            }
        }
    }

    fn buffer(&self, slot: SlotId) -> BufferId {
        self.args.get(slot.index()).copied().unwrap_or(BufferId::from_index(u32::MAX as usize))
    }

    fn written(&mut self, slot: SlotId, by_all: bool) {
        let arg = self.buffer(slot);
        let Some(buffer) = self.program.buffers.get(arg) else { return };
        if by_all && buffer.space != Space::Thread {
            let id = self.id;
            self.errors.push(format!("every thread runs all of {id}, which writes {arg}"));
        }
    }
}
