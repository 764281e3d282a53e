//! The skeletons of the digits: for each, several ways in which people write it, as lines and
//! arcs in a box from (0, 0), top left, to (1, 1).
//!
//! A seven is `(0.1, 0) (0.85, 0) (0.35, 1)`, or that with a bar. [`shapes`] makes polylines of
//! all; how they are bent and drawn is `draw`'s business.

use std::f64::consts::TAU;

/// A point in the box; `y` goes down.
pub type Point = [f64; 2];

/// One way to write a digit: strokes, each a polyline.
pub type GlyphStrokes = Vec<Vec<Point>>;

/// A part of a skeleton that the pen draws without leaving the paper.
enum Stroke {
    /// Straight lines from point to point.
    Lines(&'static [Point]),
    /// A part of an ellipse: centre, radii, and from where to where, in turns; 0 is to the right,
    /// a quarter is down.
    Arc(Point, Point, [f64; 2]),
}

use Stroke::{Arc, Lines};

/// Points of a full turn; enough that a bent circle has no corners at 28 pixels.
const POINTS_A_TURN: f64 = 18.0;
/// The longest piece of a line: longer ones could not be bent.
const PIECE: f64 = 0.26;

#[rustfmt::skip]
const DIGITS: [&[&[Stroke]]; 10] = [
    &[
        &[Arc([0.5, 0.5], [0.36, 0.5], [-0.25, 0.75])],
        &[Arc([0.5, 0.5], [0.24, 0.5], [-0.3, 0.68])],
        &[Arc([0.5, 0.52], [0.4, 0.44], [-0.2, 0.86])],
    ],
    &[
        &[Lines(&[[0.5, 0.0], [0.5, 1.0]])],
        &[Lines(&[[0.3, 0.22], [0.56, 0.0], [0.56, 1.0]])],
        &[Lines(&[[0.3, 0.2], [0.52, 0.0], [0.52, 1.0]]), Lines(&[[0.26, 1.0], [0.78, 1.0]])],
    ],
    &[
        &[Arc([0.48, 0.28], [0.34, 0.28], [0.5, 1.1]),
          Lines(&[[0.75, 0.44], [0.12, 1.0], [0.88, 1.0]])],
        &[Arc([0.48, 0.26], [0.3, 0.26], [0.55, 1.12]), Lines(&[[0.7, 0.44], [0.3, 0.86]]),
          Arc([0.24, 0.88], [0.13, 0.11], [0.0, 0.95]), Lines(&[[0.36, 0.86], [0.9, 1.0]])],
        &[Lines(&[[0.15, 0.08], [0.6, 0.0], [0.82, 0.22], [0.15, 1.0], [0.85, 0.96]])],
    ],
    &[
        &[Arc([0.45, 0.25], [0.33, 0.25], [0.58, 1.25]),
          Arc([0.45, 0.74], [0.38, 0.26], [0.75, 1.44])],
        &[Lines(&[[0.14, 0.0], [0.82, 0.0], [0.42, 0.4]]),
          Arc([0.42, 0.7], [0.4, 0.3], [0.75, 1.42])],
        &[Arc([0.42, 0.22], [0.3, 0.22], [0.62, 1.2]),
          Arc([0.4, 0.7], [0.36, 0.3], [0.8, 1.4])],
    ],
    &[
        &[Lines(&[[0.64, 1.0], [0.64, 0.0], [0.08, 0.66], [0.92, 0.66]])],
        &[Lines(&[[0.22, 0.0], [0.14, 0.54], [0.86, 0.5]]), Lines(&[[0.76, 0.04], [0.64, 1.0]])],
        &[Lines(&[[0.2, 0.04], [0.2, 0.46], [0.8, 0.46]]), Lines(&[[0.8, 0.0], [0.8, 1.0]])],
    ],
    &[
        &[Lines(&[[0.82, 0.0], [0.26, 0.0], [0.2, 0.44]]),
          Arc([0.44, 0.68], [0.4, 0.32], [0.62, 1.42])],
        &[Lines(&[[0.24, 0.04], [0.22, 0.42], [0.5, 0.38]]), Lines(&[[0.24, 0.02], [0.84, 0.0]]),
          Arc([0.46, 0.69], [0.36, 0.31], [0.75, 1.4])],
        &[Arc([0.6, 0.24], [0.36, 0.24], [0.92, 0.28]),
          Arc([0.42, 0.74], [0.4, 0.26], [0.75, 1.42])],
    ],
    &[
        &[Arc([0.76, 0.68], [0.6, 0.68], [0.5, 0.74]),
          Arc([0.48, 0.7], [0.33, 0.3], [0.5, 1.5])],
        &[Lines(&[[0.64, 0.0], [0.24, 0.56]]), Arc([0.48, 0.72], [0.32, 0.28], [0.55, 1.55])],
        &[Lines(&[[0.3, 0.0], [0.2, 0.4], [0.18, 0.72]]),
          Arc([0.48, 0.74], [0.3, 0.26], [0.5, 1.48])],
    ],
    &[
        &[Lines(&[[0.1, 0.0], [0.86, 0.0], [0.36, 1.0]])],
        &[Lines(&[[0.1, 0.04], [0.86, 0.0], [0.4, 1.0]]), Lines(&[[0.32, 0.5], [0.84, 0.48]])],
        &[Lines(&[[0.12, 0.2], [0.12, 0.02], [0.84, 0.02], [0.52, 0.5], [0.44, 1.0]])],
    ],
    &[
        &[Arc([0.5, 0.25], [0.27, 0.25], [0.25, 1.25]),
          Arc([0.5, 0.74], [0.34, 0.26], [-0.25, 0.75])],
        &[Arc([0.52, 0.24], [0.28, 0.24], [-0.1, -0.75]), Lines(&[[0.52, 0.48], [0.76, 0.66]]),
          Arc([0.48, 0.76], [0.3, 0.24], [-0.05, 0.7]), Lines(&[[0.4, 0.54], [0.78, 0.12]])],
        &[Arc([0.5, 0.22], [0.24, 0.22], [0.25, 1.25]),
          Arc([0.48, 0.7], [0.28, 0.3], [-0.25, 0.75])],
    ],
    &[
        &[Arc([0.48, 0.3], [0.32, 0.3], [0.0, 1.0]), Lines(&[[0.8, 0.28], [0.76, 1.0]])],
        &[Arc([0.48, 0.28], [0.32, 0.28], [-0.05, 0.95]),
          Arc([0.2, 0.32], [0.6, 0.68], [0.0, 0.24])],
        &[Arc([0.46, 0.28], [0.3, 0.26], [-0.1, 0.9]), Lines(&[[0.76, 0.1], [0.74, 0.5], [0.4, 1.0]])],
    ],
];

/// All shapes of all digits.
pub fn shapes() -> Vec<Vec<GlyphStrokes>> {
    let shape = |strokes: &&[Stroke]| strokes.iter().map(polyline).collect();
    DIGITS.iter().map(|digit| digit.iter().map(shape).collect()).collect()
}

fn polyline(stroke: &Stroke) -> Vec<Point> {
    match *stroke {
        Lines(points) => {
            let mut line = vec![points[0]];
            for pair in points.windows(2) {
                let [from, to] = [pair[0], pair[1]];
                let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
                let pieces = ((dx * dx + dy * dy).sqrt() / PIECE).ceil();
                for piece in 1..=pieces as usize {
                    let part = piece as f64 / pieces;
                    line.push([from[0] + dx * part, from[1] + dy * part]);
                }
            }
            line
        }
        Arc(center, radii, [from, to]) => {
            let pieces = ((to - from).abs() * POINTS_A_TURN).ceil();
            let at = |piece: usize| {
                let angle = TAU * (from + (to - from) * piece as f64 / pieces);
                let (sine, cosine) = (libm::sin(angle), libm::cos(angle));
                [center[0] + radii[0] * cosine, center[1] + radii[1] * sine]
            };
            (0..=pieces as usize).map(at).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_has_several_shapes_inside_the_box() {
        for (digit, shapes) in shapes().iter().enumerate() {
            assert!(shapes.len() >= 3, "{digit}");
            for point in shapes.iter().flatten().flatten() {
                assert!(point.iter().all(|v| (-0.05..=1.05).contains(v)), "{digit}: {point:?}");
            }
        }
    }
}
