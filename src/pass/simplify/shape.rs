//! Rules of operators that move elements, and of transposes around matrix products. They keep
//! every bit: the same elements arrive at the same places.

use super::Site;
use crate::graph::{Binary, Dim, Node, NodeId, Op, Range, Reduce, Shape, Unary};

/// A broadcast to its own shape, of another broadcast, of leading ones.
pub fn broadcast(site: &mut Site) -> Option<NodeId> {
    let Op::Broadcast(shape) = &site.node.op else { return None };
    let x = site.arg(0);
    let Node { op, args, ty, .. } = site.of(x);
    if ty.shape == *shape {
        return Some(x);
    }
    let (&below, is_reshape) = (args.first()?, matches!(op, Op::Reshape(_)));
    // broadcast(broadcast(x)) = broadcast(x)
    if let Op::Broadcast(_) = op {
        return Some(site.emit.broadcast(below, shape));
    }
    // broadcast([n] as [1, n]) = broadcast([n]): it aligns at the last axis
    let inner = &site.of(below).ty.shape;
    let added = ty.shape.rank().checked_sub(inner.rank())?;
    let (ones, rest) = ty.shape.split_at(added);
    let only_ones = ones.iter().all(|&dim| dim == Dim::Known(1)) && rest == &inner[..];
    (is_reshape && only_ones).then(|| site.emit.broadcast(below, shape))
}

/// A reshape to its own shape, of another reshape, of equal elements.
pub fn reshape(site: &mut Site) -> Option<NodeId> {
    let Op::Reshape(shape) = &site.node.op else { return None };
    let x = site.arg(0);
    if site.of(x).ty.shape == *shape {
        return Some(x);
    }
    // reshape(broadcast(scalar)) = broadcast(scalar)
    if let Some(scalar) = site.splat(x).filter(|&scalar| scalar != x) {
        return Some(site.emit.broadcast(scalar, shape));
    }
    // reshape(reshape(x)) = reshape(x), where the number of elements can be followed
    let Node { op: Op::Reshape(_), args, .. } = site.of(x) else { return None };
    let inner = args[0];
    site.of(inner).ty.shape.elements()?;
    Some(site.emit.reshape(inner, shape))
}

/// `reshape(f(x)) → f(reshape(x))` along a chain of `f`, each with one use, that starts at a leaf
/// in memory: there the reshape is a view that costs nothing, and the chain can join the kernel
/// that reads it (`cast(image) · 1/255` before a dense layer's flatten).
pub fn reshape_of_input(site: &mut Site) -> Option<NodeId> {
    let Op::Reshape(shape) = &site.node.op else { return None };
    let x = site.arg(0);
    chain_to_leaf(site, x)?;
    let Node { op, args, .. } = site.of(x).clone();
    let mut reshaped = Vec::new();
    for arg in args {
        reshaped.push(match site.splat(arg) {
            Some(scalar) => site.emit.broadcast(scalar, shape),
            None => site.emit.reshape(arg, shape),
        });
    }
    Some(site.emit.op(op, &reshaped))
}

/// Whether a node is element-wise work on one leaf and scalars only.
fn chain_to_leaf(site: &Site, mut node: NodeId) -> Option<()> {
    let mut depth = 0;
    loop {
        let Node { op, args, .. } = site.of(node);
        let leaf = matches!(op, Op::Input(_) | Op::Param(_) | Op::State(_));
        if leaf && depth > 0 {
            return Some(());
        }
        let elementwise = matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Cast(_));
        if !elementwise || !site.only_use(node) {
            return None;
        }
        let mut tensors = args.iter().filter(|&&arg| site.splat(arg).is_none());
        node = *tensors.next()?;
        if tensors.next().is_some() {
            return None;
        }
        depth += 1;
    }
}

