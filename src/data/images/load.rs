//! One image file to pixels of the wanted shape, or the reason why there are none; and the count of
//! those that are done.
//!
//! ```text
//! decoder.file("photos/cat/1.jpg", …)  →  Image(hash), Broken("a JPEG image that ends early"),
//!                                         or Lost("Permission denied")
//! ```
//!
//! Nothing in a file ends the run: files are read up to a bound, and a decoder's panic is a reason
//! like any other.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use fast_image_resize::Resizer;

use super::decode::{Header, MOST_FILE_BYTES, PIXEL_MEMORY};
use super::fit::{FitTarget, fit};
use super::packed::{Outcome, hash};
use crate::base::caught::caught;
use crate::data::request::Watch;
use crate::files;

/// Images of more megapixels than this are decoded one at a time, so that many threads with large
/// images do not need the memory of all of them at once.
const LARGE: u64 = 16;

/// Bytes that decoding images of so many pixels takes on so many threads at once: an image is read,
/// decoded and brought to eight bits, and large ones are decoded one at a time.
pub fn decoding_bytes(pixels: u64, threads: u64) -> u64 {
    let bytes = |pixels: u64| pixels * PIXEL_MEMORY;
    match pixels {
        0 => 0,
        _ => bytes(pixels) + bytes(pixels.min(LARGE * 1_000_000)) * threads.saturating_sub(1),
    }
}

/// Counts images for all folders of a data set, and asks now and then whether to go on.
pub struct Progress<'a> {
    watch: Watch<'a>,
    total: usize,
    done: AtomicUsize,
    stopped: AtomicBool,
}

impl<'a> Progress<'a> {
    /// Nothing done of `total`.
    pub fn new(watch: Watch<'a>, total: usize) -> Self {
        Progress { watch, total, done: AtomicUsize::new(0), stopped: AtomicBool::new(false) }
    }

    /// One more is done.
    pub fn tick(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if !(self.watch)(done, self.total) {
            self.stopped.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the user wants to stop.
    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Decodes files, from any thread.
#[derive(Debug)]
pub struct Decoder {
    /// Size and channels of the images to make.
    pub shape: FitTarget,
    large: Mutex<()>,
}

impl Decoder {
    /// Decodes to this shape.
    pub fn new(shape: FitTarget) -> Self {
        Decoder { shape, large: Mutex::new(()) }
    }

    /// Decodes a file; `out` is of the shape.
    pub fn file(&self, path: &Path, resizer: &mut Resizer, out: &mut [u8]) -> Outcome {
        match read(path) {
            Err(reason) => Outcome::Lost(reason),
            Ok(bytes) => match self.bytes(&bytes, resizer, out) {
                Err(reason) => Outcome::Broken(reason),
                Ok(()) => Outcome::Image(hash(out)),
            },
        }
    }

    /// The same, of a file that has been read. An error is a reason in plain words.
    pub fn bytes(&self, file: &[u8], resizer: &mut Resizer, out: &mut [u8]) -> Result<(), String> {
        let decoded = caught(|| {
            let header = Header::read(file)?;
            let _alone = (header.megapixels > LARGE)
                .then(|| self.large.lock().unwrap_or_else(PoisonError::into_inner));
            let pixels = header.decode(self.shape.channels)?;
            fit(&pixels, &self.shape, resizer, out);
            Ok(())
        });
        decoded.unwrap_or_else(|panic| Err(format!("its decoder failed: {panic}")))
    }
}

/// The bytes of an image file, or why there are none.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    files::read::bytes(path, MOST_FILE_BYTES).map_err(|error| error.to_string())
}
