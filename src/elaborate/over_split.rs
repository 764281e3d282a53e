//! The way from all samples of a split to a metric's value: by means, or by a statistic of all rows.

use crate::base::statistic::SplitStatistic;
use crate::graph::Graph;

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
