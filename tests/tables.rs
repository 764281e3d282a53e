//! Tables, series, texts and arrays as data, as a user meets them: what is read right, what is refused and
//! where the message points, and that what was fitted is applied again.

#[path = "support/archive.rs"]
mod archive;
#[path = "tables/damaged.rs"]
mod damaged;
#[path = "support/folder.rs"]
mod folder;
#[path = "tables/kinds.rs"]
mod kinds;
#[path = "tables/pages.rs"]
mod pages;

use folder::Folder;

/// A program that learns `y` from `a`, with these arguments of `csv` and these fields.
fn program(arguments: &str, fields: &str) -> String {
    format!(
        "data rows = csv(\"t.csv\"{arguments}) {{\n{fields}\n}}\n\n\
         model net(a: f32[N]) -> f32[N] {{ reshape(a, [N, 1]) |> dense(1) |> reshape([N]) }}\n\n\
         train net on rows {{\n    loss    = mse\n    metrics = [mae(original: true), rmse, r2]\n    epochs  = 3\n}}\n"
    )
}

const PLAIN: &str = "    a = number |> standardize\n    y = number |> standardize as target";

/// A table of `y = 3 a + 1`.
fn line(rows: usize) -> String {
    let row = |index: usize| format!("{index},{}\n", 3 * index + 1);
    "a,y\n".to_owned() + &(0..rows).map(row).collect::<String>()
}

/// The message of `nnc check` about a table.
fn refused(table: &[u8]) -> String {
    let program = program("", PLAIN);
    Folder::new(&[("t.csv", table), ("p.nn", program.as_bytes())]).bad(&["check", "p.nn"])
}

#[test]
fn what_is_no_table_of_numbers_is_refused_at_its_line_and_column() {
    let cases: &[(&[u8], &[&str])] = &[
        (b"a,y\n1,2\n1;5,2\n", &["line 3, column `a`: `1;5` is not a number"]),
        (b"a,y\n1,2\n\"1,5\",2\n", &["line 3, column `a`: `1,5` is not a number", "write `1.5`"]),
        (b"a,y\n$5,2\n", &["`$5` is not a number", "currencies"]),
        (b"a,y\n\"1,2\n3,4\n", &["t.csv: line 2 opens a quote that nothing closes"]),
        (b"z,a,y\nx,1,2\nx,3,4\n\"x,5,6\nx,7,8", &["t.csv: line 4 opens a quote"]),
        (b"a,y\n1,NaN\n", &["column `y`: `NaN` is not a number", "na: [\"NaN\"]"]),
        (b"a,y\n1,inf\n", &["`inf` is not a number"]),
        (b"a,y\n1,1e39\n", &["beyond the range of f32"]),
        (b"a,y\n1,2\n3\n", &["line 3 has 1 cell, the first row has 2 cells"]),
        (b"a,y\n\n\n1,x\n", &["line 4, column `y`"]),
        (b"a,y\r\n1,2\r\n\r\n1,x\r\n", &["line 4, column `y`"]),
        (b"\"a\",y\r\n1,2\r\n3,4\r\n1,x\r\n", &["line 4, column `y`"]),
        (b"a;y\n1;2\n", &["seems to have one column", "delimiter: \";\""]),
        (b"a\ty\n1\t2\n", &["delimiter: \"\\t\""]),
        (b"", &["the file is empty"]),
        (b"a,y\n", &["no rows below its header"]),
        (b"a,z\n1,2\n", &["there is no column `y`"]),
        (b"a,y,a\n1,2,3\n", &["columns 1 and 3 are both named `a`"]),
        (b"a,y\n1,2\n\xff,3\n", &["is not a number"]),
        (
            b"a,y\n,2\n,3\n4,5\n",
            &["`a` has no value in 2 of 3 rows; the first is line 2", "missing: mean"],
        ),
        (b"a,y\n1,\n2,\n", &["left to train on", "no row has a value of `y`"]),
        (b"\xff\xfea\0,\0y\0", &["is not UTF-8 text: byte 0", "it is UTF-16"]),
    ];
    for (table, wanted) in cases {
        let said = refused(table);
        for wanted in *wanted {
            assert!(said.contains(wanted), "{:?}: {said}", String::from_utf8_lossy(table));
        }
    }
    let text = program("", "    a = number\n    y = category as target");
    let text = text.replace("metrics = [mae(original: true), rmse, r2]", "metrics = []");
    let folder = Folder::new(&[("t.csv", b"a,y\n1,caf\xe9\n"), ("p.nn", text.as_bytes())]);
    assert!(folder.bad(&["check", "p.nn"]).contains("is not UTF-8 text: byte 9"));
}

