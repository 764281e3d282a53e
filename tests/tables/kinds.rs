//! What a column holds, where the program does not say it, and whether a loss can take it.

use crate::archive::npz;
use crate::{Folder, PLAIN, line, program};

/// A program without fields that learns `y`.
const BARE: &str = "data d = csv(\"t.csv\", target: y)\n\
    model net(features: f32[N, F]) -> f32[N] { features |> dense(1) |> reshape([N]) }\n\
    train net on d { loss = mse }\n";

#[test]
fn numbers_that_are_written_otherwise_are_no_categories() {
    let rows = |row: &dyn Fn(usize) -> String| -> String {
        let rows = (0..60).map(|index| format!("{}\n", row(index)));
        std::iter::once("a,b,y\n".to_owned()).chain(rows).collect()
    };
    let cases: [(String, &[&str]); 5] = [
        (
            rows(&|row| format!("{row},1,${row}.25")),
            &["t.csv: line 2, column `y`: `$0.25` is not a number", "write `0.25` in the file"],
        ),
        (
            rows(&|row| match row % 6 {
                5 => format!("{row},1,NA"),
                _ => format!("{row},1,{row}"),
            }),
            &[
                "`y` is a number in 50 rows, but not in 10; the first is line 7: `NA`",
                "na: [\"NA\"]",
            ],
        ),
        (
            rows(&|row| format!("{row},\"{row},5\",2")),
            &["line 2, column `b`: `0,5` is not a number", "make it a `category`"],
        ),
        (
            rows(&|row| if row < 40 { format!("{row},1,2") } else { "blue,1,2".into() }),
            &["`a` is a number in 40 rows, but not in 20; the first is line 42: `blue`"],
        ),
        (
            rows(&|row| if row == 9 { "7,,2".into() } else { format!("{row},1,2") }),
            &["`b` has no value in 1 of 60 rows; the first is line 11", "missing: mean"],
        ),
    ];
    for (table, wanted) in cases {
        let folder = Folder::new(&[("t.csv", table.as_bytes()), ("p.nn", BARE.as_bytes())]);
        let said = folder.bad(&["check", "p.nn"]);
        wanted.iter().for_each(|wanted| assert!(said.contains(wanted), "{wanted}: {said}"));
    }
}

#[test]
fn classes_are_no_numbers_for_a_loss() {
    let program = "data d = csv(\"t.csv\") {\n    a = numbers([\"a\"])\n    y = category as target\n}\n\
        model net(a: f32[N, F]) -> f32[N] { a |> dense(1) |> reshape([N]) }\n\
        train net on d { loss = mse }\n";
    let table = b"a,y\n1,low\n2,mid\n3,high\n4,low\n";
    let folder = Folder::new(&[("t.csv", table), ("p.nn", program.as_bytes())]);
    let said = folder.bad(&["check", "p.nn"]);
    assert!(said.contains("error[E0120]: `mse` compares numbers, but `y` is a category"), "{said}");
    assert!(said.contains("`y = number as target`") && said.contains("p.nn:6:25"), "{said}");
    // Of two classes the numbers are no and yes, and names may be the classes' numbers.
    for table in [b"a,y\n1,no\n2,yes\n3,no\n".as_slice(), b"a,y\n1,0\n2,2\n3,1\n"] {
        folder.write("t.csv", table);
        folder.good(&["check", "p.nn"]);
    }
    let whole = "data d = csv(\"t.csv\", target: y)\n\
        model net(features: f32[N, F]) -> f32[N, d.classes] { features |> dense(d.classes) }\n\
        train net on d { loss = cross_entropy }\n";
    folder.write("p.nn", whole.as_bytes());
    let said = folder.bad(&["check", "p.nn"]);
    assert!(said.contains("E0119") && said.contains("`y = category as target`"), "{said}");
}

#[test]
fn more_folds_than_samples_are_refused_before_a_folder_is_made() {
    let folds = program("", PLAIN).replace("epochs  = 3", "epochs  = 3\n    folds   = 5");
    let folder = Folder::new(&[("t.csv", line(3).as_bytes()), ("p.nn", folds.as_bytes())]);
    for command in [&["check", "p.nn"][..], &["run", "p.nn", "--out", "r"]] {
        let said = folder.bad(command);
        assert!(said.contains("error[E0304]: 3 samples cannot be cut into 5 folds"), "{said}");
        assert!(said.contains("p.nn:12:15"), "{said}");
    }
    assert!(!folder.0.path().join("r").exists(), "no folder is left behind");
}

#[test]
fn a_member_of_an_archive_that_no_field_needs_stays_packed() {
    let members = |name: &str, wanted: &str| {
        let fields = format!("{{\n    x = array\n    y = array(\"{wanted}\") as target\n}}");
        let text = format!(
            "data d = arrays(\"{name}\") {fields}\nmodel net(x: f32[N, 2]) -> f32[N, 2] {{ x |> dense(2) }}\n\
             train net on d {{ loss = mse }}\n"
        );
        let folder = Folder::new(&[("p.nn", text.as_bytes())]);
        let array = |byte: u8| super::npy("<f4", false, "(2, 2)", &[byte; 16]);
        let parts = [("x.npy", array(0)), ("y.npy", array(0)), ("z.npy", array(1))];
        let mut file = npz(&parts, false);
        let elements = file.windows(16).position(|it| it == [1; 16]).expect("the elements of `z`");
        file[elements] = 2;
        folder.write(name, &file);
        folder
    };
    // The sum of the member `z` is wrong, which shows where it is read.
    members("x.npz", "y").good(&["check", "p.nn"]);
    let said = members("x.npz", "z").bad(&["check", "p.nn"]);
    assert!(said.contains("the checksum of `z.npy` does not match"), "{said}");
}
