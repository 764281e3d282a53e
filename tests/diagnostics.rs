//! What `nnc check` makes of bad input as a user types it: many mistakes at once, mistakes deep in
//! calls and files, odd text, and its forms for programs.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Folder {
        fs::write(self.path().join(name), text).expect("writable");
        self
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn nnc(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_nnc"))
            .args(args)
            .current_dir(self.path())
            .env_remove("NNC_DATA")
            .env("XDG_CACHE_HOME", self.path().join("cache"))
            .output()
            .expect("nnc runs")
    }

    /// What `check` says of a program, after checks that hold for all.
    fn check(&self, text: impl AsRef<[u8]>) -> String {
        self.write("net.nn", text);
        let output = self.nnc(&["check", "net.nn"]);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(output.stdout.is_empty());
        assert!(said.lines().all(|line| line.chars().count() <= 100), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    /// The findings as JSON.
    fn json(&self, name: &str) -> Vec<Value> {
        let output = self.nnc(&["check", "--json", name]);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect()
    }
}

/// The heads of all findings.
fn heads(said: &str) -> Vec<&str> {
    said.lines().filter(|line| line.starts_with("error[") || line.starts_with("warning[")).collect()
}

const MANY: &str = r#"
layer block(x: f32[N, H, W, C], filters: int) -> f32[N, H, W, filters] {
    let y = x |> conv(filters, 3) |> relu
    let skip = x |> conv(filters, 1)
    y + skip
}

model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    let a = image |> block(16)
    let b = image |> block(8)
    let c = image |> flatten |> reluu |> dense(10, unit: 3)
    let d = image |> conv(8, 33)
    let e = missing + 1
    image |> flatten |> dense(12)
}

train net on drawn {
    loss      = cross_entropyy
    optimizer = adan(lr: 1e-3)
    epoch     = 3
    batch     = 0
}

data drawn = digits(trian: 3)
"#;

