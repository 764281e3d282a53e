//! The page: a table of runs, and what compares those that were chosen. Its parts are files of their own,
//! which the page's policy allows alone; the script fills them with texts, never with markup.

use super::watched::RunStanding;
use crate::report::chart;
use maud::{DOCTYPE, html};

/// A file of the page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PagePart {
    /// Its name, which is its path.
    pub name: &'static str,
    /// Its type.
    pub content_type: &'static str,
    contents: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// The files of the page.
pub(super) const PARTS: &[PagePart] = &[
    part("page.css", STYLE, include_str!("page/page.css")),
    part("app.js", SCRIPT, include_str!("page/app.js")),
    part("list.js", SCRIPT, include_str!("page/list.js")),
    part("compare.js", SCRIPT, include_str!("page/compare.js")),
    part("chart.js", SCRIPT, include_str!("page/chart.js")),
    part("format.js", SCRIPT, include_str!("page/format.js")),
];

const fn part(name: &'static str, content_type: &'static str, contents: &'static str) -> PagePart {
    PagePart { name, content_type, contents }
}

impl PagePart {
    /// Its text; a style sheet has that of charts in front.
    pub fn text(&self) -> String {
        match self.content_type == STYLE {
            true => chart::style_sheet() + self.contents,
            false => self.contents.to_owned(),
        }
    }
}

/// A picture for the browser's tab: two curves.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' \
    fill='none' stroke-width='2' stroke-linecap='round'%3E%3Cpath stroke='%230072b2' \
    d='M2 3c2 8 6 10 12 10'/%3E%3Cpath stroke='%23d55e00' d='M2 6c3 3 7 4 12 4'/%3E%3C/svg%3E";

/// The page of a folder.
pub(super) fn html(folder: &str, token: &str) -> String {
    let at = |name: &str| format!("/{token}/{name}");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href=(ICON);
                title { "Runs in " (folder) }
                link rel="stylesheet" href=(at("page.css"));
                script type="module" src=(at("app.js")) {}
            }
            body {
                header {
                    h1 { "Training runs " span.path { "in " (folder) } }
                    p #live role="status" { "connecting …" }
                }
                main {
                    (list())
                    (comparison())
                }
                noscript { p { "This page needs JavaScript, which it loads from nnc alone." } }
            }
        }
    };
    page.into_string()
}

/// The table of all runs.
fn list() -> maud::Markup {
    html! {
        section aria-labelledby="list-title" {
            h2.unseen #list-title { "All runs" }
            form #filters role="search" {
                label.search {
                    span.unseen { "Filter by name, model or setting" }
                    input #search type="search" spellcheck="false" autocomplete="off"
                        placeholder="name, model, or setting such as lr=1e-3";
                    kbd aria-hidden="true" { "/" }
                }
                fieldset #statuses {
                    legend.unseen { "Status" }
                    @for status in RunStanding::ALL.map(RunStanding::word) {
                        label.chip hidden {
                            input type="checkbox" name="status" value=(status);
                            span class={ "dot " (status) } aria-hidden="true" {}
                            span { (status) } " " output {}
                        }
                    }
                }
                p #count role="status" {}
                button #clear type="button" hidden { "Clear selection" }
            }
            p #problem role="alert" hidden {}
            div #empty hidden {
                h2 { "No runs yet" }
                p { "Train something, and it appears here while it trains:" }
                pre { code { "nnc run models/mnist.nn" } }
            }
            div.scroll #scroller tabindex="0" role="region" aria-label="Runs" hidden {
                table #runs { thead { tr {} } tbody {} }
            }
        }
    }
}

/// The comparison of the chosen runs.
fn comparison() -> maud::Markup {
    html! {
        section #comparison aria-labelledby="compare-title" hidden {
            div.bar {
                h2 #compare-title { "Comparison" }
                form #options {
                    label { "x axis " select #axis { option value="epoch" { "epoch" } option value="time" { "time" } } }
                    label { input #log type="checkbox"; " logarithmic" }
                    label { input #training type="checkbox" checked; " training" }
                    label { input #validation type="checkbox" checked; " validation" }
                    label { "smoothing " input #smooth type="range" min="0" max="0.95" step="0.05" value="0"; output for="smooth" { "0" } }
                }
            }
            ul #legend aria-label="Chosen runs" {}
            p.hint { "Solid lines are validation, dashed ones training. Point at a chart, or focus it and press ← →, to read values." }
            div #charts {}
            div #tables {}
            div #programs {}
        }
    }
}
