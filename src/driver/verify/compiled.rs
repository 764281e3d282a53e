//! Compiled steps against the interpreter, and against one another.

use super::{Check, Subject, Worst};
use crate::base::tensor::Tensor;
use crate::codegen::Target;
use crate::driver::session::{Failure, Request, Session};
use crate::graph::interp::Outcome;
use crate::graph::rule::MEAN;
use crate::graph::{self, Env, Graph};
use crate::lower::Globals;
use crate::runtime::pool::Pool;
use crate::runtime::program::{Memory, Program, StepArgs};
use std::collections::BTreeMap;

/// Numbers of threads that must give the same bits.
const THREADS: [usize; 5] = [1, 2, 3, 4, 7];

/// Every check of compiled code.
pub(super) fn check(
    session: &mut Session,
    request: &Request,
    subject: &Subject,
) -> Result<Vec<Check>, Failure> {
    let target = &request.target;
    let program = compile(session, &subject.open, subject.asked.batch, target, true)?;
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
    checks.push(Check::exact("threads", what, differs));
    checks.push(targets(session, subject, target, &reference)?);
    let again = difference(&reference, &run(&program, subject, &subject.open, 1));
    checks.push(Check::exact("repetition", "the same steps twice".into(), again));
    Ok(checks)
}

fn compile(
    session: &mut Session,
    graph: &Graph,
    batch: usize,
    target: &Target,
    fused: bool,
) -> Result<Program, Failure> {
    let kernels = match fused {
        true => session.fuse(graph, batch)?,
        false => session.keep_apart(graph, batch)?,
    };
    let globals = &mut Globals::default();
    let lowered = session.lower(&kernels, globals)?;
    let planned = session.plan(lowered.program, globals)?;
    let code = session.codegen(&planned, target)?;
    Ok(Program::new(planned, code))
}

/// A compiled step in its memory.
struct Compiled<'a> {
    program: &'a Program,
    memory: Memory,
    pool: Pool,
    hypers: Vec<f64>,
    seed: u64,
}

