//! What fusion achieves on networks of images: which values of a layer's size are written.
//!
//! A network is given as text of its forward pass; its gradients are made by autodiff. Every
//! engine runs it and must give the graph interpreter's values.

#[path = "engines/check.rs"]
mod check;
mod support;

use nnc::base::rng::Sequence;
use nnc::base::tensor::{DType, Data, Tensor};
use nnc::graph::kernels::{KernelKind, Kernels};
use nnc::graph::{Env, Graph, read, verify};
use nnc::pass::autodiff::{self, Wrt};

/// Lines of a graph, each the next node.
struct Lines {
    text: String,
    next: usize,
}

impl Lines {
    /// The tables, and a node for each line after them.
    fn new(tables: &str) -> Lines {
        Lines { text: format!("graph net {{\n{tables}\n"), next: 0 }
    }

    /// Adds a node: what stands after `=`.
    fn add(&mut self, line: &str) -> String {
        self.text += &format!("    %{} = {line}\n", self.next);
        self.next += 1;
        format!("%{}", self.next - 1)
    }

    fn splat(&mut self, value: &str, shape: &str) -> String {
        let constant = self.add(&format!("const {value} : f32"));
        self.add(&format!("broadcast {constant} : f32{shape}"))
    }

    /// `(x − mean)·rsqrt(variance + ε) + bias`, a bias a channel.
    fn batch_norm(&mut self, x: &str, bias: &str, shape: &str, channels: usize) -> String {
        let vector = format!("f32[{channels}]");
        let count = self.add("extent 144N : f64");
        let one = self.add("const 1.0 : f64");
        let part = self.add(&format!("div {one}, {count} : f64"));
        let part = self.add(&format!("cast {part} : f32"));
        let part = self.add(&format!("broadcast {part} : {vector}"));
        let sum = self.add(&format!("reduce_sum [0, 1, 2] {x} : {vector}"));
        let mean = self.add(&format!("mul {sum}, {part} : {vector}"));
        let variance = self.add(&format!("variance [0, 1, 2] {x} : {vector}"));
        let epsilon = self.splat("0.001", &format!("[{channels}]"));
        let variance = self.add(&format!("add {variance}, {epsilon} : {vector}"));
        let scale = self.add(&format!("rsqrt {variance} : {vector}"));
        let mut wide = |vector: &str| self.add(&format!("broadcast {vector} : f32{shape}"));
        let (mean, scale, bias) = (wide(&mean), wide(&scale), wide(bias));
        let centred = self.add(&format!("sub {x}, {mean} : f32{shape}"));
        let scaled = self.add(&format!("mul {centred}, {scale} : f32{shape}"));
        self.add(&format!("add {scaled}, {bias} : f32{shape}"))
    }

    fn relu(&mut self, x: &str, shape: &str) -> String {
        let zero = self.splat("0.0", shape);
        let mask = self.add(&format!("gt {x}, {zero} : bool{shape}"));
        self.add(&format!("where {mask}, {x}, {zero} : f32{shape}"))
    }

    /// The gradients of the sum of a value's squares.
    fn gradients(mut self, y: &str, shape: &str, axes: &str) -> Graph {
        let square = self.add(&format!("mul {y}, {y} : f32{shape}"));
        let loss = self.add(&format!("reduce_sum {axes} {square} : f32"));
        self.text += &format!("    output loss = {loss}\n}}\n");
        let graph = read(&self.text).unwrap_or_else(|error| panic!("{error}\n{}", self.text));
        assert_eq!(verify(&graph), Ok(()), "{}", self.text);
        autodiff::run(&graph, Wrt::default())
    }
}

/// Inputs of a batch: bytes, or eighths in [-1, 1].
fn batch_of(graph: &Graph, batch: usize) -> Env {
    let mut sequence = Sequence::new(9, 1);
    let mut env = Env::initial(graph, 5);
    for input in graph.inputs.values() {
        let shape = input.ty.shape.at(batch);
        let len: usize = shape.iter().product();
        let data = match input.ty.dtype {
            DType::U8 => Data::U8((0..len).map(|_| sequence.below(256) as u8).collect()),
            _ => Data::F32((0..len).map(|_| sequence.below(17) as f32 / 8.0 - 1.0).collect()),
        };
        env.inputs.insert(input.name.clone(), Tensor::new(shape, data));
    }
    env
}

/// Runs a graph in every engine; gives what of this shape its kernels write, by operator.
fn written(graph: &Graph, batch: usize, shape: &[usize]) -> (Vec<&'static str>, Kernels) {
    let (kernels, _) = check::compare(&graph.to_string(), graph, batch, &batch_of(graph, batch));
    let mut names = Vec::new();
    for kernel in kernels.kernels.values() {
        for &result in &kernel.results {
            let node = &kernels.graph.nodes[result];
            if node.ty.shape.extents().as_deref() == Some(shape) {
                names.push(node.op.name());
            }
        }
    }
    (names, kernels)
}

fn text(kernels: &Kernels) -> String {
    nnc::graph::print::print_kernels(kernels, None)
}

#[test]
fn normalised_values_are_computed_again_where_convolutions_read_them() {
    let shape = "[N, 12, 12, 8]";
    let mut lines = Lines::new(
        "    input0 image: u8[N, 12, 12, 3]
    param0 first: f32[3, 3, 3, 8] = uniform(-0.3, 0.3)
    param1 bias: f32[8] = constant(0.1)
    param2 second: f32[3, 3, 8, 8] = uniform(-0.2, 0.2)",
    );
    let image = lines.add("input0 : u8[N, 12, 12, 3]");
    let image = lines.add(&format!("cast {image} : f32[N, 12, 12, 3]"));
    let scale = lines.splat("0.003921569", "[N, 12, 12, 3]");
    let image = lines.add(&format!("mul {image}, {scale} : f32[N, 12, 12, 3]"));
    let half = lines.splat("0.5", "[N, 12, 12, 3]");
    let image = lines.add(&format!("sub {image}, {half} : f32[N, 12, 12, 3]"));
    let first = lines.add("param0 : f32[3, 3, 3, 8]");
    let x = lines.add(&format!("conv [3, 3] pad [1 + 1, 1 + 1] {image}, {first} : f32{shape}"));
    let bias = lines.add("param1 : f32[8]");
    let x = lines.batch_norm(&x, &bias, shape, 8);
    let x = lines.relu(&x, shape);
    let second = lines.add("param2 : f32[3, 3, 8, 8]");
    let y = lines.add(&format!("conv [3, 3] pad [1 + 1, 1 + 1] {x}, {second} : f32{shape}"));
    let graph = lines.gradients(&y, shape, "[0, 1, 2, 3]");
    let (names, kernels) = written(&graph, 8, &[8, 12, 12, 8]);
    // Both convolutions, and the gradient of what the first's normalised result was: neither the
    // normalised values nor the gradient by the first's result is written.
    assert_eq!(names, ["conv", "conv", "mul"], "{}", text(&kernels));
    let (names, _) = written(&graph, 8, &[8, 12, 12, 3]);
    assert!(names.is_empty(), "{names:?}\n{}", text(&kernels));
    // All four sums are added up where what they sum is made.
    let sums = kernels.kernels.values().filter(|kernel| kernel.kind == KernelKind::Columns);
    assert_eq!(sums.count(), 0, "{}", text(&kernels));
}
