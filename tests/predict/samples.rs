//! Rows, series, texts and recordings.

use super::tone::tone;
use super::{Folder, failed, numbers};

/// Rows of `y = 3 a + 1` with a kind.
fn table() -> String {
    let row = |index: usize| format!("{index},{},{}\n", ["u", "v"][index % 2], 3 * index + 1);
    "a,kind,y\n".to_owned() + &(0..40).map(row).collect::<String>()
}

const ROWS: &str = "data d = csv(\"t.csv\") {\n a = number |> standardize\n kind = category(closed: true)\n y = number |> standardize as target\n}\n\
    model net(a: f32[N], kind: i32[N]) -> f32[N] {\n\
        concat([reshape(a, [N, 1]), kind |> embedding(d.kind.count, 2)]) |> dense(1) |> reshape([N])\n}\n\
    train net on d { loss = mse\n optimizer = adam(lr: 0.1)\n epochs = 80 }\n";

#[test]
fn rows_need_only_what_the_model_reads() {
    let folder = Folder::new(&[("t.csv", table().as_bytes()), ("p.nn", ROWS.as_bytes())]);
    folder.good(&["run", "p.nn", "--out", "run", "--quiet"]);
    // The data are not needed any more.
    std::fs::remove_file(folder.path("t.csv")).unwrap();
    let said = folder.good_with_input(&["predict", "run", "-", "--csv"], b"kind,a\nu,10\nv,20\n");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines[0], lines.len()), ("row,y", 3));
    let value: f64 = lines[1].strip_prefix("'-:2,").expect(lines[1]).parse().unwrap();
    assert!((value - 31.0).abs() < 3.0, "in the units of the file: {said}");
    folder.write("new.csv", b"a,kind\n1,u\n2,w\n3,\nx,u\n4,v\n");
    let (out, error) = failed(&folder, &["predict", "run", "new.csv", "--csv"]);
    let names: Vec<&str> = out.lines().filter_map(|line| line.split(',').next()).collect();
    assert_eq!(names, ["row", "new.csv:2", "new.csv:6"], "the others are answered");
    for wanted in [
        "new.csv:3: `w` of `kind` is in no row to train on",
        "new.csv:4: `kind` has no value",
        "new.csv:5: line 5, column `a`: `x` is not a number",
    ] {
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
    folder.write("empty.csv", b"");
    folder.write("head.csv", b"a,kind\n");
    folder.write("other.csv", b"a,kin\n1,u\n");
    folder.write("folder/t.csv", b"a,kind\n1,u\n");
    for (name, wanted) in [
        ("empty.csv", "empty.csv: the file is empty"),
        ("head.csv", "head.csv: the table has no rows below its header"),
        ("other.csv", "other.csv: there is no column `kind`; did you mean `kin`?"),
        ("folder", "folder: is a folder, where a file is needed"),
        ("nope.csv", "nope.csv: cannot read: No such file"),
        ("run/best.safetensors", "run/best.safetensors: "),
    ] {
        let (_, error) = failed(&folder, &["predict", "run", name]);
        assert!(error.contains(wanted), "{name}: {error}");
    }
    let (_, error) = failed(&folder, &["predict", "run", "new.csv", "--out", "masks"]);
    assert!(error.contains("no output of `net` is a mask or a picture"), "{error}");
    assert!(!folder.path("masks").exists(), "nothing is half-written");
}

#[test]
fn a_table_has_no_more_classes_than_there_are() {
    let text = "data d = csv(\"t.csv\") { a = number\n kind = category as target }\n\
        model net(a: f32[N]) -> f32[N, 2] { reshape(a, [N, 1]) |> dense(2) }\n\
        train net on d { loss = cross_entropy\n epochs = 1 }\n";
    let folder = Folder::new(&[("t.csv", table().as_bytes()), ("p.nn", text.as_bytes())]);
    folder.good(&["run", "p.nn", "--out", "run", "--quiet"]);
    folder.write("new.csv", b"a\n1\n40\n");
    for (top, columns) in [("1", 3), ("2", 5), ("5", 5)] {
        let said = folder.good(&["predict", "run", "new.csv", "--csv", "--top", top]);
        assert!(said.lines().all(|line| line.split(',').count() == columns), "{top}: {said}");
    }
}

