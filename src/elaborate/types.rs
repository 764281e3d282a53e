//! Declared types against what is there: dimensions are bound, agreed on, or reported.
//!
//! `x: f32[..S, I]` met by `f32[N, 28, 28]` binds `S = [N, 28]` and `I = 28`; `f32[N, H, H]` met by
//! `f32[N, 28, 27]` is an error that shows both. Compile-time arguments are checked here too: an
//! int may stand for a float, nothing else changes its type.

use super::context::{Elaborator, Eval, Reported};
use super::expr::Expect;
use super::scope::{Binding, Role};
use super::sizes;
use super::value::{Initializer, Value};
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::base::tensor::DType;
use crate::graph::{Dim, Init, NodeId, Shape, Type};
use crate::syntax::ast::{self, BinaryOp, Expr, ExprKind, Function, Param};

/// A parameter and its argument, if one is given.
pub(super) struct Bound<'a> {
    /// The parameter.
    pub param: &'a Param,
    /// The argument and its place.
    pub value: Option<(Value, Span)>,
}

/// The words that name compile-time types.
const WORDS: [&str; 9] =
    ["int", "float", "bool", "string", "list", "size", "padding", "initializer", "f32"];

impl<'a> Elaborator<'a> {
    /// Binds arguments, dimensions and defaults in the callee's frame, and checks the types.
    pub fn bind_parameters(
        &mut self,
        function: &'a Function,
        bound: Vec<Bound<'a>>,
        call: Span,
    ) -> Eval<()> {
        let mut values: Vec<Option<(Value, Span)>> = Vec::new();
        for Bound { param, value } in bound {
            let value = match value {
                Some((value, span)) => Some((self.argument(function, param, value, span)?, span)),
                None => None,
            };
            if let Some((value, at)) = &value {
                self.bind(param, value.clone(), *at);
            }
            values.push(value);
        }
        for (param, value) in function.params.iter().zip(&values) {
            if let (Some(dims), Some((Value::Tensor(node), span))) = (tensor_dims(param), value) {
                self.bind_dims(function, dims, *node)
                    .map_err(|()| self.does_not_fit(function, param, *node, *span, None))?;
            }
        }
        for (param, value) in function.params.iter().zip(&mut values) {
            if value.is_none() {
                *value = Some((self.default(function, param, call)?, call));
            }
        }
        for (param, value) in function.params.iter().zip(&values) {
            if let (Some(dims), Some((Value::Tensor(node), span))) = (tensor_dims(param), value) {
                let shape = self.ty(*node).shape;
                if let Some(wrong) = self.first_wrong_dim(dims, &shape)? {
                    return Err(self.does_not_fit(function, param, *node, *span, Some(wrong)));
                }
            }
        }
        Ok(())
    }

    fn bind(&mut self, param: &'a Param, value: Value, at: Span) {
        let span = param.name.span;
        self.frame_mut().given.insert(&param.name.text, at);
        self.frame_mut().bind(&param.name.text, Binding::Value(value, Role::Argument, span));
    }

    /// The default of a parameter, which may use those before it.
    fn default(&mut self, function: &'a Function, param: &'a Param, call: Span) -> Eval<Value> {
        let Some(default) = &param.default else { return Err(Reported) };
        let value = self.expr(default, super::call::expectation(param))?;
        let value = self.argument(function, param, value, call)?;
        self.bind(param, value.clone(), call);
        Ok(value)
    }

    // ---- Compile-time arguments

