//! The syntax tree of expressions, from the grammar's matches.
//!
//! The grammar matches a row of operands and operators flat; here they get their precedence, by
//! two stacks and not by recursion, so a long row costs no stack.
//!
//! ```text
//! - x ^ 2 * y        Binary(Mul, Unary(Neg, Binary(Pow, x, 2)), y)
//! ```

use pest::iterators::{Pair, Pairs};

use crate::base::codes;
use crate::base::diagnostic::{Diagnostic, Edit};
use crate::base::source::Span;
use crate::syntax::ast::*;
use crate::syntax::grammar::ParseResult;
use crate::syntax::grammar::Rule;
use crate::syntax::literals;
use crate::syntax::tree::{TreeBuilder, last, only};

impl TreeBuilder<'_> {
    pub(super) fn expr(&mut self, pair: Pair<Rule>) -> ParseResult<Expr> {
        let span = self.span(&pair);
        self.raised(1, span, |tree| {
            let mut inner = pair.into_inner();
            let first = tree.pipeline(inner.next().expect("a pipeline"))?;
            match inner.next_back() {
                None => Ok(first),
                Some(end) => {
                    let end = tree.pipeline(end)?;
                    let kind = ExprKind::Range(Box::new(first), Box::new(end));
                    Ok(Expr { kind, span })
                }
            }
        })
    }

    fn pipeline(&mut self, pair: Pair<Rule>) -> ParseResult<Expr> {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let source = inner.next().expect("an operation");
        let stages: Vec<_> = inner.filter(|pair| pair.as_rule() == Rule::stage).collect();
        self.raised(stages.len(), span, |tree| {
            let mut value = tree.operation(source)?;
            for pair in stages {
                let stage = tree.stage(pair)?;
                let span = value.span.to(stage.span);
                let kind = ExprKind::Pipe(Box::new(value), Box::new(stage));
                value = Expr { kind, span };
            }
            Ok(value)
        })
    }

    pub(super) fn operation(&mut self, pair: Pair<Rule>) -> ParseResult<Expr> {
        let span = self.span(&pair);
        let parts: Vec<_> = pair.into_inner().collect();
        let operators = parts.iter().filter(|part| part.as_rule() != Rule::operand).count();
        self.raised(operators, span, |tree| {
            let mut row = Row::default();
            for part in parts {
                match part.as_rule() {
                    Rule::operand => {
                        let operand = tree.operand(part)?;
                        row.values.push(operand);
                    }
                    Rule::prefix => {
                        let span = tree.span(&part);
                        row.prefix(unary(only(part).as_rule()), span)?;
                    }
                    rule => row.infix(binary(rule), tree.span(&part))?,
                }
            }
            Ok(row.finish())
        })
    }

    fn operand(&mut self, pair: Pair<Rule>) -> ParseResult<Expr> {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let primary = inner.next().expect("a primary");
        let postfixes: Vec<_> = inner.collect();
        self.raised(postfixes.len(), span, |tree| {
            let mut value = tree.primary(primary)?;
            for postfix in postfixes {
                value = tree.postfix(value, postfix)?;
            }
            Ok(value)
        })
    }

    fn primary(&mut self, pair: Pair<Rule>) -> ParseResult<Expr> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::if_ => ExprKind::If(self.if_(pair)?),
            Rule::scan => ExprKind::Scan(self.raised(1, span, |tree| tree.scan(pair))?),
            Rule::number => literals::number(pair.as_str(), span)?,
            Rule::bool => ExprKind::Bool(pair.as_str() == "true"),
            Rule::string => ExprKind::Str(self.string(&pair)?),
            Rule::list => ExprKind::List(
                pair.into_inner()
                    .filter(|pair| pair.as_rule() == Rule::expr)
                    .map(|pair| self.expr(pair))
                    .collect::<ParseResult<_>>()?,
            ),
            Rule::record => ExprKind::Record(self.record(pair)?),
            Rule::paren => {
                let inner = pair.into_inner().find(|pair| pair.as_rule() == Rule::expr);
                self.expr(inner.expect("an expression"))?.kind
            }
            _ => ExprKind::Name(pair.as_str().to_string()),
        };
        Ok(Expr { kind, span })
    }

    pub(super) fn string(&self, pair: &Pair<Rule>) -> ParseResult<String> {
        literals::string(pair.as_str(), self.span(pair))
    }

    fn postfix(&mut self, value: Expr, pair: Pair<Rule>) -> ParseResult<Expr> {
        let span = value.span.to(self.span(&pair));
        let kind = match pair.as_rule() {
            Rule::member => ExprKind::Member(Box::new(value), self.name(&last(pair))),
            Rule::index => ExprKind::Index(Box::new(value), self.index(pair)?),
            _ => {
                let ExprKind::Name(text) = value.kind else {
                    let error = Diagnostic::error(codes::NOT_CALLABLE, "only a name can be called")
                        .primary(value.span, "this is not a name")
                        .help("give it a name first, as a layer or with `let`");
                    return Err(Box::new(error));
                };
                let callee = Name { text, span: value.span };
                ExprKind::Call(Call { callee, args: self.args(pair)? })
            }
        };
        Ok(Expr { kind, span })
    }

    fn record(&mut self, pair: Pair<Rule>) -> ParseResult<Vec<(Name, Expr)>> {
        let entries = pair.into_inner().filter(|pair| pair.as_rule() == Rule::entry);
        entries
            .map(|entry| {
                let mut inner = entry.into_inner();
                let name = self.name(&only(inner.next().expect("a name")));
                Ok((name, self.expr(inner.next().expect("a value"))?))
            })
            .collect()
    }

    fn args(&mut self, pair: Pair<Rule>) -> ParseResult<Vec<Arg>> {
        let args = pair.into_inner().filter(|pair| pair.as_rule() == Rule::arg);
        args.map(|arg| self.arg(arg)).collect()
    }

    fn arg(&mut self, pair: Pair<Rule>) -> ParseResult<Arg> {
        let mut inner = pair.into_inner();
        let value = self.expr(inner.next_back().expect("a value"))?;
        Ok(Arg { name: inner.next().map(|name| self.name(&only(name))), value })
    }

    fn index(&mut self, pair: Pair<Rule>) -> ParseResult<Vec<Index>> {
        let places = pair.into_inner().filter(|pair| pair.as_rule() == Rule::index_at);
        places.map(|place| self.index_at(place)).collect()
    }

    fn index_at(&mut self, pair: Pair<Rule>) -> ParseResult<Index> {
        let span = self.span(&pair);
        let (mut from, mut slice, mut to) = (None, false, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::dots => return Ok(Index::Rest(span)),
                Rule::expr => from = Some(self.expr(part)?),
                _ => {
                    slice = true;
                    let end = part.into_inner().find(|pair| pair.as_rule() == Rule::expr);
                    to = end.map(|pair| self.expr(pair)).transpose()?;
                }
            }
        }
        match from {
            Some(Expr { kind: ExprKind::Range(start, end), span }) => {
                let dots = Span { start: start.span.end, end: end.span.start, ..span };
                let error = Diagnostic::error(codes::BAD_INDEX, "a slice is written with `:`")
                    .primary(span, "a range is not an index")
                    .fix("write `:`", vec![Edit { span: dots, text: ":".into() }]);
                Err(Box::new(error))
            }
            Some(at) if !slice => Ok(Index::At(at)),
            from => Ok(Index::Slice { from, to, span }),
        }
    }

    /// The branches are in a row; each `else if` becomes the block that the one before it lacks.
    fn if_(&mut self, pair: Pair<Rule>) -> ParseResult<If> {
        let span = self.span(&pair);
        let parts: Vec<_> =
            pair.into_inner().filter(|pair| pair.as_rule() != Rule::kw_if).collect();
        let levels = parts.iter().filter(|pair| pair.as_rule() == Rule::else_if).count();
        self.raised(levels, span, |tree| tree.branches(parts, span))
    }

    fn branches(&mut self, parts: Vec<Pair<Rule>>, span: Span) -> ParseResult<If> {
        let mut parts = parts.into_iter();
        let first = parts.by_ref().take(2).collect();
        let mut branches = vec![(span.start, self.branch(first)?)];
        let mut otherwise = None;
        for part in parts {
            let rule = part.as_rule();
            let inner: Vec<_> = part.into_inner().collect();
            if rule == Rule::else_ {
                otherwise = Some(self.block(inner.into_iter().next_back().expect("a block"))?);
            } else {
                let word = inner.iter().find(|pair| pair.as_rule() == Rule::kw_if);
                let start = self.span(word.expect("an `if`")).start;
                branches.push((start, self.branch(inner)?));
            }
        }
        let (_, (condition, then)) = branches.remove(0);
        for (start, (condition, then)) in branches.into_iter().rev() {
            let span = Span { start, ..span };
            let kind = ExprKind::If(If { condition: Box::new(condition), then, otherwise });
            let value = Some(Box::new(Expr { kind, span }));
            otherwise = Some(Block { stmts: Vec::new(), value, span });
        }
        Ok(If { condition: Box::new(condition), then, otherwise })
    }

    /// The condition and the block among some pairs.
    fn branch(&mut self, parts: Vec<Pair<Rule>>) -> ParseResult<(Expr, Block)> {
        let mut parts =
            parts.into_iter().filter(|pair| matches!(pair.as_rule(), Rule::expr | Rule::block));
        let condition = self.expr(parts.next().expect("a condition"))?;
        Ok((condition, self.block(parts.next().expect("a block"))?))
    }

    fn scan(&mut self, pair: Pair<Rule>) -> ParseResult<ScanExpr> {
        let (mut slice, mut over, mut settings, mut body) = (None, None, Vec::new(), None);
        for pair in pair.into_inner() {
            match pair.as_rule() {
                Rule::name => slice = Some(self.name(&pair)),
                Rule::expr => over = Some(Box::new(self.expr(pair)?)),
                Rule::arg => settings.push(self.arg(pair)?),
                Rule::block => body = Some(self.block(pair)?),
                _ => {}
            }
        }
        let (slice, over) = (slice.expect("a name"), over.expect("a value"));
        Ok(ScanExpr { slice, over, settings, body: body.expect("a block") })
    }

    fn stage(&mut self, pair: Pair<Rule>) -> ParseResult<PipeStage> {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let what = inner.next().expect("a stage");
        let kind = match what.as_rule() {
            Rule::repeat => self.raised(1, span, |tree| tree.repeat(what.into_inner()))?,
            _ => {
                let mut inner = what.into_inner();
                let callee = self.name(&inner.next().expect("a name"));
                let args = inner.next().map(|args| self.args(args)).transpose()?;
                StageKind::Call(Call { callee, args: args.unwrap_or_default() })
            }
        };
        let label = inner.next().map(|label| self.name(&last(label)));
        Ok(PipeStage { kind, label, span })
    }

    fn repeat(&mut self, inner: Pairs<Rule>) -> ParseResult<StageKind> {
        let (mut counter, mut count, mut body) = (None, None, Vec::new());
        for pair in inner {
            match pair.as_rule() {
                Rule::counter => counter = Some(self.name(&only(pair))),
                Rule::expr => count = Some(self.expr(pair)?),
                Rule::stage => body.push(self.stage(pair)?),
                _ => {}
            }
        }
        let (from, to) = match count.expect("a count") {
            Expr { kind: ExprKind::Range(from, to), .. } => (Some(from), to),
            to => (None, Box::new(to)),
        };
        Ok(StageKind::Repeat { counter, from, to, body })
    }
}

