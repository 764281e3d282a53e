//! The thread of all connections: it waits for any of them, and for answers that were computed elsewhere.
//!
//! ```text
//! new client      →  a connection, or 503
//! bytes           →  Connection::advance  →  a whole request  →  HttpService::answer ─┬─ at once
//! a computed answer (Outbox)              →  Connection::answer                       └─ or by the outbox
//! every so often  →  Connection::late: deadlines
//! ```
//!
//! Only short work is done here. What takes time (reading files, large JSON, steps of a model) is given to
//! other threads, which tell the [`Outbox`].

use super::HttpService;
use super::connection::{Connection, ConnectionProgress};
use super::outbox::{Outbox, ReplyTo};
use super::response::Refusal;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most connections at once.
const CONNECTIONS: usize = 256;
/// The most that are being told so.
const REFUSED_CONNECTIONS: usize = 64;
/// As many bodies of the largest size may be in memory at once.
const LARGE_BODIES: usize = 16;
/// How often deadlines are looked at, at least.
const TICK: Duration = Duration::from_millis(50);

const LISTENER: Token = Token(0);
const OUTBOX: Token = Token(1);
/// The token of the first connection.
const FIRST: usize = 2;

/// The listener and all connections.
pub(in crate::command) struct Network {
    poll: Poll,
    listener: TcpListener,
    outbox: Arc<Outbox>,
    connections: HashMap<Token, Connection>,
    next: usize,
    /// Bytes of bodies that there is room for.
    room: usize,
}

impl Network {
    /// On a listener.
    pub fn new(listener: std::net::TcpListener, body_bytes: usize) -> io::Result<Network> {
        listener.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(listener);
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Waker::new(poll.registry(), OUTBOX)?;
        let outbox = Arc::new(Outbox::new(waker));
        let room = body_bytes.saturating_mul(LARGE_BODIES);
        let (connections, next) = (HashMap::new(), FIRST);
        Ok(Network { poll, listener, outbox, connections, next, room })
    }

    /// Where answers are put that come later.
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// Serves until the server is stopped and every request that has begun is answered.
    pub fn serve(mut self, service: &Arc<impl HttpService>) {
        let mut events = Events::with_capacity(CONNECTIONS);
        let tick = TICK.min(service.state().limits.timeout / 4);
        let mut ticked = Instant::now();
        while !(service.state().is_draining() && self.connections.is_empty()) {
            let wait = (!self.connections.is_empty()).then_some(tick);
            if self.poll.poll(&mut events, wait).is_err() {
                // A signal; anything else comes again.
                events.clear();
            }
            let mut is_new = false;
            for event in &events {
                match event.token() {
                    LISTENER => is_new = true,
                    OUTBOX => self.deliver(service),
                    token => {
                        if let Some(connection) = self.connections.get_mut(&token) {
                            connection.note(event.is_readable(), event.is_read_closed());
                            self.advance(service, token);
                        }
                    }
                }
            }
            let now = Instant::now();
            if now >= ticked + tick {
                ticked = now;
                self.expire(service, now);
                // A client who could not be let in, for want of files, waits since then.
                is_new = true;
            }
            if service.state().is_draining() {
                self.end_idle(service);
            } else if is_new {
                self.accept(service);
            }
            service.flush();
        }
    }

    /// Lets clients in.
    fn accept(&mut self, service: &Arc<impl HttpService>) {
        loop {
            let mut connection = match self.listener.accept() {
                Ok((stream, _)) => Connection::new(stream),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            let there = self.connections.len();
            let token = Token(self.next);
            self.next += 1;
            let both = Interest::READABLE | Interest::WRITABLE;
            let watched = self.poll.registry().register(connection.stream(), token, both);
            if watched.is_err() || there >= CONNECTIONS + REFUSED_CONNECTIONS {
                service.state().count(false);
                continue;
            }
            if there >= CONNECTIONS {
                let message = "there are as many connections as the server takes: try again";
                connection.refuse(&**service, Refusal::new(503, message));
            }
            self.connections.insert(token, connection);
            self.advance(service, token);
        }
    }

    /// Takes a connection as far as it goes.
    fn advance(&mut self, service: &Arc<impl HttpService>, token: Token) {
        // It may be over since the event.
        let Some(connection) = self.connections.get_mut(&token) else { return };
        loop {
            match connection.advance(&**service, &mut self.room) {
                ConnectionProgress::Waiting => return,
                ConnectionProgress::Over => {
                    self.room += connection.held;
                    self.connections.remove(&token);
                    return;
                }
                ConnectionProgress::Asked(head, body) => {
                    let reply = ReplyTo::new(token, &self.outbox);
                    if let Some(response) = service.answer(&head, body, reply) {
                        self.room += std::mem::take(&mut connection.held);
                        connection.answer(&**service, &response);
                    }
                }
            }
        }
    }

    /// Sends the answers that have come.
    fn deliver(&mut self, service: &Arc<impl HttpService>) {
        for (token, answer) in self.outbox.take() {
            // The client may be gone.
            let Some(connection) = self.connections.get_mut(&token) else { continue };
            self.room += std::mem::take(&mut connection.held);
            connection.answer(&**service, &answer());
            self.advance(service, token);
        }
    }

    /// Ends or tells connections whose time is over.
    fn expire(&mut self, service: &Arc<impl HttpService>, now: Instant) {
        let mut advanced = Vec::new();
        for (&token, connection) in &mut self.connections {
            advanced.push((token, connection.late(&**service, now)));
        }
        for (token, goes_on) in advanced {
            match goes_on {
                true => self.advance(service, token),
                false => {
                    let gone = self.connections.remove(&token);
                    self.room += gone.map_or(0, |connection| connection.held);
                }
            }
        }
    }

    /// Ends the connections on which no request has begun.
    fn end_idle(&mut self, service: &Arc<impl HttpService>) {
        let idle = |(token, it): (&Token, &Connection)| it.is_idle().then_some(*token);
        let idle: Vec<Token> = self.connections.iter().filter_map(idle).collect();
        for token in idle {
            // What has come by now counts as begun.
            self.connections.entry(token).and_modify(|connection| connection.note(true, false));
            self.advance(service, token);
            if self.connections.get(&token).is_some_and(Connection::is_idle) {
                self.connections.remove(&token);
            }
        }
    }
}
