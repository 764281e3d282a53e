//! Files of PyTorch's that begin a run without rules: names are matched with the program's parameters by
//! shape and structure; where that cannot be, a message says what to write, and nothing is taken.
//!
//! State dicts are made here, under the names of torchvision, timm and `torch.nn`, and sorted as
//! `save_file` sorts them. `torchvision.rs` has PyTorch make them, and compares logits.

#[path = "torch_names/asked.rs"]
mod asked;
#[path = "support/folder.rs"]
mod folder;
#[path = "torch_names/matched.rs"]
mod matched;
#[path = "support/python.rs"]
mod python;
#[path = "torch_names/torchvision.rs"]
mod torchvision;

use folder::Folder;
use nnc::base::tensor::Tensor;
use nnc::driver::{Failure, Request, Session};
use nnc::run::{self, BuiltRun, Overrides};
use nnc::runtime::weights;

/// A state dict: names in the order of its modules.
#[derive(Clone, Default)]
struct StateDict(Vec<(String, Tensor)>);

impl StateDict {
    /// Adds a tensor whose numbers no other has.
    fn tensor(mut self, name: &str, shape: &[usize]) -> StateDict {
        let (count, first) = (shape.iter().product::<usize>(), 1000 * self.0.len());
        let numbers = (0..count).map(|it| (first + it) as f32).collect();
        self.0.push((name.to_owned(), Tensor::f32(shape, numbers)));
        self
    }

    /// `Conv2d` without a bias.
    fn conv(self, name: &str, shape: [usize; 4]) -> StateDict {
        self.tensor(&format!("{name}.weight"), &shape)
    }

    /// `Linear`, or `LayerNorm` where there is no `out`.
    fn linear(self, name: &str, shape: &[usize]) -> StateDict {
        self.tensor(&format!("{name}.weight"), shape).tensor(&format!("{name}.bias"), &shape[..1])
    }

    /// `BatchNorm2d`.
    fn norm(self, name: &str, channels: usize) -> StateDict {
        let parts = ["weight", "bias", "running_mean", "running_var"];
        let mut dict = parts
            .iter()
            .fold(self, |dict, part| dict.tensor(&format!("{name}.{part}"), &[channels]));
        dict.0.push((format!("{name}.num_batches_tracked"), Tensor::i32([], vec![7])));
        dict
    }

    fn find(&self, name: &str) -> &Tensor {
        &self.0.iter().find(|(known, _)| known == name).expect(name).1
    }
}

const DIGITS: &str = "data drawn = digits(train: 20, test: 10)\n";

/// A program on digits that begins with `torch.safetensors`. `arguments` follow the layout.
fn program(items: &str, body: &str, arguments: &str) -> String {
    format!(
        "{DIGITS}{items}\nmodel net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {{\n    {body}\n}}\n\
         train net on drawn {{\n    loss = cross_entropy\n    \
         init_from = weights(\"torch.safetensors\", layout: pytorch{arguments})\n}}\n"
    )
}

/// A folder with the program and the file.
fn folder(program: &str, dict: &StateDict) -> Folder {
    let folder = Folder::new(&[("net.nn", program.as_bytes())]);
    weights::save(&folder.path("torch.safetensors"), &dict.0).expect("a file of weights");
    folder
}

/// A run that begins with the file, or why there is none.
fn begun(program: &str, dict: &StateDict) -> Result<BuiltRun, Failure> {
    let folder = folder(program, dict);
    let request = Request::new(folder.path("net.nn"));
    run::run(&mut Session::new(None), &request, &Overrides::default(), &|_, _| true)
}

/// A parameter or state of a run.
#[track_caller]
fn value(run: &BuiltRun, path: &str) -> Tensor {
    run.variables().find(|(known, _)| *known == path).expect(path).1.clone()
}

/// Each parameter has the numbers of its tensor, in whatever order of axes.
#[track_caller]
fn holds(run: &BuiltRun, dict: &StateDict, pairs: &[(&str, &str)]) {
    let sorted = |tensor: &Tensor| {
        let mut numbers = tensor.as_f32().to_vec();
        numbers.sort_by(f32::total_cmp);
        numbers
    };
    for (path, name) in pairs {
        assert_eq!(sorted(&value(run, path)), sorted(dict.find(name)), "{path} and {name}");
    }
}

/// What `nnc check` says of a program that it refuses, on one line.
#[track_caller]
fn refused(program: &str, dict: &StateDict) -> String {
    let folder = folder(program, dict);
    let said = folder.bad(&["check", "net.nn"]);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The program with the edit of the only fix, or of the first.
#[track_caller]
fn mended(program: &str, dict: &StateDict) -> String {
    let folder = folder(program, dict);
    let said = folder.nnc(&["check", "net.nn", "--json"]).stdout;
    let said: serde_json::Value =
        serde_json::from_slice(said.split(|&byte| byte == b'\n').next().unwrap()).expect("JSON");
    let fix = &said["fixes"][0];
    assert_eq!(fix["checked"], true, "{said}");
    let edit = &fix["edits"][0];
    let number = |key: &str| edit[key].as_u64().expect("a place") as usize;
    let at = |line: &str, column: &str| {
        let lines = program.split_inclusive('\n').take(number(line) - 1);
        lines.map(str::len).sum::<usize>() + number(column) - 1
    };
    let (start, end) = (at("line", "column"), at("end_line", "end_column"));
    let text = edit["text"].as_str().expect("text");
    format!("{}{text}{}", &program[..start], &program[end..])
}
