//! The surroundings of a mistake: calls, literals, stages, operands, declared shapes, names; each
//! with its distance from those places.
//!
//! Looked at are the items that a label points into, and all constants, data and models (a loss that
//! gets the wrong shape is mended in the model, or in the data).

use super::RepairInput;
use crate::base::diagnostic::{Diagnostic, Label};
use crate::base::source::Span;
use crate::elaborate;
use crate::syntax::ast::{
    self, Block, Expr, ExprKind, FunctionKind, ItemKind, PipeStage, StageKind,
};
use std::collections::HashMap;

/// A call, written `f(x, 2)` or `|> f(2)`.
pub struct CallSite<'a> {
    pub call: &'a ast::Call,
    /// The whole call.
    pub span: Span,
    /// Whether its first argument is piped in.
    pub piped: bool,
    pub distance: u32,
    /// The item that it stands in.
    pub item: usize,
}

/// A literal or name that is an argument, an entry of a list, or anything else.
pub struct LiteralSite<'a> {
    pub expr: &'a Expr,
    pub slot: LiteralRole<'a>,
    pub distance: u32,
    pub item: usize,
}

/// The argument that a literal is part of.
#[derive(Clone, Copy)]
pub struct LiteralRole<'a> {
    /// The argument's name: `units`, `pad`; of an index or a bound of `repeat`, none.
    pub name: &'a str,
    /// The call that it is an argument of.
    pub call: Option<&'a ast::Call>,
}

/// A pipeline: what begins it, and its stages.
pub struct Pipeline<'a> {
    /// The stage's first token; `None` in a `repeat`'s body.
    pub first: Option<Span>,
    pub stages: Vec<&'a PipeStage>,
    pub item: usize,
}

/// `a op b`.
pub struct BinaryOperands<'a> {
    pub op: ast::BinaryOp,
    pub left: &'a Expr,
    pub right: &'a Expr,
    pub distance: u32,
    pub item: usize,
}

/// A declared type.
pub struct Declared<'a> {
    pub ty: &'a ast::TypeExpr,
    pub of: Of,
    pub distance: u32,
    pub item: usize,
}

/// The kind of a declaration with a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A model's input: the data have it.
    Input,
    /// A layer's argument.
    Argument,
    /// A result.
    Result,
    /// A `param` or `state`.
    Kept,
}

/// The surroundings of a mistake.
pub struct Scene<'a> {
    pub program: RepairInput<'a>,
    pub calls: Vec<CallSite<'a>>,
    pub literals: Vec<LiteralSite<'a>>,
    pub pipelines: Vec<Pipeline<'a>>,
    pub operands: Vec<BinaryOperands<'a>>,
    pub types: Vec<Declared<'a>>,
    /// The tensors that each item names: arguments and bindings.
    pub tensors: Vec<Vec<&'a str>>,
    /// The numbers that each item names: arguments and dimensions.
    pub counts: Vec<Vec<&'a str>>,
    /// The kind of each item, of those that have one.
    pub kinds: Vec<Option<FunctionKind>>,
    /// The mistake's code.
    pub code: &'static str,
    /// The numbers that the mistake speaks of.
    pub numbers: Vec<i64>,
    /// The types that it speaks of, as they are written: `f32[N, 7, 7, 64]`.
    pub shapes: Vec<String>,
    labels: Vec<(Span, bool)>,
    signatures: HashMap<&'a str, Vec<&'a str>>,
}

/// How far a place is from those of the mistake.
pub mod distance {
    /// The place itself.
    pub const HERE: u32 = 0;
    /// Another place that the mistake has to do with.
    pub const LABELLED: u32 = 10;
    /// Around such a place.
    pub const AROUND: u32 = 30;
    /// Elsewhere in an item with such a place.
    pub const ITEM: u32 = 60;
    /// In another item.
    pub const ELSEWHERE: u32 = 90;
}

