//! Statistics of all samples of a split, for metrics that no mean of samples gives.
//!
//! ```text
//! metric auc(…) -> f32[N, 2 * K] maximize { … } over roc_auc
//!
//! the rows of all samples, f32[samples, 2 * K]  ─ roc_auc →  one number
//! ```
//!
//! A value depends on which rows there are and not on their order, so batches and threads cannot be
//! seen in its bits.

/// A statistic of all samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitStatistic {
    /// The area under the receiver operating characteristic. A row has a score for each of `K` labels,
    /// then for each whether it is so (more than 0.5).
    RocAuc,
    /// The share of the variance of the second half of the rows that the first half explains.
    RSquared,
}

/// The value of a statistic.
#[derive(Clone, Debug, PartialEq)]
pub struct StatisticValue {
    /// The number; NaN where there is none.
    pub value: f64,
    /// The part of the samples that it does not count, in words; empty where it counts all.
    pub left_out: String,
}

impl SplitStatistic {
    /// All statistics, with their names in the language.
    pub const ALL: [(&'static str, SplitStatistic); 2] =
        [("roc_auc", SplitStatistic::RocAuc), ("r_squared", SplitStatistic::RSquared)];

    /// The statistic of a name.
    pub fn of_name(name: &str) -> Option<SplitStatistic> {
        SplitStatistic::ALL.iter().find(|(known, _)| *known == name).map(|&(_, it)| it)
    }

    /// Whether rows may have so many numbers; else which they may have.
    pub fn takes(self, width: usize) -> Result<(), &'static str> {
        match self {
            _ if width > 0 && width.is_multiple_of(2) => Ok(()),
            SplitStatistic::RocAuc => {
                Err("`f32[N, 2 * K]`: a score for each label, then the labels")
            }
            SplitStatistic::RSquared => Err("`f32[N, 2 * K]`: outputs, then their targets"),
        }
    }

    /// The value for rows of `width` numbers each, one after the other.
    pub fn value(self, rows: &[f32], width: usize) -> StatisticValue {
        match self {
            SplitStatistic::RocAuc => roc_auc(rows, width / 2),
            SplitStatistic::RSquared => {
                StatisticValue { value: r_squared(rows, width / 2), left_out: String::new() }
            }
        }
    }

    /// Bytes that the rows of so many samples take, with what computing the value takes.
    pub fn bytes(self, samples: usize, width: usize) -> usize {
        // A vector that grows has up to twice the room; one label at a time is sorted.
        let rows = samples.saturating_mul(width).saturating_mul(2 * size_of::<f32>());
        let sorted = match self {
            SplitStatistic::RocAuc => samples.saturating_mul(size_of::<(f32, bool)>()),
            SplitStatistic::RSquared => {
                samples.saturating_mul(width).saturating_mul(size_of::<f64>())
            }
        };
        rows.saturating_add(sorted)
    }
}

/// The mean over the labels that have both answers, of the area under each one's curve (scikit-learn's
/// `roc_auc_score` with `average="macro"`).
fn roc_auc(rows: &[f32], labels: usize) -> StatisticValue {
    let areas: Vec<Option<f64>> = (0..labels).map(|label| area(rows, labels, label)).collect();
    let known: Vec<f64> = areas.iter().flatten().copied().collect();
    // Of nothing, 0 / 0.
    let value = known.iter().sum::<f64>() / known.len() as f64;
    let unknown: Vec<String> = (0..labels)
        .filter(|&label| areas[label].is_none())
        .map(|label| label.to_string())
        .collect();
    let left_out = match (unknown.len(), labels) {
        (0, _) => String::new(),
        (1, 1) => "all samples have the same answer, so there is no curve".to_owned(),
        (all, labels) if all == labels => "no label has both answers".to_owned(),
        (count, labels) => {
            const SHOWN: usize = 8;
            let names = unknown[..count.min(SHOWN)].join(", ");
            let more = if count > SHOWN { ", …" } else { "" };
            format!("left out, having one answer only: {count} of {labels} labels ({names}{more})")
        }
    };
    StatisticValue { value, left_out }
}

/// The share of the pairs of a yes and a no in which the yes has the larger score, ties counted as
/// half: the area under the curve (Hanley and McNeil 1982). None where all answers are the same. Pairs
/// are counted in integers, so the only rounding is that of the quotient.
fn area(rows: &[f32], labels: usize, label: usize) -> Option<f64> {
    // `+ 0.0` makes the two zeros one.
    let answer = |row: &[f32]| (row[label] + 0.0, row[labels + label] > 0.5);
    let mut answers: Vec<(f32, bool)> = rows.chunks_exact(2 * labels).map(answer).collect();
    let yes = answers.iter().filter(|(_, yes)| *yes).count() as u128;
    let no = answers.len() as u128 - yes;
    if yes == 0 || no == 0 {
        return None;
    }
    if answers.iter().any(|(score, _)| score.is_nan()) {
        return Some(f64::NAN);
    }
    answers.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
    let (mut halves, mut no_below) = (0u128, 0u128);
    for ties in answers.chunk_by(|(a, _), (b, _)| a == b) {
        let tied_yes = ties.iter().filter(|(_, yes)| *yes).count() as u128;
        let tied_no = ties.len() as u128 - tied_yes;
        halves += tied_yes * (2 * no_below + tied_no);
        no_below += tied_no;
    }
    Some(halves as f64 / (2 * yes * no) as f64)
}

/// `1 - Σ (t - o)² / Σ (t - mean t)²` over all numbers of all rows (scikit-learn's `r2_score` of one
/// output). In `f64`, the mean first: the squares of years or coordinates leave nothing of their
/// variance in `f32`.
fn r_squared(rows: &[f32], width: usize) -> f64 {
    let halves = || rows.chunks_exact(2 * width).map(|row| row.split_at(width));
    let targets: Vec<f64> = halves().flat_map(|(_, t)| t).copied().map(f64::from).collect();
    let count = targets.len() as f64;
    let squares = halves()
        .flat_map(|(o, t)| o.iter().zip(t))
        .map(|(&o, &t)| (f64::from(t) - f64::from(o)).powi(2));
    let error = sum(squares.collect()) / count;
    let mean = sum(targets.clone()) / count;
    let variance = sum(targets.into_iter().map(|t| (t - mean).powi(2)).collect()) / count;
    1.0 - error / variance.max(LEAST_VARIANCE)
}

/// Of targets that are all the same: what is no better than them is far below 0, not infinite.
const LEAST_VARIANCE: f64 = 1e-12;

/// The sum of numbers, whatever their order was.
fn sum(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `r2_score(targets, outputs)` of scikit-learn's documentation, near 0 and far off.
    #[test]
    fn explained_variance_does_not_depend_on_where_the_targets_are() {
        let r2 = |offset: f32, pairs: &[[f32; 2]]| {
            let rows: Vec<f32> = pairs.iter().flatten().map(|it| it + offset).collect();
            SplitStatistic::RSquared.value(&rows, 2).value
        };
        let pairs = [[2.5, 3.0], [0.0, -0.5], [2.0, 2.0], [8.0, 7.0]];
        for offset in [0.0, 2000.0, 1e6, -1e6] {
            assert!((r2(offset, &pairs) - 0.948_608_137).abs() < 1e-8, "{offset}");
        }
        let mut back = pairs;
        back.reverse();
        assert_eq!(r2(0.1, &pairs).to_bits(), r2(0.1, &back).to_bits());
        assert_eq!(r2(0.0, &[[1.0, 1.0], [1.0, 1.0]]), 1.0);
        assert!(r2(0.0, &[[f32::NAN, 1.0], [1.0, 2.0]]).is_nan());
    }

    fn auc(scores: &[f32], answers: &[u8]) -> f64 {
        let rows: Vec<f32> =
            scores.iter().zip(answers).flat_map(|(&s, &a)| [s, f32::from(a)]).collect();
        SplitStatistic::RocAuc.value(&rows, 2).value
    }

    /// The values of `roc_auc_score(answers, scores)` of scikit-learn 1.9.1; `tests/metrics.rs` has more of
    /// its numbers.
    #[test]
    fn areas_are_those_of_scikit_learn() {
        // The example of its documentation.
        assert_eq!(auc(&[0.1, 0.4, 0.35, 0.8], &[0, 0, 1, 1]), 0.75);
        assert_eq!(auc(&[0.5; 6], &[0, 1, 0, 1, 1, 0]), 0.5);
        assert_eq!(auc(&[3.0, 2.0, -1.0], &[1, 1, 0]), 1.0);
        assert_eq!(auc(&[0.0, -0.0], &[1, 0]), 0.5, "zeros are one number");
    }

    #[test]
    fn order_cannot_be_seen() {
        let scores: Vec<f32> = (0..1000u32).map(|i| (i * 7919 % 101) as f32 / 7.0).collect();
        let answers: Vec<u8> = (0..1000u32).map(|i| u8::from(i * 31 % 13 > 6)).collect();
        let (mut back, mut answers_back) = (scores.clone(), answers.clone());
        back.reverse();
        answers_back.reverse();
        assert_eq!(auc(&scores, &answers).to_bits(), auc(&back, &answers_back).to_bits());
    }

    #[test]
    fn labels_of_one_answer_are_left_out_and_told() {
        let rows = [0.1, 0.9, 0.0, 1.0, 0.7, 0.2, 1.0, 1.0];
        let found = SplitStatistic::RocAuc.value(&rows, 4);
        assert_eq!(found.value, 1.0);
        assert_eq!(found.left_out, "left out, having one answer only: 1 of 2 labels (1)");
        let none = SplitStatistic::RocAuc.value(&[0.5, 1.0], 2);
        assert!(none.value.is_nan() && none.left_out.contains("same answer"));
        assert!(auc(&[f32::NAN, 1.0], &[0, 1]).is_nan());
    }
}
