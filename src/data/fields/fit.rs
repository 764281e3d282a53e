//! The numbers of a field that come from the data: means, ends, quantiles, categories. Only rows to
//! train on are looked at.
//!
//! ```text
//! standardize   mean, and the root of the mean square distance from it (of the rows, not n − 1)
//! minmax        least and largest value
//! buckets(n)    the i/n quantiles, i = 1 … n − 1, each once
//! category      the texts in order: of numbers by value, else by code points
//! ```

use std::sync::Arc;

use super::build::Cells;
use super::plan::{FieldPlan, MeaningPlan, MissingPlan, TransformPlan};
use super::{ColumnStore, MISSING_TEXT, PART, RawColumn};
use crate::base::schema::{
    CellMeaning, ClassField, Field, FieldKind, FieldRecipe, FieldTransform, MissingValue,
};
use crate::base::shown::Show;
use crate::base::tensor::DType;
use crate::data::error::DataError;
use crate::data::text::learn;

/// The name of the category of what was never seen.
pub const UNKNOWN: &str = "(unknown)";

/// Fits a field on the rows to train on. Lines are appended to `oddities` where the data are odd.
pub fn fit(
    plan: &FieldPlan,
    table: &ColumnStore,
    train: &[u32],
    oddities: &mut Vec<String>,
) -> Result<Field, DataError> {
    let value = match &plan.meaning {
        MeaningPlan::Number => CellMeaning::Number,
        MeaningPlan::Category { closed } => {
            let part = table.part(&plan.columns[..1], train)?;
            let names = categories(part.column(&plan.columns[0]), *closed);
            if names.len() < 1 + usize::from(!closed) {
                let message = format!("`{}` has no value in the rows to train on", plan.columns[0]);
                return Err(DataError::new(message));
            }
            if plan.is_target && names.len() == 1 + usize::from(!closed) {
                let (field, only) = (&plan.name, names[names.len() - 1].shown());
                let message =
                    format!("`{field}` has one class only in the rows to train on: `{only}`");
                let error = DataError::new(message);
                return Err(error.help("a model needs at least two classes to tell apart"));
            }
            CellMeaning::Category { names, closed: *closed }
        }
        MeaningPlan::Date(parts) => CellMeaning::Date(parts.clone()),
        MeaningPlan::Text { unit, most, length, buckets } => {
            let part = table.part(&plan.columns[..1], train)?;
            let tokens = learn(*unit, texts(part.column(&plan.columns[0])), *most);
            // The first name of characters and words stands for what is not there.
            if tokens.names.len() < 2 {
                let message = format!("`{}` has no text in the rows to train on", plan.columns[0]);
                return Err(DataError::new(message));
            }
            CellMeaning::Text { tokens, length: *length, buckets: buckets.clone() }
        }
    };
    let missing = missing(plan, &value, table, train)?;
    let columns = plan.columns.clone();
    let mut recipe = FieldRecipe { columns, value, missing, transforms: Vec::new() };
    for transform in &plan.transforms {
        let transform = match needs_values(transform) {
            true => {
                let column = |index: usize| values(plan, &recipe, index, table, train);
                fitted_transform(plan, transform, width(plan, &recipe), &column, oddities)?
            }
            false => written_transform(transform),
        };
        recipe.transforms.push(transform);
    }
    Ok(field(plan, recipe))
}

/// The field that a recipe makes.
fn field(plan: &FieldPlan, recipe: FieldRecipe) -> Field {
    let width = recipe.width();
    let own = if plan.is_vector { vec![width] } else { Vec::new() };
    let classes = recipe.transforms.iter().fold(
        match &recipe.value {
            CellMeaning::Category { names, .. } => Some(names.len()),
            CellMeaning::Text { tokens, .. } => Some(tokens.names.len() + 1),
            CellMeaning::Number
            | CellMeaning::Date(_)
            | CellMeaning::Tokens(_)
            | CellMeaning::Levels(_) => None,
        },
        |classes, transform| match transform {
            FieldTransform::Buckets { edges } => Some(edges.len() + 1),
            _ => classes,
        },
    );
    let one_hot = recipe.transforms.last() == Some(&FieldTransform::OneHot);
    let number = |shape: &[usize]| Field::number(&plan.name, DType::F32, shape);
    let field = match classes {
        None => number(&own),
        Some(count) if one_hot && plan.is_vector => number(&[width, count]),
        Some(count) if one_hot => number(&[count]),
        Some(count) => Field {
            kind: FieldKind::Class(ClassField { count: Some(count), one_hot: false }),
            ..Field::number(&plan.name, DType::I32, &own)
        },
    };
    Field { is_target: plan.is_target, recipe: Some(Arc::new(recipe)), ..field }
}

