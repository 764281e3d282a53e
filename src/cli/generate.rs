//! `nnc generate`: goes on with a text or a sound.

use super::threads::{self, threads};
use super::trained::TrainedModel;
use super::write;
use crate::base::schema::{TokenList, WaveLevels};
use crate::base::shown::Show;
use crate::command::{self, GenerateOptions, GeneratedForm, GeneratedToken, Generator, Sampling};
use crate::driver::Failure;
use crate::files::read;
use crate::run;
use crate::runtime::pool::Pool;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Instant;

/// Goes on with a text or a sound, token by token, as a model that was trained on `text(…)` or `waves(…)`
/// thinks likely. Prints the prompt and what follows as it is made, or writes the sound into a WAV file.
#[derive(Args)]
pub struct GenerateArgs {
    #[command(flatten)]
    model: TrainedModel,
    /// The text to go on with
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// A file with the text, or the recording, to go on with; `-` is standard input [default: a moment
    /// of silence where the model makes sounds]
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    prompt_file: Option<PathBuf>,
    /// Number of tokens to make; of a sound, the number of its samples [default: 500, or a second of sound]
    #[arg(long, value_name = "N")]
    tokens: Option<u32>,
    /// The WAV file to write the sound into, prompt and all
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
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
        let mut pool = threads::pool(Pool::adaptive, threads(self.threads));
        let threads = pool.threads();
        let generator = command::generator(&request, &model, self.full_window, threads)?;
        if !self.json {
            eprintln!("weights of {}", generator.weights.shown());
        }
        if let Some(note) = &generator.note {
            eprintln!("{note}");
        }
        match generator.form.clone() {
            GeneratedForm::Text(list) => self.go_on_with_text(generator, &list, &mut pool),
            GeneratedForm::Wave(form) => self.go_on_with_sound(generator, form, &mut pool),
        }
    }

    /// Prints the prompt and what follows.
    fn go_on_with_text(
        &self,
        mut generator: Generator,
        list: &TokenList,
        pool: &mut Pool,
    ) -> Result<u8, Failure> {
        if self.output.is_some() {
            let message = "the model goes on with a text, which is printed; --output is for sounds";
            return Err(Failure::Io(message.to_owned()));
        }
        let text = self.text()?;
        let prompt = command::text_prompt(list, &text, self.unknown == UnknownTokens::Skip)?;
        if !self.json {
            write::out(&text)?;
        }
        let mut last = String::new();
        let options = self.options(500);
        let made = self.generate(&mut generator, &prompt, &options, pool, &mut |made| {
            last.clone_from(&made.text);
            if self.json { Ok(()) } else { write::out(&made.text) }
        });
        if !self.json && !last.ends_with('\n') {
            write::line("")?;
        }
        let rate = made?;
        if !self.json {
            eprintln!("{} tokens, {rate:.0} per second", options.tokens);
        }
        Ok(0)
    }

    /// Writes the sound of the prompt and of what follows.
    fn go_on_with_sound(
        &self,
        mut generator: Generator,
        form: WaveLevels,
        pool: &mut Pool,
    ) -> Result<u8, Failure> {
        if self.prompt.is_some() {
            let message =
                "the model goes on with a sound: give a recording by --prompt-file, or nothing";
            return Err(Failure::Io(message.to_owned()));
        }
        let Some(path) = &self.output else {
            let message = "the model makes a sound: name a WAV file for it, `--output speech.wav`";
            return Err(Failure::Io(message.to_owned()));
        };
        run::check_writable(path)?;
        let mut levels = command::wave_prompt(form, self.prompt_file.as_deref())?;
        let prompt = levels.clone();
        let options = self.options(form.rate);
        let rate = self.generate(&mut generator, &prompt, &options, pool, &mut |made| {
            levels.push(made.token);
            Ok(())
        })?;
        command::write_wave(path, &levels, form)?;
        let seconds = levels.len() as f64 / f64::from(form.rate);
        if !self.json {
            let (path, count) = (path.shown(), options.tokens);
            eprintln!("{path} written: {seconds:.2} s, {count} samples made, {rate:.0} per second");
        }
        Ok(0)
    }

    /// Makes tokens, and gives how many a second.
    fn generate(
        &self,
        generator: &mut Generator,
        prompt: &[i32],
        options: &GenerateOptions,
        pool: &mut Pool,
        tell: &mut dyn FnMut(&GeneratedToken) -> Result<(), Failure>,
    ) -> Result<f64, Failure> {
        if prompt.len() > generator.window {
            let (tokens, window) = (prompt.len(), generator.window);
            eprintln!(
                "note: the prompt has {tokens} tokens, and the model was trained to look at {window}"
            );
        }
        let mut failed = None;
        let start = Instant::now();
        generator.generate(prompt, options, pool, &mut |made| {
            let told = if self.json { write_json(made) } else { Ok(()) };
            failed = told.and_then(|()| tell(made)).err();
            failed.is_none()
        })?;
        match failed {
            Some(failure) => Err(failure),
            None => Ok(options.tokens as f64 / start.elapsed().as_secs_f64().max(1e-9)),
        }
    }

    /// The prompt.
    fn text(&self) -> Result<String, Failure> {
        let Some(path) = &self.prompt_file else {
            let missing = || {
                let message = "the model goes on with a text: give one, `--prompt TEXT` or \
                               `--prompt-file FILE`";
                Failure::Io(message.to_owned())
            };
            return self.prompt.clone().ok_or_else(missing);
        };
        let failed = |error: &dyn std::fmt::Display| {
            Failure::Io(format!("cannot read {}: {error}", path.shown()))
        };
        let bytes = read::bytes_or_stdin(path, read::TABLE).map_err(|error| failed(&error))?;
        String::from_utf8(bytes).map_err(|error| failed(&error))
    }

    /// The options; without `--tokens` so many are made.
    fn options(&self, tokens: u32) -> GenerateOptions {
        GenerateOptions {
            tokens: self.tokens.unwrap_or(tokens) as usize,
            sampling: Sampling {
                temperature: self.temperature,
                top_k: self.top_k.map(|top_k| top_k as usize),
                top_p: self.top_p,
            },
            seed: self.seed,
        }
    }
}

fn write_json(made: &GeneratedToken) -> Result<(), Failure> {
    let GeneratedToken { token, text, probability } = made;
    let object = serde_json::json!({"token": token, "text": text, "probability": probability});
    write::line(&object.to_string())
}
