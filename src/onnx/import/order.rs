//! The nodes of a graph in an order in which they can run, and what makes a graph none.
//!
//! ONNX asks for that order, and not all files keep to it. Refused: a value that two nodes make, one
//! that nothing makes, nodes that wait for each other.

use crate::base::shown::Show;
use crate::onnx::model::{OnnxGraph, OnnxNode};
use std::collections::{HashMap, HashSet};

/// The indices of the nodes that the outputs need, each after those that it reads.
pub(super) fn order(graph: &OnnxGraph) -> Result<Vec<usize>, String> {
    let makers = makers(graph)?;
    let mut order = Vec::with_capacity(graph.nodes.len());
    let mut state = vec![Visit::New; graph.nodes.len()];
    // All nodes in the file's order, so that a sound file's order is kept; unneeded ones leave later.
    for start in 0..graph.nodes.len() {
        visit(graph, &makers, start, &mut state, &mut order)?;
    }
    for output in &graph.outputs {
        if !makers.contains_key(output.name.as_str()) {
            return Err(format!("nothing makes the output `{}`", output.name.shown()));
        }
    }
    let needed = needed(graph, &makers);
    order.retain(|node| needed.contains(node));
    Ok(order)
}

/// Who makes each value: a node, or none for what is given.
type Makers<'a> = HashMap<&'a str, Option<usize>>;

fn makers(graph: &OnnxGraph) -> Result<Makers<'_>, String> {
    let mut makers = Makers::new();
    once(graph.inputs.iter().map(|input| &input.name), "inputs")?;
    once(graph.initializers.iter().map(|tensor| &tensor.name), "initializers")?;
    once(graph.outputs.iter().map(|output| &output.name), "outputs")?;
    // Older files list initializers among the inputs, too.
    makers.extend(graph.inputs.iter().map(|input| (input.name.as_str(), None)));
    for tensor in &graph.initializers {
        makers.insert(&tensor.name, None);
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        for output in node.outputs.iter().filter(|output| !output.is_empty()) {
            if let Some(first) = makers.insert(output, Some(index)) {
                let first = match first {
                    Some(first) => described(&graph.nodes[first]),
                    None => "the graph, as an input or initializer,".to_owned(),
                };
                let (output, second) = (output.shown(), described(node));
                return Err(format!("`{output}` is made twice: {first} and {second} make it"));
            }
        }
    }
    Ok(makers)
}

/// Refuses names that are there twice.
fn once<'a>(names: impl Iterator<Item = &'a String>, among: &str) -> Result<(), String> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("`{}` is twice among its {among}", name.shown()));
        }
    }
    Ok(())
}

/// How far a node has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Waiting,
    Done,
}

/// Puts a node behind those that it reads, without recursion: graphs may be deep.
fn visit(
    graph: &OnnxGraph,
    makers: &Makers<'_>,
    start: usize,
    state: &mut [Visit],
    order: &mut Vec<usize>,
) -> Result<(), String> {
    let mut stack = vec![(start, 0)];
    while let Some((node, next)) = stack.pop() {
        if next == 0 && state[node] != Visit::New {
            continue;
        }
        state[node] = Visit::Waiting;
        let inputs = &graph.nodes[node].inputs;
        let Some(input) = inputs.get(next) else {
            state[node] = Visit::Done;
            order.push(node);
            continue;
        };
        stack.push((node, next + 1));
        if input.is_empty() {
            continue;
        }
        match makers.get(input.as_str()) {
            None => {
                let reader = described(&graph.nodes[node]);
                return Err(format!("nothing makes `{}`, which {reader} reads", input.shown()));
            }
            Some(Some(maker)) if state[*maker] == Visit::Waiting => {
                let reader = described(&graph.nodes[node]);
                return Err(format!("{reader} waits for itself: the graph has a cycle"));
            }
            Some(Some(maker)) if state[*maker] == Visit::New => stack.push((*maker, 0)),
            Some(_) => {}
        }
    }
    Ok(())
}

/// The nodes that outputs depend on.
fn needed(graph: &OnnxGraph, makers: &Makers<'_>) -> HashSet<usize> {
    let maker = |name: &str| makers.get(name).copied().flatten();
    let mut stack: Vec<usize> =
        graph.outputs.iter().filter_map(|output| maker(&output.name)).collect();
    let mut needed = HashSet::new();
    while let Some(node) = stack.pop() {
        if needed.insert(node) {
            stack.extend(graph.nodes[node].inputs.iter().filter_map(|input| maker(input)));
        }
    }
    needed
}

/// A node as messages name it: `Conv "conv1"`, or by what it makes.
pub(super) fn described(node: &OnnxNode) -> String {
    let domain = if node.domain.is_empty() { String::new() } else { format!("{}.", node.domain) };
    let op = if node.op.is_empty() { "a node without operator" } else { &node.op };
    let (op, name) = (op.shown(), node.name.shown());
    match (node.name.is_empty(), node.outputs.first()) {
        (false, _) => format!("{domain}{op} `{name}`"),
        (true, Some(output)) => format!("{domain}{op} (of `{}`)", output.shown()),
        (true, None) => format!("{domain}{op}"),
    }
}
