//! `nnc check`: what it tells of a good file, of every model and its parameters, and what it refuses.

use super::*;

#[test]
fn check_tells_what_a_good_file_is() {
    let folder = Folder::with_digits();
    let ran = folder.run(&["check", "digits.nn"]).exits(0);
    assert_eq!(784 * 32 + 32 + 32 * 10 + 10, 25_450);
    for words in ["dense_2  [N, 10]", "parameters  25 450", "training: ", "inference: ", "a run"] {
        assert!(ran.stdout.contains(words), "no `{words}` in\n{}", ran.stdout);
    }
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    let json = folder.run(&["check", "--json", "digits.nn"]).exits(0).json();
    let report = &json[0]["report"];
    assert_eq!(report["parameters"], 25_450);
    assert_eq!(report["tensors"][0]["path"], "dense.weight");
    let timed = folder.run(&["check", "--time", "digits.nn"]).exits(0);
    assert!(timed.stdout.contains("a step, "), "{}", timed.stdout);
    assert_eq!(ran.stderr, "");
    folder.run(&["check", &model("mnist.nn")]).exits(0);
}

/// A program with a mistake that has a certain fix, and the mended one.
const MISTAKEN: &str = "model net(x: f32[N, 4]) -> f32[N, 2] {\n    x |> dens(2)\n}\n";

#[test]
fn a_program_may_come_from_standard_input() {
    let folder = Folder::new();
    let ran = folder.feed(&["check", "-"], DIGITS).exits(0);
    assert!(ran.stdout.contains("parameters  25 450"), "{}", ran.stdout);
    folder.feed(&["check", "-"], MISTAKEN).exits(1).complains(&["E0102", "<stdin>:2:10"]);
    let json = folder.feed(&["check", "--json", "-"], MISTAKEN).exits(1).json();
    assert!(json[0].to_string().contains("<stdin>"), "{}", json[0]);
    // What is mended is the result; without a mistake it is what came.
    let mended = MISTAKEN.replace("dens(", "dense(");
    assert_eq!(folder.feed(&["check", "--fix", "-"], MISTAKEN).exits(0).stdout, mended);
    assert_eq!(folder.feed(&["check", "--fix", "-"], &mended).exits(0).stdout, mended);
    let shown = folder.feed(&["check", "--fix", "--dry-run", "-"], MISTAKEN).exits(0);
    assert!(shown.stdout.contains("+    x |> dense(2)"), "{}", shown.stdout);
    let graph = folder.feed(&["emit-ir", "-"], &mended).exits(0);
    assert!(graph.stdout.contains("matmul"), "{}", graph.stdout);
    assert_eq!(std::fs::read_dir(folder.0.path()).expect("the folder").count(), 0);
    folder.feed(&["check", "-"], "").exits(1);
}

#[test]
fn colours_follow_the_flag_and_the_environment() {
    let folder = Folder::new();
    folder.write("wrong.nn", MISTAKEN);
    let coloured = |args: &[&str], variable: (&str, &str)| {
        let mut command = folder.command(&[&["check", "wrong.nn"], args].concat());
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        let output = command.env(variable.0, variable.1).output().expect("nnc runs");
        Ran::of(output, args).exits(1).stderr.contains("\x1b[")
    };
    assert!(!coloured(&[], ("TERM", "xterm")), "no terminal");
    assert!(coloured(&["--color", "always"], ("NO_COLOR", "1")));
    assert!(coloured(&[], ("CLICOLOR_FORCE", "1")));
    assert!(!coloured(&["--color=never"], ("CLICOLOR_FORCE", "1")));
    folder.run(&["check", "wrong.nn", "--color", "red"]).exits(2).complains(&["red", "auto"]);
}

#[test]
fn commands_have_the_names_of_other_tools_and_examples() {
    let folder = Folder::new();
    for (alias, name) in [("train", "run"), ("val", "eval")] {
        let [first, second] = [alias, name].map(|it| folder.run(&[it, "--help"]).exits(0).stdout);
        assert_eq!(first, second);
        assert!(first.contains(&format!("Examples:\n  nnc {name} ")), "{first}");
    }
}

#[test]
fn every_model_is_checked_and_tidy() {
    let folder = Folder::new();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    for entry in std::fs::read_dir(models).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        if !name.ends_with(".nn") {
            continue;
        }
        // Without the folders of images, `check` warns and goes on.
        if name != "resnet.nn" {
            folder.run(&["check", &model(name)]).exits(0);
        }
        folder.run(&["fmt", "--check", &model(name)]).exits(0);
    }
}

#[test]
fn batch_norm_of_one_value_is_refused_before_anything_runs() {
    let folder = Folder::new();
    let text = |batch: usize| {
        format!(
            "model net(x: f32[N, 12]) -> f32[N, 4] {{\n    x |> dense(8) |> batch_norm |> dense(4)\n\
             }}\n\ntrain net {{\n    loss  = cross_entropy\n    batch = {batch}\n}}\n"
        )
    };
    folder.write("one.nn", text(1));
    folder.run(&["check", "one.nn"]).exits(1).complains(&["E0306", "one.nn:2", "batch_norm"]);
    folder.write("two.nn", text(2));
    folder.run(&["check", "two.nn"]).exits(0);
}

#[test]
fn a_long_chain_compiles() {
    let folder = Folder::new();
    folder
        .write("long.nn", "model net(x: f32[N, 12]) -> f32[N, 12] { x |> repeat 1500 { relu } }\n");
    folder.run(&["check", "long.nn"]).exits(0);
}

