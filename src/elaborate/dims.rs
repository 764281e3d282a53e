//! Dimensions of declared shapes: bound to those of a tensor, compared with them, reported.
//!
//! `x: f32[..S, I]` met by `f32[N, 28, 28]` binds `S = [N, 28]` and `I = 28`; `f32[N, H, H]` met by
//! `f32[N, 28, 27]` is an error that shows both, and so is a second `..S` of another number of axes.
//! Element types and compile-time arguments are checked in `types.rs`.

use super::arguments::Expect;
use super::context::{Elaborator, ErrorReported, Eval};
use super::scope::{Binding, Role};
use super::types::show;
use super::value::Value;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::graph::{Dim, NodeId, Shape};
use crate::syntax::ast::{self, Expr, ExprKind, Function, ParamDecl};

impl<'a> Elaborator<'a> {
    /// Binds the names of a declared shape that are new, where the numbers of axes fit.
    pub fn bind_dims(
        &mut self,
        function: &Function,
        dims: &'a [ast::DimExpr],
        node: NodeId,
    ) -> Result<(), ()> {
        let shape = self.ty(node).shape;
        for (dim, axes) in pair(dims, shape.rank()).ok_or(())? {
            let (name, value, span) = match dim {
                ast::DimExpr::Rest(name) => {
                    (name.text.as_str(), Value::of_dims(&shape[axes]), name.span)
                }
                ast::DimExpr::Expr(Expr { kind: ExprKind::Name(name), span }) => {
                    (name.as_str(), Value::of_dim(shape[axes.start]), *span)
                }
                ast::DimExpr::Expr(_) => continue,
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

    /// The error where `..S` stands for another number of axes than before.
    pub fn rest_differs(
        &mut self,
        dims: &'a [ast::DimExpr],
        shape: &Shape,
    ) -> Eval<Option<String>> {
        for (dim, axes) in pair(dims, shape.rank()).ok_or(ErrorReported)? {
            let ast::DimExpr::Rest(name) = dim else { continue };
            let wanted = self.declared_dims(dim)?;
            if wanted.len() != axes.len() {
                let wanted = Shape::from(wanted);
                return Ok(Some(format!("`..{}` is {wanted}, which is fixed before", name.text)));
            }
        }
        Ok(None)
    }

    pub fn rest_does_not_fit(
        &mut self,
        function: &Function,
        param: &ParamDecl,
        node: NodeId,
        span: Span,
        note: String,
    ) -> ErrorReported {
        let Some(ty) = &param.ty else { return ErrorReported };
        let (found, callee) = (self.ty(node), &function.name.text);
        let message =
            format!("`{callee}` takes `{}: {}`, found {found}", param.name.text, show(ty));
        let mut error = Diagnostic::error(codes::SHAPE, message)
            .primary(span, format!("this is {found}"))
            .note(note);
        if !self.items.in_prelude(ty.span) {
            error = error.label(ty.span, "declared here");
        }
        self.report(error)
    }

    /// The first axis that is not as declared, with what was declared for it.
    pub fn first_wrong_dim(
        &mut self,
        dims: &'a [ast::DimExpr],
        shape: &Shape,
    ) -> Eval<Option<(usize, Dim, Span)>> {
        // Callers have paired them already: a rank that does not fit is reported there.
        let pairs = pair(dims, shape.rank()).ok_or(ErrorReported)?;
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
    pub fn declared_dims(&mut self, dim: &'a ast::DimExpr) -> Eval<Vec<Dim>> {
        match dim {
            ast::DimExpr::Expr(expr) => Ok(vec![self.dim(expr)?]),
            ast::DimExpr::Rest(name) => match self.frame().find(&name.text) {
                Some(Binding::Value(list, ..)) if list.as_shape().is_some() => {
                    Ok(list.as_shape().map(|shape| shape.to_vec()).unwrap_or_default())
                }
                Some(Binding::Failed(_)) => Err(ErrorReported),
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
        param: &ParamDecl,
        node: NodeId,
        span: Span,
        wrong: Option<(usize, Dim, Span)>,
    ) -> ErrorReported {
        let Some(ty) = &param.ty else { return ErrorReported };
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
                let rest = ty.dims.iter().flatten().any(|dim| matches!(dim, ast::DimExpr::Rest(_)));
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
}

/// Each entry of a declared shape with the axes it stands for; `None` where the numbers of axes
/// do not fit.
pub(super) fn pair(
    dims: &[ast::DimExpr],
    rank: usize,
) -> Option<Vec<(&ast::DimExpr, std::ops::Range<usize>)>> {
    let rests = dims.iter().filter(|dim| matches!(dim, ast::DimExpr::Rest(_))).count();
    let spare = rank.checked_sub(dims.len() - rests)?;
    if rests > 1 || (rests == 0 && spare > 0) {
        return None;
    }
    let mut axis = 0;
    let pairs = dims.iter().map(|dim| {
        let start = axis;
        axis += if matches!(dim, ast::DimExpr::Rest(_)) { spare } else { 1 };
        (dim, start..axis)
    });
    Some(pairs.collect())
}

/// The place of an entry.
pub(super) fn dim_span(dim: &ast::DimExpr) -> Span {
    match dim {
        ast::DimExpr::Expr(expr) => expr.span,
        ast::DimExpr::Rest(name) => name.span,
    }
}

fn axes(rank: usize) -> String {
    if rank == 1 { "1 axis".into() } else { format!("{rank} axes") }
}
