//! Members: the parts of a record, and numbers that are known of data.
//!
//! ```text
//! result.kind               a part of the record `result`
//! photos.classes            the number of classes of the data's target
//! penguins.island.count     the number of categories of a field
//! penguins.measures.size    the extent of a field's last axis
//! prices.price.mean         the mean by which it was standardised; `std` likewise
//! ```
//!
//! A name in scope hides data of the same name.

use super::arguments::Expect;
use super::context::{Elaborator, ErrorReported, Eval};
use super::value::Value;
use crate::base::codes;
use crate::base::diagnostic::{Diagnostic, Edit};
use crate::base::schema::{Field, FieldTransform, Schema};
use crate::base::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind};

/// The members of a field.
const OF_FIELD: [&str; 4] = ["count", "size", "mean", "std"];

impl<'a> Elaborator<'a> {
    /// `value.member`.
    pub fn member(&mut self, object: &'a Expr, member: &'a ast::Name, span: Span) -> Eval<Value> {
        match &object.kind {
            ExprKind::Name(name) if self.frame().find(name).is_none() => {
                self.data_member(name, object.span, member, span)
            }
            ExprKind::Member(inner, field) => match &inner.kind {
                ExprKind::Name(data) if self.frame().find(data).is_none() => {
                    self.field_member(data, inner.span, field, member, span)
                }
                _ => self.record_member(object, member),
            },
            _ => self.record_member(object, member),
        }
    }

    /// A part of a record.
    fn record_member(&mut self, object: &'a Expr, member: &'a ast::Name) -> Eval<Value> {
        let value = self.expr(object, Expect::Any)?;
        let Value::Record(entries) = &value else {
            let found = self.describe(&value);
            let message = format!("only records and data have members, and this is {found}");
            return Err(self.error(codes::WRONG_KIND, object.span, message));
        };
        if let Some((_, value)) = entries.iter().find(|(name, _)| *name == member.text) {
            return Ok(value.clone());
        }
        let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
        let message = format!("the record has no `{}`", member.text);
        let error = Diagnostic::error(codes::UNKNOWN_NAME, message)
            .primary(member.span, "")
            .misspelt(member.span, &member.text, names.iter().copied());
        Err(self.report(error.or_help(|| format!("its parts are {}", names.join(", ")))))
    }

    /// `penguins.island.count`.
    fn field_member(
        &mut self,
        data: &'a str,
        place: Span,
        field: &'a ast::Name,
        member: &'a ast::Name,
        span: Span,
    ) -> Eval<Value> {
        let Some(schema) = self.known_data(data, place)? else {
            return Err(self.unknown_member(data, &format!("the field `{}`", field.text), span));
        };
        let Some(found) = schema.field(&field.text) else {
            let names: Vec<&str> = schema.fields.iter().map(|field| &field.name[..]).collect();
            let message = format!("`{data}` has no field `{}`", field.text);
            let error = Diagnostic::error(codes::UNKNOWN_NAME, message)
                .primary(field.span, "")
                .misspelt(field.span, &field.text, names.iter().copied());
            let error = error.or_help(|| format!("its fields are {}", names.join(", ")));
            return Err(self.report(error));
        };
        if !OF_FIELD.contains(&member.text.as_str()) {
            let message = format!("a field has no `{}`", member.text);
            let error = Diagnostic::error(codes::UNKNOWN_NAME, message)
                .primary(member.span, "")
                .misspelt(member.span, &member.text, OF_FIELD);
            let error = error.or_help(|| format!("it has {}", OF_FIELD.join(", ")));
            return Err(self.report(error));
        }
        match of_field(found, &member.text) {
            Some(value) => Ok(value),
            None => {
                let (field, member) = (&field.text, &member.text);
                let message = format!("`{field}` of `{data}` has no `{member}`");
                let help = match member.as_str() {
                    "count" => "`count` is of categories, buckets and tokens",
                    "size" => "`size` is of a field with an axis",
                    _ => "`mean` and `std` are of a field that is standardised",
                };
                Err(self.error_help(codes::WRONG_KIND, span, message, help))
            }
        }
    }

