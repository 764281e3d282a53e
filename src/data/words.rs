//! Fields of samples in words: what each is made of, what was fitted, and the first samples in the terms of
//! their source.
//!
//! ```text
//! measures  f32[4]  input   bill_length_mm, …; missing: 43.9, …; standardized: mean 43.9, … std 5.4, …
//! species   i32     target  3 classes: Adelie, Chinstrap, Gentoo
//! ```

use super::samples::Split;
use super::text::tokens::decode as token_text;
use crate::base::schema::{
    CellMeaning, Field, FieldKind, FieldRecipe, FieldTransform, LengthBuckets, MissingValue,
    PADDING, TokenList, TokenUnit,
};
use crate::base::shown::Show;
use crate::base::tensor::DType;

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
        CellMeaning::Text { tokens, length, buckets } => {
            let tokens = counted_tokens(tokens);
            parts.push(match buckets {
                None => format!("{tokens}; cut at {length}, padded with {PADDING}"),
                Some(LengthBuckets { lengths, cut }) => {
                    let cut = if *cut { format!("cut at {length}, ") } else { String::new() };
                    let lengths = list(lengths.iter().map(usize::to_string));
                    format!("{tokens}; {cut}padded with {PADDING} in buckets of {lengths}")
                }
            });
        }
        CellMeaning::Levels(form) => {
            let (count, rate) = (form.count, form.rate);
            parts.push(format!("{count} levels of loudness, {rate} a second"));
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

/// A number of the source in words.
pub fn number_text(value: f64) -> String {
    number(&(value as f32))
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
    samples.filter_map(|index| sample_values(split, index)).collect()
}

/// The fields of a sample, a text each; `None` where it lies in a file that cannot be read.
fn sample_values(split: &Split, index: u32) -> Option<Vec<String>> {
    let one =
        |(place, field): (usize, &Field)| Some(value(field, &split.value(index, place).ok()?));
    split.fields().iter().enumerate().map(one).collect()
}

/// A value of a sample under the name that the source has for it.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnValue {
    /// The field that it is of.
    pub field: String,
    /// The column, or the field where it is made of no columns or of all numbers at once.
    pub name: String,
    /// The value in words.
    pub value: String,
    /// Whether it is a single number.
    pub is_number: bool,
}

/// The fields of a sample column by column, but for pictures and for rows of numbers that have no
/// columns; none where it lies in a file that cannot be read.
pub fn sample_columns(split: &Split, index: u32) -> Vec<ColumnValue> {
    let mut values = Vec::new();
    for (place, field) in split.fields().iter().enumerate() {
        let recipe = field.recipe.as_deref();
        if field.as_image().is_some() || recipe.is_none() && !field.shape.is_empty() {
            continue;
        }
        let Ok(bytes) = split.value(index, place) else { return Vec::new() };
        let numbers: usize = field.shape.iter().product();
        let columns = if field.dtype == DType::F32 { own_columns(field) } else { &[] };
        let apart = !columns.is_empty();
        let names = if apart { columns } else { std::slice::from_ref(&field.name) };
        let width = bytes.len() / names.len();
        values.extend(names.iter().enumerate().map(|(part, name)| ColumnValue {
            field: field.name.clone(),
            name: name.clone(),
            value: value_part(field, &bytes, part, width),
            is_number: field.as_class().is_none() && (apart || numbers == 1),
        }));
    }
    values
}

/// The names of a field's numbers, where they are several and each is a column of its own.
pub fn own_columns(field: &Field) -> &[String] {
    let columns = field.recipe.as_deref().map(|recipe| &recipe.columns[..]).unwrap_or_default();
    let numbers: usize = field.shape.iter().product();
    if columns.len() == numbers && numbers > 1 { columns } else { &[] }
}

/// A part of a field's value: the numbers of `width` bytes at that place, or all where it is as wide
/// as the field.
pub fn value_part(field: &Field, bytes: &[u8], index: usize, width: usize) -> String {
    let end = (index + 1) * width;
    // Classes are called alike in each column.
    if width == bytes.len() || field.dtype != DType::F32 {
        return value(field, &bytes[end - width..end]);
    }
    // Columns before it are left where they are, so that its own transforms are turned back.
    let texts = numbers_of(field, &bytes[..end]);
    texts.last().map(number).unwrap_or_default()
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
        DType::F32 => numbers(numbers_of(field, bytes).into_iter()),
        _ => format!("{} bytes", bytes.len()),
    }
}

/// The numbers of a field of floats, as the source has them.
fn numbers_of(field: &Field, bytes: &[u8]) -> Vec<f32> {
    let words = bytes.as_chunks::<4>().0.iter().enumerate();
    let restored = words.map(|(column, word)| {
        let stored = f32::from_le_bytes(*word);
        let recipe = field.recipe.as_deref();
        recipe.map_or(stored, |recipe| source_number(recipe, column, stored))
    });
    restored.collect()
}

/// The number of the source that a field's number was made of: of those that are so near that the field
/// has the same bits for them, the one with fewest decimals.
fn source_number(recipe: &FieldRecipe, column: usize, stored: f32) -> f32 {
    let near = recipe.restore(column, f64::from(stored));
    let mut decimals = (0..=4).map(|decimals| {
        let unit = 10f64.powi(decimals);
        (near * unit).round() / unit
    });
    let made = |number: &f64| {
        let cell = f64::from(*number as f32);
        recipe.transforms.iter().fold(cell, |x, transform| transform.apply(column, x)) as f32
    };
    decimals.find(|number| made(number) == stored).unwrap_or(near) as f32
}

fn numbers(values: impl ExactSizeIterator<Item = f32>) -> String {
    let more = if values.len() > MOST_NUMBERS { ", …" } else { "" };
    let shown: Vec<String> = values.take(MOST_NUMBERS).map(|value| number(&value)).collect();
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_told_as_the_source_has_it() {
        let standardize = FieldTransform::Standardize { mean: vec![5.73], std: vec![1.12] };
        let recipe = FieldRecipe {
            columns: vec!["x".into()],
            value: CellMeaning::Number,
            missing: MissingValue::Refuse,
            transforms: vec![standardize],
        };
        for number in [0.0f32, 5.15, -3.0, 31.8, 0.123_456_7] {
            let stored = recipe.transforms[0].apply(0, f64::from(number)) as f32;
            let told = source_number(&recipe, 0, stored);
            assert!((told - number).abs() < 1e-6, "{told} of {number}");
        }
        let zero = recipe.transforms[0].apply(0, 0.0) as f32;
        assert_eq!(source_number(&recipe, 0, zero), 0.0);
    }
}