/// A row of operands and operators on its way to being a tree.
#[derive(Default)]
struct Row {
    values: Vec<Expr>,
    /// Operators whose right side is not complete, each looser than the next.
    waiting: Vec<(OperatorToken, Span)>,
}

#[derive(Clone, Copy, PartialEq)]
enum OperatorToken {
    Unary(UnaryOp),
    Binary(BinaryOp),
}

impl Row {
    fn prefix(&mut self, op: UnaryOp, span: Span) -> ParseResult<()> {
        let op = OperatorToken::Unary(op);
        if let Some((before, place)) = self.waiting.last()
            && op == OperatorToken::Unary(UnaryOp::Not)
            && power(*before) > power(op)
        {
            let error = Diagnostic::error(
                codes::MISPLACED_NOT,
                "`not` binds looser than what is before it",
            )
            .primary(span, "needs parentheses")
            .label(*place, "this operator binds tighter")
            .help("write `(not …)`");
            return Err(Box::new(error));
        }
        self.waiting.push((op, span));
        Ok(())
    }

    fn infix(&mut self, op: BinaryOp, span: Span) -> ParseResult<()> {
        let op = OperatorToken::Binary(op);
        while let Some(&(before, place)) = self.waiting.last() {
            if power(before) == COMPARISON && power(op) == COMPARISON {
                let error =
                    Diagnostic::error(codes::CHAINED_COMPARISON, "comparisons are not chained")
                        .primary(span, "a second comparison")
                        .label(place, "the first one")
                        .help("compare twice: `a < b and b < c`");
                return Err(Box::new(error));
            }
            let to_the_right = op == OperatorToken::Binary(BinaryOp::Pow);
            if power(before) < power(op) || (power(before) == power(op) && to_the_right) {
                break;
            }
            self.complete();
        }
        self.waiting.push((op, span));
        Ok(())
    }

