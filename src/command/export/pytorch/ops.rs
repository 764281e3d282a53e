//! Operators as expressions of PyTorch.
//!
//! Images stay `[n, h, w, c]`, as the program has them: `nchw` and `nhwc` turn them around a convolution
//! or a pooling, which moves nothing, since such a view is what PyTorch calls channels last.

use super::expr::{PyExpr, PythonBinding, ValueKind, infix, list, number};
use super::modules::{ModuleCall, TorchModule};
use super::names;
use crate::base::scalar::{Binary, Reduce, Unary};
use crate::base::tensor::DType;
use crate::graph::window::Window;
use crate::graph::{Dim, Node, Op, Range, Shape};

/// The name of an element type.
pub(super) fn dtype(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "torch.float32",
        DType::F64 => "torch.float64",
        DType::I32 => "torch.int32",
        DType::U8 => "torch.uint8",
        DType::Bool => "torch.bool",
    }
}

/// A dimension; `n` is the batch.
fn dim(dim: Dim) -> String {
    match dim {
        Dim::Known(extent) => extent.to_string(),
        Dim::Batch(1) => "n".to_owned(),
        Dim::Batch(factor) => format!("{factor} * n"),
    }
}

/// The dimensions of a shape: `n, 28, 28, 1`.
pub(super) fn dims(shape: &[Dim]) -> String {
    list(shape.iter().map(|&it| dim(it)))
}

/// A tuple of a shape.
fn tuple(shape: &[Dim]) -> String {
    match shape {
        [one] => format!("({},)", dim(*one)),
        all => format!("({})", dims(all)),
    }
}

/// An argument with the shape and type of its node.
pub(super) fn whole(arg: &PyExpr, shape: &Shape, of: DType) -> PyExpr {
    match arg.kind {
        ValueKind::Whole => arg.clone(),
        ValueKind::Number => {
            let (shape, text, of) = (tuple(shape), &arg.text, dtype(of));
            PyExpr::whole(format!("torch.full({shape}, {text}, dtype={of}, device=device)"))
        }
        ValueKind::Narrow => PyExpr::whole(arg.method(&format!("expand({})", dims(shape)))),
    }
}

/// A call of a module with its argument.
pub(super) fn call(call: &ModuleCall, arg: &PyExpr) -> PyExpr {
    let layer = names::attribute(&call.layer);
    let text = match &call.module {
        TorchModule::Conv2d { .. } => format!("nhwc(self.{layer}(nchw({})))", arg.text),
        TorchModule::BatchNorm { rank: 4, .. } => format!("nhwc(self.{layer}(nchw({})))", arg.text),
        TorchModule::BatchNorm { rank: 3, .. } => format!("self.{layer}({}).mT", arg.method("mT")),
        _ => format!("self.{layer}({})", arg.text),
    };
    match &call.shape {
        Some(shape) => PyExpr::whole(format!("{text}.reshape({})", dims(shape))),
        None => PyExpr::whole(text),
    }
}

/// An element-wise operator of one argument.
fn unary(of: Unary, x: &PyExpr) -> PyExpr {
    let text = match (of, x.is_number()) {
        (Unary::Neg, _) => format!("-{}", x.within(PythonBinding::Sign)),
        (Unary::Not, false) => format!("~{}", x.within(PythonBinding::Sign)),
        (Unary::Not, true) => format!("(not {})", x.text),
        (of, false) => x.method(&format!("{}()", of.name())),
        (of, true) => {
            format!("torch.tensor({}, dtype=torch.float64).{}().item()", x.text, of.name())
        }
    };
    let binding = match of {
        Unary::Neg => PythonBinding::Sign,
        Unary::Not if !x.is_number() => PythonBinding::Sign,
        _ => PythonBinding::Atom,
    };
    PyExpr { text, binding, kind: x.kind }
}

