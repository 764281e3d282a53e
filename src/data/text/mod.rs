//! `text("file.txt", tokens: chars, window: 64)`: samples from a text, each a window of its tokens and the
//! same moved by one.
//!
//! ```text
//! "to be or"   window 4   →   tokens [t o ␣ b]  next [o ␣ b e],  …
//! ```
//!
//! The first part of the text is to train on, then comes that to validate, then that to test; no window
//! reaches from one into the next. What the tokens are is learnt from the first part alone.

mod predict;
pub(super) mod tokens;

pub use tokens::{Encoder, TokenDecoder, decode as token_text, learn, unknown_token};

use std::path::Path;
use std::sync::Arc;

use self::predict::LineInputs;
use super::dataset::Dataset;
use super::error::DataError;
use super::gunzip::unpacked;
use super::input::{InputReader, InputRequest};
use super::locate;
use super::origins::SampleOrigins;
use super::request::{Arguments, Literal, Places, Watch};
use super::samples::Samples;
use super::source::SampleSource;
use super::windows::{empty_splits, parts, token_field, windows, with_next};
use crate::base::schema::{CellMeaning, FieldRecipe, TokenUnit};
use crate::files;

/// The source `text`.
pub struct TextWindows;

impl SampleSource for TextWindows {
    fn name(&self) -> &'static str {
        "text"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["file", "tokens", "window", "stride", "test", "validation"]
    }

    fn open(
        &self,
        args: &Arguments<'_>,
        places: &Places,
        _: Watch<'_>,
    ) -> Result<Dataset, DataError> {
        load(args, places)
    }

    fn inputs(&self, asked: &InputRequest<'_>) -> Result<Box<dyn InputReader>, DataError> {
        Ok(Box::new(LineInputs::new(asked)?))
    }
}

/// The text of a file, plain or in gzip.
fn text_of(path: &Path) -> Result<String, DataError> {
    let bytes = files::read::stream(unpacked(path)?, files::read::TABLE)
        .map_err(|error| DataError::new(format!("cannot be read: {error}")).path(path))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let error = DataError::new(format!("is not UTF-8 text: byte {at} is none")).path(path);
        error.help("save it as UTF-8")
    })
}

/// The unit that the argument `tokens` asks for, and the most tokens.
pub fn unit(args: &Arguments<'_>) -> Result<(TokenUnit, usize), DataError> {
    const TAKES: &str = "chars, bytes, words, words(most: 20000) or bpe(size: 1024)";
    let wrong = || args.wrong("tokens", TAKES);
    match args.get("tokens") {
        None => Ok((TokenUnit::Chars, usize::MAX)),
        Some(Literal::Name(name)) => match name.as_str() {
            "chars" => Ok((TokenUnit::Chars, usize::MAX)),
            "bytes" => Ok((TokenUnit::Bytes, 256)),
            "words" => Ok((TokenUnit::Words, 20_000)),
            "bpe" => Ok((TokenUnit::Pairs, 1024)),
            _ => Err(wrong()),
        },
        Some(Literal::Call(call)) => {
            let (unit, argument, least, default) = match call.name.as_str() {
                "words" => (TokenUnit::Words, "most", 2, 20_000),
                "bpe" => (TokenUnit::Pairs, "size", 257, 1024),
                _ => return Err(wrong()),
            };
            let of = Arguments::of_call(call, &[argument])?;
            let most = of.count(argument, default, least);
            Ok((unit, most.map_err(|error| error.argument("tokens"))?))
        }
        Some(_) => Err(wrong()),
    }
}

fn load(args: &Arguments<'_>, places: &Places) -> Result<Dataset, DataError> {
    let (unit, most) = unit(args)?;
    let window = args.count("window", 0, 1)?;
    if window == 0 {
        return Err(args.wrong("window", "given: the number of tokens of a sample"));
    }
    let stride = args.count("stride", window, 1)?;
    let fractions = [args.fraction("test")?, args.fraction("validation")?];
    let path = locate::file(args.required_text("file")?, "file", places)?;
    let text = text_of(&path)?;
    let cut = cuts(&text, fractions);
    let known = args.fitted.and_then(|schema| schema.field("tokens")?.recipe.clone());
    let list = match known.as_deref() {
        Some(FieldRecipe { value: CellMeaning::Tokens(list), .. }) => list.clone(),
        _ => learn(unit, std::iter::once(&text[..cut[0]]), most),
    };
    let splits = [&text[..cut[0]], &text[cut[0]..cut[1]], &text[cut[1]..]];
    let encoder = Encoder::new(&list);
    let encoded = splits.map(|part| encoder.encode(part));
    let lengths = [encoded[0].len(), encoded[1].len(), encoded[2].len()];
    let chosen = windows(lengths, window + 1, stride);
    if chosen[0].is_empty() {
        let message = format!(
            "{} tokens to train on have no window of {window} and the one behind it",
            lengths[0]
        );
        return Err(DataError::new(message).path(&path).argument("window"));
    }
    let all: usize = lengths.iter().sum();
    let count = list.names.len();
    let field = token_field("tokens", window, CellMeaning::Tokens(list), count);
    let fields = with_next(field, stride, encoded.into_iter().flatten());
    let samples = Samples::new(all.saturating_sub(window + 1) / stride + 1, fields);
    let samples = Arc::new(samples.from(SampleOrigins::Within(path)));
    let oddities = empty_splits(fractions, &chosen);
    let mut data = Dataset::of_splits(TextWindows.name(), samples, chosen);
    data.schema.oddities = oddities;
    Ok(data)
}

/// The bytes at which the text to train on and that to validate on end, between characters.
fn cuts(text: &str, fractions: [f64; 2]) -> [usize; 2] {
    let [train, validation, _] = parts(text.len(), fractions);
    [train, train + validation]
        .map(|at| (at..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len()))
}
