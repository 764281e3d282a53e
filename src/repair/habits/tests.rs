//! Habits as they are written here.

use super::row::applied;
use super::table::all_rows;
use super::{translated, turned};
use crate::repair::habits::bound::GivenArgument;

/// A stage of a model, as it is written here.
fn stage(text: &str) -> String {
    let program = |stage: &str| {
        format!("model net(x: f32[N, 784]) -> f32[N, 10] {{\n    x |> {stage} |> dense(10)\n}}\n")
    };
    let before = program(text);
    let after = translated(&before).map_or(before, |made| made.text);
    let start = after.find("x |> ").map_or(0, |at| at + 5);
    let end = after.rfind(" |> dense(10)").unwrap_or(after.len());
    after[start..end].to_owned()
}

#[test]
fn calls_of_other_frameworks_are_calls_here() {
    for (theirs, ours) in [
        ("Conv2D(32, kernel_size=3, activation='relu')", "conv(32, 3) |> relu"),
        ("nn.Conv2d(1, 8, 3, padding=1)", "conv(8, 3, pad: 1)"),
        ("nn.Dropout(p=0.2)", "dropout(0.2)"),
        ("Conv2D(8, (3, 5))", "conv(8, [3, 5])"),
        ("BatchNormalization(momentum=0.9)", "batch_norm(momentum: 0.1)"),
        ("nn.Sequential(nn.Linear(9, 8), nn.ReLU())", "dense(8) |> relu"),
        ("convolution_param { num_output: 20 kernel_size: 5 }", "conv(20, 5)"),
    ] {
        assert_eq!(stage(theirs), ours, "{theirs}");
    }
}

#[test]
fn what_is_written_as_here_stays() {
    let text = "layer Linear(x: f32[..S]) -> f32[..S] {\n    x\n}\n\nmodel net(x: f32[N, 8]) -> \
                f32[N, 8] {\n    let y = x |> Linear |> conv(8, 3, pad: 1) |> max_pool(2)\n    y\n}\n";
    assert_eq!(translated(text), None);
}

#[test]
fn channels_come_last() {
    let text = "model net(image: f32[N, 3, 32, 64]) -> f32[N, 10] {";
    let made = turned(text).expect("a shape in the order of PyTorch");
    assert_eq!(made.text, "model net(image: f32[N, 32, 64, 3]) -> f32[N, 10] {");
    assert_eq!(turned("model net(image: f32[N, 32, 32, 3])"), None);
}

#[test]
fn settings_on_one_line_have_a_line_each() {
    let want = "train net on d {\n    loss = cross_entropy\n    optimizer = sgd(lr: 0.1)\n    epochs = 1\n}";
    for between in [", ", "; ", " ", "  "] {
        let settings = ["loss = cross_entropy", "optimizer = sgd(lr: 0.1)", "epochs = 1"];
        let text = format!("train net on d {{ {} }}", settings.join(between));
        let made = translated(&text).map(|made| made.text);
        assert_eq!(made.as_deref(), Some(want), "{text}");
    }
    assert_eq!(translated(&format!("{want}\n")), None);
}

/// Each part is read once, however deep it stands.
#[test]
fn nested_calls_are_read_in_time() {
    let nested = |call: &str| format!("{}x{}", format!("{call}(").repeat(60), ")".repeat(60));
    for call in ["tanh", "own", "nn.Sequential", "F.relu"] {
        let text = format!("model m(x: f32[N, 4]) {{\n    {}\n}}\n", nested(call));
        let made = translated(&text);
        assert_eq!(made.is_some(), call.contains('.'), "{call}");
    }
}

/// Each row can be applied, so that none is there for nothing.
#[test]
fn every_row_fits_some_arguments() {
    for row in all_rows() {
        let given = |takes: &str| {
            let (name, value) = takes.split_once(['=', '~']).unwrap_or((takes, "3"));
            let value = value.split('|').next().unwrap_or(value);
            let name = name.split('/').next().unwrap_or(name);
            let name = name.trim_start_matches('*').trim_end_matches(['#', '^', '!']).to_owned();
            GivenArgument { name: Some(name), equals: true, value: value.to_owned() }
        };
        let args: Vec<GivenArgument> =
            row.takes.split(' ').filter(|takes| !takes.is_empty()).map(given).collect();
        assert!(applied(row, &args).is_some(), "{row:?}");
    }
}
