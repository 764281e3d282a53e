//! Compiled steps against the interpreter, and against one another.

use super::{CheckResult, Subject, VerifyOptions, WorstError};
use crate::base::step_output::StepOutput;
use crate::base::tensor::Tensor;
use crate::codegen::Target;
use crate::command::bench::flops;
use crate::driver::memory;
use crate::driver::session::{Failure, Request, Session};
use crate::graph::interp::StepOutcome;
use crate::graph::rule::MEAN;
use crate::graph::{self, Env, Graph, Output};
use crate::loops::{Planned, StepIo};
use crate::pass::Fusion;
use crate::runtime::pool::Pool;
use crate::runtime::program::{BufferKey, CompiledProgram, RunMemory, StepArgs};
use crate::schedule::Globals;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Numbers of threads that must give the same bits.
const THREADS: [usize; 5] = [1, 2, 3, 4, 7];

/// Every check of compiled code.
pub(super) fn check(
    session: &mut Session,
    request: &Request,
    subject: &Subject,
) -> Result<Vec<CheckResult>, Failure> {
    let target = &request.target;
    let planned = plan(session, &subject.open, subject.options.batch, Fusion::Full)?;
    let program = compile(session, &planned, target)?;
    let most = THREADS.into_iter().max().unwrap_or(1);
    memory::refuse_too_large(
        session,
        request,
        &[&program],
        most,
        6 * memory::variable_bytes(&subject.open),
    )?;
    let reference = run(&program, subject, &subject.open, 1);
    let mut checks = vec![
        interpreter(&program, subject),
        evaluation(session, subject, target)?,
        fusion(session, subject, target, &program)?,
    ];
    let differs = THREADS.into_iter().skip(1).find_map(|threads| {
        let name = difference(&reference, &run(&program, subject, &subject.open, threads))?;
        Some(format!("{name} with {threads} threads"))
    });
    let what = format!("{THREADS:?} threads give the same bits");
    checks.push(CheckResult::exact("threads", what, differs));
    checks.push(targets(session, subject, (target, planned), &reference)?);
    let again = difference(&reference, &run(&program, subject, &subject.open, 1));
    checks.push(CheckResult::exact("repetition", "the same steps twice".into(), again));
    Ok(checks)
}

/// A graph as loops in memory, with its operators fused or each a kernel of its own.
fn plan(
    session: &mut Session,
    graph: &Graph,
    batch: usize,
    fusion: Fusion,
) -> Result<Planned, Failure> {
    let kernels = session.kernels(graph, batch, fusion)?;
    Ok(session.planned(&kernels, &mut Globals::default())?.program)
}

fn compile(
    session: &mut Session,
    planned: &Planned,
    target: &Target,
) -> Result<CompiledProgram, Failure> {
    let code = session.codegen(planned, target)?;
    Ok(CompiledProgram::new(code))
}

/// A compiled step in its memory.
struct LoadedStep<'a> {
    program: &'a CompiledProgram,
    memory: RunMemory,
    pool: Pool,
    hypers: Vec<f64>,
    seed: u64,
}

impl<'a> LoadedStep<'a> {
    fn new(
        program: &'a CompiledProgram,
        graph: &Graph,
        env: &Env,
        threads: usize,
        seed: u64,
    ) -> LoadedStep<'a> {
        let pool = Pool::new(threads);
        let memory = RunMemory::for_programs([program], threads);
        let hypers = program.loops().uniforms.hypers.iter().map(|&(_, value)| value).collect();
        let mut compiled = LoadedStep { program, memory, pool, hypers, seed };
        for (name, value) in &env.inputs {
            if let Some(buffer) = program.input(name) {
                compiled.write(buffer, value);
            }
        }
        compiled.keep(graph, env);
        compiled
    }

    fn write(&mut self, key: impl BufferKey, value: &Tensor) {
        // What the step does not read has no buffer.
        if self.program.buffer(&key).is_some() {
            self.program.write(&mut self.memory, key, value);
        }
    }

    /// Puts parameters and states in their places.
    fn keep(&mut self, graph: &Graph, env: &Env) {
        for (param, value) in graph.params.values().zip(&env.params) {
            self.write(&param.path, value);
        }
        for (state, value) in graph.states.values().zip(&env.states) {
            self.write(&state.path, value);
        }
        self.program.refresh(&mut self.memory, &mut self.pool);
    }

    fn step(&mut self, number: u64) {
        let args = StepArgs { step: number, seed: self.seed, hypers: &self.hypers };
        // Drawn labels are in range; what is taken in place of another index is so everywhere.
        let _ = self.program.run(&mut self.memory, &mut self.pool, &args);
    }

    fn read(&self, key: impl BufferKey) -> Option<Tensor> {
        self.program.buffer(&key).map(|_| self.program.read(&self.memory, key))
    }

    /// All outputs, parameters and states, by the names of their buffers.
    fn all(&self, graph: &Graph) -> impl Iterator<Item = (String, Tensor)> {
        let outputs = graph.outputs.iter().map(|Output { name, .. }| {
            self.read(name).map(|tensor| (StepIo::output_name(name), tensor))
        });
        let lasting = graph
            .variables()
            .map(|(path, ..)| self.read(path).map(|tensor| (path.to_owned(), tensor)));
        outputs.chain(lasting).flatten()
    }
}

