//! `nnc predict`: asks a trained model about images.

use super::trained::TrainedModel;
use super::{escaped, write};
use crate::base::csv;
use crate::driver::{self, Answer, Failure, Question};
use crate::runtime::pool::{Pool, default_threads};
use clap::Args;
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;

/// Asks a trained model about files.
#[derive(Args)]
pub struct Predict {
    #[command(flatten)]
    model: TrainedModel,
    /// Image files, folders of them, idx or CSV files; `-` reads standard input (an image, a list
    /// of files, or CSV)
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    /// How many classes to tell of each, the likeliest first
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Threads [default: the processors at hand]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl Predict {
    /// Asks and prints; exit code 1 if a file could not be read.
    pub fn execute(self) -> Result<u8, Failure> {
        let (request, model) = self.model.find(true)?;
        let questions = driver::questions(&self.files)?;
        let predictor = driver::predictor(&request, &model, questions.len())?;
        let mut pool = Pool::adaptive(self.threads.map_or_else(default_threads, usize::from));
        let mut failed = None;
        let mut unread = 0;
        let mut started = false;
        let top = self.top as usize;
        predictor.ask(&questions, &mut pool, top, &mut |question, answer| {
            if let Answer::Unreadable(reason) = &answer {
                unread += 1;
                eprintln!("error: {}", escaped(&format!("{}: {reason}", question.name())));
            }
            let mut text = String::new();
            if self.csv && !started {
                text.push_str(&self.csv_header(&answer));
            }
            started = true;
            self.print(question, &answer, &mut text);
            match write::out(&text) {
                Ok(()) => true,
                Err(failure) => {
                    failed = Some(failure);
                    false
                }
            }
        });
        match failed {
            Some(failure) => Err(failure),
            None => Ok(u8::from(unread > 0)),
        }
    }

    fn csv_header(&self, answer: &Answer) -> String {
        match answer {
            Answer::Values(values) => {
                let columns: Vec<String> =
                    (0..values.len()).map(|index| format!("output_{index}")).collect();
                format!("file,{}\n", columns.join(","))
            }
            _ if self.top == 1 => "file,class,probability\n".to_owned(),
            _ => {
                let columns = (1..=self.top).map(|rank| format!("class_{rank},probability_{rank}"));
                format!("file,{}\n", columns.collect::<Vec<_>>().join(","))
            }
        }
    }

    fn print(&self, question: &Question, answer: &Answer, text: &mut String) {
        let name = question.name();
        if self.json {
            let line = match answer {
                Answer::Classes(classes) => {
                    let top = classes.iter().map(|(class, probability)| {
                        json!({ "class": class, "probability": probability })
                    });
                    json!({ "file": name, "top": top.collect::<Vec<_>>() })
                }
                Answer::Values(values) => json!({ "file": name, "output": values }),
                Answer::Unreadable(reason) => json!({ "file": name, "error": reason }),
            };
            let _ = writeln!(text, "{line}");
            return;
        }
        let parts: Vec<String> = match answer {
            Answer::Classes(classes) if self.csv => classes
                .iter()
                .flat_map(|(class, probability)| [csv::field(class), format!("{probability:.6}")])
                .collect(),
            Answer::Classes(classes) => classes
                .iter()
                .map(|(class, probability)| format!("{class} {:.2} %", 100.0 * probability))
                .collect(),
            Answer::Values(values) => values.iter().map(f32::to_string).collect(),
            // It has been told on standard error.
            Answer::Unreadable(_) => return,
        };
        let _ = match self.csv {
            true => writeln!(text, "{},{}", csv::field(&name), parts.join(",")),
            false => writeln!(text, "{}", escaped(&format!("{name}: {}", parts.join("  ")))),
        };
    }
}
