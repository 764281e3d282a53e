//! A model of ONNX to a program of the language, and the weights that it begins with.
//!
//! ```text
//! OnnxModel ─ order ─→ nodes that can run ─ translate (fold) ─→ Net ─ simplify ─→ Net
//!           ─ blocks ─→ layers that repeat ─ print ─→ text, and its variables in order
//! ```
//!
//! Images are `[N, C, H, W]` there and `[N, H, W, C]` here; the program has no transposes for that, and
//! the weights are in its order. The first axis of every input is the batch, whatever number stands for
//! it. A graph whose first axis is none (it is cut, or joined along) is taken as a function of whole
//! inputs: each of its values has an axis of samples in front.

mod alias;
mod blocks;
mod constant;
mod fold;
mod inputs;
mod known;
mod names;
mod net;
mod node;
mod order;
mod print;
mod print_form;
mod share;
mod simplify;
mod size;
mod translate;
mod value;

pub use translate::Unsupported;

use super::model::OnnxModel;
use constant::StoredTensors;
use net::Weight;
use std::fmt;
use translate::Translator;
use value::GraphValue;

/// A text, such as the name of a file, as the name of a model.
pub fn model_name(text: &str) -> String {
    // Files are often called `model.onnx`, which is a word of the language.
    match text.eq_ignore_ascii_case("model") {
        true => "net".to_owned(),
        false => names::identifier(text, "net"),
    }
}

/// The versions of operators that are read.
pub const OPSETS: std::ops::RangeInclusive<i64> = 6..=28;

/// A program that was made of a model.
pub struct ImportedModel {
    /// Its text, formatted by nobody yet.
    pub program: String,
    /// The inputs, as the program has them.
    pub inputs: Vec<ImportedValue>,
    /// The outputs.
    pub outputs: Vec<ImportedValue>,
    /// Why each sample is a whole input of the graph, whose first axis is no batch; empty where it is
    /// one.
    pub whole: Vec<Unsupported>,
    parameters: Vec<Weight>,
    states: Vec<Weight>,
}

/// An input or output, and where its axes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedValue {
    /// Its name in the program.
    pub name: String,
    /// Its name in the file.
    pub original: String,
    /// Axis `j` in the program is axis `order[j]` in the file; `[0, 2, 3, 1]` for images.
    pub order: Vec<usize>,
}

/// A variable of the program, in the order in which elaboration meets them.
pub struct ImportedVariable {
    /// Its shape in the program.
    pub dims: Vec<usize>,
    /// The name in the file of what it was made of; may be empty.
    pub original: String,
    weight: Weight,
}

impl ImportedVariable {
    /// Its elements, in the program's order.
    pub fn values(&self, model: &OnnxModel) -> Vec<f32> {
        let stored: Vec<_> = model.graph.initializers.iter().collect();
        let stored: &StoredTensors<'_> = &stored;
        self.weight.values(stored)
    }
}

impl ImportedModel {
    /// The parameters, in the order in which the program declares them.
    pub fn parameters(&self) -> Vec<ImportedVariable> {
        self.parameters.iter().map(variable).collect()
    }

    /// The states of layers, likewise.
    pub fn states(&self) -> Vec<ImportedVariable> {
        self.states.iter().map(variable).collect()
    }
}

fn variable(weight: &Weight) -> ImportedVariable {
    let (dims, original) = (weight.dims.clone(), weight.from.name.clone());
    ImportedVariable { dims, original, weight: weight.clone() }
}

