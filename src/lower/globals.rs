//! The table of global memory: what is kept from step to step, at the same place in every program
//! of a run (a training step, the last smaller one, evaluation).
//!
//! ```text
//! dense.weight  f32 ×100352  at 0        dense_2.weight^T  f32 ×1280  at 411136
//! ```

use crate::base::tensor::DType;

/// A buffer of the global block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Global {
    /// The parameter's or state's path, or a derived layout `PATH^T`.
    pub name: String,
    /// Its elements.
    pub dtype: DType,
    /// How many.
    pub len: usize,
    /// Its first byte.
    pub offset: usize,
}

/// The global block's layout. Hand the same one to the lowering of each program of a run.
#[derive(Clone, Debug, Default)]
pub struct Globals {
    entries: Vec<Global>,
    bytes: usize,
    /// The parameters that have a transposed layout, with their rows and columns.
    derived: Vec<(String, usize, usize)>,
    /// Whether a program that writes parameters has been lowered: only the layouts derived by
    /// then are kept up to date.
    pub(super) trained: bool,
}

impl Globals {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The buffers, in order of their places.
    pub fn entries(&self) -> &[Global] {
        &self.entries
    }

    /// The buffer of that name.
    pub fn get(&self, name: &str) -> Option<&Global> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The bytes of the whole block.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The buffer of that name, placed at the end if it is new.
    pub fn place(&mut self, name: &str, dtype: DType, len: usize) -> Global {
        if let Some(known) = self.get(name) {
            assert_eq!((known.dtype, known.len), (dtype, len), "two tensors named {name}");
            return known.clone();
        }
        let entry = Global { name: name.to_string(), dtype, len, offset: self.bytes };
        self.bytes += (len * dtype.size()).next_multiple_of(64);
        self.entries.push(entry.clone());
        entry
    }

    /// Asks for the transposed layout of a parameter of `rows × cols`. `false` where it has
    /// another one, or where a program that trains was made before and would not keep it.
    pub fn derive(&mut self, path: &str, rows: usize, cols: usize) -> bool {
        match self.derived(path) {
            Some(known) => known == (rows, cols),
            None if self.trained => false,
            None => {
                self.derived.push((path.to_string(), rows, cols));
                true
            }
        }
    }

    /// The rows and columns of a parameter that has a transposed layout.
    pub fn derived(&self, path: &str) -> Option<(usize, usize)> {
        let entry = self.derived.iter().find(|entry| entry.0 == path)?;
        Some((entry.1, entry.2))
    }
}
