//! Random programs of the language, for tests that run one in several ways or change its text.
//!
//! In goes a seed, out comes a sound program, as lines that know their types, so that a failing one
//! can be [shrunk](shrink); [`RandomProgram::text`] is what the front end reads.
//!
//! ```text
//! model net(x0: f32[N, 4, 3]) {
//!     let v0 = softmax(x0, axis: 1)
//!     let v1 = pad(v0, [0, [1, 0], 2], value: 0.5)
//!     v1
//! }
//!
//! train net {
//!     loss = mse
//!     optimizer = adam(lr: 1e-2)
//! }
//! ```
//!
//! Each line is a *production*: it takes values that exist and gives a new one. Consecutive seeds
//! begin with every pair of productions, the second taking what the first gave, so that a reduction
//! is followed by each of its consumers. Values are kept small; where a function jumps, whoever
//! compares must know that rounding can carry a value over the edge ([`RandomProgram::env`] gives
//! inputs that are not on one).

#![allow(dead_code)] // Each test crate uses its own part.

mod elementwise;
mod layers;
mod moves;
mod program;
mod reductions;
pub mod shrink;
mod training;
mod windows;

use std::collections::BTreeSet;

use nnc::base::rng::Sequence;
use nnc::base::tensor::DType;
use nnc::graph::{Dim, Shape, Type};

pub use training::Training;

/// A value of a program: one of the model's inputs, or what a line gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// An input, by its position.
    Input(usize),
    /// A line, by its position.
    Line(usize),
}

/// An input of the model.
#[derive(Clone, Debug)]
pub struct Input {
    /// The type; the first dimension is the batch.
    pub ty: Type,
    /// Of an `i32`, how many indices are good: all are below.
    pub indices: usize,
}

/// One `let` of the model.
#[derive(Clone, Debug)]
pub struct Line {
    /// The expression; `$0`, `$1` stand for the arguments.
    pub text: String,
    /// What it reads.
    pub args: Vec<Value>,
    /// What it gives.
    pub ty: Type,
    /// No `f32` element is larger in size, roughly; of an `i32`, all are in `0..bound` if `index`.
    bound: f64,
    /// Whether an `i32` is an index below `bound`.
    index: bool,
    /// The production, for the report of what has been reached.
    pub kind: &'static str,
    /// What of the production this line is an example of.
    pub features: Vec<String>,
    /// Items of the program that it calls.
    items: Vec<&'static str>,
}

/// A program.
#[derive(Clone, Debug)]
pub struct RandomProgram {
    /// The model's inputs, `x0` and so on.
    pub inputs: Vec<Input>,
    /// The model's lines, `v0` and so on; each reads only those before it.
    pub lines: Vec<Line>,
    /// What the model gives: `f32` with the batch as first dimension.
    pub output: Value,
    /// How it is trained.
    pub training: Training,
    /// How many samples it was made for: some operators need more than one.
    pub batch: usize,
}

/// The batches that seeds go through.
pub const BATCHES: [usize; 8] = [2, 1, 64, 3, 2, 5, 1, 17];

/// The extents that programs use.
const EXTENTS: [usize; 8] = [1, 2, 3, 3, 4, 5, 7, 8];

/// The most elements of a value, and of one sample's part of it.
const MOST_ELEMENTS: usize = 24_000;
const MOST_OF_A_SAMPLE: usize = 400;

/// One program of so many has few samples of many elements: more than threads keep sums of, and
/// than rows of a matrix.
const LARGE_SAMPLES: u64 = 29;
const MOST_OF_A_LARGE_SAMPLE: usize = 9000;
const LARGE_EXTENTS: [usize; 8] = [3, 8, 16, 33, 70, 128, 300, 4100];

/// Values larger than this are scaled down.
const LARGE: f64 = 6.0;

/// How often a program is begun anew, so that its second line reads what the first gave.
const MOST_BEGINS: u64 = 12;

/// The program of a seed.
pub fn random_program(seed: u64) -> RandomProgram {
    let count = PRODUCTIONS.len() as u64;
    let pair = [seed % count, seed / count % count].map(|production| production as usize);
    let mut generator = Generator::begin(seed, 0, pair);
    for attempt in 1..MOST_BEGINS {
        if generator.follows {
            break;
        }
        generator = Generator::begin(seed, attempt, pair);
    }
    for _ in 0..generator.below(4) {
        let production = generator.below(PRODUCTIONS.len());
        generator.produce(production);
    }
    generator.finish()
}

/// What a production gives: a line, or none where no value fits.
type Made = Option<Line>;

/// One way to go on.
type Production = fn(&mut Generator) -> Made;

