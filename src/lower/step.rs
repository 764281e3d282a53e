//! The program being made: where every value is, and the runs of kernels so far.
//!
//! Takes requests from the kernels' lowering: the buffer of a value, a place for a result, a
//! uniform value, a tested index, another layout of a parameter; keeps what the program needs for them.
//! Results that are outputs or updates are computed right into their buffers where they can be;
//! [`StepBuilder::finish`] copies the others.

mod loops;
mod params;

use crate::base::tensor::DType;
use crate::graph::kernels::{self, KernelKind, Kernels};
use crate::graph::scan::Bodies;
use crate::graph::view::{View, row_major};
use crate::graph::{BoundGraph, NodeId, Op, OpKind, Param, ParamId, UpdateTarget};
use crate::loops::{Action, Buffer, BufferId, Kernel, KernelId, Program, Space, StepIo};
use crate::lower::alike::{BuilderRequest, Known, Recording};
use crate::lower::title::{Title, TitleSubject};
use crate::lower::uniform::Collected;
use crate::lower::writer::Written;
use crate::lower::{is_conv, layouts, moves};
use crate::schedule::globals::{Globals, ParamLayout};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use std::hash::{Hash, Hasher};

/// A name and a node for a run of a kernel, for profiles and faults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelInfo {
    /// The layer and operator: `dense.matmul`. Equal kernels are one, so a kernel's own name may be
    /// another run's.
    pub title: Title,
    /// The node that says where it comes from; none for what no operator asks for.
    pub node: Option<NodeId>,
}

/// Copies of values that stand elsewhere when the step is done.
const OUTPUT: Title = Title::new(TitleSubject::Step("output"));
const UPDATE: Title = Title::new(TitleSubject::Step("update"));

/// A program whose actions are runs in an order that is right on one thread, what each is for, and
/// the nodes whose indices are tested.
pub type Finished = (Program, Vec<KernelInfo>, Vec<NodeId>);

/// A step's program being made.
pub struct StepBuilder<'a> {
    /// The graph.
    pub graph: &'a BoundGraph,
    bodies: &'a Bodies,
    /// The program so far.
    pub program: Program,
    /// Info on each of its actions.
    infos: Vec<KernelInfo>,
    /// The node that what runs next is for.
    source: Option<NodeId>,
    /// The nodes whose indices are tested.
    pub bounds_checks: Vec<NodeId>,
    globals: &'a mut Globals,
    /// The nodes that kernels write.
    stored: FxHashSet<NodeId>,
    in_place: FxHashMap<NodeId, UpdateTarget>,
    buffers: FxHashMap<NodeId, BufferId>,
    names: FxHashMap<String, BufferId>,
    /// The kernels of the program by a hash of what they declare.
    alike: FxHashMap<u64, Vec<KernelId>>,
    uniforms: Collected,
    /// Where scans want the values of their steps.
    expected: FxHashMap<NodeId, BufferId>,
    /// Old values of parameters and states that become new ones of others.
    old: FxHashMap<NodeId, BufferId>,
    /// The tables of which only used rows are written.
    pub used_rows: FxHashSet<NodeId>,
    /// The kernels lowered so far.
    pub known: Known<'a>,
    /// The lowering of the kernel that is being lowered.
    pub recording: Option<Recording>,
}

