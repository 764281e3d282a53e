//! Learning rates that are lowered while a run goes on: by a callback, or where nothing gets better.

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
    let pairs = plain_change.iter().zip(&change);
    let worst = pairs.map(|(plain, half)| (plain - 2.0 * half).abs()).fold(0.0, f32::max);
    let largest = plain_change.iter().map(|it| it.abs()).fold(0.0, f32::max);
    assert!(worst < 1e-6 && largest > 1e-4, "{worst} of {largest}");
    let rate = |trained: &Trained| trained.seen.records[0].scheduled[0].1;
    assert_eq!((rate(&plain), rate(&halved)), (0.25, 0.125));
}

#[test]
fn a_run_that_gets_no_better_stops_and_lowers_its_rate() {
    let settings = "    epochs = 50\n    optimizer = sgd(lr: 1e-30)\n    early_stop = patience(val_loss, 5)\n    \
                    reduce_on_plateau = patience(val_loss, 2, factor: 0.5)";
    let trained = Case::new("train: 100, test: 10, validation: 0.2", settings).train();
    assert_eq!(trained.outcome, Ok(TrainingOutcome::StoppedEarly));
    let records = &trained.seen.records;
    assert_eq!(records.len(), 6);
    let rates: Vec<f32> = records.iter().map(|record| record.scheduled[0].1).collect();
    assert_eq!(rates, [1e-30, 1e-30, 1e-30, 0.5e-30, 0.5e-30, 0.25e-30]);
    let stops: Vec<bool> = trained.seen.decisions.iter().map(|decision| decision.stop).collect();
    assert_eq!(stops, [false, false, false, false, false, true]);
}
