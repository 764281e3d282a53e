//! The confusion matrix as a heat map, or, with many classes, the pairs that are confused most,
//! and the scores of each class.

use super::classes::{ClassScores, Confusion, per_class, share, sum};
use super::table::{self, HtmlTable};
use super::{Text, section, titled};
use crate::base::units::percent;
use crate::report::escape::shorten;
use maud::{Markup, html};

/// Classes up to which the matrix is shown; with more its cells are too small to read.
const MOST: usize = 40;

/// Pairs that are shown instead.
const PAIRS: usize = 40;

/// Characters of a class's name in the matrix.
const NAME: usize = 18;

/// Shades of a cell, the strongest for all samples of a row.
const SHADES: f64 = 10.0;

/// The part of the page; nothing without classes.
pub fn section_of(confusion: &Confusion, of: &str) -> Markup {
    let classes = confusion.size();
    let scores = table::markup(&scores(confusion));
    html! {
        @if classes == 0 {
        } @else if classes <= MOST {
            @let matrix = html! { (accuracy(confusion)) (reading()) (matrix(confusion)) };
            (section(&titled(of, "Confusion matrix"), matrix))
            (section(&titled(of, "Classes"), scores))
        } @else {
            @let pairs = html! { (accuracy(confusion)) (table::markup(&pairs(confusion))) };
            (section(&titled(of, "Most confused classes"), pairs))
            (section(&titled(of, "Classes"), html! {
                details { summary { "all " (classes) " classes" } (scores) }
            }))
        }
    }
}

/// How many predictions are right.
fn accuracy(confusion: &Confusion) -> Markup {
    let right = sum((0..confusion.size()).map(|class| confusion.count(class, class)));
    let all = sum(confusion.support().into_iter());
    let share = percent(share(right, all).unwrap_or(f64::NAN));
    html! { p class="about" { (right) " of " (all) " right (" (share) ")." } }
}

/// How the matrix is read.
fn reading() -> Markup {
    html! {
        p class="about" {
            "A row is a true class, a column what it was taken for: "
            span class="sample hit s8" { "right" } " "
            span class="sample miss s8" { "wrong" }
            ". The shade is the square root of the cell’s share of its row, so that rare mistakes \
             are seen."
        }
    }
}