/// A transpose that moves nothing, of another transpose, of equal elements.
pub fn transpose(site: &mut Site) -> Option<NodeId> {
    let Op::Transpose(perm) = &site.node.op else { return None };
    let x = site.arg(0);
    if perm.is_sorted() {
        return Some(x);
    }
    // transpose(broadcast(scalar)) = broadcast(scalar)
    if let Some(scalar) = site.splat(x) {
        return Some(site.emit.broadcast(scalar, &site.node.ty.shape));
    }
    let Node { op, args, ty, .. } = site.of(x).clone();
    // transpose p (transpose q x) = transpose (q ∘ p) x
    if let Op::Transpose(inner) = op {
        let composed: Vec<usize> = perm.iter().map(|&axis| inner[axis]).collect();
        return Some(site.emit.transpose(args[0], &composed));
    }
    // Axes of one element may stand anywhere: a reshape.
    let long = perm.iter().filter(|&&axis| ty.shape[axis] != Dim::Known(1));
    (long.is_sorted() && ty.shape.elements().is_some())
        .then(|| site.emit.reshape(x, &site.node.ty.shape))
}

/// Whether a permutation exchanges the last two axes and nothing else.
fn swaps_last_two(perm: &[usize]) -> bool {
    let rank = perm.len();
    rank >= 2
        && perm[rank - 2..] == [rank - 1, rank - 2]
        && perm[..rank - 2].iter().enumerate().all(|(axis, &from)| axis == from)
}

/// `(A·B)ᵀ → Bᵀ·Aᵀ` by flags: the same products, added in the same order.
pub fn transpose_of_product(site: &mut Site) -> Option<NodeId> {
    let Op::Transpose(perm) = &site.node.op else { return None };
    let x = site.arg(0);
    let Node { op: Op::MatMul { transpose_a, transpose_b }, args, .. } = site.of(x).clone() else {
        return None;
    };
    if !swaps_last_two(perm) || !site.only_use(x) {
        return None;
    }
    let swapped = Op::MatMul { transpose_a: !transpose_b, transpose_b: !transpose_a };
    Some(site.emit.op(swapped, &[args[1], args[0]]))
}

/// `Aᵀ·B` and `A·Bᵀ` by flags: a side whose transpose put the last axis in memory last but one is
/// given with that axis last, and its flag turned. What else the transpose moved (heads out of
/// the way of positions) stays, and often is the transpose of another value too.
pub fn product_of_transposes(site: &mut Site) -> Option<NodeId> {
    let Op::MatMul { transpose_a, transpose_b } = site.node.op else { return None };
    let (a, b) = (site.arg(0), site.arg(1));
    let (turned_a, turned_b) = (turned(site, a), turned(site, b));
    if turned_a.is_none() && turned_b.is_none() {
        return None;
    }
    let op = Op::MatMul {
        transpose_a: transpose_a != turned_a.is_some(),
        transpose_b: transpose_b != turned_b.is_some(),
    };
    Some(site.emit.op(op, &[turned_a.unwrap_or(a), turned_b.unwrap_or(b)]))
}

/// A transpose that puts the last axis last but one, with these two exchanged.
fn turned(site: &mut Site, node: NodeId) -> Option<NodeId> {
    let Node { op: Op::Transpose(mut perm), args, .. } = site.of(node).clone() else { return None };
    let rank = perm.len();
    if perm[rank - 2] != rank - 1 {
        return None;
    }
    perm.swap(rank - 2, rank - 1);
    Some(site.emit.transpose(args[0], &perm))
}

/// A slice of everything, of another slice, of equal elements.
pub fn slice(site: &mut Site) -> Option<NodeId> {
    let Op::Slice(ranges) = &site.node.op else { return None };
    let x = site.arg(0);
    let Node { op, args, ty, .. } = site.of(x).clone();
    let whole = |(range, &dim): (&Range, &Dim)| {
        *range == Range::ALL || range.step == 1 && range.len == dim.known()
    };
    if ranges.iter().zip(ty.shape.iter()).all(whole) {
        return Some(x);
    }
    // slice(broadcast(scalar)) = broadcast(scalar)
    if let Some(scalar) = site.splat(x) {
        return Some(site.emit.broadcast(scalar, &site.node.ty.shape));
    }
    // slice(slice(x)) = slice(x)
    let Op::Slice(inner) = op else { return None };
    let composed = ranges.iter().zip(inner).map(|(&outer, inner)| compose(outer, inner)).collect();
    Some(site.emit.op(Op::Slice(composed), &[args[0]]))
}

/// The range that `outer` takes of what `inner` took.
fn compose(outer: Range, inner: Range) -> Range {
    if outer == Range::ALL {
        return inner;
    }
    let start = inner.start.checked_add_signed(outer.start as isize * inner.step);
    let start = start.expect("a part of a part lies inside");
    Range { start, len: outer.len, step: inner.step * outer.step }
}

