//! Models that use all that is printed as C, data to train them on, and programs that call them.

use super::folder::Folder;
use nnc::base::rng::Sequence;
use safetensors::tensor::{Dtype, TensorView};

/// A model of one input `x`, the data of which are drawn.
pub struct TestModel {
    pub name: &'static str,
    /// The shape of a sample; tokens below 7 where `is_tokens`, else numbers.
    pub shape: &'static [usize],
    pub is_tokens: bool,
    /// The shape of a sample's output.
    pub output: &'static [usize],
    pub body: &'static str,
}

const fn numbers(
    name: &'static str,
    shape: &'static [usize],
    output: &'static [usize],
    body: &'static str,
) -> TestModel {
    TestModel { name, shape, is_tokens: false, output, body }
}

/// Every kind of kernel.
pub const MODELS: &[TestModel] = &[
    numbers("dense", &[20], &[3], "x |> dense(33) |> tanh |> dense(70) |> sigmoid |> dense(3)"),
    numbers(
        "functions",
        &[37],
        &[37],
        "exp(x * 20.0) * 1e-6 + sin(x * 1000.0) + cos(x) + erf(x) + log(abs(x) + 1e-3) \
         + sqrt(abs(x)) + rsqrt(x * x + 1.0) + floor(x * 3.0) + (abs(x) + 0.5) ^ 1.7 \
         + sign(x) + max(x, 0.1) + min(x, 0.2) + expm1(x) + log1p(abs(x)) \
         + (x * 1e-19 * 1e-19 * 1e30) + softmax(x)",
    ),
    numbers(
        "convolutions",
        &[11, 9, 6],
        &[3],
        "x |> conv(16, 3, stride: 2, pad: 1) |> relu |> conv(8, 3, groups: 2, pad: 1) |> silu \
         |> depthwise_conv(3, pad: 1) |> avg_pool(2) |> flatten |> dense(3)",
    ),
    numbers(
        "normed",
        &[12, 12, 3],
        &[3],
        "x |> conv(32, 3) |> batch_norm |> relu |> max_pool(2) |> conv(20, 3) |> group_norm(4) \
         |> mish |> global_avg_pool |> dense(3)",
    ),
    numbers(
        "attention",
        &[12, 16],
        &[12, 4],
        "x |> attention(2, causal: true) |> layer_norm |> dense(24) |> gelu |> rms_norm \
         |> dense(8) |> swiglu |> softmax",
    ),
    TestModel {
        name: "recurrent",
        shape: &[9],
        is_tokens: true,
        output: &[9, 3],
        body: "x |> embedding(7, 8) |> lstm(12) |> gru(10, reverse: true) |> dense(3)",
    },
];

/// A model whose weights are too large for a source file.
pub const LARGE: TestModel =
    numbers("large", &[20], &[3], "x |> dense(1200) |> relu |> dense(1000) |> relu |> dense(3)");

/// A model whose training uses random numbers, running means and every way of first values.
pub const TRAINED: TestModel = numbers(
    "trained",
    &[20],
    &[3],
    "x |> dense(33, bias: false) |> batch_norm |> relu |> dropout(0.3) \
     |> dense(40, init: he_normal) |> gelu |> dense(3)",
);

fn list(shape: &[usize]) -> String {
    shape.iter().map(|extent| format!(", {extent}")).collect()
}

/// A model of which training writes the rows that it uses.
pub const TABLE: TestModel = TestModel {
    name: "table",
    shape: &[9],
    is_tokens: true,
    output: &[3],
    body: "x |> embedding(2100, 32) |> mean(axis: 1) |> dense(3)",
};

impl TestModel {
    fn program(&self, settings: &str) -> String {
        let (shape, output, body) = (list(self.shape), list(self.output), self.body);
        let ty = if self.is_tokens { "i32" } else { "f32" };
        format!(
            "data d = arrays(\"d.safetensors\") {{\n    x = array\n    y = array as target\n}}\n\
             model net(x: {ty}[N{shape}]) -> f32[N{output}] {{\n    {body}\n}}\n\
             train net on d {{\n    loss = mse\n    batch = 4\n    {settings}\n}}\n"
        )
    }

