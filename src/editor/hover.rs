//! Facts on the thing under the cursor: signature, documentation, and its values and costs in
//! this program.

use super::analysis::Analysis;
use super::headers::{documentation, header};
use super::meanings;
use super::names::{DeclaredName, NameRole, NameTarget};
use super::signature::built_in;
use crate::base::schema::{Field, FieldKind, Schema};
use crate::base::source::Span;
use crate::base::units::short;
use crate::elaborate::{DocKind, ShownValue};
use crate::syntax::{TokenKind, ast, tokens, walk};
use std::fmt::Write;

/// A text in Markdown, and the place that it is about.
pub(super) struct Hovered {
    pub text: String,
    pub span: Span,
}

/// The text on the thing at a byte of the file.
pub(super) fn hover(analysis: &Analysis, byte: usize) -> Option<Hovered> {
    let Some(name) = analysis.names.at(analysis.main, byte) else {
        return of_word(analysis, byte).or_else(|| of_expression(analysis, byte));
    };
    let mut text = match name.target {
        NameTarget::Declared(index) => of_declared(analysis, index),
        NameTarget::Operator => of_operator(analysis, name.span),
        NameTarget::DataCall => of_data_call(analysis.sources.text(name.span)),
        NameTarget::TrainKey => of_key(analysis.sources.text(name.span))?,
        NameTarget::Type => of_type(analysis.sources.text(name.span))?,
        NameTarget::Member | NameTarget::Word => String::new(),
    };
    if let Some(values) = values_of(analysis, name.span, name.target) {
        append(&mut text, &described(values));
    }
    (!text.is_empty()).then_some(Hovered { text, span: name.span })
}

/// Adds a paragraph.
fn append(text: &mut String, paragraph: &str) {
    if !text.is_empty() && !paragraph.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(paragraph);
}

/// Code in Markdown.
fn code(text: &str) -> String {
    format!("```nn\n{text}\n```")
}

// ---- Declarations

fn of_declared(analysis: &Analysis, index: usize) -> String {
    let declared = &analysis.names.declared[index];
    let mut text = match declared.role {
        NameRole::Function(_) => header(analysis, declared).map(|it| code(&it)).unwrap_or_default(),
        NameRole::Data => {
            let mut text = code(&format!("data {}", declared.name));
            if let Some(schema) = analysis.schema(&declared.name) {
                append(&mut text, &of_schema(schema));
            }
            text
        }
        NameRole::Field => {
            let owner = declared.owner.map(|owner| &analysis.names.declared[owner]);
            let schema = owner.and_then(|owner| analysis.schema(&owner.name));
            let field = schema.and_then(|schema| schema.field(&declared.name));
            code(&field.map_or(format!("{} = …", declared.name), of_field))
        }
        NameRole::Constant | NameRole::Argument => code(&line(analysis, declared.whole)),
        NameRole::Weight | NameRole::State => code(&line(analysis, declared.whole)),
        NameRole::Dimension => format!("the dimension `{}`", declared.name),
        NameRole::Variable => format!("`{}`", declared.name),
        NameRole::Stage => format!("the stage `{}`: `x |> {0}` applies it again", declared.name),
    };
    append(&mut text, &documentation(declared));
    let field = field_of_input(analysis, declared);
    append(&mut text, &field.unwrap_or_default());
    text
}

/// The field of the data that a model's input takes.
fn field_of_input(analysis: &Analysis, declared: &DeclaredName) -> Option<String> {
    if declared.role != NameRole::Argument {
        return None;
    }
    let owner = &analysis.names.declared[declared.owner?];
    let is_model = owner.role == NameRole::Function(ast::FunctionKind::Model);
    let mut fields = analysis.schemas.iter().filter_map(|(data, schema)| {
        Some(format!("of `{data}`: `{}`", of_field(schema.field(&declared.name)?)))
    });
    fields.next().filter(|_| is_model)
}

/// The first line of a place.
fn line(analysis: &Analysis, span: Span) -> String {
    analysis.sources.text(span).lines().next().unwrap_or_default().trim().to_owned()
}

// ---- Data

/// `image: u8[28, 28, 1]`, and what a class is.
pub(super) fn of_field(field: &Field) -> String {
    let extents: Vec<String> = field.shape.iter().map(usize::to_string).collect();
    let shape = match extents.is_empty() {
        true => String::new(),
        false => format!("[{}]", extents.join(", ")),
    };
    let meaning = match &field.kind {
        FieldKind::Class(class) => match class.count {
            Some(count) => format!(", a class of {count}"),
            None => ", a class".to_owned(),
        },
        FieldKind::Image(_) | FieldKind::Number => String::new(),
    };
    let target = if field.is_target { ", the target" } else { "" };
    format!("{}: {}{shape}{meaning}{target}", field.name, field.dtype)
}

