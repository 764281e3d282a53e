//! Names of a program as names of Python.
//!
//! ```text
//! block.dense_2.weight   →   block.dense_2.weight
//! train.lambda           →   train_.lambda_          a method of every module, a word of the language
//! café                   →   caf_
//! ```

use crate::base::identifier;

/// Words of Python, and names that every `nn.Module` has.
const TAKEN: &[&str] = &[
    "False",
    "None",
    "True",
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "try",
    "while",
    "with",
    "yield",
    "add_module",
    "apply",
    "bfloat16",
    "buffers",
    "call_super_init",
    "children",
    "compile",
    "cpu",
    "cuda",
    "double",
    "dump_patches",
    "eval",
    "extra_repr",
    "float",
    "forward",
    "get_buffer",
    "get_extra_state",
    "get_parameter",
    "get_submodule",
    "half",
    "ipu",
    "load_state_dict",
    "modules",
    "mtia",
    "named_buffers",
    "named_children",
    "named_modules",
    "named_parameters",
    "parameters",
    "register_buffer",
    "register_module",
    "register_parameter",
    "requires_grad_",
    "set_extra_state",
    "set_submodule",
    "share_memory",
    "state_dict",
    "to",
    "to_empty",
    "train",
    "training",
    "type",
    "xpu",
    "zero_grad",
    "self",
    "torch",
    "nn",
    "F",
    "math",
    "n",
    "nchw",
    "nhwc",
    "Layer",
];

/// A name as an identifier.
pub(super) fn identifier(name: &str) -> String {
    identifier::identifier(name, TAKEN)
}

/// A path of a parameter or state as a path of attributes, which is its key in a state dict.
pub(super) fn attribute(path: &str) -> String {
    path.split('.').map(identifier).collect::<Vec<_>>().join(".")
}

/// The name of a model as that of a class: `two_towers` is `TwoTowers`.
pub(super) fn class(model: &str) -> String {
    let upper = |word: &str| {
        let mut signs = word.chars();
        signs.next().map_or(String::new(), |first| first.to_uppercase().chain(signs).collect())
    };
    identifier(&model.split('_').map(upper).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_pythons() {
        assert_eq!(attribute("block.dense_2.weight"), "block.dense_2.weight");
        assert_eq!(attribute("train.lambda"), "train_.lambda_");
        assert_eq!(identifier("2café"), "_2caf_");
        assert_eq!(class("two_towers"), "TwoTowers");
        assert_eq!(class("net"), "Net");
    }
}
