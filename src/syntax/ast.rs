//! The syntax tree: what a file says, with the place of everything, before it means anything.
//!
//! Names are not resolved here: whether `relu` in `x |> relu` is a layer or an operator, or `N` a
//! dimension, is elaboration's to say.

mod train;

use crate::base::source::{FileId, Span};
pub use train::{FieldDecl, PartDecl, Train, TrainKey};

/// A name with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// The text.
    pub text: String,
    /// The place.
    pub span: Span,
}

/// A parsed file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Which file.
    pub id: FileId,
    /// Its items, in order.
    pub items: Vec<Item>,
}

/// An item with its documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The declaration.
    pub kind: ItemKind,
    /// The text of the `///` lines before it, joined by newlines.
    pub doc: String,
    /// The place of the whole item, without its documentation.
    pub span: Span,
}

/// The kinds of item.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// `use "file.nn"`.
    Use {
        /// The path as written, unescaped.
        path: String,
        /// The place of the string.
        path_span: Span,
    },
    /// `const NAME = expr`.
    Const {
        /// The name.
        name: Name,
        /// The value.
        value: Expr,
    },
    /// `layer`, `model`, `loss`, `metric`, `optimizer`, `schedule` and `initializer` items.
    Function(Function),
    /// `data name = source(…) |> transform(…) { field = … }`.
    Data {
        /// The name.
        name: Name,
        /// The source and its transforms: an expression of stages.
        value: Expr,
        /// The fields of a sample, where they are written.
        fields: Option<Vec<FieldDecl>>,
    },
    /// `train model on data { key = value … }`.
    Train(Train),
}

/// The kinds of item that have parameters and a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionKind {
    /// A function from tensors and compile-time arguments to a tensor.
    Layer,
    /// An entry point.
    Model,
    /// Per-sample losses, or a scalar.
    Loss,
    /// Per-sample scores.
    Metric,
    /// An element-wise update rule.
    Optimizer,
    /// A number that changes from step to step:
    /// `schedule halved(step, steps, from: float) { from * 0.5 ^ (step / steps) }`.
    Schedule,
    /// A first value from `fan_in` and `fan_out`:
    /// `initializer he_normal(fan_in, fan_out) { normal(std: sqrt(2.0 / fan_in)) }`.
    Initializer,
}

impl FunctionKind {
    /// The word that begins such an item.
    pub fn word(self) -> &'static str {
        match self {
            FunctionKind::Layer => "layer",
            FunctionKind::Model => "model",
            FunctionKind::Loss => "loss",
            FunctionKind::Metric => "metric",
            FunctionKind::Optimizer => "optimizer",
            FunctionKind::Schedule => "schedule",
            FunctionKind::Initializer => "initializer",
        }
    }

    /// The word as one of its kind: `an optimizer`.
    pub fn one(self) -> String {
        let article = if self.word().starts_with(['o', 'i']) { "an" } else { "a" };
        format!("{article} {}", self.word())
    }
}

impl ItemKind {
    /// The word that begins such an item.
    pub fn word(&self) -> &'static str {
        match self {
            ItemKind::Use { .. } => "use",
            ItemKind::Const { .. } => "const",
            ItemKind::Function(function) => function.kind.word(),
            ItemKind::Data { .. } => "data",
            ItemKind::Train(_) => "train",
        }
    }
}

/// A `layer`, `model`, `loss`, `metric`, `optimizer`, `schedule` or `initializer`.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Which of them.
    pub kind: FunctionKind,
    /// The name.
    pub name: Name,
    /// The parameters, in order.
    pub params: Vec<ParamDecl>,
    /// The type after `->`, of a tensor.
    pub result: Option<TypeExpr>,
    /// The tensors after `->`, of a record; else empty.
    pub parts: Vec<PartDecl>,
    /// Which values are better, of a metric that says so.
    pub goal: Option<Goal>,
    /// The body.
    pub body: Block,
    /// The value of a metric from all samples of a data set.
    pub over: Option<Over>,
}

/// How a metric's value is made of all samples of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Over {
    /// The name of the means, or that of the statistic where there is no block.
    pub name: Name,
    /// The value from the means.
    pub block: Option<Block>,
}

/// Which values of a metric are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Less: `minimize`.
    Minimize,
    /// More: `maximize`.
    Maximize,
}

/// One parameter: `x: f32[N, D]`, `units: int >= 1`, `rate: float in 0..=1 = 0.5`,
/// `mask: bool[N, T] or none = none`, `p`.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamDecl {
    /// The name.
    pub name: Name,
    /// The declared type, if any.
    pub ty: Option<TypeExpr>,
    /// The place of `or none`, where the argument may be nothing.
    pub or_none: Option<Span>,
    /// The condition on the argument, if there is one.
    pub domain: Option<ArgDomain>,
    /// The default, if any.
    pub default: Option<Expr>,
    /// The place of the whole.
    pub span: Span,
}

/// A condition on an argument, with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct ArgDomain {
    /// Which values it takes.
    pub kind: ArgDomainKind,
    /// The place of the whole.
    pub span: Span,
}

/// The kinds of domain.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgDomainKind {
    /// `in low..high`, without `high`, or `in low..=high`, with it.
    Range {
        /// The least value.
        low: Expr,
        /// The upper end.
        high: Expr,
        /// Whether the upper end is a value.
        closed: bool,
    },
    /// `>= 1`, `> 0`, `< K`, `<= K`.
    Bound(BinaryOp, Expr),
    /// `in ["mean", "sum"]`: one of a list's entries.
    OneOf(Expr),
}

/// A type: `f32[N, 28, 28, 1]`, `int`, `f32`.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    /// The word before the brackets: `f32`, `int`, `padding`.
    pub name: Name,
    /// The dimensions; `None` where there are no brackets.
    pub dims: Option<Vec<DimExpr>>,
    /// The place of the whole.
    pub span: Span,
}

