//! `nnc serve`: a trained model behind HTTP, for programs (KServe's inference protocol, version 2) and for
//! people (a page).
//!
//! ```text
//! http: one thread ─→ endpoints ─queue→   engine: one thread
//!   ↑                   │ long work         computes steps
//!   └──── answers ──────┴─→ rayon          ─→ answers
//! ```
//!
//! A request costs no change of threads but those to the step and back, which requests that come together
//! share. Connections and bounds are of [`http`](super::http). Ctrl-C ([`ServerStopper`]) drains: requests
//! that have begun are answered.

mod endpoints;
mod engine;
mod page;
mod protocol;
mod queue;
mod tensors;

use self::queue::Queue;
use crate::command::answers::PredictedOutput;
use crate::command::http::{
    AllowedHosts, HttpLimits, HttpResponse, HttpService, HttpState, Network, Refusal, ReplyTo,
    RequestHead, ServerStopper, listen,
};
use crate::command::inference::{InferenceSteps, ReadableModel};
use crate::data::InputReader;
use crate::driver::session::{Failure, Request};
use crate::run::trained::Model;
use crate::runtime::pool::Pool;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, Builder};
use std::time::Duration;

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
    network: Network,
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

/// The model of a server.
struct ServedModel {
    name: String,
    reader: Box<dyn InputReader>,
    outputs: Vec<PredictedOutput>,
}

/// All that the threads of a server share.
struct Service {
    model: ServedModel,
    state: Arc<HttpState>,
    queue: Queue,
}

impl HttpService for Service {
    fn state(&self) -> &Arc<HttpState> {
        &self.state
    }

    fn check(&self, head: &RequestHead) -> Result<(), Refusal> {
        endpoints::check(self, head)
    }

    fn answer(
        self: &Arc<Self>,
        head: &RequestHead,
        body: Vec<u8>,
        reply: ReplyTo,
    ) -> Option<HttpResponse> {
        endpoints::answer(self, head, body, reply)
    }

    fn flush(&self) {
        self.queue.flush();
    }
}

impl PredictionServer {
    /// Listens, and compiles a trained model.
    pub fn open(
        request: &Request,
        model: &Model,
        options: &ServeOptions,
    ) -> Result<PredictionServer, Failure> {
        let wanted = SocketAddr::new(options.host, options.port);
        let (address, network) = listen(wanted, options.body_bytes)?;
        let mut model = ReadableModel::open(request, model)?;
        let steps = model.compile(&engine::batch_sizes(options.batch))?;
        let ReadableModel { opened, reader, outputs, .. } = model;
        let hosts = match options.host.is_loopback() {
            true => AllowedHosts::Local("; `--host` opens it to others"),
            false => AllowedHosts::Any,
        };
        let (timeout, body_bytes) = (options.timeout, options.body_bytes);
        let service = Service {
            model: ServedModel { name: opened.model, reader, outputs },
            state: HttpState::new(HttpLimits { timeout, body_bytes, hosts }),
            queue: Queue::default(),
        };
        let (weights, service) = (opened.from, Arc::new(service));
        Ok(PredictionServer { address, weights, network, steps, service })
    }

    /// The name of the model.
    pub fn model(&self) -> &str {
        &self.service.model.name
    }

    /// A handle that ends it, from any thread.
    pub fn stopper(&self) -> ServerStopper {
        ServerStopper::new(&self.service.state, &self.network)
    }

    /// Answers until it is stopped, and then what has begun.
    pub fn run(self, pool: &mut Pool) -> Result<ServedCounts, Failure> {
        let stopper = self.stopper();
        let PredictionServer { network, steps, service, .. } = self;
        let fields = service.model.reader.fields();
        let input_bytes: Vec<usize> = fields.iter().map(|field| field.bytes()).collect();
        let computed = thread::scope(|scope| {
            let service = &service;
            let serve = move || {
                // However it ends, there is nobody left to compute for.
                let _closed = CloseOnDrop(&service.queue);
                network.serve(service);
            };
            if Builder::new().name("network".to_owned()).spawn_scoped(scope, serve).is_err() {
                let message = "the system has no thread for the server (`ulimit -u`)".to_owned();
                return Err(Failure::Io(message));
            }
            // If computing panics, nobody is kept waiting.
            let _stopped = StopOnDrop(stopper);
            Ok(engine::compute(&steps, &input_bytes, &service.queue, pool))
        })?;
        let (answered, refused) = service.state.counts();
        Ok(ServedCounts { answered, refused, samples: computed.samples, steps: computed.steps })
    }
}

struct CloseOnDrop<'q>(&'q Queue);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct StopOnDrop(ServerStopper);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
