//! `--format c --train`: a model that trains, its parameters in the caller's memory.
//!
//! ```text
//! void mlp_init(void *state);
//! int mlp_train_step(const uint8_t *image, const int32_t *label, float *loss, void *state, void *arena,
//!                    uint64_t seed, uint64_t step, uint64_t steps, double lr_scale);
//! int mlp_predict(const uint8_t *image, float *output, void *state, void *arena);
//! ```
//!
//! A step computes the bits of a step of `nnc run`: forward, backward and update, with the learning rate
//! of the program's schedule. First values are computed where the program draws them uniformly or sets
//! them, and stored where they are drawn otherwise. Which samples make a batch is the caller's to say.
//! The work of a run between steps (accumulating batches, weights of another file) is refused.

use super::interface::{self, CArgument, Interface, WeightsPlace};
use super::places::BufferPlaces;
use super::source::{USAGE, array, origin};
use crate::base::rng::hash_name;
use crate::base::settings::Settings;
use crate::base::step_output::StepOutput;
use crate::base::tensor::{DType, Data};
use crate::codegen::c::{self, CFunction, number};
use crate::command::inference::ReadableModel;
use crate::driver::session::Failure;
use crate::elaborate::Training;
use crate::graph::init::initial_value;
use crate::graph::rule::{LR_SCALE, MEAN, SHARE_HYPER};
use crate::graph::{Graph, Init, RUN_STEPS, Type};
use crate::loops::{Planned, Space};
use crate::pass::Gradients;
use crate::runtime::program::BlockBytes;
use crate::schedule::Globals;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The header and the source of a model that trains, for a batch; the program's where none is said.
pub(super) fn sources(
    exported: &mut ReadableModel,
    prefix: &str,
    batch: Option<usize>,
) -> Result<[Vec<u8>; 2], Failure> {
    let Some((forward, training)) = exported.opened.training.take() else {
        let message = format!("nothing trains `{}`", exported.opened.model);
        return Err(Failure::Data(message));
    };
    refuse(&training)?;
    let batch = batch.unwrap_or(training.settings.batch);
    let session = &mut exported.session;
    let forward = session.elaborated(forward)?;
    let graph = session.training_step(&forward, &training.rule, Gradients::Applied)?;
    let mut globals = Globals::default();
    let mut planned = |graph: &Graph| -> Result<Planned, Failure> {
        let kernels = session.fuse(graph, batch)?;
        Ok(session.planned(&kernels, &mut globals)?.program)
    };
    let train = planned(&graph)?;
    let evaluate = planned(&exported.opened.graph)?;
    let source = TrainingSource::new(exported, prefix, batch, [train, evaluate]);
    let source_text = source.text(&graph, &training.settings)?;
    Ok([source.interface(&graph).header(), source_text].map(String::into_bytes))
}

/// Refuses settings that only a run of nnc's own follows.
fn refuse(training: &Training) -> Result<(), Failure> {
    let settings = &training.settings;
    let found = [
        (settings.accumulate > 1, "accumulate"),
        (settings.init_from.is_some(), "init_from"),
        (settings.class_weights.is_some(), "class_weights"),
    ];
    match found.iter().find(|(set, _)| *set) {
        Some((_, name)) => Err(Failure::Data(format!(
            "`{name}` of the `train` block is not exported to C; take it out, or export without \
             `--train`"
        ))),
        None => Ok(()),
    }
}

/// The parts of a source file.
struct TrainingSource<'a> {
    exported: &'a ReadableModel,
    prefix: &'a str,
    batch: usize,
    train: Planned,
    evaluate: Planned,
    /// Inputs and outputs of a training step.
    step: [Vec<CArgument>; 2],
    /// Inputs and outputs of `predict`.
    answer: [Vec<CArgument>; 2],
}

