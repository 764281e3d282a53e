//! The loops: plain data. `mod.rs` explains them.

use crate::base::entity::Arena;
pub use crate::base::scalar::{Binary, Reduce, Unary};
use crate::base::step_output::StepOutput;
use crate::base::tensor::DType;
pub use crate::loops::access::{Access, Affine, BufferId, KernelId, RegId, SlotId, VarId};
use crate::loops::tile::Tile;
use crate::loops::uniform::Uniforms;

/// One step: what all threads run together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// Its name in text forms.
    pub name: String,
    /// All memory that it touches.
    pub buffers: Arena<BufferId, Buffer>,
    /// The code; a kernel may be run more than once, on different buffers.
    pub kernels: Arena<KernelId, Kernel>,
    /// Runs and barriers of a step, in order.
    pub actions: Vec<Action>,
    /// Runs to make once after the caller has written parameters: they bring derived layouts
    /// (a transposed weight) up to date. The actions themselves keep them so.
    pub refresh: Vec<Action>,
    /// Scalars that are computed once a step, before the actions.
    pub uniforms: Uniforms,
    /// Which buffers its inputs and outputs are.
    pub io: StepIo,
}

/// The buffers that a step's caller fills and reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepIo {
    /// The inputs by their names in the graph, in the order of their buffers.
    pub inputs: Vec<(String, BufferId)>,
    /// The outputs, in the order of their buffers.
    pub outputs: Vec<(StepOutput, BufferId)>,
}

impl StepIo {
    /// The buffer of an input; none of one that the step does not have.
    pub fn input(&self, name: &str) -> Option<BufferId> {
        self.inputs.iter().find(|(known, _)| known == name).map(|&(_, buffer)| buffer)
    }

    /// The buffer of an output; none of one that the step does not have.
    pub fn output(&self, output: &StepOutput) -> Option<BufferId> {
        self.outputs.iter().find(|(known, _)| known == output).map(|&(_, buffer)| buffer)
    }

    /// The metrics, by their names.
    pub fn metrics(&self) -> impl Iterator<Item = (&str, BufferId)> {
        self.outputs.iter().filter_map(|(output, buffer)| Some((output.metric()?, *buffer)))
    }

    /// As the text form has it, in the names of pinned buffers.
    pub(super) fn of_names(buffers: &Arena<BufferId, Buffer>) -> StepIo {
        let mut io = StepIo::default();
        for (id, buffer) in buffers.iter().filter(|(_, buffer)| buffer.space == Space::Pinned) {
            if let Some(name) = buffer.name.strip_prefix(INPUT) {
                io.inputs.push((name.to_owned(), id));
            } else if let Some(output) = buffer.name.strip_prefix(OUTPUT) {
                io.outputs.push((StepOutput::from(output), id));
            }
        }
        io
    }

    /// The name of an input's buffer in the text form: `input.image`.
    pub fn input_name(name: &str) -> String {
        format!("{INPUT}{name}")
    }

    /// The name of an output's buffer in the text form: `output.loss`.
    pub fn output_name(output: &StepOutput) -> String {
        format!("{OUTPUT}{output}")
    }
}

/// Prefixes of the names of inputs' and outputs' buffers.
const INPUT: &str = "input.";
const OUTPUT: &str = "output.";

/// One entry of a step's list, which every thread follows in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Every thread runs its share of a kernel.
    Run {
        /// The kernel.
        kernel: KernelId,
        /// A buffer for each of its slots.
        args: Vec<BufferId>,
    },
    /// The actions of the body, once for each step of a scan. Bodies hold no loops.
    Loop {
        /// How often.
        steps: usize,
        /// Whether parts of buffers are taken from the last to the first.
        reverse: bool,
        /// The actions of a step.
        body: Vec<Action>,
    },
    /// No thread goes on until all are here. (The end of a step is one more, not written.)
    Barrier,
}

impl Action {
    /// The kernels that it runs with the buffers of their slots, those of a loop's body each once.
    pub fn runs(&self) -> impl Iterator<Item = (KernelId, &[BufferId])> {
        let actions = match self {
            Action::Loop { body, .. } => &body[..],
            Action::Run { .. } | Action::Barrier => std::slice::from_ref(self),
        };
        actions.iter().filter_map(|action| match action {
            Action::Run { kernel, args } => Some((*kernel, &args[..])),
            Action::Loop { .. } | Action::Barrier => None,
        })
    }
}

