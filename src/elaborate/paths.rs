//! The paths of parameters and states: `dense.weight`, `dense_2.bias`, `block.conv_3.weight`.
//!
//! Within its parent each layer call takes its layer's name, with a number from the second on, in
//! order of elaboration; `|> dense(10) as head` takes `head`, numbered the same way where a
//! `repeat` gives it several times. A name that is taken already (by a label, say) is skipped.

use std::collections::HashMap;

/// The path of `name` within `parent`.
pub(super) fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

/// The name that the next `name` of a parent has, given what was taken.
pub(super) fn next(taken: &mut HashMap<String, usize>, name: &str) -> String {
    loop {
        let count = taken.entry(name.to_owned()).or_insert(0);
        *count += 1;
        if *count == 1 {
            return name.to_owned();
        }
        let numbered = format!("{name}_{count}");
        if !taken.contains_key(&numbered) {
            taken.insert(numbered.clone(), 1);
            return numbered;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_from_the_second_on_and_skip_taken_ones() {
        let mut taken = HashMap::new();
        assert_eq!(next(&mut taken, "dense"), "dense");
        assert_eq!(next(&mut taken, "dense_2"), "dense_2");
        assert_eq!(next(&mut taken, "dense"), "dense_3");
        assert_eq!(next(&mut taken, "relu"), "relu");
        assert_eq!(join("block", "dense"), "block.dense");
        assert_eq!(join("", "dense"), "dense");
    }
}