    /// The argument as the parameter's type takes it; its dimensions are not looked at yet.
    pub fn argument(
        &mut self,
        function: &Function,
        param: &Param,
        value: Value,
        span: Span,
    ) -> Eval<Value> {
        let Some(ty) = &param.ty else { return Ok(value) };
        if ty.dims.is_some() {
            return self.tensor_argument(function, param, ty, value, span);
        }
        let fits = match (ty.name.text.as_str(), value) {
            ("int", value @ (Value::Int(_) | Value::Batch(_))) => Ok(value),
            ("float", Value::Int(value)) => Ok(Value::Float(value as f64)),
            ("float", value @ Value::Float(_)) => Ok(value),
            ("bool", value @ Value::Bool(_)) => Ok(value),
            ("string", value @ Value::Str(_)) => Ok(value),
            ("list", value @ Value::List(_)) => Ok(value),
            ("size", value) if sizes::is_size(&value) => Ok(value),
            ("padding", value) if sizes::is_padding(&value) => Ok(value),
            ("initializer", value) => match initializer(&value) {
                Some(initializer) => Ok(Value::Initializer(initializer)),
                None => Err(value),
            },
            ("f32", value @ (Value::Int(_) | Value::Float(_) | Value::Batch(_))) => Ok(value),
            ("f32", Value::Tensor(node)) if self.ty(node).shape.is_empty() => {
                Ok(Value::Tensor(node))
            }
            ("i32", Value::Tensor(node)) if self.ty(node) == Type::scalar(DType::I32) => {
                Ok(Value::Tensor(node))
            }
            (word, value) => {
                if !WORDS.contains(&word) && DType::from_name(word).is_none() {
                    return Err(self.unknown_type(ty));
                }
                Err(value)
            }
        };
        fits.map_err(|value| {
            let found = self.describe(&value);
            let callee = &function.name.text;
            let message = format!(
                "`{}` of `{callee}` is {}, found {found}",
                param.name.text,
                article(&ty.name.text)
            );
            let mut error = Diagnostic::error(codes::WRONG_KIND, message).primary(span, "");
            // That the prelude declares it says nothing that the message does not.
            if !self.items.in_prelude(param.span) {
                error = error.label(param.span, "declared here");
            }
            error.help = sizes::help(&ty.name.text, &value);
            if let ("padding", Value::Word(word)) = (ty.name.text.as_str(), &value) {
                error = error.misspelt(span, word, ["same", "valid"]);
            }
            if matches!(value, Value::Tensor(node) if self.is_each_step(node)) {
                error = error.help(self.changeable(function));
            }
            self.report(error)
        })
    }

    /// Which arguments of a function may change while training runs.
    fn changeable(&self, function: &Function) -> String {
        let is_f32 = |param: &&Param| {
            param.ty.as_ref().is_some_and(|ty| ty.name.text == "f32" && ty.dims.is_none())
        };
        let names: Vec<String> = function
            .params
            .iter()
            .filter(is_f32)
            .map(|param| format!("`{}`", param.name.text))
            .collect();
        let name = &function.name.text;
        if names.is_empty() {
            return format!("no argument of `{name}` can change while training runs");
        }
        format!("of `{name}`, only {} can change while training runs", names.join(", "))
    }

    fn unknown_type(&mut self, ty: &ast::Type) -> Reported {
        let name = &ty.name.text;
        let words = WORDS.iter().copied().chain(DType::ALL.iter().map(|dtype| dtype.name()));
        let error = Diagnostic::error(codes::UNKNOWN_NAME, format!("unknown type `{name}`"))
            .primary(ty.name.span, "");
        let error = error.misspelt(ty.name.span, name, words);
        self.report(error.or_help(|| format!("types are {}", WORDS.join(", "))))
    }

    /// A tensor argument: its element type is checked, numbers become scalars.
    fn tensor_argument(
        &mut self,
        function: &Function,
        param: &Param,
        ty: &ast::Type,
        value: Value,
        span: Span,
    ) -> Eval<Value> {
        let dtype = self.dtype(ty)?;
        let callee = &function.name.text;
        let Some(_) = self.node_of(&value) else {
            let found = self.describe(&value);
            let message =
                format!("`{callee}` takes `{}: {}`, found {found}", param.name.text, show(ty));
            let error = Diagnostic::error(codes::WRONG_KIND, message)
                .primary(span, "")
                .label(param.span, "declared here");
            return Err(self.report(error));
        };
        let node = self.tensor(&value, span)?;
        let found = self.ty(node);
        if found.dtype == dtype {
            return Ok(Value::Tensor(node));
        }
        let message =
            format!("`{callee}` takes `{}: {}`, found {found}", param.name.text, show(ty));
        let error = Diagnostic::error(codes::WRONG_KIND, message)
            .primary(span, format!("this is {found}"))
            .label(param.span, "declared here")
            .help(format!("tensors change their type only by `cast(…, {dtype})`"));
        Err(self.report(error))
    }

    /// The element type of a declared tensor.
    pub fn dtype(&mut self, ty: &ast::Type) -> Eval<DType> {
        match DType::from_name(&ty.name.text) {
            Some(dtype) if dtype != DType::F64 => Ok(dtype),
            Some(_) => Err(self.error_help(
                codes::WRONG_KIND,
                ty.name.span,
                "tensors of f64 are not in the language",
                "tensors are f32, i32, u8 or bool",
            )),
            None => Err(self.unknown_type(ty)),
        }
    }

    // ---- Dimensions

