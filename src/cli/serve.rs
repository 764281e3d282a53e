//! `nnc serve`: a trained model behind HTTP.

use super::threads::{self, threads};
use super::trained::TrainedModel;
use super::{on_interrupt, write};
use crate::base::shown::Show;
use crate::command::{PredictionServer, ServeOptions, ServedCounts};
use crate::driver::Failure;
use crate::runtime::pool::Pool;
use clap::Args;
use std::net::IpAddr;
use std::time::Duration;

/// Answers predictions of a trained model over HTTP: a page to drop an image, a row or a text on, `POST
/// /predict` with what `nnc predict` takes, and KServe's inference protocol (`/v2`). Ctrl-C answers what
/// has begun and ends.
#[derive(Args)]
pub struct ServeArgs {
    #[command(flatten)]
    model: TrainedModel,
    /// The port to listen on; 0 takes one that is free
    #[arg(long, value_name = "P", default_value_t = 8080)]
    port: u16,
    /// The address to listen on; with any other than this machine's own (`0.0.0.0`), everyone in its
    /// network may ask
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    host: IpAddr,
    /// The most samples of a step: requests that arrive together are computed together
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// Seconds that a client may take to send a request, or to take its answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = seconds)]
    timeout: f64,
    /// The most megabytes of a request's body
    #[arg(long, value_name = "MB", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    max_body: u16,
    /// Number of threads that compute [default: NNC_THREADS, or else all available processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|seconds| (0.01..=3600.0).contains(seconds));
    number.ok_or_else(|| "a number of seconds from 0.01 to 3600".to_owned())
}

impl ServeArgs {
    /// Serves until Ctrl-C; the second one ends the program at once.
    pub fn execute(self) -> Result<u8, Failure> {
        let (request, model) = self.model.find(true)?;
        let options = ServeOptions {
            host: self.host,
            port: self.port,
            batch: usize::from(self.batch),
            timeout: Duration::from_secs_f64(self.timeout),
            body_bytes: usize::from(self.max_body) << 20,
        };
        let server = PredictionServer::open(&request, &model, &options)?;
        let stopper = server.stopper();
        on_interrupt(move || stopper.stop())?;
        eprintln!("weights of {}", server.weights.shown());
        let mut pool = threads::pool(Pool::adaptive, threads(self.threads));
        write::line(&format!("{} answers at http://{}/", server.model(), server.address))?;
        let ServedCounts { answered, refused, samples, steps } = server.run(&mut pool)?;
        eprintln!(
            "{answered} requests answered, {refused} refused; {samples} samples in {steps} steps"
        );
        Ok(0)
    }
}
