//! The logits of the token behind a text.
//!
//! ```text
//! by positions    "to be"  →  t, o, ␣, b, e: a step each, of the new token alone ([`incremental`](crate::pass::incremental))
//! by windows      "to be"  →  [t o ␣ b e 0 0 0], and the logits at position 4
//! ```
//!
//! Where a model can be computed by positions it is, until as many are computed as it was trained
//! to look at. Then they begin anew with the newest half of the text that they have seen, whose
//! positions are computed in one step; a recurrent or convolutional model never has to. With `full_window`, or where a model cannot be
//! computed so, each token costs a whole window.

use crate::base::rng::Sequence;
use crate::base::shown::Show;
use crate::base::step_output::StepOutput;
use crate::base::tensor::Tensor;
use crate::driver::compiled::place;
use crate::driver::memory::{refuse_too_large, variable_bytes};
use crate::driver::schedules::hypers;
use crate::driver::session::{Failure, Request, Session};
use crate::graph::{Graph, InputId};
use crate::loops::BufferId;
use crate::pass::incremental::{self, Incremental, Obstacle, POSITION};
use crate::pass::{bind, dce};
use crate::runtime::pool::Pool;
use crate::runtime::program::{CompiledProgram, RunMemory, StepArgs};
use crate::schedule::Globals;

/// Options of the steps.
pub(super) struct NextTokenOptions<'a> {
    /// The name of the model's input.
    pub tokens: &'a str,
    /// Whether each token is to follow from a whole window, once there is one.
    pub full_window: bool,
    /// How many threads run steps.
    pub threads: usize,
}

/// Compiled steps that give the logits behind a text.
pub(super) struct NextTokens {
    memory: RunMemory,
    by_positions: Option<PositionStep>,
    by_windows: Option<WindowStep>,
    logits: Vec<f32>,
}

/// A step of one position.
struct PositionStep {
    step: TokenStep,
    /// The step of the first positions of a text, so many, which begins anew.
    prefill: Option<(WindowStep, usize)>,
    /// How many positions it can compute before it begins anew.
    positions: Option<usize>,
    /// The next position.
    at: usize,
    /// How many tokens of the text it has seen.
    seen: usize,
}

/// A step of a whole window.
struct WindowStep {
    step: TokenStep,
    window: usize,
}

/// A compiled step that reads tokens.
struct TokenStep {
    program: CompiledProgram,
    /// The buffers of the tokens and the position; none of what the output does not depend on.
    tokens: Option<BufferId>,
    position: Option<BufferId>,
    output: StepOutput,
    hypers: Vec<f64>,
}

/// Texts with which it is tried whether later tokens matter.
const TRIALS: u64 = 4;

impl NextTokens {
    /// Compiles the steps of a model, whose graph has its logits as the only output; `initial` are its
    /// parameters and states. Besides, what the user should know.
    pub fn compile(
        session: &mut Session,
        request: &Request,
        graph: &Graph,
        options: &NextTokenOptions<'_>,
        initial: &[(String, Tensor)],
    ) -> Result<(NextTokens, Option<String>), Failure> {
        let bound = bind::run(graph, 1);
        let found = bound.inputs.iter().find(|(_, input)| input.name == options.tokens);
        let (tokens, input) = found.expect("the input was found by its name");
        let window = input.ty.shape.at(1)[1];
        let incremental = by_positions(session, &bound, tokens)?;
        let mut globals = Globals::default();
        let mut compile = |graph: &Graph| -> Result<TokenStep, Failure> {
            let compiled = session.compile(graph, 1, &mut globals, &request.target)?;
            Ok(TokenStep::new(compiled.program, graph, options.tokens))
        };
        let by_positions = match &incremental {
            Ok(made) => {
                let step = compile(&made.graph)?;
                let prefill = match made.positions.filter(|_| !options.full_window) {
                    Some(window) => {
                        let count = half(window);
                        let step = compile(&dce::run(&made.prefill(&bound, count)))?;
                        Some((WindowStep { step, window }, count))
                    }
                    None => None,
                };
                Some(PositionStep { step, prefill, positions: made.positions, at: 0, seen: 0 })
            }
            Err(_) => None,
        };
        let by_windows = match incremental.is_err() || options.full_window {
            true => Some(WindowStep { step: compile(&bound)?, window }),
            false => None,
        };
        let positions = by_positions.iter();
        let prefills = positions.clone().filter_map(|it| it.prefill.as_ref()).map(|(it, _)| it);
        let windows = prefills.chain(&by_windows).map(|it| &it.step.program);
        let programs: Vec<&CompiledProgram> =
            positions.map(|it| &it.step.program).chain(windows).collect();
        refuse_too_large(session, request, &programs, options.threads, variable_bytes(graph))?;
        let mut pool = Pool::new(1);
        let mut memory = RunMemory::for_programs(programs.iter().copied(), options.threads);
        for program in programs {
            let initial = initial.iter().map(|(path, value)| (path, value));
            program.fill(&mut memory, &mut pool, initial);
        }
        let mut next = NextTokens { memory, by_positions, by_windows, logits: Vec::new() };
        let note = match incremental {
            Ok(_) => None,
            Err(obstacle) => Some(next.explain(session, &bound, obstacle, &mut pool)?),
        };
        Ok((next, note))
    }

