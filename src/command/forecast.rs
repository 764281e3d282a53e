//! How long a step will take on this machine, from what its kernels do and how fast the machine
//! multiplies and moves numbers.
//!
//! ```text
//! kernel: 6.4 MFLOP, 0.5 MB  →  max(6.4 M / rate of products, 0.5 MB / rate of memory)
//! ```
//!
//! The machine is measured once, for about a second, and what was found is kept in the cache: the
//! FMA peak, and the rates of memory and of second-level caches. How far kernels stay below those is
//! the same for all machines and models here: the shares below, fitted to the shipped models.

use crate::base::units::short_seconds;
use crate::codegen::Target;
use crate::command::explain::{ExplainedKernel, KernelWork};
use crate::command::peak::fma_peak;
use crate::command::stream::Streams;
use crate::driver::json_cache;
use crate::files::read;
use crate::loops::{Action, Program as Loops};
use crate::runtime::pool::Pool;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// How long a step and an epoch take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forecast {
    /// Seconds of a training step.
    pub step: f64,
    /// Seconds of an epoch, where the data are known.
    pub epoch: Option<f64>,
    /// The threads that share the work.
    pub threads: usize,
}

impl Forecast {
    /// Adds a line of the report.
    pub fn push(&self, text: &mut String) {
        let _ = write!(text, "time        {} a step", short_seconds(self.step));
        if let Some(epoch) = self.epoch {
            let _ = write!(text, ", {} an epoch", short_seconds(epoch));
        }
        let _ = writeln!(text, ", with {} threads of this processor", self.threads);
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        json!({ "step_s": self.step, "epoch_s": self.epoch, "threads": self.threads })
    }
}

/// Rates of a machine with so many threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Version of this program, processor, instruction set, threads.
    key: String,
    /// Products and sums a second, two operations each.
    peak: f64,
    /// Bytes a second from and to memory.
    memory: f64,
    /// Bytes a second from and to second-level caches.
    cache: f64,
}

impl Machine {
    /// The machine's rates from the cache, or measured now and then kept there.
    pub fn known(cache: Option<&Path>, target: &Target, threads: usize) -> Machine {
        let version = env!("CARGO_PKG_VERSION");
        let key = format!("{version} {} {} {threads}", processor(), target.name());
        let file = cache.map(|cache| cache.join("machine.json"));
        let known: Option<Machine> = json_cache::read(file.as_ref());
        if let Some(machine) = known.filter(|machine| machine.key == key) {
            return machine;
        }
        let mut pool = Pool::new(threads);
        let streams = Streams::measure(target, &mut pool);
        let machine = Machine {
            key,
            peak: fma_peak(target, &mut pool),
            memory: streams.memory,
            cache: streams.cache,
        };
        json_cache::write(file.as_ref(), &machine);
        machine
    }

    /// One line with the rates.
    pub fn described(&self) -> String {
        let Machine { peak, memory, cache, .. } = self;
        format!(
            "{:.0} GFLOP/s, {:.1} GB/s of memory, {:.0} GB/s of cache",
            peak / 1e9,
            memory / 1e9,
            cache / 1e9
        )
    }

    /// Seconds of a step.
    pub fn step(&self, program: &Loops, threads: usize) -> f64 {
        let mut work = KernelWork::default();
        let arena: usize =
            program.buffers.values().map(|buffer| buffer.len * buffer.dtype.size()).sum();
        let mut seconds = 0.0;
        for action in &program.actions {
            seconds += match (action, work.of(program, action, &None)) {
                (Action::Run { .. } | Action::Loop { .. }, Some(kernel)) => {
                    self.kernel(&kernel, arena, threads)
                }
                _ => BARRIER,
            };
        }
        seconds
    }

    fn kernel(&self, kernel: &ExplainedKernel, arena: usize, threads: usize) -> f64 {
        // Work in fewer parts than threads leaves some idle; the last round may be short of parts.
        let parts = kernel.parts.max(1);
        let rounds = parts.div_ceil(threads);
        let busy = parts as f64 / (rounds * threads) as f64;
        let operations = kernel.operations;
        let products = operations.contraction as f64 / (self.peak * PRODUCTS * busy);
        let others = operations.scalar as f64 / (self.peak * OTHERS * busy);
        let bytes = kernel.bytes as f64;
        let rate = if (arena as f64) < CACHE * threads as f64 {
            // All of it stays in the caches of the threads from step to step.
            self.cache * IN_CACHE * busy
        } else if bytes < SHARED_CACHE {
            self.memory * IN_SHARED_CACHE
        } else {
            self.memory * IN_MEMORY
        };
        products.max(bytes / rate) + others + KERNEL
    }
}

/// The share of the FMA peak that contractions reach.
const PRODUCTS: f64 = 0.85;
/// The share of it that other operations reach: sums, comparisons, divisions, exponentials.
const OTHERS: f64 = 0.22;
/// The share of the rate of second-level caches.
const IN_CACHE: f64 = 0.5;
/// The share of memory's rate.
const IN_MEMORY: f64 = 0.7;
/// How much faster than memory the cache is that all threads share.
const IN_SHARED_CACHE: f64 = 2.5;
/// Bytes for each thread that stay in its caches.
const CACHE: f64 = 1.5e6;
/// Bytes of a kernel that come from a cache that all threads share: its producer left them there.
const SHARED_CACHE: f64 = 16e6;
/// Seconds that a barrier takes.
const BARRIER: f64 = 0.4e-6;
/// Seconds that a kernel takes to begin.
const KERNEL: f64 = 0.2e-6;

/// The processor's name, where the system says it.
fn processor() -> String {
    let text = read::text(Path::new("/proc/cpuinfo"), read::RECORD).unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name"));
    name.map_or_else(String::new, |name| name.trim_start_matches([' ', '\t', ':']).to_owned())
}
