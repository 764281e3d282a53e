//! Every code that stands before a message, in one table: `E00xx` of the parser, `E01xx` of
//! elaboration, `E03xx` of data and runs, `W02xx` of lints, `W03xx` of data.
//!
//! A code never changes its meaning, and one that is no longer used is not given out again.
//! `nnc explain CODE` prints the text beside this file: prose, a wrong program, a right one. A test
//! compiles both.

/// A code with its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiagnosticCode {
    /// The code: `E0106`.
    pub code: &'static str,
    /// Title of the kind of mistake, a few words long.
    pub title: &'static str,
    /// The explanation, in Markdown.
    pub text: &'static str,
}

/// Declares a constant a code, and the table of all of them.
macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal;)*) => {
        $(#[doc = $title] pub const $name: &str = $code;)*

        /// Every code, in order.
        pub const TABLE: &[DiagnosticCode] = &[$(DiagnosticCode {
            code: $code,
            title: $title,
            text: include_str!(concat!("codes/", $code, ".md")),
        }),*];
    };
}

codes! {
    UNEXPECTED = "E0001", "something else was expected at this place";
    UNCLOSED = "E0002", "an opening bracket has no closing one";
    STRAY_CLOSER = "E0003", "a closing bracket has no opening one";
    MISMATCHED = "E0004", "a bracket is closed by one of another kind";
    TOO_DEEP = "E0005", "brackets or operators are nested too deeply";
    UNCLOSED_STRING = "E0006", "a string has no closing quote on its line";
    BAD_ESCAPE = "E0007", "a string has an escape that means nothing";
    BAD_NUMBER = "E0008", "a number is not written as numbers are, or is out of range";
    BAD_CHARACTER = "E0009", "a character has no meaning here";
    NOT_AN_ITEM = "E0010", "an item was expected: `layer`, `model`, `train` and so on";
    ARROW_IN_EXPRESSION = "E0011", "`<-` stands in an expression";
    LINE_START = "E0012", "a line that begins with `-`, `(` or `[` does not continue the one above";
    FOREIGN_OPERATOR = "E0013", "an operator of another language";
    CHAINED_COMPARISON = "E0014", "comparisons are not chained";
    MISPLACED_NOT = "E0015", "`not` stands after an operator that binds tighter";
    NOT_A_STAGE = "E0016", "what follows `|>` is not a stage";
    AFTER_STAGE = "E0017", "an operator stands after a pipeline";
    EQUALS_SIGN = "E0018", "`=` stands for `:` or `==`, or `:` for `=`";
    SEMICOLON = "E0019", "statements end with their line";
    NOT_CALLABLE = "E0020", "only a name can be called";
    BAD_INDEX = "E0021", "a place between index brackets is not an index";
    RESERVED_WORD = "E0022", "a word of the language stands where a name is needed";
    BRACE_LINE = "E0023", "an opening brace stands on a line of its own";
    FILE_TOO_LARGE = "E0024", "a program whose text is too large";
    UNUSED_VALUE = "E0025", "a value that is not the last of its block is not used";
    FOREIGN_HABIT = "E0026", "a line is written as in another framework";
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
    MISSING_FILE = "E0122", "a program, or a file that it uses, cannot be read";
    CONDITION = "E0123", "a condition that is not known while compiling";
    LABEL = "E0124", "an `as` name that cannot stand as it is";
    BODY = "E0125", "a body without the value it must have";
    NARROW_HEAD = "E0126", "a head narrower than the data's classes";
    DOMAIN = "E0127", "an argument outside what its parameter takes";
    SCAN = "E0128", "a scan whose steps cannot be taken";
    SMALL_EMBEDDING = "E0129", "an embedding with fewer rows than its field has categories";
    DATA_SOURCE = "E0301", "a data source that is wrong, or whose data cannot be had";
    INDEX_RANGE = "E0302", "an index from the data that is out of range";
    NOT_FINITE = "E0303", "numbers of a training step that are not finite";
    NO_SAMPLES = "E0304", "a split with too few samples";
    MEMORY = "E0305", "a step that needs more memory than there is";
    ZERO_DIVISION = "E0306", "a batch with which a number divides by zero";
    WEIGHTS = "E0307", "a file of weights that does not fit the model";
    WATCHED = "E0308", "a setting that watches a number which epochs do not have";
    SCHEDULE = "E0310", "a schedule that does not fit the run";
    SOFTMAX_TWICE = "W0201", "a softmax or sigmoid whose result is taken for logits";
    NO_PATH = "W0202", "a parameter with no path to the loss";
    BIAS_BEFORE_NORM = "W0203", "a bias directly before batch norm";
    WIDE_HEAD = "W0204", "a head wider than the data's classes";
    GREY_IMAGES = "W0205", "grey images in three channels";
    SKIPPING_POOL = "W0206", "a pooling stride larger than its window";
    LAST_OF_ONE = "W0207", "batch norm with a last batch of one sample";
    UNUSED_BINDING = "W0208", "a `let` that nothing uses";
    UNUSED_ITEM = "W0209", "an item that nothing uses";
    UNUSED_ARGUMENT = "W0210", "an argument that its layer does not use";
    ODD_RATE = "W0211", "a learning rate or decay outside any sane range";
    ODD_DROPOUT = "W0212", "dropout of nothing or of everything";
    FROZEN_AT_RANDOM = "W0213", "a frozen parameter that nothing has trained";
    CONSTANT_TARGET = "W0214", "a target with one value in all samples to train on";
    MISSING_DATA = "W0301", "data that `check` and `bench` do without";
    ODD_CLASSES = "W0302", "classes without samples, or called as splits are";
    LITTLE_MEMORY = "W0303", "a run that needs more memory than there is here";
}

/// A code of the table, in any letter case.
pub fn find(code: &str) -> Option<&'static DiagnosticCode> {
    TABLE.iter().find(|known| known.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_ascend() {
        assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
    }
}
