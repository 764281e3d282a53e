//! The syntax tree of items and statements, from the grammar's matches.
//!
//! In: pest's pairs of one piece of a file. Out: [`ast`] nodes with their places in the whole
//! file, or the first thing that the grammar lets through and the language does not (a number out
//! of range, chained comparisons). Expressions are in `expressions.rs`.
//!
//! The grammar guarantees the shape of every pair, so what it guarantees is only `expect`ed here.

mod expressions;

use pest::iterators::{Pair, Pairs};

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::Edit;
use crate::base::source::{FileId, Span};
use crate::syntax::ast::*;
use crate::syntax::grammar::{ParseResult, Rule};
use crate::syntax::slips;
use expressions::binary;

/// How high a syntax tree may grow: open brackets, operators and stages above one another. It
/// bounds the stack of everything that walks the tree.
const MAX_HEIGHT: usize = 256;

/// Turns pairs into nodes.
pub(super) struct TreeBuilder<'a> {
    file: FileId,
    text: &'a str,
    /// Where the piece that was parsed begins in the file.
    base: usize,
    /// How many levels of the tree are above the node being built.
    height: usize,
}

impl<'a> TreeBuilder<'a> {
    pub(super) fn new(file: FileId, text: &'a str, base: usize) -> Self {
        TreeBuilder { file, text, base, height: 0 }
    }

    /// The items of a matched `file`.
    pub(super) fn items(&mut self, mut pairs: Pairs<Rule>) -> ParseResult<Vec<Item>> {
        let file = pairs.next().expect("one file");
        file.into_inner()
            .filter(|pair| pair.as_rule() == Rule::item)
            .map(|pair| self.item(pair))
            .collect()
    }

    fn item(&mut self, pair: Pair<Rule>) -> ParseResult<Item> {
        let span = self.span(&pair);
        let doc = doc_before(&self.text[..span.start as usize]);
        let pair = only(pair);
        let rule = pair.as_rule();
        let mut inner = pair.into_inner();
        let word = inner.next().expect("the item's word");
        let kind = match rule {
            Rule::use_item => {
                let path = inner.next().expect("a path");
                ItemKind::Use { path_span: self.span(&path), path: self.string(&path)? }
            }
            Rule::const_item => {
                let (name, value) = self.binding(&mut inner)?;
                ItemKind::Const { name, value }
            }
            Rule::data_item => self.data(inner)?,
            Rule::train_item => ItemKind::Train(self.train(inner)?),
            _ => ItemKind::Function(self.function(function_kind(word.as_str()), inner)?),
        };
        Ok(Item { kind, doc, span })
    }

    fn function(&mut self, kind: FunctionKind, mut inner: Pairs<Rule>) -> ParseResult<Function> {
        let name = self.name(&inner.next().expect("a name"));
        let params = inner
            .next()
            .expect("parameters")
            .into_inner()
            .filter(|pair| pair.as_rule() == Rule::parameter)
            .map(|pair| self.parameter(pair))
            .collect::<ParseResult<_>>()?;
        let (mut result, mut parts) = (None, Vec::new());
        let mut next = inner.next().expect("a result or a body");
        if next.as_rule() == Rule::result {
            let ty = last(next);
            match ty.as_rule() {
                Rule::record_type => parts = self.part_types(ty)?,
                _ => result = Some(self.ty(ty)?),
            }
            next = inner.next().expect("a body");
        }
        let mut goal = None;
        if next.as_rule() == Rule::goal {
            goal = Some(self.goal(kind, &next)?);
            next = inner.next().expect("a body");
        }
        let body = self.block(next)?;
        let over = inner.next().map(|pair| self.over(kind, pair)).transpose()?;
        Ok(Function { kind, name, params, result, parts, goal, body, over })
    }

    /// `data name = source(…) { field = … }`.
    fn data(&mut self, mut inner: Pairs<Rule>) -> ParseResult<ItemKind> {
        let name = self.name(&inner.next().expect("a name"));
        let mut parts = inner.filter(|pair| matches!(pair.as_rule(), Rule::expr | Rule::fields));
        let value = self.expr(parts.next().expect("a source"))?;
        let fields = parts.next().map(|fields| {
            let fields = fields.into_inner().filter(|pair| pair.as_rule() == Rule::field);
            fields.map(|field| self.field(field)).collect::<ParseResult<_>>()
        });
        Ok(ItemKind::Data { name, value, fields: fields.transpose()? })
    }