/// A tensor's name, and the sum of its bytes, which no other tensor has.
type Sum = (String, blake3::Hash);

fn sums(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Vec<Sum> {
    let sum = |(name, tensor): (String, Tensor)| (name, blake3::hash(&tensor.to_bytes()));
    tensors.into_iter().map(sum).collect()
}

/// Checksums of all tensors after some steps.
fn run(program: &CompiledProgram, subject: &Subject, graph: &Graph, threads: usize) -> Vec<Sum> {
    let env = subject.env(graph, subject.options.batch);
    let mut compiled = LoadedStep::new(program, graph, &env, threads, subject.options.seed);
    drop(env);
    for number in 1..=subject.options.steps {
        compiled.step(number);
    }
    sums(compiled.all(graph))
}

/// The first tensor whose bits differ.
fn difference(a: &[Sum], b: &[Sum]) -> Option<String> {
    let differ = |(a, b): (&Sum, &Sum)| (a != b).then(|| format!("`{}` differs", a.0));
    a.iter().zip(b).find_map(differ)
}

/// Steps against the interpreter, each from the state that compiled code is in: errors must not
/// add up, and an optimiser may make much of little.
fn interpreter(program: &CompiledProgram, subject: &Subject) -> CheckResult {
    const NAME: &str = "interpreter";
    let VerifyOptions { steps, batch, .. } = subject.options;
    let graph = &subject.open;
    let cost = memory::interpreted(graph, batch);
    if let Some(why) = subject.too_large(cost, 1.0) {
        return CheckResult::skipped(NAME, why);
    }
    let affordable = |steps: &u64| subject.too_large(cost, *steps as f64).is_none();
    let made = (2..=steps).take_while(affordable).last().unwrap_or(1);
    let mut env = subject.env(graph, subject.options.batch);
    let mut compiled = LoadedStep::new(program, graph, &env, 1, subject.options.seed);
    let mut worst = WorstError::default();
    for number in 1..=made {
        env.step = number;
        let outcome = match graph::run(graph, subject.options.batch, &env) {
            Ok(outcome) => outcome,
            Err(fault) => return CheckResult::skipped(NAME, fault.to_string()),
        };
        compiled.step(number);
        let compare = |spread: &_| compare_step(&compiled, graph, number, &outcome, spread);
        match subject.compared(graph, &env, Some(&outcome), compare) {
            Ok(here) => worst.take(here.part, || here.place),
            Err(why) => return CheckResult::skipped(NAME, why),
        }
        for (path, value) in graph
            .params
            .values()
            .map(|param| &param.path)
            .zip(&mut env.params)
            .chain(graph.states.values().map(|state| &state.path).zip(&mut env.states))
        {
            if let Some(got) = compiled.read(path) {
                value.data = got.data;
            }
        }
    }
    let of = if made < steps { format!(" of {steps}, for time") } else { String::new() };
    let plural = if made == 1 { "" } else { "s" };
    CheckResult::within(NAME, format!("{made} step{plural}{of}, all that they make"), worst)
}

/// All that a step has made, and what the interpreter makes of the same; `spread` is how far rounding
/// moves each.
fn compare_step(
    compiled: &LoadedStep<'_>,
    graph: &Graph,
    number: u64,
    outcome: &StepOutcome,
    spread: &BTreeMap<String, f32>,
) -> WorstError {
    let mut worst = WorstError::default();
    let step = |name: &str| format!("{name} of step {number}");
    let moved = |name: String| spread.get(&name).copied().unwrap_or_default();
    for (name, want) in &outcome.outputs {
        if let Some(got) = compiled.read(StepOutput::from(name)) {
            worst.compare(&step(name), &got, want, moved(name.clone()));
        }
    }
    let gradient =
        |path: &str| outcome.outputs.get(&StepOutput::Gradient(path.to_owned()).to_string());
    for (index, (param, want)) in graph.params.values().zip(&outcome.params).enumerate() {
        if let Some(got) = compiled.read(&param.path) {
            let (gradient, moved) = (gradient(&param.path), moved(format!("param {index}")));
            worst.compare_updated(&step(&param.path), &got, want, gradient, moved);
        }
    }
    for (index, (state, want)) in graph.states.values().zip(&outcome.states).enumerate() {
        if let Some(got) = compiled.read(&state.path) {
            let of = state.path.strip_prefix(MEAN).unwrap_or(&state.path);
            let (gradient, moved) = (gradient(of), moved(format!("state {index}")));
            worst.compare_updated(&step(&state.path), &got, want, gradient, moved);
        }
    }
    worst
}

fn evaluation(
    session: &mut Session,
    subject: &Subject,
    target: &Target,
) -> Result<CheckResult, Failure> {
    const NAME: &str = "evaluation";
    if let Some(why) =
        subject.too_large(memory::interpreted(&subject.evaluation, subject.options.batch), 1.0)
    {
        return Ok(CheckResult::skipped(NAME, why));
    }
    let graph = &subject.evaluation;
    let planned = plan(session, graph, subject.options.batch, Fusion::Full)?;
    let program = compile(session, &planned, target)?;
    let env = subject.env(graph, subject.options.batch);
    let outcome = match graph::run(graph, subject.options.batch, &env) {
        Ok(outcome) => outcome,
        Err(fault) => return Ok(CheckResult::skipped(NAME, fault.to_string())),
    };
    let mut compiled = LoadedStep::new(&program, graph, &env, 1, subject.options.seed);
    compiled.step(1);
    let compare = |spread: &BTreeMap<String, f32>| {
        let mut worst = WorstError::default();
        for (name, want) in &outcome.outputs {
            if let Some(got) = compiled.read(StepOutput::from(name)) {
                worst.compare(name, &got, want, spread.get(name).copied().unwrap_or_default());
            }
        }
        worst
    };
    Ok(match subject.compared(graph, &env, Some(&outcome), compare) {
        Ok(worst) => CheckResult::within(NAME, "loss, output and metrics".into(), worst),
        Err(why) => CheckResult::skipped(NAME, why),
    })
}

/// One step: without fusion, sums may be added in another order.
fn fusion(
    session: &mut Session,
    subject: &Subject,
    target: &Target,
    fused: &CompiledProgram,
) -> Result<CheckResult, Failure> {
    const NAME: &str = "fusion";
    let graph = &subject.open;
    let planned = plan(session, graph, subject.options.batch, Fusion::Off)?;
    let apart = compile(session, &planned, target)?;
    let step = |program: &CompiledProgram| {
        let env = subject.env(graph, subject.options.batch);
        let mut compiled = LoadedStep::new(program, graph, &env, 1, subject.options.seed);
        compiled.step(1);
        compiled.all(graph).collect::<Vec<_>>()
    };
    let (want, got) = (step(fused), step(&apart));
    let compare = |spread: &BTreeMap<String, f32>| {
        let mut worst = WorstError::default();
        for (name, want) in &want {
            let of = |name: &str| got.iter().find(|(known, _)| known == name).map(|(_, it)| it);
            if let Some(found) = of(name) {
                let param = name.strip_prefix(MEAN).unwrap_or(name);
                let gradient = StepOutput::Gradient(param.to_owned());
                let gradient = of(&StepIo::output_name(&gradient));
                let moved = spread.get(&spread_name(graph, name)).copied().unwrap_or_default();
                worst.compare_updated(name, found, want, gradient, moved);
            }
        }
        worst
    };
    let env = subject.env(graph, subject.options.batch);
    let worst = match subject.compared(graph, &env, None, compare) {
        Ok(worst) => worst,
        Err(why) => return Ok(CheckResult::skipped(NAME, why)),
    };
    let same = if difference(&sums(want), &sums(got)).is_none() { ", the same bits" } else { "" };
    let what = format!("{} kernels of their own{same}", apart.loops().kernels.len());
    Ok(CheckResult::within(NAME, what, worst))
}

/// The interpreter's name of a buffer.
fn spread_name(graph: &Graph, buffer: &str) -> String {
    let output = graph.outputs.iter().find(|it| StepIo::output_name(&it.name) == buffer);
    if let Some(output) = output {
        return output.name.to_string();
    }
    let param = graph.params.values().position(|param| param.path == buffer);
    let state = || graph.states.values().position(|state| state.path == buffer);
    match param {
        Some(index) => format!("param {index}"),
        None => format!("state {}", state().unwrap_or_default()),
    }
}

fn targets(
    session: &mut Session,
    subject: &Subject,
    (chosen, planned): (&Target, Planned),
    reference: &[Sum],
) -> Result<CheckResult, Failure> {
    let graph = &subject.open;
    let operations = flops(&planned) as f64 * subject.options.steps as f64;
    let (mut names, mut left) = (vec![chosen.name()], Vec::new());
    let mut differs = None;
    for target in Target::ALL.iter().filter(|target| target.supported_on_host()) {
        if target.name() == chosen.name() {
            continue;
        }
        if operations > target.assumed_speed() && !subject.options.thorough {
            left.push(target.name());
            continue;
        }
        names.push(target.name());
        let program = compile(session, &planned, target)?;
        let other = run(&program, subject, graph, 2);
        let found = difference(reference, &other);
        differs = differs.or(found.map(|name| format!("{name} for {}", target.name())));
    }
    let mut what = names.join(", ");
    if !left.is_empty() {
        let _ = write!(what, "; {} left out, for time (`--thorough` checks all)", left.join(", "));
    }
    Ok(CheckResult::exact("targets", what, differs))
}
