//! `nnc emit-ir`: the text of one stage, from a program, a graph or loops.
//!
//! ```text
//! model mlp(…) …       graph mlp {       program "mlp" {
//!      │                    │                  │
//!     ast → graph → grad → … → fused → loops → plan → clif → asm
//! ```
//!
//! The first word of a file tells its kind. A graph or program of loops is verified before anything
//! is made of it, and a mistake in it is the user's. Nothing runs behind the stage that is shown.

use crate::base::shown::Show;
use crate::base::step_output::StepOutput;
use crate::base::tensor::DType;
use crate::driver::batch::DEFAULT_BATCH;
use crate::driver::pipeline::{self, ASM, AST, CLIF, GRAPH, LOOPS, PLAN, plan_text};
use crate::driver::session::{Failure, Request, Session};
use crate::graph::{self, Graph, NodeId, Op, UpdateRule};
use crate::loops::{self, Planned};
use crate::pass::{Gradients, TrainingStep, autodiff, fuse, update};
use crate::schedule::Globals;
use std::path::Path;

/// A stage that can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmitStage {
    /// Its name on the command line.
    pub name: &'static str,
    /// The name of the pass or stage that makes it, in a session.
    pub made_by: &'static str,
    /// One line for `--help`.
    pub description: &'static str,
}

/// Every stage, in order. The passes over graphs between them are in
/// [`PIPELINE`](crate::pass::PIPELINE).
pub const STAGES: [EmitStage; 8] = [
    EmitStage { name: "ast", made_by: AST, description: "the syntax tree" },
    EmitStage { name: "graph", made_by: GRAPH, description: "the model's graph" },
    EmitStage {
        name: "grad",
        made_by: autodiff::PASS.name,
        description: "the graph with its gradients",
    },
    EmitStage { name: "fused", made_by: fuse::PASS.name, description: "the kernels" },
    EmitStage { name: "loops", made_by: LOOPS, description: "the kernels as loops" },
    EmitStage { name: "plan", made_by: PLAN, description: "the loops with their memory planned" },
    EmitStage { name: "clif", made_by: CLIF, description: "Cranelift's code" },
    EmitStage { name: "asm", made_by: ASM, description: "the machine's code" },
];

/// The stage to show, and the options of its text.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmitRequest {
    /// The stage's [`EmitStage::made_by`], or a pass's name; where nothing is said, what the file
    /// itself holds.
    pub step: Option<&'static str>,
    /// The evaluation step instead of the training step.
    pub evaluation: bool,
    /// Samples a step, where the program should not say.
    pub batch: Option<usize>,
}

/// The text of a stage.
pub fn emit(
    session: &mut Session,
    request: &Request,
    asked: EmitRequest,
) -> Result<String, Failure> {
    let text = session.main_text(request)?;
    let input = EmitInput::of(&text);
    let step = asked.step.unwrap_or(input.first_step());
    session.wanted = Some(step.to_string());
    if position(step) < position(input.first_step()) && input != EmitInput::Source {
        let message = format!("{}; {} comes before that", input.description(), named(step));
        return Err(usage(&request.file, &message));
    }
    if asked.evaluation && input != EmitInput::Source {
        let message =
            format!("{}; only of a program is there an evaluation step", input.description());
        return Err(usage(&request.file, &message));
    }
    let end = match input {
        EmitInput::Source => session.emit_source(text, request, asked),
        EmitInput::Graph => session.emit_graph(&text, request, step, asked.batch),
        EmitInput::Loops => session.emit_loops(&text, request),
    };
    match end {
        Ok(()) | Err(Failure::Shown) => {}
        Err(failure) => return Err(failure),
    }
    session.take_printed().ok_or_else(|| {
        Failure::Io(
            "this stage does not run for this step: only a training step is differentiated, and \
             only a model with a `train` block has one"
                .to_string(),
        )
    })
}

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EmitInput {
    /// A program in the language.
    Source,
    /// A graph's text form.
    Graph,
    /// The text form of a program of loops.
    Loops,
}

impl EmitInput {
    /// The kind of a text, by its first word after comments.
    fn of(text: &str) -> EmitInput {
        let is_code = |line: &&str| !(line.is_empty() || line.starts_with([';', '/']));
        let first = text.lines().map(str::trim).find(is_code).unwrap_or("");
        match first.split_whitespace().next() {
            Some("graph") => EmitInput::Graph,
            Some("program") => EmitInput::Loops,
            _ => EmitInput::Source,
        }
    }

