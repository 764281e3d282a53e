//! Both sides counted by kind of module: equal kinds can stand for each other, and what one side has too many
//! of is paired with what resembles it on the other, or left out.
//!
//! ```text
//! file      20 convolutions and norms, linear 512 → 1000, aux.linear 512 → 1000
//! program   20 convolutions and norms, dense 512 → 2
//! → fc is paired with dense, which resembles it; aux is of no use
//! ```

use super::modules::{Module, Signature};
use super::program::ProgramModules;
use super::tree::NameTree;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// Which modules can stand for which, and which are left out.
#[derive(Clone, Debug)]
pub(super) struct Balance {
    /// Of each module of the file, a number of its kind.
    pub file: Vec<u64>,
    /// Of each module of the program.
    pub program: Vec<u64>,
    /// Prefixes of the file that the program has no place for, as nodes of the tree.
    pub of_no_use: Vec<usize>,
    /// Modules of the program that the file has nothing for.
    pub missing: Vec<usize>,
    /// Whether the file and the program come out even, but for those.
    pub is_even: bool,
}

/// Balances both sides. Pinned pairs stand for each other alone.
pub(super) fn balance(
    (file, tree): (&[Module], &NameTree),
    program: &ProgramModules,
    pins: &[(usize, usize)],
    excepted: &dyn Fn(usize) -> bool,
) -> Balance {
    let mut kinds = ModuleKinds::default();
    let mut of_file: Vec<usize> = file.iter().map(|module| kinds.of(module)).collect();
    let mut of_program: Vec<usize> = program.modules.iter().map(|it| kinds.of(it)).collect();
    for &(module, place) in pins {
        let fresh = kinds.fresh();
        (of_file[module], of_program[place]) = (fresh, fresh);
    }
    let counted = tree.nodes[tree.root()].modules.clone();
    let excess = excess(counted.iter().map(|&at| of_file[at]), &of_program);
    let firsts: HashMap<usize, usize> =
        counted.iter().rev().map(|&module| (of_file[module], module)).collect();
    // ModuleKinds of which one side has too many, and that resemble each other, become one.
    let mut open: Vec<usize> =
        (0..program.len()).filter(|&at| excess[&of_program[at]] < 0).collect();
    open.sort_by_key(|&at| !excepted(at));
    let mut left = excess.clone();
    for place in open {
        let kind = of_program[place];
        if left.get(&kind).is_none_or(|&count| count >= 0) {
            continue;
        }
        let alike = |(other, count): (&usize, &i64)| {
            let module = firsts.get(other).filter(|_| *count > 0)?;
            Some((file[*module].likeness(&program.modules[place])?, Reverse(*other)))
        };
        // The most alike; of several the first.
        let Some((_, Reverse(other))) = left.iter().filter_map(alike).max() else { continue };
        kinds.join(kind, other);
        *left.entry(kind).or_default() += 1;
        *left.entry(other).or_default() -= 1;
    }
    let file_kinds: Vec<u64> = of_file.iter().map(|&kind| mixed(kinds.root(kind))).collect();
    let program_kinds: Vec<u64> = of_program.iter().map(|&kind| mixed(kinds.root(kind))).collect();
    let left = self::excess(counted.iter().map(|&at| file_kinds[at]), &program_kinds);
    settle((file_kinds, program_kinds), (tree, program), left, excepted)
}

/// How many more the file has of each kind than the program.
fn excess<K: Ord + Copy>(file: impl Iterator<Item = K>, program: &[K]) -> BTreeMap<K, i64> {
    let mut excess = BTreeMap::new();
    file.for_each(|kind| *excess.entry(kind).or_default() += 1);
    program.iter().for_each(|kind| *excess.entry(*kind).or_default() -= 1);
    excess
}

/// Leaves out of each side what the other has no counterpart for.
fn settle(
    (file, program): (Vec<u64>, Vec<u64>),
    (tree, modules): (&NameTree, &ProgramModules),
    mut left: BTreeMap<u64, i64>,
    excepted: &dyn Fn(usize) -> bool,
) -> Balance {
    let mut of_no_use = Vec::new();
    let mut open = vec![tree.root()];
    while let Some(node) = open.pop() {
        let below = &tree.nodes[node].modules;
        let counts = excess(below.iter().map(|&at| file[at]), &[]);
        let is_too_much = counts.iter().all(|(kind, count)| left.get(kind) >= Some(count));
        if is_too_much && node != tree.root() {
            counts.into_iter().for_each(|(kind, count)| *left.entry(kind).or_default() -= count);
            of_no_use.push(node);
        } else {
            open.extend(tree.nodes[node].families.iter().flatten().rev());
        }
    }
    let mut missing = Vec::new();
    for place in (0..modules.len()).filter(|&place| excepted(place)) {
        if left.get(&program[place]).is_some_and(|&count| count < 0) {
            *left.entry(program[place]).or_default() += 1;
            missing.push(place);
        }
    }
    for place in (0..modules.len()).filter(|&place| !excepted(place)) {
        let count = left.get(&program[place]).copied().unwrap_or_default();
        let alike = (0..modules.len())
            .filter(|&at| program[at] == program[place] && !excepted(at) && !missing.contains(&at));
        // Which of several is missing, nobody can say.
        if count < 0 && alike.count() as i64 == -count {
            *left.entry(program[place]).or_default() += 1;
            missing.push(place);
        }
    }
    let is_even = left.values().all(|&count| count == 0);
    Balance { file, program, of_no_use, missing, is_even }
}

/// ModuleKinds of modules, by their signatures; some are joined.
#[derive(Default)]
struct ModuleKinds {
    known: HashMap<Signature, usize>,
    parents: Vec<usize>,
}

impl ModuleKinds {
    fn fresh(&mut self) -> usize {
        self.parents.push(self.parents.len());
        self.parents.len() - 1
    }

    fn of(&mut self, module: &Module) -> usize {
        let signature = module.signature();
        if let Some(&kind) = self.known.get(&signature) {
            return kind;
        }
        let kind = self.fresh();
        self.known.insert(signature, kind);
        kind
    }

    fn root(&self, mut kind: usize) -> usize {
        while self.parents[kind] != kind {
            kind = self.parents[kind];
        }
        kind
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[b] = a;
    }
}

/// A number whose sums with others tell which they are of (the finaliser of SplitMix64, Steele et al. 2014).
pub(super) fn mixed(kind: usize) -> u64 {
    let mut bits = (kind as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
