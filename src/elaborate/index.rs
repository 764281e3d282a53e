//! Indexing and slices: `x[.., 0:4, -1]`, `sizes[2]`.
//!
//! `x[:, 1, 2:]` of `f32[N, 3, 8]` is the slice `[N, 1, 6]` reshaped to `f32[N, 6]`: one element
//! of an axis takes the axis away. Axes not named are taken whole. Indices are compile-time ints;
//! by data, index with `pick` or `gather`.

use super::arguments::Expect;
use super::context::{Elaborator, Eval};
use super::value::Value;
use crate::base::codes;
use crate::base::source::Span;
use crate::graph::{Dim, NodeId, Range, Type};
use crate::syntax::ast::{Expr, Index};

/// The place among `extent` that a number means, negative ones counted from the end; none outside.
pub(super) fn from_start(at: i64, extent: usize) -> Option<usize> {
    let signed = i64::try_from(extent).unwrap_or(i64::MAX);
    let at = if at < 0 { at.saturating_add(signed) } else { at };
    usize::try_from(at).ok().filter(|&at| at < extent)
}

impl<'a> Elaborator<'a> {
    /// `object[at, …]`.
    pub fn index(&mut self, object: &'a Expr, at: &'a [Index], span: Span) -> Eval<Value> {
        match self.expr(object, Expect::Any)? {
            Value::List(values) => self.index_list(values, at, span),
            Value::Tensor(node) => self.index_tensor(node, at, span),
            value => {
                let found = self.describe(&value);
                let message = format!("only tensors and lists can be indexed, found {found}");
                Err(self.error(codes::OPERATOR, object.span, message))
            }
        }
    }

    fn index_list(&mut self, values: Vec<Value>, at: &'a [Index], span: Span) -> Eval<Value> {
        match at {
            [Index::At(index)] => {
                let found = self.position(index, values.len(), "the list")?;
                Ok(values[found].clone())
            }
            [Index::Slice { from, to, span }] => {
                let (start, end) = self.bounds(from.as_ref(), to.as_ref(), values.len(), *span)?;
                Ok(Value::List(values[start..end].to_vec()))
            }
            _ => Err(self.error(codes::INDEX, span, "a list has one axis")),
        }
    }

    fn index_tensor(&mut self, node: NodeId, at: &'a [Index], span: Span) -> Eval<Value> {
        let ty = self.ty(node);
        let rank = ty.shape.rank();
        let rests = at.iter().filter(|index| matches!(index, Index::Rest(_))).count();
        let named = at.len() - rests;
        if named > rank || rests > 1 {
            let message = if rests > 1 {
                "`..` can stand once between the brackets".to_owned()
            } else {
                format!("{named} indices for {ty}, which has {rank}")
            };
            return Err(self.error(codes::INDEX, span, message));
        }
        let mut ranges = vec![Range::ALL; rank];
        let mut removed = vec![false; rank];
        let mut axis = 0;
        for index in at {
            match index {
                Index::Rest(_) => axis += rank - named,
                Index::At(index) => {
                    let extent = self.extent_of(&ty, axis, index.span)?;
                    let start = self.position(index, extent, &format!("axis {axis} of {ty}"))?;
                    ranges[axis] = Range { start, len: Some(1), step: 1 };
                    removed[axis] = true;
                    axis += 1;
                }
                Index::Slice { from: None, to: None, .. } => axis += 1,
                Index::Slice { from, to, span } => {
                    let extent = self.extent_of(&ty, axis, *span)?;
                    let (start, end) = self.bounds(from.as_ref(), to.as_ref(), extent, *span)?;
                    ranges[axis] = Range { start, len: Some(end - start), step: 1 };
                    axis += 1;
                }
            }
        }
        self.at(span);
        let built = self.builder.slice(node, ranges);
        let Value::Tensor(part) = self.built(span, &[node], built)? else {
            return Err(super::context::ErrorReported);
        };
        let shape = self.ty(part).shape;
        let kept = shape.iter().zip(&removed).filter(|(_, removed)| !**removed);
        let dims: Vec<Dim> = kept.map(|(&dim, _)| dim).collect();
        super::builtins::reshape_to(self, part, dims.into(), span).map(Value::Tensor)
    }

    fn extent_of(&mut self, ty: &Type, axis: usize, span: Span) -> Eval<usize> {
        match ty.shape[axis] {
            Dim::Known(extent) => Ok(extent),
            Dim::Batch(_) => Err(self.error_help(
                codes::BATCH,
                span,
                format!("axis {axis} of {ty} is the batch, which can only be taken whole"),
                "write `:` or `..` for it",
            )),
        }
    }

    /// An index within an extent; negative ones count from the end.
    fn position(&mut self, index: &'a Expr, extent: usize, of: &str) -> Eval<usize> {
        let value = self.expr(index, Expect::Any)?;
        let Value::Int(at) = value else {
            let found = self.describe(&value);
            return Err(self.error_help(
                codes::INDEX,
                index.span,
                format!("an index is an int known while compiling, found {found}"),
                "`pick` and `gather` index by data",
            ));
        };
        match from_start(at, extent) {
            Some(found) => Ok(found),
            None => {
                let message = format!("index {at} is outside {of}, whose extent is {extent}");
                Err(self.error(codes::INDEX, index.span, message))
            }
        }
    }

    /// The first index of a slice and one past its last.
    fn bounds(
        &mut self,
        from: Option<&'a Expr>,
        to: Option<&'a Expr>,
        extent: usize,
        span: Span,
    ) -> Eval<(usize, usize)> {
        let start = match from {
            Some(from) => self.bound(from, extent)?,
            None => 0,
        };
        let end = match to {
            Some(to) => self.bound(to, extent)?,
            None => extent,
        };
        if start < end {
            return Ok((start, end));
        }
        let message = format!("the slice {start}:{end} is empty");
        Err(self.error(codes::INDEX, span, message))
    }

    fn bound(&mut self, bound: &'a Expr, extent: usize) -> Eval<usize> {
        let value = self.expr(bound, Expect::Any)?;
        let signed = i64::try_from(extent).unwrap_or(i64::MAX);
        let at = match value {
            Value::Int(at) if at < 0 => at.saturating_add(signed),
            Value::Int(at) => at,
            value => {
                let found = self.describe(&value);
                let message = format!("a slice goes from int to int, found {found}");
                return Err(self.error(codes::INDEX, bound.span, message));
            }
        };
        match usize::try_from(at) {
            Ok(found) if found <= extent => Ok(found),
            _ => {
                let message = format!("{at} is outside an extent of {extent}");
                Err(self.error(codes::INDEX, bound.span, message))
            }
        }
    }
}
