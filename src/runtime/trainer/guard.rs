//! Nothing that is not finite is ever written to a parameter or a state.
//!
//! A step tests its loss, its gradients and what layers write before it writes anything. What the
//! optimiser's rule makes of finite numbers cannot be tested there without another pass over all
//! parameters, and an update in place cannot be undone. So before each update the rule is evaluated
//! once, in intervals ([`bounds`](crate::graph::bounds)), from what parameters and states can be by
//! now and a norm of the gradient that the step is not to exceed:
//!
//! ```text
//! finite whatever the elements are    the step runs; it writes nothing if the norm is larger
//! else                                the elements are looked at, and bounds begin anew from those
//! still not                           the step runs on a copy's risk: what it wrote is looked at,
//!                                     and put back where it is not finite
//! ```
//!
//! The prelude's optimisers with their defaults take the first way. A step whose gradients are
//! finite but not their squares is run again: where gradients are clipped, with gradients scaled by
//! a power of two; where not, in the last way.

use super::{BatchStep, NotFinite, TrainStepArgs, Trainer, WrittenTensors, output};
use crate::base::entity::Entity;
use crate::base::step_output::StepOutput;
use crate::base::tensor::DType;
use crate::graph::bounds::{Interval, bounds, rounded, uniforms};
use crate::graph::rule::{CLIP_NORM, CLIP_VALUE, DECOUPLED_DECAY, EMA, MEAN};
use crate::graph::{Init, InputId, NodeId, State, StateId, UpdateTarget};
use crate::runtime::program::{CompiledProgram, IndexFault, RunMemory, StepArgs};

/// Factor of gradients whose squares would be infinite: with it, 2³² of the largest
/// numbers have a finite sum of squares.
pub const SMALL_NORM: f64 = 1.0 / (1u128 << 80) as f64;
/// How many times the last norm the next may be without a second look.
const ROOM: f64 = 64.0;
/// The norm of a gradient of which none is known.
const UNKNOWN: f64 = 1e3;

/// Bounds of elements: of all trained parameters together, of each of the rule's states, and of
/// the parameters' running means.
#[derive(Clone, Debug, PartialEq)]
struct ValueBounds {
    params: Interval,
    states: Vec<Interval>,
    means: Option<Interval>,
}

/// Bounds of a run's parameters and states, and a copy for the steps for which they prove nothing.
#[derive(Default)]
pub(super) struct Guard {
    /// Their bounds; none where somebody else has written them.
    held: Option<ValueBounds>,
    /// The bounds after the step that runs, if it writes.
    next: Option<ValueBounds>,
    /// The norm of the gradient in the last update.
    norm: Option<f64>,
    /// Bytes to restore if the step writes what is not finite.
    copy: Vec<u8>,
    /// Factor of gradients in the last step's norm: 1 or [`SMALL_NORM`].
    pub scale: f64,
}

impl Guard {
    /// Forgets the bounds: parameters or states were written.
    pub fn forget(&mut self) {
        self.held = None;
    }
}

impl WrittenTensors {
    /// The bounds after an update from gradients of at most this norm; `None` where it may write
    /// what is not finite.
    fn after(
        &self,
        held: &ValueBounds,
        (step, lr_scale): (u64, f64),
        norm: f64,
    ) -> Option<ValueBounds> {
        let rule = &self.rule;
        let mut hypers = self.hypers.clone();
        if let Some(index) = self.lr_scale {
            hypers[index] = lr_scale;
        }
        let uniforms = uniforms(rule, step, &hypers);
        let number = |name: &str| rule.output(name).map(|node| rounded(rule, &uniforms, node));
        // No element is larger than the norm, and none that is clipped than the bound; roundings
        // add less than this.
        let mut size = norm * 1.01 + 1e-15;
        for clip in [CLIP_NORM, CLIP_VALUE].into_iter().filter_map(number) {
            size = size.min(clip?.abs() * 1.01);
        }
        let gradients = Interval::within(size)?;
        let mut params = held.params;
        if let Some(keep) = number(DECOUPLED_DECAY) {
            // It may be about some parameters only.
            params = params.hull(params.times(keep?)?);
        }
        let input = |id: InputId| match rule.inputs[id].name.as_str() {
            "p" => Some(params),
            _ => Some(gradients),
        };
        let found = bounds(rule, &uniforms, input, |id: StateId| Some(held.states[id.index()]));
        let at = |node: NodeId| found[node.index()];
        let params = at(rule.output("p")?)?;
        let mut states = held.states.clone();
        for update in &rule.updates {
            let UpdateTarget::State(id) = update.target else { return None };
            states[id.index()] = at(update.node)?;
        }
        let means = match (held.means, number(EMA)) {
            (Some(means), Some(decay)) => {
                let decay = decay?;
                Some(means.times(decay)?.plus(params.times(1.0 - decay)?)?)
            }
            (means, _) => means,
        };
        Some(ValueBounds { params, states, means })
    }

