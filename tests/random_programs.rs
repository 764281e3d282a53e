//! Random programs of the language: the front end takes them all, together they reach whatever the
//! language has, and every engine gives what the graph's interpreter gives.
//!
//! ```console
//! cargo test --release --test random_programs
//! NNC_FUZZ_COUNT=100000 NNC_FUZZ_SEED=2000 cargo test --release --test random_programs
//! ```
//!
//! A failure names its seed and shows the smallest program found that fails likewise. Batches,
//! targets, numbers of threads and the step that is compiled (training, training with all gradients
//! kept, evaluation, each operator by itself) go round with the seeds.

#[path = "engines/check.rs"]
mod check;
#[path = "random_programs/reach.rs"]
mod reach;
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use check::{Agreement, Run, agreement};
use nnc::graph::{Graph, verify};
use nnc::schedule::Globals;
use support::pipeline::{
    lowered, lowered_apart, training, training_with_gradients, try_experiment,
};
use support::random_program::shrink::shrink;
use support::random_program::{RandomProgram, random_program};

/// Programs of a normal run.
const COUNT: u64 = 2000;

/// Of so many programs, one may differ beyond the tolerance where rounding explains it.
const ROUNDED: u64 = 25;

/// Values of more elements are left to compiled code.
const MOST_INTERPRETED: usize = 60_000;

/// What is done with a program.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Training,
    Gradients,
    Evaluation,
    /// Training with a kernel for each operator, as `nnc verify` compares it.
    Apart,
}

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn random_programs_give_the_same_values() {
    let first = from_environment("NNC_FUZZ_SEED", 0);
    let count = from_environment("NNC_FUZZ_COUNT", COUNT);
    let (next, rounded) = (AtomicU64::new(0), AtomicU64::new(0));
    let failures = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = first + next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count || failures.lock().expect("not poisoned").len() > 2 {
                return;
            }
            match compared(seed, &random_program(seed)) {
                Ok(Agreement { allowed }) => {
                    rounded.fetch_add(u64::from(allowed.is_some()), Ordering::Relaxed);
                }
                Err(why) => failures.lock().expect("not poisoned").push((seed, why)),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().expect("not poisoned");
    let messages: Vec<String> = failures.iter().map(|(seed, why)| report(*seed, why)).collect();
    assert!(messages.is_empty(), "{}", messages.join("\n\n"));
    let rounded = rounded.into_inner();
    assert!(rounded <= 2 + count / ROUNDED, "rounding explains {rounded} of {count} programs");
}

/// The failure of a seed, with the smallest program that fails likewise.
fn report(seed: u64, why: &str) -> String {
    let kind = |why: &str| why.split([':', '[', '\n']).next().unwrap_or_default().to_string();
    let likewise = |program: &RandomProgram| {
        compared(seed, program).is_err_and(|other| kind(&other) == kind(why))
    };
    let small = shrink(random_program(seed), likewise);
    let why = compared(seed, &small).err().unwrap_or_else(|| why.to_string());
    format!("seed {seed}, batch {}: {why}\n{}", small.batch, small.text())
}

/// Compiles a program as its seed says and compares.
fn compared(seed: u64, program: &RandomProgram) -> Result<Agreement, String> {
    let kinds = [Kind::Training, Kind::Gradients, Kind::Evaluation, Kind::Training, Kind::Apart];
    let kind = kinds[(seed / 3 % 5) as usize];
    let all = || {
        let experiment = try_experiment(&program.text(), Vec::new())
            .map_err(|errors| format!("refused: {errors}"))?;
        let graph = match kind {
            Kind::Training | Kind::Apart => training(&experiment),
            Kind::Gradients => training_with_gradients(&experiment),
            Kind::Evaluation => experiment.eval.clone(),
        };
        verify(&graph).map_err(|found| format!("unsound: {found:?}"))?;
        let globals = &mut Globals::new();
        let step = match kind {
            Kind::Apart => lowered_apart(&graph, program.batch, globals),
            _ => lowered(&graph, program.batch, globals),
        };
        let env = program.env(&graph, program.batch, seed);
        let runs = runs(seed, program.batch, &graph);
        agreement(&graph, program.batch, &env, (&step.0, &step.1), &runs)
    };
    match catch_unwind(AssertUnwindSafe(all)) {
        Ok(result) => result.map_err(|why| format!("{why} ({kind:?})")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or(panic.downcast_ref::<&str>().map(ToString::to_string));
            Err(format!("panic ({kind:?}): {}", text.unwrap_or_default()))
        }
    }
}

/// Two engines for a seed: compiled code, and the loops' interpreter or other compiled code.
fn runs(seed: u64, batch: usize, graph: &Graph) -> Vec<Run> {
    let names: Vec<&'static str> =
        check::names().into_iter().filter(|name| *name != "loops").collect();
    let round = seed as usize;
    let threads = [2, 1, 3, 2, 1, 4, 2, 5, 1];
    let compiled =
        |at: usize, threads: usize| Run { name: names[at % names.len()], threads, shuffle: 0 };
    let elements: usize =
        graph.nodes.values().map(|node| node.ty.shape.at(batch).iter().product::<usize>()).sum();
    let second = match elements <= MOST_INTERPRETED && !round.is_multiple_of(3) {
        true => Run { name: "loops", threads: 1 + round / 2 % 5, shuffle: seed },
        false => compiled(round / names.len() + round + 1, threads[(round / 2 + 1) % 9]),
    };
    vec![compiled(round, threads[round % 9]), second]
}
