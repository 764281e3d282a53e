//! Random programs against PyTorch: outputs, losses, gradients and states of compiled code, and
//! parameters after twenty steps of every optimiser.
//!
//! ```console
//! cargo test --release --test torch_random
//! NNC_PYTHON=python3 NNC_TORCH_CASES=1000 cargo test --release --test torch_random
//! NNC_PYTHON=python3 NNC_BLESS=1 cargo test --release --test torch_random
//! ```
//!
//! The first compares with the numbers in `tests/golden/torch_random.txt`; the second asks PyTorch
//! itself about so many cases, from seed `NNC_FUZZ_SEED` on; the third writes the file. Four cases
//! of five are random programs, the others nets that are trained ([`nets`]).
//!
//! PyTorch is given the text of the forward graph, before autodiff, and computes in `f64` with
//! autograd (`torch_random.py`). A value is right within `1e-5 + 1e-4 · max|want|`; beyond that
//! only where PyTorch in `f32`, its inputs changed by a part in a million or ten million, is as far
//! from its own `f64`, and the test counts the cases that need this. Random operators are fed the
//! same numbers on both sides; their generator is tested elsewhere (`src/base/rng.rs`). A failure
//! names its seed and shows the smallest program found that fails too.

#[path = "torch_random/case.rs"]
mod case;
#[path = "torch_random/expected.rs"]
mod expected;
#[path = "torch_random/nets.rs"]
mod nets;
#[path = "torch_random/python.rs"]
mod python;
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::{Case, Source};
use expected::{Summary, Verdict, distance};
use python::{Answer, Python, Wanted};
use support::compare::tolerance;
use support::random_program::random_program;
use support::random_program::shrink::shrink;

/// Cases of the file.
const COUNT: u64 = 500;

/// Of so many cases, one may differ beyond the tolerance where rounding explains it.
const ROUNDED: usize = 25;

/// After so many failures no case is begun.
const FAILURES: usize = 3;

/// Where the file and its failures say what to do.
const BLESS: &str = "NNC_PYTHON=python3 NNC_BLESS=1 cargo test --release --test torch_random";

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/torch_random.txt")
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Whether the file is to be written, which only PyTorch can.
fn blesses() -> bool {
    std::env::var("NNC_BLESS").is_ok_and(|value| value == "1")
        && std::env::var_os("NNC_PYTHON").is_some()
}

/// So many cases from a seed on.
fn sources(first: u64, count: u64) -> Vec<Source> {
    let source = |at: u64| match at % 5 {
        4 => Source::Net(first + at / 5),
        rest => Source::Program(first + at / 5 * 4 + rest),
    };
    (0..count).map(source).collect()
}

/// How cases agree.
#[derive(Default)]
struct Tally {
    allowed: Vec<String>,
    wrong: Vec<String>,
}

