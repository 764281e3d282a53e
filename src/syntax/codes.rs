//! The codes of syntax errors, `E0001` to `E0099`, each with what it means.
//!
//! A code never changes its meaning and is never used again. Those of later stages are theirs.

macro_rules! codes {
    ($($name:ident = $code:literal: $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: &str = $code;)*

        /// Every code of this module with its meaning, in order.
        pub const ALL: &[(&str, &str)] = &[$(($code, $meaning)),*];
    };
}

codes! {
    UNEXPECTED = "E0001": "Something else was expected at this place.";
    UNCLOSED = "E0002": "An opening bracket has no closing one.";
    STRAY_CLOSER = "E0003": "A closing bracket has no opening one.";
    MISMATCHED = "E0004": "A bracket is closed by one of another kind.";
    TOO_DEEP = "E0005": "Brackets or operators are nested too deeply.";
    UNCLOSED_STRING = "E0006": "A string has no closing quote on its line.";
    BAD_ESCAPE = "E0007": "A string has an escape that means nothing.";
    BAD_NUMBER = "E0008": "A number is not written as numbers are, or is out of range.";
    BAD_CHARACTER = "E0009": "A character has no meaning here.";
    NOT_AN_ITEM = "E0010": "An item was expected: `layer`, `model`, `train` and so on.";
    ARROW_IN_EXPRESSION = "E0011": "`<-` stands in an expression.";
    LINE_START = "E0012": "A line that begins with `-`, `(` or `[` does not continue the one above.";
    FOREIGN_OPERATOR = "E0013": "An operator of another language.";
    CHAINED_COMPARISON = "E0014": "Comparisons are not chained.";
    MISPLACED_NOT = "E0015": "`not` stands after an operator that binds tighter.";
    NOT_A_STAGE = "E0016": "What follows `|>` is not a stage.";
    AFTER_STAGE = "E0017": "An operator stands after a pipeline.";
    EQUALS_SIGN = "E0018": "`=` stands for `:` or `==`, or `:` for `=`.";
    SEMICOLON = "E0019": "Statements end with their line.";
    NOT_CALLABLE = "E0020": "Only a name can be called.";
    BAD_INDEX = "E0021": "A place between index brackets is not an index.";
    RESERVED_WORD = "E0022": "A word of the language stands where a name is needed.";
    BRACE_LINE = "E0023": "An opening brace stands on a line of its own.";
    TOO_LARGE = "E0024": "A file is too large to have places in it.";
    UNUSED_VALUE = "E0025": "A value that is not the last of its block is not used.";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_are_in_order_and_in_range() {
        assert!(ALL.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(ALL.iter().all(|(code, _)| ("E0001"..="E0099").contains(code)));
    }
}
