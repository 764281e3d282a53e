//! Expected numbers as text: of each value its largest element and three projections.
//!
//! ```text
//! program 0 8d1c4e0f2a7b9e35
//! given 40 1.98 -3.21 0.77 5.1
//! loss 1 0.6931472 0.6931472 -0.6931472 0.6931472
//! grad.dense.weight 12 0.25 -0.11 0.32 0.05 1.2e-05 3.1e-05
//! ```
//!
//! A line is a name, the number of elements, `max|v|`, three sums of `±v`, and, where rounding does
//! something to the value, how far PyTorch in `f32` is from it: an element, and a projection, at
//! most. A projection of `n` elements, each within a tolerance, is within `sqrt(n)` of it. `given`
//! is all that the case is given, so that a case whose inputs have changed says so.

use std::collections::BTreeMap;

use nnc::base::tensor::{Data, Tensor};

use super::support::compare::tolerance;
use super::support::engines::Tensors;

/// How much of PyTorch's spread a value may be away.
pub const SPREADS: f64 = 4.0;

/// A value in a few numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub count: usize,
    /// Of the sizes of all elements.
    pub largest: f64,
    /// Sums of the elements with signs.
    pub projections: [f64; 3],
}

/// A value that is expected.
#[derive(Clone, Debug)]
pub struct Expected {
    pub summary: Summary,
    /// What rounding does to an element and to a projection.
    pub spread: [f64; 2],
}

/// The values of a case, by name.
pub type Values = BTreeMap<String, Expected>;

/// How a value agrees.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Equal,
    /// It differs beyond the tolerance, but no more than rounding explains.
    Allowed(String),
    Wrong(String),
}

impl Summary {
    /// Of the elements in row-major order.
    pub fn of(values: &[f64]) -> Summary {
        let mut projections = [0.0; 3];
        for (at, value) in values.iter().enumerate() {
            let bits = split_mix(at as u64);
            for (k, sum) in projections.iter_mut().enumerate() {
                *sum += if bits >> k & 1 == 1 { -value } else { *value };
            }
        }
        let larger = |most: f64, value: &f64| if most >= value.abs() { most } else { value.abs() };
        Summary { count: values.len(), largest: values.iter().fold(0.0, larger), projections }
    }

    /// Of all that a case is given, in order of the names.
    pub fn of_given(given: &Tensors) -> Summary {
        let values: Vec<f64> = given.values().flat_map(numbers).collect();
        Summary::of(&values)
    }
}

/// SplitMix64 of an index (Steele, Lea and Flood 2014).
fn split_mix(index: u64) -> u64 {
    let mut z = index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    match &tensor.data {
        Data::F32(values) => values.iter().map(|&value| f64::from(value)).collect(),
        Data::F64(values) => values.clone(),
        Data::I32(values) => values.iter().map(|&value| f64::from(value)).collect(),
        Data::U8(values) => values.iter().map(|&value| f64::from(value)).collect(),
        Data::Bool(values) => values.iter().map(|&value| f64::from(u8::from(value))).collect(),
    }
}

impl Expected {
    /// Compares what was found.
    pub fn verdict(&self, name: &str, found: &Summary) -> Verdict {
        let want = &self.summary;
        if found.count != want.count {
            return Verdict::Wrong(format!("{name}: {} elements, not {}", found.count, want.count));
        }
        if !want.largest.is_finite() || !found.largest.is_finite() {
            return match want.largest.is_finite() == found.largest.is_finite() {
                true => Verdict::Equal,
                false => Verdict::Wrong(format!(
                    "{name}: largest {}, not {}",
                    found.largest, want.largest
                )),
            };
        }
        let element = tolerance(&[want.largest as f32]);
        let sum = element * (want.count as f64).sqrt();
        let mut verdict =
            distance(name, "largest", found.largest, want.largest, [element, self.spread[0]]);
        for (k, (&found, &want)) in found.projections.iter().zip(&want.projections).enumerate() {
            let what = format!("projection {}", k + 1);
            verdict = verdict.and(distance(name, &what, found, want, [sum, self.spread[1]]));
        }
        verdict
    }
}

/// Compares two numbers: within the tolerance, or beyond it by what rounding does.
pub fn distance(
    name: &str,
    what: &str,
    found: f64,
    want: f64,
    [tolerance, spread]: [f64; 2],
) -> Verdict {
    let far = (found - want).abs();
    if far <= tolerance {
        return Verdict::Equal;
    }
    let why = format!(
        "{name}: {what} is {found:e}, not {want:e} (within {tolerance:.1e}, rounding {spread:.1e})"
    );
    match far <= tolerance + SPREADS * spread {
        true => Verdict::Allowed(why),
        false => Verdict::Wrong(why),
    }
}

impl Verdict {
    /// The worse of two; the first where both are wrong.
    pub fn and(self, other: Verdict) -> Verdict {
        match (&self, &other) {
            (Verdict::Wrong(_), _) | (_, Verdict::Equal) => self,
            (_, Verdict::Wrong(_)) | (Verdict::Equal, _) => other,
            (Verdict::Allowed(_), Verdict::Allowed(_)) => self,
        }
    }
}

/// A case of the file: its name, the hash of its program, its values.
pub struct Entry {
    pub name: String,
    pub hash: u64,
    pub values: Values,
}

/// The cases of a file.
pub fn parse(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["program" | "net", _, hash] => entries.push(Entry {
                name: words[..2].join(" "),
                hash: u64::from_str_radix(hash, 16).expect("a hash"),
                values: Values::new(),
            }),
            [name, count, ref numbers @ ..] => {
                let numbers: Vec<f64> =
                    numbers.iter().map(|number| number.parse().expect("a number")).collect();
                let (projections, spread) = numbers[1..].split_at(3);
                let summary = Summary {
                    count: count.parse().expect("a number"),
                    largest: numbers[0],
                    projections: projections.try_into().expect("three"),
                };
                let spread = spread.try_into().unwrap_or([0.0; 2]);
                let entry = entries.last_mut().expect("a case before its values");
                entry.values.insert(name.to_string(), Expected { summary, spread });
            }
            _ => panic!("not a line of expected numbers: {line}"),
        }
    }
    entries
}
