//! Which training samples are kept for validation.
//!
//! Of each class the same fraction, chosen by a hash of a sample's index: with ten classes of six
//! samples and a fraction of 0.5, three of each. The choice depends on labels and indices alone,
//! so every seed and every machine validates on the same samples.

use std::sync::Arc;

use super::dataset::{Samples, Split};
use crate::base::rng::philox;

/// How many of `count` samples a fraction keeps.
pub fn kept(count: usize, fraction: f64) -> usize {
    (count as f64 * fraction).round() as usize
}

/// Training and validation splits of labelled samples.
pub fn train_and_validation(samples: Arc<Samples>, labels: &[u8], fraction: f64) -> (Split, Split) {
    let total = kept(samples.count(), fraction);
    if total == 0 {
        return (Split::all(samples.clone()), Split::of(samples, Vec::new()));
    }
    let mut classes: Vec<Vec<u32>> = vec![Vec::new(); 256];
    for (index, &label) in labels.iter().enumerate() {
        classes[usize::from(label)].push(index as u32);
    }
    let counts: Vec<usize> = classes.iter().map(Vec::len).collect();
    let mut is_validation = vec![false; samples.count()];
    for (mut class, share) in classes.into_iter().zip(shares(&counts, total)) {
        class.sort_by_key(|&index| (hash(index), index));
        class[..share].iter().for_each(|&index| is_validation[index as usize] = true);
    }
    let chosen = |wanted: bool| {
        let indices = 0..samples.count() as u32;
        indices.filter(|&index| is_validation[index as usize] == wanted).collect()
    };
    let (train, validation) = (chosen(false), chosen(true));
    (Split::of(samples.clone(), train), Split::of(samples, validation))
}

/// `total` in parts proportional to `counts`: rounded down, then one more for those that lost
/// most by it.
fn shares(counts: &[usize], total: usize) -> Vec<usize> {
    let all: usize = counts.iter().sum();
    let mut shares: Vec<usize> = counts.iter().map(|&count| count * total / all).collect();
    let mut by_loss: Vec<usize> = (0..counts.len()).collect();
    by_loss.sort_by_key(|&class| (std::cmp::Reverse(counts[class] * total % all), class));
    let missing = total - shares.iter().sum::<usize>();
    by_loss[..missing].iter().for_each(|&class| shares[class] += 1);
    shares
}

fn hash(index: u32) -> u64 {
    let [low, high, ..] = philox([0; 2], [index, 0, 0, 0]);
    u64::from(low) | u64::from(high) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::schema::Field;
    use crate::base::tensor::DType;

    fn split(labels: &[u8], fraction: f64) -> (Split, Split) {
        let field = Field { name: "x".into(), dtype: DType::U8, shape: vec![1] };
        let samples = Samples::new(labels.len(), vec![(field, labels.to_vec())]);
        train_and_validation(Arc::new(samples), labels, fraction)
    }

    #[test]
    fn each_class_gives_its_share_and_none_is_lost() {
        // Classes of 100, 300 and 600 samples, mixed.
        let labels: Vec<u8> =
            (0..1000u32).map(|i| [2, 1, 2, 0, 2, 1, 2, 2, 1, 2][i as usize % 10]).collect();
        let (train, validation) = split(&labels, 0.15);
        assert_eq!((train.count(), validation.count()), (850, 150));
        let mut shares = [0; 3];
        let mut seen = vec![false; 1000];
        for index in 0..150 {
            let original = validation.original(index) as usize;
            shares[usize::from(labels[original])] += 1;
            seen[original] = true;
        }
        assert_eq!(shares, [15, 45, 90]);
        (0..850).for_each(|index| seen[train.original(index) as usize] ^= true);
        assert!(seen.iter().all(|&seen| seen));
    }

    #[test]
    fn a_fraction_that_does_not_divide_is_met_to_the_sample() {
        let labels: Vec<u8> = (0..97).map(|i| i % 7).collect();
        let (train, validation) = split(&labels, 0.1);
        assert_eq!((train.count(), validation.count()), (87, 10));
        assert_eq!(split(&labels, 0.0).1.count(), 0);
    }
}
