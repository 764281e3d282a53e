//! The inputs of a graph: their shapes, and the order of their axes in the program.

use super::constant::ElementKind;
use super::names::ModelNames;
use super::net::{NetForm, NetNode};
use super::size::SymbolicSize;
use super::translate::{Translator, Unsupported};
use super::value::{GraphValue, Placed, channels_last};
use super::{ImportRequest, ImportedValue};
use crate::base::shown::Show;
use crate::onnx::model::{OnnxDim, OnnxValue};
use std::collections::{HashMap, HashSet};

/// Gives the translator the inputs of its graph.
pub(super) fn declare(
    translator: &mut Translator<'_>,
    request: &ImportRequest,
) -> Result<ModelNames, String> {
    let graph = translator.graph;
    let initial: HashSet<&str> =
        graph.initializers.iter().map(|tensor| tensor.name.as_str()).collect();
    let given = graph.inputs.iter().filter(|input| !initial.contains(input.name.as_str()));
    let given: Vec<&OnnxValue> =
        given.filter(|input| translator.readers.contains_key(input.name.as_str())).collect();
    if given.is_empty() {
        return Err("it has no inputs that anything reads".into());
    }
    let known: HashSet<&str> = given.iter().map(|input| input.name.as_str()).collect();
    if let Some((name, _)) = request.shapes.iter().find(|(name, _)| !known.contains(name.as_str()))
    {
        let names: Vec<String> = known.iter().map(|name| format!("`{}`", name.shown())).collect();
        let (name, names) = (name.shown(), names.join(", "));
        return Err(format!("`{name}`, whose shape is given, is none of its inputs: {names}"));
    }
    let spatial = spatial_inputs(translator);
    let mut names = ModelNames::default();
    let mut batch = None;
    for input in given {
        let (kind, dims) = (kind_of(input)?, shape_of(input, request)?);
        let dims = match translator.lead {
            true => dims.whole(input)?,
            false => match dims.batched(input, &mut batch)? {
                Some(dims) => dims,
                None => {
                    // As a graph of whole inputs, which is tried next, it may have a counterpart.
                    let node = format!("input `{}`", input.name.shown());
                    let reason = "its first axis is not the batch of the others".to_owned();
                    translator.unsupported.push(Unsupported { node, reason });
                    Vec::new()
                }
            },
        };
        let order = match spatial.contains(input.name.as_str()) {
            true => channels_last(dims.len()),
            false => (0..dims.len()).collect(),
        };
        let name = names.input(&input.name);
        let shape = translator.shape(&dims, &order);
        let id = translator.net.push(NetNode {
            form: NetForm::Input(name.clone()),
            args: Vec::new(),
            shape,
            kind,
            weights: Vec::new(),
            name: input.name.clone(),
        });
        let original = input.name.clone();
        names.inputs.push(ImportedValue { name, original, order: order.clone() });
        let placed = Placed { id, kind, dims, order, shuffle: None, rows: None };
        translator.known.values.insert(&input.name, GraphValue::Tensor(placed));
    }
    translator.known.batch = batch.flatten();
    Ok(names)
}

fn kind_of(input: &OnnxValue) -> Result<ElementKind, String> {
    let name = input.name.shown();
    match input.element {
        1 => Ok(ElementKind::Float),
        6 | 7 => Ok(ElementKind::Int),
        2 => Ok(ElementKind::Byte),
        9 => Ok(ElementKind::Bool),
        0 => Err(format!("the input `{name}` is no tensor, or of an unknown type")),
        8 => Err(format!("the input `{name}` is text, for which the language has no type")),
        10 | 11 | 16 => Err(format!(
            "the input `{name}` has floats of another width; export the model in 32 bits"
        )),
        other => {
            Err(format!("the input `{name}` is of the type {other}, which the language has not"))
        }
    }
}

/// The extents of an input, where a number stands for each that is known.
struct Extents {
    known: Vec<Option<i64>>,
    /// The symbols of the file, by place.
    symbols: Vec<Option<String>>,
    /// Whether the file has a number for the first axis.
    fixed: bool,
}

fn shape_of(input: &OnnxValue, request: &ImportRequest) -> Result<Extents, String> {
    let asked = request.shapes.iter().find(|(name, _)| *name == input.name).map(|(_, dims)| dims);
    let name = input.name.shown();
    let Some(dims) = &input.dims else {
        let Some(asked) = asked else {
            return Err(format!(
                "the shape of the input `{name}` is unknown: give it with --shape {name}=1,…"
            ));
        };
        let known = asked.iter().map(|&dim| Some(dim)).collect::<Vec<_>>();
        return Ok(Extents { symbols: vec![None; known.len()], known, fixed: false });
    };
    let number = |dim: &OnnxDim| match dim {
        OnnxDim::Known(extent) if *extent > 0 => Some(*extent),
        _ => None,
    };
    let symbol = |dim: &OnnxDim| match dim {
        OnnxDim::Named(name) if !name.is_empty() => Some(name.clone()),
        _ => None,
    };
    let mut known: Vec<Option<i64>> = dims.iter().map(number).collect();
    let fixed = known.first().is_some_and(|first| first.is_some());
    if let Some(asked) = asked {
        if asked.len() != known.len() {
            let (asked, known) = (asked.len(), known.len());
            return Err(format!("--shape gives `{name}` {asked} axes, and the file has {known}"));
        }
        for (axis, (own, &asked)) in known.iter_mut().zip(asked).enumerate() {
            match own {
                Some(own) if *own != asked && axis > 0 => {
                    return Err(format!(
                        "--shape makes axis {axis} of `{name}` {asked}, and the file has {own} there"
                    ));
                }
                Some(_) if axis == 0 => {}
                own => *own = Some(asked),
            }
        }
    }
    Ok(Extents { known, symbols: dims.iter().map(symbol).collect(), fixed })
}

