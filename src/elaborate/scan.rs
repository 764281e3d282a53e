//! Scans: `scan step in x, axis: 1 { carry h: f32[N, 4] = 0 … }` becomes a loop of the graph.
//!
//! The body is elaborated once, for any slice. A `carry` reads what the step before has written, its
//! first value in the first step, and what this step has written from there on. The values of all
//! steps are joined along the axis that was cut; nothing else leaves the body.

use super::arguments::Expect;
use super::context::{Elaborator, ErrorReported, Eval};
use super::index::from_start;
use super::open_scan::{OpenCarry, OpenScan};
use super::scope::{Binding, BlockNames, Role};
use super::value::Value;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::graph::scan::Bodies;
use crate::graph::{Dim, NodeId, Op};
use crate::syntax::ast::{Arg, Declaration, Expr, ScanExpr};

/// The settings of a scan.
const SETTINGS: [&str; 2] = ["axis", "reverse"];

impl<'a> Elaborator<'a> {
    /// The values of all steps of a scan.
    pub fn scan(&mut self, scan: &'a ScanExpr, span: Span) -> Eval<Value> {
        self.count_stage(span)?;
        if self.open_scan.is_some() {
            let message = "a scan in a step of another scan";
            let help = "scan one after the other: the inner one's value cannot depend on a step";
            return Err(self.error_help(codes::SCAN, span, message, help));
        }
        let over = self.expr(&scan.over, Expect::Any)?;
        let x = self.tensor(&over, scan.over.span)?;
        let (axis, reverse) = self.scan_settings(scan, x)?;
        let steps = self.steps(x, axis, scan.over.span)?;
        self.at(span);
        let first = self.axis_first(x, axis, span)?;
        let id = self.builder.scan(steps, reverse);
        let cut = self.builder.op(Op::ScanSlice(id), &[first]);
        let slice = self.built(span, &[first], cut)?;
        let frames = self.frames.len();
        self.open_scan = Some(OpenScan { id, carries: Vec::new(), frames });
        self.frame_mut().blocks.push(BlockNames::new());
        let binding = Binding::Value(slice, Role::Let, scan.slice.span);
        self.frame_mut().bind(&scan.slice.text, binding);
        let value = self.block(&scan.body, Expect::Any);
        self.frame_mut().blocks.pop();
        let open = self.open_scan.take().ok_or(ErrorReported)?;
        let value = value?;
        self.close(&open, scan)?;
        self.joined(&open, scan, value, axis, span)
    }

    /// `axis: 1`, which is the default, and `reverse: false`.
    fn scan_settings(&mut self, scan: &'a ScanExpr, x: NodeId) -> Eval<(usize, bool)> {
        let (mut axis, mut reverse) = (None, false);
        for Arg { name, value } in &scan.settings {
            let found = self.expr(value, Expect::Any)?;
            let named = name.as_ref().map(|name| name.text.as_str());
            match (named, &found) {
                (Some("axis"), Value::Int(found)) => axis = Some((*found, value.span)),
                (Some("reverse"), Value::Bool(found)) => reverse = *found,
                (Some(known), _) if SETTINGS.contains(&known) => {
                    let takes = if known == "axis" { "an int" } else { "a bool" };
                    let message = format!("`{known}` of a scan is {takes}");
                    return Err(self.error(codes::WRONG_KIND, value.span, message));
                }
                _ => return Err(self.unknown_setting(name.as_ref(), value.span)),
            }
        }
        let rank = self.ty(x).shape.rank();
        let (axis, span) = axis.unwrap_or((1, scan.over.span));
        match from_start(axis, rank) {
            Some(axis) => Ok((axis, reverse)),
            None => {
                let found = self.ty(x);
                let message = format!("a scan along axis {axis} of {found}");
                let help = "it goes along axis 1 where no `axis:` is given: `[N, T, …]`";
                Err(self.error_help(codes::SCAN, span, message, help))
            }
        }
    }

    fn unknown_setting(
        &mut self,
        name: Option<&crate::syntax::ast::Name>,
        span: Span,
    ) -> ErrorReported {
        let error = match name {
            Some(name) => {
                let message = format!("a scan has no setting `{}`", name.text);
                let error = Diagnostic::error(codes::ARGUMENTS, message).primary(name.span, "");
                error.misspelt(name.span, &name.text, SETTINGS)
            }
            None => {
                let message = "the settings of a scan have names";
                Diagnostic::error(codes::ARGUMENTS, message).primary(span, "")
            }
        };
        self.report(error.or_help(|| "`scan step in x, axis: 1, reverse: true { … }`".into()))
    }

    /// How many slices there are.
    fn steps(&mut self, x: NodeId, axis: usize, span: Span) -> Eval<usize> {
        let ty = self.ty(x);
        match ty.shape[axis] {
            Dim::Known(steps) => Ok(steps),
            Dim::Batch(_) => {
                let message = format!("axis {axis} of {ty} is the batch: a scan goes along steps");
                let help = "samples do not depend on one another; name the axis of the steps by \
                            `axis:`";
                Err(self.error_help(codes::SCAN, span, message, help))
            }
        }
    }

    /// A value with one of its axes as the first.
    fn axis_first(&mut self, x: NodeId, axis: usize, span: Span) -> Eval<NodeId> {
        let rank = self.ty(x).shape.rank();
        let order: Vec<usize> =
            std::iter::once(axis).chain((0..rank).filter(|&other| other != axis)).collect();
        let turned = self.builder.transpose(x, &order);
        let turned = self.built(span, &[x], turned)?;
        self.tensor(&turned, span)
    }

