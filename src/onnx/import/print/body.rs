//! The body of a model or layer: statements, and the expression that it ends in.
//!
//! A value that one place reads becomes part of that place, as the front of a pipeline or, where it is
//! short, as an operand; any other gets a name. Stages that follow one another alike, each with weights
//! of its own, become a `repeat`.

use super::super::blocks::Blocks;
use super::super::names::{ModelNames, identifier, module, unique};
use super::super::net::{Form, Net, NetId, NetNode, Setting};
use super::super::size::listed;
use super::settings;
use std::collections::{HashMap, HashSet};

/// A variable: the node that declares it, and which of the node's it is.
pub(super) type VariableOf = (NetId, usize);

/// Characters of an expression that is still an operand, not a name's.
const OPERAND: usize = 64;
/// Characters of a statement on one line.
const LINE: usize = 88;
/// Stages that are looked at as one turn of a `repeat`.
const TURN: usize = 8;

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
struct Expr {
    head: String,
    /// Stages, each with its variables.
    stages: Vec<Stage>,
    /// The variables of the head.
    weights: Vec<VariableOf>,
    /// Whether the head must stand in parentheses before anything follows.
    loose: bool,
}

#[derive(Clone, Debug)]
struct Stage {
    text: String,
    weights: Vec<VariableOf>,
}

/// A body that is being printed.
pub(super) struct Body<'a> {
    net: &'a Net,
    uses: Vec<usize>,
    names: HashMap<NetId, String>,
    pending: HashMap<NetId, Expr>,
    taken: HashSet<String>,
    /// Names that stages may have, each at one place.
    modules: HashMap<String, usize>,
    lines: Vec<String>,
    weights: Vec<VariableOf>,
}

impl<'a> Body<'a> {
    /// The body of a model of the whole network.
    pub fn of_model(net: &'a Net, _blocks: &Blocks, names: &ModelNames) -> PrintedBody {
        let mut modules = HashMap::new();
        for node in &net.nodes {
            if let Some(module) = module(&node.name) {
                *modules.entry(module).or_insert(0) += 1;
            }
        }
        let mut body = Body {
            net,
            uses: net.uses(),
            names: HashMap::new(),
            pending: HashMap::new(),
            taken: names.taken(),
            modules,
            lines: Vec::new(),
            weights: Vec::new(),
        };
        for (id, node) in net.nodes.iter().enumerate() {
            body.declare(id, node);
        }
        for (id, node) in net.nodes.iter().enumerate() {
            if !matches!(node.form, Form::Input(_) | Form::Variable { .. }) {
                body.node(id, node);
            }
        }
        body.finish(&net.outputs)
    }

    /// Names what is there from the beginning: inputs and variables.
    fn declare(&mut self, id: NetId, node: &NetNode) {
        match &node.form {
            Form::Input(name) => drop(self.names.insert(id, name.clone())),
            Form::Variable { trained } => {
                let leaf = node.name.rsplit(['.', '/', ':']).next().unwrap_or_default();
                let base = if *trained { "weight" } else { "constant" };
                let leaf = if *trained { leaf } else { "" };
                let name = unique(&identifier(leaf, base), &mut self.taken);
                let word = if *trained { "param" } else { "state" };
                let shape = listed(&node.shape);
                self.lines.push(format!("{word} {name}: f32{shape} = zeros"));
                self.weights.push((id, 0));
                self.names.insert(id, name);
            }
            Form::Call { .. } | Form::Infix(..) | Form::Index(_) => {}
        }
    }

    fn node(&mut self, id: NetId, node: &NetNode) {
        let own: Vec<VariableOf> = (0..node.weights.len()).map(|at| (id, at)).collect();
        let expr = match &node.form {
            Form::Call { callee, settings } => self.call(node, callee, settings, own),
            Form::Infix(sign, left, right) => self.infix(node, sign, left, right),
            Form::Index(entries) => {
                let base = self.name(node.args[0]);
                let head = format!("{base}[{}]", settings::index(entries));
                Expr { head, ..Expr::default() }
            }
            Form::Input(_) | Form::Variable { .. } => return,
        };
        if self.uses[id] == 1 {
            self.pending.insert(id, expr);
        } else {
            self.bind(id, expr);
        }
    }

