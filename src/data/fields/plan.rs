//! The fields that a program asks for, checked before anything is read.
//!
//! ```text
//! sex = category(missing: unknown)      column "sex", Category { closed: false }, missing Unknown
//! ```

use super::date::PARTS;
use crate::base::schema::{DatePart, LengthBuckets, TokenUnit};
use crate::data::error::DataError;
use crate::data::request::{Arguments, FieldRequest, Literal, TransformCall};
use crate::data::text::unit;

/// The kinds of field, each with its arguments in order.
pub const KINDS: [(&str, &[&str]); 5] = [
    ("number", &["column", "missing"]),
    ("numbers", &["columns", "missing"]),
    ("category", &["column", "closed", "missing"]),
    ("date", &["column", "parts", "missing"]),
    ("text", &["column", "tokens", "length", "missing"]),
];

/// The transforms of fields, each with its arguments in order.
pub const TRANSFORMS: [(&str, &[&str]); 7] = [
    ("standardize", &["mean", "std"]),
    ("minmax", &["low", "high"]),
    ("log1p", &[]),
    ("clip", &["low", "high"]),
    ("buckets", &["count", "edges"]),
    ("one_hot", &[]),
    (BUCKET, &["lengths", "longer"]),
];

/// The transform of texts: buckets by their lengths.
const BUCKET: &str = "bucket";

/// A field as it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldPlan {
    /// Its name.
    pub name: String,
    /// The columns that it is made of.
    pub columns: Vec<String>,
    /// The meaning of their cells.
    pub meaning: MeaningPlan,
    /// Whether it is a vector, though it may have one column only.
    pub is_vector: bool,
    /// The answer to a cell without a value.
    pub missing: MissingPlan,
    /// The transforms, in order.
    pub transforms: Vec<TransformPlan>,
    /// The place of `bucket` among the transforms that are written, for messages.
    pub bucket: Option<usize>,
    /// Whether it is a target.
    pub is_target: bool,
    /// Its place among the fields that are written, for messages.
    pub place: Option<usize>,
}

/// The meaning of cells as it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum MeaningPlan {
    /// Numbers.
    Number,
    /// Texts of a few kinds; others than those of the training rows are an error where it is closed.
    Category {
        /// Whether it is closed.
        closed: bool,
    },
    /// Dates.
    Date(Vec<DatePart>),
    /// Texts as positions.
    Text {
        /// How they are cut.
        unit: TokenUnit,
        /// The most tokens.
        most: usize,
        /// The positions; of buckets, those of the largest.
        length: usize,
        /// The buckets by length.
        buckets: Option<LengthBuckets>,
    },
}

/// The answer to a cell without a value, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MissingPlan {
    /// An error that counts them.
    Refuse,
    /// The row is left out.
    Drop,
    /// The mean of the training rows.
    Mean,
    /// The median of the training rows.
    Median,
    /// The commonest value of the training rows.
    Mode,
    /// The category of what was never seen; of a text, one without tokens.
    Unknown,
    /// A number.
    Value(f32),
}

/// A transform as it is asked for; numbers that are not written are fitted.
#[derive(Clone, Debug, PartialEq)]
pub enum TransformPlan {
    /// `standardize`, with mean and deviation where they are written.
    Standardize(Option<(Vec<f64>, Vec<f64>)>),
    /// `minmax`, with both ends where they are written.
    Minmax(Option<(Vec<f64>, Vec<f64>)>),
    /// `log1p`.
    Log1p,
    /// `clip(low, high)`.
    Clip(f64, f64),
    /// `buckets(n)`: as many, with equal shares of the training rows.
    Quantiles(usize),
    /// `buckets(edges: […])`.
    Edges(Vec<f64>),
    /// `one_hot`.
    OneHot,
}

/// The fields that are written.
pub fn plans(fields: &[FieldRequest]) -> Result<Vec<FieldPlan>, DataError> {
    if fields.is_empty() {
        let error = DataError::new("the data have no fields");
        return Err(error.help("name some: `{ price = number }`, or leave the braces out"));
    }
    let mut plans: Vec<FieldPlan> = Vec::new();
    for (place, field) in fields.iter().enumerate() {
        if plans.iter().any(|plan| plan.name == field.name) {
            let message = format!("the field `{}` stands twice", field.name);
            return Err(DataError::new(message).field(place));
        }
        let plan = plan(place, field).map_err(|error| error.field(place))?;
        same_number_of_buckets(&plans, &plan).map_err(|error| error.field(place))?;
        plans.push(plan);
    }
    Ok(plans)
}

