//! Reshapes: which axes are merged and cut, and where their elements are in PyTorch's order then.
//!
//! ```text
//! [N, 7, 7, 64] → [N, 3136]    an image flattened: channels first there, so its elements move
//! [N, 3136] → [N, 7, 7, 64]    an axis cut: in which order is known once something reads an image
//! ```

use super::order::{AxisOrder, OrderVar, merged};
use super::{BATCH, LayoutKind, LayoutWalk, ValueLayout};
use crate::graph::NodeId;
use std::ops::Range;

impl LayoutWalk<'_> {
    /// Fixes the order of an axis that was cut into an image.
    pub(super) fn fix_cut(&mut self, axis: OrderVar, extents: &[usize]) {
        let channel = extents.len() - 1;
        let theirs: Vec<usize> = std::iter::once(channel).chain(0..channel).collect();
        let order = merged(extents, &vec![AxisOrder::Same; extents.len()], &theirs);
        self.orders.fix(axis, &order);
    }

    pub(super) fn reshape(&mut self, id: NodeId, arg: ValueLayout) -> ValueLayout {
        let node = self.graph.nodes[id].args[0];
        let (from, to) = (self.extents(node), self.extents(id));
        let mut arg = arg;
        let rows = groups(&from, &to);
        if let LayoutKind::Cut(axis) = arg.kind {
            let back = to.len() == 2 && from.len() > 2;
            let the_same = rows.iter().all(|row| row.plain(&from, &to));
            if back {
                return ValueLayout { axes: vec![arg.axes[0], axis], kind: LayoutKind::Same };
            }
            if !the_same {
                match from.len() > 3 {
                    true => arg = self.as_image(&arg, node),
                    false => {
                        self.read_in_place(axis);
                        arg.kind = LayoutKind::Same;
                    }
                }
            }
        }
        let mut kind = arg.kind.clone();
        let mut axes = Vec::new();
        for row in &rows {
            let (mine, next) = self.regrouped(row, &arg, (&from, &to));
            axes.extend(mine);
            kind = next.unwrap_or(kind);
        }
        let matter = to.iter().filter(|&&extent| extent > 1 && !extent.is_multiple_of(BATCH));
        if matter.count() < 2 && !matches!(kind, LayoutKind::Unknown(_)) && to.len() < 3 {
            kind = LayoutKind::Same;
        }
        ValueLayout { axes, kind }
    }

    /// The axes that a group of axes becomes, and what the value is then, if that changes.
    fn regrouped(
        &mut self,
        row: &AxisGroup,
        arg: &ValueLayout,
        (from, to): (&[usize], &[usize]),
    ) -> (Vec<OrderVar>, Option<LayoutKind>) {
        let channels = match arg.kind {
            LayoutKind::Image(channels) => from.len() - channels..from.len(),
            LayoutKind::Any | LayoutKind::Same | LayoutKind::Cut(_) | LayoutKind::Unknown(_) => {
                from.len()..from.len()
            }
        };
        let mine: Vec<usize> = row.from.clone().filter(|&axis| from[axis] > 1).collect();
        let next: Vec<usize> = row.to.clone().filter(|&axis| to[axis] > 1).collect();
        let mut axes: Vec<OrderVar> =
            row.to.clone().map(|_| self.orders.axis(AxisOrder::Same)).collect();
        if mine.len() <= 1 && next.len() <= 1 {
            if let (Some(&mine), Some(&next)) = (mine.first(), next.first()) {
                axes[next - row.to.start] = arg.axes[mine];
            }
            return (axes, None);
        }
        if next.len() > 1 {
            let of_channels = mine.iter().filter(|axis| channels.contains(axis)).count();
            let kind = self.cut(row, arg, (&mine, of_channels), (to, next.len()));
            return (axes, kind);
        }
        let (order, kind) = self.merge(arg, &mine, (from, channels));
        axes[next[0] - row.to.start] = self.orders.axis(order);
        (axes, kind)
    }

    /// The kind of a value whose axes are cut into several, some of them channels, if that changes.
    fn cut(
        &mut self,
        row: &AxisGroup,
        arg: &ValueLayout,
        (mine, of_channels): (&[usize], usize),
        (to, parts): (&[usize], usize),
    ) -> Option<LayoutKind> {
        for &axis in mine {
            if mine.len() == 1 && cuts_all(arg, row, to) {
                return Some(LayoutKind::Cut(arg.axes[axis]));
            }
            self.read_in_place(arg.axes[axis]);
        }
        match (&arg.kind, of_channels, mine.len()) {
            (LayoutKind::Image(_), 0, _) => None,
            (LayoutKind::Image(all), now, count) if now == count && now == *all => {
                Some(LayoutKind::Image(parts))
            }
            (LayoutKind::Image(_), ..) => {
                Some(LayoutKind::Unknown("an image is cut across its channels"))
            }
            _ => None,
        }
    }

    /// The order of an axis that several become, and what the value is then, if that changes.
    fn merge(
        &mut self,
        arg: &ValueLayout,
        mine: &[usize],
        (from, channels): (&[usize], Range<usize>),
    ) -> (AxisOrder, Option<LayoutKind>) {
        let of_channels = mine.iter().filter(|axis| channels.contains(axis)).count();
        let batch = mine.iter().any(|&axis| from[axis].is_multiple_of(BATCH));
        let orders: Vec<AxisOrder> =
            mine.iter().map(|&it| self.orders.settled(arg.axes[it])).collect();
        let extents: Vec<usize> = mine.iter().map(|&axis| from[axis]).collect();
        let spatial = from[..channels.start].iter().skip(1).filter(|&&extent| extent > 1).count();
        let (theirs, kind) = match &arg.kind {
            LayoutKind::Unknown(why) => return (AxisOrder::Unknown(why), None),
            LayoutKind::Image(all) if of_channels == mine.len() => {
                let whole = of_channels == *all;
                (natural(mine), whole.then_some(LayoutKind::Image(1)))
            }
            LayoutKind::Image(_) if of_channels == 0 => {
                (natural(mine), batch.then_some(LayoutKind::Same))
            }
            LayoutKind::Image(_) if !batch && mine.len() == of_channels + spatial => {
                let apart = mine.len() - of_channels;
                ((apart..mine.len()).chain(0..apart).collect(), Some(LayoutKind::Same))
            }
            LayoutKind::Image(_) => {
                let why = "a part of an image is flattened with its channels";
                return (AxisOrder::Unknown(why), Some(LayoutKind::Unknown(why)));
            }
            LayoutKind::Any | LayoutKind::Same | LayoutKind::Cut(_) => (natural(mine), None),
        };
        let moved = orders.iter().any(|order| matches!(order, AxisOrder::Moved(_)));
        let order = match batch && moved {
            true => AxisOrder::Unknown("an axis that is moved there is joined with the batch"),
            false => merged(&extents, &orders, &theirs),
        };
        (order, kind)
    }
}

