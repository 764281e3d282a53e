//! Tables, numbers to the right.

use super::Text;
use maud::{Markup, html};

/// A table of texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HtmlTable {
    /// The heading above it.
    pub title: String,
    /// The names of the columns.
    pub header: Vec<String>,
    /// The rows; one that is short ends in empty cells.
    pub rows: Vec<Vec<String>>,
    /// Which columns hold numbers, so stand to the right; those not mentioned do not.
    pub numeric: Vec<bool>,
}

/// The table without its title; wider than the page it can be scrolled.
pub fn markup(table: &HtmlTable) -> Markup {
    let longest = table.rows.iter().map(Vec::len).max().unwrap_or(0);
    let columns = longest.max(table.header.len());
    let class = |column| table.numeric.get(column).copied().unwrap_or(false).then_some("number");
    let text = |cells: &[String], column| cells.get(column).cloned().unwrap_or_default();
    html! {
        @if columns > 0 {
            div class="scroll" {
                table {
                    @if !table.header.is_empty() {
                        thead {
                            tr {
                                @for column in 0..columns {
                                    th scope="col" class=[class(column)] {
                                        (Text(&text(&table.header, column)))
                                    }
                                }
                            }
                        }
                    }
                    tbody {
                        @for cells in &table.rows {
                            tr {
                                @for column in 0..columns {
                                    td class=[class(column)] { (Text(&text(cells, column))) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_to_the_letter() {
        let strings = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
        let table = HtmlTable {
            title: "not here".into(),
            header: strings(&["layer", "parameters"]),
            rows: vec![strings(&["conv <1>", "320"]), strings(&["relu"])],
            numeric: vec![false, true],
        };
        let expected = "<div class=\"scroll\"><table>\
            <thead><tr><th scope=\"col\">layer</th>\
            <th scope=\"col\" class=\"number\">parameters</th></tr></thead>\
            <tbody><tr><td>conv &lt;1&gt;</td><td class=\"number\">320</td></tr>\
            <tr><td>relu</td><td class=\"number\"></td></tr></tbody></table></div>";
        assert_eq!(markup(&table).0, expected);
    }

    #[test]
    fn rows_longer_than_the_header_lose_nothing() {
        let table = HtmlTable { rows: vec![vec!["a".into(), "b".into()]], ..HtmlTable::default() };
        assert!(markup(&table).0.contains("<tr><td>a</td><td>b</td></tr>"));
        assert_eq!(markup(&HtmlTable::default()).0, "");
    }
}
