//! The body of `forward`: a graph of inference as lines of Python, in the order of the program, whose own
//! lines stand above as comments.
//!
//! ```text
//! # image |> conv(32, 3) |> relu
//! x1 = F.relu(nhwc(self.conv(nchw(image))))
//! ```
//!
//! A value that is read once, on the same line of the program, stands where it is read; any other gets a
//! name. A scan becomes a loop.

use super::expr::{PyExpr, PythonBinding};
use super::modules::TorchModules;
use super::names;
use super::ops;
use super::plan::{NodePlan, Plans};
use crate::base::entity::Entity;
use crate::base::source::{FileId, Sources};
use crate::graph::scan::{Bodies, Unit, units};
use crate::graph::{Graph, NodeId, Op, ScanId};
use std::collections::HashMap;

/// The longest expression that stands inside another.
const LONGEST_INSIDE: usize = 72;

/// The lines of a `forward`, without the indentation of its class.
pub(super) struct ForwardLines {
    /// The lines.
    pub lines: Vec<String>,
    /// The expression that is returned.
    pub result: String,
}

/// Writes a graph's `forward`; its inputs are arguments of their names, its tensors attributes of their
/// paths. An error says what PyTorch has no counterpart of.
pub(super) fn forward(
    graph: &Graph,
    modules: &TorchModules,
    sources: &Sources,
) -> Result<ForwardLines, String> {
    let bodies = Bodies::of(graph);
    let order = units(graph, &bodies).expect("a verified graph has an order");
    let plans = Plans::new(graph, modules);
    let (lines, said, values) = (Vec::new(), None, HashMap::new());
    let mut writer =
        ForwardWriter { graph, sources, bodies, plans, lines, said, values, names: 0, depth: 0 };
    for unit in order {
        match unit {
            Unit::Node(id) => writer.node(id)?,
            Unit::Scan(scan) => writer.scan(scan)?,
        }
    }
    let outputs: Vec<(String, String)> = graph
        .outputs
        .iter()
        .filter_map(|output| {
            Some((output.name.model_name()?.to_owned(), writer.whole(output.node).text))
        })
        .collect();
    let result = match &outputs[..] {
        [(_, only)] => only.clone(),
        all => {
            let entry = |(name, value): &(String, String)| format!("{name:?}: {value}");
            format!("{{{}}}", all.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    };
    Ok(ForwardLines { lines: writer.lines, result })
}

struct ForwardWriter<'g> {
    graph: &'g Graph,
    sources: &'g Sources,
    bodies: Bodies,
    plans: Plans,
    lines: Vec<String>,
    /// The line of the program that stands above.
    said: Option<(FileId, usize)>,
    values: HashMap<NodeId, PyExpr>,
    /// How many names were given.
    names: usize,
    /// Loops around.
    depth: usize,
}

impl ForwardWriter<'_> {
    fn line(&mut self, text: &str) {
        self.lines.push(format!("{}{text}", "    ".repeat(self.depth)));
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("x{}", self.names)
    }

    /// The value of a node that was written.
    fn value(&self, id: NodeId) -> PyExpr {
        self.values.get(&id).cloned().unwrap_or_else(|| panic!("{id} stands before its readers"))
    }

    /// The same with its node's shape.
    fn whole(&self, id: NodeId) -> PyExpr {
        let ty = self.graph.ty(id);
        ops::whole(&self.value(id), &ty.shape, ty.dtype)
    }

    /// The line of the user's program that a node is made by.
    fn place(&self, id: NodeId) -> Option<(FileId, usize)> {
        let origins = &self.graph.origins;
        let mut chain = origins.chain(self.graph.nodes[id].origin?);
        let own = chain.find(|place| !self.sources.file(place.span.file).builtin)?;
        let (line, _) = self.sources.line_column(own.span.file, own.span.start);
        Some((own.span.file, line))
    }

    /// Writes the line of the program above what it makes.
    fn say(&mut self, id: NodeId) {
        let place = self.place(id);
        if place.is_none() || place == self.said {
            return;
        }
        self.said = place;
        let Some((file, line)) = place else { return };
        let text = self.sources.file(file).text.lines().nth(line - 1).unwrap_or_default();
        let plain: String = text.trim().chars().filter(|sign| !sign.is_control()).collect();
        self.line(&format!("# {plain}"));
    }

    fn node(&mut self, id: NodeId) -> Result<(), String> {
        // What a scan stacks is there already.
        if !self.plans.computed[id.index()] || self.values.contains_key(&id) {
            return Ok(());
        }
        let expr = self.expr(id)?;
        let is_named = self.needs_name(id, &expr);
        let expr = if is_named { self.assigned(id, expr) } else { expr };
        self.values.insert(id, expr);
        Ok(())
    }

    /// Gives a value a name.
    fn assigned(&mut self, id: NodeId, expr: PyExpr) -> PyExpr {
        self.say(id);
        let name = self.name();
        self.line(&format!("{name} = {}", expr.text));
        PyExpr { text: name, binding: PythonBinding::Atom, kind: expr.kind }
    }

    /// Whether a value does not stand where it is read.
    fn needs_name(&self, id: NodeId, expr: &PyExpr) -> bool {
        let is_leaf = matches!(
            self.graph.nodes[id].op,
            Op::Input(_) | Op::Param(_) | Op::State(_) | Op::Const(..) | Op::Extent(_)
        );
        let is_name = expr.text.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_');
        if is_leaf || is_name || expr.is_number() && expr.text.len() < 24 {
            return false;
        }
        let own = self.scan_of(id);
        match self.plans.readers[id.index()][..] {
            [] => false,
            [reader] => {
                let is_far = self.place(reader) != self.place(id);
                let leaves = self.scan_of(reader) != own;
                // What a step hands on is read when all else of the step has been computed.
                let is_carry = matches!(self.graph.nodes[reader].op, Op::Carry(_));
                is_far || leaves || is_carry || expr.text.len() > LONGEST_INSIDE
            }
            _ => true,
        }
    }

    /// The scan in whose body a node is; stacks are read there.
    fn scan_of(&self, id: NodeId) -> Option<ScanId> {
        match self.graph.nodes[id].op {
            Op::ScanStack(scan) => Some(scan),
            _ => self.bodies.scan(id),
        }
    }

    fn expr(&self, id: NodeId) -> Result<PyExpr, String> {
        let (graph, node) = (self.graph, &self.graph.nodes[id]);
        let args: Vec<NodeId> = self.plans.args(graph, id);
        Ok(match &self.plans.of[id.index()] {
            NodePlan::Call(call) => ops::call(call, &self.whole(call.arg)),
            NodePlan::Relu(x) => {
                let x = self.value(*x);
                PyExpr::whole(format!("F.relu({})", x.text)).of_kind(x.kind)
            }
            NodePlan::Gelu(x) => {
                let x = self.value(*x);
                PyExpr::whole(format!("F.gelu({})", x.text)).of_kind(x.kind)
            }
            NodePlan::Softmax(x, axis) => {
                PyExpr::whole(self.whole(*x).method(&format!("softmax(dim={axis})")))
            }
            NodePlan::Kept(reduced) => {
                let op = &graph.nodes[*reduced].op;
                ops::reduction(op, &self.whole(args[0]), true).expect("a reduction")
            }
            NodePlan::Operator => match node.op {
                Op::Input(input) => PyExpr::whole(names::identifier(&graph.inputs[input].name)),
                Op::Param(it) => self.tensor(&graph.params[it].path),
                Op::State(it) => self.tensor(&graph.states[it].path),
                _ => {
                    let values: Vec<PyExpr> = args.iter().map(|&arg| self.value(arg)).collect();
                    let types = |&arg: &NodeId| (&graph.ty(arg).shape, graph.ty(arg).dtype);
                    let types: Vec<_> = args.iter().map(types).collect();
                    let expr = ops::operator(node, &values, &types);
                    expr.ok_or_else(|| self.missing(id))?
                }
            },
        })
    }

    fn tensor(&self, path: &str) -> PyExpr {
        PyExpr::whole(format!("self.{}", names::attribute(path)))
    }

    fn missing(&self, id: NodeId) -> String {
        let name = self.graph.nodes[id].op.name();
        let place = self
            .place(id)
            .map(|(file, line)| format!(", which {}:{line} needs,", self.sources.file(file).name));
        format!("`{name}`{} has no counterpart in PyTorch", place.unwrap_or_default())
    }

    /// Writes a scan as a loop: what is carried has a name, what is stacked a list.
    fn scan(&mut self, scan: ScanId) -> Result<(), String> {
        let graph = self.graph;
        let body = self.bodies.nodes(scan).to_vec();
        let computed = |id: &NodeId| self.plans.computed[id.index()];
        let stacks: Vec<NodeId> =
            self.bodies.stacks(scan).iter().copied().filter(computed).collect();
        let carries: Vec<NodeId> = body
            .iter()
            .copied()
            .filter(|id| matches!(graph.nodes[*id].op, Op::Carry(_)) && computed(id))
            .collect();
        if stacks.is_empty() {
            return Ok(());
        }
        for &carry in &carries {
            self.say(carry);
            let first = self.whole(graph.nodes[carry].args[0]).text;
            let name = self.name();
            self.line(&format!("{name} = {first}"));
            self.values.insert(carry, PyExpr::whole(name));
        }
        let lists: Vec<String> = stacks.iter().map(|_| self.name()).collect();
        lists.iter().for_each(|list| self.line(&format!("{list} = []")));
        let of = graph.scans[scan];
        let count = self.name();
        let range = format!("range({})", of.steps);
        let range = if of.reverse { format!("reversed({range})") } else { range };
        self.line(&format!("for {count} in {range}:"));
        self.depth += 1;
        for id in body {
            match graph.nodes[id].op {
                Op::Carry(_) => {}
                Op::ScanSlice(_) if self.plans.computed[id.index()] => {
                    let from = self.whole(graph.nodes[id].args[0]);
                    let slice = format!("{}[{count}]", from.within(PythonBinding::Atom));
                    let slice = match self.plans.readers[id.index()].len() {
                        1 => PyExpr::whole(slice),
                        _ => self.assigned(id, PyExpr::whole(slice)),
                    };
                    self.values.insert(id, slice);
                }
                _ => self.node(id)?,
            }
        }
        for (list, stack) in lists.iter().zip(&stacks) {
            let value = self.whole(graph.nodes[*stack].args[0]).text;
            self.line(&format!("{list}.append({value})"));
        }
        self.hand_on(&carries);
        self.depth -= 1;
        for (list, stack) in lists.iter().zip(stacks) {
            let parts = if of.reverse { format!("{list}[::-1]") } else { list.clone() };
            self.line(&format!("{list} = torch.stack({parts})"));
            self.values.insert(stack, PyExpr::whole(list.clone()));
        }
        Ok(())
    }

    /// Writes what a step hands on to the next.
    fn hand_on(&mut self, carries: &[NodeId]) {
        let next = |&carry: &NodeId| Some((self.value(carry).text, self.graph.next(carry)?));
        let next: Vec<(String, NodeId)> = carries.iter().filter_map(next).collect();
        if next.is_empty() {
            return;
        }
        let values: Vec<String> = next.iter().map(|(_, value)| self.whole(*value).text).collect();
        let names: Vec<String> = next.into_iter().map(|(name, _)| name).collect();
        self.line(&format!("{} = {}", names.join(", "), values.join(", ")));
    }
}

/// Whether lines of a `forward` name the device.
pub(super) fn names_device(forward: &ForwardLines) -> bool {
    let named = |line: &String| line.contains("device=device");
    forward.lines.iter().any(named) || named(&forward.result)
}
