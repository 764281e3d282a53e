//! The outputs of a model as answers, by the task of each and in the terms of the data.
//!
//! ```text
//! a class                      the likeliest classes by name, with probabilities
//! a class a position           how many positions each has; in a row of positions, the class at each
//! a token a position           the text of the likeliest tokens, and what the last position says
//! labels                       a probability each
//! numbers                      in the units of the file: what was standardised is turned back
//! ```

use std::ops::Range;

use crate::base::schema::{CellMeaning, Field, Schema, TokenList};
use crate::base::step_output::StepOutput;
use crate::base::task::{OutputTask, Scale, Task};
use crate::data::token_text;
use crate::graph::{Graph, Output as GraphOutput};
use crate::run::evaluate::largest;

/// An output of a model, as it is told.
#[derive(Clone, Debug)]
pub struct PredictedOutput {
    /// Its name: `output` where the model gives one tensor.
    pub name: String,
    /// Its task.
    pub task: Task,
    /// The shape of a sample's output.
    pub shape: Vec<usize>,
    /// The names of the classes, where the output is about classes.
    pub classes: Vec<String>,
    /// The field that it predicts, where that is known.
    pub target: Option<Field>,
    pub(super) at: StepOutput,
}

/// A model's answer for one sample, by its task.
#[derive(Clone, Debug, PartialEq)]
pub enum Prediction {
    /// The likeliest classes with their probabilities, or, where there are none, with their scores.
    Classes(Vec<(String, f64)>),
    /// The classes of positions.
    Positions(PositionClasses),
    /// The tokens of positions.
    Text(PredictedText),
    /// The output's numbers; of labels, their probabilities.
    Values(Vec<f32>),
    /// Why the file could not be read.
    Unreadable(String),
}

/// The likeliest class of each position of a sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PositionClasses {
    /// How many positions each class has, the most first; classes without any are left out.
    pub counts: Vec<(String, usize)>,
    /// The class at each position in turn, where positions stand in a row.
    pub row: Option<Vec<String>>,
}

/// The likeliest token of each position of a sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PredictedText {
    /// Their text.
    pub text: String,
    /// The likeliest tokens of the last position, with probabilities or scores.
    pub last: Vec<(String, f64)>,
}

/// The outputs of a model with what is known of each. Samples have the fields of `schema`; `named` are
/// the classes of the data.
pub(super) fn predicted_outputs(
    graph: &Graph,
    tasks: &[OutputTask],
    schema: &Schema,
    named: &[String],
) -> Vec<PredictedOutput> {
    let output = |output: &GraphOutput| {
        let name = output.name.model_name()?.to_owned();
        let task = tasks.iter().find(|task| task.output == name);
        let target = task.and_then(|task| schema.field(task.target.as_deref()?)).cloned();
        let task = task.map(|task| task.task).unwrap_or_default();
        let count = match task {
            Task::Class { classes, .. } | Task::ClassPerPosition { classes, .. } => classes,
            Task::Labels { labels: 1, .. } => 2,
            Task::Labels { .. } | Task::Numbers { .. } | Task::Picture { .. } | Task::Other => 0,
        };
        let own = target.as_ref().and_then(|field| field.recipe.as_ref());
        let own = own.map(|recipe| recipe.class_names());
        let class = |class: usize| {
            let names = own.as_deref().unwrap_or(named);
            names.get(class).cloned().unwrap_or_else(|| class.to_string())
        };
        let shape = graph.ty(output.node).shape.at(1).into_iter().skip(1).collect();
        let classes = (0..count).map(class).collect();
        Some(PredictedOutput { name, task, shape, classes, target, at: output.name.clone() })
    };
    graph.outputs.iter().filter_map(output).collect()
}

/// The answers of a sample, one for each output; `positions` are those that it is about where not all
/// are.
pub(super) fn predictions(
    outputs: &[PredictedOutput],
    values: &[Vec<f32>],
    positions: Option<Range<usize>>,
    top: usize,
) -> Vec<Prediction> {
    let answer = |(output, values): (&PredictedOutput, &Vec<f32>)| {
        output.prediction(values, positions.clone(), top)
    };
    outputs.iter().zip(values).map(answer).collect()
}

impl PredictedOutput {
    /// The names of the numbers of an answer, as columns of a table: those of the target, from 1 on where
    /// each comes several times (`value_1`, `value_2`, … of a forecast).
    pub fn number_names(&self) -> Vec<String> {
        let count: usize = self.shape.iter().product();
        let recipe = self.target.as_ref().and_then(|field| field.recipe.as_ref());
        match recipe.map(|recipe| &recipe.columns) {
            Some(columns) if columns.len() == count => columns.clone(),
            Some(columns) if !columns.is_empty() && count.is_multiple_of(columns.len()) => {
                let step = |step| columns.iter().map(move |column| format!("{column}_{step}"));
                (1..=count / columns.len()).flat_map(step).collect()
            }
            _ => (0..count).map(|index| format!("{}_{index}", self.name)).collect(),
        }
    }

