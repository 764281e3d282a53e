//! The parameters of a model one by one, and its states, as `nnc check --parameters` prints them.
//!
//! ```text
//! parameter          type             layout           numbers  begins as                trained
//! conv.weight        f32[3, 3, 1, 8]  kh, kw, in, out       72  uniform(-0.272, 0.272)   no: frozen
//! norm.running_var   f32[8]           channel                8  ones                     no: a state
//! ```
//!
//! In: the training graph and the optimizer's rule. Values are not drawn; where `init_from` names a
//! file, what it has comes in the place of what is said here.

use crate::base::table::{Table, TableColumn};
use crate::base::units::grouped;
use crate::driver::layout::axis_names;
use crate::graph::rule::CLASS_WEIGHTS;
use crate::graph::{Graph, Init, Type, UpdateRule};
use serde_json::{Value, json};
use std::fmt::Write;

/// A parameter or state of a model.
#[derive(Clone, Debug)]
pub(crate) struct ParameterRow {
    path: String,
    ty: String,
    /// The names of its axes, where they are known.
    layout: Option<&'static str>,
    numbers: usize,
    begins: String,
    frozen: bool,
    is_state: bool,
}

/// A row for each parameter, then for each state of a layer, in the order of their declarations. Without a
/// rule, none is frozen.
pub(crate) fn rows(graph: &Graph, rule: Option<&UpdateRule>) -> Vec<ParameterRow> {
    let layouts = axis_names(graph);
    let row = |(index, (path, ty, init)): (usize, (&str, &Type, &Init))| {
        let is_state = index >= graph.params.len();
        ParameterRow {
            path: path.to_owned(),
            ty: ty.to_string(),
            layout: layouts.get(path).copied(),
            numbers: ty.shape.at(1).iter().product(),
            begins: begins(init),
            frozen: !is_state && rule.is_some_and(|rule| !rule.trains(path)),
            is_state,
        }
    };
    let own = |(_, (path, ..)): &(usize, (&str, &Type, &Init))| *path != CLASS_WEIGHTS;
    graph.variables().enumerate().filter(own).map(row).collect()
}

/// The rows as a table, with what they come to.
pub(crate) fn table(rows: &[ParameterRow]) -> String {
    let mut table = Table::new([
        TableColumn::left("parameter"),
        TableColumn::left("type"),
        TableColumn::left("layout"),
        TableColumn::right("numbers").at_least(12).gap(1),
        TableColumn::left("begins as"),
        TableColumn::left("trained"),
    ]);
    for row in rows {
        let trained = match (row.is_state, row.frozen) {
            (true, _) => "no: a state",
            (false, true) => "no: frozen",
            (false, false) => "yes",
        };
        let numbers = grouped(row.numbers as u64);
        let layout = row.layout.unwrap_or_default();
        table.row([&row.path, &row.ty, layout, &numbers, &row.begins, trained]);
    }
    let mut text = format!("\n{}", table.text(usize::MAX));
    let frozen: usize = rows.iter().filter(|row| row.frozen).map(|row| row.numbers).sum();
    let params = rows.iter().filter(|row| !row.is_state);
    let all: usize = params.map(|row| row.numbers).sum();
    let _ = writeln!(
        text,
        "{} numbers, of which {} are frozen",
        grouped(all as u64),
        grouped(frozen as u64)
    );
    text
}

/// The same for programs.
pub(crate) fn json(rows: &[ParameterRow]) -> Vec<Value> {
    let row = |row: &ParameterRow| {
        json!({
            "path": row.path, "type": row.ty, "numbers": row.numbers,
            "begins": row.begins, "frozen": row.frozen, "layout": row.layout, "state": row.is_state,
        })
    };
    rows.iter().map(row).collect()
}

/// A draw with its numbers in three digits.
fn begins(init: &Init) -> String {
    let short = |value: f64| {
        let digits = 2 - value.abs().log10().floor().clamp(-9.0, 2.0) as i32;
        let text = format!("{value:.*}", digits.max(0) as usize);
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        }
    };
    let number = |value: f64| if value == 0.0 { "0".to_owned() } else { short(value) };
    match *init {
        Init::Constant(0.0) => "zeros".into(),
        Init::Constant(1.0) => "ones".into(),
        Init::Constant(value) => format!("constant({})", number(value)),
        Init::Normal { mean, std } => format!("normal({}, {})", number(mean), number(std)),
        Init::TruncatedNormal { mean, std } => {
            format!("truncated_normal({}, {})", number(mean), number(std))
        }
        Init::Uniform { low, high } => format!("uniform({}, {})", number(low), number(high)),
        Init::Orthogonal { gain } => format!("orthogonal({})", number(gain)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_told_in_three_digits() {
        let of = |low: f64, high: f64| begins(&Init::Uniform { low, high });
        assert_eq!(of(-0.0810951, 12.3456), "uniform(-0.0811, 12.3)");
        assert_eq!(of(-1234.5, 0.0), "uniform(-1234, 0)");
        assert_eq!(begins(&Init::Constant(0.0)), "zeros");
        assert_eq!(begins(&Init::Normal { mean: 0.0, std: 0.5 }), "normal(0, 0.5)");
    }
}