impl<'a> Compiled<'a> {
    fn new(
        program: &'a Program,
        graph: &Graph,
        env: &Env,
        threads: usize,
        seed: u64,
    ) -> Compiled<'a> {
        let pool = Pool::new(threads);
        let memory = Memory::for_programs([program], threads);
        let hypers = program.loops().uniforms.hypers.iter().map(|&(_, value)| value).collect();
        let mut compiled = Compiled { program, memory, pool, hypers, seed };
        for (name, value) in &env.inputs {
            compiled.write(&format!("input.{name}"), value);
        }
        compiled.keep(graph, env);
        compiled
    }

    fn write(&mut self, name: &str, value: &Tensor) {
        // What the step does not read has no buffer.
        if self.program.buffer(name).is_some() {
            self.program.write(&mut self.memory, name, value);
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

    fn read(&self, name: &str) -> Option<Tensor> {
        self.program.buffer(name).map(|_| self.program.read(&self.memory, name))
    }

    /// All outputs, parameters and states, by name.
    fn all(&self, graph: &Graph) -> Vec<(String, Tensor)> {
        let outputs = graph.outputs.iter().map(|output| format!("output.{}", output.name));
        let lasting = graph.lasting().map(|(path, ..)| path.to_owned());
        let names = outputs.chain(lasting);
        names.filter_map(|name| Some((name.clone(), self.read(&name)?))).collect()
    }
}

/// What some steps leave.
fn run(
    program: &Program,
    subject: &Subject,
    graph: &Graph,
    threads: usize,
) -> Vec<(String, Tensor)> {
    let env = subject.env(graph);
    let mut compiled = Compiled::new(program, graph, &env, threads, subject.asked.seed);
    for number in 1..=subject.asked.steps {
        compiled.step(number);
    }
    compiled.all(graph)
}

/// The first tensor whose bits differ.
fn difference(a: &[(String, Tensor)], b: &[(String, Tensor)]) -> Option<String> {
    let differ = |(a, b): (&(String, Tensor), &(String, Tensor))| {
        (a.0 != b.0 || a.1.to_bytes() != b.1.to_bytes()).then(|| format!("`{}` differs", a.0))
    };
    a.iter().zip(b).find_map(differ)
}

/// Steps against the interpreter, each from the state that compiled code is in: errors must not
/// add up, and an optimiser may make much of little.
fn interpreter(program: &Program, subject: &Subject) -> Check {
    const NAME: &str = "interpreter";
    if let Some(why) = subject.too_large(3.0 * subject.asked.steps as f64) {
        return Check::skipped(NAME, why);
    }
    let graph = &subject.open;
    let mut env = subject.env(graph);
    let mut compiled = Compiled::new(program, graph, &env, 1, subject.asked.seed);
    let mut worst = Worst::default();
    for number in 1..=subject.asked.steps {
        env.step = number;
        let outcome = match graph::run(graph, subject.asked.batch, &env) {
            Ok(outcome) => outcome,
            Err(fault) => return Check::skipped(NAME, fault.to_string()),
        };
        compiled.step(number);
        let none = BTreeMap::new();
        let mut here = compare_step(&compiled, graph, number, &outcome, &none);
        if here.part > 1.0 {
            // Whether that is more than rounding makes of these numbers.
            let spread = subject.spread(graph, &env, &outcome);
            here = compare_step(&compiled, graph, number, &outcome, &spread);
        }
        worst.take(here.part, || here.place);
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
    Check::within(NAME, format!("{} steps, all that they make", subject.asked.steps), worst)
}

/// All that a step has made, and what the interpreter makes of the same; `spread` is how far rounding
/// moves each.
fn compare_step(
    compiled: &Compiled<'_>,
    graph: &Graph,
    number: u64,
    outcome: &Outcome,
    spread: &BTreeMap<String, f32>,
) -> Worst {
    let mut worst = Worst::default();
    let step = |name: &str| format!("{name} of step {number}");
    let moved = |name: String| spread.get(&name).copied().unwrap_or_default();
    for (name, want) in &outcome.outputs {
        if let Some(got) = compiled.read(&format!("output.{name}")) {
            worst.compare(&step(name), &got, want, moved(name.clone()));
        }
    }
    let gradient = |path: &str| outcome.outputs.get(&format!("grad.{path}"));
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

fn evaluation(session: &mut Session, subject: &Subject, target: &Target) -> Result<Check, Failure> {
    const NAME: &str = "evaluation";
    if let Some(why) = subject.too_large(1.0) {
        return Ok(Check::skipped(NAME, why));
    }
    let graph = &subject.evaluation;
    let program = compile(session, graph, subject.asked.batch, target, true)?;
    let env = subject.env(graph);
    let outcome = match graph::run(graph, subject.asked.batch, &env) {
        Ok(outcome) => outcome,
        Err(fault) => return Ok(Check::skipped(NAME, fault.to_string())),
    };
    let mut compiled = Compiled::new(&program, graph, &env, 1, subject.asked.seed);
    compiled.step(1);
    let compare = |spread: &BTreeMap<String, f32>| {
        let mut worst = Worst::default();
        for (name, want) in &outcome.outputs {
            if let Some(got) = compiled.read(&format!("output.{name}")) {
                worst.compare(name, &got, want, spread.get(name).copied().unwrap_or_default());
            }
        }
        worst
    };
    let mut worst = compare(&BTreeMap::new());
    if worst.part > 1.0 {
        worst = compare(&subject.spread(graph, &env, &outcome));
    }
    Ok(Check::within(NAME, "loss, output and metrics".into(), worst))
}

/// One step: without fusion, sums may be added in another order.
fn fusion(
    session: &mut Session,
    subject: &Subject,
    target: &Target,
    fused: &Program,
) -> Result<Check, Failure> {
    let graph = &subject.open;
    let apart = compile(session, graph, subject.asked.batch, target, false)?;
    let step = |program: &Program| {
        let env = subject.env(graph);
        let mut compiled = Compiled::new(program, graph, &env, 1, subject.asked.seed);
        compiled.step(1);
        compiled.all(graph)
    };
    let (want, got) = (step(fused), step(&apart));
    let compare = |spread: &BTreeMap<String, f32>| {
        let mut worst = Worst::default();
        for (name, want) in &want {
            let of = |name: &str| got.iter().find(|(known, _)| known == name).map(|(_, it)| it);
            if let Some(found) = of(name) {
                let param = name.strip_prefix(MEAN).unwrap_or(name);
                let gradient = of(&format!("output.grad.{param}"));
                let moved = spread.get(&spread_name(graph, name)).copied().unwrap_or_default();
                worst.compare_updated(name, found, want, gradient, moved);
            }
        }
        worst
    };
    let mut worst = compare(&BTreeMap::new());
    let mut env = subject.env(graph);
    env.step = 1;
    if worst.part > 1.0
        && let Ok(outcome) = graph::run(graph, subject.asked.batch, &env)
    {
        worst = compare(&subject.spread(graph, &env, &outcome));
    }
    let same = if difference(&want, &got).is_none() { ", the same bits" } else { "" };
    let what = format!("{} kernels of their own{same}", apart.loops().kernels.len());
    Ok(Check::within("fusion", what, worst))
}

/// What the interpreter calls a buffer.
fn spread_name(graph: &Graph, buffer: &str) -> String {
    if let Some(output) = buffer.strip_prefix("output.") {
        return output.to_owned();
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
    chosen: &Target,
    reference: &[(String, Tensor)],
) -> Result<Check, Failure> {
    let graph = &subject.open;
    let mut names = vec![chosen.name()];
    let mut differs = None;
    for target in Target::ALL.iter().filter(|target| target.supported_on_host()) {
        if target.name() == chosen.name() {
            continue;
        }
        names.push(target.name());
        let program = compile(session, graph, subject.asked.batch, target, true)?;
        let other = run(&program, subject, graph, 2);
        let found = difference(reference, &other);
        differs = differs.or(found.map(|name| format!("{name} for {}", target.name())));
    }
    Ok(Check::exact("targets", names.join(", "), differs))
}