/// The texts of the rows that have one.
fn texts(column: &RawColumn) -> impl Iterator<Item = &str> {
    let (ids, names): (&[u32], &[String]) = match column {
        RawColumn::Texts { ids, names } => (ids, names),
        RawColumn::Numbers(_) => (&[], &[]),
    };
    let present = ids.iter().filter(|&&id| id != MISSING_TEXT);
    present.map(|&id| names[id as usize].as_str())
}

/// The different texts of the rows to train on, in order, behind that of what was never seen where
/// the category is open.
fn categories(column: &RawColumn, closed: bool) -> Vec<String> {
    let RawColumn::Texts { ids, names } = column else { return Vec::new() };
    let mut seen = vec![false; names.len()];
    for &id in ids {
        if id != MISSING_TEXT {
            seen[id as usize] = true;
        }
    }
    let mut found: Vec<&String> =
        names.iter().zip(seen).filter(|(_, seen)| *seen).map(|(name, _)| name).collect();
    let numbers: Option<Vec<f64>> = found.iter().map(|name| name.parse::<f64>().ok()).collect();
    match numbers {
        Some(_) => found.sort_by(|a, b| {
            let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
            number(a).total_cmp(&number(b)).then(a.cmp(b))
        }),
        None => found.sort(),
    }
    let unknown = (!closed).then(|| UNKNOWN.to_owned());
    unknown.into_iter().chain(found.into_iter().cloned()).collect()
}

/// The answer to cells without a value.
fn missing(
    plan: &FieldPlan,
    value: &CellMeaning,
    table: &ColumnStore,
    train: &[u32],
) -> Result<MissingValue, DataError> {
    let each = |of: fn(Vec<f32>) -> Option<f32>| {
        let column = |name: &String| {
            let part = table.part(std::slice::from_ref(name), train)?;
            let RawColumn::Numbers(values) = part.column(name) else { return Ok(0.0) };
            of(values.iter().copied().filter(|it| !it.is_nan()).collect()).ok_or_else(|| {
                DataError::new(format!("`{name}` has no value in the rows to train on"))
            })
        };
        plan.columns.iter().map(column).collect::<Result<_, _>>().map(MissingValue::Fill)
    };
    Ok(match plan.missing {
        MissingPlan::Refuse => MissingValue::Refuse,
        MissingPlan::Drop => MissingValue::Drop,
        MissingPlan::Unknown => MissingValue::Unknown,
        MissingPlan::Value(number) => MissingValue::Fill(vec![number; plan.columns.len()]),
        MissingPlan::Mean => each(|values| {
            let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
            (!values.is_empty()).then(|| (sum / values.len() as f64) as f32)
        })?,
        MissingPlan::Median => each(|mut values| {
            values.sort_by(f32::total_cmp);
            quantile(&values, 0.5).map(|value| value as f32)
        })?,
        MissingPlan::Mode => match value {
            CellMeaning::Category { names, .. } => {
                let part = table.part(&plan.columns[..1], train)?;
                let class = commonest_class(part.column(&plan.columns[0]), names);
                MissingValue::Category(class)
            }
            CellMeaning::Number
            | CellMeaning::Date(_)
            | CellMeaning::Tokens(_)
            | CellMeaning::Levels(_)
            | CellMeaning::Text { .. } => {
                each(|mut values| {
                    values.sort_by(f32::total_cmp);
                    let runs = values.chunk_by(|a, b| a == b);
                    // Of equally common values the least.
                    runs.rev().max_by_key(|run| run.len()).map(|run| run[0])
                })?
            }
        },
    })
}

/// The class that most rows have; of equally common ones the first.
fn commonest_class(column: &RawColumn, names: &[String]) -> usize {
    let RawColumn::Texts { ids, names: texts } = column else { return 0 };
    let mut counts = vec![0usize; texts.len()];
    let present = ids.iter().copied().filter(|&id| id != MISSING_TEXT);
    present.for_each(|id| counts[id as usize] += 1);
    let count =
        |name: &String| texts.iter().position(|text| text == name).map_or(0, |place| counts[place]);
    let classes = names.iter().enumerate().rev();
    classes.max_by_key(|(_, name)| count(name)).map_or(0, |(class, _)| class)
}

fn needs_values(transform: &TransformPlan) -> bool {
    match transform {
        TransformPlan::Standardize(given) | TransformPlan::Minmax(given) => given.is_none(),
        TransformPlan::Quantiles(_) => true,
        TransformPlan::Log1p | TransformPlan::Clip(..) => false,
        TransformPlan::Edges(_) | TransformPlan::OneHot => false,
    }
}

/// Numbers of a row of a field.
fn width(plan: &FieldPlan, recipe: &FieldRecipe) -> usize {
    field(plan, recipe.clone()).shape.iter().product()
}

