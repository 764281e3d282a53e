//! Constants: each is computed once, at its first use, after those that it needs.
//!
//! `const B = A + 1` takes `A` first and then itself, so that a chain of a thousand constants nests
//! no deeper than one of two.

use super::arguments::Expect;
use super::context::{Elaborator, ErrorReported, Eval};
use super::items::Named;
use super::scope::CallFrame;
use super::value::Value;
use crate::base::codes;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Index};
use std::collections::HashSet;

/// A constant is known by the place of its value in memory: names are not unique across files.
type Key = *const Expr;

impl<'a> Elaborator<'a> {
    /// The value of a `const`.
    pub fn constant(&mut self, constant: Named<'a>) -> Eval<Value> {
        if !self.consts.contains_key(&std::ptr::from_ref(constant.value)) {
            for needed in self.needed(constant) {
                // One that fails has said so, and fails again where it is used.
                let _ = self.one_constant(needed);
            }
        }
        self.one_constant(constant)
    }

    /// The constants that one needs for certain and that nobody has needed yet, each after those
    /// that it needs itself.
    fn needed(&self, constant: Named<'a>) -> Vec<Named<'a>> {
        let mut order = Vec::new();
        let (mut met, mut active): (HashSet<Key>, HashSet<Key>) = Default::default();
        // A constant and whether what it needs stands in `order` already.
        let mut open = vec![(constant, false)];
        while let Some((next, done)) = open.pop() {
            let key = std::ptr::from_ref(next.value);
            if done {
                active.remove(&key);
                order.push(next);
                continue;
            }
            if !met.insert(key) {
                continue;
            }
            active.insert(key);
            open.push((next, true));
            let builtin = self.items.in_prelude(next.name.span);
            let mut names = Vec::new();
            certain_names(next.value, &mut names);
            for name in names.into_iter().rev().filter(|&name| name != "training") {
                let Some(found) = self.items.find_const(name, builtin) else { continue };
                let key = std::ptr::from_ref(found.value);
                // A cycle is reported where evaluation meets it.
                if active.contains(&key) {
                    return Vec::new();
                }
                if !self.consts.contains_key(&key) && !met.contains(&key) {
                    open.push((found, false));
                }
            }
        }
        order.pop();
        order
    }

    fn one_constant(&mut self, Named { name, value, .. }: Named<'a>) -> Eval<Value> {
        let key: Key = value;
        match self.consts.get(&key) {
            Some(Some(value)) => return Ok(value.clone()),
            Some(None) if self.in_const.contains(&key) => {
                return Err(self.error(
                    codes::CYCLE,
                    name.span,
                    format!("the constant `{}` needs itself", name.text),
                ));
            }
            Some(None) => return Err(ErrorReported),
            None => {}
        }
        self.consts.insert(key, None);
        self.in_const.push(key);
        let builtin = self.items.in_prelude(name.span);
        self.frames.push(CallFrame::new("", None, builtin));
        let found = self.expr(value, Expect::Any);
        self.frames.pop();
        self.in_const.pop();
        let found = found?;
        if matches!(found, Value::Tensor(_)) {
            let message = format!("the constant `{}` is a tensor", name.text);
            return Err(self.error(codes::WRONG_KIND, value.span, message));
        }
        self.consts.insert(key, Some(found.clone()));
        Ok(found)
    }
}

/// The names that an expression certainly needs: none of a branch, of the right of an `and`, or of
/// arguments, where a word may mean something else.
fn certain_names<'a>(expr: &'a Expr, names: &mut Vec<&'a str>) {
    match &expr.kind {
        ExprKind::Name(name) => names.push(name),
        ExprKind::List(entries) => entries.iter().for_each(|entry| certain_names(entry, names)),
        ExprKind::Record(entries) => {
            entries.iter().for_each(|(_, entry)| certain_names(entry, names));
        }
        ExprKind::Unary(_, operand) => certain_names(operand, names),
        ExprKind::Binary(BinaryOp::And | BinaryOp::Or, left, _) => certain_names(left, names),
        ExprKind::Binary(_, left, right) => {
            certain_names(left, names);
            certain_names(right, names);
        }
        ExprKind::Index(object, at) => {
            certain_names(object, names);
            for index in at {
                if let Index::At(at) = index {
                    certain_names(at, names);
                }
            }
        }
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Bool(_)
        | ExprKind::Str(_)
        | ExprKind::Call(_)
        | ExprKind::Pipe(..)
        | ExprKind::Member(..)
        | ExprKind::If(_)
        | ExprKind::Scan(_)
        | ExprKind::Range(..) => {}
    }
}