#[test]
fn check_warns_of_missing_data_and_run_refuses() {
    let folder = Folder::new();
    let text = DIGITS.replace("digits(train: 640, test: 100, validation: 0.1)", "SOURCE");
    folder.write("main.nn", text.replace("SOURCE", "idx(images: \"no\", labels: \"neither\")"));
    folder.run(&["run", "main.nn"]).exits(1).complains(&["idx(", "no"]);
    folder.run(&["check", "main.nn"]).complains(&["idx("]);
}

#[test]
fn check_looks_at_every_model_of_a_file() {
    let folder = Folder::new();
    let shared = "layer wide(x: f32[N, D]) -> f32[N, 8] { x |> dense(8) |> relu }\n";
    let first = "model first(x: f32[N, 4]) -> f32[N, 2] { x |> wide |> dense(2) }\n";
    let second = "model second(x: f32[N, 6]) -> f32[N, 3] { x |> wide |> dense(3) }\n";
    folder.write("two.nn", format!("{shared}{first}{second}"));
    let ran = folder.run(&["check", "two.nn"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for says in ["first -> f32[N, 2]", "second -> f32[N, 3]"] {
        assert!(ran.stdout.contains(says), "{}", ran.stdout);
    }
    let only = folder.run(&["check", "two.nn", "--model", "second"]);
    assert!(!only.stdout.contains("first ->"), "{}", only.stdout);

    // A mistake in each is told once, one in what they share once; the sound ones are reported.
    let broken = second.replace("dense(3)", "dense(5)");
    folder.write("one.nn", format!("{shared}{first}{broken}"));
    let ran = folder.run(&["check", "one.nn"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("first -> f32[N, 2]"), "{}", ran.stdout);
    assert_eq!(ran.stderr.matches("error[E0107]").count(), 1, "{}", ran.stderr);
    let shared = shared.replace("dense(8)", "dense(8, stride: 2)");
    folder.write("all.nn", format!("{shared}{first}{second}"));
    let ran = folder.run(&["check", "all.nn"]);
    assert_eq!(ran.stderr.matches("error[E0105]").count(), 1, "{}", ran.stderr);

    // `--fix` mends each; what must choose asks.
    let fixed = folder.run(&["check", "one.nn", "--fix"]);
    assert_eq!(fixed.code, Some(0), "{}{}", fixed.stdout, fixed.stderr);
    let ran = folder.run(&["emit-ir", "one.nn"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("E0117"), "{}", ran.stderr);
    // A block for a model that is not there is not passed over.
    let train = "train secnod { loss = cross_entropy }\n";
    folder.write(
        "typo.nn",
        format!(
            "layer wide(x: f32[N, D]) -> f32[N, 8] {{ x |> dense(8) }}\n{first}{second}{train}"
        ),
    );
    let ran = folder.run(&["check", "typo.nn"]);
    assert!(ran.stderr.contains("unknown model `secnod`"), "{}", ran.stderr);
}

#[test]
fn check_lists_parameters() {
    let folder = Folder::new();
    let frozen = DIGITS.replace("epochs    = 3", "epochs    = 3\n    freeze    = [\"dense.*\"]");
    folder.write("digits.nn", frozen);
    let ran = folder.run(&["check", "digits.nn", "--parameters"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let row = |path: &str| {
        let row = ran.stdout.lines().find(|line| line.starts_with(path));
        row.unwrap_or_else(|| panic!("{path}: {}", ran.stdout)).to_owned()
    };
    let weight = row("dense.weight");
    assert!(weight.contains("f32[784, 32]  in, out") && weight.contains("25 088"), "{weight}");
    assert!(weight.contains("uniform(-0.0857, 0.0857)") && weight.ends_with("no: frozen"));
    let bias = row("dense_2.bias");
    assert!(bias.contains("zeros") && bias.ends_with("yes"), "{bias}");
    assert!(ran.stdout.contains("25 450 numbers, of which 25 120 are frozen"), "{}", ran.stdout);
    let ran = folder.run(&["check", "digits.nn", "--json"]);
    let report = ran.stdout.lines().find_map(|line| {
        serde_json::from_str::<Value>(line).ok().filter(|it| !it["report"].is_null())
    });
    let tensors = report.expect("a report")["report"]["tensors"].clone();
    assert_eq!(tensors[0]["frozen"], true);
    assert_eq!(tensors[3]["begins"], "zeros");
    assert_eq!(
        (&tensors[0]["layout"], &tensors[3]["layout"]),
        (&"in, out".into(), &"channel".into())
    );
    // Convolutions, tables and states; what is read in two ways has no layout.
    folder.write(
        "axes.nn",
        "model net(image: f32[N, 8, 8, 3], word: i32[N]) -> f32[N, 4] {
            let a = image |> conv(4, 3) |> batch_norm |> global_avg_pool
            let b = word |> embedding(5, 4)
            param both: f32[4, 4] = zeros
            a @ both + b @ transpose(both) + reshape(sum(both), [1, 1])
        }
        train net { loss = cross_entropy }",
    );
    let ran = folder.run(&["check", "axes.nn", "--parameters"]);
    let lines: Vec<String> =
        ran.stdout.lines().map(|it| it.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for row in [
        "conv.weight f32[3, 3, 3, 4] kh, kw, in, out 108",
        "batch_norm.running_var f32[4] channel 4 ones no: a state",
        "embedding.weight f32[5, 4] row, column 20",
        "both f32[4, 4] 16",
    ] {
        assert!(lines.iter().any(|line| line.starts_with(row)), "{row}: {}", ran.stdout);
    }
}
