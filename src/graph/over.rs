//! The way from all samples of a split to a metric's value: by means, or by a statistic of all rows.

use crate::base::statistic::SplitStatistic;
use crate::graph::data::Graph;
use crate::graph::interp::widened;

/// How a metric's value is made of all samples of a split.
#[derive(Clone, Debug)]
pub enum OverSplit {
    /// From the means of the body's numbers: a graph of one input, the means, and one output.
    Means(Box<Graph>),
    /// From the body's rows of all samples.
    Rows {
        /// The statistic.
        statistic: SplitStatistic,
        /// Numbers of a row.
        width: usize,
    },
}

impl OverSplit {
    /// The same, with a graph that the interpreter runs in `f64`.
    pub fn widened(&self) -> OverSplit {
        match self {
            OverSplit::Means(graph) => OverSplit::Means(Box::new(widened(graph))),
            rows @ OverSplit::Rows { .. } => rows.clone(),
        }
    }
}
