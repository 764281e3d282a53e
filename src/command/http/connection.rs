//! A connection: requests are read one by one, answered in order, until one side ends it.
//!
//! ```text
//! ┌→ idle ─first byte→ head ─→ body ─→ answering ─→ sending ─┐
//! └──────────────────────────────────────────────────────────┴─ refused, or asked to: lingering → over
//! ```
//!
//! Nothing here waits: [`Connection::advance`] goes as far as bytes allow and says what it needs. Every
//! phase but `answering` has a deadline, which [`Connection::late`] acts upon. Requests that came together
//! (pipelining) stay in the buffer meanwhile. After a refusal whose body was not read the connection ends,
//! since what follows might be that body; it lingers, so that the client gets to read why.

use super::request::{HEAD_BYTES, HttpMethod, RequestHead, parse_head};
use super::response::{HttpResponse, Refusal};
use super::{HttpLimits, HttpService};
use mio::net::TcpStream;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

/// How long a connection may stay open without a request.
const IDLE: Duration = Duration::from_secs(60);
/// How long, and how many bytes, a client that was refused may go on sending: closing at once would throw
/// the answer away with what it still sends.
const LINGER: (Duration, usize) = (Duration::from_millis(500), 4 << 20);
/// Bytes that are read at once.
const CHUNK: usize = 16 << 10;
/// A buffer that has grown beyond this is given back behind a request.
const KEPT_BUFFER: usize = 64 << 10;

/// A client's connection.
pub(super) struct Connection {
    stream: TcpStream,
    phase: ConnectionPhase,
    /// When the phase must be over.
    deadline: Instant,
    /// Bytes that came and were not taken yet.
    unread: Vec<u8>,
    /// Bytes of an answer, and how many of them were sent.
    unsent: (Vec<u8>, usize),
    /// Whether what is unread may have the end of a head in it.
    worth_parsing: bool,
    /// Whether there may be something to read: asking costs a call of the system, which tells of all that
    /// comes later.
    readable: bool,
    /// Whether the end of what the client sends has come, perhaps behind bytes.
    ended: bool,
    /// Bytes of the server's room for bodies that the request has.
    pub held: usize,
}

enum ConnectionPhase {
    /// Of a request that has not begun, or whose head has not come whole.
    Head,
    /// The rest of the body.
    Body(RequestHead),
    /// The request is being answered.
    Answering(RequestHead),
    /// The answer is on its way.
    Sending(AfterAnswer),
    /// The connection is over; bytes that still come, so many by now, are read over.
    Lingering(usize),
}

/// How a connection goes on behind an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterAnswer {
    /// With another request.
    Next,
    /// It ends.
    End,
}

/// The state of a connection that went as far as it could.
pub(super) enum ConnectionProgress {
    /// It waits for bytes to come or go.
    Waiting,
    /// A request has come whole, and is to be answered by [`Connection::answer`].
    Asked(RequestHead, Vec<u8>),
    /// It is over.
    Over,
}

/// Bytes that were read.
enum Reading {
    Some(usize),
    None,
    Ended,
}

impl Connection {
    /// Of a client that has just come.
    pub fn new(stream: TcpStream) -> Connection {
        // Answers are written whole; none waits to be joined with the next.
        let _ = stream.set_nodelay(true);
        Connection {
            stream,
            phase: ConnectionPhase::Head,
            deadline: Instant::now() + IDLE,
            unread: Vec::new(),
            unsent: (Vec::new(), 0),
            worth_parsing: false,
            readable: true,
            ended: false,
            held: 0,
        }
    }

    /// The socket, to be watched.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Takes note of what the system says of the socket.
    pub fn note(&mut self, readable: bool, ended: bool) {
        self.readable |= readable;
        self.ended |= ended;
    }

