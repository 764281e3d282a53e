//! Shapes that nodes ask for, and where the batch is in them.
//!
//! ```text
//! [N, 197, 768] as [1, 197, 12, 64], in a file of batch 1   →  [N, 197, 12, 64]
//! [197, N, 768] as [197, 12, 64]                            →  [197, 12 * N, 64]
//! ```

use super::super::known::{KnownValues, Made};
use super::super::node::NodeReader;
use super::super::size::{SymbolicSize, listed};
use super::super::value::axis_of;

/// The shape that a node gives to its input, if that is all it does.
pub(in super::super) fn shape_change<'a>(
    node: &NodeReader<'a>,
    dims: &[SymbolicSize],
    within: &KnownValues<'a>,
) -> Made<Option<Vec<SymbolicSize>>> {
    let rank = dims.len();
    Ok(Some(match node.node.op.as_str() {
        "Flatten" => {
            let axis = node.int("axis", 1)?;
            let axis = if axis == rank as i64 { rank } else { axis_of(axis, rank)? };
            let product =
                |sizes: &[SymbolicSize]| SymbolicSize::product(sizes).ok_or("its shape is unknown");
            vec![product(&dims[..axis])?, product(&dims[axis..])?]
        }
        "Reshape" => {
            let target = match node.ints("shape")? {
                Some(shape) => shape.into_iter().map(SymbolicSize::known).collect(),
                None => within.sizes(node, 1)?,
            };
            let zero = node.int("allowzero", 0)? != 0;
            reshape_target(dims, &target, zero, within.batch)?
        }
        "Squeeze" => {
            let axes: Vec<usize> = match within.listed(node, "axes", 1)? {
                Some(axes) => axes.iter().map(|&axis| axis_of(axis, rank)).collect::<Made<_>>()?,
                None => (0..rank).filter(|&axis| dims[axis] == SymbolicSize::ONE).collect(),
            };
            let stays = |axis: &usize| !axes.contains(axis);
            (0..rank).filter(stays).map(|axis| dims[axis]).collect()
        }
        "Unsqueeze" => {
            let axes = within.listed(node, "axes", 1)?.ok_or("it has no axes")?;
            let more = rank + axes.len();
            let axes: Vec<usize> =
                axes.iter().map(|&axis| axis_of(axis, more)).collect::<Made<_>>()?;
            let mut own = dims.iter();
            let made: Option<Vec<SymbolicSize>> = (0..more)
                .map(|axis| match axes.contains(&axis) {
                    true => Some(SymbolicSize::ONE),
                    false => own.next().copied(),
                })
                .collect();
            made.filter(|_| own.next().is_none()).ok_or("it names an axis twice")?
        }
        _ => return Ok(None),
    }))
}

/// The shape that a value gets: zeros stay as they are, -1 is what is left.
pub(in super::super) fn reshape_target(
    from: &[SymbolicSize],
    target: &[SymbolicSize],
    allow_zero: bool,
    batch: Option<i64>,
) -> Made<Vec<SymbolicSize>> {
    let unfit = || format!("{} cannot have the shape {}", listed(from), listed(target));
    let mut made = target.to_vec();
    let mut open = None;
    for (axis, size) in made.iter_mut().enumerate() {
        match size.number() {
            Some(0) if !allow_zero => *size = *from.get(axis).ok_or_else(unfit)?,
            Some(-1) if open.is_none() => open = Some(axis),
            Some(number) if number < 0 => return Err(unfit()),
            _ => {}
        }
    }
    let total = SymbolicSize::product(from).ok_or_else(unfit)?;
    let rest = |made: &[SymbolicSize]| {
        let others = made.iter().enumerate().filter(|(axis, _)| Some(*axis) != open);
        SymbolicSize::product(&others.map(|(_, &size)| size).collect::<Vec<_>>())
    };
    let mentions = made.iter().any(|size| size.has_batch());
    if let (true, false, Some(batch)) = (total.has_batch(), mentions, batch) {
        return numbers(from, made, open, batch).ok_or_else(unfit);
    }
    if let Some(axis) = open {
        let rest = rest(&made).ok_or_else(unfit)?;
        made[axis] = total.div(rest).ok_or_else(unfit)?;
    }
    match SymbolicSize::product(&made) == Some(total) {
        true => Ok(made),
        false => Err(unfit()),
    }
}