impl<'a> Scene<'a> {
    /// The surroundings of a mistake.
    pub fn of(program: &RepairInput<'a>, error: &Diagnostic) -> Scene<'a> {
        let mut scene = Scene {
            program: *program,
            calls: Vec::new(),
            literals: Vec::new(),
            pipelines: Vec::new(),
            operands: Vec::new(),
            types: Vec::new(),
            tensors: Vec::new(),
            counts: Vec::new(),
            kinds: Vec::new(),
            code: error.code,
            numbers: error.numbers(),
            shapes: shapes(error),
            labels: error.labels.iter().filter(blames).map(|it| (it.span, it.primary)).collect(),
            signatures: signatures(program),
        };
        let items = program.files.iter().flat_map(|file| &file.items);
        for item in items {
            let labelled = error.labels.iter().any(|label| item.span.contains(label.span));
            let is_model = matches!(&item.kind, ItemKind::Function(function)
                if function.kind == FunctionKind::Model);
            let is_given = matches!(&item.kind, ItemKind::Const { .. } | ItemKind::Data { .. });
            if labelled || is_model || is_given {
                scene.item(&item.kind);
            }
        }
        scene
    }

    /// The names of a callee's parameters.
    pub fn parameters(&self, callee: &str) -> &[&'a str] {
        self.signatures.get(callee).map_or(&[], Vec::as_slice)
    }

    /// The parameter that an argument is for.
    pub fn parameter(&self, call: &ast::Call, index: usize, piped: bool) -> Option<&'a str> {
        self.parameters(&call.callee.text).get(index + usize::from(piped)).copied()
    }