impl<'a> StepBuilder<'a> {
    /// A program with the graph's inputs and nothing to do.
    pub fn new(
        kernels: &'a Kernels,
        bodies: &'a Bodies,
        in_place: FxHashMap<NodeId, UpdateTarget>,
        globals: &'a mut Globals,
    ) -> Self {
        let graph = &kernels.graph;
        for param in graph.params.values() {
            let len = param.ty.shape.extents().expect("a parameter's shape").iter().product();
            globals.place(&param.path, param.ty.dtype, len);
        }
        for state in graph.states.values() {
            let len = state.ty.shape.extents().expect("a state's shape").iter().product();
            globals.place(&state.path, state.ty.dtype, len);
        }
        let results = kernels.kernels.values().flat_map(|kernel| kernel.results.iter().copied());
        let mut step = StepBuilder {
            graph,
            bodies,
            program: Program { name: graph.name.clone(), ..Program::default() },
            infos: Vec::new(),
            source: None,
            bounds_checks: Vec::new(),
            globals,
            stored: results.collect(),
            in_place,
            buffers: FxHashMap::default(),
            names: FxHashMap::default(),
            alike: FxHashMap::default(),
            uniforms: Collected::default(),
            expected: FxHashMap::default(),
            old: FxHashMap::default(),
            used_rows: FxHashSet::default(),
            known: Known::default(),
            recording: None,
        };
        for input in graph.inputs.values() {
            let len = input.ty.shape.extents().expect("a bound batch").iter().product();
            let name = StepIo::input_name(&input.name);
            let buffer = step.named(name, input.ty.dtype, len, Space::Pinned);
            step.program.io.inputs.push((input.name.clone(), buffer));
        }
        step
    }

    /// Whether a value lies in memory: a leaf, or a kernel's result.
    pub fn in_memory(&self, node: NodeId) -> bool {
        self.graph.nodes[node].op.kind() == OpKind::Given || self.stored.contains(&node)
    }

    /// From now on a value lies in memory: a kernel has been cut in two at it.
    pub fn store(&mut self, node: NodeId) {
        self.stored.insert(node);
        self.asked(BuilderRequest::Store(node));
    }

    /// The target whose buffer a node is computed into.
    pub fn written_in_place(&self, node: NodeId) -> Option<UpdateTarget> {
        self.in_place.get(&node).copied()
    }

    /// The kind of memory that a value has been given, if it has.
    pub fn space(&self, node: NodeId) -> Option<Space> {
        self.buffers.get(&node).map(|&buffer| self.program.buffers[buffer].space)
    }

    fn asked(&mut self, request: BuilderRequest) {
        if let Some(recording) = &mut self.recording {
            recording.asked(request);
        }
    }

    fn gave(&mut self, request: BuilderRequest, buffer: BufferId) -> BufferId {
        if let Some(recording) = &mut self.recording {
            recording.gave(request, buffer);
        }
        buffer
    }

    /// How a value is read from memory.
    pub fn view(&self, node: NodeId) -> View {
        if self.in_memory(node) {
            return View::whole(node, self.graph.extents(node));
        }
        self.view_of_copy(node).unwrap_or_else(|| panic!("{node} is not in memory"))
    }

    /// How a view's elements are read from memory, though the view may itself be a copy there.
    pub fn view_of_copy(&self, node: NodeId) -> Option<View> {
        if !self.graph.is_view(node) {
            return None;
        }
        let source =
            self.graph.base_or(self.graph.nodes[node].args[0], |node| self.in_memory(node));
        if !self.in_memory(source) {
            return None;
        }
        let arg = self.view(self.graph.nodes[node].args[0]);
        arg.through(&self.graph.nodes[node].op, self.graph.extents(node))
    }

    /// How a value is read, if it is memory outside of a kernel.
    pub fn memory_view(&self, node: NodeId, inside: &impl Fn(NodeId) -> bool) -> Option<View> {
        let source = self.graph.base_or(node, |node| inside(node) || self.in_memory(node));
        (!inside(source) && self.in_memory(source)).then(|| self.view(node))
    }

    /// The buffer of a value in memory.
    pub fn buffer(&mut self, node: NodeId) -> BufferId {
        let buffer = self.buffer_of(node);
        self.gave(BuilderRequest::Buffer(node), buffer)
    }

    fn buffer_of(&mut self, node: NodeId) -> BufferId {
        if let Some(&buffer) = self.buffers.get(&node) {
            return buffer;
        }
        let dtype = self.graph.ty(node).dtype;
        let len = self.graph.elements(node);
        let (name, space) = match &self.graph.nodes[node].op {
            Op::Input(id) => (StepIo::input_name(&self.graph.inputs[*id].name), Space::Pinned),
            Op::Param(id) => (self.graph.params[*id].path.clone(), Space::Global),
            Op::State(id) => (self.graph.states[*id].path.clone(), Space::Global),
            other => unreachable!("{node} {other:?} is read before it is written"),
        };
        let buffer = self.named(name, dtype, len, space);
        self.buffers.insert(node, buffer);
        buffer
    }

