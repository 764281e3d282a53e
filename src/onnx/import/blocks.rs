//! Parts of a network that are alike, each as one layer of the program.
//!
//! ```text
//! x + (x |> conv(64, 3) |> relu |> conv(64, 3)) |> relu      three times, then twice with 128
//! →   layer block(x: f32[N, ..S], filters: int) { … }        x |> repeat 3 { block(64) } |> repeat 2 …
//! ```
//!
//! A network is cut where a single value goes on. The parts between cuts are compared by their
//! *skeleton*, the text of their calls without whole numbers. Parts of one skeleton become a layer, which
//! takes the numbers that differ as arguments. What always follows a part that branches, such as an
//! activation, joins it. In parts that are like no other, chains of calls are compared in the same way.
//! Nothing is changed in what is computed.

mod parts;

use super::net::{Net, NetForm, NetId};
use super::print_form::{Hole, skeleton};
use super::size::SymbolicSize;
use parts::{NetPart, chains, parts};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Arguments of a layer at most; with more, only parts with equal numbers are one.
const ARGUMENTS: usize = 4;
/// Calls in a part that is worth a layer.
const CALLS: usize = 4;

/// The layers of a program, and where they are called.
#[derive(Clone, Debug, Default)]
pub(super) struct NetBlocks {
    pub layers: Vec<BlockLayer>,
    pub calls: Vec<BlockCall>,
}

/// A layer that stands for several parts.
#[derive(Clone, Debug)]
pub(super) struct BlockLayer {
    pub name: String,
    /// The names of its arguments, all of them whole numbers.
    pub arguments: Vec<String>,
    /// The text of each whole number in its body, in order: a number, an argument, or a multiple of one.
    pub numbers: Vec<String>,
}

/// A part of the network.
#[derive(Clone, Debug)]
pub(super) struct BlockCall {
    /// Which layer it is.
    pub layer: usize,
    /// Its nodes in order, variables included; the last makes the part's value.
    pub members: Vec<NetId>,
    /// The value that it reads.
    pub input: NetId,
    /// The values of the layer's arguments.
    pub arguments: Vec<i64>,
}

/// A part with the numbers of its calls.
struct BlockCandidate {
    part: NetPart,
    numbers: Vec<Hole>,
}

/// Finds the parts that are alike.
pub(super) fn blocks(net: &Net) -> NetBlocks {
    let mut blocks = NetBlocks::default();
    let mut inside = HashSet::new();
    // A layer that is called again is one of the model's body.
    let bound = net.bound();
    for found in [parts(net), chains(net)] {
        let mut groups: BTreeMap<usize, Vec<BlockCandidate>> = BTreeMap::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for part in found {
            let calls = part.members.iter().filter(|&&id| is_call(net, id)).count();
            let own = |id: &NetId| inside.contains(id) || bound.contains(id);
            let taken = part.members.iter().any(own);
            if calls < CALLS || taken || !begins_with_batch(net, &part) {
                continue;
            }
            let (text, numbers) = skeleton(net, &part.members, part.input);
            let next = known.len();
            let group = *known.entry(text).or_insert(next);
            groups.entry(group).or_default().push(BlockCandidate { part, numbers });
        }
        for group in groups.into_values() {
            for alike in together(group) {
                inside.extend(alike.iter().flat_map(|it| it.part.members.iter().copied()));
                blocks.add(alike);
            }
        }
    }
    blocks.calls.sort_by_key(|call| call.members.last().copied());
    blocks
}

fn is_call(net: &Net, id: NetId) -> bool {
    !matches!(net.nodes[id].form, NetForm::Input(_) | NetForm::Variable { .. })
}

/// Whether the batch is the first axis of what a part reads, so that a layer can name it.
fn begins_with_batch(net: &Net, part: &NetPart) -> bool {
    let shape = &net.nodes[part.input].shape;
    shape.len() > 1
        && shape[0] == SymbolicSize::N
        && shape[1..].iter().all(|size| !size.has_batch())
}

/// Candidates of one skeleton that become one layer each: all, or those with equal numbers.
fn together(group: Vec<BlockCandidate>) -> Vec<Vec<BlockCandidate>> {
    if group.len() < 2 {
        return Vec::new();
    }
    if Columns::of(&group).arguments.len() <= ARGUMENTS {
        return vec![group];
    }
    let mut equal: Vec<Vec<BlockCandidate>> = Vec::new();
    for candidate in group {
        let same = |others: &&mut Vec<BlockCandidate>| {
            let values =
                |it: &BlockCandidate| it.numbers.iter().map(|hole| hole.value).collect::<Vec<_>>();
            values(&others[0]) == values(&candidate)
        };
        match equal.iter_mut().find(same) {
            Some(others) => others.push(candidate),
            None => equal.push(vec![candidate]),
        }
    }
    equal.retain(|alike| alike.len() > 1);
    equal
}

/// Which numbers of candidates differ, and how they follow from each other.
struct Columns {
    /// The arguments: a name, and its value in each candidate.
    arguments: Vec<(String, Vec<i64>)>,
    /// The text of each number.
    texts: Vec<String>,
}

impl Columns {
    fn of(group: &[BlockCandidate]) -> Columns {
        let mut columns = Columns { arguments: Vec::new(), texts: Vec::new() };
        for at in 0..group[0].numbers.len() {
            let values: Vec<i64> = group.iter().map(|it| it.numbers[at].value).collect();
            let text = columns.text(values, group[0].numbers[at].label);
            columns.texts.push(text);
        }
        columns
    }

    /// The text of a number that has these values.
    fn text(&mut self, values: Vec<i64>, label: &str) -> String {
        if values.iter().all(|value| *value == values[0]) {
            return values[0].to_string();
        }
        for (name, known) in &self.arguments {
            let factor = values[0].checked_div(known[0]).unwrap_or(0);
            let multiple = |(value, of): (&i64, &i64)| of.checked_mul(factor) == Some(*value);
            if factor >= 1 && values.iter().zip(known).all(multiple) {
                return if factor == 1 { name.clone() } else { format!("{factor} * {name}") };
            }
        }
        let taken = |name: &str| self.arguments.iter().any(|(known, _)| known == name);
        let mut name = label.to_owned();
        for number in 2.. {
            if !taken(&name) {
                break;
            }
            name = format!("{label}_{number}");
        }
        self.arguments.push((name.clone(), values));
        name
    }
}

impl NetBlocks {
    /// A layer for parts that are alike, and its calls.
    fn add(&mut self, alike: Vec<BlockCandidate>) {
        let columns = Columns::of(&alike);
        let layer = self.layers.len();
        let name = if layer == 0 { "block".to_owned() } else { format!("block_{}", layer + 1) };
        let arguments = columns.arguments.iter().map(|(name, _)| name.clone()).collect();
        self.layers.push(BlockLayer { name, arguments, numbers: columns.texts });
        for (at, candidate) in alike.into_iter().enumerate() {
            let arguments = columns.arguments.iter().map(|(_, values)| values[at]).collect();
            let NetPart { members, input } = candidate.part;
            self.calls.push(BlockCall { layer, members, input, arguments });
        }
    }
}
