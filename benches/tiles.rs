//! GFLOP/s of one core in contractions, beside what its FMA units do when they wait for nothing.
//!
//! `cargo bench --bench tiles` prints a row for each instruction set of this machine and each
//! shape; words after `--` choose rows (`-- avx512 resnet20`). Steps of a shape and of the peak
//! take turns, and the fastest of each counts, so that a busy machine shows little. Operands are
//! as training has them: a batch of activations (with their borders in memory), weights as they
//! lie in a file.

use std::time::{Duration, Instant};

use nnc::base::tensor::DType;
use nnc::codegen::jit::link;
use nnc::codegen::{Target, emit};
use nnc::loops::builder::KernelBuilder;
use nnc::loops::{
    Access, Action, Affine, Buffer, Planned, Program as Loops, RowAxis, Space, SumAxis, Tile,
};
use nnc::runtime::pool::Pool;
use nnc::runtime::program::{CompiledProgram, RunMemory, StepArgs};

/// Operations of one measured step at least: its beginning and end do not show, but it is short
/// enough to run undisturbed now and then.
const OPERATIONS: usize = 10_000_000;

/// How long a shape is looked at.
const LOOK: Duration = Duration::from_millis(400);

/// A contraction by name.
struct Shape {
    name: &'static str,
    n: usize,
    /// Extent and distances in a and c.
    rows: Vec<(usize, i64, i64)>,
    /// Extent and distances in a and b.
    sum: Vec<(usize, i64, i64)>,
    /// Whether it adds to the result (a gradient of weights) or ends in bias and relu.
    accumulate: bool,
    /// How many such contractions stand side by side, each with a right operand of its own: panels
    /// of weights.
    panels: usize,
}

/// `c[m, n] = Σ_k a[m, k]·b[k, n]`.
fn forward(name: &'static str, m: usize, k: usize, n: usize) -> Shape {
    let rows = vec![(m, k as i64, n as i64)];
    Shape { name, n, rows, sum: vec![(k, 1, n as i64)], accumulate: false, panels: 1 }
}

/// `c[m, n] = Σ_k a[k, m]·b[k, n]`: a gradient of weights.
fn gradient(name: &'static str, m: usize, k: usize, n: usize) -> Shape {
    let rows = vec![(m, 1, n as i64)];
    Shape { name, n, rows, sum: vec![(k, m as i64, n as i64)], accumulate: true, panels: 1 }
}

/// A convolution by a 3×3 window over images `[images, h, w, c]` (border included) into `out`
/// channels.
#[derive(Clone, Copy)]
struct Conv {
    images: usize,
    h: usize,
    w: usize,
    c: usize,
    out: usize,
}

impl Conv {
    /// The output, or the gradient of the input, which is the same with other weights.
    fn forward(self, name: &'static str) -> Shape {
        let Conv { images, h, w, c, out } = self;
        let [row, image] = [w * c, h * w * c].map(|far| far as i64);
        let [y, x, z] = [(h - 2) * (w - 2) * out, (w - 2) * out, out].map(|far| far as i64);
        let rows = vec![(images, image, y), (h - 2, row, x), (w - 2, c as i64, z)];
        let sum = vec![(3, row, (3 * c * out) as i64), (3 * c, 1, out as i64)];
        Shape { name, n: out, rows, sum, accumulate: false, panels: 1 }
    }

    /// As `forward`, with weights in panels of 32 output channels, `[out/32, 3, 3, c, 32]`.
    fn panels(self, name: &'static str) -> Shape {
        const PANEL: usize = 32;
        let row = (self.w * self.c) as i64;
        let taps = (3 * self.c * PANEL) as i64;
        let sum = vec![(3, row, taps), (3 * self.c, 1, PANEL as i64)];
        Shape { n: PANEL, sum, panels: self.out / PANEL, ..self.forward(name) }
    }

    /// The gradient of the weights: rows are taps and channels, sums run over output places.
    fn weight_gradient(self, name: &'static str) -> Shape {
        let Conv { images, h, w, c, out } = self;
        let [row, image] = [w * c, h * w * c].map(|far| far as i64);
        let [y, x, z] = [(h - 2) * (w - 2) * out, (w - 2) * out, out].map(|far| far as i64);
        let rows = vec![(3, row, (3 * c * out) as i64), (3 * c, 1, out as i64)];
        let sum = vec![(images, image, y), (h - 2, row, x), (w - 2, c as i64, z)];
        Shape { name, n: out, rows, sum, accumulate: true, panels: 1 }
    }
}

