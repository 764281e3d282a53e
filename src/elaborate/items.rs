//! Declarations of a program, by kind and name: the user's files as one space, the prelude as
//! another.
//!
//! A user's item hides the prelude's of its name and kind; an item of the prelude only sees the
//! prelude. Layers, losses, constants and the rest have names of their own, so that `loss mse` and
//! `layer mse` may stand together; two of one kind are reported with both places. Bodies are not
//! looked at here.

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::limits::FINDINGS;
use crate::base::source::{FileId, Span};
use crate::syntax::ast::{Expr, FieldDecl, File, Function, FunctionKind, ItemKind, Name, Train};
use std::collections::HashMap;

/// A function item of [`Items::functions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FnId(pub usize);

/// A `layer`, `model`, … and which space it stands in.
#[derive(Clone, Copy)]
pub(super) struct FunctionItem<'a> {
    /// The item.
    pub function: &'a Function,
    /// Whether it is the prelude's.
    pub builtin: bool,
}

/// A `const` or `data` item.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    /// Its name.
    pub name: &'a Name,
    /// The expression after `=`.
    pub value: &'a Expr,
    /// The fields of a `data` item, where they are written.
    pub fields: Option<&'a [FieldDecl]>,
}

/// The names of the user's files, or of the prelude.
#[derive(Default)]
struct Namespace<'a> {
    functions: HashMap<(FunctionKind, &'a str), FnId>,
    consts: HashMap<&'a str, Named<'a>>,
    data: HashMap<&'a str, Named<'a>>,
}

/// Everything that a program declares.
pub(super) struct Items<'a> {
    /// All function items.
    pub functions: Vec<FunctionItem<'a>>,
    /// The `train` blocks of the user's files, with their places, in order.
    pub trains: Vec<(&'a Train, Span)>,
    /// The `data` items of the user's files, in order.
    pub data: Vec<Named<'a>>,
    /// The user's models, in order.
    pub models: Vec<FnId>,
    user: Namespace<'a>,
    prelude: Namespace<'a>,
    prelude_file: FileId,
}

impl<'a> Items<'a> {
    /// Collects the items of the user's files and the prelude; duplicates are reported.
    pub fn collect(files: &'a [File], prelude: &'a File) -> (Items<'a>, Vec<Diagnostic>) {
        let mut items = Items {
            functions: Vec::new(),
            trains: Vec::new(),
            data: Vec::new(),
            models: Vec::new(),
            user: Namespace::default(),
            prelude: Namespace::default(),
            prelude_file: prelude.id,
        };
        let mut duplicates = Vec::new();
        for file in files.iter().chain([prelude]) {
            for item in &file.items {
                items.add(file.id, &item.kind, item.span, &mut duplicates);
            }
        }
        (items, duplicates)
    }

    fn add(
        &mut self,
        file: FileId,
        item: &'a ItemKind,
        span: Span,
        duplicates: &mut Vec<Diagnostic>,
    ) {
        let builtin = file == self.prelude_file;
        let space = if builtin { &mut self.prelude } else { &mut self.user };
        let earlier = match item {
            ItemKind::Use { .. } => None,
            ItemKind::Train(train) => {
                self.trains.push((train, span));
                None
            }
            ItemKind::Const { name, value } => {
                let earlier = space.consts.insert(&name.text, Named { name, value, fields: None });
                earlier.map(|earlier| ("constants", earlier.name, name))
            }
            ItemKind::Data { name, value, fields } => {
                let item = Named { name, value, fields: fields.as_deref() };
                self.data.push(item);
                let earlier = space.data.insert(&name.text, item);
                earlier.map(|earlier| ("data", earlier.name, name))
            }
            ItemKind::Function(function) => {
                let id = FnId(self.functions.len());
                self.functions.push(FunctionItem { function, builtin });
                if function.kind == FunctionKind::Model {
                    self.models.push(id);
                }
                let key = (function.kind, function.name.text.as_str());
                let earlier = space.functions.insert(key, id);
                earlier.map(|earlier| {
                    let earlier = &self.functions[earlier.0].function.name;
                    (plural(function.kind), earlier, &function.name)
                })
            }
        };
        if let Some((kind, earlier, name)) = earlier.filter(|_| duplicates.len() < FINDINGS) {
            duplicates.push(
                Diagnostic::error(
                    codes::DUPLICATE,
                    format!("there are two {kind} named `{}`", name.text),
                )
                .primary(name.span, "declared again here")
                .label(earlier.span, "first declared here")
                .help("give one of them another name"),
            );
        }
    }

    /// Whether a place is in the prelude.
    pub fn in_prelude(&self, span: Span) -> bool {
        span.file == self.prelude_file
    }

    /// An item.
    pub fn function(&self, id: FnId) -> FunctionItem<'a> {
        self.functions[id.0]
    }

    /// The item of that kind and name that code of the prelude (or of the user) sees.
    pub fn find(&self, kind: FunctionKind, name: &str, from_prelude: bool) -> Option<FnId> {
        self.spaces(from_prelude).find_map(|space| space.functions.get(&(kind, name)).copied())
    }

    /// The constant of that name.
    pub fn find_const(&self, name: &str, from_prelude: bool) -> Option<Named<'a>> {
        self.spaces(from_prelude).find_map(|space| space.consts.get(name).copied())
    }

    /// The user's data item of that name.
    pub fn find_data(&self, name: &str) -> Option<Named<'a>> {
        self.user.data.get(name).copied()
    }

    /// The names of a kind.
    pub fn names(&self, kind: FunctionKind) -> impl Iterator<Item = &'a str> {
        let of_kind = move |item: &&FunctionItem<'a>| item.function.kind == kind;
        self.functions.iter().filter(of_kind).map(|item| item.function.name.text.as_str())
    }

    /// The first optimizer, the user's before the prelude's, that takes an argument of that name
    /// beside the parameter, its gradient and the step.
    pub fn optimizer_with(&self, argument: &str) -> Option<&'a str> {
        let takes = |item: &&FunctionItem<'a>| {
            item.function.kind == FunctionKind::Optimizer
                && item.function.params.iter().skip(3).any(|param| param.name.text == argument)
        };
        self.functions.iter().find(takes).map(|item| item.function.name.text.as_str())
    }

    /// The names of the user's constants, in alphabetical order.
    pub fn const_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut names: Vec<&'a str> = self.user.consts.keys().copied().collect();
        names.sort_unstable();
        names.into_iter()
    }

    fn spaces(&self, from_prelude: bool) -> impl Iterator<Item = &Namespace<'a>> {
        let user = (!from_prelude).then_some(&self.user);
        user.into_iter().chain([&self.prelude])
    }
}

/// The kind's name, of several.
fn plural(kind: FunctionKind) -> &'static str {
    match kind {
        FunctionKind::Layer => "layers",
        FunctionKind::Model => "models",
        FunctionKind::Loss => "losses",
        FunctionKind::Metric => "metrics",
        FunctionKind::Optimizer => "optimizers",
        FunctionKind::Schedule => "schedules",
        FunctionKind::Initializer => "initializers",
    }
}