    /// The buffer that a kernel writes a result to.
    pub fn result_buffer(&mut self, node: NodeId) -> BufferId {
        let dtype = self.graph.ty(node).dtype;
        let len = self.graph.elements(node);
        let output = self.graph.outputs.iter().find(|output| self.root(output.node) == node);
        let buffer = match (output, self.in_place.get(&node).copied()) {
            _ if self.expected.contains_key(&node) => self.expected[&node],
            (Some(output), _) => {
                self.named(StepIo::output_name(&output.name), dtype, len, Space::Pinned)
            }
            (None, Some(target)) => self.target(target, dtype, len),
            (None, None) => self.named(node.to_string(), dtype, len, Space::Scratch),
        };
        self.buffers.insert(node, buffer);
        self.gave(BuilderRequest::Result(node), buffer)
    }

    /// Whether a result is an output, becomes a parameter's or state's value or is kept by a scan.
    pub fn outlives(&self, node: NodeId) -> bool {
        self.in_place.contains_key(&node)
            || self.expected.contains_key(&node)
            || self.graph.outputs.iter().any(|output| self.root(output.node) == node)
    }

    /// The buffer for a result that every thread computes for itself.
    pub fn thread_buffer(&mut self, node: NodeId) -> BufferId {
        let (dtype, len) = (self.graph.ty(node).dtype, self.graph.elements(node));
        let buffer = self.named(node.to_string(), dtype, len, Space::Thread);
        self.buffers.insert(node, buffer);
        self.gave(BuilderRequest::Thread(node), buffer)
    }

    /// A buffer that holds no node's value.
    pub fn new_buffer(&mut self, dtype: DType, len: usize, space: Space) -> BufferId {
        let name = format!("t{}", self.program.buffers.len());
        let buffer = self.named(name, dtype, len, space);
        self.gave(BuilderRequest::New(dtype, len, space), buffer)
    }

    fn named(&mut self, name: String, dtype: DType, len: usize, space: Space) -> BufferId {
        if let Some(&known) = self.names.get(&name) {
            return known;
        }
        if space == Space::Global {
            self.globals.place(&name, dtype, len);
        }
        let buffer = Buffer { name: name.clone(), dtype, len, space, offset: None, part: None };
        let buffer = self.program.buffers.push(buffer);
        self.names.insert(name, buffer);
        buffer
    }

    /// The buffer of the flags of a table's rows.
    pub fn flags(&mut self, table: NodeId) -> BufferId {
        let rows = self.graph.extents(table)[0];
        self.named(format!("{table}.used"), DType::I32, rows, Space::Scratch)
    }

    fn target(&mut self, target: UpdateTarget, dtype: DType, len: usize) -> BufferId {
        let path = match target {
            UpdateTarget::Param(id) => self.graph.params[id].path.clone(),
            UpdateTarget::State(id) => self.graph.states[id].path.clone(),
        };
        self.named(path, dtype, len, Space::Global)
    }

    /// The type and length of a buffer.
    pub fn shape_of(&self, buffer: BufferId) -> (DType, usize) {
        let buffer = &self.program.buffers[buffer];
        (buffer.dtype, buffer.len)
    }

    /// The value in memory that an output or update stands for: itself, or what it is a plain
    /// reshape of.
    pub fn root(&self, node: NodeId) -> NodeId {
        if self.in_memory(node) || !self.graph.is_view(node) {
            return node;
        }
        match self.view_of_copy(node) {
            Some(view) if view.is_whole() => view.base,
            _ => node,
        }
    }

    /// The buffer and element of a uniform value.
    pub fn uniform(&mut self, node: NodeId) -> (BufferId, usize) {
        let element = self.uniforms.element(self.graph, node);
        let buffer = self.named("uniforms".into(), DType::F32, 0, Space::Pinned);
        self.program.buffers[buffer].len = self.uniforms.count();
        (self.gave(BuilderRequest::Uniform(node), buffer), element)
    }