    /// `name = kind(…) |> transform(…) as target`.
    fn field(&mut self, pair: Pair<Rule>) -> ParseResult<FieldDecl> {
        let mut inner = pair.into_inner();
        let name = self.name(&inner.next().expect("a name"));
        let mut parts = inner.filter(|pair| matches!(pair.as_rule(), Rule::expr | Rule::role));
        let mut value = self.expr(parts.next().expect("a value"))?;
        let mut role = parts.next().map(|role| self.name(&last(role)));
        // Behind a transform, the grammar takes the role for the name of a stage.
        if let ExprKind::Pipe(_, stage) = &mut value.kind
            && role.is_none()
        {
            role = stage.label.take();
        }
        Ok(FieldDecl { name, value, role })
    }

    fn part_types(&mut self, pair: Pair<Rule>) -> ParseResult<Vec<PartDecl>> {
        let parts = pair.into_inner().filter(|pair| pair.as_rule() == Rule::part_type);
        parts
            .map(|part| {
                let mut inner = part.into_inner();
                let name = self.name(&inner.next().expect("a name"));
                let ty = self.ty(last(inner.next().expect("a type")))?;
                Ok(PartDecl { name, ty })
            })
            .collect()
    }

    /// `over mean { … }` or `over roc_auc`, which only a metric has.
    fn over(&mut self, kind: FunctionKind, pair: Pair<Rule>) -> ParseResult<Over> {
        let span = self.span(&pair);
        if kind != FunctionKind::Metric {
            let error = Diagnostic::error(codes::DECLARATION, "only a metric has an `over`");
            return Err(Box::new(error.primary(span, "")));
        }
        let mut inner = pair.into_inner().filter(|pair| pair.as_rule() != Rule::kw_over);
        let name = self.name(&inner.next().expect("a name"));
        let block = inner.next().map(|block| self.block(block)).transpose()?;
        Ok(Over { name, block })
    }

    /// `minimize` or `maximize`, which only a metric has.
    fn goal(&mut self, kind: FunctionKind, pair: &Pair<Rule>) -> ParseResult<Goal> {
        let word = pair.as_str();
        if kind != FunctionKind::Metric {
            let message = format!("only a metric is declared `{word}`");
            let span = self.span(pair);
            let error = Diagnostic::error(codes::DECLARATION, message).primary(span, "");
            let edits = vec![Edit { span, text: String::new() }];
            return Err(Box::new(error.fix("leave it out", edits)));
        }
        Ok(if word == "minimize" { Goal::Minimize } else { Goal::Maximize })
    }

    fn parameter(&mut self, pair: Pair<Rule>) -> ParseResult<ParamDecl> {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let name = self.name(&inner.next().expect("a name"));
        let (mut ty, mut or_none, mut domain, mut default) = (None, None, None, None);
        for pair in inner {
            match pair.as_rule() {
                Rule::of_type => ty = Some(self.ty(last(pair))?),
                Rule::or_none => or_none = Some(self.span(&pair)),
                Rule::domain => domain = Some(self.domain(pair)?),
                _ => default = Some(self.expr(last(pair))?),
            }
        }
        Ok(ParamDecl { name, ty, or_none, domain, default, span })
    }

    /// `in low..high`, `in low..=high`, `in list` or `>= bound`.
    fn domain(&mut self, pair: Pair<Rule>) -> ParseResult<ArgDomain> {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let word = inner.next().expect("`in` or a comparison");
        let first = self.operation(inner.next().expect("a bound or a list"))?;
        let kind = match (word.as_rule(), inner.next()) {
            (Rule::kw_in, Some(dots)) => {
                let closed = dots.as_rule() == Rule::dots_to;
                let high = self.operation(inner.next().expect("the upper end"))?;
                ArgDomainKind::Range { low: first, high, closed }
            }
            (Rule::kw_in, None) => ArgDomainKind::OneOf(first),
            (comparison, _) => ArgDomainKind::Bound(binary(comparison), first),
        };
        Ok(ArgDomain { kind, span })
    }

