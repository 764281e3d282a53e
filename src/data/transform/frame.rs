//! An image on its way through the transforms: its bytes, its size, and room to write the next
//! one.
//!
//! `frame.load(size, bytes)`, then each stage changes `frame.pixels` in place or replaces them
//! ([`Frame::replace`]). The buffers stay, so that once they are large enough nothing is
//! allocated.

use fast_image_resize::Resizer;

/// Rows, columns and channels of an image. Bytes lie row by row, the channels of a pixel together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Pixels a row.
    pub width: usize,
    /// Bytes a pixel.
    pub channels: usize,
}

impl Size {
    /// The size of `[height, width, channels]`.
    pub fn of(shape: &[usize]) -> Option<Size> {
        match *shape {
            [height, width, channels] => Some(Size { height, width, channels }),
            _ => None,
        }
    }

    /// `[height, width, channels]`.
    pub fn shape(self) -> Vec<usize> {
        vec![self.height, self.width, self.channels]
    }

    /// Bytes a row.
    pub fn row(self) -> usize {
        self.width * self.channels
    }

    /// Bytes in all.
    pub fn bytes(self) -> usize {
        self.height * self.row()
    }
}

/// An image or a mask that is being transformed; none at first.
#[derive(Debug, Default)]
pub struct Frame {
    /// Its size.
    pub size: Size,
    /// Whether its bytes are classes and no colours: they are moved, and never mixed or changed.
    pub classes: bool,
    /// Its bytes.
    pub pixels: Vec<u8>,
    /// Where the next image is written.
    spare: Vec<u8>,
    /// Keeps what resizing needs.
    pub(super) resizer: Resizer,
}

impl Frame {
    /// Makes room for an image, whose bytes `fill` writes.
    pub fn load<E>(
        &mut self,
        size: Size,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.size = size;
        self.pixels.resize(size.bytes(), 0);
        fill(&mut self.pixels)
    }

    /// Puts another image in the place of this one: `write` is given the old bytes and room for
    /// the new ones, whose contents are arbitrary.
    pub fn replace(&mut self, size: Size, write: impl FnOnce(&[u8], &mut [u8], &mut Resizer)) {
        self.spare.resize(size.bytes(), 0);
        write(&self.pixels, &mut self.spare, &mut self.resizer);
        std::mem::swap(&mut self.pixels, &mut self.spare);
        self.size = size;
    }
}

/// A frame that holds an image; for tests.
#[cfg(test)]
pub(super) fn frame([height, width, channels]: [usize; 3], pixels: &[u8]) -> Frame {
    let size = Size { height, width, channels };
    assert_eq!(pixels.len(), size.bytes());
    Frame { size, pixels: pixels.to_vec(), ..Frame::default() }
}
