//! The table of `nnc bench --explain`: one row a kernel or barrier, in order of execution.
//!
//! ```text
//!       ms   GFLOP  GFLOP/s   peak      MB    GB/s  stream  kernel
//!   0.0250  0.0064    256.9   47 %    0.51    20.4    58 %  model.dense.matmul  models/mnist.nn:5:25
//!   0.0003                                                  barrier
//! ```

use crate::driver::{Explained, ExplainedKernel, Streams};
use serde_json::{Value, json};

/// What the machine can do, of all threads together, a second.
pub struct Limits {
    /// Floating-point operations.
    pub peak: f64,
    /// Bytes.
    pub streams: Streams,
}

/// Prints what the machine can do, and the table.
pub fn print(actions: &[Explained], limits: &Limits) {
    let Limits { peak, streams } = limits;
    println!(
        "FMA peak {:.1} GFLOP/s; streams: {:.1} GB/s with memory, {:.1} GB/s with L2\n",
        peak / 1e9,
        streams.memory / 1e9,
        streams.cache / 1e9,
    );
    println!("      ms    GFLOP  GFLOP/s   peak       MB    GB/s  stream  kernel");
    let width = actions.iter().filter_map(|it| it.kernel.as_ref());
    let width = width.map(|kernel| kernel.name.chars().count()).max().unwrap_or(0);
    for action in actions {
        match &action.kernel {
            Some(kernel) => {
                let place = kernel.place.as_deref().unwrap_or("");
                let (name, work) = (&kernel.name, work(kernel, action.seconds, limits));
                let row = format!("{work}  {name:width$}  {place}");
                println!("{}", row.trim_end());
            }
            None => println!("{:8.4}{:54}barrier", action.seconds * 1e3, ""),
        }
    }
    let (total, barriers) = total(actions);
    println!("{}  {}", work(&total, seconds(actions), limits), total.name);
    println!("{barriers:8.4}{:54}of it in barriers", "");
}

/// The numbers of a row.
fn work(kernel: &ExplainedKernel, seconds: f64, limits: &Limits) -> String {
    let (flop, bytes) = (kernel.operations.total() as f64, kernel.bytes as f64);
    let (flops, rate) = (flop / seconds, bytes / seconds);
    format!(
        "{:8.4} {:8.4} {:8.1} {:4.0} % {:8.3} {:7.1} {:5.0} %",
        seconds * 1e3,
        flop / 1e9,
        flops / 1e9,
        100.0 * flops / limits.peak,
        bytes / 1e6,
        rate / 1e9,
        100.0 * rate / limits.streams.memory,
    )
}

fn seconds(actions: &[Explained]) -> f64 {
    actions.iter().map(|action| action.seconds).sum()
}

/// All kernels together, and milliseconds in barriers.
fn total(actions: &[Explained]) -> (ExplainedKernel, f64) {
    let kernels: Vec<_> = actions.iter().filter_map(|action| action.kernel.as_ref()).collect();
    let waits = actions.iter().filter(|action| action.kernel.is_none());
    let mut operations = crate::loops::work::Operations::default();
    for kernel in &kernels {
        operations.contraction += kernel.operations.contraction;
        operations.scalar += kernel.operations.scalar;
    }
    let total = ExplainedKernel {
        name: format!("{} kernels, {} barriers", kernels.len(), actions.len() - kernels.len()),
        place: None,
        parts: 0,
        operations,
        bytes: kernels.iter().map(|kernel| kernel.bytes).sum(),
    };
    (total, waits.map(|wait| wait.seconds).sum::<f64>() * 1e3)
}

/// The table for programs to read: one object an action.
pub fn value(actions: &[Explained]) -> Value {
    let row = |action: &Explained| {
        let (ms, fastest) = (action.seconds * 1e3, action.fastest * 1e3);
        let Some(kernel) = &action.kernel else {
            return json!({ "name": "barrier", "median_ms": ms, "min_ms": fastest });
        };
        json!({
            "name": kernel.name, "place": kernel.place, "parts": kernel.parts,
            "median_ms": ms, "min_ms": fastest,
            "gflop": kernel.operations.total() as f64 / 1e9,
            "contraction_gflop": kernel.operations.contraction as f64 / 1e9,
            "bytes": kernel.bytes,
        })
    };
    actions.iter().map(row).collect()
}
