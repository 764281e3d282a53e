//! Random graphs, for tests that compare two ways of running one.
//!
//! In goes a seed, out comes a sound graph with what is needed to run it; all seeds together use
//! every operator. Values are kept tame so that an engine within its error bounds is within the
//! test's tolerance: arguments of `log` are positive, sums are scaled down, and what jumps
//! (`floor`, comparisons, `argmax`, casts to integers) is only applied to values that every
//! engine computes to the bit. Extents are small and mostly odd.

#![allow(dead_code)] // Each test crate uses its own part.

use std::collections::BTreeMap;

use nnc::base::rng::Sequence;
use nnc::base::tensor::{DType, Data, Tensor};
use nnc::graph::{
    Binary, Builder, Dim, Env, Graph, Init, Mismatch, NodeId, Op, Param, Range, Reduce, Shape,
    State, Target, Type, Unary,
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
    // Each seed begins with another production, so that none is left to chance.
    let first = seed as usize % PRODUCTIONS.len();
    generator.produce(first);
    for _ in 0..size {
        let production = generator.below(PRODUCTIONS.len());
        generator.produce(production);
    }
    generator.results();
    RandomGraph { graph: generator.build.finish(), bounds: generator.bounds }
}

/// One way to go on: new values, or none where no value fits.
type Production = fn(&mut Generator) -> Result<Option<Value>, Mismatch>;

