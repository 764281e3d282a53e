//! `nnc predict`: asks a trained model about images and rows of tables.

use super::threads::{self, threads};
use super::trained::TrainedModel;
use super::write;
use crate::base::csv;
use crate::base::shown::Show;
use crate::base::task::Task;
use crate::command::{self, PredictInput, PredictedOutput, Prediction, Predictor, RawOutputs};
use crate::driver::Failure;
use crate::run;
use crate::runtime::pool::Pool;
use clap::Args;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// Predicts what files show with a trained model.
#[derive(Args)]
pub struct PredictArgs {
    #[command(flatten)]
    model: TrainedModel,
    /// Files of the kind that the model was trained on: images, folders of them, idx or CSV files;
    /// `-` reads standard input (an image, a list of files, or CSV)
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    /// Number of classes to print for each file, the most likely first
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// Write the outputs, as the model gives them, to a file (safetensors: `output`, or each output
    /// by its name; a row for each file, of NaN where one could not be read)
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
    /// Number of threads [default: NNC_THREADS, or else all available processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl PredictArgs {
    /// Predicts and prints; exit code 1 if a file could not be read.
    pub fn execute(self) -> Result<u8, Failure> {
        let (request, model) = self.model.find(true)?;
        if let Some(raw) = &self.raw {
            run::check_writable(raw)?;
        }
        let (predictor, questions) = command::predictor(&request, &model, &self.files)?;
        if !self.csv && !self.json {
            eprintln!("weights of {}", predictor.weights.shown());
        }
        let mut raw = self.raw.as_ref().map(|_| RawOutputs::new(&predictor)).transpose()?;
        let mut pool = threads::pool(Pool::adaptive, threads(self.threads));
        let mut failed = None;
        let mut unread = 0;
        let mut started = false;
        let top = self.top as usize;
        predictor.predict(&questions, &mut pool, top, &mut |question, answers, outputs| {
            if let [Prediction::Unreadable(reason)] = answers {
                unread += 1;
                eprintln!("error: {}: {}", question.name().shown(), reason.shown());
            }
            let mut text = String::new();
            if self.csv && !started {
                text.push_str(&self.csv_header(&predictor));
            }
            started = true;
            self.print(&predictor, question, answers, &mut text);
            let kept = raw.as_mut().map_or(Ok(()), |raw| raw.push(question, outputs));
            match kept.and_then(|()| write::out(&text)) {
                Ok(()) => true,
                Err(failure) => {
                    failed = Some(failure);
                    false
                }
            }
        });
        if let (None, Some(raw), Some(path)) = (&failed, raw, &self.raw) {
            raw.write(path)?;
        }
        match failed {
            Some(failure) => Err(failure),
            None => Ok(u8::from(unread > 0)),
        }
    }

    fn csv_header(&self, predictor: &Predictor) -> String {
        let several = predictor.outputs().len() > 1;
        let named = |output: &PredictedOutput| -> Vec<String> {
            let name = |column: String| match several && !column.starts_with(&output.name) {
                true => format!("{}_{column}", output.name),
                false => column,
            };
            self.columns(output).into_iter().map(name).collect()
        };
        let columns = predictor.outputs().iter().flat_map(named);
        let first = if predictor.reads_rows() { "row" } else { "file" };
        csv::row(std::iter::once(first.to_owned()).chain(columns))
    }

    /// The columns of an output in a table.
    fn columns(&self, output: &PredictedOutput) -> Vec<String> {
        let ranks = |of: [&str; 2]| -> Vec<String> {
            (1..=self.top).flat_map(|rank| of.map(|it| format!("{it}_{rank}"))).collect()
        };
        match output.task {
            Task::Class { scale, .. } | Task::Labels { labels: 1, scale } => {
                let sure = if scale.is_sure() { "probability" } else { "score" };
                match self.top {
                    1 => ["class", sure].map(str::to_owned).to_vec(),
                    _ => ranks(["class", sure]),
                }
            }
            Task::ClassPerPosition { .. } => output.classes.clone(),
            Task::Labels { .. } | Task::Numbers { .. } | Task::Other => output.number_names(),
        }
    }

