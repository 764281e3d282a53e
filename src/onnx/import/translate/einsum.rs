//! `Einsum`: sums of products, as products of matrices where two values meet.
//!
//! ```text
//! bhid,bhjd->bhij    a @ transpose(b)
//! ij,jk,kl->il       (a @ b) @ c
//! bij->bj            sum(a, axis: 1)
//! ```
//!
//! An axis that stands twice in one value, a diagonal, has no counterpart.

use super::Translator;
use crate::onnx::import::constant::ElementKind;
use crate::onnx::import::known::Made;
use crate::onnx::import::node::NodeReader;
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::{GraphValue, Placed};

/// A value with a letter for each axis.
struct Lettered {
    value: Placed,
    letters: Vec<char>,
}

/// The letters of each value, and of what is made.
type Equation = (Vec<Vec<char>>, Vec<char>);

impl<'a> Translator<'a> {
    pub(super) fn einsum(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let count = node.node.inputs.len();
        let mut values = Vec::with_capacity(count);
        for index in 0..count {
            let value = self.tensor(node, index)?;
            if value.kind != ElementKind::Float {
                return Err("it is for floats alone".into());
            }
            values.push(self.unshuffled(&value)?);
        }
        let ranks: Vec<usize> = values.iter().map(Placed::rank).collect();
        let (terms, output) = equation(node.text("equation", "")?, &ranks)?;
        let mut open: Vec<Lettered> = values
            .into_iter()
            .zip(terms)
            .map(|(value, letters)| Lettered { value, letters })
            .collect();
        open.reverse();
        let mut whole = open.pop().ok_or("it has no inputs")?;
        loop {
            let others: Vec<char> = open.iter().flat_map(|it| it.letters.clone()).collect();
            let needed = |letter: &char| output.contains(letter) || others.contains(letter);
            whole = self.summed(whole, needed)?;
            let Some(next) = open.pop() else { break };
            let rest: Vec<char> = open.iter().flat_map(|it| it.letters.clone()).collect();
            let known = whole.letters.clone();
            let needed = |letter: &char| output.contains(letter) || rest.contains(letter);
            let next = self.summed(next, |letter| needed(letter) || known.contains(letter))?;
            whole = self.contracted(&whole, &next, needed)?;
        }
        let place = |letter: &char| whole.letters.iter().position(|it| it == letter);
        let order: Option<Vec<usize>> = output.iter().map(place).collect();
        self.renamed(&whole.value, &order.ok_or("its result has an axis that no input has")?)
    }

    /// The value without the axes that are not needed.
    fn summed(&mut self, of: Lettered, needed: impl Fn(&char) -> bool) -> Made<Lettered> {
        let axes: Vec<usize> =
            (0..of.letters.len()).filter(|&axis| !needed(&of.letters[axis])).collect();
        if axes.is_empty() {
            return Ok(of);
        }
        let value = self.reduced(&of.value, "sum", &axes, false)?;
        Ok(Lettered { value, letters: of.letters.into_iter().filter(|it| needed(it)).collect() })
    }

    /// The product of two values, summed over the axes that both have and nothing needs.
    fn contracted(
        &mut self,
        a: &Lettered,
        b: &Lettered,
        needed: impl Fn(&char) -> bool,
    ) -> Made<Lettered> {
        let both = |letter: &&char| a.letters.contains(letter) && b.letters.contains(letter);
        let shared: Vec<char> = a.letters.iter().filter(both).copied().collect();
        let (kept, added): (Vec<char>, Vec<char>) = shared.iter().partition(|it| needed(it));
        let own = |of: &Lettered| -> Vec<char> {
            of.letters.iter().filter(|it| !shared.contains(it)).copied().collect()
        };
        let (rows, columns) = (own(a), own(b));
        if added.is_empty() {
            return self.spread(a, b, [&kept, &rows, &columns]);
        }
        let left = self.as_matrices(a, [&kept, &rows, &added])?;
        let right = self.as_matrices(b, [&kept, &added, &columns])?;
        let product = self.product(&left, &right)?;
        let letters = [kept, rows, columns].concat();
        let dims = letters.iter().map(|letter| extent([a, b], *letter)).collect::<Made<_>>()?;
        Ok(Lettered { value: self.reshaped(&product, dims)?, letters })
    }

