//! Walks over the tree: every expression, stage and type of an item, in the order of the text.

use super::ast::{
    ArgDomain, ArgDomainKind, Block, Call, DimExpr, Expr, ExprKind, Function, If, Index, Item,
    ItemKind, Name, PipeStage, StageKind, StmtKind, TypeExpr,
};
use crate::base::source::Span;

/// A node that a walk visits.
#[derive(Clone, Copy, Debug)]
pub enum SyntaxNode<'a> {
    /// An expression, before those in it.
    Expr(&'a Expr),
    /// A stage, before what is in it.
    Stage(&'a PipeStage),
    /// A declared type, before its dimensions.
    Type(&'a TypeExpr),
    /// The name that an assignment writes, or that a `train` block names.
    Name(&'a Name),
}

/// A name where it is used, not where it is declared.
#[derive(Clone, Copy, Debug)]
pub struct Mention<'a> {
    /// The name.
    pub name: &'a str,
    /// Where.
    pub span: Span,
}

/// Every name that a function mentions.
pub fn mentions(function: &Function) -> Vec<Mention<'_>> {
    let mut found = Vec::new();
    function_nodes(function, &mut |node| mention(node, &mut found));
    found
}

/// Every name that an item mentions.
pub fn mentions_of_item(item: &Item) -> Vec<Mention<'_>> {
    let mut found = Vec::new();
    item_nodes(item, &mut |node| mention(node, &mut found));
    found
}

fn mention<'a>(node: SyntaxNode<'a>, found: &mut Vec<Mention<'a>>) {
    let mut add = |name: &'a str, span| found.push(Mention { name, span });
    match node {
        SyntaxNode::Expr(Expr { kind: ExprKind::Name(name), span }) => add(name, *span),
        SyntaxNode::Expr(Expr { kind: ExprKind::Call(call), .. }) => {
            add(&call.callee.text, call.callee.span);
        }
        SyntaxNode::Stage(PipeStage { kind: StageKind::Call(call), .. }) => {
            add(&call.callee.text, call.callee.span);
        }
        SyntaxNode::Type(ty) => {
            for dim in ty.dims.iter().flatten() {
                if let DimExpr::Rest(name) = dim {
                    add(&name.text, name.span);
                }
            }
        }
        SyntaxNode::Name(name) => add(&name.text, name.span),
        SyntaxNode::Expr(_) | SyntaxNode::Stage(_) => {}
    }
}

/// Every name that an expression mentions.
pub fn mentions_of(expr: &Expr) -> Vec<Mention<'_>> {
    let mut found = Vec::new();
    expr_nodes(expr, &mut |node| mention(node, &mut found));
    found
}

/// Every call of a function's body, with the place of the whole.
pub fn calls(function: &Function) -> Vec<(&Call, Span)> {
    let mut found = Vec::new();
    function_nodes(function, &mut |node| match node {
        SyntaxNode::Expr(Expr { kind: ExprKind::Call(call), span }) => found.push((call, *span)),
        SyntaxNode::Stage(PipeStage { kind: StageKind::Call(call), span, .. }) => {
            found.push((call, *span))
        }
        _ => {}
    });
    found
}

/// The names of dimensions that a shape binds or uses.
pub fn dim_names(dims: &[DimExpr]) -> impl Iterator<Item = &str> {
    dims.iter().filter_map(|dim| match dim {
        DimExpr::Expr(Expr { kind: ExprKind::Name(name), .. }) => Some(name.as_str()),
        DimExpr::Rest(name) => Some(name.text.as_str()),
        DimExpr::Expr(_) => None,
    })
}

/// The blocks directly in a block: the branches of its `if`s, the bodies of its scans.
pub fn blocks(block: &Block) -> Vec<&Block> {
    let mut found = Vec::new();
    let exprs = block.stmts.iter().filter_map(|stmt| match &stmt.kind {
        StmtKind::Let { value, .. } | StmtKind::Assign { value, .. } => Some(value),
        StmtKind::Expr(expr) => Some(expr),
        StmtKind::Param(_) | StmtKind::State(_) | StmtKind::Carry(_) => None,
        StmtKind::Require { .. } => None,
    });
    for expr in exprs.chain(block.value.as_deref()) {
        match &expr.kind {
            ExprKind::If(If { then, otherwise, .. }) => {
                found.push(then);
                found.extend(otherwise);
            }
            ExprKind::Scan(scan) => found.push(&scan.body),
            _ => {}
        }
    }
    found
}

/// Calls `meet` for everything in an item.
pub fn item_nodes<'a>(item: &'a Item, meet: &mut dyn FnMut(SyntaxNode<'a>)) {
    match &item.kind {
        ItemKind::Use { .. } => {}
        ItemKind::Const { value, .. } => expr_nodes(value, meet),
        ItemKind::Data { value, fields, .. } => {
            expr_nodes(value, meet);
            fields.iter().flatten().for_each(|field| expr_nodes(&field.value, meet));
        }
        ItemKind::Function(function) => function_nodes(function, meet),
        ItemKind::Train(train) => {
            meet(SyntaxNode::Name(&train.model));
            train.data.iter().for_each(|data| meet(SyntaxNode::Name(data)));
            train.keys.iter().for_each(|key| expr_nodes(&key.value, meet));
        }
    }
}

