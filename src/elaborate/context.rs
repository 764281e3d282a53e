//! The state of one elaboration; [`reports`](super::reports) is how it reports.
//!
//! An [`Elaborator`] walks the syntax tree once for each graph (training, evaluation, the
//! optimizer's rule) and holds that graph's builder, the calls in progress and what was found
//! wrong. A function that fails has reported why and returns [`ErrorReported`]; whatever needs its
//! value fails silently in turn, so that one mistake is told once.

use super::Tolerated;
use super::comparison::Comparison;
use super::driven::{Driven, WarmUp};
use super::items::{FunctionItem, Items};
use super::open_scan::OpenScan;
use super::patterns::Pattern;
use super::scope::CallFrame;
use super::trace::ValueTrace;
use super::value::Value;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::limits::{self, Budget};
use crate::base::schema::Schema;
use crate::base::source::Span;
use crate::base::tensor::DType;
use crate::graph::OverSplit;
use crate::graph::{Builder, Dim, NodeId, Origin, OriginId, StateId, Type};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Says that what went wrong has been reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct ErrorReported;

/// A value, or none and the reason is reported.
pub(super) type Eval<T> = Result<T, ErrorReported>;

/// How deep calls may nest.
const MOST_CALLS: usize = 64;
/// Cost of a stage or call beside its expressions, in steps.
const STAGE_STEPS: usize = 8;
/// Help where a program unfolds too far.
const REPEAT_LESS: &str = "`repeat` and calls are unfolded while compiling: repeat less often";

/// A parameter that was declared.
pub(super) struct ParamSlot {
    /// Its value.
    pub node: NodeId,
    /// Its type.
    pub ty: Type,
    /// Where.
    pub span: Span,
}

/// A state that was declared.
pub(super) struct StateSlot {
    /// Which.
    pub id: StateId,
    /// Its value now: as the step began, or as last written.
    pub current: NodeId,
    /// Whether it was written.
    pub written: bool,
    /// Its type.
    pub ty: Type,
    /// Where.
    pub span: Span,
}

/// One walk over the program.
pub(super) struct Elaborator<'a> {
    /// Declarations of the program.
    pub items: &'a Items<'a>,
    /// Schemas of its data, by the data item's name.
    pub schemas: &'a [(String, Schema)],
    /// The graph so far.
    pub builder: Builder,
    /// Whether the data are unknown because of what has been reported.
    pub data_failed: bool,
    /// The errors that are known, where any other ends the work.
    pub tolerated: Option<&'a [Tolerated]>,
    /// Whether `training` is true.
    pub training: bool,
    /// Patterns of the parameters that stay as they are: a layer that has no others works as outside
    /// of training.
    pub frozen: Vec<Pattern>,
    /// The calls in progress, innermost last.
    pub frames: Vec<CallFrame<'a>>,
    /// The parameters, by path.
    pub params: HashMap<String, ParamSlot>,
    /// The states, by path, in the order of paths.
    pub states: BTreeMap<String, StateSlot>,
    /// The inputs of the step that are fields of the data, by name, as the model takes them.
    pub fields: HashMap<String, NodeId>,
    /// The comparisons that the loss makes.
    pub compared: Vec<Comparison>,
    /// The value of the metric that was elaborated last from all samples of a data set; until somebody
    /// takes it.
    pub over: Option<OverSplit>,
    /// Such values of the metrics of a step, by name.
    pub overs: Vec<(String, OverSplit)>,
    /// The mistakes found so far.
    pub diagnostics: Vec<Diagnostic>,
    /// Constants whose value is known, or being computed.
    pub consts: HashMap<*const crate::syntax::ast::Expr, Option<Value>>,
    /// Set where going on would only take time: everything fails silently.
    pub stopped: bool,
    /// The constants being computed.
    pub in_const: Vec<*const crate::syntax::ast::Expr>,
    /// How deep expressions nest.
    pub depth: usize,
    /// How many steps the run has, as far as is known.
    pub planned_steps: f64,
    /// The warm-ups of schedules, in order.
    pub warm_ups: Vec<WarmUp>,
    /// The arguments with a domain that schedules drive, in order.
    pub driven: Vec<Driven>,
    /// Arguments that are schedules: what they are changes from step to step.
    pub scheduled: HashSet<NodeId>,
    /// The scan whose body is elaborated.
    pub open_scan: Option<OpenScan>,
    /// Where values are noted by their places, if they are.
    pub trace: Option<&'a ValueTrace>,
    budget: &'a Budget,
    stages: usize,
}

