//! Rules of convolutions and pooling over images `[n, h, w, c]`.
//!
//! `conv` of `f32[N, 28, 28, 1]` and `f32[3, 3, 1, 32]` is `f32[N, 26, 26, 32]`. The number of
//! images may be the batch; height, width and channels are known. The gradients' rules are the
//! forward rule read backwards: their type is an argument's of the forward operator, and the
//! forward operator must take it.

use super::{Inferred, Mismatch, axes, of_dtype};
use crate::base::tensor::DType;
use crate::graph::types::{Dim, Shape, Type};
use crate::graph::window::Window;

/// The largest number of a window: bounds what is computed with them, far above any use.
const MOST: usize = 1 << 16;

/// The most taps of a max-pooling window: an index of one is a byte.
const MOST_TAPS: usize = 256;

/// The names of the axes of images.
const AXES: [&str; 4] = ["batch", "height", "width", "channels"];

/// `x[n, h, w, c]`, `w[kh, kw, c / groups, o]`: `[n, oh, ow, o]`.
pub(super) fn conv(window: &Window, groups: usize, x: &Type, w: &Type) -> Inferred {
    let channels = images(x, "conv")?.channels;
    let outputs = weights(window, groups, channels, (x, 0), (w, 1))?;
    Ok(Type::new(DType::F32, slid(window, x, outputs, "conv")?))
}

/// `y_grad[n, oh, ow, o]`, `w[kh, kw, c / groups, o]`: `x_grad[n, h, w, c]`.
pub(super) fn conv_input_grad(
    window: &Window,
    groups: usize,
    extents: [usize; 2],
    y_grad: &Type,
    w: &Type,
) -> Inferred {
    images(y_grad, "conv_input_grad")?;
    of_dtype(w, &[DType::F32], "conv_input_grad")?;
    let shared = if w.shape.rank() == 4 { w.shape[2].known() } else { None };
    let channels = shared.and_then(|shared| shared.checked_mul(groups)).ok_or_else(|| {
        Mismatch::new(format!("`conv_input_grad` takes weights [kh, kw, c / groups, o], found {w}"))
    })?;
    let x = unslid(extents, channels, y_grad);
    let y = conv(window, groups, &x, w)?;
    adjoint("conv_input_grad", &y, y_grad)?;
    Ok(x)
}

/// `x[n, h, w, c]`, `y_grad[n, oh, ow, o]`: `w_grad[kh, kw, c / groups, o]`.
pub(super) fn conv_weight_grad(
    window: &Window,
    groups: usize,
    x: &Type,
    y_grad: &Type,
) -> Inferred {
    let channels = images(x, "conv_weight_grad")?.channels;
    let outputs = images(y_grad, "conv_weight_grad")?.channels;
    let dims = [window.size[0], window.size[1], channels / groups.max(1), outputs];
    let w = Type::new(DType::F32, Shape::known(&dims));
    let y = conv(window, groups, x, &w)?;
    adjoint("conv_weight_grad", &y, y_grad)?;
    Ok(w)
}

/// `x[n, h, w, c]`: `[n, oh, ow, c]`. Every window covers an element of the image.
pub(super) fn pool(window: &Window, x: &Type, name: &str) -> Inferred {
    let channels = images(x, name)?.channels;
    let shape = slid(window, x, channels, name)?;
    let extents = [1, 2].map(|axis| x.shape[axis].known().expect("known extents"));
    for (axis, extent) in extents.into_iter().enumerate() {
        if let Some(at) = empty_window(window, axis, extent) {
            let (before, after) = window.pad[axis];
            return Err(Mismatch::new(format!(
                "window {at} of `{name}` along the {} of {x} covers nothing but the border",
                AXES[axis + 1]
            ))
            .note(format!("{} taps with {before} and {after} of padding", window.size[axis]))
            .axis(0, axis + 1));
        }
    }
    Ok(Type::new(DType::F32, shape))
}

