//! Calls that are written as the language has them: these are never foreign.
//!
//! ```text
//! normalize(mean: 0.13, std: 0.31)     a transform with its own arguments: stays
//! dense(784, 64)                       64 is no `bias`: a habit of PyTorch
//! relu(inplace=True)                   `=` is no form of an argument: a habit
//! ```
//!
//! In: a name and its arguments. What the language has is asked of its documentation, so that an item that is
//! new is known here too. A value's kind is read from its text alone; what is computed fits anything.

use super::bound::GivenArgument;
use super::pipeline::WrittenStage;
use super::tokens::ForeignToken;
use crate::base::source::Sources;
use crate::elaborate::{DocKind, Documentation, ItemDoc};
use crate::syntax;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The kinds of names that are called.
const CALLED: [DocKind; 9] = [
    DocKind::Layer,
    DocKind::Loss,
    DocKind::Metric,
    DocKind::Optimizer,
    DocKind::Schedule,
    DocKind::Initializer,
    DocKind::Operator,
    DocKind::Source,
    DocKind::Transform,
];

/// A parameter of an item, and the text of its kind: `filters`, `int >= 1`.
struct OwnParameter {
    name: String,
    kind: String,
}

/// How an item is called.
struct OwnForm {
    kind: DocKind,
    params: Vec<OwnParameter>,
    /// How many of the first parameters are values that may be piped in.
    inputs: usize,
}

static FORMS: LazyLock<HashMap<&'static str, Vec<OwnForm>>> = LazyLock::new(|| {
    let mut forms: HashMap<&'static str, Vec<OwnForm>> = HashMap::new();
    let called = |it: &&ItemDoc| CALLED.contains(&it.kind);
    for item in Documentation::of_language().items().iter().filter(called) {
        let own = forms.entry(item.name.as_str()).or_default();
        own.extend(item.signature.lines().map(|line| form(item, line)));
    }
    forms
});

/// Whether the language has an item of this name that can be called.
pub fn is_item(name: &str) -> bool {
    FORMS.contains_key(name)
}

/// Whether `train` has a setting of this name.
pub fn is_setting(name: &str) -> bool {
    Documentation::of_language().of(name).any(|it| it.kind == DocKind::Setting)
}

/// Whether a call is one of the language, with arguments in its own form.
pub fn is_call(name: &str, args: &[GivenArgument]) -> bool {
    let forms = FORMS.get(name).map_or(&[][..], Vec::as_slice);
    forms.iter().any(|form| form.takes(args))
}

/// Whether a call has the names of an item's arguments, with `=` behind one.
pub fn has_names(name: &str, args: &[GivenArgument]) -> bool {
    let as_here = |arg: &GivenArgument| GivenArgument { equals: false, ..arg.clone() };
    let is_signed = args.iter().any(|arg| arg.equals);
    is_signed && is_call(name, &args.iter().map(as_here).collect::<Vec<_>>())
}

/// Names the arguments of an item's call, where all of them were given as `name: value`: another name is all
/// that is wrong with them.
pub fn keep_names(args: &[GivenArgument], stage: &mut WrittenStage) {
    let is_named = |arg: &GivenArgument| arg.name.is_some() && !arg.equals;
    let Some(form) = FORMS.get(stage.callee.as_str()).and_then(|own| own.first()) else { return };
    if args.is_empty() || !args.iter().all(is_named) {
        return;
    }
    let params = form.params.iter().skip(form.inputs);
    for ((name, _), param) in stage.args.iter_mut().zip(params) {
        name.get_or_insert_with(|| param.name.clone());
    }
}

/// The item whose name is a word in another case: `normalize` of `Normalize`.
pub fn alike(word: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    FORMS.keys().copied().find(|name| *name == lower && *name != word)
}

