//! Productions with parameters and states: the prelude's layers, layers of the program's own, and
//! layers that are applied twice.

use nnc::base::tensor::DType;
use nnc::graph::{Dim, Type};

use super::{Generator, LARGE, Made, elements};

/// Less a running mean, which is a state.
const CENTRED: &str = "
layer centred(x: f32[N, ..S, D], keep: float = 0.9) -> f32[N, ..S, D] {
    param scale: f32[D] = constant(0.75)
    state seen: f32[D]
    seen <- keep * seen + (1 - keep) * mean(x, axis: range(len(S) + 1))
    (x - seen) * scale
}";

/// A state that is read, written twice and read again.
const COUNTED: &str = "
layer counted(x: f32[N, ..S]) -> f32[N, ..S] {
    state last: f32 = ones
    state before: f32 = constant(0.5)
    let old = last
    last <- mean(x) + 0.5 * before
    before <- old
    x * sigmoid(last - before)
}";

/// Layers in a layer, repeated, around which the input is added.
const RESIDUAL: &str = "
layer residual(x: f32[..S, D], units: int, turns: int = 2) -> f32[..S, D] {
    let inner = x |> repeat i in 0..turns { dense(units + i) |> gelu } |> dense(D) as out
    x + inner |> rms_norm
}";

/// Scores between all pairs of rows.
const ATTENTION: &str = "
layer attends(x: f32[N, T, D], causal: bool = false) -> f32[N, T, D] {
    let scores = dense(x, D, bias: false) @ transpose(dense(x, D, bias: false)) / sqrt(1.0 * D)
    let open = if causal { where(iota([T, T], axis: 0) >= iota([T, T]), scores, -1e4) } else { scores }
    softmax(open) @ dense(x, D)
}";

/// A convolution whose weight is computed.
const FILTERED: &str = "
layer filtered(x: f32[N, H, W, C]) -> f32[N, OH, OW, 2] {
    param kernel: f32[3, 2, C, 2] = normal(std: 0.3)
    conv2d(x, kernel - mean(kernel, axis: 0, keep: true), stride: [1, 2], pad: 1)
}";

/// A convolution whose weight is the batch's mean.
const MATCHED: &str = "
layer matched(x: f32[N, H, W, C]) -> f32[N, 1, 1, 1] {
    conv2d(x, transpose(mean(x, axis: 0, keep: true), [1, 2, 3, 0])) / (1.0 * H * W * C)
}";

/// The same over sequences, with a weight of its own.
const SMOOTHED: &str = "
layer smoothed(x: f32[N, T, C]) -> f32[N, OT, 3] {
    let shape = conv_shape(x, 3, 3)
    param kernel: f32[..shape] = truncated_normal(std: 0.4)
    conv1d(x, tanh(kernel), pad: same, stride: 2)
}";

/// A recurrence with what layers of the prelude do not have: a first value that is computed, a softmax
/// of a carry, a value that is handed on a step late.
const RECURS: &str = "
layer recurs(x: f32[N, T, D], back: bool = false) -> f32[N, T, D] {
    param mixed: f32[D, D] = normal(std: 0.3)
    let begin = mean(x, axis: 1)
    scan step in x, reverse: back {
        carry h: f32[N, D] = begin
        carry late: f32[N, D] = 0.5
        let next = tanh(step + h @ mixed) + 0.25 * softmax(late)
        late <- h
        h <- next
        h * sigmoid(late)
    }
}";

/// Two carries that change places, along the last axis.
const SWAPPED: &str = "
layer swapped(x: f32[N, T, D]) -> f32[N, T, D] {
    scan column in x, axis: 2 {
        carry a: f32[N, T] = 0
        carry b: f32[N, T] = 1
        let before = a
        a <- b
        b <- tanh(0.5 * before + column)
        a
    }
}";

const INITIALIZERS: [&str; 14] = [
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "normal(std: 0.3)",
    "truncated_normal(std: 0.3)",
    "uniform(low: -0.5, high: 0.5)",
    "orthogonal",
    "zeros",
    "ones",
    "constant(0.25)",
    "0.125",
];

impl Generator {
    /// `, init: …`, mostly nothing.
    pub(super) fn initial(&mut self) -> String {
        match self.below(3) {
            0 => format!(", init: {}", self.choose(&INITIALIZERS)),
            _ => String::new(),
        }
    }