    /// Elements of a sample.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// A safetensors file of samples, each element of four bytes, with their targets.
    pub fn tensors(&self, samples: &[u8], targets: Option<&[u8]>) -> Vec<u8> {
        let count = samples.len() / 4 / self.elements();
        let dtype = if self.is_tokens { Dtype::I32 } else { Dtype::F32 };
        let shaped = |shape: &[usize]| [&[count], shape].concat();
        let x = TensorView::new(dtype, shaped(self.shape), samples).expect("a tensor");
        let y = targets.map(|targets| {
            TensorView::new(Dtype::F32, shaped(self.output), targets).expect("a tensor")
        });
        let tensors = [("x", x)].into_iter().chain(y.map(|y| ("y", y)));
        safetensors::serialize(tensors, None).expect("a file")
    }

    /// A C program that answers the batches of samples on its standard input.
    pub fn main(&self) -> String {
        main("", "net_predict(in, out, arena.bytes)", self)
    }

    /// The same for weights in a file, which it reads first.
    pub fn main_with_weights(&self) -> String {
        let load = "    FILE *file = fopen(\"c/\" NET_WEIGHTS_FILE, \"rb\");\n    \
                    static unsigned char weights[NET_WEIGHTS_BYTES];\n    \
                    if (!file || fread(weights, sizeof weights, 1, file) != 1) return 3;\n";
        main(load, "net_predict(in, out, weights, arena.bytes)", self)
    }

    /// The type of its input in C.
    pub fn element(&self) -> &'static str {
        if self.is_tokens { "int32_t" } else { "float" }
    }
}

fn main(load: &str, call: &str, model: &TestModel) -> String {
    format!(
        "#include <stdio.h>\n#include \"c/net.h\"\n\
         static {} in[NET_X_ELEMENTS];\nstatic float out[NET_OUTPUT_ELEMENTS];\n\
         /* A byte behind the arena that no call may touch. */\n\
         static union {{ double aligned; unsigned char bytes[NET_ARENA_BYTES + 1]; }} arena;\n\
         int main(void) {{\n{load}    arena.bytes[NET_ARENA_BYTES] = 77;\n    \
         while (fread(in, sizeof in, 1, stdin) == 1) {{\n        const int code = {call};\n        \
         if (code != 0) return 10 + code;\n        fwrite(out, sizeof out, 1, stdout);\n    }}\n    \
         return arena.bytes[NET_ARENA_BYTES] == 77 ? 0 : 4;\n}}\n",
        model.element()
    )
}

/// So many samples, drawn.
pub fn inputs(model: &TestModel, count: usize) -> Vec<u8> {
    let mut random = Sequence::new(3, count as u64);
    let mut sample = || match model.is_tokens {
        true => (random.below(7) as i32).to_le_bytes(),
        false => (random.normal() as f32).to_le_bytes(),
    };
    (0..count * model.elements()).flat_map(|_| sample()).collect()
}

/// Samples that a model is trained on.
pub const SAMPLES: usize = 12;

/// What they are trained towards, drawn.
pub fn targets(model: &TestModel) -> Vec<u8> {
    let outputs = SAMPLES * model.output.iter().product::<usize>();
    let mut random = Sequence::new(4, 0);
    (0..outputs).flat_map(|_| (random.unit() as f32).to_le_bytes()).collect()
}

/// A folder in which a model has been trained, `run`.
pub fn trained(model: &TestModel) -> Folder {
    trained_by(model, "optimizer = adam(lr: 1e-3)\n    epochs = 1")
}

/// The same by these settings.
pub fn trained_by(model: &TestModel, settings: &str) -> Folder {
    let data = model.tensors(&inputs(model, SAMPLES), Some(&targets(model)));
    let program = model.program(settings);
    let folder = Folder::new(&[("p.nn", program.as_bytes()), ("d.safetensors", &data)]);
    folder.good(&["run", "p.nn", "--out", "run", "--quiet"]);
    folder
}
