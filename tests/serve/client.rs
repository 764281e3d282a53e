//! A server that was started.

use crate::folder::Folder;
pub use crate::http::{Answer, Client};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// A running `nnc serve`.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Serves a run of the folder on a free port.
    pub fn start(folder: &Folder, run: &str, more: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
        command.args(["serve", run, "--port", "0"]).args(more).current_dir(folder.0.path());
        command.env("NO_COLOR", "1").env_remove("NNC_DATA");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("nnc runs");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let address =
            line.trim().rsplit("http://").next().expect("an address").trim_end_matches('/');
        let address = address.parse().unwrap_or_else(|_| {
            let mut error = String::new();
            let _ = child.stderr.take().expect("a pipe").read_to_string(&mut error);
            panic!("no address in {line:?}: {error}")
        });
        Server { child, address }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// The answer to a request on a connection of its own.
    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let mut client = self.connect();
        client.send(method, path, body);
        client.answer().unwrap_or_else(|| panic!("an answer to {method} {path}"))
    }

    /// The answer to bytes that need be no request; `None` where the server ends the connection.
    pub fn raw(&self, bytes: &[u8]) -> Option<Answer> {
        let mut client = self.connect();
        // The server may have closed the connection before all was sent.
        let _ = client.stream.write_all(bytes);
        client.answer()
    }

    /// The object that a good request is answered with.
    #[track_caller]
    pub fn json(&self, method: &str, path: &str, body: &[u8]) -> Value {
        let answer = self.ask(method, path, body);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// The outputs of a request of the protocol, as bits.
    #[track_caller]
    pub fn outputs(&self, model: &str, request: &Value) -> Vec<u32> {
        let path = format!("/v2/models/{model}/infer");
        outputs(&self.json("POST", &path, request.to_string().as_bytes()))
    }

    /// Fails unless the server answers as it should.
    #[track_caller]
    pub fn is_well(&self) {
        assert_eq!(self.json("GET", "/v2/health/live", b"")["live"], true);
    }

    pub fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for its end: the exit code, and what it said.
    pub fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
        (self.child.wait().expect("it ends").code(), said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The numbers of the first output of an answer, as bits.
pub fn outputs(answer: &Value) -> Vec<u32> {
    let data = answer["outputs"][0]["data"].as_array().expect("numbers");
    data.iter().map(|it| (it.as_f64().expect("a number") as f32).to_bits()).collect()
}
