//! How a field is made of the columns of a source, with every number that was fitted: enough to make
//! the same field of other rows, and to turn a prediction back.
//!
//! ```text
//! price = number("Price") |> log1p |> standardize as target
//! columns ["Price"], value Number, missing Refuse,
//! transforms [Log1p, Standardize { mean: [7.79], std: [1.01] }]
//! ```
//!
//! Recipes are written as JSON into a run's folder and beside its weights.

use serde::{Deserialize, Serialize};

/// How a field is made of columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldRecipe {
    /// The columns or arrays, by name.
    pub columns: Vec<String>,
    /// The meaning of a cell.
    pub value: CellMeaning,
    /// The answer to a cell without a value.
    #[serde(default, skip_serializing_if = "MissingValue::is_refused")]
    pub missing: MissingValue,
    /// The transforms, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<FieldTransform>,
}

impl FieldRecipe {
    /// The numbers of a row.
    pub fn width(&self) -> usize {
        match &self.value {
            CellMeaning::Number => self.columns.len(),
            CellMeaning::Category { .. } | CellMeaning::Tokens(_) | CellMeaning::Levels(_) => 1,
            CellMeaning::Date(parts) => parts.len(),
            CellMeaning::Text { length, .. } => *length,
        }
    }
}

/// The meaning of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellMeaning {
    /// A number.
    Number,
    /// One of these texts, by its place among them.
    Category {
        /// The texts. Where `closed` is false the first stands for all that were never seen.
        names: Vec<String>,
        /// Whether any other text is an error.
        closed: bool,
    },
    /// A date, of which these parts are numbers.
    Date(Vec<DatePart>),
    /// Tokens of a text, by their places among these.
    Tokens(TokenList),
    /// A text as so many positions: the number of each of its tokens and 1; what is too long is cut, and
    /// what is left is [`PADDING`].
    Text {
        /// The tokens.
        tokens: TokenList,
        /// The positions; of buckets, those of the largest.
        length: usize,
        /// The buckets that texts of differing lengths go into, where there are some.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        buckets: Option<LengthBuckets>,
    },
    /// Levels of a wave.
    Levels(WaveLevels),
}

/// Buckets for texts of differing lengths: each goes into the first that holds it, and every batch is of
/// one bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LengthBuckets {
    /// The positions of each, increasing.
    pub lengths: Vec<usize>,
    /// Whether a text that is longer than the largest is cut; it is an error otherwise.
    pub cut: bool,
}

impl LengthBuckets {
    /// The first bucket that holds so many positions; the last where none does.
    pub fn of(&self, positions: usize) -> usize {
        let found = self.lengths.partition_point(|&length| length < positions);
        found.min(self.lengths.len() - 1)
    }
}

/// The form of waves whose samples are whole numbers, levels by the µ-law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveLevels {
    /// Samples a second.
    pub rate: u32,
    /// How many levels there are.
    pub count: usize,
}

/// The number of a position behind the end of a text.
pub const PADDING: i32 = 0;

/// The tokens of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenList {
    /// How a text becomes tokens.
    pub unit: TokenUnit,
    /// Each token as it is shown; of characters and words the first stands for all that were never
    /// seen.
    pub names: Vec<String>,
    /// Pairs of tokens that become one, in order, by their numbers; of [`TokenUnit::Pairs`] alone. The
    /// first 256 tokens are the bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merges: Vec<(u32, u32)>,
}

/// The unit that a text is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenUnit {
    /// Characters.
    Chars,
    /// Bytes.
    Bytes,
    /// Words, numbers, signs and the blanks between them: the whole text.
    Words,
    /// Words, numbers and signs, without the blanks.
    BareWords,
    /// Byte pairs (Sennrich et al. 2016; byte-level as in GPT-2).
    Pairs,
}

/// A part of a date as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatePart {
    /// The year.
    Year,
    /// The month, 1 to 12.
    Month,
    /// The day of the month, 1 to 31.
    Day,
    /// The day of the week, 0 (Monday) to 6.
    Weekday,
    /// The hour, 0 to 23.
    Hour,
    /// The minute, 0 to 59.
    Minute,
}

/// The answer to a cell without a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingValue {
    /// An error.
    #[default]
    Refuse,
    /// The row is left out.
    Drop,
    /// A number for each column.
    Fill(Vec<f32>),
    /// The category of what was never seen.
    Unknown,
    /// The category of this number.
    Category(usize),
}

impl MissingValue {
    fn is_refused(&self) -> bool {
        *self == MissingValue::Refuse
    }
}

