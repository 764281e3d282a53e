//! Random graphs, for tests that compare two ways of running one (`mod support;` in the test).
//!
//! In goes a seed, out comes a sound graph with what is needed to run it; all seeds together use
//! every operator. Values are kept tame so that an engine within its error bounds is within the
//! test's tolerance: arguments of `log` are positive, sums are scaled down, and what jumps
//! (`floor`, comparisons, `argmax`, casts to integers) is only applied to values that every
//! engine computes to the bit. Operators that have no production of their own are those of the cases
//! of derivatives, on inputs of their own. Extents are small and mostly odd.

#![allow(dead_code)] // Each test crate uses its own part.

#[path = "../derivative_cases/mod.rs"]
pub mod derivative_cases;
mod elementwise;
mod shaped;
mod window;

use std::collections::BTreeMap;

use nnc::base::rng::Sequence;
use nnc::base::tensor::{DType, Data, Tensor};
use nnc::graph::{
    Binary, Builder, Dim, Env, Graph, Init, Mismatch, NodeId, Op, Param, Shape, State, Type, Unary,
    UpdateTarget,
};

/// A graph and what its inputs may hold.
pub struct RandomGraph {
    /// The graph; its outputs are `f32`.
    pub graph: Graph,
    /// For each `i32` input, the number of indices that are good.
    bounds: BTreeMap<String, usize>,
}

impl RandomGraph {
    /// A step's inputs for a number of samples; the floats are eighths in [-2, 2].
    pub fn env(&self, batch: usize, seed: u64) -> Env {
        let mut sequence = Sequence::new(seed, 1);
        let mut env = Env::initial(&self.graph, seed);
        env.step = 1 + seed % 5;
        for input in self.graph.inputs.values() {
            let shape = input.ty.shape.at(batch);
            let len = shape.iter().product();
            let mut draw = |bound: u32| sequence.below(bound);
            let data = match input.ty.dtype {
                DType::F32 => Data::F32((0..len).map(|_| draw(33) as f32 / 8.0 - 2.0).collect()),
                DType::U8 => Data::U8((0..len).map(|_| draw(256) as u8).collect()),
                DType::I32 => {
                    let bound = self.bounds[&input.name] as u32;
                    Data::I32((0..len).map(|_| draw(bound) as i32).collect())
                }
                DType::Bool => Data::Bool((0..len).map(|_| draw(2) == 1).collect()),
                DType::F64 => unreachable!("no input is f64"),
            };
            env.inputs.insert(input.name.clone(), Tensor::new(shape, data));
        }
        env
    }
}

/// The extents that graphs use.
const EXTENTS: [usize; 8] = [1, 2, 3, 5, 7, 13, 16, 17];

/// The most elements of a value a sample.
const MOST_ELEMENTS: usize = 2000;

/// A value that later operators may take.
#[derive(Clone, Copy)]
struct Value {
    node: NodeId,
    /// No `f32` element is larger in size; for an `i32`, all are in `0..bound`.
    bound: f64,
    /// Every engine computes it to the bit.
    exact: bool,
}

/// The graph of a seed, of about `size` operators.
pub fn random_graph(seed: u64, size: usize) -> RandomGraph {
    let mut generator = Generator {
        build: Builder::new(&format!("random_{seed}")),
        sequence: Sequence::new(seed, 0),
        values: Vec::new(),
        bounds: BTreeMap::new(),
    };
    generator.leaves();
    // Each seed begins with another production and case, so that none is left to chance.
    generator.produce(seed as usize % PRODUCTIONS.len());
    generator.case(seed as usize);
    for _ in 0..size {
        let production = generator.below(PRODUCTIONS.len());
        generator.produce(production);
    }
    generator.results();
    RandomGraph { graph: generator.build.finish(), bounds: generator.bounds }
}

/// What a production gives: a new value, or none where no value fits.
type Made = Result<Option<Value>, Mismatch>;

/// One way to go on.
type Production = fn(&mut Generator) -> Made;

const PRODUCTIONS: [Production; 29] = [
    Generator::smooth,
    Generator::positive_domain,
    Generator::jump,
    Generator::arithmetic,
    Generator::arithmetic,
    Generator::divide,
    Generator::power,
    Generator::compare_and_select,
    Generator::logic,
    Generator::integers,
    Generator::uniform_scalar,
    Generator::random_numbers,
    Generator::broadcast,
    Generator::reshape,
    Generator::transpose,
    Generator::slice,
    Generator::concat,
    Generator::pad,
    Generator::reduce,
    Generator::reduce_back,
    Generator::reduce_back,
    Generator::arg_max,
    Generator::matmul,
    Generator::variance,
    Generator::convolution,
    Generator::convolution,
    Generator::pooling,
    Generator::indexed,
    Generator::scan,
];

struct Generator {
    build: Builder,
    sequence: Sequence,
    values: Vec<Value>,
    bounds: BTreeMap<String, usize>,
}