impl<'a> TrainingSource<'a> {
    fn new(
        exported: &'a ReadableModel,
        prefix: &'a str,
        batch: usize,
        [train, evaluate]: [Planned; 2],
    ) -> TrainingSource<'a> {
        let mut inputs = step_inputs(exported, &train, batch);
        let mut outputs: Vec<CArgument> = loss(&train).into_iter().collect();
        interface::distinguish(inputs.iter_mut().chain(&mut outputs));
        let step = [inputs, outputs];
        let mut inputs = interface::inputs(exported, &evaluate, batch);
        let mut outputs = interface::outputs(exported, &evaluate, batch);
        interface::distinguish(inputs.iter_mut().chain(&mut outputs));
        let answer = [inputs, outputs];
        TrainingSource { exported, prefix, batch, train, evaluate, step, answer }
    }

    /// The places of a step's buffers.
    fn places<'p>(program: &'p Planned, arguments: &[Vec<CArgument>; 2]) -> BufferPlaces<'p> {
        let all = arguments.iter().flatten();
        let named: BTreeMap<_, _> = all.map(|it| (it.buffer, it.ident.clone())).collect();
        BufferPlaces::new(program, named)
    }

    /// Bytes of the block of parameters and states.
    fn state_bytes(&self) -> usize {
        let [train, evaluate] = [&self.train, &self.evaluate].map(BlockBytes::of);
        train.max(evaluate).global
    }

    /// The header's facts.
    fn interface(&self, graph: &Graph) -> Interface {
        let [train, evaluate] = [
            TrainingSource::places(&self.train, &self.step),
            TrainingSource::places(&self.evaluate, &self.answer),
        ];
        let mut training = self.describe_state(graph);
        let _ = write!(
            training,
            "\n/* Sets parameters and states to their first values, those of nnc. */\n{};\n\n\
             /* Returned where loss or gradient is infinite or NaN: the step has changed nothing. */\n\
             #define {upper}_NOT_FINITE 2\n\
             /* Trains on a batch: 0, {upper}_BAD_INDEX or {upper}_NOT_FINITE. `seed` is the run's (nnc's \
             default is 0),\n   `step` counts from 1 to `steps`, the number of steps of the run, from \
             which schedules follow; the\n   learning rate is multiplied by `lr_scale`, mostly 1. */\n{};\n",
            self.init(),
            self.train_step(),
            upper = self.prefix.to_uppercase()
        );
        let copy = |arguments: &[CArgument]| arguments.to_vec();
        Interface {
            prefix: self.prefix.to_owned(),
            origin: origin(self.exported),
            usage: USAGE.replace("NAME", self.prefix),
            batch: self.batch,
            inputs: copy(&self.answer[0]),
            outputs: copy(&self.answer[1]),
            arena: train.arena().max(evaluate.arena()),
            weights: WeightsPlace::State,
            training,
        }
    }

    /// The constants of the targets and of the block of parameters and states.
    fn describe_state(&self, graph: &Graph) -> String {
        let upper = self.prefix.to_uppercase();
        let mut text = format!(
            "\n/* Bytes of parameters and states, which the caller keeps from step to step, and where each \
             begins. */\n#define {upper}_STATE_BYTES {}\n",
            self.state_bytes()
        );
        for (path, ty, _) in graph.variables() {
            let buffers = self.train.buffers.values();
            let Some(buffer) = buffers.clone().find(|it| is_global(it, path)) else { continue };
            let name = number::identifier(path).to_uppercase();
            let offset = buffer.offset.expect("the program is planned");
            let _ = writeln!(text, "#define {upper}_{name}_OFFSET {offset} /* {ty} */");
        }
        text
    }

    fn init(&self) -> String {
        format!("void {}_init(void *state)", self.prefix)
    }

    fn train_step(&self) -> String {
        format!(
            "int {}_train_step({}, void *state, void *arena, uint64_t seed, uint64_t step,\n    \
             uint64_t steps, double lr_scale)",
            self.prefix,
            interface::parameters(&self.step[0], &self.step[1])
        )
    }

    /// The source file.
    fn text(&self, graph: &Graph, settings: &Settings) -> Result<String, Failure> {
        let prefix = self.prefix;
        let interface = self.interface(graph);
        let mut text = format!(
            "/* {}. How to compile it stands in {prefix}.h. */\n#include \"{prefix}.h\"\n\n\
             #include <stddef.h>\n\n{}\n{}\n",
            interface::comment(&interface.origin),
            c::PRELUDE,
            c::SCHEDULES
        );
        text.push_str(&interface.class_names());
        text.push_str(&self.functions());
        text.push_str(&self.uniform_values()?);
        text.push_str(&self.first_values(graph, settings.seed));
        text.push_str(&self.calls(&interface));
        Ok(text)
    }

    /// The kernels and what runs them.
    fn functions(&self) -> String {
        let train = TrainingSource::places(&self.train, &self.step);
        let evaluate = TrainingSource::places(&self.evaluate, &self.answer);
        let (of_train, of_evaluate) = (|id| train.place(id), |id| evaluate.place(id));
        let params = |arguments: &[Vec<CArgument>; 2]| {
            let own = interface::parameters(&arguments[0], &arguments[1]);
            format!("{own}, unsigned char *state, unsigned char *arena")
        };
        let (step, answer) = (params(&self.step), params(&self.answer));
        let state = "unsigned char *state, unsigned char *arena";
        c::print(&[
            CFunction {
                program: &self.train,
                name: "train",
                params: &step,
                actions: &self.train.actions,
                place: &of_train,
            },
            CFunction {
                program: &self.train,
                name: "refresh_train",
                params: state,
                actions: &self.train.refresh,
                place: &of_train,
            },
            CFunction {
                program: &self.evaluate,
                name: "evaluate",
                params: &answer,
                actions: &self.evaluate.actions,
                place: &of_evaluate,
            },
            CFunction {
                program: &self.evaluate,
                name: "refresh_evaluate",
                params: state,
                actions: &self.evaluate.refresh,
                place: &of_evaluate,
            },
        ])
    }

    /// The functions that compute the numbers of a step.
    fn uniform_values(&self) -> Result<String, Failure> {
        let mut text = String::new();
        for (name, program) in [("train", &self.train), ("evaluate", &self.evaluate)] {
            let uniforms = &program.uniforms;
            let hyper = |index: usize| match &uniforms.hypers[index] {
                (name, _) if name == RUN_STEPS => "(double)steps".to_owned(),
                (name, _) if name == LR_SCALE => "lr_scale".to_owned(),
                // As the trainer computes it for an update of one batch.
                (name, _) if name == SHARE_HYPER => {
                    number::double(1.0 / self.batch as f64 * self.batch as f64)
                }
                (_, value) => number::double(*value),
            };
            let body = c::uniforms(uniforms, &hyper).map_err(|function| {
                let message = format!(
                    "a number of each step is computed by `{function}`, which exported C does not \
                     have; write the schedule without it"
                );
                Failure::Data(message)
            })?;
            let _ = writeln!(
                text,
                "static void numbers_of_{name}(float *out, uint64_t step, uint64_t steps, double lr_scale) \
                 {{\n    (void)out;\n    (void)step;\n    (void)steps;\n    (void)lr_scale;\n{body}}}\n"
            );
        }
        Ok(text)
    }

    /// The function that sets first values, with what it needs.
    fn first_values(&self, graph: &Graph, seed: u64) -> String {
        let (mut constants, mut body, mut draws) = (String::new(), String::new(), false);
        let variables: Vec<(&str, &Type, &Init)> = graph.variables().collect();
        for &(path, ty, init) in &variables {
            let mut buffers = self.train.buffers.values();
            let Some(buffer) = buffers.find(|it| is_global(it, path)) else { continue };
            // A mean of what is trained begins as that.
            let of = path.strip_prefix(MEAN).unwrap_or(path);
            let init = variables.iter().find(|(known, ..)| *known == of).map_or(init, |it| it.2);
            let offset = buffer.offset.expect("the program is planned");
            let place = format!("state + {offset}");
            draws |= first_value(&place, (of, ty, init), seed, &mut constants, &mut body);
        }
        let draw = if draws { DRAW } else { "" };
        format!(
            "{draw}{constants}static void set_first_values(unsigned char *state) {{\n{body}}}\n\n"
        )
    }

    /// The functions of the header.
    fn calls(&self, interface: &Interface) -> String {
        let names = |arguments: &[Vec<CArgument>; 2]| {
            let all: Vec<&str> = arguments.iter().flatten().map(|it| it.ident.as_str()).collect();
            all.join(", ")
        };
        let numbers = |program: &Planned, arguments, name: &str, args: &str| {
            let buffer = program.uniforms.buffer;
            let place = buffer.map(|id| TrainingSource::places(program, arguments).place(id));
            place.map_or(format!("    numbers_of_{name}(0, {args});\n"), |place| {
                let place = place.replace("(arena +", "((unsigned char *)arena +");
                format!("    numbers_of_{name}({place}, {args});\n")
            })
        };
        let of_step = numbers(&self.train, &self.step, "train", "step, steps, lr_scale");
        let of_answer = numbers(&self.evaluate, &self.answer, "evaluate", "1, 1, 1.0");
        let finite = self.train.io.output(&StepOutput::Finite).map(|id| {
            let place = TrainingSource::places(&self.train, &self.step).place(id);
            place.replace("(arena +", "((unsigned char *)arena +")
        });
        let written = finite.map_or("0".to_owned(), |place| {
            format!("*({place}) == 1.0f ? 0 : {}_NOT_FINITE", interface.upper())
        });
        let blocks = "(unsigned char *)state, (unsigned char *)arena";
        let upper = interface.upper();
        format!(
            "{init} {{\n    struct nnc_context context = {{0, 0, 0, 0}};\n    \
             set_first_values((unsigned char *)state);\n    \
             refresh_train(&context, (unsigned char *)state, (unsigned char *)0);\n}}\n\n\
             {train_step} {{\n    struct nnc_context context = {{0, 0, 0, 0}};\n    nnc_mode mode;\n    \
             context.seed = seed;\n    context.step = step;\n{of_step}    mode = nnc_begin();\n    \
             train(&context, {step}, {blocks});\n    nnc_end(mode);\n    \
             if (context.bad_site != 0) {{\n        return {upper}_BAD_INDEX;\n    }}\n    \
             return {written};\n}}\n\n\
             {predict} {{\n    struct nnc_context context = {{0, 1, 0, 0}};\n    nnc_mode mode;\n\
             {of_answer}    mode = nnc_begin();\n    refresh_evaluate(&context, {blocks});\n    \
             evaluate(&context, {answer}, {blocks});\n    nnc_end(mode);\n    \
             return context.bad_site == 0 ? 0 : {upper}_BAD_INDEX;\n}}\n",
            init = self.init(),
            train_step = self.train_step(),
            predict = interface.predict(),
            step = names(&self.step),
            answer = names(&self.answer),
        )
    }
}

