//! The fields of a table whose program names none: all numbers as one vector, standardised, and each
//! column of texts as a category.
//!
//! ```text
//! csv("penguins.csv", target: species)
//! →   features = numbers(["bill_length_mm", …]) |> standardize
//!     island   = category
//!     species  = category as target
//! ```
//!
//! A column is of numbers if all its cells are, and of texts if none is, nor would be without signs as
//! `$`. One that is neither is an error ([`super::survey`]): to take it for texts would hide a slip in
//! row 40,000.

use std::path::PathBuf;

use super::blocks::TableBlock;
use super::cells::TableFormat;
use super::number::cut;
use super::reader::{ColumnPlaces, at_file, open, place_of};
use super::survey::{ColumnSurvey, MOST_CATEGORIES};
use crate::data::error::DataError;
use crate::data::fields::{FieldPlan, MeaningPlan, MissingPlan, TransformPlan};

/// The name of the field of all numbers.
pub const FEATURES: &str = "features";
/// The fields of a table without braces.
pub fn infer(
    path: &PathBuf,
    format: &TableFormat,
    target: Option<&str>,
    beside: Option<&str>,
) -> Result<Vec<FieldPlan>, DataError> {
    let mut blocks = open(path, format)?;
    let names = blocks.names.clone();
    let others: Vec<&String> = names.iter().filter(|name| Some(&name[..]) != beside).collect();
    let only = match others[..] {
        [only] if beside.is_some() => Some(&only[..]),
        _ => None,
    };
    let Some(target) = target.or(only) else {
        let error = DataError::new("which column is the target?").path(path);
        let help = format!(
            "name it, `target: {}`, or write the fields in braces",
            cut(&names[names.len() - 1])
        );
        return Err(error.help(help));
    };
    place_of(target, &names).map_err(|error| error.argument("target").path(path))?;
    usable(&names).map_err(|error| error.path(path))?;
    let unmet = || -> Vec<ColumnSurvey> { names.iter().map(|_| Default::default()).collect() };
    let survey = |block: &TableBlock| {
        let mut columns = unmet();
        let met = block.rows(format.delimiter, |line, cells| {
            let cells = cells.iter().zip(&mut columns);
            cells.for_each(|(cell, column)| column.meet(line, cell, format));
            Ok(true)
        });
        met.map(|()| columns)
    };
    let mut columns = unmet();
    let add = |more: Result<Vec<ColumnSurvey>, DataError>| {
        columns.iter_mut().zip(more?).for_each(|(column, more)| column.append(more));
        Ok(())
    };
    blocks.each(survey, add).map_err(|error| at_file(error, path))?;
    let fields = fields(&names, &columns, target, beside);
    fields.map_err(|error| error.path(path))
}

/// Every column needs a name of its own.
fn usable(names: &[String]) -> Result<(), DataError> {
    if let Some(place) = names.iter().position(String::is_empty) {
        let error = DataError::new(format!("column {} has no name", place + 1));
        return Err(error.help("give it one in the file, or write the fields in braces"));
    }
    let places = ColumnPlaces::new(names);
    names.iter().try_for_each(|name| places.of(name).map(|_| ()))
}

fn fields(
    names: &[String],
    columns: &[ColumnSurvey],
    target: &str,
    beside: Option<&str>,
) -> Result<Vec<FieldPlan>, DataError> {
    let mut features = Vec::new();
    let mut others = Vec::new();
    let mut last = None;
    let columns = names.iter().zip(columns).filter(|(name, _)| Some(&name[..]) != beside);
    for (name, column) in columns {
        column.one_kind(name)?;
        let is_target = name == target;
        let is_number = column.texts.count == 0;
        if !is_target && column.missing.count > 0 {
            return Err(column.without_values(name));
        }
        match (is_target, is_number) {
            (false, true) => features.push(name.clone()),
            (false, false) if column.different.len() > MOST_CATEGORIES => {
                let message =
                    format!("the texts of `{}` are too different to be categories", cut(name));
                let error = DataError::new(format!("{message}: more than {MOST_CATEGORIES}"));
                return Err(error.help("write the fields that the model needs in braces"));
            }
            (false, false) => others.push(field(name, MeaningPlan::Category { closed: false })),
            (true, true) => last = Some(field(name, MeaningPlan::Number)),
            (true, false) => last = Some(field(name, MeaningPlan::Category { closed: true })),
        }
    }
    let all = (!features.is_empty()).then(|| FieldPlan {
        name: FEATURES.into(),
        columns: features,
        is_vector: true,
        transforms: vec![TransformPlan::Standardize(None)],
        ..field(FEATURES, MeaningPlan::Number)
    });
    let last = last.map(|field| FieldPlan { is_target: true, ..field });
    Ok(all.into_iter().chain(others).chain(last).collect())
}

fn field(name: &str, meaning: MeaningPlan) -> FieldPlan {
    FieldPlan {
        name: identifier(name),
        columns: vec![name.to_owned()],
        meaning,
        is_vector: false,
        missing: MissingPlan::Refuse,
        transforms: Vec::new(),
        bucket: None,
        is_target: false,
        place: None,
    }
}

/// A column's name as a name of the language: `Price (EUR)` is `price_eur`.
fn identifier(name: &str) -> String {
    let plain = name.chars().all(|sign| sign.is_alphanumeric() || sign == '_');
    if plain && !name.starts_with(|sign: char| sign.is_numeric()) {
        return name.to_owned();
    }
    let words: Vec<String> = name
        .split(|sign: char| !sign.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let joined = words.join("_");
    match joined.starts_with(|sign: char| sign.is_numeric()) || joined.is_empty() {
        true => format!("c_{joined}"),
        false => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::identifier;

    #[test]
    fn names_of_columns_become_names_of_the_language() {
        let of = ["species", "Price (EUR)", "2nd", "%"].map(identifier);
        assert_eq!(of, ["species", "price_eur", "c_2nd", "c_"]);
    }
}