    /// Whether the numbers beside classes are probabilities, and not scores.
    pub fn is_sure(&self) -> bool {
        match self.task {
            Task::Class { scale, .. } | Task::ClassPerPosition { scale, .. } => scale.is_sure(),
            Task::Labels { .. } => true,
            Task::Numbers { .. } | Task::Picture { .. } | Task::Other => false,
        }
    }

    /// The name of the last position's answer: of a text, that of the field, such as `next`.
    pub fn last_name(&self) -> &str {
        self.target.as_ref().map_or("last", |field| &field.name)
    }

    /// Whether an answer has a class for each of a row of positions.
    pub fn is_row(&self) -> bool {
        matches!(self.task, Task::ClassPerPosition { .. }) && self.shape.len() == 2
    }

    /// The tokens that an answer is made of, where it is a text.
    pub fn tokens(&self) -> Option<&TokenList> {
        match &self.target.as_ref()?.recipe.as_ref()?.value {
            CellMeaning::Tokens(tokens) if self.is_row() => Some(tokens),
            _ => None,
        }
    }

    /// The likeliest class of each position; empty where the output is not about positions.
    pub fn position_classes(&self, output: &[f32]) -> Vec<usize> {
        let Task::ClassPerPosition { classes, scale, .. } = self.task else { return Vec::new() };
        output.chunks_exact(classes).map(|numbers| largest(&scale.apply(numbers))).collect()
    }

    /// The answer of an output; `positions` are those that it is about where not all are.
    fn prediction(
        &self,
        output: &[f32],
        positions: Option<Range<usize>>,
        top: usize,
    ) -> Prediction {
        match self.task {
            Task::Class { scale, .. } => Prediction::Classes(self.likeliest(output, scale, top)),
            Task::ClassPerPosition { classes, scale, .. } => {
                let all = output.len() / classes;
                let asked = positions.filter(|_| self.is_row()).unwrap_or(0..all);
                let asked = asked.start.min(all)..asked.end.min(all);
                let own = &output[asked.start * classes..asked.end * classes];
                self.positions(own, classes, scale, top)
            }
            Task::Labels { labels: 1, scale } => {
                let yes = scale.of_one(output[0]);
                let [no, known] = [0, 1].map(|class: usize| self.classes[class].clone());
                let mut both = vec![(no, 1.0 - yes), (known, yes)];
                if yes > 0.5 {
                    both.reverse();
                }
                both.truncate(top);
                Prediction::Classes(both)
            }
            Task::Labels { scale, .. } | Task::Picture { scale: Some(scale), .. } => {
                Prediction::Values(output.iter().map(|&it| scale.of_one(it) as f32).collect())
            }
            Task::Numbers { .. } => {
                let recipe = self.target.as_ref().and_then(|field| field.recipe.as_ref());
                let restore = |(column, &it): (usize, &f32)| match recipe {
                    Some(recipe) => recipe.restore(column, f64::from(it)) as f32,
                    None => it,
                };
                Prediction::Values(output.iter().enumerate().map(restore).collect())
            }
            Task::Picture { scale: None, .. } | Task::Other => Prediction::Values(output.to_vec()),
        }
    }

    fn likeliest(&self, numbers: &[f32], scale: Scale, top: usize) -> Vec<(String, f64)> {
        let values = scale.apply(numbers);
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
        let best = order.into_iter().take(top);
        best.map(|class| (self.classes[class].clone(), values[class])).collect()
    }

    /// The answer of positions, a class each.
    fn positions(&self, output: &[f32], classes: usize, scale: Scale, top: usize) -> Prediction {
        let chosen = self.position_classes(output);
        if let Some(tokens) = self.tokens() {
            let ids: Vec<i32> = chosen.iter().map(|&token| token as i32).collect();
            let last = output.chunks_exact(classes).next_back();
            return Prediction::Text(PredictedText {
                text: token_text(tokens, &ids),
                last: last.map_or(Vec::new(), |numbers| self.likeliest(numbers, scale, top)),
            });
        }
        let mut counts = vec![0; classes];
        chosen.iter().for_each(|&class| counts[class] += 1);
        let mut order: Vec<usize> = (0..classes).filter(|&it| counts[it] > 0).collect();
        order.sort_by_key(|&class| std::cmp::Reverse(counts[class]));
        let name = |class: usize| self.classes[class].clone();
        let row = self.is_row().then(|| chosen.iter().map(|&class| name(class)).collect());
        let counts = order.iter().map(|&class| (name(class), counts[class])).collect();
        Prediction::Positions(PositionClasses { counts, row })
    }
}
