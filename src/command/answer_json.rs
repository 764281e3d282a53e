//! Answers as JSON: of `nnc predict --json`, an object a line, and of `nnc serve`.
//!
//! ```text
//! {"file":"a.png","top":[{"class":"cat","probability":0.98}]}
//! {"file":"a.png","kind":{"top":[…]},"box":{"shape":[4],"output":[…]}}     a model with two outputs
//! {"file":"a.png","error":"is no image"}
//! ```

use crate::command::answers::{PositionClasses, PredictedOutput, PredictedText, Prediction};
use serde_json::{Map, Value, json};

/// The answers of a sample, one for each output of the model, behind the sample's name; `key` says what
/// the name is of.
pub fn json_answer(
    key: &str,
    name: &str,
    outputs: &[PredictedOutput],
    answers: &[Prediction],
) -> Value {
    if let [Prediction::Unreadable(reason)] = answers {
        return json!({ key: name, "error": reason });
    }
    let mut object = Map::from_iter([(key.to_owned(), json!(name))]);
    for (output, answer) in outputs.iter().zip(answers) {
        let answer = entries_of(output, answer);
        match answers.len() {
            1 => object.extend(answer),
            _ => drop(object.insert(output.name.clone(), Value::Object(answer))),
        }
    }
    Value::Object(object)
}

/// The answer of an output, by the names of its parts.
fn entries_of(output: &PredictedOutput, answer: &Prediction) -> Map<String, Value> {
    let number = if output.is_sure() { "probability" } else { "score" };
    let likeliest = |classes: &[(String, f64)]| -> Value {
        classes.iter().map(|(class, it)| json!({ "class": class, number: it })).collect()
    };
    let entries: Vec<(&str, Value)> = match answer {
        Prediction::Classes(classes) => vec![("top", likeliest(classes))],
        Prediction::Positions(PositionClasses { counts, row }) => {
            let counts =
                counts.iter().map(|(class, it)| json!({ "class": class, "positions": it }));
            let row = row.iter().map(|row| ("row", json!(row)));
            std::iter::once(("classes", counts.collect())).chain(row).collect()
        }
        Prediction::Text(PredictedText { text, last }) => {
            vec![("text", json!(text)), (output.last_name(), likeliest(last))]
        }
        Prediction::Values(values) => {
            let names = match output.target.as_ref().is_some_and(|it| it.recipe.is_some()) {
                true => Some(("names", json!(output.number_names()))),
                false => None,
            };
            let values = [("shape", json!(output.shape)), ("output", json!(values))];
            values.into_iter().chain(names).collect()
        }
        Prediction::Unreadable(reason) => vec![("error", json!(reason))],
    };
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