#[test]
fn many_mistakes_in_one_file_are_told_once_each() {
    let said = Folder::new().check(MANY);
    let heads = heads(&said);
    assert_eq!(heads.len(), 11, "{said}");
    for words in [
        "no argument `trian`",
        "cross_entropyy",
        "adan",
        "`epoch`",
        "`batch`",
        "do not broadcast",
        "reluu",
        "no argument `unit`",
        "window",
        "missing",
        "says it gives f32[N, 10]",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_mistake_in_a_repeat_in_a_layer_called_three_times_is_one_with_its_calls() {
    let said = Folder::new().check(
        "layer inner(x: f32[N, H, W, C], filters: int) -> f32[N, H, W, C] {
    let y = x |> repeat 2 { conv(filters, 3) } |> conv(C, 1)
    x + y
}

layer stage(x: f32[N, H, W, C], filters: int) -> f32[N, H, W, C] {
    x |> inner(filters)
}

model net(image: f32[N, 32, 32, 3]) -> f32[N, 10] {
    image |> stage(8) |> flatten |> dense(10)
}

model other(image: f32[N, 32, 32, 3]) -> f32[N, 10] {
    let a = image |> stage(8)
    let b = image |> stage(16)
    let c = image |> stage(32)
    a + b + c |> flatten |> dense(10)
}

train other { loss = mse }
",
    );
    assert_eq!(heads(&said).len(), 1, "{said}");
    assert!(said.contains("in this call of `inner`") && said.contains("in this call of `stage`"));
    assert!(said.contains("found in `stage.inner`"), "{said}");
}

#[test]
fn mistakes_in_used_files_are_shown_there_and_those_of_the_prelude_at_the_caller() {
    let folder = Folder::new();
    folder.write("lib.nn", "layer twice(x: f32[N, D]) -> f32[N, D] {\n    x + dense(x, 7)\n}\n");
    let said = folder.check("use \"lib.nn\"\nmodel net(x: f32[N, 20]) { x |> twice }\n");
    assert!(said.contains("lib.nn:2:5") && said.contains("in this call of `twice`"), "{said}");
    let said =
        folder.check("model net(x: f32[N, 5, 30]) -> f32[N, 5, 30] {\n    x |> group_norm(7)\n}\n");
    assert!(said.contains("net.nn:2:21") && said.contains("divide the channels"), "{said}");
    assert_eq!(heads(&said).len(), 1, "{said}");
    assert!(!said.contains("╭─ <prelude>"), "{said}");
}

#[test]
fn columns_are_right_behind_tabs_wide_characters_and_line_ends_of_windows() {
    let folder = Folder::new();
    folder
        .write("net.nn", "model net(x: f32[N, 20]) {\r\n\t// 世界 é\r\n\tx |>\tdesne(5)\r\n}\r\n");
    let found = folder.json("net.nn");
    let label = &found[0]["labels"][0];
    assert_eq!((&label["line"], &label["column"]), (&3.into(), &7.into()));
    assert_eq!((&label["end_line"], &label["end_column"]), (&3.into(), &12.into()));
    let said = folder.check("model net(x: f32[N, 20]) {\n    /* */ x\n}\n");
    assert!(said.contains("net.nn:2:5"), "{said}");
    let said = folder
        .check("const WIDE = \"世界\" + desne\nmodel net(x: f32[N, 20]) { dense(x, WIDE) }\n");
    // A wide character takes two columns of a terminal: the mark stands under the name.
    let lines: Vec<&str> = said.lines().collect();
    let at = lines.iter().position(|line| line.contains("世界")).expect("the line is shown");
    let column = |line: &str, what: &str| {
        console::measure_text_width(&line[..line.find(what).expect("there")])
    };
    assert_eq!(column(lines[at], "desne"), column(lines[at + 1], "━"), "{said}");
}

#[test]
fn large_and_binary_files_are_refused_or_reported_in_few_lines() {
    let folder = Folder::new();
    let mut large = "// a line that makes the file large\n".repeat(29_000);
    large += "model net(x: f32[N, 20]) {\n    x |> desne(5)\n}\n";
    let said = folder.check(&large);
    assert!(said.contains("net.nn:29002:10") && said.lines().count() < 12, "{said}");
    let said = folder.check(large.repeat(2));
    assert!(said.contains("E0024") && said.lines().count() < 12, "{said}");
    let said = folder.check([0xff, 0x00, 0xfe, 0x80].repeat(1000));
    assert!(said.contains("not UTF-8"), "{said}");
    let ascii: Vec<u8> = (1..128).cycle().take(20_000).collect();
    let said = folder.check(&ascii);
    assert!(said.lines().count() < 300 && !said.contains('\u{1b}'), "{said}");
}

#[test]
fn findings_as_json_have_every_field_and_edits_that_can_be_made() {
    let folder = Folder::new();
    let text = "model net(x: f32[N, 20]) -> f32[N, 5] {\n    x |> desne(5)\n}\n";
    folder.write("net.nn", text);
    let found = folder.json("net.nn");
    let [finding] = &found[..] else { panic!("{found:?}") };
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["code"], "E0102");
    assert_eq!(finding["file"], "net.nn");
    assert_eq!(finding["labels"][0]["primary"], true);
    assert!(finding["notes"].is_array());
    let fix = &finding["fixes"][0];
    assert_eq!(fix["checked"], true);
    let edit = &fix["edits"][0];
    assert_eq!((&edit["file"], &edit["text"]), (&"net.nn".into(), &"dense".into()));
    assert_eq!(
        (&edit["line"], &edit["column"], &edit["end_column"]),
        (&2.into(), &10.into(), &15.into())
    );

    let output = folder.nnc(&["check", "--format", "sarif", "net.nn"]);
    let log: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(log["version"], "2.1.0");
    let result = &log["runs"][0]["results"][0];
    assert_eq!((&result["ruleId"], &result["level"]), (&"E0102".into(), &"error".into()));
    let region = &result["locations"][0]["physicalLocation"]["region"];
    assert_eq!((&region["startLine"], &region["startColumn"]), (&2.into(), &10.into()));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn fixes_are_made_in_the_file_at_once_or_only_shown() {
    let folder = Folder::new();
    let broken =
        "model net(x: f32[N, 20]) -> f32[N, 5] {\n    x |> desne(32) |> reluu |> dense(5)\n}\n";
    folder.write("net.nn", broken);
    let read = || fs::read_to_string(folder.path().join("net.nn")).expect("readable");
    let shown = folder.nnc(&["check", "--fix", "--dry-run", "net.nn"]);
    let diff = String::from_utf8(shown.stdout).expect("UTF-8");
    assert_eq!(read(), broken, "a dry run changes nothing");
    let made = folder.nnc(&["check", "--fix", "net.nn"]);
    assert_eq!(String::from_utf8(made.stdout).expect("UTF-8"), diff);
    assert_eq!(made.status.code(), Some(0));
    assert_eq!(
        read(),
        "model net(x: f32[N, 20]) -> f32[N, 5] {\n    x |> dense(32) |> relu |> dense(5)\n}\n"
    );
    for line in ["--- net.nn", "+++ net.nn", "+    x |> dense(32) |> relu |> dense(5)"] {
        assert!(diff.contains(line), "{diff}");
    }
    let again = folder.nnc(&["check", "--fix", "net.nn"]);
    assert!(again.stdout.is_empty());
    assert!(String::from_utf8_lossy(&again.stderr).contains("0 fixes made: nothing left to mend"));
}

/// A command that runs shows the fixes that `check` shows: those that hold.
#[test]
fn a_run_prints_only_fixes_that_hold() {
    let folder = Folder::new();
    folder.write(
        "net.nn",
        "data drawn = digits(train: 64, test: 10)\n\n\
         model net(image: f32[N, 28, 28, 1]) -> f32[N, 1000] {\n    \
         image |> flatten |> dense(1000)\n}\n\n\
         train net on drawn {\n    loss = cross_entropy\n}\n",
    );
    let fixes = |args: &[&str]| -> Vec<String> {
        let said = String::from_utf8(folder.nnc(args).stderr).expect("UTF-8");
        assert!(said.contains("W0204"), "{said}");
        let lines = said.lines().filter(|line| line.starts_with("  fix: "));
        lines.map(str::to_owned).collect()
    };
    let checked = fixes(&["check", "net.nn"]);
    assert_eq!(checked.len(), 2, "{checked:?}");
    assert!(checked.iter().all(|fix| fix.ends_with("(checked)")), "{checked:?}");
    assert_eq!(fixes(&["run", "net.nn", "--no-out"]), checked);
}

#[test]
fn denied_warnings_fail_the_check() {
    let folder = Folder::new();
    folder.write(
        "net.nn",
        "model net(x: f32[N, 20]) {\n    let y = x |> dense(5)\n    x |> dense(5)\n}\n",
    );
    assert_eq!(folder.nnc(&["check", "net.nn"]).status.code(), Some(0));
    let denied = folder.nnc(&["check", "--deny", "warnings", "net.nn"]);
    assert_eq!(denied.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&denied.stderr).contains("W0208"));
}

