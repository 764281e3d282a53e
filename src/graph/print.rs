//! A graph as text that [`read`](crate::graph::read) reads back.
//!
//! A line an item: what is declared, the nodes, what is read and written. Attributes stand before
//! arguments, the type at the end: `%7 = reduce_sum [1] %6 : f32[N]`. Numbers are the shortest
//! that read back to the same bits. Places are not part of the graph's meaning: they are printed
//! on request, as comments (`; dense mlp.nn:4:12`), and not read back.

use crate::base::source::Sources;
use crate::base::tensor::DType;
use crate::graph::data::Scan;
use crate::graph::data::{Graph, Init, Node, UpdateTarget};
use crate::graph::kernels::{KernelKind, Kernels};
use crate::graph::op::{NodeId, Op, Range};
use crate::graph::origin::OriginId;
use crate::graph::window::Window;
use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};

impl Display for Graph {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        GraphText { graph: self, places: None }.fmt(f)
    }
}

/// A graph's text; see [`with_places`].
#[derive(Clone, Copy, Debug)]
pub struct GraphText<'a> {
    graph: &'a Graph,
    places: Option<&'a Sources>,
}

/// A graph's text with a comment on each line whose place is known: the layer's path and the
/// innermost place in a file of the user's.
pub fn with_places<'a>(graph: &'a Graph, sources: &'a Sources) -> GraphText<'a> {
    GraphText { graph, places: Some(sources) }
}

/// The text of a fused graph: what no kernel computes, then each kernel with its nodes and, after
/// the arrow, those that it writes to memory. For reading by people only.
pub fn print_kernels(kernels: &Kernels, sources: Option<&Sources>) -> String {
    let mut text = String::new();
    let graph = &kernels.graph;
    Grouped { kernels, text: GraphText { graph, places: sources } }
        .print(&mut text)
        .expect("a string takes all that is written to it");
    text
}

impl Display for GraphText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.declarations(f)?;
        self.graph.nodes.keys().try_for_each(|node| self.node(f, "    ", node))?;
        self.effects(f)
    }
}

impl GraphText<'_> {
    fn declarations(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        let graph = self.graph;
        writeln!(f, "graph {} {{", QuotedName(&graph.name))?;
        for (id, input) in graph.inputs.iter() {
            writeln!(f, "    {id} {}: {}", QuotedName(&input.name), input.ty)?;
        }
        for (id, param) in graph.params.iter() {
            write!(f, "    {id} {}: {} = {}", QuotedName(&param.path), param.ty, param.init)?;
            self.end(f, param.origin)?;
        }
        for (id, state) in graph.states.iter() {
            write!(f, "    {id} {}: {} = {}", QuotedName(&state.path), state.ty, state.init)?;
            self.end(f, state.origin)?;
        }
        for (id, hyper) in graph.hypers.iter() {
            writeln!(
                f,
                "    {id} {} = {}",
                QuotedName(&hyper.name),
                Number(hyper.value, DType::F64)
            )?;
        }
        for (id, Scan { steps, reverse }) in graph.scans.iter() {
            writeln!(f, "    {id} {steps} steps{}", if *reverse { " reverse" } else { "" })?;
        }
        for (id, carry) in graph.carries.iter() {
            writeln!(f, "    {id} of {}", carry.scan)?;
        }
        Ok(())
    }

    fn node(&self, f: &mut dyn fmt::Write, indent: &str, id: NodeId) -> fmt::Result {
        let node = &self.graph.nodes[id];
        write!(f, "{indent}{id} = ")?;
        operator(f, node)?;
        for (index, arg) in node.args.iter().enumerate() {
            write!(f, "{}{arg}", if index == 0 { " " } else { ", " })?;
        }
        write!(f, " : {}", node.ty)?;
        self.end(f, node.origin)
    }

    fn effects(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        for (id, carry) in self.graph.carries.iter() {
            if let Some(next) = carry.next {
                writeln!(f, "    next {id} = {next}")?;
            }
        }
        for output in &self.graph.outputs {
            writeln!(f, "    output {} = {}", QuotedName(&output.name.to_string()), output.node)?;
        }
        for update in &self.graph.updates {
            match update.target {
                UpdateTarget::Param(id) => writeln!(f, "    update {id} = {}", update.node)?,
                UpdateTarget::State(id) => writeln!(f, "    update {id} = {}", update.node)?,
            }
        }
        f.write_str("}\n")
    }

    /// Ends a line, with its place where that is wanted and known.
    fn end(&self, f: &mut dyn fmt::Write, origin: Option<OriginId>) -> fmt::Result {
        let (Some(sources), Some(origin)) = (self.places, origin) else { return writeln!(f) };
        let origins = &self.graph.origins;
        let in_users_file = |place: &&crate::graph::Origin| !sources.file(place.span.file).builtin;
        let innermost = origins.get(origin);
        let place = origins.chain(origin).find(in_users_file).unwrap_or(innermost);
        let path = &innermost.path;
        let gap = if path.is_empty() { "" } else { " " };
        writeln!(f, " ; {path}{gap}{}", sources.place(place.span))
    }
}

