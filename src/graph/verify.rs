//! Checks that a graph is one: everything that later stages take for granted.
//!
//! Out come all findings, each naming what it is about (`%7: its type is f32[3], inference gives
//! f32[4]`); none means that the interpreter runs the graph and that lowering cannot fail on it.
//! Every pass's result is checked, so a finding here is a bug of the pass before. It does not
//! look at origins: they explain, and nothing is computed from them.

use crate::base::entity::Entity;
use crate::base::tensor::DType;
use crate::graph::data::Carry;
use crate::graph::data::{Graph, UpdateTarget};
use crate::graph::infer::{check_type, infer};
use crate::graph::op::{CarryId, NodeId, Op};
use crate::graph::scan::{self, Bodies};
use crate::graph::types::Type;
use std::collections::{HashMap, HashSet};

/// Checks a graph; the findings, in order of the graph, where there are any.
pub fn verify(graph: &Graph) -> Result<(), Vec<String>> {
    check(graph, false)
}

/// Checks a graph whose kernels may each compute the same random numbers again.
pub fn verify_fused(graph: &Graph) -> Result<(), Vec<String>> {
    check(graph, true)
}

fn check(graph: &Graph, copies: bool) -> Result<(), Vec<String>> {
    let mut findings = Vec::new();
    declarations(graph, &mut findings);
    nodes(graph, copies, &mut findings);
    outputs(graph, &mut findings);
    updates(graph, &mut findings);
    scans(graph, &mut findings);
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

/// Names are unique among their kind (and a step's memory names parameters and states alike),
/// types are sound, and nothing kept from step to step depends on the batch.
fn declarations(graph: &Graph, findings: &mut Vec<String>) {
    let mut names = HashSet::new();
    for (id, input) in graph.inputs.iter() {
        unique(&mut names, &input.name, &id.to_string(), findings);
        declared(&input.ty, &id.to_string(), findings);
    }
    names.clear();
    let params = graph.params.iter().map(|(id, p)| (id.to_string(), &p.path, &p.ty));
    let states = graph.states.iter().map(|(id, s)| (id.to_string(), &s.path, &s.ty));
    for (id, path, ty) in params.chain(states) {
        unique(&mut names, path, &id, findings);
        declared(ty, &id, findings);
        if ty.shape.has_batch() {
            findings.push(format!("{id}: its type {ty} depends on the batch"));
        }
    }
    names.clear();
    for (id, hyper) in graph.hypers.iter() {
        unique(&mut names, &hyper.name, &id.to_string(), findings);
    }
}

fn unique<'a>(
    names: &mut HashSet<&'a str>,
    name: &'a str,
    place: &str,
    findings: &mut Vec<String>,
) {
    if !names.insert(name) {
        findings.push(format!("{place}: the name `{name}` is taken"));
    }
}

fn declared(ty: &Type, place: &str, findings: &mut Vec<String>) {
    if ty.dtype == DType::F64 {
        findings.push(format!("{place}: a declared tensor of {ty}"));
    } else if let Err(mismatch) = check_type(ty) {
        findings.push(format!("{place}: {mismatch}"));
    }
}

/// Arguments come first, types are what inference gives, and no two random operators share a
/// stream; `copies` are equal operators that do.
fn nodes(graph: &Graph, copies: bool, findings: &mut Vec<String>) {
    let mut streams: HashMap<u32, NodeId> = HashMap::new();
    for (id, node) in graph.nodes.iter() {
        if let Some(late) = node.args.iter().find(|arg| arg.index() >= id.index()) {
            findings.push(format!("{id}: uses {late}, which does not come before it"));
            continue;
        }
        match infer(graph, &node.op, &node.args) {
            Ok(ty) if ty == node.ty => {}
            Ok(ty) => {
                findings.push(format!("{id}: its type is {}, inference gives {ty}", node.ty));
            }
            Err(mismatch) => findings.push(format!("{id}: {mismatch}")),
        }
        if let Op::Uniform { stream, .. } = node.op {
            let known = *streams.entry(stream).or_insert(id);
            if known != id && !(copies && graph.nodes[known].op == node.op) {
                findings.push(format!("{id}: the stream {stream} is taken"));
            }
        }
    }
}

/// Outputs are tensors with names of their own.
fn outputs(graph: &Graph, findings: &mut Vec<String>) {
    let mut names = HashSet::new();
    for output in &graph.outputs {
        let place = format!("output {}", output.name);
        if !names.insert(&output.name) {
            findings.push(format!("{place}: the name `{}` is taken", output.name));
        }
        match ty_of(graph, output.node) {
            None => findings.push(format!("{place}: there is no {}", output.node)),
            Some(ty) if ty.dtype == DType::F64 => {
                findings.push(format!("{place}: {} is an f64, not a tensor", output.node));
            }
            Some(_) => {}
        }
    }
}

/// Each target exists, is written once, and with a value of its type.
fn updates(graph: &Graph, findings: &mut Vec<String>) {
    let mut written = HashSet::new();
    for update in &graph.updates {
        let (place, wanted) = match update.target {
            UpdateTarget::Param(id) => {
                (id.to_string(), graph.params.get(id).map(|param| &param.ty))
            }
            UpdateTarget::State(id) => {
                (id.to_string(), graph.states.get(id).map(|state| &state.ty))
            }
        };
        if !written.insert(update.target) {
            findings.push(format!("update {place}: it is written twice"));
        }
        match (wanted, ty_of(graph, update.node)) {
            (None, _) => findings.push(format!("update {place}: there is no {place}")),
            (_, None) => findings.push(format!("update {place}: there is no {}", update.node)),
            (Some(wanted), Some(found)) if wanted != found => {
                findings.push(format!("update {place}: {found} is written to {wanted}"));
            }
            (Some(_), Some(_)) => {}
        }
    }
}

