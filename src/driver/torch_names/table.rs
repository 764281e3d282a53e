//! Names of a file beside those of a program, as they were matched.
//!
//! ```text
//! in the file        shape            in the program
//! conv1.weight       [64, 3, 7, 7]    stem.conv_norm.conv.weight
//! rnn.bias_ih_l0 + rnn.bias_hh_l0     lstm.bias
//! ```

use super::modules::{Module, ModulePart};
use super::search::Way;
use super::sources;
use crate::base::table::{Table, TableColumn};
use serde_json::{Value, json};

/// A module of the file and its place in the program.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NameRow {
    /// The prefix of the names of the file.
    pub file: String,
    /// The prefix of the paths of the program.
    pub program: String,
    pub parts: Vec<NamePart>,
    /// Tensors of the file's module that the program's has no parameter for.
    pub unused: Vec<String>,
    /// Whether the program takes nothing of it.
    pub excepted: bool,
}

/// A parameter or state, and the tensors that it is the sum of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NamePart {
    pub path: String,
    /// One name, or two.
    pub names: Vec<String>,
    /// The shape in the file.
    pub shape: Vec<usize>,
}

/// All modules, in the order of the program.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct NameTable {
    pub rows: Vec<NameRow>,
}

/// The table of these places.
pub(super) fn table(
    file: &[Module],
    program: &[Module],
    way: &Way,
    excepted: &dyn Fn(usize) -> bool,
) -> NameTable {
    let row =
        |&(module, place): &(usize, usize)| row(&file[module], &program[place], excepted(place));
    NameTable { rows: way.iter().map(row).collect() }
}

/// A module in its place.
pub(super) fn row(module: &Module, place: &Module, excepted: bool) -> NameRow {
    let part = |it: &ModulePart| {
        let names = sources(module, place, it.role);
        let shape = module.part(it.role)?.shape.clone();
        Some(NamePart { path: it.name.clone(), names, shape })
    };
    let parts: Vec<NamePart> = place.parts.iter().filter_map(part).collect();
    let is_unused =
        |part: &&ModulePart| !parts.iter().any(|it: &NamePart| it.names.contains(&part.name));
    let unused = module.parts.iter().filter(is_unused).map(|part| part.name.clone()).collect();
    NameRow { file: module.path.clone(), program: place.path.clone(), parts, unused, excepted }
}

/// A module with the shape of its first tensor: `conv1 [64, 3, 7, 7]`.
pub(super) fn shown(module: &Module) -> String {
    let first = &module.parts[0];
    let path = if module.path.is_empty() { &first.name } else { &module.path };
    format!("`{path}` {:?}", first.shape)
}

/// The rules of `rename` that say what a row says: one for the whole module where its names end alike. A sum
/// is no matter of names: it follows from the rest of its module.
pub(crate) fn rules(row: &NameRow) -> Vec<(String, String)> {
    let named = row.parts.iter().filter_map(|part| match &part.names[..] {
        [name] => Some((name.as_str(), part.path.as_str())),
        _ => None,
    });
    let pairs: Vec<(&str, &str)> = named.collect();
    let first = pairs.first().copied().and_then(by_star);
    match first {
        Some((old, new)) if pairs.len() > 1 && pairs.iter().all(|&it| by_star(it) == first) => {
            vec![(format!("{old}*"), format!("{new}*"))]
        }
        _ => pairs.iter().map(|(name, path)| (name.to_string(), path.to_string())).collect(),
    }
}

/// The words before the longest common end of two names, where the program's is a whole path: `conv1.` and
/// `conv.` of `conv1.weight` and `conv.weight`.
fn by_star<'n>((name, path): (&'n str, &'n str)) -> Option<(&'n str, &'n str)> {
    let ends = name.match_indices(['.', '_']).map(|(at, separator)| at + separator.len());
    ends.filter_map(|end| Some((&name[..end], path.strip_suffix(&name[end..])?)))
        .find(|(_, new)| new.ends_with('.'))
}

/// `[["conv1.*", "conv.*"], …]`, as `rename` takes it.
pub(crate) fn rules_text(rules: &[(String, String)]) -> String {
    let rule = |(old, new): &(String, String)| format!("[{old:?}, {new:?}]");
    format!("[{}]", rules.iter().map(rule).collect::<Vec<_>>().join(", "))
}

impl NameTable {
    /// A line for each parameter.
    pub fn text(&self) -> String {
        let mut table = Table::new([
            TableColumn::left("in the file"),
            TableColumn::left("shape"),
            TableColumn::left("in the program"),
        ]);
        for row in &self.rows {
            for part in &row.parts {
                let shape = format!("{:?}", part.shape);
                let path = match row.excepted {
                    true => format!("{} (left out: except)", part.path),
                    false => part.path.clone(),
                };
                table.row([&part.names.join(" + "), &shape, &path]);
            }
        }
        table.text(usize::MAX)
    }

    /// The same by blocks, such as the layers of a residual block, with a heading.
    pub fn summary(&self) -> String {
        let mut table =
            Table::new([TableColumn::left("in the file"), TableColumn::left("in the program")]);
        for (file, program) in self.blocks() {
            table.row([&file, &program]);
        }
        let taken = self.rows.iter().filter(|row| !row.excepted).count();
        let tensors = self.tensors();
        let table = table.text(usize::MAX);
        format!(
            "weights: {tensors} tensors for {taken} layers, matched by their structure\n{table}"
        )
    }

    /// For programs: every parameter with its tensors.
    pub fn json(&self) -> Value {
        let part = |row: &NameRow, part: &NamePart| {
            json!({
                "path": part.path, "names": part.names, "shape": part.shape,
                "excepted": row.excepted,
            })
        };
        self.rows.iter().flat_map(|row| row.parts.iter().map(move |it| part(row, it))).collect()
    }

    /// How many tensors of the file are taken.
    pub fn tensors(&self) -> usize {
        let taken = self.rows.iter().filter(|row| !row.excepted);
        taken.flat_map(|row| &row.parts).map(|part| part.names.len()).sum()
    }

    /// Neighbouring rows of one block of the file, with the first and the last of the program's modules there.
    fn blocks(&self) -> Vec<(String, String)> {
        let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
        for row in &self.rows {
            let file = block(&row.file);
            let program = match (row.program.as_str(), row.excepted) {
                ("", _) => "(the model's own)".to_owned(),
                (program, false) => program.to_owned(),
                (program, true) => format!("{program} (left out)"),
            };
            match blocks.last_mut() {
                Some((last, programs)) if *last == file => programs.push(program),
                _ => blocks.push((file, vec![program])),
            }
        }
        let told = |(file, programs): (String, Vec<String>)| match &programs[..] {
            [only] => (file, only.clone()),
            [first, .., last] => (format!("{file}.*"), format!("{first} … {last}")),
            [] => unreachable!("a block has a row"),
        };
        blocks.into_iter().map(told).collect()
    }
}

/// The block that a module is of: its name up to the last number of a part that others follow; else the whole
/// name.
fn block(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    let is_number = |part: &&str| part.ends_with(|last: char| last.is_ascii_digit());
    let inner = &parts[..parts.len().saturating_sub(1)];
    let upto = inner.iter().rposition(is_number).map_or(parts.len(), |at| at + 1);
    parts[..upto].join(".")
}