/// The kind of what element-wise operators make of arguments.
fn joined(args: &[PyExpr]) -> ValueKind {
    match () {
        () if args.iter().any(|arg| arg.kind == ValueKind::Whole) => ValueKind::Whole,
        () if args.iter().all(PyExpr::is_number) => ValueKind::Number,
        () => ValueKind::Narrow,
    }
}

/// An element-wise operator of two arguments.
fn binary(of: Binary, args: &[PyExpr], is_float: bool) -> PyExpr {
    let (a, b, kind) = (&args[0], &args[1], joined(args));
    let numbers = kind == ValueKind::Number;
    let (sign, binding) = match of {
        Binary::Add => ("+", PythonBinding::Sum),
        Binary::Sub => ("-", PythonBinding::Sum),
        Binary::Mul => ("*", PythonBinding::Product),
        Binary::Div if is_float => ("/", PythonBinding::Product),
        Binary::Pow => ("**", PythonBinding::Power),
        Binary::Eq => ("==", PythonBinding::Comparison),
        Binary::Ne => ("!=", PythonBinding::Comparison),
        Binary::Lt => ("<", PythonBinding::Comparison),
        Binary::Le => ("<=", PythonBinding::Comparison),
        Binary::Gt => (">", PythonBinding::Comparison),
        Binary::Ge => (">=", PythonBinding::Comparison),
        Binary::And => ("&", PythonBinding::Bits),
        Binary::Or => ("|", PythonBinding::Bits),
        Binary::Div | Binary::Min | Binary::Max => {
            let text = match (of, numbers, a.is_number(), b.is_number()) {
                (Binary::Div, ..) => {
                    format!("torch.div({}, {}, rounding_mode=\"trunc\")", a.text, b.text)
                }
                (Binary::Min, true, ..) => format!("min({}, {})", a.text, b.text),
                (_, true, ..) => format!("max({}, {})", a.text, b.text),
                (Binary::Min, _, true, _) => b.method(&format!("clamp(max={})", a.text)),
                (Binary::Min, _, _, true) => a.method(&format!("clamp(max={})", b.text)),
                (Binary::Min, ..) => format!("torch.minimum({}, {})", a.text, b.text),
                (_, _, true, _) => b.method(&format!("clamp(min={})", a.text)),
                (_, _, _, true) => a.method(&format!("clamp(min={})", b.text)),
                _ => format!("torch.maximum({}, {})", a.text, b.text),
            };
            return PyExpr::whole(text).of_kind(kind);
        }
    };
    PyExpr { text: infix(a, sign, b, binding), binding, kind }
}

/// A reduction, whose axes may stay.
pub(super) fn reduction(op: &Op, x: &PyExpr, keep: bool) -> Option<PyExpr> {
    let (call, axes, more) = match op {
        Op::Reduce(Reduce::Sum, axes) => ("sum", axes, ""),
        Op::Reduce(Reduce::Max, axes) => ("amax", axes, ""),
        Op::Reduce(Reduce::Min, axes) => ("amin", axes, ""),
        Op::Variance(axes) => ("var", axes, ", correction=0"),
        _ => return None,
    };
    let axes = match axes[..] {
        [axis] => axis.to_string(),
        _ => format!("({})", list(axes)),
    };
    let keep = if keep { ", keepdim=True" } else { "" };
    Some(PyExpr::whole(x.method(&format!("{call}(dim={axes}{more}{keep})"))))
}

fn slices(x: &PyExpr, ranges: &[Range], shape: &Shape) -> PyExpr {
    let mut flipped = Vec::new();
    let part = |(axis, range): (usize, &Range)| {
        let apart = range.step.unsigned_abs();
        if range.step < 0 {
            flipped.push(axis);
        }
        let Some(len) = range.len.or_else(|| shape[axis].known()).filter(|_| *range != Range::ALL)
        else {
            return ":".to_owned();
        };
        let reach = (len.max(1) - 1) * apart;
        let first = if range.step < 0 { range.start - reach } else { range.start };
        let end = if len == 0 { first } else { first + reach + 1 };
        match apart {
            1 => format!("{first}:{end}"),
            _ => format!("{first}:{end}:{apart}"),
        }
    };
    let mut parts: Vec<String> = ranges.iter().enumerate().map(part).collect();
    while parts.len() > 1 && parts.last().is_some_and(|part| part == ":") {
        parts.pop();
    }
    let text = format!("{}[{}]", x.within(PythonBinding::Atom), parts.join(", "));
    match flipped.is_empty() {
        true => PyExpr::whole(text),
        false => PyExpr::whole(format!("{text}.flip({})", list(flipped))),
    }
}

