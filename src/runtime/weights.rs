//! Weights in files: every parameter and layer state under its path, in the language's own
//! layout, as safetensors.
//!
//! The file is replaced at once: a crash leaves the old one or the new one. An optimiser's
//! states are not weights and are not written.

use crate::base::tensor::{DType, Tensor};
use safetensors::tensor::{Dtype, TensorView};
use std::io::Write;
use std::path::Path;

/// Writes tensors by name.
pub fn save(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), String> {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, tensor)| tensor.to_bytes()).collect();
    let mut views = Vec::with_capacity(tensors.len());
    for ((name, tensor), bytes) in tensors.iter().zip(&bytes) {
        let view = TensorView::new(dtype(tensor.dtype()), tensor.shape.clone(), bytes);
        views.push((name.as_str(), view.map_err(|error| format!("`{name}`: {error}"))?));
    }
    let encoded = safetensors::serialize(views, None).map_err(|error| error.to_string())?;
    replace(path, &encoded).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Writes a file beside its place, then puts it there.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
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
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_reads_back_and_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        std::fs::write(&path, "old").unwrap();
        let weight = Tensor::f32([2, 3], vec![1.0, -2.5, 0.0, f32::MIN, f32::MAX, 1e-30]);
        save(&path, &[("dense.weight".to_string(), weight.clone())]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let view = read.tensor("dense.weight").unwrap();
        assert_eq!(view.shape(), [2, 3]);
        assert_eq!(Tensor::from_bytes(DType::F32, [2, 3], view.data()), weight);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let missing = Path::new("no-such-folder/w.safetensors");
        assert!(save(missing, &[]).unwrap_err().contains("no-such-folder"));
    }
}
