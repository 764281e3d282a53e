//! The body of a model or layer: statements, and the expression that it ends in.
//!
//! A value that one place reads becomes part of that place, as the front of a pipeline or, where it is
//! short, as an operand; any other gets a name. Stages that follow one another alike, each with weights
//! of its own, become a `repeat`.

use super::super::blocks::{BlockCall, BlockLayer, NetBlocks};
use super::super::names::{ModelNames, identifier, module, unique};
use super::super::net::{CallSetting, Net, NetForm, NetId, NetNode};
use super::super::print_form::{Hole, Texts, label};
use super::stages::{PrintedStage, VariableOf, repeated};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Characters of an expression that is still an operand, not a name's.
const OPERAND: usize = 64;
/// Characters of a statement on one line.
const LINE: usize = 88;
/// Stages of a pipeline at most: the language bounds how deep an expression is.
const STAGES: usize = 64;

/// The text of a body.
pub(super) struct PrintedBody {
    pub text: String,
    /// The layers that it calls.
    pub layers: Vec<String>,
    /// Its variables, in the order in which they are declared.
    pub weights: Vec<VariableOf>,
}

/// An expression that no statement holds yet.
#[derive(Clone, Debug, Default)]
struct PrintedExpr {
    head: String,
    /// Stages, each with its variables.
    stages: Vec<PrintedStage>,
    /// The variables of the head.
    weights: Vec<VariableOf>,
    /// Whether the head must stand in parentheses before anything follows.
    loose: bool,
}

/// A body that is being printed.
pub(super) struct BodyPrinter<'a> {
    net: &'a Net,
    uses: HashMap<NetId, usize>,
    names: HashMap<NetId, String>,
    pending: HashMap<NetId, PrintedExpr>,
    taken: HashSet<String>,
    /// The names that stages get.
    modules: HashMap<NetId, String>,
    lines: Vec<String>,
    weights: Vec<VariableOf>,
    /// The texts of whole numbers in order, in layers that have arguments for some.
    numbers: Option<std::vec::IntoIter<String>>,
}

impl<'a> BodyPrinter<'a> {
    /// The body of a model of the whole network, with the layers that it calls.
    pub fn of_model(net: &'a Net, blocks: &NetBlocks, names: &ModelNames) -> PrintedBody {
        let mut layers = Vec::new();
        let mut inner = Vec::new();
        for (at, layer) in blocks.layers.iter().enumerate() {
            let calls = blocks.calls.iter().filter(|call| call.layer == at).collect::<Vec<_>>();
            let printed = BodyPrinter::of_layer(net, layer, &calls);
            layers.push(printed.text);
            inner.push(printed.weights);
        }
        let inside: HashSet<NetId> =
            blocks.calls.iter().flat_map(|call| call.members.iter().copied()).collect();
        let own: Vec<NetId> = (0..net.nodes.len()).filter(|id| !inside.contains(id)).collect();
        let calls: HashMap<NetId, &BlockCall> =
            blocks.calls.iter().filter_map(|call| Some((*call.members.last()?, call))).collect();
        let mut body = BodyPrinter::new(net, &own, &net.outputs, names.taken());
        blocks.calls.iter().for_each(|call| *body.uses.entry(call.input).or_insert(0) += 1);
        body.name_modules(&own, &|id| module(&net.nodes[id].name));
        body.name_shared(blocks);
        for &id in &own {
            body.declare(id, &net.nodes[id]);
        }
        for (id, node) in net.nodes.iter().enumerate() {
            match calls.get(&id) {
                Some(call) => {
                    let layer = &blocks.layers[call.layer];
                    body.block(id, layer, call, &inner[call.layer]);
                }
                None if inside.contains(&id) => {}
                None => body.node(id, node),
            }
        }
        PrintedBody { layers, ..body.finish(&net.outputs) }
    }