/// Where a buffer lives and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// Kept from step to step and shared by all programs of a run: parameters and their derived
    /// layouts, states.
    Global,
    /// Filled or read by the caller of a step: inputs, uniform values, outputs.
    Pinned,
    /// Alive only within a step; shares bytes with others whose lives do not overlap.
    Scratch,
    /// As scratch, but each thread has its own: what every thread computes for itself.
    Thread,
}

impl Space {
    /// Every space.
    pub const ALL: [Space; 4] = [Space::Global, Space::Pinned, Space::Scratch, Space::Thread];

    /// The name in text forms.
    pub fn name(self) -> &'static str {
        match self {
            Space::Global => "global",
            Space::Pinned => "pinned",
            Space::Scratch => "scratch",
            Space::Thread => "thread",
        }
    }
}

/// A range of memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// Unique key by which callers find the buffer. Global: a parameter's or state's path, a
    /// derived layout `dense.weight^T`. Pinned: `input.image`, `output.loss`, `uniforms`.
    /// Scratch and thread: `%12`.
    pub name: String,
    /// Its elements; never `f64`.
    pub dtype: DType,
    /// How many.
    pub len: usize,
    /// Where it lives.
    pub space: Space,
    /// Its first byte, counted from the start of the global block, of the local block (pinned
    /// and scratch) or of each thread's block; 64-byte aligned; `None` before `plan`.
    pub offset: Option<usize>,
    /// The buffer that it is a part of, which has its bytes.
    pub part: Option<BufferPart>,
}

impl Buffer {
    /// The bytes of all its elements.
    pub fn bytes(&self) -> usize {
        self.len * self.dtype.size()
    }
}

/// A part of another buffer: in step `t` of a loop the elements from `first + stride·t` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferPart {
    /// The whole, which is no part itself.
    pub of: BufferId,
    /// The first element in step 0.
    pub first: usize,
    /// The distance between steps, in elements; 0 for what lies still.
    pub stride: usize,
}

impl Program {
    /// How often threads wait for each other in a step, its end not counted.
    pub fn barriers(&self) -> usize {
        fn of(actions: &[Action]) -> usize {
            let action = |action: &Action| match action {
                Action::Run { .. } => 0,
                Action::Loop { steps, body, .. } => steps * of(body),
                Action::Barrier => 1,
            };
            actions.iter().map(action).sum()
        }
        of(&self.actions)
    }

    /// The buffer that has a buffer's bytes: itself, or what it is a part of.
    pub fn whole(&self, buffer: BufferId) -> BufferId {
        self.buffers[buffer].part.map_or(buffer, |part| part.of)
    }
}

/// A buffer that a kernel is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Its elements.
    pub dtype: DType,
    /// How many at least.
    pub len: usize,
}

/// Loops over buffers. Work that is shared by threads is inside [`Stmt::Parts`]; a kernel without
/// one is run whole by every thread, and writes only to thread buffers.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// A name for people, in profiles and dumps: `dense.forward`, `adam`.
    pub name: String,
    /// The number of parts that threads share; 0 where every thread runs all of it.
    pub parts: usize,
    /// The buffers that a run binds, in order.
    pub slots: Arena<SlotId, Slot>,
    /// The extents of its loop variables: each takes `0..extent`.
    pub vars: Arena<VarId, usize>,
    /// The types of its scalars.
    pub regs: Arena<RegId, DType>,
    /// The code.
    pub body: Vec<Stmt>,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Stmt {
    /// The body for each part in this thread's share of `0..parts`: a range of neighbours,
    /// `parts·t/T .. parts·(t+1)/T`. May stand inside serial loops, never inside another `Parts`.
    Parts {
        /// The variable; its extent is the kernel's `parts`.
        var: VarId,
        /// Executed once for each value of the variable.
        body: Vec<Stmt>,
    },
    /// The body for each value of a variable, in order.
    For {
        /// The variable.
        var: VarId,
        /// Executed once for each value of the variable.
        body: Vec<Stmt>,
    },
    /// The body for each value of a variable, in any order or at once, then reductions. The body
    /// is only `Let` and `Store`.
    Vector {
        /// The variable.
        var: VarId,
        /// Executed once for each value of the variable.
        body: Vec<Stmt>,
        /// Results that outlive the loop, one for each reduction of the body's values.
        reductions: Vec<Reduction>,
    },
    /// `if test { then } else { otherwise }`.
    If {
        /// The condition.
        test: IfTest,
        /// Where the test holds.
        then: Vec<Stmt>,
        /// Where it does not.
        otherwise: Vec<Stmt>,
    },
    /// `reg = inst`. The scalar is known to the rest of this body and to loops inside it.
    Let {
        /// The scalar.
        reg: RegId,
        /// Its value.
        inst: Inst,
    },
    /// `slot[index] = value`.
    Store {
        /// Where.
        access: Access,
        /// What, of the slot's type.
        value: RegId,
    },
    /// `slot[base + stride·index] = value`, where the index comes from data.
    StoreAt {
        /// Whether the value is added to the element instead of taking its place.
        adds: bool,
        /// The element of index 0.
        base: Access,
        /// A tested index (`Inst::Checked`).
        index: RegId,
        /// The distance between indices.
        stride: i64,
        /// The value, of the slot's type.
        value: RegId,
    },
    /// A contraction.
    Tile(Tile),
}