const PRODUCTIONS: [Production; 22] = [
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
    Generator::arg_max,
    Generator::matmul,
    Generator::indexed,
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
            let value = self.tame(value);
            self.values.push(value);
        }
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
        let fitting: Vec<Value> = self.values.iter().copied().collect();
        let fitting: Vec<Value> =
            fitting.into_iter().filter(|value| fits(self.build.ty(value.node), value)).collect();
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

    fn smooth(&mut self) -> Result<Option<Value>, Mismatch> {
        use Unary::*;
        let x = self.float();
        let op = self.pick(&[Neg, Abs, Tanh, Sigmoid, Erf, Sin, Cos, Exp, Expm1]);
        let (node, bound) = match op {
            Neg | Abs => (x.node, x.bound),
            Exp | Expm1 => (self.unary(Tanh, x.node)?, 3.0),
            _ => (x.node, 1.0),
        };
        let exact = x.exact && matches!(op, Neg | Abs);
        Ok(Some(Value { node: self.unary(op, node)?, bound, exact }))
    }

    fn positive_domain(&mut self) -> Result<Option<Value>, Mismatch> {
        let x = self.float();
        let op = self.pick(&[Unary::Log, Unary::Log1p, Unary::Sqrt, Unary::Rsqrt]);
        let positive = self.positive(x, 0.5)?;
        let node = self.unary(op, positive)?;
        let exact = x.exact && op == Unary::Sqrt;
        Ok(Some(Value { node, bound: (x.bound + 1.5).sqrt() + 1.0, exact }))
    }

    fn jump(&mut self) -> Result<Option<Value>, Mismatch> {
        let x = self.exact();
        let op = self.pick(&[Unary::Floor, Unary::Sign]);
        let node = self.unary(op, x.node)?;
        let node = if self.below(4) == 0 { self.build.stop_gradient(node)? } else { node };
        Ok(Some(Value { node, bound: x.bound + 1.0, exact: true }))
    }

    fn arithmetic(&mut self) -> Result<Option<Value>, Mismatch> {
        use Binary::*;
        let a = self.float();
        let b = self.alike(a);
        let op = self.pick(&[Add, Sub, Mul, Min, Max]);
        let bound = match op {
            Mul => a.bound * b.bound,
            Min | Max => a.bound.max(b.bound),
            _ => a.bound + b.bound,
        };
        let node = self.build.binary(op, a.node, b.node)?;
        Ok(Some(Value { node, bound, exact: a.exact && b.exact }))
    }

    fn divide(&mut self) -> Result<Option<Value>, Mismatch> {
        let a = self.float();
        let b = self.alike(a);
        let divisor = self.positive(b, 1.0)?;
        let node = self.build.binary(Binary::Div, a.node, divisor)?;
        Ok(Some(Value { node, bound: a.bound, exact: a.exact && b.exact }))
    }

    fn power(&mut self) -> Result<Option<Value>, Mismatch> {
        let x = self.float();
        let base = self.positive(x, 0.5)?;
        let exponent = self.pick(&[2.0, 3.0, 0.5, -1.0, 1.7]);
        let exponent = self.build.constant(exponent, DType::F64);
        let node = self.build.binary(Binary::Pow, base, exponent)?;
        Ok(Some(Value { node, bound: (x.bound + 0.5).powi(3).max(2.0), exact: false }))
    }

    fn compare_and_select(&mut self) -> Result<Option<Value>, Mismatch> {
        use Binary::*;
        let a = self.exact();
        let b = self.alike(a);
        let op = self.pick(&[Eq, Ne, Lt, Le, Gt, Ge]);
        let condition = self.build.binary(op, a.node, b.node)?;
        self.values.push(Value { node: condition, bound: 1.0, exact: true });
        let (yes, zero) = (self.alike(a), self.build.constant(0.0, DType::F64));
        let node = self.build.select(condition, yes.node, zero)?;
        Ok(Some(Value { node, ..yes }))
    }

    fn logic(&mut self) -> Result<Option<Value>, Mismatch> {
        let Some(a) = self.value(|ty, _| ty.dtype == DType::Bool) else { return Ok(None) };
        let shape = self.build.ty(a.node).shape.clone();
        let b = self.value(|ty, _| ty.dtype == DType::Bool && ty.shape == shape).unwrap_or(a);
        let op = self.pick(&[Binary::And, Binary::Or, Binary::Eq, Binary::Ne]);
        let not = self.unary(Unary::Not, b.node)?;
        let both = self.build.binary(op, a.node, not)?;
        let node = self.build.cast(both, DType::F32)?;
        Ok(Some(Value { node, bound: 1.0, exact: true }))
    }

    fn integers(&mut self) -> Result<Option<Value>, Mismatch> {
        use Binary::*;
        let x = self.exact();
        let shape = self.build.ty(x.node).shape.clone();
        let whole = self.build.cast(x.node, DType::I32)?;
        let other = if shape.rank() > 0 {
            self.build.iota(shape.clone(), shape.rank() - 1)?
        } else {
            whole
        };
        let op = self.pick(&[Add, Sub, Mul, Div, Min, Max]);
        let mixed = self.build.binary(op, whole, other)?;
        let unary = self.pick(&[Unary::Neg, Unary::Abs, Unary::Sign]);
        let mixed = self.unary(unary, mixed)?;
        let node = self.build.cast(mixed, DType::F32)?;
        Ok(Some(Value { node, bound: (x.bound + 1.0) * 2000.0, exact: true }))
    }

    /// A tensor with a value that is computed once a step.
    fn uniform_scalar(&mut self) -> Result<Option<Value>, Mismatch> {
        let x = self.float();
        let name = format!("rate{}", self.build.graph.hypers.len());
        let rate = self.build.hyper(&name, 0.9);
        let (step, one) = (self.build.step(), self.build.constant(1.0, DType::F64));
        let power = self.build.binary(Binary::Pow, rate, step)?;
        let correction = self.build.binary(Binary::Sub, one, power)?;
        let samples = self.build.extent(Dim::N);
        let (scalar, factor) = match self.below(3) {
            0 => (correction, 10.0),
            1 => (self.build.binary(Binary::Add, correction, samples)?, 1.0),
            _ => (self.unary(Unary::Sqrt, correction)?, 4.0),
        };
        let op = self.pick(&[Binary::Mul, Binary::Div]);
        let (op, factor) = if factor == 1.0 { (Binary::Div, factor) } else { (op, factor) };
        let node = self.build.binary(op, x.node, scalar)?;
        Ok(Some(Value { node, bound: x.bound * factor, exact: x.exact }))
    }

    /// Dropout: a random tensor against a rate.
    fn random_numbers(&mut self) -> Result<Option<Value>, Mismatch> {
        let x = self.float();
        let shape = self.build.ty(x.node).shape.clone();
        let random = self.build.uniform(shape);
        self.values.push(Value { node: random, bound: 1.0, exact: true });
        let rate = self.build.constant(0.3, DType::F64);
        let kept = self.build.binary(Binary::Ge, random, rate)?;
        let zero = self.build.constant(0.0, DType::F64);
        let node = self.build.select(kept, x.node, zero)?;
        Ok(Some(Value { node, ..x }))
    }

    fn broadcast(&mut self) -> Result<Option<Value>, Mismatch> {
        let x = self.float();
        let shape = self.build.ty(x.node).shape.clone();
        if shape.rank() >= 3 {
            return Ok(None);
        }
        let lead = if shape.has_batch() || self.below(2) == 0 {
            Dim::Known(self.pick(&EXTENTS))
        } else {
            Dim::N
        };
        let last = self.pick(&EXTENTS);
        let mut dims = shape.to_vec();
        if let Some(dim) = dims.last_mut().filter(|dim| **dim == Dim::Known(1)) {
            *dim = Dim::Known(last);
        }
        dims.insert(0, lead);
        let wider = Shape(dims);
        if !self.fits_in_memory(&wider) {
            return Ok(None);
        }
        Ok(Some(Value { node: self.build.broadcast_to(x.node, &wider)?, ..x }))
    }

    fn reshape(&mut self) -> Result<Option<Value>, Mismatch> {
        let Some(x) = self.float_of_rank(1) else { return Ok(None) };
        let mut dims = self.build.ty(x.node).shape.to_vec();
        let axis = self.below(dims.len());
        if axis + 1 < dims.len()
            && let Some(product) = dims[axis].mul(dims[axis + 1])
        {
            dims[axis] = product;
            dims.remove(axis + 1);
        } else if dims.len() < 4 {
            let dim = dims.remove(axis);
            let factor = Dim::Known(self.pick(&[1, 2, 3]));
            match dim.div(factor) {
                Some(rest) => dims.splice(axis..axis, [rest, factor]),
                None => dims.splice(axis..axis, [Dim::Known(1), dim]),
            };
        }
        Ok(Some(Value { node: self.build.reshape(x.node, dims.into())?, ..x }))
    }

    fn transpose(&mut self) -> Result<Option<Value>, Mismatch> {
        let Some(x) = self.float_of_rank(2) else { return Ok(None) };
        let mut perm: Vec<usize> = (0..self.build.ty(x.node).shape.rank()).collect();
        self.sequence.shuffle(&mut perm);
        Ok(Some(Value { node: self.build.transpose(x.node, &perm)?, ..x }))
    }

    fn slice(&mut self) -> Result<Option<Value>, Mismatch> {
        let Some(x) = self.float_of_rank(1) else { return Ok(None) };
        let dims = self.build.ty(x.node).shape.to_vec();
        let ranges = dims.into_iter().map(|dim| self.range(dim)).collect();
        Ok(Some(Value { node: self.build.slice(x.node, ranges)?, ..x }))
    }

    /// Some of an axis, often backwards or with gaps.
    fn range(&mut self, dim: Dim) -> Range {
        let Dim::Known(extent) = dim else { return Range::ALL };
        let step: isize = self.pick(&[1, 1, 2, 3, -1, -2]);
        let start = self.below(extent);
        let ahead = if step > 0 { extent - 1 - start } else { start };
        let most = ahead / step.unsigned_abs() + 1;
        Range { start, len: Some(1 + self.below(most)), step }
    }

    fn concat(&mut self) -> Result<Option<Value>, Mismatch> {
        let known = |dim: &Dim| dim.known().is_some();
        let Some(a) = self.value(|ty, _| ty.dtype == DType::F32 && ty.shape.iter().any(known))
        else {
            return Ok(None);
        };
        let b = self.alike(a);
        let shape = self.build.ty(a.node).shape.clone();
        let axes: Vec<usize> = (0..shape.rank()).filter(|&axis| known(&shape[axis])).collect();
        let axis = self.pick(&axes);
        let ranges = (0..shape.rank())
            .map(|i| if i == axis { self.range(shape[i]) } else { Range::ALL })
            .collect();
        let part = self.build.slice(b.node, ranges)?;
        if !self.fits_in_memory(&Shape([&shape[..], &[Dim::Known(3)]].concat())) {
            return Ok(None);
        }
        let node = self.build.concat(&[part, a.node, part], axis)?;
        Ok(Some(Value { node, bound: a.bound.max(b.bound), exact: a.exact && b.exact }))
    }

    fn pad(&mut self) -> Result<Option<Value>, Mismatch> {
        let Some(x) = self.float_of_rank(1) else { return Ok(None) };
        let shape = self.build.ty(x.node).shape.clone();
        if shape.rank() > 3 || !self.fits_in_memory(&Shape([&shape[..], &[Dim::Known(8)]].concat()))
        {
            return Ok(None);
        }
        let amount = |dim: &Dim| match dim {
            Dim::Known(_) => (self.sequence.below(2) as usize, self.sequence.below(3) as usize),
            Dim::Batch(_) => (0, 0),
        };
        let amounts = shape.iter().map(amount).collect();
        let value = self.pick(&[0.0, 1.5]);
        let node = self.build.pad(x.node, amounts, value)?;
        Ok(Some(Value { node, bound: x.bound.max(1.5), exact: x.exact }))
    }

    fn reduce(&mut self) -> Result<Option<Value>, Mismatch> {
        let Some(x) = self.float_of_rank(1) else { return Ok(None) };
        let shape = self.build.ty(x.node).shape.clone();
        let mut axes: Vec<usize> = (0..shape.rank()).collect();
        axes.retain(|_| self.sequence.below(2) == 0);
        if axes.is_empty() {
            axes.push(shape.rank() - 1);
        }
        let keep = self.below(2) == 0;
        Ok(Some(match self.below(4) {
            0 => {
                let op = self.pick(&[Reduce::Max, Reduce::Min]);
                Value { node: self.build.reduce(op, x.node, &axes, keep)?, ..x }
            }
            1 => {
                let count: usize = axes.iter().map(|&axis| shape[axis].at(4)).product();
                let node = self.build.reduce(Reduce::Sum, x.node, &axes, keep)?;
                Value { node, bound: x.bound * count as f64, exact: false }
            }
            _ => {
                Value { node: self.build.mean(x.node, &axes, keep)?, bound: x.bound, exact: false }
            }
        }))
    }

    fn arg_max(&mut self) -> Result<Option<Value>, Mismatch> {
        let Some(x) = self.value(|ty, x| ty.dtype == DType::F32 && x.exact && !ty.shape.is_empty())
        else {
            return Ok(None);
        };
        let shape = self.build.ty(x.node).shape.clone();
        let axis = self.below(shape.rank());
        let node = self.build.arg_max(x.node, axis, self.sequence.below(2) == 0)?;
        let index = Value { node, bound: shape[axis].at(1) as f64, exact: true };
        if shape[axis].known().is_some() {
            self.values.push(index);
        }
        let node = self.build.cast(node, DType::F32)?;
        Ok(Some(Value { node, bound: shape[axis].at(4) as f64, exact: true }))
    }

    fn matmul(&mut self) -> Result<Option<Value>, Mismatch> {
        let Some(a) = self.float_of_rank(2) else { return Ok(None) };
        let shape = self.build.ty(a.node).shape.clone();
        let rank = shape.rank();
        let (rows, k) = (shape[rank - 2], shape[rank - 1]);
        let (m, k_elements) = (rows.at(1), k.at(4) as f64);
        // Against itself, so that both transposes, batches and a contraction over N are met.
        let gram = self.below(3);
        if gram == 0 && m * m <= 400 {
            let transposed = Op::MatMul { transpose_a: false, transpose_b: true };
            let node = self.build.op(transposed, &[a.node, a.node])?;
            return Ok(Some(Value { node, bound: a.bound.powi(2) * k_elements, exact: false }));
        }
        if gram == 1 && k.at(1).pow(2) <= 400 {
            let transposed = Op::MatMul { transpose_a: true, transpose_b: false };
            let node = self.build.op(transposed, &[a.node, a.node])?;
            let bound = a.bound.powi(2) * rows.at(4) as f64;
            return Ok(Some(Value { node, bound, exact: false }));
        }
        let fits = |ty: &Type, _: &Value| {
            let from_last = ty.shape.rank().saturating_sub(2);
            ty.dtype == DType::F32 && (1..=2).contains(&ty.shape.rank()) && ty.shape[from_last] == k
        };
        let Some(b) = self.value(fits) else { return Ok(None) };
        let node = self.build.matmul(a.node, b.node)?;
        Ok(Some(Value { node, bound: a.bound * b.bound * k_elements, exact: false }))
    }

    /// `pick`, `gather` and `scatter_add` by an index from data.
    fn indexed(&mut self) -> Result<Option<Value>, Mismatch> {
        let known_last = |shape: &Shape| shape.last().is_some_and(|dim| dim.known().is_some());
        let Some(x) = self.value(|ty, _| ty.dtype == DType::F32 && known_last(&ty.shape)) else {
            return Ok(None);
        };
        let shape = self.build.ty(x.node).shape.clone();
        let (&last, rows) = shape.split_last().expect("a last axis");
        let extent = last.at(1);
        let rows = Shape(rows.to_vec());
        if self.below(2) == 0 {
            let index = self.index(rows, extent);
            let node = self.build.pick(x.node, index)?;
            return Ok(Some(Value { node, ..x }));
        }
        let axes: Vec<usize> = (0..shape.rank()).filter(|&a| shape[a].known().is_some()).collect();
        let axis = self.pick(&axes);
        let count = Dim::Known(self.pick(&[1, 3, 5]));
        let index = self.index(Shape(vec![count]), shape[axis].at(1));
        let node = self.build.gather(x.node, index, axis)?;
        if self.below(2) == 0 {
            return Ok(Some(Value { node, ..x }));
        }
        let node = self.build.op(Op::ScatterAdd { shape, axis }, &[index, node])?;
        Ok(Some(Value { node, bound: x.bound * 5.0, exact: false }))
    }

    /// An index of this shape below `extent`: one made before, or an input.
    fn index(&mut self, shape: Shape, extent: usize) -> NodeId {
        let fits = |ty: &Type, value: &Value| {
            ty.dtype == DType::I32 && ty.shape == shape && value.bound <= extent as f64
        };
        if let Some(value) = self.value(fits) {
            return value.node;
        }
        let name = format!("index{}", self.bounds.len());
        self.bounds.insert(name.clone(), extent);
        let node = self.build.input(&name, Type::new(DType::I32, shape));
        self.values.push(Value { node, bound: extent as f64, exact: true });
        node
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
                Op::Param(id) => self.build.update(Target::Param(id), new),
                Op::State(id) => self.build.update(Target::State(id), new),
                _ => unreachable!("only these were kept"),
            }
        }
    }
}
