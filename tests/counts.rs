//! How many kernels, runs and barriers the training steps of deep networks come to: what fusion,
//! the order of kernels and the kernels that are shared achieve, in numbers that are to be seen when
//! they change. `NNC_BLESS=1 cargo test --test counts` accepts new ones (refused where `CI` is set).

use nnc::driver::{Request, Session};
use nnc::loops::Action;
use nnc::schedule::Globals;
use std::fs;
use std::path::Path;

/// A program, and the file of its counts in `tests/golden/counts`.
const PROGRAMS: [(&str, &str); 4] = [
    ("models/resnet50.nn", "resnet50.counts"),
    ("models/resnet20.nn", "resnet20.counts"),
    ("tests/golden/counts/vit.nn", "vit.counts"),
    ("tests/golden/counts/gpt.nn", "gpt.counts"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the training step of a program comes to.
fn counts(file: &str) -> String {
    let mut session = Session::new(None);
    let front = session.front(&Request::new(root().join(file)), false).expect("a good program");
    let batch = front.experiment.training.as_ref().expect("a train block").settings.batch;
    let graph = session.training_graph(front.experiment).expect("a training step");
    let kernels = session.fuse(&graph, batch).expect("kernels");
    let lowered = session.lower(&kernels, &mut Globals::default()).expect("loops");
    let program = lowered.program;
    let waits = program.actions.iter().filter(|action| **action == Action::Barrier).count();
    format!(
        "operators         {}\nfused kernels     {}\nruns of kernels   {}\ndistinct kernels  {}\n\
         barriers          {}\n",
        kernels.graph.nodes.len(),
        kernels.kernels.len(),
        program.actions.len() - waits,
        program.kernels.len(),
        // The end of the step is one more.
        program.barriers() + 1,
    )
}

#[test]
fn steps_of_deep_networks_come_to_the_kernels_that_are_expected() {
    let bless = std::env::var_os("NNC_BLESS").is_some_and(|value| value != "0");
    assert!(!bless || std::env::var_os("CI").is_none(), "NNC_BLESS is refused where CI is set");
    let folder = root().join("tests/golden/counts");
    let mut complaints = String::new();
    for (file, expected) in PROGRAMS {
        let actual = counts(file);
        let path = folder.join(expected);
        if bless {
            fs::write(&path, &actual).expect("writable");
        } else if fs::read_to_string(&path).ok().as_ref() != Some(&actual) {
            complaints += &format!("{}: now\n{actual}", path.display());
        }
    }
    assert!(complaints.is_empty(), "{complaints}NNC_BLESS=1 cargo test --test counts accepts");
}
