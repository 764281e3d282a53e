//! Fields of samples in words: what each is made of, what was fitted, and the first samples in the terms of
//! their source.
//!
//! ```text
//! measures  f32[4]  input   bill_length_mm, …; missing: 43.9, …; standardized: mean 43.9, … std 5.4, …
//! species   i32     target  3 classes: Adelie, Chinstrap, Gentoo
//! ```

use crate::base::schema::{
    CellMeaning, Field, FieldKind, FieldRecipe, FieldTransform, MissingValue, PADDING, TokenList,
    TokenUnit,
};
use crate::base::shown::Show;
use crate::base::tensor::DType;
use crate::data::{Split, token_text};

/// Entries of a list that are shown.
const MOST: usize = 6;
/// Numbers of a sample that are shown.
const MOST_NUMBERS: usize = 8;

/// The columns of a field and its fitted numbers, in words.
pub fn described(field: &Field) -> String {
    let classes = field.as_class().and_then(|class| class.count);
    let Some(recipe) = field.recipe.as_deref() else {
        return match (&field.kind, classes) {
            (FieldKind::Image(_), _) => "bytes of images".to_owned(),
            (_, Some(count)) => format!("{count} classes"),
            _ => String::new(),
        };
    };
    let mut parts = Vec::new();
    if !recipe.columns.is_empty() && recipe.columns != [field.name.clone()] {
        parts.push(list(recipe.columns.iter().map(|name| name.shown().to_string())));
    }
    match &recipe.value {
        CellMeaning::Category { names, .. } => {
            let shown = list(names.iter().map(|name| name.shown().to_string()));
            parts.push(format!("{} classes: {shown}", names.len()));
        }
        CellMeaning::Tokens(tokens) => {
            parts.push(counted_tokens(tokens));
        }
        CellMeaning::Text { tokens, length } => {
            let tokens = counted_tokens(tokens);
            parts.push(format!("{tokens}; cut at {length}, padded with {PADDING}"));
        }
        CellMeaning::Date(_) => parts.push("parts of dates".to_owned()),
        CellMeaning::Number => {}
    }
    match &recipe.missing {
        MissingValue::Fill(values) => {
            parts.push(format!("missing: {}", list(values.iter().map(number))))
        }
        MissingValue::Drop => parts.push("missing: rows left out".to_owned()),
        MissingValue::Unknown | MissingValue::Category(_) => {
            parts.push(format!("missing: {}", class_name(recipe, missing_class(recipe))));
        }
        MissingValue::Refuse => {}
    }
    parts.extend(recipe.transforms.iter().map(transform));
    parts.join("; ")
}

fn counted_tokens(tokens: &TokenList) -> String {
    let unit = match tokens.unit {
        TokenUnit::Chars => "characters",
        TokenUnit::Bytes => "bytes",
        TokenUnit::Words | TokenUnit::BareWords => "words",
        TokenUnit::Pairs => "byte pairs",
    };
    format!("{} {unit}", tokens.names.len())
}

fn missing_class(recipe: &FieldRecipe) -> usize {
    match recipe.missing {
        MissingValue::Category(class) => class,
        _ => 0,
    }
}

fn transform(transform: &FieldTransform) -> String {
    let all = |values: &[f64]| list(values.iter().map(|value| number(&(*value as f32))));
    match transform {
        FieldTransform::Standardize { mean, std } => {
            format!("standardized: mean {}, std {}", all(mean), all(std))
        }
        FieldTransform::Minmax { low, high } => format!("from {} … {}", all(low), all(high)),
        FieldTransform::Log1p => "log1p".to_owned(),
        FieldTransform::Clip { low, high } => format!("clipped to {low} … {high}"),
        FieldTransform::Buckets { edges } => format!("buckets at {}", all(edges)),
        FieldTransform::OneHot => "one_hot".to_owned(),
    }
}

fn list(entries: impl ExactSizeIterator<Item = String>) -> String {
    let more = if entries.len() > MOST { ", …" } else { "" };
    format!("{}{more}", entries.take(MOST).collect::<Vec<_>>().join(", "))
}

fn number(value: &f32) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        1e-3..1e6 => format!("{:.*}", if value.fract() == 0.0 { 0 } else { 4 }, value),
        _ => format!("{value:.3e}"),
    }
}

fn class_name(recipe: &FieldRecipe, class: usize) -> String {
    let names = recipe.class_names();
    names.get(class).map_or_else(|| class.to_string(), |name| name.shown().to_string())
}

/// The first samples of a split, a text for each field, in the numbers and names of the source. Empty
/// where samples lie in files that cannot be read.
pub fn first_samples(split: &Split, count: usize) -> Vec<Vec<String>> {
    let samples = 0..count.min(split.count()) as u32;
    let sample = |index: u32| {
        let one = |(place, field): (usize, &Field)| {
            let mut bytes = vec![0; field.bytes()];
            split.copy_batch(&[index], place, &mut bytes).ok()?;
            Some(value(field, &bytes))
        };
        split.fields().iter().enumerate().map(one).collect::<Option<Vec<String>>>()
    };
    samples.filter_map(sample).collect()
}

/// The value of a field in a sample.
fn value(field: &Field, bytes: &[u8]) -> String {
    let words = bytes.as_chunks::<4>().0;
    let recipe = field.recipe.as_deref();
    match field.dtype {
        DType::I32 => {
            let classes: Vec<i32> = words.iter().map(|word| i32::from_le_bytes(*word)).collect();
            match recipe.map(|recipe| &recipe.value) {
                Some(CellMeaning::Tokens(tokens)) => {
                    let text = token_text(tokens, &classes);
                    format!("{:?}", text.chars().take(48).collect::<String>())
                }
                Some(CellMeaning::Text { tokens, .. }) => {
                    let real = classes.iter().filter(|&&it| it != PADDING).map(|it| it - 1);
                    let text = token_text(tokens, &real.collect::<Vec<_>>());
                    format!("{:?}", text.chars().take(48).collect::<String>())
                }
                Some(CellMeaning::Category { .. }) => list(
                    classes.iter().map(|&it| class_name(recipe.expect("a recipe"), it as usize)),
                ),
                _ => numbers(classes.iter().map(|&it| it as f32)),
            }
        }
        DType::F32 => numbers(words.iter().enumerate().map(|(column, word)| {
            let stored = f32::from_le_bytes(*word);
            recipe.map_or(stored, |recipe| recipe.restore(column, f64::from(stored)) as f32)
        })),
        _ => format!("{} bytes", bytes.len()),
    }
}

fn numbers(values: impl ExactSizeIterator<Item = f32>) -> String {
    let more = if values.len() > MOST_NUMBERS { ", …" } else { "" };
    let shown: Vec<String> = values.take(MOST_NUMBERS).map(|value| number(&value)).collect();
    format!("{}{more}", shown.join(", "))
}