impl<'a> Elaborator<'a> {
    /// Nothing elaborated yet.
    pub fn new(
        name: &str,
        items: &'a Items<'a>,
        schemas: &'a [(String, Schema)],
        budget: &'a Budget,
    ) -> Self {
        Elaborator {
            items,
            schemas,
            builder: Builder::new(name),
            data_failed: false,
            tolerated: None,
            training: true,
            frames: vec![CallFrame::new("", None, false)],
            params: HashMap::new(),
            frozen: Vec::new(),
            states: BTreeMap::new(),
            over: None,
            overs: Vec::new(),
            fields: HashMap::new(),
            compared: Vec::new(),
            diagnostics: Vec::new(),
            consts: HashMap::new(),
            stopped: false,
            in_const: Vec::new(),
            depth: 0,
            planned_steps: 1000.0,
            warm_ups: Vec::new(),
            driven: Vec::new(),
            scheduled: HashSet::new(),
            open_scan: None,
            trace: None,
            budget,
            stages: 0,
        }
    }

    /// The call in progress.
    pub fn frame(&self) -> &CallFrame<'a> {
        self.frames.last().expect("there is always the frame of the top")
    }

    /// The call in progress, to change.
    pub fn frame_mut(&mut self) -> &mut CallFrame<'a> {
        self.frames.last_mut().expect("there is always the frame of the top")
    }

    /// The type of a node.
    pub fn ty(&self, node: NodeId) -> Type {
        self.builder.ty(node).clone()
    }

    /// A value in words.
    pub fn describe(&self, value: &Value) -> String {
        value.describe(&self.builder.graph)
    }

    // ---- Origins

    /// The origin of a place in the call in progress.
    pub fn origin(&mut self, span: Span) -> OriginId {
        let frame = self.frame();
        let origin = Origin { span, caller: frame.caller, path: frame.path.clone() };
        self.builder.graph.intern(origin)
    }

    /// Makes a place the origin of the nodes built next.
    pub fn at(&mut self, span: Span) {
        let origin = self.origin(span);
        self.builder.set_origin(Some(origin));
    }

    // ---- Bounds

    /// Counts a stage or call; a program that unfolds too far is stopped.
    pub fn count_stage(&mut self, span: Span) -> Eval<()> {
        // What a stage costs beside its expressions: an origin, a path, a frame.
        self.spend(STAGE_STEPS, span)?;
        self.stages += 1;
        if self.stages > limits::STAGES {
            let message = format!("the program unfolds to more than {} stages", limits::STAGES);
            return Err(self.stop(span, message, REPEAT_LESS));
        }
        if self.builder.graph.nodes.len() > limits::OPERATORS {
            let most = limits::OPERATORS;
            let message = format!("the program unfolds to more than {most} operators");
            return Err(self.stop(span, message, REPEAT_LESS));
        }
        Ok(())
    }

    /// Takes steps of the budget; where none are left, the work ends.
    pub fn spend(&mut self, steps: usize, span: Span) -> Eval<()> {
        if self.stopped {
            return Err(ErrorReported);
        }
        if self.budget.spend(steps) {
            return Ok(());
        }
        let message = "the program takes too many steps to evaluate".to_owned();
        let help = format!(
            "a check takes at most {} steps: an expression is one, a list as many as it has values",
            limits::STEPS
        );
        Err(self.stop(span, message, &help))
    }

    /// Reports a limit that was passed, after which nothing more is looked at.
    pub fn stop(&mut self, span: Span, message: String, help: &str) -> ErrorReported {
        let reported = self.error_help(codes::TOO_LARGE, span, message, help);
        self.stopped = true;
        reported
    }

    /// A list or string just made, unless it is larger than values may be.
    pub fn bounded(&mut self, value: Value, span: Span) -> Eval<Value> {
        let size = value.size();
        self.spend(size, span)?;
        let message = match &value {
            Value::List(_) if size > limits::LIST_VALUES => {
                format!("a list of more than {} values", limits::LIST_VALUES)
            }
            Value::Str(text) if text.len() > limits::STRING_BYTES => {
                format!("a string of more than {} bytes", limits::STRING_BYTES)
            }
            _ => return Ok(value),
        };
        Err(self.stop(span, message, "what is as large as that is data: read it from a file"))
    }

    /// Pushes the frame of a call; calls that nest too deep are stopped.
    pub fn push_frame(
        &mut self,
        frame: CallFrame<'a>,
        item: FunctionItem<'a>,
        span: Span,
    ) -> Eval<()> {
        self.count_stage(span)?;
        if self.frames.len() < MOST_CALLS {
            self.frames.push(frame);
            return Ok(());
        }
        let name = &item.function.name;
        let kind = item.function.kind.word();
        let recursive = self.frames.iter().any(|frame| frame.name == name.text);
        let message = if recursive {
            format!("the {kind} `{}` calls itself without end", name.text)
        } else {
            format!("calls nest deeper than {MOST_CALLS}")
        };
        let chain: Vec<&str> = self.frames.iter().map(|frame| frame.name).collect();
        let cycle = chain.iter().rev().skip_while(|&&called| called != name.text);
        let mut route: Vec<&str> = vec![name.text.as_str()];
        let rest: Vec<&str> =
            chain.iter().rev().take_while(|&&called| called != name.text).copied().collect();
        route.extend(rest);
        if cycle.count() > 0 {
            route.push(&name.text);
        }
        route.reverse();
        let error = Diagnostic::error(codes::RECURSION, message)
            .primary(span, format!("called again here, {MOST_CALLS} calls deep"))
            .label(name.span, "declared here")
            .note(format!("the calls: {}", route.join(" → ")))
            .help("every layer is unfolded while compiling: end the recursion by an `if` on an int, or use `repeat`");
        let reported = self.report(error);
        self.stopped = true;
        Err(reported)
    }

    // ---- Values

    /// The node of a number, bool or tensor; `None` for anything else.
    pub fn node_of(&mut self, value: &Value) -> Option<NodeId> {
        match value {
            Value::Tensor(node) => Some(*node),
            Value::Int(value) => Some(self.builder.constant(*value as f64, DType::F64)),
            Value::Float(value) => Some(self.builder.constant(*value, DType::F64)),
            Value::Batch(factor) => Some(self.builder.extent(Dim::Batch(*factor))),
            Value::Bool(value) => {
                Some(self.builder.constant(f64::from(u8::from(*value)), DType::Bool))
            }
            Value::Str(_) | Value::List(_) | Value::Record(_) => None,
            Value::Word(_) | Value::None | Value::Initializer(_) => None,
        }
    }

    /// The node of a number, bool or tensor, or an error at its place.
    pub fn node(&mut self, value: &Value, span: Span) -> Eval<NodeId> {
        match self.node_of(value) {
            Some(node) => Ok(node),
            None => {
                let found = self.describe(value);
                Err(self.error(
                    codes::WRONG_KIND,
                    span,
                    format!("a tensor is needed, found {found}"),
                ))
            }
        }
    }

    /// The node of a tensor; numbers become `f32` scalars.
    pub fn tensor(&mut self, value: &Value, span: Span) -> Eval<NodeId> {
        let node = self.node(value, span)?;
        if self.ty(node).dtype != DType::F64 {
            return Ok(node);
        }
        let cast = self.builder.cast(node, DType::F32);
        match self.built(span, &[node], cast)? {
            Value::Tensor(node) => Ok(node),
            _ => Err(ErrorReported),
        }
    }
}