/// A pad by nothing, or of another pad with the same value.
pub fn pad(site: &mut Site) -> Option<NodeId> {
    let Op::Pad { amounts, value } = &site.node.op else { return None };
    let x = site.arg(0);
    if amounts.iter().all(|&amount| amount == (0, 0)) {
        return Some(x);
    }
    let Node { op: Op::Pad { amounts: inner, value: inner_value }, args, .. } = site.of(x).clone()
    else {
        return None;
    };
    if value.to_bits() != inner_value.to_bits() {
        return None;
    }
    let sum =
        amounts.iter().zip(inner).map(|(outer, inner)| (outer.0 + inner.0, outer.1 + inner.1));
    Some(site.emit.op(Op::Pad { amounts: sum.collect(), value: *value }, &[args[0]]))
}

/// `pad(a) + pad(b) + … → concat(a, b, …)`, where each stands among zeros and all fill an axis: what
/// the gradients of a value's slices come to.
pub fn joined(site: &mut Site) -> Option<NodeId> {
    if site.node.op != Op::Binary(Binary::Add) {
        return None;
    }
    let mut parts: Vec<(usize, NodeId)> = Vec::new();
    let mut joined = None;
    let mut open = site.node.args.clone();
    while let Some(next) = open.pop() {
        let Node { op, args, .. } = site.of(next);
        match op {
            Op::Binary(Binary::Add) if site.only_use(next) => open.extend(args.iter().copied()),
            Op::Pad { amounts, value } if *value == 0.0 => {
                let mut padded = (0..amounts.len()).filter(|&axis| amounts[axis] != (0, 0));
                let axis = padded.next()?;
                if padded.next().is_some() || *joined.get_or_insert(axis) != axis {
                    return None;
                }
                parts.push((amounts[axis].0, args[0]));
            }
            _ => return None,
        }
    }
    let axis = joined?;
    parts.sort_unstable();
    let mut filled = 0;
    for &(start, part) in &parts {
        if start != filled {
            return None;
        }
        filled += site.of(part).ty.shape[axis].known()?;
    }
    let parts: Vec<NodeId> = parts.into_iter().map(|(_, part)| part).collect();
    (site.shape()[axis] == Dim::Known(filled)).then(|| site.emit.op(Op::Concat(axis), &parts))
}

/// `concat(x) → x`
pub fn concat(site: &mut Site) -> Option<NodeId> {
    (matches!(site.node.op, Op::Concat(_)) && site.node.args.len() == 1).then(|| site.arg(0))
}

/// A reduction over axes of one element is a reshape, a sum of negations a negation, and one of
/// another of its kind, where the order doesn't matter, a single one.
pub fn reduce(site: &mut Site) -> Option<NodeId> {
    let Op::Reduce(function, axes) = &site.node.op else { return None };
    let x = site.arg(0);
    let Node { op, args, ty, .. } = site.of(x);
    let long = |axis: &usize| ty.shape[*axis] != Dim::Known(1);
    if !axes.iter().any(long) {
        return Some(site.emit.reshape(x, &site.node.ty.shape));
    }
    if !axes.iter().all(long) {
        let long = axes.iter().copied().filter(long).collect();
        let reduced = site.emit.op(Op::Reduce(*function, long), &[x]);
        return Some(site.emit.reshape(reduced, &site.node.ty.shape));
    }
    // Σ −x = −Σ x: rounding is symmetric
    if let (Reduce::Sum, Op::Unary(Unary::Neg)) = (*function, op) {
        let x = args[0];
        let sum = site.emit.op(site.node.op.clone(), &[x]);
        return Some(site.emit.neg(sum));
    }
    // max over i of max over j of x = max over i, j of x; a sum would be added in another order
    let Op::Reduce(inner_function, inner) = op else { return None };
    if inner_function != function || *function == Reduce::Sum {
        return None;
    }
    let x = args[0];
    let inner_shape: &Shape = &site.of(x).ty.shape;
    let kept: Vec<usize> = (0..inner_shape.rank()).filter(|axis| !inner.contains(axis)).collect();
    let mut all: Vec<usize> = inner.iter().copied().chain(axes.iter().map(|&a| kept[a])).collect();
    all.sort_unstable();
    Some(site.emit.op(Op::Reduce(*function, all), &[x]))
}
