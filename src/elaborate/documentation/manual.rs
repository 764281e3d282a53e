//! The manual's tables of operators, types, settings, sources and transforms.
//!
//! ```text
//! ## Built-in operators                                  the heading, with the first column's name,
//! | operator | shapes | meaning |                        says of which kind the rows are
//! | `pick(x, index)` | `[..S, K]`, … | the element of … |
//! ```
//!
//! The first cell names what the row is about, in code font; the others become facts under the name
//! of their column. Paragraphs below *Training* that are about a setting (`ema = 0.999` keeps …)
//! become its text. `tests/doc.rs` checks that every operator, setting, source and transform has a row.

use super::{DocKind, ItemDoc};
use crate::elaborate::builtins;

/// The pages that are read, each with its name in `docs`.
pub const MANUAL: [(&str, &str); 2] = [
    ("language.md", include_str!("../../../docs/language.md")),
    ("data.md", include_str!("../../../docs/data.md")),
];

/// The tables: the heading above, the first column's name, and the kind of the rows.
const TABLES: [(&str, &str, DocKind); 10] = [
    ("Items", "item", DocKind::Keyword),
    ("Types, shapes and the batch", "type", DocKind::Type),
    ("Built-in operators", "operator", DocKind::Operator),
    ("Initialisers", "built in", DocKind::Initializer),
    ("Data", "source", DocKind::Source),
    ("Transforms", "transform", DocKind::Transform),
    ("Training", "key", DocKind::Setting),
    ("Sources", "source", DocKind::Source),
    ("Fields", "kind", DocKind::Field),
    ("Fields", "transform", DocKind::Transform),
];

/// The items of all tables, each name once a kind.
pub(super) fn items() -> Vec<ItemDoc> {
    let mut items: Vec<ItemDoc> = Vec::new();
    for (_, text) in MANUAL {
        for row in rows(text) {
            for item in row.items() {
                let same =
                    |other: &&mut ItemDoc| other.kind == item.kind && other.name == item.name;
                match items.iter_mut().find(same) {
                    Some(known) => join(known, item),
                    None => items.push(item),
                }
            }
        }
        paragraphs(text, &mut items);
    }
    items
}

/// Adds another form of the same thing.
fn join(known: &mut ItemDoc, other: ItemDoc) {
    if known.signature != other.signature {
        known.signature += &format!("\n{}", other.signature);
    }
    known.facts.extend(other.facts);
}

/// A row of a table.
struct Row {
    kind: DocKind,
    first: String,
    facts: Vec<(String, String)>,
}

impl Row {
    /// The items that its first cell names.
    fn items(&self) -> impl Iterator<Item = ItemDoc> {
        let spans = self.first.split('`').skip(1).step_by(2);
        spans.filter_map(|span| {
            let name = word(span);
            (!name.is_empty()).then(|| ItemDoc {
                kind: self.kind,
                name: name.to_owned(),
                signature: self.signature(name, span),
                text: String::new(),
                facts: self.facts.clone(),
                source: None,
            })
        })
    }

    /// How it is called; `conv1d(x, weight, …)` with all of its parameters.
    fn signature(&self, name: &str, span: &str) -> String {
        match builtins::find(name) {
            Some(operator)
                if self.kind == DocKind::Operator
                    && (span.ends_with("(…)") || span.ends_with(", …)")) =>
            {
                let params: Vec<&str> = operator.params.iter().map(|param| param.name).collect();
                format!("{name}({})", params.join(", "))
            }
            _ => span.replace("\\|", "|"),
        }
    }
}

/// The name at the start of a code span.
fn word(span: &str) -> &str {
    let end = span.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(span.len());
    &span[..end]
}

/// The rows of all tables of a page. A row that only leads to another page says nothing.
fn rows(text: &str) -> Vec<Row> {
    let mut found = Vec::new();
    let mut heading = "";
    let mut columns: Option<(DocKind, Vec<String>)> = None;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix('#') {
            heading = title.trim_start_matches('#').trim();
        }
        if !line.starts_with('|') {
            columns = None;
            continue;
        }
        let mut cells = cells(line).into_iter();
        let first = cells.next().unwrap_or_default();
        let rest: Vec<String> = cells.collect();
        match &columns {
            None => {
                let known =
                    TABLES.iter().find(|(above, name, _)| *above == heading && *name == first);
                columns = known.map(|(.., kind)| (*kind, rest));
            }
            Some(_) if first.starts_with("---") || line.contains("](data.md#sources) |") => {}
            Some((kind, names)) => {
                let facts = names.iter().cloned().zip(rest).filter(|(_, cell)| !cell.is_empty());
                let facts = facts.map(|(name, cell)| (name, without_links(&cell)));
                found.push(Row { kind: *kind, first, facts: facts.collect() });
            }
        }
    }
    found
}

/// The cells of a row: `\|` does not end one.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|');
    let line = line.strip_suffix('|').unwrap_or(line).replace("\\|", "\u{1}");
    line.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

/// Adds the paragraphs about settings to them.
fn paragraphs(text: &str, items: &mut [ItemDoc]) {
    let Some((_, training)) = text.split_once("\n## Training\n") else { return };
    for line in training.lines().take_while(|line| !line.starts_with("## ")) {
        let line = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(". ");
        if line.starts_with(['|', '#']) {
            continue;
        }
        let spans: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        for item in items.iter_mut().filter(|item| item.kind == DocKind::Setting) {
            let opens = line.starts_with('`') && spans[0] == item.name;
            let sets = |span: &&str| word(span) == item.name && span.contains(" = ");
            if opens || spans.iter().any(sets) {
                let gap = if item.text.is_empty() { "" } else { "\n\n" };
                item.text += &format!("{gap}{}", without_links(line));
            }
        }
    }
}

/// A text with the words of its links alone.
fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let Some((target, behind)) = after.split_once(')') else { break };
        match before.rsplit_once('[') {
            Some((before, words)) => out += &format!("{before}{words}"),
            None => out += &format!("{before}]({target})"),
        }
        rest = behind;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_end_at_bars_that_are_not_escaped() {
        assert_eq!(cells("| `a \\|> b` | c | |"), ["`a |> b`", "c", ""]);
    }

    #[test]
    fn links_become_their_words() {
        assert_eq!(without_links("see [a `b`](#c) and [d](e.md)."), "see a `b` and d.");
        assert_eq!(without_links("x[0] (y)"), "x[0] (y)");
    }

    #[test]
    fn a_row_of_several_names_documents_each() {
        let items = items();
        let of = |name| items.iter().find(|item: &&ItemDoc| item.name == name).expect("a row");
        assert_eq!(of("conv1d").signature, "conv1d(x, weight, stride, pad, dilation, groups)");
        assert!(of("max").signature.lines().count() == 2, "{}", of("max").signature);
        assert!(of("ema").text.contains("running") || of("ema").text.contains("mean"));
    }
}