fn matrix(confusion: &Confusion) -> Markup {
    let classes = confusion.size();
    let kind = if classes > 12 { "matrix dense" } else { "matrix" };
    let support = confusion.support();
    let short = |class: usize| shorten(&confusion.name(class), NAME);
    html! {
        div class="scroll" {
            table class=(kind) {
                thead {
                    tr {
                        td {}
                        @for class in 0..classes {
                            th scope="col" title=(Text(&confusion.name(class))) {
                                span { (Text(&short(class))) }
                            }
                        }
                    }
                }
                tbody {
                    @for class in 0..classes {
                        tr {
                            th scope="row" title=(Text(&confusion.name(class))) {
                                (Text(&short(class)))
                            }
                            @for other in 0..classes {
                                (cell(confusion, (class, other), support[class]))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One count, shaded; empty where it is zero.
fn cell(confusion: &Confusion, (class, other): (usize, usize), support: u64) -> Markup {
    let count = confusion.count(class, other);
    let Some(part) = share(count, support).filter(|_| count > 0) else {
        return html! { td {} };
    };
    let shade = (SHADES * part.sqrt()).ceil().clamp(1.0, SHADES);
    let kind = if class == other { "hit" } else { "miss" };
    let (name, taken_for) = (confusion.name(class), confusion.name(other));
    let title = format!("{name} taken for {taken_for}: {count}, {}", percent(part));
    html! { td class={ (kind) " s" (shade) } title=(Text(&title)) { (count) } }
}

/// The pairs that are confused most, by their number of samples.
fn pairs(confusion: &Confusion) -> HtmlTable {
    let support = confusion.support();
    let rows = confusion.counts.iter().enumerate();
    let cells = rows.flat_map(|(class, row)| {
        row.iter().enumerate().map(move |(other, &count)| (class, other, count))
    });
    let mut wrong: Vec<(usize, usize, u64)> =
        cells.filter(|&(class, other, count)| class != other && count > 0).collect();
    wrong.sort_by_key(|&(class, other, count)| (std::cmp::Reverse(count), class, other));
    let row = |&(class, other, count): &(usize, usize, u64)| {
        let part = share(count, support[class]).unwrap_or(f64::NAN);
        vec![confusion.name(class), confusion.name(other), count.to_string(), percent(part)]
    };
    HtmlTable {
        header: ["true", "taken for", "samples", "of the true class"].map(String::from).to_vec(),
        rows: wrong.iter().take(PAIRS).map(row).collect(),
        numeric: vec![false, false, true, true],
        title: String::new(),
    }
}

/// The scores of each class.
fn scores(confusion: &Confusion) -> HtmlTable {
    class_table("class", &per_class(confusion))
}

/// Scores as a table, the first column by this name.
pub fn class_table(name: &str, scores: &[ClassScores]) -> HtmlTable {
    let number = |score: Option<f64>| score.map_or("–".to_owned(), |score| format!("{score:.3}"));
    let rows = scores.iter().map(|scores| {
        let [precision, recall, f1] = [scores.precision, scores.recall, scores.f1].map(number);
        vec![scores.class.clone(), precision, recall, f1, scores.support.to_string()]
    });
    HtmlTable {
        header: [name, "precision", "recall", "F1", "support"].map(String::from).to_vec(),
        rows: rows.collect(),
        numeric: vec![false, true, true, true, true],
        title: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::markup::well_formed;

    fn small() -> Confusion {
        let classes = ["cat", "<dog>"].map(String::from).to_vec();
        Confusion { classes, counts: vec![vec![99, 1], vec![0, 0]] }
    }

    #[test]
    fn cells_have_shades_and_say_what_they_count() {
        let expected = "<div class=\"scroll\"><table class=\"matrix\">\
<thead><tr><td></td><th scope=\"col\" title=\"cat\"><span>cat</span></th>\
<th scope=\"col\" title=\"&lt;dog&gt;\"><span>&lt;dog&gt;</span></th></tr></thead>\
<tbody><tr><th scope=\"row\" title=\"cat\">cat</th>\
<td class=\"hit s10\" title=\"cat taken for cat: 99, 99.0\u{202f}%\">99</td>\
<td class=\"miss s1\" title=\"cat taken for &lt;dog&gt;: 1, 1.0\u{202f}%\">1</td></tr>\
<tr><th scope=\"row\" title=\"&lt;dog&gt;\">&lt;dog&gt;</th><td></td><td></td></tr>\
</tbody></table></div>";
        assert_eq!(matrix(&small()).0, expected);
    }

    #[test]
    fn classes_have_scores_and_dashes() {
        let rows = scores(&small()).rows;
        assert_eq!(rows[0], ["cat", "1.000", "0.990", "0.995", "100"]);
        assert_eq!(rows[1], ["<dog>", "0.000", "–", "0.000", "0"]);
    }

    #[test]
    fn with_many_classes_the_most_confused_pairs_are_shown() {
        let mut counts = vec![vec![0; 41]; 41];
        (0..41).for_each(|class| counts[class][class] = 10);
        (counts[3][7], counts[8][2], counts[1][0]) = (2, 5, 2);
        let confusion = Confusion { classes: Vec::new(), counts };
        let rows = pairs(&confusion).rows;
        assert_eq!(rows[0], ["8", "2", "5", "33.3\u{202f}%"]);
        assert_eq!(rows[1][..3], ["1", "0", "2"]);
        assert_eq!(rows[2][..3], ["3", "7", "2"]);
        assert_eq!(rows.len(), 3);
        let page = section_of(&confusion, "").into_string();
        well_formed(&page);
        assert!(page.contains("410 of 419 right (97.9\u{202f}%).") && !page.contains("matrix"));
    }

    #[test]
    fn forty_classes_still_have_a_matrix() {
        let classes = (0..40).map(|class| format!("class {class}")).collect();
        let page = section_of(&Confusion { classes, counts: Vec::new() }, "").into_string();
        well_formed(&page);
        assert!(page.contains("matrix dense") && page.contains("0 of 0 right (–)."));
        assert_eq!(section_of(&Confusion::default(), "").0, "");
    }
}