impl Extents {
    /// The shape with the first axis as the batch; none where other inputs have another one.
    fn batched(
        self,
        input: &OnnxValue,
        batch: &mut Option<Option<i64>>,
    ) -> Result<Option<Vec<SymbolicSize>>, String> {
        let name = input.name.shown();
        let Some(first) = self.known.first() else { return Ok(None) };
        let own = first.filter(|_| self.fixed);
        if batch.is_some_and(|batch| batch.is_some() && own.is_some() && batch != own) {
            return Ok(None);
        }
        *batch = Some(batch.flatten().or(own));
        let symbol = self.symbols.first().cloned().flatten();
        let rest = self.known.iter().zip(&self.symbols).enumerate().skip(1);
        let rest = rest.map(|(axis, (known, own))| match known {
            Some(extent) => Ok(SymbolicSize::known(*extent)),
            None if own.is_some() && *own == symbol => Ok(SymbolicSize::N),
            None => Err(format!(
                "axis {axis} of the input `{name}` is open{}: give its shape with --shape {name}=…",
                own.as_ref().map(|own| format!(" (`{}`)", own.shown())).unwrap_or_default()
            )),
        });
        std::iter::once(Ok(SymbolicSize::N)).chain(rest).collect::<Result<_, _>>().map(Some)
    }

    /// The shape as it is, for programs of whole inputs.
    fn whole(self, input: &OnnxValue) -> Result<Vec<SymbolicSize>, String> {
        let open = || format!("the shape of `{}` is not known", input.name.shown());
        self.known.iter().map(|dim| dim.map(SymbolicSize::known).ok_or_else(open)).collect()
    }
}

/// Operators that move windows over their first input, or have its channels last.
fn is_spatial(op: &str) -> bool {
    matches!(
        op,
        "Conv"
            | "ConvTranspose"
            | "MaxPool"
            | "AveragePool"
            | "GlobalAveragePool"
            | "GlobalMaxPool"
            | "BatchNormalization"
            | "InstanceNormalization"
            | "GroupNormalization"
            | "LRN"
            | "Upsample"
            | "Resize"
    )
}

/// Operators that leave axes where they are.
fn keeps_axes(op: &str) -> bool {
    matches!(
        op,
        "Add"
            | "Sub"
            | "Mul"
            | "Div"
            | "Cast"
            | "Identity"
            | "Dropout"
            | "Pad"
            | "Concat"
            | "Relu"
            | "LeakyRelu"
            | "Sigmoid"
            | "Tanh"
            | "Clip"
            | "Slice"
            | "Split"
    )
}

/// The inputs of three or four axes that reach an operator on images before their axes change.
fn spatial_inputs<'a>(translator: &Translator<'a>) -> HashSet<&'a str> {
    let graph = translator.graph;
    let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        for input in &node.inputs {
            readers.entry(input).or_default().push(index);
        }
    }
    // Channels in groups, as instances: a norm of groups.
    let norms_groups = |index: usize| {
        let node = &graph.nodes[index];
        let made = node.outputs.first().and_then(|made| readers.get(made.as_str()));
        let norms = |&reader: &usize| graph.nodes[reader].op == "InstanceNormalization";
        node.op == "Reshape" && made.is_some_and(|made| made.iter().any(norms))
    };
    let reaches = |start: &'a str| {
        let (mut stack, mut seen) = (vec![start], HashSet::new());
        while let Some(name) = stack.pop() {
            for &index in readers.get(name).into_iter().flatten() {
                let node = &graph.nodes[index];
                let first = node.inputs.first().is_some_and(|first| first == name);
                if first && (is_spatial(&node.op) || norms_groups(index)) {
                    return true;
                }
                if keeps_axes(&node.op) && seen.insert(index) {
                    stack.extend(node.outputs.iter().map(String::as_str));
                }
            }
        }
        false
    };
    let images = graph.inputs.iter().filter(|input| {
        let rank = input.dims.as_ref().map_or(4, Vec::len);
        (3..=4).contains(&rank)
    });
    images.map(|input| input.name.as_str()).filter(|&name| reaches(name)).collect()
}
