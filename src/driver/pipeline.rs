//! The pipeline: from a model's graph to machine code, verified after each stage.
//!
//! ```text
//! forward graph ─ PIPELINE.train ─→ graph of a step ─ PIPELINE.step, .kernels ─→ kernels
//!                 autodiff, update                    bind … dce, fuse
//! kernels ─ loops ─→ loops ─ plan ─→ loops with addresses ─ clif, asm ─→ code
//! ```
//!
//! [`Session::compile`] is the whole way of a step's graph; the order of passes over graphs is
//! [`PIPELINE`]'s, that of the stages behind them follows from their types. [`order`] has the names
//! of all.

use super::compiled::{CompiledStep, PlannedStep};
use crate::codegen::jit::MachineCode;
use crate::codegen::{self, Target};
use crate::driver::session::{Failure, Session, Timing};
use crate::elaborate::Experiment;
use crate::graph::kernels::Kernels;
use crate::graph::{self, Graph, UpdateRule};
use crate::loops::{self, Planned};
use crate::lower::{self, Lowered};
use crate::pass::{Fusion, Gradients, PIPELINE, Pass, TrainingStep};
use crate::schedule::{self, Globals};
use rayon::prelude::*;
use std::borrow::Cow;

/// The syntax tree: text, parsed.
pub(crate) const AST: &str = "ast";
/// The graph that a program means.
pub(crate) const GRAPH: &str = "graph";
/// The kernels as loops.
pub(crate) const LOOPS: &str = "loops";
/// The loops with a place for every buffer.
pub(crate) const PLAN: &str = "plan";
/// Functions, compiled.
pub(crate) const CLIF: &str = "clif";
/// The functions in executable memory.
pub(crate) const ASM: &str = "asm";

/// The names of all stages and passes, in the order in which they run.
pub(crate) fn order() -> impl Iterator<Item = &'static str> {
    let passes = PIPELINE.names().map(|(name, _)| name);
    [AST, GRAPH].into_iter().chain(passes).chain([LOOPS, PLAN, CLIF, ASM])
}

/// Graphs of more operators than this are fused one after the other: each takes memory.
const MOST_AT_ONCE: usize = 20_000;

/// Whether steps of these graphs are planned at the same time.
fn fit_together<'a>(graphs: impl IntoIterator<Item = &'a Graph>) -> bool {
    graphs.into_iter().all(|graph| graph.nodes.len() <= MOST_AT_ONCE)
}

impl Session {
    /// A step for a batch, compiled: the whole way from its graph to code.
    pub fn compile(
        &mut self,
        graph: &Graph,
        batch: usize,
        globals: &mut Globals,
        target: &Target,
    ) -> Result<CompiledStep, Failure> {
        let kernels = self.fuse(graph, batch)?;
        let step = self.planned(&kernels, globals)?;
        let code = self.codegen(&step.program, target)?;
        Ok(CompiledStep::new(&self.sources, &kernels, batch, step, code))
    }

    /// The elaborated graph, verified.
    pub fn elaborated(&mut self, graph: Graph) -> Result<Graph, Failure> {
        self.stage(GRAPH, String::new, || verified(graph), Graph::to_string)
    }

    /// The graph of a training step, its batch still a symbol; of a model that nothing trains, the
    /// forward graph.
    pub fn training_graph(&mut self, experiment: Experiment) -> Result<Graph, Failure> {
        let forward = self.elaborated(experiment.train)?;
        match experiment.training {
            Some(training) => self.training_step(&forward, &training.rule, Gradients::Applied),
            None => Ok(forward),
        }
    }

    /// A training step from a verified forward graph. The batch is still a symbol.
    pub fn training_step(
        &mut self,
        forward: &Graph,
        rule: &UpdateRule,
        gradients: Gradients,
    ) -> Result<Graph, Failure> {
        let step = TrainingStep { rule: rule.clone(), gradients };
        self.passes(PIPELINE.train, forward, &step)
    }

    /// Passes over a graph, in turn.
    fn passes<Given>(
        &mut self,
        passes: &[Pass<Given>],
        graph: &Graph,
        given: &Given,
    ) -> Result<Graph, Failure> {
        let mut graph = Cow::Borrowed(graph);
        for pass in passes {
            graph = Cow::Owned(self.graph_pass(pass, &graph, given)?);
        }
        Ok(graph.into_owned())
    }

    /// One pass over a graph.
    pub(crate) fn graph_pass<Given>(
        &mut self,
        pass: &Pass<Given>,
        graph: &Graph,
        given: &Given,
    ) -> Result<Graph, Failure> {
        self.stage(
            pass.name,
            || graph.to_string(),
            || verified((pass.run)(graph, given)),
            Graph::to_string,
        )
    }

    /// A graph's kernels for a batch.
    pub fn fuse(&mut self, graph: &Graph, batch: usize) -> Result<Kernels, Failure> {
        self.kernels(graph, batch, Fusion::Full)
    }