    fn call(
        &mut self,
        node: &NetNode,
        callee: &str,
        all: &[(Option<&'static str>, Setting)],
        own: Vec<VariableOf>,
    ) -> Expr {
        let has_value = |setting: &Setting| matches!(setting, Setting::Arg(_));
        let piped = all.first().is_some_and(|(_, first)| has_value(first))
            && !all[1..].iter().any(|(_, setting)| has_value(setting));
        let mut expr = match piped {
            true => self.front(node.args[0]),
            false => Expr::default(),
        };
        let rest = if piped { &all[1..] } else { all };
        let mut weights = Vec::new();
        let mut parts = Vec::new();
        for (name, setting) in rest {
            let mut value = |at: usize| self.operand(node.args[at], &mut weights, true);
            let text = settings::text(setting, &mut value);
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
            return Expr { head: text, weights, ..Expr::default() };
        }
        let name = module(&node.name).filter(|name| self.modules.get(name) == Some(&1));
        if let Some(name) = name.filter(|name| name != callee) {
            text.push_str(&format!(" as {name}"));
        }
        expr.stages.push(Stage { text, weights });
        expr
    }

    fn infix(&mut self, node: &NetNode, sign: &str, left: &Setting, right: &Setting) -> Expr {
        let mut weights = Vec::new();
        let mut value = |at: usize| self.operand(node.args[at], &mut weights, false);
        let left = settings::text(left, &mut value);
        let right = settings::text(right, &mut value);
        let head = format!("{left} {sign} {right}");
        Expr { head, weights, loose: true, ..Expr::default() }
    }

    /// A value as the front of a pipeline.
    fn front(&mut self, id: NetId) -> Expr {
        match self.pending.remove(&id) {
            Some(expr) => expr,
            None => Expr { head: self.names[&id].clone(), ..Expr::default() },
        }
    }

    /// A value as part of an expression: itself where it is short, else its name.
    fn operand(&mut self, id: NetId, weights: &mut Vec<VariableOf>, argument: bool) -> String {
        let short = |expr: &Expr| expr.line().len() <= OPERAND && !expr.line().contains("repeat");
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
    fn bind(&mut self, id: NetId, expr: Expr) {
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

impl Expr {
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
        let stages = repeated(&self.stages).into_iter().map(|stage| format!("\n        |> {stage}"));
        std::iter::once(format!("{before}{}", self.front())).chain(stages).collect()
    }
}

/// Stages with runs that are alike as a `repeat`.
fn repeated(stages: &[Stage]) -> Vec<String> {
    let (mut made, mut at) = (Vec::new(), 0);
    while at < stages.len() {
        let turns = |length: usize| {
            let alike = |turn: usize| {
                let from = at + turn * length;
                from + length <= stages.len()
                    && (0..length).all(|it| stages[from + it].text == stages[at + it].text)
            };
            (1..).take_while(|&turn| alike(turn)).count() + 1
        };
        let has_weights = |length: usize| {
            (at + length <= stages.len())
                && stages[at..at + length].iter().any(|stage| !stage.weights.is_empty())
        };
        let run = (1..=TURN).filter(|&length| has_weights(length)).map(|it| (it, turns(it)));
        let best = run.filter(|&(_, turns)| turns > 1).max_by_key(|&(length, turns)| {
            (length * (turns - 1), std::cmp::Reverse(length))
        });
        match best {
            Some((length, turns)) => {
                let texts: Vec<&str> =
                    stages[at..at + length].iter().map(|stage| stage.text.as_str()).collect();
                made.push(format!("repeat {turns} {{ {} }}", texts.join(" |> ")));
                at += length * turns;
            }
            None => {
                made.push(stages[at].text.clone());
                at += 1;
            }
        }
    }
    made
}
