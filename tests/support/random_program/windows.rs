//! Productions that slide windows over images and sequences.

use nnc::graph::Dim;

use super::{Generator, Made, Value, listed};

/// The window of one axis.
#[derive(Clone, Copy, Debug)]
struct Axis {
    size: usize,
    stride: usize,
    dilation: usize,
    pad: [usize; 2],
}

/// How a padding is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pad {
    None,
    Equal,
    Ends,
    Same,
    Valid,
}

/// A window over one or two axes.
struct Windows {
    axes: Vec<Axis>,
    pad: Pad,
    /// The extents that it leaves.
    left: Vec<usize>,
}

impl Axis {
    fn span(&self) -> usize {
        (self.size - 1) * self.dilation + 1
    }

    /// How many places a window has on an axis of `extent`; none if it does not fit, or lies in the
    /// border only somewhere.
    fn places(&self, extent: usize, pools: bool) -> Option<usize> {
        let padded = extent + self.pad[0] + self.pad[1];
        let left = padded.checked_sub(self.span())? / self.stride + 1;
        let meets = |place: usize| {
            (0..self.size).any(|tap| {
                let at = place * self.stride + tap * self.dilation;
                (self.pad[0]..self.pad[0] + extent).contains(&at)
            })
        };
        (!pools || (0..left).all(meets)).then_some(left)
    }
}

/// Transposed convolutions by the operators themselves.
const TRANSPOSED: &str = "
layer own_transposed(x: f32[N, H, W, C], shape: list, stride: int, pad: int, further: int, dilation: int) {
    param kernel: f32[..shape] = glorot_uniform
    conv_transpose2d(x, kernel, stride: stride, pad: pad, output_pad: further, dilation: dilation)
}";
const TRANSPOSED_ROWS: &str = "
layer own_transposed_rows(x: f32[N, T, C], shape: list, stride: int, pad: int, further: int, dilation: int) {
    param kernel: f32[..shape] = glorot_uniform
    conv_transpose1d(x, kernel, stride: stride, pad: pad, output_pad: further, dilation: dilation)
}";

impl Generator {
    /// A value as images or sequences: the value, how it is written, and its axes.
    fn images(&mut self) -> Option<(Value, String, Vec<Dim>)> {
        let x = self.float(|dims| {
            dims.len() > 1 && dims[0] == Dim::N && dims[1..].iter().all(|dim| dim.known().is_some())
        })?;
        let mut dims = self.dims(x);
        let rank = dims.len();
        while dims.len() < 3 || dims.len() == 3 && self.below(3) == 0 {
            let at = 2 + self.below(dims.len() - 1);
            dims.insert(at, Dim::Known(1));
        }
        while dims.len() > 4 {
            let last = dims.pop().expect("five axes");
            let before = dims.pop().expect("four axes");
            dims.push(before.mul(last).expect("known extents"));
        }
        let text = match dims.len() == rank {
            true => "$0".to_string(),
            false => format!("reshape($0, {})", listed(&dims)),
        };
        Some((x, text, dims))
    }

    /// A window that fits.
    fn window(&mut self, extents: &[usize], pools: bool) -> Windows {
        let pad = self.choose(&[Pad::None, Pad::Equal, Pad::Ends, Pad::Same, Pad::Valid]);
        let (mut axes, mut left) = (Vec::new(), Vec::new());
        for &extent in extents {
            let mut axis = Axis {
                size: self.choose(&[1, 2, 3, 3, 4]),
                stride: self.choose(&[1, 1, 2, 3]),
                dilation: self.choose(&[1, 1, 2]),
                pad: match pad {
                    Pad::None | Pad::Same | Pad::Valid => [0, 0],
                    Pad::Equal => [1, 1],
                    Pad::Ends => [self.below(3), self.below(2)],
                },
            };
            if pad == Pad::Same {
                axis.pad = same(axis, extent);
            }
            while axis.places(extent, pools).is_none() {
                axis.size = 1;
                axis.dilation = 1;
                axis.pad = match pad {
                    Pad::Equal if pools => [1, 1],
                    Pad::Equal => axis.pad,
                    _ => [0, 0],
                };
                if pools && pad == Pad::Equal {
                    axis.size = 2;
                }
                if pad == Pad::Same {
                    axis.pad = same(axis, extent);
                }
            }
            left.push(axis.places(extent, pools).expect("it fits"));
            axes.push(axis);
        }
        Windows { axes, pad, left }
    }

