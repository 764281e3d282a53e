//! Texts as tokens: characters, bytes, words, byte pairs; and back.
//!
//! ```text
//! chars   "to be"   →  t o ␣ b e      0 stands for a character that was never seen
//! bytes   "é"       →  195 169
//! words   "It's 12" →  It ' s ␣ 12    the commonest ones; 0 stands for any other
//! bpe     "the the" →  the ␣the       bytes, joined pair by pair, the commonest pair first
//! ```
//!
//! Byte pairs are learnt within words (a word with the space before it, as GPT-2 cuts texts), so that
//! learning takes time by the different words and not by the text; of equally common pairs the one with
//! the smaller numbers comes first, so the same text gives the same tokens everywhere.

use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

use crate::base::schema::{TokenList, TokenUnit};

/// The token of what was never seen, as it is shown.
const UNKNOWN: &str = "(unknown)";

/// The tokens that texts to train on have. `most` bounds their number, where the unit leaves it open.
pub fn learn<'t>(
    unit: TokenUnit,
    mut texts: impl Iterator<Item = &'t str>,
    most: usize,
) -> TokenList {
    let unknown = || UNKNOWN.to_owned();
    let mut merges = Vec::new();
    let names = match unit {
        TokenUnit::Chars => {
            let seen: BTreeSet<char> = texts.flat_map(str::chars).collect();
            std::iter::once(unknown()).chain(seen.into_iter().map(String::from)).collect()
        }
        TokenUnit::Bytes => byte_names(),
        TokenUnit::Words | TokenUnit::BareWords => {
            let mut counts: FxHashMap<&str, usize> = FxHashMap::default();
            let words = texts.flat_map(|text| words_of(unit, text));
            words.for_each(|word| *counts.entry(word).or_default() += 1);
            let mut order: Vec<(&str, usize)> = counts.into_iter().collect();
            order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
            let kept = order.into_iter().take(most.saturating_sub(1));
            std::iter::once(unknown()).chain(kept.map(|(word, _)| word.to_owned())).collect()
        }
        TokenUnit::Pairs => {
            merges = learn_pairs(&mut texts, most);
            pair_names(&merges)
        }
    };
    TokenList { unit, names, merges }
}

/// Cuts texts into tokens of a list.
pub enum Encoder<'a> {
    /// Each byte by itself.
    Bytes,
    /// The number of each character.
    Chars(FxHashMap<char, i32>),
    /// The number of each word of a unit.
    Words(TokenUnit, FxHashMap<&'a str, i32>),
    /// The number of each joined pair.
    Pairs(FxHashMap<(u32, u32), u32>),
}

impl<'a> Encoder<'a> {
    /// For the tokens of a list.
    pub fn new(list: &'a TokenList) -> Encoder<'a> {
        let known = || (1..).zip(list.names.iter().skip(1));
        match list.unit {
            TokenUnit::Bytes => Encoder::Bytes,
            TokenUnit::Chars => {
                let known = known().filter_map(|(id, name)| Some((name.chars().next()?, id)));
                Encoder::Chars(known.collect())
            }
            TokenUnit::Words | TokenUnit::BareWords => {
                let known = known().map(|(id, name)| (name.as_str(), id));
                Encoder::Words(list.unit, known.collect())
            }
            TokenUnit::Pairs => Encoder::Pairs(list.merges.iter().copied().zip(256..).collect()),
        }
    }

    /// The tokens of a text, by their numbers.
    pub fn encode(&self, text: &str) -> Vec<i32> {
        match self {
            Encoder::Bytes => text.bytes().map(i32::from).collect(),
            Encoder::Chars(known) => {
                text.chars().map(|sign| known.get(&sign).copied().unwrap_or(0)).collect()
            }
            Encoder::Words(unit, known) => {
                words_of(*unit, text).map(|word| known.get(word).copied().unwrap_or(0)).collect()
            }
            Encoder::Pairs(ranks) => {
                let mut known: FxHashMap<&str, Vec<i32>> = FxHashMap::default();
                let mut out = Vec::new();
                for word in pieces(text) {
                    let tokens = known.entry(word).or_insert_with(|| joined(word, ranks));
                    out.extend_from_slice(tokens);
                }
                out
            }
        }
    }

    /// The characters or words of a text that have no token of their own, each once, in order.
    pub fn unknown(&self, text: &str) -> Vec<String> {
        let mut unknown: Vec<String> = Vec::new();
        let mut add = |part: String| {
            if !unknown.contains(&part) {
                unknown.push(part);
            }
        };
        match self {
            Encoder::Bytes | Encoder::Pairs(_) => {}
            Encoder::Chars(known) => {
                text.chars().filter(|sign| !known.contains_key(sign)).for_each(|it| add(it.into()));
            }
            Encoder::Words(unit, known) => {
                let parts = words_of(*unit, text).filter(|word| !known.contains_key(word));
                parts.for_each(|it| add(it.to_owned()));
            }
        }
        unknown
    }
}

/// The text of tokens; of bytes that are no UTF-8, a mark in their place.
pub fn decode(list: &TokenList, tokens: &[i32]) -> String {
    let mut decoder = TokenDecoder::new(list);
    let mut text: String = tokens.iter().map(|&token| decoder.push(token)).collect();
    text.push_str(&decoder.finish());
    text
}

/// Gives the text of tokens as they come.
pub struct TokenDecoder<'a> {
    list: &'a TokenList,
    /// Bytes of a character whose others are still to come.
    open: Vec<u8>,
    is_first: bool,
}

