//! `series("file.csv", window: 132, horizon: 12)`: samples from a table whose rows follow one another in
//! time.
//!
//! ```text
//! value            window 3, horizon 2
//! 1 2 3 4 5 6  →   past [1 2 3] future [4 5],  past [2 3 4] future [5 6]
//! ```
//!
//! `past: f32[window, C]` has all columns, `future: f32[horizon]` (or `[horizon, T]` of several target
//! columns) is the target. Columns are standardised with mean and deviation of the rows to train on.
//! Splits are in the order of time, and no window reaches into the next.

mod predict;

use std::sync::Arc;

use self::predict::WindowInputs;
use super::dataset::Dataset;
use super::error::DataError;
use super::fields::{FieldPlan, MeaningPlan, MissingPlan, TransformPlan, built_fields};
use super::input::{InputReader, InputRequest};
use super::request::{Arguments, Literal, Places, Watch};
use super::samples::{Column, Samples};
use super::source::SampleSource;
use super::spill::Spill;
use super::table;
use super::windows::{empty_splits, parts, windows};
use crate::base::schema::{Field, Schema};
use crate::base::tensor::DType;

/// The source `series`.
pub struct SeriesOfRows;

impl SampleSource for SeriesOfRows {
    fn name(&self) -> &'static str {
        "series"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &[
            "file",
            "window",
            "horizon",
            "stride",
            "columns",
            "target",
            "delimiter",
            "header",
            "na",
            "test",
            "validation",
        ]
    }

    fn open(
        &self,
        args: &Arguments<'_>,
        places: &Places,
        _: Watch<'_>,
    ) -> Result<Dataset, DataError> {
        load(args, places)
    }

    fn inputs(&self, asked: &InputRequest<'_>) -> Result<Box<dyn InputReader>, DataError> {
        Ok(Box::new(WindowInputs::new(asked)?))
    }
}

/// A field of columns, standardised.
fn plan(name: &str, columns: Vec<String>) -> FieldPlan {
    FieldPlan {
        name: name.into(),
        columns,
        meaning: MeaningPlan::Number,
        is_vector: true,
        missing: MissingPlan::Refuse,
        transforms: vec![TransformPlan::Standardize(None)],
        bucket: None,
        is_target: false,
        place: None,
    }
}

fn columns(args: &Arguments<'_>, argument: &str) -> Result<Option<Vec<String>>, DataError> {
    match args.get(argument) {
        Some(Literal::Name(name)) => Ok(Some(vec![name.clone()])),
        _ => args.texts(argument),
    }
}

/// The columns that a prediction sees, and those that it predicts.
fn past_and_future(args: &Arguments<'_>) -> Result<[Vec<String>; 2], DataError> {
    let target = columns(args, "target")?;
    match (columns(args, "columns")?, target) {
        (Some(own), target) => Ok([own.clone(), target.unwrap_or(own)]),
        (None, Some(target)) => Ok([target.clone(), target]),
        (None, None) => {
            Err(args.wrong("target", "given: the column that is predicted, or several"))
        }
    }
}

/// The field of a row, of one that has been fitted and whose windows have more of them.
fn field_of_row(field: &Field) -> Field {
    let columns = field.recipe.as_ref().map_or(1, |recipe| recipe.columns.len());
    Field { shape: vec![columns], ..field.clone() }
}