    /// `, stride: …, pad: …, dilation: …`.
    fn window_text(&mut self, windows: &Windows, own_stride: bool) -> (String, String) {
        let list = |own: &mut Self, of: &dyn Fn(&Axis) -> usize| {
            let numbers: Vec<usize> = windows.axes.iter().map(of).collect();
            match numbers.iter().all(|&number| number == numbers[0]) && own.coin() {
                true => numbers[0].to_string(),
                false => format!("{numbers:?}"),
            }
        };
        let size = list(self, &|axis| axis.size);
        let mut text = String::new();
        if own_stride || windows.axes.iter().any(|axis| axis.stride > 1) {
            text += &format!(", stride: {}", list(self, &|axis| axis.stride));
        }
        match windows.pad {
            Pad::None => {}
            Pad::Same => text += ", pad: same",
            Pad::Valid => text += ", pad: valid",
            Pad::Equal => text += ", pad: 1",
            Pad::Ends => {
                let ends: Vec<[usize; 2]> = windows.axes.iter().map(|axis| axis.pad).collect();
                text += &format!(", pad: {ends:?}");
            }
        }
        if windows.axes.iter().any(|axis| axis.dilation > 1) {
            text += &format!(", dilation: {}", list(self, &|axis| axis.dilation));
        }
        (size, text)
    }

    pub(super) fn convolution(&mut self) -> Made {
        let (x, image, dims) = self.images()?;
        let extents: Vec<usize> = dims[1..dims.len() - 1].iter().map(|dim| dim.at(1)).collect();
        let channels = dims[dims.len() - 1].at(1);
        let windows = self.window(&extents, false);
        let (size, more) = self.window_text(&windows, false);
        let taps: usize = windows.axes.iter().map(|axis| axis.size).product();
        let divisors: Vec<usize> = (1..=channels).filter(|by| channels % by == 0).collect();
        let groups = if self.below(3) == 0 { self.choose(&divisors) } else { 1 };
        let initial = self.initial();
        let initial = if initial.contains("orthogonal") { String::new() } else { initial };
        let bias = self.choose(&["", "", ", bias: false"]);
        let (call, filters, feature) = match self.below(4) {
            0 => {
                let times = self.choose(&[1, 1, 2, 3]);
                let text =
                    format!("depthwise_conv({size}{more}, multiplier: {times}{bias}{initial})");
                (text, channels * times, "depthwise")
            }
            _ => {
                let filters = groups * self.choose(&[1, 2, 3, 5]);
                let grouped =
                    if groups > 1 { format!(", groups: {groups}") } else { String::new() };
                let text = format!("conv({filters}, {size}{more}{grouped}{bias}{initial})");
                (text, filters, if groups > 1 { "groups" } else { "plain" })
            }
        };
        let mut left = vec![Dim::N];
        left.extend(windows.left.iter().map(|&extent| Dim::Known(extent)));
        left.push(Dim::Known(filters));
        if !self.fits(&left) || channels * filters * taps > 4000 {
            return None;
        }
        let terms = (taps * channels / groups) as f64;
        let bound = self.bound(x) * if initial.is_empty() { 2.5 } else { terms.max(2.5) };
        let line = self.line("conv", format!("{image} |> {call}"), &[x], left, bound);
        let line = windows.axes.iter().fold(line, |line, axis| line.feature(axis.feature()));
        let axes = if windows.axes.len() == 1 { "sequence" } else { "image" };
        Some(line.feature(feature).feature(format!("pad {:?}", windows.pad)).feature(axes))
    }