impl<'a> TokenDecoder<'a> {
    /// At the beginning of a text.
    pub fn new(list: &'a TokenList) -> TokenDecoder<'a> {
        TokenDecoder { list, open: Vec::new(), is_first: true }
    }

    /// The text that is complete with this token.
    pub fn push(&mut self, token: i32) -> String {
        let is_first = std::mem::replace(&mut self.is_first, false);
        let name = || usize::try_from(token).ok().and_then(|id| self.list.names.get(id));
        match self.list.unit {
            TokenUnit::Chars | TokenUnit::Words => name().cloned().unwrap_or_default(),
            TokenUnit::BareWords => {
                let space = if is_first { "" } else { " " };
                name().map(|name| format!("{space}{name}")).unwrap_or_default()
            }
            TokenUnit::Bytes | TokenUnit::Pairs => {
                self.push_bytes(token);
                self.complete()
            }
        }
    }

    /// The end of the text: a mark for a character that is not complete.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.open).into_owned()
    }

    fn push_bytes(&mut self, token: i32) {
        let mut pairs: Vec<u32> = u32::try_from(token).into_iter().collect();
        while let Some(id) = pairs.pop() {
            match (u8::try_from(id), id.checked_sub(256)) {
                (Ok(byte), _) => self.open.push(byte),
                (Err(_), Some(merge)) => {
                    if let Some(&(left, right)) = self.list.merges.get(merge as usize) {
                        pairs.extend([right, left]);
                    }
                }
                (Err(_), None) => {}
            }
        }
    }

    /// Takes the complete characters, and marks for bytes that are none.
    fn complete(&mut self) -> String {
        let mut text = String::new();
        let mut rest = &self.open[..];
        let mut left = 0;
        for chunk in self.open.utf8_chunks() {
            text.push_str(chunk.valid());
            rest = &rest[chunk.valid().len()..];
            // The last bytes may be the beginning of a character.
            let may_go_on = std::str::from_utf8(rest).is_err_and(|e| e.error_len().is_none());
            if may_go_on && !rest.is_empty() {
                left = rest.len();
                break;
            }
            if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            rest = &rest[chunk.invalid().len()..];
        }
        self.open.drain(..self.open.len() - left);
        text
    }
}

/// The token that stands for what was never seen, where the list has one: its text is not known.
pub fn unknown_token(unit: TokenUnit) -> Option<i32> {
    match unit {
        TokenUnit::Chars | TokenUnit::Words | TokenUnit::BareWords => Some(0),
        TokenUnit::Bytes | TokenUnit::Pairs => None,
    }
}

fn byte_names() -> Vec<String> {
    (0..=255u8).map(|byte| byte.escape_ascii().to_string()).collect()
}

fn pair_names(merges: &[(u32, u32)]) -> Vec<String> {
    let mut bytes: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    for &(left, right) in merges {
        let both = [&bytes[left as usize][..], &bytes[right as usize]].concat();
        bytes.push(both);
    }
    bytes.iter().map(|bytes| bytes.escape_ascii().to_string()).collect()
}