    /// The words for a model that cannot be computed by positions; a failure where later tokens change
    /// what earlier positions say.
    fn explain(
        &mut self,
        session: &Session,
        graph: &Graph,
        obstacle: Obstacle,
        pool: &mut Pool,
    ) -> Result<String, Failure> {
        let span = place(&session.sources, graph, obstacle.node);
        let at = span.map(|span| format!(" ({})", session.sources.place(span).shown()));
        let at = at.unwrap_or_default();
        if obstacle.sees_all && !self.looks_back(pool)? {
            return Err(Failure::Data(format!(
                "this model does not go on with a text: what it says at a position depends on the \
                 tokens behind that{at}; make it causal (`attention(heads, causal: true)`, padding \
                 before and none behind in `conv`), and train it anew"
            )));
        }
        Ok(format!(
            "note: one of the model's operators{at} cannot be computed position by position, so each \
             token is computed from a whole window"
        ))
    }

    /// Whether tokens behind a position leave its logits as they are, in a few texts.
    fn looks_back(&mut self, pool: &mut Pool) -> Result<bool, Failure> {
        let Some(step) = &self.by_windows else { return Ok(true) };
        let window = step.window;
        for trial in 0..TRIALS {
            let mut random = Sequence::new(trial, 0);
            // The smallest of lists has two tokens.
            let mut text: Vec<i32> = (0..window).map(|_| random.below(2) as i32).collect();
            let kept = 1 + random.below(window.max(2) as u32 - 1) as usize;
            let before = step.run(&mut self.memory, pool, &text)?;
            for token in &mut text[kept..] {
                *token = 1 - *token;
            }
            let after = step.run(&mut self.memory, pool, &text)?;
            let width = before.len() / window;
            if before[..kept * width] != after[..kept * width] {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The logits of the token behind a text of at least one token, which goes on from that of the last
    /// call.
    pub fn logits(&mut self, tokens: &[i32], pool: &mut Pool) -> Result<&[f32], Failure> {
        if let Some(step) = &self.by_windows
            && (self.by_positions.is_none() || tokens.len() > step.window)
        {
            let newest = &tokens[tokens.len().saturating_sub(step.window)..];
            let all = step.run(&mut self.memory, pool, newest)?;
            let width = all.len() / step.window;
            self.logits = all[(newest.len() - 1) * width..][..width].to_vec();
        } else if let Some(step) = &mut self.by_positions {
            step.advance(&mut self.memory, pool, tokens, &mut self.logits)?;
        }
        Ok(&self.logits)
    }
}

/// The positions with which steps begin anew when a window is full.
fn half(window: usize) -> usize {
    (window / 2).max(1)
}

/// The step of one position, or what stands in its way.
fn by_positions(
    session: &mut Session,
    bound: &Graph,
    tokens: InputId,
) -> Result<Result<Incremental, Obstacle>, Failure> {
    session.pass(
        "incremental",
        || bound.to_string(),
        || match incremental::run(bound, tokens) {
            Ok(made) => crate::graph::verify(&made.graph).map(|()| Ok(made)),
            Err(obstacle) => Ok(Err(obstacle)),
        },
        |made| made.as_ref().map(|made| made.graph.to_string()).unwrap_or_default(),
    )
}

impl PositionStep {
    /// Computes the positions of the tokens that it has not seen; the logits are the last one's.
    fn advance(
        &mut self,
        memory: &mut RunMemory,
        pool: &mut Pool,
        tokens: &[i32],
        logits: &mut Vec<f32>,
    ) -> Result<(), Failure> {
        let unseen = tokens.len() - self.seen;
        if let Some(positions) = self.positions
            && self.at + unseen > positions
        {
            let kept = half(positions).min(tokens.len());
            (self.at, self.seen) = (0, tokens.len() - kept);
        }
        if let Some((prefill, count)) = &self.prefill
            && self.at == 0
            && tokens.len() - self.seen >= *count
        {
            let first = &tokens[self.seen..][..*count];
            *logits = prefill.run(memory, pool, first)?;
            (self.at, self.seen) = (*count, self.seen + count);
        }
        for &token in &tokens[self.seen..] {
            let position = i32::try_from(self.at).unwrap_or(i32::MAX);
            *logits = self.step.run(memory, pool, &[token], position)?;
            self.at += 1;
        }
        self.seen = tokens.len();
        Ok(())
    }
}

impl WindowStep {
    /// The output for a window that begins with these tokens.
    fn run(
        &self,
        memory: &mut RunMemory,
        pool: &mut Pool,
        tokens: &[i32],
    ) -> Result<Vec<f32>, Failure> {
        let mut window = tokens.to_vec();
        window.resize(self.window, 0);
        self.step.run(memory, pool, &window, 0)
    }
}

impl TokenStep {
    /// Of a graph that has one output and reads these tokens.
    fn new(program: CompiledProgram, graph: &Graph, tokens: &str) -> TokenStep {
        TokenStep {
            tokens: program.input(tokens),
            position: program.input(POSITION),
            output: graph.outputs[0].name.clone(),
            hypers: hypers(&program.loops().uniforms.hypers, 1),
            program,
        }
    }

    /// The output for these tokens, of which the first is at a position.
    fn run(
        &self,
        memory: &mut RunMemory,
        pool: &mut Pool,
        tokens: &[i32],
        position: i32,
    ) -> Result<Vec<f32>, Failure> {
        let mut write = |buffer: Option<BufferId>, values: &[i32]| {
            if let Some(buffer) = buffer {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
                self.program.bytes_mut(memory, buffer).copy_from_slice(&bytes);
            }
        };
        write(self.tokens, tokens);
        write(self.position, &[position]);
        let args = StepArgs { step: 1, seed: 0, hypers: &self.hypers };
        self.program.run(memory, pool, &args).map_err(|fault| {
            Failure::Data(format!(
                "the model makes an index of the text that is too large: {fault}"
            ))
        })?;
        Ok(self.program.f32s(memory, &self.output).to_vec())
    }
}
