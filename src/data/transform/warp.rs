//! An image seen through a linear map about its middle, with bilinear interpolation, and a mask at the
//! nearest pixel: what rotation and zoom have in common.
//!
//! The pixel of the new image at `d` from the middle is what the old one has at `map · d`; between
//! four pixels they are mixed by area. Places are held in units of 2⁻¹⁶ pixels, weights in 2⁻⁸,
//! so that bytes are the same on every machine, and quarter turns are exact.

use super::fill::FillMode;
use super::frame::Frame;

/// One pixel in units of places.
const ONE: f64 = 65536.0;

/// Replaces an image by its view through `map`, from the new image's `(x, y)` to the old one's.
pub fn warp(frame: &mut Frame, map: [[f64; 2]; 2], fill: FillMode) {
    let fill = fill.of_frame(frame);
    match frame.size.channels {
        1 if frame.classes => warp_channels::<true>(frame, 1, map, fill),
        // The compiler unrolls what is done to each pixel where it knows the channels.
        1 => warp_channels::<false>(frame, 1, map, fill),
        3 => warp_channels::<false>(frame, 3, map, fill),
        channels => warp_channels::<false>(frame, channels, map, fill),
    }
}

#[inline(always)]
fn warp_channels<const NEAREST: bool>(
    frame: &mut Frame,
    channels: usize,
    map: [[f64; 2]; 2],
    fill: FillMode,
) {
    let size = frame.size;
    let [middle_x, middle_y] = [size.width, size.height].map(|len| (len as f64 - 1.0) / 2.0);
    let step = [map[0][0], map[1][0]].map(|by| (by * ONE).round() as i64);
    frame.replace(size, |from, to, _| {
        let image = Image { pixels: from, width: size.width, height: size.height, channels, fill };
        for (row, to) in to.chunks_exact_mut(size.row()).enumerate() {
            let (dx, dy) = (-middle_x, row as f64 - middle_y);
            let start =
                |[x, y]: [f64; 2], middle: f64| ((middle + x * dx + y * dy) * ONE).round() as i64;
            let (mut x, mut y) = (start(map[0], middle_x), start(map[1], middle_y));
            for pixel in to.chunks_exact_mut(channels) {
                if NEAREST {
                    image.nearest(x, y, pixel);
                } else {
                    image.sample(x, y, pixel);
                }
                (x, y) = (x + step[0], y + step[1]);
            }
        }
    });
}

/// An image that is looked at.
struct Image<'a> {
    pixels: &'a [u8],
    width: usize,
    height: usize,
    channels: usize,
    fill: FillMode,
}

impl Image<'_> {
    /// The colour at a place.
    #[inline(always)]
    fn sample(&self, x: i64, y: i64, pixel: &mut [u8]) {
        let (left, top) = (x >> 16, y >> 16);
        let [wx, wy] = [x, y].map(|at| ((at >> 8) & 255) as u32);
        let inside = |at: i64, len: usize| at >= 0 && at + 1 < len as i64;
        if !(inside(left, self.width) && inside(top, self.height)) {
            return self.sample_border([left, top], [wx, wy], pixel);
        }
        let first = (top as usize * self.width + left as usize) * self.channels;
        let below = first + self.width * self.channels;
        let upper = &self.pixels[first..first + 2 * self.channels];
        let lower = &self.pixels[below..below + 2 * self.channels];
        for (channel, to) in pixel.iter_mut().enumerate() {
            let next = channel + self.channels;
            let four = [upper[channel], upper[next], lower[channel], lower[next]];
            *to = mixed(four, [wx, wy]);
        }
    }

    /// The byte of the pixel that is nearest to a place, of one channel; of two as near, the right or
    /// lower one.
    fn nearest(&self, x: i64, y: i64, pixel: &mut [u8]) {
        let half = ONE as i64 / 2;
        let (column, row) = ((x + half) >> 16, (y + half) >> 16);
        let place = self.fill.place(row, self.height).zip(self.fill.place(column, self.width));
        pixel[0] = match place {
            Some((row, column)) => self.pixels[row * self.width + column],
            None => self.fill.byte(),
        };
    }

    /// The same where not all four pixels are the image's.
    #[cold]
    fn sample_border(&self, [left, top]: [i64; 2], weights: [u32; 2], pixel: &mut [u8]) {
        let columns = [left, left + 1].map(|at| self.fill.place(at, self.width));
        let rows = [top, top + 1].map(|at| self.fill.place(at, self.height));
        for (channel, to) in pixel.iter_mut().enumerate() {
            let at = |row: Option<usize>, column: Option<usize>| match row.zip(column) {
                Some((row, column)) => {
                    self.pixels[(row * self.width + column) * self.channels + channel]
                }
                None => self.fill.byte(),
            };
            let [top, bottom] = rows.map(|row| columns.map(|column| at(row, column)));
            *to = mixed([top[0], top[1], bottom[0], bottom[1]], weights);
        }
    }
}

