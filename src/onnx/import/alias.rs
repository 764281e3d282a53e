//! Tensors of a file that an exporter has copied, and those that they are copies of.
//!
//! ```text
//! e.weight [50, 24]    onnx::MatMul_12 [24, 50], the same numbers turned   →  one weight
//! ```
//!
//! A tied head is such a copy, which torch's exporters turn for its product. Equal tensors that modules own
//! are taken as they are: layers that were made as copies of each other train apart.

use super::constant::{ElementKind, TensorElements, transposed};
use crate::onnx::model::OnnxTensor;
use std::collections::{HashMap, HashSet};

/// Bytes of a tensor that is worth comparing.
const LEAST: usize = 16;

/// The elements of each copy by its index, as those of what it is a copy of.
pub(super) fn aliases(tensors: &[OnnxTensor]) -> HashMap<usize, TensorElements> {
    let mut by_size: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, tensor) in tensors.iter().enumerate() {
        let float = tensor.element == 1 && tensor.data.len() >= LEAST && tensor.dims.len() >= 2;
        if float && ElementKind::of(tensor.element).is_some() {
            by_size.entry(tensor.data.len()).or_default().push(index);
        }
    }
    let mut aliases = HashMap::new();
    for group in by_size.into_values() {
        let mut copies: HashSet<usize> = HashSet::new();
        for &copy in &group {
            let originals = group.iter().filter(|&&it| it != copy && !copies.contains(&it));
            let found = originals.into_iter().find_map(|&original| {
                let [made, of_made] = [copy, original].map(|it| is_made(&tensors[it].name));
                // Of two that an exporter made, or neither, the first is the original.
                let later = made == of_made && original < copy;
                let may = later || (made && !of_made);
                let elements =
                    may.then(|| copy_of(&tensors[original], &tensors[copy], original))??;
                (made || matches!(elements, TensorElements::Turned(..))).then_some(elements)
            });
            if let Some(elements) = found {
                copies.insert(copy);
                aliases.insert(copy, elements);
            }
        }
    }
    aliases
}

/// Whether an exporter has made a name: `onnx::MatMul_12`, `val_3`.
fn is_made(name: &str) -> bool {
    let numbered = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit());
    name.starts_with("onnx::") || name.strip_prefix("val_").is_some_and(numbered)
}

/// The elements of a copy as those of another tensor, in its order or turned.
fn copy_of(original: &OnnxTensor, copy: &OnnxTensor, index: usize) -> Option<TensorElements> {
    if original.dims == copy.dims && original.data == copy.data {
        return Some(TensorElements::Stored(index));
    }
    let (&[rows, columns], &[width, height]) = (&original.dims[..], &copy.dims[..]) else {
        return None;
    };
    let dims = [usize::try_from(rows).ok()?, usize::try_from(columns).ok()?];
    let fits = rows == height && columns == width && dims[0] * dims[1] * 4 == original.data.len();
    let (first, other) = (original.data.as_chunks::<4>().0, copy.data.as_chunks::<4>().0);
    // The first row of one is the first column of the other: most tensors differ there.
    let begins = fits && (0..dims[1].min(8)).all(|at| first[at] == other[at * dims[0]]);
    let equal = begins && transposed(first, &dims, &[1, 0]) == other;
    equal.then_some(TensorElements::Turned(index, dims))
}
