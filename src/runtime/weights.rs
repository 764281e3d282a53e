//! Weights in files: every parameter and layer state under its path, in the language's own
//! layout, as safetensors.
//!
//! The file is replaced at once: a crash leaves the old one or the new one. An optimiser's
//! states are not weights and are not written.
//!
//! Reading takes the element types that the language has; `I64`, which other frameworks give
//! labels, becomes `i32` where every number fits.

use crate::base::limits;
use crate::base::shown::Show;
use crate::base::tensor::{DType, Data, Tensor};
use crate::files::{read, write};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata, TensorInfo, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Why a file of tensors could not be read; both name the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// It could not be opened or read.
    Io(String),
    /// It is damaged, or holds what cannot be used.
    Malformed(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Io(message) | LoadError::Malformed(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for LoadError {}

/// The tensors of a file and their names, in order of the names.
pub fn load(path: &Path) -> Result<Vec<(String, Tensor)>, LoadError> {
    let failed = |error| LoadError::Io(format!("cannot read {}: {error}", path.shown()));
    let head = head(path).map_err(failed)?;
    sound(&head.bytes, head.file_length).map_err(|what| malformed(path, what))?;
    parse(path, &read::bytes(path, read::TENSORS).map_err(failed)?)
}

/// The beginning of a file.
struct Head {
    /// Up to the tensors; only the header's length, where that cannot be.
    bytes: Vec<u8>,
    file_length: u64,
}

/// Reads the header of a file, and no more: the file may be damaged or hostile.
fn head(path: &Path) -> io::Result<Head> {
    let file = read::open(path)?;
    let file_length = file.metadata()?.len();
    let mut bytes = Vec::new();
    (&file).take(8).read_to_end(&mut bytes)?;
    let header = header_length(&bytes);
    if header <= limits::FILE_HEADER as u64 {
        file.take(header).read_to_end(&mut bytes)?;
    }
    Ok(Head { bytes, file_length })
}

/// The bytes of a file's header, as its first eight say.
fn header_length(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length))
}

/// Whether a file of so many bytes may hold what its head says, or what is wrong with it.
fn sound(head: &[u8], file_length: u64) -> Result<(), String> {
    bounded(head, file_length)?;
    match SafeTensors::read_metadata(head) {
        Ok(_) if file_length == head.len() as u64 => Ok(()),
        Err(SafeTensorError::MetadataIncompleteBuffer) if is_whole(head, file_length) => Ok(()),
        Ok(_) => Err(unsound(SafeTensorError::MetadataIncompleteBuffer)),
        Err(error) => Err(unsound(error)),
    }
}

/// Whether a file's header is not too large to be read.
fn bounded(head: &[u8], file_length: u64) -> Result<(), String> {
    let (header, most) = (header_length(head), limits::FILE_HEADER);
    match (most as u64 + 1..=file_length).contains(&header) {
        true => Err(format!("has a header of {header} bytes; at most {most} are read")),
        false => Ok(()),
    }
}

/// Whether the tensors that a head tells of end where the file does.
fn is_whole(head: &[u8], file_length: u64) -> bool {
    let metadata: Option<Metadata> = serde_json::from_slice(&head[8..]).ok();
    let tensors = metadata.map(|metadata| metadata.data_len() as u64);
    tensors.is_some_and(|bytes| head.len() as u64 + bytes == file_length)
}

fn unsound(error: SafeTensorError) -> String {
    let why = match error {
        // Which of several is named would differ from run to run.
        SafeTensorError::InvalidOffset(_) => "a tensor does not begin where another ends".into(),
        error => error.to_string(),
    };
    format!("is not a sound safetensors file: {why}")
}

fn malformed(path: &Path, what: String) -> LoadError {
    LoadError::Malformed(format!("{} {what}", path.shown()))
}

/// The same, of bytes that were read from there.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<(String, Tensor)>, LoadError> {
    let malformed = |what: String| malformed(path, what);
    bounded(bytes, bytes.len() as u64).map_err(malformed)?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| malformed(unsound(error)))?;
    let mut views = file.tensors();
    if views.len() > limits::FILE_TENSORS {
        let (count, most) = (views.len(), limits::FILE_TENSORS);
        return Err(malformed(format!("holds {count} tensors; at most {most} are read")));
    }
    let name_of = |name: &str| name.chars().take(limits::NAME_BYTES).collect::<String>();
    if let Some((name, view)) = views.iter().find(|(_, view)| view.shape().len() > limits::AXES) {
        let (name, axes, most) = (name_of(name), view.shape().len(), limits::AXES);
        return Err(malformed(format!("has a tensor of {axes} axes, `{name}`; at most {most}")));
    }
    views.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut tensors = Vec::with_capacity(views.len());
    for (name, view) in views {
        let value = tensor(&view)
            .map_err(|what| LoadError::Malformed(format!("{}: `{name}` {what}", path.shown())))?;
        tensors.push((name, value));
    }
    Ok(tensors)
}

