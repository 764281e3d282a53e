//! `tests/golden/elaborate`: what a program means, as graphs, or what is wrong with it.

use nnc::base::diagnostic::Diagnostic;
use nnc::base::source::Sources;
use nnc::elaborate::{
    ElaborateOptions, Experiment, PRELUDE, PRELUDE_NAME, ProgramFiles, elaborate,
};
use nnc::graph::verify;
use nnc::syntax::parse;

use super::{Case, Output, Suite, diagnostics};

pub const SUITE: Suite = Suite {
    folder: "elaborate",
    input: "nn",
    outputs: &[
        Output { extension: "graph", produce: graphs },
        Output { extension: "stderr", produce: errors },
    ],
};

fn elaborated(case: &Case) -> (Sources, Result<Experiment, Vec<Diagnostic>>) {
    let mut sources = Sources::new();
    let main = sources.add(&case.name, &case.text);
    let prelude = sources.add_builtin(PRELUDE_NAME, PRELUDE);
    let result = parse(&sources, main).and_then(|main| {
        let prelude = parse(&sources, prelude)?;
        let program = ProgramFiles { files: &[main], prelude: &prelude };
        elaborate(&program, &ElaborateOptions::default())
    });
    (sources, result)
}

/// The training graph, the evaluation graph and the optimizer's rule.
fn graphs(case: &Case) -> Result<Option<String>, String> {
    let (_, Ok(experiment)) = elaborated(case) else { return Ok(None) };
    let rule = experiment.training.as_ref().map(|training| &training.rule.graph);
    let graphs = [&experiment.train, &experiment.eval].into_iter().chain(rule);
    let mut text = String::new();
    for graph in graphs {
        verify(graph).map_err(|findings| findings.join("\n"))?;
        text += &format!("{graph}\n");
    }
    Ok(Some(text))
}

fn errors(case: &Case) -> Result<Option<String>, String> {
    let (sources, result) = elaborated(case);
    let errors = result.err().unwrap_or_default();
    diagnostics::check_marks(&sources, &errors)?;
    Ok((!errors.is_empty()).then(|| diagnostics::render(&sources, &errors)))
}
