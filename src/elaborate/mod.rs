//! Syntax tree to graph: what a program means.
//!
//! In: the parsed files of a program, the parsed prelude, and what is known of the data. Out: an
//! [`Experiment`]: the training graph (loss, metrics, output), the evaluation graph over the same
//! parameters, the optimizer's rule as a graph of scalars, and the settings of the run; or every
//! error that could be found.
//!
//! ```text
//! model net(x: f32[N, 4]) -> f32[N, 2] { x |> dense(2) }
//!
//! input0 x: f32[N, 4]
//! param0 dense.weight: f32[4, 2]        the prelude's `dense`, on the path `dense`
//! param1 dense.bias: f32[2]
//! %5 = matmul %0, %1 …
//! output output = %7
//! ```
//!
//! Layers are functions that run now: a call binds its arguments and dimensions
//! ([`scope`], [`types`]), takes a path for its parameters ([`paths`]), and elaborates its body
//! ([`expr`], [`stage`], [`call`]), down to built-in operators ([`builtins`]), which build nodes.
//! Compile-time values ([`value`]) are numbers, lists and words; whatever they decide (`if`,
//! `repeat`) is decided here. Layers, losses, optimizers and initializers of the prelude take the
//! same way as a user's.
//!
//! Not here: reading files, what sources and transforms do (their calls are handed out as
//! [`DataRequest`]), derivatives and the optimizer's updates (passes), and any number of the
//! batch: `N` stays a symbol.

mod builtins;
mod call;
mod constants;
mod context;
mod data;
mod declare;
mod dims;
mod domain;
mod expr;
mod gradients;
mod index;
mod init;
mod items;
mod keys;
mod model;
mod operator;
mod optimizer;
mod paths;
mod prepare;
mod schedule;
mod scope;
mod select;
mod sizes;
mod stage;
mod task;
mod train;
mod types;
mod uses;
mod value;

#[cfg(test)]
mod tests;

pub use builtins::operators;
pub use data::{DataRequest, Literal, SourceArg, SourceCall};
pub use domain::Driven;
pub use gradients::{KEYS as GRADIENT_KEYS, known_patterns, matches as path_matches};
pub use keys::{Checkpoints, ClassWeights, EarlyStop, InitFrom, OnNan, ReduceOnPlateau, Watched};
pub use optimizer::SCHEDULED;
pub use prepare::preparation;
pub use schedule::WarmUp;
pub use train::{KEYS as TRAIN_KEYS, LastBatch, Settings};
pub use uses::{Use, cycle, missing_file, uses};

use crate::base::diagnostic::Diagnostic;
use crate::base::limits::Budget;
use crate::base::schema::Schema;
use crate::base::source::Span;
use crate::base::task::Task;
use crate::graph::{Graph, Rule};
use crate::syntax::ast::{File, FunctionKind, Goal, ItemKind};
use context::Elaborator;
use gradients::Patterns;
use items::Items;
use select::{Selected, select};
use std::collections::BTreeMap;
use train::{Choice, Plan};

/// The text of the prelude.
pub const PRELUDE: &str = include_str!("prelude.nn");
/// What diagnostics call the prelude's file.
pub const PRELUDE_NAME: &str = "<prelude>";

/// The parsed files of a program.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// The file that was named first, then those it uses, each once, in any order.
    pub files: &'a [File],
    /// The prelude, parsed from [`PRELUDE`].
    pub prelude: &'a File,
}

/// What is asked of a program.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The model, where the program has several.
    pub model: Option<String>,
    /// What is known of the data, by the name of the `data` item.
    pub schemas: Vec<(String, Schema)>,
    /// Whether what is wrong with the data has been reported, so that what only they can tell is
    /// unknown, and no error.
    pub data_failed: bool,
    /// Whether samples that are given without data are mixtures of two: `label_2` and `mix` come
    /// with them.
    pub mixed: bool,
    /// Where only one question is asked, the errors that are known: any other ends the work.
    pub tolerated: Option<Vec<Tolerated>>,
    /// The steps that may be taken; [`Budget::spent`] says how many were.
    pub budget: Budget,
}

