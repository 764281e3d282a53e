//! Arguments more and less: `conv(64, 3)` → `conv(64, 3, pad: 1)`, `mean(x)` → `mean(x, axis: -1)`,
//! `dense` → `dense(10)`, `relu(0.1)` → `relu`.

use super::scene::{CallSite, Scene, distance};
use super::{Candidate, after, before, candidate, cost, swap};
use crate::base::fix::{Edit, Fix};
use crate::base::source::Span;
use crate::syntax::ast::{Arg, ExprKind, Name};

/// Arguments more and less.
pub fn edits(scene: &Scene<'_>, found: &mut Vec<Candidate>) {
    for call in &scene.calls {
        if call.distance <= distance::ITEM {
            more(scene, call, found);
        }
        if call.distance <= distance::AROUND + distance::LABELLED {
            less(scene, call, found);
            swapped(scene, call, found);
            listed(scene, call, found);
            alone(scene, call, found);
            renamed(scene, call, found);
            operator_as_layer(scene, call, found);
        }
    }
}

/// An argument that is not given.
fn more(scene: &Scene<'_>, call: &CallSite<'_>, found: &mut Vec<Candidate>) {
    let parameters = scene.parameters(&call.call.callee.text);
    for name in parameters.iter().skip(usize::from(call.piped)) {
        if scene.argument(call, name).is_some() {
            continue;
        }
        for (order, value) in values(scene, call, name).into_iter().enumerate() {
            let order = u32::try_from(order).unwrap_or(0);
            let cost = cost::ARGUMENT + call.distance + 5 * order + unlikely(call, name, &value);
            let added = with(scene, call, &format!("{name}: {value}"), cost);
            // What is called so is meant, and a truth value has no rival.
            let chosen = value != *name && !matches!(*name, "bias" | "keep");
            found.push(if chosen { added.choosing(call.span, name) } else { added });
        }
    }
    // What must be given stands first, and needs no name.
    let unnamed = call.call.args.iter().take_while(|arg| arg.name.is_none()).count();
    let given = unnamed + usize::from(call.piped);
    if let Some(next) = parameters.get(given).filter(|next| scene.argument(call, next).is_none()) {
        for (order, value) in (0..).zip(needed(scene, next)) {
            let cost = cost::ARGUMENT - 5 + order + call.distance;
            found.push(positional(scene, call, &value, cost).choosing(call.span, next));
        }
    }
}

/// Extra cost of an argument that such calls hardly ever have.
fn unlikely(call: &CallSite<'_>, name: &str, value: &str) -> u32 {
    let callee = call.call.callee.text.as_str();
    // Pooling with one of the two is there to keep the size.
    let keeps = call.call.args.iter().any(|arg| {
        arg.name.as_ref().is_some_and(|name| matches!(name.text.as_str(), "pad" | "stride"))
    });
    match (name, value) {
        ("pad", _) | ("stride", "1") if callee.ends_with("pool") && keeps => 5,
        ("pad" | "stride", _) if callee.ends_with("pool") => cost::HARDLY,
        ("dilation" | "groups" | "init" | "eps" | "size", _) => cost::HARDLY,
        ("bias", _) => 80,
        ("stride", "1") => cost::HARDLY,
        ("axis", _) if callee.ends_with("softmax") => 60,
        _ => 0,
    }
}

/// Candidates for an argument of this name.
fn values(scene: &Scene<'_>, call: &CallSite<'_>, name: &str) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    // What the layer calls so is meant for it.
    if scene.counts[call.item].contains(&name) {
        values.push(name.to_owned());
    }
    match name {
        "pad" => {
            let same = format!("{name}: same");
            let size = scene.argument(call, "size").map(|arg| &arg.value.kind);
            let dilation = scene.argument(call, "dilation").map(|arg| &arg.value.kind);
            let reach = match dilation {
                Some(ExprKind::Int(dilation)) => *dilation,
                _ => 1,
            };
            let as_others = scene
                .calls
                .iter()
                .any(|other| scene.program.sources.text(other.span).contains(&same));
            if as_others {
                values.push("same".into());
            }
            if let Some(ExprKind::Int(size)) = size
                && *size > 1
            {
                values.push((reach * (size - 1) / 2).to_string());
            }
            values.extend(["1".into(), "2".into(), "same".into()]);
        }
        "stride" => values.extend(["2", "1", "4", "3"].map(String::from)),
        "axis" => values.extend(["-1", "1", "2", "3", "0"].map(String::from)),
        "keep" => values.push("true".into()),
        "bias" => values.push("false".into()),
        "size" => values.extend(["3", "2", "1"].map(String::from)),
        "groups" => values.extend(scene.numbers.iter().take(4).map(i64::to_string)),
        _ => {}
    }
    values.dedup();
    values
}

