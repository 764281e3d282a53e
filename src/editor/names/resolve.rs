//! The walk that finds what each name names: scopes of blocks, innermost first, then items.

use super::{DeclaredName, KINDS, NameRole, NameTarget, NameUse, NameUses};
use crate::base::source::Span;
use crate::syntax::ast::{
    Arg, ArgDomainKind, Block, Call, Declaration, DimExpr, Expr, ExprKind, FieldDecl, File,
    Function, FunctionKind, Index, Item, ItemKind, Name, ParamDecl, PipeStage, StageKind,
    Statement, StmtKind, Train, TypeExpr,
};
use std::collections::HashMap;

/// The names of files, with those that the prelude declares.
pub(super) fn resolve(files: &[File], prelude: &File) -> NameUses {
    let mut walk = Resolver::default();
    for file in files {
        file.items.iter().for_each(|item| walk.declare_item(item));
    }
    walk.user_items = walk.table.declared.len();
    prelude.items.iter().for_each(|item| walk.declare_item(item));
    for file in files {
        file.items.iter().for_each(|item| walk.item(item));
    }
    let mut table = walk.table;
    table.uses.sort_by_key(|name| (name.span.file, name.span.start, name.span.end));
    table
}

/// The kind of thing that a place takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// A value.
    Value,
    /// A function of this kind, else a value.
    Kind(FunctionKind),
    /// The source of data, a transform or a kind of field.
    DataCall,
}

