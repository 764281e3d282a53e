//! From a `train` block to an experiment: what is trained, by which rule, with which settings.
//!
//! ```text
//! train net on photos {              select      which model, which block
//!     loss = cross_entropy           model       inputs, output, loss and metrics as one graph
//!     optimizer = adam(lr: 1e-3)     rule        the optimizer's rule as a graph of scalars
//!     weight_decay = 0.01            gradients   what is done to gradients and parameters around it
//!     epochs = 10                    plan        the block's settings, a row of a table each
//! }                                  keys        what their values may be, into `settings`
//!                                    prepare     from what the data are to what the model takes
//!                                    operands    the outputs and fields that a loss names
//!                                    ignored     the labels that it leaves out
//!                                    task        what its output means
//! ```
//!
//! [`experiment`] puts them together.

mod experiment;
mod gradients;
mod ignored;
mod keys;
mod losses;
mod model;
mod operands;
mod plan;
mod prepare;
mod rule;
mod select;
mod task;

pub use experiment::{Experiment, Training, data_request, elaborate};
pub use plan::{DEFAULT_OPTIMIZER, GRADIENT_KEYS, KEYS as TRAIN_KEYS};
pub use prepare::preparation;
pub use rule::SCHEDULED;
pub use select::several_models;
