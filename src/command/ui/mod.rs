//! `nnc ui`: a page that lists, filters and compares training runs while they train.
//!
//! ```text
//! http: one thread ─→ endpoints ─→ rayon: library ─ looks for folders of runs
//!                                           watched ─ run.json, lock
//!                                           epochs  ─ events.jsonl, read on
//!        page (app.js) asks each second what is new ─→ rows of the table, points of the curves
//! ```
//!
//! It only reads, and only folders of runs that it has found. It listens on this machine alone, answers
//! whoever has its [`token`], and to the names of this machine alone (connections and bounds are of
//! [`http`](super::http)). Folders are looked at when a page asks: nothing runs while none is open.

mod difference;
mod endpoints;
mod epochs;
mod library;
mod page;
mod settings;
mod token;
mod watched;

use self::library::RunLibrary;
use self::token::AccessToken;
use crate::base::shown::Show;
use crate::command::http::{
    AllowedHosts, HttpLimits, HttpResponse, HttpService, HttpState, Network, Refusal, ReplyTo,
    RequestHead, ServerStopper, listen,
};
use crate::driver::Failure;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a client may take to send a request, or to take an answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request's body: there is none.
const BODY_BYTES: usize = 0;

/// The page of all runs, which listens.
pub struct UiServer {
    /// Where the page is, with its token.
    pub url: String,
    network: Network,
    service: Arc<UiService>,
}

/// All that the threads of the server share.
struct UiService {
    state: Arc<HttpState>,
    token: AccessToken,
    /// The folder of runs as it was named.
    folder: String,
    library: Mutex<RunLibrary>,
}

impl UiService {
    /// The runs. A thread that panicked has left what the next look puts right.
    fn library(&self) -> MutexGuard<'_, RunLibrary> {
        self.library.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpService for UiService {
    fn state(&self) -> &Arc<HttpState> {
        &self.state
    }

    fn check(&self, head: &RequestHead) -> Result<(), Refusal> {
        endpoints::check(self, head)
    }

    fn answer(
        self: &Arc<Self>,
        head: &RequestHead,
        _body: Vec<u8>,
        reply: ReplyTo,
    ) -> Option<HttpResponse> {
        endpoints::answer(self, head, reply)
    }
}

impl UiServer {
    /// Listens on this machine; port 0 is one that is free. The folder must be there, runs need not.
    pub fn open(folder: &Path, port: u16) -> Result<UiServer, Failure> {
        if let Err(error) = std::fs::read_dir(folder) {
            return Err(Failure::Io(format!(
                "cannot read the folder {}: {error}; `nnc run` makes `runs` where it is started, and \
                 `nnc ui FOLDER` takes another",
                folder.shown()
            )));
        }
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (address, network) = listen(wanted, BODY_BYTES)?;
        let hosts = AllowedHosts::Local("");
        let limits = HttpLimits { timeout: TIMEOUT, body_bytes: BODY_BYTES, hosts };
        let service = UiService {
            state: HttpState::new(limits),
            token: AccessToken::new()?,
            folder: folder.shown().to_string(),
            library: Mutex::new(RunLibrary::new(folder.to_path_buf())),
        };
        let url = format!("http://{address}/{}/", service.token.text());
        Ok(UiServer { url, network, service: Arc::new(service) })
    }

    /// A handle that ends it, from any thread.
    pub fn stopper(&self) -> ServerStopper {
        ServerStopper::new(&self.service.state, &self.network)
    }

    /// Answers until it is stopped, and then what has begun.
    pub fn run(self) {
        self.network.serve(&self.service);
    }
}
