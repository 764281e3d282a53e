//! An optimiser's rule, with what a run does around it to gradients and parameters.
//!
//! The rule is a graph of scalars. Its inputs are `p` and `g`, its output `p` is the new value, its
//! updates are the states'. Further outputs, where they are there, are `f32` numbers of the step
//! that the `update` pass uses around the rule, by the names below:
//!
//! ```text
//! hyper1 train.clip_norm = 1.0
//! %9 = hyper1 : f64
//! %10 = cast %9 : f32
//! output clip_norm = %10
//! ```

use crate::graph::data::Graph;
use std::collections::BTreeMap;

/// The most that the norm of all gradients together may be: longer ones are scaled down.
pub const CLIP_NORM: &str = "clip_norm";
/// The largest that an element of a gradient may be, of either sign.
pub const CLIP_VALUE: &str = "clip_value";
/// L1 penalty: factor of the parameter's sign, added to the gradient.
pub const L1: &str = "l1";
/// L2 penalty: factor of the parameter, added to the gradient.
pub const L2: &str = "l2";
/// Factor of the parameter before the rule sees it: `1 - lr · weight_decay`.
pub const DECOUPLED_DECAY: &str = "keep";

/// The parameters that are not trained: no number, but a name in [`UpdateRule::excluded`].
pub const FROZEN: &str = "frozen";
/// The decay of the running means of parameters and states in this step.
pub const EMA: &str = "ema";
/// The part of this batch in an update that is made of several.
pub const SHARE: &str = "share";
/// The hyper-parameter behind [`SHARE`], which a run sets for each batch.
pub const SHARE_HYPER: &str = "train.share";
/// Prefix of the paths of states that hold the sums of gradients of an update in progress; no
/// state of a rule can be called so.
pub const ACCUMULATED: &str = "optimizer.@gathered.";
/// Prefix of the paths of states that hold running means: of `dense.weight`, of
/// `batch_norm.mean`.
pub const MEAN: &str = "optimizer.@mean.";
/// The state that holds the sum of the losses' weights of an update in progress, where the losses
/// have weights.
pub const ACCUMULATED_WEIGHT: &str = "optimizer.@gathered_weight";
/// The hyper-parameter that gradients are multiplied by before they are squared for their norm: 1,
/// or less where the squares of finite gradients would be infinite. Only gradients that are clipped
/// have it.
pub const NORM_SCALE: &str = "train.norm_scale";
/// The hyper-parameter that the sum of the squared, scaled gradients may be for the step to write
/// anything: the largest `f32`, less where what is written is finite only up to there, or infinite
/// where what is written is looked at.
pub const NORM_LIMIT: &str = "train.norm_limit";
/// The state that holds what each class weighs in the loss of training.
pub const CLASS_WEIGHTS: &str = "train.class_weights";
/// The hyper-parameter that the learning rate is multiplied by, which a run lowers.
pub const LR_SCALE: &str = "train.lr_scale";

/// A rule, and the parameters that its numbers are not about.
#[derive(Clone, Debug, Default)]
pub struct UpdateRule {
    /// The graph of scalars.
    pub graph: Graph,
    /// The paths of the parameters that are left out, by the name of the output: [`L1`], [`L2`],
    /// [`DECOUPLED_DECAY`]; those that are not trained, by [`FROZEN`].
    pub excluded: BTreeMap<&'static str, Vec<String>>,
}

impl From<Graph> for UpdateRule {
    /// A rule whose numbers are about all parameters.
    fn from(graph: Graph) -> UpdateRule {
        UpdateRule { graph, excluded: BTreeMap::new() }
    }
}

impl UpdateRule {
    /// Whether a parameter is trained.
    pub fn trains(&self, path: &str) -> bool {
        let frozen = self.excluded.get(FROZEN);
        !frozen.is_some_and(|frozen| frozen.iter().any(|frozen| frozen == path))
    }

    /// Whether the number of this name is about a parameter.
    pub fn concerns(&self, name: &str, path: &str) -> bool {
        let excluded = |paths: &Vec<String>| paths.iter().any(|excluded| excluded == path);
        self.graph.output(name).is_some() && !self.excluded.get(name).is_some_and(excluded)
    }
}