    /// Whether nothing is known of what the rule makes of ordinary numbers, so that a run needs room
    /// for a copy of all that it writes.
    pub fn needs_copy(&self) -> bool {
        let usual = Interval::within(UNKNOWN);
        let state = |state: &State| match state.init {
            Init::Constant(value) => Interval::point(value),
            _ => usual,
        };
        let states = self.rule.states.values().map(state).collect::<Option<Vec<_>>>();
        let held = usual.zip(states).map(|(params, states)| ValueBounds {
            params,
            states,
            means: self.means.then_some(params),
        });
        held.is_none_or(|held| self.after(&held, (1, 1.0), UNKNOWN).is_none())
    }

    /// The bounds of what is in memory; `None` where that is not finite.
    fn measure(&self, program: &CompiledProgram, memory: &RunMemory) -> Option<ValueBounds> {
        let all = |prefix: &str| {
            let paths = self.params.iter().map(|path| format!("{prefix}{path}"));
            // A state that the rule never reads or writes has no place.
            let paths = paths.filter(|path| program.buffer(path).is_some());
            let each = paths.map(|path| range(program.f32s(memory, &path)));
            each.reduce(|a, b| Some(a?.hull(b?))).unwrap_or_else(|| Interval::within(0.0))
        };
        let names = self.rule.states.values().map(|state| format!("optimizer.{}.", state.path));
        Some(ValueBounds {
            params: all("")?,
            states: names.map(|name| all(&name)).collect::<Option<_>>()?,
            means: if self.means { Some(all(MEAN)?) } else { None },
        })
    }

    /// Whether all that was written is finite.
    fn is_finite(&self, program: &CompiledProgram, memory: &RunMemory) -> bool {
        self.all.iter().all(|path| {
            let is_f32 = program.buffer(path).is_some_and(|buffer| buffer.dtype == DType::F32);
            !is_f32 || program.f32s(memory, path).iter().all(|value| value.is_finite())
        })
    }
}

/// The least interval of these elements; `None` where one is not finite, or so large that nothing
/// could be said of what follows from it.
fn range(values: &[f32]) -> Option<Interval> {
    // Sixteen at a time, so that the loop is vectors; 0 · x is NaN where x is not finite.
    const LANES: usize = 16;
    let (mut low, mut high) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
    let mut wrong = [0.0f32; LANES];
    let mut see = |lane: usize, x: f32| {
        low[lane] = low[lane].min(x);
        high[lane] = high[lane].max(x);
        wrong[lane] += 0.0 * x;
    };
    let chunks = values.chunks_exact(LANES);
    for (lane, &x) in chunks.remainder().iter().enumerate() {
        see(lane, x);
    }
    for chunk in chunks {
        for (lane, &x) in chunk.iter().enumerate() {
            see(lane, x);
        }
    }
    if wrong.iter().any(|it| it.is_nan()) {
        return None;
    }
    if values.is_empty() {
        return Interval::within(0.0);
    }
    let low = low.into_iter().fold(f32::INFINITY, f32::min);
    let high = high.into_iter().fold(f32::NEG_INFINITY, f32::max);
    Interval::point(f64::from(low)).zip(Interval::point(f64::from(high))).map(|(a, b)| a.hull(b))
}

/// How a step is run.
#[derive(Clone, Copy)]
struct Tried {
    /// The largest norm of the gradient for which what is written is known to be finite; none where
    /// it is looked at.
    most: Option<f64>,
    /// Factor of gradients before they are squared.
    scale: f64,
    /// Whether the sum of the squares may be infinite.
    overflows: bool,
}

impl Tried {
    /// The most that the sum of the squares may be.
    fn limit(&self) -> f64 {
        if self.overflows {
            return f64::INFINITY;
        }
        let most = self.most.unwrap_or(f64::INFINITY) * self.scale;
        (most * most).min(f64::from(f32::MAX))
    }
}