/// Scans have steps; each carry hands on a value of its type; a body reads no other body, nothing
/// but stacks leaves it, and no scan reads what it makes.
fn scans(graph: &Graph, findings: &mut Vec<String>) {
    if graph.scans.is_empty() {
        return;
    }
    for (id, _) in graph.scans.iter().filter(|(_, scan)| scan.steps == 0) {
        findings.push(format!("{id}: it has no steps"));
    }
    let bodies = Bodies::of(graph);
    let mut read = HashSet::new();
    for (id, node) in graph.nodes.iter() {
        let own = match node.op {
            Op::ScanStack(scan) => Some(scan),
            _ => bodies.scan(id),
        };
        let begins = matches!(node.op, Op::ScanSlice(_) | Op::Carry(_));
        let scans = node.args.iter().map(|&arg| bodies.scan(arg));
        if scans.flatten().any(|scan| begins || Some(scan) != own) {
            findings.push(format!("{id}: it reads a value of a scan that it is no part of"));
        }
        if let Op::Carry(carry) = node.op {
            carried(graph, &bodies, id, carry, findings);
            if !read.insert(carry) {
                findings.push(format!("{id}: {carry} is read twice"));
            }
        }
    }
    if let Some(root) = graph.roots().find(|&root| bodies.scan(root).is_some()) {
        findings.push(format!("{root}: a value of a step of a scan leaves it"));
    }
    if findings.is_empty() && scan::units(graph, &bodies).is_none() {
        findings.push("a scan reads what it makes".into());
    }
}

/// The value that a carry hands on is of its type, and of its scan or from before it.
fn carried(graph: &Graph, bodies: &Bodies, id: NodeId, carry: CarryId, findings: &mut Vec<String>) {
    let Some(&Carry { scan, next }) = graph.carries.get(carry) else { return };
    match next.map(|next| (next, ty_of(graph, next))) {
        None => findings.push(format!("{carry}: nothing is handed on")),
        Some((next, None)) => findings.push(format!("{carry}: there is no {next}")),
        Some((_, Some(ty))) if ty != graph.ty(id) => {
            findings.push(format!("{carry}: {ty} is handed on to {}", graph.ty(id)));
        }
        Some((next, Some(_))) if bodies.scan(next).is_some_and(|other| other != scan) => {
            findings.push(format!("{carry}: a value of another scan is handed on"));
        }
        Some(_) => {}
    }
}

fn ty_of(graph: &Graph, node: NodeId) -> Option<&Type> {
    graph.nodes.get(node).map(|node| &node.ty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Binary, Builder, Dim, Init, Param};

    fn findings(graph: &Graph) -> String {
        verify(graph).expect_err("findings").join("\n")
    }

    fn vector(extent: usize) -> Type {
        Type::new(DType::F32, vec![Dim::Known(extent)])
    }

    fn sound() -> Builder {
        let mut build = Builder::new("test");
        let x = build.input("x", vector(3));
        let init = Init::Constant(0.0);
        let w = build.param(Param { path: "w".into(), ty: vector(3), init, origin: None });
        let sum = build.binary(Binary::Add, x, w).expect("equal shapes");
        build.output("sum", sum);
        build
    }

    #[test]
    fn a_built_graph_is_sound() {
        assert_eq!(verify(&sound().graph), Ok(()));
    }

    #[test]
    fn types_must_be_what_inference_gives() {
        let mut graph = sound().finish();
        graph.nodes[NodeId::from_index(2)].ty = vector(4);
        assert_eq!(findings(&graph), "%2: its type is f32[4], inference gives f32[3]");
    }

    #[test]
    fn arguments_come_before_uses() {
        let mut graph = sound().finish();
        graph.nodes[NodeId::from_index(2)].args[1] = NodeId::from_index(2);
        assert_eq!(findings(&graph), "%2: uses %2, which does not come before it");
    }

    #[test]
    fn streams_are_not_shared() {
        let mut build = sound();
        let shape = vector(2).shape;
        build.op(Op::Uniform { shape: shape.clone(), stream: 4 }, &[]).expect("a leaf");
        build.op(Op::Uniform { shape, stream: 4 }, &[]).expect("a leaf");
        assert_eq!(findings(&build.graph), "%4: the stream 4 is taken");
        assert_eq!(verify_fused(&build.graph), Ok(()), "a copy, for another kernel");
    }

    #[test]
    fn updates_have_one_target_each_and_its_type() {
        let mut build = sound();
        let target = UpdateTarget::Param(Entity::from_index(0));
        let scalar = build.constant(1.0, DType::F32);
        build.update(target, scalar);
        build.update(target, NodeId::from_index(2));
        build.update(UpdateTarget::Param(Entity::from_index(1)), scalar);
        assert_eq!(
            findings(&build.graph),
            "update param0: f32 is written to f32[3]\n\
             update param0: it is written twice\n\
             update param1: there is no param1"
        );
    }

    #[test]
    fn what_is_kept_does_not_depend_on_the_batch_and_names_are_unique() {
        let mut build = sound();
        let ty = Type::new(DType::F32, vec![Dim::N]);
        build.param(Param { path: "w".into(), ty, init: Init::Constant(0.0), origin: None });
        build.output("sum", NodeId::from_index(9));
        assert_eq!(
            findings(&build.graph),
            "param1: the name `w` is taken\n\
             param1: its type f32[N] depends on the batch\n\
             output sum: the name `sum` is taken\n\
             output sum: there is no %9"
        );
    }

    #[test]
    fn an_output_is_a_tensor() {
        let mut build = sound();
        let rate = build.hyper("lr", 0.1);
        build.output("rate", rate);
        assert_eq!(findings(&build.graph), "output rate: %3 is an f64, not a tensor");
    }
}