/// An image that is read by windows: channels first, its border filled where PyTorch has no argument for
/// it; and the padding that is left to say.
fn padded(x: &PyExpr, window: &Window, most: [usize; 2], fill: &str) -> (String, [usize; 2]) {
    let [(top, bottom), (left, right)] = window.pad;
    let plain = top == bottom && left == right && top <= most[0] && left <= most[1];
    let x = format!("nchw({})", x.text);
    match plain {
        true => (x, [top, left]),
        false => {
            let pads = list([left, right, top, bottom]);
            (format!("F.pad({x}, ({pads}), value={fill})"), [0, 0])
        }
    }
}

/// OperatorArguments of a window that are not as they are anyway.
pub(super) fn window_arguments(arguments: &[(&str, [usize; 2], [usize; 2])]) -> String {
    let unusual = arguments.iter().filter(|(_, pair, usual)| pair != usual);
    unusual.map(|(name, pair, _)| format!(", {name}=({})", list(pair))).collect()
}

/// `, groups=2`, where there are several.
pub(super) fn groups_argument(groups: usize) -> String {
    if groups == 1 { String::new() } else { format!(", groups={groups}") }
}

fn conv(x: &PyExpr, weight: &PyExpr, window: &Window, groups: usize) -> PyExpr {
    let (x, pad) = padded(x, window, [usize::MAX; 2], "0.0");
    let weight = weight.method("permute(3, 2, 0, 1)");
    let more = window_arguments(&[
        ("stride", window.stride, [1, 1]),
        ("padding", pad, [0, 0]),
        ("dilation", window.dilation, [1, 1]),
    ]);
    let groups = groups_argument(groups);
    PyExpr::whole(format!("nhwc(F.conv2d({x}, {weight}{more}{groups}))"))
}

/// A transposed convolution: all that the windows reach, of which the image is a part.
fn conv_transpose(
    y: &PyExpr,
    weight: &PyExpr,
    (window, groups): (&Window, usize),
    (from, extents): (&Shape, [usize; 2]),
) -> Option<PyExpr> {
    let around = |axis: usize| {
        let reached = (from[axis + 1].known()? - 1) * window.stride[axis] + window.span(axis);
        let before = window.pad[axis].0 as isize;
        Some([-before, extents[axis] as isize + before - reached as isize])
    };
    let pads = list([around(1)?, around(0)?].concat());
    let weight = weight.method("permute(3, 2, 0, 1)");
    let more = window_arguments(&[
        ("stride", window.stride, [1, 1]),
        ("dilation", window.dilation, [1, 1]),
    ]);
    let groups = groups_argument(groups);
    let x = format!("F.conv_transpose2d(nchw({}), {weight}{more}{groups})", y.text);
    Some(PyExpr::whole(format!("nhwc(F.pad({x}, ({pads})))")))
}

fn pool(x: &PyExpr, window: &Window, is_max: bool) -> Option<PyExpr> {
    if !is_max && window.dilation != [1, 1] {
        return None;
    }
    let most = [window.size[0] / 2, window.size[1] / 2];
    let (name, fill) = if is_max { ("max", "-math.inf") } else { ("avg", "0.0") };
    let (x, pad) = padded(x, window, most, fill);
    let size = list(window.size);
    let more = window_arguments(&[
        ("stride", window.stride, window.size),
        ("padding", pad, [0, 0]),
        ("dilation", window.dilation, [1, 1]),
    ]);
    let sum = if is_max { "" } else { ", divisor_override=1" };
    Some(PyExpr::whole(format!("nhwc(F.{name}_pool2d({x}, ({size}){more}{sum}))")))
}

