//! The sections about one output of a model, each left out where it has no contents.

use super::classes::Confusion;
use super::predictions::{self, SamplePrediction};
use super::table::{self, HtmlTable};
use super::{Text, charts, confusion, section, summary, titled};
use crate::report::chart::Chart;
use maud::{Markup, html};

/// An output of a model, by its task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutputSection {
    /// Its name; empty where it is the only one, whose facts stand at the page's top.
    pub name: String,
    /// Facts about it, name and value.
    pub facts: Vec<(String, String)>,
    /// How often which class was taken for which.
    pub confusion: Option<Confusion>,
    /// Drawings.
    pub charts: Vec<Chart>,
    /// Tables.
    pub tables: Vec<HtmlTable>,
    /// Samples with the model's answers.
    pub samples: Vec<SampleList>,
}

/// Samples with the model's answers below a title.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleList {
    /// The title.
    pub title: String,
    /// The meanings of colours in their pictures: red, green and blue.
    pub legend: Vec<(String, [u8; 3])>,
    /// The samples, in the order of the title.
    pub samples: Vec<SamplePrediction>,
}

/// The parts of the page about an output.
pub fn sections_of(output: &OutputSection) -> Markup {
    let OutputSection { name, facts, confusion, charts: drawings, tables, samples } = output;
    html! {
        @if !name.is_empty() { (section(&format!("Output {name}"), summary(facts))) }
        (section(&titled(name, "Predicted and true"), charts(drawings)))
        @if let Some(confusion) = confusion { (confusion::section_of(confusion, name)) }
        @for table in tables { (section(&titled(name, &table.title), table::markup(table))) }
        @for list in samples {
            @let contents = html! {
                @if !list.samples.is_empty() {
                    (legend(&list.legend))
                    (predictions::markup(&list.samples))
                }
            };
            (section(&titled(name, &list.title), contents))
        }
    }
}

fn legend(colours: &[(String, [u8; 3])]) -> Markup {
    html! {
        @if !colours.is_empty() {
            p class="about" {
                "Classes:"
                @for (class, [red, green, blue]) in colours {
                    span class="swatch" style={ "background:rgb(" (red) " " (green) " " (blue) ")" } {}
                    (Text(class))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::markup::well_formed;

    #[test]
    fn sections_of_one_of_several_outputs_have_its_name() {
        let table = HtmlTable {
            title: "Labels".into(),
            rows: vec![vec!["rain".into()]],
            ..HtmlTable::default()
        };
        let list = SampleList {
            title: "Worst predictions".into(),
            legend: vec![("<cell>".into(), [1, 2, 3])],
            samples: vec![SamplePrediction { name: "a.png".into(), ..Default::default() }],
        };
        let output = OutputSection {
            name: "kind".into(),
            facts: vec![("task".into(), "a number".into())],
            tables: vec![table],
            samples: vec![list],
            ..OutputSection::default()
        };
        let page = sections_of(&output).into_string();
        well_formed(&page);
        for part in [
            "<h2>Output kind</h2>",
            "<h2>kind: Labels</h2>",
            "<h2>kind: Worst predictions</h2>",
            "<span class=\"swatch\" style=\"background:rgb(1 2 3)\"></span>&lt;cell&gt;",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        let only = OutputSection { name: String::new(), ..output };
        assert!(sections_of(&only).0.contains("<h2>Labels</h2>"));
        assert_eq!(sections_of(&OutputSection::default()).0, "");
    }
}