/// The fields and counts of data.
fn of_schema(schema: &Schema) -> String {
    let fields = schema.fields.iter().map(|field| format!("- `{}`", of_field(field)));
    let mut text = fields.collect::<Vec<_>>().join("\n");
    let splits = [("train", schema.train), ("validate", schema.validation), ("test", schema.test)];
    let counts = splits.iter().filter_map(|(name, count)| {
        let count = count.filter(|&count| count > 0)?;
        Some(format!("{count} samples to {name} on"))
    });
    append(&mut text, &counts.collect::<Vec<_>>().join(", "));
    text
}

// ---- Words of the language

fn of_operator(analysis: &Analysis, span: Span) -> String {
    match built_in(analysis.sources.text(span)) {
        Some((label, ..)) => format!("{}\n\na built-in operator", code(&label)),
        None => String::new(),
    }
}

fn of_data_call(name: &str) -> String {
    let mut text = built_in(name).map(|(label, ..)| code(&label)).unwrap_or_default();
    append(&mut text, meanings::of(DocKind::Field, name).unwrap_or_default());
    text
}

fn of_key(key: &str) -> Option<String> {
    let (meaning, default) = (meanings::of(DocKind::Setting, key)?, meanings::default_of(key)?);
    let key = code(&format!("{key} = …"));
    Some(match default {
        meanings::REQUIRED => format!("{key}\n\n{meaning}\n\nIt {default}."),
        default => format!("{key}\n\n{meaning}\n\nDefault: `{default}`"),
    })
}

fn of_type(name: &str) -> Option<String> {
    Some(format!("`{name}`: {}", meanings::of(DocKind::Type, name)?))
}

/// The word that begins an item.
fn of_word(analysis: &Analysis, byte: usize) -> Option<Hovered> {
    let text = analysis.text();
    let line = text.get(..byte)?.rfind('\n').map_or(0, |newline| newline + 1);
    let word = tokens(text, line..text.len()).into_iter().next()?;
    if word.kind != TokenKind::Word || !(word.start..=word.end()).contains(&byte) {
        return None;
    }
    let meaning = meanings::of(DocKind::Keyword, word.text)?;
    let text = format!("`{}`: {meaning}", word.text);
    Some(Hovered { text, span: Span::new(analysis.main, word.start, word.end()) })
}

// ---- Values

/// The value of the smallest expression here.
fn of_expression(analysis: &Analysis, byte: usize) -> Option<Hovered> {
    let (span, values) = analysis.values_at(byte)?;
    Some(Hovered { text: described(values), span })
}

/// The values of a name: those of the call that it is in, where it is called; else its own, or those of
/// its uses where it is declared.
fn values_of(analysis: &Analysis, span: Span, target: NameTarget) -> Option<&[ShownValue]> {
    if let Some(call) = call_of(analysis, span) {
        return analysis.values.get(&call).map(|values| &values[..]);
    }
    let own = analysis.values.get(&span);
    let uses = || match target {
        NameTarget::Declared(index) => {
            analysis.names.places(index).find_map(|place| analysis.values.get(&place))
        }
        _ => None,
    };
    own.or_else(uses).map(|values| &values[..])
}

/// The call or stage whose callee stands here.
fn call_of(analysis: &Analysis, span: Span) -> Option<Span> {
    let mut found = None;
    for item in &analysis.tree()?.items {
        if !item.span.contains(span) {
            continue;
        }
        walk::item_nodes(item, &mut |node| match node {
            walk::SyntaxNode::Stage(stage) => {
                if let ast::StageKind::Call(call) = &stage.kind
                    && call.callee.span == span
                {
                    found = Some(stage.span);
                }
            }
            walk::SyntaxNode::Expr(expr) => {
                if let ast::ExprKind::Call(call) = &expr.kind
                    && call.callee.span == span
                {
                    found = Some(expr.span);
                }
            }
            walk::SyntaxNode::Type(_) | walk::SyntaxNode::Name(_) => {}
        });
    }
    found
}

/// Shapes in and out and costs, a line each; a table's worth of several calls.
pub(super) fn described(values: &[ShownValue]) -> String {
    let mut text = String::new();
    for value in values {
        let line = match &value.input {
            Some(input) => format!("`{input}` → `{}`", value.value),
            None => format!("`{}`", value.value),
        };
        let costs = costs(value);
        let separator = if costs.is_empty() { "" } else { " · " };
        let _ =
            write!(text, "{}{line}{separator}{costs}", if text.is_empty() { "" } else { "\n\n" });
    }
    text
}

/// `320 parameters · 389 k FLOP a sample · 84.5 kB a sample`.
fn costs(value: &ShownValue) -> String {
    let cost = &value.cost;
    let mut parts = Vec::new();
    if cost.parameters > 0 {
        parts.push(format!("{} parameters", short(cost.parameters as f64).trim_end()));
    }
    if cost.flops > 0 {
        parts.push(format!("{}FLOP a sample", short(cost.flops as f64)));
    }
    if value.is_tensor && cost.activation > 0 {
        parts.push(format!("{}B of output a sample", short(cost.activation as f64)));
    }
    parts.join(" · ")
}
