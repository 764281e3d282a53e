//! A model of samples in buckets by length: one program, a graph for each bucket, the same parameters.
//!
//! ```text
//! comment = text(tokens: chars) |> bucket([64, 128])
//! elaborated with comment: i32[64] and with comment: i32[128]     each a step of its own
//! dense.weight f32[32, 2] in both                                 else the lengths cannot share it
//! ```

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::driver::checked::CheckedProgram;
use crate::driver::session::{Failure, Session};
use crate::elaborate::{ElaborateOptions, Experiment, ProgramFiles};
use crate::graph::{Graph, OverSplit, Type};

impl Session {
    /// Elaborates a sound program for the samples of each bucket but the largest.
    pub(super) fn smaller_buckets(
        &mut self,
        program: &ProgramFiles<'_>,
        options: &mut ElaborateOptions,
        checked: &mut CheckedProgram,
    ) -> Result<(), Failure> {
        let source = checked.source.as_ref();
        let Some((experiment, schema)) =
            checked.experiment.as_ref().zip(source.and_then(|source| source.schema.as_ref()))
        else {
            return Ok(());
        };
        for bucket in 0..schema.bucket_count() - 1 {
            let name = schema.bucket_name(bucket);
            options.schemas.iter_mut().for_each(|(_, own)| *own = schema.in_bucket(bucket));
            match self.elaborate(program, options)? {
                Ok(smaller) => {
                    checked.errors.extend(misfit(experiment, &smaller, &name));
                    checked.smaller.push(smaller);
                }
                Err(found) => {
                    let note = |error: Diagnostic| error.note(format!("in the bucket {name}"));
                    checked.errors.extend(found.into_iter().map(note));
                }
            }
            if !checked.errors.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

/// The error about what the graphs of a smaller bucket do not share with those of the largest.
fn misfit(largest: &Experiment, smaller: &Experiment, bucket: &str) -> Option<Diagnostic> {
    let graphs = [(&largest.train, &smaller.train), (&largest.eval, &smaller.eval)];
    let found = graphs.into_iter().find_map(|(largest, smaller)| variables(largest, smaller));
    if let Some((path, of_largest, of_smaller)) = found {
        let shown = |ty: Option<Type>| ty.map_or("not there".to_owned(), |ty| ty.to_string());
        let (of_largest, of_smaller) = (shown(of_largest), shown(of_smaller));
        let message = format!("the shape of `{path}` follows from the length of a text");
        let error = Diagnostic::error(codes::SHAPE, message)
            .primary(largest.model_span, "this model has buckets of several lengths")
            .note(format!(
                "it is {of_smaller} in the bucket {bucket}, {of_largest} in the largest"
            ));
        return Some(error.help(
            "let nothing that is learnt have the text's length (`sinusoidal_positions` learns \
             nothing), or give the text one `length:`",
        ));
    }
    let of_outputs = |experiment: &Experiment| {
        let training = experiment.training.as_ref();
        training.map(|it| it.overs.iter().map(|(name, of)| (name.clone(), width(of))).collect())
    };
    let (all, own): (Option<Vec<_>>, Option<Vec<_>>) = (of_outputs(largest), of_outputs(smaller));
    let (name, _) = all?.into_iter().zip(own?).find(|(all, own)| all != own)?.0;
    let message = format!("`{name}` is of all samples of a split, which have differing lengths");
    let error = Diagnostic::error(codes::SHAPE, message)
        .primary(largest.model_span, "this model has buckets of several lengths");
    Some(error.help("leave the metric out, or give the text one `length:`"))
}

/// Numbers that a metric of all samples takes of each.
fn width(over: &OverSplit) -> usize {
    match over {
        OverSplit::Rows { width, .. } => *width,
        OverSplit::Means(_) => 0,
    }
}

/// The first parameter or state that is another in the other graph.
fn variables(largest: &Graph, smaller: &Graph) -> Option<(String, Option<Type>, Option<Type>)> {
    let types = |graph: &Graph| -> Vec<(String, Type)> {
        graph.variables().map(|(path, ty, _)| (path.to_owned(), ty.clone())).collect()
    };
    let (all, own) = (types(largest), types(smaller));
    let of = |types: &[(String, Type)], path: &str| {
        types.iter().find(|(known, _)| known == path).map(|(_, ty)| ty.clone())
    };
    let mut paths = all.iter().chain(&own).map(|(path, _)| path);
    let path = paths.find(|path| of(&all, path) != of(&own, path))?;
    Some((path.clone(), of(&all, path), of(&own, path)))
}