    /// The same, with its operators fused or each a kernel of its own.
    pub(crate) fn kernels(
        &mut self,
        graph: &Graph,
        batch: usize,
        fusion: Fusion,
    ) -> Result<Kernels, Failure> {
        self.unless_shown()?;
        self.check_batch(graph, batch)?;
        let graph = self.passes(PIPELINE.step, graph, &batch)?;
        self.stage(
            PIPELINE.kernels.name,
            || graph.to_string(),
            || {
                let kernels = (PIPELINE.kernels.run)(&graph, &fusion);
                graph::verify_fused(&kernels.graph).map(|()| kernels)
            },
            |kernels| graph::print::print_kernels(kernels, None),
        )
    }

    /// The kernels of several steps, each a graph and a batch, on all processors: nothing of one is
    /// needed for another. Of several failures, the first step's.
    pub(crate) fn fuse_all(&mut self, steps: &[(&Graph, usize)]) -> Result<Vec<Kernels>, Failure> {
        let fuse = |&(graph, batch): &(&Graph, usize)| {
            let mut own = self.with_sources();
            let kernels = own.fuse(graph, batch);
            (kernels, own.timings)
        };
        let made: Vec<_> = match fit_together(steps.iter().map(|(graph, _)| *graph)) {
            true => steps.par_iter().map(fuse).collect(),
            false => steps.iter().map(fuse).collect(),
        };
        made.iter().for_each(|(_, timings)| self.add_times(timings));
        made.into_iter().map(|(kernels, _)| kernels).collect()
    }

    /// Two jobs that need nothing of each other, at the same time unless one of `graphs` is large,
    /// each in a session of its own. Of two failures, the first job's.
    pub(crate) fn both<A: Send, B: Send>(
        &mut self,
        graphs: [&Graph; 2],
        first: impl FnOnce(&mut Session) -> Result<A, Failure> + Send,
        second: impl FnOnce(&mut Session) -> Result<B, Failure> + Send,
    ) -> Result<(A, B), Failure> {
        let (mut one, mut other) = (self.with_sources(), self.with_sources());
        let (first, second) = match fit_together(graphs) {
            true => rayon::join(|| first(&mut one), || second(&mut other)),
            false => (first(&mut one), second(&mut other)),
        };
        [one, other].iter().for_each(|session| self.add_times(&session.timings));
        Ok((first?, second?))
    }

    /// A session beside this one that knows the same files by the same ids.
    fn with_sources(&self) -> Session {
        let mut session = self.beside();
        session.sources = self.sources.clone();
        session
    }

    pub(crate) fn add_times(&mut self, timings: &[Timing]) {
        timings.iter().for_each(|timing| self.add_time(&timing.pass, timing.seconds));
    }

    /// Kernels as loops over planned memory.
    pub(crate) fn planned(
        &mut self,
        kernels: &Kernels,
        globals: &mut Globals,
    ) -> Result<PlannedStep, Failure> {
        let Lowered { program, bounds_checks, infos } = self.lower(kernels, globals)?;
        Ok(PlannedStep { program: self.plan(program, globals)?, bounds_checks, infos })
    }

    /// Kernels as loops.
    pub fn lower(&mut self, kernels: &Kernels, globals: &mut Globals) -> Result<Lowered, Failure> {
        let before = || graph::print::print_kernels(kernels, None);
        self.stage(
            LOOPS,
            before,
            || {
                let lowered = lower::run(kernels, globals);
                loops::verify::verify(&lowered.program).map(|()| lowered)
            },
            |lowered| lowered.program.to_string(),
        )
    }

    /// Loops over planned memory.
    pub fn plan(
        &mut self,
        program: loops::Program,
        globals: &mut Globals,
    ) -> Result<Planned, Failure> {
        let before = program.clone();
        self.stage(PLAN, || before.to_string(), || schedule::plan::run(program, globals), plan_text)
    }

    /// Machine code of a planned program.
    pub fn codegen(&mut self, program: &Planned, target: &Target) -> Result<MachineCode, Failure> {
        let before = || program.to_string();
        let object = self.stage(
            CLIF,
            before,
            || Ok(codegen::emit(program, target)),
            |_| codegen::object::clif_text(program, target),
        )?;
        self.stage(
            ASM,
            before,
            || Ok(codegen::jit::link(&object)),
            |_| codegen::object::assembly_text(&object),
        )
    }

    /// A stage, unless the wanted one has run.
    fn stage<T>(
        &mut self,
        name: &str,
        before: impl FnOnce() -> String,
        work: impl FnOnce() -> Result<T, Vec<String>>,
        print: impl FnOnce(&T) -> String,
    ) -> Result<T, Failure> {
        self.unless_shown()?;
        self.pass(name, before, work, print)
    }

    fn unless_shown(&self) -> Result<(), Failure> {
        if self.has_printed() { Err(Failure::Shown) } else { Ok(()) }
    }
}

fn verified(graph: Graph) -> Result<Graph, Vec<String>> {
    graph::verify(&graph).map(|()| graph)
}

/// A planned program, and its plan as a comment.
pub(crate) fn plan_text(program: &Planned) -> String {
    format!("{program}{}", schedule::plan::table(program))
}