    /// `name: type = value`, where the type and the value may be missing.
    fn declared(&mut self, inner: &mut Pairs<Rule>) -> ParseResult<Declaration> {
        let name = self.name(&inner.next().expect("a name"));
        let (mut ty, mut init) = (None, None);
        for pair in inner {
            match pair.as_rule() {
                Rule::of_type => ty = Some(self.ty(last(pair))?),
                _ => init = Some(self.expr(last(pair))?),
            }
        }
        Ok(Declaration { name, ty, init })
    }

    fn ty(&mut self, pair: Pair<Rule>) -> ParseResult<TypeExpr> {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let name = self.name(&inner.next().expect("a name"));
        let dims = match inner.next() {
            Some(dims) => Some(
                dims.into_inner()
                    .filter(|pair| pair.as_rule() == Rule::dim)
                    .map(|pair| self.dim(only(pair)))
                    .collect::<ParseResult<_>>()?,
            ),
            None => None,
        };
        Ok(TypeExpr { name, dims, span })
    }

    fn dim(&mut self, pair: Pair<Rule>) -> ParseResult<DimExpr> {
        match pair.as_rule() {
            Rule::rest_dim => Ok(DimExpr::Rest(self.name(&last(pair)))),
            _ => Ok(DimExpr::Expr(self.expr(pair)?)),
        }
    }

    fn train(&mut self, mut inner: Pairs<Rule>) -> ParseResult<Train> {
        let model = self.name(&inner.next().expect("a model"));
        let mut data = None;
        let mut keys = Vec::new();
        for pair in inner {
            match pair.as_rule() {
                Rule::on_data => data = Some(self.name(&last(pair))),
                Rule::train_keys => {
                    for key in pair.into_inner() {
                        let (key, value) = self.binding(&mut key.into_inner())?;
                        keys.push(TrainKey { key, value });
                    }
                }
                _ => {}
            }
        }
        Ok(Train { model, data, keys })
    }

    /// `name = expr`, with the `=` or `<-` among the pairs.
    fn binding(&mut self, inner: &mut Pairs<Rule>) -> ParseResult<(Name, Expr)> {
        let name = self.name(&inner.next().expect("a name"));
        let value = self.expr(inner.next_back().expect("a value"))?;
        Ok((name, value))
    }

    pub(super) fn block(&mut self, pair: Pair<Rule>) -> ParseResult<Block> {
        let span = self.span(&pair);
        let mut stmts = pair
            .into_inner()
            .filter(|pair| pair.as_rule() == Rule::statement)
            .map(|pair| self.statement(only(pair)))
            .collect::<ParseResult<Vec<_>>>()?;
        self.check_used(&stmts)?;
        let value = match stmts.pop() {
            Some(Statement { kind: StmtKind::Expr(value), .. }) => Some(Box::new(value)),
            Some(stmt) => {
                stmts.push(stmt);
                None
            }
            None => None,
        };
        Ok(Block { stmts, value, span })
    }

    /// Only an `if` does something without being a block's value. Any other value left standing is
    /// most often half of an expression that a line break has cut.
    fn check_used(&self, stmts: &[Statement]) -> ParseResult<()> {
        let cuts = |stmt: &Statement| {
            let sign = self.text[stmt.span.start as usize..].chars().next();
            sign.filter(|sign| "-([".contains(*sign))
                .map(|_| Span { end: stmt.span.start + 1, ..stmt.span })
        };
        for (i, stmt) in stmts.iter().enumerate().take(stmts.len().saturating_sub(1)) {
            match &stmt.kind {
                StmtKind::Expr(expr) if !matches!(expr.kind, ExprKind::If(_)) => {}
                _ => continue,
            }
            let above = i.checked_sub(1).map(|above| stmts[above].span);
            if let (Some(sign), Some(above)) = (cuts(stmt), above) {
                return Err(Box::new(slips::line_start(self.text, sign, above)));
            }
            if let Some(sign) = cuts(&stmts[i + 1]) {
                return Err(Box::new(slips::line_start(self.text, sign, stmt.span)));
            }
            let error = Diagnostic::error(codes::UNUSED_VALUE, "this value is not used")
                .primary(stmt.span, "not the last expression of its block")
                .help("give it a name with `let`, or remove it");
            return Err(Box::new(error));
        }
        Ok(())
    }