    /// A `carry` statement.
    pub fn declare_carry(&mut self, declaration: &'a Declaration, span: Span) -> Eval<()> {
        let name = &declaration.name;
        let result = self.carry(declaration, span);
        let binding = match result {
            Ok(carry) => Binding::Carry(carry, name.span),
            Err(ErrorReported) => Binding::Failed(name.span),
        };
        self.frame_mut().bind(&name.text, binding);
        result.map(|_| ())
    }

    fn carry(&mut self, declaration: &'a Declaration, span: Span) -> Eval<usize> {
        let name = &declaration.name;
        let frames = self.frames.len();
        let Some(scan) = self.open_scan.as_ref().filter(|scan| scan.frames == frames) else {
            let message = format!("the carry `{}` stands outside of a scan", name.text);
            let help = "`scan step in x { carry h: f32[N, 4] = 0 … }` hands it from step to step";
            return Err(self.error_help(codes::SCAN, span, message, help));
        };
        let scan = scan.id;
        self.declares_once(name)?;
        let (ty, _) = self.type_of("carry", declaration, span)?;
        let Some(init) = &declaration.init else {
            let message = format!("the carry `{}` has no value for the first step", name.text);
            let help = format!("say how it begins: `carry {}: {ty} = 0`", name.text);
            return Err(self.error_help(codes::DECLARATION, name.span, message, &help));
        };
        let initial = self.written_value("carry", init, &ty)?;
        if Bodies::of(&self.builder.graph).scan(initial).is_some() {
            let message = format!("the carry `{}` begins with a value of a step", name.text);
            let help = "before the first step there is none: begin with a number, or with a value \
                        from before the scan";
            return Err(self.error_help(codes::SCAN, init.span, message, help));
        }
        self.at(span);
        let (id, current) = match self.builder.carry(scan, initial) {
            Ok(made) => made,
            Err(mismatch) => return Err(self.mismatch(init.span, &[initial], &mismatch)),
        };
        let scan = self.open_scan.as_mut().ok_or(ErrorReported)?;
        let name = declaration.name.text.clone();
        let span = declaration.name.span;
        scan.carries.push(OpenCarry { id, name, ty, current, written: false, span });
        Ok(scan.carries.len() - 1)
    }

    fn open_carry(&mut self, carry: usize) -> Eval<&mut OpenCarry> {
        let scan = self.open_scan.as_mut().ok_or(ErrorReported)?;
        scan.carries.get_mut(carry).ok_or(ErrorReported)
    }

    /// The value of a carry.
    pub fn carried(&mut self, carry: usize) -> Eval<Value> {
        self.open_carry(carry).map(|carry| Value::Tensor(carry.current))
    }

    /// `carry <- value`.
    pub fn write_carry(&mut self, carry: usize, value: &'a Expr) -> Eval<()> {
        let ty = self.open_carry(carry)?.ty.clone();
        let node = self.written_value("carry", value, &ty);
        let carry = self.open_carry(carry)?;
        carry.written = true;
        carry.current = node?;
        Ok(())
    }

    /// Hands on what the body has written; a carry that it has not, and a state that it has, are
    /// mistakes.
    fn close(&mut self, open: &OpenScan, scan: &ScanExpr) -> Eval<()> {
        let mut outcome = Ok(());
        for carry in &open.carries {
            self.builder.hand_on(carry.id, carry.current);
            if !carry.written {
                let message = format!("the carry `{}` is never written", carry.name);
                let help = format!("`{} <- …` hands a value to the next step", carry.name);
                outcome = Err(self.error_help(codes::SCAN, carry.span, message, &help));
            }
        }
        let bodies = Bodies::of(&self.builder.graph);
        let inside = |node: NodeId| bodies.scan(node) == Some(open.id);
        let state = self.states.iter().find(|(_, slot)| inside(slot.current));
        if let Some((path, _)) = state {
            let message = format!("the state `{path}` is written in each step of a scan");
            let help = "a state changes once in a step of training: keep it out of the body";
            let message_span = scan.slice.span;
            outcome = Err(self.error_help(codes::SCAN, message_span, message, help));
        }
        outcome
    }

    /// The values of all steps, joined along the axis that was cut.
    fn joined(
        &mut self,
        open: &OpenScan,
        scan: &'a ScanExpr,
        value: Option<Value>,
        axis: usize,
        span: Span,
    ) -> Eval<Value> {
        let place = scan.body.value.as_deref().map_or(scan.body.span, |value: &Expr| value.span);
        let Some(value) = value else {
            let help = "end the body in the value of a step: they are joined along the axis";
            return Err(self.error_help(codes::BODY, place, "this scan has no value", help));
        };
        let value = self.tensor(&value, place)?;
        let ty = self.ty(value);
        if axis > ty.shape.rank() {
            let message =
                format!("the values of the steps, {ty}, cannot be joined along axis {axis}");
            let help = "a step's value has all axes of a slice before that one";
            return Err(self.error_help(codes::SCAN, place, message, help));
        }
        self.at(span);
        let stacked = self.builder.op(Op::ScanStack(open.id), &[value]);
        let stacked = self.built(span, &[value], stacked)?;
        let stacked = self.tensor(&stacked, span)?;
        let order: Vec<usize> = (1..=axis).chain([0]).chain(axis + 1..=ty.shape.rank()).collect();
        let turned = self.builder.transpose(stacked, &order);
        self.built(span, &[stacked], turned)
    }
}
