//! The search for the places of a file's modules among those of a program.
//!
//! In: the tree of the file's names, the program's modules in order of use. Out: the best way to give each
//! module of the file a place of its own; two ways, where no other is better than either.
//!
//! ```text
//! file      layer1.0 {bn1 bn2 conv1 conv2}  layer1.1 {…}  conv1  bn1  fc
//! program   conv bn │ conv bn conv bn │ conv bn conv bn │ dense
//! ```
//!
//! The modules below one prefix take neighbouring places; families are in order; each module takes a place of
//! its own kind. So a node at a place has few ways, and those of a node are found once for each place. Among
//! ways that are possible, the best are those in which most of this holds:
//!
//! - each member of a family feeds the next: in a bottleneck of ResNet, `conv3` has the shape of
//!   `downsample.0`, but only one of the two places lies behind `conv2`;
//! - the modules below a prefix are those of one layer of the program: `layer1.0` is all of `residual`;
//! - modules of one number are neighbours: `conv1` and `bn1`.

use super::program::ProgramModules;
use super::tree::{NameNumber, NameTree};
use std::collections::HashMap;
use std::rc::Rc;

/// How well a way fits: in the first place by the graph, then by names.
pub(super) type Score = (i64, i64);

/// Places of modules: module of the file, place in the program.
pub(super) type Way = Vec<(usize, usize)>;

/// The best ways, at most two.
#[derive(Clone, Debug)]
pub(super) struct Solved {
    pub score: Score,
    pub ways: Vec<Way>,
}

/// The steps that a search may take.
const MOST_STEPS: usize = 300_000;

/// The children that a node may have.
const MOST_CHILDREN: usize = 2_000;

/// The search would take too long.
#[derive(Debug)]
pub(super) struct TooLong;

/// Which modules can stand for each other.
pub(super) struct PlaceKinds<'a> {
    /// Of each module of the file, a number of its kind.
    pub file: &'a [u64],
    /// Of each place of the program.
    pub program: &'a [u64],
    /// How well a module of the file suits a place of its kind.
    pub suits: &'a dyn Fn(usize, usize) -> Score,
}

pub(super) struct PlaceSearch<'a> {
    tree: &'a NameTree,
    program: &'a ProgramModules,
    kinds: PlaceKinds<'a>,
    /// For each node, the sum of its modules' kinds.
    sums: Vec<u64>,
    /// For each place, the sum of the kinds before it.
    before: Vec<u64>,
    found: HashMap<(usize, usize), Option<Rc<Solved>>>,
    steps: usize,
}

/// The state of a node's children when some have their places.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct PlacedChildren {
    /// For each family, how many have their places, and the place of the last.
    families: Vec<(usize, usize)>,
    /// The number of the last child.
    last: NameNumber,
}

