//! A `data` item as plain data, for whoever finds the samples.
//!
//! `data photos = images("cats", size: [64, 64]) |> normalize` is the source `images` with its
//! arguments and one transform. What they mean is not known here: names and kinds of arguments are
//! checked by the data module, which answers with a [`Schema`](crate::base::schema::Schema).

use super::arguments::Expect;
use super::context::{Elaborator, ErrorReported, Eval};
use super::items::Named;
use super::value::Value;
use crate::base::codes;
use crate::base::source::Span;
use crate::syntax::ast::{Call, Expr, ExprKind, StageKind};

/// A `data` item: its source and transforms.
#[derive(Clone, Debug, PartialEq)]
pub struct DataRequest {
    /// Its name.
    pub name: String,
    /// The place of its name.
    pub span: Span,
    /// Where samples come from.
    pub source: SourceCall,
    /// Transforms of each sample, in order.
    pub transforms: Vec<SourceCall>,
}

/// A call of a source or transform.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceCall {
    /// Its name.
    pub name: String,
    /// The place of the name.
    pub name_span: Span,
    /// The arguments, in order.
    pub args: Vec<SourceArg>,
    /// The place of the call.
    pub span: Span,
}

/// An argument of a source or transform.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceArg {
    /// Its name, if one is written.
    pub name: Option<String>,
    /// The place of the name.
    pub name_span: Option<Span>,
    /// Its value.
    pub value: DataLiteral,
    /// The place of the value.
    pub span: Span,
}

/// A plain value.
#[derive(Clone, Debug, PartialEq)]
pub enum DataLiteral {
    /// An int.
    Int(i64),
    /// A float.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A string.
    Str(String),
    /// A bare word: `digits` in `fallback: digits`.
    Word(String),
    /// A list.
    List(Vec<DataLiteral>),
}

impl<'a> Elaborator<'a> {
    /// Reads a `data` item and evaluates its arguments.
    pub fn data_request(&mut self, item: Named<'a>) -> Eval<DataRequest> {
        let mut transforms = Vec::new();
        let mut first = item.value;
        while let ExprKind::Pipe(before, stage) = &first.kind {
            let StageKind::Call(call) = &stage.kind else {
                return Err(self.error(codes::WRONG_KIND, stage.span, "data are not repeated"));
            };
            transforms.push(self.source_call(call, stage.span)?);
            first = before;
        }
        transforms.reverse();
        let source = match &first.kind {
            ExprKind::Call(call) => self.source_call(call, first.span)?,
            ExprKind::Name(name) => SourceCall {
                name: name.clone(),
                name_span: first.span,
                args: Vec::new(),
                span: first.span,
            },
            _ => {
                return Err(self.error_help(
                    codes::WRONG_KIND,
                    first.span,
                    "data begin with a source",
                    "such as `mnist()`, `digits()` or `images(\"folder\", size: [64, 64])`",
                ));
            }
        };
        Ok(DataRequest { name: item.name.text.clone(), span: item.name.span, source, transforms })
    }

    fn source_call(&mut self, call: &'a Call, span: Span) -> Eval<SourceCall> {
        let mut args = Vec::new();
        let mut outcome = Ok(());
        for arg in &call.args {
            match self.literal(&arg.value) {
                Ok(value) => args.push(SourceArg {
                    name: arg.name.as_ref().map(|name| name.text.clone()),
                    name_span: arg.name.as_ref().map(|name| name.span),
                    value,
                    span: arg.value.span,
                }),
                Err(reported) => outcome = Err(reported),
            }
        }
        outcome.map(|()| SourceCall {
            name: call.callee.text.clone(),
            name_span: call.callee.span,
            args,
            span,
        })
    }

    fn literal(&mut self, expr: &'a Expr) -> Eval<DataLiteral> {
        let value = self.expr(expr, Expect::Word)?;
        match plain(&value) {
            Some(literal) => Ok(literal),
            None => {
                let found = self.describe(&value);
                let message = format!("a number, string, word or list is needed, found {found}");
                self.error(codes::WRONG_KIND, expr.span, message);
                Err(ErrorReported)
            }
        }
    }
}

fn plain(value: &Value) -> Option<DataLiteral> {
    Some(match value {
        Value::Int(value) => DataLiteral::Int(*value),
        Value::Float(value) => DataLiteral::Float(*value),
        Value::Bool(value) => DataLiteral::Bool(*value),
        Value::Str(text) => DataLiteral::Str(text.clone()),
        Value::Word(word) => DataLiteral::Word(word.clone()),
        Value::List(values) => DataLiteral::List(values.iter().map(plain).collect::<Option<_>>()?),
        Value::Batch(_) | Value::Tensor(_) | Value::Initializer(_) => return None,
    })
}