/// Words, runs of digits, runs of blanks, and every other sign by itself; together the whole text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let kind = |sign: char| match sign {
        '\n' => 0,
        _ if sign.is_alphabetic() => 1,
        _ if sign.is_numeric() => 2,
        _ if sign.is_whitespace() => 3,
        _ => 4,
    };
    runs(text, move |before, next| kind(before) == kind(next) && !matches!(kind(next), 0 | 4))
}

/// The words of a unit.
fn words_of(unit: TokenUnit, text: &str) -> impl Iterator<Item = &str> {
    let is_blank = |word: &str| word.chars().all(char::is_whitespace);
    words(text).filter(move |word| unit == TokenUnit::Words || !is_blank(word))
}

/// A word with the blank before it, runs of digits, of signs and of blanks; together the whole text.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let kind = |sign: char| match sign {
        _ if sign.is_alphabetic() => 1,
        _ if sign.is_numeric() => 2,
        _ if sign.is_whitespace() => 3,
        _ => 4,
    };
    runs(text, move |before, next| {
        kind(before) == kind(next) || before == ' ' && matches!(kind(next), 1 | 2)
    })
}

/// The longest runs of which every two neighbours belong together.
fn runs(text: &str, together: impl Fn(char, char) -> bool) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut signs = rest.char_indices();
        let (_, mut before) = signs.next()?;
        let end = signs.find(|&(_, next)| !together(std::mem::replace(&mut before, next), next));
        let (run, left) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        rest = left;
        Some(run)
    })
}

/// The pairs to join, until there are so many tokens or nothing comes up twice.
fn learn_pairs(texts: &mut dyn Iterator<Item = &str>, most: usize) -> Vec<(u32, u32)> {
    let mut counts: FxHashMap<&str, usize> = FxHashMap::default();
    texts.flat_map(pieces).for_each(|word| *counts.entry(word).or_default() += 1);
    let mut words: Vec<(Vec<u32>, usize)> = counts
        .into_iter()
        .filter(|(word, _)| word.len() > 1)
        .map(|(word, count)| (word.bytes().map(u32::from).collect(), count))
        .collect();
    words.sort();
    let mut pairs: FxHashMap<(u32, u32), usize> = FxHashMap::default();
    let mut places: FxHashMap<(u32, u32), Vec<usize>> = FxHashMap::default();
    for (index, (word, count)) in words.iter().enumerate() {
        for pair in word.windows(2) {
            let pair = (pair[0], pair[1]);
            *pairs.entry(pair).or_default() += count;
            places.entry(pair).or_default().push(index);
        }
    }
    let mut merges = Vec::new();
    while 256 + merges.len() < most {
        let best = pairs.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
        let Some((&pair, &count)) = best.filter(|(_, count)| **count > 1) else { break };
        let token = 256 + merges.len() as u32;
        merges.push(pair);
        let mut touched = places.remove(&pair).unwrap_or_default();
        touched.dedup();
        for index in touched {
            let (word, times) = &mut words[index];
            for old in word.windows(2) {
                if let Some(count) = pairs.get_mut(&(old[0], old[1])) {
                    *count = count.saturating_sub(*times);
                }
            }
            join(word, pair, token);
            for new in word.windows(2) {
                let new = (new[0], new[1]);
                *pairs.entry(new).or_default() += *times;
                if new.0 == token || new.1 == token {
                    places.entry(new).or_default().push(index);
                }
            }
        }
        debug_assert!(count > 1);
        pairs.remove(&pair);
    }
    merges
}

/// Joins a pair wherever it stands, from the left.
fn join(word: &mut Vec<u32>, pair: (u32, u32), token: u32) {
    let mut out = Vec::with_capacity(word.len());
    let mut at = 0;
    while at < word.len() {
        match word.get(at + 1) {
            Some(&next) if (word[at], next) == pair => {
                out.push(token);
                at += 2;
            }
            _ => {
                out.push(word[at]);
                at += 1;
            }
        }
    }
    *word = out;
}