const PRODUCTIONS: [Production; 39] = [
    Generator::sum,
    Generator::smooth,
    Generator::positive_domain,
    Generator::jump,
    Generator::activation,
    Generator::arithmetic,
    Generator::with_number,
    Generator::compare,
    Generator::logic,
    Generator::integers,
    Generator::cast,
    Generator::counted,
    Generator::random_numbers,
    Generator::largest,
    Generator::mean,
    Generator::variance,
    Generator::arg_max,
    Generator::softmax,
    Generator::centre,
    Generator::reshape,
    Generator::transpose,
    Generator::slice,
    Generator::concat,
    Generator::split,
    Generator::pad,
    Generator::matmul,
    Generator::picked,
    Generator::gathered,
    Generator::dense,
    Generator::norm,
    Generator::embedding,
    Generator::convolution,
    Generator::enlarged,
    Generator::pooling,
    Generator::global_pool,
    Generator::own_layer,
    Generator::recurrent,
    Generator::sequence,
    Generator::shared_layer,
];

struct Generator {
    sequence: Sequence,
    inputs: Vec<Input>,
    lines: Vec<Line>,
    batch: usize,
    /// Whether samples may be large.
    large: bool,
    /// What the next production takes where it fits.
    newest: Option<Value>,
    /// Layers that can be applied again: the name, and the type of their input and output.
    shared: Vec<(String, Type, Type)>,
    /// Whether the second production took what the first gave.
    follows: bool,
}

impl Generator {
    /// Inputs, and a pair of productions.
    fn begin(seed: u64, attempt: u64, pair: [usize; 2]) -> Generator {
        let large = seed % LARGE_SAMPLES == LARGE_SAMPLES - 1;
        let mut generator = Generator {
            sequence: Sequence::new(seed, 7 + (attempt << 8)),
            inputs: Vec::new(),
            lines: Vec::new(),
            batch: if large { 1 + (seed % 3) as usize } else { BATCHES[(seed % 8) as usize] },
            large,
            newest: None,
            shared: Vec::new(),
            follows: false,
        };
        generator.first_inputs();
        generator.produce(pair[0]);
        let first = generator.lines.len().checked_sub(1).map(Value::Line);
        generator.produce(pair[1]);
        let last = generator.lines.last();
        generator.follows = first.zip(last).is_some_and(|(first, last)| last.args.contains(&first));
        generator
    }

