//! Which tensor of a file of PyTorch's is which parameter of a program, without a word from the user.
//!
//! ```text
//! conv1.weight          f32[64, 3, 7, 7]      stem.conv_norm.conv.weight
//! bn1.running_mean      f32[64]               stem.conv_norm.batch_norm.running_mean
//! layer1.0.conv1.weight f32[64, 64, 3, 3]     residual.conv_norm.conv.weight
//! …
//! ```
//!
//! In: the names and shapes of a file, which come in no order, and the forward graph. Both sides are grouped
//! into modules ([`modules`]); a file's are a tree by their names ([`tree`]), a program's a sequence by their
//! use ([`program`]); kinds are counted and balanced ([`balance`]); then each module is given a place
//! ([`search`]). Out: a [`NameTable`], or why there is none ([`NameMismatch`]), of which [`explain`] makes
//! messages. Nothing is guessed: where two ways are equally good, both are told and the user is asked.

mod balance;
pub(crate) mod explain;
mod modules;
mod program;
mod search;
pub(crate) mod table;
mod tree;

use crate::graph::Graph;
use balance::{Balance, balance};
use modules::{Module, TensorRole, grouped};
use program::{ProgramModules, walks};
use search::{PlaceKinds, PlaceSearch, Score, Solved};
use std::collections::HashSet;
pub(crate) use table::{NameRow, NameTable};
use tree::NameTree;

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FileEntry {
    pub name: String,
    /// The path that a rule of the user's gives it.
    pub renamed: Option<String>,
    pub shape: Vec<usize>,
}

/// A file and a program whose names are to be matched.
pub(crate) struct NameQuery<'a> {
    /// A forward graph.
    pub graph: &'a Graph,
    /// The tensors of floats of the file.
    pub entries: &'a [FileEntry],
    /// Whether a path is one of the model's own.
    pub is_own: &'a dyn Fn(&str) -> bool,
    /// Whether a path takes nothing from the file.
    pub is_excepted: &'a dyn Fn(&str) -> bool,
    /// Whether the file may lack what the program has.
    pub partial: bool,
}

/// Why names could not be matched.
#[derive(Debug)]
pub(crate) enum NameMismatch {
    /// Two ways are equally good. The rules that lead to each of them, and the modules that differ: of the
    /// file, and where they go in the one and in the other.
    Ambiguous { differ: Vec<(String, String, String)>, rules: Vec<Vec<(String, String)>> },
    /// The file has tensors that the program has no place for, told by patterns, and nothing else is wrong.
    OfNoUse { patterns: Vec<String>, tensors: usize },
    /// They are different networks. Layers of the file and of the program, and those without a counterpart.
    OtherArchitecture { counts: [usize; 2], file: Vec<String>, program: Vec<String> },
    /// PlaceKinds and counts of layers agree, but not the way in which they are nested and follow each other.
    OtherStructure { counts: [usize; 2] },
}

impl NameMismatch {
    /// Whether no other walk would give an answer.
    fn is_settled(&self) -> bool {
        matches!(self, NameMismatch::Ambiguous { .. } | NameMismatch::OfNoUse { .. })
    }

    /// Whether only the user knows the answer.
    pub fn is_question(&self) -> bool {
        matches!(self, NameMismatch::Ambiguous { .. })
    }
}

/// Matches the names of a file with those of a program.
pub(crate) fn match_names(query: &NameQuery<'_>) -> Result<NameTable, NameMismatch> {
    let mut first = None;
    // Where the program's order gives no way, its branches are looked at one after the other; then the
    // numbers of names count for nothing.
    for is_ordered in [true, false] {
        for walk in walks(query.graph) {
            let side = Sides::new(query, ProgramModules::new(query.graph, &walk, query.is_own));
            match side.matched(query, is_ordered) {
                Err(mismatch) if !mismatch.is_settled() => {
                    first.get_or_insert(mismatch);
                }
                result => return result,
            }
        }
    }
    Err(first.expect("a walk was tried"))
}

/// PlaceKinds of pairs that nothing else has.
const PINNED: usize = 1 << 32;

/// The modules of both sides.
struct Sides {
    file: Vec<Module>,
    program: ProgramModules,
    /// Pairs that the user's rules name.
    pins: Vec<(usize, usize)>,
}