    /// The number by which a fault names a node whose indices are tested.
    pub fn site(&mut self, node: NodeId) -> u32 {
        let at = self.bounds_checks.iter().position(|&known| known == node).unwrap_or_else(|| {
            self.bounds_checks.push(node);
            self.bounds_checks.len() - 1
        });
        // The number is in the code, which is this kernel's alone.
        self.recording = None;
        u32::try_from(at).expect("few sites")
    }

    /// Whether [`StepBuilder::derived`] would give that layout.
    pub fn would_derive(&self, param: ParamId, layout: ParamLayout) -> bool {
        self.globals.would_derive(&self.graph.params[param].path, layout)
    }

    /// The title of what a kernel is lowered to: its layer and the kind of kernel.
    pub fn title(&self, kernel: &kernels::FusedKernel) -> Title {
        let node =
            *kernel.results.last().or(kernel.nodes.last()).expect("a kernel computes something");
        let kind = match kernel.kind {
            KernelKind::Contraction if is_conv(self.graph, kernel) => "conv",
            KernelKind::Contraction => "matmul",
            KernelKind::Rows => "rows",
            KernelKind::Attention => "scores",
            KernelKind::Columns => "columns",
            KernelKind::Window => "window",
            KernelKind::Move => "move",
            KernelKind::Scan => "scan",
        };
        let updates = kernel.nodes.iter().any(|node| self.in_place.contains_key(node));
        Title::new(TitleSubject::Node(node, if updates { Title::UPDATES } else { kind }))
    }

    /// Runs a kernel; equal ones are kept once.
    pub fn run(&mut self, Written { kernel, title, args }: Written) {
        let id = self.intern(kernel, title);
        if let Some(recording) = &mut self.recording {
            recording.ran(id, &args, title);
        }
        self.run_again(id, args, title);
    }

    /// Runs a kernel of the program.
    pub fn run_again(&mut self, kernel: KernelId, args: Vec<BufferId>, title: Title) {
        self.infos.push(KernelInfo { title, node: self.source });
        self.program.actions.push(Action::Run { kernel, args });
    }

    /// Attributes the runs that follow to a kernel of the graph: to its contraction where it has
    /// one, else for its last result.
    pub fn begin_kernel(&mut self, kernel: &kernels::FusedKernel) {
        let contracts = |node: &&NodeId| self.graph.nodes[**node].op.kind().contracts();
        let contraction = kernel.nodes.iter().rfind(contracts);
        self.source = contraction.or(kernel.results.last()).or(kernel.nodes.last()).copied();
    }

    fn intern(&mut self, mut kernel: Kernel, title: Title) -> KernelId {
        let mut hasher = FxHasher::default();
        kernel.parts.hash(&mut hasher);
        kernel.slots.values().for_each(|slot| slot.hash(&mut hasher));
        kernel.vars.values().for_each(|extent| extent.hash(&mut hasher));
        kernel.regs.values().for_each(|dtype| dtype.hash(&mut hasher));
        let alike = self.alike.entry(hasher.finish()).or_default();
        let equal = |known: &Kernel| {
            (known.parts, &known.slots, &known.vars, &known.regs, &known.body)
                == (kernel.parts, &kernel.slots, &kernel.vars, &kernel.regs, &kernel.body)
        };
        let known = alike.iter().copied().find(|&id| equal(&self.program.kernels[id]));
        known.unwrap_or_else(|| {
            kernel.name = title.text(self.graph);
            let id = self.program.kernels.push(kernel);
            alike.push(id);
            id
        })
    }

    /// Brings the derived layouts of the parameters that `kernel` writes up to date.
    pub fn refresh_written(&mut self, kernel: &kernels::FusedKernel) {
        for node in &kernel.results {
            if let Some(&UpdateTarget::Param(param)) = self.in_place.get(node) {
                self.refresh(param);
            }
        }
    }

