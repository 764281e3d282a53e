//! `nnc generate`: goes on with a text, token by token, as a trained model thinks likely.
//!
//! ```text
//! prompt ─ tokens of the run ─→ │ logits of the next token (next.rs) ─→ one of them (sampling.rs) │ ─→ text
//!                               ╰─────────────────────────────────────────────────────────╯
//! ```
//!
//! The same seed gives the same text, for any number of threads.

mod next;
mod sampling;

pub use sampling::Sampling;

use crate::base::rng::{Sequence, hash_name};
use crate::base::schema::{CellMeaning, Field, FieldRecipe, TokenList};
use crate::command::opened::{self, OpenedModel};
use crate::data::{Encoder, TokenDecoder, unknown_token};
use crate::driver::session::{Failure, Request, Session};
use crate::graph::{Dim, Graph, Type};
use crate::run::trained::{self, Model};
use crate::runtime::pool::Pool;
use next::{NextTokenOptions, NextTokens};
use std::path::PathBuf;

/// Wishes for a text.
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
    /// The text that is complete with it.
    pub text: String,
    /// Its probability among those that could be taken.
    pub probability: f64,
}

/// A model that goes on with texts.
pub struct TextGenerator {
    /// Where its weights are from.
    pub weights: PathBuf,
    /// The number of tokens that it was trained to look at.
    pub window: usize,
    /// Why it is slower than others of its kind, if it is.
    pub note: Option<String>,
    list: TokenList,
    next: NextTokens,
}

/// Compiles a trained model to go on with texts. With `full_window`, each token follows from as many
/// tokens before it as the model was trained to look at, where there are so many.
pub fn text_generator(
    request: &Request,
    model: &Model,
    full_window: bool,
    threads: usize,
) -> Result<TextGenerator, Failure> {
    let mut session = Session::new(None);
    let mut request = request.clone();
    let opened = opened::open(&mut session, &mut request, model)?;
    let graph = of_output(&opened)?;
    let (field, list) = token_field(&opened, &graph)?;
    let window = field.shape[0];
    let initial = trained::fitted(&graph, &opened.weights, &opened.from)?;
    let options = NextTokenOptions { tokens: &field.name, full_window, threads };
    let (next, note) = NextTokens::compile(&mut session, &request, &graph, &options, &initial)?;
    Ok(TextGenerator { weights: opened.from, window, note, list, next })
}

/// The graph with nothing but the model's output, logits at each position.
fn of_output(opened: &OpenedModel) -> Result<Graph, Failure> {
    let mut graph = opened.graph.clone();
    graph.outputs.retain(|output| output.name.model_name().is_some());
    graph.updates.clear();
    let is_text = |ty: &Type| ty.shape.rank() == 3 && ty.shape.first() == Some(&Dim::N);
    match &graph.outputs[..] {
        [output] if is_text(graph.ty(output.node)) => Ok(graph),
        [output] => Err(no_text(&format!(
            "`{}` gives {}, where a number for each token at each position is needed: \
             f32[N, positions, tokens]",
            opened.model,
            graph.ty(output.node)
        ))),
        outputs => Err(no_text(&format!("`{}` gives {} tensors", opened.model, outputs.len()))),
    }
}

fn no_text(reason: &str) -> Failure {
    Failure::Data(format!("this model does not go on with a text: {reason}"))
}

/// The only field that the model reads, and its tokens.
fn token_field(opened: &OpenedModel, graph: &Graph) -> Result<(Field, TokenList), Failure> {
    let live = graph.live_inputs();
    let [name] = live[..] else {
        let read = live.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(no_text(&format!("`{}` reads {read}", opened.model)));
    };
    let field = opened.samples.schema.field(name);
    let recipe = field.and_then(|field| field.recipe.as_deref());
    match (field, recipe) {
        (Some(field), Some(FieldRecipe { value: CellMeaning::Tokens(list), .. })) => {
            Ok((field.clone(), list.clone()))
        }
        _ => Err(no_text(&format!("its input `{name}` holds no tokens of a text"))),
    }
}

impl TextGenerator {
    /// The tokens of a prompt.
    pub fn prompt(&self, text: &str, skip_unknown: bool) -> Result<Vec<i32>, Failure> {
        let encoder = Encoder::new(&self.list);
        let (mut tokens, unknown) = (encoder.encode(text), encoder.unknown(text));
        if !unknown.is_empty() && !skip_unknown {
            let shown = unknown.iter().map(|part| format!("`{}`", part.escape_debug()));
            let shown = shown.collect::<Vec<_>>().join(", ");
            return Err(Failure::Data(format!(
                "the text to train on had no {shown}, which the prompt has; `--unknown skip` leaves \
                 such out"
            )));
        }
        if let Some(unknown) = unknown_token(self.list.unit) {
            tokens.retain(|&token| token != unknown);
        }
        match tokens.is_empty() {
            true => Err(Failure::Data(
                "the prompt is empty: give at least one character to go on from".to_owned(),
            )),
            false => Ok(tokens),
        }
    }

    /// Goes on with a prompt; `tell` is given each token, and says whether to go on.
    pub fn generate(
        &mut self,
        prompt: &[i32],
        options: &GenerateOptions,
        pool: &mut Pool,
        tell: &mut dyn FnMut(&GeneratedToken) -> bool,
    ) -> Result<(), Failure> {
        let mut random = Sequence::new(options.seed, hash_name("generate"));
        let mut decoder = TokenDecoder::new(&self.list);
        // What the prompt leaves open is finished by what follows.
        for &token in prompt {
            decoder.push(token);
        }
        let unknown = unknown_token(self.list.unit);
        let mut tokens = prompt.to_vec();
        for _ in 0..options.tokens {
            let logits = self.next.logits(&tokens, pool)?;
            // A model may have room for more tokens than there are.
            let logits = &logits[..logits.len().min(self.list.names.len())];
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
            let text = decoder.push(token);
            if !tell(&GeneratedToken { token, text, probability }) {
                return Ok(());
            }
        }
        Ok(())
    }
}