    /// The stage that shows what the file itself holds.
    fn first_step(self) -> &'static str {
        match self {
            EmitInput::Source | EmitInput::Graph => GRAPH,
            EmitInput::Loops => LOOPS,
        }
    }

    fn description(self) -> &'static str {
        match self {
            EmitInput::Source => "it is a program",
            EmitInput::Graph => "it is a graph",
            EmitInput::Loops => "it is a program of loops",
        }
    }
}

/// A stage as users know it.
fn named(step: &str) -> String {
    match STAGES.iter().find(|stage| stage.made_by == step) {
        Some(stage) if stage.name != step => format!("stage `{}` (pass `{step}`)", stage.name),
        Some(_) => format!("stage `{step}`"),
        None => format!("pass `{step}`"),
    }
}

/// Where a stage or pass stands in the pipeline.
fn position(step: &str) -> Option<usize> {
    pipeline::order().position(|name| name == step)
}

fn usage(file: &Path, message: &str) -> Failure {
    Failure::Io(format!("{}: {message}", file.shown()))
}

impl Session {
    fn emit_source(
        &mut self,
        text: String,
        request: &Request,
        asked: EmitRequest,
    ) -> Result<(), Failure> {
        let front = self.front_of(text, request, false)?;
        let batch = asked.batch.unwrap_or_else(|| front.batch());
        let graph = if asked.evaluation {
            self.elaborated(front.experiment.eval)?
        } else {
            self.training_graph(front.experiment)?
        };
        self.emit_after(&graph, batch, request)
    }

    fn emit_graph(
        &mut self,
        text: &str,
        request: &Request,
        step: &str,
        batch: Option<usize>,
    ) -> Result<(), Failure> {
        let at = |line, message: &str| mistake(&request.file, line, message);
        let graph = graph::read(text)
            .map_err(|error| Failure::Data(at(Some(error.line), &error.message)))?;
        graph::verify(&graph).map_err(|found| {
            let found = found.iter().map(|finding| at(graph_line(text, finding), finding));
            Failure::Data(found.collect::<Vec<_>>().join("\nerror: "))
        })?;
        if step == update::PASS.name {
            let message = "it is a graph; an optimiser's rule comes from a program";
            return Err(usage(&request.file, message));
        }
        if position(step) >= position(LOOPS) {
            lowerable(&graph)
                .map_err(|(start, message)| Failure::Data(at(line_of(text, &start), &message)))?;
        }
        let mut graph = self.elaborated(graph)?;
        if step == autodiff::PASS.name {
            differentiable(&graph).map_err(|message| usage(&request.file, message))?;
            let step = TrainingStep { rule: UpdateRule::default(), gradients: Gradients::Applied };
            graph = self.graph_pass(&autodiff::PASS, &graph, &step)?;
        }
        self.emit_after(&graph, batch.unwrap_or(DEFAULT_BATCH), request)
    }

    fn emit_loops(&mut self, text: &str, request: &Request) -> Result<(), Failure> {
        let at = |line, message: &str| mistake(&request.file, line, message);
        let wrong = |found: Vec<String>| {
            let found = found.iter().map(|finding| at(loops_line(text, finding), finding));
            Failure::Data(found.collect::<Vec<_>>().join("\nerror: "))
        };
        let program = loops::read::read(text)
            .map_err(|error| Failure::Data(at(Some(error.line), &error.message)))?;
        loops::verify::verify(&program).map_err(wrong)?;
        if self.wanted.as_deref() == Some(LOOPS) {
            self.show(program.to_string());
            return Ok(());
        }
        let is_planned = program.buffers.values().all(|buffer| buffer.offset.is_some());
        let planned = match is_planned {
            true => Planned::new(program).map_err(wrong)?,
            false => self.plan(program, &mut Globals::default())?,
        };
        if self.wanted.as_deref() == Some(PLAN) {
            self.show(plan_text(&planned));
        }
        self.codegen(&planned, &request.target).map(drop)
    }

    /// The rest of the pipeline after the passes that know of training, as far as is wanted.
    fn emit_after(
        &mut self,
        graph: &Graph,
        batch: usize,
        request: &Request,
    ) -> Result<(), Failure> {
        self.compile(graph, batch, &mut Globals::default(), &request.target).map(drop)
    }
}

