//! Declared types against what is there: parameters are bound in order, dimensions with them.
//!
//! `units: int` met by `2.5` is an error; an int may stand for a float, nothing else changes its
//! type. What dimensions bind is in `dims.rs`, what arguments must satisfy in `domain.rs`.

use super::context::{Elaborator, ErrorReported, Eval};
use super::scope::{Binding, Role};
use super::sizes;
use super::value::{Initializer, Value};
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::base::tensor::DType;
use crate::graph::{Init, NodeId, Type};
use crate::syntax::ast::{self, BinaryOp, Expr, ExprKind, Function, FunctionKind, ParamDecl};

/// A parameter and its argument, if one is given.
pub(super) struct Bound<'a> {
    /// The parameter.
    pub param: &'a ParamDecl,
    /// The argument and its place.
    pub value: Option<(Value, Span)>,
}

/// The words that name compile-time types.
const WORDS: [&str; 9] =
    ["int", "float", "bool", "string", "list", "size", "padding", "initializer", "f32"];

/// The element type of a parameter that takes tensors of any: `target: any[N]`.
const ANY: &str = "any";

/// The word for an argument that is not there.
pub(super) const NONE: &str = "none";

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
        let given: Vec<bool> = values.iter().map(Option::is_some).collect();
        for (param, value) in function.params.iter().zip(&mut values) {
            if value.is_none() {
                *value = Some((self.default(function, param, call)?, call));
            }
        }
        for (index, param) in function.params.iter().enumerate() {
            let Some((value, span)) = values[index].clone() else { continue };
            self.check_domain(function, param, &value, Some(span).filter(|_| given[index]))?;
        }
        for (param, value) in function.params.iter().zip(&values) {
            if let (Some(dims), Some((Value::Tensor(node), span))) = (tensor_dims(param), value) {
                let shape = self.ty(*node).shape;
                if let Some(note) = self.rest_differs(dims, &shape)? {
                    return Err(self.rest_does_not_fit(function, param, *node, *span, note));
                }
                if let Some(wrong) = self.first_wrong_dim(dims, &shape)? {
                    return Err(self.does_not_fit(function, param, *node, *span, Some(wrong)));
                }
            }
        }
        Ok(())
    }

    fn bind(&mut self, param: &'a ParamDecl, value: Value, at: Span) {
        let span = param.name.span;
        self.frame_mut().given.insert(&param.name.text, at);
        self.frame_mut().bind(&param.name.text, Binding::Value(value, Role::Argument, span));
    }

    /// The default of a parameter, which may use those before it.
    fn default(&mut self, function: &'a Function, param: &'a ParamDecl, call: Span) -> Eval<Value> {
        let Some(default) = &param.default else { return Err(ErrorReported) };
        let value = self.expr(default, super::arguments::expectation(param))?;
        let value = self.argument(function, param, value, call)?;
        self.bind(param, value.clone(), call);
        Ok(value)
    }

    // ---- Compile-time arguments

    /// The argument as the parameter's type takes it; its dimensions are not looked at yet.
    pub fn argument(
        &mut self,
        function: &Function,
        param: &ParamDecl,
        value: Value,
        span: Span,
    ) -> Eval<Value> {
        let Some(ty) = &param.ty else { return Ok(value) };
        if param.or_none.is_some() && is_none(&value) {
            return Ok(Value::None);
        }
        if ty.dims.is_some() {
            return self.tensor_argument(function, param, ty, value, span);
        }
        let fits = match (ty.name.text.as_str(), value) {
            ("int", value @ (Value::Int(_) | Value::Batch(_))) => Ok(value),
            ("float", Value::Int(value)) => Ok(Value::Float(value as f64)),
            ("float", value @ Value::Float(_)) => Ok(value),
            ("bool", value @ Value::Bool(_)) => Ok(value),
            ("string", value @ Value::Str(_)) => Ok(value),
            ("string", Value::Word(word)) => Ok(Value::Str(word)),
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
        fits.map_err(|value| self.wrong_kind(function, (param, ty), &value, span))
    }

    /// Reports an argument that is not of its parameter's type.
    fn wrong_kind(
        &mut self,
        function: &Function,
        (param, ty): (&ParamDecl, &ast::TypeExpr),
        value: &Value,
        span: Span,
    ) -> ErrorReported {
        let message = format!(
            "`{}` of `{}` is {}, found {}",
            param.name.text,
            function.name.text,
            article(&ty.name.text, param),
            self.describe(value)
        );
        let mut error = Diagnostic::error(codes::WRONG_KIND, message).primary(span, "");
        // That the prelude declares it says nothing that the message does not.
        if !self.items.in_prelude(param.span) {
            error = error.label(param.span, "declared here");
        }
        error.help = sizes::help(&ty.name.text, value);
        if let ("padding", Value::Word(word)) = (ty.name.text.as_str(), value) {
            error = error.misspelt(span, word, ["same", "valid"]);
        }
        if matches!(value, Value::Tensor(node) if self.is_each_step(*node)) {
            error = error.help(self.changeable(function));
        }
        self.report(error)
    }

    /// Which arguments of a function may change while training runs.
    fn changeable(&self, function: &Function) -> String {
        let is_f32 = |param: &&ParamDecl| {
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

    fn unknown_type(&mut self, ty: &ast::TypeExpr) -> ErrorReported {
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
        param: &ParamDecl,
        ty: &ast::TypeExpr,
        value: Value,
        span: Span,
    ) -> Eval<Value> {
        let dtype = self.parameter_dtype(ty)?;
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
        let Some(dtype) = dtype.filter(|&dtype| dtype != found.dtype) else {
            return Ok(Value::Tensor(node));
        };
        let message =
            format!("`{callee}` takes `{}: {}`, found {found}", param.name.text, show(ty));
        let error = Diagnostic::error(codes::WRONG_KIND, message)
            .primary(span, format!("this is {found}"))
            .label(param.span, "declared here")
            .help(format!("tensors change their type only by `cast(…, {dtype})`"));
        Err(self.report(error))
    }

    /// The element type of a parameter that is a tensor; `None` of `any`.
    pub fn parameter_dtype(&mut self, ty: &ast::TypeExpr) -> Eval<Option<DType>> {
        if ty.name.text == ANY { Ok(None) } else { self.dtype(ty).map(Some) }
    }

    /// The element type of a declared tensor.
    pub fn dtype(&mut self, ty: &ast::TypeExpr) -> Eval<DType> {
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

    // ---- Results

    /// A body's value against the declared result; numbers become scalars, new names are bound.
    pub fn check_result(&mut self, function: &'a Function, value: Value) -> Eval<Value> {
        // Of a pipeline, the last stage gives the value.
        let span = match function.body.value.as_deref() {
            Some(Expr { kind: ExprKind::Pipe(_, last), .. }) => last.span,
            Some(value) => value.span,
            None => function.body.span,
        };
        if !function.parts.is_empty() {
            return self.check_record(function, value, span);
        }
        if let (Value::Record(entries), None) = (value.clone(), &function.result) {
            let may = matches!(function.kind, FunctionKind::Layer | FunctionKind::Model);
            if may {
                return self.tensors_of_record(entries, span);
            }
        }
        let node = self.tensor(&value, span)?;
        match &function.result {
            Some(ty) => self.check_tensor(function, ty, node, span).map(Value::Tensor),
            None => Ok(Value::Tensor(node)),
        }
    }

    /// A record with numbers made tensors.
    fn tensors_of_record(&mut self, entries: Vec<(String, Value)>, span: Span) -> Eval<Value> {
        let tensor =
            |(name, value): (String, Value)| Ok((name, Value::Tensor(self.tensor(&value, span)?)));
        Ok(Value::Record(entries.into_iter().map(tensor).collect::<Eval<_>>()?))
    }

    /// A record against the declared one: each part is there, and no other.
    fn check_record(&mut self, function: &'a Function, value: Value, span: Span) -> Eval<Value> {
        let declared: Vec<&str> =
            function.parts.iter().map(|part| part.name.text.as_str()).collect();
        let names = declared.join(", ");
        let Value::Record(entries) = value else {
            let found = self.describe(&value);
            let message = format!(
                "the {} `{}` says it gives a record of {names}, but it gives {found}",
                function.kind.word(),
                function.name.text
            );
            let help = format!("write the parts: `({}: …)`", declared[0]);
            return Err(self.error_help(codes::RESULT, span, message, help));
        };
        if let Some((other, _)) = entries.iter().find(|(name, _)| !declared.contains(&&name[..])) {
            let message = format!("the record has `{other}`, which the result does not declare");
            let help = format!("declared are {names}");
            return Err(self.error_help(codes::RESULT, span, message, help));
        }
        let mut parts = Vec::new();
        for part in &function.parts {
            let name = &part.name.text;
            let Some((_, value)) = entries.iter().find(|(known, _)| known == name) else {
                let message = format!("the record lacks `{name}`");
                let error = Diagnostic::error(codes::RESULT, message)
                    .primary(span, "")
                    .label(part.name.span, "declared here");
                return Err(self.report(error));
            };
            let node = self.tensor(value, span)?;
            let node = self.check_tensor(function, &part.ty, node, span)?;
            parts.push((name.clone(), Value::Tensor(node)));
        }
        Ok(Value::Record(parts))
    }

    /// A tensor against a declared type.
    fn check_tensor(
        &mut self,
        function: &'a Function,
        ty: &'a ast::TypeExpr,
        node: NodeId,
        span: Span,
    ) -> Eval<NodeId> {
        let dtype = self.dtype(ty)?;
        let found = self.ty(node);
        let dims: &'a [ast::DimExpr] = ty.dims.as_deref().unwrap_or_default();
        let fits = found.dtype == dtype && self.bind_dims(function, dims, node).is_ok();
        let wrong = if fits { self.first_wrong_dim(dims, &found.shape)? } else { None };
        if fits && wrong.is_none() {
            return Ok(node);
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
fn tensor_dims(param: &ParamDecl) -> Option<&[ast::DimExpr]> {
    param.ty.as_ref()?.dims.as_deref()
}

/// Whether an argument is `none`, which is a word where its place takes words.
fn is_none(value: &Value) -> bool {
    match value {
        Value::None => true,
        Value::Word(word) => word == NONE,
        _ => false,
    }
}

/// An initializer, of one or of a number.
pub(super) fn initializer(value: &Value) -> Option<Initializer> {
    match value {
        Value::Initializer(initializer) => Some(initializer.clone()),
        _ => value.as_f64().map(|value| Initializer::Fixed(Init::Constant(value))),
    }
}

/// `an int`, `a float`, `an int or none`.
fn article(word: &str, param: &ParamDecl) -> String {
    let vowel = word.starts_with(['a', 'e', 'i', 'o', 'u']);
    let or_none = if param.or_none.is_some() { " or none" } else { "" };
    format!("{} {word}{or_none}", if vowel { "an" } else { "a" })
}

/// A type as it is written.
pub(super) fn show(ty: &ast::TypeExpr) -> String {
    let Some(dims) = &ty.dims else { return ty.name.text.clone() };
    let dims: Vec<String> = dims
        .iter()
        .map(|dim| match dim {
            ast::DimExpr::Expr(expr) => show_dim(expr),
            ast::DimExpr::Rest(name) => format!("..{}", name.text),
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
