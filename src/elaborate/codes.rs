//! The table of this stage's error codes: what stands in brackets before a message.
//!
//! Codes are stable: one that is no longer used is not given out again. `E00xx` are the
//! parser's, `E02xx` the data's.

/// Declares a constant a code, and the table of all of them.
macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal;)*) => {
        $(#[doc = $title] pub const $name: &str = $code;)*

        /// Every code with its title.
        pub const TABLE: &[(&str, &str)] = &[$(($code, $title)),*];
    };
}

codes! {
    UNKNOWN_NAME = "E0101", "a name that nothing declares";
    UNKNOWN_CALLEE = "E0102", "a call of something that nothing declares";
    DUPLICATE = "E0103", "two declarations of one name";
    WRONG_KIND = "E0104", "a value of another kind than its place takes";
    ARGUMENTS = "E0105", "arguments that do not fit the parameters";
    SHAPE = "E0106", "shapes that do not fit";
    RESULT = "E0107", "a result that is not what was declared";
    OPERATOR = "E0108", "an operator on values it is not made for";
    DIVISION = "E0109", "an integer division with a remainder, or by zero";
    BATCH = "E0110", "a decision or a stored shape that depends on the batch";
    RECURSION = "E0111", "layers that call one another without end";
    TOO_LARGE = "E0112", "a program that unfolds without bound, or a number out of range";
    ASSIGNMENT = "E0113", "a `<-` to something that cannot be written";
    DECLARATION = "E0114", "a `param` or `state` that cannot stand as it is";
    INDEX = "E0115", "an index outside what it indexes";
    NOT_IN_VERSION = "E0116", "something that this version does not have yet";
    NO_MODEL = "E0117", "no model to elaborate, or several";
    TRAIN_KEY = "E0118", "a `train` setting that is unknown or of the wrong kind";
    NO_DATA = "E0119", "something that only the data can tell, without data";
    DATA = "E0120", "data that do not fit the model";
    CYCLE = "E0121", "declarations or files that need one another";
    MISSING_FILE = "E0122", "a `use` of a file that cannot be read";
    CONDITION = "E0123", "a condition that is not known while compiling";
    LABEL = "E0124", "an `as` name that cannot stand as it is";
    BODY = "E0125", "a body without the value it must have";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_ascend() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
