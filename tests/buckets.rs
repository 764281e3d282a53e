//! Texts of differing lengths in buckets, as a user meets them: a step a bucket over the same parameters,
//! batches of one bucket each, masks of what is padding.

#[path = "support/folder.rs"]
mod folder;

use folder::Folder;
use nnc::base::rng::Sequence;
use nnc::runtime::weights;
use serde_json::Value;

/// Sentences of 3 to 30 words, in which one word decides.
fn comments(rows: usize) -> String {
    let mut rng = Sequence::new(7, 1);
    let plain = ["the", "a", "film", "was", "is", "very", "and", "so"];
    let mut text = "comment,good\n".to_owned();
    for _ in 0..rows {
        let count = [3, 5, 8, 9, 13, 16, 21, 30][rng.below(8) as usize];
        let mut words: Vec<&str> = (0..count).map(|_| plain[rng.below(8) as usize]).collect();
        let good = rng.below(2) == 1;
        words[rng.below(count) as usize] = if good { "great" } else { "poor" };
        text.push_str(&format!("{},{}\n", words.join(" "), if good { "yes" } else { "no" }));
    }
    text
}

const BUCKETS: &str = "bucket([8, 16, 32])";
const ALL_PADDED: &str = "bucket([32])";
/// A model that sees no padding, and one that does.
const MASKED: &str = "(comment: i32[N, T], comment_mask: bool[N, T]) -> f32[N, 2] {
    let seen = comment |> embedding(d.comment.count, 8) |> attention(heads: 2, mask: comment_mask)
    seen |> mean(axis: 1, where: reshape(comment_mask, [N, T, 1])) |> dense(2)
}";
const UNMASKED: &str = "(comment: i32[N, T]) -> f32[N, 2] {
    comment |> embedding(d.comment.count, 8) |> sum(axis: 1) |> dense(2)
}";

fn program(bucket: &str, model: &str, settings: &str) -> String {
    format!(
        "data d = csv(\"t.csv\", test: 0.2, validation: 0.1) {{\n    \
         comment = text(tokens: words) |> {bucket}\n    good = category as target\n}}\n\n\
         model net{model}\n\n\
         train net on d {{\n    loss = cross_entropy\n    metrics = [accuracy]\n{settings}\n}}\n"
    )
}

const SETTINGS: &str = "    optimizer = adam(lr: 1e-2)\n    epochs = 2\n    batch = 12";

fn folder(program: &str) -> Folder {
    Folder::new(&[("p.nn", program.as_bytes()), ("t.csv", comments(150).as_bytes())])
}

fn scores(folder: &Folder, args: &[&str]) -> (f64, f64) {
    let said = folder.json(&[&["eval"], args, &["--json"]].concat());
    let of = |name: &str| {
        let number = |it: &Value| find(it, name).and_then(Value::as_f64);
        said.iter().find_map(number).unwrap_or_else(|| panic!("no `{name}` in {said:?}"))
    };
    (of("loss"), of("accuracy"))
}

/// The first value of a name, however deep.
fn find<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => {
            map.get(name).or_else(|| map.values().find_map(|inner| find(inner, name)))
        }
        Value::Array(values) => values.iter().find_map(|inner| find(inner, name)),
        _ => None,
    }
}

fn tensors(folder: &Folder, file: &str) -> Vec<(String, Vec<f32>)> {
    let loaded = weights::load(&folder.path(file)).expect("a file of tensors");
    let mut all: Vec<_> =
        loaded.into_iter().map(|(name, tensor)| (name, tensor.as_f32().to_vec())).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[track_caller]
fn assert_near(got: &[(String, Vec<f32>)], want: &[(String, Vec<f32>)], most: f32) {
    assert_eq!(got.len(), want.len());
    for ((name, got), (of, want)) in got.iter().zip(want) {
        assert_eq!((name, got.len()), (of, want.len()));
        let off = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off <= most, "{name} is off by {off}");
    }
}

// ---- Training

