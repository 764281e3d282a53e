//! A step whose numbers were not finite, made again from the same state by code that watches every
//! value: which operator was the first, where it stands, and which sample it was about.
//!
//! ```text
//! probe        every value's elements that are not finite, counted by sample
//! chain        from the loss back through values that are not finite, to the first
//! once more    that value and what it was computed from, to name the numbers
//! ```

use crate::base::diagnostic::Diagnostic;
use crate::base::entity::Entity;
use crate::base::shown::Show;
use crate::base::source::{Sources, Span};
use crate::base::step_output::StepOutput;
use crate::base::tensor::DType;
use crate::driver::compiled::{CompiledStep, place};
use crate::driver::schedules::hypers;
use crate::driver::session::{Failure, Request, Session};
use crate::graph::bounds::uniforms;
use crate::graph::{Binary, Dim, Graph, NodeId, Op, Output, Unary};
use crate::pass::probe;
use crate::run::build::BuiltRun;
use crate::run::failures::SMALLER_RATE;
use crate::runtime::pool::Pool;
use crate::runtime::program::{CompiledProgram, RunMemory, StepArgs};
use crate::runtime::trainer::{NotFinite, RejectedStep, Trainer};
use crate::schedule::Globals;

/// The first value that was not finite.
pub(crate) struct NonFiniteReport {
    /// The operator's name, and what it did: `log of 0 gives -inf`.
    what: String,
    /// The layer that it belongs to.
    path: String,
    /// Where it stands in the user's files.
    place: Option<Span>,
    /// The sample's number in the data, and its file.
    sample: Option<(u32, Option<String>)>,
    /// Advice on how to avoid it.
    help: &'static str,
}

impl NonFiniteReport {
    /// One line that names the operator, its place and its numbers.
    pub fn line(&self, sources: &Sources) -> String {
        let mut line = format!("the first value that was not finite: {}", self.what);
        if let Some(place) = self.place {
            line.push_str(&format!(", {}", sources.place(place)));
        }
        if let Some((number, file)) = &self.sample {
            let file = file.as_ref().map_or(String::new(), |file| format!(" ({file})"));
            line.push_str(&format!(", for sample {number}{file}"));
        }
        line
    }

    /// Adds what was found to the report.
    pub fn describe(&self, diagnostic: Diagnostic) -> Diagnostic {
        let of = match self.path.as_str() {
            "" => String::new(),
            path => format!(" (in `{path}`)"),
        };
        let what = format!("the first value that is not finite: {}{of}", self.what);
        let mut diagnostic = match self.place {
            Some(place) => diagnostic.primary(place, what),
            None => diagnostic.note(what),
        };
        if let Some((number, file)) = &self.sample {
            let file = file.as_ref().map_or(String::new(), |file| format!(", {file}"));
            diagnostic = diagnostic.note(format!("for sample {number} of the training data{file}"));
        }
        diagnostic.help(self.help)
    }
}

/// Makes the step again; `None` where the watching code finds every value finite.
pub(crate) fn replay(
    session: &mut Session,
    request: &Request,
    run: &BuiltRun,
    trainer: &Trainer<'_>,
    threads: usize,
) -> Result<Option<NonFiniteReport>, Failure> {
    let refused = trainer.refused();
    let graph = run.graph_of(refused.bucket);
    let probed = session.graph_pass(&probe::PASS, graph, &())?;
    let mut again = StepReplay { session, request, run, trainer, refused: &refused, threads };
    let (program, memory) = again.make(&probed)?;
    let counts = |id: NodeId| -> Option<&[f32]> {
        let count = StepOutput::Probe(id.index());
        program.buffer(&count).map(|_| program.f32s(&memory, &count))
    };
    let is_wrong =
        |id: NodeId| counts(id).is_some_and(|counts| counts.iter().any(|&count| count > 0.0));
    let Some(first) = first_wrong(graph, refused.what, &is_wrong) else { return Ok(None) };
    let counted = counts(first).unwrap_or_default();
    let rows = match graph.ty(first).shape.first() {
        Some(Dim::Batch(rows)) => Some(*rows),
        _ => None,
    };
    let row = counted.iter().position(|&count| count > 0.0).unwrap_or(0);
    let sample = rows.and_then(|rows| refused.samples.get(row / rows).copied());
    let sample = sample.map(|index| {
        let file = run.data.train.file(index).map(|file| file.shown().to_string());
        (run.data.train.original(index), file)
    });
    let seen = again.numbers(first)?;
    let help = help(graph, first, &seen, refused.what);
    let place = place(&again.session.sources, graph, first);
    let path = graph.nodes[first].origin.map(|origin| graph.origins.get(origin).path.clone());
    let path = path.unwrap_or_default();
    Ok(Some(NonFiniteReport { what: seen.text, path, place, sample, help }))
}

