//! Arguments more and less: `conv(64, 3)` → `conv(64, 3, pad: 1)`, `mean(x)` → `mean(x, axis: -1)`,
//! `dense` → `dense(10)`, `relu(0.1)` → `relu`.

use super::scene::{Call, Scene, distance};
use super::{Candidate, after, candidate, cost, swap};
use crate::base::source::Span;
use crate::syntax::ast::ExprKind;

/// Arguments more and less.
pub fn edits(scene: &Scene<'_>, found: &mut Vec<Candidate>) {
    for call in &scene.calls {
        if call.distance <= distance::ITEM {
            more(scene, call, found);
        }
        if call.distance <= distance::AROUND + distance::LABELLED {
            less(scene, call, found);
            swapped(scene, call, found);
        }
    }
}

/// An argument that is not given.
fn more(scene: &Scene<'_>, call: &Call<'_>, found: &mut Vec<Candidate>) {
    let parameters = scene.parameters(&call.call.callee.text);
    for name in parameters.iter().skip(usize::from(call.piped)) {
        if scene.argument(call, name).is_some() {
            continue;
        }
        for (order, value) in values(scene, call, name).into_iter().enumerate() {
            let cost = cost::ARGUMENT + call.distance + u32::from(order > 0);
            found.push(with(scene, call, &format!("{name}: {value}"), cost));
        }
    }
    // What must be given stands first, and needs no name.
    let given = call.call.args.len() + usize::from(call.piped);
    if let Some(next) = parameters.get(given)
        && call.call.args.iter().all(|arg| arg.name.is_none())
    {
        for value in needed(scene, next) {
            let cost = cost::ARGUMENT + call.distance;
            found.push(with(scene, call, &value, cost));
        }
    }
}

/// What an argument of this name may be.
fn values(scene: &Scene<'_>, call: &Call<'_>, name: &str) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    // What the layer calls so is meant for it.
    if scene.names[call.item].contains(&name) {
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
        "keep" | "bias" => values.extend(["true", "false"].map(String::from)),
        "size" => values.extend(["3", "2", "1"].map(String::from)),
        "groups" => values.extend(scene.numbers.iter().take(4).map(i64::to_string)),
        _ => {}
    }
    values.dedup();
    values
}

/// What an argument that must be given may be.
fn needed(scene: &Scene<'_>, name: &str) -> Vec<String> {
    let classes = scene.program.classes.map(|classes| classes.to_string());
    let shapes = scene.shapes.iter().filter_map(|shape| {
        shape.trim_end_matches(']').rsplit([',', '[']).next().map(|dim| dim.trim().to_owned())
    });
    let declared = scene.types.iter().rev().filter_map(|declared| {
        let last = declared.ty.dims.as_ref()?.last()?;
        match last {
            crate::syntax::ast::Dim::Expr(expr) => {
                Some(scene.program.sources.text(expr.span).to_owned())
            }
            crate::syntax::ast::Dim::Rest(_) => None,
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

/// A call with one argument more, at its end.
fn with(scene: &Scene<'_>, call: &Call<'_>, argument: &str, cost: u32) -> Candidate {
    let title = format!("add `{argument}`");
    match call.call.args.last() {
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

/// A call with one argument less.
fn less(scene: &Scene<'_>, call: &Call<'_>, found: &mut Vec<Candidate>) {
    let args = &call.call.args;
    for (index, arg) in args.iter().enumerate() {
        let start = arg.name.as_ref().map_or(arg.value.span, |name| name.span);
        let own = Span { end: arg.value.span.end, ..start };
        let span = match (index.checked_sub(1).map(|before| &args[before]), args.get(index + 1)) {
            (Some(before), _) => Span { start: before.value.span.end, ..own },
            (None, Some(next)) => {
                let next = next.name.as_ref().map_or(next.value.span, |name| name.span);
                Span { end: next.start, ..own }
            }
            // The only argument goes with the brackets.
            (None, None) => {
                Span { start: call.call.callee.span.end, end: own.end + closing(scene, own), ..own }
            }
        };
        let shown = scene.program.sources.text(own);
        let title = format!("leave `{shown}` out");
        found.push(candidate(title, span, "", cost::LESS + call.distance));
    }
}

/// Bytes from an argument's end to the end of its bracket.
fn closing(scene: &Scene<'_>, argument: Span) -> u32 {
    let text = &scene.program.sources.file(argument.file).text[argument.end as usize..];
    text.find(')').map_or(0, |at| at as u32 + 1)
}

/// Two arguments that change places.
fn swapped(scene: &Scene<'_>, call: &Call<'_>, found: &mut Vec<Candidate>) {
    for pair in call.call.args.windows(2) {
        let [first, second] = pair else { continue };
        if first.name.is_none() && second.name.is_none() {
            let places = [first.value.span, second.value.span];
            found.push(swap(scene, places, cost::OPERAND + call.distance));
        }
    }
}