/// An error that may be found, by what it says and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Tolerated {
    /// Its code.
    pub code: &'static str,
    /// Its message.
    pub message: String,
    /// Its primary place.
    pub place: Option<Span>,
}

impl Tolerated {
    /// Whether it is this one.
    pub fn is(&self, error: &Diagnostic) -> bool {
        self.code == error.code && self.place == error.place() && self.message == error.message
    }
}

/// A program's meaning.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The model's name.
    pub model: String,
    /// The place of the model's name.
    pub model_span: Span,
    /// The graph with `training` true. Outputs: `loss`, `output` and `metric.NAME`, or only
    /// `output` where nothing trains the model. Updates: the states that layers write.
    pub train: Graph,
    /// The graph with `training` false, over the same parameters and states.
    pub eval: Graph,
    /// How the model is trained, if a `train` block says so.
    pub training: Option<Training>,
}

/// How a model is trained.
#[derive(Clone, Debug)]
pub struct Training {
    /// The loss's name.
    pub loss: String,
    /// The optimizer's name.
    pub optimizer: String,
    /// What the model is trained for.
    pub task: Task,
    /// The metrics' names, as in the outputs `metric.NAME`.
    pub metrics: Vec<String>,
    /// Those of which less is better.
    pub minimized: Vec<String>,
    /// The optimizer's rule: scalar inputs `p` and `g`, states, hyper-parameters; the output `p` is
    /// the new value, `scheduled.NAME` what an argument that is a schedule is at each step; and what
    /// the settings do to gradients and parameters around it.
    pub rule: Rule,
    /// The warm-ups of the run's schedules.
    pub warm_ups: Vec<WarmUp>,
    /// The arguments of the rule that schedules drive.
    pub driven: Vec<Driven>,
    /// The arguments of layers, losses and metrics that schedules drive, in the training graph.
    pub driven_in_step: Vec<Driven>,
    /// The name of the `data` item, where the block is `on` one.
    pub data: Option<String>,
    /// The settings.
    pub settings: Settings,
}

/// Elaborates the model that is asked for.
pub fn elaborate<'a>(
    program: &Program<'a>,
    request: &'a Request,
) -> Result<Experiment, Vec<Diagnostic>> {
    let (items, mut found) = Items::collect(program.files, program.prelude);
    let selected = match choose(program, &items, request.model.as_deref()) {
        Ok(selected) => selected,
        Err(error) => {
            found.push(*error);
            return Err(found);
        }
    };
    let name = &items.function(selected.model).function.name;
    let schemas = &request.schemas[..];
    let data = selected.train.and_then(|train| train.data.as_ref());
    let mut source =
        Source { items: &items, schemas, data: None, data_failed: request.data_failed, request };

    let mut settings = source.context(&name.text, None, true);
    let plan = selected.train.map(|train| settings.plan(train));
    found.extend(settings.diagnostics);
    let plan = plan.and_then(Result::ok);

    if let Some(unknown) = data.and_then(|data| uses::unknown_data(&items, data)) {
        found.push(unknown);
        source.data_failed = true;
    }
    source.data = data.map(|data| &data.text[..]);
    let train = graph(source, &selected, plan.as_ref(), true);
    let rule = plan.as_ref().and_then(|plan| rule(source, plan));
    let train = keep(train, &mut found);
    let rule = rule.and_then(|(rule, patterns)| Some((keep(rule, &mut found)?, patterns)));
    let spared = match (&train, &rule) {
        (Some((train, _)), Some((_, patterns))) => {
            patterns.iter().map(|patterns| patterns.spared(train, &mut found)).collect()
        }
        _ => BTreeMap::new(),
    };
    if !found.is_empty() {
        return Err(found);
    }
    // The evaluation graph repeats the training graph's errors: it is built where there are none.
    let eval = graph(source, &selected, plan.as_ref(), false);
    let eval = keep(eval, &mut found);
    let (Some((train, scheduled)), Some((eval, _))) = (train, eval) else { return Err(found) };
    found.extend(uses::kept_differ(&train, &eval));
    if !found.is_empty() {
        return Err(found);
    }
    // Without data, the target is called so.
    let target = source.schema().map_or("label", |(_, schema)| &schema.target.name);
    let training = plan.zip(rule).map(|(plan, ((graph, of_rule), _))| Training {
        loss: items.function(plan.loss.id).function.name.text.clone(),
        optimizer: graph.name.clone(),
        task: task::derive(&eval, target),
        metrics: metric_names(&train),
        minimized: minimized(&items, &plan.metrics, &metric_names(&train)),
        rule: Rule { graph, spared },
        warm_ups: [scheduled.warm_ups, of_rule.warm_ups].concat(),
        driven: of_rule.driven,
        driven_in_step: scheduled.driven,
        data: source.data.map(str::to_owned),
        settings: plan.settings,
    });
    Ok(Experiment { model: name.text.clone(), model_span: name.span, train, eval, training })
}

