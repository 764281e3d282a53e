//! Windows that slide over images: `conv2d(x, weight, stride: 2, pad: 1)`, `max_pool2d(x, 2)`.
//!
//! Images are `[N, H, W, C]`, a convolution's weight `[kh, kw, in / groups, out]`. The 1-D forms
//! take sequences `[N, T, C]` and weights `[k, in / groups, out]`; they are built as images of one
//! row. `pad: same` becomes numbers here. Everything that can be wrong with a window is found
//! here, where arguments still have their places and shapes are as the user wrote them;
//! inference checks again. What a size or padding is says [`sizes`].

use super::{Args, Operator, Parameter, call, may, needs};
use crate::base::codes;
use crate::base::diagnostic::{Diagnostic, Edit};
use crate::base::source::Span;
use crate::base::tensor::DType;
use crate::elaborate::arguments::Expect;
use crate::elaborate::context::{Elaborator, ErrorReported, Eval};
use crate::elaborate::sizes::{self, Padding};
use crate::elaborate::value::Value;
use crate::graph::{Dim, Mismatch, NodeId, Shape, Window};

/// The most elements under a window of max pooling: its gradient keeps their number in a byte.
const MOST_POOLED: usize = 256;

pub(super) const PAD: Parameter = Parameter { name: "pad", required: false, expect: Expect::Word };
const CONV: &[Parameter] =
    &[needs("x"), needs("weight"), may("stride"), PAD, may("dilation"), may("groups")];
const POOL: &[Parameter] = &[needs("x"), needs("size"), may("stride"), PAD, may("dilation")];

/// The table.
pub(super) const OPERATORS: &[Operator] = &[
    call("conv2d", CONV, |context, args| conv(context, args, 2)),
    call("conv1d", CONV, |context, args| conv(context, args, 1)),
    call("max_pool2d", POOL, |context, args| max_pool(context, args, 2)),
    call("max_pool1d", POOL, |context, args| max_pool(context, args, 1)),
    call("avg_pool2d", POOL, |context, args| avg_pool(context, args, 2)),
    call("avg_pool1d", POOL, |context, args| avg_pool(context, args, 1)),
    call("conv_shape", &[needs("x"), needs("filters"), needs("size"), may("groups")], conv_shape),
];

/// Images or sequences: what a window slides over.
pub(super) struct Images {
    /// As the user has it.
    pub x: NodeId,
    shape: Shape,
    /// The spatial extents.
    pub extents: Vec<usize>,
    pub channels: usize,
    /// The argument's place.
    span: Span,
}

/// The window's numbers along each spatial axis.
struct Sliding {
    size: Vec<usize>,
    stride: Vec<usize>,
    dilation: Vec<usize>,
    pad: Vec<(usize, usize)>,
    /// Whether the padding is `same`.
    same: bool,
}

// ---- The operators

fn conv(context: &mut Elaborator<'_>, args: &Args, axes: usize) -> Eval<Value> {
    let images = images(context, args, axes)?;
    let weight = context.tensor_arg(args, 1)?;
    let dims = weight_dims(context, args, weight, axes)?;
    let (size, outputs) = (dims[..axes].to_vec(), dims[axes + 1]);
    let groups = groups_arg(context, args, 5, &images, outputs)?;
    if dims[axes] * groups != images.channels {
        return Err(wrong_channels(context, args, &images, weight, groups));
    }
    let sliding = sliding(context, args, &images, size)?;
    fits(context, args, &images, &sliding)?;
    let flat_weight = lift(context, weight, 0, axes, args.span)?;
    let x = lift(context, images.x, 1, axes, args.span)?;
    let built = context.builder.conv(x, flat_weight, sliding.window(), groups);
    lowered(context, args, &images, built)
}

fn max_pool(context: &mut Elaborator<'_>, args: &Args, axes: usize) -> Eval<Value> {
    let images = images(context, args, axes)?;
    let sliding = pooling(context, args, &images)?;
    let taps = sliding.size.iter().fold(1usize, |taps, &size| taps.saturating_mul(size));
    if taps > MOST_POOLED {
        let callee = context.callee(args);
        let message =
            format!("the window of `{callee}` has {taps} elements, at most {MOST_POOLED}");
        let help = "the maximum of whole images is `global_max_pool`";
        return Err(context.error_help(codes::TOO_LARGE, args.span(1), message, help));
    }
    let x = lift(context, images.x, 1, axes, args.span)?;
    let built = context.builder.max_pool(x, sliding.window());
    lowered(context, args, &images, built)
}