    /// Binds the names of a declared shape that are new, where the numbers of axes fit.
    pub fn bind_dims(
        &mut self,
        function: &Function,
        dims: &'a [ast::Dim],
        node: NodeId,
    ) -> Result<(), ()> {
        let shape = self.ty(node).shape;
        for (dim, axes) in pair(dims, shape.rank()).ok_or(())? {
            let (name, value, span) = match dim {
                ast::Dim::Rest(name) => {
                    (name.text.as_str(), Value::of_dims(&shape[axes]), name.span)
                }
                ast::Dim::Expr(Expr { kind: ExprKind::Name(name), span }) => {
                    (name.as_str(), Value::of_dim(shape[axes.start]), *span)
                }
                ast::Dim::Expr(_) => continue,
            };
            let is_argument = function.params.iter().any(|param| param.name.text == name);
            if self.binds(name) && !is_argument {
                self.frame_mut().bind(name, Binding::Value(value, Role::Dimension, span));
            }
        }
        Ok(())
    }

    /// Whether a name in a declared shape is a new dimension.
    pub fn binds(&self, name: &str) -> bool {
        name.starts_with(char::is_uppercase)
            && self.frame().find(name).is_none()
            && self.items.find_const(name, self.frame().builtin).is_none()
    }

    /// The first axis that is not as declared, with what was declared for it.
    pub fn first_wrong_dim(
        &mut self,
        dims: &'a [ast::Dim],
        shape: &Shape,
    ) -> Eval<Option<(usize, Dim, Span)>> {
        // Callers have paired them already: a rank that does not fit is reported there.
        let pairs = pair(dims, shape.rank()).ok_or(Reported)?;
        for (dim, axes) in pairs {
            let wanted = self.declared_dims(dim)?;
            for (axis, (&actual, &wanted)) in axes.clone().zip(shape[axes].iter().zip(&wanted)) {
                if actual != wanted {
                    return Ok(Some((axis, wanted, dim_span(dim))));
                }
            }
        }
        Ok(None)
    }

    /// The dimensions that one entry of a declared shape stands for.
    pub fn declared_dims(&mut self, dim: &'a ast::Dim) -> Eval<Vec<Dim>> {
        match dim {
            ast::Dim::Expr(expr) => Ok(vec![self.dim(expr)?]),
            ast::Dim::Rest(name) => match self.frame().find(&name.text) {
                Some(Binding::Value(list, ..)) if list.as_shape().is_some() => {
                    Ok(list.as_shape().map(|shape| shape.0).unwrap_or_default())
                }
                Some(Binding::Failed(_)) => Err(Reported),
                _ => Err(self.error_help(
                    codes::UNKNOWN_NAME,
                    name.span,
                    format!("unknown dimensions `..{}`", name.text),
                    "a parameter's type must bind them",
                )),
            },
        }
    }

    /// The dimension that an expression stands for.
    pub fn dim(&mut self, expr: &'a Expr) -> Eval<Dim> {
        let value = self.expr(expr, Expect::Any)?;
        match value.as_dim() {
            Some(Dim::Known(0)) | None => {
                let found = self.describe(&value);
                let message = format!("a dimension is a positive int, found {found}");
                Err(self.error(codes::WRONG_KIND, expr.span, message))
            }
            Some(dim) => Ok(dim),
        }
    }

    /// Reports an argument of another shape than declared.
    pub fn does_not_fit(
        &mut self,
        function: &Function,
        param: &Param,
        node: NodeId,
        span: Span,
        wrong: Option<(usize, Dim, Span)>,
    ) -> Reported {
        let Some(ty) = &param.ty else { return Reported };
        let (found, callee) = (self.ty(node), &function.name.text);
        let message =
            format!("`{callee}` takes `{}: {}`, found {found}", param.name.text, show(ty));
        let mut error =
            Diagnostic::error(codes::SHAPE, message).primary(span, format!("this is {found}"));
        match wrong {
            Some((axis, wanted, at)) => {
                error = error
                    .note(format!("axis {axis} is {}, declared as {wanted}", found.shape[axis]))
                    .label(at, format!("{wanted} here"));
                error = self.explain_dim(error, node, axis);
                let channels = found.shape.rank() == 4 && axis == 1 && found.shape[3] == wanted;
                if channels {
                    error = error.help(format!(
                        "images are [N, H, W, C], channels last: this is {}",
                        found.shape
                    ));
                }
            }
            None => {
                let rest = ty.dims.iter().flatten().any(|dim| matches!(dim, ast::Dim::Rest(_)));
                let declared = ty.dims.as_ref().map_or(0, Vec::len) - usize::from(rest);
                let least = if rest { "at least " } else { "" };
                error = error.label(ty.span, "declared here").note(format!(
                    "it has {}, {least}{declared} declared",
                    axes(found.shape.rank())
                ));
            }
        }
        self.report(error)
    }

