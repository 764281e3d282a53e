//! How the answers of `nnc predict` are written: a line for people, a row of a table, an object of JSON.
//!
//! ```text
//! a.png: cat 98.21 %                                   people
//! a.png,cat,0.982123                                   --csv
//! {"file":"a.png","top":[{"class":"cat",…}]}           --json
//! ```

use std::fmt::Write;

use crate::base::csv;
use crate::base::shown::Show;
use crate::base::task::Task;
use crate::command::{
    PositionClasses, PredictedOutput, PredictedText, Prediction, Predictor, json_answer,
};

/// More numbers, or classes of positions, are not printed one by one for people.
const MOST_NUMBERS: usize = 32;

/// The form in which answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerForm {
    /// For people.
    Text,
    /// A table.
    Csv,
    /// An object a line.
    Json,
}

/// Writes answers in a form; `top` is how many classes each has.
pub struct AnswerWriter {
    /// The form.
    pub form: AnswerForm,
    /// The classes of an answer.
    pub top: usize,
}

impl AnswerWriter {
    /// The row of names above a table; nothing in other forms.
    pub fn header(&self, predictor: &Predictor) -> String {
        if self.form != AnswerForm::Csv {
            return String::new();
        }
        let several = predictor.outputs().len() > 1;
        let named = |output: &PredictedOutput| -> Vec<String> {
            let name = |column: String| match several && !column.starts_with(&output.name) {
                true => format!("{}_{column}", output.name),
                false => column,
            };
            self.columns(output).into_iter().map(name).collect()
        };
        let columns = predictor.outputs().iter().flat_map(named);
        csv::row(std::iter::once(predictor.place_name().to_owned()).chain(columns))
    }

    /// The columns of an output in a table.
    fn columns(&self, output: &PredictedOutput) -> Vec<String> {
        let likeliest = |class: &str, scale_is_sure: bool, classes: usize| -> Vec<String> {
            let both = [class, if scale_is_sure { "probability" } else { "score" }];
            match self.top.min(classes) {
                1 => both.map(str::to_owned).to_vec(),
                top => (1..=top).flat_map(|rank| both.map(|it| format!("{it}_{rank}"))).collect(),
            }
        };
        match output.task {
            Task::Class { scale, classes } => likeliest("class", scale.is_sure(), classes),
            Task::Labels { labels: 1, scale } => likeliest("class", scale.is_sure(), 2),
            Task::ClassPerPosition { scale, classes, .. } if output.tokens().is_some() => {
                let mut columns = vec!["text".to_owned()];
                columns.extend(likeliest(output.last_name(), scale.is_sure(), classes));
                columns
            }
            Task::ClassPerPosition { .. } if output.is_row() => vec!["classes".to_owned()],
            Task::ClassPerPosition { .. } => output.classes.clone(),
            Task::Labels { .. } | Task::Numbers { .. } | Task::Picture { .. } | Task::Other => {
                output.number_names()
            }
        }
    }

    /// The answers of a sample.
    pub fn line(&self, predictor: &Predictor, name: &str, answers: &[Prediction]) -> String {
        if self.form == AnswerForm::Json {
            return format!("{}\n", json_answer("file", name, predictor.outputs(), answers));
        }
        // It has been told on standard error.
        if let [Prediction::Unreadable(_)] = answers {
            return String::new();
        }
        let is_table = self.form == AnswerForm::Csv;
        let several = answers.len() > 1;
        let parts = predictor.outputs().iter().zip(answers).flat_map(|(output, answer)| {
            let mut parts = match is_table {
                true => self.cells(output, answer),
                false => words(output, answer),
            };
            if let Some(first) = parts.first_mut().filter(|_| several && !is_table) {
                *first = format!("{} {first}", output.name);
            }
            parts
        });
        let parts: Vec<String> = parts.collect();
        match is_table {
            true => csv::row(std::iter::once(csv::cell(name)).chain(parts)),
            false => format!("{}: {}\n", name.shown(), parts.join("  ")),
        }
    }

    /// An answer as the cells of a table, as many as it has columns.
    fn cells(&self, output: &PredictedOutput, answer: &Prediction) -> Vec<String> {
        let likeliest = |classes: &[(String, f64)]| -> Vec<String> {
            let cells = classes.iter();
            cells.flat_map(|(class, number)| [csv::cell(class), format!("{number:.6}")]).collect()
        };
        match answer {
            Prediction::Classes(classes) => likeliest(classes),
            Prediction::Positions(PositionClasses { row: Some(row), .. }) => {
                vec![csv::cell(&row.join(" "))]
            }
            Prediction::Positions(PositionClasses { counts, row: None }) => {
                let of = |class: &String| counts.iter().find(|(name, _)| name == class);
                let count = |class| of(class).map_or(0, |(_, count)| *count).to_string();
                output.classes.iter().map(count).collect()
            }
            Prediction::Text(PredictedText { text, last }) => {
                let mut cells = vec![csv::cell(text)];
                cells.extend(likeliest(last));
                cells
            }
            Prediction::Values(values) => values.iter().map(f32::to_string).collect(),
            Prediction::Unreadable(_) => Vec::new(),
        }
    }
}

/// An answer in words.
fn words(output: &PredictedOutput, answer: &Prediction) -> Vec<String> {
    let class = |(class, number): &(String, f64)| match output.is_sure() {
        true => format!("{} {:.2} %", class.shown(), 100.0 * number),
        false => format!("{} {number:.4}", class.shown()),
    };
    match answer {
        Prediction::Classes(classes) => classes.iter().map(class).collect(),
        Prediction::Positions(PositionClasses { row: Some(row), .. })
            if row.len() <= MOST_NUMBERS =>
        {
            vec![row.iter().map(|name| name.shown().to_string()).collect::<Vec<_>>().join(" ")]
        }
        Prediction::Positions(PositionClasses { counts, .. }) => {
            let all = counts.iter().map(|(_, count)| count).sum::<usize>() as f64;
            let part = |(class, count): &(String, usize)| {
                format!("{} {:.2} %", class.shown(), 100.0 * *count as f64 / all)
            };
            counts.iter().map(part).collect()
        }
        Prediction::Text(PredictedText { text, last }) => {
            let mut words = vec![format!("\"{}\"", text.shown())];
            let named = |(token, number): &(String, f64)| {
                class(&(format!("\"{}\"", token.shown()), *number))
            };
            let mut last = last.iter().map(named);
            words.extend(last.next().map(|first| format!("{} {first}", output.last_name())));
            words.extend(last);
            words
        }
        Prediction::Values(values) if values.len() > MOST_NUMBERS => vec![in_short(output, values)],
        Prediction::Values(values) => values.iter().map(f32::to_string).collect(),
        Prediction::Unreadable(_) => Vec::new(),
    }
}

/// Many numbers in a line.
fn in_short(output: &PredictedOutput, values: &[f32]) -> String {
    let shape: Vec<String> = output.shape.iter().map(usize::to_string).collect();
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
    let mean = sum / values.len() as f64;
    let mut text = format!("f32[{}] from {least} to {most}, mean {mean:.4}", shape.join(", "));
    let _ = write!(text, "; `--raw FILE` writes all");
    text
}