#[test]
fn no_shipped_model_has_a_finding() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let folder = Folder::new();
    for entry in fs::read_dir(models).expect("models").flatten() {
        let path = entry.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A library of layers.
        if !name.ends_with(".nn") || name == "resnet.nn" {
            continue;
        }
        let found = folder.json(&path.to_string_lossy());
        // Photo folders are not there; their absence is the one thing to say.
        let others = found.iter().filter(|it| it["code"] != "W0301" && it["report"].is_null());
        assert_eq!(others.count(), 0, "{name}: {found:?}");
    }
}

/// For screen readers: the same findings in sentences, without marks, by miette's narrator.
#[test]
fn a_report_can_be_narrated() {
    let folder = Folder::new();
    folder.write("net.nn", "model net(x: f32[N, 4]) -> f32[N, 3] {\n    x |> desne(3)\n}\n");
    let narrated = |form: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
        command.args(["check", "net.nn"]).current_dir(folder.path()).env("NNC_REPORT", form);
        let output = command.output().expect("nnc runs");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let (code, said) = narrated("narrated");
    assert_eq!(code, Some(1));
    for words in [
        "Diagnostic severity: error",
        "Begin snippet for net.nn starting at line 1, column 1",
        "snippet line 2:     x |> desne(3)",
        "label at line 2, columns 10 to 14: ",
        "diagnostic help: did you mean `dense`?",
        "diagnostic code: E01",
        "Advice: write `dense` (checked)",
        "1 error",
    ] {
        assert!(said.contains(words), "no `{words}` in\n{said}");
    }
    assert!(!said.contains('━') && !said.contains('│'), "{said}");
    assert!(narrated("drawn").1.contains('━'));
    let (code, said) = narrated("sung");
    assert_eq!(code, Some(2));
    assert_eq!(said, "error: NNC_REPORT is `sung`; it can be `drawn` or `narrated`\n");
}