/// A sample is in one bucket, whatever fields have some.
fn same_number_of_buckets(plans: &[FieldPlan], plan: &FieldPlan) -> Result<(), DataError> {
    let Some(own) = plan.buckets() else { return Ok(()) };
    let other = plans.iter().find_map(|plan| Some((&plan.name, plan.buckets()?)));
    let Some((name, other)) = other.filter(|(_, other)| other.len() != own.len()) else {
        return Ok(());
    };
    let (own, other) = (own.len(), other.len());
    let message = format!("{own} buckets, but `{name}` has {other}: a sample is in one of each");
    let error = DataError::new(message).argument("lengths");
    let error = error.help("give both fields as many, the first for what is short in both");
    Err(match plan.bucket {
        Some(place) => error.transform(place),
        None => error,
    })
}

impl FieldPlan {
    /// The lengths of its buckets, where it has some.
    fn buckets(&self) -> Option<&[usize]> {
        match &self.meaning {
            MeaningPlan::Text { buckets, .. } => buckets.as_ref().map(|it| &it.lengths[..]),
            _ => None,
        }
    }
}

fn plan(place: usize, field: &FieldRequest) -> Result<FieldPlan, DataError> {
    let kind = field.kind.name.as_str();
    let Some((_, known)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        let names = KINDS.map(|(name, _)| name);
        let error = DataError::new(format!("unknown kind of field `{kind}`"));
        let kinds = || format!("kinds are {}", names.join(", "));
        return Err(error.misspelt(kind, names, kinds));
    };
    let args = Arguments::of_call(&field.kind, known)?;
    let columns = match kind {
        "numbers" => args.texts("columns")?.ok_or_else(|| {
            args.wrong("columns", "given: the names of columns, such as `[\"a\", \"b\"]`")
        })?,
        _ => vec![args.text("column")?.unwrap_or(&field.name).to_owned()],
    };
    let meaning = match kind {
        // A class that was never seen has no place in a target.
        "category" => MeaningPlan::Category { closed: args.flag("closed", field.is_target)? },
        "date" => MeaningPlan::Date(date_parts(&args)?),
        "text" => text_meaning(&args, &field.transforms)?,
        _ => MeaningPlan::Number,
    };
    let missing = missing(&args, &meaning)?;
    let mut transforms = Vec::new();
    // The buckets of a text are part of its meaning.
    let is_bucket = |call: &TransformCall| kind == "text" && call.name == BUCKET;
    for (index, call) in field.transforms.iter().enumerate().filter(|(_, it)| !is_bucket(it)) {
        let earlier = transforms.last();
        let next = transform(call, &meaning, earlier, columns.len());
        transforms.push(next.map_err(|error| error.transform(index))?);
    }
    Ok(FieldPlan {
        name: field.name.clone(),
        is_vector: matches!(kind, "numbers" | "date" | "text"),
        columns,
        meaning,
        missing,
        transforms,
        bucket: field.transforms.iter().position(is_bucket),
        is_target: field.is_target,
        place: Some(place),
    })
}

/// Positions that a text has at most.
const MOST_POSITIONS: usize = 1 << 16;

fn text_meaning(
    args: &Arguments<'_>,
    transforms: &[TransformCall],
) -> Result<MeaningPlan, DataError> {
    let (unit, most) = unit(args)?;
    // Blanks only tell words apart; in a window into a whole text they are text.
    let unit = if unit == TokenUnit::Words { TokenUnit::BareWords } else { unit };
    let length = args.count("length", 0, 1)?;
    let mut calls = transforms.iter().enumerate().filter(|(_, call)| call.name == BUCKET);
    if let Some((place, call)) = calls.next() {
        if let Some((again, _)) = calls.next() {
            let error = DataError::new("`bucket` stands twice");
            return Err(error.transform(again).help("put all lengths into one list"));
        }
        if args.get("length").is_some() {
            let error = args.wrong("length", "left out where the field has buckets");
            return Err(error.help("the largest bucket is the length"));
        }
        let buckets = length_buckets(call).map_err(|error| error.transform(place))?;
        let length = buckets.lengths[buckets.lengths.len() - 1];
        return Ok(MeaningPlan::Text { unit, most, length, buckets: Some(buckets) });
    }
    match length {
        0 => {
            let takes = "given: the tokens of a sample, such as `length: 64`, or let texts of \
                         differing lengths go into buckets, `|> bucket([64, 128])`";
            Err(args.wrong("length", takes))
        }
        1..=MOST_POSITIONS => Ok(MeaningPlan::Text { unit, most, length, buckets: None }),
        _ => Err(args.wrong("length", &format!("an int from 1 to {MOST_POSITIONS}"))),
    }
}

