//! The meaning of names in the code being elaborated: one [`CallFrame`] a call, one map a block.
//!
//! Elaborating `dense(10)` pushes a frame with `x`, `units`, `bias` and the dimensions `S` and `I`;
//! the branch of an `if` pushes a block, whose names end with it. A frame also knows how paths go
//! on from it (the names its layer calls have taken) and where it was called.

use super::value::Value;
use crate::base::source::Span;
use crate::graph::OriginId;
use crate::syntax::ast::{FunctionKind, PipeStage};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// The meaning of a name.
#[derive(Clone)]
pub(super) enum Binding<'a> {
    /// A value.
    Value(Value, Role, Span),
    /// A state, by its path.
    State(String, Span),
    /// A carry of the scan in progress, by its number.
    Carry(usize, Span),
    /// A stage named by `as`.
    Label(Rc<NamedStage<'a>>, Span),
    /// Something whose value could not be computed, which has been reported.
    Failed(Span),
}

/// How a value came by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// An argument.
    Argument,
    /// A dimension of an argument's type.
    Dimension,
    /// A `let`, or the counter of a `repeat`.
    Let,
    /// A `param`.
    Param,
    /// An optimizer's parameter, which `<-` rebinds.
    Updated,
}

impl Binding<'_> {
    /// Where the name was bound.
    pub fn span(&self) -> Span {
        match self {
            Binding::Value(_, _, span)
            | Binding::State(_, span)
            | Binding::Carry(_, span)
            | Binding::Label(_, span)
            | Binding::Failed(span) => *span,
        }
    }
}

/// A stage that can be applied again, to the same parameters.
pub(super) struct NamedStage<'a> {
    /// The stage.
    pub stage: &'a PipeStage,
    /// Its path: `block.head`.
    pub path: String,
    /// The names it saw.
    pub blocks: Vec<BlockNames<'a>>,
}

/// The names of a block.
pub(super) type BlockNames<'a> = HashMap<&'a str, Binding<'a>>;

/// A call in progress.
pub(super) struct CallFrame<'a> {
    /// Name of the layer or function that is called: `dense`; empty at the top.
    pub name: &'a str,
    /// Of which kind; `None` at the top, in constants and settings.
    pub kind: Option<FunctionKind>,
    /// Whether its code is the prelude's.
    pub builtin: bool,
    /// The path of what it declares: `block.dense_2`; empty at the top.
    pub path: String,
    /// Whether it runs a second time on the same path, so that its parameters exist.
    pub reused: bool,
    /// The call's place in the caller's code; `None` at the top.
    pub call: Option<Span>,
    /// The call's origin.
    pub caller: Option<OriginId>,
    /// Where each argument was written: what the prelude hands on is blamed there.
    pub given: HashMap<&'a str, Span>,
    /// How often each name was taken in this frame's path.
    pub taken: HashMap<String, usize>,
    /// The labels given so far, with the places of their stages.
    pub labels: HashMap<&'a str, Span>,
    /// Its names, innermost block last.
    pub blocks: Vec<BlockNames<'a>>,
}

impl<'a> CallFrame<'a> {
    /// A frame with one empty block.
    pub fn new(name: &'a str, kind: Option<FunctionKind>, builtin: bool) -> Self {
        CallFrame {
            name,
            kind,
            builtin,
            path: String::new(),
            reused: false,
            call: None,
            caller: None,
            given: HashMap::new(),
            taken: HashMap::new(),
            labels: HashMap::new(),
            blocks: vec![BlockNames::new()],
        }
    }

    /// The meaning of a name, innermost block first.
    pub fn find(&self, name: &str) -> Option<&Binding<'a>> {
        self.blocks.iter().rev().find_map(|block| block.get(name))
    }

    /// The same, to change.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut Binding<'a>> {
        self.blocks.iter_mut().rev().find_map(|block| block.get_mut(name))
    }

    /// Binds a name in the innermost block.
    pub fn bind(&mut self, name: &'a str, binding: Binding<'a>) {
        if let Some(block) = self.blocks.last_mut() {
            block.insert(name, binding);
        }
    }

    /// Cost of copying its names, in steps.
    pub fn size(&self) -> usize {
        let of = |binding: &Binding<'a>| match binding {
            Binding::Value(value, ..) => value.size(),
            Binding::State(..) | Binding::Carry(..) => 1,
            Binding::Label(..) | Binding::Failed(_) => 1,
        };
        let names = self.blocks.iter().flat_map(|block| block.values()).map(of);
        names.sum::<usize>() + self.taken.len() + self.labels.len()
    }

    /// All names bound here, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let names: BTreeSet<&'a str> =
            self.blocks.iter().flat_map(|block| block.keys().copied()).collect();
        names.into_iter()
    }
}
