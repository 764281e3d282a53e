//! `nnc bench`: the time of a training step, without data.

use super::explain::{self, Limits};
use super::threads::{self, threads};
use super::{Common, write};
use crate::command;
use crate::driver::{self, Failure};
use crate::runtime::pool::Pool;
use clap::Args;
use serde_json::json;

/// Measures the time of a step. Inputs are random; no data is read.
#[derive(Args)]
pub struct BenchArgs {
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
    /// Show what each kernel of the step does and how long it takes
    #[arg(long)]
    explain: bool,
    /// Seconds to measure for
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl BenchArgs {
    /// Prints the times.
    pub fn execute(self) -> Result<u8, Failure> {
        let mut session = driver::Session::new(None);
        let request = self.common.request(false)?;
        let mut pool = threads::pool(Pool::new, threads(self.threads));
        let threads = pool.threads();
        let batch = self.batch.map(|batch| batch as usize);
        let mut bench = command::bench(&mut session, &request, self.infer, batch, &mut pool)?;
        self.common.print_timings(&session.timings);
        let times = bench.measure(&mut pool, self.seconds);
        let (gflop, peak) = (bench.flops as f64 / 1e9, bench.peak / 1e9);
        let gflops = gflop / times.median;
        let explained = self.explain.then(|| {
            let streams = command::Streams::measure(&request.target, &mut pool);
            let actions = bench.explain(&mut pool, self.seconds, &request.target);
            (actions, Limits { peak: bench.peak, streams })
        });
        if self.json {
            let mut report = json!({
                    "model": bench.model, "batch": bench.batch, "threads": threads,
                    "target": request.target.name(), "median_ms": times.median * 1e3,
                    "min_ms": times.fastest * 1e3, "gflop": gflop, "gflops": gflops,
                    "peak_gflops": peak, "ready_ms": bench.ready_seconds * 1e3,
                    "first_step_ms": bench.first_step_seconds * 1e3,
                    "arena_bytes": bench.memory_bytes, "steps": times.steps,
                    "barriers": bench.barriers,
            });
            if let Some((actions, Limits { streams, .. })) = &explained {
                report["stream_gb_s"] = json!(streams.memory / 1e9);
                report["stream_l2_gb_s"] = json!(streams.cache / 1e9);
                report["kernels"] = explain::value(actions);
            }
            write::line(&report.to_string())?;
            return Ok(0);
        }
        let mut text = format!(
            "{}, batch {}, {threads} thread{}, {}: {:.4} ms a step (fastest {:.4}, {} steps)\n",
            bench.model,
            bench.batch,
            if threads == 1 { "" } else { "s" },
            request.target.name(),
            times.median * 1e3,
            times.fastest * 1e3,
            times.steps,
        );
        text += &format!(
            "{gflops:.1} GFLOP/s ({gflop:.4} GFLOP a step), {:.0} % of the peak of {peak:.1} \
             GFLOP/s; {} barriers, {} bytes, {:.1} ms from file to first step \
             ({:.1} to its end)\n",
            gflops / peak * 100.0,
            bench.barriers,
            bench.memory_bytes,
            bench.ready_seconds * 1e3,
            bench.first_step_seconds * 1e3,
        );
        if let Some((actions, limits)) = &explained {
            text += &explain::text(actions, limits);
        }
        write::out(&text)?;
        Ok(0)
    }
}