/// Candidates for an argument that must be given.
fn needed(scene: &Scene<'_>, name: &str) -> Vec<String> {
    let classes = scene.program.classes.map(|classes| classes.to_string());
    let shapes = scene.shapes.iter().filter_map(|shape| {
        shape.trim_end_matches(']').rsplit([',', '[']).next().map(|dim| dim.trim().to_owned())
    });
    let declared = scene.types.iter().rev().filter_map(|declared| {
        let last = declared.ty.dims.as_ref()?.last()?;
        match last {
            crate::syntax::ast::DimExpr::Expr(expr) => {
                Some(scene.program.sources.text(expr.span).to_owned())
            }
            crate::syntax::ast::DimExpr::Rest(_) => None,
        }
    });
    match name {
        "units" | "filters" | "classes" | "dim" => classes
            .into_iter()
            .chain(declared)
            .chain(shapes)
            .filter(|value| value != "N" && !value.starts_with(".."))
            .take(6)
            .collect(),
        "size" => ["3", "2", "5", "1"].map(String::from).into(),
        "groups" => ["8", "4", "2"].map(String::from).into(),
        "type" => ["f32", "i32"].map(String::from).into(),
        "axis" => ["-1", "1"].map(String::from).into(),
        _ => Vec::new(),
    }
}

/// A call with one argument more, where the parameters' order puts it.
pub fn with(scene: &Scene<'_>, call: &CallSite<'_>, argument: &str, cost: u32) -> Candidate {
    let title = format!("add `{argument}`");
    let parameters = scene.parameters(&call.call.callee.text);
    let place = |name: &str| parameters.iter().position(|known| *known == name);
    let own = argument.split_once(':').and_then(|(name, _)| place(name));
    // After the last argument of an earlier parameter; one without a name has only those before.
    let earlier = call.call.args.iter().enumerate().rev().find(|(index, arg)| {
        let given = match &arg.name {
            Some(name) => place(&name.text),
            None => Some(index + usize::from(call.piped)),
        };
        own.is_none() || given.is_none() || given < own
    });
    match earlier.map(|(_, arg)| arg).or(call.call.args.last()) {
        Some(last) => candidate(title, after(last.value.span), format!(", {argument}"), cost),
        None => {
            let callee = call.call.callee.span;
            let rest = &scene.program.sources.file(callee.file).text[callee.end as usize..];
            // `relu()` has brackets, `relu` none.
            if rest.starts_with("()") {
                let inside = Span { start: callee.end + 1, end: callee.end + 1, ..callee };
                candidate(title, inside, argument, cost)
            } else {
                candidate(title, after(callee), format!("({argument})"), cost)
            }
        }
    }
}

/// A call with one more argument that has no name, behind the others that have none.
fn positional(scene: &Scene<'_>, call: &CallSite<'_>, value: &str, cost: u32) -> Candidate {
    let args = &call.call.args;
    let unnamed = args.iter().take_while(|arg| arg.name.is_none()).last();
    match (unnamed, args.first().and_then(|arg| arg.name.as_ref())) {
        (None, Some(first)) => {
            candidate(format!("add `{value}`"), before(first.span), format!("{value}, "), cost)
        }
        (Some(last), _) => {
            let place = after(last.value.span);
            candidate(format!("add `{value}`"), place, format!(", {value}"), cost)
        }
        (None, None) => with(scene, call, value, cost),
    }
}

/// A call with one argument less.
fn less(scene: &Scene<'_>, call: &CallSite<'_>, found: &mut Vec<Candidate>) {
    for (index, arg) in call.call.args.iter().enumerate() {
        let own = whole(arg);
        let span = without(scene, call, index);
        let shown = scene.program.sources.text(own);
        let title = format!("leave `{shown}` out");
        let distance = call.distance.max(scene.distance(own, call.item));
        found.push(candidate(title, span, "", cost::LESS + distance));
    }
}

