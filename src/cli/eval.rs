//! `nnc eval`: judges a trained model by a split of its data.

use super::progress::{ProgressMode, ReadProgress, fitted, push_scores};
use super::threads::{self, threads};
use super::train::listen;
use super::trained::TrainedModel;
use super::write;
use crate::base::shown::Show;
use crate::base::table::{Table, TableColumn};
use crate::driver::Failure;
use crate::run::{
    self, Answer, ClassCounts, Details, Evaluated, EvaluatedSample, Evaluation, NumberErrors,
    SplitName, put_scores,
};
use crate::runtime::pool::Pool;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Numbers of an answer that a line lists.
const MOST_LISTED: usize = 8;

/// Evaluates a trained model on its data.
#[derive(Args)]
pub struct EvalArgs {
    #[command(flatten)]
    model: TrainedModel,
    /// The split to evaluate it on
    #[arg(long, value_enum, default_value_t = SplitArg::Test)]
    split: SplitArg,
    /// Use at most N samples
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Print the confusion matrix: how often each class is taken for each other
    #[arg(long)]
    confusion: bool,
    /// List the N samples with the largest errors
    #[arg(long, value_name = "N", default_value_t = 0)]
    worst: usize,
    /// Number of threads, which does not change the results [default: NNC_THREADS, or else all
    /// available processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print one JSON object on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SplitArg {
    /// The samples to train on
    Train,
    /// The samples for validation
    Validation,
    /// The samples for the test
    Test,
}

impl EvalArgs {
    /// Evaluates and prints.
    pub fn execute(self) -> Result<u8, Failure> {
        let stop = listen()?;
        let (request, model) = self.model.find(true)?;
        let split = match self.split {
            SplitArg::Train => SplitName::Train,
            SplitArg::Validation => SplitName::Validation,
            SplitArg::Test => SplitName::Test,
        };
        let reading = ReadProgress::new(ProgressMode::choose(self.json, false), &stop);
        let watch = |done, total| reading.read(done, total);
        let limit = self.limit.map(|limit| limit as usize);
        let evaluation = run::evaluation(&request, &model, split, limit, &watch)?;
        let mut pool = threads::pool(Pool::adaptive, threads(self.threads));
        let evaluated = evaluation.evaluate_split(&mut pool, self.worst)?;
        let text = match self.json {
            true => format!("{}\n", self.json(&evaluation, &evaluated)),
            false => self.text(&evaluation, &evaluated),
        };
        write::out(&text)?;
        Ok(0)
    }

    fn split_name(&self) -> &'static str {
        match self.split {
            SplitArg::Train => "train",
            SplitArg::Validation => "validation",
            SplitArg::Test => "test",
        }
    }

    fn text(&self, evaluation: &Evaluation, evaluated: &Evaluated) -> String {
        let mut text = String::new();
        let samples = evaluation.data.test.count();
        if let Some(notice) = &evaluation.data.notice {
            eprintln!("note: {notice}");
        }
        let mut line = format!("{:<8}", self.split_name());
        push_scores(&mut line, "", &evaluated.scores);
        let of = (evaluation.data.source, evaluation.weights.shown());
        line.push_str(&format!("  ({samples} samples of {}, weights of {})", of.0, of.1));
        let _ = writeln!(text, "{}", fitted(&line, write::width()));
        if !evaluated.scores.loss.is_finite() {
            eprintln!("warning: the loss is not finite");
        }
        evaluated.scores.notes.iter().for_each(|note| eprintln!("note: {note}"));
        match &evaluated.details {
            Details::Classes(classes) => {
                if classes.positions > 1 {
                    let (right, all) = classes.right();
                    let what = if classes.labels { "labels" } else { "positions" };
                    let share = 100.0 * right as f64 / all.max(1) as f64;
                    let _ = writeln!(text, "right    {right} of {all} {what} ({share:.2} %)");
                }
                if self.confusion {
                    text.push_str(&confusion_text(evaluation, classes));
                }
                push_worst(&mut text, evaluation, &classes.worst);
            }
            Details::Numbers(errors) => {
                let NumberErrors { mean_absolute, root_mean_square, worst, .. } = errors;
                let _ = writeln!(
                    text,
                    "errors   mean absolute {mean_absolute:.4}, root mean square {root_mean_square:.4}"
                );
                push_worst(&mut text, evaluation, worst);
                if self.confusion {
                    eprintln!("note: the model gives numbers, so nothing is taken for another");
                }
            }
            Details::None if self.confusion || self.worst > 0 => {
                eprintln!("note: nothing but the loss says what the output is for");
            }
            Details::None => {}
        }
        text
    }

    fn json(&self, evaluation: &Evaluation, evaluated: &Evaluated) -> Value {
        let mut object = Map::new();
        object.insert("split".into(), json!(self.split_name()));
        object.insert("model".into(), json!(evaluation.model));
        object.insert("weights".into(), json!(evaluation.weights.to_string_lossy().into_owned()));
        object.insert("data".into(), json!(evaluation.data.source));
        object.insert("samples".into(), json!(evaluation.data.test.count()));
        put_scores(&mut object, "", &evaluated.scores);
        object.insert("task".into(), json!(evaluation.task()));
        let worst = |worst: &[EvaluatedSample]| {
            let one = |it: &EvaluatedSample| {
                json!({
                    "sample": evaluation.data.test.name(it.index),
                    "label": said_json(evaluation, &it.label),
                    "predicted": said_json(evaluation, &it.predicted),
                    "probability": it.probability, "loss": it.loss,
                })
            };
            worst.iter().map(one).collect::<Value>()
        };
        match &evaluated.details {
            Details::Classes(classes) => {
                let names = (0..classes.each.len()).map(|it| class_name(evaluation, classes, it));
                let (right, all) = classes.right();
                object.insert("classes".into(), names.collect());
                object.insert("right".into(), json!(right));
                object.insert("of".into(), json!(all));
                if !classes.counts.is_empty() {
                    object.insert("confusion".into(), json!(classes.counts));
                }
                object.insert("worst".into(), worst(&classes.worst));
            }
            Details::Numbers(errors) => {
                object.insert("mean_absolute_error".into(), json!(errors.mean_absolute));
                object.insert("root_mean_square_error".into(), json!(errors.root_mean_square));
                object.insert("worst".into(), worst(&errors.worst));
            }
            Details::None => {}
        }
        Value::Object(object)
    }
}

