//! A topological order of a graph that grows, without cycles, one edge or one union at a time.
//!
//! Vertices have ranks; every edge leads from a lower rank to a higher one. Where a new edge would
//! lead down, the vertices between its two ranks are searched, from both ends in turn, and what one
//! end has is moved past the other: the search ends where one of the two does, so that it costs
//! twice the smaller part of what lies between (after Bender, Fineman, Gilbert and Tarjan, *A new
//! approach to incremental cycle detection and related problems*, 2015; ranks have gaps between).
//!
//! ```text
//! ranks a 0, b 8, c 16    c before a: is c reached from a? no → a 20
//! ```
//!
//! The edges themselves are the caller's: a [`Neighbours`] lists them. Nothing is removed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::mem;

/// The ranks between two vertices that are added one after the other.
const GAP: u64 = 1 << 32;

/// The edges of a graph whose order is kept.
pub trait Neighbours {
    /// Adds the vertices that come after `vertex`; any of them may be listed twice.
    fn after(&self, vertex: usize, found: &mut Vec<usize>);
    /// Adds the vertices that come before `vertex`.
    fn before(&self, vertex: usize, found: &mut Vec<usize>);
}

/// Result of a search between two vertices.
enum SearchResult {
    /// A path leads from one end to the other.
    Path,
    /// All that leads to the late end from above the early one, itself included.
    Ahead(Vec<usize>),
    /// All that the early end reaches up to the late one, itself included.
    After(Vec<usize>),
}

/// The ranks of vertices `0..len`.
#[derive(Clone, Debug, Default)]
pub struct Topological {
    rank: Vec<u64>,
    /// The vertex of each rank.
    order: BTreeMap<u64, usize>,
    /// For each vertex, the last search forward, and the last one back, that has met it.
    reached: Vec<usize>,
    leading: Vec<usize>,
    search: usize,
}

impl Topological {
    /// Adds a vertex that no other comes after.
    pub fn push(&mut self) -> usize {
        let vertex = self.rank.len();
        let rank = self.order.last_key_value().map_or(GAP, |(last, _)| last + GAP);
        self.rank.push(rank);
        self.order.insert(rank, vertex);
        self.reached.push(0);
        self.leading.push(0);
        vertex
    }

    /// Whether `vertex` can come after all of `before` (itself aside): none of them is reached from
    /// it. Changes the ranks so that it does; where it cannot, changes nothing.
    pub fn put_after(&mut self, vertex: usize, before: &[usize], edges: &impl Neighbours) -> bool {
        let own = self.rank[vertex];
        let late: Vec<usize> = before
            .iter()
            .copied()
            .filter(|&other| other != vertex && self.rank[other] > own)
            .collect();
        let Some(last) = late.iter().map(|&other| self.rank[other]).max() else { return true };
        match self.search(vertex, late, last, edges) {
            SearchResult::Path => return false,
            SearchResult::After(after) => self.move_behind(last, after),
            SearchResult::Ahead(ahead) => {
                // Behind whatever stands before the vertex.
                let before = self.order.range(..own).next_back();
                self.move_behind(before.map_or(0, |(&rank, _)| rank), ahead);
            }
        }
        true
    }

    /// Looks for paths from a vertex to `late`, the last of which has the rank `last`: forward, what is
    /// near first, and back, the lowest rank first, by the longest strides.
    fn search(
        &mut self,
        vertex: usize,
        late: Vec<usize>,
        last: u64,
        edges: &impl Neighbours,
    ) -> SearchResult {
        self.search += 1;
        let (now, own) = (self.search, self.rank[vertex]);
        self.reached[vertex] = now;
        let (mut ahead, mut after) = (Vec::new(), vec![vertex]);
        let (mut open, mut at) = (BinaryHeap::new(), 0);
        let mut next = late;
        loop {
            for other in next.drain(..) {
                if self.reached[other] == now {
                    return SearchResult::Path;
                }
                let met = mem::replace(&mut self.leading[other], now) == now;
                if !met && self.rank[other] > own {
                    ahead.push(other);
                    open.push(Reverse((self.rank[other], other)));
                }
            }
            if at == after.len() {
                return SearchResult::After(after);
            }
            edges.after(after[at], &mut next);
            at += 1;
            for other in next.drain(..).filter(|&other| self.rank[other] <= last) {
                if self.leading[other] == now {
                    return SearchResult::Path;
                }
                if mem::replace(&mut self.reached[other], now) != now {
                    after.push(other);
                }
            }
            match open.pop() {
                Some(Reverse((_, lowest))) => edges.before(lowest, &mut next),
                None => return SearchResult::Ahead(ahead),
            }
        }
    }