    // ---- Results

    /// A body's value against the declared result; numbers become scalars, new names are bound.
    pub fn check_result(&mut self, function: &'a Function, value: Value) -> Eval<Value> {
        // Of a pipeline, the last stage gives the value.
        let span = match function.body.value.as_deref() {
            Some(Expr { kind: ExprKind::Pipe(_, last), .. }) => last.span,
            Some(value) => value.span,
            None => function.body.span,
        };
        let node = self.tensor(&value, span)?;
        let Some(ty) = &function.result else { return Ok(Value::Tensor(node)) };
        let dtype = self.dtype(ty)?;
        let found = self.ty(node);
        let dims: &'a [ast::Dim] = ty.dims.as_deref().unwrap_or_default();
        let fits = found.dtype == dtype && self.bind_dims(function, dims, node).is_ok();
        let wrong = if fits { self.first_wrong_dim(dims, &found.shape)? } else { None };
        if fits && wrong.is_none() {
            return Ok(Value::Tensor(node));
        }
        let message = format!(
            "the {} `{}` says it gives {}, but it gives {found}",
            function.kind.word(),
            function.name.text,
            show(ty)
        );
        let mut error = Diagnostic::error(codes::RESULT, message)
            .primary(span, format!("this is {found}"))
            .label(ty.span, "declared here");
        if let Some((axis, wanted, _)) = wrong {
            error =
                error.note(format!("axis {axis} is {}, declared as {wanted}", found.shape[axis]));
            error = self.explain_dim(error, node, axis);
        }
        Err(self.report(error))
    }
}

/// The dimensions of a parameter that is a tensor.
fn tensor_dims(param: &Param) -> Option<&[ast::Dim]> {
    param.ty.as_ref()?.dims.as_deref()
}

/// Each entry of a declared shape with the axes it stands for; `None` where the numbers of axes
/// do not fit.
pub(super) fn pair(
    dims: &[ast::Dim],
    rank: usize,
) -> Option<Vec<(&ast::Dim, std::ops::Range<usize>)>> {
    let rests = dims.iter().filter(|dim| matches!(dim, ast::Dim::Rest(_))).count();
    let spare = rank.checked_sub(dims.len() - rests)?;
    if rests > 1 || (rests == 0 && spare > 0) {
        return None;
    }
    let mut axis = 0;
    let pairs = dims.iter().map(|dim| {
        let start = axis;
        axis += if matches!(dim, ast::Dim::Rest(_)) { spare } else { 1 };
        (dim, start..axis)
    });
    Some(pairs.collect())
}

/// The place of an entry.
pub(super) fn dim_span(dim: &ast::Dim) -> Span {
    match dim {
        ast::Dim::Expr(expr) => expr.span,
        ast::Dim::Rest(name) => name.span,
    }
}

/// An initializer, of one or of a number.
pub(super) fn initializer(value: &Value) -> Option<Initializer> {
    match value {
        Value::Initializer(initializer) => Some(initializer.clone()),
        _ => value.as_f64().map(|value| Initializer::Fixed(Init::Constant(value))),
    }
}

/// `an int`, `a float`.
fn article(word: &str) -> String {
    let vowel = word.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {word}", if vowel { "an" } else { "a" })
}

fn axes(rank: usize) -> String {
    if rank == 1 { "1 axis".into() } else { format!("{rank} axes") }
}

/// A type as it is written.
pub(super) fn show(ty: &ast::Type) -> String {
    let Some(dims) = &ty.dims else { return ty.name.text.clone() };
    let dims: Vec<String> = dims
        .iter()
        .map(|dim| match dim {
            ast::Dim::Expr(expr) => show_dim(expr),
            ast::Dim::Rest(name) => format!("..{}", name.text),
        })
        .collect();
    format!("{}[{}]", ty.name.text, dims.join(", "))
}

/// The arithmetic of a dimension as it is written.
fn show_dim(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Int(value) => value.to_string(),
        ExprKind::Name(name) => name.clone(),
        ExprKind::Binary(op, a, b) => {
            let symbol = match op {
                BinaryOp::Add => " + ",
                BinaryOp::Sub => " - ",
                BinaryOp::Mul => " * ",
                BinaryOp::Div => " / ",
                _ => " … ",
            };
            format!("{}{symbol}{}", show_dim(a), show_dim(b))
        }
        _ => "…".into(),
    }
}