/// A class's name; labels of which a sample has several are answered yes or no.
fn class_name(evaluation: &Evaluation, classes: &ClassCounts, class: usize) -> String {
    match classes.labels && classes.positions > 1 {
        true => ["no", "yes"][class.min(1)].to_owned(),
        false => evaluation.data.class_name(class),
    }
}

fn said_json(evaluation: &Evaluation, said: &Answer) -> Value {
    match said {
        Answer::Class(class) => json!(evaluation.data.class_name(*class)),
        Answer::Number(number) => json!(number),
        Answer::Classes(classes) => json!(classes),
        Answer::Labels(numbers) | Answer::Numbers(numbers) => json!(numbers),
        Answer::Bytes(bytes) => json!(bytes),
    }
}

/// An answer in few words; none where it has too many numbers for that.
fn said_text(evaluation: &Evaluation, said: &Answer) -> Option<String> {
    let list = |numbers: &[f64]| {
        let shown: Vec<String> = numbers.iter().map(|number| format!("{number:.4}")).collect();
        (numbers.len() <= MOST_LISTED).then(|| shown.join(", "))
    };
    match said {
        Answer::Class(class) => Some(evaluation.data.class_name(*class).shown().to_string()),
        Answer::Number(number) => Some(format!("{number:.4}")),
        Answer::Labels(numbers) | Answer::Numbers(numbers) => list(numbers),
        Answer::Classes(_) | Answer::Bytes(_) => None,
    }
}

/// The samples that the model is most wrong about, a line each.
fn push_worst(text: &mut String, evaluation: &Evaluation, worst: &[EvaluatedSample]) {
    for worst in worst {
        let name = evaluation.data.test.name(worst.index);
        let sure = worst.probability.map(|it| format!(" ({:.1} %)", 100.0 * it));
        let sure = sure.unwrap_or_default();
        let answers = [&worst.label, &worst.predicted].map(|it| said_text(evaluation, it));
        let _ = match answers {
            [Some(label), Some(predicted)] => {
                writeln!(text, "{}: {label} taken for {predicted}{sure}", name.shown())
            }
            _ => writeln!(text, "{}: off by {:.4}", name.shown(), worst.loss),
        };
    }
}

/// A table of the classes: how many there are, what part of them is found, what part of what is
/// called so is one, and, where there are not too many, what they are taken for most.
fn confusion_text(evaluation: &Evaluation, classes: &ClassCounts) -> String {
    let name = |class| class_name(evaluation, classes, class).shown().to_string();
    let names: Vec<String> = (0..classes.each.len()).map(name).collect();
    let share = |part: u64, all: u64| match all {
        0 => "–".to_owned(),
        all => format!("{:.4}", part as f64 / all as f64),
    };
    let mut columns = vec![
        TableColumn::left("class").at_most(30),
        TableColumn::right("samples").at_least(8),
        TableColumn::right("recall").at_least(9),
        TableColumn::right("precision").at_least(9),
    ];
    if !classes.counts.is_empty() {
        columns.push(TableColumn::left("mostly taken for"));
    }
    let mut table = Table::new(columns);
    for (class, each) in classes.each.iter().enumerate() {
        let row = classes.counts.get(class).map_or(&[][..], Vec::as_slice);
        let others = row.iter().enumerate().filter(|&(other, &count)| other != class && count > 0);
        let mistaken = others.max_by_key(|&(other, &count)| (count, std::cmp::Reverse(other)));
        let mistaken =
            mistaken.map_or(String::new(), |(other, count)| format!("{} ({count})", names[other]));
        table.row([
            names[class].clone(),
            each.support.to_string(),
            share(each.right, each.support),
            share(each.right, each.predicted),
            mistaken,
        ]);
    }
    table.text(write::width())
}