/// One dimension of a type.
#[derive(Clone, Debug, PartialEq)]
pub enum DimExpr {
    /// A literal, a name, or arithmetic on them.
    Expr(Expr),
    /// `..S`: any number of dimensions.
    Rest(Name),
}

/// `{ … }`: statements, and a last expression that is the value.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The statements, in order.
    pub stmts: Vec<Statement>,
    /// The value, if the block ends in an expression.
    pub value: Option<Box<Expr>>,
    /// The place, braces included.
    pub span: Span,
}

/// A statement with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The statement itself.
    pub kind: StmtKind,
    /// The place of the whole.
    pub span: Span,
}

/// The kinds of statement.
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// `let name = expr`.
    Let {
        /// The name.
        name: Name,
        /// The value.
        value: Expr,
    },
    /// `param name: type = initialiser`.
    Param(Declaration),
    /// `state name: type = initialiser`.
    State(Declaration),
    /// `carry h: f32[N, 4] = 0`, in a scan.
    Carry(Declaration),
    /// `require condition, "message"`.
    Require {
        /// The condition, checked while compiling.
        condition: Expr,
        /// The message where it does not hold, unescaped.
        message: Option<String>,
    },
    /// `name <- expr`.
    Assign {
        /// The state's name.
        name: Name,
        /// The new value.
        value: Expr,
    },
    /// An expression that is not the block's last: an `if` whose branches only declare or assign.
    Expr(Expr),
}

/// A `param`, `state` or `carry`. An optimiser's `state m = 0` has no type: it has its parameter's.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// The name.
    pub name: Name,
    /// The type, if any.
    pub ty: Option<TypeExpr>,
    /// The initialiser, if any.
    pub init: Option<Expr>,
}

/// An expression with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// The expression itself.
    pub kind: ExprKind,
    /// The place of the whole.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `12`.
    Int(i64),
    /// `1e-3`.
    Float(f64),
    /// `true`.
    Bool(bool),
    /// `"text"`, unescaped.
    Str(String),
    /// `name`.
    Name(String),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `(kind: a, values: b)`.
    Record(Vec<(Name, Expr)>),
    /// `-a`, `not a`.
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `f(a, key: b)`.
    Call(Call),
    /// `a |> f(b) as name`.
    Pipe(Box<Expr>, Box<PipeStage>),
    /// `value.member`: `photos.classes`, `result.kind`.
    Member(Box<Expr>, Name),
    /// `x[.., 0:4, -1]`.
    Index(Box<Expr>, Vec<Index>),
    /// `if c { … } else { … }`.
    If(If),
    /// `scan step in x, axis: 1 { … }`.
    Scan(ScanExpr),
    /// `0..n`, where an argument or a train key takes a range.
    Range(Box<Expr>, Box<Expr>),
}

/// Unary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`.
    Neg,
    /// `not`.
    Not,
}

/// Binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Each is the operator of its name; `Matmul` is `@`.
pub enum BinaryOp {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Add,
    Sub,
    Mul,
    Div,
    Matmul,
    Pow,
}

impl BinaryOp {
    /// The operator as it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Or => "or",
            BinaryOp::And => "and",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Matmul => "@",
            BinaryOp::Pow => "^",
        }
    }
}

/// A call: `f(a, key: b)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The name called.
    pub callee: Name,
    /// The arguments, in order.
    pub args: Vec<Arg>,
}

/// An argument, named or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// The name before the colon, if any.
    pub name: Option<Name>,
    /// The value.
    pub value: Expr,
}

/// A stage: the part after `|>`.
#[derive(Clone, Debug, PartialEq)]
pub struct PipeStage {
    /// Which stage.
    pub kind: StageKind,
    /// The name after `as`, if any.
    pub label: Option<Name>,
    /// The place of the whole.
    pub span: Span,
}

/// The kinds of stage.
#[derive(Clone, Debug, PartialEq)]
pub enum StageKind {
    /// `f` or `f(b)`: a call whose first argument is what is piped in. A bare name has no
    /// arguments.
    Call(Call),
    /// `repeat n { … }` or `repeat i in 0..n { … }`: a chain of stages, `n` times.
    Repeat {
        /// The name that counts, if any.
        counter: Option<Name>,
        /// The first value of the counter; 0 where not written.
        from: Option<Box<Expr>>,
        /// How often, or where the counter ends.
        to: Box<Expr>,
        /// The chain.
        body: Vec<PipeStage>,
    },
}

/// `scan step in x, axis: 1 { … }`: its body for each slice of a value.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanExpr {
    /// The name of a slice.
    pub slice: Name,
    /// The value that is cut.
    pub over: Box<Expr>,
    /// `axis: 1`, `reverse: true`.
    pub settings: Vec<Arg>,
    /// The body: what is done with a slice.
    pub body: Block,
}

/// `if c { … } else { … }`; `else if` is an `else` block whose value is an `if`.
#[derive(Clone, Debug, PartialEq)]
pub struct If {
    /// The condition.
    pub condition: Box<Expr>,
    /// The branch where it is true.
    pub then: Block,
    /// The branch where it is false.
    pub otherwise: Option<Block>,
}

/// One place between the brackets of an index.
#[derive(Clone, Debug, PartialEq)]
pub enum Index {
    /// `..`: as many whole axes as it takes; at most once.
    Rest(Span),
    /// `i`: one element; the axis goes. Negative counts from the end.
    At(Expr),
    /// `a:b`, `a:`, `:b`, `:`.
    Slice {
        /// The first index.
        from: Option<Expr>,
        /// One past the last.
        to: Option<Expr>,
        /// The place.
        span: Span,
    },
}
