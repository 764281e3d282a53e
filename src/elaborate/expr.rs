//! Expressions and blocks: from syntax to compile-time values, building nodes on the way.
//!
//! `if stride == 1 and C == filters { x } else { … }` is decided here: only one branch is
//! elaborated. What an operator does with values is [`super::operator`]'s, what a call means
//! [`super::call`]'s.

use super::arguments::Expect;
use super::context::{Elaborator, ErrorReported, Eval};
use super::scope::{Binding, BlockNames, Role};
use super::types::NONE;
use super::value::Value;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, FunctionKind, PipeStage, StmtKind};

/// How deep expressions may nest, over all calls in progress.
const MOST_DEPTH: usize = 600;

impl<'a> Elaborator<'a> {
    /// The value of an expression.
    pub fn expr(&mut self, expr: &'a Expr, expect: Expect) -> Eval<Value> {
        self.spend(1, expr.span)?;
        if self.depth >= MOST_DEPTH {
            let message = format!("expressions nest deeper than {MOST_DEPTH}, calls included");
            let help = "split it by `let`, or end the recursion of layers earlier";
            return Err(self.stop(expr.span, message, help));
        }
        let from = self.builder.graph.nodes.len();
        self.depth += 1;
        let value = self.expr_kind(expr, expect);
        self.depth -= 1;
        self.note_value(expr.span, value.as_ref().ok(), None, from);
        value
    }

    fn expr_kind(&mut self, expr: &'a Expr, expect: Expect) -> Eval<Value> {
        match &expr.kind {
            ExprKind::Int(value) => Ok(Value::Int(*value)),
            ExprKind::Float(value) => Ok(Value::Float(*value)),
            ExprKind::Bool(value) => Ok(Value::Bool(*value)),
            ExprKind::Str(text) => self.bounded(Value::Str(text.clone()), expr.span),
            ExprKind::Name(name) => {
                let value = self.name(name, expr.span, expect)?;
                self.spend(value.size() - 1, expr.span)?;
                Ok(value)
            }
            ExprKind::List(items) => self.list(items, expr.span),
            ExprKind::Record(entries) => self.record(entries, expr.span),
            ExprKind::Unary(op, operand) => {
                let value = self.expr(operand, of_operands(expect))?;
                self.unary_operator(*op, value, expr.span)
            }
            ExprKind::Binary(op, left, right) => {
                self.binary_expr(*op, [left, right], of_operands(expect), expr.span)
            }
            ExprKind::Call(call) if expect == Expect::Initializer => {
                self.initializer_call(call, expr.span)
            }
            ExprKind::Call(call) if expect == Expect::Number => self.number_call(call, expr.span),
            ExprKind::Call(call) => self.call(call, None, None, expr.span),
            ExprKind::Pipe(..) => self.pipeline(expr),
            ExprKind::Member(object, member) => self.member(object, member, expr.span),
            ExprKind::Index(object, at) => self.index(object, at, expr.span),
            ExprKind::If(branch) => match self.if_(branch, expect)? {
                Some(value) => Ok(value),
                None => Err(self.no_value(branch)),
            },
            ExprKind::Scan(scan) => self.scan(scan, expr.span),
            ExprKind::Range(..) => Err(self.error_help(
                codes::WRONG_KIND,
                expr.span,
                "a range cannot stand here",
                "`repeat i in 0..n` counts; `x[0:n]` is a slice",
            )),
        }
    }

    fn list(&mut self, items: &'a [Expr], span: Span) -> Eval<Value> {
        let values: Vec<Eval<Value>> =
            items.iter().map(|item| self.expr(item, Expect::Any)).collect();
        let list = Value::List(values.into_iter().collect::<Eval<_>>()?);
        self.bounded(list, span)
    }

    fn record(&mut self, entries: &'a [(ast::Name, Expr)], span: Span) -> Eval<Value> {
        let mut values: Vec<(String, Value)> = Vec::new();
        let mut outcome = Ok(());
        for (name, value) in entries {
            if values.iter().any(|(known, _)| *known == name.text) {
                let message = format!("`{}` stands twice in this record", name.text);
                outcome = Err(self.error(codes::DUPLICATE, name.span, message));
            }
            match self.expr(value, Expect::Any) {
                Ok(value) => values.push((name.text.clone(), value)),
                Err(reported) => outcome = Err(reported),
            }
        }
        outcome?;
        self.bounded(Value::Record(values), span)
    }

