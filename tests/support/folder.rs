//! A folder with a program and its files, in which commands are typed.

#![allow(dead_code)] // Each test crate uses its own part.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A folder that goes away with the test.
pub struct Folder(pub tempfile::TempDir);

impl Folder {
    pub fn new(files: &[(&str, &[u8])]) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        files.iter().for_each(|(name, bytes)| folder.write(name, bytes));
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file; makes the folders that it is in.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    pub fn nnc(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("nnc runs")
    }

    /// The same with bytes on standard input.
    pub fn nnc_with_input(&self, args: &[&str], bytes: &[u8]) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("nnc runs");
        child.stdin.take().expect("a pipe").write_all(bytes).expect("it is read");
        child.wait_with_output().expect("nnc ends")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
        command.args(args).current_dir(self.0.path()).env_remove("NNC_DATA").env("NO_COLOR", "1");
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    /// Standard output of a command that succeeds.
    #[track_caller]
    pub fn good(&self, args: &[&str]) -> String {
        succeeded(args, self.nnc(args))
    }

    /// The same with bytes on standard input.
    #[track_caller]
    pub fn good_with_input(&self, args: &[&str], bytes: &[u8]) -> String {
        succeeded(args, self.nnc_with_input(args, bytes))
    }

    /// The objects that a command prints, one a line.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Vec<serde_json::Value> {
        let said = self.good(args);
        said.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Everything that a command says that fails with exit code 1.
    #[track_caller]
    pub fn bad(&self, args: &[&str]) -> String {
        let output = self.nnc(args);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        said
    }
}

#[track_caller]
fn succeeded(args: &[&str], output: Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {error}");
    String::from_utf8(output.stdout).expect("text")
}