fn avg_pool(context: &mut Elaborator<'_>, args: &Args, axes: usize) -> Eval<Value> {
    let images = images(context, args, axes)?;
    let sliding = pooling(context, args, &images)?;
    let x = lift(context, images.x, 1, axes, args.span)?;
    let built = context.builder.avg_pool(x, sliding.window(), !sliding.same);
    lowered(context, args, &images, built)
}

/// The shape of a convolution's weight: `conv_shape(x: f32[N, 8, 8, 6], 4, 3, groups: 2)` is
/// `[3, 3, 3, 4]`.
fn conv_shape(context: &mut Elaborator<'_>, args: &Args) -> Eval<Value> {
    let x = context.tensor_arg(args, 0)?;
    // Images have two spatial axes, sequences one; of anything else images are missing.
    let axes = if context.ty(x).shape.rank() == 3 { 1 } else { 2 };
    let images = images(context, args, axes)?;
    let filters = positive(context, args, 1)?;
    let size = size_arg(context, args, 2, &images, None)?;
    let groups = groups_arg(context, args, 3, &images, filters)?;
    let dims = size.into_iter().chain([images.channels / groups, filters]);
    Ok(Value::of_dims(&dims.map(Dim::Known).collect::<Vec<_>>()))
}

// ---- Arguments

/// The first argument: `f32[N, H, W, C]` for two axes, `f32[N, T, C]` for one.
pub(super) fn images(context: &mut Elaborator<'_>, args: &Args, axes: usize) -> Eval<Images> {
    let x = context.tensor_arg(args, 0)?;
    let (ty, span) = (context.ty(x), args.span(0));
    let known: Option<Vec<usize>> = ty.shape.iter().skip(1).map(|dim| dim.known()).collect();
    if ty.dtype == DType::F32
        && ty.shape.rank() == axes + 2
        && let Some(mut extents) = known
        && let Some(channels) = extents.pop()
    {
        return Ok(Images { x, shape: ty.shape, extents, channels, span });
    }
    let callee = context.callee(args);
    let kind = if axes == 1 { "sequences f32[N, T, C]" } else { "images f32[N, H, W, C]" };
    let message = format!("`{callee}` slides over {kind}, found {ty}");
    let place = context.seen(span);
    let error = Diagnostic::error(codes::SHAPE, message).primary(place, format!("this is {ty}"));
    let help = if ty.dtype != DType::F32 {
        Some("`cast(…, f32)` converts the elements".to_owned())
    } else if ty.shape.rank() != axes + 2 {
        missing_axes(&ty.shape, axes)
    } else {
        Some("only the first axis can be the batch".to_owned())
    };
    let error = match help {
        Some(help) => error.help(help),
        None => error,
    };
    Err(context.report(match axes_given(&ty.shape, axes).filter(|_| ty.dtype == DType::F32) {
        Some(stage) => {
            let span = Span { start: place.end, ..place };
            error
                .fix(format!("add `|> {stage}`"), vec![Edit { span, text: format!(" |> {stage}") }])
        }
        None => error,
    }))
}

/// The stage that gives values the axes which they lack, where there is one way to.
fn axes_given(shape: &Shape, axes: usize) -> Option<String> {
    match (axes, &shape[..]) {
        (2, [n, h, w]) => Some(format!("reshape([{n}, {h}, {w}, 1])")),
        (2, [n, Dim::Known(values)]) => {
            let (side, channels) = square(*values)?;
            Some(format!("reshape([{n}, {side}, {side}, {channels}])"))
        }
        (1, [n, values]) => Some(format!("reshape([{n}, {values}, 1])")),
        _ => None,
    }
}