/// An argument with its name.
fn whole(arg: &Arg) -> Span {
    let start = arg.name.as_ref().map_or(arg.value.span, |name| name.span);
    Span { end: arg.value.span.end, ..start }
}

/// The text to remove with an argument that is left out: the comma, or the brackets of the only
/// one.
fn without(scene: &Scene<'_>, call: &CallSite<'_>, index: usize) -> Span {
    let args = &call.call.args;
    let own = whole(&args[index]);
    match (index.checked_sub(1).map(|before| &args[before]), args.get(index + 1)) {
        (Some(before), _) => Span { start: before.value.span.end, ..own },
        (None, Some(next)) => Span { end: whole(next).start, ..own },
        (None, None) => {
            Span { start: call.call.callee.span.end, end: own.end + closing(scene, own), ..own }
        }
    }
}

/// Bytes from an argument's end to the end of its bracket.
fn closing(scene: &Scene<'_>, argument: Span) -> u32 {
    let text = &scene.program.sources.file(argument.file).text[argument.end as usize..];
    text.find(')').map_or(0, |at| at as u32 + 1)
}

/// Two arguments that change places.
fn swapped(scene: &Scene<'_>, call: &CallSite<'_>, found: &mut Vec<Candidate>) {
    for pair in call.call.args.windows(2) {
        let [first, second] = pair else { continue };
        if first.name.is_none() && second.name.is_none() {
            let places = [first.value.span, second.value.span];
            found.push(swap(scene, places, cost::OPERAND + call.distance));
        }
    }
}

/// An argument that the callee does not have, as one that it lacks, as the stage or the name that it
/// is here, or for another callee; and a call without any of its arguments.
fn renamed(scene: &Scene<'_>, call: &CallSite<'_>, found: &mut Vec<Candidate>) {
    let parameters = scene.parameters(&call.call.callee.text);
    // Any other that happens to take such a value is not what was meant.
    let lacks = |other: &&&str| {
        let callee = &call.call.callee.text;
        scene.argument(call, other).is_none()
            && super::default(&scene.program, callee, other).is_none()
    };
    let lacking: Vec<&&str> = parameters.iter().filter(lacks).collect();
    for (index, arg) in call.call.args.iter().enumerate() {
        let Some(name) = arg.name.as_ref().filter(|name| !parameters.contains(&name.text.as_str()))
        else {
            continue;
        };
        let distance = scene.distance(name.span, call.item);
        for (order, other) in (0..).zip(&lacking) {
            let cost = cost::NUMBER_NAME + 2 * order + distance;
            found.push(candidate(format!("write `{other}`"), name.span, **other, cost));
        }
        numbered(parameters, arg, name, distance, scene, found);
        as_stage(scene, call, index, found);
        let callee = &call.call.callee;
        for other in scene.relatives(&callee.text, &name.text) {
            let cost = cost::ARGUMENT + distance;
            let title = format!("write `{other}`");
            found.push(candidate(title, callee.span, other, cost).suggested());
        }
    }
    if call.call.args.len() > 1 && call.distance == distance::HERE {
        let callee = &call.call.callee;
        let span = Span { start: callee.span.end, ..call.span };
        found.push(candidate(format!("write `{}` alone", callee.text), span, "", cost::LESS + 10));
    }
}

/// `conv2d(8, 3)` → `conv(8, 3)`: an operator that takes a weight, called like the layer that other
/// frameworks call so.
fn operator_as_layer(scene: &Scene<'_>, call: &CallSite<'_>, found: &mut Vec<Candidate>) {
    let callee = &call.call.callee;
    if let Some(layer) = crate::base::names::alias(&callee.text, scene.layers()) {
        let cost = cost::OTHER_KIND + call.distance;
        found.push(candidate(format!("write `{layer}`"), callee.span, layer, cost));
    }
}

/// `dropout(linear(0.5))` → `dropout(0.5)`.
fn alone(scene: &Scene<'_>, call: &CallSite<'_>, found: &mut Vec<Candidate>) {
    if let ([first, ..], false) = (&call.call.args[..], call.piped)
        && matches!(first.value.kind, ExprKind::Int(_) | ExprKind::Float(_))
    {
        let text = scene.program.sources.text(first.value.span);
        let cost = cost::OTHER_KIND + 90 + call.distance;
        found.push(candidate(format!("write `{text}` alone"), call.span, text, cost));
    }
}