    /// Whether no request has begun.
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, ConnectionPhase::Head) && self.unread.is_empty()
    }

    /// Goes on until bytes are missing, room to write is, or a request has come whole.
    pub fn advance(&mut self, service: &impl HttpService, room: &mut usize) -> ConnectionProgress {
        loop {
            let step = match &mut self.phase {
                ConnectionPhase::Head => self.read_head(service, room),
                ConnectionPhase::Body(head) if self.unread.len() < head.length => match self.fill()
                {
                    Reading::Some(_) => None,
                    Reading::None => Some(ConnectionProgress::Waiting),
                    Reading::Ended => Some(ConnectionProgress::Over),
                },
                ConnectionPhase::Body(head) => {
                    let head = head.clone();
                    let body = self.take(head.length);
                    self.phase = ConnectionPhase::Answering(head.clone());
                    return ConnectionProgress::Asked(head, body);
                }
                ConnectionPhase::Answering(_) => Some(ConnectionProgress::Waiting),
                ConnectionPhase::Sending(after) => {
                    let after = *after;
                    self.send(service, after)
                }
                ConnectionPhase::Lingering(read) => {
                    let read = *read;
                    self.linger(read)
                }
            };
            match step {
                None => {}
                Some(progress) => return progress,
            }
        }
    }

    /// Reads a head, and begins with what follows; `None` where there is more to do.
    fn read_head(
        &mut self,
        service: &impl HttpService,
        room: &mut usize,
    ) -> Option<ConnectionProgress> {
        if self.worth_parsing || self.unread.len() >= HEAD_BYTES {
            self.worth_parsing = false;
            match parse_head(&self.unread, service.state().limits.hosts) {
                Err(refusal) => return self.refuse(service, refusal),
                Ok(Some(head)) => return self.begin(service, head, room),
                Ok(None) => {}
            }
        }
        let was_idle = self.unread.is_empty();
        match self.fill() {
            Reading::None => return Some(ConnectionProgress::Waiting),
            Reading::Ended => return Some(ConnectionProgress::Over),
            Reading::Some(new) => {
                // Only what ends a line can end a head, so a head that comes byte by byte is not parsed as
                // often.
                let new = &self.unread[self.unread.len() - new..];
                self.worth_parsing = was_idle || new.contains(&b'\n');
            }
        }
        if was_idle {
            self.deadline = Instant::now() + service.state().limits.timeout;
        }
        None
    }

    /// Begins with a request whose head has come.
    fn begin(
        &mut self,
        service: &impl HttpService,
        head: RequestHead,
        room: &mut usize,
    ) -> Option<ConnectionProgress> {
        drop(self.take(head.bytes));
        if let Err(refusal) = service.check(&head) {
            if head.length > 0 {
                return self.refuse(service, refusal);
            }
            self.phase = ConnectionPhase::Answering(head);
            self.answer(service, &refusal.into());
            return None;
        }
        let HttpLimits { body_bytes: most, timeout, .. } = service.state().limits;
        if head.length > most {
            let message = format!("a body has at most {most} bytes");
            return self.refuse(service, Refusal::new(413, &message));
        }
        let Some(rest) = room.checked_sub(head.length) else {
            let message = "the server holds as many requests as it has room for: try again";
            return self.refuse(service, Refusal::new(503, message));
        };
        (*room, self.held) = (rest, head.length);
        self.deadline = Instant::now() + timeout;
        if head.expects_continue && self.unread.len() < head.length {
            // So few bytes fit into an empty buffer of the system; a client that does not get them sends
            // the body all the same, a little later.
            let _ = self.stream.write(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.phase = ConnectionPhase::Body(head);
        None
    }

    /// Sends the answer to the request that was read whole.
    pub fn answer(&mut self, service: &impl HttpService, response: &HttpResponse) {
        let ConnectionPhase::Answering(head) = &self.phase else { return };
        let close = !head.keep_alive || service.state().is_draining();
        let bytes = response.bytes(close, head.method == HttpMethod::Head);
        service.state().count(response.status == 200);
        self.begin_sending(
            service,
            bytes,
            if close { AfterAnswer::End } else { AfterAnswer::Next },
        );
    }

    /// Sends a refusal behind which the connection ends: what comes next may be the rest of the request.
    pub fn refuse(
        &mut self,
        service: &impl HttpService,
        refusal: Refusal,
    ) -> Option<ConnectionProgress> {
        service.state().count(false);
        let bytes = HttpResponse::from(refusal).bytes(true, false);
        self.begin_sending(service, bytes, AfterAnswer::End);
        None
    }

    fn begin_sending(&mut self, service: &impl HttpService, bytes: Vec<u8>, after: AfterAnswer) {
        self.unsent = (bytes, 0);
        self.deadline = Instant::now() + service.state().limits.timeout;
        self.phase = ConnectionPhase::Sending(after);
    }

    /// Writes what the socket takes of an answer.
    fn send(
        &mut self,
        service: &impl HttpService,
        after: AfterAnswer,
    ) -> Option<ConnectionProgress> {
        let (bytes, sent) = &mut self.unsent;
        while *sent < bytes.len() {
            match self.stream.write(&bytes[*sent..]) {
                Ok(0) => return Some(ConnectionProgress::Over),
                Ok(written) => *sent += written,
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => return Some(ConnectionProgress::Waiting),
                    _ => return Some(ConnectionProgress::Over),
                },
            }
        }
        if after == AfterAnswer::End {
            let (time, _) = LINGER;
            self.deadline = Instant::now() + time;
            self.phase = ConnectionPhase::Lingering(0);
            return self
                .stream
                .shutdown(Shutdown::Write)
                .is_err()
                .then_some(ConnectionProgress::Over);
        }
        self.unsent = (Vec::new(), 0);
        self.worth_parsing = !self.unread.is_empty();
        if self.unread.is_empty() && self.unread.capacity() > KEPT_BUFFER {
            self.unread = Vec::new();
        }
        // A request that has begun to come has its time from here.
        let time = if self.unread.is_empty() { IDLE } else { service.state().limits.timeout };
        self.deadline = Instant::now() + time;
        self.phase = ConnectionPhase::Head;
        None
    }

    /// Reads over what comes behind so many bytes.
    fn linger(&mut self, read: usize) -> Option<ConnectionProgress> {
        self.unread.clear();
        match self.fill() {
            Reading::Some(new) if read + new <= LINGER.1 => {
                self.phase = ConnectionPhase::Lingering(read + new);
                None
            }
            Reading::None => Some(ConnectionProgress::Waiting),
            Reading::Some(_) | Reading::Ended => Some(ConnectionProgress::Over),
        }
    }

    /// Acts upon a deadline that has passed: a client whose request came too slowly is told so. Returns
    /// whether the connection goes on.
    pub fn late(&mut self, service: &impl HttpService, now: Instant) -> bool {
        if now < self.deadline || matches!(self.phase, ConnectionPhase::Answering(_)) {
            return true;
        }
        let part = match &self.phase {
            ConnectionPhase::Head if !self.unread.is_empty() => "head",
            ConnectionPhase::Body(_) => "body",
            _ => return false,
        };
        let message = format!("the {part} of the request took too long to come");
        self.refuse(service, Refusal::new(408, &message));
        true
    }

    /// Reads some bytes, if there are any.
    fn fill(&mut self) -> Reading {
        if !self.readable && !self.ended {
            return Reading::None;
        }
        let before = self.unread.len();
        loop {
            self.unread.resize(before + CHUNK, 0);
            let read = self.stream.read(&mut self.unread[before..]);
            self.unread.truncate(before + *read.as_ref().unwrap_or(&0));
            return match read {
                Ok(0) => Reading::Ended,
                Ok(bytes) => {
                    // Less than there was room for is all there was.
                    self.readable = bytes == CHUNK;
                    Reading::Some(bytes)
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => continue,
                    ErrorKind::WouldBlock => {
                        self.readable = false;
                        Reading::None
                    }
                    _ => Reading::Ended,
                },
            };
        }
    }

    /// Takes bytes off the front.
    fn take(&mut self, bytes: usize) -> Vec<u8> {
        let rest = self.unread.split_off(bytes);
        std::mem::replace(&mut self.unread, rest)
    }
}