#[test]
fn a_row_of_another_file_is_told_by_that_file() {
    let fields = "    a = number\n    kind = category(closed: true)\n    when = date(parts: [month])\n    y = number as target";
    let text = program(", test: \"test.csv\", validation: \"more.csv\"", fields)
        .replace("csv(\"t.csv", "csv(\"*_t.csv");
    let rows = b"a,kind,when,y\n1,u,2024-01-31,2\n2,v,2024-02-01,3\n";
    let names = ["1_t.csv", "2_t.csv", "test.csv", "more.csv"];
    let folder = Folder::new(&[("p.nn", text.as_bytes())]);
    names.iter().for_each(|name| folder.write(name, rows));
    folder.good(&["check", "p.nn"]);
    for (name, line, wanted) in [
        ("test.csv", "3,w,2024-03-01,4", "line 4: `w` of `kind` is in no row to train on"),
        ("more.csv", "3,u,March,4", "line 4: `March` of `when` is no date"),
        ("2_t.csv", "3,u,March,4", "line 4: `March` of `when` is no date"),
        ("test.csv", ",u,2024-03-01,4", "`a` has no value in 1 of 9 rows; the first is line 4"),
        ("more.csv", "3,,2024-03-01,4", "`kind` has no value in 1 of 9 rows; the first is line 4"),
        ("test.csv", "x,u,2024-03-01,4", "line 4, column `a`: `x` is not a number"),
        ("more.csv", "3,u", "line 4 has 2 cells"),
    ] {
        folder.write(name, &[rows, line.as_bytes()].concat());
        let said = folder.bad(&["check", "p.nn"]);
        let lines: Vec<&str> = said.lines().filter(|said| said.contains(wanted)).collect();
        assert!(lines.iter().any(|said| said.contains(name)), "{name} {line}: {said}");
        let others = names.iter().filter(|other| **other != name);
        assert!(!others.clone().any(|other| lines.iter().any(|it| it.contains(other))), "{said}");
        folder.write(name, rows);
    }
    folder.write("more.csv", b"a,kind,y\n1,u,2\n");
    let said = folder.bad(&["check", "p.nn"]);
    assert!(said.contains("more.csv: there is no column `when`"), "{said}");
}

#[test]
fn marks_quotes_and_other_line_ends_are_read() {
    let tables: [&[u8]; 4] = [
        b"\xef\xbb\xbfa,y\n0,1\n1,4\n2,7\n3,10\n",
        b"a,y\r\n0,1\r\n1,4\r\n2,7\r\n3,10\r\n",
        b"note,a,y\n\"two\nlines, and \"\"quotes\"\"\",0,1\nx,1,4\nx, 2 ,7\n,3,10\n",
        b"a,y\n0,1\n\n1,4\n2,7\n3,10",
    ];
    for table in tables {
        let text = program("", PLAIN);
        let folder = Folder::new(&[("t.csv", table), ("p.nn", text.as_bytes())]);
        let said = folder.good(&["data", "p.nn"]);
        assert!(said.contains("mean 1.5000, std 1.1180"), "{said}");
    }
}

#[test]
fn rows_that_are_in_two_splits_are_counted_and_named_by_their_lines() {
    let text = program(", test: \"test.csv\"", PLAIN);
    let test = b"a,y\n7,0\n7,1\n99,5\n2,7\n";
    let files = [("t.csv", line(10).into_bytes()), ("test.csv", test.to_vec())];
    let files = [&files[0], &files[1]].map(|(name, bytes)| (*name, &bytes[..]));
    let folder = Folder::new(&files);
    folder.write("p.nn", text.as_bytes());
    let said = folder.good(&["data", "p.nn"]);
    let wanted = "3 test samples with the inputs of train samples\n  test.csv:2 is t.csv:9\n";
    assert!(said.contains(wanted), "{said}");
    let said: serde_json::Value =
        serde_json::from_str(&folder.good(&["data", "p.nn", "--json"])).unwrap();
    let shared = &said["duplicates"][0];
    assert_eq!(shared["splits"], serde_json::json!(["train", "test"]));
    assert_eq!((&shared["samples"], &shared["first"][2][0]), (&3.into(), &"t.csv:4".into()));
    folder.write("test.csv", b"a,y\n70,0\n");
    assert!(!folder.good(&["data", "p.nn"]).contains("with the inputs"));
}

