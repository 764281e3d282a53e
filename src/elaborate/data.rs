//! A `data` item as plain data, for whoever finds the samples.
//!
//! `data photos = images("cats", size: [64, 64]) |> normalize` is the source `images` with its
//! arguments and one transform. What they mean is not known here: names and kinds of arguments are
//! checked by the data module, which answers with a [`Schema`](crate::base::schema::Schema).

use super::arguments::Expect;
use super::builtins;
use super::context::{Elaborator, ErrorReported, Eval};
use super::items::Named;
use super::value::Value;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::syntax::ast::{Call, Expr, ExprKind, FieldDecl, StageKind};

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
    /// The fields of a sample, where they are written.
    pub fields: Option<Vec<FieldCall>>,
}

/// A field of a sample: `price = number("Price") |> log1p as target`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldCall {
    /// Its name.
    pub name: String,
    /// The place of its name.
    pub span: Span,
    /// Its kind, with arguments.
    pub kind: SourceCall,
    /// Its transforms, in order.
    pub transforms: Vec<SourceCall>,
    /// Whether it is a target.
    pub is_target: bool,
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
    /// A call: `stratified(species)`.
    Call(SourceCall),
}

/// How data begin, and how a field does, with examples.
const SOURCES: (&str, &str) = (
    "data begin with a source",
    "such as `mnist()`, `csv(\"table.csv\")` or `images(\"folder\", size: [64, 64])`",
);
const KINDS: (&str, &str) = (
    "a field begins with its kind",
    "such as `number`, `numbers([\"a\", \"b\"])` or `category(\"column\")`",
);

impl<'a> Elaborator<'a> {
    /// Reads a `data` item and evaluates its arguments.
    pub fn data_request(&mut self, item: Named<'a>) -> Eval<DataRequest> {
        let (source, transforms) = self.source_and_transforms(item.value, SOURCES)?;
        let fields = item.fields.map(|fields| {
            let calls: Vec<Eval<FieldCall>> = fields.iter().map(|it| self.field_call(it)).collect();
            calls.into_iter().collect::<Eval<Vec<FieldCall>>>()
        });
        let (name, span) = (item.name.text.clone(), item.name.span);
        Ok(DataRequest { name, span, source, transforms, fields: fields.transpose()? })
    }

    fn field_call(&mut self, field: &'a FieldDecl) -> Eval<FieldCall> {
        if let Some(role) = field.role.as_ref().filter(|role| role.text != "target") {
            let message =
                format!("a field is `as target`, or nothing is said, not `as {}`", role.text);
            let error = Diagnostic::error(codes::WRONG_KIND, message).primary(role.span, "");
            return Err(self.report(error.misspelt(role.span, &role.text, ["target"])));
        }
        let (kind, transforms) = self.source_and_transforms(&field.value, KINDS)?;
        let (name, span) = (field.name.text.clone(), field.name.span);
        Ok(FieldCall { name, span, kind, transforms, is_target: field.role.is_some() })
    }

    /// `first(…) |> transform(…) …`; `help` says how it begins.
    fn source_and_transforms(
        &mut self,
        value: &'a Expr,
        (begins, help): (&str, &str),
    ) -> Eval<(SourceCall, Vec<SourceCall>)> {
        let mut transforms = Vec::new();
        let mut first = value;
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
                return Err(self.error_help(codes::WRONG_KIND, first.span, begins, help));
            }
        };
        Ok((source, transforms))
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
        match &expr.kind {
            // What no operator is called is a word of the source's: `stratified(species)`.
            ExprKind::Call(call) if builtins::find(&call.callee.text).is_none() => {
                return Ok(DataLiteral::Call(self.source_call(call, expr.span)?));
            }
            ExprKind::List(entries) => {
                let entries: Vec<Eval<DataLiteral>> =
                    entries.iter().map(|entry| self.literal(entry)).collect();
                return Ok(DataLiteral::List(entries.into_iter().collect::<Eval<_>>()?));
            }
            _ => {}
        }
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
        Value::Batch(_) | Value::Tensor(_) | Value::Record(_) => return None,
        Value::Initializer(_) | Value::None => return None,
    })
}
