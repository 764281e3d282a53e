//! The programs of `examples`, each trained on a part of its data. Those whose data are not beside them look
//! under `NNC_DATA`: without it they fail in CI and are passed over, with a word, elsewhere.

use std::path::{Path, PathBuf};
use std::process::Command;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Trains an example for an epoch on at most so many samples; the scores of the test split, as text.
fn trained(name: &str, limit: usize, data: Option<&Path>) -> String {
    let program = examples().join(format!("{name}.nn"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
    command.arg("run").arg(&program).args(["--no-out", "--set", "train.epochs=1"]);
    command.args(["--limit", &limit.to_string()]).env("NO_COLOR", "1");
    match data {
        Some(data) => command.env("NNC_DATA", data),
        None => command.env_remove("NNC_DATA"),
    };
    let output = command.output().expect("nnc runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{name}: {said}");
    said
}

/// The folder of the shared data.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("NNC_DATA").map(PathBuf::from).filter(|it| it.is_dir());
    if folder.is_none() {
        assert!(std::env::var_os("CI").is_none(), "NNC_DATA names no folder");
        eprintln!("passed over: NNC_DATA names no folder with data");
    }
    folder.map(|folder| folder.canonicalize().expect("a folder"))
}

#[test]
fn programs_with_data_of_their_own_train() {
    for name in ["recommender", "siamese", "multilabel", "own_parts"] {
        assert!(trained(name, 300, None).contains("test"), "{name}");
    }
}

#[test]
fn programs_on_tables_series_arrays_and_digits_train() {
    let Some(data) = shared() else { return };
    for name in ["penguins", "titanic", "diamonds", "sunspots", "two_targets"] {
        assert!(trained(name, 400, Some(&data)).contains("test"), "{name}");
    }
    for name in ["denoise", "vae"] {
        assert!(trained(name, 256, Some(&data)).contains("test"), "{name}");
    }
}

/// Unpacks an archive of the shared data into a folder.
fn unpack(archive: &Path, into: &Path) {
    let unpacked = Command::new("tar").arg("xf").arg(archive).arg("-C").arg(into).status();
    assert!(unpacked.expect("tar runs").success(), "{}", archive.display());
}

#[test]
fn a_network_learns_masks() {
    let Some(data) = shared() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    unpack(&data.join("cells.tar.gz"), folder.path());
    assert!(trained("cells", 16, Some(folder.path())).contains("iou"));
}

#[test]
fn a_network_learns_recordings() {
    let Some(data) = shared() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    unpack(&data.join("spoken-digits.tar.xz"), folder.path());
    assert!(trained("spoken_digits", 64, Some(folder.path())).contains("accuracy"));
}

#[test]
fn every_example_is_named_and_formatted() {
    let readme = std::fs::read_to_string(examples().join("README.md")).expect("a list");
    for entry in std::fs::read_dir(examples()).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".nn") {
            assert!(readme.contains(&format!("`{name}`")), "{name} is not in the list");
            let status = Command::new(env!("CARGO_BIN_EXE_nnc"))
                .args(["fmt", "--check"])
                .arg(entry.path())
                .status();
            assert!(status.expect("nnc runs").success(), "{name} is not formatted");
        }
    }
}

/// What stands in a program that is given away is not warned of, with the data that it is written for.
#[cfg(unix)]
#[test]
fn every_program_fits_its_data() {
    let Some(data) = shared() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(&data).expect("a folder").flatten() {
        match entry.path() {
            path if path.is_dir() => {
                std::os::unix::fs::symlink(&path, folder.path().join(entry.file_name()))
                    .expect("a link");
            }
            path if path.to_string_lossy().contains(".tar") => unpack(&path, folder.path()),
            _ => {}
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for of in ["models", "examples"] {
        for entry in std::fs::read_dir(root.join(of)).expect("a folder").flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            // A part of other programs; and GPT-2's own number of tokens, more than the text has.
            let is_whole = name != "resnet.nn" && name != "gpt2_small.nn";
            if path.extension().is_none_or(|it| it != "nn") || !is_whole {
                continue;
            }
            let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
            command.arg("check").arg(&path).args(["--deny", "warnings"]).env("NO_COLOR", "1");
            let output = command.env("NNC_DATA", folder.path()).output().expect("nnc runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {said}", path.display());
        }
    }
}