/// An operator's name and attributes; the type and the arguments say the rest.
fn operator(f: &mut dyn fmt::Write, node: &Node) -> fmt::Result {
    let name = node.op.name();
    match &node.op {
        Op::Input(id) => write!(f, "{id}"),
        Op::Param(id) => write!(f, "{id}"),
        Op::State(id) => write!(f, "{id}"),
        Op::Hyper(id) => write!(f, "{id}"),
        Op::Carry(id) => write!(f, "{id}"),
        Op::ScanSlice(id) | Op::ScanStack(id) => write!(f, "{name} {id}"),
        Op::Extent(dim) => write!(f, "{name} {dim}"),
        Op::Const(value, dtype) => write!(f, "{name} {}", Number(*value, *dtype)),
        Op::Iota { axis, .. } => write!(f, "{name} {axis}"),
        Op::Uniform { stream, .. } => write!(f, "{name} {stream}"),
        Op::Transpose(perm) => write!(f, "{name} {perm:?}"),
        Op::Slice(ranges) => {
            let ranges: Vec<String> = ranges.iter().map(Range::to_string).collect();
            write!(f, "{name} [{}]", ranges.join(", "))
        }
        Op::Concat(axis) | Op::ArgMax(axis) | Op::Gather(axis) => write!(f, "{name} {axis}"),
        Op::ScatterAdd { axis, .. } => write!(f, "{name} {axis}"),
        Op::Pad { amounts, value } => {
            let amounts: Vec<String> = amounts.iter().map(|(b, a)| format!("{b} + {a}")).collect();
            write!(f, "{name} [{}] {}", amounts.join(", "), Number(*value, node.ty.dtype))
        }
        Op::Reduce(_, axes) | Op::Variance(axes) => write!(f, "{name} {axes:?}"),
        // The type says the extents of a gradient.
        Op::Conv { window, groups }
        | Op::ConvInputGrad { window, groups, .. }
        | Op::ConvWeightGrad { window, groups } => {
            write!(f, "{name} {window}")?;
            if *groups == 1 { Ok(()) } else { write!(f, " groups {groups}") }
        }
        Op::MaxPool(window)
        | Op::MaxPoolIndex(window)
        | Op::MaxPoolGrad { window, .. }
        | Op::SumPool(window)
        | Op::SumPoolGrad { window, .. } => write!(f, "{name} {window}"),
        Op::MatMul { transpose_a, transpose_b } => {
            f.write_str(name)?;
            f.write_str(if *transpose_a { " transpose_a" } else { "" })?;
            f.write_str(if *transpose_b { " transpose_b" } else { "" })
        }
        // The node's type says to what these cast, broadcast or reshape.
        Op::Unary(_) | Op::Binary(_) | Op::Cast(_) | Op::Broadcast(_) | Op::Reshape(_) => {
            f.write_str(name)
        }
        other if Op::PLAIN.contains(other) => f.write_str(name),
        other => unreachable!("the attributes of {other:?} have no text"),
    }
}

/// Prints as `:` for the whole axis, else `start len n`, with `step s` where that is not 1.
impl Display for Range {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if *self == Range::ALL {
            return f.write_str(":");
        }
        write!(f, "{}", self.start)?;
        if let Some(len) = self.len {
            write!(f, " len {len}")?;
        }
        if self.step != 1 {
            write!(f, " step {}", self.step)?;
        }
        Ok(())
    }
}