/// Why there is no program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// The graph is none, or not one that is read.
    Graph(String),
    /// It has nodes without a counterpart; all of them are here.
    Unsupported(Vec<Unsupported>),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::Graph(message) => f.write_str(message),
            ImportError::Unsupported(nodes) => {
                write!(f, "{} of its nodes have no counterpart in the language:", nodes.len())?;
                for Unsupported { node, reason } in nodes {
                    write!(f, "\n  {node}: {reason}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ImportError {}

/// Facts about the import that the file does not hold.
#[derive(Clone, Debug, Default)]
pub struct ImportRequest {
    /// The name of the program's model.
    pub name: String,
    /// Shapes of inputs by their names, for extents that the file leaves open.
    pub shapes: Vec<(String, Vec<i64>)>,
}

/// Makes a program of a model whose elements are all there.
pub fn import(model: &OnnxModel, request: &ImportRequest) -> Result<ImportedModel, ImportError> {
    let opset = version(model)?;
    let order = order::order(&model.graph).map_err(ImportError::Graph)?;
    let batched = attempt(model, request, opset, &order, false);
    match batched {
        Err(ImportError::Unsupported(nodes)) => {
            // Whether a graph of whole inputs has a counterpart is seen when it is tried.
            match attempt(model, request, opset, &order, true) {
                Ok(made) => Ok(ImportedModel { whole: nodes, ..made }),
                Err(_) => Err(ImportError::Unsupported(nodes)),
            }
        }
        other => other,
    }
}

/// The version of ONNX's operators.
fn version(model: &OnnxModel) -> Result<i64, ImportError> {
    let own = |(domain, _): &&(String, i64)| domain.is_empty() || domain == "ai.onnx";
    let version = model.opsets.iter().find(own).map(|(_, version)| *version);
    let version = version
        .ok_or_else(|| ImportError::Graph("it does not say which operators it uses".into()))?;
    match OPSETS.contains(&version) {
        true => Ok(version),
        false => Err(ImportError::Graph(format!(
            "its operators are of version {version}; versions {} to {} are read",
            OPSETS.start(),
            OPSETS.end()
        ))),
    }
}

fn attempt(
    model: &OnnxModel,
    request: &ImportRequest,
    opset: i64,
    order: &[usize],
    whole: bool,
) -> Result<ImportedModel, ImportError> {
    let mut translator = Translator::new(&model.graph, opset, whole);
    let names = inputs::declare(&mut translator, request).map_err(ImportError::Graph)?;
    for &index in order {
        translator.node(index);
    }
    let mut outputs = Vec::new();
    for (at, output) in model.graph.outputs.iter().enumerate() {
        match output_value(&mut translator, &output.name) {
            Ok(None) => {}
            Ok(Some((id, order))) => {
                let name = names.output(at, &output.name);
                translator.net.outputs.push((name.clone(), id));
                outputs.push(ImportedValue { name, original: output.name.clone(), order });
            }
            Err(reason) => {
                let node = format!("output `{}`", output.name);
                translator.unsupported.push(Unsupported { node, reason });
            }
        }
    }
    if !translator.unsupported.is_empty() {
        return Err(ImportError::Unsupported(translator.unsupported));
    }
    if outputs.is_empty() {
        return Err(ImportError::Graph("it has no outputs".into()));
    }
    let net = share::share(simplify::simplify(translator.net), &translator.known.stored);
    let header = header(model, &names, &net.copies);
    let printed = print::print(&net, &request.name, &names, &header);
    let of = |state: bool| printed.weights.iter().filter(move |it| it.is_state == state).cloned();
    let (parameters, states) = (of(false).collect(), of(true).collect());
    let (program, inputs) = (printed.text, names.inputs);
    Ok(ImportedModel { program, inputs, outputs, whole: Vec::new(), parameters, states })
}

/// The program's value of an output, and its axes; none where a node that makes it is noted already.
fn output_value(
    translator: &mut Translator<'_>,
    name: &str,
) -> Result<Option<(usize, Vec<usize>)>, String> {
    let value = translator.known.values.get(name).cloned().unwrap_or(GraphValue::Missing);
    if matches!(value, GraphValue::Missing) {
        return match translator.unsupported.is_empty() {
            true => Err("nothing makes it".into()),
            false => Ok(None),
        };
    }
    let placed = match value {
        GraphValue::Tensor(placed) => placed,
        _ => return Err("it does not depend on the inputs".into()),
    };
    let placed = translator.unshuffled(&placed)?;
    let batched = translator.lead || placed.dims.first().is_some_and(|size| size.has_batch());
    let placed = match placed.order.first() {
        // The batch comes first in the language.
        Some(0) | None => placed,
        Some(_) if translator.lead => placed,
        Some(_) => translator.plain(&placed)?,
    };
    match batched && translator.net.nodes[placed.id].shape[0] == size::SymbolicSize::N {
        true => Ok(Some((placed.id, placed.order))),
        false => Err("its first axis is not the batch".into()),
    }
}

/// The comment that a program begins with.
fn header(model: &OnnxModel, names: &names::ModelNames, copies: &[String]) -> String {
    let (producer, version) = &model.producer;
    let shown =
        |text: &str| text.chars().filter(|it| !it.is_control()).take(80).collect::<String>();
    let by = match producer.is_empty() {
        true => String::new(),
        false => format!(" by {} {}", shown(producer), shown(version)),
    };
    let mut text = format!("// Imported from a model of ONNX{}.\n", by.trim_end());
    for input in &names.inputs {
        if input.order.len() > 2 && !input.order.is_sorted() {
            let axes: Vec<String> = input.order.iter().map(usize::to_string).collect();
            text.push_str(&format!(
                "// `{}` has the channels last: its axes are [{}] of `{}` there.\n",
                input.name,
                axes.join(", "),
                shown(&input.original)
            ));
        }
    }
    for name in copies {
        let name = shown(name);
        text.push_str(&format!(
            "// `{name}` is one weight there; here each layer that has it trains a copy of its own.\n"
        ));
    }
    text
}
