//! The names of a file as the tree of modules that they are written from.
//!
//! ```text
//! bn1  conv1  fc  layer1.0.conv1  layer1.0.conv2  layer1.10.conv1     (a file sorts them by name)
//! families: [bn1] [conv1] [fc] [layer1: families [0, 10]]
//! ```
//!
//! The order of a file says nothing, that of a name's numbers does: children of one node whose names differ
//! only in the number at their ends are a family, and come in the order of these numbers; so are those whose
//! names are letters from `a` on.

use super::modules::Module;
use std::collections::HashMap;

/// Parts of names that are looked at; a file may be hostile.
const DEPTH: usize = 64;

/// A prefix of names.
#[derive(Clone, Debug)]
pub(super) struct TreeNode {
    /// The module, where no names go on.
    pub module: Option<usize>,
    /// Its children, in families.
    pub families: Vec<Vec<usize>>,
    /// The modules below, itself included.
    pub modules: Vec<usize>,
    /// The whole prefix.
    pub path: String,
    /// The number at its end.
    pub number: NameNumber,
}

/// All prefixes; the root is the last.
#[derive(Clone, Debug, Default)]
pub(super) struct NameTree {
    pub nodes: Vec<TreeNode>,
    is_ordered: bool,
}

impl NameTree {
    /// The tree of these modules, of which only some count; where numbers give no order, each child is a
    /// family of its own.
    pub fn new(modules: &[Module], is_ordered: bool, counts: impl Fn(usize) -> bool) -> NameTree {
        let mut tree = NameTree { is_ordered, nodes: Vec::new() };
        let all: Vec<(usize, Vec<&str>)> = modules
            .iter()
            .enumerate()
            .filter(|(at, _)| counts(*at))
            .map(|(at, module)| (at, module.path.splitn(DEPTH, '.').collect()))
            .collect();
        tree.grow(&all, 0, "");
        tree
    }

    pub fn root(&self) -> usize {
        self.nodes.len() - 1
    }

    /// Adds the node of these modules, whose names agree in their first `depth` parts.
    fn grow(&mut self, modules: &[(usize, Vec<&str>)], depth: usize, path: &str) -> usize {
        let all = modules.iter().map(|(at, _)| *at).collect();
        let mut node = TreeNode {
            module: None,
            families: Vec::new(),
            modules: all,
            path: path.to_owned(),
            number: numbered(path).1,
        };
        if let [(only, parts)] = modules
            && parts.len() <= depth
        {
            node.module = Some(*only);
        } else {
            node.families = self.children(modules, depth, path);
        }
        self.nodes.push(node);
        self.root()
    }

    fn children(
        &mut self,
        modules: &[(usize, Vec<&str>)],
        depth: usize,
        path: &str,
    ) -> Vec<Vec<usize>> {
        type Named<'m> = (usize, Vec<&'m str>);
        let mut groups: Vec<(Option<&str>, Vec<Named<'_>>)> = Vec::new();
        let mut known: HashMap<Option<&str>, usize> = HashMap::new();
        for module in modules {
            // A module with others below it is their sibling, without a name.
            let name = module.1.get(depth).copied();
            let group = *known.entry(name).or_insert(groups.len());
            if group == groups.len() {
                groups.push((name, Vec::new()));
            }
            groups[group].1.push(module.clone());
        }
        let mut families: Vec<Vec<(NameNumber, usize)>> = Vec::new();
        let mut stems: HashMap<(bool, &str), usize> = HashMap::new();
        for (name, below) in groups {
            let path = match (path, name) {
                (path, None) => path.to_owned(),
                ("", Some(name)) => name.to_owned(),
                (path, Some(name)) => format!("{path}.{name}"),
            };
            let (is_named, name) = (name.is_some(), name.unwrap_or_default());
            let child = self.grow(&below, depth + 1, &path);
            let (stem, number) =
                if self.is_ordered { numbered(name) } else { (name, (None, None)) };
            let family = *stems.entry((is_named, stem)).or_insert(families.len());
            if family == families.len() {
                families.push(Vec::new());
            }
            families[family].push((number, child));
        }
        let ordered = |mut family: Vec<(NameNumber, usize)>| {
            family.sort();
            family.into_iter().map(|(_, child)| child).collect()
        };
        families.into_iter().map(ordered).collect()
    }
}