/// `x[n, h, w, c]`: `u8[n, oh, ow, c]`.
pub(super) fn max_pool_index(window: &Window, x: &Type) -> Inferred {
    let taps = window.size[0].saturating_mul(window.size[1]);
    if taps > MOST_TAPS {
        let [rows, columns] = window.size;
        return Err(Mismatch::new(format!(
            "a window of {rows} × {columns} is too large for the gradient of `max_pool`"
        ))
        .note(format!("{taps} taps, at most {MOST_TAPS}")));
    }
    let pooled = pool(window, x, "max_pool")?;
    Ok(Type::new(DType::U8, pooled.shape))
}

/// `index[n, oh, ow, c]` and `y_grad` of that shape: `[n, h, w, c]`.
pub(super) fn max_pool_grad(
    window: &Window,
    extents: [usize; 2],
    index: &Type,
    y_grad: &Type,
) -> Inferred {
    let channels = images(y_grad, "max_pool_grad")?.channels;
    of_dtype(index, &[DType::U8], "max_pool_grad")?;
    let x = unslid(extents, channels, y_grad);
    let known = max_pool_index(window, &x)?;
    adjoint("max_pool_grad", &known, index)?;
    adjoint("max_pool_grad", &Type::new(DType::F32, known.shape), y_grad)?;
    Ok(x)
}

/// `y_grad[n, oh, ow, c]`: `[n, h, w, c]`.
pub(super) fn sum_pool_grad(window: &Window, extents: [usize; 2], y_grad: &Type) -> Inferred {
    let channels = images(y_grad, "sum_pool_grad")?.channels;
    let x = unslid(extents, channels, y_grad);
    let y = pool(window, &x, "sum_pool")?;
    adjoint("sum_pool_grad", &y, y_grad)?;
    Ok(x)
}

/// Facts about images that have been checked.
struct ImageShape {
    channels: usize,
}

/// Checks that a value is images: `f32[n, h, w, c]` with known height, width and channels.
fn images(x: &Type, name: &str) -> Result<ImageShape, Mismatch> {
    of_dtype(x, &[DType::F32], name)?;
    if x.shape.rank() != 4 {
        return Err(Mismatch::new(format!("`{name}` takes [n, h, w, c], found {x}"))
            .note(format!("{x} has {}", axes(&x.shape))));
    }
    for (axis, called) in AXES.iter().enumerate().skip(1) {
        if x.shape[axis].known().is_none() {
            return Err(Mismatch::new(format!(
                "the {called} of {x}, axis {axis}, is the batch, which `{name}` cannot slide over"
            ))
            .axis(0, axis));
        }
    }
    Ok(ImageShape { channels: x.shape[3].known().expect("tested above") })
}

/// Checks weights `[kh, kw, channels / groups, o]`; gives `o`.
fn weights(
    window: &Window,
    groups: usize,
    channels: usize,
    (x, x_arg): (&Type, usize),
    (w, w_arg): (&Type, usize),
) -> Result<usize, Mismatch> {
    of_dtype(w, &[DType::F32], "conv")?;
    let dims = w.shape.extents().filter(|dims| dims.len() == 4);
    let Some([kh, kw, shared, outputs]) = dims.as_deref().and_then(|dims| dims.first_chunk())
    else {
        return Err(Mismatch::new(format!(
            "`conv` takes weights [kh, kw, c / groups, o], found {w}"
        ))
        .note(format!("{w} has {}", axes(&w.shape))));
    };
    for (axis, found) in [*kh, *kw].into_iter().enumerate() {
        if found != window.size[axis] {
            let size = window.size[axis];
            return Err(Mismatch::new(format!(
                "a window of {size} along the {} with weights {w}, whose axis {axis} is {found}",
                AXES[axis + 1]
            ))
            .axis(w_arg, axis));
        }
    }
    if groups == 0 || !channels.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
        return Err(Mismatch::new(format!(
            "{groups} groups of {channels} channels to {outputs} outputs"
        ))
        .note("the groups must divide both")
        .axis(x_arg, 3)
        .axis(w_arg, 3));
    }
    if channels / groups != *shared {
        let wanted = match groups {
            1 => format!("axis 2 of the weights must be the {channels} channels, found {shared}"),
            _ => format!(
                "axis 2 of the weights must be {channels} / {groups} = {} channels, found {shared}",
                channels / groups
            ),
        };
        return Err(Mismatch::new(format!("conv({x}, {w}) do not fit"))
            .note(wanted)
            .axis(x_arg, 3)
            .axis(w_arg, 2));
    }
    Ok(*outputs)
}

