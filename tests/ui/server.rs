//! A page of runs that was started.

use crate::folder::Folder;
use crate::http::{Answer, Client};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The longest that a test waits for something that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `nnc ui`.
pub struct Ui {
    child: Child,
    pub url: String,
    pub address: SocketAddr,
    /// The path of the page, which ends in a slash.
    pub path: String,
}

/// A command in a folder, without the machine's settings.
pub fn nnc(folder: &Folder, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
    command.args(args).current_dir(folder.0.path());
    command.env("NO_COLOR", "1").env_remove("NNC_DATA");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Ui {
    pub fn start(folder: &Folder, args: &[&str]) -> Ui {
        let mut child = nnc(folder, &[&["ui"], args].concat()).spawn().expect("nnc runs");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let at = line.find("http://").unwrap_or_else(|| panic!("no address in {line:?}"));
        let url = line[at..].trim().to_owned();
        let (address, path) = url["http://".len()..].split_once('/').expect("a path");
        let address = address.parse().expect("an address");
        let path = format!("/{path}");
        Ui { child, url, address, path }
    }

    /// The answer to a request as it stands, with the blank line behind it.
    pub fn raw(&self, head: &str) -> Option<Answer> {
        let mut client = Client::connect(self.address);
        client.write(format!("{head}\r\n\r\n").as_bytes());
        client.answer()
    }

    /// The answer at a path behind the token.
    pub fn get(&self, path: &str) -> Answer {
        let path = format!("{}{path}", self.path);
        let mut client = Client::connect(self.address);
        client.send("GET", &path, b"");
        client.answer().unwrap_or_else(|| panic!("an answer to {path}"))
    }

    /// Everything that is new since a version, with the curves that were asked for, once all runs are read.
    #[track_caller]
    pub fn updates(&self, since: u64, curves: &str) -> Value {
        loop {
            let answer = self.get(&format!("updates?since={since}&curves={curves}"));
            assert_eq!(answer.status, 200, "{answer:?}");
            let updates = answer.json();
            if updates.get("unread").is_none() {
                return updates;
            }
        }
    }

    /// Everything there is, once it is as it should be.
    #[track_caller]
    pub fn until(&self, curves: &str, is_good: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let updates = self.updates(0, curves);
            if is_good(&updates) {
                return updates;
            }
            assert!(start.elapsed() < PATIENCE, "waited in vain: {updates}");
            sleep(Duration::from_millis(100));
        }
    }

    pub fn interrupt(&self) {
        signal(&self.child, "-INT");
    }

    /// Waits for its end.
    pub fn end(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Ui {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
pub fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args([name, &pid]).status().expect("kill runs");
    assert!(sent.success());
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