    /// A layer; its variables are told by their places among the members of a call.
    fn of_layer(net: &'a Net, layer: &BlockLayer, calls: &[&BlockCall]) -> PrintedBody {
        let first = calls[0];
        let outputs: Vec<(String, NetId)> =
            first.members.last().map(|&id| (String::new(), id)).into_iter().collect();
        let mut taken: HashSet<String> = layer.arguments.iter().cloned().collect();
        taken.insert("x".into());
        let mut body = BodyPrinter::new(net, &first.members, &outputs, taken);
        body.names.insert(first.input, "x".into());
        body.numbers = Some(layer.numbers.clone().into_iter());
        // A name that all calls agree on.
        let place = |id: NetId| first.members.iter().position(|&it| it == id);
        body.name_modules(&first.members, &|id| {
            let at = place(id)?;
            let mut names = calls.iter().map(|call| module(&net.nodes[call.members[at]].name));
            let name = names.next()??;
            names.all(|other| other.as_ref() == Some(&name)).then_some(name)
        });
        for &id in &first.members {
            body.declare(id, &net.nodes[id]);
        }
        for &id in &first.members {
            body.node(id, &net.nodes[id]);
        }
        let printed = body.finish(&outputs);
        let arguments = layer.arguments.iter().map(|name| format!(", {name}: int"));
        let arguments: String = arguments.collect();
        let text =
            format!("layer {}(x: f32[N, ..S]{arguments}) {{\n{}}}\n", layer.name, printed.text);
        let local = |&(id, at): &VariableOf| (place(id).unwrap_or(0), at);
        let weights = printed.weights.iter().map(local).collect();
        PrintedBody { text, weights, layers: Vec::new() }
    }