/// Whether a graph from outside can be differentiated.
fn differentiable(graph: &Graph) -> Result<(), &'static str> {
    match graph.output(StepOutput::Loss) {
        None => Err("it is a graph without an output `loss`, which autodiff begins at"),
        Some(loss) if graph.ty(loss).dtype != DType::F32 || graph.ty(loss).shape.rank() != 0 => {
            Err("its output `loss` is not an f32 scalar, which autodiff begins at")
        }
        Some(_) if graph.outputs.iter().any(|output| output.name.is_gradient()) => {
            Err("its gradients are outputs already")
        }
        Some(_) => Ok(()),
    }
}

/// Whether a graph from outside keeps to what elaboration makes: bytes are only read. Otherwise
/// how the line begins that does not, and why.
fn lowerable(graph: &Graph) -> Result<(), (String, String)> {
    let bytes = |id: NodeId| graph.ty(id).dtype == DType::U8;
    let is_read = |op: &Op| {
        matches!(
            op,
            Op::Input(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Slice(_) | Op::Broadcast(_)
        )
    };
    let computed = graph.nodes.iter().find(|(id, node)| bytes(*id) && !is_read(&node.op));
    let written = graph.outputs.iter().find(|output| bytes(output.node));
    let place = match (computed, written) {
        (Some((id, _)), _) => id.to_string(),
        (None, Some(output)) => format!("output {}", output.name),
        (None, None) => return Ok(()),
    };
    let message = format!("{place}: a step computes no u8; only inputs hold them");
    Err((format!("{place} "), message))
}

fn mistake(file: &Path, line: Option<usize>, message: &str) -> String {
    match line {
        Some(line) => format!("{}:{line}: {message}", file.shown()),
        None => format!("{}: {message}", file.shown()),
    }
}

/// The line that a finding about a graph is about: `%7: …` is about that which begins with `%7`.
fn graph_line(text: &str, finding: &str) -> Option<usize> {
    let (place, _) = finding.split_once(':')?;
    line_of(text, &format!("{place} "))
}

/// The line that a finding about loops is about: a buffer, a kernel or the actions.
fn loops_line(text: &str, finding: &str) -> Option<usize> {
    let mut words = finding.split([' ', ',', ':']);
    let (first, second) = (words.next()?, words.next()?);
    match first {
        "buffer" => line_of(text, &format!("{second} ")),
        "kernel" => line_of(text, &format!("kernel {second} ")),
        "step" | "refresh" => line_of(text, &format!("{first} ")),
        "uniform" => line_of(text, "uniforms "),
        _ => None,
    }
}

/// The number of the first line that begins with this.
fn line_of(text: &str, start: &str) -> Option<usize> {
    text.lines().position(|line| line.trim_start().starts_with(start)).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pass::PIPELINE;

    #[test]
    fn the_first_word_says_what_a_file_is() {
        assert_eq!(EmitInput::of("\n; a graph\n  graph g {\n"), EmitInput::Graph);
        assert_eq!(EmitInput::of("// loops\nprogram \"p\" {\n"), EmitInput::Loops);
        assert_eq!(
            EmitInput::of("// graph g {\nmodel m(x: f32) -> f32 { x }\n"),
            EmitInput::Source
        );
        assert_eq!(EmitInput::of("graphs"), EmitInput::Source);
        assert_eq!(EmitInput::of(""), EmitInput::Source);
    }

    #[test]
    fn findings_have_lines() {
        let text = "graph g {\n    %1 = step : f64\n    %10 = step : f32\n}\n";
        assert_eq!(graph_line(text, "%10: its type is f32"), Some(3));
        assert_eq!(graph_line(text, "%4: nothing"), None);
        let text = "program \"p\" {\n    b0 = scratch f32[4] \"x\" at 3\n    step {\n    }\n}\n";
        assert_eq!(loops_line(text, "buffer b0: its offset"), Some(2));
        assert_eq!(loops_line(text, "step, action 3: no"), Some(3));
    }

    #[test]
    fn every_stage_and_pass_has_its_place() {
        let stages = STAGES.map(|stage| position(stage.made_by));
        assert!(stages.iter().all(Option::is_some) && stages.is_sorted(), "{stages:?}");
        assert!(PIPELINE.names().all(|(pass, _)| position(pass).is_some()));
    }
}