#[test]
fn a_run_has_the_same_bits_for_any_threads_and_after_it_was_taken_up() {
    let settings = format!("{SETTINGS}\n    accumulate = 3");
    let folder = folder(&program(BUCKETS, MASKED, &settings));
    for threads in ["1", "2", "3"] {
        let out = format!("run{threads}");
        folder.good(&["run", "p.nn", "--out", &out, "--threads", threads]);
    }
    let last = |run: &str| {
        std::fs::read(folder.path(&format!("{run}/last.safetensors"))).expect("weights")
    };
    assert!(last("run1") == last("run2") && last("run1") == last("run3"), "threads are seen");
    // Stopped within an epoch, and within an update.
    folder.good(&["run", "p.nn", "--out", "again", "--max-time", "0.001s"]);
    folder.good(&["run", "--resume=again", "--max-time", "0.001s"]);
    let entries = std::fs::read_dir(folder.path("again/checkpoints")).expect("a folder");
    let names = entries.map(|it| it.expect("a file").file_name().to_string_lossy().into_owned());
    assert!(names.into_iter().any(|name| name.contains('+')), "stopped within an epoch");
    folder.good(&["run", "--resume=again"]);
    assert!(last("again") == last("run1"), "it is seen where the run was taken up");
}

#[test]
fn a_model_that_masks_learns_and_scores_what_it_would_with_all_padded() {
    let (bucketed, padded) =
        (program(BUCKETS, MASKED, SETTINGS), program(ALL_PADDED, MASKED, SETTINGS));
    let folder = folder(&bucketed);
    folder.write("padded.nn", padded.as_bytes());
    folder.good(&["run", "p.nn", "--out", "run"]);
    for split in ["train", "validation", "test"] {
        let own = scores(&folder, &["run", "--split", split]);
        let args = ["padded.nn", "--weights", "run/best.safetensors", "--split", split];
        let other = scores(&folder, &args);
        // Scores are means over samples, whatever batches they came in.
        assert!((own.0 - other.0).abs() < 1e-5 && own.1 == other.1, "{split}: {own:?} {other:?}");
    }
    let rows = |args: &[&str]| -> Vec<String> {
        folder.good(args).lines().map(|line| line.rsplit(',').nth(1).unwrap_or("").into()).collect()
    };
    let own = rows(&["predict", "run", "t.csv", "--csv"]);
    let args = ["predict", "padded.nn", "--weights", "run/best.safetensors", "t.csv", "--csv"];
    assert_eq!(own, rows(&args));
}

#[test]
fn an_update_of_a_whole_epoch_is_that_of_one_batch_of_all() {
    // Batches of every bucket and what is left of them weigh as their samples.
    let many = "    optimizer = sgd(lr: 0.5)\n    epochs = 2\n    batch = 7\n    accumulate = 1000";
    let one = "    optimizer = sgd(lr: 0.5)\n    epochs = 2\n    batch = 1000";
    let folder = folder(&program(BUCKETS, MASKED, many));
    folder.write("one.nn", program(ALL_PADDED, MASKED, one).as_bytes());
    folder.good(&["run", "p.nn", "--out", "many"]);
    folder.good(&["run", "one.nn", "--out", "one"]);
    let [many, one] =
        ["many", "one"].map(|run| tensors(&folder, &format!("{run}/last.safetensors")));
    assert_near(&many, &one, 2e-6);
}

