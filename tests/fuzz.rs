//! Mutated and random source text through the compiler: no panic, no hang; what parses is formatted
//! to something that means the same, what has a meaning becomes a sound graph and sound loops.
//!
//! Each program comes from a seed of its own, which a failure names. `NNC_FUZZ_COUNT` sets how many
//! there are. A further stage is one more entry of [`CHECKS`].

mod support;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nnc::base::codes;
use nnc::base::diagnostic::Diagnostic;
use nnc::base::schema::{Field, Schema};
use nnc::base::source::{FileId, Sources};
use nnc::elaborate::{self, ElaborateOptions, Experiment, PRELUDE, PRELUDE_NAME, ProgramFiles};
use nnc::graph::{self, Graph};
use nnc::lower;
use nnc::pass::{Fusion, Gradients, PIPELINE, TrainingStep};
use nnc::schedule::{self, Globals};
use nnc::syntax::{self, ast};
use support::mutation::{Random, corpus, program};

/// What must hold of any text. An error says what does not; otherwise it says whether there was
/// anything to check.
type Check = fn(&Sources, FileId) -> Result<bool, String>;

const CHECKS: &[(&str, Check)] = &[("places", places), ("format", format), ("meaning", meaning)];

/// How many programs a normal run tries.
const COUNT: u64 = 20_000;

/// No program of this size should take longer; a machine under load is forgiven much.
const LIMIT: Duration = Duration::from_secs(5);

#[test]
fn any_text_is_compiled_or_refused() {
    let count = std::env::var("NNC_FUZZ_COUNT")
        .map_or(COUNT, |count| count.parse().expect("NNC_FUZZ_COUNT is a number"));
    let corpus = corpus();
    // How many programs each check had something to say about.
    let mut reached: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..count {
        let mut sources = Sources::new();
        sources.add_builtin(PRELUDE_NAME, PRELUDE);
        let file = sources.add("fuzz.nn", program(&mut Random(seed), &corpus));
        for (name, check) in CHECKS {
            let start = Instant::now();
            let complaint = match catch_unwind(AssertUnwindSafe(|| check(&sources, file))) {
                Err(_) => "it panics".to_string(),
                Ok(Err(complaint)) => complaint,
                Ok(Ok(_)) if start.elapsed() > LIMIT => "it takes too long".to_string(),
                Ok(Ok(applies)) => {
                    *reached.entry(name).or_default() += u64::from(applies);
                    continue;
                }
            };
            panic!("seed {seed}, {name}: {complaint}\n{}", sources.file(file).text);
        }
    }
    // Were the mutations too wild, nothing would reach the later stages.
    for (name, least) in [("places", 20), ("format", 20), ("meaning", 50)] {
        let applied = reached[name];
        assert!(applied * least > count, "{name} applied to {applied} of {count} programs");
    }
}

/// Every syntax error has a place that is text, and fixes that can be made.
fn places(sources: &Sources, file: FileId) -> Result<bool, String> {
    let errors = syntax::parse(sources, file).err().unwrap_or_default();
    well_placed(sources, &errors)?;
    Ok(!errors.is_empty())
}

/// Places that are text.
fn well_placed(sources: &Sources, errors: &[Diagnostic]) -> Result<(), String> {
    for error in errors {
        // That there is no model is true of the whole file.
        if error.place().is_none() && error.code != codes::NO_MODEL {
            return Err(format!("an error without a place: {error:?}"));
        }
        let spans = error.labels.iter().map(|label| label.span);
        let edited = error.fixes.iter().flat_map(|fix| fix.edits.iter().map(|edit| edit.span));
        for span in spans.chain(edited) {
            let text = &sources.file(span.file).text;
            text.get(span.start as usize..span.end as usize)
                .ok_or_else(|| format!("{} has a place that is not text: {span:?}", error.code))?;
        }
    }
    Ok(())
}

/// What parses is formatted to what has the same tree and is not changed by formatting again.
fn format(sources: &Sources, file: FileId) -> Result<bool, String> {
    let Ok(tree) = syntax::parse(sources, file) else { return Ok(false) };
    let tidy = syntax::format(sources, file).map_err(|_| "it parses but is not formatted")?;
    let mut again = Sources::new();
    let file = again.add("again.nn", &tidy);
    let tree_again = syntax::parse(&again, file)
        .map_err(|errors| format!("formatted, it does not parse: {errors:?}\n{tidy}"))?;
    if syntax::dump(&tree) != syntax::dump(&tree_again) {
        return Err(format!("formatted, it means something else:\n{tidy}"));
    }
    match syntax::format(&again, file) {
        Ok(twice) if twice == tidy => Ok(true),
        Ok(twice) => Err(format!("formatted:\n{tidy}\nformatted twice:\n{twice}")),
        Err(_) => Err("what was formatted is not formatted".to_string()),
    }
}

/// What has a meaning becomes sound graphs and sound loops; what has none is told at its place.
fn meaning(sources: &Sources, file: FileId) -> Result<bool, String> {
    let Ok(tree) = syntax::parse(sources, file) else { return Ok(false) };
    match experiment(tree) {
        Ok(experiment) => compile(experiment).map(|()| true),
        Err(errors) if errors.is_empty() => Err("refused without an error".to_string()),
        Err(errors) => well_placed(sources, &errors).map(|()| false),
    }
}

/// The program's meaning on images like MNIST's.
fn experiment(tree: ast::File) -> Result<Experiment, Vec<Diagnostic>> {
    // The prelude is always the first file, so that its tree's places fit all programs.
    static TREE: OnceLock<ast::File> = OnceLock::new();
    let prelude = TREE.get_or_init(|| {
        let mut sources = Sources::new();
        let file = sources.add_builtin(PRELUDE_NAME, PRELUDE);
        syntax::parse(&sources, file).expect("the prelude parses")
    });
    let program = ProgramFiles { files: &[tree], prelude };
    let schema =
        Schema::of(vec![Field::image("image", &[28, 28, 1]), Field::class("label", Some(10))])
            .counted([60_000, 0, 10_000]);
    let data = elaborate::data_request(&program, None, &Default::default())?;
    let schemas = data.map(|data| (data.name, schema)).into_iter().collect();
    elaborate::elaborate(&program, &ElaborateOptions { schemas, ..ElaborateOptions::default() })
}

/// Down to loops, every result verified.
fn compile(experiment: Experiment) -> Result<(), String> {
    const BATCH: usize = 3;
    let sound = |graph: Graph| match graph::verify(&graph) {
        Ok(()) => Ok(graph),
        Err(found) => Err(format!("{}\n{graph}", found.join("\n"))),
    };
    let train = sound(experiment.train)?;
    let train = match &experiment.training {
        Some(training) => {
            let rule = training.rule.clone();
            sound(rule.graph.clone())?;
            let step = TrainingStep { rule, gradients: Gradients::Shown };
            let mut passes = PIPELINE.train.iter();
            passes.try_fold(train, |graph, pass| sound((pass.run)(&graph, &step)))?
        }
        None => train,
    };
    let mut globals = Globals::default();
    for graph in [train, sound(experiment.eval)?] {
        let mut passes = PIPELINE.step.iter();
        let graph = passes.try_fold(graph, |graph, pass| sound((pass.run)(&graph, &BATCH)))?;
        let kernels = (PIPELINE.kernels.run)(&graph, &Fusion::Full);
        let program = lower::run(&kernels, &mut globals).program;
        schedule::plan::run(program, &mut globals)
            .map_err(|found| format!("{}\n{graph}", found.join("\n")))?;
    }
    Ok(())
}
