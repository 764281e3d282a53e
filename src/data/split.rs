//! Which training samples are kept for validation.
//!
//! Of each class the same fraction, chosen by a hash of a sample's index: with ten classes of six
//! samples and a fraction of 0.5, three of each. The choice depends on labels and indices alone,
//! so every seed of a run and every machine validates on the same samples. A source that takes a
//! seed of its own has another choice for each.

use std::sync::Arc;

use super::dataset::Dataset;
use super::error::DataError;
use super::samples::{Samples, Split};
use crate::base::rng::{key_of_seed, philox};

/// How many of `count` samples a fraction keeps.
pub fn kept(count: usize, fraction: f64) -> usize {
    (count as f64 * fraction).round() as usize
}

/// Training and validation splits of labelled samples.
pub fn train_and_validation(
    samples: Arc<Samples>,
    labels: &[usize],
    fraction: f64,
) -> (Split, Split) {
    if kept(labels.len(), fraction) == 0 {
        return (Split::all(samples.clone()), Split::of(samples, Vec::new()));
    }
    let [train, validation] =
        parts(labels, [fraction]).try_into().expect("one fraction, two parts");
    (Split::of(samples.clone(), train), Split::of(samples, validation))
}

impl Dataset {
    /// The data with another choice of what to train on and what to validate on: part `fold` of
    /// `folds` equal parts of both is for validation. Each class is spread over the parts evenly.
    pub fn fold(&self, fold: usize, folds: usize) -> Result<Dataset, DataError> {
        let (train, validation) = deal(&self.train, &self.validation, fold, folds)?;
        Ok(self.with_splits(train, validation, self.test.clone()))
    }
}

/// Training and validation splits of a cross-validation: part `fold` of `folds` of all samples of
/// both is for validation. Samples are dealt to the parts in the order of their hash, class after
/// class, so that each part has of each class as many as any other, give or take one.
fn deal(
    train: &Split,
    validation: &Split,
    fold: usize,
    folds: usize,
) -> Result<(Split, Split), DataError> {
    let mut all = train.originals();
    if validation.count() > 0 {
        if !train.shares(validation) {
            let message = "`folds` needs training and validation samples of one source";
            let help = "leave `validation:` out, or give it a fraction";
            return Err(DataError::new(message).help(help));
        }
        all.extend(validation.originals());
    }
    all.sort_unstable();
    if all.len() < folds {
        let message = format!("{} samples cannot be cut into {folds} folds", all.len());
        return Err(DataError::new(message));
    }
    let whole = train.choose(all.clone());
    let labels = whole.labels().unwrap_or_else(|| vec![0; all.len()]);
    let mut dealt: Vec<(usize, u32)> = labels.into_iter().zip(all).collect();
    dealt.sort_by_key(|&(class, sample)| (class, hash(0, sample), sample));
    let part = |own: bool| {
        let numbered = dealt.iter().enumerate();
        let mut part: Vec<u32> = numbered
            .filter(|(place, _)| (place % folds == fold) == own)
            .map(|(_, &(_, sample))| sample)
            .collect();
        part.sort_unstable();
        part
    };
    Ok((train.choose(part(false)), train.choose(part(true))))
}

/// Cuts samples into the rest, then a part for each fraction of all of them. A part does not
/// depend on the fractions behind its own.
pub fn parts<const COUNT: usize>(labels: &[usize], fractions: [f64; COUNT]) -> Vec<Vec<u32>> {
    seeded_parts(labels, fractions, 0)
}

