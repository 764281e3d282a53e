//! `nnc profile`: the time of a step by lines of the program and by phases.
//!
//! A kernel counts for the line that its contraction, or else its last result, comes from; one that
//! fusion made of several lines' operators counts for that one alone. An update counts for the line
//! that called the parameter's layer. What no line asks for (waiting at barriers, the norm of the
//! gradient) stands by itself, so that all adds up to the step.

use crate::base::source::{FileId, Sources};
use crate::codegen::{self, Target};
use crate::command::bench::TimedStep;
use crate::command::explain::Explained;
use crate::driver::compiled::{KernelOrigin, Phase};
use crate::loops::Action;
use crate::runtime::pool::Pool;
use crate::runtime::program::{CompiledProgram, Marks};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The time of the kernels that come from a line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Seconds of the forward pass, of the backward pass and of updates.
    pub seconds: [f64; 3],
    /// Floating-point operations.
    pub operations: u64,
    /// Bytes read and written at least.
    pub bytes: u64,
}

impl Spent {
    fn add(&mut self, phase: Phase, action: &Explained) {
        self.seconds[phase as usize] += action.seconds;
        if let Some(kernel) = &action.kernel {
            self.operations += kernel.operations.total();
            self.bytes += kernel.bytes;
        }
    }

    /// Seconds of all phases.
    pub fn total(&self) -> f64 {
        self.seconds.iter().sum()
    }
}

/// Where a step's time goes.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// By file and line, which counts from 1.
    pub lines: BTreeMap<(FileId, usize), Spent>,
    /// Time that belongs to no line, by name.
    pub rest: BTreeMap<String, Spent>,
}

impl Profile {
    /// Counts actions for their lines.
    pub fn of(
        actions: &[Explained],
        origins: &[Option<KernelOrigin>],
        sources: &Sources,
    ) -> Profile {
        let mut profile = Profile::default();
        for (action, origin) in actions.iter().zip(origins) {
            let Some(origin) = origin else {
                let waiting = profile.rest.entry("waiting at barriers".into()).or_default();
                waiting.add(Phase::Forward, action);
                continue;
            };
            let spent = match origin.line {
                Some(span) => {
                    let (line, _) = sources.line_column(span.file, span.start);
                    profile.lines.entry((span.file, line)).or_default()
                }
                None => profile.rest.entry(origin.name.clone()).or_default(),
            };
            spent.add(origin.phase, action);
        }
        profile
    }

    /// Seconds of everything.
    pub fn total(&self) -> f64 {
        self.lines.values().chain(self.rest.values()).map(Spent::total).sum()
    }

    /// Seconds of a phase.
    pub fn phase(&self, phase: Phase) -> f64 {
        let all = self.lines.values().chain(self.rest.values());
        all.map(|spent| spent.seconds[phase as usize]).sum()
    }
}

impl TimedStep {
    /// Where the time of a step goes.
    pub fn profile(
        &mut self,
        pool: &mut Pool,
        seconds: f64,
        target: &Target,
        sources: &Sources,
    ) -> Profile {
        let actions = self.explain(pool, seconds, target);
        Profile::of(&actions, self.origins(), sources)
    }

    /// Some steps as Chrome's trace events: a track a thread, an event for each kernel.
    pub fn trace(&mut self, pool: &mut Pool, steps: usize, target: &Target) -> Value {
        let loops = self.program().loops().clone();
        let code = codegen::jit::link(&codegen::emit_timed(&loops, target));
        let mut marks = Marks::new(loops.actions.len(), pool.threads());
        let timed = CompiledProgram::new(code);
        let mut events = Vec::new();
        // Where each thread is on its track, in microseconds.
        let mut now = vec![0.0; pool.threads()];
        for number in 1..=steps as u64 + 2 {
            self.timed_step(&timed, number, pool, &mut marks);
            // The first steps find caches as something else left them.
            if number <= 2 {
                continue;
            }
            let begin = now.iter().copied().fold(0.0, f64::max);
            for (thread, now) in now.iter_mut().enumerate() {
                *now = begin;
                for (index, action) in timed.loops().actions.iter().enumerate() {
                    let length = 1e6 * marks.seconds(thread, index);
                    events.push(event(
                        self.origins()[index].as_ref(),
                        action,
                        thread,
                        *now,
                        length,
                    ));
                    *now += length;
                }
            }
        }
        let name = |thread: usize| {
            json!({
                "name": "thread_name", "ph": "M", "pid": 1, "tid": thread,
                "args": { "name": format!("thread {thread}") },
            })
        };
        events.extend((0..pool.threads()).map(name));
        json!({ "traceEvents": events, "displayTimeUnit": "ns" })
    }
}

fn event(
    origin: Option<&KernelOrigin>,
    action: &Action,
    thread: usize,
    begin: f64,
    length: f64,
) -> Value {
    let name = match action {
        Action::Barrier => "barrier",
        Action::Run { .. } | Action::Loop { .. } => {
            origin.map_or("kernel", |origin| origin.name.as_str())
        }
    };
    let phase = origin.map(|origin| origin.phase.name());
    let place = origin.and_then(|origin| origin.place.clone());
    json!({
        "name": name, "cat": phase.unwrap_or("barrier"), "ph": "X", "pid": 1, "tid": thread,
        "ts": begin, "dur": length, "args": { "place": place },
    })
}
