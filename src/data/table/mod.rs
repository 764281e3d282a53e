//! `csv("file.csv")`: samples from the rows of tables.
//!
//! ```text
//! csv("penguins.csv", test: 0.2, split: stratified(species)) { mass = number … }
//!   ─ declared or inferred fields ([`infer`]) ─→ the columns that they need
//!   ─ one pass over the file ([`reader`]) ────→ typed columns
//!   ─ rows without a target left out, split, fitted, built ([`super::fields`]) ─→ samples
//! ```
//!
//! The schema needs what is fitted, so the file is read for it too: `check` knows the table.

mod blocks;
mod cells;
mod infer;
mod number;
pub mod predict;
mod reader;
mod survey;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use self::cells::TableFormat;
use self::predict::RowInputs;
use self::reader::{CellKind, ColumnPlaces};
use super::dataset::{Dataset, Note};
use super::error::DataError;
use super::fields::{
    self, BuiltField, ColumnStore, FieldPlan, MeaningPlan, RowSplits, SplitPlan, built_fields,
    sample_buckets,
};
use super::input::{InputReader, InputRequest};
use super::locate;
use super::request::{Arguments, Literal, Part, Places, Watch};
use super::samples::Samples;
use super::source::SampleSource;
use super::spill::Spill;

/// The source `csv`.
pub struct Csv;

impl SampleSource for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["file", "delimiter", "header", "na", "target", "test", "validation", "split", "seed"]
    }

    fn takes_fields(&self) -> bool {
        true
    }

    fn open(
        &self,
        args: &Arguments<'_>,
        places: &Places,
        _: Watch<'_>,
    ) -> Result<Dataset, DataError> {
        load(args, places, &Spill::of(places))
    }

    fn inputs(&self, asked: &InputRequest<'_>) -> Result<Box<dyn InputReader>, DataError> {
        Ok(Box::new(RowInputs::new(asked)?))
    }

    fn help_for_oddities(&self) -> Option<&'static str> {
        Some("leave the column out, or look at `nnc data FILE`")
    }
}

/// The format that the arguments name.
fn format(args: &Arguments<'_>) -> Result<TableFormat, DataError> {
    let delimiter = match args.text("delimiter")? {
        None => b',',
        Some(sign) => match sign.as_bytes() {
            [sign] if *sign != b'"' && *sign != b'\n' => *sign,
            _ => return Err(args.wrong("delimiter", "one character, such as \";\" or \"\\t\"")),
        },
    };
    let na = args.texts("na")?.unwrap_or_default();
    Ok(TableFormat { delimiter, header: args.flag("header", true)?, na })
}

/// The files that an argument names: one, a list, or a pattern with `*` in the last name.
fn files(args: &Arguments<'_>, argument: &str, places: &Places) -> Result<Vec<PathBuf>, DataError> {
    let names = args.texts(argument)?;
    let names = names.ok_or_else(|| args.wrong(argument, "given: the name of a file"))?;
    let mut found = Vec::new();
    for name in names {
        match name.contains('*') {
            true => found.extend(matching(&name, argument, places)?),
            false => found.push(locate::file(&name, argument, places)?),
        }
    }
    Ok(found)
}

/// The files whose names a pattern matches, by name.
fn matching(pattern: &str, argument: &str, places: &Places) -> Result<Vec<PathBuf>, DataError> {
    let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    let (start, end) = name.split_once('*').unwrap_or((name, ""));
    let roots = match &places.override_ {
        Some(folder) => vec![folder.clone()],
        None => places.roots().cloned().collect(),
    };
    let fits = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
    };
    for root in roots {
        let folder = root.join(folder);
        // A program that is named without a folder lies in the one that the command is given in.
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        let Ok(entries) = std::fs::read_dir(here) else { continue };
        let paths = entries.flatten().map(|entry| folder.join(entry.file_name()));
        let mut found: Vec<PathBuf> = paths.filter(|path| fits(path)).collect();
        if !found.is_empty() {
            found.sort();
            return Ok(found);
        }
    }
    let message = format!("no file matches `{pattern}`");
    Err(DataError::new(message).argument(argument).tried(vec![pattern.to_owned()]))
}