/// How the axes that images lack are had.
fn missing_axes(shape: &Shape, axes: usize) -> Option<String> {
    match (axes, &shape[..]) {
        (2, [n, h, w]) => Some(format!(
            "images are [N, H, W, C], grey ones too: `reshape(x, [{n}, {h}, {w}, 1])`"
        )),
        (2, [n, Dim::Known(values)]) => Some(match square(*values) {
            Some((side, channels)) => format!(
                "images are [N, H, W, C]: `reshape(x, [{n}, {side}, {side}, {channels}])` if \
                 these are rows of pixels"
            ),
            None => "images are [N, H, W, C]: `reshape` gives values their axes".into(),
        }),
        (2, _) => Some("images are [N, H, W, C]".into()),
        _ => Some("sequences are [N, T, C]".into()),
    }
}

/// The side and channels of the square image that has so many values: 784 is 28 · 28 · 1.
fn square(values: usize) -> Option<(usize, usize)> {
    let sides = [1, 3].into_iter().filter(|channels| values.is_multiple_of(*channels));
    sides
        .map(|channels| ((values / channels).isqrt(), channels))
        .find(|(side, channels)| *side > 1 && side * side * channels == values)
}

/// The extents of a weight of `axes + 2` known axes.
pub(super) fn weight_dims(
    context: &mut Elaborator<'_>,
    args: &Args,
    weight: NodeId,
    axes: usize,
) -> Eval<Vec<usize>> {
    let ty = context.ty(weight);
    let dims = ty.shape.extents().filter(|dims| dims.len() == axes + 2);
    if let (DType::F32, Some(dims)) = (ty.dtype, dims) {
        return Ok(dims);
    }
    let callee = context.callee(args);
    let wanted = if axes == 1 { "[k, in / groups, out]" } else { "[kh, kw, in / groups, out]" };
    let message = format!("the weight of `{callee}` is f32{wanted}, found {ty}");
    Err(context.error(codes::SHAPE, context.seen(args.span(1)), message))
}

pub(super) fn wrong_channels(
    context: &mut Elaborator<'_>,
    args: &Args,
    images: &Images,
    weight: NodeId,
    groups: usize,
) -> ErrorReported {
    let (x, w) = (context.ty(images.x), context.ty(weight));
    let axis = images.extents.len();
    let (channels, taken) = (images.channels, w.shape[axis]);
    let wanted = match groups {
        1 => format!("axis {axis} of the weight is {taken}, the last of the images {channels}"),
        _ => format!(
            "axis {axis} of the weight is {taken}, the channels of a group are \
             {channels} / {groups} = {}",
            channels / groups
        ),
    };
    let message = format!("the weight {w} does not fit {x}");
    let mut error = Diagnostic::error(codes::SHAPE, message)
        .primary(context.seen(args.span(1)), format!("this is {w}"))
        .label(context.seen(images.span), format!("this is {x}"))
        .note(wanted);
    error = context.explain_dim(error, weight, axis);
    error = context.explain_dim(error, images.x, axis + 1);
    context.report(channels_first(error, images))
}

/// An int of at least 1.
fn positive(context: &mut Elaborator<'_>, args: &Args, index: usize) -> Eval<usize> {
    match args.get(index) {
        None => Ok(1),
        Some(Value::Int(value @ 1..)) => usize::try_from(*value).map_err(|_| ErrorReported),
        Some(_) => Err(context.bad_argument(args, index, "an int of at least 1")),
    }
}

/// `groups`, which divides the channels and the outputs.
fn groups_arg(
    context: &mut Elaborator<'_>,
    args: &Args,
    index: usize,
    images: &Images,
    outputs: usize,
) -> Eval<usize> {
    let groups = positive(context, args, index)?;
    let (channels, axis) = (images.channels, images.extents.len() + 1);
    let (count, what) = if !channels.is_multiple_of(groups) {
        (channels, "channels")
    } else if !outputs.is_multiple_of(groups) {
        (outputs, "outputs")
    } else {
        return Ok(groups);
    };
    let message = format!("{count} {what} do not divide into {groups} groups");
    let mut error = Diagnostic::error(codes::SHAPE, message)
        .primary(context.seen(args.span(index)), "")
        .help("`groups` divides the channels and the outputs");
    if what == "channels" {
        error = context.explain_dim(error, images.x, axis);
    }
    Err(context.report(error))
}

