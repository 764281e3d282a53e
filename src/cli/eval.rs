//! `nnc eval`: judges a trained model by a split of its data.

use super::progress::{Mode, Reading, push_scores};
use super::train::listen;
use super::trained::TrainedModel;
use super::{escaped, write};
use crate::driver::{self, ClassCounts, Evaluation, Failure, Judged, SplitName, put_scores};
use crate::runtime::pool::{Pool, default_threads};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Judges a trained model by its data.
#[derive(Args)]
pub struct Eval {
    #[command(flatten)]
    model: TrainedModel,
    /// The samples to judge it by
    #[arg(long, value_enum, default_value_t = SplitArg::Test)]
    split: SplitArg,
    /// Use at most so many samples
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Print what is taken for what
    #[arg(long)]
    confusion: bool,
    /// List so many of the samples that the model is most wrong about
    #[arg(long, value_name = "N", default_value_t = 0)]
    worst: usize,
    /// Threads; results are the same for any number [default: the processors at hand]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print one JSON object on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SplitArg {
    /// What is trained on
    Train,
    /// What is kept for validation
    Validation,
    /// What is kept for the end
    Test,
}

impl Eval {
    /// Judges and prints.
    pub fn execute(self) -> Result<u8, Failure> {
        let stop = listen()?;
        let (request, model) = self.model.find(true)?;
        let split = match self.split {
            SplitArg::Train => SplitName::Train,
            SplitArg::Validation => SplitName::Validation,
            SplitArg::Test => SplitName::Test,
        };
        let reading = Reading::new(Mode::choose(self.json, false), &stop);
        let watch = |done, total| reading.read(done, total);
        let limit = self.limit.map(|limit| limit as usize);
        let evaluation = driver::evaluation(&request, &model, split, limit, &watch)?;
        let mut pool = Pool::adaptive(self.threads.map_or_else(default_threads, usize::from));
        let judged = evaluation.judge(&mut pool, self.worst)?;
        let text = match self.json {
            true => format!("{}\n", self.json(&evaluation, &judged)),
            false => self.text(&evaluation, &judged),
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

    fn text(&self, evaluation: &Evaluation, judged: &Judged) -> String {
        let mut text = String::new();
        let samples = evaluation.data.test.count();
        if let Some(notice) = &evaluation.data.notice {
            eprintln!("note: {notice}");
        }
        let mut line = format!("{:<8}", self.split_name());
        push_scores(&mut line, "", &judged.scores);
        let _ = writeln!(
            text,
            "{line}  ({samples} samples of {}, weights of {})",
            evaluation.data.source,
            evaluation.weights.display()
        );
        if let Some(classes) = &judged.classes {
            if self.confusion {
                text.push_str(&confusion_text(evaluation, classes));
            }
            for worst in &classes.worst {
                let name = sample_name(evaluation, worst.index);
                let class = |class| evaluation.data.class_name(class);
                let _ = writeln!(
                    text,
                    "{name}: {} taken for {} ({:.1} %)",
                    class(worst.label),
                    class(worst.predicted),
                    100.0 * worst.probability
                );
            }
        } else if self.confusion || self.worst > 0 {
            eprintln!("note: the samples have no classes, so nothing is taken for another");
        }
        escaped(&text)
    }

    fn json(&self, evaluation: &Evaluation, judged: &Judged) -> Value {
        let mut object = Map::new();
        object.insert("split".into(), json!(self.split_name()));
        object.insert("model".into(), json!(evaluation.model));
        object.insert("weights".into(), json!(evaluation.weights.display().to_string()));
        object.insert("data".into(), json!(evaluation.data.source));
        object.insert("samples".into(), json!(evaluation.data.test.count()));
        put_scores(&mut object, "", &judged.scores);
        if let Some(classes) = &judged.classes {
            let names: Vec<String> =
                (0..classes.counts.len()).map(|it| evaluation.data.class_name(it)).collect();
            object.insert("classes".into(), json!(names));
            object.insert("confusion".into(), json!(classes.counts));
            let worst = classes.worst.iter().map(|worst| {
                json!({
                    "sample": sample_name(evaluation, worst.index),
                    "label": names[worst.label], "predicted": names[worst.predicted],
                    "probability": worst.probability, "loss": worst.loss,
                })
            });
            object.insert("worst".into(), worst.collect());
        }
        Value::Object(object)
    }
}

/// The file of a sample, or its number.
fn sample_name(evaluation: &Evaluation, index: u32) -> String {
    let split = &evaluation.data.test;
    match split.file(index) {
        Some(file) => file.display().to_string(),
        None => format!("sample {}", split.original(index)),
    }
}

/// A table of the classes: how many there are, what part of them is found, what part of what is
/// called so is one, and what they are taken for most.
fn confusion_text(evaluation: &Evaluation, classes: &ClassCounts) -> String {
    let counts = &classes.counts;
    let names: Vec<String> = (0..counts.len()).map(|it| evaluation.data.class_name(it)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).clamp(5, 30);
    let mut text = format!(
        "{:<width$}  {:>8}  {:>9}  {:>9}  mostly taken for\n",
        "class", "samples", "recall", "precision"
    );
    let share = |part: u64, all: u64| match all {
        0 => "–".to_owned(),
        all => format!("{:.4}", part as f64 / all as f64),
    };
    for (class, row) in counts.iter().enumerate() {
        let samples: u64 = row.iter().sum();
        let called: u64 = counts.iter().map(|row| row[class]).sum();
        let others = row.iter().enumerate().filter(|&(other, &count)| other != class && count > 0);
        let mistaken = others.max_by_key(|&(other, &count)| (count, std::cmp::Reverse(other)));
        let mistaken =
            mistaken.map_or(String::new(), |(other, count)| format!("{} ({count})", names[other]));
        let name: String = names[class].chars().take(width).collect();
        let _ = writeln!(
            text,
            "{name:<width$}  {samples:>8}  {:>9}  {:>9}  {mistaken}",
            share(row[class], samples),
            share(row[class], called),
        );
    }
    text
}
