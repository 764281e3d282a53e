//! A graph from its text: the inverse of [`print`](crate::graph::print).
//!
//! `%2 = add %0, %1 : f32[N, 10]` becomes a node. Types are taken as written, and so are ids that
//! name nothing: whether the graph is sound is [`verify`](crate::graph::verify)'s question, and
//! a test of it needs graphs that are not. Text that is no graph is a [`GraphReadError`] with its line.
//! A `;` begins a comment; origins are not read back.

mod cursor;
mod window;

use crate::base::entity::Entity;
use crate::base::step_output::StepOutput;
use crate::base::tensor::DType;
use crate::graph::data::{Carry, Scan};
use crate::graph::data::{
    Graph, Hyper, Init, Input, Node, Output, Param, State, Update, UpdateTarget,
};
use crate::graph::op::{Binary, CarryId, NodeId, Op, Range, Reduce, ScanId, Unary};
use crate::graph::types::{Dim, Shape, Type};
use cursor::Cursor;
use std::fmt;

/// Why a text is no graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphReadError {
    /// The line, from 1.
    pub line: usize,
    /// The text or rule that was expected there.
    pub message: String,
}

impl fmt::Display for GraphReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for GraphReadError {}

/// Result of parsing a part; the caller adds the line.
type ReadResult<T> = Result<T, String>;

/// Reads one graph.
pub fn read(text: &str) -> Result<Graph, GraphReadError> {
    let mut graph = Graph::default();
    let mut state = LineKind::Before;
    let mut last = 1;
    for (index, line) in text.lines().enumerate() {
        last = index + 1;
        let mut cursor = Cursor::new(line);
        if cursor.at_end() {
            continue;
        }
        let item = match state {
            LineKind::Before => header(&mut cursor, &mut graph).map(|()| LineKind::Inside),
            LineKind::Inside if cursor.eat("}") => Ok(LineKind::After),
            LineKind::Inside => item(&mut cursor, &mut graph).map(|()| LineKind::Inside),
            LineKind::After => Err("expected nothing after the graph".into()),
        };
        let item = item.and_then(|place| cursor.end().map(|()| place));
        state = item.map_err(|message| GraphReadError { line: last, message })?;
    }
    match state {
        LineKind::After => Ok(graph),
        LineKind::Before => {
            Err(GraphReadError { line: last, message: "expected `graph NAME {`".into() })
        }
        LineKind::Inside => {
            Err(GraphReadError { line: last, message: "expected `}` at the end".into() })
        }
    }
}

/// Where a line stands.
#[derive(Clone, Copy)]
enum LineKind {
    Before,
    Inside,
    After,
}

fn header(cursor: &mut Cursor, graph: &mut Graph) -> ReadResult<()> {
    cursor.expect_word("graph")?;
    graph.name = cursor.name()?;
    cursor.expect("{")
}

/// One line inside the braces.
fn item(cursor: &mut Cursor, graph: &mut Graph) -> ReadResult<()> {
    if cursor.eat("%") {
        let index = cursor.integer()?;
        next("%", index, graph.nodes.len())?;
        cursor.expect("=")?;
        let node = node(cursor)?;
        graph.nodes.push(node);
        return Ok(());
    }
    if cursor.eat_word("output") {
        let name = cursor.name()?;
        cursor.expect("=")?;
        let node = cursor.node()?;
        graph.outputs.push(Output { name: StepOutput::from(&name), node });
        return Ok(());
    }
    if cursor.eat_word("next") {
        let Some(index) = cursor.eat_id("carry")? else {
            return Err(cursor.expected("a carry"));
        };
        cursor.expect("=")?;
        let next = cursor.node()?;
        let carry = graph.carries.get_mut(CarryId::from_index(index));
        carry.ok_or_else(|| format!("there is no carry{index}"))?.next = Some(next);
        return Ok(());
    }
    if cursor.eat_word("update") {
        let target = target(cursor)?;
        cursor.expect("=")?;
        let node = cursor.node()?;
        graph.updates.push(Update { target, node });
        return Ok(());
    }
    declaration(cursor, graph)
}

/// Checks that ids count up from 0, so that a line names the entry that it makes.
fn next(prefix: &str, index: usize, expected: usize) -> ReadResult<()> {
    if index == expected {
        return Ok(());
    }
    Err(format!("expected {prefix}{expected}, found {prefix}{index}"))
}

