//! A server that was started, and clients over plain sockets, who may send whatever they like.

use crate::folder::Folder;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running `nnc serve`.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
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
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time");
        Client { stream, unread: Vec::new() }
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

/// A connection to a server.
pub struct Client {
    pub stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub fn send(&mut self, method: &str, path: &str, body: &[u8]) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.write(&[head.as_bytes(), body].concat());
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Reads until so many bytes are there; false where the connection ends before.
    fn fill(&mut self, bytes: usize) -> bool {
        let mut chunk = [0; 4096];
        while self.unread.len() < bytes {
            match self.stream.read(&mut chunk) {
                Ok(read @ 1..) => self.unread.extend_from_slice(&chunk[..read]),
                _ => return false,
            }
        }
        true
    }

    /// The next answer; `None` where the connection ends without one.
    pub fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            let end = self.unread.windows(4).position(|it| it == b"\r\n\r\n");
            match end {
                Some(end) => break end + 4,
                None if self.fill(self.unread.len() + 1) => {}
                None => return None,
            }
        };
        let head: Vec<u8> = self.unread.drain(..end).collect();
        let head = String::from_utf8(head).expect("text");
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
        if status == 100 {
            return Some(Answer { status, head, body: Vec::new() });
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.and_then(|it| it.parse().ok()).expect("a length");
        assert!(self.fill(length), "a whole body");
        let body = self.unread.drain(..length).collect();
        Some(Answer { status, head, body })
    }

    /// Whether the server has ended the connection, without another byte.
    pub fn is_over(&mut self) -> bool {
        self.unread.is_empty() && !self.fill(1)
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("an object")
    }

    /// The reason of a refusal.
    #[track_caller]
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}