#[derive(Default)]
struct Resolver<'a> {
    table: NameUses,
    /// How many declarations are of the user's items.
    user_items: usize,
    functions: HashMap<(FunctionKind, &'a str), usize>,
    others: HashMap<(&'a str, bool), usize>,
    /// The parameters of functions, by the function.
    params: HashMap<usize, &'a [ParamDecl]>,
    /// The declarations of parameters and fields, by what they belong to and their name.
    members: HashMap<(usize, &'a str), usize>,
    scopes: Vec<HashMap<&'a str, usize>>,
}

impl<'a> Resolver<'a> {
    // ---- Declarations

    fn declare(&mut self, name: &'a Name, whole: Span, role: NameRole) -> usize {
        let index = self.table.declared.len();
        let (doc, owner) = (String::new(), None);
        self.table.declared.push(DeclaredName {
            name: name.text.clone(),
            span: name.span,
            whole,
            role,
            doc,
            owner,
        });
        self.note(name.span, NameTarget::Declared(index));
        index
    }

    /// Declares a name in the innermost scope.
    fn bind(&mut self, name: &'a Name, whole: Span, role: NameRole) -> usize {
        let index = self.declare(name, whole, role);
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(&name.text, index);
        }
        index
    }

    fn declare_item(&mut self, item: &'a Item) {
        let declared = match &item.kind {
            ItemKind::Use { .. } | ItemKind::Train(_) => return,
            ItemKind::Const { name, .. } => {
                let index = self.declare(name, item.span, NameRole::Constant);
                self.others.entry((&name.text, false)).or_insert(index);
                index
            }
            ItemKind::Data { name, fields, .. } => {
                let index = self.declare(name, item.span, NameRole::Data);
                self.others.entry((&name.text, true)).or_insert(index);
                for field in fields.iter().flatten() {
                    let whole = field.name.span.to(field.value.span);
                    self.declare_member(index, &field.name, whole, NameRole::Field);
                }
                index
            }
            ItemKind::Function(function) => {
                let role = NameRole::Function(function.kind);
                let index = self.declare(&function.name, item.span, role);
                self.functions.entry((function.kind, &function.name.text)).or_insert(index);
                self.params.insert(index, &function.params);
                for param in &function.params {
                    self.declare_member(index, &param.name, param.span, NameRole::Argument);
                }
                index
            }
        };
        self.table.declared[declared].doc = item.doc.clone();
    }

    fn declare_member(&mut self, owner: usize, name: &'a Name, whole: Span, role: NameRole) {
        let index = self.declare(name, whole, role);
        self.table.declared[index].owner = Some(owner);
        self.members.insert((owner, &name.text), index);
    }

    // ---- Finding

    fn note(&mut self, span: Span, target: NameTarget) {
        self.table.uses.push(NameUse { span, target });
    }

    fn local(&self, name: &str) -> Option<usize> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name).copied())
    }

    fn function(&self, name: &str, first: Option<FunctionKind>) -> Option<usize> {
        let kinds = first.into_iter().chain(KINDS);
        kinds.into_iter().find_map(|kind| self.functions.get(&(kind, name)).copied())
    }

    fn other(&self, name: &str, is_data: bool) -> Option<usize> {
        self.others.get(&(name, is_data)).copied()
    }

    fn name(&mut self, name: &str, span: Span, wanted: Wanted) {
        let by_kind = match wanted {
            Wanted::Kind(kind) => self.functions.get(&(kind, name)).copied(),
            Wanted::Value | Wanted::DataCall => None,
        };
        let found = match wanted {
            Wanted::DataCall => None,
            Wanted::Kind(_) => by_kind.or_else(|| self.local(name)),
            Wanted::Value => self.local(name),
        };
        let found = found.or_else(|| self.other(name, false)).or_else(|| self.other(name, true));
        self.note(span, found.map_or(NameTarget::Word, NameTarget::Declared));
    }

    // ---- Items

    fn item(&mut self, item: &'a Item) {
        match &item.kind {
            ItemKind::Use { .. } => {}
            ItemKind::Const { value, .. } => self.expr(value, Wanted::Value),
            ItemKind::Data { value, fields, .. } => {
                self.expr(value, Wanted::DataCall);
                fields.iter().flatten().for_each(|field| self.field(field));
            }
            ItemKind::Function(function) => self.own_function(function),
            ItemKind::Train(train) => self.train(train),
        }
    }

    fn field(&mut self, field: &'a FieldDecl) {
        self.expr(&field.value, Wanted::DataCall);
        if let Some(role) = &field.role {
            self.note(role.span, NameTarget::Word);
        }
    }

    fn own_function(&mut self, function: &'a Function) {
        let is = |it: &DeclaredName| it.span == function.name.span;
        let owner = self.table.declared.iter().position(is);
        let params = function.params.iter().filter_map(|param| {
            let index = self.members.get(&(owner?, param.name.text.as_str()))?;
            Some((param.name.text.as_str(), *index))
        });
        let scope = params.collect();
        self.scopes.push(scope);
        for param in &function.params {
            param.ty.iter().for_each(|ty| self.type_(ty));
            match param.domain.as_ref().map(|domain| &domain.kind) {
                Some(ArgDomainKind::Range { low, high, .. }) => {
                    self.expr(low, Wanted::Value);
                    self.expr(high, Wanted::Value);
                }
                Some(ArgDomainKind::Bound(_, value) | ArgDomainKind::OneOf(value)) => {
                    self.expr(value, Wanted::Value);
                }
                None => {}
            }
            let wanted = wanted_of(param);
            param.default.iter().for_each(|default| self.expr(default, wanted));
        }
        let parts = function.parts.iter().map(|part| &part.ty);
        function.result.iter().chain(parts).for_each(|ty| self.type_(ty));
        self.block(&function.body);
        if let Some(over) = &function.over {
            match &over.block {
                Some(block) => {
                    self.scopes.push(HashMap::new());
                    self.bind(&over.name, over.name.span, NameRole::Variable);
                    self.block(block);
                    self.scopes.pop();
                }
                None => self.note(over.name.span, NameTarget::Word),
            }
        }
        self.scopes.clear();
    }

    fn train(&mut self, train: &'a Train) {
        let model = self.functions.get(&(FunctionKind::Model, train.model.text.as_str())).copied();
        self.note(train.model.span, model.map_or(NameTarget::Word, NameTarget::Declared));
        let data = train.data.as_ref().map(|data| (data, self.other(&data.text, true)));
        if let Some((name, found)) = data {
            self.note(name.span, found.map_or(NameTarget::Word, NameTarget::Declared));
        }
        // A loss names fields of the data and inputs of the model.
        let owners = [data.and_then(|(_, found)| found), model];
        let named = self.members.iter().filter(|((owner, _), _)| owners.contains(&Some(*owner)));
        let fields = named.map(|((_, name), index)| (*name, *index)).collect();
        for key in &train.keys {
            self.note(key.key.span, NameTarget::TrainKey);
            let kind = match key.key.text.as_str() {
                "loss" => Some(FunctionKind::Loss),
                "optimizer" => Some(FunctionKind::Optimizer),
                "metrics" => Some(FunctionKind::Metric),
                _ => None,
            };
            let known: HashMap<&'a str, usize> = HashMap::clone(&fields);
            self.scopes.push(if kind.is_some() { known } else { HashMap::new() });
            self.expr(&key.value, kind.map_or(Wanted::Value, Wanted::Kind));
            self.scopes.pop();
        }
    }

    // ---- Types

    fn type_(&mut self, ty: &'a TypeExpr) {
        self.note(ty.name.span, NameTarget::Type);
        for dim in ty.dims.iter().flatten() {
            match dim {
                DimExpr::Rest(name) => self.dimension(&name.text, name.span),
                DimExpr::Expr(Expr { kind: ExprKind::Name(name), span }) => {
                    self.dimension(name, *span);
                }
                DimExpr::Expr(expr) => self.expr(expr, Wanted::Value),
            }
        }
    }

    /// A name in a shape: one that is new binds.
    fn dimension(&mut self, name: &'a str, span: Span) {
        if let Some(found) = self.local(name).or_else(|| self.other(name, false)) {
            return self.note(span, NameTarget::Declared(found));
        }
        let index = self.table.declared.len();
        self.table.declared.push(DeclaredName {
            name: name.to_owned(),
            span,
            whole: span,
            role: NameRole::Dimension,
            doc: String::new(),
            owner: None,
        });
        self.note(span, NameTarget::Declared(index));
        if let Some(scope) = self.scopes.first_mut() {
            scope.insert(name, index);
        }
    }

    // ---- Statements and expressions

    fn block(&mut self, block: &'a Block) {
        self.scopes.push(HashMap::new());
        block.stmts.iter().for_each(|stmt| self.stmt(stmt));
        block.value.iter().for_each(|value| self.expr(value, Wanted::Value));
        self.scopes.pop();
    }

    fn stmt(&mut self, stmt: &'a Statement) {
        match &stmt.kind {
            StmtKind::Let { name, value } => {
                self.expr(value, Wanted::Value);
                self.bind(name, stmt.span, NameRole::Variable);
            }
            StmtKind::Param(it) => self.declaration(it, stmt.span, NameRole::Weight),
            StmtKind::State(it) | StmtKind::Carry(it) => {
                self.declaration(it, stmt.span, NameRole::State);
            }
            StmtKind::Require { condition, .. } => self.expr(condition, Wanted::Value),
            StmtKind::Assign { name, value } => {
                self.name(&name.text, name.span, Wanted::Value);
                self.expr(value, Wanted::Value);
            }
            StmtKind::Expr(expr) => self.expr(expr, Wanted::Value),
        }
    }

    fn declaration(&mut self, declaration: &'a Declaration, whole: Span, role: NameRole) {
        declaration.ty.iter().for_each(|ty| self.type_(ty));
        let wanted = Wanted::Kind(FunctionKind::Initializer);
        declaration.init.iter().for_each(|init| self.expr(init, wanted));
        self.bind(&declaration.name, whole, role);
    }

    fn expr(&mut self, expr: &'a Expr, wanted: Wanted) {
        match &expr.kind {
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Str(_) => {}
            ExprKind::Name(_) if wanted == Wanted::DataCall => {
                self.note(expr.span, NameTarget::DataCall);
            }
            ExprKind::Name(name) => self.name(name, expr.span, wanted),
            ExprKind::List(entries) => entries.iter().for_each(|entry| self.expr(entry, wanted)),
            ExprKind::Record(entries) => {
                entries.iter().for_each(|(_, entry)| self.expr(entry, Wanted::Value));
            }
            ExprKind::Unary(_, operand) => self.expr(operand, wanted),
            ExprKind::Binary(_, left, right) | ExprKind::Range(left, right) => {
                self.expr(left, wanted);
                self.expr(right, wanted);
            }
            ExprKind::Call(call) => self.call(call, 0, wanted),
            ExprKind::Pipe(before, stage) => {
                self.expr(before, wanted);
                self.stage(stage, wanted);
            }
            ExprKind::Member(object, member) => self.member(object, member),
            ExprKind::Index(object, at) => {
                self.expr(object, Wanted::Value);
                at.iter().for_each(|index| self.index(index));
            }
            ExprKind::If(branch) => {
                self.expr(&branch.condition, Wanted::Value);
                self.block(&branch.then);
                branch.otherwise.iter().for_each(|block| self.block(block));
            }
            ExprKind::Scan(scan) => {
                self.expr(&scan.over, Wanted::Value);
                self.arguments(&scan.settings, None, 0);
                self.scopes.push(HashMap::new());
                self.bind(&scan.slice, scan.slice.span, NameRole::Variable);
                self.block(&scan.body);
                self.scopes.pop();
            }
        }
    }

    fn index(&mut self, index: &'a Index) {
        match index {
            Index::Rest(_) => {}
            Index::At(at) => self.expr(at, Wanted::Value),
            Index::Slice { from, to, .. } => {
                from.iter().chain(to).for_each(|at| self.expr(at, Wanted::Value));
            }
        }
    }

    fn stage(&mut self, stage: &'a PipeStage, wanted: Wanted) {
        match &stage.kind {
            StageKind::Call(call) => self.call(call, 1, wanted),
            StageKind::Repeat { counter, from, to, body } => {
                from.iter().for_each(|from| self.expr(from, Wanted::Value));
                self.expr(to, Wanted::Value);
                self.scopes.push(HashMap::new());
                if let Some(counter) = counter {
                    self.bind(counter, counter.span, NameRole::Variable);
                }
                body.iter().for_each(|stage| self.stage(stage, wanted));
                let inner = self.scopes.pop().unwrap_or_default();
                // Stages that are named in the body can be applied after it.
                let is_stage = |index: &usize| self.table.declared[*index].role == NameRole::Stage;
                let kept: Vec<_> = inner.into_iter().filter(|(_, it)| is_stage(it)).collect();
                self.scopes.last_mut().into_iter().for_each(|scope| scope.extend(kept.clone()));
            }
        }
        if let Some(label) = &stage.label {
            self.bind(label, stage.span, NameRole::Stage);
        }
    }

    /// A call whose first arguments, so many, are piped in.
    fn call(&mut self, call: &'a Call, piped: usize, wanted: Wanted) {
        let (name, span) = (call.callee.text.as_str(), call.callee.span);
        if wanted == Wanted::DataCall {
            self.note(span, NameTarget::DataCall);
            for arg in &call.args {
                let inner = matches!(arg.value.kind, ExprKind::Call(_));
                let wanted = if inner { Wanted::DataCall } else { Wanted::Value };
                self.expr(&arg.value, wanted);
            }
            return;
        }
        let kind = match wanted {
            Wanted::Kind(kind) => Some(kind),
            Wanted::Value | Wanted::DataCall => None,
        };
        let label =
            self.local(name).filter(|&it| matches!(self.table.declared[it].role, NameRole::Stage));
        let found = label.or_else(|| self.function(name, kind));
        self.note(span, found.map_or(NameTarget::Operator, NameTarget::Declared));
        // A loss of a `train` block names what it compares; the operands are its first arguments.
        let implicit = match found.map(|it| self.table.declared[it].role) {
            Some(NameRole::Function(FunctionKind::Optimizer)) => 3,
            Some(NameRole::Function(FunctionKind::Schedule | FunctionKind::Initializer)) => 2,
            _ => piped,
        };
        self.arguments(&call.args, found, implicit);
    }

    fn arguments(&mut self, args: &'a [Arg], callee: Option<usize>, piped: usize) {
        let params = callee.and_then(|callee| self.params.get(&callee).copied());
        for (place, arg) in args.iter().enumerate() {
            let param = match &arg.name {
                Some(name) => {
                    let member = callee.and_then(|it| self.members.get(&(it, name.text.as_str())));
                    let target = member.map_or(NameTarget::Word, |&it| NameTarget::Declared(it));
                    self.note(name.span, target);
                    params.and_then(|params| params.iter().find(|it| it.name.text == name.text))
                }
                None => params.and_then(|params| params.get(place + piped)),
            };
            self.expr(&arg.value, param.map_or(Wanted::Value, wanted_of));
        }
    }

    fn member(&mut self, object: &'a Expr, member: &'a Name) {
        self.expr(object, Wanted::Value);
        let data = match &object.kind {
            ExprKind::Name(name) if self.local(name).is_none() => self.other(name, true),
            _ => None,
        };
        let field = data.and_then(|data| self.members.get(&(data, member.text.as_str())));
        let target = field.map_or(NameTarget::Member, |&field| NameTarget::Declared(field));
        self.note(member.span, target);
    }
}

/// The kind of thing that an argument of this parameter is.
fn wanted_of(param: &ParamDecl) -> Wanted {
    match param.ty.as_ref().map(|ty| (ty.name.text.as_str(), ty.dims.is_none())) {
        Some(("initializer", _)) => Wanted::Kind(FunctionKind::Initializer),
        Some(("f32", true)) => Wanted::Kind(FunctionKind::Schedule),
        _ => Wanted::Value,
    }
}
