//! The `.npy` format of NumPy: a header that names type, order and shape, then the elements.
//!
//! ```text
//! \x93NUMPY 1 0  {'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }  → f4 [3, 2]
//! ```
//!
//! Format: numpy.lib.format, versions 1 to 3. Pickled objects, records, strings and complex numbers are
//! refused: nothing of a file is ever run. Shapes are multiplied with care, and a file has to have just
//! the bytes that its header says.

use super::{ElementType, NamedArray};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Axes of an array.
const MOST_AXES: usize = 16;

/// A header that was read.
#[derive(Clone, Debug, PartialEq)]
struct NpyHeader {
    /// The type of an element.
    element: ElementType,
    /// Whether the most significant byte comes first.
    big_endian: bool,
    /// Whether the first axis runs fastest.
    fortran: bool,
    /// The extents.
    shape: Vec<usize>,
    /// The byte at which the elements begin.
    start: usize,
}

impl NpyHeader {
    /// The number of elements.
    fn elements(&self) -> Result<usize, String> {
        let product = self.shape.iter().try_fold(1usize, |all, &extent| all.checked_mul(extent));
        let bytes = product.and_then(|count| count.checked_mul(self.element.size()));
        match bytes {
            Some(_) => Ok(product.unwrap_or(0)),
            None => Err(format!("the shape {:?} is too large", self.shape)),
        }
    }
}

/// Reads the header from the first bytes of a file.
fn header(bytes: &[u8]) -> Result<NpyHeader, String> {
    if !bytes.starts_with(MAGIC) {
        return Err("not an npy file: it does not begin with \\x93NUMPY".into());
    }
    let too_short = || "the file ends within its header".to_owned();
    let version = *bytes.get(6).ok_or_else(too_short)?;
    let (length, first) = match version {
        1 => {
            let field = bytes.get(8..10).ok_or_else(too_short)?;
            (usize::from(u16::from_le_bytes([field[0], field[1]])), 10)
        }
        2 | 3 => {
            let field = bytes.get(8..12).ok_or_else(too_short)?;
            (u32::from_le_bytes([field[0], field[1], field[2], field[3]]) as usize, 12)
        }
        other => return Err(format!("npy version {other}; 1 to 3 are read")),
    };
    let end = first + length;
    let text = bytes.get(first..end).ok_or_else(too_short)?;
    let text = std::str::from_utf8(text).map_err(|_| "the header is no text".to_owned())?;
    let descr = entry(text, "descr")?;
    let (big_endian, element) = element(descr)?;
    let fortran = match entry(text, "fortran_order")?.split([',', '}']).next().map(str::trim) {
        Some("True") => true,
        Some("False") => false,
        _ => return Err("the header's fortran_order is neither True nor False".into()),
    };
    Ok(NpyHeader { element, big_endian, fortran, shape: shape(entry(text, "shape")?)?, start: end })
}

/// The text behind a key of the header.
fn entry<'a>(text: &'a str, key: &str) -> Result<&'a str, String> {
    let at = [format!("'{key}'"), format!("\"{key}\"")]
        .iter()
        .find_map(|quoted| text.find(quoted.as_str()).map(|at| at + quoted.len()));
    let rest = at.and_then(|at| text[at..].trim_start().strip_prefix(':'));
    rest.map(str::trim_start).ok_or_else(|| format!("the header has no `{key}`"))
}

fn element(descr: &str) -> Result<(bool, ElementType), String> {
    let quote = descr.chars().next().filter(|sign| "'\"".contains(*sign));
    let Some(quote) = quote else {
        return Err("records of several types are not read: save each field as an array".into());
    };
    let name = descr[1..].split(quote).next().unwrap_or_default();
    let (order, kind) = match name.as_bytes().first() {
        Some(b'<' | b'>' | b'|' | b'=') => name.split_at(1),
        _ => ("<", name),
    };
    let element = match kind {
        "f2" => ElementType::F16,
        "f4" => ElementType::F32,
        "f8" => ElementType::F64,
        "i1" => ElementType::I8,
        "i2" => ElementType::I16,
        "i4" => ElementType::I32,
        "i8" => ElementType::I64,
        "u1" => ElementType::U8,
        "u2" => ElementType::U16,
        "u4" => ElementType::U32,
        "u8" => ElementType::U64,
        "b1" => ElementType::Bool,
        _ if kind.starts_with('O') => {
            return Err("Python objects are not read: they would have to be run".into());
        }
        _ if kind.starts_with(['U', 'S']) => {
            return Err("texts are not read: save their numbers".into());
        }
        _ => return Err(format!("elements of type `{name}` are not read")),
    };
    Ok((order == ">", element))
}

/// `(3, 2)`.
fn shape(text: &str) -> Result<Vec<usize>, String> {
    let inner = text.strip_prefix('(').and_then(|text| text.split(')').next());
    let inner = inner.ok_or_else(|| "the header's shape is no tuple".to_owned())?;
    let parts = inner.split(',').map(|part| part.trim().trim_end_matches('L'));
    let extents: Result<Vec<usize>, String> = parts
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().map_err(|_| format!("`{part}` is no extent of a shape")))
        .collect();
    extents.and_then(|extents| match extents.len() <= MOST_AXES {
        true => Ok(extents),
        false => Err(format!("{} axes; at most {MOST_AXES} are read", extents.len())),
    })
}

/// Reads an array whose file has these bytes.
pub fn read(name: &str, mut bytes: Vec<u8>) -> Result<NamedArray, String> {
    let header = header(&bytes)?;
    let size = header.element.size();
    let (count, there) = (header.elements()?, bytes.len() - header.start);
    if there != count * size {
        return Err(format!(
            "the header says {:?} of {size} bytes each, which are {}, but {there} follow",
            header.shape,
            count * size
        ));
    }
    // In place: a large array is not in memory twice.
    bytes.drain(..header.start);
    let mut elements = bytes;
    if header.big_endian {
        elements.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
    if header.fortran && header.shape.len() > 1 {
        elements = transposed(&elements, &header.shape, size);
    }
    Ok(NamedArray {
        name: name.to_owned(),
        element: header.element,
        shape: header.shape,
        bytes: elements,
    })
}

/// Elements whose first axis runs fastest, with the last one fastest.
fn transposed(elements: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(elements.len());
    let strides: Vec<usize> = shape
        .iter()
        .scan(1, |stride, &extent| Some(std::mem::replace(stride, *stride * extent)))
        .collect();
    let mut index = vec![0; shape.len()];
    for _ in 0..elements.len() / size {
        let at: usize = index.iter().zip(&strides).map(|(index, stride)| index * stride).sum();
        out.extend_from_slice(&elements[at * size..][..size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}
