//! Tables, numbers to the right.

use crate::report::escape::escape;

/// A table of texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
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
pub fn markup(table: &Table) -> String {
    let longest = table.rows.iter().map(Vec::len).max().unwrap_or(0);
    let columns = longest.max(table.header.len());
    if columns == 0 {
        return String::new();
    }
    let header = if table.header.is_empty() {
        String::new()
    } else {
        let cells = row(&table.header, columns, table, ("th scope=\"col\"", "th"));
        format!("<thead>{cells}</thead>\n")
    };
    let rows: Vec<String> =
        table.rows.iter().map(|cells| row(cells, columns, table, ("td", "td"))).collect();
    format!(
        "<div class=\"scroll\"><table>\n{header}<tbody>\n{}\n</tbody>\n</table></div>\n",
        rows.join("\n")
    )
}

fn row(cells: &[String], columns: usize, table: &Table, (open, close): (&str, &str)) -> String {
    let cell = |column: usize| {
        let numeric = table.numeric.get(column).copied().unwrap_or(false);
        let class = if numeric { " class=\"number\"" } else { "" };
        let text = cells.get(column).map(|text| escape(text)).unwrap_or_default();
        format!("<{open}{class}>{text}</{close}>")
    };
    format!("<tr>{}</tr>", (0..columns).map(cell).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_to_the_letter() {
        let strings = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
        let table = Table {
            title: "not here".into(),
            header: strings(&["layer", "parameters"]),
            rows: vec![strings(&["conv <1>", "320"]), strings(&["relu"])],
            numeric: vec![false, true],
        };
        let expected = "\
<div class=\"scroll\"><table>
<thead><tr><th scope=\"col\">layer</th><th scope=\"col\" class=\"number\">parameters</th></tr></thead>
<tbody>
<tr><td>conv &lt;1&gt;</td><td class=\"number\">320</td></tr>
<tr><td>relu</td><td class=\"number\"></td></tr>
</tbody>
</table></div>
";
        assert_eq!(markup(&table), expected);
    }

    #[test]
    fn rows_longer_than_the_header_lose_nothing() {
        let table = Table { rows: vec![vec!["a".into(), "b".into()]], ..Table::default() };
        assert!(markup(&table).contains("<tr><td>a</td><td>b</td></tr>"));
        assert_eq!(markup(&Table::default()), "");
    }
}
