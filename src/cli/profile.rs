//! `nnc profile`: the program with what its lines cost in the margin.

use super::threads::{self, threads};
use super::{Common, write};
use crate::base::shown::Show;
use crate::base::source::{FileId, Sources};
use crate::command::{self, Profile as Profiled, Spent};
use crate::driver::{self, Failure, Phase};
use crate::run;
use crate::runtime::pool::Pool;
use clap::Args;
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;

/// Shows where the time of a step goes, line by line. Inputs are random; no data is read.
#[derive(Args)]
pub struct ProfileArgs {
    #[command(flatten)]
    common: Common,
    /// Number of threads [default: NNC_THREADS, or else all available processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Batch size, instead of the file's `batch`
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Measure evaluation, not training
    #[arg(long)]
    infer: bool,
    /// Seconds to measure for
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Write some steps as a Chrome trace (JSON), for chrome://tracing or Perfetto
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Steps of a trace.
const TRACED: usize = 5;

impl ProfileArgs {
    /// Measures and prints.
    pub fn execute(self) -> Result<u8, Failure> {
        if !(self.seconds > 0.0 && self.seconds.is_finite()) {
            return Err(Failure::Io("--seconds takes a positive number".to_owned()));
        }
        if let Some(path) = &self.trace {
            run::check_writable(path)?;
        }
        let mut session = driver::Session::new(None);
        let request = self.common.request(false)?;
        let mut pool = threads::pool(Pool::new, threads(self.threads));
        let batch = self.batch.map(|batch| batch as usize);
        let mut bench = command::bench(&mut session, &request, self.infer, batch, &mut pool)?;
        self.common.print_timings(&session.timings);
        let profile = bench.profile(&mut pool, self.seconds, &request.target, &session.sources);
        if let Some(path) = &self.trace {
            let trace = bench.trace(&mut pool, TRACED, &request.target);
            run::write_file(path, trace.to_string().as_bytes())?;
        }
        let text = match self.json {
            true => format!("{}\n", object(&bench, &profile, &session.sources)),
            false => text(&bench, &profile, &session.sources),
        };
        write::out(&text)?;
        if let Some(path) = self.trace.filter(|_| !self.json) {
            eprintln!("{TRACED} steps are in {}", path.shown());
        }
        Ok(0)
    }
}

const HEADER: &str = " forward backward   update  GFLOP/s  peak       MB";

fn text(bench: &command::TimedStep, profile: &Profiled, sources: &Sources) -> String {
    let total = profile.total();
    let mut text = format!(
        "{}, batch {}: {:.4} ms a step in its kernels (times in ms)\n",
        bench.model,
        bench.batch,
        1e3 * total
    );
    let mut files: Vec<FileId> = Vec::new();
    for (file, _) in profile.lines.keys() {
        if !files.contains(file) {
            files.push(*file);
        }
    }
    for file in files {
        let source = sources.file(file);
        let _ = writeln!(text, "\n{HEADER}  {}", source.name);
        for (number, line) in (1..).zip(source.text.lines()) {
            let margin = match profile.lines.get(&(file, number)) {
                Some(spent) => margin(spent, bench.peak),
                None => " ".repeat(HEADER.len()),
            };
            let _ = writeln!(text, "{} │ {line}", margin);
        }
    }
    let _ = writeln!(text, "\n{HEADER}  of no line");
    for (name, spent) in &profile.rest {
        let _ = writeln!(text, "{}   {name}", margin(spent, bench.peak));
    }
    let phases = [Phase::Forward, Phase::Backward, Phase::Update].map(|phase| {
        let seconds = profile.phase(phase);
        format!("{} {:.4} ms ({:.0} %)", phase.name(), 1e3 * seconds, 100.0 * seconds / total)
    });
    let _ = writeln!(text, "\n{}", phases.join(", "));
    text
}

/// The numbers of a line.
fn margin(spent: &Spent, peak: f64) -> String {
    let ms = |seconds: f64| match seconds {
        0.0 => " ".repeat(8),
        seconds => format!("{:8.4}", 1e3 * seconds),
    };
    let [forward, backward, update] = spent.seconds;
    let rate = spent.operations as f64 / spent.total().max(f64::MIN_POSITIVE);
    format!(
        "{} {} {} {:8.1} {:4.0}% {:8.3}",
        ms(forward),
        ms(backward),
        ms(update),
        rate / 1e9,
        100.0 * rate / peak,
        spent.bytes as f64 / 1e6
    )
}

fn object(bench: &command::TimedStep, profile: &Profiled, sources: &Sources) -> serde_json::Value {
    let numbers = |spent: &Spent| {
        let [forward, backward, update] = spent.seconds.map(|seconds| 1e3 * seconds);
        let rate = spent.operations as f64 / spent.total().max(f64::MIN_POSITIVE);
        json!({
            "forward_ms": forward, "backward_ms": backward, "update_ms": update,
            "flop": spent.operations, "bytes": spent.bytes, "gflops": rate / 1e9,
            "share_of_peak": rate / bench.peak,
        })
    };
    let lines = profile.lines.iter().map(|((file, line), spent)| {
        let mut object = numbers(spent);
        object["file"] = json!(sources.file(*file).name);
        object["line"] = json!(line);
        object
    });
    let rest = profile.rest.iter().map(|(name, spent)| {
        let mut object = numbers(spent);
        object["name"] = json!(name);
        object
    });
    json!({
        "version": 1, "model": bench.model, "batch": bench.batch,
        "peak_gflops": bench.peak / 1e9, "step_ms": 1e3 * profile.total(),
        "lines": lines.collect::<Vec<_>>(), "rest": rest.collect::<Vec<_>>(),
    })
}