fn dense() -> Vec<Shape> {
    vec![
        forward("forward 32×784×128", 32, 784, 128),
        forward("forward 32×128×10", 32, 128, 10),
        gradient("gradient 784×32×128", 784, 32, 128),
        forward("forward 128×784×512", 128, 784, 512),
        forward("forward 128×512×512", 128, 512, 512),
        gradient("gradient 784×128×512", 784, 128, 512),
        forward("square 512×512×512", 512, 512, 512),
    ]
}

impl Shape {
    fn operations(&self) -> usize {
        let count = |axes: &[(usize, i64, i64)]| axes.iter().map(|axis| axis.0).product::<usize>();
        2 * count(&self.rows) * self.n * self.panels * count(&self.sum)
    }

    /// A program that computes it so often that a step takes long enough; how often.
    fn program(&self) -> (Loops, usize) {
        let repeat = OPERATIONS.div_ceil(self.operations());
        let mut kernel = KernelBuilder::new(self.name, 1);
        let at = |slot| Access { slot, index: Affine::default() };
        let rows = self.rows.iter().map(|&(extent, a, c)| RowAxis { extent, a, c }).collect();
        let sum = self.sum.iter().map(|&(extent, a, b)| SumAxis { extent, a, b }).collect();
        let reach = |dims: &[(i64, usize)]| {
            1 + dims.iter().map(|&(stride, count)| stride as usize * (count - 1)).sum::<usize>()
        };
        // Sizes are known from the tile, so its slots are put in later.
        let some = kernel.slot(DType::F32, 1);
        let mut tile = Tile {
            rows,
            n: self.n,
            sum,
            a: at(some),
            b: at(some),
            c: at(some),
            accumulate: self.accumulate,
            bias: (!self.accumulate).then(|| at(some)),
            relu: !self.accumulate,
        };
        let far = reach(&tile.b_dims());
        let columns = (self.panels - 1) * self.n;
        let c = reach(&tile.c_dims()) + columns;
        let lens = [reach(&tile.a_dims()), far * self.panels, c, self.n + columns];
        let slots = lens.map(|len| kernel.slot(DType::F32, len));
        (tile.a.slot, tile.b.slot, tile.c.slot) = (slots[0], slots[1], slots[2]);
        tile.bias = tile.bias.map(|_| at(slots[3]));
        kernel.parts(|kernel, _| {
            kernel.serial(repeat, |kernel, _| {
                kernel.serial(self.panels, |kernel, panel| {
                    tile.b.index = Affine::var(panel).times(far as i64);
                    tile.c.index = Affine::var(panel).times(self.n as i64);
                    if let Some(bias) = &mut tile.bias {
                        bias.index = tile.c.index.clone();
                    }
                    kernel.tile(tile);
                });
            });
        });
        let mut program = Loops { name: self.name.into(), ..Loops::default() };
        let mut offset = 0;
        let args = [1].into_iter().chain(lens).enumerate().map(|(index, len)| {
            let at = offset;
            offset += (len * DType::F32.size()).next_multiple_of(64);
            let (name, space, dtype) = (format!("input.{index}"), Space::Pinned, DType::F32);
            program.buffers.push(Buffer { name, dtype, len, space, offset: Some(at), part: None })
        });
        let args = args.collect();
        let kernel = program.kernels.push(kernel.finish());
        program.actions.push(Action::Run { kernel, args });
        (program, repeat)
    }
}

/// A compiled shape, to be run again and again.
struct Bench {
    program: CompiledProgram,
    memory: RunMemory,
    operations: usize,
    /// The fastest step, in seconds: whatever else the machine does only makes steps longer.
    fastest: f64,
}

impl Bench {
    fn new(shape: &Shape, target: &Target) -> Bench {
        let (loops, repeat) = shape.program();
        let planned = Planned::new(loops).expect("a sound program");
        let program = CompiledProgram::new(link(&emit(&planned, target)));
        let memory = RunMemory::for_programs([&program], 1);
        let operations = shape.operations() * repeat;
        Bench { program, memory, operations, fastest: f64::INFINITY }
    }

