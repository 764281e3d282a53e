//! Pictures and sounds of a page, within a bound.

use crate::base::schema::Field;
use crate::base::tensor::DType;
use crate::data::Split;
use crate::report::html::Picture;

/// Bytes of all pictures and sounds of a page, as they are before they are packed; in the page they
/// take up to a third more. Those that do not fit are left out.
pub const MEDIA_BYTES: usize = 6 << 20;

/// A longer side of a picture is made shorter.
const MOST_SIDE: usize = 256;

/// Colours of the classes of a mask, in order and again: told apart on light and on dark paper.
const PALETTE: [[u8; 3]; 8] = [
    [44, 48, 56],
    [86, 180, 233],
    [240, 128, 60],
    [22, 166, 120],
    [240, 228, 66],
    [204, 121, 167],
    [146, 23, 247],
    [225, 225, 225],
];

/// The rest of a page's bytes.
#[derive(Debug)]
pub struct MediaBudget(usize);

impl MediaBudget {
    /// All that a page may have.
    pub fn new() -> MediaBudget {
        MediaBudget(MEDIA_BYTES)
    }

    /// A picture no larger than a page shows it, if there is room for it.
    pub fn picture(&mut self, picture: Picture) -> Option<Picture> {
        let picture = picture.within(MOST_SIDE);
        let bytes = picture.bytes.len();
        self.spend(bytes).then_some(picture)
    }

    /// A recording, if there is room for it.
    pub fn sound(&mut self, sound: Vec<u8>) -> Option<Vec<u8>> {
        self.spend(sound.len()).then_some(sound)
    }

    fn spend(&mut self, bytes: usize) -> bool {
        match self.0.checked_sub(bytes) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}

/// The colour of a class in a mask.
pub fn class_colour(class: usize) -> [u8; 3] {
    PALETTE[class % PALETTE.len()]
}

/// The pictures among the fields that a model takes, by name, as they lie in the data.
pub fn input_pictures(split: &Split, index: u32) -> Vec<(String, Picture)> {
    let inputs = split.fields().iter().enumerate().filter(|(_, field)| !field.is_target);
    let one = |(place, field): (usize, &Field)| {
        field.as_image()?;
        Some((field.name.clone(), picture(field, split.value(index, place).ok()?)?))
    };
    inputs.filter_map(one).collect()
}

/// Bytes as a picture of a field's shape, if that is one.
pub fn picture(field: &Field, bytes: Vec<u8>) -> Option<Picture> {
    let &[height, width, channels @ (1 | 3)] = &field.shape[..] else { return None };
    (field.dtype == DType::U8).then_some(Picture { height, width, channels, bytes })
}

/// A class a pixel in colours.
pub fn mask(sides: [usize; 2], classes: &[u32]) -> Picture {
    let [height, width] = sides;
    let bytes = classes.iter().flat_map(|&class| class_colour(class as usize)).collect();
    Picture { height, width, channels: 3, bytes }
}

/// A picture darkened, with pixels in red where two masks differ; without a picture of that size, on
/// black.
pub fn wrong_pixels(
    sides: [usize; 2],
    under: Option<&Picture>,
    label: &[u32],
    predicted: &[u32],
) -> Picture {
    let [height, width] = sides;
    let under = under.filter(|it| [it.height, it.width] == sides);
    let dark = |pixel: usize| {
        let Some(under) = under else { return [0; 3] };
        let at =
            |channel: usize| under.bytes[pixel * under.channels + channel.min(under.channels - 1)];
        [0, 1, 2].map(|channel| at(channel) / 2)
    };
    let pairs = label.iter().zip(predicted).enumerate();
    let colour = |(pixel, (one, other))| if one == other { dark(pixel) } else { [235, 64, 52] };
    Picture { height, width, channels: 3, bytes: pairs.flat_map(colour).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_that_are_wrong_are_red_on_the_picture_darkened() {
        let grey = Picture { height: 1, width: 2, channels: 1, bytes: vec![100, 200] };
        let wrong = wrong_pixels([1, 2], Some(&grey), &[0, 1], &[0, 2]);
        assert_eq!(wrong.bytes, [50, 50, 50, 235, 64, 52]);
        assert_eq!(mask([1, 1], &[1]).bytes, class_colour(1));
    }

    #[test]
    fn a_page_has_no_more_than_its_bytes() {
        let mut budget = MediaBudget::new();
        let large =
            || Picture { height: 512, width: 512, channels: 3, bytes: vec![7; 512 * 512 * 3] };
        let shown = (0..100).filter_map(|_| budget.picture(large())).count();
        assert_eq!(shown, MEDIA_BYTES / (256 * 256 * 3));
        assert!(budget.sound(vec![0; MEDIA_BYTES]).is_none());
    }
}
