//! Samples with a model's answers, in the terms of the data: pictures, masks, texts, recordings, and the
//! fields of a row as the file has them.

use super::media::{self, MediaBudget};
use super::names::{class_name, number_name};
use crate::base::schema::{CellMeaning, Field};
use crate::base::task::Task;
use crate::data::{self, Dataset};
use crate::report::html::{Fact, Picture, SamplePrediction, TextRun};
use crate::run::evaluate::{Answer, EvaluatedSample};

/// Samples that are shown where each is a picture or a text.
const MOST_LARGE: usize = 8;
/// Positions of a text that are shown.
const MOST_POSITIONS: usize = 600;
/// Facts of a sample that are shown beside its answer.
const MOST_FACTS: usize = 16;
/// Numbers or labels of an answer that are listed.
const MOST_LISTED: usize = 12;

/// How many of these samples are shown.
pub fn shown_most(samples: &[EvaluatedSample]) -> usize {
    match samples.first() {
        Some(sample) if is_large(&sample.predicted) => MOST_LARGE,
        _ => samples.len(),
    }
}

/// Writes samples of the test split.
pub struct SampleWriter<'a> {
    data: &'a Dataset,
    /// The target that answers are compared with.
    target: Option<&'a Field>,
    task: Task,
}

impl<'a> SampleWriter<'a> {
    /// Of an output of this task.
    pub fn new(data: &'a Dataset, target: Option<&'a Field>, task: Task) -> SampleWriter<'a> {
        SampleWriter { data, target, task }
    }

    /// The colours of a mask's classes; none where there is no mask.
    pub fn legend(&self) -> Vec<(String, [u8; 3])> {
        let Task::ClassPerPosition { classes, .. } = self.task else { return Vec::new() };
        let shown = if self.mask_sides().is_some() { classes } else { 0 };
        (0..shown).map(|class| (self.class(class), media::class_colour(class))).collect()
    }

    /// A sample with its answer.
    pub fn sample(&self, sample: &EvaluatedSample, budget: &mut MediaBudget) -> SamplePrediction {
        let EvaluatedSample { index, label, predicted, probability, loss } = sample;
        let split = &self.data.test;
        let mut shown = SamplePrediction {
            name: split.name(*index),
            pictures: self.pictures(sample),
            texts: self.texts(label, predicted),
            sound: self.sound(*index).and_then(|sound| budget.sound(sound)),
            facts: Vec::new(),
        };
        let fits = |(name, picture)| Some((name, budget.picture(picture)?));
        shown.pictures = std::mem::take(&mut shown.pictures).into_iter().filter_map(fits).collect();
        if !is_large(predicted) {
            let is_number = matches!(label, Answer::Number(_));
            shown.facts.push(Fact::new("true", self.told(label), is_number));
            shown.facts.push(Fact::new("predicted", self.told(predicted), is_number));
        }
        if let (Answer::Classes(label), Answer::Classes(predicted)) = (label, predicted) {
            let wrong = label.iter().zip(predicted).filter(|(one, other)| one != other).count();
            let of = format!("{wrong} of {}", label.len());
            shown.facts.push(Fact::new("wrong", of, true));
        }
        let probability = probability.map(|it| Fact::share("probability", it));
        shown.facts.extend(probability);
        let name = if matches!(self.task, Task::Numbers { .. }) { "error" } else { "loss" };
        let name =
            if matches!(predicted, Answer::Bytes(_)) { "mean error of a byte" } else { name };
        shown.facts.push(Fact::number(name, *loss));
        // What is shown is not told as well.
        if shown.texts.is_empty() {
            shown.facts.extend(self.fields(*index));
        }
        shown
    }

    /// The recording of a sample, to be heard.
    fn sound(&self, index: u32) -> Option<Vec<u8>> {
        data::sound_clip(self.data.test.recording(index)?)
    }

    /// The pictures of a sample: what goes in, and, where that is a picture as well, what is right and
    /// what comes out.
    fn pictures(&self, sample: &EvaluatedSample) -> Vec<(String, Picture)> {
        let mut pictures = media::input_pictures(&self.data.test, sample.index);
        let under = pictures.first().map(|(_, picture)| picture.clone());
        let mut add = |name: &str, picture: Option<Picture>| {
            pictures.extend(picture.map(|picture| (name.to_owned(), picture)));
        };
        match (&sample.label, &sample.predicted, self.mask_sides()) {
            (Answer::Bytes(label), Answer::Bytes(predicted), _) => {
                let of = |bytes: &Vec<u8>| media::picture(self.target?, bytes.clone());
                // A target that goes in is there already.
                if self.target.is_some_and(|field| field.is_target) {
                    add("true", of(label));
                }
                add("output", of(predicted));
            }
            (Answer::Classes(label), Answer::Classes(predicted), Some(sides)) => {
                add("true", Some(media::mask(sides, label)));
                add("predicted", Some(media::mask(sides, predicted)));
                let wrong = media::wrong_pixels(sides, under.as_ref(), label, predicted);
                add("wrong", Some(wrong));
            }
            _ => {}
        }
        pictures
    }

    /// The sides of a mask: classes at the places of an image.
    fn mask_sides(&self) -> Option<[usize; 2]> {
        let field = self.target.filter(|field| field.as_class().is_some())?;
        let &[height, width] = &field.shape[..] else { return None };
        let images = self.data.test.fields().iter().any(|field| field.as_image().is_some());
        images.then_some([height, width])
    }

    /// Classes at positions as the text that they are, what is wrong in it marked.
    fn texts(&self, label: &Answer, predicted: &Answer) -> Vec<(String, Vec<TextRun>)> {
        let (Answer::Classes(label), Answer::Classes(predicted)) = (label, predicted) else {
            return Vec::new();
        };
        if self.mask_sides().is_some() {
            return Vec::new();
        }
        let runs = |shown: &[u32], other: &[u32]| -> Vec<TextRun> {
            let pairs = shown.iter().zip(other).take(MOST_POSITIONS);
            let run = |(&class, &other): (&u32, &u32)| TextRun {
                text: self.token(class),
                wrong: class != other,
            };
            let mut runs: Vec<TextRun> = pairs.map(run).collect();
            if shown.len() > MOST_POSITIONS {
                runs.push(TextRun { text: "…".to_owned(), wrong: false });
            }
            joined(runs)
        };
        vec![
            ("true".to_owned(), runs(label, predicted)),
            ("predicted".to_owned(), runs(predicted, label)),
        ]
    }

    /// A class of a position as text.
    fn token(&self, class: u32) -> String {
        let recipe = self.target.and_then(|field| field.recipe.as_deref());
        match recipe.map(|recipe| &recipe.value) {
            // A line's end that is marked is to be seen.
            Some(CellMeaning::Tokens(tokens)) => {
                data::token_text(tokens, &[class as i32]).replace('\n', "⏎\n")
            }
            _ => format!("{} ", self.class(class as usize)),
        }
    }

    /// The fields of a sample as the source has them, but for pictures and the target.
    fn fields(&self, index: u32) -> Vec<Fact> {
        let split = &self.data.test;
        let values = data::sample_columns(split, index);
        let target = self.target.map(|field| field.name.as_str());
        let is_told = |it: &data::ColumnValue| Some(it.field.as_str()) != target;
        let told = values.into_iter().filter(is_told).take(MOST_FACTS);
        told.map(|it| Fact::new(&it.name, it.value, it.is_number)).collect()
    }

    fn class(&self, class: usize) -> String {
        class_name(self.data, self.target, class)
    }

    /// An answer in words.
    fn told(&self, answer: &Answer) -> String {
        let all = |parts: Vec<String>| {
            let more = if parts.len() > MOST_LISTED { ", …" } else { "" };
            format!("{}{more}", parts[..parts.len().min(MOST_LISTED)].join(", "))
        };
        match answer {
            Answer::Class(class) => self.class(*class),
            Answer::Number(number) => data::number_text(*number),
            Answer::Numbers(numbers) => {
                all(numbers.iter().map(|&number| data::number_text(number)).collect())
            }
            Answer::Labels(chances) => {
                let of = |(place, &chance): (usize, &f64)| {
                    let name = number_name(self.target, place, chances.len());
                    let is_known = chance == 0.0 || chance == 1.0;
                    (chance > 0.5).then(|| match is_known {
                        true => name,
                        false => format!("{name} ({:.0} %)", 100.0 * chance),
                    })
                };
                let yes: Vec<String> = chances.iter().enumerate().filter_map(of).collect();
                if yes.is_empty() { "none".to_owned() } else { all(yes) }
            }
            Answer::Classes(_) | Answer::Bytes(_) => String::new(),
        }
    }
}

/// Neighbours that are both right or both wrong as one.
fn joined(runs: Vec<TextRun>) -> Vec<TextRun> {
    let mut all: Vec<TextRun> = Vec::new();
    for run in runs {
        match all.last_mut() {
            Some(last) if last.wrong == run.wrong => last.text.push_str(&run.text),
            _ => all.push(run),
        }
    }
    all
}

/// Whether an answer is shown as a picture or a text of its own, and not in the cell of a table.
fn is_large(answer: &Answer) -> bool {
    matches!(answer, Answer::Classes(_) | Answer::Bytes(_))
}
