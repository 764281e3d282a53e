//! The table of global memory: what is kept from step to step, at the same place in every program
//! of a run (a training step, the last smaller one, evaluation).
//!
//! ```text
//! dense.weight  f32 ×100352  at 0        dense_2.weight^T  f32 ×1280  at 411136
//! ```

use crate::base::tensor::DType;
use std::collections::HashMap;

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

/// A second order of a parameter's elements, in which contractions read it: `taps` matrices of
/// `rows × cols` (one for a dense layer; `kh·kw` of `in × out` for a convolution), each
/// transposed or not, then read as one matrix whose columns may be cut into panels that lie one
/// after the other.
///
/// ```text
/// weight [9, 64, 128]   ^T   [9, 128, 64]              rows of the input gradient's product
///                       ^P   [128/32][9·64][32]        panels: what a tile reads lies together
///                       ^TP  [64/32][9·128][32]
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamLayout {
    /// How many matrices there are.
    pub taps: usize,
    /// Rows of each, in the parameter's own order.
    pub rows: usize,
    /// Columns of each.
    pub cols: usize,
    /// Whether each is transposed.
    pub turned: bool,
    /// The columns of a panel; the last may be narrower.
    pub panel: Option<usize>,
}

impl ParamLayout {
    /// A matrix, transposed.
    pub fn transposed(rows: usize, cols: usize) -> ParamLayout {
        ParamLayout { taps: 1, rows, cols, turned: true, panel: None }
    }

    /// Suffix of the layout's name after the parameter's path: `^T`.
    pub fn suffix(&self) -> &'static str {
        match (self.turned, self.panel) {
            (true, None) => "^T",
            (false, Some(_)) => "^P",
            (true, Some(_)) => "^TP",
            (false, None) => unreachable!("the parameter's own order"),
        }
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.taps * self.rows * self.cols
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The global block's layout. Hand the same one to the lowering of each program of a run.
#[derive(Clone, Debug, Default)]
pub struct Globals {
    entries: Vec<Global>,
    /// The entry of each name.
    known: HashMap<String, usize>,
    bytes: usize,
    /// The parameters that have other layouts, with these.
    derived: HashMap<String, Vec<ParamLayout>>,
    /// Whether a program that writes parameters has been lowered: only the layouts derived by
    /// then are kept up to date.
    pub trained: bool,
}

impl Globals {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The buffer of that name.
    pub fn get(&self, name: &str) -> Option<&Global> {
        self.known.get(name).map(|&at| &self.entries[at])
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
        self.known.insert(name.to_string(), self.entries.len());
        self.entries.push(entry.clone());
        entry
    }

    /// Asks for a layout of a parameter. `false` where it has another one of that name, or where
    /// a program that trains was made before and would not keep it.
    pub fn derive(&mut self, path: &str, layout: ParamLayout) -> bool {
        let can = self.would_derive(path, layout);
        if can && self.derived(path).all(|known| known != layout) {
            self.derived.entry(path.to_string()).or_default().push(layout);
        }
        can
    }

    /// Whether [`Globals::derive`] would give that layout.
    pub fn would_derive(&self, path: &str, layout: ParamLayout) -> bool {
        let known = self.derived(path).find(|known| known.suffix() == layout.suffix());
        known.map_or(!self.trained, |known| known == layout)
    }

    /// The layouts of a parameter beside its own.
    pub fn derived<'a>(&'a self, path: &'a str) -> impl Iterator<Item = ParamLayout> + 'a {
        self.derived.get(path).into_iter().flatten().copied()
    }
}
