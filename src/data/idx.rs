//! The idx format of the original MNIST files, and the source for any such files.
//!
//! A file is two zero bytes, a type, the number of dimensions, that many sizes (32 bits, big
//! endian), then the elements: `00 00 08 03  0000ea60 0000001c 0000001c  …` holds 60000 images
//! of 28×28 bytes. Only bytes (type 8) are read, plain or in gzip.
//!
//! Headers are not believed: sizes are multiplied with care, memory grows with what is really in
//! the file, and an error names the byte or the record.

use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::dataset::Dataset;
use super::error::DataError;
use super::gunzip::unpacked;
use super::labelled::{absent_classes, assemble, image_samples, image_schema};
use super::locate;
use super::request::{Arguments, Places, Watch};
use super::samples::Samples;
use super::source::SampleSource;
use crate::base::schema::Schema;
use crate::base::shown::Show;

/// No file may unpack to more.
const MOST_BYTES: usize = 1 << 32;

/// The contents of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Idx {
    /// Its sizes, the number of records first.
    pub dims: Vec<usize>,
    /// Its elements.
    pub bytes: Vec<u8>,
}

/// Reads a file, and its SHA-256 (unpacked, header included), in hex.
pub fn read(path: &Path) -> Result<(Idx, String), DataError> {
    let mut reader = Hashed { inner: unpacked(path)?, digest: Sha256::new() };
    let idx = parse(&mut reader).map_err(|error| error.path(path))?;
    let sum = reader.digest.finalize();
    Ok((idx, sum.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Reads the sizes only.
fn read_dims(path: &Path) -> Result<Vec<usize>, DataError> {
    header(&mut unpacked(path)?).map_err(|error| error.path(path))
}

/// Sums up what is read.
struct Hashed<R> {
    inner: R,
    digest: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.digest.update(&buffer[..count]);
        Ok(count)
    }
}

/// Reads all of a file: header, elements, and nothing after them.
pub fn parse(reader: &mut impl Read) -> Result<Idx, DataError> {
    let dims = header(reader)?;
    let expected = dims.iter().product::<usize>();
    // What a header promises is not worth memory yet; 64 MiB hold any of MNIST's files.
    let mut bytes = Vec::with_capacity(expected.min(1 << 26) + 1);
    let read = reader.take(expected as u64 + 1).read_to_end(&mut bytes);
    let sizes = dims.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
    if let Err(error) = read {
        let at = bytes.len();
        return Err(DataError::new(format!("damaged after {at} of {expected} elements: {error}"))
            .help("get the file again"));
    }
    if bytes.len() != expected {
        let found = match bytes.len() > expected {
            true => "goes on after them".to_string(),
            false => format!("ends after {}", bytes.len()),
        };
        let message = format!("the header says {sizes} = {expected} bytes, but the file {found}");
        return Err(DataError::new(message).help("get the file again"));
    }
    Ok(Idx { dims, bytes })
}

/// Reads the header; the product of the sizes is known not to be too large.
fn header(reader: &mut impl Read) -> Result<Vec<usize>, DataError> {
    let mut at = 0;
    let mut word = || -> Result<[u8; 4], DataError> {
        let mut word = [0; 4];
        reader.read_exact(&mut word).map_err(|error| {
            DataError::new(format!("cannot read the header at byte {at}: {error}"))
        })?;
        at += 4;
        Ok(word)
    };
    let magic = word()?;
    let [0, 0, kind, rank] = magic else {
        let hex: String = magic.iter().map(|byte| format!("{byte:02x}")).collect();
        return Err(DataError::new(format!("not an idx file: it begins with {hex}, not 0000")));
    };
    if kind != 8 {
        let message = format!("byte 2: elements of type {kind:#04x}; only bytes (0x08) are read");
        return Err(DataError::new(message));
    }
    if rank == 0 || rank > 4 {
        return Err(DataError::new(format!("byte 3: {rank} dimensions; 1 to 4 are read")));
    }
    let (mut dims, mut product) = (Vec::new(), 1usize);
    for index in 0..usize::from(rank) {
        let size = u32::from_be_bytes(word()?) as usize;
        let byte = 4 + 4 * index;
        if size == 0 {
            return Err(DataError::new(format!("byte {byte}: dimension {index} is 0")));
        }
        product = product.checked_mul(size).filter(|&all| all <= MOST_BYTES).ok_or_else(|| {
            DataError::new(format!("byte {byte}: sizes multiply to more than 4 GiB"))
        })?;
        dims.push(size);
    }
    Ok(dims)
}

/// The source `idx`.
pub struct IdxFiles;

impl SampleSource for IdxFiles {
    fn name(&self) -> &'static str {
        "idx"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["images", "labels", "test_images", "test_labels", "validation"]
    }

    fn schema(&self, args: &Arguments<'_>, places: &Places) -> Result<Schema, DataError> {
        IdxOptions::of(args)?.schema(places)
    }

    fn open(
        &self,
        args: &Arguments<'_>,
        places: &Places,
        _: Watch<'_>,
    ) -> Result<Dataset, DataError> {
        IdxOptions::of(args)?.open(places)
    }
}

/// The arguments of `idx(…)`.
struct IdxOptions {
    train: Pair<String>,
    test: Option<Pair<String>>,
    validation: f64,
}

/// Images and their labels.
struct Pair<T> {
    images: T,
    labels: T,
}

impl IdxOptions {
    fn of(args: &Arguments<'_>) -> Result<Self, DataError> {
        let test = match (args.text("test_images")?, args.text("test_labels")?) {
            (Some(images), Some(labels)) => {
                Some(Pair { images: images.to_string(), labels: labels.to_string() })
            }
            (None, None) => None,
            _ => {
                let message = "`test_images` and `test_labels` of `idx` go together";
                return Err(DataError::new(message).argument("test_images"));
            }
        };
        let train = Pair {
            images: args.required_text("images")?.to_string(),
            labels: args.required_text("labels")?.to_string(),
        };
        Ok(IdxOptions { train, test, validation: args.fraction("validation")? })
    }

    /// Reads the headers of images and the training labels.
    fn schema(&self, places: &Places) -> Result<Schema, DataError> {
        let dims = read_dims(&locate::file(&self.train.images, "images", places)?)?;
        let labels_path = locate::file(&self.train.labels, "labels", places)?;
        let labels = check_labels(read(&labels_path)?.0, &labels_path)?;
        let test = match &self.test {
            None => 0,
            Some(pair) => read_dims(&locate::file(&pair.images, "test_images", places)?)?[0],
        };
        let classes = classes(&labels);
        let oddities = absent_classes(&labels, classes);
        Ok(Schema { oddities, ..image_schema(&dims, classes, self.validation, test) })
    }

    /// Reads everything.
    fn open(&self, places: &Places) -> Result<Dataset, DataError> {
        let path = |file, argument| locate::file(file, argument, places);
        let train = Pair {
            images: path(&self.train.images, "images")?,
            labels: path(&self.train.labels, "labels")?,
        };
        let (dims, train_samples, labels) = labelled(&train, None)?;
        let classes = classes(&labels);
        let (test_count, test) = match &self.test {
            None => (0, None),
            Some(pair) => {
                let pair = Pair {
                    images: path(&pair.images, "test_images")?,
                    labels: path(&pair.labels, "test_labels")?,
                };
                let (test_dims, test, _) = labelled(&pair, Some(classes))?;
                if test_dims[1..] != dims[1..] {
                    let (found, wanted) = (&test_dims[1..], &dims[1..]);
                    let message = format!("images of {found:?}, but those to train on {wanted:?}");
                    return Err(DataError::new(message).path(&pair.images));
                }
                (test.count(), Some(test))
            }
        };
        let oddities = absent_classes(&labels, classes);
        let schema =
            Schema { oddities, ..image_schema(&dims, classes, self.validation, test_count) };
        Ok(assemble(IdxFiles.name(), schema, train_samples, &labels, self.validation, test))
    }
}

/// Reads images and labels, which must agree in number; labels from `classes` on are refused.
/// Returns the images' sizes, the samples and the labels.
fn labelled(
    pair: &Pair<PathBuf>,
    classes: Option<usize>,
) -> Result<(Vec<usize>, Samples, Vec<u8>), DataError> {
    let (images, _) = read(&pair.images)?;
    if images.dims.len() < 2 {
        let message = "one dimension; images need a size besides their number";
        return Err(DataError::new(message).path(&pair.images));
    }
    let labels = check_labels(read(&pair.labels)?.0, &pair.labels)?;
    if labels.len() != images.dims[0] {
        let (found, wanted) = (labels.len(), images.dims[0]);
        let message = format!("{found} labels for {wanted} images of {}", pair.images.shown());
        return Err(DataError::new(message).path(&pair.labels));
    }
    if let Some(classes) = classes
        && let Some(record) = labels.iter().position(|&label| usize::from(label) >= classes)
    {
        let label = labels[record];
        let message =
            format!("record {record}: label {label}, but classes are 0 to {}", classes - 1);
        return Err(DataError::new(message).path(&pair.labels));
    }
    Ok((images.dims.clone(), image_samples(&images.dims, images.bytes, &labels), labels))
}

fn check_labels(idx: Idx, path: &Path) -> Result<Vec<u8>, DataError> {
    match idx.dims.len() {
        1 => Ok(idx.bytes),
        rank => Err(DataError::new(format!("{rank} dimensions; labels have one")).path(path)),
    }
}

fn classes(labels: &[u8]) -> usize {
    labels.iter().max().map_or(0, |&label| usize::from(label) + 1)
}
