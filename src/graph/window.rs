//! Windows that slide over the two spatial axes of `[N, H, W, C]`: what convolutions and pooling
//! share.
//!
//! ```
//! # use nnc::graph::Window;
//! let window = Window { size: [3, 3], stride: [2, 2], pad: [(1, 1); 2], dilation: [1, 1] };
//! assert_eq!(window.output([32, 32]), Some([16, 16]));
//! ```
//!
//! One-dimensional forms are two-dimensional ones with a height of 1.

/// A window: rows first, then columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Taps along each axis; at least 1.
    pub size: [usize; 2],
    /// The distance between windows; at least 1.
    pub stride: [usize; 2],
    /// Padding before and after each axis.
    pub pad: [(usize, usize); 2],
    /// The distance between taps; at least 1.
    pub dilation: [usize; 2],
}

impl Window {
    /// A window without padding, stride or dilation.
    pub fn plain(size: [usize; 2]) -> Window {
        Window { size, stride: [1, 1], pad: [(0, 0); 2], dilation: [1, 1] }
    }

    /// How far the taps reach along an axis: `(size - 1)·dilation + 1`.
    pub fn span(&self, axis: usize) -> usize {
        (self.size[axis] - 1) * self.dilation[axis] + 1
    }

    /// An axis' extent with its padding.
    pub fn padded(&self, axis: usize, extent: usize) -> usize {
        extent + self.pad[axis].0 + self.pad[axis].1
    }

    /// How many windows there are along each axis: `floor((extent + pad - span) / stride) + 1`;
    /// `None` where the padded axis is shorter than the window.
    pub fn output(&self, extents: [usize; 2]) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let room = self.padded(axis, extents[axis]).checked_sub(self.span(axis))?;
            Some(room / self.stride[axis] + 1)
        };
        Some([along(0)?, along(1)?])
    }

    /// The padding of TensorFlow's `same`: the output is `ceil(extent / stride)` long, and an odd
    /// zero stands at the end.
    pub fn same(size: usize, stride: usize, dilation: usize, extent: usize) -> (usize, usize) {
        let span = (size - 1) * dilation + 1;
        let needed = (extent.div_ceil(stride).max(1) - 1) * stride + span;
        let total = needed.saturating_sub(extent);
        (total / 2, total - total / 2)
    }

    /// How many taps there are.
    pub fn taps(&self) -> usize {
        self.size[0] * self.size[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_those_of_pytorch() {
        let window = |size, stride, pad, dilation| Window {
            size: [size; 2],
            stride: [stride; 2],
            pad: [(pad, pad); 2],
            dilation: [dilation; 2],
        };
        assert_eq!(window(3, 1, 0, 1).output([28, 28]), Some([26, 26]));
        assert_eq!(window(3, 2, 1, 1).output([32, 31]), Some([16, 16]));
        assert_eq!(window(3, 1, 2, 2).output([9, 5]), Some([9, 5]));
        assert_eq!(window(7, 1, 0, 1).output([6, 9]), None);
    }

    #[test]
    fn same_puts_the_odd_zero_at_the_end() {
        assert_eq!(Window::same(3, 1, 1, 9), (1, 1));
        assert_eq!(Window::same(4, 1, 1, 9), (1, 2));
        assert_eq!(Window::same(3, 2, 1, 8), (0, 1));
        assert_eq!(Window::same(1, 2, 1, 8), (0, 0));
    }
}