impl Generator {
    fn below(&mut self, bound: usize) -> usize {
        self.sequence.below(bound as u32) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn produce(&mut self, production: usize) {
        let made = PRODUCTIONS[production](self);
        let made = made.unwrap_or_else(|why| panic!("production {production}: {why}"));
        if let Some(value) = made {
            self.keep(value);
        }
    }

    /// Lets later operators take a value.
    fn keep(&mut self, value: Value) {
        let value = self.tame(value);
        self.values.push(value);
    }

    /// Inputs of every type, a parameter and a state.
    fn leaves(&mut self) {
        let (a, b) = (self.pick(&EXTENTS), self.pick(&EXTENTS));
        let (n, a, b) = (Dim::N, Dim::Known(a), Dim::Known(b));
        let shapes = [vec![n, a], vec![n, b, a], vec![a], vec![b, a]];
        for (index, shape) in shapes.into_iter().enumerate() {
            let ty = Type::new(DType::F32, shape);
            let node = self.build.input(&format!("x{index}"), ty);
            self.values.push(Value { node, bound: 2.0, exact: true });
        }
        let bytes = self.build.input("image", Type::new(DType::U8, vec![n, a]));
        let image = self.build.cast(bytes, DType::F32).expect("bytes are numbers");
        let scale = self.build.constant(255.0, DType::F64);
        let node = self.build.binary(Binary::Div, image, scale).expect("a tensor and a scalar");
        self.values.push(Value { node, bound: 1.0, exact: true });
        let init = Init::Uniform { low: -1.0, high: 1.0 };
        let ty = Type::new(DType::F32, vec![a, b]);
        let param = Param { path: "weight".into(), ty, init: init.clone(), origin: None };
        let node = self.build.param(param);
        self.values.push(Value { node, bound: 1.0, exact: true });
        let ty = Type::new(DType::F32, vec![a]);
        let node = self.build.state(State { path: "average".into(), ty, init, origin: None });
        self.values.push(Value { node, bound: 1.0, exact: true });
    }

    /// A value that fits, the newer the likelier.
    fn value(&mut self, fits: impl Fn(&Type, &Value) -> bool) -> Option<Value> {
        let values = self.values.iter().copied();
        let fitting: Vec<Value> =
            values.filter(|value| fits(self.build.ty(value.node), value)).collect();
        if fitting.is_empty() {
            return None;
        }
        let (a, b) = (self.below(fitting.len()), self.below(fitting.len()));
        Some(fitting[a.max(b)])
    }

    /// Any `f32` tensor.
    fn float(&mut self) -> Value {
        self.value(|ty, _| ty.dtype == DType::F32).expect("the inputs are f32")
    }

    /// An `f32` tensor of a rank from `rank` on.
    fn float_of_rank(&mut self, rank: usize) -> Option<Value> {
        self.value(|ty, _| ty.dtype == DType::F32 && ty.shape.rank() >= rank)
    }

    /// An `f32` tensor on which jumps are safe.
    fn exact(&mut self) -> Value {
        self.value(|ty, value| ty.dtype == DType::F32 && value.exact).expect("inputs are exact")
    }

    /// Another `f32` tensor of the same shape: often the same one's copy.
    fn alike(&mut self, value: Value) -> Value {
        let shape = self.build.ty(value.node).shape.clone();
        self.value(|ty, other| {
            ty.dtype == DType::F32 && ty.shape == shape && (!value.exact || other.exact)
        })
        .expect("the value itself fits")
    }

    fn fits_in_memory(&self, shape: &Shape) -> bool {
        shape.at(1).iter().product::<usize>() <= MOST_ELEMENTS
    }

    /// Scales a value down where it has grown.
    fn tame(&mut self, value: Value) -> Value {
        if self.build.ty(value.node).dtype != DType::F32 || value.bound <= 16.0 {
            return value;
        }
        let scale = self.build.constant(2.0 / value.bound, DType::F32);
        let node = self.build.binary(Binary::Mul, value.node, scale).expect("a scalar");
        Value { node, bound: 2.1, ..value }
    }

    fn unary(&mut self, op: Unary, x: NodeId) -> Result<NodeId, Mismatch> {
        self.build.unary(op, x)
    }

    /// `|x| + offset`: positive.
    fn positive(&mut self, value: Value, offset: f64) -> Result<NodeId, Mismatch> {
        let size = self.unary(Unary::Abs, value.node)?;
        let offset = self.build.constant(offset, DType::F64);
        self.build.binary(Binary::Add, size, offset)
    }

    /// Names the last values as outputs, and updates the state and the parameter.
    fn results(&mut self) {
        let floats: Vec<NodeId> = self.values.iter().map(|value| value.node).collect();
        let floats = floats.into_iter().filter(|&node| self.build.ty(node).dtype == DType::F32);
        let floats: Vec<NodeId> = floats.collect();
        for (index, &node) in floats.iter().rev().take(5).enumerate() {
            self.build.output(&format!("out{index}"), node);
        }
        let is_leaf = |op: &Op| matches!(op, Op::Param(_) | Op::State(_));
        let kept: Vec<(NodeId, Op)> = self
            .build
            .graph
            .nodes
            .iter()
            .filter(|(_, node)| is_leaf(&node.op))
            .map(|(id, node)| (id, node.op.clone()))
            .collect();
        for (node, op) in kept {
            let decay = self.build.constant(0.9, DType::F64);
            let new = self.build.binary(Binary::Mul, node, decay).expect("a tensor and a scalar");
            match op {
                Op::Param(id) => self.build.update(UpdateTarget::Param(id), new),
                Op::State(id) => self.build.update(UpdateTarget::State(id), new),
                _ => unreachable!("only these were kept"),
            }
        }
    }
}

/// The names of all operators of graphs.
pub fn every_operator() -> impl Iterator<Item = &'static str> {
    let functions = Unary::ALL.iter().map(|op| op.name());
    let binary = Binary::ALL.iter().map(|op| op.name());
    functions.chain(binary).chain(Op::NAMES.iter().copied())
}