/// Calls `meet` for everything in a function.
pub fn function_nodes<'a>(function: &'a Function, meet: &mut dyn FnMut(SyntaxNode<'a>)) {
    for param in &function.params {
        param.ty.iter().for_each(|ty| type_nodes(ty, meet));
        param.domain.iter().for_each(|domain| domain_nodes(domain, meet));
        param.default.iter().for_each(|default| expr_nodes(default, meet));
    }
    let parts = function.parts.iter().map(|part| &part.ty);
    function.result.iter().chain(parts).for_each(|ty| type_nodes(ty, meet));
    block_nodes(&function.body, meet);
    let over = function.over.iter().filter_map(|over| over.block.as_ref());
    over.for_each(|block| block_nodes(block, meet));
}

fn type_nodes<'a>(ty: &'a TypeExpr, meet: &mut dyn FnMut(SyntaxNode<'a>)) {
    meet(SyntaxNode::Type(ty));
    for dim in ty.dims.iter().flatten() {
        if let DimExpr::Expr(expr) = dim {
            expr_nodes(expr, meet);
        }
    }
}

fn domain_nodes<'a>(domain: &'a ArgDomain, meet: &mut dyn FnMut(SyntaxNode<'a>)) {
    match &domain.kind {
        ArgDomainKind::Range { low, high, .. } => {
            expr_nodes(low, meet);
            expr_nodes(high, meet);
        }
        ArgDomainKind::Bound(_, bound) => expr_nodes(bound, meet),
        ArgDomainKind::OneOf(list) => expr_nodes(list, meet),
    }
}

fn block_nodes<'a>(block: &'a Block, meet: &mut dyn FnMut(SyntaxNode<'a>)) {
    for stmt in &block.stmts {
        match &stmt.kind {
            StmtKind::Let { value, .. } => expr_nodes(value, meet),
            StmtKind::Param(declaration)
            | StmtKind::State(declaration)
            | StmtKind::Carry(declaration) => {
                declaration.ty.iter().for_each(|ty| type_nodes(ty, meet));
                declaration.init.iter().for_each(|init| expr_nodes(init, meet));
            }
            StmtKind::Require { condition, .. } => expr_nodes(condition, meet),
            StmtKind::Assign { name, value } => {
                meet(SyntaxNode::Name(name));
                expr_nodes(value, meet);
            }
            StmtKind::Expr(expr) => expr_nodes(expr, meet),
        }
    }
    block.value.iter().for_each(|value| expr_nodes(value, meet));
}

fn expr_nodes<'a>(expr: &'a Expr, meet: &mut dyn FnMut(SyntaxNode<'a>)) {
    meet(SyntaxNode::Expr(expr));
    match &expr.kind {
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Bool(_)
        | ExprKind::Str(_)
        | ExprKind::Name(_) => {}
        ExprKind::List(entries) => entries.iter().for_each(|entry| expr_nodes(entry, meet)),
        ExprKind::Record(entries) => {
            entries.iter().for_each(|(_, entry)| expr_nodes(entry, meet));
        }
        ExprKind::Unary(_, operand) => expr_nodes(operand, meet),
        ExprKind::Binary(_, left, right) | ExprKind::Range(left, right) => {
            expr_nodes(left, meet);
            expr_nodes(right, meet);
        }
        ExprKind::Call(call) => call.args.iter().for_each(|arg| expr_nodes(&arg.value, meet)),
        ExprKind::Pipe(before, stage) => {
            expr_nodes(before, meet);
            stage_nodes(stage, meet);
        }
        ExprKind::Member(object, _) => expr_nodes(object, meet),
        ExprKind::Index(object, at) => {
            expr_nodes(object, meet);
            for index in at {
                match index {
                    Index::Rest(_) => {}
                    Index::At(at) => expr_nodes(at, meet),
                    Index::Slice { from, to, .. } => {
                        from.iter().chain(to).for_each(|at| expr_nodes(at, meet));
                    }
                }
            }
        }
        ExprKind::If(branch) => {
            expr_nodes(&branch.condition, meet);
            block_nodes(&branch.then, meet);
            branch.otherwise.iter().for_each(|block| block_nodes(block, meet));
        }
        ExprKind::Scan(scan) => {
            expr_nodes(&scan.over, meet);
            scan.settings.iter().for_each(|setting| expr_nodes(&setting.value, meet));
            block_nodes(&scan.body, meet);
        }
    }
}

fn stage_nodes<'a>(stage: &'a PipeStage, meet: &mut dyn FnMut(SyntaxNode<'a>)) {
    meet(SyntaxNode::Stage(stage));
    match &stage.kind {
        StageKind::Call(call) => call.args.iter().for_each(|arg| expr_nodes(&arg.value, meet)),
        StageKind::Repeat { from, to, body, .. } => {
            from.iter().for_each(|from| expr_nodes(from, meet));
            expr_nodes(to, meet);
            body.iter().for_each(|stage| stage_nodes(stage, meet));
        }
    }
}
