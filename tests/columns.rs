//! Reductions over first axes, of many shapes: every engine gives what the graph's interpreter
//! gives, to the bit on every target and number of threads; and one pass makes all of them.

#[path = "engines/check.rs"]
mod check;
mod support;

use check::compare;
use nnc::base::rng::Sequence;
use nnc::base::tensor::{Data, Tensor};
use nnc::graph::kernels::{KernelKind, Kernels};
use nnc::graph::{Env, Graph, read};

/// Inputs of eighths in [-2, 2].
fn env(graph: &Graph) -> Env {
    let mut sequence = Sequence::new(7, 1);
    let mut env = Env::initial(graph, 7);
    for input in graph.inputs.values() {
        let shape = input.ty.shape.at(1);
        let len: usize = shape.iter().product();
        let data = (0..len).map(|_| sequence.below(33) as f32 / 8.0 - 2.0).collect();
        env.inputs.insert(input.name.clone(), Tensor::new(shape, Data::F32(data)));
    }
    env
}

fn run(what: &str, text: &str) -> Kernels {
    let graph = read(text).unwrap_or_else(|error| panic!("{what}: {error:?}\n{text}"));
    compare(what, &graph, 1, &env(&graph)).0
}

fn list(values: &[usize]) -> String {
    let words: Vec<String> = values.iter().map(usize::to_string).collect();
    words.join(", ")
}

fn columns(kernels: &Kernels) -> usize {
    kernels.kernels.values().filter(|kernel| kernel.kind == KernelKind::Columns).count()
}

#[test]
fn sums_maxima_and_minima_of_many_shapes() {
    let cases: &[(&[usize], &[usize])] = &[
        (&[32, 128], &[0]),
        (&[5, 10], &[0]),
        (&[100, 3], &[0]),
        (&[4096, 3], &[0]),
        (&[2500, 1, 7], &[0]),
        (&[37, 5, 5, 16], &[0, 1, 2]),
        (&[16, 9, 9, 64], &[0, 1, 2]),
        (&[20, 16, 16, 17], &[0, 1, 2]),
        (&[3, 7, 6, 33], &[0, 1, 2]),
        (&[1, 9, 11, 4], &[0, 1, 2]),
        (&[9, 4, 6, 10], &[0, 2]),
        (&[9, 4, 6, 10], &[1, 2]),
        (&[17, 4, 6, 10], &[1]),
        (&[24, 70, 70], &[0]),
        (&[24, 5000], &[0]),
    ];
    for (shape, axes) in cases {
        let kept: Vec<usize> =
            (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect();
        let (shape, axes, kept) = (list(shape), list(axes), list(&kept));
        let text = format!(
            "graph g {{
                input0 x: f32[{shape}]
                input1 m: f32[{kept}]
                %0 = input0 : f32[{shape}]
                %1 = input1 : f32[{kept}]
                %2 = reduce_sum [{axes}] %0 : f32[{kept}]
                %3 = reduce_max [{axes}] %0 : f32[{kept}]
                %4 = mul %0, %0 : f32[{shape}]
                %5 = reduce_min [{axes}] %4 : f32[{kept}]
                %6 = add %2, %1 : f32[{kept}]
                %7 = mul %6, %3 : f32[{kept}]
                %8 = exp %3 : f32[{kept}]
                output a = %6
                output b = %7
                output c = %5
                output d = %8
            }}"
        );
        let kernels = run(&format!("[{shape}] over {axes}"), &text);
        assert_eq!(columns(&kernels), 1, "[{shape}] over {axes}");
    }
}

