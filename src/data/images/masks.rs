//! `images("pictures", masks: "masks", …)`: each picture with a mask of its name, a class a pixel.
//!
//! ```text
//! pictures/cell-001.png   masks/cell-001.png   →   image: u8[96, 96, 1], mask: u8[96, 96]
//! ```
//!
//! A mask is an image of one channel, whose bytes are classes. It is never interpolated: at another size
//! it takes the nearest pixel. Pictures stretch to the size, as do their masks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fast_image_resize::Resizer;
use rayon::prelude::*;

use super::class_pixels::class_pixels;
use super::decode::Header;
use super::{ImageFiles, Options, images_below, read_image};
use crate::base::schema::{ClassField, Field, FieldKind, Schema};
use crate::base::shown::Show;
use crate::base::tensor::DType;
use crate::data::dataset::Dataset;
use crate::data::error::DataError;
use crate::data::locate;
use crate::data::origins::SampleOrigins;
use crate::data::request::{Arguments, Part, Places};
use crate::data::samples::{Column, Samples};
use crate::data::scale::nearest;
use crate::data::source::{FitMode, SampleSource};
use crate::data::split::parts;

/// The name of the field of masks.
const MASK: &str = "mask";

/// Pictures and their masks.
struct MaskedPictures {
    images: Vec<u8>,
    masks: Vec<u8>,
    files: Vec<PathBuf>,
}

/// The fields of samples whose masks have so many classes.
fn fields(options: &Options<'_>, classes: Option<usize>) -> [Field; 2] {
    let mask = Field {
        kind: FieldKind::Class(ClassField { count: classes, one_hot: false }),
        is_target: true,
        ..Field::number(MASK, DType::U8, &[options.shape.height, options.shape.width])
    };
    [options.image_field(), mask]
}

/// Reads the pictures and their masks.
pub fn load(args: &Arguments<'_>, places: &Places) -> Result<Dataset, DataError> {
    let options = Options::of(args)?;
    if options.shape.resize != FitMode::Stretch {
        let error = args.wrong("resize", "`stretch` where there are masks");
        return Err(error.help("give images and masks of the size that the model takes"));
    }
    let train = pair(args, &options, ("folder", "masks"), places)?;
    let own = train.files.len();
    let (validation_part, test_part) = (&options.validation, &options.test);
    let mut all = train;
    let mut further = |part: &Part<'_>, name: &'static str, masks: &'static str| match part {
        Part::Fraction(fraction) => Ok((*fraction, 0..0)),
        Part::Folder(_) => {
            let more = pair(args, &options, (name, masks), places)?;
            let first = all.files.len() as u32;
            all.images.extend(more.images);
            all.masks.extend(more.masks);
            all.files.extend(more.files);
            Ok((0.0, first..all.files.len() as u32))
        }
    };
    let (validation, validation_rows) = further(validation_part, "validation", "validation_masks")?;
    let (test, test_rows) = further(test_part, "test", "test_masks")?;
    let cut = parts(&vec![0; own], [test, validation]);
    let joined =
        |part: &[u32], rows: std::ops::Range<u32>| part.iter().copied().chain(rows).collect();
    let splits = [cut[0].clone(), joined(&cut[2], validation_rows), joined(&cut[1], test_rows)];
    let pixels = options.shape.height * options.shape.width;
    let classes =
        splits[0].iter().flat_map(|&sample| &all.masks[sample as usize * pixels..][..pixels]);
    let classes = classes.max().map_or(1, |&most| usize::from(most) + 1);
    if let Some(at) = all.masks.iter().position(|&class| usize::from(class) >= classes) {
        let (class, file) = (all.masks[at], &all.files[at / pixels]);
        let message =
            format!("its mask has the class {class}, those to train on have 0 to {}", classes - 1);
        return Err(DataError::new(message).path(file));
    }
    let [image, mask] = fields(&options, Some(classes));
    let columns = vec![(image, Column::Memory(all.images)), (mask, Column::Memory(all.masks))];
    let samples = Samples::new(all.files.len(), columns);
    let samples = Arc::new(samples.from(SampleOrigins::Files(all.files)));
    Ok(Dataset::of_splits(ImageFiles.name(), samples, splits))
}

/// The fields where the folders are not there.
pub fn presumed(args: &Arguments<'_>) -> Result<Schema, DataError> {
    let options = Options::of(args)?;
    Ok(Schema::of(fields(&options, options.classes.or(Some(2))).to_vec()))
}

/// The pictures of a folder and the masks of another.
fn pair(
    args: &Arguments<'_>,
    options: &Options<'_>,
    (images, masks): (&'static str, &'static str),
    places: &Places,
) -> Result<MaskedPictures, DataError> {
    let named = |argument| -> Result<PathBuf, DataError> {
        locate::folder(args.required_text(argument)?, argument, places, None)
    };
    let (folder, mask_folder) = (named(images)?, named(masks)?);
    let files = images_below(&folder)?;
    if files.is_empty() {
        return Err(DataError::new("has no images in it").path(folder));
    }
    let room = options.shape.bytes();
    let pixels = options.shape.height * options.shape.width;
    let decoder = super::Decoder::new(options.shape);
    let one = |file: &PathBuf| -> Result<(Vec<u8>, Vec<u8>), DataError> {
        let mut resizer = Resizer::new();
        let (mut image, mut mask) = (vec![0; room], vec![0; pixels]);
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |reason: String| DataError::new(reason).path(path)
        };
        let bytes = read_image(file).map_err(failed(file))?;
        decoder.bytes(&bytes, &mut resizer, &mut image).map_err(failed(file))?;
        let own = mask_of(file, &folder, &mask_folder)?;
        let of_mask = read_image(&own).map_err(failed(&own))?;
        let sides = [options.shape.height, options.shape.width];
        classes(&bytes, &of_mask, sides, &mut mask).map_err(failed(&own))?;
        Ok((image, mask))
    };
    let read: Vec<(Vec<u8>, Vec<u8>)> = files.par_iter().map(one).collect::<Result<_, _>>()?;
    let (images, masks): (Vec<Vec<u8>>, Vec<Vec<u8>>) = read.into_iter().unzip();
    Ok(MaskedPictures { images: images.concat(), masks: masks.concat(), files })
}

/// The mask of a picture: the file of its name, whatever its ending.
fn mask_of(file: &Path, folder: &Path, masks: &Path) -> Result<PathBuf, DataError> {
    let own = file.strip_prefix(folder).unwrap_or(file);
    let endings = ["png", "bmp", "gif", "webp"];
    let same = masks.join(own);
    let found = std::iter::once(same.clone())
        .chain(endings.iter().map(|ending| same.with_extension(ending)))
        .find(|path| crate::files::read::is_there(path));
    found.ok_or_else(|| {
        let message = format!("has no mask of its name in {}", masks.shown());
        DataError::new(message).path(file).argument("masks")
    })
}

/// The classes of a mask's pixels at another size.
fn classes(picture: &[u8], mask: &[u8], sides: [usize; 2], out: &mut [u8]) -> Result<(), String> {
    let header = Header::read(mask)?;
    let (own_height, own_width) = header.sides();
    let pixels = class_pixels(mask, header)?;
    let (of_height, of_width) = Header::read(picture)?.sides();
    if (own_height, own_width) != (of_height, of_width) {
        return Err(format!(
            "a mask of {own_height} × {own_width} for a picture of {of_height} × {of_width}"
        ));
    }
    let own = [own_height, own_width].map(|side| side as usize);
    nearest((&pixels, own), (out, sides), false);
    Ok(())
}