/// Whether tokens are an item that parses.
pub fn parses(text: &str, chunk: &[ForeignToken<'_>]) -> bool {
    let [first, .., last] = chunk else { return false };
    let mut sources = Sources::new();
    let id = sources.add("item.nn", text[first.start..last.end()].to_owned());
    syntax::parse(&sources, id).is_ok()
}

impl OwnForm {
    fn takes(&self, args: &[GivenArgument]) -> bool {
        let named = |arg: &GivenArgument| match &arg.name {
            Some(name) if !arg.equals => {
                self.params.iter().any(|param| param.name == *name && param.fits(&arg.value))
            }
            name => name.is_none(),
        };
        let positions: Vec<&str> =
            args.iter().filter(|arg| arg.name.is_none()).map(|arg| arg.value.as_str()).collect();
        let from = |first: usize| {
            let mut params = self.params.iter().skip(first);
            positions.iter().all(|value| params.next().is_some_and(|param| param.fits(value)))
        };
        let is_open = matches!(self.kind, DocKind::Source | DocKind::Operator);
        let placed = || (0..=self.inputs).any(from);
        args.iter().all(named) && (is_open || placed())
    }
}

impl OwnParameter {
    /// Whether a value may be of this parameter's kind.
    fn fits(&self, value: &str) -> bool {
        let is_text = value.starts_with('"');
        let is_truth = matches!(value, "true" | "false");
        let is_number = value.parse::<f64>().is_ok();
        let is_float = is_number && value.contains(['.', 'e']);
        let is_of = |kind: &str| self.kind.starts_with(kind);
        if self.kind.is_empty() {
            return !is_text;
        }
        if is_of("string") || self.kind == "?" {
            return is_text || !is_number;
        }
        if is_text {
            return false;
        }
        if is_of("bool") && !self.kind.contains('[') {
            return is_truth || !is_number;
        }
        if is_of("initializer") {
            return !is_truth;
        }
        if self.kind.contains('[') {
            return !is_truth && !is_number;
        }
        let is_layer = FORMS.get(value).is_some_and(|own| own[0].kind == DocKind::Layer);
        !is_truth && !is_layer && !(is_float && (is_of("int") || is_of("size") || is_of("padding")))
    }
}

/// The form of a declaration, `conv(x: f32[N, ..S, C], filters: int >= 1, …)`, or of a row of the manual.
fn form(item: &ItemDoc, signature: &str) -> OwnForm {
    let kind = item.kind;
    let of_table = matches!(kind, DocKind::Source | DocKind::Transform);
    let params: Vec<OwnParameter> = match of_table {
        true => item.facts.iter().take(1).flat_map(|(_, cell)| named_in(cell)).collect(),
        false => params(signature).collect(),
    };
    let own = params.into_iter().filter(|param| {
        let given = matches!(kind, DocKind::Optimizer | DocKind::Schedule) && param.kind.is_empty();
        let fan = kind == DocKind::Initializer && param.name.starts_with("fan_");
        !(given || fan)
    });
    let params: Vec<OwnParameter> = own.collect();
    let inputs = match kind {
        DocKind::Layer | DocKind::Loss | DocKind::Metric => {
            params.iter().take_while(|param| is_value(&param.kind)).count()
        }
        _ => 0,
    };
    OwnForm { kind, params, inputs }
}

/// Whether a kind is that of a value of the graph.
fn is_value(kind: &str) -> bool {
    kind.split_once('[').is_some_and(|(head, _)| matches!(head, "f32" | "i32" | "bool" | "any"))
}

/// The parameters of a declaration, each with its kind.
fn params(signature: &str) -> impl Iterator<Item = OwnParameter> {
    let inner = signature.split_once('(').map_or("", |(_, inner)| inner);
    let mut depth = 0i32;
    let mut parts: Vec<String> = vec![String::new()];
    for c in inner.chars() {
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        match c {
            _ if depth < 0 => break,
            ',' if depth == 0 => parts.push(String::new()),
            _ => parts.last_mut().expect("one at least").push(c),
        }
    }
    parts.into_iter().filter(|part| !part.trim().is_empty()).map(|part| {
        // `axis = -1` of an operator has no kind.
        let (name, kind) = part.split_once(':').unwrap_or((&part, ""));
        let name = name.split('=').next().unwrap_or(name);
        OwnParameter { name: name.trim().to_owned(), kind: kind.trim().to_owned() }
    })
}

/// The arguments that a cell of the manual names: `size` (an int or `[height, width]`), `fill: 0`.
fn named_in(cell: &str) -> Vec<OwnParameter> {
    let mut depth = 0i32;
    let outer: String = cell
        .chars()
        .filter(|c| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            depth == 0
        })
        .collect();
    let spans = outer.split('`').skip(1).step_by(2);
    let names = spans.map(|span| span.split(':').next().unwrap_or(span).trim().to_owned());
    names.map(|name| OwnParameter { name, kind: String::new() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arg(text: &str) -> GivenArgument {
        let (name, value) = match text.split_once(": ") {
            Some((name, value)) => (Some(name.to_owned()), value),
            None => (None, text),
        };
        GivenArgument { name, equals: false, value: value.to_owned() }
    }

    #[test]
    fn calls_in_the_form_of_the_language_are_its_own() {
        let is_own = |name: &str, args: &[&str]| {
            is_call(name, &args.iter().map(|it| arg(it)).collect::<Vec<_>>())
        };
        for (name, args) in [
            ("random_flip", &["p: 0.3"][..]),
            ("random_flip", &["vertical"]),
            ("random_crop", &["32", "pad: 1"]),
            ("normalize", &["mean: [0.1, 0.2]", "std: 0.3"]),
            ("normalize", &["0.1", "0.2"]),
            ("batch_norm", &["momentum: 0.9"]),
            ("dense", &["x", "64"]),
            ("dense", &["64", "false"]),
            ("dense", &["64", "init: he_normal"]),
            ("conv", &["32", "3", "2", "same"]),
            ("adamw", &["lr: 1e-3", "weight_decay: 0.1"]),
            ("step_decay", &["0.1", "every: 100"]),
            ("concat", &["[a, b]", "axis: 1"]),
            ("images", &["\"folder\"", "size: [32, 32]"]),
            ("cross_entropy", &["smoothing: 0.1"]),
            ("normal", &["std: 0.02"]),
        ] {
            assert!(is_own(name, args), "{name} {args:?}");
        }
        for (name, args) in [
            ("dense", &["784", "64"][..]),
            ("dense", &["64", "\"relu\""]),
            ("dense", &["64", "activation: relu"]),
            ("adam", &["weight_decay: 0.1"]),
            ("conv", &["8", "3", "relu"]),
            ("random_flip", &["\"horizontal\""]),
            ("Dense", &["64"]),
        ] {
            assert!(!is_own(name, args), "{name} {args:?}");
        }
    }
}
