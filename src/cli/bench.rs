//! `nnc bench`: the time of a training step, without data.

use super::Common;
use crate::driver::{self, Failure};
use crate::runtime::pool::{Pool, default_threads};
use clap::Args;
use serde_json::json;

/// Measures the time of a step. Inputs are random; no data is read.
#[derive(Args)]
pub struct Bench {
    #[command(flatten)]
    common: Common,
    /// Threads [default: the processors at hand]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Samples a step, instead of what the file says
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Measure evaluation, not training
    #[arg(long)]
    infer: bool,
    /// Seconds to measure for
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Bench {
    /// Prints the times.
    pub fn execute(self) -> Result<u8, Failure> {
        let mut session = driver::Session::new(None);
        let request = self.common.request(false)?;
        let threads = self.threads.map_or_else(default_threads, usize::from);
        let mut pool = Pool::new(threads);
        let batch = self.batch.map(|batch| batch as usize);
        let mut bench = driver::bench(&mut session, &request, self.infer, batch, &mut pool)?;
        self.common.print_timings(&session.timings);
        let times = bench.measure(&mut pool, self.seconds);
        if self.json {
            println!(
                "{}",
                json!({
                    "model": bench.model, "batch": bench.batch, "threads": threads,
                    "target": request.target.name(), "ms": times.median * 1e3,
                    "fastest_ms": times.fastest * 1e3, "steps": times.steps,
                    "gflop": bench.flops as f64 / 1e9,
                    "gflops": bench.flops as f64 / times.median / 1e9,
                    "barriers": bench.barriers, "memory_bytes": bench.memory_bytes,
                    "first_step_ms": bench.first_step_seconds * 1e3,
                })
            );
            return Ok(0);
        }
        println!(
            "{}, batch {}, {threads} thread{}, {}: {:.4} ms a step (fastest {:.4}, {} steps)",
            bench.model,
            bench.batch,
            if threads == 1 { "" } else { "s" },
            request.target.name(),
            times.median * 1e3,
            times.fastest * 1e3,
            times.steps,
        );
        println!(
            "{:.1} GFLOP/s ({:.4} GFLOP a step), {} barriers, {:.1} MB, {:.1} ms from file to \
             first step",
            bench.flops as f64 / times.median / 1e9,
            bench.flops as f64 / 1e9,
            bench.barriers,
            bench.memory_bytes as f64 / 1e6,
            bench.first_step_seconds * 1e3,
        );
        Ok(0)
    }
}