    fn refresh(&mut self, id: ParamId) {
        let Param { path, ty, .. } = &self.graph.params[id];
        let layouts: Vec<ParamLayout> = self.globals.derived(path).collect();
        for layout in layouts {
            let title = Title::new(TitleSubject::Layout(id, layout.suffix()));
            let from = self.named(path.clone(), ty.dtype, layout.len(), Space::Global);
            let to = self.named(title.text(self.graph), ty.dtype, layout.len(), Space::Global);
            let run = layouts::write(self, from, to, layout, title);
            self.run(run);
        }
    }

    /// Copies the leaves that are outputs or become new values, before anything is written.
    pub fn begin(&mut self) {
        let is_leaf = |step: &Self, node: NodeId| step.graph.nodes[node].op.kind() == OpKind::Given;
        for output in &self.graph.outputs {
            let root = self.root(output.node);
            if is_leaf(self, root) {
                let (dtype, len) = (self.graph.ty(root).dtype, self.graph.elements(root));
                let name = StepIo::output_name(&output.name);
                let to = self.named(name, dtype, len, Space::Pinned);
                self.copy_root(root, to, OUTPUT);
            }
        }
        for update in &self.graph.updates {
            let root = self.root(update.node);
            if is_leaf(self, root) && !self.old.contains_key(&root) {
                let (dtype, len) = (self.graph.ty(root).dtype, self.graph.elements(root));
                let to = self.new_buffer(dtype, len, Space::Scratch);
                self.copy_root(root, to, UPDATE);
                self.old.insert(root, to);
            }
        }
    }

    /// Copies what is not yet where it must be, and completes the tables.
    pub fn finish(mut self) -> Finished {
        for output in &self.graph.outputs {
            let root = self.root(output.node);
            let (dtype, len) = (self.graph.ty(root).dtype, self.graph.elements(root));
            let name = StepIo::output_name(&output.name);
            let known = self.names.get(&name).copied();
            let buffer = known.unwrap_or_else(|| {
                let to = self.named(name, dtype, len, Space::Pinned);
                self.copy_root(root, to, OUTPUT);
                to
            });
            self.program.io.outputs.push((output.name.clone(), buffer));
        }
        self.program.io.outputs.sort_by_key(|&(_, buffer)| buffer);
        for update in &self.graph.updates {
            let root = self.root(update.node);
            let (dtype, len) = (self.graph.ty(root).dtype, self.graph.elements(root));
            let to = self.target(update.target, dtype, len);
            if let Some(&old) = self.old.get(&root) {
                self.buffers.insert(root, old);
            }
            if self.copy_root(root, to, UPDATE)
                && let UpdateTarget::Param(param) = update.target
            {
                self.refresh(param);
            }
        }
        self.refresh_all();
        self.globals.trained |= !self.graph.updates.is_empty();
        self.program.uniforms = self.uniforms.finish(self.graph);
        self.program.uniforms.buffer = self.names.get("uniforms").copied();
        (self.program, self.infos, self.bounds_checks)
    }

    /// Copies a value, unless that is where it was computed.
    fn copy_root(&mut self, root: NodeId, to: BufferId, title: Title) -> bool {
        let from = self.buffer(root);
        if from == to {
            return false;
        }
        self.source = Some(root);
        let shape = self.graph.extents(root);
        let view = View::whole(root, shape);
        moves::copy_between(self, (from, &view), to, 0, &row_major(shape), title);
        true
    }

    /// Adds the runs that the caller makes after writing parameters.
    fn refresh_all(&mut self) {
        let used: Vec<ParamId> = self
            .graph
            .params
            .iter()
            .filter(|(_, param)| {
                let name = |layout: ParamLayout| format!("{}{}", param.path, layout.suffix());
                self.globals.derived(&param.path).any(|it| self.names.contains_key(&name(it)))
            })
            .map(|(id, _)| id)
            .collect();
        for param in used {
            let before = self.program.actions.len();
            self.refresh(param);
            self.infos.truncate(before);
            let refreshing = self.program.actions.split_off(before);
            self.program.refresh.extend(refreshing);
        }
    }
}
