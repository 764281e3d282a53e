//! Which rows are for training, for validation and for testing.
//!
//! ```text
//! random              by a hash of the row's number
//! stratified(FIELD)   the same, of each value the same share
//! by(FIELD)           whole groups: no value is in two splits
//! time(FIELD)         the latest rows are for testing, those before them for validation
//! ```
//!
//! The choice depends on rows, their values and the data's own seed alone, so every seed of a run and
//! every machine has the same.

use super::{ColumnStore, MISSING_TEXT, RawColumn};
use crate::base::rng::{hash_name, key_of_seed, philox};
use crate::data::error::DataError;
use crate::data::request::{Arguments, Literal};
use crate::data::split::{kept, seeded_parts};

/// How rows are split.
#[derive(Clone, Debug, PartialEq)]
pub enum SplitPlan {
    /// By a hash; of each value of the column the same share, where one is named.
    Random(Option<String>),
    /// Whole groups of rows with one value of the column.
    By(String),
    /// In the order of the column.
    Time(String),
}

/// The rows of each split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowSplits {
    /// Rows to train on.
    pub train: Vec<u32>,
    /// Rows to validate on.
    pub validation: Vec<u32>,
    /// Rows to test on.
    pub test: Vec<u32>,
}

impl RowSplits {
    /// The places of the rows of each split among rows that ascend: to train, to validate, to test.
    pub fn places(&self, kept: &[u32]) -> [Vec<u32>; 3] {
        let mut place_of = vec![0; kept.last().map_or(0, |&last| last as usize + 1)];
        (0u32..).zip(kept).for_each(|(place, &row)| place_of[row as usize] = place);
        let places = |rows: &Vec<u32>| rows.iter().map(|&row| place_of[row as usize]).collect();
        [&self.train, &self.validation, &self.test].map(places)
    }
}