/// Buckets that a field has at most: each is a step of its own.
const MOST_BUCKETS: usize = 32;

fn length_buckets(call: &TransformCall) -> Result<LengthBuckets, DataError> {
    let args = Arguments::of_call(call, &["lengths", "longer"])?;
    let takes = || {
        let range = format!("of increasing ints from 1 to {MOST_POSITIONS}");
        args.wrong("lengths", &format!("a list of at most {MOST_BUCKETS} lengths, {range}"))
    };
    let Some(Literal::List(given)) = args.get("lengths") else {
        return Err(takes().help("write them in order: `bucket([64, 128, 256])`"));
    };
    let length = |literal: &Literal| match literal {
        Literal::Int(length) => {
            usize::try_from(*length).ok().filter(|it| (1..=MOST_POSITIONS).contains(it))
        }
        _ => None,
    };
    let lengths: Option<Vec<usize>> = given.iter().map(length).collect();
    let lengths = lengths.ok_or_else(takes)?;
    if lengths.is_empty() || lengths.len() > MOST_BUCKETS {
        return Err(takes());
    }
    if !lengths.is_sorted_by(|a, b| a < b) {
        let mut sorted = lengths;
        sorted.sort_unstable();
        sorted.dedup();
        return Err(takes().instead(format!("{sorted:?}")));
    }
    let cut = match args.get("longer") {
        None => false,
        Some(Literal::Name(word)) if word == "cut" => true,
        Some(_) => {
            return Err(args.wrong("longer", "`cut`, or left out where that is an error"));
        }
    };
    Ok(LengthBuckets { lengths, cut })
}

fn date_parts(args: &Arguments<'_>) -> Result<Vec<DatePart>, DataError> {
    let names = PARTS.map(|(name, _)| name).join(", ");
    let wrong = || args.wrong("parts", &format!("given: a list of some of {names}"));
    let Some(Literal::List(parts)) = args.get("parts") else { return Err(wrong()) };
    let part = |part: &Literal| match part {
        Literal::Name(word) => {
            PARTS.iter().find(|(name, _)| name == word).map(|&(_, part)| part).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    };
    let parts: Vec<DatePart> = parts.iter().map(part).collect::<Result<_, _>>()?;
    if parts.is_empty() { Err(wrong()) } else { Ok(parts) }
}

fn missing(args: &Arguments<'_>, meaning: &MeaningPlan) -> Result<MissingPlan, DataError> {
    let (words, takes_numbers): (&[(&str, MissingPlan)], bool) = match meaning {
        MeaningPlan::Number => (
            &[
                ("mean", MissingPlan::Mean),
                ("median", MissingPlan::Median),
                ("mode", MissingPlan::Mode),
                ("drop", MissingPlan::Drop),
            ],
            true,
        ),
        MeaningPlan::Category { .. } => (
            &[
                ("unknown", MissingPlan::Unknown),
                ("mode", MissingPlan::Mode),
                ("drop", MissingPlan::Drop),
            ],
            false,
        ),
        MeaningPlan::Date(_) => (&[("drop", MissingPlan::Drop)], false),
        MeaningPlan::Text { .. } => {
            (&[("empty", MissingPlan::Unknown), ("drop", MissingPlan::Drop)], false)
        }
    };
    let found = match args.get("missing") {
        None => return Ok(MissingPlan::Refuse),
        Some(Literal::Name(word)) => {
            words.iter().find(|(known, _)| known == word).map(|&(_, it)| it)
        }
        Some(value) => value
            .number()
            .map(|value| value as f32)
            .filter(|value| takes_numbers && value.is_finite())
            .map(MissingPlan::Value),
    };
    let found = found.ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
        let numbers = if takes_numbers { " or a number" } else { "" };
        args.wrong("missing", &format!("{}{numbers}", words.join(", ")))
    })?;
    if found == MissingPlan::Unknown && *meaning == (MeaningPlan::Category { closed: true }) {
        let error = args.wrong("missing", "`mode` or `drop` of a closed category");
        return Err(error.help("a closed category has no place for what is unknown"));
    }
    Ok(found)
}

