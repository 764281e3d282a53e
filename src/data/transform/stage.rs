//! One transform of an image's bytes, of any kind: what it does to a size, to an image to train
//! on, and to an image to judge by.
//!
//! A new transform is a file beside this one, a variant here, and a line in [`super::parse`].

use super::super::error::DataError;
use super::crop::Crop;
use super::erase::Erase;
use super::flip::Flip;
use super::frame::{Frame, Size};
use super::grayscale;
use super::jitter::Jitter;
use super::resize::Resize;
use super::rotate::Rotate;
use super::zoom::Zoom;
use crate::base::rng::Sequence;

/// A transform of an image's bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    /// `resize`
    Resize(Resize),
    /// `grayscale`
    Grayscale,
    /// `random_flip`
    Flip(Flip),
    /// `random_crop`
    Crop(Crop),
    /// `random_rotate`
    Rotate(Rotate),
    /// `random_zoom`
    Zoom(Zoom),
    /// `random_erase`
    Erase(Erase),
    /// `color_jitter`
    Jitter(Jitter),
}

impl Stage {
    /// The size that comes out for one that goes in.
    pub fn fit(&self, size: Size) -> Result<Size, DataError> {
        match self {
            Stage::Resize(resize) => resize.fit(size),
            Stage::Grayscale => grayscale::fit(size),
            Stage::Crop(crop) => crop.fit(size),
            Stage::Jitter(jitter) => jitter.fit(size),
            Stage::Flip(_) | Stage::Rotate(_) | Stage::Zoom(_) | Stage::Erase(_) => Ok(size),
        }
    }

    /// Whether it must see bytes as they are. Others only move and mix pixels, so they may as well
    /// stand behind a conversion that moves zero, though they come before it all the same.
    pub fn needs_bytes(&self, size: Size) -> bool {
        match self {
            Stage::Resize(resize) => resize.adds_bytes(size),
            Stage::Crop(crop) => crop.adds_bytes(),
            Stage::Rotate(rotate) => rotate.adds_bytes(),
            Stage::Zoom(zoom) => zoom.adds_bytes(),
            Stage::Grayscale | Stage::Erase(_) | Stage::Jitter(_) => true,
            Stage::Flip(_) => false,
        }
    }

    /// Whether pixels come to other places, and do not only change their colours.
    fn moves_pixels(&self) -> bool {
        !matches!(self, Stage::Grayscale | Stage::Jitter(_) | Stage::Erase(_))
    }

    /// Transforms an image of training, with random numbers of its own. With the same numbers, the mask
    /// of the image goes the same way; what only changes colours leaves it as it is.
    pub fn train(&self, frame: &mut Frame, rng: &mut Sequence) {
        match self {
            _ if frame.classes && !self.moves_pixels() => {}
            Stage::Resize(resize) => resize.apply(frame),
            Stage::Grayscale => grayscale::apply(frame),
            Stage::Flip(flip) => flip.apply(frame, rng),
            Stage::Crop(crop) => crop.apply(frame, rng),
            Stage::Rotate(rotate) => rotate.apply(frame, rng),
            Stage::Zoom(zoom) => zoom.apply(frame, rng),
            Stage::Erase(erase) => erase.apply(frame, rng),
            Stage::Jitter(jitter) => jitter.apply(frame, rng),
        }
    }

    /// Transforms an image of evaluation: nothing is random.
    pub fn evaluate(&self, frame: &mut Frame) {
        match self {
            _ if frame.classes && !self.moves_pixels() => {}
            Stage::Resize(resize) => resize.apply(frame),
            Stage::Grayscale => grayscale::apply(frame),
            Stage::Crop(crop) => crop.center(frame),
            Stage::Flip(_)
            | Stage::Rotate(_)
            | Stage::Zoom(_)
            | Stage::Erase(_)
            | Stage::Jitter(_) => {}
        }
    }
}
