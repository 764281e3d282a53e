//! Kernels that differ only in which values they read and write are lowered once.
//!
//! ```text
//! block_3.conv, block_4.conv: convolutions of one shape, a batch norm's factors, relu
//! lowered:  block_3.conv → requests of the step: buffer of %80, result %84, run k17 on these
//! alike:    block_4.conv → the same requests, with %97 for %80 and %101 for %84
//! ```
//!
//! The [`Form`] of a kernel holds all that its lowering may depend on, with nodes by their order
//! instead of their numbers. Lowering of the first kernel of a form is recorded as [`BuilderRequest`]s of
//! the step; for the others these are repeated, so that buffers are made and named in the same
//! order as if each had been lowered by itself. Code that tests indices names their operator, so that
//! no other kernel may have it: its recording is given up. A form says nothing about names for people.

use crate::base::tensor::DType;
use crate::graph::kernels::{FusedKernel, KernelKind};
use crate::graph::{BoundGraph, NodeId, Op, OpKind, ParamId, UpdateTarget};
use crate::loops::{BufferId, KernelId, Space};
use crate::lower::StepBuilder;
use crate::lower::title::Title;
use crate::schedule::globals::ParamLayout;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use std::hash::{Hash, Hasher};
use std::mem::discriminant;
use std::rc::Rc;

/// All that the lowering of a kernel depends on.
#[derive(Debug, PartialEq)]
struct Form<'a> {
    kind: KernelKind,
    in_scan: bool,
    /// The kernel's own nodes and its results, by their places among all.
    own: Vec<u32>,
    results: Vec<u32>,
    entries: Vec<Entry<'a>>,
}

/// A node that the kernel computes or reads, or that leads to what it reads.
#[derive(Debug, PartialEq)]
struct Entry<'a> {
    dtype: DType,
    extents: &'a [usize],
    /// How it is computed; `None` where it is only read from memory.
    op: Option<&'a Op>,
    /// The arguments of `op`, by their places.
    args: Vec<u32>,
    /// Where it lies, if in memory.
    memory: Option<Memory>,
    /// Whether it is an output or becomes a parameter's or state's value.
    outlives: bool,
    /// Whether it is a table of which only used rows are written.
    by_rows: bool,
    /// The node itself if it is uniform: code names its element of the uniform buffer.
    uniform: Option<NodeId>,
}

/// Where a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Memory {
    class: MemoryClass,
    /// Values of one number lie in one buffer: the old value of a parameter and the new one.
    alias: u32,
}

/// The kind of that memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum MemoryClass {
    Input,
    Param,
    State,
    /// A result of an earlier kernel.
    Made(Space),
    /// A result of this kernel.
    Own,
}

/// The key of a buffer before it is made.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Target(UpdateTarget),
    Node(NodeId),
}

/// A request that lowering makes of the step.
#[derive(Clone, Copy, Debug)]
pub enum BuilderRequest {
    /// The buffer of a value in memory.
    Buffer(NodeId),
    /// The buffer for a result.
    Result(NodeId),
    /// The buffer for a result that every thread computes for itself.
    Thread(NodeId),
    /// A buffer that holds no node's value: its type, length and space.
    New(DType, usize, Space),
    /// The element of a uniform value.
    Uniform(NodeId),
    /// A second layout of a parameter, and whether it was given.
    Derived(ParamId, ParamLayout, bool),
    /// A value lies in memory from now on.
    Store(NodeId),
}

/// An event while a kernel was lowered.
#[derive(Debug)]
enum LoweringEvent {
    Asked(BuilderRequest),
    /// A kernel of loops ran, on buffers by the number of the first request that gave each.
    Run(KernelId, Vec<usize>, Title),
}

/// The lowering that is being recorded.
#[derive(Debug, Default)]
pub struct Recording {
    events: Vec<LoweringEvent>,
    /// The buffers that requests have given.
    given: Vec<BufferId>,
}

impl Recording {
    /// Adds a request that gives no buffer.
    pub fn asked(&mut self, request: BuilderRequest) {
        self.events.push(LoweringEvent::Asked(request));
    }

    /// Adds a request and the buffer that it gave.
    pub fn gave(&mut self, request: BuilderRequest, buffer: BufferId) {
        self.asked(request);
        self.given.push(buffer);
    }