    /// `a |> f |> g`: the stages of the whole chain, one after the other.
    fn pipeline(&mut self, expr: &'a Expr) -> Eval<Value> {
        let mut stages: Vec<(&'a PipeStage, Span)> = Vec::new();
        let mut first = expr;
        while let ExprKind::Pipe(before, stage) = &first.kind {
            stages.push((stage, before.span));
            first = before;
        }
        let mut value = self.expr(first, Expect::Any);
        for (stage, before) in stages.into_iter().rev() {
            value = match value {
                Ok(value) => self.stage(stage, value, before),
                Err(ErrorReported) => Err(self.stage_of_unknown(stage, before)),
            };
        }
        value
    }

    /// The value of a name.
    fn name(&mut self, name: &'a str, span: Span, expect: Expect) -> Eval<Value> {
        match self.frame().find(name) {
            Some(Binding::Value(value, ..)) => return Ok(value.clone()),
            Some(Binding::State(path, _)) => {
                let slot = self.states.get(path).ok_or(ErrorReported)?;
                return Ok(Value::Tensor(slot.current));
            }
            Some(&Binding::Carry(carry, _)) => return self.carried(carry),
            Some(Binding::Failed(_)) => return Err(ErrorReported),
            Some(Binding::Label(_, at)) => {
                let error = Diagnostic::error(
                    codes::WRONG_KIND,
                    format!("`{name}` is a stage, not a value"),
                )
                .primary(span, "")
                .label(*at, "named here")
                .help(format!("apply it: `x |> {name}`"));
                return Err(self.report(error));
            }
            None => {}
        }
        let constant = self.items.find_const(name, self.frame().builtin);
        if name == NONE && expect != Expect::Word && constant.is_none() {
            return Ok(Value::None);
        }
        if expect == Expect::Initializer {
            return self.initializer_name(name, span);
        }
        if name == "training" {
            return Ok(Value::Bool(self.training && !self.is_frozen_layer()));
        }
        if let Some(constant) = constant {
            return self.constant(constant);
        }
        if expect == Expect::Number
            && let Some(value) = self.schedule(name, &[], span)?
        {
            return Ok(value);
        }
        if expect == Expect::Word {
            return Ok(Value::Word(name.into()));
        }
        Err(self.unknown_name(name, span))
    }

    fn unknown_name(&mut self, name: &str, span: Span) -> ErrorReported {
        let items = self.items;
        let builtin = self.frame().builtin;
        let error = Diagnostic::error(codes::UNKNOWN_NAME, format!("unknown name `{name}`"))
            .primary(span, "not found in this scope");
        let is_layer = super::builtins::find(name).is_some()
            || items.find(FunctionKind::Layer, name, builtin).is_some();
        self.report(if is_layer {
            error.help(format!("`{name}` is a layer: `x |> {name}` or `{name}(x)` applies it"))
        } else {
            let known = self
                .frame()
                .names()
                .chain(items.const_names())
                .chain(["training", "true", "false", NONE]);
            error.misspelt(span, name, known)
        })
    }

    // ---- Blocks

    /// The value of a block, if it ends in one. Its names end with it.
    pub fn block(&mut self, block: &'a ast::Block, expect: Expect) -> Eval<Option<Value>> {
        self.frame_mut().blocks.push(BlockNames::new());
        let value = self.block_body(block, expect);
        self.frame_mut().blocks.pop();
        value
    }

    fn block_body(&mut self, block: &'a ast::Block, expect: Expect) -> Eval<Option<Value>> {
        let (outcome, value) = self.block_parts(block, expect);
        outcome.and(value)
    }

    /// The value of a function's body, and whether all of its statements could be computed: where
    /// one could not, a value that does not need it is still to be looked at.
    pub fn body_parts(&mut self, block: &'a ast::Block) -> (Eval<()>, Eval<Option<Value>>) {
        self.frame_mut().blocks.push(BlockNames::new());
        let parts = self.block_parts(block, Expect::Any);
        self.frame_mut().blocks.pop();
        parts
    }

    fn block_parts(
        &mut self,
        block: &'a ast::Block,
        expect: Expect,
    ) -> (Eval<()>, Eval<Option<Value>>) {
        // A statement that fails does not keep later ones from being looked at.
        let mut outcome = Ok(());
        for stmt in &block.stmts {
            if let Err(reported) = self.stmt(&stmt.kind, stmt.span) {
                outcome = Err(reported);
                // What comes after a `require` rests on it.
                if matches!(stmt.kind, StmtKind::Require { .. }) {
                    return (outcome, Err(reported));
                }
            }
        }
        let value = match block.value.as_deref() {
            None => Ok(None),
            Some(Expr { kind: ExprKind::If(branch), .. }) => self.if_(branch, expect),
            Some(value) => self.expr(value, expect).map(Some),
        };
        (outcome, value)
    }

    fn stmt(&mut self, stmt: &'a StmtKind, span: Span) -> Eval<()> {
        match stmt {
            StmtKind::Let { name, value } => self.let_(name, value),
            StmtKind::Param(declaration) => self.declare_param(declaration, span),
            StmtKind::State(declaration) => self.declare_state(declaration, span),
            StmtKind::Carry(declaration) => self.declare_carry(declaration, span),
            StmtKind::Require { condition, message } => {
                self.require(condition, message.as_deref(), span)
            }
            StmtKind::Assign { name, value } => self.assign(name, value),
            StmtKind::Expr(Expr { kind: ExprKind::If(branch), .. }) => {
                self.if_(branch, Expect::Any).map(|_| ())
            }
            // The parser takes no other expression here.
            StmtKind::Expr(expr) => self.expr(expr, Expect::Any).map(|_| ()),
        }
    }

    fn let_(&mut self, name: &'a ast::Name, value: &'a Expr) -> Eval<()> {
        let found = self.expr(value, Expect::Any);
        let hidden = match self.frame().find(&name.text) {
            Some(Binding::Value(_, Role::Param, at)) => Some(("param", *at)),
            Some(Binding::State(_, at)) => Some(("state", *at)),
            Some(Binding::Carry(_, at)) => Some(("carry", *at)),
            _ => None,
        };
        if let Some((kind, at)) = hidden {
            let error = Diagnostic::error(
                codes::DECLARATION,
                format!("`let {}` would hide the {kind} of that name", name.text),
            )
            .primary(name.span, "")
            .label(at, format!("the {kind}"))
            .help("give the value another name");
            return Err(self.report(error));
        }
        let binding = match &found {
            Ok(value) => Binding::Value(value.clone(), Role::Let, name.span),
            Err(ErrorReported) => Binding::Failed(name.span),
        };
        let none_built = self.builder.graph.nodes.len();
        self.note_value(name.span, found.as_ref().ok(), None, none_built);
        self.frame_mut().bind(&name.text, binding);
        found.map(|_| ())
    }

    /// The value of the branch that the condition selects, if it ends in one.
    pub fn if_(&mut self, branch: &'a ast::If, expect: Expect) -> Eval<Option<Value>> {
        let condition = self.expr(&branch.condition, Expect::Any)?;
        let taken = match condition {
            Value::Bool(taken) => taken,
            Value::Tensor(_) => {
                let found = self.describe(&condition);
                return Err(self.error_help(
                    codes::CONDITION,
                    branch.condition.span,
                    format!("an `if` is decided while compiling, but this is {found}"),
                    "`where(condition, a, b)` chooses element by element",
                ));
            }
            _ => {
                let found = self.describe(&condition);
                let message = format!("a condition is a bool, found {found}");
                return Err(self.error(codes::CONDITION, branch.condition.span, message));
            }
        };
        match (taken, &branch.otherwise) {
            (true, _) => self.block(&branch.then, expect),
            (false, Some(otherwise)) => self.block(otherwise, expect),
            (false, None) => Ok(None),
        }
    }

    fn no_value(&mut self, branch: &'a ast::If) -> ErrorReported {
        let (span, help) = match &branch.otherwise {
            Some(_) => (branch.then.span, "end the block in an expression"),
            None => {
                (branch.condition.span, "add an `else { … }`: an `if` that is a value needs both")
            }
        };
        self.error_help(codes::BODY, span, "this `if` has no value here", help)
    }
}

/// The kind of the operands of arithmetic, where the result may be this.
pub(super) fn of_operands(expect: Expect) -> Expect {
    if expect == Expect::Number { Expect::Number } else { Expect::Any }
}
