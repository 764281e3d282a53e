//! The predictions that went most wrong: cards with images, or a table where there are none.

use super::picture::{self, Picture};
use super::table::{self, HtmlTable};
use super::{Text, section};
use crate::base::units::{percent, significant};
use maud::{Markup, html};

/// A test sample with the model's answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SamplePrediction {
    /// The sample, if it is an image.
    pub image: Option<Picture>,
    /// Its name: a file, a number.
    pub name: String,
    /// The true class.
    pub label: String,
    /// The predicted class.
    pub predicted: String,
    /// How probable the model held what it predicted, where it says so.
    pub probability: Option<f64>,
    /// The loss.
    pub loss: f64,
}

/// The part of the page.
pub fn section_of(worst: &[SamplePrediction]) -> Markup {
    let contents = match worst {
        [] => Markup::default(),
        _ if worst.iter().all(|one| one.image.is_none()) => table::markup(&listed(worst)),
        _ => html! { div class="cards" { @for one in worst { (card(one)) } } },
    };
    section("Worst predictions", contents)
}

fn card(one: &SamplePrediction) -> Markup {
    let fact = |name: &str, value: &str| {
        html! { div { dt { (name) } dd { (Text(value)) } } }
    };
    html! {
        figure {
            @match &one.image {
                Some(image) => (picture::markup(image, &one.name)),
                None => (picture::missing()),
            }
            figcaption {
                (Text(&one.name))
                dl {
                    (fact("true", &one.label))
                    (fact("predicted", &one.predicted))
                    @if let Some(it) = one.probability { (fact("probability", &percent(it))) }
                    (fact("loss", &significant(one.loss)))
                }
            }
        }
    }
}

fn listed(worst: &[SamplePrediction]) -> HtmlTable {
    let row = |one: &SamplePrediction| {
        let probability = one.probability.map_or("–".to_owned(), percent);
        let loss = significant(one.loss);
        vec![one.name.clone(), one.label.clone(), one.predicted.clone(), probability, loss]
    };
    HtmlTable {
        title: String::new(),
        header: ["sample", "true", "predicted", "probability", "loss"].map(String::from).to_vec(),
        rows: worst.iter().map(row).collect(),
        numeric: vec![false, false, false, true, true],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction() -> SamplePrediction {
        SamplePrediction {
            name: "<7>".into(),
            label: "cat".into(),
            predicted: "a&b".into(),
            probability: Some(0.9731),
            loss: 3.61449,
            image: None,
        }
    }

    #[test]
    fn a_card_to_the_letter() {
        let image = Some(Picture { height: 1, width: 1, channels: 1, bytes: vec![0] });
        let card = card(&SamplePrediction { image, ..prediction() }).into_string();
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
    fn without_images_they_are_a_table() {
        let section = section_of(&[prediction()]).into_string();
        assert!(section.contains("<td>cat</td><td>a&amp;b</td>") && !section.contains("figure"));
        assert_eq!(section_of(&[]).0, "");
    }
}
