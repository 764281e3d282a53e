//! Transposed convolutions of every size, stride, dilation and padding beside what they mean: each
//! element of the input adds the weight's window to the result.

mod support;

use nnc::base::rng::Sequence;
use nnc::base::tensor::Tensor;
use nnc::graph::Env;
use support::compare::assert_close;
use support::pipeline::{experiment, try_experiment};

const CASES: u64 = 300;

/// One axis: the extent of the input, and the arguments.
#[derive(Clone, Copy, Debug)]
struct Axis {
    extent: usize,
    size: usize,
    stride: usize,
    dilation: usize,
    /// `None` is `same`.
    pad: Option<usize>,
    output_pad: usize,
}

impl Axis {
    fn draw(random: &mut Sequence, same: bool) -> Axis {
        let mut below = |bound: usize| random.below(bound as u32) as usize;
        let (size, stride, dilation) = (1 + below(4), 1 + below(4), 1 + below(3));
        let output_pad = if same { 0 } else { below(stride.max(dilation)) };
        let reach = dilation * (size - 1) + 1;
        let pad = (!same).then(|| below(reach.min(3)));
        Axis { extent: 3 + below(4), size, stride, dilation, pad, output_pad }
    }

    fn reach(&self) -> usize {
        self.dilation * (self.size - 1) + 1
    }

    /// The extent of the result, and how many rows before it are cut off: PyTorch's
    /// `ConvTranspose2d`, and TensorFlow's `conv2d_transpose` for `same`.
    fn result(&self) -> (usize, usize) {
        let whole = (self.extent - 1) * self.stride + self.reach();
        match self.pad {
            Some(pad) => (whole + self.output_pad - 2 * pad, pad),
            None => (self.extent * self.stride, self.reach().saturating_sub(self.stride) / 2),
        }
    }
}

/// `x[h, w, c]` of one image, `weight[kh, kw, c, o]`.
fn scattered(x: &[f32], weight: &[f32], axes: [Axis; 2], channels: [usize; 2]) -> Vec<f32> {
    let [(height, top), (width, left)] = axes.map(|axis| axis.result());
    let [inputs, outputs] = channels;
    let mut result = vec![0.0; height * width * outputs];
    for h in 0..axes[0].extent {
        for w in 0..axes[1].extent {
            for kh in 0..axes[0].size {
                for kw in 0..axes[1].size {
                    let row = (h * axes[0].stride + kh * axes[0].dilation).checked_sub(top);
                    let column = (w * axes[1].stride + kw * axes[1].dilation).checked_sub(left);
                    let (Some(row), Some(column)) = (row, column) else { continue };
                    if row >= height || column >= width {
                        continue;
                    }
                    for c in 0..inputs {
                        let value = x[(h * axes[1].extent + w) * inputs + c];
                        let from = &weight[((kh * axes[1].size + kw) * inputs + c) * outputs..];
                        let to = &mut result[(row * width + column) * outputs..];
                        (0..outputs).for_each(|o| to[o] += value * from[o]);
                    }
                }
            }
        }
    }
    result
}

#[test]
fn each_element_adds_the_weight_s_window() {
    for seed in 0..CASES {
        let mut random = Sequence::new(seed, 2);
        let same = seed % 4 == 0;
        let axes = [(); 2].map(|()| Axis::draw(&mut random, same));
        if axes.iter().any(|axis| axis.reach() + axis.output_pad <= 2 * axis.pad.unwrap_or(0)) {
            continue;
        }
        let [inputs, outputs] = [1 + random.below(3) as usize, 1 + random.below(3) as usize];
        let of = |value: fn(&Axis) -> usize| format!("[{}, {}]", value(&axes[0]), value(&axes[1]));
        let pad = if same { "same".to_owned() } else { of(|axis| axis.pad.unwrap_or(0)) };
        let text = format!(
            "model net(x: f32[N, {}, {}, {inputs}]) {{\n    x |> conv_transpose({outputs}, {}, stride: {}, \
             dilation: {}, pad: {pad}, output_pad: {}, bias: false)\n}}\n",
            axes[0].extent,
            axes[1].extent,
            of(|axis| axis.size),
            of(|axis| axis.stride),
            of(|axis| axis.dilation),
            of(|axis| axis.output_pad),
        );
        let graph = experiment(&text, Vec::new()).eval;
        let mut env = Env::initial(&graph, seed);
        let count = axes[0].extent * axes[1].extent * inputs;
        let values: Vec<f32> = (0..count).map(|_| random.normal() as f32).collect();
        let shape = [1, axes[0].extent, axes[1].extent, inputs];
        env.inputs.insert("x".to_owned(), Tensor::f32(shape, values.clone()));
        let weight = env.params[0].as_f32().to_vec();
        let outcome = nnc::graph::run(&graph, 1, &env).expect("a sound graph");
        let want = scattered(&values, &weight, axes, [inputs, outputs]);
        assert_close(outcome.outputs["output"].as_f32(), &want, &text);
    }
}

#[test]
fn rows_that_nothing_reaches_are_refused() {
    for (args, complaint) in [
        ("stride: 2, output_pad: 2", "at most 1 can be meant"),
        ("dilation: 2, output_pad: 2", "at most 1 can be meant"),
        ("stride: 2, output_pad: [[0, 1], [1, 1]]", "output_pad"),
        ("pad: 9", "takes more than the"),
    ] {
        let text = format!(
            "model net(x: f32[N, 4, 4, 1]) {{\n    x |> conv_transpose(2, 3, {args})\n}}\n"
        );
        let errors = try_experiment(&text, Vec::new()).expect_err("refused");
        assert!(errors.contains(complaint), "{args}: {errors}");
    }
}