/// The same, chosen by the hash of another seed.
pub fn seeded_parts<const COUNT: usize>(
    labels: &[usize],
    fractions: [f64; COUNT],
    seed: u64,
) -> Vec<Vec<u32>> {
    let mut classes: Vec<Vec<u32>> = vec![Vec::new(); labels.iter().max().map_or(0, |max| max + 1)];
    for (index, &label) in labels.iter().enumerate() {
        classes[label].push(index as u32);
    }
    for class in &mut classes {
        let mut order: Vec<(u64, u32)> = class.iter().map(|&it| (hash(seed, it), it)).collect();
        order.sort_unstable();
        // What is taken first is taken from the end.
        *class = order.into_iter().rev().map(|(_, index)| index).collect();
    }
    let mut part_of = vec![0u8; labels.len()];
    for (part, fraction) in (1u8..).zip(fractions) {
        let counts: Vec<usize> = classes.iter().map(Vec::len).collect();
        let total = kept(labels.len(), fraction).min(counts.iter().sum());
        for (class, share) in classes.iter_mut().zip(shares(&counts, total)) {
            let taken = class.split_off(class.len() - share);
            taken.iter().for_each(|&index| part_of[index as usize] = part);
        }
    }
    let all = 0..labels.len() as u32;
    let chosen = |part| all.clone().filter(|&i| part_of[i as usize] == part).collect();
    (0..=COUNT as u8).map(chosen).collect()
}

/// `total` in parts proportional to `counts`: rounded down, then one more for those that lost
/// most by it.
fn shares(counts: &[usize], total: usize) -> Vec<usize> {
    let all = counts.iter().sum::<usize>().max(1);
    let mut shares: Vec<usize> = counts.iter().map(|&count| count * total / all).collect();
    let mut by_loss: Vec<usize> = (0..counts.len()).collect();
    by_loss.sort_by_key(|&class| (std::cmp::Reverse(counts[class] * total % all), class));
    let missing = total - shares.iter().sum::<usize>();
    by_loss[..missing].iter().for_each(|&class| shares[class] += 1);
    shares
}

fn hash(seed: u64, index: u32) -> u64 {
    let [low, high, ..] = philox(key_of_seed(seed), [index, 0, 0, 0]);
    u64::from(low) | u64::from(high) << 32
}

#[cfg(test)]
mod tests {
    use super::super::samples::Column;
    use super::*;
    use crate::base::schema::Field;

    fn split(labels: &[usize], fraction: f64) -> (Split, Split) {
        let field = Field::image("x", &[1]);
        let bytes = Column::Memory(vec![0; labels.len()]);
        let samples = Samples::new(labels.len(), vec![(field, bytes)]);
        train_and_validation(Arc::new(samples), labels, fraction)
    }

    #[test]
    fn each_class_gives_its_share_and_none_is_lost() {
        // Classes of 100, 300 and 600 samples, mixed.
        let labels: Vec<usize> =
            (0..1000).map(|i| [2, 1, 2, 0, 2, 1, 2, 2, 1, 2][i % 10]).collect();
        let (train, validation) = split(&labels, 0.15);
        assert_eq!((train.count(), validation.count()), (850, 150));
        let mut shares = [0; 3];
        let mut seen = vec![false; 1000];
        for index in 0..150 {
            let original = validation.original(index) as usize;
            shares[labels[original]] += 1;
            seen[original] = true;
        }
        assert_eq!(shares, [15, 45, 90]);
        (0..850).for_each(|index| seen[train.original(index) as usize] ^= true);
        assert!(seen.iter().all(|&seen| seen));
    }

    #[test]
    fn a_fraction_that_does_not_divide_is_met_to_the_sample() {
        let labels: Vec<usize> = (0..97).map(|i| i % 7).collect();
        let (train, validation) = split(&labels, 0.1);
        assert_eq!((train.count(), validation.count()), (87, 10));
        assert_eq!(split(&labels, 0.0).1.count(), 0);
    }

    #[test]
    fn a_second_fraction_changes_nothing_about_the_first() {
        let labels: Vec<usize> = (0..100).map(|i| i % 4).collect();
        let three = parts(&labels, [0.2, 0.4]);
        assert_eq!(three.iter().map(Vec::len).collect::<Vec<_>>(), [40, 20, 40]);
        assert_eq!(three[1], parts(&labels, [0.2])[1]);
        let mut all = three.concat();
        all.sort();
        assert!(all.into_iter().eq(0..100));
        let other = seeded_parts(&labels, [0.2, 0.4], 1);
        assert_eq!(other.iter().map(Vec::len).collect::<Vec<_>>(), [40, 20, 40]);
        assert_ne!(other[1], three[1], "another seed, another choice");
        assert_eq!(parts(&[0, 1], [0.9, 0.09])[0].len(), 0);
        assert!(parts(&[], [0.5]).concat().is_empty());
    }
}
