//! Every limit of the language in one place: how much a program may hold and how long checking may
//! take.
//!
//! ```text
//! const A = [1]      const B = A + A      const C = B + B …      E0112 at the 14th: 10,000 values
//! ```
//!
//! Work is counted in steps, never in time, so that a program is taken or refused alike on every
//! machine. One step is about what it takes to evaluate a number or a name; whatever costs more
//! (copying a list, calling an item of many parameters) counts as more. Within these limits any
//! program is checked in about two seconds and half a gigabyte. `docs/language.md` lists them.
//!
//! Not here: limits of data, which their readers know.

use std::cell::Cell;
use std::rc::Rc;

/// Bytes of a program's files, all together.
pub const SOURCE_BYTES: usize = 1 << 20;
/// Words, numbers and signs of a program's files, all together.
pub const SOURCE_TOKENS: usize = 50_000;
/// Files of a program.
pub const SOURCE_FILES: usize = 256;
/// Bytes of a name.
pub const NAME_BYTES: usize = 255;
/// Values in a list, those of inner lists included.
pub const LIST_VALUES: usize = 10_000;
/// Patterns of parameters in a setting.
pub const PATTERNS: usize = 256;
/// Bytes of a string.
pub const STRING_BYTES: usize = 1 << 16;
/// Axes of a tensor.
pub const AXES: usize = 32;
/// Stages and calls that a program unfolds to.
pub const STAGES: usize = 50_000;
/// Steps of evaluating a program, over all of its graphs.
pub const STEPS: usize = 2_000_000;
/// Operators of a model's graph, as elaborated.
pub const OPERATORS: usize = 24_000;
/// Operators of a step, with its gradients and the update of each parameter.
pub const STEP_OPERATORS: usize = 150_000;
/// Tensors in a file of weights.
pub const FILE_TENSORS: usize = 100_000;
/// Bytes of the description of the tensors in such a file.
pub const FILE_HEADER: usize = 16 << 20;
/// Steps of the search for fixes, over all mistakes of a program.
pub const FIX_STEPS: usize = 8_000_000;
/// Mistakes, and warnings, that are told of one program.
pub const FINDINGS: usize = 100;

/// Steps that may still be taken. Clones take them from the same budget.
#[derive(Clone, Debug)]
pub struct Budget {
    left: Rc<Cell<usize>>,
    most: usize,
}

impl Budget {
    /// A budget of `most` steps.
    pub fn new(most: usize) -> Budget {
        Budget { left: Rc::new(Cell::new(most)), most }
    }

    /// Takes steps. False where there were too few, which leaves none.
    pub fn spend(&self, steps: usize) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(steps));
        steps <= left
    }

    /// Steps taken so far.
    pub fn spent(&self) -> usize {
        self.most - self.left.get()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.left.get() == 0
    }

    /// Steps that are left.
    pub fn left(&self) -> usize {
        self.left.get()
    }
}

impl Default for Budget {
    fn default() -> Budget {
        Budget::new(STEPS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_is_gone() {
        let budget = Budget::new(10);
        assert!(budget.spend(4) && budget.spend(6));
        assert_eq!((budget.spent(), budget.is_empty()), (10, true));
        assert!(budget.spend(0) && !budget.spend(1));
        let little = Budget::new(3);
        assert!(!little.spend(4) && little.is_empty());
    }
}
