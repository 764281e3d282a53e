//! The server: messages in, answers out, one after the other.
//!
//! ```text
//! reader ─→ queue ─→ take one ─┬─ a change of a text ─→ state        the analysis is stale
//!                              ├─ a request ──────────→ requests     analyse if stale, answer
//!                              └─ none left ──────────→ analyse what is stale, publish its findings
//! ```
//!
//! Changes are taken in before anything is analysed, so a client that types faster than analyses are made
//! gets the findings of its last state. A request that is cancelled while it waits is not answered but
//! with that. A panic in an answer is an error of that request ([`caught`]); the next one is answered as
//! usual. When the client goes away without a word, the server ends.

mod capabilities;
mod convert;
mod requests;
mod state;

use super::lines::ColumnUnit;
use crate::base::caught::caught;
use crate::driver;
use gen_lsp_types::InitializeParams;
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use serde_json::{Value, json};
use state::ServerState;
use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

/// How many messages wait at most; the client waits with the next.
const MOST_WAITING: usize = 4096;

/// The surroundings of the server.
#[derive(Clone, Debug)]
pub struct EditorOptions {
    /// A request for a program whose file is still to be named: target, memory, places of data. It must
    /// not allow the network.
    pub request: driver::Request,
    /// The folder that the readable copy of the prelude is written to.
    pub prelude_folder: Option<PathBuf>,
    /// The threads that a run would have.
    pub threads: usize,
}

/// Answers a client until it ends the connection. Returns whether it said so before.
pub fn serve(connection: &Connection, options: EditorOptions) -> Result<bool, String> {
    let (id, params) = connection.initialize_start().map_err(|error| error.to_string())?;
    let params: InitializeParams = match serde_json::from_value(params) {
        Ok(params) => params,
        Err(error) => {
            let message = format!("wrong parameters of initialize: {error}");
            let code = ErrorCode::InvalidParams as i32;
            let _ = connection.sender.send(Response::new_err(id, code, message.clone()).into());
            return Err(message);
        }
    };
    let general = params.capabilities.general.as_ref();
    let offered = general.and_then(|it| it.position_encodings.as_deref()).unwrap_or_default();
    let unit = ColumnUnit::best_of(offered);
    let answer = serde_json::to_value(capabilities::result(unit)).unwrap_or_default();
    connection.initialize_finish(id, answer).map_err(|error| error.to_string())?;
    let mut state = ServerState::new(options, unit, convert::folders(&params));
    state.takes_snippets = convert::takes_snippets(&params);
    let mut server = Server {
        connection,
        state,
        waiting: VecDeque::new(),
        cancelled: HashSet::new(),
        shut_down: false,
    };
    // The connection hands over one message at a time; those behind it are to be seen, too.
    let (sender, messages) = sync_channel(MOST_WAITING);
    let receiver = connection.receiver.clone();
    let reader = std::thread::Builder::new().name("nnc-lsp-queue".to_owned()).spawn(move || {
        for message in receiver {
            if sender.send(message).is_err() {
                break;
            }
        }
    });
    reader.map_err(|error| format!("no thread for messages: {error}"))?;
    server.run(&messages);
    Ok(server.shut_down)
}

struct Server<'c> {
    connection: &'c Connection,
    state: ServerState,
    waiting: VecDeque<Message>,
    /// Requests that nobody wants answered any more.
    cancelled: HashSet<RequestId>,
    shut_down: bool,
}

impl Server<'_> {
    fn run(&mut self, messages: &Receiver<Message>) {
        loop {
            let open = self.take_in(messages);
            match self.waiting.pop_front() {
                Some(message) => {
                    if !self.answer(message) {
                        return;
                    }
                }
                None if !open => return,
                None => match self.state.analyse_one_stale() {
                    Some(published) => {
                        if !self.notify("textDocument/publishDiagnostics", published) {
                            return;
                        }
                        for message in self.state.take_log() {
                            self.log(&message);
                        }
                    }
                    None => match messages.recv() {
                        Ok(message) => self.queue(message),
                        Err(_) => return,
                    },
                },
            }
        }
    }

    /// Takes in what has come. Whether more may come.
    fn take_in(&mut self, messages: &Receiver<Message>) -> bool {
        loop {
            // A client that never stops is answered in between.
            if self.waiting.len() >= MOST_WAITING {
                return true;
            }
            match messages.try_recv() {
                Ok(message) => self.queue(message),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn queue(&mut self, message: Message) {
        match message {
            Message::Notification(it) if it.method == "$/cancelRequest" => {
                let id = match it.params.get("id") {
                    Some(Value::String(id)) => Some(RequestId::from(id.clone())),
                    Some(id) => {
                        id.as_i64().and_then(|id| i32::try_from(id).ok()).map(RequestId::from)
                    }
                    None => None,
                };
                let waits = |id: &RequestId| {
                    let is = |it: &Message| matches!(it, Message::Request(it) if it.id == *id);
                    self.waiting.iter().any(is)
                };
                self.cancelled.extend(id.filter(waits));
            }
            message => self.waiting.push_back(message),
        }
    }

    /// Takes one message. Whether the connection goes on.
    fn answer(&mut self, message: Message) -> bool {
        match message {
            Message::Request(request) => self.answer_request(request),
            Message::Notification(it) if it.method == "exit" => false,
            Message::Notification(it) => self.take_note(it),
            Message::Response(_) => true,
        }
    }

    fn answer_request(&mut self, request: Request) -> bool {
        let id = request.id.clone();
        let failed = |code: ErrorCode, message: &str| {
            Response::new_err(id.clone(), code as i32, message.to_owned())
        };
        let response = if self.cancelled.remove(&id) {
            failed(ErrorCode::RequestCanceled, "cancelled")
        } else if request.method == "shutdown" {
            self.shut_down = true;
            Response::new_ok(id, Value::Null)
        } else if self.shut_down {
            failed(ErrorCode::InvalidRequest, "the server is shut down")
        } else {
            let state = &mut self.state;
            match caught(|| requests::answer(state, &request.method, request.params)) {
                Ok(Ok(answer)) => Response::new_ok(id, answer),
                Ok(Err(refused)) => failed(refused.code, &refused.message),
                Err(panic) => {
                    self.state.forget();
                    let message = format!("nnc has a bug: {} failed: {panic}", request.method);
                    self.log(&message);
                    failed(ErrorCode::InternalError, &message)
                }
            }
        };
        self.connection.sender.send(response.into()).is_ok()
    }

    fn take_note(&mut self, note: Notification) -> bool {
        let state = &mut self.state;
        match caught(|| state.take_note(&note.method, note.params)) {
            Ok(Ok(closed)) => closed
                .into_iter()
                .all(|published| self.notify("textDocument/publishDiagnostics", published)),
            Ok(Err(message)) => {
                self.log(&format!("{}: {message}", note.method));
                true
            }
            Err(panic) => {
                self.log(&format!("nnc has a bug: {} failed: {panic}", note.method));
                true
            }
        }
    }

    fn log(&self, message: &str) {
        self.notify("window/logMessage", json!({ "type": 2, "message": message }));
    }

    fn notify(&self, method: &str, params: Value) -> bool {
        let note = Notification { method: method.to_owned(), params };
        self.connection.sender.send(note.into()).is_ok()
    }
}
