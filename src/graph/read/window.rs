//! Operators with a window: `conv [3, 3] stride [2, 2] pad [1 + 1, 1 + 1] groups 2 %0, %1 : …`.
//!
//! The extents of a gradient are those of its type.

use super::{Cursor, ReadResult, amount, typed};
use crate::graph::data::Node;
use crate::graph::op::Op;
use crate::graph::types::Type;
use crate::graph::window::Window;

/// The operators.
pub(super) const NAMES: [&str; 8] = [
    "conv",
    "conv_input_grad",
    "conv_weight_grad",
    "max_pool",
    "max_pool_index",
    "max_pool_grad",
    "sum_pool",
    "sum_pool_grad",
];

/// An operator with its window, arguments and type.
pub(super) fn operator(name: &str, cursor: &mut Cursor) -> ReadResult<Node> {
    let window = window(cursor)?;
    let groups = if cursor.eat_word("groups") { cursor.integer()? } else { 1 };
    typed(cursor, |ty| {
        Ok(match name {
            "conv" => Op::Conv { window, groups },
            "conv_input_grad" => Op::ConvInputGrad { window, groups, extents: extents(ty)? },
            "conv_weight_grad" => Op::ConvWeightGrad { window, groups },
            _ if groups != 1 => return Err(format!("`{name}` has no groups")),
            "max_pool" => Op::MaxPool(window),
            "max_pool_index" => Op::MaxPoolIndex(window),
            "max_pool_grad" => Op::MaxPoolGrad { window, extents: extents(ty)? },
            "sum_pool" => Op::SumPool(window),
            _ => Op::SumPoolGrad { window, extents: extents(ty)? },
        })
    })
}

fn window(cursor: &mut Cursor) -> ReadResult<Window> {
    let mut window = Window::plain(pair(cursor, |cursor| cursor.integer())?);
    if cursor.eat_word("stride") {
        window.stride = pair(cursor, |cursor| cursor.integer())?;
    }
    if cursor.eat_word("pad") {
        window.pad = pair(cursor, amount)?;
    }
    if cursor.eat_word("dilation") {
        window.dilation = pair(cursor, |cursor| cursor.integer())?;
    }
    Ok(window)
}

/// One of each axis: rows, columns.
fn pair<T>(cursor: &mut Cursor, item: impl Fn(&mut Cursor) -> ReadResult<T>) -> ReadResult<[T; 2]> {
    let items = cursor.brackets(item)?;
    let found = items.len();
    items.try_into().map_err(|_| format!("expected 2 in brackets, found {found}"))
}

/// The height and width of images of a type.
fn extents(ty: &Type) -> ReadResult<[usize; 2]> {
    match ty.shape[..] {
        [_, h, w, _] => h.known().zip(w.known()).map(|(h, w)| [h, w]),
        _ => None,
    }
    .ok_or_else(|| format!("expected a type [n, h, w, c] of known height and width, found {ty}"))
}
