//! `--format c`: a model as C99 source and a header.
//!
//! ```text
//! runs/lenet   →   lenet.h: sizes, names, int lenet_predict(const uint8_t *image, float *output, …)
//!                  lenet.c: weights, kernels, the function
//!                  lenet.bin: weights that are too large for a source file
//! ```
//!
//! The step is compiled as for `predict`, and its loops are printed instead of run. Layouts that are
//! derived from weights are computed here, once, so that they are constants like weights.

use super::interface::{self, Interface, WeightsPlace};
use super::places::{BufferPlaces, globals};
use super::source::{USAGE, array, origin};
use super::{ExportDestination, training};
use crate::base::tensor::{Data, Tensor};
use crate::codegen::c::{self, CFunction, element_type, number};
use crate::command::inference::ReadableModel;
use crate::driver::session::{Failure, Request};
use crate::loops::{BufferId, Planned};
use crate::run::trained::Model;
use crate::runtime::pool::Pool;
use crate::runtime::program::RunMemory;
use crate::runtime::trainer::BatchStep;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

/// Weights of more bytes than this get a file of their own: compilers take minutes for so many numbers.
const LARGE: usize = 4 << 20;

/// Options of an export to C.
#[derive(Clone, Copy, Debug)]
pub struct CExportOptions {
    /// Samples a call; where nothing is said, one, or the program's batch where training is exported.
    pub batch: Option<usize>,
    /// Whether to export training, too.
    pub train: bool,
}

/// A step of inference with its weights in memory.
pub(super) struct FilledStep {
    pub step: BatchStep,
    pub memory: RunMemory,
}

/// Compiles the step of inference, and fills its memory with the weights and their layouts.
pub(super) fn filled(exported: &mut ReadableModel, batch: usize) -> Result<FilledStep, Failure> {
    exported.pad_to_largest();
    let steps = exported.compile(&[batch])?;
    let memory = steps.memory(&mut Pool::new(1));
    Ok(FilledStep { step: steps.into_largest(), memory })
}

/// Exports a model as C; the files that were written.
pub fn export_c(
    request: &Request,
    model: &Model,
    options: CExportOptions,
    to: &ExportDestination,
) -> Result<Vec<PathBuf>, Failure> {
    let mut exported = ReadableModel::open(request, model)?;
    let prefix = number::identifier(&exported.opened.model);
    if options.train {
        let [header, source] = training::sources(&mut exported, &prefix, options.batch)?;
        return write_sources(to, &prefix, vec![header, source]);
    }
    let batch = options.batch.unwrap_or(1);
    let filled = filled(&mut exported, batch)?;
    let source = CSource::new(&exported, &filled, &prefix, batch);
    let mut files = vec![source.interface.header().into_bytes(), source.text().into_bytes()];
    if matches!(source.interface.weights, WeightsPlace::File { .. }) {
        files.push(source.block);
    }
    write_sources(to, &prefix, files)
}

/// Writes header, source and, where there is one, the block of weights.
fn write_sources(
    to: &ExportDestination,
    prefix: &str,
    files: Vec<Vec<u8>>,
) -> Result<Vec<PathBuf>, Failure> {
    let folder = to.or_named("", "");
    let path = |ending: &str| folder.join(format!("{prefix}.{ending}"));
    let files: Vec<(PathBuf, Vec<u8>)> =
        ["h", "c", "bin"].map(path).into_iter().zip(files).collect();
    to.write_all(&files)
}

/// The parts of a source file.
struct CSource {
    interface: Interface,
    /// Constants: weights, uniform values.
    constants: String,
    /// Kernels and the function that runs them.
    code: String,
    /// The bytes of a file of weights.
    block: Vec<u8>,
}