/// `concat(a, b)` → `concat([a, b])`.
fn listed(scene: &Scene<'_>, call: &CallSite<'_>, found: &mut Vec<Candidate>) {
    let unnamed: Vec<Span> = call
        .call
        .args
        .iter()
        .take_while(|arg| arg.name.is_none())
        .map(|arg| arg.value.span)
        .collect();
    let takes_list = scene.parameters(&call.call.callee.text).first() == Some(&"parts");
    let (true, Some(first), Some(last)) = (takes_list, unnamed.first(), unnamed.last()) else {
        return;
    };
    let edits = vec![
        Edit { span: before(*first), text: "[".into() },
        Edit { span: after(*last), text: "]".into() },
    ];
    let fix = Fix::new("write the parts as a list", edits);
    found.push(Candidate::new(fix, cost::OTHER_KIND + call.distance));
}

/// `betas: [0.9, 0.99]` → `beta1: 0.9, beta2: 0.99`.
fn numbered(
    parameters: &[&str],
    arg: &Arg,
    name: &Name,
    distance: u32,
    scene: &Scene<'_>,
    found: &mut Vec<Candidate>,
) {
    let ExprKind::List(entries) = &arg.value.kind else { return };
    let stem = name.text.trim_end_matches('s');
    let names: Vec<String> = (1..=entries.len()).map(|number| format!("{stem}{number}")).collect();
    if entries.is_empty() || !names.iter().all(|name| parameters.contains(&name.as_str())) {
        return;
    }
    let each = names.iter().zip(entries);
    let each = each.map(|(name, it)| format!("{name}: {}", scene.program.sources.text(it.span)));
    let text = each.collect::<Vec<_>>().join(", ");
    let span = name.span.to(arg.value.span);
    found.push(candidate(format!("write `{text}`"), span, text, cost::OTHER_KIND + distance));
}

/// `dense(64, activation: "relu")` → `dense(64) |> relu`; `conv(8, 3, name: "stem")` → `conv(8, 3)
/// as stem`.
fn as_stage(scene: &Scene<'_>, call: &CallSite<'_>, index: usize, found: &mut Vec<Candidate>) {
    let arg = &call.call.args[index];
    let Some(name) = &arg.name else { return };
    let text = match &arg.value.kind {
        ExprKind::Str(text) | ExprKind::Name(text) => text.as_str(),
        ExprKind::Call(_) => scene.program.sources.text(arg.value.span),
        _ => return,
    };
    let word = text.split('(').next().unwrap_or(text);
    let cost = cost::OTHER_KIND + scene.distance(name.span, call.item);
    let gone = Edit { span: without(scene, call, index), text: String::new() };
    if name.text == "name" {
        if is_name(word) && call.piped && text == word {
            let edits = vec![gone, Edit { span: after(call.span), text: format!(" as {word}") }];
            let fix = Fix::new(format!("write `as {word}` behind the stage"), edits);
            found.push(Candidate::new(fix, cost));
        }
        return;
    }
    if !["activation", "act", "act_fn", "nonlinearity", "norm"].contains(&name.text.as_str()) {
        return;
    }
    let layers = scene.layers().filter(|layer| *layer != call.call.callee.text);
    let Some(layer) = crate::base::names::nearest(word, layers) else { return };
    let stage = format!("{layer}{}", &text[word.len()..]);
    let (edits, title) = match call.piped {
        true => {
            let behind = Edit { span: after(call.span), text: format!(" |> {stage}") };
            (vec![gone, behind], format!("write `|> {stage}` behind the layer"))
        }
        false if text == word => {
            let around = Edit { span: before(call.span), text: format!("{stage}(") };
            let end = Edit { span: after(call.span), text: ")".into() };
            (vec![gone, around, end], format!("write `{stage}(…)` around the layer"))
        }
        false => return,
    };
    found.push(Candidate::new(Fix::new(title, edits), cost));
}

fn is_name(word: &str) -> bool {
    let mut characters = word.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|c| c.is_alphanumeric() || c == '_')
}
