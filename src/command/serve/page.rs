//! The page: a place to drop a file on, a field for rows or text, and the answers below.
//!
//! Its script and style are files of their own, which the page's policy allows alone; what the page says
//! of the model is escaped by `maud`.

use super::ServedModel;
use crate::base::schema::{CellMeaning, Field};
use maud::{DOCTYPE, html};

/// The page's script.
pub(super) const SCRIPT: &str = include_str!("page.js");
/// The page's style.
pub(super) const STYLE: &str = include_str!("page.css");

/// The kinds of samples that a page asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    /// An image, which is dropped.
    Image,
    /// Rows below a header.
    Rows(String),
    /// Lines of text.
    Text,
    /// Any other file.
    File,
}

impl Asked {
    fn of(fields: &[Field]) -> Asked {
        if fields.iter().any(|field| field.as_image().is_some()) {
            return Asked::Image;
        }
        let recipes: Vec<_> = fields.iter().filter_map(|field| field.recipe.as_deref()).collect();
        if recipes.iter().any(|recipe| matches!(recipe.value, CellMeaning::Tokens(_)))
            && recipes.len() == 1
        {
            return Asked::Text;
        }
        let mut columns: Vec<&str> = Vec::new();
        for column in recipes.iter().flat_map(|recipe| &recipe.columns) {
            if !columns.contains(&&column[..]) {
                columns.push(column);
            }
        }
        match columns.is_empty() {
            true => Asked::File,
            false => Asked::Rows(crate::base::csv::row(&columns).trim_end().to_owned()),
        }
    }

    fn words(&self) -> &'static str {
        match self {
            Asked::Image => "an image",
            Asked::Rows(_) => "a table",
            Asked::Text => "a text",
            Asked::File => "a file",
        }
    }
}

/// The page of a model.
pub(super) fn html(model: &ServedModel) -> String {
    let asked = Asked::of(model.reader.fields());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (model.name) }
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
            body {
                h1 { (model.name) }
                label #drop {
                    span { "Drop " (asked.words()) " here, or choose one" }
                    input #file type="file";
                    img #preview alt="" hidden;
                }
                @if asked != Asked::Image {
                    form #form {
                        @let header = if let Asked::Rows(header) = &asked { format!("{header}\n") } else { String::new() };
                        textarea #text rows="6" spellcheck="false"
                            aria-label=(asked.words()) { "\n" (header) }
                        button { "Predict" }
                    }
                }
                section #answers aria-live="polite" {}
                footer {
                    p { "Programs ask " code { "POST /predict" } " and " code { "POST /v2/models/" (model.name) "/infer" } "." }
                }
            }
        }
    };
    page.into_string()
}
