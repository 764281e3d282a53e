//! Elements of slots as C expressions.
//!
//! ```text
//! s0[784·i0 + i1 − 3]   →   s0[784 * i0 + i1 - 3]
//! s1[r4·16 + i0]        →   s1[i0 + 16 * (ptrdiff_t)r4]
//! ```

use crate::loops::{Access, Affine, RegId};
use std::fmt::Write;

/// An affine expression: `784 * i0 + i1 + 3`.
pub(super) fn affine(affine: &Affine) -> String {
    let mut text = String::new();
    for &(var, factor) in &affine.terms {
        let (sign, size) = (if factor < 0 { "-" } else { "+" }, factor.unsigned_abs());
        match (text.is_empty(), sign) {
            (true, "-") => text.push('-'),
            (true, _) => {}
            (false, _) => {
                let _ = write!(text, " {sign} ");
            }
        }
        let _ = match size {
            1 => write!(text, "{var}"),
            _ => write!(text, "{size} * {var}"),
        };
    }
    let offset = affine.offset;
    let _ = match (text.is_empty(), offset) {
        (true, _) => write!(text, "{offset}"),
        (false, 0) => Ok(()),
        (false, 1..) => write!(text, " + {offset}"),
        (false, _) => write!(text, " - {}", offset.unsigned_abs()),
    };
    text
}

/// An element of a slot.
pub(super) fn element(access: &Access) -> String {
    format!("{}[{}]", access.slot, affine(&access.index))
}

/// An element whose index comes from data.
pub(super) fn element_at(base: &Access, index: RegId, stride: i64) -> String {
    let distance = format!("{stride} * (ptrdiff_t){index}");
    match base.index == Affine::default() {
        true => format!("{}[{distance}]", base.slot),
        false => format!("{}[{} + {distance}]", base.slot, affine(&base.index)),
    }
}

/// A pointer to an element of a slot.
pub(super) fn pointer(access: &Access) -> String {
    match access.index == Affine::default() {
        true => access.slot.to_string(),
        false => format!("{} + {}", access.slot, affine(&access.index)).replace("+ -", "- "),
    }
}