    /// Functions whose names go on from a callee's, or the other way round, and that have a parameter
    /// which it lacks: `adamw` of `adam`.
    pub fn relatives(&self, callee: &str, parameter: &str) -> Vec<&'a str> {
        let related = |name: &str| name.starts_with(callee) || callee.starts_with(name);
        let has = self.signatures.iter().filter(|(name, parameters)| {
            **name != callee && related(name) && parameters.contains(&parameter)
        });
        let mut found: Vec<&str> = has.map(|(name, _)| *name).collect();
        found.sort_unstable();
        found
    }

    /// Names that can stand as a stage without arguments: layers and operators of one tensor.
    pub fn layers(&self) -> impl Iterator<Item = &'a str> {
        let one = self.signatures.iter().filter(|(_, parameters)| parameters.first() == Some(&"x"));
        let mut found: Vec<&str> = one.map(|(name, _)| *name).collect();
        found.sort_unstable();
        found.into_iter()
    }

    /// The argument of a call for a parameter of this name.
    pub fn argument(&self, call: &CallSite<'a>, name: &str) -> Option<&'a ast::Arg> {
        call.call.args.iter().enumerate().find_map(|(index, arg)| {
            let found = match &arg.name {
                Some(name) => Some(name.text.as_str()),
                None => self.parameter(call.call, index, call.piped),
            };
            (found == Some(name)).then_some(arg)
        })
    }

    /// The dimensions of the shapes that the mistake speaks of.
    pub fn told_dims(&self) -> impl Iterator<Item = Vec<&str>> {
        self.shapes.iter().map(|shape| {
            let dims = shape.split_once('[').map_or("", |(_, dims)| dims).trim_end_matches(']');
            dims.split(',').map(str::trim).collect()
        })
    }

    /// The place to blame.
    pub fn primary(&self) -> Option<Span> {
        self.labels.iter().find(|(_, primary)| *primary).map(|(span, _)| *span)
    }

    /// The names of all losses.
    pub fn losses(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let files = self.program.files.iter().chain([self.program.prelude]);
        files.flat_map(|file| &file.items).filter_map(|item| match &item.kind {
            ItemKind::Function(function) if function.kind == FunctionKind::Loss => {
                Some(function.name.text.as_str())
            }
            _ => None,
        })
    }

    /// How far a place is from those of the mistake.
    pub fn distance(&self, span: Span, item: usize) -> u32 {
        let near = self.labels.iter().map(|&(label, primary)| {
            let here = if primary { distance::HERE } else { distance::LABELLED };
            if label.contains(span) {
                here + self.breadth(label)
            } else if span.contains(label) {
                distance::AROUND + here
            } else {
                distance::ELSEWHERE
            }
        });
        let nearest = near.min().unwrap_or(distance::ELSEWHERE);
        let labelled = self.kinds.get(item).is_some()
            && self.labels.iter().any(|(label, _)| label.file == span.file);
        nearest.min(if labelled { distance::ITEM } else { distance::ELSEWHERE })
    }

    /// A label over a whole pipeline says less of each stage than one over a single call.
    fn breadth(&self, label: Span) -> u32 {
        let text = self.program.sources.text(label);
        if text.contains("|>") || text.contains('\n') { distance::AROUND } else { 0 }
    }

    // ---- The walk

    fn item(&mut self, item: &'a ItemKind) {
        let index = self.kinds.len();
        self.tensors.push(Vec::new());
        self.counts.push(Vec::new());
        self.kinds.push(None);
        match item {
            ItemKind::Use { .. } => {}
            ItemKind::Const { name, value } => {
                self.expr(value, LiteralRole { name: &name.text, call: None }, index);
            }
            ItemKind::Data { value, .. } => {
                self.expr(value, LiteralRole { name: "", call: None }, index)
            }
            ItemKind::Train(train) => {
                for key in &train.keys {
                    self.expr(&key.value, LiteralRole { name: &key.key.text, call: None }, index);
                }
            }
            ItemKind::Function(function) => {
                self.kinds[index] = Some(function.kind);
                for param in &function.params {
                    let is_tensor = param.ty.as_ref().is_none_or(|ty| ty.dims.is_some());
                    let names = if is_tensor { &mut self.tensors } else { &mut self.counts };
                    names[index].push(&param.name.text);
                    if let Some(ty) = &param.ty {
                        let is_input = function.kind == FunctionKind::Model;
                        self.ty(ty, if is_input { Of::Input } else { Of::Argument }, index);
                    }
                    if let Some(default) = &param.default {
                        self.expr(
                            default,
                            LiteralRole { name: &param.name.text, call: None },
                            index,
                        );
                    }
                }
                let parts = function.parts.iter().map(|part| &part.ty);
                for ty in function.result.iter().chain(parts) {
                    self.ty(ty, Of::Result, index);
                }
                self.block(&function.body, index);
                let over = function.over.iter().filter_map(|over| over.block.as_ref());
                over.for_each(|block| self.block(block, index));
            }
        }
    }

    fn ty(&mut self, ty: &'a ast::TypeExpr, of: Of, item: usize) {
        for dim in ty.dims.iter().flatten() {
            match dim {
                ast::DimExpr::Expr(Expr { kind: ExprKind::Name(name), .. }) => {
                    if !self.counts[item].contains(&name.as_str()) {
                        self.counts[item].push(name);
                    }
                }
                ast::DimExpr::Expr(_) | ast::DimExpr::Rest(_) => {}
            }
        }
        if ty.dims.is_some() {
            let distance = self.distance(ty.span, item);
            self.types.push(Declared { ty, of, distance, item });
        }
    }

    fn block(&mut self, block: &'a Block, item: usize) {
        const NONE: LiteralRole<'static> = LiteralRole { name: "", call: None };
        for stmt in &block.stmts {
            match &stmt.kind {
                ast::StmtKind::Let { name, value } => {
                    self.tensors[item].push(&name.text);
                    self.expr(value, NONE, item);
                }
                ast::StmtKind::Param(declaration)
                | ast::StmtKind::State(declaration)
                | ast::StmtKind::Carry(declaration) => {
                    self.tensors[item].push(&declaration.name.text);
                    if let Some(ty) = &declaration.ty {
                        self.ty(ty, Of::Kept, item);
                    }
                    if let Some(init) = &declaration.init {
                        self.expr(init, NONE, item);
                    }
                }
                ast::StmtKind::Require { condition, .. } => self.expr(condition, NONE, item),
                ast::StmtKind::Assign { value, .. } => self.expr(value, NONE, item),
                ast::StmtKind::Expr(expr) => self.expr(expr, NONE, item),
            }
        }
        if let Some(value) = &block.value {
            self.expr(value, NONE, item);
        }
    }

    fn expr(&mut self, expr: &'a Expr, slot: LiteralRole<'a>, item: usize) {
        let none = LiteralRole { name: "", call: slot.call };
        match &expr.kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Str(_)
            | ExprKind::Name(_) => {
                let distance = self.distance(expr.span, item);
                self.literals.push(LiteralSite { expr, slot, distance, item });
            }
            ExprKind::List(entries) => {
                let distance = self.distance(expr.span, item);
                self.literals.push(LiteralSite { expr, slot, distance, item });
                entries.iter().for_each(|entry| self.expr(entry, slot, item));
            }
            // `-1` is a literal too.
            ExprKind::Unary(_, operand)
                if matches!(operand.kind, ExprKind::Int(_) | ExprKind::Float(_)) =>
            {
                let distance = self.distance(expr.span, item);
                self.literals.push(LiteralSite { expr, slot, distance, item });
            }
            ExprKind::Record(entries) => {
                entries.iter().for_each(|(_, entry)| self.expr(entry, none, item));
            }
            ExprKind::Unary(_, operand) => self.expr(operand, slot, item),
            ExprKind::Binary(op, left, right) => {
                let distance = self.distance(expr.span, item);
                self.operands.push(BinaryOperands { op: *op, left, right, distance, item });
                self.expr(left, none, item);
                self.expr(right, none, item);
            }
            ExprKind::Call(call) => self.call(call, expr.span, false, item),
            ExprKind::Pipe(..) => self.pipeline(expr, item),
            ExprKind::Member(object, _) => self.expr(object, none, item),
            ExprKind::Index(object, at) => {
                self.expr(object, none, item);
                at.iter().for_each(|index| self.index(index, none, item));
            }
            ExprKind::If(branch) => {
                self.expr(&branch.condition, none, item);
                self.block(&branch.then, item);
                branch.otherwise.iter().for_each(|block| self.block(block, item));
            }
            ExprKind::Scan(scan) => self.scan(scan, item),
            ExprKind::Range(from, to) => {
                self.expr(from, none, item);
                self.expr(to, none, item);
            }
        }
    }

    fn index(&mut self, index: &'a ast::Index, slot: LiteralRole<'a>, item: usize) {
        match index {
            ast::Index::Rest(_) => {}
            ast::Index::At(at) => self.expr(at, slot, item),
            ast::Index::Slice { from, to, .. } => {
                from.iter().chain(to).for_each(|at| self.expr(at, slot, item));
            }
        }
    }

    fn scan(&mut self, scan: &'a ast::ScanExpr, item: usize) {
        self.tensors[item].push(&scan.slice.text);
        self.expr(&scan.over, LiteralRole { name: "", call: None }, item);
        for setting in &scan.settings {
            let name = setting.name.as_ref().map_or("", |name| &name.text);
            self.expr(&setting.value, LiteralRole { name, call: None }, item);
        }
        self.block(&scan.body, item);
    }

    fn pipeline(&mut self, expr: &'a Expr, item: usize) {
        let mut stages = Vec::new();
        let mut first = expr;
        while let ExprKind::Pipe(before, stage) = &first.kind {
            stages.push(&**stage);
            first = before;
        }
        stages.reverse();
        self.expr(first, LiteralRole { name: "", call: None }, item);
        self.stages(Some(first.span), stages, item);
    }

    fn stages(&mut self, first: Option<Span>, stages: Vec<&'a PipeStage>, item: usize) {
        for stage in &stages {
            match &stage.kind {
                StageKind::Call(call) => self.call(call, stage.span, true, item),
                StageKind::Repeat { counter, from, to, body } => {
                    self.counts[item].extend(counter.iter().map(|name| name.text.as_str()));
                    for bound in from.iter().chain([to]) {
                        self.expr(bound, LiteralRole { name: "repeat", call: None }, item);
                    }
                    self.stages(None, body.iter().collect(), item);
                }
            }
        }
        self.pipelines.push(Pipeline { first, stages, item });
    }

    fn call(&mut self, call: &'a ast::Call, span: Span, piped: bool, item: usize) {
        let distance = self.distance(span, item);
        self.calls.push(CallSite { call, span, piped, distance, item });
        for (index, arg) in call.args.iter().enumerate() {
            let name = match &arg.name {
                Some(name) => name.text.as_str(),
                None => self.parameter(call, index, piped).unwrap_or(""),
            };
            self.expr(&arg.value, LiteralRole { name, call: Some(call) }, item);
        }
    }
}

