//! Typed ids and the arenas they index.
//!
//! `entity! { pub struct NodeId("%") }` makes a 32-bit id whose `Display` is its text form
//! (`%7`), and [`Arena<NodeId, Node>`] is a vector that only a `NodeId` can index. Entries are
//! never removed: a pass that drops some builds a new arena.

use std::iter::Enumerate;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// An id that indexes an [`Arena`].
pub trait Entity: Copy + Eq {
    /// The id of the entry at `index`.
    fn from_index(index: usize) -> Self;
    /// The position of this id's entry.
    fn index(self) -> usize;
}

/// Declares ids: `entity! { /// A node. pub struct NodeId("%"); }`. The string is what the id's
/// number follows where it is printed.
#[macro_export]
macro_rules! entity {
    ($($(#[$doc:meta])* pub struct $name:ident($prefix:literal);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl $crate::base::entity::Entity for $name {
            fn from_index(index: usize) -> Self {
                $name(u32::try_from(index).expect("fewer than 2^32 entries"))
            }
            fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    )*};
}

/// A vector indexed by the typed id `K`.
#[derive(Clone, Debug, PartialEq)]
pub struct Arena<K, V> {
    entries: Vec<V>,
    key: PhantomData<K>,
}

impl<K, V> Default for Arena<K, V> {
    fn default() -> Self {
        Arena { entries: Vec::new(), key: PhantomData }
    }
}

impl<K: Entity, V> Arena<K, V> {
    /// An empty arena.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry and returns its id.
    pub fn push(&mut self, value: V) -> K {
        self.entries.push(value);
        K::from_index(self.entries.len() - 1)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of an id that may not exist (ids read from text).
    pub fn get(&self, key: K) -> Option<&V> {
        self.entries.get(key.index())
    }

    /// The same, to change.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.entries.get_mut(key.index())
    }

    /// All ids, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = K> + ExactSizeIterator + use<K, V> {
        (0..self.entries.len()).map(K::from_index)
    }

    /// All entries, in order.
    pub fn values(&self) -> std::slice::Iter<'_, V> {
        self.entries.iter()
    }

    /// All entries, in order, to change.
    pub fn values_mut(&mut self) -> std::slice::IterMut<'_, V> {
        self.entries.iter_mut()
    }

    /// All entries with their ids, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (K, &V)> + ExactSizeIterator {
        self.entries.iter().enumerate().map(|(index, value)| (K::from_index(index), value))
    }
}

impl<K: Entity, V> IntoIterator for Arena<K, V> {
    type Item = (K, V);
    type IntoIter = std::iter::Map<Enumerate<std::vec::IntoIter<V>>, fn((usize, V)) -> (K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter().enumerate().map(|(index, value)| (K::from_index(index), value))
    }
}

impl<K: Entity, V> Index<K> for Arena<K, V> {
    type Output = V;
    fn index(&self, key: K) -> &V {
        &self.entries[key.index()]
    }
}

impl<K: Entity, V> IndexMut<K> for Arena<K, V> {
    fn index_mut(&mut self, key: K) -> &mut V {
        &mut self.entries[key.index()]
    }
}

impl<K: Entity, V> FromIterator<V> for Arena<K, V> {
    fn from_iter<I: IntoIterator<Item = V>>(values: I) -> Self {
        Arena { entries: values.into_iter().collect(), key: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    entity! { pub struct TestId("t"); }

    #[test]
    fn an_id_prints_its_prefix_and_finds_its_entry() {
        let mut arena: Arena<TestId, &str> = Arena::new();
        let first = arena.push("first");
        let second = arena.push("second");
        assert_eq!(second.to_string(), "t1");
        assert_eq!((arena[first], arena[second]), ("first", "second"));
        assert_eq!(arena.keys().collect::<Vec<_>>(), [first, second]);
    }
}