fn declaration(cursor: &mut Cursor, graph: &mut Graph) -> ReadResult<()> {
    if let Some(index) = cursor.eat_id("input")? {
        next("input", index, graph.inputs.len())?;
        let name = cursor.name()?;
        cursor.expect(":")?;
        let ty = ty(cursor)?;
        graph.inputs.push(Input { name, ty });
    } else if let Some(index) = cursor.eat_id("param")? {
        next("param", index, graph.params.len())?;
        let (path, ty, init) = kept(cursor)?;
        graph.params.push(Param { path, ty, init, origin: None });
    } else if let Some(index) = cursor.eat_id("state")? {
        next("state", index, graph.states.len())?;
        let (path, ty, init) = kept(cursor)?;
        graph.states.push(State { path, ty, init, origin: None });
    } else if let Some(index) = cursor.eat_id("hyper")? {
        next("hyper", index, graph.hypers.len())?;
        let name = cursor.name()?;
        cursor.expect("=")?;
        let value = cursor.number(DType::F64)?;
        graph.hypers.push(Hyper { name, value });
    } else if let Some(index) = cursor.eat_id("scan")? {
        next("scan", index, graph.scans.len())?;
        let steps = cursor.integer()?;
        cursor.expect_word("steps")?;
        let reverse = cursor.eat_word("reverse");
        graph.scans.push(Scan { steps, reverse });
    } else if let Some(index) = cursor.eat_id("carry")? {
        next("carry", index, graph.carries.len())?;
        cursor.expect_word("of")?;
        let scan = scan(cursor)?;
        graph.carries.push(Carry { scan, next: None });
    } else {
        return Err(
            cursor.expected("an input, a parameter, a state, a node, an output or an update")
        );
    }
    Ok(())
}

/// `path: type = init`
fn kept(cursor: &mut Cursor) -> ReadResult<(String, Type, Init)> {
    let path = cursor.name()?;
    cursor.expect(":")?;
    let ty = ty(cursor)?;
    cursor.expect("=")?;
    Ok((path, ty, init(cursor)?))
}

fn init(cursor: &mut Cursor) -> ReadResult<Init> {
    let name = cursor.word();
    cursor.expect("(")?;
    let first = cursor.number(DType::F64)?;
    let second = if cursor.eat(",") { Some(cursor.number(DType::F64)?) } else { None };
    cursor.expect(")")?;
    match (name, second) {
        ("constant", None) => Ok(Init::Constant(first)),
        ("normal", Some(std)) => Ok(Init::Normal { mean: first, std }),
        ("truncated_normal", Some(std)) => Ok(Init::TruncatedNormal { mean: first, std }),
        ("uniform", Some(high)) => Ok(Init::Uniform { low: first, high }),
        ("orthogonal", None) => Ok(Init::Orthogonal { gain: first }),
        _ => Err(format!("there is no initialiser `{name}` with that many arguments")),
    }
}

fn scan(cursor: &mut Cursor) -> ReadResult<ScanId> {
    match cursor.eat_id("scan")? {
        Some(index) => Ok(ScanId::from_index(index)),
        None => Err(cursor.expected("a scan")),
    }
}

fn target(cursor: &mut Cursor) -> ReadResult<UpdateTarget> {
    if let Some(index) = cursor.eat_id("param")? {
        return Ok(UpdateTarget::Param(Entity::from_index(index)));
    }
    match cursor.eat_id("state")? {
        Some(index) => Ok(UpdateTarget::State(Entity::from_index(index))),
        None => Err(cursor.expected("a parameter or a state")),
    }
}

fn ty(cursor: &mut Cursor) -> ReadResult<Type> {
    let name = cursor.word();
    let dtype = DType::from_name(name).ok_or_else(|| format!("there is no type `{name}`"))?;
    let dims = if cursor.eat("[") { cursor.list(dim)? } else { Vec::new() };
    Ok(Type::new(dtype, dims))
}

/// `28`, `N` or `2N`
fn dim(cursor: &mut Cursor) -> ReadResult<Dim> {
    if cursor.eat("N") {
        return Ok(Dim::N);
    }
    let extent = cursor.integer()?;
    match cursor.eat("N") {
        true if extent == 0 => Err("expected a multiple of N, found 0N".into()),
        true => Ok(Dim::Batch(extent)),
        false => Ok(Dim::Known(extent)),
    }
}

/// `name attributes arguments : type`
fn node(cursor: &mut Cursor) -> ReadResult<Node> {
    for prefix in ["input", "param", "state", "hyper", "carry"] {
        if let Some(index) = cursor.eat_id(prefix)? {
            let op = match prefix {
                "input" => Op::Input(Entity::from_index(index)),
                "param" => Op::Param(Entity::from_index(index)),
                "state" => Op::State(Entity::from_index(index)),
                "carry" => Op::Carry(Entity::from_index(index)),
                _ => Op::Hyper(Entity::from_index(index)),
            };
            return typed(cursor, |_| Ok(op));
        }
    }
    let name = cursor.word();
    operator(name, cursor)
}