    /// Images made larger: a transposed convolution, or each value repeated or spread.
    pub(super) fn enlarged(&mut self) -> Made {
        let (x, image, dims) = self.images()?;
        let extents: Vec<usize> = dims[1..dims.len() - 1].iter().map(|dim| dim.at(1)).collect();
        let channels = dims[dims.len() - 1].at(1);
        let mut left = vec![Dim::N];
        let mut item = None;
        let (text, out, bound) = if self.coin() {
            let factor = self.choose(&[1, 2, 3]);
            left.extend(extents.iter().map(|&extent| Dim::Known(extent * factor)));
            let mode = self.choose(&["", ", mode: nearest", ", mode: bilinear"]);
            let text = match extents.len() {
                1 if self.coin() => {
                    let mode = if mode.is_empty() { "nearest" } else { &mode[8..] };
                    format!("upsample_rows({image}, {factor}, {mode})")
                }
                _ => format!("{image} |> upsample({factor}{mode})"),
            };
            (text, channels, self.bound(x))
        } else {
            let filters = self.choose(&[1, 2, 3, 5]);
            let (size, stride) = (self.choose(&[1, 2, 3]), self.choose(&[1, 2, 3]));
            let dilation = self.choose(&[1, 1, 2]);
            let further = self.below(stride);
            let whole = |extent: usize| (extent - 1) * stride + dilation * (size - 1) + 1 + further;
            let pad = usize::from(self.coin() && extents.iter().all(|&it| whole(it) > 2));
            left.extend(extents.iter().map(|&extent| Dim::Known(whole(extent) - 2 * pad)));
            let more = format!(
                "stride: {stride}, pad: {pad}, output_pad: {further}, dilation: {dilation}"
            );
            let axes = extents.len();
            let text = match self.below(3) {
                0 => {
                    let shape: Vec<usize> =
                        std::iter::repeat_n(size, axes).chain([channels, filters]).collect();
                    let (layer, text) = match axes {
                        1 => ("own_transposed_rows", TRANSPOSED_ROWS),
                        _ => ("own_transposed", TRANSPOSED),
                    };
                    item = Some(text);
                    format!("{layer}({image}, {shape:?}, {stride}, {pad}, {further}, {dilation})")
                }
                _ => format!("{image} |> conv_transpose({filters}, {size}, {more})"),
            };
            let terms = (channels * size.pow(axes as u32)) as f64;
            (text, filters, self.bound(x) * terms.max(2.5))
        };
        left.push(Dim::Known(out));
        if !self.fits(&left) || channels * out > 400 {
            return None;
        }
        let line = self.line("conv", text, &[x], left, bound).feature("enlarged");
        Some(match item {
            Some(item) => line.item(item),
            None => line,
        })
    }

    pub(super) fn pooling(&mut self) -> Made {
        let (x, image, dims) = self.images()?;
        let extents: Vec<usize> = dims[1..dims.len() - 1].iter().map(|dim| dim.at(1)).collect();
        let windows = self.window(&extents, true);
        let (size, more) = self.window_text(&windows, true);
        let op = self.choose(&["max_pool", "avg_pool"]);
        let built_in = format!("{op}{}d", windows.axes.len());
        let text = match self.below(4) {
            0 => format!("{built_in}({image}, {size}{more})"),
            _ => format!("{image} |> {op}({size}{more})"),
        };
        let mut left = vec![Dim::N];
        left.extend(windows.left.iter().map(|&extent| Dim::Known(extent)));
        left.push(dims[dims.len() - 1]);
        if !self.fits(&left) {
            return None;
        }
        let line = self.line("pool", text, &[x], left, self.bound(x));
        let of = |axis: &Axis| format!("{op} {}", axis.feature());
        let line = windows.axes.iter().fold(line, |line, axis| line.feature(of(axis)));
        Some(line.feature(format!("{op} pad {:?}", windows.pad)))
    }

    pub(super) fn global_pool(&mut self) -> Made {
        let (x, image, dims) = self.images()?;
        let op = self.choose(&["global_avg_pool", "global_max_pool"]);
        let left = [Dim::N, dims[dims.len() - 1]];
        let text = format!("{image} |> {op}");
        Some(self.line("global_pool", text, &[x], left, self.bound(x)).feature(op))
    }
}

impl Axis {
    fn feature(&self) -> String {
        format!("stride {} dilation {}", self.stride, self.dilation)
    }
}

/// TensorFlow's: `ceil(extent / stride)` places, the odd zero at the end.
fn same(axis: Axis, extent: usize) -> [usize; 2] {
    let places = extent.div_ceil(axis.stride);
    let total = ((places - 1) * axis.stride + axis.span()).saturating_sub(extent);
    [total / 2, total - total / 2]
}