    pub(super) fn dense(&mut self) -> Made {
        let x = self.float(|dims| {
            dims.last().is_some_and(|dim| dim.known().is_some_and(|extent| extent <= 128))
        })?;
        let mut dims = self.dims(x);
        let last = dims.len() - 1;
        let width = dims[last].known().expect("a known extent") as f64;
        let units = self.choose(&[1, 2, 3, 5, 8, 16]);
        dims[last] = Dim::Known(units);
        if !self.fits(&dims) {
            return None;
        }
        let initial = self.initial();
        let bias = self.choose(&["", "", ", bias: false"]);
        let text = match self.coin() {
            true => format!("$0 |> dense({units}{bias}{initial})"),
            false => format!("dense($0, {units}{bias}{initial})"),
        };
        let bound = self.bound(x) * if initial.is_empty() { 2.0 } else { width.max(2.0) };
        Some(self.line("dense", text, &[x], dims, bound))
    }

    pub(super) fn norm(&mut self) -> Made {
        let x = self.float(|dims| dims.last().is_some_and(|dim| dim.known().is_some()))?;
        let dims = self.dims(x);
        let (inner, channels) = (&dims[..dims.len() - 1], dims[dims.len() - 1].at(1));
        let batched = dims[0] == Dim::N && dims.len() > 1;
        let known = inner.iter().skip(1).all(|dim| dim.known().is_some());
        // A variance of one value is not known.
        let values = elements(inner, self.batch);
        let groups: Vec<usize> = (1..=channels).filter(|by| channels.is_multiple_of(*by)).collect();
        let groups = self.choose(&groups);
        let text = match self.below(5) {
            0 => "$0 |> layer_norm".to_string(),
            1 => "rms_norm($0, eps: 0.01)".into(),
            2 | 3 if batched && values > 1 && known => "$0 |> batch_norm".into(),
            4 if batched && known => format!("$0 |> group_norm({groups}, eps: 0.001)"),
            _ => "$0 |> layer_norm(eps: 0.01)".into(),
        };
        let line = self.line("norm", text, &[x], dims.clone(), 4.0);
        let name = ["layer_norm", "rms_norm", "batch_norm", "group_norm"]
            .into_iter()
            .find(|name| line.text.contains(name))
            .expect("one of them");
        Some(line.feature(name))
    }

    pub(super) fn embedding(&mut self) -> Made {
        let fits = |own: &Self, value| {
            own.ty(value).dtype == DType::I32 && own.is_index(value) && own.bound(value) <= 64.0
        };
        let index = match self.value(fits) {
            Some(value) => value,
            None => {
                let mut dims = vec![Dim::N];
                if self.coin() {
                    dims.push(Dim::Known(self.choose(&[1, 3, 5])));
                }
                let rows = self.choose(&[1, 3, 7]);
                self.input(Type::new(DType::I32, dims), rows)
            }
        };
        let rows = self.bound(index) as usize;
        let width = self.choose(&[1, 2, 3, 8]);
        let mut dims = self.dims(index);
        dims.push(Dim::Known(if self.below(3) == 0 { rows } else { width }));
        if !self.fits(&dims) {
            return None;
        }
        let one_hot = dims[dims.len() - 1] == Dim::Known(rows);
        Some(match one_hot {
            true => {
                let text = format!("one_hot($0, {rows})");
                self.line("one_hot", text, &[index], dims, 1.0)
            }
            false => {
                let initial = self.initial();
                let initial = if initial.contains("orthogonal") { "" } else { &initial };
                let text = format!("embedding($0, {rows}, {width}{initial})");
                self.line("embedding", text, &[index], dims, 2.5)
            }
        })
    }

    pub(super) fn own_layer(&mut self) -> Made {
        let x = self.float(|dims| {
            dims.len() > 1 && dims[0] == Dim::N && dims[1..].iter().all(|dim| dim.known().is_some())
        })?;
        let dims = self.dims(x);
        let bound = self.bound(x);
        let same = [
            ("$0 |> centred", CENTRED, "centred"),
            ("centred($0, keep: 0.5)", CENTRED, "centred"),
            ("$0 |> counted", COUNTED, "counted"),
            ("$0 |> residual(4)", RESIDUAL, "residual"),
            ("residual($0, 3, turns: 3)", RESIDUAL, "residual"),
        ];
        let (text, item, feature) = self.choose(&same);
        let known = |axis: usize| dims[axis].at(1);
        let line = match (dims.len(), self.below(3)) {
            (3, 0) => {
                let text = self.choose(&["$0 |> attends", "attends($0, causal: true)"]);
                self.line("own", text, &[x], dims, 2.0 * bound).item(ATTENTION).feature("attends")
            }
            (3, 1) => {
                let left = [Dim::N, Dim::Known(known(1).div_ceil(2)), Dim::Known(3)];
                let line = self.line("own", "$0 |> smoothed", &[x], left, bound * 3.0);
                line.item(SMOOTHED).feature("smoothed")
            }
            (4, 0) => {
                let (height, width) = (known(1), known(2) / 2 + 1);
                let left = [Dim::N, Dim::Known(height), Dim::Known(width), Dim::Known(2)];
                let line = self.line("own", "filtered($0)", &[x], left, bound * 4.0);
                line.item(FILTERED).feature("filtered")
            }
            (4, 1) => {
                let one = Dim::Known(1);
                let line = self.line("own", "$0 |> matched", &[x], [Dim::N, one, one, one], bound);
                line.item(MATCHED).feature("matched")
            }
            _ => self.line("own", text, &[x], dims, 2.0 * bound).item(item).feature(feature),
        };
        self.fits(&line.ty.shape).then_some(line)
    }