fn load(args: &Arguments<'_>, places: &Places) -> Result<Dataset, DataError> {
    let window = args.count("window", 0, 1)?;
    if window == 0 {
        return Err(args.wrong("window", "given: the number of rows that a prediction sees"));
    }
    let (horizon, stride) = (args.count("horizon", 1, 1)?, args.count("stride", 1, 1)?);
    let [own, target] = past_and_future(args)?;
    let fractions = [args.fraction("test")?, args.fraction("validation")?];
    let plans = [plan("past", own), plan("future", target)];
    let (table, path) = table::columns_of(args, places, &plans)?;
    let rows = table.all();
    let lengths = parts(rows.len(), fractions);
    let train = &rows[..lengths[0]];
    let splits = windows(lengths, window + horizon, stride);
    if splits[0].is_empty() {
        let message = format!(
            "{} rows to train on have no window of {window} and the {horizon} behind it",
            train.len()
        );
        return Err(DataError::new(message).path(&path).argument("window"));
    }
    let of_rows = |schema: &Schema| schema.fields.iter().map(field_of_row).collect::<Vec<_>>();
    let fitted = args.fitted.map(of_rows);
    let mut oddities = empty_splits(fractions, &splits);
    let (kept, never) = ((&rows[..], train), Spill::never());
    let built = built_fields(&plans, &table, kept, fitted.as_deref(), &never, &mut oddities);
    let built = built.map_err(|error| error.or_path(&path))?;
    let samples = rows.len().saturating_sub(window + horizon) / stride + 1;
    let mut fields = Vec::new();
    for (built, (length, first)) in built.into_iter().zip([(window, 0), (horizon, window)]) {
        let is_target = first > 0;
        let width = built.field.shape[0];
        let shape: &[usize] = match is_target && width == 1 {
            true => &[length],
            false => &[length, width],
        };
        let recipe = built.field.recipe.clone();
        let field = Field::number(&built.field.name, DType::F32, shape);
        let field = Field { is_target, recipe, ..field };
        let Column::Memory(bytes) = built.column else {
            unreachable!("a table that is never spilled is in memory")
        };
        let column = Column::Windows {
            first: first * width * 4,
            step: stride * width * 4,
            bytes: Arc::new(bytes),
        };
        fields.push((field, column));
    }
    let begins: Vec<u32> = (0..samples).map(|sample| (sample * stride) as u32).collect();
    let samples = Samples::new(samples, fields).from(table.origins(&begins)?);
    let mut data = Dataset::of_splits(SeriesOfRows.name(), Arc::new(samples), splits);
    data.schema.oddities = oddities;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::schema::{FieldRecipe, FieldTransform};
    use crate::data::request::{Argument, SourceRequest};

    /// The mean and deviation of the first column.
    fn scale(recipe: &FieldRecipe) -> (f64, f64) {
        match &recipe.transforms[0] {
            FieldTransform::Standardize { mean, std } => (mean[0], std[0]),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn windows_are_followed_by_what_comes_next_and_never_cross_a_split() {
        let folder = tempfile::tempdir().unwrap();
        let rows: Vec<String> = (0..20).map(|row| format!("{row},{}", 10 * row)).collect();
        let text = format!("time,value\n{}\n", rows.join("\n"));
        std::fs::write(folder.path().join("s.csv"), text).unwrap();
        let args = vec![
            Argument::named("file", Literal::Str("s.csv".into())),
            Argument::named("window", Literal::Int(3)),
            Argument::named("horizon", Literal::Int(2)),
            Argument::named("target", Literal::Name("value".into())),
            Argument::named("test", Literal::Float(0.3)),
        ];
        let request = SourceRequest::new("series", args);
        let places = Places { beside: folder.path().into(), ..Places::default() };
        let data = crate::data::open(&request, &places, &|_, _| true).unwrap();
        assert_eq!((data.train.count(), data.validation.count(), data.test.count()), (10, 0, 2));
        let shapes: Vec<&[usize]> = data.schema.fields.iter().map(|it| &it.shape[..]).collect();
        assert_eq!(shapes, [&[3, 1][..], &[2]]);
        let (mean, std) = scale(data.schema.fields[0].recipe.as_deref().unwrap());
        assert_eq!(mean, 65.0, "of the 14 rows to train on");
        let mut bytes = [0; 8];
        data.test.copy_batch(&[1], 1, &mut bytes).unwrap();
        let future = bytes.as_chunks::<4>().0.iter().map(|it| f32::from_le_bytes(*it));
        let future: Vec<f64> = future.map(|it| (f64::from(it) * std + mean).round()).collect();
        assert_eq!(future, [180.0, 190.0]);
        // What a run has fitted makes the same samples for whoever evaluates it or goes on with it.
        let again = SourceRequest { fitted: Some(Arc::new(data.schema.clone())), ..request };
        let again = crate::data::open(&again, &places, &|_, _| true).unwrap();
        assert_eq!(again.schema, data.schema);
        assert_eq!(again.fingerprint(), data.fingerprint());
    }
}