    fn new(
        net: &'a Net,
        own: &[NetId],
        outputs: &[(String, NetId)],
        taken: HashSet<String>,
    ) -> BodyPrinter<'a> {
        let mut uses = HashMap::new();
        let read = own.iter().flat_map(|&id| net.nodes[id].named());
        for id in read.chain(outputs.iter().map(|(_, id)| *id)) {
            *uses.entry(id).or_insert(0) += 1;
        }
        BodyPrinter {
            net,
            uses,
            names: HashMap::new(),
            pending: HashMap::new(),
            taken,
            modules: HashMap::new(),
            lines: Vec::new(),
            weights: Vec::new(),
            numbers: None,
        }
    }

    /// Gives stages the names of their modules, where one stage alone has it.
    fn name_modules(&mut self, own: &[NetId], name_of: &dyn Fn(NetId) -> Option<String>) {
        let named: Vec<(NetId, String)> = own
            .iter()
            .filter(|&&id| !matches!(self.net.nodes[id].form, NetForm::Variable { .. }))
            .filter_map(|&id| Some((id, name_of(id)?)))
            .collect();
        let mut counts: HashMap<&String, usize> = HashMap::new();
        named.iter().for_each(|(_, name)| *counts.entry(name).or_insert(0) += 1);
        let once = named.iter().filter(|(_, name)| counts[name] == 1);
        let once: HashMap<NetId, String> = once.cloned().collect();
        self.taken.extend(once.values().cloned());
        self.modules = once;
    }

    /// Names what is there from the beginning: inputs and variables.
    fn declare(&mut self, id: NetId, node: &NetNode) {
        match &node.form {
            NetForm::Input(name) => {
                self.names.insert(id, name.clone());
            }
            NetForm::Variable { trained } => {
                let leaf = node.name.rsplit(['.', '/', ':']).next().unwrap_or_default();
                let (word, base) =
                    if *trained { ("param", "weight") } else { ("state", "constant") };
                let leaf = if *trained { leaf } else { "" };
                let name = unique(&identifier(leaf, base), &mut self.taken);
                let shape: Vec<String> = match self.numbers.is_some() {
                    true => node.shape.iter().map(|_| self.number(0)).collect(),
                    false => node.shape.iter().map(|size| size.to_string()).collect(),
                };
                self.lines.push(format!("{word} {name}: f32[{}] = zeros", shape.join(", ")));
                self.weights.push((id, 0));
                self.names.insert(id, name);
            }
            NetForm::Call { .. } | NetForm::Infix(..) | NetForm::Index(_) | NetForm::Again(_) => {}
        }
    }

    /// Names the layers that are called again, as nothing else is that the program calls.
    fn name_shared(&mut self, blocks: &NetBlocks) {
        let nodes = &self.net.nodes;
        let callees = nodes.iter().filter_map(|node| match &node.form {
            NetForm::Call { callee, .. } => Some(callee.as_str()),
            _ => None,
        });
        let layers = blocks.layers.iter().map(|layer| layer.name.as_str());
        let called: HashSet<&str> = callees.chain(layers).collect();
        let targets: BTreeSet<NetId> = nodes
            .iter()
            .filter_map(|node| match node.form {
                NetForm::Again(layer) => Some(layer),
                _ => None,
            })
            .collect();
        for id in targets {
            if self.modules.get(&id).is_some_and(|name| !called.contains(name.as_str())) {
                continue;
            }
            let callee = match &nodes[id].form {
                NetForm::Call { callee, .. } => callee.as_str(),
                _ => "layer",
            };
            let name = module(&nodes[id].name).unwrap_or_else(|| callee.to_owned());
            let name = match called.contains(name.as_str()) {
                true => format!("shared_{name}"),
                false => name,
            };
            let name = unique(&name, &mut self.taken);
            self.modules.insert(id, name);
        }
    }

    /// A layer once more, behind the statement that has its name.
    fn again(&mut self, layer: NetId, arg: NetId) -> PrintedExpr {
        let defines = |expr: &PrintedExpr| expr.all_weights().iter().any(|(id, _)| *id == layer);
        let found = self.pending.iter().find(|(id, expr)| **id != arg && defines(expr));
        if let Some(id) = found.map(|(id, _)| *id) {
            self.name(id);
        }
        let mut expr = self.front(arg);
        let (text, weights) = (self.modules[&layer].clone(), Vec::new());
        expr.stages.push(PrintedStage { text, weights });
        expr
    }

    /// The text of a whole number: in a layer, the next of those that it has.
    fn number(&mut self, value: i64) -> String {
        let next = self.numbers.as_mut().and_then(Iterator::next);
        next.unwrap_or_else(|| value.to_string())
    }

    /// A call of a layer that stands for a part.
    fn block(&mut self, id: NetId, layer: &BlockLayer, call: &BlockCall, inner: &[VariableOf]) {
        let mut expr = self.front(call.input);
        let one = layer.arguments.len() == 1;
        let arguments =
            layer.arguments.iter().zip(&call.arguments).map(|(name, value)| match one {
                true => value.to_string(),
                false => format!("{name}: {value}"),
            });
        let arguments: Vec<String> = arguments.collect();
        let text = match arguments.is_empty() {
            true => layer.name.clone(),
            false => format!("{}({})", layer.name, arguments.join(", ")),
        };
        let weights = inner.iter().map(|&(local, at)| (call.members[local], at)).collect();
        expr.stages.push(PrintedStage { text, weights });
        self.keep(id, expr);
    }

    /// Holds an expression for the one place that reads it, or gives it a name.
    fn keep(&mut self, id: NetId, expr: PrintedExpr) {
        let long = expr.stages.len();
        let long =
            long > 0 && long.is_multiple_of(STAGES) && repeated(&expr.stages).len() >= STAGES;
        if self.uses.get(&id) == Some(&1) && !long {
            self.pending.insert(id, expr);
        } else {
            self.bind(id, expr);
        }
    }

    fn node(&mut self, id: NetId, node: &NetNode) {
        let own: Vec<VariableOf> = (0..node.weights.len()).map(|at| (id, at)).collect();
        let expr = match &node.form {
            NetForm::Call { callee, settings } => self.call(id, node, callee, settings, own),
            NetForm::Infix(sign, left, right) => self.infix(node, sign, left, right),
            NetForm::Index(entries) => {
                let base = self.name(node.args[0]);
                let index = self.texts(node, &mut Vec::new(), true, |texts| texts.index(entries));
                PrintedExpr { head: format!("{base}[{index}]"), ..PrintedExpr::default() }
            }
            NetForm::Again(layer) => self.again(*layer, node.args[0]),
            NetForm::Input(_) | NetForm::Variable { .. } => return,
        };
        self.keep(id, expr);
    }

    /// The text of arguments; the variables of values that become part of it are added.
    fn texts(
        &mut self,
        node: &NetNode,
        weights: &mut Vec<VariableOf>,
        argument: bool,
        text: impl FnOnce(&mut Texts<'_>) -> String,
    ) -> String {
        let mut numbers = self.numbers.take();
        let mut value = |at: usize| self.operand(node.args[at], weights, argument);
        let mut number = |hole: Hole| {
            let next = numbers.as_mut().and_then(Iterator::next);
            next.unwrap_or_else(|| hole.value.to_string())
        };
        let text = text(&mut Texts { value: &mut value, number: &mut number });
        self.numbers = numbers;
        text
    }

    fn call(
        &mut self,
        id: NetId,
        node: &NetNode,
        callee: &str,
        all: &[(Option<&'static str>, CallSetting)],
        own: Vec<VariableOf>,
    ) -> PrintedExpr {
        let has_value = |setting: &CallSetting| matches!(setting, CallSetting::Arg(_));
        let piped = all.first().is_some_and(|(_, first)| has_value(first))
            && !all[1..].iter().any(|(_, setting)| has_value(setting));
        let mut expr = match piped {
            true => self.front(node.args[0]),
            false => PrintedExpr::default(),
        };
        let mut weights = Vec::new();
        let mut parts = Vec::new();
        for (at, (name, setting)) in all.iter().enumerate().skip(usize::from(piped)) {
            let label = label(callee, *name, at);
            let text = self.texts(node, &mut weights, true, |it| it.setting(setting, label));
            parts.push(match name {
                Some(name) => format!("{name}: {text}"),
                None => text,
            });
        }
        let mut text = match parts.is_empty() && piped {
            true => callee.to_owned(),
            false => format!("{callee}({})", parts.join(", ")),
        };
        weights.extend(own);
        if !piped {
            return PrintedExpr { head: text, weights, ..PrintedExpr::default() };
        }
        if let Some(name) = self.modules.get(&id).filter(|name| *name != callee) {
            text.push_str(&format!(" as {name}"));
        }
        expr.stages.push(PrintedStage { text, weights });
        expr
    }

    fn infix(
        &mut self,
        node: &NetNode,
        sign: &str,
        left: &CallSetting,
        right: &CallSetting,
    ) -> PrintedExpr {
        let mut weights = Vec::new();
        let head = self.texts(node, &mut weights, false, |texts| {
            let left = texts.setting(left, "number");
            format!("{left} {sign} {}", texts.setting(right, "number"))
        });
        PrintedExpr { head, weights, loose: true, ..PrintedExpr::default() }
    }

    /// A value as the front of a pipeline.
    fn front(&mut self, id: NetId) -> PrintedExpr {
        match self.pending.remove(&id) {
            Some(expr) => expr,
            None => PrintedExpr { head: self.names[&id].clone(), ..PrintedExpr::default() },
        }
    }

    /// A value as part of an expression: itself where it is short, else its name.
    fn operand(&mut self, id: NetId, weights: &mut Vec<VariableOf>, argument: bool) -> String {
        let short =
            |expr: &PrintedExpr| expr.line().len() <= OPERAND && !expr.line().contains("repeat");
        match self.pending.get(&id) {
            Some(expr) if short(expr) => {
                let expr = self.pending.remove(&id).unwrap_or_default();
                weights.extend(expr.all_weights());
                match expr.stages.is_empty() && (argument || !expr.loose) {
                    true => expr.head,
                    false => format!("({})", expr.line()),
                }
            }
            _ => self.name(id),
        }
    }

    /// The name of a value, which it gets if it has none.
    fn name(&mut self, id: NetId) -> String {
        if let Some(expr) = self.pending.remove(&id) {
            self.bind(id, expr);
        }
        self.names[&id].clone()
    }

    /// Gives an expression a name.
    fn bind(&mut self, id: NetId, expr: PrintedExpr) {
        let mut number = self.names.len();
        let name = loop {
            let name = format!("x{number}");
            if self.taken.insert(name.clone()) {
                break name;
            }
            number += 1;
        };
        self.weights.extend(expr.all_weights());
        self.lines.push(expr.statement(&format!("let {name} = ")));
        self.names.insert(id, name);
    }

    fn finish(mut self, outputs: &[(String, NetId)]) -> PrintedBody {
        let last = match outputs {
            [(_, id)] => {
                let expr = self.front(*id);
                self.weights.extend(expr.all_weights());
                expr.statement("")
            }
            several => {
                let part = |(name, id): &(String, NetId)| format!("{name}: {}", self.name(*id));
                format!("({})", several.iter().map(part).collect::<Vec<_>>().join(", "))
            }
        };
        self.lines.push(last);
        let text = self.lines.iter().map(|line| format!("    {line}\n")).collect();
        PrintedBody { text, layers: Vec::new(), weights: self.weights }
    }
}

impl PrintedExpr {
    fn all_weights(&self) -> Vec<VariableOf> {
        let stages = self.stages.iter().flat_map(|stage| &stage.weights);
        self.weights.iter().chain(stages).copied().collect()
    }

    fn front(&self) -> String {
        match self.loose && !self.stages.is_empty() {
            true => format!("({})", self.head),
            false => self.head.clone(),
        }
    }

    /// On one line.
    fn line(&self) -> String {
        let stages = repeated(&self.stages);
        std::iter::once(self.front()).chain(stages).collect::<Vec<_>>().join(" |> ")
    }

    /// As a statement, on several lines where it is long.
    fn statement(&self, before: &str) -> String {
        let line = format!("{before}{}", self.line());
        if line.len() <= LINE {
            return line;
        }
        let stages =
            repeated(&self.stages).into_iter().map(|stage| format!("\n        |> {stage}"));
        std::iter::once(format!("{before}{}", self.front())).chain(stages).collect()
    }
}
