//! The request for a data set: a source's name and arguments as plain data, and where files may
//! lie.
//!
//! `digits(60000, seed: 1)` is `name: "digits"`, `args: [60000, seed: 1]`; [`Arguments`] gives a
//! source or transform its values by name, and an error for what it does not know. What a name means is the
//! source's business.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::DataError;
use crate::base::schema::Schema;

/// A value as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `60000`
    Int(i64),
    /// `0.1`
    Float(f64),
    /// `true`
    Bool(bool),
    /// `"train-images.gz"`
    Str(String),
    /// `[28, 28]`
    List(Vec<Literal>),
    /// `digits`
    Name(String),
    /// `stratified(species)`
    Call(TransformCall),
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// Its name; without one its place counts.
    pub name: Option<String>,
    /// Its value.
    pub value: Literal,
}

impl Argument {
    /// The argument `name: value`.
    pub fn named(name: &str, value: Literal) -> Argument {
        Argument { name: Some(name.into()), value }
    }

    /// An argument whose place counts.
    pub fn positional(value: Literal) -> Argument {
        Argument { name: None, value }
    }
}

/// A call: of a transform, a kind of field, a way to split.
#[derive(Clone, Debug, PartialEq)]
pub struct TransformCall {
    /// Its name.
    pub name: String,
    /// Its arguments, as written.
    pub args: Vec<Argument>,
}

impl TransformCall {
    /// The call `name(args)`.
    pub fn new(name: &str, args: Vec<Argument>) -> TransformCall {
        TransformCall { name: name.into(), args }
    }
}

/// A `data` item: `name(args) |> transform(…) …`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceRequest {
    /// The source's name.
    pub name: String,
    /// Its arguments, as written.
    pub args: Vec<Argument>,
    /// Transforms of each sample, in order.
    pub transforms: Vec<TransformCall>,
    /// The fields of a sample, where they are written.
    pub fields: Option<Vec<FieldRequest>>,
    /// The fields as an earlier run made them, which are made likewise: nothing is fitted anew.
    pub fitted: Option<Arc<Schema>>,
}

impl SourceRequest {
    /// The item `name(args)`, without transforms or fields.
    pub fn new(name: &str, args: Vec<Argument>) -> SourceRequest {
        SourceRequest { name: name.into(), args, ..SourceRequest::default() }
    }
}

/// A field: `price = number("Price") |> log1p as target`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldRequest {
    /// Its name.
    pub name: String,
    /// Its kind, with arguments.
    pub kind: TransformCall,
    /// Its transforms, in order.
    pub transforms: Vec<TransformCall>,
    /// Whether it is a target.
    pub is_target: bool,
}

impl FieldRequest {
    /// The input `name = kind`, without transforms.
    pub fn new(name: &str, kind: TransformCall) -> FieldRequest {
        FieldRequest { name: name.into(), kind, transforms: Vec::new(), is_target: false }
    }
}

/// Where data may lie.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    /// The folder of the `.nn` file.
    pub beside: PathBuf,
    /// The folder for data of all programs.
    pub nnc_data: Option<PathBuf>,
    /// The only folder to look in, where the user named one for this run.
    pub override_: Option<PathBuf>,
    /// Where downloads and what is made of data are kept.
    pub cache: Option<PathBuf>,
    /// Whether downloads are allowed.
    pub network: bool,
    /// Bytes of memory that the machine has for this program, where that is known.
    pub memory: Option<usize>,
}

impl Places {
    /// The folders to look in where the user named none for this run, the first first.
    pub fn roots(&self) -> impl Iterator<Item = &PathBuf> {
        [Some(&self.beside), self.nnc_data.as_ref()].into_iter().flatten()
    }
}

/// Is told how many samples have been read, of how many; `false` asks to stop. Several threads
/// may call at once.
pub type Watch<'a> = &'a (dyn Fn(usize, usize) -> bool + Sync);

/// Where a split comes from.
pub(super) enum Part<'a> {
    /// So much of the training samples.
    Fraction(f64),
    /// A folder.
    Folder(&'a str),
}

/// The arguments of a source or transform, by name.
pub(super) struct Arguments<'a> {
    callee: &'a str,
    values: Vec<(&'static str, &'a Literal)>,
    /// The fields of a source's samples, where they are written.
    pub fields: Option<&'a [FieldRequest]>,
    /// The fields as an earlier run made them.
    pub fitted: Option<&'a Schema>,
}

