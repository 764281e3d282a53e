//! The C header of an exported model: its functions, sizes, and the names of all that goes in and out.
//!
//! ```text
//! #define LENET_ARENA_BYTES 33856
//! int lenet_predict(const uint8_t *image, float *output, void *arena);
//! ```
//!
//! C source and object files have the same header, and are called alike.

use crate::base::tensor::DType;
use crate::codegen::c::{element_type, number};
use crate::command::inference::ReadableModel;
use crate::loops::{BufferId, Planned};
use std::fmt::Write;

/// The alignment that a caller's memory should have: a cache line, the largest vector.
pub(super) const ALIGNMENT: usize = 64;

/// An argument of a model's functions.
#[derive(Clone)]
pub(super) struct CArgument {
    /// Its name in the program.
    pub name: String,
    /// Its name in C.
    pub ident: String,
    /// Its elements.
    pub dtype: DType,
    /// Its shape, the batch first.
    pub shape: Vec<usize>,
    /// The names of its classes, where it is about classes.
    pub classes: Vec<String>,
    /// The buffer of the step that it is.
    pub buffer: BufferId,
    /// A line about it.
    pub about: &'static str,
}

/// Where a model's weights are.
pub(super) enum WeightsPlace {
    /// In the code.
    Inside,
    /// In a file of so many bytes, which the caller loads.
    File { name: String, bytes: usize },
    /// In the caller's memory, among what is trained.
    State,
}

/// All that a header says.
pub(super) struct Interface {
    /// The model's name as an identifier: the prefix of its functions.
    pub prefix: String,
    /// Where the model is from.
    pub origin: String,
    /// How its code is compiled or linked: lines of a comment.
    pub usage: String,
    /// Samples a call.
    pub batch: usize,
    /// The inputs of `predict`.
    pub inputs: Vec<CArgument>,
    /// The outputs of `predict`.
    pub outputs: Vec<CArgument>,
    /// Bytes of the caller's memory that a call of `predict` works in.
    pub arena: usize,
    /// Where its weights are.
    pub weights: WeightsPlace,
    /// More declarations, of training.
    pub training: String,
}

/// The inputs of a step, in the order of the data's fields.
pub(super) fn inputs(exported: &ReadableModel, program: &Planned, batch: usize) -> Vec<CArgument> {
    let argument = |field: &crate::base::schema::Field| {
        let buffer = program.io.input(&field.name)?;
        let shape = [batch].into_iter().chain(field.shape.iter().copied()).collect();
        Some(CArgument {
            name: field.name.clone(),
            ident: number::identifier(&field.name),
            dtype: program.buffers[buffer].dtype,
            shape,
            classes: Vec::new(),
            buffer,
            about: "in",
        })
    };
    exported.reader.fields().iter().filter_map(argument).collect()
}

/// The outputs that answers are made of.
pub(super) fn outputs(exported: &ReadableModel, program: &Planned, batch: usize) -> Vec<CArgument> {
    let argument = |output: &crate::command::answers::PredictedOutput| {
        let buffer = program.io.output(&output.at)?;
        let shape = [batch].into_iter().chain(output.shape.iter().copied()).collect();
        Some(CArgument {
            name: output.name.clone(),
            ident: number::identifier(&output.name),
            dtype: program.buffers[buffer].dtype,
            shape,
            classes: output.classes.clone(),
            buffer,
            about: "out",
        })
    };
    exported.outputs.iter().filter_map(argument).collect()
}

/// Gives arguments of one function different names.
pub(super) fn distinguish<'a>(arguments: impl Iterator<Item = &'a mut CArgument>) {
    let mut taken: Vec<String> =
        ["arena", "weights", "state", "seed", "step", "hypers"].map(str::to_owned).into();
    for argument in arguments {
        while taken.contains(&argument.ident) {
            argument.ident.push('_');
        }
        taken.push(argument.ident.clone());
    }
}

/// The declaration of pointers to arguments: `const uint8_t *image, float *output`.
pub(super) fn parameters(inputs: &[CArgument], outputs: &[CArgument]) -> String {
    let input = |it: &CArgument| format!("const {} *{}", element_type(it.dtype), it.ident);
    let output = |it: &CArgument| format!("{} *{}", element_type(it.dtype), it.ident);
    let all: Vec<String> = inputs.iter().map(input).chain(outputs.iter().map(output)).collect();
    all.join(", ")
}

impl Interface {
    /// The prefix of its constants.
    pub fn upper(&self) -> String {
        self.prefix.to_uppercase()
    }