impl CSource {
    fn new(exported: &ReadableModel, filled: &FilledStep, prefix: &str, batch: usize) -> CSource {
        let program = filled.step.program.loops();
        let mut inputs = interface::inputs(exported, program, batch);
        let mut outputs = interface::outputs(exported, program, batch);
        interface::distinguish(inputs.iter_mut().chain(&mut outputs));
        let mut named: BTreeMap<BufferId, String> =
            inputs.iter().chain(&outputs).map(|it| (it.buffer, it.ident.clone())).collect();
        let weights = globals(program, &program.actions);
        let total: usize = weights.iter().map(|&id| program.buffers[id].bytes()).sum();
        let (mut constants, mut block) = (uniform_values(filled, &mut named), Vec::new());
        let weights = if total > LARGE {
            place_in_file(program, filled, &weights, &mut named, &mut block);
            WeightsPlace::File { name: format!("{prefix}.bin"), bytes: block.len() }
        } else {
            place_inside(program, filled, &weights, &mut named, &mut constants);
            WeightsPlace::Inside
        };
        let places = BufferPlaces::new(program, named);
        let params = interface::parameters(&inputs, &outputs);
        let file = matches!(weights, WeightsPlace::File { .. });
        let own = if file { ", const unsigned char *weights" } else { "" };
        let params = format!("{params}{own}, unsigned char *arena");
        let place = |id| places.place(id);
        let (name, actions) = ("run", &program.actions[..]);
        let run = CFunction { program, name, params: &params, actions, place: &place };
        let code = c::print(&[run]);
        let origin = origin(exported);
        let interface = Interface {
            prefix: prefix.to_owned(),
            origin,
            usage: USAGE.replace("NAME", prefix),
            batch,
            inputs,
            outputs,
            arena: places.arena(),
            weights,
            training: String::new(),
        };
        CSource { interface, constants, code, block }
    }

    /// The source file.
    fn text(&self) -> String {
        let Interface { prefix, origin, inputs, outputs, .. } = &self.interface;
        let mut text = format!(
            "/* {}. How to compile it stands in {prefix}.h. */\n\
             #include \"{prefix}.h\"\n\n#include <stddef.h>\n\n{}\n",
            interface::comment(origin),
            c::PRELUDE
        );
        text.push_str(&self.interface.class_names());
        text.push_str(&self.constants);
        text.push_str(&self.code);
        let mut args: Vec<&str> =
            inputs.iter().chain(outputs).map(|argument| argument.ident.as_str()).collect();
        if matches!(self.interface.weights, WeightsPlace::File { .. }) {
            args.push("(const unsigned char *)weights");
        }
        let _ = writeln!(
            text,
            "{} {{\n    struct nnc_context context = {{0, 1, 0, 0}};\n    \
             const nnc_mode mode = nnc_begin();\n    \
             run(&context, {}, (unsigned char *)arena);\n    nnc_end(mode);\n    \
             return context.bad_site == 0 ? 0 : {}_BAD_INDEX;\n}}",
            self.interface.predict(),
            args.join(", "),
            self.interface.upper()
        );
        text
    }
}

/// The uniform values of a step, which are constants of inference.
fn uniform_values(filled: &FilledStep, named: &mut BTreeMap<BufferId, String>) -> String {
    let uniforms = &filled.step.program.loops().uniforms;
    let Some(buffer) = uniforms.buffer else { return String::new() };
    named.insert(buffer, "uniform_values".to_owned());
    let values = uniforms.eval(1, &filled.step.hypers);
    array("uniform_values", &Data::F32(values))
}

/// Makes each weight an array of the source.
fn place_inside(
    program: &Planned,
    filled: &FilledStep,
    weights: &[BufferId],
    named: &mut BTreeMap<BufferId, String>,
    constants: &mut String,
) {
    for (index, &id) in weights.iter().enumerate() {
        let tensor: Tensor = filled.step.program.read(&filled.memory, id);
        let name = format!("weight{index}");
        let _ = writeln!(constants, "/* {} */", interface::comment(&program.buffers[id].name));
        constants.push_str(&array(&name, &tensor.data));
        named.insert(id, name);
    }
}

/// Makes the weights a block of bytes, little-endian, each at a multiple of the alignment.
fn place_in_file(
    program: &Planned,
    filled: &FilledStep,
    weights: &[BufferId],
    named: &mut BTreeMap<BufferId, String>,
    block: &mut Vec<u8>,
) {
    for &id in weights {
        let at = block.len();
        let ty = element_type(program.buffers[id].dtype);
        named.insert(id, format!("(const {ty} *)(const void *)(weights + {at})"));
        block.extend(filled.step.program.read(&filled.memory, id).to_bytes());
        block.resize(block.len().next_multiple_of(interface::ALIGNMENT), 0);
    }
}