impl<'a> Arguments<'a> {
    /// The arguments of a request, whose source takes `known`, by place in that order.
    pub fn new(request: &'a SourceRequest, known: &[&'static str]) -> Result<Self, DataError> {
        let (fields, fitted) = (request.fields.as_deref(), request.fitted.as_deref());
        Ok(Arguments { fields, fitted, ..Self::of(&request.name, &request.args, known)? })
    }

    /// The arguments of a call, which takes `known`, by place in that order.
    pub fn of_call(call: &'a TransformCall, known: &[&'static str]) -> Result<Self, DataError> {
        Self::of(&call.name, &call.args, known)
    }

    /// The arguments of a call of `callee`, which takes `known`, by place in that order.
    pub fn of(
        callee: &'a str,
        args: &'a [Argument],
        known: &[&'static str],
    ) -> Result<Self, DataError> {
        let mut values: Vec<(&'static str, &Literal)> = Vec::new();
        for (place, argument) in args.iter().enumerate() {
            let name = match &argument.name {
                Some(name) => {
                    known.iter().copied().find(|known| known == name).ok_or_else(|| {
                        let error = DataError::new(format!("`{callee}` has no argument `{name}`"));
                        error.argument(name).misspelt(name, known.iter().copied(), || {
                            match known.is_empty() {
                                true => "it takes none".to_string(),
                                false => format!("its arguments are {}", known.join(", ")),
                            }
                        })
                    })?
                }
                None => known.get(place).copied().ok_or_else(|| {
                    DataError::new(match known.len() {
                        0 => format!("`{callee}` takes no arguments"),
                        1 => format!("`{callee}` takes at most one argument"),
                        most => format!("`{callee}` takes at most {most} arguments"),
                    })
                })?,
            };
            if values.iter().any(|&(given, _)| given == name) {
                let message = format!("`{name}` is given twice to `{callee}`");
                return Err(DataError::new(message).argument(name));
            }
            values.push((name, &argument.value));
        }
        Ok(Arguments { callee, values, fields: None, fitted: None })
    }

    /// A value as written, if it is.
    pub fn get(&self, name: &str) -> Option<&'a Literal> {
        self.values.iter().find(|&&(given, _)| given == name).map(|&(_, value)| value)
    }

    /// An argument that is not what it must be.
    pub fn wrong(&self, name: &str, expected: &str) -> DataError {
        DataError::new(format!("`{name}` of `{}` must be {expected}", self.callee)).argument(name)
    }

    /// A number of samples.
    pub fn count(&self, name: &str, default: usize, least: usize) -> Result<usize, DataError> {
        const MOST: usize = 1_000_000;
        match self.get(name) {
            None => Ok(default),
            Some(&Literal::Int(value)) if (least as i64..=MOST as i64).contains(&value) => {
                Ok(value as usize)
            }
            Some(_) => Err(self.wrong(name, &format!("an int from {least} to {MOST}"))),
        }
    }

    /// A seed.
    pub fn seed(&self, name: &str) -> Result<u64, DataError> {
        match self.get(name) {
            None => Ok(0),
            Some(&Literal::Int(value)) if value >= 0 => Ok(value as u64),
            Some(_) => Err(self.wrong(name, "an int, 0 or more")),
        }
    }

    /// A part of the training samples; 0 where none is given.
    pub fn fraction(&self, name: &str) -> Result<f64, DataError> {
        match self.get(name) {
            None | Some(Literal::Int(0)) => Ok(0.0),
            Some(&Literal::Float(value)) if (0.0..1.0).contains(&value) => Ok(value),
            Some(_) => Err(self.wrong(name, "a fraction: at least 0 and less than 1")),
        }
    }

    /// A fraction of what may go wrong.
    pub fn tolerance(&self, name: &str, default: f64) -> Result<f64, DataError> {
        match self.get(name) {
            None => Ok(default),
            Some(_) => self.fraction(name),
        }
    }

    /// A part of the training samples, or a folder of its own.
    pub fn part(&self, name: &str) -> Result<Part<'a>, DataError> {
        match self.get(name) {
            Some(Literal::Str(folder)) => Ok(Part::Folder(folder)),
            Some(Literal::Float(_) | Literal::Int(0)) | None => {
                self.fraction(name).map(Part::Fraction)
            }
            Some(_) => Err(self.wrong(name, "a folder, or a fraction less than 1")),
        }
    }

    /// Height and width: a list, or one int for both.
    pub fn size(&self, name: &str, most: usize) -> Result<[usize; 2], DataError> {
        let wrong = || self.wrong(name, &format!("[height, width], each from 1 to {most}"));
        let side = |value: &Literal| match value {
            Literal::Int(side) if (1..=most as i64).contains(side) => Ok(*side as usize),
            _ => Err(wrong()),
        };
        match self.get(name) {
            Some(Literal::List(sides)) => match sides.as_slice() {
                [height, width] => Ok([side(height)?, side(width)?]),
                _ => Err(wrong()),
            },
            Some(both) => Ok([side(both)?; 2]),
            None => Err(wrong()),
        }
    }

    /// A string.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, DataError> {
        match self.get(name) {
            None => Ok(None),
            Some(Literal::Str(value)) => Ok(Some(value)),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    /// A truth value.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, DataError> {
        match self.get(name) {
            None => Ok(default),
            Some(Literal::Bool(value)) => Ok(*value),
            Some(_) => Err(self.wrong(name, "`true` or `false`")),
        }
    }

    /// Strings: a list, or one.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, DataError> {
        let wrong = || self.wrong(name, "a string or a list of strings");
        let one = |value: &Literal| match value {
            Literal::Str(text) => Ok(text.clone()),
            _ => Err(wrong()),
        };
        match self.get(name) {
            None => Ok(None),
            Some(Literal::List(values)) if values.is_empty() => Err(wrong()),
            Some(Literal::List(values)) => {
                values.iter().map(one).collect::<Result<_, _>>().map(Some)
            }
            Some(value) => one(value).map(|text| Some(vec![text])),
        }
    }

    /// A string that must be there.
    pub fn required_text(&self, name: &str) -> Result<&'a str, DataError> {
        self.text(name)?.ok_or_else(|| self.wrong(name, "given: a path as a string"))
    }

    /// A number from `range`.
    pub fn number(
        &self,
        name: &str,
        default: f64,
        range: RangeInclusive<f64>,
    ) -> Result<f64, DataError> {
        match self.get(name).map(Literal::number) {
            None => Ok(default),
            Some(Some(value)) if range.contains(&value) => Ok(value),
            Some(_) => Err(self.wrong(name, &format!("a number {}", within(&range)))),
        }
    }

    /// `[low, high]`, both from `range`; a single number is made into both by `around`.
    pub fn bounds(
        &self,
        name: &str,
        default: [f64; 2],
        range: RangeInclusive<f64>,
        around: impl Fn(f64) -> [f64; 2],
    ) -> Result<[f64; 2], DataError> {
        let found = match self.get(name) {
            None => return Ok(default),
            Some(Literal::List(values)) => match &values[..] {
                [low, high] => low.number().zip(high.number()).map(|(low, high)| [low, high]),
                _ => None,
            },
            Some(value) => value.number().filter(|&value| value >= 0.0).map(around),
        };
        match found {
            Some([low, high]) if low <= high && range.contains(&low) && range.contains(&high) => {
                Ok([low, high])
            }
            _ => {
                let expected = format!("a number or a list `[low, high]`, {}", within(&range));
                Err(self.wrong(name, &expected))
            }
        }
    }

    /// Numbers: one, or one a channel.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>, DataError> {
        let found = match self.get(name) {
            Some(Literal::List(values)) => values.iter().map(Literal::number).collect(),
            Some(value) => value.number().map(|value| vec![value]),
            None => None,
        };
        found
            .filter(|values| !values.is_empty() && values.iter().all(|value| value.is_finite()))
            .ok_or_else(|| self.wrong(name, "given: a number, or a list with one for each channel"))
    }

    /// A height and a width, each from `least`; one int is both.
    pub fn optional_size(&self, name: &str, least: usize) -> Result<Option<[usize; 2]>, DataError> {
        const MOST: i64 = 1 << 14;
        let side = |value: &Literal| match *value {
            Literal::Int(side) if (least as i64..=MOST).contains(&side) => Some(side as usize),
            _ => None,
        };
        let found = match self.get(name) {
            None => return Ok(None),
            Some(Literal::List(values)) => match &values[..] {
                [height, width] => side(height).zip(side(width)).map(|(h, w)| [h, w]),
                _ => None,
            },
            Some(value) => side(value).map(|side| [side; 2]),
        };
        let expected = format!("an int or a list `[height, width]` of ints from {least} to {MOST}");
        found.map(Some).ok_or_else(|| self.wrong(name, &expected))
    }

    /// One of some names.
    pub fn name(&self, name: &str, known: &[&str]) -> Result<Option<&'a str>, DataError> {
        match self.get(name) {
            None => Ok(None),
            Some(Literal::Name(value)) if known.contains(&value.as_str()) => Ok(Some(value)),
            Some(_) => Err(self.wrong(name, &known.join(" or "))),
        }
    }
}

