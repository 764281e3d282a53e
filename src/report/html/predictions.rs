//! Samples with the answers of a model: cards where they have pictures, else a table, in whose cells
//! texts and recordings may stand.

use super::Text;
use super::picture::{self, Picture};
use crate::base::units::{percent, significant};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};

/// A test sample with the model's answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SamplePrediction {
    /// Its name: a file, a line of a file, a number.
    pub name: String,
    /// Pictures of it, each by its name: what goes in, what is right, what comes out.
    pub pictures: Vec<(String, Picture)>,
    /// Texts in which parts are wrong, each by its name.
    pub texts: Vec<(String, Vec<TextRun>)>,
    /// A recording as a WAV file.
    pub sound: Option<Vec<u8>>,
    /// Everything else, in order: the fields of a row, the right answer, the predicted one, the loss.
    pub facts: Vec<Fact>,
}

/// A part of a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextRun {
    /// The part.
    pub text: String,
    /// Whether it is wrong.
    pub wrong: bool,
}

/// A fact about a sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fact {
    /// Its name.
    pub name: String,
    /// The value.
    pub value: String,
    /// Whether that is a number, which stands to the right in a table.
    pub is_number: bool,
}

impl Fact {
    /// A fact as it is written.
    pub fn new(name: &str, value: String, is_number: bool) -> Fact {
        Fact { name: name.to_owned(), value, is_number }
    }

    /// A number in a few digits.
    pub fn number(name: &str, value: f64) -> Fact {
        Fact::new(name, significant(value), true)
    }

    /// A part of a whole.
    pub fn share(name: &str, value: f64) -> Fact {
        Fact::new(name, percent(value), true)
    }
}

/// Samples as cards or as a table.
pub fn markup(samples: &[SamplePrediction]) -> Markup {
    let most = samples.iter().map(|sample| sample.pictures.len()).max().unwrap_or(0);
    html! {
        @if most == 0 {
            (table(samples))
        } @else {
            div class=(if most > 1 { "cards wide" } else { "cards" }) {
                @for sample in samples { (card(sample)) }
            }
        }
    }
}

fn card(one: &SamplePrediction) -> Markup {
    html! {
        figure {
            @match &one.pictures[..] {
                [] => (picture::missing()),
                [(_, only)] => (picture::markup(only, &one.name)),
                several => {
                    div class="views" {
                        @for (name, picture) in several {
                            div {
                                (picture::markup(picture, &format!("{}, {name}", one.name)))
                                span { (Text(name)) }
                            }
                        }
                    }
                }
            }
            figcaption {
                (Text(&one.name))
                (sound(one))
                dl {
                    @for fact in &one.facts {
                        div { dt { (Text(&fact.name)) } dd { (Text(&fact.value)) } }
                    }
                }
            }
        }
    }
}