#[test]
fn an_index_that_is_out_of_range_is_told_of_its_row() {
    let text = "data d = csv(\"t.csv\") { a = number\n y = number as target }\n\
        model net(a: f32[N]) -> f32[N] { cast(a, i32) |> embedding(40, 1) |> reshape([N]) }\n\
        train net on d { loss = mse\n epochs = 1 }\n";
    let folder = Folder::new(&[("t.csv", table().as_bytes()), ("p.nn", text.as_bytes())]);
    folder.good(&["run", "p.nn", "--out", "run", "--quiet"]);
    folder.write("new.csv", b"a\n1\n40\n2\n");
    let (out, error) = failed(&folder, &["predict", "run", "new.csv", "--csv"]);
    let names: Vec<&str> = out.lines().filter_map(|line| line.split(',').next()).collect();
    assert_eq!(names, ["row", "new.csv:2", "new.csv:4"]);
    assert!(error.contains("new.csv:3: the model makes an index of it"), "{error}");
}

#[test]
fn a_series_goes_on_behind_its_last_rows() {
    let text = "data d = series(\"s.csv\", window: 4, horizon: 2, columns: [\"t\", \"x\"], target: x, validation: 0.1)\n\
        model net(past: f32[N, W, C]) -> f32[N, 2] { past |> flatten |> dense(2) }\n\
        train net on d { loss = mse\n optimizer = adam(lr: 0.05)\n epochs = 60 }\n";
    let rows: String = (0..60).map(|t| format!("{t},{}\n", 1000 + 10 * t)).collect();
    let series = format!("t,x\n{rows}");
    let folder = Folder::new(&[("s.csv", series.as_bytes()), ("p.nn", text.as_bytes())]);
    folder.good(&["run", "p.nn", "--out", "run", "--quiet"]);
    // A cell before the window may be anything, and so may a column that is not read.
    folder.write("new.csv", b"x,t,note\n?,10,a\n1200,20,b\n\n1210,21,c\n1220,22,d\n1230,23,e\n");
    let answers = folder.json(&["predict", "run", "new.csv", "--json"]);
    assert_eq!(answers[0]["file"], "new.csv:3-7", "the lines that it stands on");
    assert_eq!(answers[0]["names"], serde_json::json!(["x_1", "x_2"]));
    let ahead = numbers(&answers[0]);
    assert!((ahead[0] - 1240.0).abs() < 20.0 && (ahead[1] - 1250.0).abs() < 20.0, "{ahead:?}");
    let said = folder.good(&["predict", "run", "new.csv", "--csv"]);
    assert!(said.starts_with("rows,x_1,x_2\nnew.csv:3-7,"), "{said}");
    for (rows, wanted) in [
        (&b"t,x\n1,2\n"[..], "has 1 rows; the model reads the last 4"),
        (b"t,x\n1,2\n2,3\n3,\n4,5\n", "line 4: `x` has no value"),
        (b"t,x\n1,2\n2,3\n3,y\n4,5\n", "line 4, column `x`: `y` is not a number"),
        (b"t,z\n1,2\n", "there is no column `x`"),
        (b"", "the file is empty"),
    ] {
        folder.write("new.csv", rows);
        let (_, error) = failed(&folder, &["predict", "run", "new.csv"]);
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
}

#[test]
fn lines_of_a_text_are_answered_token_by_token() {
    let text = "data d = text(\"t.txt\", tokens: UNIT, window: 4)\n\
        model net(tokens: i32[N, T]) -> f32[N, T, d.tokens.count] { tokens |> embedding(d.tokens.count, 16) |> dense(d.tokens.count) }\n\
        train net on d { loss = cross_entropy\n optimizer = adam(lr: 0.1)\n epochs = 20 }\n";
    let folder = Folder::new(&[("t.txt", "abcd".repeat(100).as_bytes())]);
    folder.write("p.nn", text.replace("UNIT", "chars").as_bytes());
    folder.good(&["run", "p.nn", "--out", "chars", "--quiet"]);
    folder.write("lines.txt", b"\xef\xbb\xbfab\r\n\nbcdabc\n");
    let answers = folder.json(&["predict", "chars", "lines.txt", "--json", "--top", "2"]);
    let told = |key: &str| -> Vec<String> {
        answers.iter().map(|it| it[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(told("file"), ["lines.txt:1", "lines.txt:3[0..4]", "lines.txt:3[4..6]"]);
    assert_eq!(told("text"), ["bc", "cdab", "cd"], "what follows each character");
    assert_eq!(
        (&answers[0]["next"][0]["class"], answers[0]["next"].as_array().unwrap().len()),
        (&"c".into(), 2)
    );
    let said = folder.good_with_input(&["predict", "chars", "-", "--csv"], b"d\n");
    assert!(said.starts_with("line,text,next,probability\n'-:1,a,a,0."), "{said}");
    let said = folder.good(&["predict", "chars", "lines.txt"]);
    assert!(said.starts_with("lines.txt:1: \"bc\"  next \"c\" "), "{said}");
    // What was never seen is the token that stands for it, as in training; no more.
    folder.good_with_input(&["predict", "chars", "-"], "é\n".as_bytes());
    for (bytes, wanted) in [
        (&b"\n\n"[..], "has no text in it"),
        (b"", "has no text in it"),
        (b"ab\xff", "is not UTF-8 text: byte 2 is none"),
    ] {
        folder.write("bad.txt", bytes);
        let (_, error) = failed(&folder, &["predict", "chars", "bad.txt"]);
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
    folder.write("p.nn", text.replace("UNIT", "bpe(size: 260)").as_bytes());
    folder.good(&["run", "p.nn", "--out", "pairs", "--quiet"]);
    let answers = folder.json(&["predict", "pairs", "lines.txt", "--json"]);
    assert!(answers.iter().all(|answer| !answer["text"].as_str().unwrap().is_empty()));
}

#[test]
fn recordings_are_resampled_and_cut_as_those_to_train_on() {
    let text = "data d = audio(\"tones\", rate: 4000, seconds: 0.2, spectrum: mel(bands: 8, size: 128))\n\
        model net(spectrum: f32[N, T, B]) -> f32[N, 2] { spectrum |> flatten |> dense(2) }\n\
        train net on d { loss = cross_entropy\n optimizer = adam(lr: 0.02)\n epochs = 30 }\n";
    let folder = Folder::new(&[("p.nn", text.as_bytes())]);
    for number in 0..8u32 {
        let far = f64::from(number) * 15.0;
        folder.write(&format!("tones/low/{number}.wav"), &tone(4000, 300.0 + far, 0.2));
        folder.write(&format!("tones/high/{number}.wav"), &tone(4000, 1300.0 + far, 0.2));
    }
    folder.good(&["run", "p.nn", "--out", "run", "--quiet"]);
    folder.write("calls/more/b.WAV", &tone(11_025, 330.0, 0.5));
    folder.write("calls/a.wav", &tone(8000, 1350.0, 0.1));
    folder.write("calls/notes.txt", b"x");
    let said = folder.good(&["predict", "run", "calls", "--csv"]);
    let classes: Vec<&str> = said.lines().map(|line| line.rsplit_once(',').unwrap().0).collect();
    assert_eq!(classes, ["file,class", "calls/a.wav,high", "calls/more/b.WAV,low"]);
    let said = folder.good_with_input(&["predict", "run", "-"], &tone(4000, 320.0, 0.2));
    assert!(said.starts_with("-: low "), "{said}");
    let said = folder.good_with_input(&["predict", "run", "-"], b"calls/a.wav\n");
    assert!(said.starts_with("calls/a.wav: high "), "{said}");
    folder.write("empty.wav", b"");
    folder.write("none.wav", &tone(4000, 1.0, 0.0));
    folder.write("a.wav", b"\x89PNG\r\n\x1a\n");
    folder.write("texts/a.txt", b"x");
    for (name, wanted) in [
        ("empty.wav", "empty.wav: the file is empty"),
        ("none.wav", "none.wav: the recording has no samples"),
        ("a.wav", "a.wav: byte 0: this is no WAV or FLAC file"),
        ("texts", "texts: has no WAV or FLAC files in it"),
        ("nope.wav", "nope.wav: cannot be read: No such file"),
    ] {
        let (_, error) = failed(&folder, &["predict", "run", name, "calls/a.wav"]);
        assert!(error.contains(wanted), "{name}: {error}");
    }
}