/// The shape of what a window gives over images.
fn slid(window: &Window, x: &Type, channels: usize, name: &str) -> Result<Shape, Mismatch> {
    numbers(window, name)?;
    let extents = [1, 2].map(|axis| x.shape[axis].known().expect("known extents"));
    for (axis, extent) in extents.into_iter().enumerate() {
        if window.padded(axis, extent) < window.span(axis) {
            return Err(too_short(window, axis, extent, x, name));
        }
    }
    let [oh, ow] = window.output(extents).expect("tested above");
    let known = [oh, ow, channels].map(Dim::Known);
    Ok([&x.shape[..1], &known[..]].concat().into())
}

/// A padded axis that is shorter than the window.
fn too_short(window: &Window, axis: usize, extent: usize, x: &Type, name: &str) -> Mismatch {
    let (span, (before, after)) = (window.span(axis), window.pad[axis]);
    let along = AXES[axis + 1];
    let reach = match window.dilation[axis] {
        1 => format!("the window is {span} long"),
        dilation => format!("{} taps {dilation} apart are {span} long", window.size[axis]),
    };
    let room = match before + after {
        0 => format!("the {along} is {extent}"),
        _ => format!(
            "the {along} with its padding is {before} + {extent} + {after} = {}",
            window.padded(axis, extent)
        ),
    };
    Mismatch::new(format!("the window of `{name}` does not fit into the {along} of {x}"))
        .note(format!("{reach}, {room}"))
        .axis(0, axis + 1)
}

/// Checks a window's own numbers.
fn numbers(window: &Window, name: &str) -> Result<(), Mismatch> {
    for axis in 0..2 {
        let (before, after) = window.pad[axis];
        let along = AXES[axis + 1];
        for (what, number, least) in [
            ("size", window.size[axis], 1),
            ("stride", window.stride[axis], 1),
            ("dilation", window.dilation[axis], 1),
            ("padding", before, 0),
            ("padding", after, 0),
        ] {
            if !(least..=MOST).contains(&number) {
                return Err(Mismatch::new(format!(
                    "the {what} of `{name}` along the {along} is {number}"
                ))
                .note(format!("it is at least {least} and at most {MOST}")));
            }
        }
    }
    Ok(())
}

/// The first window along an axis that covers no element of the image.
fn empty_window(window: &Window, axis: usize, extent: usize) -> Option<usize> {
    let (size, stride, dilation) = (window.size[axis], window.stride[axis], window.dilation[axis]);
    let before = window.pad[axis].0;
    let room = window.padded(axis, extent) - window.span(axis);
    let windows = room / stride + 1;
    let covers = |at: usize| {
        let skipped = before.saturating_sub(at * stride).div_ceil(dilation);
        skipped < size && at * stride + skipped * dilation < before + extent
    };
    // Only windows that begin in the border can miss the image.
    let first = (0..windows.min(before / stride + 1)).find(|&at| !covers(at));
    first.or_else(|| (!covers(windows - 1)).then_some(windows - 1))
}

/// The images that a window slid over.
fn unslid(extents: [usize; 2], channels: usize, y_grad: &Type) -> Type {
    let known = [extents[0], extents[1], channels].map(Dim::Known);
    Type::new(DType::F32, [&y_grad.shape[..1], &known[..]].concat())
}

/// Checks that a gradient has the type of what it is the gradient of.
fn adjoint(name: &str, wanted: &Type, found: &Type) -> Result<(), Mismatch> {
    if wanted == found {
        return Ok(());
    }
    Err(Mismatch::new(format!("`{name}` takes a gradient of {wanted}, found {found}")))
}