fn cast(x: &PyExpr, from: DType, to: DType) -> PyExpr {
    if x.is_number() {
        return match to {
            DType::F32 | DType::F64 if from == DType::Bool => {
                PyExpr::number(format!("float({})", x.text))
            }
            DType::F32 | DType::F64 => x.clone(),
            DType::I32 | DType::U8 => PyExpr::number(format!("int({})", x.text)),
            DType::Bool => PyExpr::number(format!("bool({})", x.text)),
        };
    }
    let call = match to {
        _ if from == to => return x.clone(),
        DType::F32 => "float()".to_owned(),
        DType::I32 => "int()".to_owned(),
        DType::Bool => "bool()".to_owned(),
        DType::F64 | DType::U8 => format!("to({})", dtype(to)),
    };
    PyExpr::whole(x.method(&call)).of_kind(x.kind)
}

fn constant(value: f64, of: DType) -> PyExpr {
    let negative = value < 0.0;
    let text = match of {
        // The digits of the shorter type.
        DType::F32 if value.is_finite() => format!("{:?}", value as f32),
        DType::F32 | DType::F64 => number(value),
        DType::I32 | DType::U8 => format!("{value}"),
        DType::Bool => if value == 0.0 { "False" } else { "True" }.to_owned(),
    };
    let binding = if negative { PythonBinding::Sign } else { PythonBinding::Atom };
    PyExpr { text, binding, kind: ValueKind::Number }
}

/// The arguments of an operator with their types.
struct OperatorArguments<'a> {
    args: &'a [PyExpr],
    types: &'a [(&'a Shape, DType)],
}

impl OperatorArguments<'_> {
    /// One of them, with the shape of its node.
    fn whole(&self, place: usize) -> PyExpr {
        whole(&self.args[place], self.types[place].0, self.types[place].1)
    }
}

/// A node's operator of these arguments, whose types are given; `None` where PyTorch has no counterpart.
/// Leaves and scans are the caller's.
pub(super) fn operator(node: &Node, args: &[PyExpr], types: &[(&Shape, DType)]) -> Option<PyExpr> {
    let of = OperatorArguments { args, types };
    plain(node, &of).or_else(|| movement(node, &of)).or_else(|| contraction(node, &of))
}

/// Constants, functions of elements, and reductions.
fn plain(node: &Node, of: &OperatorArguments<'_>) -> Option<PyExpr> {
    let OperatorArguments { args, types } = of;
    Some(match &node.op {
        Op::Extent(extent) => PyExpr::number(format!("float({})", dim(*extent))),
        Op::Const(value, dtype) => constant(*value, *dtype),
        Op::Iota { shape, axis } => {
            let mut around = vec!["1".to_owned(); shape.rank()];
            around[*axis] = "-1".to_owned();
            let extent = dim(shape[*axis]);
            let count = format!("torch.arange({extent}, dtype=torch.int32, device=device)");
            let text = format!("{count}.view({})", around.join(", "));
            PyExpr::whole(text).of_kind(ValueKind::Narrow)
        }
        Op::Unary(function) => unary(*function, &args[0]),
        Op::Binary(function) => {
            binary(*function, args, matches!(types[0].1, DType::F32 | DType::F64))
        }
        Op::Where if args[0].is_number() => {
            let [a, b] = [1, 2].map(|place| of.whole(place).text);
            PyExpr::whole(format!("({a} if {} else {b})", args[0].text))
        }
        Op::Where => {
            let text = list(args.iter().map(|arg| &arg.text));
            PyExpr::whole(format!("torch.where({text})")).of_kind(joined(args))
        }
        Op::Cast(to) => cast(&args[0], types[0].1, *to),
        Op::StopGradient => args[0].clone(),
        Op::Reduce(..) | Op::Variance(_) => reduction(&node.op, &of.whole(0), false)?,
        Op::ArgMax(axis) => PyExpr::whole(of.whole(0).method(&format!("argmax(dim={axis}).int()"))),
        _ => return None,
    })
}

