//! Every name of a program's files with what it names, as far as the text alone tells: the scopes of
//! functions and blocks, items of the program and of the prelude, arguments of calls, fields of data.
//!
//! ```text
//! layer block(x: f32[N, C], units: int) -> f32[N, units] { x |> dense(units: units) as out }
//!             │          │  │                    └ the parameter `units`      │      │
//!             declared names ┘                     the prelude's `dense` and its parameter
//! ```
//!
//! Half of a program suffices: what a name means is not asked of elaboration, which may not have come
//! so far. A name that nothing declares is there too, with what its place says of it.

mod resolve;

use crate::base::source::{FileId, Span};
use crate::syntax::ast::{File, FunctionKind};

/// A declared name.
#[derive(Clone, Debug)]
pub struct DeclaredName {
    /// The name.
    pub name: String,
    /// Its place.
    pub span: Span,
    /// The place of the whole declaration.
    pub whole: Span,
    /// Its role.
    pub role: NameRole,
    /// The documentation of an item.
    pub doc: String,
    /// The declaration that it is a parameter or a field of.
    pub owner: Option<usize>,
}

/// The role of a declared name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRole {
    /// A `layer`, `model`, `loss`, ….
    Function(FunctionKind),
    /// A `const`.
    Constant,
    /// A `data` item.
    Data,
    /// A field of a `data` item.
    Field,
    /// A parameter of a function.
    Argument,
    /// A dimension in a parameter's type.
    Dimension,
    /// A `let`, the counter of a `repeat`, the slice of a `scan`.
    Variable,
    /// A `param`.
    Weight,
    /// A `state` or a `carry`.
    State,
    /// A stage named by `as`.
    Stage,
}

/// A name in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameUse {
    /// Its place.
    pub span: Span,
    /// The thing that it names.
    pub target: NameTarget,
}

/// The thing that a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameTarget {
    /// A declaration, by its index.
    Declared(usize),
    /// A built-in operator, or one that should be.
    Operator,
    /// A source of data, a transform, a kind of field.
    DataCall,
    /// A key of a `train` block.
    TrainKey,
    /// An element type or a kind of argument.
    Type,
    /// A member of a value: `photos.classes`.
    Member,
    /// A word that its place gives a meaning to, or an unknown name.
    Word,
}

/// The names of a program's files.
#[derive(Debug, Default)]
pub struct NameUses {
    /// All declarations.
    pub declared: Vec<DeclaredName>,
    /// All names, in the order of their places.
    pub uses: Vec<NameUse>,
}

impl NameUses {
    /// The names of these files; of the prelude's, only what it declares.
    pub fn of(files: &[File], prelude: &File) -> NameUses {
        resolve::resolve(files, prelude)
    }

    /// The name at a byte of a file, or directly before it.
    pub fn at(&self, file: FileId, byte: usize) -> Option<&NameUse> {
        let byte = u32::try_from(byte).ok()?;
        let near = |name: &&NameUse| {
            name.span.file == file && name.span.start <= byte && byte <= name.span.end
        };
        // One that begins here comes before one that ends here.
        self.uses.iter().filter(near).max_by_key(|name| name.span.start)
    }

    /// The declaration that the name at a byte names.
    pub fn declaration_at(&self, file: FileId, byte: usize) -> Option<(usize, &DeclaredName)> {
        match self.at(file, byte)?.target {
            NameTarget::Declared(index) => Some((index, &self.declared[index])),
            _ => None,
        }
    }

    /// The places of a declaration's names, itself included.
    pub fn places(&self, declared: usize) -> impl Iterator<Item = Span> + '_ {
        let of = move |name: &&NameUse| name.target == NameTarget::Declared(declared);
        self.uses.iter().filter(of).map(|name| name.span)
    }

    /// The function of this name, the user's before the prelude's; where several kinds have one, the
    /// first of these kinds.
    pub fn function(&self, name: &str, kinds: &[FunctionKind]) -> Option<(usize, &DeclaredName)> {
        kinds.iter().find_map(|&kind| {
            let is = |(_, it): &(usize, &DeclaredName)| {
                it.role == NameRole::Function(kind) && it.name == name
            };
            self.declared.iter().enumerate().find(is)
        })
    }

    /// The parameters or fields of a declaration, in order.
    pub fn members(&self, owner: usize) -> impl Iterator<Item = &DeclaredName> {
        let of = move |it: &&DeclaredName| {
            it.owner == Some(owner) && matches!(it.role, NameRole::Argument | NameRole::Field)
        };
        self.declared.iter().filter(of)
    }
}

/// All kinds of function, in the order in which a name without a place of its own is looked for.
pub const KINDS: [FunctionKind; 7] = [
    FunctionKind::Layer,
    FunctionKind::Loss,
    FunctionKind::Metric,
    FunctionKind::Schedule,
    FunctionKind::Initializer,
    FunctionKind::Optimizer,
    FunctionKind::Model,
];