/// What the `data` item of the run says, before anything else is elaborated; `None` where the
/// model is not trained `on` data.
pub fn data_request(
    program: &Program<'_>,
    model: Option<&str>,
    budget: &Budget,
) -> Result<Option<DataRequest>, Vec<Diagnostic>> {
    let (items, _) = Items::collect(program.files, program.prelude);
    let selected = choose(program, &items, model).map_err(|error| vec![*error])?;
    let Some(data) = selected.train.and_then(|train| train.data.as_ref()) else { return Ok(None) };
    let Some(item) = items.find_data(&data.text) else {
        return Err(uses::unknown_data(&items, data).into_iter().collect());
    };
    let mut context = Elaborator::new("", &items, &[], budget);
    match context.data_request(item) {
        Ok(request) => Ok(Some(request)),
        Err(_) => Err(context.diagnostics),
    }
}

/// The models of the main file, where it has several; with them those that a `train` block names and
/// that do not exist, so that whoever looks at each reports it. Empty where one is meant anyway.
pub fn several_models(program: &Program<'_>) -> Vec<String> {
    let Some(main) = program.files.first() else { return Vec::new() };
    let mut models: Vec<&str> = Vec::new();
    let mut trained: Vec<&str> = Vec::new();
    for item in &main.items {
        match &item.kind {
            ItemKind::Function(function) if function.kind == FunctionKind::Model => {
                models.push(&function.name.text);
            }
            ItemKind::Train(train) => trained.push(&train.model.text),
            _ => {}
        }
    }
    if models.len() < 2 {
        return Vec::new();
    }
    let known = |name: &&str| {
        program.files.iter().flat_map(|file| &file.items).any(|item| {
            matches!(&item.kind, ItemKind::Function(function)
            if function.kind == FunctionKind::Model && function.name.text == **name)
        })
    };
    let unknown = trained.into_iter().filter(|name| !known(name));
    let mut all: Vec<String> = Vec::new();
    for name in models.into_iter().chain(unknown) {
        if !all.iter().any(|it| it == name) {
            all.push(name.to_owned());
        }
    }
    all
}

fn choose<'a>(
    program: &Program<'a>,
    items: &Items<'a>,
    model: Option<&str>,
) -> Result<Selected<'a>, Box<Diagnostic>> {
    let main = program.files.first().map_or(program.prelude.id, |file| file.id);
    select(items, main, model)
}

/// What graphs are elaborated from.
#[derive(Clone, Copy)]
struct Source<'a> {
    items: &'a Items<'a>,
    schemas: &'a [(String, Schema)],
    /// The name of the run's data.
    data: Option<&'a str>,
    /// Whether they are unknown because of what has been reported.
    data_failed: bool,
    request: &'a Request,
}

