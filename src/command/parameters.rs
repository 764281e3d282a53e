//! The parameters of a model one by one, as `nnc check --parameters` prints them.
//!
//! ```text
//! parameter     type            numbers  begins as                  trained
//! conv.weight   f32[3, 3, 1, 8]      72  uniform(-0.272, 0.272)     no: frozen
//! ```
//!
//! In: the training graph and the optimizer's rule. Values are not drawn; where `init_from` names a
//! file, what it has comes in the place of what is said here.

use crate::base::table::{Table, TableColumn};
use crate::base::units::grouped;
use crate::graph::{Graph, Init, UpdateRule};
use serde_json::{Value, json};
use std::fmt::Write;

/// A parameter of a model.
#[derive(Clone, Debug)]
pub(crate) struct ParameterRow {
    path: String,
    ty: String,
    numbers: usize,
    begins: String,
    frozen: bool,
}

/// A row for each parameter, in the order of their declarations. Without a rule, none is frozen.
pub(crate) fn rows(graph: &Graph, rule: Option<&UpdateRule>) -> Vec<ParameterRow> {
    let row = |param: &crate::graph::Param| ParameterRow {
        path: param.path.clone(),
        ty: param.ty.to_string(),
        numbers: param.ty.shape.at(1).iter().product(),
        begins: begins(&param.init),
        frozen: rule.is_some_and(|rule| !rule.trains(&param.path)),
    };
    graph.params.values().map(row).collect()
}

/// The rows as a table, with what they come to.
pub(crate) fn table(rows: &[ParameterRow]) -> String {
    let mut table = Table::new([
        TableColumn::left("parameter"),
        TableColumn::left("type"),
        TableColumn::right("numbers").at_least(12).gap(1),
        TableColumn::left("begins as"),
        TableColumn::left("trained"),
    ]);
    for row in rows {
        let trained = if row.frozen { "no: frozen" } else { "yes" };
        let numbers = grouped(row.numbers as u64);
        table.row([&row.path, &row.ty, &numbers, &row.begins, trained]);
    }
    let mut text = format!("\n{}", table.text(usize::MAX));
    let frozen: usize = rows.iter().filter(|row| row.frozen).map(|row| row.numbers).sum();
    let all: usize = rows.iter().map(|row| row.numbers).sum();
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
            "begins": row.begins, "frozen": row.frozen,
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