impl Literal {
    /// An int or float as a number.
    pub(super) fn number(&self) -> Option<f64> {
        match *self {
            Literal::Int(value) => Some(value as f64),
            Literal::Float(value) => Some(value),
            Literal::Bool(_) | Literal::Str(_) | Literal::List(_) => None,
            Literal::Name(_) | Literal::Call(_) => None,
        }
    }
}

/// `from 0 to 1`, or what of that is a bound.
fn within(range: &RangeInclusive<f64>) -> String {
    match (range.start(), range.end()) {
        (low, high) if high.is_finite() => format!("from {low} to {high}"),
        (low, _) => format!("from {low}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(args: &[(Option<&str>, Literal)]) -> SourceRequest {
        let args = args
            .iter()
            .map(|(name, value)| Argument { name: name.map(str::to_string), value: value.clone() });
        SourceRequest::new("digits", args.collect())
    }

    #[test]
    fn arguments_are_found_by_place_and_by_name() {
        let request = request(&[(None, Literal::Int(7)), (Some("seed"), Literal::Int(3))]);
        let args = Arguments::new(&request, &["train", "test", "seed"]).unwrap();
        assert_eq!(args.count("train", 1, 1), Ok(7));
        assert_eq!(args.count("test", 5, 0), Ok(5));
        assert_eq!(args.seed("seed"), Ok(3));
    }

    #[test]
    fn numbers_bounds_and_sizes() {
        use Literal::{Float, Int, List};
        let one = |value: Literal| request(&[(Some("x"), value)]);
        let around = |by: f64| [1.0 - by, 1.0 + by];
        let bounds = |value| {
            let request = one(value);
            let args = Arguments::new(&request, &["x"]).unwrap();
            args.bounds("x", [1.0; 2], 0.0..=2.0, around)
        };
        assert_eq!(bounds(Float(0.25)), Ok([0.75, 1.25]));
        assert_eq!(bounds(List(vec![Int(0), Float(0.5)])), Ok([0.0, 0.5]));
        let message = |value| bounds(value).unwrap_err().message;
        let expected = "`x` of `digits` must be a number or a list `[low, high]`, from 0 to 2";
        for wrong in [Int(-1), Int(3), List(vec![Int(1), Int(0)]), List(vec![Int(1)])] {
            assert_eq!(&*message(wrong), expected);
        }
        let size = |value| {
            let request = one(value);
            Arguments::new(&request, &["x"]).unwrap().optional_size("x", 1)
        };
        assert_eq!(size(Int(7)), Ok(Some([7, 7])));
        assert_eq!(size(List(vec![Int(7), Int(9)])), Ok(Some([7, 9])));
        assert!(size(Int(0)).is_err() && size(Float(7.0)).is_err());
        let request = one(List(vec![Float(0.5), Float(f64::INFINITY)]));
        assert!(Arguments::new(&request, &["x"]).unwrap().numbers("x").is_err());
    }

    #[test]
    fn what_a_source_does_not_know_is_an_error_with_a_way_out() {
        let misspelt = request(&[(Some("sead"), Literal::Int(3))]);
        let error = Arguments::new(&misspelt, &["train", "seed"]).err().unwrap();
        assert_eq!(error.help.as_deref(), Some("did you mean `seed`?"));
        let twice = request(&[(None, Literal::Int(3)), (Some("train"), Literal::Int(3))]);
        assert!(Arguments::new(&twice, &["train"]).err().unwrap().message.contains("twice"));
        let many = request(&[(None, Literal::Int(3)), (None, Literal::Int(3))]);
        assert!(Arguments::new(&many, &["train"]).is_err());
        let wrong = request(&[(None, Literal::Float(f64::NAN)), (None, Literal::Int(-1))]);
        let args = Arguments::new(&wrong, &["validation", "train"]).unwrap();
        assert!(args.fraction("validation").is_err() && args.count("train", 1, 1).is_err());
    }
}