impl<'a> PlaceSearch<'a> {
    pub fn new(
        tree: &'a NameTree,
        program: &'a ProgramModules,
        kinds: PlaceKinds<'a>,
    ) -> PlaceSearch<'a> {
        let sum = |modules: &Vec<usize>| {
            modules.iter().fold(0u64, |sum, &module| sum.wrapping_add(kinds.file[module]))
        };
        let sums = tree.nodes.iter().map(|node| sum(&node.modules)).collect();
        let mut before = vec![0u64];
        for kind in kinds.program {
            before.push(before.last().expect("one").wrapping_add(*kind));
        }
        PlaceSearch { tree, program, kinds, sums, before, found: HashMap::new(), steps: 0 }
    }

    /// The best ways to place all modules.
    pub fn run(mut self) -> Result<Option<Solved>, TooLong> {
        let root = self.tree.root();
        Ok(self.place(root, 0)?.map(|solved| Solved::clone(&solved)))
    }

    /// The best ways to place the modules of a node, from this place on.
    fn place(&mut self, node: usize, at: usize) -> Result<Option<Rc<Solved>>, TooLong> {
        let end = at + self.tree.nodes[node].modules.len();
        if end > self.program.len()
            || self.before[end].wrapping_sub(self.before[at]) != self.sums[node]
        {
            return Ok(None);
        }
        if let Some(found) = self.found.get(&(node, at)) {
            return Ok(found.clone());
        }
        let solved = match self.tree.nodes[node].module {
            Some(module) => {
                let score = (self.kinds.suits)(module, at);
                Some(Rc::new(Solved { score, ways: vec![vec![(module, at)]] }))
            }
            None => {
                let families = &self.tree.nodes[node].families;
                if families.iter().map(Vec::len).sum::<usize>() > MOST_CHILDREN {
                    return Err(TooLong);
                }
                let families = vec![(0, 0); families.len()];
                let none = PlacedChildren { families, last: (None, None) };
                let solved = self.rest(node, none, at, &mut HashMap::new())?;
                let is_group = end > at + 1 && self.program.is_group(at..end);
                solved.map(|it| match is_group {
                    true => {
                        Rc::new(Solved { score: (it.score.0 + 1, it.score.1), ..(*it).clone() })
                    }
                    false => it,
                })
            }
        };
        self.found.insert((node, at), solved.clone());
        Ok(solved)
    }

    /// The best ways to place the children of a node that have no places yet.
    fn rest(
        &mut self,
        node: usize,
        placed: PlacedChildren,
        at: usize,
        known: &mut HashMap<PlacedChildren, Option<Rc<Solved>>>,
    ) -> Result<Option<Rc<Solved>>, TooLong> {
        if let Some(solved) = known.get(&placed) {
            return Ok(solved.clone());
        }
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return Err(TooLong);
        }
        let tree = self.tree;
        let families = &tree.nodes[node].families;
        let mut best: Option<Solved> = None;
        let mut is_done = true;
        for (index, family) in families.iter().enumerate() {
            let (count, last) = placed.families[index];
            let Some(&child) = family.get(count) else { continue };
            is_done = false;
            let Some(first) = self.place(child, at)? else { continue };
            let end = at + tree.nodes[child].modules.len();
            // Blocks have numbers of their own.
            let number = match tree.nodes[child].module {
                Some(_) => tree.nodes[child].number,
                None => (None, None),
            };
            let mut next = PlacedChildren { families: placed.families.clone(), last: number };
            // Where the last is matters to the next alone: other ways to here are the same.
            next.families[index] = (count + 1, if count + 1 < family.len() { at } else { 0 });
            let Some(others) = self.rest(node, next, end, known)? else { continue };
            let feeds = count > 0 && self.program.leads(last, end - 1);
            let of_one_number = number.0.is_some() && number == placed.last;
            let bonus = i64::from(feeds) + i64::from(of_one_number);
            better(&mut best, joined(&first, &others, bonus));
        }
        let solved = match is_done {
            true => Some(Rc::new(Solved { score: (0, 0), ways: vec![Vec::new()] })),
            false => best.map(Rc::new),
        };
        known.insert(placed, solved.clone());
        Ok(solved)
    }
}

/// The ways of two sets of modules together.
fn joined(first: &Solved, others: &Solved, bonus: i64) -> Solved {
    let score = (first.score.0 + others.score.0 + bonus, first.score.1 + others.score.1);
    let pairs = first.ways.iter().flat_map(|a| others.ways.iter().map(move |b| (a, b)));
    let ways = pairs.take(2).map(|(a, b)| [&a[..], &b[..]].concat()).collect();
    Solved { score, ways }
}

/// Keeps the better; of equally good ones two ways.
fn better(best: &mut Option<Solved>, new: Solved) {
    match best {
        Some(best) if best.score > new.score => {}
        Some(best) if best.score == new.score => {
            best.ways.extend(new.ways);
            best.ways.truncate(2);
        }
        _ => *best = Some(new),
    }
}
