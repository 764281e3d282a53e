//! `nnc serve`: a trained model behind HTTP, for programs (KServe's inference protocol, version 2) and for
//! people (a page).
//!
//! ```text
//! accept ─→ a thread a connection: request, stream, connection, endpoints   ─queue→   engine: one thread
//!           reads, prepares samples, writes answers                         ←────     computes steps
//! ```
//!
//! Threads and blocking sockets, no event loop: there are few clients, each of whose samples takes longer
//! to compute than a thread to wake. `httparse` reads heads; what they mean, and every bound, is decided
//! here ([`request`], [`stream`], [`room`]). Ctrl-C ([`ServerStopper`]) drains: nobody new is let in, idle
//! connections end, requests that have begun are answered.

mod connection;
mod endpoints;
mod engine;
mod page;
mod protocol;
mod queue;
mod request;
mod response;
mod room;
mod stream;
mod tensors;

use self::connection::Connection;
use self::queue::Queue;
use self::request::AllowedHosts;
use self::response::Refusal;
use self::room::{ByteRoom, Permits};
use crate::command::answers::PredictedOutput;
use crate::command::inference::{InferenceSteps, ReadableModel};
use crate::data::InputReader;
use crate::driver::session::{Failure, Request};
use crate::run::trained::Model;
use crate::runtime::pool::{self, Pool};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder, Scope};
use std::time::Duration;

/// The most connections at once.
const CONNECTIONS: usize = 256;
/// As many bodies of the largest size may be in memory at once.
const LARGE_BODIES: usize = 16;

/// Options of a server.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The address to listen on; others than this machine's own are open to its network.
    pub host: IpAddr,
    /// The port; 0 for one that is free.
    pub port: u16,
    /// The most samples of a step.
    pub batch: usize,
    /// How long a client may take to send a request's head, its body, or to take an answer.
    pub timeout: Duration,
    /// The most bytes of a body.
    pub body_bytes: usize,
}

/// A server that listens, with its model compiled.
pub struct PredictionServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where the model's weights are from.
    pub weights: PathBuf,
    listener: TcpListener,
    steps: InferenceSteps,
    service: Arc<Service>,
}

/// The work of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedCounts {
    /// Requests that were answered.
    pub answered: u64,
    /// Requests and connections that were refused.
    pub refused: u64,
    /// Samples that were computed.
    pub samples: u64,
    /// The steps in which they were.
    pub steps: u64,
}

/// Requests so far.
#[derive(Debug, Default)]
struct RequestCounts {
    answered: AtomicU64,
    refused: AtomicU64,
}

/// The model of a server.
struct ServedModel {
    name: String,
    reader: Box<dyn InputReader>,
    outputs: Vec<PredictedOutput>,
}

/// Bounds of a server.
struct ServeLimits {
    timeout: Duration,
    body_bytes: usize,
    hosts: AllowedHosts,
}

/// All that the threads of a server share.
struct Service {
    model: ServedModel,
    limits: ServeLimits,
    queue: Queue,
    /// Room for the bodies of requests.
    bodies: ByteRoom,
    /// For those who decode.
    preparing: Permits,
    counts: RequestCounts,
    draining: AtomicBool,
    connections: Mutex<HashMap<u64, Arc<Connection>>>,
    /// A connection has ended.
    ended: Condvar,
}

/// Ends a server.
#[derive(Clone)]
pub struct ServerStopper {
    service: Arc<Service>,
    address: SocketAddr,
}

