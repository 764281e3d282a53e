//! A program as an experiment: the graphs of its model, the optimizer's rule, the settings of the run.
//!
//! The model is elaborated twice over the same parameters, with `training` true and false, and the
//! optimizer's rule once; what is wrong with any of them is reported together.

use super::gradients::Patterns;
use super::model::ModelData;
use super::plan::{Choice, LossPlan, LossTerm, TrainPlan};
use super::rule::RuleContext;
use super::select::{Selected, choose};
use super::task;
use crate::base::diagnostic::Diagnostic;
use crate::base::limits::Budget;
use crate::base::schema::Schema;
use crate::base::settings::Settings;
use crate::base::source::Span;
use crate::base::task::{OutputTask, Task};
use crate::elaborate::comparison::Comparison;
use crate::elaborate::context::{Elaborator, Eval};
use crate::elaborate::data::DataRequest;
use crate::elaborate::driven::{Driven, WarmUp};
use crate::elaborate::items::Items;
use crate::elaborate::{ElaborateOptions, ProgramFiles, uses};
use crate::graph::OverSplit;
use crate::graph::{Graph, UpdateRule};
use crate::syntax::ast::Goal;
use std::collections::BTreeMap;

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
    /// The tasks that the loss sets, of each output; the first is the model's.
    pub tasks: Vec<OutputTask>,
    /// The metrics' names, as in the outputs `metric.NAME`.
    pub metrics: Vec<String>,
    /// The values of some of them from all samples of a data set.
    pub overs: Vec<(String, OverSplit)>,
    /// Those of which less is better.
    pub minimized: Vec<String>,
    /// The optimizer's rule: scalar inputs `p` and `g`, states, hyper-parameters; the output `p` is
    /// the new value, `scheduled.NAME` what an argument that is a schedule is at each step; and what
    /// the settings do to gradients and parameters around it.
    pub rule: UpdateRule,
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

impl Training {
    /// The task of the model: that of its first output.
    pub fn task(&self) -> Task {
        self.tasks.first().map(|task| task.task).unwrap_or_default()
    }
}

/// Elaborates the model that is asked for.
pub fn elaborate<'a>(
    program: &ProgramFiles<'a>,
    request: &'a ElaborateOptions,
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
    let data = selected.train.and_then(|train| train.data.as_ref());
    let (schemas, data_failed) = (&request.schemas[..], request.data_failed);
    let mut source = GraphSource { items: &items, schemas, data: None, data_failed, request };

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
    let excluded = match (&train, &rule) {
        (Some((train, _)), Some((_, patterns))) => {
            patterns.iter().map(|patterns| patterns.excluded(train, &mut found)).collect()
        }
        _ => BTreeMap::new(),
    };
    if !found.is_empty() {
        return Err(found);
    }
    // The evaluation graph repeats the training graph's errors: it is built where there are none.
    let eval = graph(source, &selected, plan.as_ref(), false);
    let eval = keep(eval, &mut found);
    let (Some((train, scheduled)), Some((eval, of_eval))) = (train, eval) else {
        return Err(found);
    };
    found.extend(uses::kept_differ(&train, &eval));
    if !found.is_empty() {
        return Err(found);
    }
    let training = plan.zip(rule).map(|(plan, ((graph, of_rule), _))| {
        let rule = (UpdateRule { graph, excluded }, of_rule);
        let schema = source.schema().map(|(_, schema)| schema);
        let tasks = task::derive(&eval, &of_eval.compared, schema);
        let metrics = train.metrics().map(str::to_owned).collect();
        training(source, plan, (tasks, of_eval.overs), (metrics, scheduled), rule)
    });
    Ok(Experiment { model: name.text.clone(), model_span: name.span, train, eval, training })
}

/// How a model is trained: the metrics and schedules of its training graph, and the optimizer's rule
/// with its own schedules.
fn training<'a>(
    source: GraphSource<'a>,
    mut plan: TrainPlan<'a>,
    (tasks, overs): (Vec<OutputTask>, Vec<(String, OverSplit)>),
    (metrics, in_step): (Vec<String>, Scheduled),
    (rule, of_rule): (UpdateRule, Scheduled),
) -> Training {
    let minimized = minimized(source.items, &plan.metrics, &metrics);
    plan.settings.set_directions(|name| is_higher_better(name, &minimized));
    Training {
        loss: loss_name(source.items, &plan.loss),
        optimizer: rule.graph.name.clone(),
        tasks,
        minimized,
        metrics,
        overs,
        rule,
        warm_ups: [in_step.warm_ups, of_rule.warm_ups].concat(),
        driven: of_rule.driven,
        driven_in_step: in_step.driven,
        data: source.data.map(str::to_owned),
        settings: plan.settings,
    }
}