#[test]
fn what_is_left_of_a_bucket_is_a_batch_or_is_dropped() {
    let counts = |last: &str| -> (u64, u64) {
        let settings = format!("{SETTINGS}\n    last_batch = {last}\n    shuffle = false");
        let folder = folder(&program(BUCKETS, UNMASKED, &settings));
        folder.good(&["run", "p.nn", "--out", "run"]);
        let metrics = std::fs::read_to_string(folder.path("run/metrics.csv")).expect("metrics");
        let mut lines = metrics.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let names = lines.next().expect("names");
        let values = lines.next().expect("an epoch");
        let of = |name: &str| {
            let place = names.iter().position(|known| *known == name);
            values[place.unwrap_or_else(|| panic!("no `{name}` in {names:?}"))].parse().expect(name)
        };
        (of("steps"), of("samples"))
    };
    let folder = folder(&program(BUCKETS, UNMASKED, SETTINGS));
    let said = folder.json(&["data", "p.nn", "--json"]);
    let buckets = find(&said[0], "buckets").and_then(|_| said[0]["buckets"].as_array());
    let train: Vec<u64> = buckets
        .expect("buckets")
        .iter()
        .map(|bucket| bucket["samples"][0].as_u64().expect("a count"))
        .collect();
    assert_eq!(train.len(), 3);
    let steps = |round: fn(u64) -> u64| train.iter().map(|&count| round(count)).sum::<u64>();
    assert_eq!(counts("keep"), (steps(|count| count.div_ceil(12)), train.iter().sum()));
    let full = steps(|count| count / 12);
    assert_eq!(counts("drop"), (full, 12 * full));
}

// ---- Batches, answers, memory

#[test]
fn a_batch_has_the_length_of_its_bucket() {
    let folder = folder(&program(BUCKETS, UNMASKED, SETTINGS));
    let mut lengths = Vec::new();
    for number in 1..=6 {
        let number = number.to_string();
        folder.good(&["data", "p.nn", "--batch", "b.safetensors", "--number", &number]);
        let loaded = weights::load(&folder.path("b.safetensors")).expect("a file of tensors");
        let of = |name: &str| loaded.iter().find(|(known, _)| known.contains(name));
        let tokens = &of("comment").expect("the text").1;
        let [rows, length] = tokens.shape[..] else { panic!("{:?}", tokens.shape) };
        let nnc::base::tensor::Data::I32(values) = &tokens.data else { panic!("tokens") };
        let least = if length == 8 { 0 } else { length / 2 };
        for row in values.chunks_exact(length) {
            let count = row.iter().take_while(|token| **token != 0).count();
            assert!((least + 1..=length).contains(&count), "{count} in {length}");
            assert!(row[count..].iter().all(|token| *token == 0));
        }
        assert!(rows <= 12);
        lengths.push(length);
        std::fs::remove_file(folder.path("b.safetensors")).expect("the file");
    }
    lengths.sort_unstable();
    lengths.dedup();
    assert!(lengths.len() > 1, "batches of several buckets, not only {lengths:?}");
}

#[test]
fn a_model_that_sees_padding_is_asked_with_what_it_was_trained_on() {
    let mean = "(comment: i32[N, T]) -> f32[N, 2] {\n    \
                comment |> embedding(d.comment.count, 8) |> mean(axis: 1) |> dense(2)\n}";
    let folder = folder(&program(BUCKETS, mean, SETTINGS));
    folder.good(&["run", "p.nn", "--out", "run"]);
    let said = folder.good(&["predict", "run", "t.csv", "--csv", "--top", "2"]);
    let table = comments(150);
    let (mut loss, mut count) = (0.0, 0.0);
    for (answer, row) in said.lines().skip(1).zip(table.lines().skip(1)) {
        let cells: Vec<&str> = answer.split(',').collect();
        let label = row.rsplit(',').next().expect("a label");
        let place = cells.iter().position(|cell| *cell == label).expect("a class");
        loss -= cells[place + 1].parse::<f64>().expect("a probability").ln();
        count += 1.0;
    }
    // The same over all three splits.
    let mut of_splits = 0.0;
    for (split, rows) in ["train", "validation", "test"].into_iter().zip(split_counts(&folder)) {
        of_splits += rows * scores(&folder, &["run", "--split", split]).0;
    }
    assert!((loss - of_splits).abs() / count < 1e-4, "{loss} {of_splits}");
}

fn split_counts(folder: &Folder) -> [f64; 3] {
    let said = folder.json(&["data", "p.nn", "--json"]);
    let buckets = said[0]["buckets"].as_array().expect("buckets").clone();
    let sum = |split: usize| {
        buckets.iter().map(|it| it["samples"][split].as_f64().expect("a count")).sum()
    };
    [0, 1, 2].map(sum)
}

