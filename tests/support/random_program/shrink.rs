//! Smaller programs that fail as a given one does.
//!
//! In goes a program and a question whether one fails likewise; out comes a program of few lines.
//! Steps, each taken where the question is still answered with yes: the output is an earlier value;
//! a line is an input of its type; a line is left out for another value of its type; training is
//! plain; a line is one of the productions' simplest.

use nnc::graph::Dim;

use super::{Input, RandomProgram, Training, Value};
use nnc::base::tensor::DType;

/// The most programs that are tried.
const MOST_TRIES: usize = 400;

/// The smallest program found for which `fails` holds.
pub fn shrink(
    mut program: RandomProgram,
    mut fails: impl FnMut(&RandomProgram) -> bool,
) -> RandomProgram {
    let mut tries = 0;
    'smaller: loop {
        for candidate in candidates(&program) {
            tries += 1;
            if tries > MOST_TRIES {
                return program;
            }
            if fails(&candidate) {
                program = candidate;
                continue 'smaller;
            }
        }
        return program;
    }
}

/// Programs that are smaller by one step, the smallest first.
fn candidates(program: &RandomProgram) -> Vec<RandomProgram> {
    let mut found = Vec::new();
    let lines = program.lines.len();
    for value in (0..lines).map(Value::Line) {
        if value != program.output && is_output(program, value) {
            found.push(with(program, |other| {
                other.output = value;
                other.training = Training::plain();
            }));
        }
    }
    for at in (0..lines).rev() {
        if is_output(program, Value::Line(at)) {
            found.push(with(program, |other| {
                other.inputs.push(Input { ty: other.lines[at].ty.clone(), indices: 0 });
                replace(other, at, Value::Input(other.inputs.len() - 1));
            }));
        }
        let alike = |value: &Value| *ty(program, *value) == program.lines[at].ty;
        let before = (0..program.inputs.len()).map(Value::Input).chain((0..at).map(Value::Line));
        for value in before.filter(alike) {
            found.push(with(program, |other| replace(other, at, value)));
        }
    }
    if program.training.loss != "mse" {
        found.push(with(program, |other| other.training = Training::plain()));
    }
    if program.training.optimizer != Training::plain().optimizer {
        found.push(with(program, |other| other.training.optimizer = Training::plain().optimizer));
    }
    if !program.training.settings.is_empty() {
        found.push(with(program, |other| other.training.settings.clear()));
    }
    for batch in [1, 2, 3, 5].into_iter().filter(|&batch| batch < program.batch) {
        found.push(with(program, |other| other.batch = batch));
    }
    found
}

/// Whether a value can be the model's output, or its input.
fn is_output(program: &RandomProgram, value: Value) -> bool {
    let ty = ty(program, value);
    ty.dtype == DType::F32
        && ty.shape.first() == Some(&Dim::N)
        && ty.shape[1..].iter().all(|dim| dim.known().is_some())
}

fn ty(program: &RandomProgram, value: Value) -> &nnc::graph::Type {
    match value {
        Value::Input(at) => &program.inputs[at].ty,
        Value::Line(at) => &program.lines[at].ty,
    }
}

/// Lets everything that reads a line read another value.
fn replace(program: &mut RandomProgram, line: usize, by: Value) {
    let old = Value::Line(line);
    let args = program.lines.iter_mut().flat_map(|line| line.args.iter_mut());
    for value in args.chain([&mut program.output]) {
        if *value == old {
            *value = by;
        }
    }
}

fn with(program: &RandomProgram, change: impl FnOnce(&mut RandomProgram)) -> RandomProgram {
    let mut other = program.clone();
    change(&mut other);
    other.prune();
    other
}
