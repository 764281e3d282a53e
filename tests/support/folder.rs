//! A folder with a program and its files, and commands in it, as a user types them.

#![allow(dead_code)] // Each test crate uses its own part.

use std::process::{Command, Output};

/// A folder with a program and its files.
pub struct Folder(pub tempfile::TempDir);

impl Folder {
    /// A folder with these files.
    pub fn new(files: &[(&str, &[u8])]) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        files.iter().for_each(|(name, bytes)| folder.write(name, bytes));
        folder
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    /// What a command gives.
    pub fn nnc(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
        command.args(args).current_dir(self.0.path()).env_remove("NNC_DATA").env("NO_COLOR", "1");
        command.env("XDG_CACHE_HOME", self.0.path().join("cache"));
        command.output().expect("nnc runs")
    }

    /// Standard output of a command that succeeds.
    pub fn good(&self, args: &[&str]) -> String {
        let output = self.nnc(args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {error}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Everything that a command says that fails with exit code 1.
    pub fn bad(&self, args: &[&str]) -> String {
        let output = self.nnc(args);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        said
    }
}