/// The tokens of a piece: the pair that was learnt first is joined first.
fn joined(piece: &str, ranks: &FxHashMap<(u32, u32), u32>) -> Vec<i32> {
    let mut word: Vec<u32> = piece.bytes().map(u32::from).collect();
    loop {
        let pairs = word.windows(2).map(|pair| (pair[0], pair[1]));
        let Some((token, pair)) = pairs.filter_map(|it| Some((*ranks.get(&it)?, it))).min() else {
            return word.into_iter().map(|token| token as i32).collect();
        };
        join(&mut word, pair, token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Sequence;

    fn learn(unit: TokenUnit, text: &str, most: usize) -> TokenList {
        super::learn(unit, std::iter::once(text), most)
    }

    fn encode(list: &TokenList, text: &str) -> Vec<i32> {
        Encoder::new(list).encode(text)
    }

    #[test]
    fn units_cut_a_text_and_put_it_together_again() {
        let text = "It's 12 o'clock,\nnot 7.  Né";
        for unit in [TokenUnit::Chars, TokenUnit::Bytes, TokenUnit::Words, TokenUnit::Pairs] {
            let list = learn(unit, text, 300);
            assert_eq!(decode(&list, &encode(&list, text)), text, "{unit:?}");
        }
        let chars = learn(TokenUnit::Chars, "abca", 0);
        assert_eq!(encode(&chars, "caz"), [3, 1, 0]);
        assert_eq!(words("It's 12\n").collect::<Vec<_>>(), ["It", "'", "s", " ", "12", "\n"]);
        let bare = learn(TokenUnit::BareWords, "to be, or not to be", 9);
        assert_eq!(bare.names, ["(unknown)", "be", "to", ",", "not", "or"], "no blanks");
        let tokens = encode(&bare, "to  be\nnew");
        assert_eq!((&tokens[..], &decode(&bare, &tokens)[..]), (&[2, 1, 0][..], "to be (unknown)"));
        let some = learn(TokenUnit::Words, "a b a c a b", 4);
        assert_eq!(some.names, ["(unknown)", " ", "a", "b"], "the commonest first");
    }

    #[test]
    fn a_text_comes_piece_by_piece() {
        let bytes = learn(TokenUnit::Bytes, "", 0);
        let mut decoder = TokenDecoder::new(&bytes);
        let mut push = |token| decoder.push(token);
        assert_eq!((push(0xc3), push(0xa9)), (String::new(), "é".to_owned()));
        assert_eq!(push(0xff), "\u{fffd}", "no character begins so");
        assert_eq!((push(0xe2), push(0x41)), (String::new(), "\u{fffd}A".to_owned()));
        assert_eq!((push(0xe2), decoder.finish()), (String::new(), "\u{fffd}".to_owned()));
        let words = learn(TokenUnit::BareWords, "to be", 9);
        assert_eq!(Encoder::new(&words).unknown("to me, be me"), ["me", ","]);
        let chars = learn(TokenUnit::Chars, "ab", 9);
        assert_eq!(Encoder::new(&chars).unknown("azaß"), ["z", "ß"]);
        assert_eq!(Encoder::new(&bytes).unknown("azaß"), [""; 0]);
    }

    #[test]
    fn the_commonest_pair_is_joined_first_and_the_smaller_of_equals() {
        let list = learn(TokenUnit::Pairs, "abab cdcd abab", 258);
        let (a, b) = (u32::from(b'a'), u32::from(b'b'));
        assert_eq!(list.merges[0], (a, b));
        let (c, d) = (u32::from(b'c'), u32::from(b'd'));
        assert_eq!(list.merges[1], (c, d), "as common as `ab` twice, and smaller");
        assert_eq!(&list.names[256..], ["ab", "cd"]);
    }

    #[test]
    fn any_text_comes_back_from_bytes_and_pairs() {
        let mut rng = Sequence::new(3, 1);
        let list = learn(TokenUnit::Pairs, &"the cat sat on the mat. ".repeat(9), 290);
        let rounds = if cfg!(debug_assertions) { 2_000 } else { 100_000 };
        for _ in 0..rounds {
            let length = rng.below(24);
            let signs = (0..length).map(|_| match rng.below(4) {
                0 => char::from_u32(rng.below(0x11_0000)).unwrap_or('?'),
                1 => ' ',
                _ => char::from(b'a' + rng.below(26) as u8),
            });
            let text: String = signs.collect();
            let tokens = encode(&list, &text);
            assert!(tokens.len() <= text.len());
            assert_eq!(decode(&list, &tokens), text);
        }
    }
}
