//! A client of the language server: the program `nnc lsp` as an editor starts it.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long an answer may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client with the server that it has started.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// Messages that came before the one that was waited for.
    early: VecDeque<Value>,
    next: i64,
}

impl Client {
    /// A client that has said hello, whose folder is open.
    pub fn new(folder: &Path) -> Client {
        Client::with(folder, json!({}))
    }

    /// The same with capabilities of its own.
    pub fn with(folder: &Path, capabilities: Value) -> Client {
        let mut client = Client::silent(folder);
        let root = uri(folder);
        let params = json!({
            "processId": null,
            "rootUri": root,
            "workspaceFolders": [{ "uri": root, "name": "folder" }],
            "capabilities": capabilities,
        });
        let answer = client.ask("initialize", params);
        assert_eq!(answer["serverInfo"]["name"], "nnc");
        client.note("initialized", json!({}));
        client
    }

    /// A client that has said nothing yet.
    pub fn silent(folder: &Path) -> Client {
        let mut child = Command::new(env!("CARGO_BIN_EXE_nnc"))
            .arg("lsp")
            .current_dir(folder)
            .env_remove("NNC_DATA")
            .env("XDG_CACHE_HOME", folder.join("cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("nnc starts");
        let (sender, messages) = channel();
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take();
        Client { child, input, messages, early: VecDeque::new(), next: 1 }
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the connection is open");
        input.write_all(bytes).and_then(|()| input.flush()).expect("the server reads");
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    /// Sends a notification.
    pub fn note(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Sends a request; returns its number.
    pub fn begin(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next;
        self.next += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The response to the request of a number, with `result` or `error`.
    pub fn response(&mut self, id: i64) -> Value {
        self.wait(|message| message["id"] == id)
    }

    /// The result of a request.
    #[track_caller]
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        let mut response = self.response(id);
        assert!(response.get("error").is_none(), "{method}: {response}");
        response["result"].take()
    }

    /// The message of a request that fails.
    #[track_caller]
    pub fn refused(&mut self, method: &str, params: Value) -> String {
        let id = self.begin(method, params);
        let response = self.response(id);
        response["error"]["message"].as_str().unwrap_or_else(|| panic!("{response}")).to_owned()
    }

    fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(index) = self.early.iter().position(&wanted) {
            return self.early.remove(index).expect("it is there");
        }
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("the server answers");
            if wanted(&message) {
                return message;
            }
            self.early.push_back(message);
        }
    }

    /// Opens a text.
    pub fn open(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "nn", "version": 1, "text": text });
        self.note("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Replaces a range of a text; of no range, all of it.
    pub fn change(&mut self, uri: &str, version: i64, range: Option<Value>, text: &str) {
        let change = match range {
            Some(range) => json!({ "range": range, "text": text }),
            None => json!({ "text": text }),
        };
        let document = json!({ "uri": uri, "version": version });
        let params = json!({ "textDocument": document, "contentChanges": [change] });
        self.note("textDocument/didChange", params);
    }

    /// The findings of a version of a text.
    pub fn findings(&mut self, uri: &str, version: i64) -> Vec<Value> {
        let is = |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
                && message["params"]["version"] == version
        };
        let found = self.wait(is);
        found["params"]["diagnostics"].as_array().expect("a list").clone()
    }

    /// What the server has told its client's log.
    pub fn logged(&mut self) -> Vec<Value> {
        self.early.extend(self.messages.try_iter());
        let logged = self.early.iter().filter(|it| it["method"] == "window/logMessage");
        logged.cloned().collect()
    }

    /// Closes the connection without a word.
    pub fn vanish(mut self) -> ExitStatus {
        self.input = None;
        self.child.wait().expect("the server ends")
    }

    /// Ends the connection as the protocol says.
    pub fn end(mut self) {
        assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        self.note("exit", Value::Null);
        let status = self.child.wait().expect("the server ends");
        assert_eq!(status.code(), Some(0));
    }
}

/// One message of the server; `None` where it has closed the connection.
fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some(count) = line.strip_prefix("Content-Length: ") {
            length = count.parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).expect("JSON"))
}

/// The address of a file.
pub fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// A position.
pub fn at(line: usize, character: usize) -> Value {
    json!({ "line": line, "character": character })
}

/// A range of one line.
pub fn range(line: usize, from: usize, to: usize) -> Value {
    json!({ "start": at(line, from), "end": at(line, to) })
}
