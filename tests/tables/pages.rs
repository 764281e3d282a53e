//! The page of a run, `report.html`, by the task of each output: numbers, labels, texts.

use crate::{Folder, PLAIN, line, program};

/// The page of a run of this program, which is run for an epoch or as many as it says.
fn page(folder: &Folder, program: &str) -> String {
    folder.write("p.nn", program.as_bytes());
    folder.good(&["run", "p.nn", "--out", "run", "--quiet"]);
    let page = std::fs::read_to_string(folder.0.path().join("run/report.html")).expect("a page");
    std::fs::remove_dir_all(folder.0.path().join("run")).expect("the run's folder");
    page
}

#[track_caller]
fn has(page: &str, parts: &[&str]) {
    parts.iter().for_each(|part| assert!(page.contains(part), "{part}:\n{page}"));
}

#[test]
fn the_page_of_numbers_shows_them_in_the_units_of_the_file_with_their_rows() {
    let folder = Folder::new(&[("t.csv", line(60).as_bytes())]);
    let page = page(&folder, &program(", test: 0.5", PLAIN));
    has(
        &page,
        &[
            ">y: predicted against true</text>",
            ">y: residuals</text>",
            "predicted = true",
            "class=\"dots c0\"",
            "class=\"bars c0\"",
            "<h2>Worst predictions</h2>",
            "<h2>Random predictions</h2>",
            "<th scope=\"col\" class=\"number\">a</th>",
            "<td>t.csv:",
        ],
    );
    // The row of 30 in the file is of 91, not of what it is standardised to.
    let row = page.split("<td>t.csv:").nth(1).expect("a row");
    let cells: Vec<&str> = row.split("<td class=\"number\">").collect();
    let number = |cell: &str| cell.split('<').next().unwrap().parse::<f64>().expect("a number");
    // Its line, what is true and predicted, the error, and the field.
    let (line, y, a) = (number(cells[0]), number(cells[1]), number(cells[4]));
    assert_eq!((a, y), (line - 2.0, 3.0 * (line - 2.0) + 1.0));
}

#[test]
fn the_page_of_several_outputs_has_a_section_for_each() {
    let row = |index: usize| {
        format!(
            "{index},{},{},{}\n",
            index % 2,
            usize::from(index.is_multiple_of(3)),
            index % 2 * index
        )
    };
    let table = "a,rain,fog,mm\n".to_owned() + &(0..60).map(row).collect::<String>();
    let folder = Folder::new(&[("t.csv", table.as_bytes())]);
    let program = "data rows = csv(\"t.csv\", test: 0.5) {\n    a = number |> standardize\n    \
                   labels = numbers([\"rain\", \"fog\"]) as target\n    mm = number as target\n}\n\n\
                   model net(a: f32[N]) -> (labels: f32[N, 2], mm: f32[N]) {\n    \
                   let seen = reshape(a, [N, 1]) |> dense(3)\n    \
                   (labels: seen |> dense(2), mm: seen |> dense(1) |> reshape([N]))\n}\n\n\
                   train net on rows {\n    \
                   loss = binary_cross_entropy(labels, labels) + 0.1 * mse(mm, mm)\n    epochs = 2\n}\n";
    let page = page(&folder, program);
    has(
        &page,
        &[
            "<h2>Output labels</h2>",
            "<h2>labels: Labels</h2>",
            "<td>rain</td>",
            "<td>fog</td>",
            "<h2>labels: Worst predictions</h2>",
            "<h2>Output mm</h2>",
            "<h2>mm: Predicted and true</h2>",
            "<h2>mm: Random predictions</h2>",
        ],
    );
    assert!(!page.contains("Confusion matrix"), "labels have a table");
}

#[test]
fn the_page_of_a_text_marks_what_is_wrong_in_it() {
    let text = "data t = text(\"t.txt\", window: 8, test: 0.3)\n\n\
                model net(tokens: i32[N, W]) -> f32[N, W, t.tokens.count] {\n    \
                tokens |> embedding(t.tokens.count, 4) |> dense(t.tokens.count)\n}\n\n\
                train net on t { loss = cross_entropy }\n";
    let folder = Folder::new(&[("t.txt", &b"ab<c de\n".repeat(20))]);
    let page = page(&folder, text);
    has(&page, &["<span class=\"text\">", "<mark>", "<th scope=\"col\">true</th>", "&lt;", "⏎"]);
    has(&page, &["t.txt, sample ", "Confusion matrix"]);
}