/// Forward and backward sums of a batch norm over `[N, H, W, C]`, with a relu before it whose
/// result others read: what is made is stored on the way.
#[test]
fn a_value_and_its_sums_are_one_pass() {
    for (n, h, c) in [(16, 9, 8), (20, 5, 3), (3, 8, 32), (48, 3, 5)] {
        let full = format!("f32[{n}, {h}, {h}, {c}]");
        let text = format!(
            "graph g {{
                input0 x: {full}
                input1 mean: f32[{c}]
                state0 seen: f32[{c}] = constant(0.5)
                %0 = input0 : {full}
                %1 = input1 : f32[{c}]
                %2 = const 0.25 : f32
                %3 = broadcast %2 : {full}
                %4 = max %0, %3 : {full}
                %5 = broadcast %1 : {full}
                %6 = sub %4, %5 : {full}
                %7 = mul %6, %4 : {full}
                %8 = reduce_sum [0, 1, 2] %4 : f32[{c}]
                %9 = reduce_sum [0, 1, 2] %7 : f32[{c}]
                %10 = mul %8, %9 : f32[{c}]
                %11 = broadcast %10 : {full}
                %12 = mul %4, %11 : {full}
                %13 = state0 : f32[{c}]
                %14 = add %13, %8 : f32[{c}]
                output y = %12
                update state0 = %14
            }}"
        );
        let kernels = run(&format!("{n} {h} {c}"), &text);
        assert_eq!(columns(&kernels), 1);
    }
}

/// Mean and variance of one value are one pass, whatever is reduced.
#[test]
fn mean_and_variance_are_one_pass() {
    let cases: &[(&[usize], &[usize])] = &[
        (&[32, 128], &[0]),
        (&[5, 10], &[0]),
        (&[4096, 3], &[0]),
        (&[37, 5, 5, 16], &[0, 1, 2]),
        (&[16, 9, 9, 64], &[0, 1, 2]),
        (&[20, 16, 16, 17], &[0, 1, 2]),
        (&[1, 9, 11, 4], &[0, 1, 2]),
        (&[9, 4, 6, 10], &[0, 2]),
        (&[9, 4, 6, 10], &[1, 2]),
        (&[17, 4, 6, 10], &[1]),
        (&[24, 70, 70], &[0]),
    ];
    for (shape, axes) in cases {
        let kept: Vec<usize> =
            (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect();
        let (shape, axes, kept) = (list(shape), list(axes), list(&kept));
        let text = format!(
            "graph g {{
                input0 x: f32[{shape}]
                %0 = input0 : f32[{shape}]
                %1 = reduce_sum [{axes}] %0 : f32[{kept}]
                %2 = variance [{axes}] %0 : f32[{kept}]
                %3 = rsqrt %2 : f32[{kept}]
                %4 = mul %3, %1 : f32[{kept}]
                output a = %2
                output b = %4
            }}"
        );
        let kernels = run(&format!("[{shape}] over {axes}"), &text);
        assert_eq!(columns(&kernels), 1, "[{shape}] over {axes}");
    }
}

/// The variance of numbers far from zero is that of two passes, to about 1e-6.
#[test]
fn variances_far_from_zero() {
    for (shift, outlier) in [(0.0, 0.0), (1000.0, 0.0), (-30000.0, 0.0), (100.0, 1000.0)] {
        let shape = [64, 8, 8, 12];
        let graph = read(
            "graph g {
                input0 x: f32[64, 8, 8, 12]
                %0 = input0 : f32[64, 8, 8, 12]
                %1 = variance [0, 1, 2] %0 : f32[12]
                output y = %1
            }",
        )
        .unwrap();
        let mut sequence = Sequence::new(3, 1);
        let mut uniform = || sequence.below(1 << 20) as f32 / (1 << 20) as f32;
        let mut x: Vec<f32> = (0..shape.iter().product::<usize>())
            .map(|_| (0..4).map(|_| uniform()).sum::<f32>() + shift)
            .collect();
        x[..12].iter_mut().for_each(|first| *first += outlier);
        let mut env = Env::initial(&graph, 1);
        env.inputs.insert("x".into(), Tensor::new(shape.to_vec(), Data::F32(x.clone())));
        let job = support::engines::Job {
            graph,
            batch: 1,
            seed: 1,
            given: Default::default(),
            inputs: Box::new(move |_| env.inputs.clone()),
        };
        let left =
            support::engines::Engine::Compiled(support::engines::targets().last().unwrap(), 2)
                .run(&job, 1);
        for (channel, &found) in left.outputs["y"].iter().enumerate() {
            let own: Vec<f64> =
                x.iter().skip(channel).step_by(12).map(|&value| f64::from(value)).collect();
            let mean = own.iter().sum::<f64>() / own.len() as f64;
            let squares = own.iter().map(|value| (value - mean).powi(2));
            let expected = squares.sum::<f64>() / own.len() as f64;
            let error = (f64::from(found) - expected).abs() / expected;
            assert!(error < 2e-6, "{shift} {outlier}: {found} for {expected}, {error:e}");
        }
    }
}