#[test]
fn steps_share_the_memory_of_the_largest() {
    let folder = folder(&program(BUCKETS, UNMASKED, SETTINGS));
    folder.write("padded.nn", program(ALL_PADDED, UNMASKED, SETTINGS).as_bytes());
    let report = |file: &str| {
        let said = folder.json(&["check", file, "--json"]);
        let found = said.iter().find_map(|it| find(it, "report")).expect("a report").clone();
        (found["run"]["arena_bytes"].as_u64().expect("bytes"), found)
    };
    let ((own, described), (padded, _)) = (report("p.nn"), report("padded.nn"));
    assert!(own <= padded, "{own} bytes, {padded} of the largest alone");
    let bytes = |value: &Value| value["training"]["shared_bytes"].as_u64().expect("bytes");
    let smaller: Vec<u64> =
        described["buckets"].as_array().expect("buckets").iter().map(bytes).collect();
    assert!(smaller[0] < smaller[1] && smaller[1] < bytes(&described), "{smaller:?}");
}

#[test]
fn an_export_has_the_length_of_the_largest() {
    let folder = folder(&program(BUCKETS, MASKED, SETTINGS));
    folder.good(&["run", "p.nn", "--out", "run"]);
    folder.good(&["export", "run", "--format", "onnx", "-o", "m.onnx"]);
    folder.good(&["export", "run", "--format", "c", "-o", "c"]);
    let said = folder.good(&["emit-ir", "p.nn", "--stage", "graph"]);
    assert!(said.contains("comment: i32[N, 32]") && !said.contains("comment_mask:"), "{said}");
}

#[test]
fn targets_of_differing_lengths_follow_their_bucket() {
    // Each token is to be said again; padding does not count.
    let program = "data d = csv(\"t.csv\", test: 0.2) {\n    \
         comment = text(tokens: words) |> bucket([8, 32])\n    \
         again = text(\"comment\", tokens: words) |> bucket([8, 32]) as target\n}\n\n\
         model net(comment: i32[N, T]) -> f32[N, T, d.again.count] {\n    \
         comment |> embedding(d.comment.count, 16) |> dense(d.again.count)\n}\n\n\
         train net on d {\n    loss = cross_entropy(ignore: 0)\n    \
         metrics = [position_accuracy(ignore: 0)]\n    optimizer = adam(lr: 3e-2)\n    epochs = 12\n}\n";
    let folder = folder(program);
    folder.good(&["run", "p.nn", "--out", "run"]);
    let said = folder.json(&["eval", "run", "--json"]);
    let right = said.iter().find_map(|it| find(it, "position_accuracy")?.as_f64());
    assert!(right.is_some_and(|right| right > 0.99), "{said:?}");
    // Answers have one shape.
    folder.good(&["predict", "run", "t.csv", "--csv", "--raw", "raw.safetensors"]);
    let raw = weights::load(&folder.path("raw.safetensors")).expect("a file of tensors");
    assert_eq!(raw[0].1.shape[..2], [150, 32]);
}

// ---- Mistakes

#[test]
fn lists_of_lengths_that_mean_nothing_are_refused() {
    let of = |bucket: &str| folder(&program(bucket, UNMASKED, SETTINGS)).bad(&["check", "p.nn"]);
    for bucket in ["bucket([])", "bucket([0, 8])", "bucket(8)", "bucket([8.5])", "bucket([-1])"] {
        assert!(of(bucket).contains("`lengths` of `bucket` must be a list"), "{bucket}");
    }
    for bucket in ["bucket([32, 8, 16])", "bucket([8, 8, 32])"] {
        let said = of(bucket);
        assert!(said.contains("increasing") && said.contains("fix: write `[8,"), "{said}");
    }
    assert!(of("bucket([8, 32], longer: drop)").contains("must be `cut`"));
    assert!(of("bucket([8]) |> bucket([32])").contains("`bucket` stands twice"));
    assert!(of("bucket([8, 32]) |> log1p").contains("`log1p` needs numbers"));
    let both = program(BUCKETS, UNMASKED, SETTINGS).replace("words)", "words, length: 8)");
    assert!(folder(&both).bad(&["check", "p.nn"]).contains("left out where the field has buckets"));
}