impl<'a> Source<'a> {
    /// Nothing elaborated yet of the item of this name.
    fn context(self, name: &str, plan: Option<&Plan<'a>>, training: bool) -> Elaborator<'a> {
        let mut context = Elaborator::new(name, self.items, self.schemas, &self.request.budget);
        context.training = training;
        context.data_failed = self.data_failed;
        context.mixed = self.request.mixed;
        context.tolerated = self.request.tolerated.as_deref();
        if let Some(plan) = plan {
            let schema = self.schema().map(|(_, schema)| schema);
            context.planned_steps = plan.settings.planned_steps(schema);
            context.frozen = plan.settings.freeze.clone();
        }
        context
    }

    /// The run's data and what is known of it.
    fn schema(self) -> Option<(&'a str, &'a Schema)> {
        let data = self.data?;
        let schema = self.schemas.iter().find(|(name, _)| name == data);
        schema.map(|(name, schema)| (name.as_str(), schema))
    }
}

/// What the schedules of a graph must fit once the length of the run is known.
#[derive(Debug)]
struct Scheduled {
    warm_ups: Vec<WarmUp>,
    driven: Vec<Driven>,
}

/// A graph and its schedules, or what is wrong.
type Elaborated = Result<(Graph, Scheduled), Vec<Diagnostic>>;

fn keep(elaborated: Elaborated, found: &mut Vec<Diagnostic>) -> Option<(Graph, Scheduled)> {
    match elaborated {
        Ok(graph) => Some(graph),
        Err(errors) => {
            found.extend(
                errors.into_iter().filter(|error| !found.contains(error)).collect::<Vec<_>>(),
            );
            None
        }
    }
}

fn graph<'a>(
    source: Source<'a>,
    selected: &Selected<'a>,
    plan: Option<&Plan<'a>>,
    training: bool,
) -> Elaborated {
    let name = &source.items.function(selected.model).function.name.text;
    let mut context = source.context(name, plan, training);
    let result = context.model_graph(selected.model, plan, source.schema());
    finish(context, result)
}

fn rule<'a>(source: Source<'a>, plan: &Plan<'a>) -> Option<(Elaborated, Vec<Patterns>)> {
    let choice = plan.optimizer?;
    let name = &source.items.function(choice.id).function.name.text;
    let mut context = source.context(name, Some(plan), true);
    context.decayed = plan.settings.places.get("weight_decay").copied();
    context.lowered = plan.settings.lowers_rate();
    let rule = context.optimizer_rule(&choice);
    // What depends on the rule's `lr` has nothing to say where there is no rule.
    let patterns = rule.and_then(|()| context.gradient_keys(plan));
    let result = patterns.as_ref().map(|_| ()).map_err(|&reported| reported);
    Some((finish(context, result), patterns.unwrap_or_default()))
}

fn finish(context: Elaborator<'_>, result: context::Eval<()>) -> Elaborated {
    if result.is_ok() && context.diagnostics.is_empty() {
        let scheduled = Scheduled { warm_ups: context.warm_ups, driven: context.driven };
        Ok((context.builder.finish(), scheduled))
    } else {
        Err(context.diagnostics)
    }
}

/// The metrics of which less is better: as declared, or else as their names say. Metrics and their
/// names are in the same order.
fn minimized(items: &Items<'_>, metrics: &[Choice<'_>], names: &[String]) -> Vec<String> {
    /// Words of names that are about errors.
    const ERRORS: [&str; 9] =
        ["error", "err", "loss", "mae", "mse", "rmse", "mape", "nll", "perplexity"];
    let less = |choice: &Choice<'_>| {
        let function = items.function(choice.id).function;
        match function.goal {
            Some(goal) => goal == Goal::Minimize,
            None => function.name.text.split('_').any(|word| ERRORS.contains(&word)),
        }
    };
    let pairs = metrics.iter().zip(names);
    pairs.filter(|(choice, _)| less(choice)).map(|(_, name)| name.clone()).collect()
}

impl Training {
    /// Whether more is better of a number of each epoch: `val_loss`, `accuracy`.
    pub fn is_higher_better(&self, name: &str) -> bool {
        let name = name.strip_prefix("val_").unwrap_or(name);
        name != "loss" && !self.minimized.iter().any(|known| known == name)
    }
}

fn metric_names(graph: &Graph) -> Vec<String> {
    let names = graph.outputs.iter().filter_map(|output| output.name.strip_prefix("metric."));
    names.map(str::to_owned).collect()
}
