//! Messages about names that could not be matched, each with what to write.

use super::NameMismatch;
use super::table::rules_text;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::{Certainty, Edit, Fix};
use crate::base::settings::{InitArgument, InitFrom};

/// How many names a note lists.
const SHOWN: usize = 5;

impl NameMismatch {
    /// The error about a file of weights for a model of this name.
    pub fn diagnostic(&self, from: &InitFrom, model: &str) -> Diagnostic {
        let error =
            |message: String| Diagnostic::error(codes::WEIGHTS, message).primary(from.span, "");
        match self {
            NameMismatch::Ambiguous { differ, rules } => {
                let (module, one, two) = &differ[0];
                let message = format!(
                    "`{module}` of the file can be `{one}` or `{two}`: their shapes agree, and neither \
                     the names nor the graph tell which"
                );
                ambiguous(error(message), &differ[1..], rules, from)
            }
            NameMismatch::OfNoUse { patterns, tensors } => {
                let message = format!(
                    "the file has {tensors} tensors that `{model}` has no layer for: {}",
                    listed(patterns.iter().map(|it| format!("`{it}`")))
                );
                let list: Vec<String> = patterns.iter().map(|it| format!("{it:?}")).collect();
                let list = list.join(", ");
                let error = error(message).help(format!("`ignore: [{list}]` leaves them out"));
                match from.with(InitArgument::Ignore, &list) {
                    Some(edit) => suggested(error, format!("write `ignore: [{list}]`"), edit),
                    None => error,
                }
            }
            NameMismatch::OtherArchitecture { counts, file, program } => {
                let [theirs, ours] = counts;
                let message = format!("the file is not of a network like `{model}`");
                let error = error(message).note(format!(
                    "the file has {theirs} layers with parameters, `{model}` {ours}"
                ));
                let alone = |error: Diagnostic, what: &str, names: &[String]| match names {
                    [] => error,
                    names => error.note(format!("{what}: {}", listed(names.iter()))),
                };
                let error = alone(error, "without a counterpart in the file", program);
                alone(error, "without a counterpart in the program", file).help(
                    "build the model as the file has it; `ignore:` leaves layers of the file out, \
                     `except:` layers of the program",
                )
            }
            NameMismatch::OtherStructure { counts: [theirs, _] } => {
                let message = format!(
                    "the file's {theirs} layers have the shapes of those of `{model}`, but their names \
                     are nested in another way"
                );
                error(message)
                    .note(
                        "layers below one prefix of names are neighbours in the program, and \
                                     numbers at the ends of names give their order",
                    )
                    .help(
                        "say which is which: `rename: [[\"layer1.*\", \"block.*\"]]`; \
                     `nnc check --parameters` lists the paths",
                    )
            }
        }
    }
}

fn ambiguous(
    mut error: Diagnostic,
    differ: &[(String, String, String)],
    rules: &[Vec<(String, String)>],
    from: &InitFrom,
) -> Diagnostic {
    for (module, one, two) in differ.iter().take(SHOWN) {
        error = error.note(format!("`{module}` can be `{one}` or `{two}`"));
    }
    if differ.len() > SHOWN {
        error = error.note(format!("and {} more", differ.len() - SHOWN));
    }
    if let Some(rules) = rules.first() {
        error = error.help(format!("say which it is: `rename: {}`", rules_text(rules)));
    }
    for rules in rules {
        let text = rules_text(rules);
        let items = &text[1..text.len() - 1];
        let title = format!("write `rename: {text}`");
        if let Some(edit) = from.with(InitArgument::Rename, items) {
            error = suggested(error, title, edit);
        }
    }
    error
}

/// Patterns of the names below some prefixes. Names that stand in many places are told by their last part.
pub(super) fn patterns(prefixes: Vec<(&str, Vec<&str>)>) -> Vec<String> {
    const MANY: usize = 3;
    let names: Vec<&str> = prefixes.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let last = |name: &str| name.rsplit_once('.').map(|(_, last)| last.to_owned());
    if names.len() > MANY
        && prefixes.len() == names.len()
        && let Some(first) = last(names[0])
        && names.iter().all(|name| last(name).as_deref() == Some(&first))
    {
        return vec![format!("*.{first}")];
    }
    let pattern = |(prefix, names): (&str, Vec<&str>)| {
        let below = format!("{prefix}.");
        match names.iter().all(|name| name.starts_with(&below)) {
            true => vec![format!("{below}*")],
            false => names.into_iter().map(str::to_owned).collect(),
        }
    };
    prefixes.into_iter().flat_map(pattern).collect()
}

/// A fix that only the author can decide on.
fn suggested(mut error: Diagnostic, title: String, edit: Edit) -> Diagnostic {
    error.fixes.push(Fix::new(title, vec![edit]).read_as(Certainty::Suggestion));
    error
}

/// The first names, and how many more there are.
fn listed<T: AsRef<str>>(names: impl ExactSizeIterator<Item = T>) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let first: Vec<String> = names.take(SHOWN).map(|name| name.as_ref().to_owned()).collect();
    match more {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