/// A tensor in one of the language's types, or what is wrong with it.
fn tensor(view: &TensorView<'_>) -> Result<Tensor, String> {
    let dtype = match view.dtype() {
        Dtype::F32 => DType::F32,
        Dtype::I32 => DType::I32,
        Dtype::U8 => DType::U8,
        Dtype::BOOL => DType::Bool,
        Dtype::I64 => return narrowed(view),
        Dtype::F16 => return Ok(floats(view, |it| f16::from_le_bytes(*it).to_f32())),
        Dtype::BF16 => return Ok(floats(view, |it| bf16::from_le_bytes(*it).to_f32())),
        Dtype::F64 => return Ok(floats(view, |it| f64::from_le_bytes(*it) as f32)),
        other => {
            return Err(format!(
                "is {other}; f16, bf16, f32, f64, i32, i64, u8 and bool can be read"
            ));
        }
    };
    Ok(Tensor::from_bytes(dtype, view.shape(), view.data()))
}

/// Floating-point numbers of another width as `f32`, the wider ones rounded.
fn floats<const BYTES: usize>(view: &TensorView<'_>, of: impl Fn(&[u8; BYTES]) -> f32) -> Tensor {
    let (numbers, rest) = view.data().as_chunks::<BYTES>();
    debug_assert!(rest.is_empty(), "the format's reader checks the length");
    Tensor::f32(view.shape(), numbers.iter().map(of).collect())
}

/// `I64` numbers as `i32`.
fn narrowed(view: &TensorView<'_>) -> Result<Tensor, String> {
    let (numbers, rest) = view.data().as_chunks::<8>();
    debug_assert!(rest.is_empty(), "the format's reader checks the length");
    let narrow = |(element, number): (usize, &[u8; 8])| {
        let number = i64::from_le_bytes(*number);
        i32::try_from(number)
            .map_err(|_| format!("has {number} as its element {element}, which does not fit i32"))
    };
    let values: Result<Vec<i32>, String> = numbers.iter().enumerate().map(narrow).collect();
    Ok(Tensor::new(view.shape(), Data::I32(values?)))
}

/// Key of the metadata entry in which nnc describes where weights are from.
const ABOUT: &str = "nnc";

/// The description of where weights are from, as [`save`] was given it.
pub fn about(path: &Path) -> Option<String> {
    let head = head(path).ok()?;
    // The format's own reader wants the tensors, too.
    let header: serde_json::Value = serde_json::from_slice(head.bytes.get(8..)?).ok()?;
    Some(header.get("__metadata__")?.get(ABOUT)?.as_str()?.to_owned())
}

/// The metadata of a file that says this of itself.
pub fn metadata(about: &str) -> HashMap<String, String> {
    HashMap::from([(ABOUT.to_owned(), about.to_owned())])
}

/// Writes tensors, each with its name and shape, whose elements, `f32`, are in other files from their
/// beginnings.
pub fn write_streams(
    path: &Path,
    tensors: &mut [(String, Vec<usize>, File)],
    metadata: HashMap<String, String>,
) -> Result<(), String> {
    let shapes: Vec<_> = tensors.iter().map(|(name, shape, _)| (&name[..], &shape[..])).collect();
    let start = head_of(Some(metadata), &shapes);
    write_behind(path, start, |file| {
        tensors.iter_mut().try_for_each(|(_, _, from)| {
            from.seek(SeekFrom::Start(0))?;
            io::copy(from, file).map(drop)
        })
    })
}

/// The name and shape of a tensor of `f32` that is still to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightInfo {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// Writes tensors that are made one by one, each when it is its turn.
pub fn write_each(
    path: &Path,
    tensors: &[WeightInfo],
    make: impl Fn(usize) -> Vec<f32>,
) -> Result<(), String> {
    let shapes: Vec<_> = tensors.iter().map(|it| (&it.name[..], &it.shape[..])).collect();
    write_behind(path, head_of(None, &shapes), |file| {
        (0..tensors.len()).try_for_each(|at| {
            // Piece by piece, so that the bytes are not held beside the numbers.
            make(at).chunks(1 << 16).try_for_each(|piece| {
                let bytes: Vec<u8> = piece.iter().flat_map(|it| it.to_le_bytes()).collect();
                file.write_all(&bytes)
            })
        })
    })
}

