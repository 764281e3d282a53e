//! The first sentence of a text, for a line about what it describes.
//!
//! ```text
//! Attention (Vaswani et al. 2017). With `mask`, …   →  Attention (Vaswani et al. 2017)
//! Who survived? Ages are missing.                   →  Who survived?
//! ```

/// The first sentence, without its full stop. A sentence ends where the next one begins with a capital
/// letter or in code font.
pub fn first_sentence(text: &str) -> &str {
    let begins = |rest: &str| {
        let next = rest.strip_prefix(' ').and_then(|rest| rest.chars().next());
        next.is_some_and(|next| next.is_uppercase() || next == '`')
    };
    let mut ends = text.match_indices(['.', '?']).map(|(at, sign)| at + sign.len());
    let end = ends.find(|&end| begins(&text[end..])).unwrap_or(text.len());
    text[..end].trim_end().trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::first_sentence;

    #[test]
    fn a_full_stop_inside_a_sentence_does_not_end_it() {
        let text = "Attention (Vaswani et al. 2017). With `mask`, less.";
        assert_eq!(first_sentence(text), "Attention (Vaswani et al. 2017)");
        assert_eq!(first_sentence("Who survived? Ages are missing."), "Who survived?");
        assert_eq!(first_sentence("`x * 0.5`. `y` stays."), "`x * 0.5`");
        assert_eq!(first_sentence("One"), "One");
    }
}