/// The program from which graphs are elaborated.
#[derive(Clone, Copy)]
struct GraphSource<'a> {
    items: &'a Items<'a>,
    schemas: &'a [(String, Schema)],
    /// The name of the run's data.
    data: Option<&'a str>,
    /// Whether they are unknown because of what has been reported.
    data_failed: bool,
    request: &'a ElaborateOptions,
}

impl<'a> GraphSource<'a> {
    /// Nothing elaborated yet of the item of this name.
    fn context(self, name: &str, plan: Option<&TrainPlan<'a>>, training: bool) -> Elaborator<'a> {
        let mut context = Elaborator::new(name, self.items, self.schemas, &self.request.budget);
        context.training = training;
        context.data_failed = self.data_failed;
        context.tolerated = self.request.tolerated.as_deref();
        context.trace = self.request.trace.as_ref();
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

/// Conditions on the schedules of a graph, to be checked when the length of the run is known, and what
/// its loss compares.
#[derive(Debug)]
struct Scheduled {
    compared: Vec<Comparison>,
    overs: Vec<(String, OverSplit)>,
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
    source: GraphSource<'a>,
    selected: &Selected<'a>,
    plan: Option<&TrainPlan<'a>>,
    training: bool,
) -> Elaborated {
    let name = &source.items.function(selected.model).function.name.text;
    let mut context = source.context(name, plan, training);
    let data = ModelData { known: source.schema(), mixed: source.request.mixed };
    let result = context.model_graph(selected.model, plan, data);
    finish(context, result)
}

fn rule<'a>(source: GraphSource<'a>, plan: &TrainPlan<'a>) -> Option<(Elaborated, Vec<Patterns>)> {
    let choice = plan.optimizer?;
    let name = &source.items.function(choice.id).function.name.text;
    let mut context = RuleContext::new(source.context(name, Some(plan), true), &plan.settings);
    let rule = context.optimizer_rule(&choice);
    // What depends on the rule's `lr` has nothing to say where there is no rule.
    let patterns = rule.and_then(|()| context.gradient_keys(plan));
    let result = patterns.as_ref().map(|_| ()).map_err(|&reported| reported);
    Some((finish(context.into_core(), result), patterns.unwrap_or_default()))
}

fn finish(context: Elaborator<'_>, result: Eval<()>) -> Elaborated {
    if result.is_ok() && context.diagnostics.is_empty() {
        let Elaborator { builder, warm_ups, driven, compared, overs, .. } = context;
        let scheduled = Scheduled { compared, overs, warm_ups, driven };
        Ok((builder.finish(), scheduled))
    } else {
        Err(context.diagnostics)
    }
}

/// The names of the losses that are summed up: `cross_entropy + mse`.
fn loss_name(items: &Items<'_>, loss: &LossPlan<'_>) -> String {
    let name = |term: &LossTerm<'_>| items.function(term.choice.id).function.name.text.clone();
    loss.terms.iter().map(name).collect::<Vec<_>>().join(" + ")
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
    // The terms of a sum of losses come before the metrics.
    let (terms, names) = names.split_at(names.len() - metrics.len());
    let pairs = metrics.iter().zip(names).filter(|(choice, _)| less(choice));
    terms.iter().cloned().chain(pairs.map(|(_, name)| name.clone())).collect()
}

/// Whether more is better of a number of each epoch: `val_loss`, `accuracy`.
fn is_higher_better(name: &str, minimized: &[String]) -> bool {
    let name = name.strip_prefix("val_").unwrap_or(name);
    name != "loss" && !minimized.iter().any(|known| known == name)
}

/// The `data` item of the run, read before anything else is elaborated; `None` where the
/// model is not trained `on` data.
pub fn data_request(
    program: &ProgramFiles<'_>,
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