/// Four bytes, mixed by how far the place is to the right and down, of 256.
#[inline(always)]
fn mixed(four: [u8; 4], [wx, wy]: [u32; 2]) -> u8 {
    let [a, b, c, d] = four.map(u32::from);
    let upper = a * (256 - wx) + b * wx;
    let lower = c * (256 - wx) + d * wx;
    ((upper * (256 - wy) + lower * wy + (1 << 15)) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::super::frame::frame;
    use super::*;

    fn warped(shape: [usize; 3], pixels: &[u8], map: [[f64; 2]; 2], fill: FillMode) -> Vec<u8> {
        let mut frame = frame(shape, pixels);
        warp(&mut frame, map, fill);
        frame.pixels
    }

    #[test]
    fn the_identity_changes_nothing() {
        for channels in [1, 2, 3] {
            let pixels: Vec<u8> = (0..20 * channels as u8).map(|byte| byte * 3).collect();
            let map = [[1.0, 0.0], [0.0, 1.0]];
            let found = warped([5, 4, channels], &pixels, map, FillMode::Value(0));
            assert_eq!(found, pixels, "{channels} channels");
        }
    }

    #[test]
    fn masks_take_the_nearest_pixel_and_class_0_beyond_the_border() {
        let mask = |map, fill| {
            let mut frame = frame([2, 3, 1], &[1, 2, 3, 4, 5, 6]);
            frame.classes = true;
            warp(&mut frame, map, fill);
            frame.pixels
        };
        // A third of a pixel to the right of each: the same pixel.
        let shrunk = [[1.3, 0.0], [0.0, 1.0]];
        assert_eq!(mask(shrunk, FillMode::Value(99)), [1, 2, 3, 4, 5, 6]);
        // Places −1, 1 and 3 of a row: beyond both ends there is no class, whatever colour fills images.
        let half = [[2.0, 0.0], [0.0, 1.0]];
        assert_eq!(mask(half, FillMode::Value(99)), [0, 2, 0, 0, 5, 0]);
        assert_eq!(mask(half, FillMode::Edge), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn half_a_pixel_mixes_neighbours() {
        // The middle of 2 pixels, seen at half the size: places −0.5 and 1.5.
        let half = [[2.0, 0.0], [0.0, 1.0]];
        assert_eq!(warped([1, 2, 1], &[100, 200], half, FillMode::Value(0)), [50, 100]);
        assert_eq!(warped([1, 2, 1], &[100, 200], half, FillMode::Edge), [100, 200]);
        assert_eq!(warped([1, 2, 1], &[100, 200], half, FillMode::Reflect), [150, 150]);
        // At twice the size: a quarter to the left and right of the middle.
        let twice = [[0.5, 0.0], [0.0, 1.0]];
        assert_eq!(warped([1, 2, 1], &[100, 200], twice, FillMode::Edge), [125, 175]);
    }
}
