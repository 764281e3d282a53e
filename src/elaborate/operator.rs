//! Operators on values: ints stay ints, numbers meet floats as floats and tensors as nodes.
//!
//! `D / heads` with 8 and 2 is the int 4, with 8 and 3 an error; `smoothing - 1` is a float
//! computed now; `x * 2` is a node, whose constant has the tensor's element type. `N` keeps its
//! symbol through `+ - * /` as long as the result is a multiple of it.

use super::arguments::Expect;
use super::context::{Elaborator, Eval};
use super::value::{Value, add_dims, mul_dims};
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::Span;
use crate::base::tensor::DType;
use crate::graph::{Binary, NodeId, Unary};
use crate::syntax::ast::{BinaryOp, Expr, UnaryOp};

/// The graph's operator; `Matmul` has none of its own kind.
fn scalar_op(op: BinaryOp) -> Option<Binary> {
    Some(match op {
        BinaryOp::Or => Binary::Or,
        BinaryOp::And => Binary::And,
        BinaryOp::Eq => Binary::Eq,
        BinaryOp::Ne => Binary::Ne,
        BinaryOp::Lt => Binary::Lt,
        BinaryOp::Le => Binary::Le,
        BinaryOp::Gt => Binary::Gt,
        BinaryOp::Ge => Binary::Ge,
        BinaryOp::Add => Binary::Add,
        BinaryOp::Sub => Binary::Sub,
        BinaryOp::Mul => Binary::Mul,
        BinaryOp::Div => Binary::Div,
        BinaryOp::Pow => Binary::Pow,
        BinaryOp::Matmul => return None,
    })
}

impl<'a> Elaborator<'a> {
    /// `-a`, `not a`.
    pub fn unary_operator(&mut self, op: UnaryOp, value: Value, span: Span) -> Eval<Value> {
        match (op, &value) {
            (UnaryOp::Neg, Value::Int(int)) => match int.checked_neg() {
                Some(negated) => Ok(Value::Int(negated)),
                None => Err(self.out_of_range(span)),
            },
            (UnaryOp::Neg, Value::Float(float)) => Ok(Value::Float(-float)),
            (UnaryOp::Not, Value::Bool(bool)) => Ok(Value::Bool(!bool)),
            (UnaryOp::Neg, Value::Tensor(_) | Value::Batch(_)) => {
                self.unary_node(Unary::Neg, &value, span)
            }
            (UnaryOp::Not, Value::Tensor(_)) => self.unary_node(Unary::Not, &value, span),
            _ => {
                let (word, takes) = match op {
                    UnaryOp::Neg => ("-", "a number or a tensor"),
                    UnaryOp::Not => ("not", "a bool"),
                };
                let found = self.describe(&value);
                let message = format!("`{word}` takes {takes}, found {found}");
                Err(self.error(codes::OPERATOR, span, message))
            }
        }
    }

    /// A unary operator of the graph.
    pub fn unary_node(&mut self, op: Unary, value: &Value, span: Span) -> Eval<Value> {
        let node = self.node(value, span)?;
        self.at(span);
        let built = self.builder.unary(op, node);
        self.built(span, &[node], built)
    }