/// Arguments and result of one operator at one element.
struct OperatorRecord {
    text: String,
    /// The numbers of its first element that is not finite, where each comes from those at the same
    /// place.
    args: Vec<f32>,
}

/// Advice, by the operator and its arguments.
fn help(graph: &Graph, node: NodeId, seen: &OperatorRecord, what: NotFinite) -> &'static str {
    let overflows = !seen.args.is_empty() && seen.args.iter().all(|arg| arg.is_finite());
    let by_zero = seen.args.get(1) == Some(&0.0);
    match (&graph.nodes[node].op, what) {
        (Op::Unary(Unary::Log | Unary::Log1p), _) => {
            "keep what it takes positive: `log(max(x, 1e-7))`"
        }
        (Op::Unary(Unary::Sqrt | Unary::Rsqrt), _) => {
            "keep what it takes positive: `sqrt(x + 1e-7)`"
        }
        (Op::Cast(_), NotFinite::Update) if by_zero => {
            "a divisor of the optimizer's is 0: where it is `1 - beta ^ step`, `beta` must be below 1"
        }
        (Op::Cast(_), _) => "this number of the step is not finite: look at the settings it is of",
        (Op::Binary(Binary::Div), NotFinite::Update) if by_zero => {
            "keep the optimizer's divisor from 0: an `eps` above 0 that is added to it does"
        }
        (Op::Binary(Binary::Div), _) if by_zero => "keep the divisor from 0: `a / (b + 1e-7)`",
        (Op::Unary(Unary::Exp), _) => "bound what it takes: `exp(min(x, 50.0))`",
        (Op::Input(_), _) => "the data hold a number that is not finite: leave the sample out",
        (Op::Param(_) | Op::State(_), _) => {
            "it began like that: look at where it is from, an initializer or `init_from`"
        }
        (_, NotFinite::Update) if overflows => {
            "the result is too large for f32: a smaller learning rate, or `clip_norm`, helps"
        }
        (_, NotFinite::State) => {
            "what the layer writes grows from step to step: keep it within bounds, as the running \
             mean `0.9 * seen + 0.1 * new` does"
        }
        _ => SMALLER_RATE,
    }
}

/// The first value on the way back from what was refused through values that are not finite. What
/// no finite result comes from (an infinity that a mask puts in) is not on it.
fn first_wrong(
    graph: &Graph,
    what: NotFinite,
    is_wrong: &dyn Fn(NodeId) -> bool,
) -> Option<NodeId> {
    let root = roots(graph, what).into_iter().find(|&root| is_wrong(root))?;
    let (mut first, mut open) = (root, vec![root]);
    let mut seen = vec![false; graph.nodes.len()];
    while let Some(node) = open.pop() {
        if std::mem::replace(&mut seen[node.index()], true) {
            continue;
        }
        first = first.min(node);
        open.extend(graph.nodes[node].args.iter().copied().filter(|&arg| is_wrong(arg)));
    }
    Some(first)
}

/// The values of which one was not finite, those that are likelier first.
fn roots(graph: &Graph, what: NotFinite) -> Vec<NodeId> {
    let outputs = [StepOutput::Loss, StepOutput::GradNorm].into_iter();
    let outputs = outputs.filter_map(|output| graph.output(output));
    // Updates are `where(finite, new, old)`.
    let new = graph.updates.iter().filter_map(|update| graph.nodes[update.node].args.get(1));
    match what {
        NotFinite::Loss | NotFinite::Gradient => outputs.chain(new.copied()).collect(),
        NotFinite::State | NotFinite::Update => new.copied().chain(outputs).collect(),
    }
}

/// The compiler and the inputs of the step, to make it once more with other outputs.
struct StepReplay<'a, 'r> {
    session: &'a mut Session,
    request: &'a Request,
    run: &'a BuiltRun,
    trainer: &'a Trainer<'a>,
    refused: &'r RejectedStep<'r>,
    threads: usize,
}