impl SplitPlan {
    /// The argument `split`. `column` gives the column of a field's name, or of its own.
    pub fn of(
        args: &Arguments<'_>,
        column: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<SplitPlan>, DataError> {
        const TAKES: &str = "random, stratified(FIELD), by(FIELD) or time(FIELD)";
        let wrong = || args.wrong("split", TAKES);
        let (name, of) = match args.get("split") {
            None => return Ok(None),
            Some(Literal::Name(word)) if word == "random" => {
                return Ok(Some(SplitPlan::Random(None)));
            }
            Some(Literal::Call(call)) => match &call.args[..] {
                [only] if only.name.is_none() => match &only.value {
                    Literal::Name(field) | Literal::Str(field) => (call.name.as_str(), field),
                    _ => return Err(wrong()),
                },
                _ => return Err(wrong()),
            },
            Some(_) => return Err(wrong()),
        };
        let column = column(of).ok_or_else(|| {
            let message = format!("`split` names `{of}`, which is no field of one column");
            DataError::new(message).argument("split")
        })?;
        match name {
            "stratified" => Ok(Some(SplitPlan::Random(Some(column)))),
            "by" => Ok(Some(SplitPlan::By(column))),
            "time" => Ok(Some(SplitPlan::Time(column))),
            _ => Err(wrong()),
        }
    }

    /// The column that it looks at.
    pub fn column(&self) -> Option<&str> {
        match self {
            SplitPlan::Random(column) => column.as_deref(),
            SplitPlan::By(column) | SplitPlan::Time(column) => Some(column),
        }
    }

    /// Splits rows: fractions of them for testing and for validation. Each seed has a choice of its
    /// own, the order of time aside.
    pub fn split(
        &self,
        table: &ColumnStore,
        rows: &[u32],
        [test, validation]: [f64; 2],
        seed: u64,
    ) -> Result<RowSplits, DataError> {
        let column: Vec<String> = self.column().map(str::to_owned).into_iter().collect();
        let part = table.part(&column, rows)?;
        let places: Vec<Vec<u32>> = match self {
            SplitPlan::Random(column) => {
                let labels = match column {
                    Some(column) => places_of_values(part.column(column)),
                    None => vec![0; rows.len()],
                };
                seeded_parts(&labels, [test, validation], seed)
            }
            SplitPlan::By(column) => by_groups(part.column(column), [test, validation], seed),
            SplitPlan::Time(column) => in_time(part.column(column), rows.len(), [test, validation]),
        };
        let rows_of = |places: &Vec<u32>| places.iter().map(|&at| rows[at as usize]).collect();
        Ok(RowSplits {
            train: rows_of(&places[0]),
            test: rows_of(&places[1]),
            validation: rows_of(&places[2]),
        })
    }
}

/// For each row the number of its value, among those that come up.
fn places_of_values(column: &RawColumn) -> Vec<usize> {
    match column {
        RawColumn::Texts { ids, names } => {
            let place = |&id: &u32| match id {
                MISSING_TEXT => names.len(),
                id => id as usize,
            };
            ids.iter().map(place).collect()
        }
        RawColumn::Numbers(values) => {
            let mut seen = rustc_hash::FxHashMap::default();
            let place = |value: &f32| {
                let next = seen.len();
                *seen.entry(value.to_bits()).or_insert(next)
            };
            values.iter().map(place).collect()
        }
    }
}

/// A hash as it is, or as another seed mixes it.
fn reseeded(hash: u64, seed: u64) -> u64 {
    if seed == 0 {
        return hash;
    }
    let [low, high, ..] = philox(key_of_seed(seed), [hash as u32, (hash >> 32) as u32, 0, 0]);
    u64::from(low) | u64::from(high) << 32
}

/// Groups in the order of a hash of their values, until a part has its share of the rows.
fn by_groups(column: &RawColumn, fractions: [f64; 2], seed: u64) -> Vec<Vec<u32>> {
    let groups = places_of_values(column);
    let count = groups.iter().max().map_or(0, |most| most + 1);
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); count];
    for (place, &group) in groups.iter().enumerate() {
        members[group].push(place as u32);
    }
    let hash = |group: usize| match column {
        RawColumn::Texts { names, .. } => names.get(group).map_or(0, |name| hash_name(name)),
        RawColumn::Numbers(values) => {
            let first = members[group].first().map_or(0, |&place| place as usize);
            hash_name(&values[first].to_string())
        }
    };
    let key = |group: usize| reseeded(hash(group), seed);
    let mut order: Vec<usize> = (0..count).filter(|&group| !members[group].is_empty()).collect();
    order.sort_by_key(|&group| (key(group), group));
    let mut order = order.into_iter().peekable();
    let mut taken = fractions.map(|fraction| {
        let wanted = kept(groups.len(), fraction);
        let mut part: Vec<u32> = Vec::new();
        while part.len() < wanted
            && let Some(group) = order.next()
        {
            part.extend(&members[group]);
        }
        part
    });
    let mut train: Vec<u32> = order.flat_map(|group| members[group].iter().copied()).collect();
    train.sort_unstable();
    taken.iter_mut().for_each(|part| part.sort_unstable());
    let [test, validation] = taken;
    vec![train, test, validation]
}

/// The last rows are for testing, those before them for validation; equal times stay in their order.
fn in_time(column: &RawColumn, rows: usize, [test, validation]: [f64; 2]) -> Vec<Vec<u32>> {
    let mut order: Vec<u32> = (0..rows as u32).collect();
    match column {
        RawColumn::Numbers(values) => {
            order.sort_by(|a, b| values[*a as usize].total_cmp(&values[*b as usize]));
        }
        RawColumn::Texts { ids, names } => {
            let text = |place: &u32| names.get(ids[*place as usize] as usize);
            order.sort_by(|a, b| text(a).cmp(&text(b)));
        }
    }
    let test = order.split_off(order.len() - kept(rows, test).min(order.len()));
    let validation = order.split_off(order.len() - kept(rows, validation).min(order.len()));
    vec![order, test, validation]
}
