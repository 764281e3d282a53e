//! Convolutions and pooling over images `[n, h, w, c]`, added in `f64` and rounded once.
//!
//! Every operator here is one loop over the taps of all windows that lie inside the image; the
//! border holds nothing, so taps there are left out. A max-pool of `[[1, 2], [3, 4]]` is 4, and
//! its index is 3, the last of the taps `[[0, 1], [2, 3]]`.

use super::Array;
use crate::graph::window::Window;

/// A tap of a window that lies inside the image.
struct Tap {
    /// The window: its row and column.
    at: [usize; 2],
    /// The tap: its row and column in the window.
    tap: [usize; 2],
    /// Where it lies in the image.
    place: [usize; 2],
}

/// The taps of all windows over an image, in row-major order of windows, then of taps.
fn taps(window: &Window, extents: [usize; 2]) -> Vec<Tap> {
    let [oh, ow] = window.output(extents).expect("verified extents");
    let [kh, kw] = window.size;
    let place = |axis: usize, at: usize, tap: usize| {
        let padded = at * window.stride[axis] + tap * window.dilation[axis];
        padded.checked_sub(window.pad[axis].0).filter(|&place| place < extents[axis])
    };
    let mut taps = Vec::new();
    for (at, tap) in product([oh, ow]).flat_map(|at| product([kh, kw]).map(move |tap| (at, tap))) {
        let row = place(0, at[0], tap[0]);
        if let Some((row, column)) = row.zip(place(1, at[1], tap[1])) {
            taps.push(Tap { at, tap, place: [row, column] });
        }
    }
    taps
}

/// All pairs of indices, the last fastest.
fn product(extents: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
    (0..extents[0]).flat_map(move |row| (0..extents[1]).map(move |column| [row, column]))
}

/// The height and width of images.
fn height_width(extents: &[usize]) -> [usize; 2] {
    [extents[1], extents[2]]
}

/// `f` on the pairs of a channel and an output that share a weight: `(channel, its index in the
/// group, output)`.
fn connected(
    groups: usize,
    channels: usize,
    outputs: usize,
    mut f: impl FnMut(usize, usize, usize),
) {
    let (shared, made) = (channels / groups, outputs / groups);
    for output in 0..outputs {
        for within in 0..shared {
            f(output / made * shared + within, within, output);
        }
    }
}

/// `y[n, oh, ow, o] = Σ x[n, place, c]·w[tap, c, o]`
pub(super) fn conv(
    window: &Window,
    groups: usize,
    x: &Array,
    w: &Array,
    extents: Vec<usize>,
) -> Array {
    let mut y = Array::zeros(extents);
    each_product(window, groups, x, w.shape(), y.shape().to_vec(), |x_at, w_at, y_at| {
        y[y_at] += x[x_at] * w[w_at];
    });
    y
}

/// `x_grad[n, place, c] = Σ y_grad[n, oh, ow, o]·w[tap, c, o]`
pub(super) fn conv_input_grad(
    window: &Window,
    groups: usize,
    y_grad: &Array,
    w: &Array,
    extents: Vec<usize>,
) -> Array {
    let mut x_grad = Array::zeros(extents);
    let x = x_grad.clone();
    each_product(window, groups, &x, w.shape(), y_grad.shape().to_vec(), |x_at, w_at, y_at| {
        x_grad[x_at] += y_grad[y_at] * w[w_at];
    });
    x_grad
}

/// `w_grad[tap, c, o] = Σ x[n, place, c]·y_grad[n, oh, ow, o]`
pub(super) fn conv_weight_grad(
    window: &Window,
    groups: usize,
    x: &Array,
    y_grad: &Array,
    extents: Vec<usize>,
) -> Array {
    let mut w_grad = Array::zeros(extents);
    let shape = w_grad.shape().to_vec();
    each_product(window, groups, x, &shape, y_grad.shape().to_vec(), |x_at, w_at, y_at| {
        w_grad[w_at] += x[x_at] * y_grad[y_at];
    });
    w_grad
}

