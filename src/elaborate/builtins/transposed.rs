//! Transposed convolutions: `conv_transpose2d(x, weight, stride: 2)` makes images larger.
//!
//! ```text
//! extent' = (extent − 1) · stride − 2 · pad + dilation · (size − 1) + 1 + output_pad
//! ```
//!
//! They are a convolution's derivative by its input (Dumoulin and Visin 2016; PyTorch's
//! `ConvTranspose2d`), so the graph has no operator of their own. The weight is `[kh, kw, in, out]`.

use super::window::{Images, PAD, images, lift, lowered, size_arg, weight_dims, wrong_channels};
use super::{Args, Operator, Parameter, call, may, needs};
use crate::base::codes;
use crate::elaborate::context::{Elaborator, Eval};
use crate::elaborate::sizes::{self, Padding};
use crate::elaborate::value::Value;
use crate::graph::{Op, Window};

const PARAMETERS: &[Parameter] = &[
    needs("x"),
    needs("weight"),
    may("stride"),
    PAD,
    Parameter { name: "output_pad", ..PAD },
    may("dilation"),
];

/// The table.
pub(super) const OPERATORS: &[Operator] = &[
    call("conv_transpose2d", PARAMETERS, |context, args| transposed(context, args, 2)),
    call("conv_transpose1d", PARAMETERS, |context, args| transposed(context, args, 1)),
];

fn transposed(context: &mut Elaborator<'_>, args: &Args, axes: usize) -> Eval<Value> {
    let images = images(context, args, axes)?;
    let weight = context.tensor_arg(args, 1)?;
    let dims = weight_dims(context, args, weight, axes)?;
    if dims[axes] != images.channels {
        return Err(wrong_channels(context, args, &images, weight, 1));
    }
    let stride = size_arg(context, args, 2, &images, None)?;
    let dilation = size_arg(context, args, 5, &images, None)?;
    let pad = amounts(context, args, 3, axes)?;
    let further = amounts(context, args, 4, axes)?;
    let mut extents = Vec::new();
    for axis in 0..axes {
        let most = stride[axis];
        if further[axis].1 >= most {
            let message =
                format!("`output_pad` is {}, at most {} can be meant", further[axis].1, most - 1);
            let help = "it adds rows that no stride reaches: less than `stride`";
            return Err(context.error_help(
                codes::SHAPE,
                context.seen(args.span(4)),
                message,
                help,
            ));
        }
        extents.push(extent(
            context,
            args,
            &images,
            (axis, &dims, &stride, &dilation),
            pad[axis],
            further[axis].1,
        )?);
    }
    let both = |of: &[usize]| [if axes == 1 { 1 } else { of[0] }, of[axes - 1]];
    let window = Window {
        size: both(&dims[..axes]),
        stride: both(&stride),
        pad: [if axes == 1 { (0, 0) } else { pad[0] }, pad[axes - 1]],
        dilation: both(&dilation),
    };
    let flat = lift(context, weight, 0, axes, args.span)?;
    let x = lift(context, images.x, 1, axes, args.span)?;
    // The convolution that this undoes has this one's outputs as its channels.
    let turned = context.builder.transpose(flat, &[0, 1, 3, 2]);
    let Value::Tensor(turned) = context.built(args.span, &[flat], turned)? else {
        return Err(crate::elaborate::context::ErrorReported);
    };
    let op = Op::ConvInputGrad { window, groups: 1, extents: both(&extents) };
    let built = context.builder.op(op, &[x, turned]);
    lowered(context, args, &images, built)
}

/// Padding of each axis, none where it is left out.
fn amounts(
    context: &mut Elaborator<'_>,
    args: &Args,
    index: usize,
    axes: usize,
) -> Eval<Vec<(usize, usize)>> {
    match args.get(index).map(|value| sizes::padding(value, axes)) {
        None => Ok(vec![(0, 0); axes]),
        Some(Some(Padding::Amounts(amounts))) => Ok(amounts),
        Some(_) => {
            Err(context.bad_argument(args, index, "an int of at least 0, or one for each axis"))
        }
    }
}

/// The extent of the result along an axis.
fn extent(
    context: &mut Elaborator<'_>,
    args: &Args,
    images: &Images,
    (axis, dims, stride, dilation): (usize, &[usize], &[usize], &[usize]),
    pad: (usize, usize),
    further: usize,
) -> Eval<usize> {
    let spread = (images.extents[axis] - 1) * stride[axis];
    let whole = spread + dilation[axis] * (dims[axis] - 1) + 1 + further;
    match whole.checked_sub(pad.0 + pad.1).filter(|extent| *extent > 0) {
        Some(extent) => Ok(extent),
        None => {
            let message = format!("the padding takes more than the {whole} rows that there are");
            Err(context.error(codes::SHAPE, context.seen(args.span(3)), message))
        }
    }
}
