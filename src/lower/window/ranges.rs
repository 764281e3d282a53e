//! Windows along one axis: which taps each position reads, and where.
//!
//! Takes a window and the extents of images and outputs; gives ranges of positions whose taps are
//! the same, so that loops over a range have no border and no test. Sliding, a position is an
//! output and reads elements of the image; spreading (the adjoint), a position is an element of
//! the image and reads the outputs whose windows cover it.
//!
//! ```text
//! 3 taps, padding 1, 5 outputs over 5 elements: sliding
//!     position 0: taps 1 2 at 0 1     positions 1–3: taps 0 1 2 at 0 1 2     position 4: taps 0 1 at 3 4
//! 2 taps, distance 2, 2 outputs over 5 elements: spreading
//!     positions 0 2: tap 0 at 0     positions 1 3: tap 1 at 0     position 4: none
//! ```

use crate::graph::Window;
use crate::loops::{Affine, VarId};

/// Positions whose taps are the same.
#[derive(Clone, Debug, PartialEq)]
pub struct TapRange {
    /// The first position.
    pub first: usize,
    /// The distance between positions.
    pub step: usize,
    /// How many there are.
    pub count: usize,
    /// Taps of each position, in order; their numbers and places are evenly spaced.
    pub taps: Vec<RangeTap>,
    /// How far places move from position to position.
    pub stride: usize,
}

/// A tap of the first position of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RangeTap {
    /// Its number in the window.
    pub number: usize,
    /// The position that it reads.
    pub place: usize,
}

/// A tap whose number is a loop's.
pub struct Spaced {
    /// Its number among all.
    pub number: Affine,
    /// Where it reads.
    pub place: Affine,
}

/// Evenly spaced taps, under a loop's variable.
pub fn spaced(taps: &[RangeTap], var: VarId) -> Spaced {
    let (first, next) = (taps[0], taps.get(1).copied().unwrap_or(taps[0]));
    let line = |first: usize, next: usize| {
        let step = Affine::var(var).times(next as i64 - first as i64);
        step.plus(&Affine::constant(first as i64))
    };
    Spaced { number: line(first.number, next.number), place: line(first.place, next.place) }
}

/// The outputs of an axis.
pub fn sliding(window: &Window, axis: usize, extent: usize, outputs: usize) -> Vec<TapRange> {
    let (stride, before) = (window.stride[axis], window.pad[axis].0);
    let taps = |position: usize| {
        let place = |number: usize| {
            let place = (position * stride + number * window.dilation[axis]).checked_sub(before)?;
            (place < extent).then_some(RangeTap { number, place })
        };
        (0..window.size[axis]).filter_map(place).collect()
    };
    ranges(1, stride, 0, outputs, taps)
}

/// The elements of an axis of images.
pub fn spreading(window: &Window, axis: usize, extent: usize, outputs: usize) -> Vec<TapRange> {
    let (stride, before) = (window.stride[axis], window.pad[axis].0);
    let taps = |position: usize| {
        let place = |number: usize| {
            let from = (position + before).checked_sub(number * window.dilation[axis])?;
            let place = from / stride;
            (from.is_multiple_of(stride) && place < outputs).then_some(RangeTap { number, place })
        };
        (0..window.size[axis]).filter_map(place).collect()
    };
    (0..stride.min(extent)).flat_map(|phase| ranges(stride, 1, phase, extent, taps)).collect()
}

/// The positions `first, first + step, …` below `end`, cut where the taps change.
fn ranges(
    step: usize,
    stride: usize,
    first: usize,
    end: usize,
    taps: impl Fn(usize) -> Vec<RangeTap>,
) -> Vec<TapRange> {
    let mut found: Vec<TapRange> = Vec::new();
    for position in (first..end).step_by(step) {
        let taps = taps(position);
        match found.last_mut() {
            Some(range) if moved(range, range.count) == taps => range.count += 1,
            _ => found.push(TapRange { first: position, step, count: 1, taps, stride }),
        }
    }
    found
}

/// The taps of a range's position.
fn moved(range: &TapRange, position: usize) -> Vec<RangeTap> {
    let tap = |tap: &RangeTap| RangeTap { place: tap.place + position * range.stride, ..*tap };
    range.taps.iter().map(tap).collect()
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

    /// Every pair of a position and a place occurs once in each direction, under the same tap.
    #[test]
    fn spreading_is_the_adjoint_of_sliding() {
        for (size, stride, pad, dilation, extent) in
            [(3, 1, 1, 1, 5), (2, 2, 0, 1, 5), (3, 2, 1, 1, 8), (3, 2, 2, 3, 11), (1, 3, 0, 1, 7)]
        {
            let window = window(size, stride, pad, dilation);
            let outputs = window.output([extent; 2]).expect("it fits")[0];
            let pairs = |ranges: &[TapRange]| {
                let mut pairs = Vec::new();
                for range in ranges {
                    for number in 0..range.count {
                        let position = range.first + number * range.step;
                        let taps = moved(range, number);
                        pairs.extend(taps.iter().map(|tap| (position, tap.place, tap.number)));
                    }
                }
                pairs
            };
            let slid = sliding(&window, 0, extent, outputs);
            let spread = spreading(&window, 0, extent, outputs);
            assert_eq!(slid.iter().map(|range| range.count).sum::<usize>(), outputs);
            assert_eq!(spread.iter().map(|range| range.count).sum::<usize>(), extent);
            let mut expected: Vec<_> =
                pairs(&slid).into_iter().map(|(output, place, tap)| (place, output, tap)).collect();
            let mut found = pairs(&spread);
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_inside_is_one_range() {
        let ranges = sliding(&window(3, 1, 1, 1), 0, 5, 5);
        let counts: Vec<usize> = ranges.iter().map(|range| range.count).collect();
        assert_eq!(counts, [1, 3, 1]);
        assert_eq!(ranges[1].taps[0], RangeTap { number: 0, place: 0 });
    }
}
