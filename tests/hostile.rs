//! Mutated programs through every command of the binary, under a limit of memory: none ends by a
//! signal or with exit code 101. `NNC_HOSTILE_COUNT` sets how many programs there are, and
//! `NNC_HOSTILE_FROM` the first seed; a failure names its seed.

use std::path::Path;
use std::process::{Command, Stdio};

/// How many programs a normal run tries; each goes through one command.
const COUNT: u64 = 120;
/// Address space of a command, in kB.
const ADDRESSES_KB: usize = 4_000_000;
/// Seconds after which a command is taken to hang; a machine under load is forgiven much.
const PATIENCE: &str = "60";

/// What is done with a program.
const COMMANDS: &[&[&str]] = &[
    &["check"],
    &["check", "--json"],
    &["check", "--fix", "--dry-run"],
    &["fmt", "--check"],
    &["emit-ir", "--stage", "loops"],
    &["emit-ir", "--stage", "graph"],
    &["bench", "--threads", "1", "--seconds", "0.02"],
    &["verify", "--batch", "2", "--steps", "1"],
    &["profile", "--threads", "1", "--seconds", "0.02"],
    &["run", "--no-out", "--limit", "8", "--epochs", "1", "--threads", "2"],
];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Small programs, each with data that need no files.
fn corpus() -> Vec<String> {
    let train = |settings: &str| {
        format!(
            "train net on d {{\n    loss = cross_entropy\n    batch = 4\n    epochs = 1\n{settings}}}\n"
        )
    };
    let data = "data d = digits(train: 16, test: 8)\n";
    let model = |stages: &str| {
        format!("model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {{\n    image{stages}\n}}\n")
    };
    vec![
        format!(
            "{data}{}{}",
            model(" |> flatten |> dense(8) |> relu |> dense(10)"),
            train("    optimizer = adam(lr: 1e-3)\n    metrics = [accuracy]\n")
        ),
        format!(
            "{data}{}{}",
            model(
                " |> conv(4, size: 3, stride: 2, pad: 1) |> batch_norm |> relu |> max_pool(2) |> flatten |> dense(10)"
            ),
            train(
                "    optimizer = sgd(lr: cosine(0.1, warmup: 2), momentum: 0.9)\n    clip_norm = 1.0\n"
            )
        ),
        format!(
            "{data}const W = [4, 8]\nlayer block(x: f32[..S, C], units: int = 4) -> f32[..S, units] {{\n    let y = x |> dense(units) |> gelu\n    y |> layer_norm |> dropout(0.1)\n}}\n{}{}",
            model(" |> flatten |> repeat i in 0..2 { block(W[i]) } |> dense(10)"),
            train(
                "    optimizer = adamw(lr: 1e-3, weight_decay: 0.01)\n    accumulate = 2\n    class_weights = balanced\n"
            )
        ),
    ]
}

const WORDS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "65536",
    "2147483648",
    "9223372036854775807",
    "1e308",
    "1e-45",
    "0.5",
    "N",
    "x",
    "image",
    "relu",
    "dense(3)",
    "conv(2, size: 3)",
    "softmax",
    "flatten",
    "batch_norm",
    "max_pool(2)",
    "dropout(0.5)",
    "true",
    "[1, 2]",
    "\"a\"",
    "C",
    "training",
    "sum(image)",
    "mse",
    "cosine(1e-3)",
    "-",
    "*",
    "/",
    "^",
    "@",
    "|>",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    "..",
    "if",
    "let",
    "repeat 3 { relu }",
    "\n",
];

/// The pieces of a text: words, numbers, and single signs.
fn pieces(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in text.chars() {
        let is_word = c.is_alphanumeric() || matches!(c, '_' | '.');
        match found.last_mut() {
            Some(last) if is_word && in_word => last.push(c),
            _ => found.push(c.to_string()),
        }
        in_word = is_word;
    }
    found
}

/// A program of the corpus with up to three pieces replaced, dropped, doubled or exchanged.
fn mutated(random: &mut Random, corpus: &[String]) -> String {
    let mut pieces = pieces(&corpus[random.below(corpus.len())]);
    for _ in 0..random.below(4) {
        let at = random.below(pieces.len());
        let word = WORDS[random.below(WORDS.len())].to_string();
        match random.below(6) {
            0 | 1 => pieces[at] = word,
            2 => pieces.insert(at, word),
            3 => drop(pieces.remove(at)),
            4 => {
                let end = (at + 1 + random.below(12)).min(pieces.len());
                let copy = pieces[at..end].to_vec();
                pieces.splice(at..at, copy);
            }
            _ => {
                let other = random.below(pieces.len());
                pieces.swap(at, other);
            }
        }
    }
    pieces.concat()
}

/// How a command ends with a program: its exit code, none for a signal.
fn ended(folder: &Path, program: &str, command: &[&str]) -> (Option<i32>, String) {
    std::fs::write(folder.join("p.nn"), program).expect("writable");
    let script = format!("ulimit -v {ADDRESSES_KB}; exec timeout {PATIENCE} \"$0\" \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_nnc")])
        .arg(command[0])
        .arg("p.nn")
        .args(&command[1..])
        .current_dir(folder)
        .env_remove("NNC_DATA")
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn no_program_makes_a_command_crash_or_hang() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (from, count) = (number("NNC_HOSTILE_FROM", 0), number("NNC_HOSTILE_COUNT", COUNT));
    let folder = tempfile::tempdir().expect("a folder");
    let corpus = corpus();
    let mut sound = 0;
    for seed in from..from + count {
        let program = mutated(&mut Random(seed), &corpus);
        let command = COMMANDS[(seed % COMMANDS.len() as u64) as usize];
        let (exit, text) = ended(folder.path(), &program, command);
        assert!(
            matches!(exit, Some(0..=2)),
            "seed {seed}, nnc {}: exit {exit:?}\n{text}\n{program}",
            command.join(" ")
        );
        sound += u64::from(exit == Some(0));
    }
    assert!(sound * 20 > count, "only {sound} of {count} programs mean anything");
}
