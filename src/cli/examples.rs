//! Examples of each command, which its help ends with.

use clap::Command;

/// Command lines and what they do, by the command that they are of.
const EXAMPLES: &[(&str, &[[&str; 2]])] = &[
    (
        "run",
        &[
            ["nnc run models/mnist.nn", "train, then test; the run is written to runs/mnist"],
            ["nnc run flowers.nn --data ~/photos", "the same program on other data"],
            ["nnc run mnist.nn --set optimizer.lr=1e-3 --epochs 20", "change settings for once"],
            ["nnc run --resume=runs/mnist", "go on with a run that was stopped"],
        ],
    ),
    (
        "sweep",
        &[[
            "nnc sweep mnist.nn --set optimizer.lr=1e-2,1e-3 --set seed=0,1,2",
            "six runs, and a table of their results",
        ]],
    ),
    ("compare", &[["nnc compare runs/mnist runs/mnist-2", "two runs side by side"]]),
    (
        "ui",
        &[
            ["nnc ui", "prints the address of a page with the runs in runs/"],
            ["nnc ui experiments --port 8123", "another folder, always at the same port"],
        ],
    ),
    ("lr-find", &[["nnc lr-find mnist.nn", "suggests a learning rate; the curve is lr-find.svg"]]),
    (
        "eval",
        &[
            ["nnc eval runs/mnist", "loss and metrics on the test split"],
            ["nnc eval runs/mnist --split validation --confusion --worst 20", "where it errs"],
        ],
    ),
    (
        "predict",
        &[
            ["nnc predict runs/mnist digit.png", "the class of an image"],
            ["nnc predict runs/diamonds new.csv --csv > prices.csv", "a value for each row"],
        ],
    ),
    (
        "generate",
        &[[
            "nnc generate runs/gpt_char --prompt \"ROMEO:\" --tokens 300 --temperature 0.8",
            "goes on with a text",
        ]],
    ),
    ("serve", &[["nnc serve runs/mnist --port 8080", "a page, and KServe's inference protocol"]]),
    (
        "export",
        &[
            ["nnc export runs/mnist --format onnx", "mnist.onnx, for every ONNX runtime"],
            ["nnc export runs/mnist --format c -o firmware/", "C99 without dependencies"],
        ],
    ),
    (
        "import",
        &[
            ["nnc import resnet18.onnx -o resnet18", "a readable program and its weights"],
            [
                "nnc import --names resnet18.safetensors net.nn",
                "which of PyTorch's weights is which",
            ],
        ],
    ),
    (
        "check",
        &[
            ["nnc check mnist.nn", "mistakes, or the size and memory of every model"],
            ["nnc check mnist.nn --fix --dry-run", "the edits that would mend it"],
            ["nnc check - < mnist.nn", "a program from standard input"],
        ],
    ),
    ("data", &[["nnc data examples/penguins.nn", "fields, splits, and what was fitted to them"]]),
    (
        "doc",
        &[
            ["nnc doc dropout", "signature, documentation and source"],
            [
                "nnc doc --html site --file models/mnist.nn",
                "all of it as a site, with your own items",
            ],
        ],
    ),
    ("explain", &[["nnc explain E0106", "what stands behind a message"]]),
    (
        "fmt",
        &[
            ["nnc fmt models/mnist.nn", "in place"],
            ["nnc fmt --check models/mnist.nn", "exit code 1 if it would change"],
        ],
    ),
    (
        "emit-ir",
        &[
            ["nnc emit-ir mnist.nn --stage loops", "the training step as loops"],
            ["nnc emit-ir mnist.nn --after autodiff", "the graph after a pass"],
        ],
    ),
    ("lsp", &[["nnc lsp", "what an editor starts; docs/editors.md has the lines for yours"]]),
    ("bench", &[["nnc bench mnist.nn --explain", "the time of a step, kernel by kernel"]]),
    ("profile", &[["nnc profile mnist.nn", "the time of a step, line by line"]]),
    (
        "grad",
        &[[
            "nnc grad mnist.nn --tensors in.safetensors --out gradients.safetensors",
            "to compare with another framework",
        ]],
    ),
    ("verify", &[["nnc verify mnist.nn", "derivatives by differences, code by interpreters"]]),
    (
        "doctor",
        &[
            ["nnc doctor", "processor, memory, cache and data"],
            ["nnc doctor --clean", "and empty the cache"],
        ],
    ),
    (
        "init",
        &[
            ["nnc init --list", "the templates"],
            ["nnc init flowers --template images", "a folder with a program to start from"],
            ["nnc init ships --from unet", "a program of the gallery"],
        ],
    ),
    (
        "completions",
        &[["nnc completions bash > ~/.local/share/bash-completion/completions/nnc", ""]],
    ),
    ("man", &[["nnc man --out ~/.local/share/man/man1", "a page for each command"]]),
];

/// The command line with the examples of each command behind its help.
pub fn with_examples(cli: Command) -> Command {
    EXAMPLES.iter().fold(cli, |cli, (name, examples)| {
        cli.mut_subcommand(name, |command| command.after_help(text(examples)))
    })
}

/// A line each, explained in the line below.
fn text(examples: &[[&str; 2]]) -> String {
    let mut text = "Examples:".to_owned();
    for [line, explained] in examples {
        text.push_str(&format!("\n  {line}"));
        if !explained.is_empty() {
            text.push_str(&format!("\n      {explained}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use super::*;
    use clap::CommandFactory;

    /// The words of a command line as a shell gives them, up to a redirection.
    fn words(line: &str) -> Vec<String> {
        let line = line.split(" > ").next().and_then(|line| line.split(" < ").next());
        let mut words = Vec::new();
        for (index, part) in line.unwrap_or_default().split('"').enumerate() {
            match index % 2 {
                0 => words.extend(part.split_whitespace().map(str::to_owned)),
                _ => words.push(part.to_owned()),
            }
        }
        words
    }

    #[test]
    fn every_command_has_examples_that_parse() {
        let commands = Cli::command();
        for command in commands.get_subcommands() {
            let known = EXAMPLES.iter().find(|(name, _)| *name == command.get_name());
            let (name, examples) = known.unwrap_or_else(|| panic!("{}", command.get_name()));
            for [line, _] in *examples {
                let words = words(line);
                assert_eq!(words[1], *name, "{line}");
                let parsed = Cli::command().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            }
        }
        assert_eq!(EXAMPLES.len(), commands.get_subcommands().count());
    }
}