impl StepReplay<'_, '_> {
    /// Compiles a graph of the step and runs it from the step's state, on its samples.
    fn make(&mut self, graph: &Graph) -> Result<(CompiledProgram, RunMemory), Failure> {
        let batch = self.refused.samples.len();
        let target = &self.request.target;
        let compiled = self.session.compile(graph, batch, &mut Globals::default(), target)?;
        let CompiledStep { program, .. } = compiled;
        let mut pool = Pool::new(self.threads);
        let mut memory = RunMemory::for_programs([&program], self.threads);
        for (path, _) in self.run.variables() {
            if program.buffer(path).is_some() {
                program.bytes_mut(&mut memory, path).copy_from_slice(&self.trainer.bytes(path));
            }
        }
        program.refresh(&mut memory, &mut pool);
        for (name, bytes) in self.refused.inputs() {
            if let Some(buffer) = program.input(name) {
                program.bytes_mut(&mut memory, buffer).copy_from_slice(bytes);
            }
        }
        let declared = &program.loops().uniforms.hypers;
        let mut hypers = hypers(declared, self.run.run_steps);
        self.refused.set_hypers(declared, &mut hypers);
        let args = StepArgs { step: self.refused.number, seed: self.refused.seed, hypers: &hypers };
        // An index out of range would have been the error of the step itself.
        let _ = program.run(&mut memory, &mut pool, &args);
        Ok((program, memory))
    }

    /// Arguments and result of the operator at the first element that is not finite.
    fn numbers(&mut self, node: NodeId) -> Result<OperatorRecord, Failure> {
        let graph = self.run.graph_of(self.refused.bucket);
        if let Op::Cast(_) = graph.nodes[node].op
            && graph.ty(graph.nodes[node].args[0]).dtype == DType::F64
        {
            return Ok(self.number_of_the_step(graph.nodes[node].args[0]));
        }
        if !matches!(graph.nodes[node].op, Op::Unary(_) | Op::Binary(_)) {
            return Ok(leaf(graph, node));
        }
        let args = graph.nodes[node].args.clone();
        let mut small = graph.clone();
        small.updates.clear();
        let value = StepOutput::Named("value".to_owned());
        let named = |index: usize| StepOutput::Named(format!("arg{index}"));
        let of_args = args.iter().enumerate().map(|(index, &arg)| (named(index), arg));
        let values = std::iter::once((value.clone(), node)).chain(of_args);
        small.outputs = values.map(|(name, node)| Output { name, node }).collect();
        let (program, memory) = self.make(&small)?;
        let read = |output: &StepOutput| program.f32s(&memory, output);
        let value = read(&value);
        let Some(at) = value.iter().position(|value| !value.is_finite()) else {
            return Ok(leaf(graph, node));
        };
        let mut numbers = Vec::new();
        for (index, &arg) in args.iter().enumerate() {
            if graph.ty(arg).dtype != DType::F32 {
                return Ok(leaf(graph, node));
            }
            numbers.push(read(&named(index))[at]);
        }
        Ok(OperatorRecord { text: told(graph, node, &numbers, value[at]), args: numbers })
    }

    /// Arguments and result of an operator on scalars of the step, which the host computes.
    fn number_of_the_step(&self, node: NodeId) -> OperatorRecord {
        let graph = self.run.graph_of(self.refused.bucket);
        let declared = graph.hypers.values().map(|hyper| (hyper.name.clone(), hyper.value));
        let declared: Vec<(String, f64)> = declared.collect();
        let mut hypers = hypers(&declared, self.run.run_steps);
        self.refused.set_hypers(&declared, &mut hypers);
        let values = uniforms(graph, self.refused.number, &hypers);
        let number = |node: NodeId| values[node.index()] as f32;
        let args: Vec<f32> = graph.nodes[node].args.iter().map(|&arg| number(arg)).collect();
        let text = told(graph, node, &args, number(node));
        OperatorRecord { text: format!("{text} in step {}", self.refused.number), args }
    }
}

/// `` `div` of 1.0 and 0.0 gives inf ``.
fn told(graph: &Graph, node: NodeId, args: &[f32], value: f32) -> String {
    let numbers: Vec<String> = args.iter().map(|arg| format!("{arg:?}")).collect();
    format!("`{}` of {} gives {value:?}", graph.nodes[node].op.name(), numbers.join(" and "))
}

/// A description of a value that has no arguments at the same element.
fn leaf(graph: &Graph, node: NodeId) -> OperatorRecord {
    let text = match &graph.nodes[node].op {
        Op::Input(input) => format!("the data's `{}`", graph.inputs[*input].name),
        Op::Param(param) => format!("the parameter `{}`", graph.params[*param].path),
        Op::State(state) => format!("the state `{}`", graph.states[*state].path),
        op => format!("`{}`, {}", op.name(), graph.ty(node)),
    };
    OperatorRecord { text, args: Vec::new() }
}
