//! A topological order of a graph that grows, without cycles, one edge or one union at a time.
//!
//! Vertices have ranks; every edge leads from a lower rank to a higher one. Where a new edge would
//! lead down, only the vertices between its two ranks that it concerns are searched and moved
//! (Pearce and Kelly, *A dynamic topological sort algorithm for directed acyclic graphs*, 2006).
//!
//! ```text
//! ranks a 0, b 1, c 2    c before a: is c reached from a? no → c 0, a 1 (b stays between or after)
//! ```
//!
//! The edges themselves are the caller's: a [`Neighbours`] lists them. Nothing is removed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::mem;

/// The edges of a graph whose order is kept.
pub trait Neighbours {
    /// Adds the vertices that come after `vertex`; any of them may be listed twice.
    fn after(&self, vertex: usize, found: &mut Vec<usize>);
    /// Adds the vertices that come before `vertex`.
    fn before(&self, vertex: usize, found: &mut Vec<usize>);
}

/// The ranks of vertices `0..len`.
#[derive(Clone, Debug, Default)]
pub struct Topological {
    rank: Vec<usize>,
    next: usize,
    /// For each vertex, the last search that has met it.
    seen: Vec<usize>,
    search: usize,
}

impl Topological {
    /// Adds a vertex that no other comes after.
    pub fn push(&mut self) -> usize {
        self.rank.push(self.next);
        self.seen.push(0);
        self.next += 1;
        self.rank.len() - 1
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
        let Some(ahead) = self.leading_to(late, vertex, edges) else { return false };
        let after = self.reached(vertex, last, edges);
        self.reorder(ahead, after);
        true
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
        self.rank[kept] = self.rank[kept].min(self.rank[gone]);
    }

    /// What leads to vertices from above the rank of another on, themselves included; none where
    /// that one does. The lowest rank is looked at first: where there is a path, it is most often
    /// found by the longest strides.
    fn leading_to(
        &mut self,
        late: Vec<usize>,
        vertex: usize,
        edges: &impl Neighbours,
    ) -> Option<Vec<usize>> {
        self.search += 1;
        let above = self.rank[vertex];
        let mut found = Vec::new();
        let mut open = BinaryHeap::new();
        let mut next = late;
        loop {
            for other in next.drain(..) {
                if other == vertex {
                    return None;
                }
                let met = mem::replace(&mut self.seen[other], self.search) == self.search;
                if !met && self.rank[other] > above {
                    found.push(other);
                    open.push(Reverse((self.rank[other], other)));
                }
            }
            let Some(Reverse((_, lowest))) = open.pop() else { return Some(found) };
            edges.before(lowest, &mut next);
        }
    }

    /// What is reached from a vertex up to a rank, itself included.
    fn reached(&mut self, vertex: usize, last: usize, edges: &impl Neighbours) -> Vec<usize> {
        self.search += 1;
        self.seen[vertex] = self.search;
        let mut reached = vec![vertex];
        let mut next = Vec::new();
        let mut at = 0;
        while at < reached.len() {
            edges.after(reached[at], &mut next);
            at += 1;
            for other in next.drain(..) {
                let met = mem::replace(&mut self.seen[other], self.search) == self.search;
                if !met && self.rank[other] <= last {
                    reached.push(other);
                }
            }
        }
        reached
    }

    /// Gives the ranks of both lists to the first, then to the second, each in its order so far.
    fn reorder(&mut self, mut ahead: Vec<usize>, mut after: Vec<usize>) {
        ahead.sort_unstable_by_key(|&vertex| self.rank[vertex]);
        after.sort_unstable_by_key(|&vertex| self.rank[vertex]);
        let moved = ahead.into_iter().chain(after);
        let moved: Vec<usize> = moved.collect();
        let mut ranks: Vec<usize> = moved.iter().map(|&vertex| self.rank[vertex]).collect();
        ranks.sort_unstable();
        for (vertex, rank) in moved.into_iter().zip(ranks) {
            self.rank[vertex] = rank;
        }
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