/// The names of the parameters of every function of a program, the user's before the prelude's,
/// those before the operators.
fn signatures<'a>(program: &RepairInput<'a>) -> HashMap<&'a str, Vec<&'a str>> {
    let mut found: HashMap<&str, Vec<&str>> = elaborate::operators().collect();
    let files = std::iter::once(program.prelude).chain(program.files);
    for item in files.flat_map(|file| &file.items) {
        if let ItemKind::Function(function) = &item.kind {
            // The optimizer's own arguments and a schedule's are not those of a call.
            let own = match function.kind {
                FunctionKind::Optimizer => 3,
                FunctionKind::Schedule | FunctionKind::Initializer => 2,
                FunctionKind::Loss | FunctionKind::Metric => 2,
                FunctionKind::Layer | FunctionKind::Model => 0,
            };
            let names = function.params.iter().skip(own).map(|param| param.name.text.as_str());
            found.insert(&function.name.text, names.collect());
        }
    }
    found
}

/// Whether a label says more than how the mistake was reached.
fn blames(label: &&Label) -> bool {
    !label.text.starts_with("in this call of")
}

/// The types and shapes that a diagnostic speaks of, as they are written, each once.
fn shapes(error: &Diagnostic) -> Vec<String> {
    let labels = error.labels.iter().map(|label| label.text.as_str());
    let texts = std::iter::once(error.message.as_str()).chain(labels);
    let mut found = Vec::new();
    for text in texts.chain(error.notes.iter().map(String::as_str)) {
        for (bracket, _) in text.match_indices('[') {
            let Some(end) = text[bracket..].find(']') else { continue };
            let before = text[..bracket].rsplit(|c: char| !c.is_alphanumeric()).next();
            let start = bracket - before.map_or(0, str::len);
            let shape = text[start..=bracket + end].to_owned();
            if !found.contains(&shape) {
                found.push(shape);
            }
        }
    }
    found
}