#[test]
fn windows_of_text_and_rows_of_arrays_are_found_in_two_splits_as_well() {
    let text = "data t = text(\"t.txt\", window: 4, test: 0.5)\n\n\
                model net(tokens: i32[N, W]) -> f32[N, W, t.tokens.count] {\n    \
                tokens |> embedding(t.tokens.count, 4) |> dense(t.tokens.count)\n}\n\n\
                train net on t { loss = cross_entropy }\n";
    let folder = Folder::new(&[("t.txt", &b"abcde".repeat(8)), ("p.nn", text.as_bytes())]);
    let said = folder.good(&["data", "p.nn"]);
    let wanted =
        "4 test samples with the inputs of train samples\n  t.txt, sample 5 is t.txt, sample 0";
    assert!(said.contains(wanted), "{said}");
}

#[test]
fn what_the_data_make_senseless_is_found_before_anything_runs() {
    let table = b"a,y,kind,place\n1,3,x,p\n2,3,z,q\n3,3,x,r\n4,3,z,s\n";
    let folder = Folder::new(&[("t.csv", table)]);
    // One number as the target.
    let text = program("", "    a = number\n    y = number |> standardize as target");
    folder.write("p.nn", text.as_bytes());
    let said = folder.nnc(&["check", "p.nn"]);
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("warning[W0214]: the target `y` is 3 in all samples"), "{said}");
    assert!(!said.contains("W0302") && said.contains("p.nn:3:9"), "{said}");
    // A category of five in an embedding of two.
    let text = "data rows = csv(\"t.csv\") {\n    place = category\n    kind = category as target\n}\n\n\
                model net(place: i32[N]) -> f32[N, 2] { place |> embedding(2, 3) |> dense(2) }\n\n\
                train net on rows { loss = cross_entropy }\n";
    folder.write("p.nn", text.as_bytes());
    let said = folder.bad(&["check", "p.nn"]);
    assert!(
        said.contains("error[E0129]: the embedding has 2 rows, but `place` of `rows` has 5"),
        "{said}"
    );
    assert!(said.contains("write `count: rows.place.count` (checked)"), "{said}");
    folder.nnc(&["check", "--fix", "p.nn"]);
    folder.good(&["check", "p.nn"]);
}

#[test]
fn a_head_is_held_against_the_classes_of_every_source() {
    let train = "train net on d { loss = cross_entropy }\n";
    let table = b"a,kind\n1,x\n2,y\n3,z\n4,x\n5,y\n6,z\n";
    let of_table = "data d = csv(\"t.csv\") {\n    a = number\n    kind = category as target\n}\n\n\
                    model net(a: f32[N]) -> f32[N, 2] { reshape(a, [N, 1]) |> dense(2) }\n\n";
    let of_text = "data d = text(\"t.txt\", window: 4)\n\n\
                   model net(tokens: i32[N, W]) -> f32[N, W, 2] {\n    \
                   tokens |> embedding(d.tokens.count, 4) |> dense(2)\n}\n\n";
    let folder = Folder::new(&[("t.csv", table), ("t.txt", b"abcdeabcdeabcde")]);
    for (program, member) in [(of_table, "d.classes"), (of_text, "d.classes")] {
        folder.write("p.nn", format!("{program}{train}").as_bytes());
        let said = folder.bad(&["check", "p.nn"]);
        assert!(said.contains("error[E0126]: the head has 2 outputs, but `d` has"), "{said}");
        assert!(said.contains(&format!("write `{member}` for 2 (checked)")), "{said}");
    }
    // A column that is nearly there.
    let program = of_table.replace("    a = number", "    aa = number");
    folder.write("p.nn", format!("{program}{train}").as_bytes());
    assert!(folder.bad(&["check", "p.nn"]).contains("did you mean `a`?"));
}

