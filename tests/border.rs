//! The border to the file system and the terminal, as a user meets it: hostile names are shown and
//! not obeyed, files that never end are refused soon, and what is written over is a plain file.
#![cfg(unix)]

#[path = "border/writers.rs"]
mod writers;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nnc::base::shown::is_hidden;

const PROGRAM: &str = r#"data photos = images("photos", size: [4, 4], test: 0.25, unreadable: 0.5)

model net(image: f32[N, 4, 4, 3]) -> f32[N, photos.classes] {
    image |> flatten |> dense(photos.classes)
}

train net on photos {
    loss    = cross_entropy
    batch   = 4
    metrics = [accuracy]
}
"#;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        fs::write(folder.path("net.nn"), PROGRAM).expect("a file");
        folder
    }

    /// With images of two classes of these names.
    fn with_classes(classes: [&str; 2]) -> Folder {
        let folder = Folder::new();
        for (class, grey) in classes.iter().zip([10, 250]) {
            fs::create_dir_all(folder.path("photos").join(class)).expect("a folder");
            for number in 0..4 {
                picture(&folder.path("photos").join(class).join(format!("{number}.png")), grey);
            }
        }
        folder
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
        command
            .args(args)
            .current_dir(self.0.path())
            .env_remove("NNC_DATA")
            .env_remove("NNC_THREADS");
        command.env("XDG_CACHE_HOME", self.path("cache")).env("HOME", self.path("home"));
        command
    }

    /// Runs a command, which must come to an end, and neither crash nor send anything hidden to the
    /// terminal.
    #[track_caller]
    fn run<S: AsRef<OsStr> + std::fmt::Debug>(&self, args: &[S]) -> Said {
        self.finish(self.command(args), &[], &args)
    }

    #[track_caller]
    fn finish(&self, mut command: Command, input: &[u8], args: &dyn std::fmt::Debug) -> Said {
        let start = Instant::now();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("nnc runs");
        // It may refuse to listen.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        while child.try_wait().expect("a child").is_none() {
            if start.elapsed() > Duration::from_secs(120) {
                child.kill().expect("a child");
                panic!("nnc {args:?} does not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let Output { status, stdout, stderr } = child.wait_with_output().expect("its output");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let said = Said { code: status.code(), out: text(stdout), err: text(stderr) };
        for text in [&said.out, &said.err] {
            let hidden = text.chars().find(|&c| c != '\n' && is_hidden(c));
            assert_eq!(hidden, None, "nnc {args:?} sends it to the terminal: {text:?}");
        }
        assert!(matches!(said.code, Some(0..=2)), "nnc {args:?}: {said:?}");
        said
    }
}

#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    #[track_caller]
    fn refused(&self, code: i32, words: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.err.contains(words), "no {words:?} in {self:?}");
    }
}

fn picture(path: &Path, grey: u8) {
    let image = image::RgbImage::from_pixel(5, 4, image::Rgb([grey; 3]));
    let mut file = std::io::Cursor::new(Vec::new());
    image.write_to(&mut file, image::ImageFormat::Png).expect("an image");
    fs::write(path, file.into_inner()).expect("a file");
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
}

/// Names that somebody might give a file to harm whoever lists it.
fn hostile() -> Vec<OsString> {
    let texts = [
        "\x1b[2J\x1b]52;c;aGk=\x07.png",
        "two\nlines.png",
        "tab\tand\rreturn.png",
        "gnp.\u{202e}kcatta.png",
        "\u{2066}isolated\u{2069}.png",
        "zero\u{200b}width\u{feff}.png",
        "\u{9b}31m.png",
        "-rf.png",
        "--json.png",
        " spaces  .png",
        "'quoted' \"twice\" `once` $(x).png",
        "=1+1,\"x\".png",
        "@sum.png",
        "..png",
        "...png",
        "caf\u{e9}.png",
        "cafe\u{301}.png",
        "100%.png",
        "{0}{}.png",
    ];
    let mut names: Vec<OsString> = texts.map(OsString::from).into();
    names.push(OsStr::from_bytes(b"\xff\xfe\x80.png").to_owned());
    names.push(OsString::from(format!("{}.png", "long".repeat(60))));
    names
}

