//! Images of bytes at another size: bilinear with antialiasing, where an image shrinks with a filter
//! as wide as what becomes one pixel, as in Pillow and in torchvision's `antialias=True`.
//!
//! ```text
//! 1×2: 0 100           to 1×4         0 25 75 100
//! 2×4: 1 2 3 4 5 6 7 8 to 2×2, crop   2 3 6 7
//! ```
//!
//! Code is made for pixels of one and of three bytes only: each type takes the binary half a megabyte.
//! Others are scaled a channel at a time, which gives the same bytes.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

/// Rows and columns of an image of `channels` bytes a pixel.
type Sides = [usize; 2];

/// Scales an image; with `crop` only the largest part in its middle that has the new proportions.
/// Sides are below 2³², and `from` and `to` have as many bytes as theirs say.
pub fn scale(
    resizer: &mut Resizer,
    (from, size): (&[u8], Sides),
    (to, new): (&mut [u8], Sides),
    channels: usize,
    crop: bool,
) {
    match channels {
        1 => scale_pixels::<U8>(resizer, (from, size), (to, new), crop),
        3 => scale_pixels::<U8x3>(resizer, (from, size), (to, new), crop),
        _ => {
            let mut scaled = vec![0; new[0] * new[1]];
            for channel in 0..channels {
                let plane: Vec<u8> = from.iter().skip(channel).step_by(channels).copied().collect();
                scale_pixels::<U8>(resizer, (&plane, size), (&mut scaled, new), crop);
                let places = to.iter_mut().skip(channel).step_by(channels);
                places.zip(&scaled).for_each(|(place, &byte)| *place = byte);
            }
        }
    }
}

/// Puts into each pixel of a mask of one byte a pixel the nearest one of another mask; with `crop`, of the
/// largest part in its middle that has the new proportions. Of two as near, it is the right or lower.
pub fn nearest((from, size): (&[u8], Sides), (to, new): (&mut [u8], Sides), crop: bool) {
    let [height, width] = size;
    // The sides of the part that is seen, each times the other mask's other side.
    let mut seen = [height * new[1], width * new[0]];
    if crop {
        seen = [seen[0].min(seen[1]); 2];
    }
    let seen = [seen[0] as f64 / new[1] as f64, seen[1] as f64 / new[0] as f64];
    let place = |at: usize, axis: usize| {
        let first = (size[axis] as f64 - seen[axis]) / 2.0;
        let place = first + (2 * at + 1) as f64 * seen[axis] / (2 * new[axis]) as f64;
        (place.floor() as usize).min(size[axis] - 1)
    };
    let columns: Vec<usize> = (0..new[1]).map(|column| place(column, 1)).collect();
    for (row, line) in to.chunks_exact_mut(new[1]).enumerate() {
        let from = &from[place(row, 0) * width..][..width];
        line.iter_mut().zip(&columns).for_each(|(pixel, &column)| *pixel = from[column]);
    }
}

fn scale_pixels<P: PixelTrait>(
    resizer: &mut Resizer,
    (from, size): (&[u8], Sides),
    (to, new): (&mut [u8], Sides),
    crop: bool,
) {
    let [[height, width], [new_height, new_width]] =
        [size, new].map(|sides| sides.map(|side| u32::try_from(side).expect("sides were checked")));
    let from = TypedImageRef::<P>::from_buffer(width, height, from);
    let to = TypedImage::<P>::from_buffer(new_width, new_height, to);
    let from = from.expect("as many bytes as the sides say");
    let mut to = to.expect("as many bytes as the sides say");
    // No channel is an alpha that others would be multiplied with.
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .use_alpha(false);
    let options = if crop { options.fit_into_destination(None) } else { options };
    resizer.resize_typed(&from, &mut to, &options).expect("sizes and types are right");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Sequence;
    use fast_image_resize::pixels::{U8x2, U8x4};

    /// As by the code for pixels of that many bytes.
    #[test]
    fn images_of_two_and_four_channels_are_scaled_as_whole_pixels_would_be() {
        let mut rng = Sequence::new(7, 0);
        let mut resizer = Resizer::new();
        for round in 0..200 {
            let mut side = || 1 + rng.below(40) as usize;
            let (size, new, crop) = ([side(), side()], [side(), side()], round % 3 == 0);
            for channels in [2, 4] {
                let bytes = |sides: Sides| sides[0] * sides[1] * channels;
                let from: Vec<u8> = (0..bytes(size)).map(|_| rng.below(256) as u8).collect();
                let mut expected = vec![0; bytes(new)];
                let whole = if channels == 2 { scale_pixels::<U8x2> } else { scale_pixels::<U8x4> };
                whole(&mut resizer, (&from, size), (&mut expected, new), crop);
                let mut scaled = vec![0; bytes(new)];
                scale(&mut resizer, (&from, size), (&mut scaled, new), channels, crop);
                assert_eq!(scaled, expected, "{size:?} to {new:?} of {channels} channels");
            }
        }
    }
}
