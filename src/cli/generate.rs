//! `nnc generate`: goes on with a text.

use super::threads::{self, threads};
use super::trained::TrainedModel;
use super::write;
use crate::base::shown::Show;
use crate::command::{self, GenerateOptions, GeneratedToken, Sampling};
use crate::driver::Failure;
use crate::files::read;
use crate::runtime::pool::Pool;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Goes on with a text, token by token, as a model that was trained on `text(…)` thinks likely. Prints
/// the prompt and what follows as it is made.
#[derive(Args)]
pub struct GenerateArgs {
    #[command(flatten)]
    model: TrainedModel,
    /// The text to go on with
    #[arg(long, value_name = "TEXT", required_unless_present = "prompt_file")]
    prompt: Option<String>,
    /// A file with the text to go on with; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    prompt_file: Option<PathBuf>,
    /// Number of tokens to make
    #[arg(long, value_name = "N", default_value_t = 500)]
    tokens: u32,
    /// Divisor of the logits: below 1 likelier tokens are preferred; at 0 the likeliest is taken
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature)]
    temperature: f64,
    /// Draw from the K likeliest tokens alone
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    top_k: Option<u32>,
    /// Draw from the fewest likeliest tokens alone whose probabilities add up to P
    #[arg(long, value_name = "P", value_parser = share)]
    top_p: Option<f64>,
    /// Seed of what is drawn: the same seed gives the same text
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Treatment of characters or words of the prompt that the text to train on did not have
    #[arg(long, value_enum, default_value_t)]
    unknown: UnknownTokens,
    /// Compute each token from as many tokens before it as the model was trained to look at. Without
    /// it, a model with a limited view begins anew with the newest half of them whenever it is full, which
    /// is much faster
    #[arg(long)]
    full_window: bool,
    /// Print one JSON object per token
    #[arg(long)]
    json: bool,
    /// Number of threads [default: NNC_THREADS, or else all available processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// The treatment of what the text to train on did not have.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum UnknownTokens {
    /// It is named, and nothing is made
    #[default]
    Refuse,
    /// It is left out
    Skip,
}

fn temperature(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    match number.is_finite() && number >= 0.0 {
        true => Ok(number),
        false => Err("must be 0 or more".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    match number > 0.0 && number <= 1.0 {
        true => Ok(number),
        false => Err("must be above 0 and at most 1".to_owned()),
    }
}

impl GenerateArgs {
    /// Prints the prompt and what follows it.
    pub fn execute(self) -> Result<u8, Failure> {
        let (request, model) = self.model.find(true)?;
        let text = self.text()?;
        let mut pool = threads::pool(Pool::adaptive, threads(self.threads));
        let threads = pool.threads();
        let mut generator = command::text_generator(&request, &model, self.full_window, threads)?;
        let prompt = generator.prompt(&text, self.unknown == UnknownTokens::Skip)?;
        if !self.json {
            eprintln!("weights of {}", generator.weights.shown());
            write::out(&text)?;
        }
        if let Some(note) = &generator.note {
            eprintln!("{note}");
        }
        if prompt.len() > generator.window {
            let (tokens, window) = (prompt.len(), generator.window);
            eprintln!(
                "note: the prompt has {tokens} tokens, and the model was trained to look at {window}"
            );
        }
        let mut failed = None;
        let mut last = String::new();
        let start = Instant::now();
        let made = generator.generate(&prompt, &self.options(), &mut pool, &mut |made| {
            last.clone_from(&made.text);
            failed = self.tell(made).err();
            failed.is_none()
        });
        if let Some(failure) = failed {
            return Err(failure);
        }
        if !self.json && !last.ends_with('\n') {
            write::line("")?;
        }
        made?;
        if !self.json {
            let rate = f64::from(self.tokens) / start.elapsed().as_secs_f64().max(1e-9);
            eprintln!("{} tokens, {rate:.0} per second", self.tokens);
        }
        Ok(0)
    }

    /// The prompt.
    fn text(&self) -> Result<String, Failure> {
        let Some(path) = &self.prompt_file else {
            return Ok(self.prompt.clone().unwrap_or_default());
        };
        let failed = |error: &dyn std::fmt::Display| {
            Failure::Io(format!("cannot read {}: {error}", path.shown()))
        };
        let bytes = match path.as_path() == Path::new("-") {
            true => read::stream(std::io::stdin().lock(), read::TABLE),
            false => read::bytes(path, read::TABLE),
        };
        let bytes = bytes.map_err(|error| failed(&error))?;
        String::from_utf8(bytes).map_err(|error| failed(&error))
    }

    fn options(&self) -> GenerateOptions {
        GenerateOptions {
            tokens: self.tokens as usize,
            sampling: Sampling {
                temperature: self.temperature,
                top_k: self.top_k.map(|top_k| top_k as usize),
                top_p: self.top_p,
            },
            seed: self.seed,
        }
    }

    fn tell(&self, made: &GeneratedToken) -> Result<(), Failure> {
        if !self.json {
            return write::out(&made.text);
        }
        let GeneratedToken { token, text, probability } = made;
        let object = serde_json::json!({"token": token, "text": text, "probability": probability});
        write::line(&object.to_string())
    }
}