/// A size, one number for each spatial axis; `default` where it is left out.
pub(super) fn size_arg(
    context: &mut Elaborator<'_>,
    args: &Args,
    index: usize,
    images: &Images,
    default: Option<&[usize]>,
) -> Eval<Vec<usize>> {
    let axes = images.extents.len();
    let Some(value) = args.get(index) else {
        return Ok(default.map_or_else(|| vec![1; axes], <[usize]>::to_vec));
    };
    if !sizes::is_size(value) {
        return Err(wrong_kind(context, args, index, "size"));
    }
    match sizes::size(value, axes) {
        Some(size) => Ok(size),
        None => Err(wrong_count(context, args, index, images)),
    }
}

/// A padding, resolved by what else is known of the window.
fn pad_arg(context: &mut Elaborator<'_>, args: &Args, images: &Images) -> Eval<Padding> {
    const INDEX: usize = 3;
    let Some(value) = args.get(INDEX) else {
        return Ok(Padding::Amounts(vec![(0, 0); images.extents.len()]));
    };
    if !sizes::is_padding(value) {
        return Err(wrong_kind(context, args, INDEX, "padding"));
    }
    match sizes::padding(value, images.extents.len()) {
        Some(padding) => Ok(padding),
        None => Err(wrong_count(context, args, INDEX, images)),
    }
}

fn wrong_kind(
    context: &mut Elaborator<'_>,
    args: &Args,
    index: usize,
    kind: &str,
) -> ErrorReported {
    let Some(value) = args.get(index) else { return ErrorReported };
    let (found, callee) = (context.describe(value), context.callee(args));
    let name = args.params[index].name;
    let message = format!("`{name}` of `{callee}` is a {kind}, found {found}");
    let mut error =
        Diagnostic::error(codes::WRONG_KIND, message).primary(context.seen(args.span(index)), "");
    error.help = sizes::help(kind, value);
    context.report(error)
}

/// A list with another number of entries than there are spatial axes.
fn wrong_count(
    context: &mut Elaborator<'_>,
    args: &Args,
    index: usize,
    images: &Images,
) -> ErrorReported {
    let name = args.params[index].name;
    let (x, axes) = (context.ty(images.x), images.extents.len());
    let shown = args.get(index).map(|value| value.show(&context.builder.graph));
    let shown = shown.unwrap_or_default();
    let message = match axes {
        1 => format!("`{name}: {shown}` for the one spatial axis of {x}"),
        _ => format!("`{name}: {shown}` for the {axes} spatial axes of {x}"),
    };
    let read = match axes {
        1 => "three axes are a sequence [N, T, C], with one spatial axis; images are [N, H, W, C]",
        _ => "write an int for all axes, or a list with one entry for each",
    };
    context.error_help(codes::ARGUMENTS, context.seen(args.span(index)), message, read)
}

// ---- Windows

/// The window of a pooling operator, whose stride is its size unless it is given.
fn pooling(context: &mut Elaborator<'_>, args: &Args, images: &Images) -> Eval<Sliding> {
    let size = size_arg(context, args, 1, images, None)?;
    let sliding = sliding(context, args, images, size)?;
    fits(context, args, images, &sliding)?;
    Ok(sliding)
}

/// The window of this size with the stride, padding and dilation that the call gives.
fn sliding(
    context: &mut Elaborator<'_>,
    args: &Args,
    images: &Images,
    size: Vec<usize>,
) -> Eval<Sliding> {
    let pools = args.params[1].name == "size";
    let stride = size_arg(context, args, 2, images, pools.then_some(size.as_slice()));
    let padding = pad_arg(context, args, images);
    let dilation = size_arg(context, args, 4, images, None);
    let (stride, dilation) = (stride?, dilation?);
    let (same, pad) = match padding? {
        Padding::Amounts(pad) => (false, pad),
        Padding::Same => {
            let axes = 0..images.extents.len();
            let same = |axis: usize| {
                Window::same(size[axis], stride[axis], dilation[axis], images.extents[axis])
            };
            (true, axes.map(same).collect())
        }
    };
    Ok(Sliding { size, stride, dilation, pad, same })
}

impl Sliding {
    /// The window over images; over sequences, images of one row.
    fn window(&self) -> Window {
        let both = |of: &[usize]| [if of.len() == 1 { 1 } else { of[0] }, of[of.len() - 1]];
        let last = self.pad[self.pad.len() - 1];
        Window {
            size: both(&self.size),
            stride: both(&self.stride),
            pad: [if self.pad.len() == 1 { (0, 0) } else { self.pad[0] }, last],
            dilation: both(&self.dilation),
        }
    }