#[test]
fn hostile_names_are_shown_by_every_command_and_obeyed_by_none() {
    let folder = Folder::with_classes(["cat\u{202e}\x1b[31m", "=dog\n"]);
    for name in hostile() {
        fs::write(folder.path("photos").join("=dog\n").join(&name), "no image").expect("a file");
        picture(&folder.path(&name), 100);
    }
    let said = folder.run(&["run", "net.nn", "--verbose"]);
    // 21 of 29 are broken, more than the half.
    said.refused(1, "cannot be read");
    assert!(said.err.contains(r"\u001b[2J"), "{said:?}");
    for name in hostile() {
        let _ = fs::remove_file(folder.path("photos").join("=dog\n").join(&name));
    }
    fs::write(folder.path("photos").join("=dog\n").join("\x1b[2J.png"), "").expect("a file");
    let said = folder.run(&["run", "net.nn", "--verbose"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains(r"\u001b[2J.png: an empty file"), "{said:?}");
    folder.run(&["run", "net.nn", "--json"]);
    for args in [&["--confusion", "--worst", "4"][..], &["--json"]] {
        let said = folder.run(&[&["eval", "runs/net"], args].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains(r"cat\u202e\u001b[31m"), "{said:?}");
    }
    for format in ["--csv", "--json", "--top=2"] {
        for name in hostile() {
            let name = Path::new(".").join(name);
            let said = folder.run(&[
                OsStr::new("predict"),
                OsStr::new("runs/net"),
                name.as_os_str(),
                OsStr::new(format),
            ]);
            assert_eq!(
                (said.code, said.out.lines().count()),
                (Some(0), 1 + usize::from(format == "--csv")),
                "{said:?}"
            );
        }
    }
    // Without `./`, some of them look like flags.
    for name in hostile() {
        folder.run(&[OsStr::new("predict"), OsStr::new("runs/net"), &name]);
        folder.run(&[OsStr::new("check"), &name]);
        folder.run(&[&name]);
    }
}

#[test]
fn cells_of_csv_are_no_formulas() {
    let folder = Folder::with_classes(["=cat", "@dog"]);
    assert_eq!(folder.run(&["run", "net.nn"]).code, Some(0));
    picture(&folder.path("+1.png"), 10);
    let said = folder.run(&["predict", "runs/net", "+1.png", "--csv"]);
    let row = said.out.lines().nth(1).expect("a row").to_owned();
    assert!(row.starts_with("'+1.png,'=cat,") || row.starts_with("'+1.png,'@dog,"), "{row}");
}

#[test]
fn programs_and_runs_of_hostile_names_work() {
    let folder = Folder::with_classes(["cat", "dog"]);
    let names: Vec<OsString> = ["a b.nn", "\x1b[2J.nn", "two\nlines.nn", "\u{202e}x.nn", "it's.nn"]
        .map(OsString::from)
        .into();
    for name in &names {
        fs::write(folder.path(name), PROGRAM).expect("a file");
        let mut broken = OsString::from("broken ");
        broken.push(name);
        fs::write(folder.path(&broken), PROGRAM.replace("dense", "den\u{200b}se\x1b[1m"))
            .expect("a file");
        for command in ["check", "run"] {
            assert_eq!(folder.run(&[OsStr::new(command), name]).code, Some(0), "{name:?}");
            assert_eq!(folder.run(&[OsStr::new(command), &broken]).code, Some(1), "{broken:?}");
        }
        for args in [&["--fix"][..], &["--json"], &["--format", "sarif"]] {
            let mut all = vec![OsString::from("check"), broken.clone()];
            all.extend(args.iter().map(OsString::from));
            let said = folder.run(&all);
            if args != ["--fix"] {
                let last = if args.len() == 2 {
                    &said.out[..]
                } else {
                    said.out.lines().last().expect("a finding")
                };
                serde_json::from_str::<serde_json::Value>(last).expect("JSON");
            }
        }
        folder.run(&[OsStr::new("fmt"), OsStr::new("--check"), name, &broken]);
    }
    let mut runs = vec![OsString::from("compare")];
    let entries = fs::read_dir(folder.path("runs")).expect("runs");
    runs.extend(entries.map(|entry| entry.expect("a run").path().into_os_string()));
    assert_eq!(runs.len(), 1 + names.len());
    assert_eq!(folder.run(&runs).code, Some(0));
    let swept = folder.run(&["sweep", "it's.nn", "--set", "seed=0..2"]);
    assert_eq!(swept.code, Some(0), "{swept:?}");
}

/// Things that are no plain files, by their names in a folder.
fn odd_files(folder: &Folder) -> [&'static str; 6] {
    pipe(&folder.path("pipe"));
    symlink("pipe", folder.path("to-pipe")).expect("a link");
    symlink("/dev/zero", folder.path("zero")).expect("a link");
    symlink("/dev/full", folder.path("full")).expect("a link");
    symlink("loop", folder.path("loop")).expect("a link");
    fs::create_dir(folder.path("folder")).expect("a folder");
    ["pipe", "to-pipe", "zero", "full", "loop", "folder"]
}

#[test]
fn files_that_never_end_are_refused_by_every_reader() {
    let folder = ready();
    for odd in odd_files(&folder) {
        folder.run(&["check", odd]).refused(2, "cannot read");
        folder.run(&["check", odd, "--json"]);
        folder.run(&["fmt", odd]).refused(2, "cannot read");
        folder.run(&["emit-ir", odd]).refused(2, "cannot read");
        for ending in ["nn", "png", "csv", "safetensors"] {
            let named = format!("{odd}.{ending}");
            symlink(odd, folder.path(&named)).expect("a link");
        }
        fs::write(folder.path("user.nn"), format!("use \"{odd}.nn\"\n{PROGRAM}")).expect("a file");
        folder.run(&["check", "user.nn"]).refused(1, "E0122");
        for ending in ["png", "csv"] {
            let said = folder.run(&["predict", "runs/net", &format!("{odd}.{ending}")]);
            assert_eq!(said.code, Some(1), "{said:?}");
        }
        folder.run(&["predict", "runs/net", odd]).refused(1, odd);
        let weights = format!("{odd}.safetensors");
        let said = folder.run(&["eval", "runs/net", "--weights", &weights]);
        said.refused(2, "cannot read");
        let grad = ["grad", "grad.nn", "--tensors", &weights, "--out", "out.safetensors"];
        folder.run(&grad).refused(2, "cannot read");
        fs::remove_file(folder.path("runs/net/run.json")).ok();
        symlink(folder.path(odd), folder.path("runs/net/run.json")).expect("a link");
        folder.run(&["eval", "runs/net"]).refused(2, "");
        fs::remove_file(folder.path("runs/net/run.json")).expect("a link");
        assert_eq!(folder.run(&["run", "net.nn", "--no-out"]).code, Some(0));
        fs::remove_dir_all(folder.path("runs")).expect("a folder");
        assert_eq!(folder.run(&["run", "net.nn"]).code, Some(0));
    }
}

#[test]
fn a_folder_with_loops_and_pipes_is_answered_as_far_as_it_can_be() {
    let folder = Folder::with_classes(["cat", "dog"]);
    assert_eq!(folder.run(&["run", "net.nn"]).code, Some(0));
    let inner = folder.path("asked/inner");
    fs::create_dir_all(&inner).expect("a folder");
    picture(&inner.join("a.png"), 10);
    symlink("..", inner.join("up")).expect("a link");
    symlink(".", inner.join("here")).expect("a link");
    pipe(&inner.join("b.png"));
    let said = folder.run(&["predict", "runs/net", "asked"]);
    said.refused(1, "asked/inner/b.png: a pipe, not a plain file");
    assert_eq!(said.out.lines().count(), 1, "{said:?}");
    assert!(said.out.starts_with("asked/inner/a.png: "), "{said:?}");
}

#[test]
fn what_is_missing_is_named_and_the_rest_is_answered() {
    let folder = Folder::with_classes(["cat", "dog"]);
    assert_eq!(folder.run(&["run", "net.nn"]).code, Some(0));
    picture(&folder.path("there.png"), 10);
    picture(&folder.path("a b.png"), 10);
    let said = folder.run(&["predict", "runs/net", "nope.png", "there.png", "no/folder"]);
    said.refused(1, "error: nope.png: ");
    said.refused(1, "error: no/folder: ");
    assert_eq!(said.out.lines().count(), 1, "{said:?}");
    for (list, named) in [
        ("nope.png\n", "nope.png"),
        ("nope.png\nthere.png\n", "nope.png"),
        ("\"no pe.png\"\n", "no pe.png"),
    ] {
        let args = ["predict", "runs/net", "-"];
        let said = folder.finish(folder.command(&args), list.as_bytes(), &list);
        said.refused(1, &format!("error: {named}: "));
        assert_eq!(said.out.lines().count(), usize::from(list.contains("there")), "{said:?}");
    }
    let list = "'a b.png'\r\n\"there.png\"\r\n";
    let said = folder.finish(folder.command(&["predict", "runs/net", "-"]), list.as_bytes(), &list);
    assert_eq!((said.code, said.out.lines().count()), (Some(0), 2), "{said:?}");
}

#[test]
fn a_program_may_use_programs_only() {
    let folder = Folder::new();
    fs::write(folder.path("secret"), "root:secret\n").expect("a file");
    symlink("secret", folder.path("looks.nn")).expect("a link");
    for used in ["secret", "looks.nn", "/etc/passwd", "."] {
        fs::write(folder.path("net.nn"), format!("use \"{used}\"\n{PROGRAM}")).expect("a file");
        let said = folder.run(&["check", "net.nn"]);
        said.refused(1, "E0122");
        assert!(!said.err.contains("root:"), "{said:?}");
    }
}

#[test]
fn what_cannot_be_checked_is_a_finding_for_programs_too() {
    let folder = Folder::new();
    fs::write(folder.path("latin.nn"), b"// caf\xe9\n").expect("a file");
    let large = fs::File::create(folder.path("large.nn")).expect("a file");
    large.set_len(1 << 40).expect("a sparse file");
    for (name, code, words) in [
        ("latin.nn", 1, "is not UTF-8 text"),
        ("large.nn", 1, "at most 16.8 MB"),
        ("none.nn", 2, "No such file"),
        (".", 2, "a folder"),
    ] {
        let said = folder.run(&["check", name, "--json"]);
        assert_eq!(said.code, Some(code), "{said:?}");
        let finding: serde_json::Value = serde_json::from_str(&said.out).expect("one object");
        assert_eq!((&finding["code"], &finding["file"]), (&"E0122".into(), &name.into()));
        assert!(finding["message"].as_str().expect("a text").contains(words), "{said:?}");
        let said = folder.run(&["check", name, "--format", "sarif"]);
        assert_eq!(said.code, Some(code), "{said:?}");
        let log: serde_json::Value = serde_json::from_str(&said.out).expect("a log");
        let result = &log["runs"][0]["results"][0];
        assert_eq!(result["ruleId"], "E0122");
        let place = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        assert_eq!(place, name);
    }
}

#[test]
fn classes_are_one_however_their_accents_are_composed() {
    let folder = Folder::with_classes(["caf\u{e9}", "th\u{e9}"]);
    for class in ["cafe\u{301}", "the\u{301}"] {
        fs::create_dir_all(folder.path("later").join(class)).expect("a folder");
        picture(&folder.path("later").join(class).join("0.png"), 10);
    }
    let program = PROGRAM.replace("test: 0.25", "test: \"later\"");
    fs::write(folder.path("net.nn"), program).expect("a file");
    let said = folder.run(&["run", "net.nn"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(!said.err.contains("has no images of"), "{said:?}");
    fs::create_dir_all(folder.path("photos/cafe\u{301}")).expect("a folder");
    picture(&folder.path("photos/cafe\u{301}/0.png"), 10);
    let said = folder.run(&["check", "net.nn"]);
    said.refused(1, "two classes of one name");
    said.refused(1, "c a f e U+0301");
}

#[test]
fn splits_that_are_taken_for_classes_are_said() {
    let folder = Folder::with_classes(["train", "Test"]);
    let said = folder.run(&["check", "net.nn"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("W0302") && said.err.contains("`Test` and `train`"), "{said:?}");
    let said = folder.run(&["run", "net.nn"]);
    assert!(said.err.contains("called as splits of the data are"), "{said:?}");
}

#[test]
fn a_folder_of_anything_is_not_looked_through_for_images() {
    let folder = Folder::new();
    let start = Instant::now();
    fs::write(folder.path("net.nn"), PROGRAM.replace("\"photos\"", "\"/\"")).expect("a file");
    let said = folder.run(&["check", "net.nn"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    // No clock is asserted: this only says how long it took when the test is run by hand.
    println!("{:?}", start.elapsed());
}

#[test]
fn the_environment_may_say_how_many_threads() {
    let folder = Folder::with_classes(["cat", "dog"]);
    let said = |value: &str, flags: &[&str]| {
        let args = [&["run", "net.nn", "--json", "--no-out"], flags].concat();
        let mut command = folder.command(&args);
        command.env("NNC_THREADS", value);
        folder.finish(command, &[], &args)
    };
    assert!(said("3", &[]).out.contains("\"threads\":3"));
    assert!(said("3", &["--threads", "2"]).out.contains("\"threads\":2"));
    assert_eq!(said("", &[]).code, Some(0));
    for wrong in ["0", "many", "-1", "2000"] {
        said(wrong, &[]).refused(2, "NNC_THREADS is `");
    }
}

#[test]
fn commands_to_copy_are_quoted_for_a_shell() {
    let folder = Folder::new();
    let said = folder.run(&["init", "mein Netz", "--template", "digits"]);
    assert!(said.out.contains("`cd 'mein Netz' && nnc run 'mein Netz.nn'`"), "{said:?}");
    let readme = fs::read_to_string(folder.path("mein Netz/README.md")).expect("a file");
    assert!(readme.contains("nnc check 'mein Netz.nn'"), "{readme}");
}

#[test]
fn the_cache_is_emptied_and_says_of_how_much() {
    let folder = Folder::with_classes(["cat", "dog"]);
    assert_eq!(folder.run(&["run", "net.nn"]).code, Some(0));
    fs::create_dir_all(folder.path("cache/nnc/mnist")).expect("a folder");
    fs::write(folder.path("cache/nnc/mnist/downloaded.gz"), [0; 2_000_000]).expect("a file");
    let images = || fs::read_dir(folder.path("cache/nnc/images")).expect("a cache").count();
    assert_eq!(images(), 1);
    let said = folder.run(&["doctor", "--clean"]);
    let words = said.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("files removed, ") && words.contains("stay (2.0 MB)"), "{said:?}");
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{said:?}");
    assert_eq!(images(), 0);
    assert!(folder.path("cache/nnc/mnist/downloaded.gz").is_file());
}

/// With all that the writers need.
fn ready() -> Folder {
    let folder = Folder::with_classes(["cat", "dog"]);
    fs::write(
        folder.path("grad.nn"),
        "model net(x: f32[N, 2]) -> f32[N, 2] { x |> dense(2) }\n\
         train net {\n    loss = mse\n    batch = 4\n}\n",
    )
    .expect("a file");
    let tensor = nnc::base::tensor::Tensor::f32([1, 2], vec![0.5, 1.0]);
    let tensors = ["input.x", "input.label"].map(|name| (name.to_owned(), tensor.clone()));
    nnc::runtime::weights::save(&folder.path("given.safetensors"), &tensors).expect("a file");
    assert_eq!(folder.run(&["run", "net.nn"]).code, Some(0));
    folder
}
