//! Which taps of a window meet which outputs, along one axis.
//!
//! Takes a window's numbers along an axis; gives *phases*: outputs `first, first + s, …` that are
//! sums over equally many taps, at equal distances. A forward pass has one phase. The gradient of
//! the input has one for each remainder of the stride: input `h` is met by the taps `k` with
//! `h + pad - k·dilation` a multiple of the stride, and that quotient is the output they belong to.
//!
//! ```text
//! size 3, stride 2, pad 1:   h = 0, 2, 4, …   tap 1 of output h/2
//!                            h = 1, 3, 5, …   tap 0 of output (h+1)/2, tap 2 of output (h-1)/2
//! ```

use crate::graph::Window;
use crate::lower::bands::Reach;

/// Outputs that are computed alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapPhase {
    /// The first output.
    pub first: usize,
    /// How many outputs there are.
    pub outputs: usize,
    /// How many taps.
    pub taps: usize,
    /// The operand's element for output and tap 0 of the phase, counted from the first that any
    /// phase reads.
    pub at: i64,
    /// From a tap to the next, in the operand.
    pub step: i64,
    /// The window's own number of tap 0.
    pub tap: usize,
    /// From a tap to the next, in the window.
    pub tap_step: usize,
}

/// All phases of an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phases {
    /// The phases; phase `r` begins at output `r`.
    pub phases: Vec<TapPhase>,
    /// The distance between outputs of a phase.
    pub stride: usize,
    /// How outputs of a phase read the operand, over all phases.
    pub reach: Reach,
    /// How many outputs the longest phase has.
    pub outputs: usize,
    /// How many outputs the shortest phase has.
    pub fewest: usize,
}

impl Phases {
    /// The forward pass along an axis, to `outputs` outputs.
    pub fn forward(window: &Window, axis: usize, outputs: usize) -> Phases {
        let step = window.dilation[axis] as i64;
        let taps = window.size[axis];
        let phase = TapPhase { first: 0, outputs, taps, at: 0, step, tap: 0, tap_step: 1 };
        let reach = Reach::of(window, axis);
        Phases { phases: vec![phase], stride: 1, reach, outputs, fewest: outputs }
    }

    /// The input gradient along an axis of `extent` inputs.
    pub fn backward(window: &Window, axis: usize, extent: usize) -> Phases {
        let (size, pad) = (window.size[axis], window.pad[axis].0);
        let (stride, dilation) = (window.stride[axis], window.dilation[axis]);
        let count = |first: usize| (extent - first).div_ceil(stride);
        let mut phases: Vec<TapPhase> = Vec::new();
        for first in 0..stride.min(extent) {
            let meets = |tap: &usize| {
                (first + pad + stride * dilation * size - tap * dilation).is_multiple_of(stride)
            };
            let taps: Vec<usize> = (0..size).filter(meets).collect();
            let tap = taps.first().copied().unwrap_or(0);
            let tap_step = taps.get(1).map_or(1, |second| second - tap);
            let at = (first as i64 + pad as i64 - (tap * dilation) as i64) / stride as i64;
            let step = -((tap_step * dilation / stride) as i64);
            let outputs = count(first);
            phases.push(TapPhase { first, outputs, taps: taps.len(), at, step, tap, tap_step });
        }
        let ends = |phase: &TapPhase| {
            let last = phase.at + phase.step * (phase.taps as i64 - 1);
            [phase.at, last]
        };
        let met = || phases.iter().filter(|phase| phase.taps > 0).flat_map(ends);
        let (low, high) = (met().min().unwrap_or(0), met().max().unwrap_or(0));
        for phase in &mut phases {
            phase.at = if phase.taps > 0 { phase.at - low } else { 0 };
        }
        let reach = Reach { first: low, step: 1, span: (high - low) as usize + 1 };
        let (outputs, fewest) = (count(0), phases.last().map_or(0, |phase| phase.outputs));
        Phases { phases, stride, reach, outputs, fewest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(size: usize, stride: usize, pad: usize, dilation: usize) -> Window {
        Window {
            size: [size; 2],
            stride: [stride; 2],
            pad: [(pad, pad); 2],
            dilation: [dilation; 2],
        }
    }

    /// Every pair of an input and a tap that meet at an output is in one phase, and no other.
    #[test]
    fn phases_hold_every_tap_that_meets_an_input() {
        let cases = (1..=7).flat_map(|size| {
            (1..=4).flat_map(move |stride| {
                (0..=4).flat_map(move |pad| (1..=3).map(move |d| (size, stride, pad, d)))
            })
        });
        for (size, stride, pad, dilation) in cases {
            let window = window(size, stride, pad, dilation);
            for extent in 1..=11 {
                let Some([outputs, _]) = window.output([extent; 2]) else { continue };
                let mut expected = Vec::new();
                for output in 0..outputs {
                    for tap in 0..size {
                        let input = (output * stride + tap * dilation) as i64 - pad as i64;
                        if (0..extent as i64).contains(&input) {
                            expected.push((input as usize, output, tap));
                        }
                    }
                }
                let phases = Phases::backward(&window, 0, extent);
                let mut found = Vec::new();
                for phase in &phases.phases {
                    for i in 0..phase.outputs {
                        for j in 0..phase.taps {
                            let at = phases.reach.first + phase.at + i as i64;
                            let output = at + phase.step * j as i64;
                            assert!(phases.reach.over(i as i64, 1).contains(&output));
                            if (0..outputs as i64).contains(&output) {
                                let input = phase.first + phases.stride * i;
                                let tap = phase.tap + phase.tap_step * j;
                                found.push((input, output as usize, tap));
                            }
                        }
                    }
                }
                expected.sort_unstable();
                found.sort_unstable();
                assert_eq!(found, expected, "{window:?} over {extent}");
            }
        }
    }
}