/// `f` on the indices of every product that a convolution adds: into `x`, into `w`, into `y`.
fn each_product(
    window: &Window,
    groups: usize,
    x: &Array,
    w: &[usize],
    y: Vec<usize>,
    mut f: impl FnMut([usize; 4], [usize; 4], [usize; 4]),
) {
    let taps = taps(window, height_width(x.shape()));
    let (channels, outputs) = (x.shape()[3], y[3]);
    debug_assert_eq!(w[3], outputs, "an output has weights");
    for n in 0..y[0] {
        for Tap { at: [oh, ow], tap: [kh, kw], place: [row, column] } in &taps {
            connected(groups, channels, outputs, |channel, within, output| {
                let x_at = [n, *row, *column, channel];
                f(x_at, [*kh, *kw, within, output], [n, *oh, *ow, output]);
            });
        }
    }
}

/// The largest under each window and the index of its first tap; NaN where one is NaN, with the
/// index of what `argmax` gives: the first that none after it exceeds.
fn extremes(window: &Window, x: &Array, extents: Vec<usize>) -> (Array, Array) {
    let mut largest = Array::from_elem(extents.clone(), f64::NEG_INFINITY);
    let mut index = Array::from_elem(extents.clone(), f64::NAN);
    // The element that the index names, which is not the largest once a NaN stood before it.
    let mut named = largest.clone();
    for n in 0..extents[0] {
        for Tap { at, tap, place } in taps(window, height_width(x.shape())) {
            for c in 0..extents[3] {
                let value = x[[n, place[0], place[1], c]];
                let at = [n, at[0], at[1], c];
                let best: f64 = largest[at];
                largest[at] =
                    if value.is_nan() || best.is_nan() { f64::NAN } else { best.max(value) };
                if index[at].is_nan() || value > named[at] {
                    index[at] = (tap[0] * window.size[1] + tap[1]) as f64;
                    named[at] = value;
                }
            }
        }
    }
    (largest, index)
}

pub(super) fn max_pool(window: &Window, x: &Array, extents: Vec<usize>) -> Array {
    extremes(window, x, extents).0
}

pub(super) fn max_pool_index(window: &Window, x: &Array, extents: Vec<usize>) -> Array {
    extremes(window, x, extents).1
}

/// Each element of `y_grad` added where its index says; an index of no tap adds nothing.
pub(super) fn max_pool_grad(
    window: &Window,
    index: &Array,
    y_grad: &Array,
    extents: Vec<usize>,
) -> Array {
    let mut x_grad = Array::zeros(extents.clone());
    for Tap { at, tap, place } in taps(window, height_width(&extents)) {
        let number = (tap[0] * window.size[1] + tap[1]) as f64;
        for [n, c] in product([extents[0], extents[3]]) {
            let at = [n, at[0], at[1], c];
            if index[at] == number {
                x_grad[[n, place[0], place[1], c]] += y_grad[at];
            }
        }
    }
    x_grad
}

/// `y[n, oh, ow, c] = Σ x[n, place, c]`
pub(super) fn sum_pool(window: &Window, x: &Array, extents: Vec<usize>) -> Array {
    let mut y = Array::zeros(extents);
    each_element(window, x.shape(), |x_at, y_at| y[y_at] += x[x_at]);
    y
}

/// `x_grad[n, place, c] = Σ y_grad[n, oh, ow, c]`
pub(super) fn sum_pool_grad(window: &Window, y_grad: &Array, extents: Vec<usize>) -> Array {
    let mut x_grad = Array::zeros(extents.clone());
    each_element(window, &extents, |x_at, y_at| x_grad[x_at] += y_grad[y_at]);
    x_grad
}

/// `f` on the indices of every element under every window: into `x`, of the extents given, and
/// into `y`.
fn each_element(window: &Window, x: &[usize], mut f: impl FnMut([usize; 4], [usize; 4])) {
    for Tap { at, place, .. } in taps(window, height_width(x)) {
        for [n, c] in product([x[0], x[3]]) {
            f([n, place[0], place[1], c], [n, at[0], at[1], c]);
        }
    }
}
