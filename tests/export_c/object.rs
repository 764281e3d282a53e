//! Object files: linked by a C compiler, they give the bits of `predict`.

use super::models::{MODELS, inputs, trained};
use super::{predicted, toolchain};
use nnc::codegen::Target;

/// Holds every model's object for a target against `predict`.
fn check(target: &str, tool: &toolchain::Toolchain) {
    if !tool.is_there() {
        return;
    }
    for model in MODELS {
        let folder = trained(model);
        let more = ["--target", target, "-o", "c"];
        folder.good(&[&["export", "run", "--format", "object"], &more[..]].concat());
        let samples = inputs(model, 3);
        let wanted = predicted(&folder, &samples, model);
        folder.write("main.c", model.main().as_bytes());
        let program = tool.compile(&folder, &["main.c", "c/net.o"]);
        let (code, found) = tool.run(&folder, &program, &samples);
        assert_eq!(code, Some(0), "{} for {target}", model.name);
        assert!(found == wanted, "{} for {target}: other bits than predict", model.name);
    }
}

#[test]
fn an_object_file_gives_the_bits_of_predict() {
    let here = Target::ALL.iter().filter(|it| it.about().is_some() && it.supported_on_host());
    for target in here {
        check(target.name(), &toolchain::GCC);
    }
}

#[test]
fn names_of_classes_are_in_an_object_file() {
    let program = "data d = digits(train: 64, test: 32)\nmodel net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {\n    \
                   image |> flatten |> dense(10)\n}\n\
                   train net on d {\n    loss = cross_entropy\n    epochs = 1\n}\n";
    let folder = super::Folder::new(&[("p.nn", program.as_bytes())]);
    folder.good(&["run", "p.nn", "--out", "run", "--quiet"]);
    let main = "#include \"c/net.h\"\n#include <string.h>\n\
                int main(void) { return strcmp(net_output_class_names[7], \"7\"); }\n";
    folder.write("main.c", main.as_bytes());
    let gcc = toolchain::GCC;
    for (format, file) in [("c", "c/net.c"), ("object", "c/net.o")] {
        folder.good(&["export", "run", "--format", format, "-o", "c", "--force"]);
        if gcc.is_there() {
            let program = gcc.compile(&folder, &["main.c", file]);
            assert_eq!(gcc.run(&folder, &program, &[]).0, Some(0), "{format}");
        }
    }
}

/// Needs a compiler that has the back end for Arm.
#[cfg(feature = "arm64")]
#[test]
fn an_object_file_for_another_processor_gives_the_same_bits() {
    check("aarch64", &toolchain::AARCH64);
}
