//! The modules of a program in the order in which its graph uses them, and which of them lie behind which.
//!
//! ```text
//! stem.conv → stem.batch_norm → residual.conv → … → dense
//! ```

use super::modules::{Module, grouped};
use crate::base::entity::Entity;
use crate::driver::layout::torch_forms;
use crate::graph::{Graph, NodeId, Op};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A program's modules, those used first first.
#[derive(Clone, Debug)]
pub(super) struct ProgramModules {
    pub modules: Vec<Module>,
    /// For each, which modules the value that it is applied to is computed from.
    upstream: Vec<ModuleSet>,
}

impl ProgramModules {
    /// The modules of these variables. `order` is a walk over the graph's nodes, arguments first.
    pub fn new(graph: &Graph, order: &[NodeId], counts: impl Fn(&str) -> bool) -> ProgramModules {
        let forms = torch_forms(graph);
        let counted = graph.variables().filter(|(path, ..)| counts(path));
        let tensors = counted.map(|(path, ty, _)| {
            // A parameter's shape never depends on the batch.
            (path.to_owned(), forms[path].shape(&ty.shape.at(1)))
        });
        let modules = grouped(tensors);
        let uses = Uses::new(graph, &modules);
        let mut places = vec![usize::MAX; modules.len()];
        for (place, node) in order.iter().enumerate() {
            for &module in &uses.of[node.index()] {
                places[module] = places[module].min(place);
            }
        }
        let mut sequence: Vec<usize> = (0..modules.len()).collect();
        sequence.sort_by_key(|&module| places[module]);
        let upstream = sequence.iter().map(|&module| {
            let node = order.get(places[module]);
            node.map_or_else(ModuleSet::default, |node| uses.behind[node.index()].moved(&sequence))
        });
        let upstream = upstream.collect();
        ProgramModules {
            modules: sequence.iter().map(|&it| modules[it].clone()).collect(),
            upstream,
        }
    }

    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether the second module is applied to what the first has a part in.
    pub fn leads(&self, first: usize, second: usize) -> bool {
        first != second && self.upstream[second].has(first)
    }

    /// Whether these neighbouring modules are what one call of a layer holds: they share a prefix that the
    /// modules beside them do not have.
    pub fn is_group(&self, places: Range<usize>) -> bool {
        let first: Vec<&str> = self.modules[places.start].path.split('.').collect();
        let shared = |place: usize| {
            let other = self.modules[place].path.split('.');
            first.iter().zip(other).take_while(|(a, b)| **a == *b).count()
        };
        let inside = places.clone().map(shared).min().unwrap_or_default();
        let beside = [places.start.checked_sub(1), Some(places.end)].into_iter().flatten();
        beside.filter(|&place| place < self.len()).all(|place| shared(place) < inside)
    }

    /// The same modules without these variables.
    pub fn without_variables(&self, paths: &HashSet<&str>) -> ProgramModules {
        let mut rest = self.clone();
        for module in &mut rest.modules {
            module.parts.retain(|part| !paths.contains(part.name.as_str()));
        }
        rest.without(|at| rest.modules[at].parts.is_empty()).0
    }

    /// The same modules but for some, and which are left.
    pub fn without(&self, left_out: impl Fn(usize) -> bool) -> (ProgramModules, Vec<usize>) {
        let kept: Vec<usize> = (0..self.len()).filter(|&at| !left_out(at)).collect();
        let modules = kept.iter().map(|&at| self.modules[at].clone()).collect();
        let upstream = kept.iter().map(|&at| self.upstream[at].moved(&kept)).collect();
        (ProgramModules { modules, upstream }, kept)
    }
}

/// Walks over the nodes that the model's outputs are computed from: as they were made, and each argument
/// with all that it needs before the next, which keeps the branches of a graph apart.
pub(super) fn walks(graph: &Graph) -> [Vec<NodeId>; 2] {
    let needed = graph.behind(graph.model_outputs());
    let made = graph.nodes.keys().filter(|id| needed[id.index()]).collect();
    let (mut seen, mut apart) = (vec![false; graph.nodes.len()], Vec::new());
    let outputs: Vec<NodeId> = graph.model_outputs().collect();
    let mut open: Vec<(NodeId, bool)> = outputs.iter().rev().map(|&id| (id, false)).collect();
    while let Some((id, is_done)) = open.pop() {
        if is_done {
            apart.push(id);
        } else if !std::mem::replace(&mut seen[id.index()], true) {
            open.push((id, true));
            let reads: Vec<NodeId> = graph.reads(id).collect();
            open.extend(reads.into_iter().rev().map(|id| (id, false)));
        }
    }
    [made, apart]
}

/// Which nodes apply which modules to data.
struct Uses {
    /// For each node, the modules that meet data there.
    of: Vec<Vec<usize>>,
    /// For each node, the modules that it is computed from.
    behind: Vec<ModuleSet>,
}

impl Uses {
    fn new(graph: &Graph, modules: &[Module]) -> Uses {
        let parts = modules
            .iter()
            .enumerate()
            .flat_map(|(module, it)| it.parts.iter().map(move |part| (part.name.as_str(), module)));
        let module_of: HashMap<&str, usize> = parts.collect();
        let mut is_data = vec![false; graph.nodes.len()];
        // Of nodes that are computed from parameters alone.
        let mut made_of: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
        let mut of = made_of.clone();
        let mut behind = vec![ModuleSet::default(); graph.nodes.len()];
        for (id, node) in graph.nodes.iter() {
            let at = id.index();
            let variable = match node.op {
                Op::Param(param) => Some(&graph.params[param].path),
                Op::State(state) => Some(&graph.states[state].path),
                _ => None,
            };
            made_of[at].extend(variable.and_then(|path| module_of.get(path.as_str())));
            is_data[at] = matches!(node.op, Op::Input(_) | Op::Carry(_))
                || node.args.iter().any(|arg| is_data[arg.index()]);
            for arg in &node.args {
                let from = made_of[arg.index()].clone();
                let mut set = std::mem::take(&mut behind[at]);
                set.add_all(&behind[arg.index()]);
                if is_data[at] && !is_data[arg.index()] {
                    from.iter().for_each(|&module| set.add(module));
                    of[at].extend(from);
                } else if !is_data[at] {
                    made_of[at].extend(from);
                    made_of[at].sort_unstable();
                    made_of[at].dedup();
                }
                behind[at] = set;
            }
        }
        Uses { of, behind }
    }
}

/// A set of modules, a bit for each.
#[derive(Clone, Debug, Default)]
struct ModuleSet(Vec<u64>);

impl ModuleSet {
    fn has(&self, module: usize) -> bool {
        self.0.get(module / 64).is_some_and(|word| word >> (module % 64) & 1 == 1)
    }

    fn add(&mut self, module: usize) {
        if self.0.len() <= module / 64 {
            self.0.resize(module / 64 + 1, 0);
        }
        self.0[module / 64] |= 1 << (module % 64);
    }

    fn add_all(&mut self, other: &ModuleSet) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    /// The set where module `sequence[i]` is called `i`.
    fn moved(&self, sequence: &[usize]) -> ModuleSet {
        let mut moved = ModuleSet::default();
        let members = sequence.iter().enumerate().filter(|(_, old)| self.has(**old));
        members.for_each(|(new, _)| moved.add(new));
        moved
    }
}
