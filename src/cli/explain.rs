//! The table of `nnc bench --explain`: one row a kernel or barrier, in order of execution.
//!
//! ```text
//!       ms   GFLOP  GFLOP/s   peak      MB    GB/s  stream  kernel
//!   0.0250  0.0064    256.9   47 %    0.51    20.4    58 %  model.dense.matmul  models/mnist.nn:5:25
//!   0.0003                                                  barrier
//! ```

use crate::base::table::{Table, TableColumn};
use crate::command::{Explained, ExplainedKernel, Streams};
use serde_json::{Value, json};

/// Rates of the machine, of all threads together, a second.
pub struct Limits {
    /// Floating-point operations.
    pub peak: f64,
    /// Bytes.
    pub streams: Streams,
}

/// The machine's rates, and the table. It is as wide as the names of kernels and their places are:
/// a row is a kernel, whatever is on it.
pub fn text(actions: &[Explained], limits: &Limits) -> String {
    let Limits { peak, streams } = limits;
    let titles = TITLES.into_iter().zip(LEAST).zip(GAPS);
    let numbers =
        titles.map(|((title, least), gap)| TableColumn::right(title).at_least(least).gap(gap));
    let mut table = Table::new(numbers.chain([TableColumn::left("kernel"), TableColumn::left("")]));
    let barrier = |seconds: f64, name: &str| {
        let time = format!("{:.4}", seconds * 1e3);
        std::iter::once(time).chain([const { String::new() }; 6]).chain([name.to_owned()])
    };
    for action in actions {
        match &action.kernel {
            Some(kernel) => {
                let place = kernel.place.clone().unwrap_or_default();
                let work = work(kernel, action.seconds, limits);
                table.row(work.into_iter().chain([kernel.name.clone(), place]));
            }
            None => table.row(barrier(action.seconds, "barrier")),
        }
    }
    let (total, barriers) = total(actions);
    let all = work(&total, seconds(actions), limits);
    table.row(all.into_iter().chain([total.name]));
    table.row(barrier(barriers, "of it in barriers"));
    format!(
        "FMA peak {:.1} GFLOP/s; streams: {:.1} GB/s with memory, {:.1} GB/s with L2\n\n{}",
        peak / 1e9,
        streams.memory / 1e9,
        streams.cache / 1e9,
        table.text(usize::MAX),
    )
}

/// The columns of numbers, how wide they are at least, and the spaces before each.
const TITLES: [&str; 7] = ["ms", "GFLOP", "GFLOP/s", "peak", "MB", "GB/s", "stream"];
const LEAST: [usize; 7] = [8, 8, 8, 6, 8, 7, 7];
const GAPS: [usize; 7] = [0, 1, 1, 1, 1, 1, 1];

/// The numbers of a row.
fn work(kernel: &ExplainedKernel, seconds: f64, limits: &Limits) -> [String; 7] {
    let (flop, bytes) = (kernel.operations.total() as f64, kernel.bytes as f64);
    let (flops, rate) = (flop / seconds, bytes / seconds);
    [
        format!("{:.4}", seconds * 1e3),
        format!("{:.4}", flop / 1e9),
        format!("{:.1}", flops / 1e9),
        format!("{:.0} %", 100.0 * flops / limits.peak),
        format!("{:.3}", bytes / 1e6),
        format!("{:.1}", rate / 1e9),
        format!("{:.0} %", 100.0 * rate / limits.streams.memory),
    ]
}

fn seconds(actions: &[Explained]) -> f64 {
    actions.iter().map(|action| action.seconds).sum()
}

/// All kernels together, and seconds in barriers.
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
    (total, waits.map(|wait| wait.seconds).sum())
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