/// The condition of a branch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum IfTest {
    /// Whether a variable of a surrounding loop that is not a vector is below a bound.
    Below(VarId, usize),
    /// Whether a bool is true: what is done depends on data. Whoever asks what a kernel touches is
    /// told of both branches.
    Holds(RegId),
}

/// A reduction along a vector loop.
///
/// Its order is the same on every target: element `i` of the loop is combined into lane `i mod
/// 16` of sixteen (which begin with the operator's neutral element), in order; then lane `l` with
/// `l + 8` for `l` in `0..8`, then `l` with `l + 4`, `l + 2`, `l + 1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduction {
    /// The result, known after the loop.
    pub reg: RegId,
    /// How values are combined.
    pub op: Reduce,
    /// A scalar of the loop's body.
    pub value: RegId,
}

/// How a scalar is computed.
#[derive(Clone, Debug, PartialEq)]
pub enum Inst {
    /// A number of type `f32`.
    F32(f32),
    /// A number of type `i32`.
    I32(i32),
    /// A truth value.
    Bool(bool),
    /// The value of an affine expression, `i32`.
    Index(Affine),
    /// An element of a slot; `u8` elements arrive as `i32`.
    Load(Access),
    /// `slot[base + stride·index]`, where the index comes from data.
    LoadAt {
        /// The element of index 0.
        base: Access,
        /// A tested index (`Inst::Checked`).
        index: RegId,
        /// The distance between indices.
        stride: i64,
    },
    /// `index` if it is in `0..bound`; otherwise 0, and the step's fault word of this thread is
    /// set to (`site` + 1, the value of `element`), if it was not set before.
    Checked {
        /// An `i32` from data.
        index: RegId,
        /// One past the largest good index.
        bound: usize,
        /// Which operator of the program this is.
        site: u32,
        /// The element of the index tensor that is tested.
        element: Affine,
    },
    /// A function of one argument.
    Unary(Unary, RegId),
    /// A function of two arguments of equal type.
    Binary(Binary, RegId, RegId),
    /// `if condition { a } else { b }`.
    Select(RegId, RegId, RegId),
    /// `a·b + c`, rounded once.
    Fma(RegId, RegId, RegId),
    /// The argument as another type, as `graph::Op::Cast` says.
    Cast(DType, RegId),
    /// The random number in [0, 1) of an element of a stream (`base::rng`), for the step's seed
    /// and number.
    Uniform {
        /// The operator's number.
        stream: u32,
        /// The element.
        element: Affine,
    },
}

impl Affine {
    /// A constant.
    pub fn constant(offset: i64) -> Self {
        Affine { offset, terms: Vec::new() }
    }

    /// A variable.
    pub fn var(var: VarId) -> Self {
        Affine { offset: 0, terms: vec![(var, 1)] }
    }

    /// The sum of two.
    pub fn plus(&self, other: &Affine) -> Affine {
        let mut sum = self.clone();
        sum.add(other, 1);
        sum
    }

    /// Adds `times` times another.
    pub fn add(&mut self, other: &Affine, times: i64) {
        if times == 0 {
            return;
        }
        self.offset += other.offset * times;
        for &(var, factor) in &other.terms {
            match self.terms.binary_search_by_key(&var, |&(known, _)| known) {
                Ok(at) => {
                    self.terms[at].1 += factor * times;
                    if self.terms[at].1 == 0 {
                        self.terms.remove(at);
                    }
                }
                Err(at) => self.terms.insert(at, (var, factor * times)),
            }
        }
    }

    /// This, times a number.
    pub fn times(&self, factor: i64) -> Affine {
        if factor == 0 {
            return Affine::default();
        }
        let terms = self.terms.iter().map(|&(var, known)| (var, known * factor)).collect();
        Affine { offset: self.offset * factor, terms }
    }

    /// The factor of a variable; 0 where it does not occur.
    pub fn factor(&self, var: VarId) -> i64 {
        self.terms.iter().find(|&&(known, _)| known == var).map_or(0, |&(_, factor)| factor)
    }
}