/// Checks all cases on all processors; `worker` makes what a thread checks with.
fn check<W>(
    sources: &[Source],
    worker: impl Fn() -> W + Sync,
    one: impl Fn(&mut W, usize, Source) -> Verdict + Sync,
) -> Tally {
    let (next, tally) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    let work = || {
        let mut worker = worker();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(&source) = sources.get(at) else { return };
            if tally.lock().expect("not poisoned").wrong.len() >= FAILURES {
                return;
            }
            let verdict = one(&mut worker, at, source);
            let mut tally = tally.lock().expect("not poisoned");
            match verdict {
                Verdict::Equal => {}
                Verdict::Allowed(why) => tally.allowed.push(format!("{source}: {why}")),
                Verdict::Wrong(why) => tally.wrong.push(format!("{source}: {why}")),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    tally.into_inner().expect("not poisoned")
}

/// Fails where a case is wrong, or too many need an explanation.
fn judge(tally: &Tally, count: usize) {
    let allowed = tally.allowed.len();
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n\n"));
    println!("{count} cases: {} equal, {allowed} explained by rounding", count - allowed);
    tally.allowed.iter().for_each(|case| println!("{case}"));
    assert!(allowed <= 2 + count / ROUNDED, "rounding explains {allowed} of {count} cases");
}

#[test]
fn compiled_code_gives_the_numbers_of_the_file() {
    if blesses() {
        println!("skipped: the file is being written");
        return;
    }
    let text = std::fs::read_to_string(file()).expect("the file of expected numbers");
    let entries = expected::parse(&text);
    let sources = sources(0, COUNT);
    assert_eq!(entries.len(), sources.len(), "the file has other cases: {BLESS}");
    let tally = check(
        &sources,
        || (),
        |(), at, source| {
            let entry = &entries[at];
            let case = source.case().unwrap_or_else(|errors| panic!("{source}: {errors}"));
            if entry.name != source.to_string() || entry.hash != case.hash() {
                return Verdict::Wrong(format!("the generator makes another program now: {BLESS}"));
            }
            against_summaries(&case, &entry.values)
        },
    );
    judge(&tally, sources.len());
}

#[test]
fn compiled_code_gives_what_pytorch_computes() {
    let python = std::env::var("NNC_PYTHON").ok();
    let count = if blesses() { Some(COUNT) } else { from_environment("NNC_TORCH_CASES") };
    let (Some(python), Some(count)) = (python, count) else {
        println!("skipped: NNC_PYTHON and NNC_TORCH_CASES are not both set");
        return;
    };
    let first = if blesses() { 0 } else { from_environment("NNC_FUZZ_SEED").unwrap_or(0) };
    let sources = sources(first, count);
    let summaries = Mutex::new(vec![String::new(); sources.len()]);
    let tally = check(
        &sources,
        || Python::start(&python),
        |python, at, source| {
            let (verdict, summary) = live(python, source);
            summaries.lock().expect("not poisoned")[at] = summary;
            verdict
        },
    );
    judge(&tally, sources.len());
    if blesses() {
        assert!(std::env::var_os("CI").is_none(), "NNC_BLESS is refused where CI is set");
        let text = format!(
            "# What PyTorch computes for random programs, in a few numbers a value: see\n\
             # torch_random/expected.rs. Written by: {BLESS}\n{}",
            summaries.into_inner().expect("not poisoned").concat()
        );
        std::fs::write(file(), text).expect("the file can be written");
    }
}

/// Compares a case with a running PyTorch; its entry for the file.
fn live(python: &mut Python, source: Source) -> (Verdict, String) {
    let case = match source.case() {
        Ok(case) => case,
        Err(errors) => return (Verdict::Wrong(format!("refused: {errors}")), String::new()),
    };
    let (mut verdict, summary) = match python.ask(&case) {
        Ok(answer) => {
            let entry = format!("{source} {:016x}\n{}\n", case.hash(), answer.summary);
            (against_values(&case, &answer), entry)
        }
        Err(error) => (Verdict::Wrong(error), String::new()),
    };
    if let Verdict::Wrong(why) = &mut verdict {
        let small = smaller(python, source).unwrap_or(case);
        *why += &format!(" (batch {})\n{}", small.batch, small.text);
    }
    (verdict, summary)
}

/// The smallest case found that is wrong too.
fn smaller(python: &mut Python, source: Source) -> Option<Case> {
    let Source::Program(seed) = source else { return None };
    let fails = |program: &support::random_program::RandomProgram| {
        let Ok(case) = Case::of_program(seed, program) else { return false };
        let answer = python.ask(&case);
        answer.is_ok_and(|answer| matches!(against_values(&case, &answer), Verdict::Wrong(_)))
    };
    Case::of_program(seed, &shrink(random_program(seed), fails)).ok()
}

/// Compares all elements of a case.
fn against_values(case: &Case, answer: &Answer) -> Verdict {
    let ours = match case.ours() {
        Ok(ours) => ours,
        Err(why) => return Verdict::Wrong(why),
    };
    let names = answer.wanted.iter().map(|wanted| wanted.name.clone());
    let mut verdict = same_names(names.collect(), ours.keys().cloned().collect());
    for wanted in &answer.wanted {
        if let Some(found) = ours.get(&wanted.name) {
            verdict = verdict.and(elements(wanted, found));
        }
    }
    verdict
}

/// Compares all elements of a value.
fn elements(wanted: &Wanted, found: &[f32]) -> Verdict {
    let (name, values) = (&wanted.name, &wanted.values);
    if found.len() != values.len() {
        return Verdict::Wrong(format!("{name}: {} elements, not {}", found.len(), values.len()));
    }
    let bounds = [tolerance(values), wanted.spread];
    let mut verdict = Verdict::Equal;
    for (at, (&found, &want)) in found.iter().zip(values).enumerate() {
        if found.to_bits() != want.to_bits() && !(found.is_nan() && want.is_nan()) {
            let what = || format!("element {at}");
            let (found, want) = (f64::from(found), f64::from(want));
            verdict = verdict.and(distance(name, &what(), found, want, bounds));
        }
    }
    verdict
}

/// Compares a case with what the file says of it.
fn against_summaries(case: &Case, values: &expected::Values) -> Verdict {
    let given = values["given"].verdict("given", &Summary::of_given(&case.given));
    if given != Verdict::Equal {
        return Verdict::Wrong(format!("the case is given other numbers now: {BLESS}"));
    }
    let ours = match case.ours() {
        Ok(ours) => ours,
        Err(why) => return Verdict::Wrong(why),
    };
    let names = values.keys().filter(|name| *name != "given").cloned();
    let mut verdict = same_names(names.collect(), ours.keys().cloned().collect());
    for (name, found) in &ours {
        if let Some(expected) = values.get(name) {
            let found: Vec<f64> = found.iter().map(|&value| f64::from(value)).collect();
            verdict = verdict.and(expected.verdict(name, &Summary::of(&found)));
        }
    }
    match verdict {
        Verdict::Wrong(why) => {
            Verdict::Wrong(format!("{why} (batch {})\n{}", case.batch, case.text))
        }
        verdict => verdict,
    }
}

fn same_names(wanted: BTreeSet<String>, found: BTreeSet<String>) -> Verdict {
    match wanted == found {
        true => Verdict::Equal,
        false => Verdict::Wrong(format!("values {found:?}, not {wanted:?}")),
    }
}

/// The nets of the file use every optimiser of the prelude with every argument.
#[test]
fn nets_use_every_argument_of_every_optimizer() {
    let nets = sources(0, COUNT).into_iter().filter_map(|source| match source {
        Source::Net(seed) => Some(nets::random_net(seed)),
        Source::Program(_) => None,
    });
    let mut used = BTreeSet::new();
    for net in nets {
        let names = net.args.iter().map(|(name, _)| name.to_string());
        used.extend(names.map(|name| format!("{}({name})", net.optimizer)));
    }
    let mut wanted = BTreeSet::new();
    for line in nnc::elaborate::PRELUDE.lines() {
        let Some((name, rest)) =
            line.strip_prefix("optimizer ").and_then(|rest| rest.split_once("(p, g, step, "))
        else {
            continue;
        };
        let args = rest.split(", ").filter_map(|arg| arg.split_once(':'));
        wanted.extend(args.map(|(arg, _)| format!("{name}({arg})")));
    }
    assert!(wanted.len() > 25, "{wanted:?}");
    assert_eq!(used, wanted);
}

/// The comparison with the file itself: a case with one number changed fails.
#[test]
fn a_wrong_number_is_found() {
    let values: Vec<f64> = (0..60).map(|at| f64::from(at % 7) / 7.0 - 0.4).collect();
    let summary = Summary::of(&values);
    let expected = expected::Expected { summary: summary.clone(), spread: [0.0; 2] };
    assert_eq!(expected.verdict("x", &summary), Verdict::Equal);
    for at in 0..values.len() {
        let mut wrong = values.clone();
        wrong[at] += 2e-3;
        assert!(matches!(expected.verdict("x", &Summary::of(&wrong)), Verdict::Wrong(_)), "{at}");
    }
    let spread = [0.0, 1e-3];
    let explained = expected::Expected { summary, spread };
    let mut other = values.clone();
    other[3] += 2e-3;
    let verdict = explained.verdict("x", &Summary::of(&other));
    assert!(matches!(verdict, Verdict::Allowed(_)), "{verdict:?}");
}