    /// The number of windows along an axis as a formula; `None` where there is at least one.
    fn misfit(&self, axis: usize, extent: usize) -> Option<String> {
        let (size, stride, dilation) = (self.size[axis], self.stride[axis], self.dilation[axis]);
        let (before, after) = self.pad[axis];
        let padded = i128::try_from(extent + before + after).ok()?;
        let span = i128::try_from((size - 1) * dilation + 1).ok()?;
        if padded >= span {
            return None;
        }
        let windows = (padded - span).div_euclid(i128::try_from(stride).ok()?) + 1;
        let pads =
            if before == after { format!("2·{before}") } else { format!("{before} + {after}") };
        Some(format!(
            "floor(({extent} + {pads} - {dilation}·({size} - 1) - 1) / {stride}) + 1 = {windows}"
        ))
    }
}

/// Checks that there is a window along every axis.
fn fits(context: &mut Elaborator<'_>, args: &Args, images: &Images, sliding: &Sliding) -> Eval<()> {
    let names: &[&str] = if images.extents.len() == 1 { &["length"] } else { &["height", "width"] };
    let misfits: Vec<(usize, String)> = (0..names.len())
        .filter_map(|axis| Some((axis, sliding.misfit(axis, images.extents[axis])?)))
        .collect();
    let Some(&(first, _)) = misfits.first() else { return Ok(()) };
    let (callee, x) = (context.callee(args), context.ty(images.x));
    let padding = if sliding.pad[first] == (0, 0) { "" } else { " and its padding" };
    let message =
        format!("the window of `{callee}` is longer than the {} of {x}{padding}", names[first]);
    let mut error = Diagnostic::error(codes::SHAPE, message)
        .primary(context.seen(args.span), "no window fits here");
    error.notes = match &misfits[..] {
        [(_, height), (_, width)] if height == width => {
            vec![format!("the output's height and width: {height}")]
        }
        _ => misfits
            .iter()
            .map(|(axis, it)| format!("the output's {}: {it}", names[*axis]))
            .collect(),
    };
    for (axis, _) in misfits {
        error = context.explain_dim(error, images.x, axis + 1);
    }
    let error = channels_first(error, images);
    Err(context.report(match error.help {
        Some(_) => error,
        None => error.help("take a smaller window or more `pad:`, or pool and stride less before"),
    }))
}

/// The words of a help that takes images for those of PyTorch.
pub const CHANNELS_FIRST: &str = "looks like channels first";

/// Says so where images look as if their channels came first.
fn channels_first(error: Diagnostic, images: &Images) -> Diagnostic {
    match images.shape[..] {
        [n, Dim::Known(c @ 1..=4), Dim::Known(h @ 5..), Dim::Known(w @ 5..)] => {
            error.help(format!(
                "images are [N, H, W, C]; [{n}, {c}, {h}, {w}] {CHANNELS_FIRST}: declare \
                 [{n}, {h}, {w}, {c}], or `transpose(x, [0, 2, 3, 1])`"
            ))
        }
        _ => error,
    }
}

// ---- Nodes

/// A sequence's value with a unit axis at `at`, as images of one row have it.
pub(super) fn lift(
    context: &mut Elaborator<'_>,
    x: NodeId,
    at: usize,
    axes: usize,
    span: Span,
) -> Eval<NodeId> {
    if axes == 2 {
        return Ok(x);
    }
    let mut dims = context.ty(x).shape.to_vec();
    dims.insert(at, Dim::Known(1));
    super::reshape_to(context, x, dims.into(), span)
}

/// The result over images, for sequences without the unit axis.
pub(super) fn lowered(
    context: &mut Elaborator<'_>,
    args: &Args,
    images: &Images,
    built: Result<NodeId, Mismatch>,
) -> Eval<Value> {
    let node = match context.built(args.span, &[images.x], built)? {
        Value::Tensor(node) if images.extents.len() == 1 => node,
        value => return Ok(value),
    };
    let mut dims = context.ty(node).shape.to_vec();
    dims.remove(1);
    super::reshape_to(context, node, dims.into(), args.span).map(Value::Tensor)
}