/// Whether a group cuts the only axis beside the batch into all others.
fn cuts_all(arg: &ValueLayout, row: &AxisGroup, to: &[usize]) -> bool {
    let whole = arg.axes.len() == 2 && row.to == (1..to.len()) && to.len() > 2;
    whole && matches!(arg.kind, LayoutKind::Any | LayoutKind::Same) && to[0].is_multiple_of(BATCH)
}

fn natural(axes: &[usize]) -> Vec<usize> {
    (0..axes.len()).collect()
}

/// Axes in a row that become axes in a row, of as many elements.
#[derive(Debug)]
struct AxisGroup {
    from: Range<usize>,
    to: Range<usize>,
}

impl AxisGroup {
    /// Whether at most one axis on each side has more than one element.
    fn plain(&self, from: &[usize], to: &[usize]) -> bool {
        let many = |extents: &[usize], range: &Range<usize>| {
            extents[range.clone()].iter().filter(|&&extent| extent > 1).count()
        };
        many(from, &self.from) <= 1 && many(to, &self.to) <= 1
    }
}

/// The smallest groups of axes of equal products, in order.
fn groups(from: &[usize], to: &[usize]) -> Vec<AxisGroup> {
    let mut rows: Vec<AxisGroup> = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < from.len() || j < to.len() {
        let (first, other) = (i, j);
        let (mut a, mut b) = (1, 1);
        loop {
            if a <= b && i < from.len() && (a < b || i == first) {
                a *= from[i];
                i += 1;
            } else if j < to.len() && (b < a || j == other) {
                b *= to[j];
                j += 1;
            } else {
                break;
            }
        }
        rows.push(AxisGroup { from: first..i, to: other..j });
    }
    rows
}