/// A transform of a field's numbers, one entry a column where there are several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldTransform {
    /// `(x − mean) / std`.
    Standardize {
        /// The mean of each column.
        mean: Vec<f64>,
        /// The standard deviation of each column.
        std: Vec<f64>,
    },
    /// `(x − low) / (high − low)`.
    Minmax {
        /// The least value of each column.
        low: Vec<f64>,
        /// The largest value of each column.
        high: Vec<f64>,
    },
    /// `ln(1 + x)`.
    Log1p,
    /// `min(max(x, low), high)`.
    Clip {
        /// The least value.
        low: f64,
        /// The largest value.
        high: f64,
    },
    /// The number of edges that are at most `x`: a class.
    Buckets {
        /// Increasing edges.
        edges: Vec<f64>,
    },
    /// A class as a vector of zeros and a one.
    OneHot,
}

impl FieldTransform {
    /// The number that becomes of another, in a column.
    pub fn apply(&self, column: usize, x: f64) -> f64 {
        match self {
            FieldTransform::Standardize { mean, std } => (x - of(mean, column)) / of(std, column),
            FieldTransform::Minmax { low, high } => {
                (x - of(low, column)) / (of(high, column) - of(low, column))
            }
            FieldTransform::Log1p => libm::log1p(x),
            FieldTransform::Clip { low, high } => x.max(*low).min(*high),
            FieldTransform::Buckets { edges } => edges.partition_point(|edge| *edge <= x) as f64,
            FieldTransform::OneHot => x,
        }
    }

    /// The number that became this one; of what cannot be turned back, the number itself.
    pub fn restore(&self, column: usize, y: f64) -> f64 {
        match self {
            FieldTransform::Standardize { mean, std } => y * of(std, column) + of(mean, column),
            FieldTransform::Minmax { low, high } => {
                y * (of(high, column) - of(low, column)) + of(low, column)
            }
            FieldTransform::Log1p => libm::expm1(y),
            FieldTransform::Clip { .. } | FieldTransform::Buckets { .. } => y,
            FieldTransform::OneHot => y,
        }
    }
}

/// The number of a column; columns repeat where a field has several rows of them.
fn of(values: &[f64], column: usize) -> f64 {
    values[column % values.len()]
}

impl FieldRecipe {
    /// The number of the source that a number of the field stands for: transforms turned back, the
    /// last first.
    pub fn restore(&self, column: usize, y: f64) -> f64 {
        self.transforms.iter().rev().fold(y, |y, transform| transform.restore(column, y))
    }

    /// Whether numbers of the field are other than those of the source.
    pub fn changes_numbers(&self) -> bool {
        let changes =
            |transform: &FieldTransform| !matches!(transform, FieldTransform::Clip { .. });
        self.value == CellMeaning::Number && self.transforms.iter().any(changes)
    }

    /// The names of the classes; none where the field has no classes, or they are numbers.
    pub fn class_names(&self) -> Vec<String> {
        match &self.value {
            CellMeaning::Category { names, .. } => names.clone(),
            CellMeaning::Tokens(tokens) => tokens.names.clone(),
            CellMeaning::Text { tokens, .. } => std::iter::once("(padding)".to_owned())
                .chain(tokens.names.iter().cloned())
                .collect(),
            CellMeaning::Number | CellMeaning::Date(_) | CellMeaning::Levels(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transforms_are_turned_back_in_the_other_order() {
        let standardize = FieldTransform::Standardize { mean: vec![1.0, 2.0], std: vec![0.5, 4.0] };
        let recipe = FieldRecipe {
            columns: vec!["a".into(), "b".into()],
            value: CellMeaning::Number,
            missing: MissingValue::Refuse,
            transforms: vec![FieldTransform::Log1p, standardize],
        };
        for (column, x) in [(0, 0.25), (1, 300.0)] {
            let y = recipe.transforms.iter().fold(x, |x, transform| transform.apply(column, x));
            assert!((recipe.restore(column, y) / x - 1.0).abs() < 1e-12);
        }
        let text = serde_json::to_string(&recipe).unwrap();
        assert_eq!(serde_json::from_str::<FieldRecipe>(&text).unwrap(), recipe);
    }

    #[test]
    fn buckets_are_counted_by_their_lower_edges() {
        let buckets = FieldTransform::Buckets { edges: vec![0.0, 10.0] };
        let of = |x| buckets.apply(0, x);
        assert_eq!([of(-1.0), of(0.0), of(9.9), of(10.0)], [0.0, 1.0, 1.0, 2.0]);
    }
}