/// The number at the end of a name, and the letter behind it.
pub(super) type NameNumber = (Option<u64>, Option<char>);

/// A name without the number at its end, and that: `inception3a` is `inception` and 3a.
fn numbered(name: &str) -> (&str, NameNumber) {
    if let [letter @ b'a'..=b'h'] = name.as_bytes() {
        // `f.a`, `f.b`, `f.c`; not the letters of queries, keys and values.
        return ("", (None, Some(char::from(*letter))));
    }
    let letter = name.chars().last().filter(char::is_ascii_lowercase);
    let is_numbered = |rest: &str| rest.ends_with(|last: char| last.is_ascii_digit());
    let (rest, letter) = match letter {
        Some(letter) if is_numbered(&name[..name.len() - 1]) => {
            (&name[..name.len() - 1], Some(letter))
        }
        _ => (name, None),
    };
    let stem = rest.trim_end_matches(|last: char| last.is_ascii_digit());
    match rest[stem.len()..].parse() {
        Ok(number) => (stem, (Some(number), letter)),
        Err(_) => (name, (None, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_at_the_end_of_names_make_families() {
        assert_eq!(numbered("conv1"), ("conv", (Some(1), None)));
        assert_eq!(numbered("10"), ("", (Some(10), None)));
        assert_eq!(numbered("inception4b"), ("inception", (Some(4), Some('b'))));
        assert_eq!(numbered("downsample"), ("downsample", (None, None)));
        assert_eq!(numbered("branch3x3"), ("branch3x", (Some(3), None)));
        assert_eq!(numbered("ln_2"), ("ln_", (Some(2), None)));
        assert_eq!(numbered("b"), ("", (None, Some('b'))));
        assert_eq!(numbered("q"), ("q", (None, None)));
        assert_eq!(numbered(""), ("", (None, None)));
        assert_eq!(numbered("99999999999999999999999"), ("99999999999999999999999", (None, None)));
    }

    #[test]
    fn names_without_end_or_with_empty_parts_make_a_tree() {
        let deep = "a.".repeat(100_000);
        let paths = ["a", "a.", "a..", ".a", "", &deep, &format!("{deep}b"), "é_1"];
        let modules = paths.map(|path| Module { path: path.to_owned(), parts: Vec::new() });
        let tree = NameTree::new(&modules, true, |_| true);
        assert_eq!(tree.nodes[tree.root()].modules.len(), paths.len());
        assert_eq!(tree.nodes.iter().filter(|node| node.module.is_some()).count(), paths.len());
    }

    #[test]
    fn children_are_in_the_order_of_their_numbers() {
        let paths = ["a.1.conv", "a.10.conv", "a.2.conv", "a.2.norm", "bn", "a"];
        let module = |path: &str| Module { path: path.into(), parts: Vec::new() };
        let modules: Vec<Module> = paths.iter().map(|path| module(path)).collect();
        let tree = NameTree::new(&modules, true, |_| true);
        let root = &tree.nodes[tree.root()];
        assert_eq!(root.modules.len(), 6);
        let a = &tree.nodes[root.families[0][0]];
        let names = |family: &[usize]| {
            family.iter().map(|&it| tree.nodes[it].path.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&a.families[0]), ["a.1", "a.2", "a.10"]);
        assert_eq!(names(&a.families[1]), ["a"], "the module `a` itself");
        assert_eq!(tree.nodes[a.families[1][0]].module, Some(5));
    }
}