/// Uniform numbers from a sequence of Philox blocks, as nnc draws first values.
const DRAW: &str = "static void draw(float *out, ptrdiff_t count, uint64_t seed, uint64_t domain, double low, double high) {
    for (ptrdiff_t i = 0; i < count; ++i) {
        uint32_t block[4] = {(uint32_t)(i / 2), 0, (uint32_t)domain, (uint32_t)(domain >> 32)};
        uint64_t first, second;
        nnc_philox(seed, block);
        first = block[i % 2 * 2];
        second = block[i % 2 * 2 + 1];
        out[i] = (float)(low + (high - low) * ((double)((first << 21) ^ (second >> 11)) * (1.0 / 9007199254740992.0)));
    }
}

";

/// The statements that set one tensor: drawn, filled, or copied from an array of the source. Returns
/// whether it is drawn.
fn first_value(
    place: &str,
    (path, ty, init): (&str, &Type, &Init),
    seed: u64,
    constants: &mut String,
    body: &mut String,
) -> bool {
    let extents = ty.shape.extents().expect("no parameter or state depends on the batch");
    let len: usize = extents.iter().product();
    let each = |body: &mut String, ty: &str, value: &str| {
        let _ = writeln!(
            body,
            "    for (ptrdiff_t i = 0; i < {len}; ++i) {{\n        \
             (({ty} *)(void *)({place}))[i] = {value};\n    }}"
        );
    };
    match (init, ty.dtype) {
        (Init::Uniform { low, high }, DType::F32) => {
            let (low, high) = (number::double(*low), number::double(*high));
            let domain = hash_name(path);
            let _ = writeln!(
                body,
                "    draw((float *)(void *)({place}), {len}, UINT64_C({seed}), UINT64_C({domain}), \
                 {low}, {high});"
            );
        }
        (Init::Constant(value), DType::F32) => each(body, "float", &number::float(*value as f32)),
        _ => {
            let value = initial_value(init, ty, path, seed);
            let name = format!("first_{}", number::identifier(path));
            constants.push_str(&array(&name, &value.data));
            each(body, c::element_type(element(&value.data)), &format!("{name}[i]"));
        }
    }
    matches!((init, ty.dtype), (Init::Uniform { .. }, DType::F32))
}