/// Prints as its size, then what differs from a [`plain`](Window::plain) window:
/// `[3, 3] stride [2, 2] pad [1 + 1, 1 + 1] dilation [1, 2]`.
impl Display for Window {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plain = Window::plain(self.size);
        write!(f, "{:?}", self.size)?;
        if self.stride != plain.stride {
            write!(f, " stride {:?}", self.stride)?;
        }
        if self.pad != plain.pad {
            let [(top, bottom), (left, right)] = self.pad;
            write!(f, " pad [{top} + {bottom}, {left} + {right}]")?;
        }
        if self.dilation != plain.dilation {
            write!(f, " dilation {:?}", self.dilation)?;
        }
        Ok(())
    }
}

/// Prints as a call of the distribution's name: `normal(0.0, 0.02)`.
impl Display for Init {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let number = |value: f64| Number(value, DType::F64);
        match *self {
            Init::Constant(value) => write!(f, "constant({})", number(value)),
            Init::Normal { mean, std } => write!(f, "normal({}, {})", number(mean), number(std)),
            Init::TruncatedNormal { mean, std } => {
                write!(f, "truncated_normal({}, {})", number(mean), number(std))
            }
            Init::Uniform { low, high } => write!(f, "uniform({}, {})", number(low), number(high)),
            Init::Orthogonal { gain } => write!(f, "orthogonal({})", number(gain)),
        }
    }
}

/// An element of a type, as short as reads back to the same bits.
struct Number(f64, DType);

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Number(value, dtype) = *self;
        match dtype {
            _ if value.is_nan() => f.write_str("nan"),
            DType::F32 => write!(f, "{:?}", value as f32),
            DType::F64 => write!(f, "{value:?}"),
            DType::I32 | DType::U8 => write!(f, "{value}"),
            DType::Bool => f.write_str(if value == 0.0 { "false" } else { "true" }),
        }
    }
}

/// A name, in quotes where it is not a plain word.
struct QuotedName<'a>(&'a str);

/// Whether a character may stand in a name without quotes.
pub(super) fn is_plain(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.' | '^' | '-')
}

impl Display for QuotedName<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() && self.0.chars().all(is_plain) {
            return f.write_str(self.0);
        }
        let escaped = self.0.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "\"{escaped}\"")
    }
}

/// A fused graph's text.
struct Grouped<'a> {
    kernels: &'a Kernels,
    text: GraphText<'a>,
}

impl Grouped<'_> {
    fn print(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        let kernels = &self.kernels.kernels;
        let computed: HashSet<NodeId> =
            kernels.values().flat_map(|kernel| kernel.nodes.iter().copied()).collect();
        self.text.declarations(f)?;
        for node in self.kernels.graph.nodes.keys().filter(|node| !computed.contains(node)) {
            self.text.node(f, "    ", node)?;
        }
        for (id, kernel) in kernels.iter() {
            let results: Vec<String> = kernel.results.iter().map(NodeId::to_string).collect();
            writeln!(f, "    {id} {} -> {} {{", kind(kernel.kind), results.join(", "))?;
            kernel.nodes.iter().try_for_each(|&node| self.text.node(f, "        ", node))?;
            writeln!(f, "    }}")?;
        }
        self.text.effects(f)
    }
}

fn kind(kind: KernelKind) -> &'static str {
    match kind {
        KernelKind::Contraction => "contraction",
        KernelKind::Rows => "rows",
        KernelKind::Attention => "attention",
        KernelKind::Columns => "columns",
        KernelKind::Window => "window",
        KernelKind::Move => "move",
        KernelKind::Scan => "scan",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entity::Entity;
    use crate::graph::bound::BoundGraph;
    use crate::graph::kernels::FusedKernel;
    use crate::graph::read;

    #[test]
    fn kernels_group_their_nodes() {
        let text = "graph g {
    input0 x: f32[2, 3]
    %0 = input0 : f32[2, 3]
    %1 = exp %0 : f32[2, 3]
    %2 = reduce_sum [1] %1 : f32[2]
    output y = %2
}
";
        let graph = read(text).expect("a graph");
        let node = NodeId::from_index;
        let kernel = FusedKernel {
            kind: KernelKind::Rows,
            nodes: vec![node(1), node(2)],
            results: vec![node(2)],
        };
        let kernels =
            Kernels { graph: BoundGraph::new(graph), kernels: [kernel].into_iter().collect() };
        assert_eq!(
            print_kernels(&kernels, None),
            "graph g {
    input0 x: f32[2, 3]
    %0 = input0 : f32[2, 3]
    kernel0 rows -> %2 {
        %1 = exp %0 : f32[2, 3]
        %2 = reduce_sum [1] %1 : f32[2]
    }
    output y = %2
}
"
        );
    }
}
