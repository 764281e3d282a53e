//! Folders of images for tests, and what is asked of them.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use fast_image_resize::Resizer;
use image::{DynamicImage, ImageFormat, RgbImage};
use tempfile::TempDir;

use crate::data::images::fit::FitTarget;
use crate::data::images::load::Decoder;
use crate::data::source::FitMode;
use crate::data::{Argument, DataError, Dataset, Literal, Places, SourceRequest, Split};

/// A folder that goes away, with a cache beside the images.
pub struct Case {
    pub folder: TempDir,
}

impl Case {
    /// An empty folder.
    pub fn new() -> Case {
        Case { folder: tempfile::tempdir().expect("a folder") }
    }

    /// `photos` with two classes of four images each, of different sizes.
    pub fn cats_and_dogs() -> Case {
        let case = Case::new();
        for (class, name) in ["cat", "dog"].iter().enumerate() {
            for number in 0..4 {
                let path = format!("photos/{name}/{number}.png");
                case.write(&path, &png(8 + number, 6 + class as u32, (class * 4) as u8));
            }
        }
        case
    }

    /// Writes a file and the folders above it.
    pub fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(path, bytes).expect("a file can be written");
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn places(&self) -> Places {
        Places {
            beside: self.folder.path().to_path_buf(),
            cache: Some(self.path("cache")),
            ..Places::default()
        }
    }

    pub fn open(&self, args: &[(&str, Literal)]) -> Result<Dataset, DataError> {
        self.open_at(args, &self.places())
    }

    pub fn open_at(&self, args: &[(&str, Literal)], places: &Places) -> Result<Dataset, DataError> {
        crate::data::open(&request("photos", args), places, &|_, _| true)
    }

    /// The files that the cache holds, sorted.
    pub fn cached(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("cache/images")).into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }
}

/// `images(folder, size: [4, 4], …)`; a size among the arguments counts instead.
pub fn request(folder: &str, args: &[(&str, Literal)]) -> SourceRequest {
    let size = ("size", Literal::List(vec![Literal::Int(4), Literal::Int(4)]));
    let sized = args.iter().any(|(name, _)| *name == "size");
    let named = args.iter().cloned().chain((!sized).then_some(size));
    let named = named.map(|(name, value)| Argument::named(name, value));
    let folder = Argument::positional(Literal::Str(folder.to_string()));
    SourceRequest::new("images", [folder].into_iter().chain(named).collect())
}

pub fn text(value: &str) -> Literal {
    Literal::Str(value.to_string())
}

/// All images of a split, and all labels.
pub fn samples(split: &Split) -> (Vec<u8>, Vec<i32>) {
    let all: Vec<u32> = (0..split.count() as u32).collect();
    let mut images = vec![0; all.len() * split.fields()[0].bytes()];
    split.copy_batch(&all, 0, &mut images).expect("images can be read");
    let mut labels = vec![0; all.len() * 4];
    split.copy_batch(&all, 1, &mut labels).expect("labels can be read");
    let labels = labels.chunks_exact(4).map(|four| i32::from_le_bytes(four.try_into().unwrap()));
    (images, labels.collect())
}

/// An image with four quarters of different colours.
pub fn quarters(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb(QUARTERS[usize::from(2 * y >= height) * 2 + usize::from(2 * x >= width)])
    })
}

/// The colours of [`quarters`], and of the files in `tests/files`.
pub const QUARTERS: [[u8; 3]; 4] = [[200, 40, 30], [40, 180, 60], [30, 60, 210], [128, 128, 128]];

pub fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.into().write_to(&mut file, format).expect("an image can be encoded");
    file.into_inner()
}

/// A small image that depends on a number.
pub fn png(width: u32, height: u32, number: u8) -> Vec<u8> {
    let pixel = |x: u32, y: u32| {
        let value = (x * 37 + y * 91) as u8;
        image::Rgb([value.wrapping_add(number), value / 2, number.wrapping_mul(9)])
    };
    encoded(RgbImage::from_fn(width, height, pixel), ImageFormat::Png)
}

/// Decodes a file at its own size, or another, stretched.
pub fn decoded(
    file: &[u8],
    (width, height): (usize, usize),
    channels: usize,
) -> Result<Vec<u8>, String> {
    let shape = FitTarget { height, width, channels, resize: FitMode::Stretch };
    let mut out = vec![0; shape.bytes()];
    Decoder::new(shape).bytes(file, &mut Resizer::new(), &mut out).map(|()| out)
}

/// The real photos, by their names in the archive; where there are none, tests that need them say
/// so and pass, except where `CI` is set.
pub fn photos() -> Option<Vec<(String, Vec<u8>)>> {
    let folder = std::env::var_os("NNC_DATA").map(PathBuf::from).unwrap_or_default();
    let archive = folder.join("cats-dogs.tar");
    if !archive.is_file() {
        assert!(std::env::var_os("CI").is_none(), "NNC_DATA must hold cats-dogs.tar under CI");
        eprintln!("skipped: NNC_DATA names no folder with cats-dogs.tar in it");
        return None;
    }
    Some(unpacked(&archive, ".jpg"))
}

/// The files of a tar archive whose names end so.
fn unpacked(archive: &Path, ending: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(archive).expect("an archive");
    let mut files = Vec::new();
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + 512).filter(|header| header[0] != 0) {
        let until_zero = |field: &[u8]| {
            let text = field.split(|&byte| byte == 0).next().unwrap_or_default();
            String::from_utf8(text.to_vec()).expect("plain names")
        };
        let size = usize::from_str_radix(until_zero(&header[124..136]).trim(), 8).expect("a size");
        let name = until_zero(&header[..100]);
        if name.ends_with(ending) {
            files.push((name, bytes[at + 512..][..size].to_vec()));
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    files
}
