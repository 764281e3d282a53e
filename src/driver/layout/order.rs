//! The orders of axes, known or not yet: variables that are joined as operators join axes.
//!
//! ```text
//! [h, w, c] flattened:   element (y·W + x)·C + z of ours is element z·H·W + y·W + x of PyTorch's
//! ```

use std::rc::Rc;

/// A variable: the order of one axis, or of several that must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderVar(usize);

/// Where PyTorch has the elements of an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum AxisOrder {
    /// Nothing has asked yet; any order would do, and then it is the same.
    Free,
    /// In the same places.
    Same,
    /// Element `i` is at `.0[i]` there.
    Moved(Rc<Vec<usize>>),
    /// It cannot be derived, and why.
    Unknown(&'static str),
}

/// All variables.
#[derive(Debug, Default)]
pub struct Orders {
    /// For each, another that it is joined with, or itself.
    parents: Vec<usize>,
    orders: Vec<AxisOrder>,
}

/// Why orders do not agree.
const TWO_ORDERS: &str = "it is read in two orders";

impl Orders {
    /// A new variable.
    pub fn axis(&mut self, order: AxisOrder) -> OrderVar {
        self.parents.push(self.parents.len());
        self.orders.push(order);
        OrderVar(self.parents.len() - 1)
    }

    fn root(&self, axis: OrderVar) -> usize {
        let mut root = axis.0;
        while self.parents[root] != root {
            root = self.parents[root];
        }
        root
    }

    /// The order of an axis, as far as it is known.
    pub fn of(&self, axis: OrderVar) -> &AxisOrder {
        &self.orders[self.root(axis)]
    }

    /// Two axes whose elements meet.
    pub fn join(&mut self, a: OrderVar, b: OrderVar) {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return;
        }
        let order = agreed(&self.orders[a], &self.orders[b]);
        self.parents[b] = a;
        self.orders[a] = order;
    }

    /// An axis whose order something fixes.
    pub fn fix(&mut self, axis: OrderVar, order: &AxisOrder) {
        let root = self.root(axis);
        self.orders[root] = agreed(&self.orders[root], order);
    }

    /// The order of an axis that is read element by element from now on.
    pub fn settled(&mut self, axis: OrderVar) -> AxisOrder {
        let root = self.root(axis);
        if self.orders[root] == AxisOrder::Free {
            self.orders[root] = AxisOrder::Same;
        }
        self.orders[root].clone()
    }
}

fn agreed(a: &AxisOrder, b: &AxisOrder) -> AxisOrder {
    match (a, b) {
        (AxisOrder::Unknown(why), _) | (_, AxisOrder::Unknown(why)) => AxisOrder::Unknown(why),
        (AxisOrder::Free, order) | (order, AxisOrder::Free) => order.clone(),
        (a, b) if a == b => a.clone(),
        (AxisOrder::Same | AxisOrder::Moved(_), AxisOrder::Same | AxisOrder::Moved(_)) => {
            AxisOrder::Unknown(TWO_ORDERS)
        }
    }
}

/// The order of an axis that is made of several, which PyTorch has in the sequence `theirs`.
pub fn merged(extents: &[usize], orders: &[AxisOrder], theirs: &[usize]) -> AxisOrder {
    let mut moved = theirs.iter().filter(|&&axis| extents[axis] > 1).collect::<Vec<_>>();
    let in_sequence = moved.is_sorted();
    for order in orders {
        match order {
            AxisOrder::Unknown(why) => return AxisOrder::Unknown(why),
            AxisOrder::Free | AxisOrder::Same | AxisOrder::Moved(_) => {}
        }
    }
    if in_sequence && !orders.iter().any(|order| matches!(order, AxisOrder::Moved(_))) {
        return AxisOrder::Same;
    }
    moved.clear();
    // How far apart neighbours of each axis are there.
    let mut strides = vec![1; extents.len()];
    let mut stride = 1;
    for &axis in theirs.iter().rev() {
        strides[axis] = stride;
        stride *= extents[axis];
    }
    let all: usize = extents.iter().product();
    let place = |element: usize| {
        let mut rest = element;
        let mut place = 0;
        for axis in (0..extents.len()).rev() {
            let index = rest % extents[axis];
            rest /= extents[axis];
            let index = match &orders[axis] {
                AxisOrder::Moved(places) => places[index],
                AxisOrder::Free | AxisOrder::Same | AxisOrder::Unknown(_) => index,
            };
            place += index * strides[axis];
        }
        place
    };
    AxisOrder::Moved(Rc::new((0..all).map(place).collect()))
}

/// The order of parts in a row.
pub fn joined(extents: &[usize], orders: &[AxisOrder]) -> AxisOrder {
    let unknown = orders.iter().find(|order| matches!(order, AxisOrder::Unknown(_)));
    if let Some(unknown) = unknown {
        return unknown.clone();
    }
    if !orders.iter().any(|order| matches!(order, AxisOrder::Moved(_))) {
        return AxisOrder::Same;
    }
    let mut places = Vec::new();
    for (&extent, order) in extents.iter().zip(orders) {
        let first = places.len();
        match order {
            AxisOrder::Moved(part) => places.extend(part.iter().map(|place| first + place)),
            AxisOrder::Free | AxisOrder::Same | AxisOrder::Unknown(_) => {
                places.extend(first..first + extent)
            }
        }
    }
    AxisOrder::Moved(Rc::new(places))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_flattened_channel_first_there() {
        let same = [AxisOrder::Same, AxisOrder::Same, AxisOrder::Same];
        let AxisOrder::Moved(places) = merged(&[2, 1, 3], &same, &[2, 0, 1]) else {
            panic!("moved")
        };
        // (y, x, c) of ours is c·2 + y there.
        assert_eq!(*places, [0, 2, 4, 1, 3, 5]);
        assert_eq!(merged(&[2, 2, 1], &same, &[2, 0, 1]), AxisOrder::Same, "one channel");
        assert_eq!(merged(&[1, 1, 5], &same, &[2, 0, 1]), AxisOrder::Same, "one pixel");
    }

    #[test]
    fn axes_that_meet_agree_or_are_unknown() {
        let mut orders = Orders::default();
        let moved = AxisOrder::Moved(Rc::new(vec![1, 0]));
        let (a, b, c) = (
            orders.axis(AxisOrder::Free),
            orders.axis(moved.clone()),
            orders.axis(AxisOrder::Same),
        );
        orders.join(a, b);
        assert_eq!(orders.of(a), &moved);
        orders.join(c, a);
        assert_eq!(orders.of(b), &AxisOrder::Unknown(TWO_ORDERS));
        let parts = joined(&[2, 2], &[AxisOrder::Same, moved]);
        assert_eq!(parts, AxisOrder::Moved(Rc::new(vec![0, 1, 3, 2])));
    }
}
