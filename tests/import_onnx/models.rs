//! Models that the tests import, made by [`Builder`].

use crate::builder::{Attribute, Builder};
use Attribute::{Float, Int, Ints};

/// A convolution with uneven padding, pooling, what is flattened, a dense layer: images of 6 by 5.
pub fn small_cnn() -> Builder {
    Builder::new(13)
        .input("image", &[0, 2, 6, 5])
        .output("logits")
        .weight("stem.weight", &[4, 2, 3, 3])
        .weight("stem.bias", &[4])
        .weight("head.weight", &[3, 12])
        .weight("head.bias", &[3])
        .node(
            "Conv",
            &["image", "stem.weight", "stem.bias"],
            "a",
            &[("pads", Ints(vec![1, 0, 1, 1])), ("strides", Ints(vec![2, 1]))],
        )
        .node("Relu", &["a"], "b", &[])
        .node(
            "MaxPool",
            &["b"],
            "c",
            &[
                ("kernel_shape", Ints(vec![1, 3])),
                ("strides", Ints(vec![1, 3])),
                ("ceil_mode", Int(0)),
            ],
        )
        .node("Flatten", &["c"], "d", &[])
        .node("Gemm", &["d", "head.weight", "head.bias"], "logits", &[("transB", Int(1))])
}

/// Residual blocks: three of 4 channels, then two of 8 behind a convolution.
pub fn residual() -> Builder {
    let mut made = Builder::new(13).input("image", &[0, 4, 6, 6]).output("logits");
    let mut at = "image".to_owned();
    for (stage, (channels, count)) in [(4, 3), (8, 2)].into_iter().enumerate() {
        if stage > 0 {
            let (weight, out) = (format!("down{stage}.weight"), format!("down{stage}"));
            made = made.weight(&weight, &[channels, channels / 2, 1, 1]);
            made = made.node("Conv", &[&at, &weight], &out, &[]);
            at = out;
        }
        for block in 0..count {
            let name = |part: &str| format!("stage{stage}.{block}.{part}");
            let pads = [("pads", Ints(vec![1; 4]))];
            for part in ["conv1.weight", "conv2.weight"] {
                made = made.weight(&name(part), &[channels, channels, 3, 3]);
            }
            made = made
                .node("Conv", &[&at, &name("conv1.weight")], &name("a"), &pads)
                .node("Relu", &[&name("a")], &name("b"), &[])
                .node("Conv", &[&name("b"), &name("conv2.weight")], &name("c"), &pads)
                .node("Add", &[&name("c"), &at], &name("d"), &[])
                .node("Relu", &[&name("d")], &name("e"), &[]);
            at = name("e");
        }
    }
    made.weight("fc.weight", &[8, 5])
        .node("GlobalAveragePool", &[&at], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[])
        .node("MatMul", &["flat", "fc.weight"], "logits", &[])
}

/// Attention over a sequence, whose shapes the file computes from the batch.
pub fn attention() -> Builder {
    Builder::new(17)
        .input("x", &[0, 5, 8])
        .output("y")
        .weight("norm.weight", &[8])
        .weight("norm.bias", &[8])
        .weight("qkv.weight", &[8, 24])
        .weight("qkv.bias", &[24])
        .ints("zero", &[], &[0])
        .ints("axis", &[1], &[0])
        .ints("rest", &[4], &[5, 3, 2, 4])
        .floats("scale", &[], &[0.5])
        .node("LayerNormalization", &["x", "norm.weight", "norm.bias"], "n", &[])
        .node("MatMul", &["n", "qkv.weight"], "m", &[])
        .node("Add", &["qkv.bias", "m"], "p", &[])
        .node("Shape", &["x"], "shape", &[])
        .node("Gather", &["shape", "zero"], "batch", &[])
        .node("Unsqueeze", &["batch", "axis"], "first", &[])
        .node("Concat", &["first", "rest"], "apart", &[("axis", Int(0))])
        .node("Reshape", &["p", "apart"], "r", &[])
        .node("Transpose", &["r"], "t", &[("perm", Ints(vec![2, 0, 3, 1, 4]))])
        .ints("one", &[], &[1])
        .ints("two", &[], &[2])
        .node("Gather", &["t", "zero"], "q", &[])
        .node("Gather", &["t", "one"], "k", &[])
        .node("Gather", &["t", "two"], "v", &[])
        .node("Transpose", &["k"], "kt", &[("perm", Ints(vec![0, 1, 3, 2]))])
        .node("MatMul", &["q", "kt"], "scores", &[])
        .node("Mul", &["scores", "scale"], "scaled", &[])
        .node("Softmax", &["scaled"], "weights", &[("axis", Int(-1))])
        .node("MatMul", &["weights", "v"], "heads", &[])
        .node("Transpose", &["heads"], "back", &[("perm", Ints(vec![0, 2, 1, 3]))])
        .ints("joined", &[3], &[0, 0, 8])
        .node("Reshape", &["back", "joined"], "o", &[])
        .node("Add", &["o", "x"], "y", &[])
}

/// Nodes of which three have no counterpart.
pub fn unsupported() -> Builder {
    Builder::new(13)
        .input("x", &[0, 4])
        .output("y")
        .node("Relu", &["x"], "a", &[])
        .node("TopK", &["a"], "b", &[])
        .node("Elu", &["a"], "c", &[("alpha", Float(0.5))])
        .node("NonZero", &["c"], "d", &[])
        .node("Relu", &["c"], "e", &[("made_up", Int(1))])
        .node("Add", &["b", "d"], "f", &[])
        .node("Add", &["f", "e"], "y", &[])
}
