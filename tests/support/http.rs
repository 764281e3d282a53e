//! Clients of HTTP over plain sockets, who may send whatever they like.

#![allow(dead_code)] // Each test crate uses its own part.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// A connection to a server.
pub struct Client {
    pub stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    /// A client of the server at an address.
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time");
        Client { stream, unread: Vec::new() }
    }

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
