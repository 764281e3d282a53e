//! A learning rate that a callback lowers while the run goes on.

use super::*;

#[test]
fn a_rate_that_is_halved_halves_the_updates_behind() {
    let case = Case::new("train: 200, test: 10", "    batch = 10\n    optimizer = sgd(lr: 0.25)");
    let plain = case.train();
    let halved = case.train_with(Seen { halves: true, ..Seen::default() });
    assert_eq!(halved.seen.halved, [(1, 0.5)]);
    assert_eq!(halved.seen.states[0], plain.seen.states[0], "the first step is the same");
    let weight = |trained: &Trained, step: usize| -> Vec<f32> {
        let state = &trained.seen.states[step];
        state.iter().find(|(name, _)| name == "dense.weight").expect("it").1.as_f32().to_vec()
    };
    let change = |trained: &Trained| -> Vec<f32> {
        let pairs = weight(trained, 0).into_iter().zip(weight(trained, 1));
        pairs.map(|(before, after)| after - before).collect()
    };
    let (plain_change, change) = (change(&plain), change(&halved));
    let worst = plain_change.iter().zip(&change).map(|(plain, half)| (plain - 2.0 * half).abs());
    assert!(worst.fold(0.0, f32::max) < 1e-6 && plain_change.iter().any(|it| it.abs() > 1e-4));
    let rate = |trained: &Trained| trained.seen.records[0].scheduled[0].1;
    assert_eq!((rate(&plain), rate(&halved)), (0.25, 0.125));
}