    /// `[kept.., rows, columns]`, each of the last two the product of several axes.
    fn as_matrices(&mut self, of: &Lettered, groups: [&[char]; 3]) -> Made<Placed> {
        let letters = groups.concat();
        let place = |letter: &char| of.letters.iter().position(|it| it == letter);
        let order: Option<Vec<usize>> = letters.iter().map(place).collect();
        let turned = self.renamed(&of.value, &order.ok_or("an axis is missing")?)?;
        let [kept, rows, _] = groups.map(<[char]>::len);
        let product = |dims: &[SymbolicSize]| match dims {
            [] => Ok(SymbolicSize::ONE),
            dims => SymbolicSize::product(dims).ok_or("an axis is quadratic in the batch"),
        };
        let mut dims = turned.dims[..kept].to_vec();
        dims.push(product(&turned.dims[kept..kept + rows])?);
        dims.push(product(&turned.dims[kept + rows..])?);
        self.reshaped(&turned, dims)
    }

    /// The product of values that nothing is summed of: element by element.
    fn spread(&mut self, a: &Lettered, b: &Lettered, groups: [&[char]; 3]) -> Made<Lettered> {
        let letters = groups.concat();
        let mut sides = Vec::with_capacity(2);
        for of in [a, b] {
            let own = letters.iter().filter(|letter| of.letters.contains(letter));
            let place = |letter: &char| of.letters.iter().position(|it| it == letter);
            let order: Vec<usize> = own.filter_map(place).collect();
            let turned = self.renamed(&of.value, &order)?;
            let mut left = turned.dims.iter();
            let dims = letters.iter().map(|letter| match of.letters.contains(letter) {
                true => left.next().copied().unwrap_or(SymbolicSize::ONE),
                false => SymbolicSize::ONE,
            });
            let dims = dims.collect();
            sides.push(GraphValue::Tensor(self.reshaped(&turned, dims)?));
        }
        let value = self.two("Mul", &sides[0], &sides[1])?;
        Ok(Lettered { value, letters })
    }
}

fn extent(of: [&Lettered; 2], letter: char) -> Made<SymbolicSize> {
    let find = |it: &&Lettered| it.letters.contains(&letter);
    let of = of.into_iter().find(find).ok_or("an axis is missing")?;
    let at = of.letters.iter().position(|&it| it == letter).unwrap_or(0);
    Ok(of.value.dims[at])
}

/// The letters of an equation over values of these ranks. The axes of an ellipsis get digits, from the last.
fn equation(text: &str, ranks: &[usize]) -> Made<Equation> {
    let text: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    let (left, right) = match text.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (text.as_str(), None),
    };
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != ranks.len() {
        return Err(format!("the equation `{text}` is not for {} inputs", ranks.len()));
    }
    let mut longest = 0;
    let mut letters = Vec::with_capacity(terms.len());
    for (term, &rank) in terms.iter().zip(ranks) {
        let term = lettered(term, |named| rank.checked_sub(named))
            .filter(|term| term.len() == rank)
            .ok_or_else(|| format!("`{term}` is not for a value of {rank} axes"))?;
        if (1..term.len()).any(|at| term[..at].contains(&term[at])) {
            return Err("the diagonal of a value has no counterpart".into());
        }
        longest = longest.max(term.iter().filter(|it| is_of_ellipsis(**it)).count());
        letters.push(term);
    }
    let output = match right {
        Some(right) => lettered(right, |_| Some(longest))
            .ok_or_else(|| format!("the result of `{text}` cannot be read"))?,
        None => {
            let all: Vec<char> = letters.concat();
            let once = |it: &char| all.iter().filter(|other| *other == it).count() == 1;
            let mut named: Vec<char> =
                all.iter().filter(|it| once(it) && !is_of_ellipsis(**it)).copied().collect();
            named.sort_unstable();
            (0..longest).rev().map(of_ellipsis).chain(named).collect()
        }
    };
    if (1..output.len()).any(|at| output[..at].contains(&output[at])) {
        return Err("an axis stands twice in the result".into());
    }
    Ok((letters, output))
}

/// The letters of a term, whose ellipsis stands for so many axes beside the named ones.
fn lettered(term: &str, more: impl Fn(usize) -> Option<usize>) -> Option<Vec<char>> {
    let named = |part: &str| part.chars().all(|letter| letter.is_ascii_alphabetic());
    let (before, after) = match term.split_once("...") {
        Some(parts) => parts,
        None => return named(term).then(|| term.chars().collect()),
    };
    let count = more(before.len() + after.len()).filter(|&count| count < 10)?;
    let dots = (0..count).rev().map(of_ellipsis);
    let both = named(before) && named(after);
    both.then(|| before.chars().chain(dots).chain(after.chars()).collect())
}

/// The letter of an ellipsis's axis, counted from its last.
fn of_ellipsis(axis: usize) -> char {
    char::from(b'0' + axis as u8)
}

fn is_of_ellipsis(letter: char) -> bool {
    letter.is_ascii_digit()
}