    /// Gives the last waiting operator its operands.
    fn complete(&mut self) {
        let (op, place) = self.waiting.pop().expect("an operator");
        let right = self.values.pop().expect("an operand");
        let (kind, span) = match op {
            OperatorToken::Unary(op) => {
                let span = place.to(right.span);
                (ExprKind::Unary(op, Box::new(right)), span)
            }
            OperatorToken::Binary(op) => {
                let left = self.values.pop().expect("a left operand");
                let span = left.span.to(right.span);
                (ExprKind::Binary(op, Box::new(left), Box::new(right)), span)
            }
        };
        self.values.push(Expr { kind, span });
    }

    fn finish(mut self) -> Expr {
        while !self.waiting.is_empty() {
            self.complete();
        }
        self.values.pop().expect("an operand")
    }
}

const COMPARISON: u8 = 4;

/// How tightly an operator binds.
fn power(op: OperatorToken) -> u8 {
    use BinaryOp::*;
    match op {
        OperatorToken::Binary(Or) => 1,
        OperatorToken::Binary(And) => 2,
        OperatorToken::Unary(UnaryOp::Not) => 3,
        OperatorToken::Binary(Eq | Ne | Lt | Le | Gt | Ge) => COMPARISON,
        OperatorToken::Binary(Add | Sub) => 5,
        OperatorToken::Binary(Mul | Div | Matmul) => 6,
        OperatorToken::Unary(UnaryOp::Neg) => 7,
        OperatorToken::Binary(Pow) => 8,
    }
}

fn unary(rule: Rule) -> UnaryOp {
    match rule {
        Rule::not => UnaryOp::Not,
        _ => UnaryOp::Neg,
    }
}

pub(super) fn binary(rule: Rule) -> BinaryOp {
    match rule {
        Rule::or => BinaryOp::Or,
        Rule::and => BinaryOp::And,
        Rule::eq => BinaryOp::Eq,
        Rule::ne => BinaryOp::Ne,
        Rule::lt => BinaryOp::Lt,
        Rule::le => BinaryOp::Le,
        Rule::gt => BinaryOp::Gt,
        Rule::ge => BinaryOp::Ge,
        Rule::add => BinaryOp::Add,
        Rule::sub => BinaryOp::Sub,
        Rule::mul => BinaryOp::Mul,
        Rule::div => BinaryOp::Div,
        Rule::matmul => BinaryOp::Matmul,
        _ => BinaryOp::Pow,
    }
}
