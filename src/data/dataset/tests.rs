//! Orders are permutations.

use super::*;

#[test]
fn orders_are_permutations_that_seed_and_epoch_decide() {
    let sorted = |mut order: Vec<u32>| {
        order.sort();
        order
    };
    let first = order(1, 1, 100, true);
    assert_eq!(first, order(1, 1, 100, true));
    assert_ne!(first, order(1, 2, 100, true));
    assert_ne!(first, order(2, 1, 100, true));
    assert_eq!(sorted(first), order(1, 1, 100, false));
    assert!(order(0, 0, 0, true).is_empty());
}