/// The arguments `split`, `seed`, `validation` and `test`.
struct SplitOptions {
    plan: SplitPlan,
    seed: u64,
    /// The files of their own, and the fractions of the rest.
    test: (Vec<PathBuf>, f64),
    validation: (Vec<PathBuf>, f64),
}

fn split_options(
    args: &Arguments<'_>,
    places: &Places,
    plans: &[FieldPlan],
) -> Result<SplitOptions, DataError> {
    let part = |name: &str| match args.part(name)? {
        Part::Fraction(fraction) => Ok((Vec::new(), fraction)),
        Part::Folder(_) => Ok((files(args, name, places)?, 0.0)),
    };
    let column = |of: &str| {
        let field = plans.iter().find(|plan| plan.name == of);
        match field.map(|field| &field.columns[..]) {
            Some([column]) => Some(column.clone()),
            Some(_) => None,
            None => Some(of.to_owned()),
        }
    };
    // Of each class the same share, where a class is the target.
    let class = plans
        .iter()
        .find(|plan| plan.is_target && matches!(plan.meaning, MeaningPlan::Category { .. }));
    let default = || SplitPlan::Random(class.map(|plan| plan.columns[0].clone()));
    let plan = SplitPlan::of(args, column)?.unwrap_or_else(default);
    let (test, validation) = (part("test")?, part("validation")?);
    if test.1 + validation.1 >= 1.0 {
        return Err(args.wrong("validation", "such that rows are left to train on"));
    }
    let seed = args.seed("seed")?;
    if seed != 0 && matches!(plan, SplitPlan::Time(_)) {
        return Err(args.wrong("seed", "left out where rows are split in the order of time"));
    }
    Ok(SplitOptions { plan, seed, test, validation })
}

/// The fields that are asked for.
fn plans(
    args: &Arguments<'_>,
    paths: &[PathBuf],
    format: &TableFormat,
    beside: Option<&str>,
) -> Result<Vec<FieldPlan>, DataError> {
    let target = match args.get("target") {
        None => None,
        Some(Literal::Name(name) | Literal::Str(name)) => Some(name.as_str()),
        Some(_) => return Err(args.wrong("target", "the name of a column")),
    };
    match args.fields {
        Some(_) if target.is_some() => {
            let error = args.wrong("target", "left out where fields are written");
            Err(error.help("say it of the field: `… as target`"))
        }
        Some(fields) => fields::plans(fields),
        None => infer::infer(&paths[0], format, target, beside),
    }
}

/// The columns that fields and splits need.
fn wanted(plans: &[FieldPlan], split: &SplitPlan) -> Result<Vec<(String, CellKind)>, DataError> {
    let mut wanted: Vec<(String, CellKind)> = Vec::new();
    let mut kinds: FxHashMap<&str, CellKind> = FxHashMap::default();
    for plan in plans {
        let kind = match plan.meaning {
            MeaningPlan::Number => CellKind::Number,
            MeaningPlan::Category { .. } | MeaningPlan::Date(_) | MeaningPlan::Text { .. } => {
                CellKind::Text
            }
        };
        for column in &plan.columns {
            match kinds.insert(column, kind) {
                None => wanted.push((column.clone(), kind)),
                Some(other) if other == kind => {}
                Some(_) => {
                    let message =
                        format!("`{column}` is a number in one field and a text in another");
                    let error = DataError::new(message);
                    return Err(error.maybe_field(plan.place));
                }
            }
        }
    }
    if let Some(column) = split.column()
        && !kinds.contains_key(column)
    {
        wanted.push((column.to_owned(), CellKind::Text));
    }
    Ok(wanted)
}

