//! Extents and integers that may depend on the batch.
//!
//! ```text
//! Shape(image) = [N, 3, 224, 224]      Gather(…, 0) = N      Mul(N, 49) = 49·N
//! ```

use std::fmt;

/// `fixed + batches · N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SymbolicSize {
    pub fixed: i64,
    pub batches: i64,
}

impl SymbolicSize {
    pub const ONE: SymbolicSize = SymbolicSize::known(1);
    pub const N: SymbolicSize = SymbolicSize { fixed: 0, batches: 1 };

    pub const fn known(fixed: i64) -> SymbolicSize {
        SymbolicSize { fixed, batches: 0 }
    }

    /// The extents of a shape that has no batch.
    pub fn all_known(dims: &[usize]) -> Vec<SymbolicSize> {
        dims.iter().map(|&dim| SymbolicSize::known(dim as i64)).collect()
    }

    /// The number, where it does not depend on the batch.
    pub fn number(self) -> Option<i64> {
        (self.batches == 0).then_some(self.fixed)
    }

    pub fn has_batch(self) -> bool {
        self.batches != 0
    }

    pub fn add(self, other: SymbolicSize) -> Option<SymbolicSize> {
        let fixed = self.fixed.checked_add(other.fixed)?;
        Some(SymbolicSize { fixed, batches: self.batches.checked_add(other.batches)? })
    }

    pub fn sub(self, other: SymbolicSize) -> Option<SymbolicSize> {
        self.add(other.times(-1)?)
    }

    fn times(self, factor: i64) -> Option<SymbolicSize> {
        let fixed = self.fixed.checked_mul(factor)?;
        Some(SymbolicSize { fixed, batches: self.batches.checked_mul(factor)? })
    }

    /// The product, unless it is quadratic in `N`.
    pub fn mul(self, other: SymbolicSize) -> Option<SymbolicSize> {
        match (self.number(), other.number()) {
            (_, Some(factor)) => self.times(factor),
            (Some(factor), None) => other.times(factor),
            (None, None) => None,
        }
    }

    /// The quotient, where it is one for every batch.
    pub fn div(self, other: SymbolicSize) -> Option<SymbolicSize> {
        match other.number() {
            Some(0) => None,
            // Rounds as ONNX does: toward zero, like C.
            Some(divisor) if !self.has_batch() => {
                self.fixed.checked_div(divisor).map(SymbolicSize::known)
            }
            Some(divisor) => {
                let whole = self.fixed % divisor == 0 && self.batches % divisor == 0;
                let made =
                    SymbolicSize { fixed: self.fixed / divisor, batches: self.batches / divisor };
                whole.then_some(made)
            }
            None if self.fixed == 0 && other.fixed == 0 => {
                let whole = self.batches % other.batches == 0;
                whole.then(|| SymbolicSize::known(self.batches / other.batches))
            }
            None => None,
        }
    }

    /// The product of extents.
    pub fn product(sizes: &[SymbolicSize]) -> Option<SymbolicSize> {
        sizes.iter().try_fold(SymbolicSize::ONE, |product, &size| product.mul(size))
    }
}

/// `12`, `N`, `2 * N`
impl fmt::Display for SymbolicSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.fixed, self.batches) {
            (fixed, 0) => write!(f, "{fixed}"),
            (0, 1) => f.write_str("N"),
            (0, batches) => write!(f, "{batches} * N"),
            (fixed, batches) => write!(f, "{batches} * N + {fixed}"),
        }
    }
}

/// Extents as a list: `[N, 3, 4]`.
pub(super) fn listed(sizes: &[SymbolicSize]) -> String {
    let sizes: Vec<String> = sizes.iter().map(SymbolicSize::to_string).collect();
    format!("[{}]", sizes.join(", "))
}
