//! Rules of reductions, contractions, and operators indexed by data.
//!
//! `sum` of `f32[N, 10]` over axis 0 is `f32[10]`; `matmul` of `f32[N, 784]` and `f32[784, 10]` is
//! `f32[N, 10]`; `pick` of `f32[N, 10]` by `i32[N]` is `f32[N]`. The batch may be reduced and
//! contracted over, but not be indexed by data: what an index means would depend on the step.

use super::{Inferred, Mismatch, axes, in_rank, of_dtype, tensor};
use crate::base::tensor::DType;
use crate::graph::op::Reduce;
use crate::graph::types::{Dim, Shape, Type};

/// The axes (ascending, at least one) are removed.
pub(super) fn reduce(op: Reduce, reduced: &[usize], x: &Type) -> Inferred {
    of_dtype(x, &[DType::F32, DType::I32], op.name())?;
    removed(reduced, x, op.name())
}

/// The axes (ascending, at least one) are removed.
pub(super) fn variance(reduced: &[usize], x: &Type) -> Inferred {
    of_dtype(x, &[DType::F32], "variance")?;
    removed(reduced, x, "variance")
}

/// The type without axes, which must ascend and exist.
fn removed(axes: &[usize], x: &Type, name: &str) -> Inferred {
    if axes.is_empty() || axes.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(Mismatch::new(format!("`{name}` over axes {axes:?}, which do not ascend")));
    }
    axes.iter().try_for_each(|&axis| in_rank(axis, &x.shape, name))?;
    Ok(Type::new(x.dtype, without(&x.shape, axes)))
}

/// The axis is removed.
pub(super) fn arg_max(axis: usize, x: &Type) -> Inferred {
    of_dtype(x, &[DType::F32, DType::I32], "argmax")?;
    in_rank(axis, &x.shape, "argmax")?;
    Ok(Type::new(DType::I32, without(&x.shape, &[axis])))
}

/// The dimensions of the other axes.
fn without(shape: &Shape, removed: &[usize]) -> Vec<Dim> {
    (0..shape.rank()).filter(|axis| !removed.contains(axis)).map(|axis| shape[axis]).collect()
}

/// `[.., m, k] @ [.., k, n] = [.., m, n]`.
pub(super) fn matmul(transpose_a: bool, transpose_b: bool, a: &Type, b: &Type) -> Inferred {
    of_dtype(a, &[DType::F32], "@")?;
    of_dtype(b, &[DType::F32], "@")?;
    let fail = || Mismatch::new(format!("{a} @ {b} do not fit"));
    let rank = a.shape.rank();
    if rank < 2 || b.shape.rank() != rank {
        return Err(fail().note(format!(
            "it takes matrices with equal leading axes, found {} and {}",
            axes(&a.shape),
            axes(&b.shape)
        )));
    }
    for axis in 0..rank - 2 {
        let (left, right) = (a.shape[axis], b.shape[axis]);
        if left != right {
            return Err(fail()
                .note(format!("leading axis {axis}: {left} against {right}"))
                .axis(0, axis)
                .axis(1, axis));
        }
    }
    let order = |transposed| if transposed { (rank - 1, rank - 2) } else { (rank - 2, rank - 1) };
    let ((m, ka), (kb, n)) = (order(transpose_a), order(transpose_b));
    if a.shape[ka] != b.shape[kb] {
        let (left, right) = (a.shape[ka], b.shape[kb]);
        return Err(fail()
            .note(format!("axis {ka} of the left is {left}, axis {kb} of the right is {right}"))
            .axis(0, ka)
            .axis(1, kb));
    }
    let mut dims = a.shape[..rank - 2].to_vec();
    dims.extend([a.shape[m], b.shape[n]]);
    Ok(Type::new(DType::F32, dims))
}

/// `x[.., k]` by `index[..]` is `[..]`.
pub(super) fn pick(x: &Type, index: &Type) -> Inferred {
    tensor(x, "pick")?;
    indices(index, "pick")?;
    let fail =
        || Mismatch::new(format!("`pick` from {x} by {index}: the index names one element a row"));
    let Some((&classes, rows)) = x.shape.split_last() else {
        return Err(fail().note(format!("{x} has no axis to pick from")));
    };
    if matches!(classes, Dim::Batch(_)) {
        return Err(batch_indexed(x, x.shape.rank() - 1));
    }
    if rows != &index.shape[..] {
        let rows = Shape::from(rows);
        let mut mismatch = fail().note(format!("its shape must be {rows}"));
        for axis in 0..rows.rank().min(index.shape.rank()) {
            if rows[axis] != index.shape[axis] {
                mismatch = mismatch.axis(0, axis).axis(1, axis);
            }
        }
        return Err(mismatch);
    }
    Ok(Type::new(x.dtype, rows.to_vec()))
}

/// The index's shape stands in the axis's place.
pub(super) fn gather(axis: usize, table: &Type, index: &Type) -> Inferred {
    tensor(table, "gather")?;
    indices(index, "gather")?;
    in_rank(axis, &table.shape, "gather")?;
    if matches!(table.shape[axis], Dim::Batch(_)) {
        return Err(batch_indexed(table, axis));
    }
    Ok(Type::new(table.dtype, entries(&table.shape, axis, &index.shape)))
}

/// Values shaped as a gather gives them, added into `shape`.
pub(super) fn scatter_add(shape: &Shape, axis: usize, index: &Type, values: &Type) -> Inferred {
    of_dtype(values, &[DType::F32], "scatter_add")?;
    indices(index, "scatter_add")?;
    in_rank(axis, shape, "scatter_add")?;
    let result = Type::new(values.dtype, shape.clone());
    if matches!(shape[axis], Dim::Batch(_)) {
        return Err(batch_indexed(&result, axis));
    }
    let wanted = Shape::from(entries(shape, axis, &index.shape));
    if wanted != values.shape {
        let message = format!("`scatter_add` of {values} by {index} into {shape}");
        return Err(Mismatch::new(message).note(format!("the values' shape must be {wanted}")));
    }
    Ok(result)
}

/// A table's dimensions with the index's in the axis's place.
fn entries(table: &Shape, axis: usize, index: &Shape) -> Vec<Dim> {
    [&table[..axis], &index[..], &table[axis + 1..]].concat()
}

fn indices(index: &Type, name: &str) -> Result<(), Mismatch> {
    if index.dtype == DType::I32 {
        return Ok(());
    }
    Err(Mismatch::new(format!("`{name}` takes an i32 index, found {index}")))
}

fn batch_indexed(x: &Type, axis: usize) -> Mismatch {
    Mismatch::new(format!("axis {axis} of {x} is the batch, which data cannot index")).axis(0, axis)
}
