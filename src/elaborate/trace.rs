//! Values of expressions by their places, as an editor shows them.
//!
//! ```text
//! image |> conv(32, 3) |> relu      `conv(32, 3)`: f32[N, 28, 28, 1] → f32[N, 26, 26, 32],
//!                                   320 parameters, 389 376 operations a sample
//! ```
//!
//! Whoever wants them gives elaboration a [`ValueTrace`]. Code that runs several times (a layer that is
//! called twice, a `repeat`) has a value for each different one, up to [`MOST_VALUES`]. What fails
//! has no value; what was elaborated before it has. Places of the prelude are not noted.

use crate::base::source::Span;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many different values of one place are kept.
const MOST_VALUES: usize = 8;

/// The values of a program's expressions, by their places. Clones are the same table.
#[derive(Clone, Debug, Default)]
pub struct ValueTrace {
    places: Arc<Mutex<HashMap<Span, Vec<ShownValue>>>>,
}

/// A value of an expression, a stage or a name.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownValue {
    /// The value that a stage takes: `f32[N, 28, 28, 1]`.
    pub input: Option<String>,
    /// The value, as it would be written; of a tensor, its type.
    pub value: String,
    /// Whether it is a tensor.
    pub is_tensor: bool,
    /// The path of the layer that it is computed in: empty in the model itself.
    pub path: String,
    /// The costs of computing it.
    pub cost: LayerCost,
}

/// The costs of a stage or a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerCost {
    /// How many numbers it trains.
    pub parameters: usize,
    /// Operations of its contractions over one sample, forward.
    pub flops: u64,
    /// Bytes of its output, over one sample.
    pub activation: usize,
}

impl ValueTrace {
    /// All places with their values, in no order.
    pub fn take(&self) -> HashMap<Span, Vec<ShownValue>> {
        std::mem::take(&mut *self.places.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps a value of a place, unless it is known; `cost` computes what is kept with it.
    pub(super) fn note(&self, span: Span, mut value: ShownValue, cost: impl FnOnce() -> LayerCost) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let values = places.entry(span).or_default();
        let same =
            |known: &ShownValue| (&known.input, &known.value) == (&value.input, &value.value);
        if values.len() < MOST_VALUES && !values.iter().any(same) {
            value.cost = cost();
            values.push(value);
        }
    }
}
