//! What is asked for: a source's name and arguments as plain data, and where files may lie.
//!
//! `digits(60000, seed: 1)` is `name: "digits"`, `args: [60000, seed: 1]`; [`Arguments`] gives a
//! source its values by name, and an error for what it does not know. What a name means is the
//! source's business.

use std::path::PathBuf;

use super::error::DataError;
use crate::base::diagnostic::nearest;

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
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// Its name; without one its place counts.
    pub name: Option<String>,
    /// Its value.
    pub value: Literal,
}

/// A transform: a name and arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// Its arguments, as written.
    pub args: Vec<Argument>,
}

/// A `data` item: `name(args) |> transform(…) …`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceRequest {
    /// The source's name.
    pub name: String,
    /// Its arguments, as written.
    pub args: Vec<Argument>,
    /// What is done to samples, in order.
    pub transforms: Vec<Call>,
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
    /// Where downloads are kept.
    pub cache: Option<PathBuf>,
    /// Whether downloads are allowed.
    pub network: bool,
}

/// The arguments of a source, by name.
pub(super) struct Arguments<'a> {
    source: &'a str,
    values: Vec<(&'static str, &'a Literal)>,
}

impl<'a> Arguments<'a> {
    /// The arguments of a request, whose source takes `known`, by place in that order.
    pub fn new(request: &'a SourceRequest, known: &[&'static str]) -> Result<Self, DataError> {
        let source = request.name.as_str();
        let mut values: Vec<(&'static str, &Literal)> = Vec::new();
        for (place, argument) in request.args.iter().enumerate() {
            let name = match &argument.name {
                Some(name) => {
                    known.iter().copied().find(|known| known == name).ok_or_else(|| {
                        let error = DataError::new(format!("`{source}` has no argument `{name}`"));
                        error.argument(name).help(match nearest(name, known.iter().copied()) {
                            Some(known) => format!("did you mean `{known}`?"),
                            None => format!("its arguments are {}", known.join(", ")),
                        })
                    })?
                }
                None => known.get(place).copied().ok_or_else(|| {
                    DataError::new(format!("`{source}` takes at most {} arguments", known.len()))
                })?,
            };
            if values.iter().any(|&(given, _)| given == name) {
                let message = format!("`{name}` is given twice to `{source}`");
                return Err(DataError::new(message).argument(name));
            }
            values.push((name, &argument.value));
        }
        Ok(Arguments { source, values })
    }

    fn get(&self, name: &str) -> Option<&'a Literal> {
        self.values.iter().find(|&&(given, _)| given == name).map(|&(_, value)| value)
    }

    fn wrong(&self, name: &str, expected: &str) -> DataError {
        DataError::new(format!("`{name}` of `{}` must be {expected}", self.source)).argument(name)
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

    /// A string.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, DataError> {
        match self.get(name) {
            None => Ok(None),
            Some(Literal::Str(value)) => Ok(Some(value)),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    /// A string that must be there.
    pub fn required_text(&self, name: &str) -> Result<&'a str, DataError> {
        self.text(name)?.ok_or_else(|| self.wrong(name, "given: a file's path as a string"))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request(args: &[(Option<&str>, Literal)]) -> SourceRequest {
        let args = args
            .iter()
            .map(|(name, value)| Argument { name: name.map(str::to_string), value: value.clone() });
        SourceRequest { name: "digits".into(), args: args.collect(), transforms: Vec::new() }
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