impl Trainer<'_> {
    /// Runs a step of training on the inputs that are there; what was not finite, where that kept
    /// it from writing.
    pub(super) fn run_guarded(
        &mut self,
        step: &BatchStep,
        args: TrainStepArgs,
    ) -> Result<Option<NotFinite>, IndexFault> {
        let updates = !self.accumulates(step);
        let mut tried = Tried { most: Some(f64::INFINITY), scale: 1.0, overflows: false };
        if updates {
            tried.most = self.foresee(args, &[ROOM, 2.0], self.guard.norm.unwrap_or(UNKNOWN));
        }
        loop {
            if tried.most.is_none() {
                self.keep_copy();
            }
            self.guard.scale = tried.scale;
            self.launch(step, args, Some((tried.scale, tried.limit())))?;
            let square = f64::from(output(step, &self.memory, &StepOutput::GradSquare)[0]);
            let length = square.sqrt() / tried.scale;
            if output(step, &self.memory, &StepOutput::Finite) == [1.0] {
                let sound = tried.most.is_some() || self.look_at_copy();
                if updates && sound {
                    self.guard.norm = Some(length).filter(|length| length.is_finite());
                    self.guard.held = self.guard.next.take();
                }
                return Ok((!sound).then_some(NotFinite::Update));
            }
            if !output(step, &self.memory, &StepOutput::Loss)[0].is_finite() {
                return Ok(Some(NotFinite::Loss));
            }
            match tried.most {
                _ if square.is_infinite() && step.norm_scale.is_some() && tried.scale == 1.0 => {
                    tried.scale = SMALL_NORM;
                }
                // What an infinite gradient would make is found when it is looked at.
                _ if square.is_infinite() && step.norm_scale.is_none() && !tried.overflows => {
                    tried = Tried { most: None, overflows: true, ..tried };
                    self.guard.next = None;
                }
                _ if !square.is_finite() => return Ok(Some(NotFinite::Gradient)),
                Some(most) if length >= most * (1.0 - 1e-6) => {
                    tried.most = self.foresee(args, &[2.0], length);
                }
                _ => return Ok(Some(NotFinite::State)),
            }
        }
    }

    /// A norm of the gradient up to which the next update writes only what is finite: one of these
    /// multiples.
    fn foresee(&mut self, args: TrainStepArgs, multiples: &[f64], norm: f64) -> Option<f64> {
        let written = self.steps.written.as_ref()?;
        if written.params.is_empty() {
            return Some(f64::INFINITY);
        }
        let at = (args.number, self.state.control.lr_scale);
        for measured in [false, true] {
            if measured || self.guard.held.is_none() {
                self.guard.held = written.measure(&self.steps.train.program, &self.memory);
            }
            let Some(held) = &self.guard.held else { break };
            for multiple in multiples {
                let most = (norm * multiple).max(1.0);
                let next = written.after(held, at, most);
                if next.is_some() {
                    self.guard.next = next;
                    return Some(most);
                }
            }
        }
        self.guard.next = None;
        None
    }

    /// Copies all that an update writes.
    fn keep_copy(&mut self) {
        let Some(written) = &self.steps.written else { return };
        let program = &self.steps.train.program;
        self.guard.copy.clear();
        for path in &written.all {
            self.guard.copy.extend_from_slice(program.bytes(&self.memory, path));
        }
    }

    /// Whether all that was written is finite; if not, puts back what was there.
    fn look_at_copy(&mut self) -> bool {
        let Some(written) = &self.steps.written else { return true };
        let program = &self.steps.train.program;
        if written.is_finite(program, &self.memory) {
            return true;
        }
        let mut rest = &self.guard.copy[..];
        for path in &written.all {
            let place = program.bytes_mut(&mut self.memory, path);
            let (before, behind) = rest.split_at(place.len());
            place.copy_from_slice(before);
            rest = behind;
        }
        program.refresh(&mut self.memory, self.pool);
        false
    }

    /// Runs a step on the inputs that are there.
    pub(super) fn launch(
        &mut self,
        step: &BatchStep,
        args: TrainStepArgs,
        norm: Option<(f64, f64)>,
    ) -> Result<(), IndexFault> {
        self.hypers.clear();
        self.hypers.extend_from_slice(&step.hypers);
        if let Some(index) = step.lr_scale {
            self.hypers[index] = self.state.control.lr_scale;
        }
        if let Some(index) = step.share {
            self.hypers[index] = args.share * step.batch as f64;
        }
        if let Some((scale, limit)) = norm {
            for (index, value) in [(step.norm_scale, scale), (step.norm_limit, limit)] {
                if let Some(index) = index {
                    self.hypers[index] = value;
                }
            }
        }
        let args = StepArgs { step: args.number, seed: args.seed, hypers: &self.hypers };
        step.program.run(&mut self.memory, self.pool, &args)
    }
}
