//! The text of calls and their arguments, and of parts of a network without their whole numbers.

use super::net::{CallSetting, IndexEntry, Net, NetForm, NetId, NetNode};
use super::size::SymbolicSize;
use std::collections::HashMap;

/// A whole number in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    pub value: i64,
    /// A name for an argument that stands for it.
    pub label: &'static str,
}

/// The arguments of calls that may become those of a layer; axes and places are not among them.
const ARGUMENTS: &[&str] =
    &["filters", "units", "size", "stride", "pad", "dilation", "groups", "extent"];

/// Functions that give the text of values, and of whole numbers.
pub(super) struct Texts<'a> {
    /// The text of the value at a place of the node's arguments.
    pub value: &'a mut dyn FnMut(usize) -> String,
    /// The text of a whole number.
    pub number: &'a mut dyn FnMut(Hole) -> String,
}

impl Texts<'_> {
    /// An argument of a call.
    pub fn setting(&mut self, setting: &CallSetting, label: &'static str) -> String {
        match setting {
            CallSetting::Arg(at) => (self.value)(*at),
            CallSetting::Int(value) if ARGUMENTS.contains(&label) => {
                (self.number)(Hole { value: *value, label })
            }
            CallSetting::Int(value) => value.to_string(),
            CallSetting::Dim(size) => self.size(*size),
            // As Rust has the shortest text of a float: 0.5, 1e-5, 6.0.
            CallSetting::Float(number) => format!("{number:?}"),
            CallSetting::Word(word) => (*word).to_owned(),
            CallSetting::Text(text) => format!("\"{text}\""),
            CallSetting::List(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|entry| self.setting(entry, label)).collect();
                format!("[{}]", entries.join(", "))
            }
        }
    }

    /// An extent.
    pub fn size(&mut self, size: SymbolicSize) -> String {
        let label = "extent";
        match (size.fixed, size.batches) {
            (value, 0) => (self.number)(Hole { value, label }),
            (0, 1) => "N".to_owned(),
            (0, value) => format!("{} * N", (self.number)(Hole { value, label })),
            _ => size.to_string(),
        }
    }

    /// An index; axes that are left out at the end are whole.
    pub fn index(&self, entries: &[IndexEntry]) -> String {
        let last = entries.iter().rposition(|entry| *entry != IndexEntry::All).unwrap_or(0);
        let mut parts = Vec::new();
        for entry in &entries[..=last] {
            parts.push(match entry {
                IndexEntry::All => ":".to_owned(),
                IndexEntry::At(at) => at.to_string(),
                IndexEntry::Range(from, to) => format!("{from}:{to}"),
            });
        }
        parts.join(", ")
    }
}

/// The name of an argument by its place in a call.
pub(super) fn label(callee: &str, name: Option<&'static str>, at: usize) -> &'static str {
    match (name, callee, at) {
        (Some(name), ..) => name,
        (None, "conv" | "conv_transpose", 1) => "filters",
        (None, "conv" | "conv_transpose" | "max_pool" | "avg_pool", _) => "size",
        (None, "dense" | "lstm" | "gru" | "rnn", _) => "units",
        (None, "group_norm", _) => "groups",
        (None, "reshape" | "expand", _) => "extent",
        _ => "number",
    }
}

/// The text of a part without its whole numbers, and these in order.
pub(super) fn skeleton(net: &Net, members: &[NetId], input: NetId) -> (String, Vec<Hole>) {
    let local: HashMap<NetId, usize> =
        members.iter().enumerate().map(|(at, &id)| (id, at)).collect();
    let (mut text, mut numbers) = (String::new(), Vec::new());
    for &id in members {
        let node = &net.nodes[id];
        let mut value = |at: usize| match local.get(&node.args[at]) {
            Some(local) => format!("%{local}"),
            None if node.args[at] == input => "%".to_owned(),
            None => format!("%%{}", node.args[at]),
        };
        let mut number = |hole: Hole| {
            numbers.push(hole);
            "#".to_owned()
        };
        let mut texts = Texts { value: &mut value, number: &mut number };
        text.push_str(&form(node, &mut texts));
        text.push_str(&format!(" {} {}\n", node.weights.len(), node.shape.len()));
    }
    (text, numbers)
}

/// The text of a node, its numbers in the order in which a body has them.
fn form(node: &NetNode, texts: &mut Texts<'_>) -> String {
    match &node.form {
        NetForm::Input(name) => name.clone(),
        NetForm::Variable { trained } => {
            let dims: Vec<String> = node.shape.iter().map(|&size| texts.size(size)).collect();
            format!("variable {trained} [{}]", dims.join(", "))
        }
        NetForm::Call { callee, settings } => {
            let settings = settings.iter().enumerate().map(|(at, (name, setting))| {
                let text = texts.setting(setting, label(callee, *name, at));
                format!("{} {text}", name.unwrap_or_default())
            });
            format!("{callee}({})", settings.collect::<Vec<_>>().join(", "))
        }
        NetForm::Infix(sign, left, right) => {
            let left = texts.setting(left, "number");
            format!("{left} {sign} {}", texts.setting(right, "number"))
        }
        NetForm::Index(entries) => {
            format!("{}[{}]", (texts.value)(0), texts.index(entries))
        }
        NetForm::Again(layer) => format!("{} |> again {layer}", (texts.value)(0)),
    }
}