    fn step(&mut self, pool: &mut Pool) {
        let args = StepArgs { step: 1, seed: 0, hypers: &[] };
        let start = Instant::now();
        self.program.run(&mut self.memory, pool, &args).expect("no index comes from data");
        self.fastest = self.fastest.min(start.elapsed().as_secs_f64());
    }

    fn rate(&self) -> f64 {
        self.operations as f64 / self.fastest / 1e9
    }
}

/// A product whose operands stay in the nearest cache: every step reads the same few numbers.
fn peak() -> Shape {
    let (rows, sum) = (vec![(84, 1, 32)], vec![(4096, 0, 0)]);
    Shape { name: "peak", n: 32, rows, sum, accumulate: true, panels: 1 }
}

/// The convolutions of some networks, a part's images each.
fn convolutions() -> Vec<Shape> {
    let conv = |images, h, w, c, out| Conv { images, h, w, c, out };
    vec![
        conv(4, 28, 28, 1, 32).forward("lenet 28×28×1→32"),
        conv(4, 13, 13, 32, 64).forward("lenet 13×13×32→64"),
        conv(4, 15, 15, 64, 32).forward("lenet 13×13×32→64, input gradient"),
        conv(4, 13, 13, 32, 64).weight_gradient("lenet 13×13×32→64, weight gradient"),
        conv(8, 34, 34, 16, 16).forward("resnet20 32×32×16→16"),
        conv(8, 34, 34, 16, 16).weight_gradient("resnet20 32×32×16→16, weight gradient"),
        conv(8, 18, 18, 32, 32).forward("resnet20 16×16×32→32"),
        conv(8, 18, 18, 32, 32).weight_gradient("resnet20 16×16×32→32, weight gradient"),
        conv(8, 10, 10, 64, 64).forward("resnet20 8×8×64→64"),
        conv(8, 10, 10, 64, 64).weight_gradient("resnet20 8×8×64→64, weight gradient"),
        conv(2, 150, 150, 3, 32).forward("image_cnn 150×150×3→32"),
        conv(2, 150, 150, 3, 32).weight_gradient("image_cnn 150×150×3→32, weight gradient"),
        conv(2, 74, 74, 32, 64).forward("image_cnn 74×74×32→64"),
        conv(2, 76, 76, 64, 32).forward("image_cnn 74×74×32→64, input gradient"),
        conv(2, 74, 74, 32, 64).weight_gradient("image_cnn 74×74×32→64, weight gradient"),
        conv(2, 36, 36, 64, 128).forward("image_cnn 36×36×64→128"),
        conv(2, 38, 38, 128, 64).forward("image_cnn 36×36×64→128, input gradient"),
        conv(2, 36, 36, 64, 128).weight_gradient("image_cnn 36×36×64→128, weight gradient"),
        conv(16, 6, 6, 512, 512).panels("resnet18_32 4×4×512→512, panels"),
        conv(16, 6, 6, 512, 512).weight_gradient("resnet18_32 4×4×512→512, weight gradient"),
        conv(16, 10, 10, 256, 256).panels("resnet18_32 8×8×256→256, panels"),
        conv(4, 18, 18, 128, 128).panels("resnet18_32 16×16×128→128, panels"),
        conv(4, 34, 34, 64, 64).forward("resnet18_32 32×32×64→64"),
    ]
}

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let is_wanted = |name: &str| wanted.iter().all(|word| name.contains(word.as_str()));
    let mut pool = Pool::new(1);
    let shapes: Vec<Shape> = dense().into_iter().chain(convolutions()).collect();
    let targets =
        ["avx512", "avx2", "portable"].map(|name| Target::from_name(name).expect("a target"));
    for target in targets.into_iter().filter(Target::supported_on_host) {
        for shape in &shapes {
            let name = format!("{} {}", target.name(), shape.name);
            if is_wanted(&name) {
                let (mut bench, mut peak) =
                    (Bench::new(shape, &target), Bench::new(&peak(), &target));
                let start = Instant::now();
                while start.elapsed() < LOOK {
                    bench.step(&mut pool);
                    peak.step(&mut pool);
                }
                let (rate, of_peak) = (bench.rate(), 100.0 * bench.rate() / peak.rate());
                println!("{name:60} {rate:7.1} GFLOP/s  {of_peak:5.1} % of {:.1}", peak.rate());
            }
        }
    }
}