impl Sides {
    fn new(query: &NameQuery<'_>, program: ProgramModules) -> Sides {
        let pinned: Vec<(&str, &str)> = query
            .entries
            .iter()
            .filter_map(|entry| Some((entry.name.as_str(), entry.renamed.as_deref()?)))
            .filter(|(_, path)| (query.is_own)(path))
            .collect();
        let file = |left_out: &HashSet<&str>| {
            let entries = query.entries.iter().filter(|it| !left_out.contains(it.name.as_str()));
            grouped(entries.map(|entry| (entry.name.clone(), entry.shape.clone())))
        };
        let modules = file(&HashSet::new());
        let pins = pins(&modules, &program, &pinned);
        if let Some(pins) = pins {
            return Sides { file: modules, program, pins };
        }
        // Tensors that are paired one by one: neither side looks for them.
        let names: HashSet<&str> = pinned.iter().map(|(name, _)| *name).collect();
        let paths: HashSet<&str> = pinned.iter().map(|(_, path)| *path).collect();
        let program = program.without_variables(&paths);
        Sides { file: file(&names), program, pins: Vec::new() }
    }

    fn matched(&self, query: &NameQuery<'_>, is_ordered: bool) -> Result<NameTable, NameMismatch> {
        let excepted = |place: usize| {
            self.program.modules[place].parts.iter().all(|it| (query.is_excepted)(&it.name))
        };
        let tree = NameTree::new(&self.file, is_ordered, |_| true);
        let balance = balance((&self.file, &tree), &self.program, &self.pins, &excepted);
        let lone = Lone::of(self, &tree, &balance, &excepted);
        if !balance.is_even || lone.are_many(query.partial, self.program.len()) {
            return Err(lone.other_architecture([self.file.len(), self.program.len()]));
        }
        let Some(solved) = self.solved(&balance, &lone, is_ordered, &[]) else {
            return Err(lone.other_structure([self.file.len(), self.program.len()]));
        };
        if let [one, two] = &solved.ways[..] {
            return Err(
                self.ambiguous((one, two), |pins| self.solved(&balance, &lone, is_ordered, pins))
            );
        }
        if !balance.of_no_use.is_empty() {
            return Err(lone.of_no_use);
        }
        Ok(table::table(&self.file, &self.program.modules, &solved.ways[0], &excepted))
    }

    /// The best ways, with these pairs beside those of the user's.
    fn solved(
        &self,
        balance: &Balance,
        lone: &Lone,
        is_ordered: bool,
        pins: &[(usize, usize)],
    ) -> Option<Solved> {
        let (mut file, mut program) = (balance.file.clone(), balance.program.clone());
        for (index, &(module, place)) in pins.iter().enumerate() {
            let kind = balance::mixed(PINNED + index);
            (file[module], program[place]) = (kind, kind);
        }
        let tree = NameTree::new(&self.file, is_ordered, |module| !lone.modules.contains(&module));
        let (places, kept) = self.program.without(|place| balance.missing.contains(&place));
        let kinds: Vec<u64> = kept.iter().map(|&place| program[place]).collect();
        let suits = |module: usize, place: usize| {
            suits(&self.file[module], &self.program.modules[kept[place]])
        };
        let kinds = PlaceKinds { file: &file, program: &kinds, suits: &suits };
        let solved = PlaceSearch::new(&tree, &places, kinds).run().ok().flatten()?;
        let back = |way: &search::Way| {
            let mut way: search::Way = way.iter().map(|&(it, place)| (it, kept[place])).collect();
            way.sort_by_key(|&(_, place)| place);
            way
        };
        Some(Solved { score: solved.score, ways: solved.ways.iter().map(back).collect() })
    }

    /// The error about two ways: modules that differ, and for each way rules that lead to it.
    fn ambiguous(
        &self,
        (one, two): (&search::Way, &search::Way),
        solved: impl Fn(&[(usize, usize)]) -> Option<Solved>,
    ) -> NameMismatch {
        const MOST_RULES: usize = 64;
        let of = |way: &search::Way, module: usize| {
            way.iter().find(|(it, _)| *it == module).map(|(_, place)| *place).expect("it is placed")
        };
        let differ: Vec<usize> =
            one.iter().map(|(it, _)| *it).filter(|&it| of(one, it) != of(two, it)).collect();
        let rules = [one, two].map(|way| {
            let mut pins = vec![(differ[0], of(way, differ[0]))];
            while pins.len() < MOST_RULES
                && let Some(Solved { ways, .. }) = solved(&pins)
                && let [one, two] = &ways[..]
            {
                let next = one.iter().find(|(it, place)| of(two, *it) != *place);
                pins.extend(next);
            }
            let rule = |&(module, place): &(usize, usize)| {
                table::rules(&table::row(&self.file[module], &self.program.modules[place], false))
            };
            pins.iter().flat_map(rule).collect()
        });
        let told = |&module: &usize| {
            let place = |way| self.program.modules[of(way, module)].path.clone();
            (self.file[module].path.clone(), place(one), place(two))
        };
        NameMismatch::Ambiguous { differ: differ.iter().map(told).collect(), rules: rules.into() }
    }
}