#[test]
fn only_texts_have_buckets_and_all_fields_as_many() {
    let category =
        program("bucket([8])", UNMASKED, SETTINGS).replace("text(tokens: words)", "category");
    let said = folder(&category).bad(&["check", "p.nn"]);
    assert!(said.contains("`bucket` is of the lengths of texts"), "{said}");
    let two = program(BUCKETS, UNMASKED, SETTINGS).replace(
        "    good =",
        "    again = text(\"comment\", tokens: chars) |> bucket([64, 256])\n    good =",
    );
    let said = folder(&two).bad(&["check", "p.nn"]);
    assert!(said.contains("2 buckets, but `comment` has 3"), "{said}");
}

#[test]
fn a_text_that_no_bucket_holds_is_told_with_its_line_and_a_fix_or_cut() {
    let folder = folder(&program("bucket([8, 16])", MASKED, SETTINGS));
    let said = folder.bad(&["check", "p.nn"]);
    let table = comments(150);
    let longest = table.lines().position(|line| line.split(' ').count() == 30).expect("30 words");
    assert!(said.contains(&format!("line {}: `comment` has 30 tokens", longest + 1)), "{said}");
    assert!(said.contains("fix: write `[8, 16, 32]` (checked)"), "{said}");
    let cut = program("bucket([8, 16], longer: cut)", MASKED, SETTINGS);
    folder.write("p.nn", cut.as_bytes());
    folder.good(&["run", "p.nn", "--out", "cut"]);
    let long = format!("comment\n{}\n", "a ".repeat(40));
    folder.write("long.csv", long.as_bytes());
    folder.good(&["predict", "cut", "long.csv", "--csv"]);
    folder.write("p.nn", program(BUCKETS, MASKED, SETTINGS).as_bytes());
    folder.good(&["run", "p.nn", "--out", "run"]);
    let said = folder.nnc(&["predict", "run", "long.csv", "--csv"]);
    let error = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(error.contains("long.csv:2: `comment` has 40 tokens"), "{error}");
}

#[test]
fn a_model_that_fits_one_length_only_is_refused() {
    let fixed = MASKED.replace("i32[N, T]", "i32[N, 32]");
    let said = folder(&program(BUCKETS, &fixed, SETTINGS)).bad(&["check", "p.nn"]);
    assert!(said.contains("in the bucket `comment` of 8"), "{said}");
    assert!(said.contains("declare `T` (checked)"), "{said}");
    let learnt = MASKED.replace("|> attention", "|> positions |> attention");
    let said = folder(&program(BUCKETS, &learnt, SETTINGS)).bad(&["check", "p.nn"]);
    assert!(said.contains("the shape of `positions.weight` follows from the length"), "{said}");
    let known = MASKED.replace("|> attention", "|> sinusoidal_positions |> attention");
    folder(&program(BUCKETS, &known, SETTINGS)).good(&["check", "p.nn"]);
    let number = MASKED.replace("bool[N, T]", "f32[N, T]");
    let said = folder(&program(BUCKETS, &number, SETTINGS)).bad(&["check", "p.nn"]);
    assert!(said.contains("`comment_mask` is a mask, which is bool"), "{said}");
}

#[test]
fn masks_are_of_any_text_and_a_field_of_that_name_comes_first() {
    let fixed = program(BUCKETS, MASKED, SETTINGS)
        .replace("text(tokens: words) |> bucket([8, 16, 32])", "text(tokens: words, length: 32)");
    let folder = folder(&fixed);
    folder.good(&["check", "p.nn"]);
    let own = fixed.replace("    good =", "    comment_mask = number(\"n\")\n    good =");
    folder.write("p.nn", own.as_bytes());
    let rows = comments(50).replace('\n', ",1\n").replacen(",1\n", ",n\n", 1);
    folder.write("t.csv", rows.as_bytes());
    let said = folder.bad(&["check", "p.nn"]);
    assert!(
        said.contains("`net` takes `comment_mask: bool[N, T]`") || said.contains("found f32"),
        "{said}"
    );
}