/// The first bytes of a file with tensors of `f32` of these names and shapes, in this order.
fn head_of(
    metadata: Option<HashMap<String, String>>,
    tensors: &[(&str, &[usize])],
) -> io::Result<Vec<u8>> {
    let mut first = 0;
    let info = |&(name, shape): &(&str, &[usize])| {
        let end = first + shape.iter().product::<usize>() * DType::F32.size();
        let data_offsets = (std::mem::replace(&mut first, end), end);
        (name.to_owned(), TensorInfo { dtype: Dtype::F32, shape: shape.to_vec(), data_offsets })
    };
    described(metadata, tensors.iter().map(info).collect()).map_err(io::Error::other)
}

/// Writes a file's first bytes, and what `put` puts behind them.
fn write_behind(
    path: &Path,
    start: io::Result<Vec<u8>>,
    put: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), String> {
    let written = start.and_then(|start| {
        write::replace_by(path, |file| {
            file.write_all(&start)?;
            put(file)
        })
    });
    written.map_err(|error| format!("cannot write {}: {error}", path.shown()))
}

/// Writes tensors by name.
pub fn save(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), String> {
    write_entries(path, &stored(tensors), None, |_, _, _| Ok(()))
}

fn stored(tensors: &[(String, Tensor)]) -> Vec<StoredTensor> {
    let entry = |(name, tensor): &(String, Tensor)| StoredTensor {
        name: name.clone(),
        dtype: tensor.dtype(),
        shape: tensor.shape.clone(),
        bytes: tensor.to_bytes(),
    };
    tensors.iter().map(entry).collect()
}

/// The bytes of a file with tensors by name.
pub fn to_bytes(tensors: &[(String, Tensor)]) -> Result<Vec<u8>, String> {
    let entries = stored(tensors);
    let entries = in_order(&entries);
    let mut bytes = header(&entries, None).map_err(|error| error.to_string())?;
    entries.iter().for_each(|entry| bytes.extend_from_slice(&entry.bytes));
    Ok(bytes)
}

/// As the format's own writer orders them, so that elements are aligned.
fn in_order(entries: &[StoredTensor]) -> Vec<&StoredTensor> {
    let mut entries: Vec<&StoredTensor> = entries.iter().collect();
    entries.sort_by(|a, b| dtype(b.dtype).cmp(&dtype(a.dtype)).then_with(|| a.name.cmp(&b.name)));
    entries
}

/// A tensor as a file holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTensor {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: DType,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its elements, little-endian, in row-major order.
    pub bytes: Vec<u8>,
}

/// Writes tensors and metadata beside a file's place, brings them to the disk, then puts the file
/// there. `finish` may change what has been written: it is given the file's first bytes, up to the
/// tensors, and the BLAKE3 hash of all.
pub fn write_entries(
    path: &Path,
    entries: &[StoredTensor],
    metadata: Option<HashMap<String, String>>,
    finish: impl FnOnce(&mut File, &[u8], blake3::Hash) -> io::Result<()>,
) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot write {}: {error}", path.shown());
    let entries = in_order(entries);
    let start = header(&entries, metadata).map_err(|error| failed(io::Error::other(error)))?;
    let written = write::replace_by(path, |file| {
        let mut hasher = blake3::Hasher::new();
        let parts = std::iter::once(&start[..]).chain(entries.iter().map(|it| &it.bytes[..]));
        for part in parts {
            // Piece by piece, so that what is hashed is still in the processor's cache.
            for piece in part.chunks(1 << 20) {
                hasher.update(piece);
                file.write_all(piece)?;
            }
        }
        finish(file, &start, hasher.finalize())
    });
    written.map_err(failed)
}

/// The bytes before the tensors: a length and the description of all, padded to eight bytes.
fn header(
    entries: &[&StoredTensor],
    metadata: Option<HashMap<String, String>>,
) -> Result<Vec<u8>, SafeTensorError> {
    let mut end = 0;
    let entry = |entry: &&StoredTensor| {
        let start = end;
        end += entry.bytes.len();
        let info = TensorInfo {
            dtype: dtype(entry.dtype),
            shape: entry.shape.clone(),
            data_offsets: (start, end),
        };
        (entry.name.clone(), info)
    };
    described(metadata, entries.iter().map(entry).collect())
}

/// The same, of tensors that are described.
fn described(
    metadata: Option<HashMap<String, String>>,
    tensors: Vec<(String, TensorInfo)>,
) -> Result<Vec<u8>, SafeTensorError> {
    let metadata = Metadata::new(metadata, tensors)?;
    let mut text = serde_json::to_vec(&metadata)?;
    text.resize(text.len().next_multiple_of(8), b' ');
    Ok([&(text.len() as u64).to_le_bytes()[..], &text[..]].concat())
}

fn dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::I32 => Dtype::I32,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}

#[cfg(test)]
mod tests;