/// A table as a program asks for it, read.
pub struct RequestedTable {
    /// The fields that are made of it.
    pub plans: Vec<FieldPlan>,
    /// The columns that fields and splits need.
    pub table: ColumnStore,
    /// Its first file.
    pub path: PathBuf,
    /// The column beside the fields that was asked for.
    pub beside: Option<String>,
    options: SplitOptions,
    /// Where its fields are kept if they are large.
    spill: Spill,
    /// The rows of the files to train on, to test and to validate on.
    groups: [std::ops::Range<usize>; 3],
}

impl RequestedTable {
    /// Reads the files that `argument` names, and those of the splits. `beside` is the argument that
    /// names a further column, the first where it is not given, which no field is made of unasked. A
    /// large table goes where `spill` says.
    pub fn read(
        args: &Arguments<'_>,
        places: &Places,
        argument: &str,
        beside: Option<&str>,
        spill: &Spill,
    ) -> Result<RequestedTable, DataError> {
        let format = format(args)?;
        let mut paths = files(args, argument, places)?;
        let beside = beside.map(|argument| beside_column(args, argument, &paths[0], &format));
        let beside = beside.transpose()?;
        let plans = plans(args, &paths, &format, beside.as_deref())?;
        let options = split_options(args, places, &plans)?;
        let mut wanted = wanted(&plans, &options.plan)?;
        known_columns(&paths[0], &format, &plans, &wanted)?;
        match (&beside, wanted.iter().find(|(name, _)| Some(name) == beside.as_ref())) {
            (Some(name), None) => wanted.push((name.clone(), CellKind::Text)),
            (Some(name), Some((_, CellKind::Number))) => {
                let message = format!("`{name}` has the names of files, which are no numbers");
                return Err(DataError::new(message).path(&paths[0]));
            }
            _ => {}
        }
        let groups = [&paths[..], &options.test.0, &options.validation.0];
        let (table, groups) = reader::read_groups(groups, &format, &wanted, spill)?;
        let (path, spill) = (paths.swap_remove(0), spill.clone());
        Ok(RequestedTable { plans, table, path, beside, options, spill, groups })
    }

    /// The splits of some of its rows, which ascend.
    pub fn splits(&self, kept: &[u32]) -> Result<RowSplits, DataError> {
        let [own, test_rows, validation_rows] = &self.groups;
        let of = |range: &std::ops::Range<usize>| -> Vec<u32> {
            kept.iter().copied().filter(|&row| range.contains(&(row as usize))).collect()
        };
        let fractions = [self.options.test.1, self.options.validation.1];
        let (plan, seed) = (&self.options.plan, self.options.seed);
        let mut splits = plan.split(&self.table, &of(own), fractions, seed)?;
        splits.test.extend(of(test_rows));
        splits.validation.extend(of(validation_rows));
        if splits.train.is_empty() {
            return Err(self.none_left());
        }
        Ok(splits)
    }

    /// A line for each split that was asked for as a fraction and has no row.
    fn empty_splits(&self, splits: &RowSplits) -> Vec<String> {
        let asked = [
            ("validation", &self.options.validation, &splits.validation),
            ("test", &self.options.test, &splits.test),
        ];
        let is_empty =
            asked.into_iter().filter(|(_, (_, fraction), rows)| *fraction > 0.0 && rows.is_empty());
        is_empty
            .map(|(name, (_, fraction), _)| {
                format!("`{name}: {fraction}` of {} rows is no row", splits.train.len())
            })
            .collect()
    }

    /// Says why there is nothing to train on.
    fn none_left(&self) -> DataError {
        let rows = self.table.rows();
        let error = DataError::new(format!("none of {rows} rows is left to train on"));
        let missing = |plan: &&FieldPlan| {
            fields::missing_rows(plan, &self.table).is_ok_and(|missing| missing.len() == rows)
        };
        let error = error.path(&self.path);
        match self.plans.iter().find(missing) {
            Some(plan) => {
                let help = format!("no row has a value of `{}`", plan.name);
                error.maybe_field(plan.place).help(help)
            }
            None => error.help("make `test` and `validation` smaller"),
        }
    }

