//! `--format object`: a model as an ELF object file of nnc's own machine code, under the header that C
//! source has.
//!
//! ```text
//! runs/lenet   →   lenet.h, lenet.o: cc main.c lenet.o
//! ```
//!
//! Calls are those of C source, but that the file needs the processor that it was compiled for
//! (`--target`), on a system with the calls of System V: Linux, BSD.

use super::ExportDestination;
use super::c::{FilledStep, filled};
use super::interface::{self, CArgument, Interface, WeightsPlace};
use super::places::globals;
use super::source::origin;
use crate::codegen::c::number;
use crate::codegen::linkable::{BlockCopy, EntryPoint, object_file};
use crate::codegen::{self, Target};
use crate::command::inference::ReadableModel;
use crate::driver::session::{Failure, Request};
use crate::loops::Planned;
use crate::run::trained::Model;
use crate::runtime::program::BlockBytes;
use std::path::PathBuf;

/// Exports a model as an object file for a target and a header; the files that were written.
pub fn export_object(
    request: &Request,
    model: &Model,
    batch: usize,
    target: &Target,
    to: &ExportDestination,
) -> Result<Vec<PathBuf>, Failure> {
    let mut exported = ReadableModel::open(request, model)?;
    let filled = filled(&mut exported, batch)?;
    let prefix = number::identifier(&exported.opened.model);
    let program = filled.step.program.loops();
    let mut inputs = interface::inputs(&exported, program, batch);
    let mut outputs = interface::outputs(&exported, program, batch);
    interface::distinguish(inputs.iter_mut().chain(&mut outputs));
    let blocks = BlockBytes::of(program);
    let interface = Interface {
        usage: usage(&prefix, target),
        origin: origin(&exported),
        prefix: prefix.clone(),
        batch,
        inputs,
        outputs,
        arena: blocks.local + blocks.thread,
        weights: WeightsPlace::Inside,
        training: String::new(),
    };
    let code = object_bytes(&interface, &filled, blocks, target);
    let folder = to.or_named("", "");
    to.write_all(&[
        (folder.join(format!("{prefix}.h")), interface.header().into_bytes()),
        (folder.join(format!("{prefix}.o")), code),
    ])
}

fn object_bytes(
    interface: &Interface,
    filled: &FilledStep,
    blocks: BlockBytes,
    target: &Target,
) -> Vec<u8> {
    let program = filled.step.program.loops();
    let copies = |arguments: &[CArgument]| -> Vec<BlockCopy> {
        let copy = |it: &CArgument| BlockCopy {
            at: offset(program, it.buffer),
            bytes: program.buffers[it.buffer].bytes(),
        };
        arguments.iter().map(copy).collect()
    };
    let mut global = vec![0; blocks.global];
    for id in globals(program, &program.actions) {
        let bytes = filled.step.program.bytes(&filled.memory, id);
        global[offset(program, id)..][..bytes.len()].copy_from_slice(bytes);
    }
    let uniforms = &program.uniforms;
    let constants = uniforms.buffer.map(|buffer| {
        let values = uniforms.eval(1, &filled.step.hypers);
        (offset(program, buffer), values.iter().flat_map(|it| it.to_le_bytes()).collect())
    });
    let constants: Vec<(usize, Vec<u8>)> = constants.into_iter().collect();
    let named = interface.outputs.iter().filter(|output| !output.classes.is_empty());
    let name = |ident: &str| format!("{}_{ident}_class_names", interface.prefix);
    let texts: Vec<(String, Vec<String>)> =
        named.map(|output| (name(&output.ident), output.classes.clone())).collect();
    let entry = EntryPoint {
        name: &format!("{}_predict", interface.prefix),
        inputs: &copies(&interface.inputs),
        outputs: &copies(&interface.outputs),
        global: &global,
        constants: &constants,
        thread: blocks.local,
        texts: &texts,
    };
    object_file(&codegen::emit(program, target), &entry)
}

fn offset(program: &Planned, id: crate::loops::BufferId) -> usize {
    program.buffers[id].offset.expect("the program is planned")
}

/// How the file is linked, as the header says.
fn usage(prefix: &str, target: &Target) -> String {
    format!(
        "   Link {prefix}.o: cc main.c {prefix}.o. It is machine code for {} ({}), for systems with ELF\n   \
         files and the calls of System V, and needs no library. Results have the bits that nnc computes.\n",
        target.arch.name(),
        target.name()
    )
}