    fn print(
        &self,
        predictor: &Predictor,
        question: &PredictInput,
        answers: &[Prediction],
        text: &mut String,
    ) {
        let name = question.name();
        if self.json {
            let _ = writeln!(text, "{}", json_line(predictor, &name, answers));
            return;
        }
        // It has been told on standard error.
        if let [Prediction::Unreadable(_)] = answers {
            return;
        }
        let outputs = predictor.outputs().iter().zip(answers);
        let several = answers.len() > 1;
        let parts = outputs.flat_map(|(output, answer)| {
            let mut parts = self.parts(output, answer);
            if let Some(first) = parts.first_mut().filter(|_| several && !self.csv) {
                *first = format!("{} {first}", output.name);
            }
            parts
        });
        let parts: Vec<String> = parts.collect();
        text.push_str(&match self.csv {
            true => csv::row(std::iter::once(csv::cell(&name)).chain(parts)),
            false => format!("{}: {}\n", name.shown(), parts.join("  ")),
        });
    }

    /// An answer in words, or as the cells of a table.
    fn parts(&self, output: &PredictedOutput, answer: &Prediction) -> Vec<String> {
        let sure = is_sure(output.task);
        match answer {
            Prediction::Classes(classes) if self.csv => classes
                .iter()
                .flat_map(|(class, number)| [csv::cell(class), format!("{number:.6}")])
                .collect(),
            Prediction::Classes(classes) if sure => {
                let part = |(class, number): &(String, f64)| {
                    format!("{} {:.2} %", class.shown(), 100.0 * number)
                };
                classes.iter().map(part).collect()
            }
            Prediction::Classes(classes) => classes
                .iter()
                .map(|(class, number)| format!("{} {number:.4}", class.shown()))
                .collect(),
            Prediction::Positions(counts) if self.csv => {
                let of = |class: &String| counts.iter().find(|(name, _)| name == class);
                let count = |class| of(class).map_or(0, |(_, count)| *count).to_string();
                output.classes.iter().map(count).collect()
            }
            Prediction::Positions(counts) => {
                let all = counts.iter().map(|(_, count)| count).sum::<usize>() as f64;
                let part = |(class, count): &(String, usize)| {
                    format!("{} {:.2} %", class.shown(), 100.0 * *count as f64 / all)
                };
                counts.iter().map(part).collect()
            }
            Prediction::Values(values) if !self.csv && values.len() > MOST_NUMBERS => {
                vec![in_short(output, values)]
            }
            Prediction::Values(values) => values.iter().map(f32::to_string).collect(),
            Prediction::Unreadable(_) => Vec::new(),
        }
    }
}

/// More numbers are not printed one by one for people.
const MOST_NUMBERS: usize = 32;

/// Many numbers in a line.
fn in_short(output: &PredictedOutput, values: &[f32]) -> String {
    let shape: Vec<String> = output.shape.iter().map(usize::to_string).collect();
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
    let mean = sum / values.len() as f64;
    format!(
        "f32[{}] from {least} to {most}, mean {mean:.4}; `--raw FILE` writes all",
        shape.join(", ")
    )
}

fn is_sure(task: Task) -> bool {
    match task {
        Task::Class { scale, .. } | Task::ClassPerPosition { scale, .. } => scale.is_sure(),
        Task::Labels { .. } => true,
        Task::Numbers { .. } | Task::Other => false,
    }
}

fn json_line(predictor: &Predictor, name: &str, answers: &[Prediction]) -> Value {
    if let [Prediction::Unreadable(reason)] = answers {
        return json!({ "file": name, "error": reason });
    }
    let mut object = Map::from_iter([("file".to_owned(), json!(name))]);
    let outputs = predictor.outputs().iter().zip(answers);
    for (output, answer) in outputs {
        let answer = json_answer(output, answer);
        match answers.len() {
            1 => object.extend(answer),
            _ => drop(object.insert(output.name.clone(), Value::Object(answer))),
        }
    }
    Value::Object(object)
}

/// The answer of an output, by the names of its parts.
fn json_answer(output: &PredictedOutput, answer: &Prediction) -> Map<String, Value> {
    let number = if is_sure(output.task) { "probability" } else { "score" };
    let entries: Vec<(&str, Value)> = match answer {
        Prediction::Classes(classes) => {
            let top = classes.iter().map(|(class, it)| json!({ "class": class, number: it }));
            vec![("top", top.collect())]
        }
        Prediction::Positions(counts) => {
            let counts =
                counts.iter().map(|(class, it)| json!({ "class": class, "positions": it }));
            vec![("classes", counts.collect())]
        }
        Prediction::Values(values) => {
            vec![("shape", json!(output.shape)), ("output", json!(values))]
        }
        Prediction::Unreadable(reason) => vec![("error", json!(reason))],
    };
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