    /// Gives vertices, in their order so far, ranks right behind another.
    fn move_behind(&mut self, rank: u64, mut moved: Vec<usize>) {
        moved.sort_unstable_by_key(|&vertex| self.rank[vertex]);
        for vertex in &moved {
            self.order.remove(&self.rank[*vertex]);
        }
        let count = moved.len() as u64;
        let end = self.order.range(rank + 1..).next().map(|(&end, _)| end);
        let end = end.unwrap_or(rank + GAP * (count + 1));
        // Near the end: what is put here next stands before these.
        let step = (end - rank) / (16 * (count + 1));
        if step == 0 {
            return self.spread(rank, moved);
        }
        for (place, vertex) in moved.into_iter().rev().enumerate() {
            self.rank[vertex] = end - step * (place as u64 + 1);
            self.order.insert(self.rank[vertex], vertex);
        }
    }

    /// Makes all gaps wide again, with these vertices, which have no rank, right behind one.
    fn spread(&mut self, rank: u64, moved: Vec<usize>) {
        let order = mem::take(&mut self.order);
        let before = order.range(..=rank).map(|(_, &vertex)| vertex);
        let behind = order.range(rank + 1..).map(|(_, &vertex)| vertex);
        let all: Vec<usize> = before.chain(moved).chain(behind).collect();
        for (place, vertex) in all.into_iter().enumerate() {
            self.rank[vertex] = GAP * (place as u64 + 1);
            self.order.insert(self.rank[vertex], vertex);
        }
    }

    /// Whether two vertices can be one: no path leads from one to the other through a third. Changes
    /// the ranks so that [`Topological::unite`] may follow; where it cannot, changes nothing.
    pub fn can_unite(&mut self, a: usize, b: usize, edges: &impl Neighbours) -> bool {
        let (low, high) = if self.rank[a] < self.rank[b] { (a, b) } else { (b, a) };
        let mut before = Vec::new();
        edges.before(high, &mut before);
        self.put_after(low, &before, edges)
    }

    /// Makes two vertices one, which keeps the name of the second.
    pub fn unite(&mut self, gone: usize, kept: usize) {
        let (low, high) =
            (self.rank[kept].min(self.rank[gone]), self.rank[kept].max(self.rank[gone]));
        self.order.remove(&high);
        self.order.insert(low, kept);
        self.rank[kept] = low;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Edges(Vec<(usize, usize)>);

    impl Neighbours for Edges {
        fn after(&self, vertex: usize, found: &mut Vec<usize>) {
            found.extend(self.0.iter().filter(|edge| edge.0 == vertex).map(|edge| edge.1));
        }
        fn before(&self, vertex: usize, found: &mut Vec<usize>) {
            found.extend(self.0.iter().filter(|edge| edge.1 == vertex).map(|edge| edge.0));
        }
    }

    /// Whether an edge closes a cycle, by search.
    fn closes(edges: &Edges, (from, to): (usize, usize)) -> bool {
        let (mut open, mut seen) = (vec![to], vec![false; 64]);
        while let Some(vertex) = open.pop() {
            if vertex == from {
                return true;
            }
            if !mem::replace(&mut seen[vertex], true) {
                edges.after(vertex, &mut open);
            }
        }
        false
    }

    #[test]
    fn random_edges_are_taken_unless_they_close_a_cycle_and_ranks_follow_them() {
        let mut random = 7u64;
        let mut draw = |below: usize| {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (random >> 33) as usize % below
        };
        let (mut order, mut edges) = (Topological::default(), Edges::default());
        for _ in 0..40 {
            order.push();
        }
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..400 {
            let edge = (draw(40), draw(40));
            if edge.0 == edge.1 {
                continue;
            }
            let can = order.put_after(edge.1, &[edge.0], &edges);
            assert_eq!(can, !closes(&edges, edge), "{edge:?}");
            if can {
                edges.0.push(edge);
                taken += 1;
            } else {
                refused += 1;
            }
            assert!(edges.0.iter().all(|edge| order.rank[edge.0] < order.rank[edge.1]));
        }
        assert!(taken > 50 && refused > 50, "{taken} {refused}");
    }
}
