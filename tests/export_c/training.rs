//! Training in exported C ends with the bits of `nnc run`.

use super::folder::Folder;
use super::models::{SAMPLES, TABLE, TRAINED, TestModel, inputs, targets, trained_by};
use super::toolchain::{AARCH64, ARM, CLANG, GCC_NATIVE, SOFT};

/// Two epochs in the order of the data.
const SETTINGS: &str = "optimizer = adam(lr: cosine(1e-2, warmup: 2))\n    epochs = 2\n    \
                        shuffle = false\n    seed = 7";

/// A program that trains on its standard input: all samples, then all targets.
const MAIN: &str = "\
#include <stdio.h>
#include \"c/net.h\"
static union { double aligned; unsigned char bytes[NET_STATE_BYTES]; } state;
static union { double aligned; unsigned char bytes[NET_ARENA_BYTES]; } arena;
static ELEMENT x[12][NET_X_ELEMENTS / NET_BATCH];
static float y[12][3], loss, answer[NET_OUTPUT_ELEMENTS];
int main(void) {
    if (fread(x, sizeof x, 1, stdin) != 1 || fread(y, sizeof y, 1, stdin) != 1) return 3;
    net_init(state.bytes);
    for (int step = 1; step <= 6; ++step) {
        const int at = (step - 1) % 3 * NET_BATCH;
        if (net_train_step(x[at], y[at], &loss, state.bytes, arena.bytes, 7, (uint64_t)step, 6, 1.0)) return 4;
    }
    if (net_predict(x[0], answer, state.bytes, arena.bytes)) return 5;
    fwrite(answer, sizeof answer, 1, stdout);
    fwrite(state.bytes, sizeof state, 1, stdout);
    return 0;
}
";

/// Where a header says that a variable begins.
fn offset(header: &str, path: &str) -> usize {
    let name = path.replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_uppercase();
    let start = format!("#define NET_{name}_OFFSET ");
    let line = header.lines().find_map(|line| line.strip_prefix(&start)).expect(path);
    line.split(' ').next().expect("a number").parse().expect("a number")
}

/// The answers of the trained run for the first batch.
fn predicted(folder: &Folder, model: &TestModel, samples: &[u8]) -> Vec<u8> {
    folder.write("new.safetensors", &model.tensors(samples, None));
    let raw =
        ["predict", "run", "new.safetensors", "--weights", "last", "--raw", "raw.safetensors"];
    folder.good(&raw);
    let file = std::fs::read(folder.path("raw.safetensors")).expect("a file");
    let file = safetensors::SafeTensors::deserialize(&file).expect("tensors");
    file.tensor("output").expect("the output").data().to_vec()
}

#[test]
fn steps_in_c_end_with_the_weights_of_a_run() {
    ends_with_the_weights_of_a_run(&TRAINED, SETTINGS);
}

#[test]
fn steps_in_c_that_write_the_rows_of_a_table_do_so() {
    let settings = "optimizer = adagrad(lr: 0.1)\n    epochs = 2\n    shuffle = false\n    \
                    seed = 7\n    clip_norm = 0.1";
    ends_with_the_weights_of_a_run(&TABLE, settings);
}

fn ends_with_the_weights_of_a_run(model: &TestModel, settings: &str) {
    let folder = trained_by(model, settings);
    folder.good(&["export", "run", "--format", "c", "--train", "-o", "c"]);
    let header = std::fs::read_to_string(folder.path("c/net.h")).expect("a header");
    let weights = std::fs::read(folder.path("run/last.safetensors")).expect("weights");
    let weights = safetensors::SafeTensors::deserialize(&weights).expect("tensors");
    let samples = inputs(model, SAMPLES);
    let answers = predicted(&folder, model, &samples[..4 * model.elements() * 4]);
    let input = [samples, targets(model)].concat();
    folder.write("main.c", MAIN.replace("ELEMENT ", &format!("{} ", model.element())).as_bytes());
    for tool in [GCC_NATIVE, CLANG, SOFT, AARCH64, ARM].iter().filter(|tool| tool.is_there()) {
        let program = tool.compile(&folder, &["c/net.c", "main.c"]);
        let (code, found) = tool.run(&folder, &program, &input);
        assert_eq!(code, Some(0), "{}", tool.name);
        let (answer, state) = found.split_at(answers.len());
        for (path, tensor) in weights.tensors() {
            let own = &state[offset(&header, &path)..][..tensor.data().len()];
            assert!(own == tensor.data(), "{path} by {}", tool.name);
        }
        assert!(answer == answers, "answers of trained weights by {}", tool.name);
    }
}

#[test]
fn what_only_a_run_does_is_refused_by_name() {
    let folder = trained_by(&TRAINED, "optimizer = sgd\n    epochs = 1\n    accumulate = 2");
    let said = folder.bad(&["export", "run", "--format", "c", "--train", "-o", "c"]);
    assert!(said.contains("`accumulate` of the `train` block is not exported to C"), "{said}");
    let output = folder.nnc(&["export", "run", "--format", "object", "--train", "-o", "c"]);
    assert_eq!(output.status.code(), Some(2));
}