    fn statement(&mut self, pair: Pair<Rule>) -> ParseResult<Statement> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::let_ => {
                let mut inner = pair.into_inner();
                inner.next();
                let (name, value) = self.binding(&mut inner)?;
                StmtKind::Let { name, value }
            }
            Rule::declaration => {
                let mut inner = pair.into_inner();
                let word = inner.next().expect("`param`, `state` or `carry`");
                let declared = self.declared(&mut inner)?;
                match word.as_rule() {
                    Rule::kw_param => StmtKind::Param(declared),
                    Rule::kw_carry => StmtKind::Carry(declared),
                    _ => StmtKind::State(declared),
                }
            }
            Rule::require_ => {
                let mut inner = pair.into_inner();
                inner.next();
                let condition = self.expr(inner.next().expect("a condition"))?;
                let message = match inner.next_back() {
                    Some(text) => Some(self.string(&text)?),
                    None => None,
                };
                StmtKind::Require { condition, message }
            }
            Rule::assign => {
                let (name, value) = self.binding(&mut pair.into_inner())?;
                StmtKind::Assign { name, value }
            }
            _ => StmtKind::Expr(self.expr(pair)?),
        };
        Ok(Statement { kind, span })
    }

    pub(super) fn name(&self, pair: &Pair<Rule>) -> Name {
        Name { text: pair.as_str().to_string(), span: self.span(pair) }
    }

    /// Where a pair is: from its first byte to the end of its last token. (Where the rest of a
    /// rule is optional, pest's own span runs on over the spaces before what is not there.)
    pub(super) fn span(&self, pair: &Pair<Rule>) -> Span {
        let mut last = pair.clone();
        while let Some(inner) = last.clone().into_inner().next_back() {
            last = inner;
        }
        let (start, end) = (pair.as_span().start(), last.as_span().end());
        Span::new(self.file, self.base + start, self.base + end)
    }

    /// Builds something `levels` further up in the tree.
    pub(super) fn raised<T>(
        &mut self,
        levels: usize,
        span: Span,
        build: impl FnOnce(&mut Self) -> ParseResult<T>,
    ) -> ParseResult<T> {
        if self.height + levels > MAX_HEIGHT {
            let error = Diagnostic::error(
                codes::TOO_DEEP,
                format!("more than {MAX_HEIGHT} operators and stages in one expression"),
            )
            .primary(span, "too long")
            .help("name a part of it with `let`");
            return Err(Box::new(error));
        }
        self.height += levels;
        let built = build(self);
        self.height -= levels;
        built
    }
}

fn function_kind(word: &str) -> FunctionKind {
    match word {
        "layer" => FunctionKind::Layer,
        "model" => FunctionKind::Model,
        "loss" => FunctionKind::Loss,
        "metric" => FunctionKind::Metric,
        "optimizer" => FunctionKind::Optimizer,
        "schedule" => FunctionKind::Schedule,
        _ => FunctionKind::Initializer,
    }
}

/// The `///` lines that end the text, without their slashes.
fn doc_before(text: &str) -> String {
    let lines = text
        .rsplit('\n')
        .skip(1)
        .map(|line| line.trim().strip_prefix("///").filter(|rest| !rest.starts_with('/')));
    let mut doc: Vec<&str> =
        lines.map_while(|line| line).map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    doc.reverse();
    doc.join("\n")
}

/// The one pair inside another.
pub(super) fn only(pair: Pair<Rule>) -> Pair<Rule> {
    pair.into_inner().next().expect("one pair inside")
}

/// The last pair inside another.
pub(super) fn last(pair: Pair<Rule>) -> Pair<Rule> {
    pair.into_inner().next_back().expect("a pair inside")
}