    /// The schema of data, where it is known; an error where nothing has the name.
    fn known_data(&mut self, data: &'a str, place: Span) -> Eval<Option<&'a Schema>> {
        if self.items.find_data(data).is_none() {
            return Err(self.no_data(data, place));
        }
        Ok(self.schemas.iter().find(|(name, _)| name == data).map(|(_, schema)| schema))
    }

    fn no_data(&mut self, data: &str, place: Span) -> ErrorReported {
        let names: Vec<&str> = self.items.data.iter().map(|it| it.name.text.as_str()).collect();
        let error = Diagnostic::error(codes::UNKNOWN_NAME, format!("unknown data `{data}`"))
            .primary(place, "no `data` item has this name");
        let mut error = error.misspelt(place, data, names.iter().copied());
        if let ([only], true) = (&names[..], error.fixes.is_empty()) {
            let edits = vec![Edit { span: place, text: (*only).to_owned() }];
            error = error.fix(format!("write `{only}`"), edits);
        }
        self.report(error)
    }

    /// Something of data that are not there.
    fn unknown_member(&mut self, data: &str, what: &str, span: Span) -> ErrorReported {
        let item = self.items.find_data(data);
        let message = format!("{what} of `{data}` is not known");
        let mut error = Diagnostic::error(codes::NO_DATA, message).primary(span, "needed here");
        if let Some(item) = item {
            let label = "its data were not found, or no `train` block uses them";
            error = error.label(item.name.span, label);
        }
        self.needs_data(error.help("give the data, or write the number"))
    }

    /// `photos.classes`.
    fn data_member(
        &mut self,
        data: &'a str,
        place: Span,
        member: &'a ast::Name,
        span: Span,
    ) -> Eval<Value> {
        let schema = self.known_data(data, place)?;
        if member.text != "classes" {
            let message = format!("data have no `{}`", member.text);
            let error = Diagnostic::error(codes::UNKNOWN_NAME, message).primary(member.span, "");
            if let Some(field) = schema.and_then(|schema| schema.field(&member.text)) {
                let help = format!("it is a field: `{data}.{}.count` is a number", field.name);
                return Err(self.report(error.help(help)));
            }
            let edits = vec![Edit { span: member.span, text: "classes".into() }];
            let error = error
                .fix("write `classes`", edits)
                .help(format!("`{data}.classes` is the number of classes"));
            return Err(self.report(error));
        }
        match schema.map(Schema::classes) {
            Some(Some(classes)) => {
                Ok(Value::Int(i64::try_from(classes).map_err(|_| ErrorReported)?))
            }
            Some(None) => {
                let message = format!("the target of `{data}` is not a class");
                let target = schema.and_then(Schema::target).filter(|it| it.recipe.is_some());
                Err(match target.map(|target| &target.name) {
                    Some(name) => {
                        let help = format!(
                            "if its numbers are classes, say so: `{name} = category as target`, \
                             among the fields in braces"
                        );
                        self.error_help(codes::NO_DATA, span, message, help)
                    }
                    None => self.error(codes::NO_DATA, span, message),
                })
            }
            None => Err(self.unknown_member(data, "the number of classes", span)),
        }
    }
}

/// A number that is known of a field.
fn of_field(field: &Field, member: &str) -> Option<Value> {
    let int = |value: usize| i64::try_from(value).ok().map(Value::Int);
    let fitted = |of: fn(&FieldTransform) -> Option<&Vec<f64>>| {
        let transforms = &field.recipe.as_ref()?.transforms;
        let values = transforms.iter().find_map(of)?;
        Some(match &values[..] {
            [only] => Value::Float(*only),
            all => Value::List(all.iter().map(|&value| Value::Float(value)).collect()),
        })
    };
    match member {
        "count" => int(field.as_class()?.count?),
        "size" => int(*field.shape.last()?),
        "mean" => fitted(|transform| match transform {
            FieldTransform::Standardize { mean, .. } => Some(mean),
            _ => None,
        }),
        _ => fitted(|transform| match transform {
            FieldTransform::Standardize { std, .. } => Some(std),
            _ => None,
        }),
    }
}