    /// Attention, positions and gates of a sequence.
    pub(super) fn sequence(&mut self) -> Made {
        let x = self.float(|dims| {
            dims.len() == 3
                && dims[0] == Dim::N
                && dims[1..].iter().all(|dim| dim.known().is_some())
        })?;
        let (mut dims, bound) = (self.dims(x), self.bound(x));
        let width = dims[2].at(1);
        if width > 64 || dims[1].at(1) > 64 {
            return None;
        }
        let heads: Vec<usize> = (1..=width).filter(|by| width.is_multiple_of(*by)).collect();
        let heads = self.choose(&heads);
        let even = width.is_multiple_of(2);
        let (name, text, bound) = match self.below(9) {
            0 if even => ("rotary", "$0 |> rotary".into(), 1.5 * bound),
            1 if even => ("sinusoidal", "$0 |> sinusoidal_positions".into(), bound + 1.0),
            2 if even => ("glu", "$0 |> glu".into(), bound),
            3 if even => ("swiglu", "swiglu($0)".into(), bound * bound + 1.0),
            4 => ("positions", "$0 |> positions".into(), bound + 0.1),
            5 => {
                ("prelu", self.choose(&["$0 |> prelu", "prelu($0, channels: true)"]).into(), bound)
            }
            6 => ("cross", format!("$0 |> cross_attention(tanh($0), {heads})"), 2.0 * bound),
            7 => ("attention", format!("$0 |> attention({heads})"), 2.0 * bound),
            _ => ("causal", format!("attention($0, {heads}, causal: true)"), 2.0 * bound),
        };
        if text.contains("glu") {
            dims[2] = Dim::Known(width / 2);
        }
        Some(self.line("sequence", text, &[x], dims, bound).feature(name))
    }

    /// A scan along the steps of a sequence.
    pub(super) fn recurrent(&mut self) -> Made {
        let x = self.float(|dims| {
            dims.len() == 3
                && dims[0] == Dim::N
                && dims[1..].iter().all(|dim| dim.known().is_some())
        })?;
        let mut dims = self.dims(x);
        if dims[2].at(1) > 64 {
            return None;
        }
        let bound = 2.0 * self.bound(x);
        let units = self.choose(&[1, 2, 3, 5]);
        let back = self.choose(&["", ", reverse: true"]);
        let layer = self.choose(&["rnn", "lstm", "gru"]);
        Some(match self.below(5) {
            0 => {
                let text = self.choose(&["$0 |> recurs", "recurs($0, back: true)"]);
                self.line("recurrent", text, &[x], dims, bound).item(RECURS).feature("recurs")
            }
            1 => {
                let line = self.line("recurrent", "$0 |> swapped", &[x], dims, 1.0);
                line.item(SWAPPED).feature("swapped")
            }
            _ => {
                dims[2] = Dim::Known(units);
                let text = format!("$0 |> {layer}({units}{back})");
                self.line("recurrent", text, &[x], dims, 1.0).feature(layer)
            }
        })
    }

    /// A layer with a name, or the same layer once more.
    pub(super) fn shared_layer(&mut self) -> Made {
        let known = self.shared.clone();
        for (name, from, to) in known {
            if let Some(x) = self.value(|own, value| *own.ty(value) == from) {
                let line =
                    self.line("shared", format!("$0 |> {name}"), &[x], to.shape.to_vec(), LARGE);
                return Some(line.feature("again"));
            }
        }
        let x = self.float(|dims| dims.last().is_some_and(|dim| dim.known().is_some()))?;
        let dims = self.dims(x);
        let name = format!("part{}", self.shared.len());
        let width = dims[dims.len() - 1].at(1);
        let batched = dims[0] == Dim::N && elements(&dims[..dims.len() - 1], self.batch) > 1;
        let text = match self.below(3) {
            0 if batched => format!("$0 |> batch_norm as {name}"),
            1 => format!("$0 |> layer_norm as {name}"),
            _ => format!("$0 |> dense({width}) as {name}"),
        };
        let ty = self.ty(x).clone();
        self.shared.push((name, ty.clone(), ty));
        let line = self.line("shared", text, &[x], dims.clone(), LARGE);
        let first = self.add(line.feature("first"));
        let name = &self.shared[self.shared.len() - 1].0;
        let text = format!("$0 |> {name}");
        Some(self.line("shared", text, &[first], dims, LARGE).feature("again"))
    }
}