    /// `int lenet_predict(…)`, without the end.
    pub fn predict(&self) -> String {
        let weights = match self.weights {
            WeightsPlace::Inside => "",
            WeightsPlace::File { .. } => ", const void *weights",
            WeightsPlace::State => ", void *state",
        };
        let parameters = parameters(&self.inputs, &self.outputs);
        format!("int {}_predict({parameters}{weights}, void *arena)", self.prefix)
    }

    /// The definitions of names of classes, for a source file.
    pub fn class_names(&self) -> String {
        let mut text = String::new();
        for output in self.outputs.iter().filter(|output| !output.classes.is_empty()) {
            let names: Vec<String> = output.classes.iter().map(|name| quoted(name)).collect();
            let _ = writeln!(
                text,
                "const char *const {}_{}_class_names[{}] = {{\n    {}\n}};\n",
                self.prefix,
                output.ident,
                output.classes.len(),
                names.join(",\n    ")
            );
        }
        text
    }

    /// The header.
    pub fn header(&self) -> String {
        let (upper, prefix) = (self.upper(), &self.prefix);
        let mut text = format!(
            "/* {}.\n\n{}*/\n#ifndef {upper}_H\n#define {upper}_H\n\n#include <stdint.h>\n\n\
             #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n",
            comment(&self.origin),
            comment(&self.usage)
        );
        let _ = writeln!(text, "/* Samples a call. */\n#define {upper}_BATCH {}", self.batch);
        let _ = writeln!(
            text,
            "/* Bytes of the caller's memory that a call works in; they keep nothing between calls. */\n\
             #define {upper}_ARENA_BYTES {}\n\
             /* The alignment that the caller's memory should have: less is slower. */\n\
             #define {upper}_ALIGNMENT {ALIGNMENT}\n\
             /* Returned where an index made of the input is out of range; outputs then mean nothing. */\n\
             #define {upper}_BAD_INDEX 1\n",
            self.arena
        );
        for argument in self.inputs.iter().chain(&self.outputs) {
            self.describe(argument, &mut text);
        }
        if let WeightsPlace::File { name, bytes } = &self.weights {
            let _ = writeln!(
                text,
                "/* The weights are in a file; `weights` points to its bytes, aligned as the arena. */\n\
                 #define {upper}_WEIGHTS_FILE {}\n#define {upper}_WEIGHTS_BYTES {bytes}\n",
                quoted(name)
            );
        }
        let _ = writeln!(
            text,
            "/* Answers a batch: 0, or {upper}_BAD_INDEX. It may run on several threads at once, each\n   \
             with an arena of its own. */\n{};\n{}",
            self.predict(),
            self.training
        );
        let _ = writeln!(text, "#ifdef __cplusplus\n}}\n#endif\n\n#endif /* {prefix} */");
        text
    }

    /// The constants of an argument.
    fn describe(&self, argument: &CArgument, text: &mut String) {
        let CArgument { name, ident, dtype, shape, classes, about, .. } = argument;
        let upper = format!("{}_{}", self.upper(), ident.to_uppercase());
        let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
        let elements: usize = shape.iter().product();
        let _ = writeln!(
            text,
            "/* {about}: {} {dtype}[{}] */\n#define {upper}_NAME {}\n#define {upper}_ELEMENTS {elements}\n\
             #define {upper}_RANK {}\n#define {upper}_SHAPE {{{}}}",
            comment(name),
            axes.join(", "),
            quoted(name),
            shape.len(),
            axes.join(", ")
        );
        if !classes.is_empty() {
            let _ = writeln!(
                text,
                "#define {upper}_CLASSES {}\nextern const char *const {}_{ident}_class_names[{}];",
                classes.len(),
                self.prefix,
                classes.len()
            );
        }
        text.push('\n');
    }
}

/// A text within a comment.
pub(super) fn comment(text: &str) -> String {
    text.replace("*/", "* /").replace("/*", "/ *")
}

/// A text as a literal: bytes that are no plain ASCII, and `?` of trigraphs, as octal numbers.
pub(super) fn quoted(text: &str) -> String {
    let mut literal = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => {
                literal.push('\\');
                literal.push(char::from(byte));
            }
            b'?' | 0..=31 | 127.. => {
                let _ = write!(literal, "\\{byte:03o}");
            }
            _ => literal.push(char::from(byte)),
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_end_what_they_stand_in() {
        assert_eq!(quoted("a\"b\\c\n??/é"), "\"a\\\"b\\\\c\\012\\077\\077/\\303\\251\"");
        assert_eq!(comment("a */ b"), "a * / b");
    }
}