/// Elements in another order, shape or number.
fn movement(node: &Node, of: &OperatorArguments<'_>) -> Option<PyExpr> {
    let (OperatorArguments { args, types }, shape) = (of, &node.ty.shape);
    Some(match &node.op {
        Op::Broadcast(_) if args[0].is_number() || types[0].0 == shape => args[0].clone(),
        Op::Broadcast(_) => args[0].clone().of_kind(ValueKind::Narrow),
        Op::Reshape(to) => reshape(&of.whole(0), types[0].0, to),
        Op::Transpose(perm) => {
            PyExpr::whole(of.whole(0).method(&format!("permute({})", list(perm))))
        }
        Op::Slice(ranges) => slices(&of.whole(0), ranges, types[0].0),
        Op::Concat(axis) => {
            let parts = list((0..args.len()).map(|place| of.whole(place).text));
            PyExpr::whole(format!("torch.cat([{parts}], dim={axis})"))
        }
        Op::Pad { amounts, value } => {
            let amounts = amounts.iter().rev().flat_map(|(before, after)| [before, after]);
            let (x, amounts) = (of.whole(0).text, list(amounts));
            let value = constant(*value, types[0].1).text;
            PyExpr::whole(format!("F.pad({x}, ({amounts}), value={value})"))
        }
        Op::Pick => {
            let (x, index) = (of.whole(0), of.whole(1).method("long().unsqueeze(-1)"));
            PyExpr::whole(x.method(&format!("gather(-1, {index}).squeeze(-1)")))
        }
        Op::Gather(0) => {
            let (table, index) = (of.whole(0).within(PythonBinding::Atom), of.whole(1));
            PyExpr::whole(format!("{table}[{}]", index.method("long()")))
        }
        Op::Gather(axis) => {
            let (table, index) = (of.whole(0), of.whole(1).method("flatten()"));
            let taken = table.method(&format!("index_select({axis}, {index})"));
            PyExpr::whole(format!("{taken}.reshape({})", dims(shape)))
        }
        _ => return None,
    })
}

/// Products, convolutions and pooling.
fn contraction(node: &Node, of: &OperatorArguments<'_>) -> Option<PyExpr> {
    Some(match &node.op {
        Op::MatMul { transpose_a, transpose_b } => {
            let turned = |x: PyExpr, turn: bool| match turn {
                true => PyExpr::whole(x.method("mT")),
                false => x,
            };
            let (a, b) = (turned(of.whole(0), *transpose_a), turned(of.whole(1), *transpose_b));
            let text = infix(&a, "@", &b, PythonBinding::Product);
            PyExpr { text, binding: PythonBinding::Product, kind: ValueKind::Whole }
        }
        Op::Conv { window, groups } => conv(&of.whole(0), &of.whole(1), window, *groups),
        Op::ConvInputGrad { window, groups, extents } => conv_transpose(
            &of.whole(0),
            &of.whole(1),
            (window, *groups),
            (of.types[0].0, *extents),
        )?,
        Op::MaxPool(window) => pool(&of.whole(0), window, true)?,
        Op::SumPool(window) => pool(&of.whole(0), window, false)?,
        _ => return None,
    })
}

fn reshape(x: &PyExpr, from: &Shape, to: &Shape) -> PyExpr {
    let flattened = to.rank() == 2 && from.rank() > 2 && from.first() == to.first();
    let call = match flattened {
        true => "flatten(1)".to_owned(),
        false if to.rank() == 0 => "reshape(())".to_owned(),
        false => format!("reshape({})", dims(to)),
    };
    PyExpr::whole(x.method(&call))
}
