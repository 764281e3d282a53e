//! The contents of the braces of `data` and `train`, and record types.

use super::{Expr, Name, TypeExpr};

/// A field of a sample: `price = number("Price (EUR)") |> log1p as target`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldDecl {
    /// The name.
    pub name: Name,
    /// How it is made: a kind of field, then transforms.
    pub value: Expr,
    /// The word after `as`.
    pub role: Option<Name>,
}

/// A named tensor of a record type: `kind: f32[N, 5]`.
#[derive(Clone, Debug, PartialEq)]
pub struct PartDecl {
    /// The name.
    pub name: Name,
    /// The type.
    pub ty: TypeExpr,
}

/// `train model on data { key = value … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Train {
    /// The model.
    pub model: Name,
    /// The data, if any.
    pub data: Option<Name>,
    /// The settings, in order.
    pub keys: Vec<TrainKey>,
}

/// `key = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainKey {
    /// The key.
    pub key: Name,
    /// The value.
    pub value: Expr,
}
