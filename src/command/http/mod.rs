//! A server of HTTP/1.1 for the commands that answer over it: `nnc serve` and `nnc ui`.
//!
//! ```text
//! network: one thread    accept, request, connection ─→ HttpService::check, answer
//!   ↑ outbox                                              │ at once
//!   └──────────────── answers ──────── other threads ←────┘ or later, through a ReplyTo
//! ```
//!
//! One thread has all connections (`mio` tells it which of them can go on), so that a request costs no
//! change of threads of its own. `httparse` reads heads; what they mean, and every bound, is decided here
//! ([`request`], [`connection`], [`network`]). [`ServerStopper`] drains: nobody new is let in, idle
//! connections end, requests that have begun are answered.
//!
//! A service decides what paths there are, and who may ask.

mod connection;
mod network;
mod outbox;
mod request;
mod response;

pub(super) use network::Network;
pub(super) use outbox::ReplyTo;
pub(super) use request::{AllowedHosts, HttpMethod, RequestHead};
pub(super) use response::{HttpResponse, Refusal};

use crate::driver::Failure;
use outbox::Outbox;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The answers of a server.
pub(super) trait HttpService: Send + Sync + 'static {
    /// Its bounds, and how it stands.
    fn state(&self) -> &Arc<HttpState>;

    /// Refuses what has no answer whatever its body is: an unknown path, a method that it does not take.
    fn check(&self, head: &RequestHead) -> Result<(), Refusal>;

    /// The answer to a request that was checked; `None` where it comes through `reply`. Called by the
    /// thread of all connections, so it does only short work.
    fn answer(
        self: &Arc<Self>,
        head: &RequestHead,
        body: Vec<u8>,
        reply: ReplyTo,
    ) -> Option<HttpResponse>;

    /// Called when all requests that came together have been handed on.
    fn flush(&self) {}
}

/// Bounds of a server.
pub(super) struct HttpLimits {
    /// How long a client may take to send a request's head, its body, or to take an answer.
    pub timeout: Duration,
    /// The most bytes of a body.
    pub body_bytes: usize,
    /// Names of this server that a request may use.
    pub hosts: AllowedHosts,
}

/// How a server stands, for all its threads.
pub(super) struct HttpState {
    limits: HttpLimits,
    answered: AtomicU64,
    refused: AtomicU64,
    draining: AtomicBool,
}

impl HttpState {
    /// Of a server that begins.
    pub fn new(limits: HttpLimits) -> Arc<HttpState> {
        let (answered, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(HttpState { limits, answered, refused, draining: AtomicBool::new(false) })
    }

    /// Whether it only answers what has begun.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Requests that were answered; requests and connections that were refused.
    pub fn counts(&self) -> (u64, u64) {
        (self.answered.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    /// Counts a request.
    fn count(&self, is_answered: bool) {
        let count = if is_answered { &self.answered } else { &self.refused };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Ends a server.
#[derive(Clone)]
pub struct ServerStopper {
    state: Arc<HttpState>,
    outbox: Arc<Outbox>,
}

impl ServerStopper {
    /// Of a server's state and its connections.
    pub(super) fn new(state: &Arc<HttpState>, network: &Network) -> ServerStopper {
        ServerStopper { state: Arc::clone(state), outbox: Arc::clone(network.outbox()) }
    }

    /// Makes the server drain; false if it does so already.
    pub fn stop(&self) -> bool {
        let is_first = !self.state.draining.swap(true, Ordering::SeqCst);
        self.outbox.wake();
        is_first
    }
}

/// Listens at an address, whose port may be 0 for one that is free; the address that it became.
pub(super) fn listen(
    wanted: SocketAddr,
    body_bytes: usize,
) -> Result<(SocketAddr, Network), Failure> {
    let listen = || -> io::Result<(SocketAddr, Network)> {
        let listener = TcpListener::bind(wanted)?;
        Ok((listener.local_addr()?, Network::new(listener, body_bytes)?))
    };
    listen().map_err(|error| {
        Failure::Io(format!("cannot listen on {wanted}: {error}; `--port` takes another"))
    })
}

/// Does work that takes time on another thread. If it panics, which is a bug of ours, its client is told,
/// and the server goes on.
pub(super) fn elsewhere<S: HttpService>(
    service: &Arc<S>,
    work: impl FnOnce(&Arc<S>) + Send + 'static,
) {
    let service = Arc::clone(service);
    rayon::spawn(move || {
        drop(catch_unwind(AssertUnwindSafe(|| work(&service))));
        service.flush();
    });
}