    /// Adds the run of a kernel of loops.
    pub fn ran(&mut self, kernel: KernelId, args: &[BufferId], title: Title) {
        let given = |arg: &BufferId| {
            self.given.iter().position(|buffer| buffer == arg).expect("a buffer that was asked for")
        };
        let args = args.iter().map(given).collect();
        self.events.push(LoweringEvent::Run(kernel, args, title));
    }
}

/// A kernel that was lowered.
struct RecordedKernel<'a> {
    form: Form<'a>,
    /// The nodes of the form's entries.
    nodes: Vec<NodeId>,
    events: Vec<LoweringEvent>,
}

/// The kernels lowered so far, by a hash of their forms.
#[derive(Default)]
pub struct Known<'a> {
    kernels: FxHashMap<u64, Vec<Rc<RecordedKernel<'a>>>>,
}

/// Lowers a kernel, by `work` if none of its form has been lowered yet.
pub fn lower<'a>(
    step: &mut StepBuilder<'a>,
    kernel: &FusedKernel,
    work: impl FnOnce(&mut StepBuilder<'a>, &FusedKernel),
) {
    let (form, nodes) = Form::of(step, kernel);
    let hash = form.hash();
    let alike = step.known.kernels.get(&hash).into_iter().flatten();
    let known = alike.into_iter().find(|known| known.form == form);
    if let Some(known) = known.filter(|known| known.answers_hold(step, &nodes)).cloned() {
        return known.repeat(step, &nodes);
    }
    step.recording = Some(Recording::default());
    work(step, kernel);
    if let Some(Recording { events, .. }) = step.recording.take() {
        let lowered = RecordedKernel { form, nodes, events };
        step.known.kernels.entry(hash).or_default().push(Rc::new(lowered));
    }
}

impl RecordedKernel<'_> {
    /// The node that takes the place of one of this kernel's in a kernel of the same form.
    fn map(&self, nodes: &[NodeId], node: NodeId) -> NodeId {
        let at = self.nodes.binary_search(&node).expect("lowering depends on the form alone");
        nodes[at]
    }

    /// The parameter that takes the place of one that this kernel reads.
    fn map_param(&self, graph: &BoundGraph, nodes: &[NodeId], param: ParamId) -> ParamId {
        let reads = |node: &&NodeId| graph.nodes[**node].op == Op::Param(param);
        let node = self.nodes.iter().find(reads).expect("lowering depends on the form alone");
        match graph.nodes[self.map(nodes, *node)].op {
            Op::Param(param) => param,
            ref other => unreachable!("{other:?} in place of a parameter"),
        }
    }

    /// Whether the step would answer the requests for layouts as it did: a layout that a parameter
    /// has already, or that nobody would keep up to date, is not given.
    fn answers_hold(&self, step: &StepBuilder, nodes: &[NodeId]) -> bool {
        let mut asked = FxHashSet::default();
        self.events.iter().all(|event| match *event {
            LoweringEvent::Asked(BuilderRequest::Derived(param, layout, given)) => {
                let param = self.map_param(step.graph, nodes, param);
                // Two requests about one parameter may depend on each other.
                asked.insert(param) && step.would_derive(param, layout) == given
            }
            _ => true,
        })
    }

    /// Repeats what was done for this kernel, for one of the same form.
    fn repeat(&self, step: &mut StepBuilder, nodes: &[NodeId]) {
        let mut given = Vec::new();
        for event in &self.events {
            match event {
                LoweringEvent::Asked(request) => given.extend(self.ask(step, nodes, *request)),
                LoweringEvent::Run(kernel, args, title) => {
                    let args = args.iter().map(|&arg| given[arg]).collect();
                    step.run_again(*kernel, args, title.with_nodes(|node| self.map(nodes, node)));
                }
            }
        }
    }

    fn ask(
        &self,
        step: &mut StepBuilder,
        nodes: &[NodeId],
        request: BuilderRequest,
    ) -> Option<BufferId> {
        match request {
            BuilderRequest::Buffer(node) => Some(step.buffer(self.map(nodes, node))),
            BuilderRequest::Result(node) => Some(step.result_buffer(self.map(nodes, node))),
            BuilderRequest::Thread(node) => Some(step.thread_buffer(self.map(nodes, node))),
            BuilderRequest::New(dtype, len, space) => Some(step.new_buffer(dtype, len, space)),
            BuilderRequest::Uniform(node) => Some(step.uniform(node).0),
            BuilderRequest::Derived(param, layout, _) => {
                step.derived(self.map_param(step.graph, nodes, param), layout)
            }
            BuilderRequest::Store(node) => {
                step.store(self.map(nodes, node));
                None
            }
        }
    }
}