/// How well a module of a file suits a place of its kind: equal extents before those that only resemble, then
/// equal names.
fn suits(module: &Module, place: &Module) -> Score {
    let same_extents = module.signature() == place.signature();
    let shapes = |module: &Module| {
        module.parts.iter().map(|part| (part.role, part.shape.clone())).collect::<Vec<_>>()
    };
    let last = |path: &str| {
        let last = path.rsplit('.').next().unwrap_or_default();
        last.chars().filter(|it| it.is_alphabetic()).collect::<String>().to_lowercase()
    };
    let same_name = !last(&module.path).is_empty() && last(&module.path) == last(&place.path);
    let score = 2 * i64::from(same_extents) + i64::from(shapes(module) == shapes(place));
    (score, i64::from(same_name))
}

/// The pairs of modules that the user's rules name, where they pair whole modules.
fn pins(
    file: &[Module],
    program: &ProgramModules,
    pinned: &[(&str, &str)],
) -> Option<Vec<(usize, usize)>> {
    let mut pins: Vec<(usize, usize)> = Vec::new();
    for (name, path) in pinned {
        let of = |modules: &[Module], name: &str| {
            modules.iter().position(|module| module.parts.iter().any(|part| part.name == name))
        };
        let pair = (of(file, name)?, of(&program.modules, path)?);
        if file[pair.0].signature() != program.modules[pair.1].signature() {
            return None;
        }
        if !pins.contains(&pair) {
            pins.push(pair);
        }
    }
    let distinct = |of: fn(&(usize, usize)) -> usize| {
        pins.iter().map(of).collect::<HashSet<_>>().len() == pins.len()
    };
    (distinct(|pair| pair.0) && distinct(|pair| pair.1)).then_some(pins)
}

/// The modules of each side that have no counterpart in the other.
struct Lone {
    /// Those of the file that are left out.
    modules: HashSet<usize>,
    file: Vec<String>,
    program: Vec<String>,
    /// How many of the program's are only missing.
    missing: usize,
    of_no_use: NameMismatch,
}

impl Lone {
    fn of(
        sides: &Sides,
        tree: &NameTree,
        balance: &Balance,
        excepted: &dyn Fn(usize) -> bool,
    ) -> Lone {
        let left_out = balance.of_no_use.iter().flat_map(|&node| tree.nodes[node].modules.clone());
        let modules: HashSet<usize> = left_out.collect();
        let program = &sides.program.modules;
        let [known, wanted] = [&sides.file, program]
            .map(|of| of.iter().map(Module::signature).collect::<HashSet<_>>());
        let alone =
            |it: &usize| modules.contains(it) || !wanted.contains(&sides.file[*it].signature());
        let lacks = |place: &usize| {
            let is_missing = balance.missing.contains(place);
            !excepted(*place) && (is_missing || !known.contains(&program[*place].signature()))
        };
        let file = (0..sides.file.len()).filter(alone).map(|it| table::shown(&sides.file[it]));
        let lone = (0..program.len()).filter(lacks).map(|it| table::shown(&program[it]));
        let below = |&node: &usize| {
            let names = tree.nodes[node].modules.iter().flat_map(|&it| &sides.file[it].parts);
            (tree.nodes[node].path.as_str(), names.map(|part| part.name.as_str()).collect())
        };
        let patterns = explain::patterns(balance.of_no_use.iter().map(below).collect());
        let tensors = modules.iter().map(|&it| sides.file[it].parts.len()).sum();
        Lone {
            file: file.collect(),
            program: lone.collect(),
            missing: balance.missing.iter().filter(|it| !excepted(**it)).count(),
            of_no_use: NameMismatch::OfNoUse { patterns, tensors },
            modules,
        }
    }

    /// Whether the two are rather different networks than one with a few differences.
    fn are_many(&self, partial: bool, all: usize) -> bool {
        let missing = if partial { self.missing } else { 0 };
        self.program.len() - missing.min(self.program.len()) > 2.max(all / 4)
            || self.modules.len() > 2.max(all / 2)
    }

    /// The error where no way gives each module a place.
    fn other_structure(self, counts: [usize; 2]) -> NameMismatch {
        let shapes_agree = self.file.is_empty() && self.program.is_empty();
        match shapes_agree {
            true => NameMismatch::OtherStructure { counts },
            false => self.other_architecture(counts),
        }
    }

    fn other_architecture(self, counts: [usize; 2]) -> NameMismatch {
        NameMismatch::OtherArchitecture { counts, file: self.file, program: self.program }
    }
}

/// The tensors that one parameter is made of: two biases of a recurrent layer are added up.
fn sources(module: &Module, place: &Module, role: TensorRole) -> Vec<String> {
    let name = |role| module.part(role).map(|part| part.name.clone());
    let both = role == TensorRole::Bias
        && place.part(TensorRole::Recurrent).is_some()
        && place.part(TensorRole::RecurrentBias).is_none();
    let other = if both { name(TensorRole::RecurrentBias) } else { None };
    name(role).into_iter().chain(other).collect()
}
