//! `nnc generate`: goes on with a text or a sound, token by token, as a trained model thinks likely.
//!
//! ```text
//! prompt ─ tokens of the run ─→ │ logits of the next token (next.rs) ─→ one of them (sampling.rs) │ ─→ text
//!                               ╰─────────────────────────────────────────────────────────╯
//! ```
//!
//! The tokens of a sound are the levels of its samples. The same seed gives the same tokens, for any number
//! of threads.

mod next;
mod sampling;

pub use sampling::Sampling;

use crate::base::rng::{Sequence, hash_name};
use crate::base::schema::{CellMeaning, Field, FieldRecipe, TokenList, WaveLevels};
use crate::base::shown::Show;
use crate::command::opened::{self, OpenedModel, data_failure};
use crate::data::{self, Encoder, TokenDecoder, unknown_token};
use crate::driver::session::{Failure, Request, Session};
use crate::files::read;
use crate::graph::{Dim, Graph, Type};
use crate::run;
use crate::run::trained::{self, Model};
use crate::runtime::pool::Pool;
use next::{NextTokenOptions, NextTokens};
use std::path::{Path, PathBuf};

/// Wishes for what is made.
#[derive(Clone, Copy, Debug)]
pub struct GenerateOptions {
    /// How many tokens are made.
    pub tokens: usize,
    /// Which of the likely ones is taken.
    pub sampling: Sampling,
    /// The seed of what is drawn.
    pub seed: u64,
}

/// A token that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratedToken {
    /// Its number.
    pub token: i32,
    /// The text that is complete with it; empty where a sound is made.
    pub text: String,
    /// Its probability among those that could be taken.
    pub probability: f64,
}

/// The meaning of a model's tokens.
#[derive(Clone, Debug)]
pub enum GeneratedForm {
    /// Parts of a text.
    Text(TokenList),
    /// Levels of a wave.
    Wave(WaveLevels),
}

impl GeneratedForm {
    /// How many tokens there are.
    fn count(&self) -> usize {
        match self {
            GeneratedForm::Text(list) => list.names.len(),
            GeneratedForm::Wave(form) => form.count,
        }
    }

    /// The token that stands for all that were never seen, which is never made.
    fn unknown(&self) -> Option<i32> {
        match self {
            GeneratedForm::Text(list) => unknown_token(list.unit),
            GeneratedForm::Wave(_) => None,
        }
    }
}

/// A model that goes on with texts or sounds.
pub struct Generator {
    /// Where its weights are from.
    pub weights: PathBuf,
    /// The number of tokens that it was trained to look at.
    pub window: usize,
    /// Why it is slower than others of its kind, if it is.
    pub note: Option<String>,
    /// The meaning of its tokens.
    pub form: GeneratedForm,
    next: NextTokens,
}

/// Compiles a trained model to go on with texts or sounds. With `full_window`, each token follows from as many
/// tokens before it as the model was trained to look at, where there are so many.
pub fn generator(
    request: &Request,
    model: &Model,
    full_window: bool,
    threads: usize,
) -> Result<Generator, Failure> {
    let mut session = Session::new(None);
    let mut request = request.clone();
    let opened = opened::open(&mut session, &mut request, model)?;
    let graph = of_output(&opened)?;
    let (field, form) = token_field(&opened, &graph)?;
    let window = field.shape[0];
    let initial = trained::fitted(&graph, opened.weights, &opened.from)?;
    let options = NextTokenOptions { tokens: &field.name, full_window, threads };
    let (next, note) = NextTokens::compile(&mut session, &request, &graph, &options, &initial)?;
    Ok(Generator { weights: opened.from, window, note, form, next })
}

/// The graph with nothing but the model's output, logits at each position.
fn of_output(opened: &OpenedModel) -> Result<Graph, Failure> {
    let mut graph = opened.graph.clone();
    graph.outputs.retain(|output| output.name.model_name().is_some());
    graph.updates.clear();
    let is_row = |ty: &Type| ty.shape.rank() == 3 && ty.shape.first() == Some(&Dim::N);
    match &graph.outputs[..] {
        [output] if is_row(graph.ty(output.node)) => Ok(graph),
        [output] => Err(not_generated(&format!(
            "`{}` gives {}, where a number for each token at each position is needed: \
             f32[N, positions, tokens]",
            opened.model,
            graph.ty(output.node)
        ))),
        outputs => {
            Err(not_generated(&format!("`{}` gives {} tensors", opened.model, outputs.len())))
        }
    }
}