/// A transform of a field, behind another.
fn transform(
    call: &TransformCall,
    meaning: &MeaningPlan,
    earlier: Option<&TransformPlan>,
    columns: usize,
) -> Result<TransformPlan, DataError> {
    let name = call.name.as_str();
    let Some((_, known)) = TRANSFORMS.iter().find(|(known, _)| *known == name) else {
        let names = TRANSFORMS.map(|(name, _)| name);
        let error = DataError::new(format!("unknown transform of a field `{name}`"));
        let list = || format!("transforms of fields are {}", names.join(", "));
        return Err(error.misspelt(name, names, list));
    };
    let args = Arguments::of_call(call, known)?;
    refuse_text(name, meaning)?;
    let are_classes = matches!(meaning, MeaningPlan::Category { .. })
        || matches!(earlier, Some(TransformPlan::Quantiles(_) | TransformPlan::Edges(_)));
    if matches!(earlier, Some(TransformPlan::OneHot)) {
        return Err(DataError::new(format!("nothing can follow `one_hot`, but `{name}` does")));
    }
    if are_classes != (name == "one_hot") {
        let (needs, has) =
            if are_classes { ("numbers", "a category") } else { ("a category", "numbers") };
        return Err(DataError::new(format!("`{name}` needs {needs}, but the field is {has}")));
    }
    match name {
        "standardize" => {
            let given = pair(&args, ["mean", "std"], columns)?;
            match given.as_ref().is_some_and(|(_, std)| std.iter().any(|&std| std <= 0.0)) {
                true => Err(args.wrong("std", "greater than 0")),
                false => Ok(TransformPlan::Standardize(given)),
            }
        }
        "minmax" => {
            let given = pair(&args, ["low", "high"], columns)?;
            let is_empty =
                |(low, high): &(Vec<f64>, Vec<f64>)| low.iter().zip(high).any(|(l, h)| l >= h);
            match given.as_ref().is_some_and(is_empty) {
                true => Err(args.wrong("high", "greater than `low`")),
                false => Ok(TransformPlan::Minmax(given)),
            }
        }
        "log1p" => Ok(TransformPlan::Log1p),
        "clip" => {
            let any = f64::MIN..=f64::MAX;
            let low = args.number("low", f64::MIN, any.clone())?;
            let high = args.number("high", f64::MAX, any)?;
            match low < high {
                true => Ok(TransformPlan::Clip(low, high)),
                false => Err(args.wrong("high", "greater than `low`")),
            }
        }
        "buckets" => buckets(&args),
        _ => Ok(TransformPlan::OneHot),
    }
}

/// Refuses transforms of numbers where the field is a text, and buckets by length where it is none.
fn refuse_text(name: &str, meaning: &MeaningPlan) -> Result<(), DataError> {
    let is_text = matches!(meaning, MeaningPlan::Text { .. });
    if name == BUCKET && !is_text {
        let error = DataError::new("`bucket` is of the lengths of texts, but the field is no text");
        return Err(error.help("classes are made of numbers by `buckets(edges: [0, 10])`"));
    }
    if name != BUCKET && is_text {
        let error = DataError::new(format!("`{name}` needs numbers, but the field is a text"));
        return Err(error.help("a text becomes numbers in the model: `embedding`, or `one_hot`"));
    }
    Ok(())
}

/// Two numbers for each column.
type NumberPair = (Vec<f64>, Vec<f64>);

/// Two numbers for each column, where they are written.
fn pair(
    args: &Arguments<'_>,
    [first, second]: [&str; 2],
    columns: usize,
) -> Result<Option<NumberPair>, DataError> {
    if args.get(first).is_none() && args.get(second).is_none() {
        return Ok(None);
    }
    let all = |name| -> Result<Vec<f64>, DataError> {
        let values = args.numbers(name)?;
        match values.len() {
            1 => Ok(vec![values[0]; columns]),
            count if count == columns => Ok(values),
            _ => Err(args.wrong(name, &format!("a number, or {columns} in a list"))),
        }
    };
    Ok(Some((all(first)?, all(second)?)))
}

fn buckets(args: &Arguments<'_>) -> Result<TransformPlan, DataError> {
    match (args.get("count"), args.get("edges")) {
        (Some(_), None) => Ok(TransformPlan::Quantiles(args.count("count", 2, 2)?)),
        (None, Some(_)) => {
            let edges = args.numbers("edges")?;
            match edges.windows(2).all(|pair| pair[0] < pair[1]) {
                true => Ok(TransformPlan::Edges(edges)),
                false => Err(args.wrong("edges", "a list of increasing numbers")),
            }
        }
        _ => Err(args.wrong("count", "given, or else `edges`")),
    }
}