/// Arguments and type; the operator may depend on the type.
fn typed(cursor: &mut Cursor, op: impl FnOnce(&Type) -> ReadResult<Op>) -> ReadResult<Node> {
    let mut args: Vec<NodeId> = Vec::new();
    if cursor.peek() == Some('%') {
        args.push(cursor.node()?);
        while cursor.eat(",") {
            args.push(cursor.node()?);
        }
    }
    cursor.expect(":")?;
    let ty = ty(cursor)?;
    Ok(Node { op: op(&ty)?, args: args.into(), ty, origin: None })
}

/// The operator of a name, with its attributes, arguments and type.
fn operator(name: &str, cursor: &mut Cursor) -> ReadResult<Node> {
    if let Some(unary) = Unary::from_name(name) {
        return typed(cursor, |_| Ok(Op::Unary(unary)));
    }
    if let Some(binary) = Binary::from_name(name) {
        return typed(cursor, |_| Ok(Op::Binary(binary)));
    }
    if let Some(reduce) = name.strip_prefix("reduce_").and_then(Reduce::from_name) {
        let axes = cursor.brackets(Cursor::integer)?;
        return typed(cursor, |_| Ok(Op::Reduce(reduce, axes)));
    }
    if let Some(op) = Op::plain(name) {
        return typed(cursor, |_| Ok(op));
    }
    match name {
        "extent" => {
            let dim = dim(cursor)?;
            typed(cursor, |_| Ok(Op::Extent(dim)))
        }
        "const" => {
            let number = cursor.number_text();
            typed(cursor, |ty| Ok(Op::Const(cursor::number(number, ty.dtype)?, ty.dtype)))
        }
        "cast" => typed(cursor, |ty| Ok(Op::Cast(ty.dtype))),
        "broadcast" => typed(cursor, |ty| Ok(Op::Broadcast(ty.shape.clone()))),
        "reshape" => typed(cursor, |ty| Ok(Op::Reshape(ty.shape.clone()))),
        "slice" => {
            let ranges = cursor.brackets(range)?;
            typed(cursor, |_| Ok(Op::Slice(ranges)))
        }
        "pad" => {
            let amounts = cursor.brackets(amount)?;
            let number = cursor.number_text();
            typed(cursor, |ty| Ok(Op::Pad { amounts, value: cursor::number(number, ty.dtype)? }))
        }
        "scan_slice" | "scan_stack" => {
            let scan = scan(cursor)?;
            let is_slice = name == "scan_slice";
            typed(cursor, |_| Ok(if is_slice { Op::ScanSlice(scan) } else { Op::ScanStack(scan) }))
        }
        "matmul" => {
            let transpose_a = cursor.eat_word("transpose_a");
            let transpose_b = cursor.eat_word("transpose_b");
            typed(cursor, |_| Ok(Op::MatMul { transpose_a, transpose_b }))
        }
        "transpose" | "variance" => {
            let axes = cursor.brackets(Cursor::integer)?;
            let turns = name == "transpose";
            typed(cursor, |_| Ok(if turns { Op::Transpose(axes) } else { Op::Variance(axes) }))
        }
        "iota" | "uniform" | "concat" | "argmax" | "gather" | "scatter_add" => {
            let number = cursor.integer()?;
            typed(cursor, |ty| numbered(name, number, ty.shape.clone()))
        }
        _ if window::NAMES.contains(&name) => window::operator(name, cursor),
        _ => Err(format!("there is no operator `{name}`")),
    }
}

/// Operators with one number: an axis or a stream.
fn numbered(name: &str, number: usize, shape: Shape) -> ReadResult<Op> {
    Ok(match name {
        "iota" => Op::Iota { shape, axis: number },
        "concat" => Op::Concat(number),
        "argmax" => Op::ArgMax(number),
        "gather" => Op::Gather(number),
        "scatter_add" => Op::ScatterAdd { shape, axis: number },
        _ => {
            let stream = u32::try_from(number);
            Op::Uniform { shape, stream: stream.map_err(|_| format!("the stream {number}"))? }
        }
    })
}

/// `:` or `start len n step s`
fn range(cursor: &mut Cursor) -> ReadResult<Range> {
    if cursor.eat(":") {
        return Ok(Range::ALL);
    }
    let start = cursor.integer()?;
    let len = if cursor.eat_word("len") { Some(cursor.integer()?) } else { None };
    let step = if cursor.eat_word("step") { cursor.signed()? } else { 1 };
    Ok(Range { start, len, step })
}

/// `before + after`
fn amount(cursor: &mut Cursor) -> ReadResult<(usize, usize)> {
    let before = cursor.integer()?;
    cursor.expect("+")?;
    Ok((before, cursor.integer()?))
}

#[cfg(test)]
mod tests;
