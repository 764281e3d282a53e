//! The documentation of every name: of the language, and of the items of a program.
//!
//! ```text
//! conv    →  a layer: `conv(x: f32[N, ..S, C], filters: int >= 1, …)`, its `///` lines, its source
//! pick    →  an operator: `pick(x, index)`, its shapes and meaning
//! epochs  →  a setting of `train`: its value, its default
//! ```
//!
//! Items come with the `///` lines before them, in the prelude as in users' files. Operators, types,
//! settings, sources and transforms are documented where the manual has its tables of them
//! ([`manual`]). Nothing is written here a second time. `nnc doc` prints these texts.

mod manual;

pub use manual::MANUAL;

use super::{PRELUDE, PRELUDE_NAME};
use crate::base::sentence::first_sentence;
use crate::base::source::{Sources, Span};
use crate::syntax::ast::{File, Function, FunctionKind, Item, ItemKind};
use crate::syntax::parse;
use std::sync::LazyLock;

/// The kinds of things that have a name, in the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DocKind {
    /// A `model` item.
    Model,
    /// A `train` item, under the name of its model.
    Train,
    /// A `data` item.
    Data,
    /// A `const` item.
    Const,
    /// A `layer` item.
    Layer,
    /// A `loss` item.
    Loss,
    /// A `metric` item.
    Metric,
    /// An `optimizer` item.
    Optimizer,
    /// A `schedule` item.
    Schedule,
    /// An `initializer` item, or one that is built in.
    Initializer,
    /// A function that is built in.
    Operator,
    /// A key of a `train` block.
    Setting,
    /// A source of samples.
    Source,
    /// Something that is done to samples or to a field of them.
    Transform,
    /// A kind of field of a table.
    Field,
    /// A type of an argument.
    Type,
    /// A word that begins an item.
    Keyword,
}

impl DocKind {
    /// All kinds, in order.
    pub const ALL: [DocKind; 17] = [
        DocKind::Model,
        DocKind::Train,
        DocKind::Data,
        DocKind::Const,
        DocKind::Layer,
        DocKind::Loss,
        DocKind::Metric,
        DocKind::Optimizer,
        DocKind::Schedule,
        DocKind::Initializer,
        DocKind::Operator,
        DocKind::Setting,
        DocKind::Source,
        DocKind::Transform,
        DocKind::Field,
        DocKind::Type,
        DocKind::Keyword,
    ];

    /// The kind in a word.
    pub fn word(self) -> &'static str {
        match self {
            DocKind::Model => "model",
            DocKind::Train => "train",
            DocKind::Data => "data",
            DocKind::Const => "const",
            DocKind::Layer => "layer",
            DocKind::Loss => "loss",
            DocKind::Metric => "metric",
            DocKind::Optimizer => "optimizer",
            DocKind::Schedule => "schedule",
            DocKind::Initializer => "initializer",
            DocKind::Operator => "operator",
            DocKind::Setting => "setting",
            DocKind::Source => "source",
            DocKind::Transform => "transform",
            DocKind::Field => "field",
            DocKind::Type => "type",
            DocKind::Keyword => "item",
        }
    }

    /// The heading of a list of this kind.
    pub fn heading(self) -> &'static str {
        match self {
            DocKind::Model => "Models",
            DocKind::Train => "Training",
            DocKind::Data => "Data",
            DocKind::Const => "Constants",
            DocKind::Layer => "Layers and activations",
            DocKind::Loss => "Losses",
            DocKind::Metric => "Metrics",
            DocKind::Optimizer => "Optimizers",
            DocKind::Schedule => "Schedules",
            DocKind::Initializer => "Initializers",
            DocKind::Operator => "Built-in operators",
            DocKind::Setting => "Settings of `train`",
            DocKind::Source => "Sources of data",
            DocKind::Transform => "Transforms of samples",
            DocKind::Field => "Fields of a table",
            DocKind::Type => "Types of arguments",
            DocKind::Keyword => "Items of a program",
        }
    }
}

