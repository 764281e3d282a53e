//! Samples that are remembered while a model is evaluated: those it is most wrong about, and some that
//! are chosen at random before any is looked at.

use super::details::EvaluatedSample;
use crate::base::rng::{Sequence, hash_name};
use std::collections::HashSet;

/// The samples that are remembered.
pub struct KeptSamples {
    most: usize,
    worst: Vec<EvaluatedSample>,
    chosen: HashSet<u32>,
    random: Vec<EvaluatedSample>,
}

impl KeptSamples {
    /// At most so many of the worst, and so many of `count` at random.
    pub fn new(worst: usize, random: usize, count: usize) -> KeptSamples {
        let chosen = at_random(random, count);
        KeptSamples { most: worst, worst: Vec::new(), chosen, random: Vec::new() }
    }

    /// Whether a sample would be remembered.
    pub fn wants(&self, index: u32, wrong: bool, loss: f64) -> bool {
        self.chosen.contains(&index) || wrong && self.place(loss) < self.most
    }

    /// Remembers a sample that is wanted; `wrong` where it may be one of the worst.
    pub fn add(&mut self, sample: EvaluatedSample, wrong: bool) {
        if self.chosen.contains(&sample.index) {
            self.random.push(sample.clone());
        }
        let place = self.place(sample.loss);
        if wrong && place < self.most {
            self.worst.insert(place, sample);
            self.worst.truncate(self.most);
        }
    }

    fn place(&self, loss: f64) -> usize {
        self.worst.partition_point(|other| other.loss >= loss)
    }

    /// The worst, and those chosen at random.
    pub fn finish(self) -> (Vec<EvaluatedSample>, Vec<EvaluatedSample>) {
        (self.worst, self.random)
    }
}

/// So many different numbers below `count`, or all of them; the same ones every time.
pub fn at_random(wanted: usize, count: usize) -> HashSet<u32> {
    let all = u32::try_from(count).unwrap_or(u32::MAX);
    if wanted >= count {
        return (0..all).collect();
    }
    // Where most are wanted, those that are not are drawn.
    let most = 2 * wanted > count;
    let draws = if most { count - wanted } else { wanted };
    let mut sequence = Sequence::new(0, hash_name("samples shown"));
    let mut drawn = HashSet::with_capacity(draws);
    while drawn.len() < draws {
        drawn.insert(sequence.below(all));
    }
    match most {
        true => (0..all).filter(|index| !drawn.contains(index)).collect(),
        false => drawn,
    }
}

#[cfg(test)]
mod tests {
    use super::super::details::Answer;
    use super::*;

    #[test]
    fn the_worst_come_first_and_others_in_their_order() {
        let mut kept = KeptSamples::new(2, 3, 100);
        for index in 0..100 {
            let loss = f64::from(index * 37 % 100);
            let wrong = index % 2 == 0;
            if kept.wants(index, wrong, loss) {
                let (label, predicted) = (Answer::Class(0), Answer::Class(1));
                let sample = EvaluatedSample { index, label, predicted, probability: None, loss };
                kept.add(sample, wrong);
            }
        }
        let (worst, random) = kept.finish();
        let losses: Vec<f64> = worst.iter().map(|sample| sample.loss).collect();
        assert_eq!(losses, [98.0, 96.0]);
        assert_eq!(random.len(), 3);
        assert!(random.is_sorted_by_key(|sample| sample.index));
    }

    #[test]
    fn as_many_are_chosen_as_are_wanted() {
        for (wanted, count) in [(0, 5), (3, 5), (4, 5), (5, 5), (9, 5), (6, 10_000)] {
            let chosen = at_random(wanted, count);
            assert_eq!(chosen.len(), wanted.min(count));
            assert!(chosen.iter().all(|&index| (index as usize) < count));
        }
    }
}