    /// `left op right`; `and` and `or` look at the right only where the left does not decide.
    pub fn binary_expr(
        &mut self,
        op: BinaryOp,
        [left, right]: [&'a Expr; 2],
        expect: Expect,
        span: Span,
    ) -> Eval<Value> {
        let a = self.expr(left, expect);
        match (op, &a) {
            (BinaryOp::And, Ok(Value::Bool(false))) => return Ok(Value::Bool(false)),
            (BinaryOp::Or, Ok(Value::Bool(true))) => return Ok(Value::Bool(true)),
            _ => {}
        }
        let b = self.expr(right, expect);
        self.binary_operator(op, a?, b?, span)
    }

    /// The operator on two values.
    pub fn binary_operator(&mut self, op: BinaryOp, a: Value, b: Value, span: Span) -> Eval<Value> {
        match (&a, &b) {
            (Value::None, other) | (other, Value::None)
                if matches!(op, BinaryOp::Eq | BinaryOp::Ne) =>
            {
                Ok(Value::Bool((*other == Value::None) == (op == BinaryOp::Eq)))
            }
            (Value::Tensor(node), number) | (number, Value::Tensor(node))
                if let Some(same) = self.decided(op, *node, number) =>
            {
                Ok(Value::Bool(same))
            }
            (Value::Tensor(_), _) | (_, Value::Tensor(_)) => self.binary_nodes(op, &a, &b, span),
            (Value::Int(x), Value::Int(y)) => self.ints(op, *x, *y, span),
            (Value::Batch(_), Value::Int(_) | Value::Batch(_))
            | (Value::Int(_), Value::Batch(_)) => self.batch(op, &a, &b, span),
            (Value::Batch(_), Value::Float(_)) | (Value::Float(_), Value::Batch(_)) => {
                self.undecided(op, span)?;
                self.binary_nodes(op, &a, &b, span)
            }
            (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
                self.floats(op, &a, &b, span)
            }
            _ => match op {
                // What is of two kinds is never equal, which nobody asks.
                BinaryOp::Eq | BinaryOp::Ne
                    if std::mem::discriminant(&a) != std::mem::discriminant(&b) =>
                {
                    Err(self.bad_operands(op, &a, &b, span))
                }
                BinaryOp::Eq => Ok(Value::Bool(a == b)),
                BinaryOp::Ne => Ok(Value::Bool(a != b)),
                BinaryOp::And | BinaryOp::Or => match (&a, &b) {
                    (Value::Bool(x), Value::Bool(y)) => Ok(Value::Bool(match op {
                        BinaryOp::And => *x && *y,
                        _ => *x || *y,
                    })),
                    _ => Err(self.bad_operands(op, &a, &b, span)),
                },
                BinaryOp::Add => match (a, b) {
                    (Value::List(mut first), Value::List(second)) => {
                        first.extend(second);
                        self.bounded(Value::List(first), span)
                    }
                    (Value::Str(first), Value::Str(second)) => {
                        self.bounded(Value::Str(first + &second), span)
                    }
                    (a, b) => Err(self.bad_operands(op, &a, &b, span)),
                },
                _ => Err(self.bad_operands(op, &a, &b, span)),
            },
        }
    }

    /// `momentum == 0`, where that is known of an argument that may change while training runs.
    fn decided(&self, op: BinaryOp, node: NodeId, number: &Value) -> Option<bool> {
        let same = self.always_is(node, number.as_f64()?)?;
        match op {
            BinaryOp::Eq => Some(same),
            BinaryOp::Ne => Some(!same),
            _ => None,
        }
    }

    fn bad_operands(
        &mut self,
        op: BinaryOp,
        a: &Value,
        b: &Value,
        span: Span,
    ) -> super::context::ErrorReported {
        let (a, b) = (self.describe(a), self.describe(b));
        let message = format!("`{}` is not made for {a} and {b}", op.symbol());
        self.error(codes::OPERATOR, span, message)
    }

    fn out_of_range(&mut self, span: Span) -> super::context::ErrorReported {
        self.error(codes::TOO_LARGE, span, "this number does not fit into 64 bits")
    }

    fn ints(&mut self, op: BinaryOp, x: i64, y: i64, span: Span) -> Eval<Value> {
        let result = match op {
            BinaryOp::Eq => return Ok(Value::Bool(x == y)),
            BinaryOp::Ne => return Ok(Value::Bool(x != y)),
            BinaryOp::Lt => return Ok(Value::Bool(x < y)),
            BinaryOp::Le => return Ok(Value::Bool(x <= y)),
            BinaryOp::Gt => return Ok(Value::Bool(x > y)),
            BinaryOp::Ge => return Ok(Value::Bool(x >= y)),
            BinaryOp::Add => x.checked_add(y),
            BinaryOp::Sub => x.checked_sub(y),
            BinaryOp::Mul => x.checked_mul(y),
            BinaryOp::Div if y == 0 || x.checked_rem(y).is_none_or(|rest| rest != 0) => {
                return Err(self.inexact(&x.to_string(), &y.to_string(), y == 0, span));
            }
            BinaryOp::Div => x.checked_div(y),
            BinaryOp::Pow if y < 0 => {
                let message = format!("{x} ^ {y} is not an int");
                let help = format!("write `{x}.0 ^ {y}` for a float");
                return Err(self.error_help(codes::DIVISION, span, message, help));
            }
            BinaryOp::Pow => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)),
            BinaryOp::And | BinaryOp::Or | BinaryOp::Matmul => {
                return Err(self.bad_operands(op, &Value::Int(x), &Value::Int(y), span));
            }
        };
        match result {
            Some(result) => Ok(Value::Int(result)),
            None => Err(self.out_of_range(span)),
        }
    }

    fn inexact(
        &mut self,
        x: &str,
        y: &str,
        zero: bool,
        span: Span,
    ) -> super::context::ErrorReported {
        if zero {
            return self.error(codes::DIVISION, span, format!("{x} / {y} divides by zero"));
        }
        let error = Diagnostic::error(codes::DIVISION, format!("{x} / {y} leaves a remainder"))
            .primary(span, "the division of ints must be exact");
        // What would mend the prelude's code helps nobody.
        self.report(match self.items.in_prelude(span) {
            true => error,
            false => error.help("for a float, make one side a float: `1.0 / 2`"),
        })
    }

    fn floats(&mut self, op: BinaryOp, a: &Value, b: &Value, span: Span) -> Eval<Value> {
        let (Some(x), Some(y), Some(scalar)) = (a.as_f64(), b.as_f64(), scalar_op(op)) else {
            return Err(self.bad_operands(op, a, b, span));
        };
        match op {
            BinaryOp::And | BinaryOp::Or => Err(self.bad_operands(op, a, b, span)),
            BinaryOp::Div if y == 0.0 => {
                Err(self.inexact(&format!("{x:?}"), &format!("{y:?}"), true, span))
            }
            _ if scalar.is_comparison() => Ok(Value::Bool(scalar.eval(x, y) != 0.0)),
            _ => Ok(Value::Float(scalar.eval(x, y))),
        }
    }

    /// Arithmetic on multiples of `N`.
    fn batch(&mut self, op: BinaryOp, a: &Value, b: &Value, span: Span) -> Eval<Value> {
        self.undecided(op, span)?;
        let dims = a.as_dim().zip(b.as_dim());
        let result = match op {
            BinaryOp::Add => dims.and_then(|(a, b)| add_dims(a, b)),
            BinaryOp::Mul => dims.and_then(|(a, b)| mul_dims(a, b)),
            BinaryOp::Div => dims.and_then(|(a, b)| a.div(b)),
            BinaryOp::Sub => match (a, b) {
                (Value::Batch(x), Value::Batch(y)) if x > y => {
                    Some(crate::graph::Dim::Batch(x - y))
                }
                (Value::Batch(x), Value::Batch(y)) if x == y => Some(crate::graph::Dim::Known(0)),
                (Value::Batch(x), Value::Int(0)) => Some(crate::graph::Dim::Batch(*x)),
                _ => None,
            },
            _ => None,
        };
        if let Some(dim) = result {
            return Ok(Value::of_dim(dim));
        }
        let graph = &self.builder.graph;
        let shown = format!("{} {} {}", a.show(graph), op.symbol(), b.show(graph));
        Err(self.error_help(
            codes::BATCH,
            span,
            format!("{shown} is not a multiple of the batch"),
            "the batch is not known while compiling; a float makes it a number: `1.0 * N`",
        ))
    }

    /// A comparison with `N` would decide something that must hold for every batch.
    fn undecided(&mut self, op: BinaryOp, span: Span) -> Eval<()> {
        if scalar_op(op).is_none_or(|op| !op.is_comparison()) {
            return Ok(());
        }
        Err(self.error_help(
            codes::BATCH,
            span,
            "the batch is not known while compiling, so nothing can be decided by it",
            "the same program must hold for every batch size; compare other dimensions",
        ))
    }

    /// The operator as a node.
    fn binary_nodes(&mut self, op: BinaryOp, a: &Value, b: &Value, span: Span) -> Eval<Value> {
        if let (BinaryOp::Pow, Some(exponent)) = (op, b.as_f64())
            && let Some(power) = self.small_power(a, exponent, span)?
        {
            return Ok(power);
        }
        let (Some(x), Some(y)) = (self.node_of(a), self.node_of(b)) else {
            return Err(self.bad_operands(op, a, b, span));
        };
        if op == BinaryOp::Div && self.is_each_step(x) && b.as_f64() == Some(0.0) {
            return Err(self.error(codes::DIVISION, span, "this divides by zero"));
        }
        self.at(span);
        let built = match scalar_op(op) {
            Some(scalar) => self.builder.binary(scalar, x, y),
            None => self.builder.matmul(x, y),
        };
        self.built(span, &[x, y], built)
    }

    /// `x ^ k` for a whole k from 1 to 4, as products: exact where `pow` rounds, and quick.
    fn small_power(&mut self, base: &Value, exponent: f64, span: Span) -> Eval<Option<Value>> {
        let Value::Tensor(x) = *base else { return Ok(None) };
        let ty = self.ty(x);
        if ty.dtype != DType::F32 || ![1.0, 2.0, 3.0, 4.0].contains(&exponent) {
            return Ok(None);
        }
        self.at(span);
        let mut times = |a, b| {
            let built = self.builder.binary(Binary::Mul, a, b);
            self.built(span, &[a, b], built)
        };
        if exponent == 1.0 {
            return Ok(Some(base.clone()));
        }
        let square = times(x, x)?;
        let Value::Tensor(squared) = square else { return Ok(None) };
        Ok(Some(match exponent {
            2.0 => square,
            3.0 => times(squared, x)?,
            _ => times(squared, squared)?,
        }))
    }
}
