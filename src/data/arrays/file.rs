//! A file of arrays: the names of all, and the elements of those that are asked for.
//!
//! ```text
//! x.npz   names [features, kind]    array(1)   →   kind i8 [2000]; features stays packed
//! ```

use std::cell::Cell;
use std::path::Path;

use rustc_hash::FxHashMap;

use super::zip::ZipMember;
use super::{ElementType, NamedArray, npy, zip};
use crate::base::shown::Show;
use crate::data::error::DataError;
use crate::files;

/// Bytes that the arrays of a file unpack to at most.
const MOST_BYTES: usize = 1 << 34;

/// The arrays of a file.
pub struct ArrayFile {
    /// Their names, in the order of the file.
    pub names: Vec<String>,
    places: FxHashMap<String, usize>,
    kept: KeptArrays,
}

/// Arrays as they are kept.
enum KeptArrays {
    Read(Vec<NamedArray>),
    /// Members of an archive, and how many bytes they may still unpack to.
    Packed {
        archive: Vec<u8>,
        members: Vec<ZipMember>,
        left: Cell<usize>,
    },
}

impl ArrayFile {
    /// Opens a file; of an archive, only its directory is looked at.
    pub fn of(path: &Path) -> Result<ArrayFile, DataError> {
        let bytes = files::read::bytes(path, files::read::TENSORS)
            .map_err(|error| DataError::new(format!("cannot be read: {error}")).path(path))?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let kept = if name.ends_with(".safetensors") || is_safetensors(&bytes) {
            safetensors(&bytes).map(KeptArrays::Read)
        } else if bytes.starts_with(b"PK") {
            let members = zip::members(&bytes);
            let left = Cell::new(MOST_BYTES);
            members.map(|members| KeptArrays::Packed { archive: bytes, members, left })
        } else {
            npy::read(&stem, bytes).map(|array| KeptArrays::Read(vec![array]))
        };
        let kept = kept.map_err(|message| DataError::new(message).path(path))?;
        let names: Vec<String> = match &kept {
            KeptArrays::Read(arrays) => arrays.iter().map(|array| array.name.clone()).collect(),
            KeptArrays::Packed { members, .. } => {
                members.iter().map(|member| plain(&member.name).to_owned()).collect()
            }
        };
        let places = names.iter().cloned().zip(0..).collect();
        Ok(ArrayFile { names, places, kept })
    }

    /// The place of an array by its name.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// An array, unpacked.
    pub fn array(&self, place: usize) -> Result<NamedArray, DataError> {
        match &self.kept {
            KeptArrays::Read(arrays) => Ok(arrays[place].clone()),
            KeptArrays::Packed { archive, members, left } => {
                let unpacked = members[place].read(archive, left.get()).map_err(DataError::new)?;
                left.set(left.get() - unpacked.len());
                let name = &self.names[place];
                npy::read(name, unpacked)
                    .map_err(|message| DataError::new(format!("`{}`: {message}", name.shown())))
            }
        }
    }
}

/// Whether a file's description, JSON, stands behind a length of eight bytes.
pub fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{')
}

/// The name of an array by that of its member.
fn plain(member: &str) -> &str {
    member.strip_suffix(".npy").unwrap_or(member)
}

fn safetensors(bytes: &[u8]) -> Result<Vec<NamedArray>, String> {
    use ::safetensors::{Dtype, SafeTensors};
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let array = |(name, view): (&str, ::safetensors::tensor::TensorView<'_>)| {
        let element = match view.dtype() {
            Dtype::F16 => ElementType::F16,
            Dtype::F32 => ElementType::F32,
            Dtype::F64 => ElementType::F64,
            Dtype::I8 => ElementType::I8,
            Dtype::I16 => ElementType::I16,
            Dtype::I32 => ElementType::I32,
            Dtype::I64 => ElementType::I64,
            Dtype::U8 => ElementType::U8,
            Dtype::U16 => ElementType::U16,
            Dtype::U32 => ElementType::U32,
            Dtype::U64 => ElementType::U64,
            Dtype::BOOL => ElementType::Bool,
            other => return Err(format!("`{name}` has elements {other:?}, which are not read")),
        };
        let (shape, bytes) = (view.shape().to_vec(), view.data().to_vec());
        Ok(NamedArray { name: name.to_owned(), element, shape, bytes })
    };
    file.iter().map(array).collect()
}