    /// The fields of the rows that are kept, fitted by those to train on unless an earlier run did, and
    /// what is odd about them.
    pub fn built(
        &self,
        args: &Arguments<'_>,
        kept: &[u32],
        splits: &RowSplits,
    ) -> Result<(Vec<BuiltField>, Vec<String>), DataError> {
        let fitted = args.fitted.map(|schema| &schema.fields[..]);
        let mut oddities = Vec::new();
        let rows = (kept, &splits.train[..]);
        let (plans, table) = (&self.plans, &self.table);
        let built = built_fields(plans, table, rows, fitted, &self.spill, &mut oddities);
        // What is about a row names its own file.
        let built = built.map_err(|error| error.or_path(&self.path))?;
        oddities.extend(self.empty_splits(splits));
        Ok((built, oddities))
    }
}

/// The column beside the fields: that which an argument names, or the first.
fn beside_column(
    args: &Arguments<'_>,
    argument: &str,
    path: &Path,
    format: &TableFormat,
) -> Result<String, DataError> {
    let names = reader::header(path, format)?;
    let name = match args.get(argument) {
        None => names[0].clone(),
        Some(Literal::Name(name) | Literal::Str(name)) => name.clone(),
        Some(_) => return Err(args.wrong(argument, "the name of a column")),
    };
    let place = reader::place_of(&name, &names);
    place.map(|_| name).map_err(|error| error.path(path).argument(argument))
}

/// Reads the table, and makes samples of it; a large one goes where `spill` says.
fn load(args: &Arguments<'_>, places: &Places, spill: &Spill) -> Result<Dataset, DataError> {
    let requested = RequestedTable::read(args, places, "file", None, spill)?;
    let (kept, notes) = fields::kept_rows(&requested.plans, &requested.table)?;
    let splits = requested.splits(&kept)?;
    let (built, oddities) = requested.built(args, &kept, &splits)?;
    let buckets = sample_buckets(built.iter().map(|built| &built.buckets));
    let columns = built.into_iter().map(|built| (built.field, built.column));
    let samples = Samples::new(kept.len(), columns.collect());
    let samples = samples.in_buckets(buckets).from(requested.table.origins(&kept)?);
    let samples = Arc::new(samples);
    let mut data = Dataset::of_splits(Csv.name(), samples, splits.places(&kept));
    data.schema.oddities = oddities;
    data.notes = notes.into_iter().map(Note::of).collect();
    Ok(data)
}

/// The columns that fields need, of the files that `file` names, and the first of those.
pub fn columns_of(
    args: &Arguments<'_>,
    places: &Places,
    plans: &[FieldPlan],
) -> Result<(ColumnStore, PathBuf), DataError> {
    let format = format(args)?;
    let mut paths = files(args, "file", places)?;
    let wanted = wanted(plans, &SplitPlan::Random(None))?;
    known_columns(&paths[0], &format, plans, &wanted)?;
    let table = reader::read(&paths, &format, &wanted)?;
    Ok((table, paths.swap_remove(0)))
}

/// Says at its field that a column is not there.
fn known_columns(
    path: &Path,
    format: &TableFormat,
    plans: &[FieldPlan],
    wanted: &[(String, CellKind)],
) -> Result<(), DataError> {
    let names = reader::header(path, format)?;
    let places = ColumnPlaces::new(&names);
    for (column, _) in wanted {
        let Err(error) = places.of(column) else { continue };
        let plan = plans.iter().find(|plan| plan.columns.contains(column));
        let error = error.path(path);
        return Err(match plan.and_then(|plan| plan.place) {
            Some(place) => error.field(place),
            None if plan.is_none() => error.argument("split"),
            None => error,
        });
    }
    Ok(())
}