#[test]
fn what_was_fitted_is_applied_to_other_rows() {
    let text = program(", test: 0.2, validation: 0.1", PLAIN)
        .replace("epochs  = 3", "optimizer = sgd(lr: 0.05)\n    epochs  = 100");
    let folder = Folder::new(&[("t.csv", line(60).as_bytes()), ("p.nn", text.as_bytes())]);
    folder.good(&["run", "p.nn", "--out", "run", "--quiet"]);
    folder.write("new.csv", b"y,a\n,10\n,x\n,20\n");
    let output = folder.nnc(&["predict", "run", "new.csv", "--csv"]);
    let answers = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("new.csv:3: line 3, column `a`: `x` is not a number"), "{errors}");
    let numbers: Vec<f64> = answers
        .lines()
        .skip(1)
        .map(|row| row.rsplit_once(',').unwrap().1.parse().unwrap())
        .collect();
    assert_eq!(answers.lines().next(), Some("row,y"));
    assert!((numbers[0] - 31.0).abs() < 4.0 && (numbers[1] - 61.0).abs() < 4.0, "{answers}");
    // Other rows, of which nothing is as in those to train on: the model still sees and says the same.
    let far: String = (1000..1010).map(|a| format!("{a},0\n")).collect();
    folder.write("t.csv", format!("a,y\n{far}").as_bytes());
    let said = folder.good(&["eval", "run", "--split", "train", "--json"]);
    let scores: serde_json::Value = serde_json::from_str(&said).unwrap();
    let mae = scores["mae"].as_f64().expect("a number");
    assert!((mae - 3015.0).abs() < 60.0, "3 a + 1 for 0: {said}");
}

#[test]
fn members_of_fields_are_numbers_of_the_program() {
    let table = b"kind,a,y\nred,1,0\nblue,2,1\ngreen,3,0\nred,4,1\n";
    let text = "data d = csv(\"t.csv\") {\n    kind = category\n    a = numbers([\"a\"]) |> standardize\n    y = number as target\n}\n\
        model net(kind: i32[N], a: f32[N, F]) -> f32[N] {\n\
        concat([kind |> embedding(d.kind.count, 2), a]) |> dense(d.a.size) |> reshape([N])\n}\n\
        train net on d { loss = mse }\n";
    let folder = Folder::new(&[("t.csv", table), ("p.nn", text.as_bytes())]);
    let said = folder.good(&["check", "p.nn"]);
    assert!(said.contains("embedding  [N, 2]            8") || said.contains(" 8 "), "{said}");
    folder.write("q.nn", text.replace("d.kind.count", "d.kint.count").as_bytes());
    assert!(folder.bad(&["check", "q.nn"]).contains("did you mean `kind`"));
    folder.write("r.nn", text.replace("d.kind.count", "d.kind.coutn").as_bytes());
    assert!(folder.bad(&["check", "r.nn"]).contains("count"));
    folder.write("s.nn", text.replace("kind: i32[N], a", "kond: i32[N], a").as_bytes());
    let said = folder.bad(&["check", "s.nn"]);
    assert!(said.contains("`d` has no field `kond`"), "{said}");
}

#[test]
fn a_program_without_fields_finds_its_own() {
    let table = b"a,b,kind,y\n1,10,u,0\n2,20,v,1\n3,35,u,0\n4,40,v,1\n";
    let text = "data d = csv(\"t.csv\", target: y)\n\
        model net(features: f32[N, F], kind: i32[N]) -> f32[N] {\n\
        concat([features, kind |> one_hot(d.kind.count)]) |> dense(1) |> reshape([N])\n}\n\
        train net on d { loss = mse }\n";
    let folder = Folder::new(&[("t.csv", table), ("p.nn", text.as_bytes())]);
    let said = folder.good(&["data", "p.nn"]);
    assert!(
        said.contains("a, b; standardized") && said.contains("3 classes: (unknown), u, v"),
        "{said}"
    );
    folder.write("q.nn", text.replace(", target: y", "").as_bytes());
    assert!(folder.bad(&["check", "q.nn"]).contains("which column is the target?"));
    let mut rows = String::from("a,b,kind,y\n");
    (0..50).for_each(|row| rows.push_str(&format!("{row},1,u,0\n")));
    folder.write("t.csv", (rows + "n/a,1,v,1\n").as_bytes());
    let said = folder.bad(&["check", "p.nn"]);
    assert!(
        said.contains("`a` is a number in 50 rows, but not in 1; the first is line 52: `n/a`"),
        "{said}"
    );
}