/// The documentation of one name.
#[derive(Clone, Debug)]
pub struct ItemDoc {
    /// The kind of what it names.
    pub kind: DocKind,
    /// The name.
    pub name: String,
    /// How it is declared, up to its body, or called: `conv2d(x, weight, …)`. Of an operator with
    /// several forms, a line each.
    pub signature: String,
    /// The text, in Markdown without links. Paragraphs have an empty line between them.
    pub text: String,
    /// Columns of the manual's table: a heading, and its cell in Markdown.
    pub facts: Vec<(String, String)>,
    /// The declaration, where it is written in the language.
    pub source: Option<ItemSource>,
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocBlock<'t> {
    /// A paragraph of Markdown, which may have several lines.
    Paragraph(&'t str),
    /// Lines between three backticks: the words behind the opening ones, and the lines.
    Code(&'t str, &'t str),
}

/// The text of an item, and where it stands.
#[derive(Clone, Debug)]
pub struct ItemSource {
    /// The name of its file, as diagnostics print it.
    pub file: String,
    /// Its first line, from 1.
    pub line: usize,
    /// The item without its `///` lines.
    pub text: String,
}

impl ItemDoc {
    /// The paragraphs and the fenced examples of its text, in order.
    pub fn blocks(&self) -> Vec<DocBlock<'_>> {
        let mut blocks = Vec::new();
        for (index, part) in self.text.split("```").enumerate() {
            // Every second part is fenced.
            if let Some((words, code)) = part.split_once('\n').filter(|_| index % 2 == 1) {
                blocks.push(DocBlock::Code(words.trim(), code.trim_end()));
            } else {
                let paragraphs = part.split("\n\n").map(str::trim).filter(|it| !it.is_empty());
                blocks.extend(paragraphs.map(DocBlock::Paragraph));
            }
        }
        blocks
    }

    /// A line about it: the first sentence of its text, else its last fact.
    pub fn summary(&self) -> String {
        let text = match (self.text.is_empty(), self.facts.iter().rev().find(|it| !it.1.is_empty()))
        {
            (true, Some((_, fact))) if self.kind != DocKind::Setting => fact,
            (_, Some(_)) if self.kind == DocKind::Setting => &self.facts[0].1,
            _ => &self.text,
        };
        let paragraph = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        first_sentence(&paragraph).to_owned()
    }
}

/// The documentation of a set of names.
#[derive(Clone, Debug, Default)]
pub struct Documentation {
    items: Vec<ItemDoc>,
}

impl Documentation {
    /// That of the language: the prelude, and all that is built in.
    pub fn of_language() -> &'static Documentation {
        static LANGUAGE: LazyLock<Documentation> = LazyLock::new(|| {
            let mut sources = Sources::new();
            let id = sources.add_builtin(PRELUDE_NAME, PRELUDE);
            let prelude = parse(&sources, id).expect("the prelude parses");
            let mut known = Documentation::of_files(&[prelude], &sources);
            known.items.extend(manual::items());
            known
        });
        &LANGUAGE
    }

    /// That of the items of parsed files.
    pub fn of_files(files: &[File], sources: &Sources) -> Documentation {
        let items = files.iter().flat_map(|file| &file.items);
        Documentation { items: items.filter_map(|item| of_item(item, sources)).collect() }
    }

    /// All that a name stands for: `mae` is a loss and a metric.
    pub fn of<'d>(&'d self, name: &str) -> impl Iterator<Item = &'d ItemDoc> {
        self.items.iter().filter(move |item| item.name == name)
    }

    /// Everything, by file and place.
    pub fn items(&self) -> &[ItemDoc] {
        &self.items
    }

    /// The items of a kind, in the order in which they are declared.
    pub fn of_kind(&self, kind: DocKind) -> impl Iterator<Item = &ItemDoc> {
        self.items.iter().filter(move |item| item.kind == kind)
    }
}

/// The documentation of an item; `use` has none.
fn of_item(item: &Item, sources: &Sources) -> Option<ItemDoc> {
    let (kind, name, head) = match &item.kind {
        ItemKind::Use { .. } => return None,
        ItemKind::Const { name, .. } => (DocKind::Const, name, item.span),
        ItemKind::Function(function) => {
            (kind_of(function.kind), &function.name, head(function, item.span))
        }
        ItemKind::Data { name, .. } => (DocKind::Data, name, item.span),
        ItemKind::Train(train) => {
            let end = train.data.as_ref().unwrap_or(&train.model).span;
            (DocKind::Train, &train.model, Span { end: end.end, ..item.span })
        }
    };
    let place = sources.line_column(item.span.file, item.span.start);
    Some(ItemDoc {
        kind,
        name: name.text.clone(),
        signature: sources.text(head).trim().to_owned(),
        text: item.doc.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned(),
        facts: Vec::new(),
        source: Some(ItemSource {
            file: sources.file(item.span.file).name.clone(),
            line: place.0,
            text: sources.text(item.span).to_owned(),
        }),
    })
}

/// A declaration up to its body.
fn head(function: &Function, whole: Span) -> Span {
    Span { end: function.body.span.start, ..whole }
}

fn kind_of(kind: FunctionKind) -> DocKind {
    match kind {
        FunctionKind::Layer => DocKind::Layer,
        FunctionKind::Model => DocKind::Model,
        FunctionKind::Loss => DocKind::Loss,
        FunctionKind::Metric => DocKind::Metric,
        FunctionKind::Optimizer => DocKind::Optimizer,
        FunctionKind::Schedule => DocKind::Schedule,
        FunctionKind::Initializer => DocKind::Initializer,
    }
}
