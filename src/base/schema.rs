//! What the front end must know of a data set before any of it is read: the fields of a sample,
//! the number of classes, how many samples each split has.
//!
//! The driver asks the data module for a [`Schema`] and hands it to elaboration; neither knows
//! the other.

use crate::base::tensor::DType;

/// One field of a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name: `image`, `label`.
    pub name: String,
    /// Its element type.
    pub dtype: DType,
    /// Its shape, without the batch; `[28, 28, 1]`, or `[]` for a label.
    pub shape: Vec<usize>,
}

impl Field {
    /// Bytes of one sample of this field.
    pub fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.size()
    }
}

/// What is known of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// The model's inputs, in the order in which a model takes them.
    pub inputs: Vec<Field>,
    /// What a loss or metric takes as its second argument.
    pub target: Field,
    /// The number of classes, where the target is a class.
    pub classes: Option<usize>,
    /// Samples to train on, where known.
    pub train: Option<usize>,
    /// Samples to validate on; `Some(0)` where the data has no such split.
    pub validation: Option<usize>,
    /// Samples to test on; `Some(0)` where the data has no such split.
    pub test: Option<usize>,
}