fn not_generated(reason: &str) -> Failure {
    Failure::Data(format!("this model does not go on with a text or a sound: {reason}"))
}

/// The only field that the model reads, and the meaning of its tokens.
fn token_field(opened: &OpenedModel, graph: &Graph) -> Result<(Field, GeneratedForm), Failure> {
    let live = graph.live_inputs();
    let [name] = live[..] else {
        let read = live.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(not_generated(&format!("`{}` reads {read}", opened.model)));
    };
    let field = opened.samples.schema.field(name);
    let recipe = field.and_then(|field| field.recipe.as_deref());
    match (field, recipe) {
        (Some(field), Some(FieldRecipe { value: CellMeaning::Tokens(list), .. })) => {
            Ok((field.clone(), GeneratedForm::Text(list.clone())))
        }
        (Some(field), Some(FieldRecipe { value: CellMeaning::Levels(form), .. })) => {
            Ok((field.clone(), GeneratedForm::Wave(*form)))
        }
        _ => {
            let reason =
                format!("its input `{name}` holds no tokens of a text or levels of a wave");
            Err(not_generated(&reason))
        }
    }
}

/// The tokens of a text to go on with.
pub fn text_prompt(list: &TokenList, text: &str, skip_unknown: bool) -> Result<Vec<i32>, Failure> {
    let encoder = Encoder::new(list);
    let (mut tokens, unknown) = (encoder.encode(text), encoder.unknown(text));
    if !unknown.is_empty() && !skip_unknown {
        let shown = unknown.iter().map(|part| format!("`{}`", part.escape_debug()));
        let shown = shown.collect::<Vec<_>>().join(", ");
        return Err(Failure::Data(format!(
            "the text to train on had no {shown}, which the prompt has; `--unknown skip` leaves \
             such out"
        )));
    }
    if let Some(unknown) = unknown_token(list.unit) {
        tokens.retain(|&token| token != unknown);
    }
    match tokens.is_empty() {
        true => Err(Failure::Data(
            "the prompt is empty: give at least one character to go on from".to_owned(),
        )),
        false => Ok(tokens),
    }
}

/// The levels of a recording to go on with; of none, a moment of silence.
pub fn wave_prompt(form: WaveLevels, recording: Option<&Path>) -> Result<Vec<i32>, Failure> {
    let Some(path) = recording else { return Ok(vec![data::silence(form)]) };
    let bytes = read::bytes_or_stdin(path, read::TABLE)
        .map_err(|error| Failure::Io(format!("cannot read {}: {error}", path.shown())))?;
    data::levels_of(&bytes, form).map_err(|error| data_failure(error.path(path)))
}

/// Writes levels as a recording: WAV, one channel, 16 bits.
pub fn write_wave(path: &Path, levels: &[i32], form: WaveLevels) -> Result<(), Failure> {
    run::write_file(path, &data::recording_of(levels, form))
}

impl Generator {
    /// Goes on with a prompt; `tell` is given each token, and says whether to go on.
    pub fn generate(
        &mut self,
        prompt: &[i32],
        options: &GenerateOptions,
        pool: &mut Pool,
        tell: &mut dyn FnMut(&GeneratedToken) -> bool,
    ) -> Result<(), Failure> {
        let mut random = Sequence::new(options.seed, hash_name("generate"));
        let mut decoder = match &self.form {
            GeneratedForm::Text(list) => Some(TokenDecoder::new(list)),
            GeneratedForm::Wave(_) => None,
        };
        let mut text_of = |token: i32| decoder.as_mut().map_or(String::new(), |it| it.push(token));
        // What the prompt leaves open is finished by what follows.
        for &token in prompt {
            text_of(token);
        }
        let (count, unknown) = (self.form.count(), self.form.unknown());
        let mut tokens = prompt.to_vec();
        for _ in 0..options.tokens {
            let logits = self.next.logits(&tokens, pool)?;
            // A model may have room for more tokens than there are.
            let logits = &logits[..logits.len().min(count)];
            let allowed = |token: usize| unknown != i32::try_from(token).ok();
            let chosen = options.sampling.choose(logits, allowed, random.unit());
            let Some((token, probability)) = chosen else {
                return Err(Failure::Data(format!(
                    "the model's output is not finite behind {} tokens",
                    tokens.len()
                )));
            };
            let token = i32::try_from(token).expect("tokens are numbered by i32");
            tokens.push(token);
            let text = text_of(token);
            if !tell(&GeneratedToken { token, text, probability }) {
                return Ok(());
            }
        }
        Ok(())
    }
}