/// Statistics of a convolution's result, and the sums of a gradient that one makes, are added
/// while it is in cache: no pass of their own.
#[test]
fn sums_over_a_convolution_are_its_own() {
    for (n, h, c, o) in
        [(16, 9, 3, 8), (20, 32, 4, 16), (3, 40, 8, 5), (1, 9, 4, 4), (48, 3, 5, 70)]
    {
        let (x, y) = (format!("f32[{n}, {h}, {h}, {c}]"), format!("f32[{n}, {h}, {h}, {o}]"));
        let text = format!(
            "graph g {{
                input0 x: {x}
                input1 g: {x}
                param0 w: f32[3, 3, {c}, {o}] = constant(0.1)
                param1 v: f32[3, 3, {o}, {c}] = constant(0.2)
                %0 = input0 : {x}
                %1 = param0 : f32[3, 3, {c}, {o}]
                %2 = conv [3, 3] pad [1 + 1, 1 + 1] %0, %1 : {y}
                %3 = reduce_sum [0, 1, 2] %2 : f32[{o}]
                %4 = variance [0, 1, 2] %2 : f32[{o}]
                %5 = add %3, %4 : f32[{o}]
                %6 = broadcast %5 : {y}
                %7 = mul %2, %6 : {y}
                %8 = input1 : {x}
                %9 = param1 : f32[3, 3, {o}, {c}]
                %10 = conv_input_grad [3, 3] pad [1 + 1, 1 + 1] %8, %9 : {y}
                %11 = const 0.371 : f32
                %12 = broadcast %11 : {y}
                %13 = gt %7, %12 : bool[{n}, {h}, {h}, {o}]
                %14 = where %13, %10, %12 : {y}
                %15 = reduce_sum [0, 1, 2] %14 : f32[{o}]
                %16 = mul %14, %2 : {y}
                %17 = reduce_sum [0, 1, 2] %16 : f32[{o}]
                %18 = mul %15, %17 : f32[{o}]
                %19 = broadcast %18 : {y}
                %20 = mul %14, %19 : {y}
                output y = %7
                output z = %20
            }}"
        );
        let kernels = run(&format!("{n} {h} {c} {o}"), &text);
        assert_eq!(columns(&kernels), 0);
    }
}

/// A value less its mean is computed by each reader: the value itself is in memory.
#[test]
fn centred_values_are_not_kept() {
    let full = "f32[16, 9, 9, 8]";
    let text = format!(
        "graph g {{
            input0 x: {full}
            input1 g: {full}
            %0 = input0 : {full}
            %1 = exp %0 : {full}
            %2 = reduce_sum [0, 1, 2] %1 : f32[8]
            %3 = const 0.0007716049382716049 : f32
            %4 = broadcast %3 : f32[8]
            %5 = mul %2, %4 : f32[8]
            %6 = broadcast %5 : {full}
            %7 = sub %1, %6 : {full}
            %8 = variance [0, 1, 2] %1 : f32[8]
            %9 = rsqrt %8 : f32[8]
            %10 = broadcast %9 : {full}
            %11 = mul %7, %10 : {full}
            %12 = input1 : {full}
            %13 = mul %7, %12 : {full}
            %14 = reduce_sum [0, 1, 2] %13 : f32[8]
            output y = %11
            output s = %14
        }}"
    );
    let kernels = run("centred", &text);
    assert_eq!(columns(&kernels), 2);
    let kept = kernels.kernels.values().flat_map(|kernel| &kernel.results);
    let subtracted = |node: &&nnc::graph::NodeId| {
        matches!(kernels.graph.nodes[**node].op, nnc::graph::Op::Binary(nnc::graph::Binary::Sub))
    };
    assert_eq!(kept.filter(subtracted).count(), 0);
}