/// A row a sample; columns are those that some sample has, in the order in which they come up.
fn table(samples: &[SamplePrediction]) -> Markup {
    let texts = names(samples.iter().map(|it| it.texts.iter().map(|(name, _)| name.as_str())));
    let facts = names(samples.iter().map(|it| it.facts.iter().map(|fact| fact.name.as_str())));
    let sounds = samples.iter().any(|sample| sample.sound.is_some());
    let class = |name: &str| {
        let mut all = samples.iter().flat_map(|it| &it.facts).filter(|fact| fact.name == name);
        all.all(|fact| fact.is_number).then_some("number")
    };
    html! {
        div class="scroll" {
            table {
                thead {
                    tr {
                        th scope="col" { "sample" }
                        @if sounds { th scope="col" { "recording" } }
                        @for name in &texts { th scope="col" { (Text(name)) } }
                        @for name in &facts { th scope="col" class=[class(name)] { (Text(name)) } }
                    }
                }
                tbody {
                    @for sample in samples {
                        tr {
                            td { (Text(&sample.name)) }
                            @if sounds { td { (sound(sample)) } }
                            @for name in &texts { td { (text(sample, name)) } }
                            @for name in &facts { td class=[class(name)] { (fact(sample, name)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Different names in the order in which they come up.
fn names<'a>(of: impl Iterator<Item = impl Iterator<Item = &'a str>>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for name in of.flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn fact(sample: &SamplePrediction, name: &str) -> Markup {
    let fact = sample.facts.iter().find(|fact| fact.name == name);
    html! { @if let Some(fact) = fact { (Text(&fact.value)) } }
}

/// A text with its wrong parts marked.
fn text(sample: &SamplePrediction, name: &str) -> Markup {
    let runs = sample.texts.iter().find(|(known, _)| known == name).map(|(_, runs)| &runs[..]);
    html! {
        span class="text" {
            @for run in runs.unwrap_or_default() {
                @if run.wrong { mark { (Text(&run.text)) } } @else { (Text(&run.text)) }
            }
        }
    }
}

fn sound(sample: &SamplePrediction) -> Markup {
    html! {
        @if let Some(wav) = &sample.sound {
            audio controls="controls" preload="none"
                src={ "data:audio/wav;base64," (STANDARD.encode(wav)) } {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::markup::well_formed;

    fn prediction() -> SamplePrediction {
        let fact = |name: &str, value: &str| Fact::new(name, value.to_owned(), false);
        SamplePrediction {
            name: "<7>".into(),
            facts: vec![
                fact("true", "cat"),
                fact("predicted", "a&b"),
                Fact::share("probability", 0.9731),
                Fact::number("loss", 3.61449),
            ],
            ..SamplePrediction::default()
        }
    }

    fn dot() -> Picture {
        Picture { height: 1, width: 1, channels: 1, bytes: vec![0] }
    }

    #[test]
    fn a_card_to_the_letter() {
        let pictures = vec![("image".to_owned(), dot())];
        let card = card(&SamplePrediction { pictures, ..prediction() }).into_string();
        let (image, caption) = card.split_once("<figcaption>").expect("a caption");
        let start = "<figure><img class=\"small\" alt=\"&lt;7&gt;\" width=\"1\" height=\"1\" \
                     src=\"data:image/png;base64,iVBORw0KGgo";
        assert!(image.starts_with(start), "{image}");
        let expected = "&lt;7&gt;<dl><div><dt>true</dt><dd>cat</dd></div>\
                        <div><dt>predicted</dt><dd>a&amp;b</dd></div>\
                        <div><dt>probability</dt><dd>97.3\u{202f}%</dd></div>\
                        <div><dt>loss</dt><dd>3.614</dd></div></dl></figcaption></figure>";
        assert_eq!(caption, expected);
    }

    #[test]
    fn several_pictures_stand_side_by_side_with_their_names() {
        let pictures = ["image", "true", "<out>"].map(|name| (name.to_owned(), dot()));
        let page =
            markup(&[SamplePrediction { pictures: pictures.into(), ..prediction() }]).into_string();
        well_formed(&page);
        assert!(page.starts_with("<div class=\"cards wide\"><figure><div class=\"views\">"));
        assert!(
            page.contains("alt=\"&lt;7&gt;, &lt;out&gt;\"") && page.contains("&lt;out&gt;</span>")
        );
    }

    #[test]
    fn without_pictures_they_are_a_table() {
        let page = markup(&[prediction()]).into_string();
        assert!(page.contains("<td>cat</td><td>a&amp;b</td>") && !page.contains("figure"));
        assert!(page.contains("<td class=\"number\">3.614</td>"));
    }

    #[test]
    fn texts_and_recordings_stand_in_cells() {
        let run = |text: &str, wrong| TextRun { text: text.to_owned(), wrong };
        let one = SamplePrediction {
            texts: vec![("true".into(), vec![run("to <be", false), run("&", true)])],
            sound: Some(b"RIFF".to_vec()),
            ..prediction()
        };
        let page = markup(&[one, prediction()]).into_string();
        well_formed(&page);
        assert!(page.contains("<span class=\"text\">to &lt;be<mark>&amp;</mark></span>"), "{page}");
        assert!(page.contains("src=\"data:audio/wav;base64,UklGRg==\"></audio>"), "{page}");
        assert_eq!(page.matches("<audio").count(), 1);
    }
}
