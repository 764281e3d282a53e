//! How often which class was taken for which, and what follows for each class.

/// How often which class was taken for which.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confusion {
    /// The classes' names; one without is called by its number.
    pub classes: Vec<String>,
    /// Samples by true class (rows) and predicted class (columns); missing ones are zero.
    pub counts: Vec<Vec<u64>>,
}

/// How well a class is told from the others.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassScores {
    /// The class.
    pub class: String,
    /// Of the samples that were taken for the class, the share that are of it; nothing where none
    /// was.
    pub precision: Option<f64>,
    /// Of the samples of the class, the share that were taken for it; nothing where there is none.
    pub recall: Option<f64>,
    /// The harmonic mean of both, `2·right / (2·right + wrongly taken for it + missed)`; nothing
    /// where the class neither occurs nor was predicted.
    pub f1: Option<f64>,
    /// The samples of the class.
    pub support: u64,
}

impl Confusion {
    /// The number of classes, named or only counted.
    pub(super) fn size(&self) -> usize {
        let columns = self.counts.iter().map(Vec::len).max().unwrap_or(0);
        self.classes.len().max(self.counts.len()).max(columns)
    }

    /// Samples of one class that were taken for another.
    pub(super) fn count(&self, class: usize, predicted: usize) -> u64 {
        self.counts.get(class).and_then(|row| row.get(predicted)).copied().unwrap_or(0)
    }

    /// The name of a class.
    pub(super) fn name(&self, class: usize) -> String {
        self.classes.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// Samples of each class.
    pub(super) fn support(&self) -> Vec<u64> {
        let of = |class: usize| self.counts.get(class).map_or(0, |row| sum(row.iter().copied()));
        (0..self.size()).map(of).collect()
    }

    /// Samples that were taken for each class.
    fn predicted(&self) -> Vec<u64> {
        let mut predicted = vec![0u64; self.size()];
        for row in &self.counts {
            for (total, count) in predicted.iter_mut().zip(row) {
                *total = total.saturating_add(*count);
            }
        }
        predicted
    }
}

/// A sum that stays at the largest number rather than to begin again at zero.
pub(super) fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// A part of a whole; nothing where the whole is nothing.
pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The scores of a class that so many samples are of, so many were taken for, and so many both.
pub fn scores_of(class: String, support: u64, predicted: u64, right: u64) -> ClassScores {
    ClassScores {
        class,
        precision: share(right, predicted),
        recall: share(right, support),
        // right + wrongly taken for it = predicted, right + missed = support
        f1: share(right, support.saturating_add(predicted)).map(|half| 2.0 * half),
        support,
    }
}

/// The scores of each class, in the classes' order.
pub fn per_class(confusion: &Confusion) -> Vec<ClassScores> {
    let (support, predicted) = (confusion.support(), confusion.predicted());
    let scores = |class: usize| {
        let right = confusion.count(class, class);
        let (support, predicted) = (support[class], predicted[class]);
        scores_of(confusion.name(class), support, predicted, right)
    };
    (0..confusion.size()).map(scores).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confusion(classes: &[&str], counts: &[&[u64]]) -> Confusion {
        Confusion {
            classes: classes.iter().map(|name| name.to_string()).collect(),
            counts: counts.iter().map(|row| row.to_vec()).collect(),
        }
    }

    #[test]
    fn scores_of_each_class() {
        let scores = per_class(&confusion(&["cat", "dog"], &[&[6, 2], &[3, 9]]));
        assert_eq!(scores[0].class, "cat");
        assert_eq!(scores[0].precision, Some(6.0 / 9.0));
        assert_eq!(scores[0].recall, Some(0.75));
        let (precision, recall): (f64, f64) = (6.0 / 9.0, 0.75);
        let mean = 2.0 * precision * recall / (precision + recall);
        assert!((scores[0].f1.expect("defined") - mean).abs() < 1e-15);
        assert_eq!(scores[0].support, 8);
        assert_eq!(scores[1].precision, Some(9.0 / 11.0));
        assert_eq!(scores[1].recall, Some(0.75));
        assert_eq!(scores[1].support, 12);
    }

    #[test]
    fn scores_that_are_not_defined_are_none() {
        // `b` is never predicted, `c` does not occur, `d` neither.
        let counts: [&[u64]; 4] = [&[3, 0, 1, 0], &[2, 0, 0, 0], &[0; 4], &[0; 4]];
        let scores = per_class(&confusion(&["a", "b", "c", "d"], &counts));
        let of = |class: usize| (scores[class].precision, scores[class].recall, scores[class].f1);
        assert_eq!(of(1), (None, Some(0.0), Some(0.0)));
        assert_eq!(of(2), (Some(0.0), None, Some(0.0)));
        assert_eq!(of(3), (None, None, None));
    }

    #[test]
    fn names_and_counts_need_not_agree() {
        let scores = per_class(&confusion(&["a"], &[&[1, 2], &[], &[0, 0, 4]]));
        let classes: Vec<&str> = scores.iter().map(|score| score.class.as_str()).collect();
        assert_eq!(classes, ["a", "1", "2"]);
        assert_eq!(scores[2].f1, Some(1.0));
        assert_eq!(per_class(&confusion(&["a", "b"], &[]))[1].support, 0);
        assert_eq!(per_class(&Confusion::default()), []);
    }

    #[test]
    fn counts_beyond_all_numbers_stay_within_them() {
        let scores = per_class(&confusion(&["a", "b"], &[&[u64::MAX, u64::MAX], &[1, 1]]));
        assert_eq!(scores[0].support, u64::MAX);
        assert_eq!(scores[0].recall, Some(1.0));
    }
}
