//! Convolutions and pooling over images `[n, h, w, c]`, added in `f64` and rounded once.
//!
//! Every operator here is one loop over the taps of all windows that lie inside the image; the
//! border holds nothing, so taps there are left out. A max-pool of `[[1, 2], [3, 4]]` is 4, and
//! its index is 3, the last of the taps `[[0, 1], [2, 3]]`.

use super::Array;
use crate::graph::window::Window;
use std::borrow::Cow;
use std::ops::Range;

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

/// `y[n, oh, ow, o] = Σ x[n, place, c]·w[tap, c, o]`
pub(super) fn conv(
    window: &Window,
    groups: usize,
    x: &Array,
    w: &Array,
    extents: Vec<usize>,
) -> Array {
    let mut y = vec![0.0; extents.iter().product()];
    let (x_values, w_values) = (flat(x), flat(w));
    each_patch(window, groups, x.shape(), w.shape(), &extents, |patch| {
        let y = &mut y[patch.y.clone()];
        for (&x, w) in x_values[patch.x.clone()].iter().zip(patch.rows(w_values.len())) {
            y.iter_mut().zip(&w_values[w]).for_each(|(y, w)| *y += x * w);
        }
    });
    filled(extents, y)
}

/// `x_grad[n, place, c] = Σ y_grad[n, oh, ow, o]·w[tap, c, o]`
pub(super) fn conv_input_grad(
    window: &Window,
    groups: usize,
    y_grad: &Array,
    w: &Array,
    extents: Vec<usize>,
) -> Array {
    let mut x_grad = vec![0.0; extents.iter().product()];
    let (y_values, w_values) = (flat(y_grad), flat(w));
    each_patch(window, groups, &extents, w.shape(), y_grad.shape(), |patch| {
        let y = &y_values[patch.y.clone()];
        for (x, w) in x_grad[patch.x.clone()].iter_mut().zip(patch.rows(w_values.len())) {
            y.iter().zip(&w_values[w]).for_each(|(y, w)| *x += y * w);
        }
    });
    filled(extents, x_grad)
}

/// `w_grad[tap, c, o] = Σ x[n, place, c]·y_grad[n, oh, ow, o]`
pub(super) fn conv_weight_grad(
    window: &Window,
    groups: usize,
    x: &Array,
    y_grad: &Array,
    extents: Vec<usize>,
) -> Array {
    let mut w_grad = vec![0.0; extents.iter().product()];
    let (x_values, y_values) = (flat(x), flat(y_grad));
    each_patch(window, groups, x.shape(), &extents, y_grad.shape(), |patch| {
        let y = &y_values[patch.y.clone()];
        for (x, w) in x_values[patch.x.clone()].iter().zip(patch.rows(w_grad.len())) {
            w_grad[w].iter_mut().zip(y).for_each(|(w, y)| *w += x * y);
        }
    });
    filled(extents, w_grad)
}

/// The channels of a place in the image and the outputs of a window whose products are added
/// through one tap, within one group: ranges of the flat `x` and `y`, and where their weights are.
struct Patch {
    x: Range<usize>,
    y: Range<usize>,
    /// The weights of the first channel begin here in the flat `w`.
    weights: usize,
    /// From one channel's weights to those of the next.
    stride: usize,
}

impl Patch {
    /// For each channel the range of its weights, one an output, in a flat `w` of that length.
    fn rows(&self, length: usize) -> impl Iterator<Item = Range<usize>> {
        let outputs = self.y.len();
        (self.weights..length).step_by(self.stride).map(move |at| at..at + outputs)
    }
}

/// `f` on all that a convolution multiplies, in row-major order of samples, windows, taps, groups.
fn each_patch(
    window: &Window,
    groups: usize,
    x: &[usize],
    w: &[usize],
    y: &[usize],
    mut f: impl FnMut(&Patch),
) {
    let (channels, outputs) = (x[3], y[3]);
    let (shared, made) = (channels / groups, outputs / groups);
    debug_assert_eq!(w[2..], [shared, outputs], "the weights of a group's channels");
    let taps = taps(window, height_width(x));
    for n in 0..y[0] {
        for Tap { at, tap, place } in &taps {
            let x_at = ((n * x[1] + place[0]) * x[2] + place[1]) * channels;
            let y_at = ((n * y[1] + at[0]) * y[2] + at[1]) * outputs;
            let w_at = (tap[0] * w[1] + tap[1]) * shared * outputs;
            for group in 0..groups {
                let (x_at, y_at) = (x_at + group * shared, y_at + group * made);
                f(&Patch {
                    x: x_at..x_at + shared,
                    y: y_at..y_at + made,
                    weights: w_at + group * made,
                    stride: outputs,
                });
            }
        }
    }
}

/// The elements in row-major order.
fn flat(x: &Array) -> Cow<'_, [f64]> {
    match x.as_slice() {
        Some(elements) => Cow::Borrowed(elements),
        None => Cow::Owned(x.iter().copied().collect()),
    }
}

/// An array of elements in row-major order.
fn filled(extents: Vec<usize>, elements: Vec<f64>) -> Array {
    Array::from_shape_vec(extents, elements).expect("as many as the extents say")
}

/// The largest under each window and the index of its first tap; NaN where one is NaN, with the
/// index of what `argmax` gives: the first that none after it exceeds.
fn extremes(window: &Window, x: &Array, extents: Vec<usize>) -> (Array, Array) {
    let mut largest = Array::from_elem(extents.clone(), f64::NEG_INFINITY);
    let mut index = Array::from_elem(extents.clone(), f64::NAN);
    // The element that the index names, which is not the largest once a NaN stood before it.
    let mut named = largest.clone();
    let taps = taps(window, height_width(x.shape()));
    for n in 0..extents[0] {
        for Tap { at, tap, place } in &taps {
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