/// The shape in which the batch stands as a number: the axis that it is part of is found.
fn numbers(
    from: &[SymbolicSize],
    made: Vec<SymbolicSize>,
    open: Option<usize>,
    batch: i64,
) -> Option<Vec<SymbolicSize>> {
    let at = |size: &SymbolicSize| {
        size.batches.checked_mul(batch).and_then(|of| size.fixed.checked_add(of))
    };
    let product = |sizes: &[i64]| sizes.iter().try_fold(1i64, |all, &it| all.checked_mul(it));
    let known: Vec<i64> = from.iter().map(at).collect::<Option<_>>()?;
    let mut target: Vec<i64> = made.iter().map(|size| size.number()).collect::<Option<_>>()?;
    let total = product(&known)?;
    if let Some(axis) = open {
        target[axis] = 1;
        let rest = product(&target)?;
        if rest == 0 || total % rest != 0 {
            return None;
        }
        target[axis] = total / rest;
    }
    if product(&target)? != total || total == 0 {
        return None;
    }
    let batched = from.iter().position(|size| size.has_batch())?;
    let outer = product(&known[..batched])?;
    let own = from[batched].batches;
    let inner = product(&known[batched + 1..])?.checked_mul(own)?;
    // The axis may hold elements before and after the batch; the fewer before, the likelier.
    let candidate = |axis: usize| {
        let (before, after) = (product(&target[..axis])?, product(&target[axis + 1..])?);
        let whole = outer % before == 0 && inner % after == 0;
        let (more, less) = (outer / before, inner / after);
        let fits = whole && more.checked_mul(less)?.checked_mul(batch)? == target[axis];
        // What a layer reads is mostly the last axis, and not of several samples.
        let last = axis > 0 && axis + 1 == target.len() && less != 1;
        fits.then_some(((last, more != 1, less != 1, axis), more * less))
    };
    let ((.., axis), batches) = (0..target.len()).filter_map(candidate).min()?;
    let mut made: Vec<SymbolicSize> = target.into_iter().map(SymbolicSize::known).collect();
    made[axis] = SymbolicSize { fixed: 0, batches };
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: SymbolicSize = SymbolicSize::N;

    fn known(values: &[i64]) -> Vec<SymbolicSize> {
        values.iter().map(|&value| SymbolicSize::known(value)).collect()
    }

    #[test]
    fn the_batch_is_found_in_a_shape_of_numbers() {
        let image = [N, SymbolicSize::known(197), SymbolicSize::known(768)];
        let of = |target: &[i64], batch| reshape_target(&image, &known(target), false, Some(batch));
        assert_eq!(of(&[1, 197, 12, 64], 1).unwrap()[0], N);
        assert_eq!(of(&[2, 197, 12, 64], 2).unwrap()[0], N);
        assert_eq!(of(&[-1, 768], 1).unwrap()[0], SymbolicSize { fixed: 0, batches: 197 });
        assert!(of(&[3, 197, 12, 64], 1).is_err());
    }

    #[test]
    fn heads_join_the_batch_behind_the_positions() {
        let turned = [SymbolicSize::known(197), N, SymbolicSize::known(768)];
        let made = reshape_target(&turned, &known(&[197, 12, 64]), false, Some(1)).unwrap();
        assert_eq!(
            made,
            [
                SymbolicSize::known(197),
                SymbolicSize { fixed: 0, batches: 12 },
                SymbolicSize::known(64)
            ]
        );
        let made = reshape_target(&turned, &known(&[197, 768]), false, Some(1)).unwrap();
        assert_eq!(made, [SymbolicSize { fixed: 0, batches: 197 }, SymbolicSize::known(768)]);
    }
}
