//! What rounding alone explains of a difference between two engines: what moves the graph's
//! interpreter as far ([`nnc::command::rounding`]). A wrong element is not explained, as long as the
//! graph is not chaos: tests count how often they need it.

use std::collections::BTreeMap;

use nnc::base::tensor::Data;
use nnc::command::rounding::{SPREADS, furthest, spread, tensors};
use nnc::graph::Graph;
use nnc::graph::interp::{Env, StepOutcome};

/// Whether what was found differs from what was expected by no more than rounding explains.
pub fn explains(
    graph: &Graph,
    batch: usize,
    env: &Env,
    (expected, found): (&StepOutcome, &StepOutcome),
) -> Result<(), String> {
    within(expected, found, &spread(graph, batch, env, expected))
}

/// Whether every tensor is within its tolerance and what rounding does to it.
fn within(
    expected: &StepOutcome,
    found: &StepOutcome,
    spread: &BTreeMap<String, f32>,
) -> Result<(), String> {
    for ((name, expected), (_, found)) in tensors(expected).into_iter().zip(tensors(found)) {
        let Data::F32(values) = &expected.data else { continue };
        let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        let allowed = 1e-5 + 1e-4 * largest + SPREADS * spread.get(&name).unwrap_or(&0.0);
        match furthest(expected, found) {
            Some(far) if far <= allowed => {}
            far => return Err(format!("{name} is {far:?} away, rounding explains {allowed:e}")),
        }
    }
    Ok(())
}
