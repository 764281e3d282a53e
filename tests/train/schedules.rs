//! Schedules and the length of a run: what they come to, and which are refused.

use super::*;

/// 927 samples in batches of 32 are 29 steps an epoch.
const SCHEDULED: &str = "
data drawn = digits(train: 1030, test: 300, validation: 0.1)

model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> flatten |> dense(32) |> relu |> dense(10)
}

train net on drawn {
    loss      = cross_entropy
    optimizer = sgd(lr: linear(0.2, warmup: 40), momentum: 0.5)
    epochs    = 3
}
";

#[test]
fn a_schedule_knows_how_long_the_run_is() {
    let case = Case::new(SCHEDULED);
    for epochs_made in [2, 3] {
        let (_, run) = case.prepare(&[epochs(epochs_made)]);
        let trained = train(&run, 2);
        let steps = 29 * epochs_made;
        for (index, record) in trained.records.epochs.iter().enumerate() {
            let step = 29 * (index + 1);
            let part = (step as f64 - 41.0).max(0.0) / (steps as f64 - 40.0);
            let lr = 0.2 * (1.0 - part) * (step as f64 / 40.0).min(1.0);
            assert_eq!(record.scheduled, [("lr".to_string(), lr as f32)]);
        }
    }
}

#[test]
fn a_warm_up_as_long_as_the_run_is_refused() {
    let case = Case::new(SCHEDULED);
    let file = case.folder.path().join("main.nn");
    let mut session = Session::new(None);
    let short = request(&case.file(&[epochs(1)]));
    match run::run(&mut session, &short, &Overrides::default(), WATCH) {
        Err(Failure::Program { diagnostics, .. }) => {
            assert_eq!(diagnostics.len(), 1);
            assert_eq!(diagnostics[0].code, "E0310");
            assert_eq!(diagnostics[0].message, "a warm-up of 40 steps in a run of 29");
        }
        Ok(_) => panic!("a warm-up of 40 steps does not fit 29"),
        Err(other) => panic!("{other:?}"),
    }
    command::check(&mut session, &request(&file), command::CheckOptions::default())
        .expect("three epochs are long enough");
}

#[test]
fn a_schedule_that_would_turn_gradients_round_is_refused() {
    for key in ["clip_norm", "clip_value", "weight_decay", "l1", "l2"] {
        let setting = format!("train net on drawn {{\n    {key} = linear(1.0, -10.0)\n");
        let text = SCHEDULED.replace("train net on drawn {\n", &setting);
        assert!(text.contains(key));
        let case = Case::new(&text);
        let request = request(&case.folder.path().join("main.nn"));
        let refused = run::run(&mut Session::new(None), &request, &Overrides::default(), WATCH);
        let Err(Failure::Program { diagnostics, .. }) = refused else { panic!("{key}") };
        assert_eq!((diagnostics.len(), diagnostics[0].code), (1, "E0310"), "{key}");
        assert!(diagnostics[0].message.starts_with(&format!("the schedule of `{key}` is -")));
    }
}
