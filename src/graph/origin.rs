//! Where a node came from: an interned chain of call sites, innermost first.
//!
//! A node built by `dense` in the prelude, called from a model, has the origin
//! `prelude line ← the call in the model`. Passes give what they make the origin of what they
//! made it from, so every kernel can name the source line it serves.

use crate::base::entity::Arena;
use crate::base::source::Span;
use crate::entity;
use std::collections::HashMap;

entity! {
    /// An interned chain of places.
    pub struct OriginId("@");
}

/// A place, and the call it was reached through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The place.
    pub span: Span,
    /// The call site, outward; `None` at the top.
    pub caller: Option<OriginId>,
    /// The layer's path in the model at this place: `block.dense_2`; empty at the top.
    pub path: String,
}

/// All origins of a graph.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    origins: Arena<OriginId, Origin>,
    known: HashMap<Origin, OriginId>,
}

impl Origins {
    /// The id of an origin, the same for equal ones.
    pub fn intern(&mut self, origin: Origin) -> OriginId {
        if let Some(&id) = self.known.get(&origin) {
            return id;
        }
        let id = self.origins.push(origin.clone());
        self.known.insert(origin, id);
        id
    }

    /// An origin.
    pub fn get(&self, id: OriginId) -> &Origin {
        &self.origins[id]
    }

    /// The places of a chain, innermost first.
    pub fn chain(&self, id: OriginId) -> impl Iterator<Item = &Origin> {
        std::iter::successors(Some(self.get(id)), |origin| origin.caller.map(|id| self.get(id)))
    }
}
