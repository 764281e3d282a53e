//! Transposed convolutions: `conv_transpose2d(x, weight, stride: 2)` makes images larger.
//!
//! ```text
//! extent' = (extent − 1) · stride − 2 · pad + dilation · (size − 1) + 1 + output_pad
//! ```
//!
//! They are a convolution's derivative by its input (Dumoulin and Visin 2016; PyTorch's
//! `ConvTranspose2d`), so the graph has no operator of their own. The weight is `[kh, kw, in, out]`.

use super::window::{PAD, images, lift, lowered, size_arg, weight_dims, wrong_channels};
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

/// Values that a padding may have, for messages.
const AMOUNT: &str = "an int of at least 0, or one for each axis";

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
    let further = output_pad(context, args, &stride, &dilation)?;
    let mut made = Vec::new();
    for axis in 0..axes {
        let reach = dilation[axis] * (dims[axis] - 1) + 1;
        let spread = ScatteredAxis { extent: images.extents[axis], stride: stride[axis], reach };
        let rows = spread.rows(&pad, axis, further[axis]).map_err(|whole| {
            let message = format!("the padding takes more than the {whole} rows that there are");
            context.error(codes::SHAPE, context.seen(args.span(3)), message)
        });
        made.push(rows?);
    }
    let both = |of: Vec<usize>| [if axes == 1 { 1 } else { of[0] }, of[axes - 1]];
    let window = Window {
        size: both(dims[..axes].to_vec()),
        stride: both(stride),
        pad: [if axes == 1 { (0, 0) } else { made[0].pad }, made[axes - 1].pad],
        dilation: both(dilation),
    };
    let flat = lift(context, weight, 0, axes, args.span)?;
    let x = lift(context, images.x, 1, axes, args.span)?;
    // The convolution that this undoes has this one's outputs as its channels.
    let turned = context.builder.transpose(flat, &[0, 1, 3, 2]);
    let Value::Tensor(turned) = context.built(args.span, &[flat], turned)? else {
        return Err(crate::elaborate::context::ErrorReported);
    };
    let extents = both(made.iter().map(|axis| axis.extent).collect());
    let op = Op::ConvInputGrad { window, groups: 1, extents };
    let zeros = both(made.iter().map(|axis| axis.zeros).collect());
    let zeros = [(0, 0), (0, if axes == 1 { 0 } else { zeros[0] }), (0, zeros[1]), (0, 0)];
    let built = context.builder.op(op, &[x, turned]);
    let built = built.and_then(|node| context.builder.pad(node, zeros.to_vec(), 0.0));
    lowered(context, args, &images, built)
}

/// The rows of the input along an axis, `stride` apart, each of which reaches so many of the result.
struct ScatteredAxis {
    extent: usize,
    stride: usize,
    reach: usize,
}

/// The rows of the result along an axis.
struct ResultAxis {
    extent: usize,
    /// How many are cut off at each end of all that the input reaches.
    pad: (usize, usize),
    /// Zeros behind them, which no row of the input reaches.
    zeros: usize,
}

impl ScatteredAxis {
    /// The rows of the result, `further` at its end; an error says how many there are where the padding
    /// takes them all.
    fn rows(&self, pad: &Padding, axis: usize, mut further: usize) -> Result<ResultAxis, usize> {
        let mut pad = match pad {
            Padding::Amounts(amounts) => amounts[axis],
            // As TensorFlow: `stride` times as long, the odd row cut off at the end.
            Padding::Same => {
                let cut = self.reach.saturating_sub(self.stride);
                further += self.stride.saturating_sub(self.reach);
                (cut / 2, cut - cut / 2)
            }
        };
        let mut zeros = 0;
        if further >= self.stride {
            // More than the convolution that this undoes leaves over.
            let uncut = pad.1.min(further);
            (pad.1, zeros, further) = (pad.1 - uncut, further - uncut, 0);
        }
        let whole = (self.extent - 1) * self.stride + self.reach + further;
        let extent = whole.checked_sub(pad.0 + pad.1).filter(|extent| *extent > 0);
        extent.map(|extent| ResultAxis { extent, pad, zeros }).ok_or(whole)
    }
}

/// `output_pad` of each axis.
fn output_pad(
    context: &mut Elaborator<'_>,
    args: &Args,
    stride: &[usize],
    dilation: &[usize],
) -> Eval<Vec<usize>> {
    let amounts = match amounts(context, args, 4, stride.len())? {
        Padding::Amounts(amounts) if amounts.iter().all(|(before, after)| before == after) => {
            amounts
        }
        _ => return Err(context.bad_argument(args, 4, AMOUNT)),
    };
    for (axis, (further, _)) in amounts.iter().enumerate() {
        let most = stride[axis].max(dilation[axis]) - 1;
        if *further > most {
            let message = format!("`output_pad` is {further}, at most {most} can be meant");
            let help =
                "it adds rows that no stride reaches: less than `stride`, or than `dilation`";
            return Err(context.error_help(
                codes::SHAPE,
                context.seen(args.span(4)),
                message,
                help,
            ));
        }
    }
    Ok(amounts.into_iter().map(|(_, after)| after).collect())
}

/// Padding of each axis, none where it is left out.
fn amounts(context: &mut Elaborator<'_>, args: &Args, index: usize, axes: usize) -> Eval<Padding> {
    match args.get(index).map(|value| sizes::padding(value, axes)) {
        None => Ok(Padding::Amounts(vec![(0, 0); axes])),
        Some(Some(padding)) => Ok(padding),
        Some(None) => Err(context.bad_argument(args, index, AMOUNT)),
    }
}