#[test]
fn rows_are_split_by_groups_and_by_time() {
    let rows: String = (0..100).map(|row| format!("{},{row},{row}\n", row / 10)).collect();
    let table = format!("g,a,y\n{rows}");
    for (split, by_time) in [("by(g)", false), ("time(a)", true)] {
        let text = program(&format!(", test: 0.2, split: {split}"), PLAIN);
        let folder = Folder::new(&[("t.csv", table.as_bytes()), ("p.nn", text.as_bytes())]);
        let out =
            ["data", "p.nn", "--batch", "batch.safetensors", "--split", "test", "--samples", "20"];
        let said = folder.good(&out);
        assert!(said.contains("80") && said.contains("20"), "{said}");
        let bytes = std::fs::read(folder.0.path().join("batch.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensor = file.tensor("input.a").unwrap();
        let scaled = tensor.data().as_chunks::<4>().0.iter().map(|it| f32::from_le_bytes(*it));
        let scaled: Vec<f32> = scaled.collect();
        let largest = scaled.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(largest, "rows stay in their order: {scaled:?}");
        if by_time {
            assert!(scaled[0] > 1.7, "the latest rows: {scaled:?}");
        }
    }
}

#[test]
fn a_seed_of_the_data_chooses_other_rows() {
    let text = program(", test: 0.3", PLAIN);
    let folder = Folder::new(&[("t.csv", line(50).as_bytes()), ("p.nn", text.as_bytes())]);
    let fitted = |setting: &str| {
        let out = setting.replace(['.', '='], "-");
        folder.good(&["run", "p.nn", "--out", &out, "--quiet", "--set", setting]);
        let info = folder.0.path().join(out).join("run.json");
        let info = std::fs::read_to_string(info).expect("the run's facts");
        let mean = info.split("\"mean\"").nth(1).expect("a field that is standardised");
        mean[..mean.find(']').expect("its end")].to_owned()
    };
    let first = fitted("data.seed=0");
    assert_eq!(first, fitted("train.seed=5"), "the seed of the run leaves splits alone");
    assert_ne!(first, fitted("data.seed=1"));
    let by_time = program(", test: 0.3, split: time(a), seed: 1", PLAIN);
    folder.write("p.nn", by_time.as_bytes());
    assert!(folder.bad(&["check", "p.nn"]).contains("in the order of time"));
}

#[test]
fn metrics_are_shown_in_the_order_of_the_program() {
    let text = program(", validation: 0.2", PLAIN);
    let folder = Folder::new(&[("t.csv", line(50).as_bytes()), ("p.nn", text.as_bytes())]);
    let output = folder.nnc(&["run", "p.nn", "--out", "run"]);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let places = ["mae", "rmse", "r2", "val_mae", "val_rmse", "val_r2"];
    let places = places.map(|name| said.find(&format!("  {name} ")).expect(name));
    assert!(places.is_sorted(), "{said}");
}

#[test]
fn sums_of_losses_show_their_terms_and_names_that_mean_nothing_are_told() {
    let text = "data d = csv(\"t.csv\", test: 0.2) { a = numbers([\"a\"]) |> standardize\n y = number |> standardize as target\n k = category as target }\n\
        model net(a: f32[N, F]) -> (y: f32[N], k: f32[N, 2]) {\n let h = a |> dense(4) |> tanh\n (y: h |> dense(1) |> reshape([N]), k: h |> dense(2))\n}\n\
        train net on d {\n loss = cross_entropy(k) + 0.5 * mse(y)\n metrics = [accuracy(k), mae(y, original: true)]\n epochs = 2\n}\n";
    let rows: String =
        (0..40).map(|row| format!("{row},{},{}\n", 2 * row, ["no", "yes"][row % 2])).collect();
    let table = format!("a,y,k\n{rows}");
    let folder = Folder::new(&[("t.csv", table.as_bytes()), ("p.nn", text.as_bytes())]);
    let said = folder.good(&["run", "p.nn", "--out", "run", "--json"]);
    let first: serde_json::Value =
        serde_json::from_str(said.lines().find(|it| it.contains("epoch")).unwrap()).unwrap();
    let text_of = first.to_string();
    assert!(text_of.contains("cross_entropy") && text_of.contains("mse"), "{text_of}");
    let said = folder.good(&["predict", "run", "t.csv", "--csv"]);
    assert_eq!(said.lines().next(), Some("row,y,k_class,k_probability"));
    let raw = folder.good(&["predict", "run", "t.csv", "--raw", "o.safetensors", "--json"]);
    assert_eq!(raw.lines().count(), 40);
    let bytes = std::fs::read(folder.0.path().join("o.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(
        (file.tensor("y").unwrap().shape(), file.tensor("k").unwrap().shape()),
        (&[40][..], &[40, 2][..])
    );
    for (from, to, wanted) in [
        ("cross_entropy(k) + 0.5 * mse(y)", "cross_entropy", "which of them is meant?"),
        ("cross_entropy(k) +", "cross_entropy(z) +", "which of them is meant?"),
        ("cross_entropy(k) +", "cross_entropy(k, z) +", "unknown name `z`"),
        (
            "(y: h |> dense(1) |> reshape([N]), k: h |> dense(2))",
            "(y: h |> dense(1) |> reshape([N]))",
            "the record lacks `k`",
        ),
    ] {
        folder.write("q.nn", text.replace(from, to).as_bytes());
        let said = folder.bad(&["check", "q.nn"]);
        assert!(said.contains(wanted), "{to}: {said}");
    }
}

#[test]
fn a_part_of_a_record_may_be_called_as_the_only_output_is() {
    let text = "data d = csv(\"t.csv\", test: 0.2) { a = numbers([\"a\"]) |> standardize\n y = number as target }\n\
        model net(a: f32[N, F]) -> (output: f32[N], more: f32[N, 2]) {\n\
        (output: a |> dense(1) |> reshape([N]), more: a |> dense(2))\n}\n\
        train net on d {\n loss = mse(output, y)\n epochs = 1\n}\n";
    let folder = Folder::new(&[("t.csv", line(40).as_bytes()), ("p.nn", text.as_bytes())]);
    folder.good(&["run", "p.nn", "--out", "run", "--quiet"]);
    assert!(folder.good(&["eval", "run"]).contains("mean absolute"));
    let said = folder.good(&["predict", "run", "t.csv", "--csv"]);
    assert!(said.starts_with("row,"), "{said}");
}

/// A `.npy` file.
fn npy(descr: &str, fortran: bool, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes);
    file
}

#[test]
fn arrays_are_converted_where_that_is_exact_and_refused_elsewhere() {
    let text = "data d = arrays(\"x.npy\")\nmodel net(x: f32[N, 2]) -> f32[N, 2] { x |> dense(2) }\n\
        train net on d { loss = mse(output, x) }\n";
    let folder = Folder::new(&[("p.nn", text.as_bytes())]);
    let show = |file: Vec<u8>| {
        folder.write("x.npy", &file);
        folder.nnc(&["data", "p.nn", "--batch", "b.safetensors", "--samples", "2"])
    };
    let numbers = |bytes: &[u8]| -> Vec<f32> {
        let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
        let tensor = file.tensor("input.x").unwrap();
        tensor.data().as_chunks::<4>().0.iter().map(|it| f32::from_le_bytes(*it)).collect()
    };
    let big: Vec<u8> = [1f64, 2.0, 3.0, 4.0].iter().flat_map(|it| it.to_be_bytes()).collect();
    assert!(show(npy(">f8", true, "(2, 2)", &big)).status.success());
    let mut found = numbers(&std::fs::read(folder.0.path().join("b.safetensors")).unwrap());
    found.sort_by(f32::total_cmp);
    assert_eq!(found, [1.0, 2.0, 3.0, 4.0], "Fortran order, big-endian, f64");
    let halves: Vec<u8> =
        [0x3c00u16, 0xc000, 0x0001, 0x3555].iter().flat_map(|it| it.to_le_bytes()).collect();
    assert!(show(npy("<f2", false, "(2, 2)", &halves)).status.success());
    let huge: Vec<u8> = [1e300f64, 0.0, 0.0, 0.0].iter().flat_map(|it| it.to_le_bytes()).collect();
    for (file, wanted) in [
        (npy("<f8", false, "(2, 2)", &huge), "element 0 of `x`"),
        (npy("|O", false, "(2,)", b"x"), "would have to be run"),
        (npy("<U4", false, "(2,)", &[0; 32]), "texts are not read"),
        (npy("<c8", false, "(2,)", &[0; 16]), "elements of type `<c8`"),
        (npy("<f4", false, "(9999999999, 9999999999)", &[0; 8]), "too large"),
        (npy("<f4", false, "(3, 2)", &[0; 8]), "the header says [3, 2]"),
        (npy("<f4", false, "()", &[0; 4]), "is a single number"),
        (npy("<f4", false, "(2,)", &[0, 0, 0, 0, 0, 0, 0xc0, 0x7f]), "element 1 of `x` is NaN"),
        (npy("<f2", false, "(2,)", &[0, 0, 0, 0x7c]), "element 1 of `x` is inf"),
        (b"\x93NUMPY\x01\x00\xff\xff{".to_vec(), "ends within its header"),
        (b"PK\x05\x06".to_vec(), "no directory"),
        (b"hello".to_vec(), "not an npy file"),
    ] {
        let output = show(file);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{wanted}: {said}");
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}

#[test]
fn texts_are_windows_of_tokens_whose_names_are_kept() {
    let words = "the cat sat on the mat, and the dog sat by the cat. ".repeat(30);
    for (unit, shown) in [
        ("chars", "characters"),
        ("bytes", "256 bytes"),
        ("words(most: 12)", "12 words"),
        ("bpe(size: 280)", "byte pairs"),
    ] {
        let text = format!(
            "data d = text(\"t.txt\", tokens: {unit}, window: 8, validation: 0.2)\n\
             model net(tokens: i32[N, T]) -> f32[N, T, d.tokens.count] {{ tokens |> embedding(d.tokens.count, 8) |> dense(d.tokens.count) }}\n\
             train net on d {{\n loss = cross_entropy\n metrics = [perplexity, position_accuracy]\n epochs = 1\n}}\n"
        );
        let folder = Folder::new(&[("t.txt", words.as_bytes()), ("p.nn", text.as_bytes())]);
        let said = folder.good(&["data", "p.nn"]);
        assert!(said.contains(shown) && said.contains("the ca"), "{unit}: {said}");
        folder.good(&["run", "p.nn", "--no-out", "--quiet"]);
    }
    let folder = Folder::new(&[("t.txt", b"ab\xffcd"), ("p.nn", b"data d = text(\"t.txt\", window: 2)\nmodel net(tokens: i32[N, T]) -> f32[N, T, 9] { tokens |> embedding(9, 9) }\ntrain net on d { loss = cross_entropy }\n")]);
    assert!(folder.bad(&["check", "p.nn"]).contains("byte 2 is none"));
    folder.write("t.txt", b"ab");
    assert!(folder.bad(&["check", "p.nn"]).contains("have no window of 2"));
}

#[test]
fn what_cannot_be_learnt_is_told_before_anything_runs() {
    // A class, a step of time and a split that are not there.
    let classes = program("", "    a = number\n    y = category as target");
    let classes = classes.replace("metrics = [mae(original: true), rmse, r2]", "metrics = []");
    let folder = Folder::new(&[
        ("t.csv", b"a,y\n1,yes\n2,yes \n3,yes\xc2\xa0\n"),
        ("p.nn", classes.as_bytes()),
    ]);
    let said = folder.bad(&["check", "p.nn"]);
    assert!(said.contains("`y` has one class only in the rows to train on: `yes`"), "{said}");

    let plain = program(", test: 0.1", "    a = number\n    y = number as target");
    let folder = Folder::new(&[("t.csv", b"a,y\n1,5\n2,5\n3,5\n"), ("p.nn", plain.as_bytes())]);
    let said = folder.nnc(&["check", "p.nn"]);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("`test: 0.1` of 3 rows is no row"), "{said}");

    let series = "data d = series(\"t.csv\", window: 2, target: v, test: 0.1)\n\
                  model net(past: f32[N, W, C]) -> f32[N, 1] { past |> flatten |> dense(1) }\n\
                  train net on d { loss = mse }\n";
    let folder = Folder::new(&[("t.csv", b"v\n1\n2\n\n4\n5\n6\n"), ("p.nn", series.as_bytes())]);
    let said = folder.bad(&["check", "p.nn"]);
    assert!(said.contains("no value in 1 of 6 rows; the first is line 4"), "{said}");
    folder.write("t.csv", b"v\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
    let said = folder.nnc(&["check", "p.nn"]);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("`test: 0.1` has not one window"), "{said}");
}