impl<'a> Form<'a> {
    /// The form of a kernel and the nodes of its entries, in ascending order.
    fn of(step: &StepBuilder<'a>, kernel: &FusedKernel) -> (Form<'a>, Vec<NodeId>) {
        let graph = step.graph;
        let own: FxHashSet<NodeId> = kernel.nodes.iter().copied().collect();
        let follows = |node: NodeId| {
            own.contains(&node)
                || graph.is_view(node)
                || !step.in_memory(node) && !is_uniform(graph, node)
        };
        let mut nodes = kernel.nodes.clone();
        let mut seen = own.clone();
        let mut next = 0;
        while let Some(&node) = nodes.get(next) {
            next += 1;
            if follows(node) {
                nodes.extend(graph.nodes[node].args.iter().filter(|arg| seen.insert(**arg)));
            }
        }
        nodes.sort_unstable();
        let at = |node: &NodeId| nodes.binary_search(node).expect("a node of the form") as u32;
        let mut places = Vec::new();
        let entry = |&node: &NodeId| {
            let uniform = is_uniform(graph, node).then_some(node);
            let op = &graph.nodes[node].op;
            let computed = follows(node) && uniform.is_none() && op.kind() != OpKind::Given;
            let op = computed.then_some(op);
            let args = if computed { &graph.nodes[node].args[..] } else { &[] };
            Entry {
                dtype: graph.ty(node).dtype,
                extents: graph.extents(node),
                op,
                args: args.iter().map(at).collect(),
                memory: memory(step, &own, node, &mut places),
                outlives: step.outlives(node),
                by_rows: step.used_rows.contains(&node),
                uniform,
            }
        };
        let entries = nodes.iter().map(entry).collect();
        let own = kernel.nodes.iter().map(at).collect();
        let results = kernel.results.iter().map(at).collect();
        let in_scan = kernel.nodes.iter().any(|&node| step.is_in_scan(node));
        (Form { kind: kernel.kind, in_scan, own, results, entries }, nodes)
    }

    /// A hash that equal forms share.
    fn hash(&self) -> u64 {
        let mut hasher = FxHasher::default();
        (discriminant(&self.kind), self.in_scan, &self.own, &self.results).hash(&mut hasher);
        for Entry { dtype, extents, op, args, memory, outlives, by_rows, uniform } in &self.entries
        {
            (dtype, extents, op.map(discriminant), args).hash(&mut hasher);
            (memory, outlives, by_rows, uniform).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// Whether a value is uniform: computed once a step, outside of kernels.
fn is_uniform(graph: &BoundGraph, node: NodeId) -> bool {
    graph.ty(node).dtype == DType::F64
}

/// Where a value lies; `places` are those met before, in the order of their numbers.
fn memory(
    step: &StepBuilder,
    own: &FxHashSet<NodeId>,
    node: NodeId,
    places: &mut Vec<Place>,
) -> Option<Memory> {
    let (class, place) = match step.graph.nodes[node].op {
        Op::Input(_) => (MemoryClass::Input, Place::Node(node)),
        Op::Param(id) => (MemoryClass::Param, Place::Target(UpdateTarget::Param(id))),
        Op::State(id) => (MemoryClass::State, Place::Target(UpdateTarget::State(id))),
        _ if !step.in_memory(node) => return None,
        _ => {
            let class = match step.space(node) {
                Some(space) if !own.contains(&node) => MemoryClass::Made(space),
                _ => MemoryClass::Own,
            };
            (class, step.written_in_place(node).map_or(Place::Node(node), Place::Target))
        }
    };
    let alias = places.iter().position(|known| *known == place).unwrap_or_else(|| {
        places.push(place);
        places.len() - 1
    });
    Some(Memory { class, alias: u32::try_from(alias).expect("few places") })
}
