//! A network in parts: between the places where a single value goes on, or along chains of calls.

use super::super::net::{Net, NetForm, NetId};
use super::super::print_form::skeleton;
use std::collections::{HashMap, HashSet};

/// Nodes that read one value of the rest and make one.
#[derive(Clone, Debug)]
pub(super) struct NetPart {
    /// In order, variables included; the last makes the value.
    pub members: Vec<NetId>,
    /// The value that it reads.
    pub input: NetId,
}

/// Calls of a chain at least.
const CHAIN: usize = 4;

/// The parts between cuts, those that always follow one another joined.
pub(super) fn parts(net: &Net) -> Vec<NetPart> {
    let mut parts: Vec<NetPart> = Vec::new();
    let mut from: Option<NetId> = None;
    let mut members = Vec::new();
    for (id, cut) in cuts(net) {
        members.push(id);
        if cut {
            let part = std::mem::take(&mut members);
            if let Some(input) = from.or_else(|| only_input(net, &part)) {
                parts.extend(closed(net, part, input));
            }
            from = Some(id);
        }
    }
    joined(net, parts)
}

fn is_call(net: &Net, id: NetId) -> bool {
    !matches!(net.nodes[id].form, NetForm::Input(_) | NetForm::Variable { .. })
}

/// The calls in order, and whether nothing but the value of each goes on after it.
fn cuts(net: &Net) -> Vec<(NetId, bool)> {
    let mut last: Vec<NetId> = (0..net.nodes.len()).collect();
    for (id, node) in net.nodes.iter().enumerate() {
        node.args.iter().for_each(|&arg| last[arg] = id);
    }
    net.outputs.iter().for_each(|(_, id)| last[*id] = usize::MAX);
    let calls: Vec<NetId> = (0..net.nodes.len()).filter(|&id| is_call(net, id)).collect();
    let mut open: HashSet<NetId> = HashSet::new();
    let inputs = (0..net.nodes.len()).filter(|&id| matches!(net.nodes[id].form, NetForm::Input(_)));
    open.extend(inputs.filter(|&id| last[id] != id));
    let mut made = Vec::with_capacity(calls.len());
    for &id in &calls {
        open.retain(|&value| last[value] > id);
        open.insert(id);
        made.push((id, open.len() == 1));
    }
    made
}

/// The input of the model that the first part reads.
fn only_input(net: &Net, part: &[NetId]) -> Option<NetId> {
    let reads = part.iter().flat_map(|&id| &net.nodes[id].args);
    let mut inputs = reads.filter(|&&arg| matches!(net.nodes[arg].form, NetForm::Input(_)));
    let first = *inputs.next()?;
    inputs.all(|&other| other == first).then_some(first)
}

/// A part with its variables in front, if all that it reads else is its input.
fn closed(net: &Net, calls: Vec<NetId>, input: NetId) -> Option<NetPart> {
    let own: HashSet<NetId> = calls.iter().copied().collect();
    let mut variables = Vec::new();
    for &id in &calls {
        for &arg in &net.nodes[id].args {
            let variable = matches!(net.nodes[arg].form, NetForm::Variable { .. });
            if variable && !variables.contains(&arg) {
                variables.push(arg);
            } else if !variable && arg != input && !own.contains(&arg) {
                return None;
            }
        }
    }
    let shared = |(id, node): (NetId, &super::super::net::NetNode)| {
        !own.contains(&id) && node.args.iter().any(|arg| variables.contains(arg))
    };
    if !variables.is_empty() && net.nodes.iter().enumerate().any(shared) {
        return None;
    }
    let members = variables.into_iter().chain(calls).collect();
    Some(NetPart { members, input })
}

/// Joins parts that branch with what always follows them.
fn joined(net: &Net, mut parts: Vec<NetPart>) -> Vec<NetPart> {
    loop {
        let mut known: HashMap<String, usize> = HashMap::new();
        let tokens: Vec<usize> = parts
            .iter()
            .map(|part| {
                let next = known.len();
                *known.entry(skeleton(net, &part.members, part.input).0).or_insert(next)
            })
            .collect();
        let Some((first, second)) = pair(net, &parts, &tokens) else { return parts };
        let mut made: Vec<NetPart> = Vec::new();
        let mut at = 0;
        while at < parts.len() {
            let follows = tokens[at] == first
                && tokens.get(at + 1) == Some(&second)
                && parts[at + 1].input == end(&parts[at]);
            if follows {
                let calls = |part: &NetPart| -> Vec<NetId> {
                    part.members.iter().copied().filter(|&id| is_call(net, id)).collect()
                };
                let both = [calls(&parts[at]), calls(&parts[at + 1])].concat();
                made.extend(closed(net, both, parts[at].input));
                at += 2;
            } else {
                made.push(parts[at].clone());
                at += 1;
            }
        }
        parts = made;
    }
}

fn end(part: &NetPart) -> NetId {
    part.members.last().copied().unwrap_or(part.input)
}

/// Two kinds of parts of which the second always follows the first.
fn pair(net: &Net, parts: &[NetPart], tokens: &[usize]) -> Option<(usize, usize)> {
    let follows = |at: usize| at + 1 < parts.len() && parts[at + 1].input == end(&parts[at]);
    (0..parts.len()).find_map(|at| {
        let first = tokens[at];
        if !follows(at) || !branches(net, &parts[at]) {
            return None;
        }
        let second = tokens[at + 1];
        let all: Vec<usize> = (0..parts.len()).filter(|&it| tokens[it] == first).collect();
        let always = all.iter().all(|&it| follows(it) && tokens[it + 1] == second);
        let plain = |part: &NetPart| {
            part.members.len() == 1 && net.nodes[part.members[0]].weights.is_empty()
        };
        let own_kind = tokens.windows(2).any(|pair| pair == [second, second]);
        let fits = plain(&parts[at + 1]) || (branches(net, &parts[at + 1]) && !own_kind);
        (all.len() > 1 && always && first != second && fits).then_some((first, second))
    })
}

/// Whether a value of a part goes two ways.
fn branches(net: &Net, part: &NetPart) -> bool {
    let calls = part.members.iter().filter(|&&id| is_call(net, id)).count();
    calls > 2
}

/// Chains of calls, each of which reads the value of the one before and no other.
pub(super) fn chains(net: &Net) -> Vec<NetPart> {
    let uses = net.uses();
    let values = |id: NetId| -> Vec<NetId> {
        let args = net.nodes[id].args.iter().copied();
        args.filter(|&arg| !matches!(net.nodes[arg].form, NetForm::Variable { .. })).collect()
    };
    let mut chain_of: HashMap<NetId, usize> = HashMap::new();
    let mut chains: Vec<(NetId, Vec<NetId>)> = Vec::new();
    for id in (0..net.nodes.len()).filter(|&id| is_call(net, id)) {
        let [before] = values(id)[..] else { continue };
        match chain_of.get(&before).filter(|_| uses[before] == 1) {
            Some(&chain) => {
                chains[chain].1.push(id);
                chain_of.insert(id, chain);
            }
            None => {
                chain_of.insert(id, chains.len());
                chains.push((before, vec![id]));
            }
        }
    }
    chains.retain(|(_, calls)| calls.len() >= CHAIN);
    chains.into_iter().filter_map(|(input, calls)| closed(net, calls, input)).collect()
}
