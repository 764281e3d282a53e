//! `nnc predict`: asks a trained model about what its source takes, and writes answers in the terms of
//! the data.

use super::answers::{AnswerForm, AnswerWriter};
use super::threads::{self, threads};
use super::trained::TrainedModel;
use super::write;
use crate::base::shown::Show;
use crate::command::{self, DrawnOutputs, Prediction, RawOutputs};
use crate::driver::Failure;
use crate::run;
use crate::runtime::pool::Pool;
use clap::Args;
use std::path::PathBuf;

/// Predicts with a trained model: the class of an image or recording, the values of a row, what follows
/// a series or a line of text.
#[derive(Args)]
pub struct PredictArgs {
    #[command(flatten)]
    model: TrainedModel,
    /// Files of the kind that the model was trained on, or folders of them: images, idx files, CSV, WAV,
    /// text (an answer a line), the table of a series (its last rows are asked about), npz, npy,
    /// safetensors. `-` reads standard input: such a file, or a list of images or recordings.
    /// Targets may be missing
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
    /// Write masks (grey PNG, each byte the class of its pixel) and predicted images into a folder, a
    /// file for each sample
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Let --out write over files that are there
    #[arg(long, requires = "out")]
    force: bool,
    /// Write the outputs, as the model gives them, to a file (npz where its name ends so, else
    /// safetensors): an array for each output, `output` if there is one; a row for each sample, of NaN
    /// where one could not be read
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
    /// Number of threads [default: NNC_THREADS, or else all available processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl PredictArgs {
    /// Predicts and prints; exit code 1 if a sample could not be read.
    pub fn execute(self) -> Result<u8, Failure> {
        let (request, model) = self.model.find(true)?;
        if let Some(raw) = &self.raw {
            run::check_writable(raw)?;
        }
        let (predictor, samples) = command::predictor(&request, &model, &self.files)?;
        let drawn =
            |folder| DrawnOutputs::new(folder, &predictor, &samples, &self.files, self.force);
        let drawn = self.out.as_deref().map(drawn).transpose()?;
        let answers = self.answers();
        if answers.form == AnswerForm::Text {
            eprintln!("weights of {}", predictor.weights.shown());
        }
        let mut raw = self.raw.as_ref().map(|_| RawOutputs::new(&predictor)).transpose()?;
        let mut pool = threads::pool(Pool::adaptive, threads(self.threads));
        let mut failed = None;
        let mut unread = 0;
        let mut head = Some(answers.header(&predictor));
        predictor.predict(&samples, &mut pool, answers.top, &mut |sample, told, outputs| {
            let name = sample.name();
            if let [Prediction::Unreadable(reason)] = told {
                unread += 1;
                eprintln!("error: {}: {}", name.shown(), reason.shown());
            }
            let text = head.take().unwrap_or_default() + &answers.line(&predictor, &name, told);
            let kept = raw.as_mut().map_or(Ok(()), |raw| raw.push(sample, outputs));
            let kept =
                kept.and_then(|()| drawn.as_ref().map_or(Ok(()), |it| it.write(sample, outputs)));
            failed = kept.and_then(|()| write::out(&text)).err();
            failed.is_none()
        });
        if let (None, Some(raw), Some(path)) = (&failed, raw, &self.raw) {
            raw.write(path)?;
        }
        match failed {
            Some(failure) => Err(failure),
            None => Ok(u8::from(unread > 0)),
        }
    }

    fn answers(&self) -> AnswerWriter {
        let form = match (self.csv, self.json) {
            (true, _) => AnswerForm::Csv,
            (_, true) => AnswerForm::Json,
            _ => AnswerForm::Text,
        };
        AnswerWriter { form, top: self.top as usize }
    }
}
