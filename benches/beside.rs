//! Training steps beside other work: milliseconds a step on one thread and on two, alone and beside
//! one and two threads that never rest.
//!
//! ```console
//! cargo bench --bench beside -- mnist lenet      # no name: all models
//! ```
//!
//! *Fixed* threads are what `nnc bench` measures, *adaptive* ones what `nnc run` uses. The pools
//! take turns of a quarter of a second, so that all meet the same machine.

use nnc::runtime::pool::Pool;
use nnc::runtime::program::{CompiledProgram, RunMemory, StepArgs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

mod support;
use support::{compiled, filled};

/// The models, and the classes of their labels.
const MODELS: [(&str, u32); 6] = [
    ("mnist", 10),
    ("mlp512", 10),
    ("lenet", 10),
    ("image_cnn", 2),
    ("resnet20", 10),
    ("resnet18_32", 10),
];

/// Seconds of each pool's turn, and turns.
const TURN: Duration = Duration::from_millis(250);
const TURNS: usize = 12;

/// A pool with what it has measured.
struct Runner {
    pool: Pool,
    memory: RunMemory,
    step: u64,
    steps: u64,
    time: Duration,
}

impl Runner {
    /// Runs steps for a turn; the time of the first, which meets the last pool's caches, counts.
    fn turn(&mut self, program: &CompiledProgram, hypers: &[f64]) {
        let start = Instant::now();
        while start.elapsed() < TURN {
            self.step += 1;
            let args = StepArgs { step: self.step, seed: 0, hypers };
            program.run(&mut self.memory, &mut self.pool, &args).expect("labels are classes");
            self.steps += 1;
        }
        self.time += start.elapsed();
    }

    /// Milliseconds a step since the last call.
    fn take(&mut self) -> f64 {
        let mean = 1e3 * self.time.as_secs_f64() / self.steps.max(1) as f64;
        (self.steps, self.time) = (0, Duration::ZERO);
        mean
    }
}

/// Threads that never rest, until this is dropped.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn start(threads: usize) -> Busy {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..threads {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::black_box(0);
                }
            });
        }
        Busy(stop)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn main() {
    let names: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    println!("| model | busy threads | 1 thread, ms | 2 fixed | 2 adaptive | adaptive / 1 |");
    println!("|---|---|---|---|---|---|");
    for (model, classes) in MODELS {
        if !names.is_empty() && !names.iter().any(|name| name == model) {
            continue;
        }
        let (graph, batch, program) = compiled(model);
        let hypers: Vec<f64> =
            program.loops().uniforms.hypers.iter().map(|&(_, value)| value).collect();
        for busy in 0..=2 {
            let pools = [Pool::new(1), Pool::new(2), Pool::adaptive(2)];
            let mut runners = pools.map(|mut pool| {
                let memory = filled(&graph, batch, classes, &program, &mut pool);
                Runner { pool, memory, step: 0, steps: 0, time: Duration::ZERO }
            });
            let busy_threads = Busy::start(busy);
            for _ in 0..TURNS {
                runners.iter_mut().for_each(|runner| runner.turn(&program, &hypers));
            }
            drop(busy_threads);
            let [one, two, adaptive] = runners.each_mut().map(Runner::take);
            let ratio = adaptive / one;
            println!("| {model} | {busy} | {one:.3} | {two:.3} | {adaptive:.3} | {ratio:.2} |");
        }
    }
}