/// A column's numbers in the rows to train on, behind the transforms so far.
fn values(
    plan: &FieldPlan,
    recipe: &FieldRecipe,
    index: usize,
    table: &ColumnStore,
    train: &[u32],
) -> Result<Vec<f64>, DataError> {
    // The others of several columns say nothing of this one, and are not read for it.
    let only = if recipe.columns.len() > 1 { index } else { 0 };
    let columns = vec![recipe.columns[only].clone()];
    // Not the names of all the others, which would be copied for each.
    let of_one = FieldRecipe {
        columns: columns.clone(),
        value: recipe.value.clone(),
        missing: recipe.missing.clone(),
        transforms: recipe.transforms.clone(),
    };
    let so_far = field(plan, of_one);
    let mut values = Vec::with_capacity(train.len());
    for rows in train.chunks(PART) {
        let part = table.part(&columns, rows)?;
        let cells = Cells::new(&so_far, &part);
        for (place, &row) in rows.iter().enumerate() {
            let cell = cells.cell(place, index).map_err(|reason| table.error_at(row, &reason))?;
            values.push(recipe.transforms.iter().fold(cell, |x, it| it.apply(index, x)));
        }
    }
    Ok(values)
}

/// A transform with what it takes from the columns of the rows to train on.
fn fitted_transform(
    plan: &FieldPlan,
    transform: &TransformPlan,
    width: usize,
    column: &dyn Fn(usize) -> Result<Vec<f64>, DataError>,
    oddities: &mut Vec<String>,
) -> Result<FieldTransform, DataError> {
    let mut constant = |index: usize| {
        // Targets are looked at behind the transforms, all of them.
        if plan.is_target {
            return;
        }
        let name = plan.columns.get(index).unwrap_or(&plan.name);
        oddities.push(format!("`{name}` has one and the same value in all rows to train on"));
    };
    match transform {
        TransformPlan::Minmax(_) => {
            let (mut low, mut high) = (Vec::new(), Vec::new());
            for index in 0..width {
                let column = column(index)?;
                let least = column.iter().copied().fold(f64::INFINITY, f64::min);
                let most = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let is_constant = most <= least;
                if is_constant {
                    constant(index);
                }
                low.push(least);
                high.push(if is_constant { least + 1.0 } else { most });
            }
            Ok(FieldTransform::Minmax { low, high })
        }
        TransformPlan::Quantiles(count) => {
            let mut sorted = Vec::new();
            for index in 0..width {
                sorted.extend(column(index)?);
            }
            sorted.sort_by(f64::total_cmp);
            let sorted: Vec<f32> = sorted.into_iter().map(|value| value as f32).collect();
            let quantiles = (1..*count).filter_map(|i| quantile(&sorted, i as f64 / *count as f64));
            let mut edges: Vec<f64> = quantiles.collect();
            edges.dedup();
            Ok(FieldTransform::Buckets { edges })
        }
        _ => {
            let (mut means, mut std) = (Vec::new(), Vec::new());
            for index in 0..width {
                let column = column(index)?;
                let mean = column.iter().sum::<f64>() / column.len() as f64;
                let squares = column.iter().map(|x| (x - mean) * (x - mean));
                let deviation = (squares.sum::<f64>() / column.len() as f64).sqrt();
                if deviation == 0.0 {
                    constant(index);
                }
                means.push(mean);
                std.push(if deviation == 0.0 { 1.0 } else { deviation });
            }
            Ok(FieldTransform::Standardize { mean: means, std })
        }
    }
}

fn written_transform(transform: &TransformPlan) -> FieldTransform {
    match transform {
        TransformPlan::Standardize(given) => {
            let (mean, std) = given.clone().unwrap_or_default();
            FieldTransform::Standardize { mean, std }
        }
        TransformPlan::Minmax(given) => {
            let (low, high) = given.clone().unwrap_or_default();
            FieldTransform::Minmax { low, high }
        }
        TransformPlan::Log1p => FieldTransform::Log1p,
        TransformPlan::Clip(low, high) => FieldTransform::Clip { low: *low, high: *high },
        TransformPlan::Edges(edges) => FieldTransform::Buckets { edges: edges.clone() },
        TransformPlan::Quantiles(_) => FieldTransform::Buckets { edges: Vec::new() },
        TransformPlan::OneHot => FieldTransform::OneHot,
    }
}

/// The value below which a part of sorted values lies, between two neighbours in proportion (numpy's
/// `linear`); `None` of no values.
fn quantile(sorted: &[f32], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = part * last as f64;
    let (low, rest) = (place.floor() as usize, place.fract());
    let at = |index: usize| f64::from(sorted[index.min(last)]);
    Some(at(low) + rest * (at(low + 1) - at(low)))
}
