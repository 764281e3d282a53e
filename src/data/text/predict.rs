//! Lines of a text as samples to predict, each in the tokens of the run.
//!
//! ```text
//! window 4   line 7 "to be or"   →   tokens 0..4 [t o ␣ b],  tokens 4..8 [e ␣ o r]
//!            line 8 "not to"     →   tokens 0..4 [n o t ␣],  tokens 4..6 of [t ␣ t o]
//!            line 9 "be"         →   tokens 0..2 of [b e 0 0]
//! ```
//!
//! Every token of a line is answered once. A line of more tokens than the window has several samples; the
//! last of them begins earlier, so that it is full, and answers what the others have not. A shorter line
//! is filled with token 0 behind its end, which a model that only looks back does not see.

use std::path::Path;

use super::text_of;
use super::tokens::Encoder;
use crate::base::schema::{CellMeaning, Field, FieldRecipe, TokenList};
use crate::data::error::DataError;
use crate::data::input::{
    GivenInput, InputContent, InputPlace, InputReader, InputRequest, InputSample, TokenPlace,
};

/// Reads lines of texts.
pub struct LineInputs {
    fields: Vec<Field>,
    tokens: TokenList,
    /// Tokens of a sample.
    window: usize,
}

impl LineInputs {
    /// For a model that reads a window of tokens.
    pub fn new(asked: &InputRequest<'_>) -> Result<LineInputs, DataError> {
        let [field] = &asked.wanted[..] else {
            return Err(DataError::new("the model reads more than the tokens of a text"));
        };
        if field.is_target {
            let message = format!("the model reads `{}`, which is still to come", field.name);
            return Err(DataError::new(message));
        }
        let (Some(FieldRecipe { value: CellMeaning::Tokens(tokens), .. }), &[window]) =
            (field.recipe.as_deref(), &field.shape[..])
        else {
            return Err(DataError::new("nothing says what the run's tokens are"));
        };
        Ok(LineInputs { tokens: tokens.clone(), window, fields: asked.wanted.clone() })
    }

    fn lines(&self, given: &GivenInput, path: &Path) -> Result<Vec<InputSample>, DataError> {
        let text = text_of(path)?;
        let lines = text.strip_prefix('\u{feff}').unwrap_or(&text).lines().zip(1u32..);
        let (encoder, mut found) = (Encoder::new(&self.tokens), Vec::new());
        for (line, number) in lines.filter(|(line, _)| !line.is_empty()) {
            let tokens = encoder.encode(line);
            for part in parts(tokens.len(), self.window) {
                found.push(self.sample(given, number, &tokens, part));
            }
        }
        match found.is_empty() {
            true => Err(DataError::new("has no text in it")),
            false => Ok(found),
        }
    }

    /// The sample that answers a part of a line.
    fn sample(
        &self,
        given: &GivenInput,
        line: u32,
        tokens: &[i32],
        part: std::ops::Range<usize>,
    ) -> InputSample {
        let first = part.end.saturating_sub(self.window);
        let mut own = tokens[first..part.end].to_vec();
        own.resize(self.window, 0);
        let bytes = own.iter().flat_map(|token| token.to_le_bytes()).collect();
        let positions = part.start - first..part.end - first;
        let part = (tokens.len() > self.window).then_some(part);
        InputSample {
            path: given.path().to_path_buf(),
            place: InputPlace::Tokens(TokenPlace { line, part, positions }),
            content: InputContent::Fields(vec![bytes]),
        }
    }
}

/// The tokens that each window answers.
fn parts(tokens: usize, window: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..tokens).step_by(window).map(move |first| first..(first + window).min(tokens))
}

impl InputReader for LineInputs {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn place_name(&self) -> &'static str {
        "line"
    }

    fn samples(&self, given: &GivenInput) -> Vec<InputSample> {
        given.with_file(|path| self.lines(given, path)).unwrap_or_else(|error| given.failed(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::schema::TokenUnit;
    use crate::base::tensor::DType;

    #[test]
    fn each_token_of_a_line_is_answered_once() {
        let names = ["(unknown)", "a", "b", "c"].map(str::to_owned).to_vec();
        let tokens = TokenList { unit: TokenUnit::Chars, names, merges: Vec::new() };
        let reader = LineInputs {
            fields: vec![Field::number("tokens", DType::I32, &[4])],
            tokens,
            window: 4,
        };
        let given = GivenInput::Stdin("\u{feff}ab\r\n\nabcabc\nz".as_bytes().to_vec());
        let samples = reader.samples(&given);
        let names: Vec<String> = samples.iter().map(InputSample::name).collect();
        assert_eq!(names, ["-:1", "-:3[0..4]", "-:3[4..6]", "-:4"]);
        let tokens = |sample: &InputSample| -> Vec<i32> {
            let InputContent::Fields(fields) = &sample.content else { panic!("{sample:?}") };
            fields[0].as_chunks::<4>().0.iter().map(|it| i32::from_le_bytes(*it)).collect()
        };
        let all: Vec<Vec<i32>> = samples.iter().map(tokens).collect();
        assert_eq!(all, [[1, 2, 0, 0], [1, 2, 3, 1], [3, 1, 2, 3], [0, 0, 0, 0]]);
        let positions: Vec<_> = samples.iter().filter_map(InputSample::positions).collect();
        assert_eq!(positions, [0..2, 0..4, 2..4, 0..1]);
    }
}