fn is_global(buffer: &crate::loops::Buffer, path: &str) -> bool {
    buffer.space == Space::Global && buffer.name == path
}

fn element(data: &Data) -> DType {
    match data {
        Data::F32(_) | Data::F64(_) => DType::F32,
        Data::I32(_) => DType::I32,
        Data::U8(_) | Data::Bool(_) => DType::U8,
    }
}

/// The inputs of a training step with their targets.
fn step_inputs(exported: &ReadableModel, program: &Planned, batch: usize) -> Vec<CArgument> {
    let schema = &exported.opened.samples.schema;
    let argument = |(name, buffer): &(String, crate::loops::BufferId)| {
        let field = schema.field(name);
        let shape: Vec<usize> = match field {
            Some(field) => [batch].into_iter().chain(field.shape.iter().copied()).collect(),
            None => vec![program.buffers[*buffer].len],
        };
        CArgument {
            name: name.clone(),
            ident: number::identifier(name),
            dtype: program.buffers[*buffer].dtype,
            shape,
            classes: Vec::new(),
            buffer: *buffer,
            about: "in",
        }
    };
    program.io.inputs.iter().map(argument).collect()
}

/// The mean loss of the batch, where the step gives it.
fn loss(program: &Planned) -> Option<CArgument> {
    let buffer = program.io.output(&StepOutput::Loss)?;
    Some(CArgument {
        name: "loss".to_owned(),
        ident: "loss".to_owned(),
        dtype: program.buffers[buffer].dtype,
        shape: Vec::new(),
        classes: Vec::new(),
        buffer,
        about: "out",
    })
}