    fn below(&mut self, bound: usize) -> usize {
        self.sequence.below(bound as u32) as usize
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn choose<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn produce(&mut self, production: usize) {
        if let Some(line) = PRODUCTIONS[production](self) {
            self.add(line);
        }
    }

    /// Adds a line, scaled down where it is large.
    fn add(&mut self, mut line: Line) -> Value {
        if line.ty.dtype == DType::F32 && line.bound > LARGE {
            let scale = (2.0 / line.bound * 1024.0).ceil() / 1024.0;
            line.text = format!("{} * {scale:?}", in_parentheses(&line.text));
            line.bound *= scale;
        }
        self.lines.push(line);
        let value = Value::Line(self.lines.len() - 1);
        self.newest = Some(value);
        value
    }

    /// One tensor or two of floats, of any rank.
    fn first_inputs(&mut self) {
        for _ in 0..1 + self.below(3) / 2 {
            let rank = self.choose(&[1, 2, 2, 3, 3, 4]);
            let mut dims = vec![Dim::N];
            for _ in 0..rank {
                let mut extent = self.choose(if self.large { &LARGE_EXTENTS } else { &EXTENTS });
                if self.below(16) == 0 {
                    extent = self.choose(&[13, 16, 17, 33]);
                }
                dims.push(Dim::Known(extent));
            }
            while elements(&dims, 1) > self.most_of_a_sample() / 2 {
                let last = dims.len() - 1;
                dims[last] = Dim::Known(2);
                dims.rotate_right(1);
                let n = dims.iter().position(|&dim| dim == Dim::N).expect("the batch");
                dims.swap(0, n);
            }
            self.input(Type::new(DType::F32, dims), 0);
        }
        self.newest = Some(Value::Input(0));
    }

    fn input(&mut self, ty: Type, indices: usize) -> Value {
        self.inputs.push(Input { ty, indices });
        Value::Input(self.inputs.len() - 1)
    }

    fn ty(&self, value: Value) -> &Type {
        match value {
            Value::Input(at) => &self.inputs[at].ty,
            Value::Line(at) => &self.lines[at].ty,
        }
    }

    fn dims(&self, value: Value) -> Vec<Dim> {
        self.ty(value).shape.to_vec()
    }

    fn bound(&self, value: Value) -> f64 {
        match value {
            Value::Input(at) => match self.inputs[at].ty.dtype {
                DType::F32 => 2.0,
                DType::U8 => 255.0,
                _ => self.inputs[at].indices as f64,
            },
            Value::Line(at) => self.lines[at].bound,
        }
    }

    /// Whether an `i32` is an index below its bound.
    fn is_index(&self, value: Value) -> bool {
        match value {
            Value::Input(at) => self.inputs[at].indices > 0,
            Value::Line(at) => self.lines[at].index,
        }
    }

    fn values(&self) -> Vec<Value> {
        let inputs = (0..self.inputs.len()).map(Value::Input);
        inputs.chain((0..self.lines.len()).map(Value::Line)).collect()
    }

    /// A value that fits: mostly the newest, else the newer the likelier.
    fn value(&mut self, fits: impl Fn(&Self, Value) -> bool) -> Option<Value> {
        if let Some(newest) = self.newest
            && fits(self, newest)
            && self.below(8) > 0
        {
            return Some(newest);
        }
        let fitting: Vec<Value> =
            self.values().into_iter().filter(|&value| fits(self, value)).collect();
        if fitting.is_empty() {
            return None;
        }
        let (a, b) = (self.below(fitting.len()), self.below(fitting.len()));
        Some(fitting[a.max(b)])
    }

    /// A tensor of floats whose shape fits.
    fn float(&mut self, fits: impl Fn(&[Dim]) -> bool) -> Option<Value> {
        self.value(|own, value| {
            let ty = own.ty(value);
            ty.dtype == DType::F32 && fits(&ty.shape)
        })
    }

    /// A tensor of floats with so many axes or more.
    fn float_of_rank(&mut self, rank: usize) -> Option<Value> {
        self.float(|dims| dims.len() >= rank)
    }

    /// Another value of the same type, not the newest: often the same one.
    fn alike(&mut self, value: Value) -> Value {
        let ty = self.ty(value).clone();
        let all = self.values();
        let same: Vec<Value> = all.into_iter().filter(|&other| *self.ty(other) == ty).collect();
        self.choose(&same)
    }

    fn fits(&self, dims: &[Dim]) -> bool {
        dims.len() <= 6
            && elements(dims, self.batch) <= MOST_ELEMENTS
            && elements(dims, 1) <= self.most_of_a_sample()
    }

    fn most_of_a_sample(&self) -> usize {
        if self.large { MOST_OF_A_LARGE_SAMPLE } else { MOST_OF_A_SAMPLE }
    }

    /// A line of floats.
    fn line(
        &self,
        kind: &'static str,
        text: impl Into<String>,
        args: &[Value],
        dims: impl Into<Vec<Dim>>,
        bound: f64,
    ) -> Line {
        let ty = Type::new(DType::F32, Shape::from(dims.into()));
        let text = text.into();
        Line {
            text,
            args: args.to_vec(),
            ty,
            bound,
            index: false,
            kind,
            features: Vec::new(),
            items: Vec::new(),
        }
    }

    /// The program with what nothing reads left out; what several lines lead to is added up.
    fn finish(mut self) -> RandomProgram {
        let is_batch = |dims: &[Dim]| {
            dims.first() == Some(&Dim::N) && dims[1..].iter().all(|dim| dim.known().is_some())
        };
        let mut output = self.float(is_batch).expect("an input is one");
        let read: BTreeSet<Value> =
            self.lines.iter().flat_map(|line| line.args.iter().copied()).collect();
        let ends = |value: &Value| !read.contains(value) && *value != output;
        let ends: Vec<Value> = (0..self.lines.len()).map(Value::Line).filter(ends).collect();
        for end in ends {
            let mean = match self.ty(end).dtype {
                DType::F32 => "mean($1)",
                _ => "mean(cast($1, f32))",
            };
            let text = format!("$0 + 0.25 * {mean}");
            let (dims, bound) = (self.dims(output), self.bound(output) + 2.0);
            let line = self.line("joined", text, &[output, end], dims, bound);
            output = self.add(line);
        }
        let (output, training) = self.training(output);
        let Generator { inputs, lines, batch, .. } = self;
        let mut program = RandomProgram { inputs, lines, output, training, batch };
        program.prune();
        program
    }
}

/// A line of another type.
impl Line {
    fn of(mut self, dtype: DType) -> Line {
        self.ty.dtype = dtype;
        self
    }

    fn index(mut self, is: bool) -> Line {
        self.index = is;
        self
    }

    fn feature(mut self, feature: impl Into<String>) -> Line {
        self.features.push(feature.into());
        self
    }

    fn item(mut self, item: &'static str) -> Line {
        self.items.push(item);
        self
    }
}

/// An expression that an operator may follow.
fn in_parentheses(text: &str) -> String {
    format!("({text})")
}

fn elements(dims: &[Dim], batch: usize) -> usize {
    dims.iter().map(|dim| dim.at(batch)).product()
}

/// Dimensions as the language writes them in a list.
fn listed(dims: &[Dim]) -> String {
    let dim = |dim: &Dim| match *dim {
        Dim::Known(extent) => extent.to_string(),
        Dim::Batch(1) => "N".to_string(),
        Dim::Batch(times) => format!("{times} * N"),
    };
    format!("[{}]", dims.iter().map(dim).collect::<Vec<_>>().join(", "))
}
