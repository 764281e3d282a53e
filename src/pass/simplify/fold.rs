//! Constants are computed here, once, and what is the same for all elements is computed as a
//! scalar.
//!
//! ```text
//! add (const 1 : f64) (const 2 : f64)            const 3 : f64
//! mul (broadcast %a [9]) (broadcast %b [9])      broadcast (mul %a %b) [9]
//! ```

use super::Site;
use crate::base::tensor::DType;
use crate::graph::element::round_to;
use crate::graph::{Binary, NodeId, Op, OpKind, Unary};

/// `f(c₁, c₂) → c` where the bits of the result are fixed: any function in `f64` (uniform values
/// are computed by these very functions), and those that IEEE 754 rounds correctly in `f32`.
pub fn constants(site: &mut Site) -> Option<NodeId> {
    let dtype = site.ty().dtype;
    let args: Vec<f64> =
        site.node.args.iter().map(|&arg| site.emit.constant(arg)).collect::<Option<_>>()?;
    let of = site.of(*site.node.args.first()?).ty.dtype;
    let op = &site.node.op;
    let value = if let Op::Unary(function) = op {
        exact_unary(*function, of).then(|| function.eval(args[0]))?
    } else if let Op::Binary(function) = op {
        exact_binary(*function, of).then(|| function.eval(args[0], args[1]))?
    } else if let Op::Cast(_) = op {
        round_to(args[0], dtype)
    } else {
        return None;
    };
    // Rounding the f64 result of one operation on f32 values is correct rounding: f64 has more
    // than twice the bits. An integer that doesn't fit is left to the engines.
    let rounded = round_to(value, dtype);
    let fits = matches!(dtype, DType::F32 | DType::F64) || rounded == value;
    fits.then(|| site.constant(rounded))
}

fn exact_unary(function: Unary, of: DType) -> bool {
    function.row().is_exact() || of == DType::F64
}

fn exact_binary(function: Binary, of: DType) -> bool {
    match of {
        // The quotient of integers rounds toward zero.
        DType::I32 | DType::U8 | DType::Bool => function.is_exact() && function != Binary::Div,
        DType::F32 => function.is_exact(),
        DType::F64 => true,
    }
}

/// `f(broadcast(a), broadcast(b)) → broadcast(f(a, b))` for scalars `a`, `b`.
pub fn splats(site: &mut Site) -> Option<NodeId> {
    if site.node.op.kind() != OpKind::Elementwise || site.shape().is_empty() {
        return None;
    }
    let scalars: Vec<NodeId> =
        site.node.args.iter().map(|&arg| site.splat(arg)).collect::<Option<_>>()?;
    let scalar = site.emit.op(site.node.op.clone(), &scalars);
    Some(site.emit.broadcast(scalar, &site.node.ty.shape))
}