impl PredictionServer {
    /// Listens, and compiles a trained model.
    pub fn open(
        request: &Request,
        model: &Model,
        options: &ServeOptions,
    ) -> Result<PredictionServer, Failure> {
        let wanted = SocketAddr::new(options.host, options.port);
        let listen = || {
            let listener = TcpListener::bind(wanted)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = listen().map_err(|error: std::io::Error| {
            let message = format!("cannot listen on {wanted}: {error}; `--port` takes another");
            Failure::Io(message)
        })?;
        let mut model = ReadableModel::open(request, model)?;
        let steps = model.compile(&engine::batch_sizes(options.batch))?;
        let ReadableModel { weights, model, reader, outputs, .. } = model;
        let hosts = match options.host.is_loopback() {
            true => AllowedHosts::Local,
            false => AllowedHosts::Any,
        };
        let (timeout, body_bytes) = (options.timeout, options.body_bytes);
        let service = Service {
            model: ServedModel { name: model, reader, outputs },
            limits: ServeLimits { timeout, body_bytes, hosts },
            queue: Queue::default(),
            bodies: ByteRoom::new(body_bytes.saturating_mul(LARGE_BODIES)),
            preparing: Permits::new(pool::default_threads()),
            counts: RequestCounts::default(),
            draining: AtomicBool::new(false),
            connections: Mutex::default(),
            ended: Condvar::new(),
        };
        Ok(PredictionServer { address, weights, listener, steps, service: Arc::new(service) })
    }

    /// The name of the model.
    pub fn model(&self) -> &str {
        &self.service.model.name
    }

    /// What ends it, from any thread.
    pub fn stopper(&self) -> ServerStopper {
        ServerStopper { service: Arc::clone(&self.service), address: self.address }
    }

    /// Answers until it is stopped, and then what has begun.
    pub fn run(self, pool: &mut Pool) -> ServedCounts {
        let PredictionServer { listener, steps, service, address, .. } = self;
        let fields = service.model.reader.fields();
        let input_bytes: Vec<usize> = fields.iter().map(|field| field.bytes()).collect();
        let stopper = ServerStopper { service: Arc::clone(&service), address };
        let computed = thread::scope(|scope| {
            let service = &*service;
            let accept = move || {
                service.accept(listener, scope);
                service.drain();
                service.queue.close();
            };
            let accepting = Builder::new().name("accept".to_owned()).spawn_scoped(scope, accept);
            accepting.expect("the system starts a thread for the server");
            // If computing panics, nobody is kept waiting.
            let _stopped = StopOnDrop(stopper);
            engine::compute(&steps, &input_bytes, &service.queue, pool)
        });
        ServedCounts {
            answered: service.counts.answered.load(Ordering::Relaxed),
            refused: service.counts.refused.load(Ordering::Relaxed),
            samples: computed.samples,
            steps: computed.steps,
        }
    }
}

struct StopOnDrop(ServerStopper);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl ServerStopper {
    /// Makes the server drain; false if it does so already.
    pub fn stop(&self) -> bool {
        if self.service.draining.swap(true, Ordering::SeqCst) {
            return false;
        }
        // Whoever accepts waits for a client; it is this one, and it is not let in.
        let host = match self.address.ip() {
            IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            address => address,
        };
        let address = SocketAddr::new(host, self.address.port());
        let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
        true
    }
}

impl Service {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets clients in, each on a thread of its own, until the server is stopped.
    fn accept<'s>(&'s self, listener: TcpListener, scope: &'s Scope<'s, '_>) {
        /// The system is out of files or memory for now.
        const PAUSE: Duration = Duration::from_millis(20);
        for number in 0.. {
            let accepted = listener.accept();
            if self.is_draining() {
                return;
            }
            match accepted {
                Ok((stream, _)) => self.admit(number, stream, scope),
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// Starts a thread for a client, or refuses it.
    fn admit<'s>(&'s self, number: u64, stream: TcpStream, scope: &'s Scope<'s, '_>) {
        /// Refusing one client does not keep others waiting.
        const MOMENT: Duration = Duration::from_millis(20);
        let connection = Arc::new(Connection::new(stream));
        let refuse = |why: &str| {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
            connection.refuse(Refusal::new(503, why), MOMENT);
        };
        if self.connections().len() >= CONNECTIONS {
            return refuse("there are as many connections as the server takes: try again");
        }
        self.connections().insert(number, Arc::clone(&connection));
        let own = Arc::clone(&connection);
        let serve = move || {
            let _ended = EndedConnection { service: self, number };
            own.serve(self);
        };
        if Builder::new().name("client".to_owned()).spawn_scoped(scope, serve).is_err() {
            drop(EndedConnection { service: self, number });
            refuse("the server has no thread left: try again");
        }
    }

    /// Ends idle connections, and waits for the others.
    fn drain(&self) {
        let mut connections = self.connections();
        connections.values().for_each(|connection| connection.end_if_idle());
        while !connections.is_empty() {
            connections = self.ended.wait(connections).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Forgets a connection when its thread ends, however that is.
struct EndedConnection<'s> {
    service: &'s Service,
    number: u64,
}

impl Drop for EndedConnection<'_> {
    fn drop(&mut self) {
        self.service.connections().remove(&self.number);
        self.service.ended.notify_all();
    }
}
