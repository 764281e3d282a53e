//! Signatures: the header of a function, and which of its parameters is being typed.

use super::analysis::Analysis;
use super::context::CursorContext;
use super::headers::{documentation, given_otherwise, header};
use super::names::{KINDS, NameRole};
use crate::data;
use crate::elaborate;
use crate::syntax::ast::FunctionKind;
use gen_lsp_types::{
    ActiveParameter, Documentation, ParameterInformation, ParameterInformationLabel, SignatureHelp,
    SignatureInformation,
};

/// The kinds of function that a call in this place may be of, the likeliest first.
pub(super) fn kinds_of(item: Option<&str>, key: Option<&str>, depth: usize) -> Vec<FunctionKind> {
    let first = match (item, key) {
        (Some("train"), Some("loss")) => Some(FunctionKind::Loss),
        (Some("train"), Some("metrics")) => Some(FunctionKind::Metric),
        (Some("train"), Some("optimizer")) if depth > 1 => Some(FunctionKind::Schedule),
        (Some("train"), Some("optimizer")) => Some(FunctionKind::Optimizer),
        (Some("metric"), _) => Some(FunctionKind::Metric),
        _ => None,
    };
    first.into_iter().chain(KINDS).collect()
}

/// The signature of the call around a byte of the text, and the parameter that is being typed.
pub(super) fn help(analysis: &Analysis, text: &str, byte: usize) -> Option<SignatureHelp> {
    let context = CursorContext::at(text, byte);
    let call = context.call()?;
    let callee = call.callee?;
    let calls = context.open.iter().filter(|open| open.sign == "(").count();
    let kinds = kinds_of(context.item, context.key, calls);
    let is_piped = call.is_stage && context.item != Some("data");
    let (label, names, doc, before) = match analysis.names.function(callee, &kinds) {
        Some((index, declared)) => {
            let is_argument = |it: &&super::names::DeclaredName| it.role == NameRole::Argument;
            let members = analysis.names.members(index).filter(is_argument);
            let names = members.map(|it| it.name.clone()).collect::<Vec<_>>();
            let before = given_otherwise(declared, is_piped);
            (header(analysis, declared)?, names, documentation(declared), before)
        }
        None => {
            let (label, names, doc) = built_in(callee)?;
            (label, names, doc, usize::from(is_piped))
        }
    };
    let by_name = call.current.and_then(|name| names.iter().position(|it| it == name));
    let active = by_name.unwrap_or(call.commas + before);
    let parameters = names.iter().map(|name| parameter(&label, name)).collect();
    let active = u32::try_from(active).ok().map(ActiveParameter::Int);
    let signature = SignatureInformation {
        label,
        documentation: (!doc.is_empty()).then_some(Documentation::String(doc)),
        parameters: Some(parameters),
        active_parameter: active,
    };
    Some(SignatureHelp {
        signatures: vec![signature],
        active_signature: Some(0),
        active_parameter: active,
    })
}

/// An operator, a source or a transform: `sum(x, axis, keep)`.
pub(super) fn built_in(name: &str) -> Option<(String, Vec<String>, String)> {
    let operator = elaborate::operators().find(|(known, _)| *known == name);
    let names: Vec<&str> = match operator {
        Some((_, names)) => names,
        None => data::argument_names(name).to_vec(),
    };
    if names.is_empty() {
        return None;
    }
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    Some((format!("{name}({})", names.join(", ")), names, String::new()))
}

/// A parameter as its place in the label, in UTF-16 units, as the protocol counts here.
fn parameter(label: &str, name: &str) -> ParameterInformation {
    let is_word = |c: Option<char>| c.is_some_and(|c| c == '_' || c.is_alphanumeric());
    let open = label.find('(').unwrap_or(0);
    let places = label[open..].match_indices(name).map(|(at, _)| open + at);
    let found = places.into_iter().find(|&at| {
        !is_word(label[..at].chars().next_back())
            && !is_word(label[at + name.len()..].chars().next())
    });
    let label = match found {
        Some(at) => {
            let units = |text: &str| u32::try_from(text.encode_utf16().count()).unwrap_or(0);
            let start = units(&label[..at]);
            ParameterInformationLabel::Tuple((start, start + units(name)))
        }
        None => ParameterInformationLabel::String(name.to_owned()),
    };
    ParameterInformation { label, documentation: None }
}
