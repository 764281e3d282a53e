//! Convolutions and their gradients, of random shapes, in every engine.
//!
//! A case draws extents, channels, window, stride, dilation, padding and groups; its graph has the
//! forward pass, the gradient of the input and that of the weight, with work before and after
//! them, and an update of the weight, so that its other layouts must follow. Every engine's values
//! are compared with the graph's interpreter's, and bit by bit with each other's.

#[path = "engines/check.rs"]
mod check;
mod support;

use nnc::base::entity::Entity;
use nnc::base::rng::Sequence;
use nnc::base::tensor::{DType, Data, Tensor};
use nnc::graph::{
    Binary, Builder, Dim, Env, Graph, Init, NodeId, Op, Param, Shape, Type, UpdateTarget, Window,
};

/// A convolution's numbers.
#[derive(Clone, Copy, Debug)]
struct Case {
    batch: usize,
    extents: [usize; 2],
    channels: [usize; 2],
    window: Window,
    groups: usize,
    /// Whether the operand arrives as bytes.
    bytes: bool,
    /// What follows the forward pass: nothing, a bias, a bias and relu, more; a max-pooling with
    /// nothing or with a bias and relu before it.
    epilogue: u32,
}

/// The most multiplications of a forward pass: the interpreter is slow.
const MOST_WORK: usize = 1 << 18;

impl Case {
    /// A case whose windows fit and whose work is bounded.
    fn draw(seed: u64) -> Case {
        let mut random = Sequence::new(seed, 0);
        loop {
            let case = Case::any(&mut random);
            let fits = case.window.output(case.extents);
            if fits.is_some_and(|out| case.work(out) <= MOST_WORK) {
                return case;
            }
        }
    }

    fn any(random: &mut Sequence) -> Case {
        let mut between = |low: u32, high: u32| (low + random.below(high - low + 1)) as usize;
        let small = between(0, 2) < 2;
        let groups = [1, 1, 1, 2, 3][between(0, 4)];
        let channel = |between: &mut dyn FnMut(u32, u32) -> usize| match small {
            true => between(1, 8),
            false => between(1, 70).div_ceil(groups),
        };
        let channels = [channel(&mut between) * groups, channel(&mut between) * groups];
        let mut axis = || {
            let size = if between(0, 3) == 0 { between(1, 7) } else { between(1, 3) };
            let (stride, dilation) = (between(1, 3), [1, 1, 2, 3][between(0, 3)]);
            let pad = [(0, 0), (1, 1), (between(0, 3), between(0, 3)), (size / 2, size / 2)];
            (size, stride, pad[between(0, 3)], dilation)
        };
        let [rows, columns] = [axis(), axis()];
        let window = Window {
            size: [rows.0, columns.0],
            stride: [rows.1, columns.1],
            pad: [rows.2, columns.2],
            dilation: [rows.3, columns.3],
        };
        let most = if small { 20 } else { 9 };
        Case {
            batch: [1, 1, 2, 3, 5, 17, 32][between(0, 6)],
            extents: [between(1, most), between(1, most)],
            channels,
            window,
            groups,
            bytes: between(0, 4) == 0,
            epilogue: between(0, 5) as u32,
        }
    }

    fn work(&self, [oh, ow]: [usize; 2]) -> usize {
        let [read, written] = self.channels;
        self.batch * oh * ow * self.window.taps() * read / self.groups * written
    }

    /// The three operators with work around them.
    fn graph(&self) -> Graph {
        let Case { extents, channels: [read, written], window, groups, .. } = *self;
        let [oh, ow] = window.output(extents).expect("a case whose windows fit");
        let mut b = Builder::new("convolutions");
        let images = |dims: [usize; 3]| {
            let dims = dims.map(Dim::Known);
            Shape::from([&[Dim::Batch(1)], &dims[..]].concat())
        };
        let x_type = if self.bytes { DType::U8 } else { DType::F32 };
        let x = b.input("x", Type::new(x_type, images([extents[0], extents[1], read])));
        let y_grad = b.input("y_grad", Type::new(DType::F32, images([oh, ow, written])));
        let x = b.cast(x, DType::F32).unwrap();
        let mut param = |path: &str, dims: &[usize]| {
            let shape = Shape::known(dims);
            let ty = Type::new(DType::F32, shape);
            b.param(Param {
                path: path.into(),
                ty,
                init: Init::Uniform { low: -1.0, high: 1.0 },
                origin: None,
            })
        };
        let weight = [window.size[0], window.size[1], read / groups, written];
        let (w, bias) = (param("w", &weight), param("bias", &[written]));
        let conv = b.op(Op::Conv { window, groups }, &[x, w]).unwrap();
        let y = self.follow(&mut b, conv, bias);
        match self.pooling([oh, ow]) {
            Some(window) => {
                let largest = b.max_pool(y, window).unwrap();
                let index = b.op(Op::MaxPoolIndex(window), &[y]).unwrap();
                b.output("y", largest);
                b.output("index", index);
            }
            None => b.output("y", y),
        }
        let back = Op::ConvInputGrad { window, groups, extents };
        let x_grad = b.op(back, &[y_grad, w]).unwrap();
        let x_grad = b.binary(Binary::Mul, x_grad, x).unwrap();
        b.output("x_grad", x_grad);
        let w_grad = b.op(Op::ConvWeightGrad { window, groups }, &[x, y_grad]).unwrap();
        b.output("w_grad", w_grad);
        let rate = b.constant(0.125, DType::F32);
        let change = b.binary(Binary::Mul, w_grad, rate).unwrap();
        let new = b.binary(Binary::Sub, w, change).unwrap();
        b.update(UpdateTarget::Param(nnc::graph::ParamId::from_index(0)), new);
        b.finish()
    }

    /// The window of a max-pooling over `out`: touching, overlapping or apart.
    fn pooling(&self, out: [usize; 2]) -> Option<Window> {
        let size = |axis: usize| [2, 3, 1][self.channels[axis] % 3].min(out[axis]);
        let stride = |axis: usize| [2, 1, 3][self.extents[axis] % 3];
        let window = Window::plain([size(0), size(1)]);
        (self.epilogue >= 4).then_some(Window { stride: [stride(0), stride(1)], ..window })
    }

    fn follow(&self, b: &mut Builder, y: NodeId, bias: NodeId) -> NodeId {
        if matches!(self.epilogue, 0 | 4) {
            return y;
        }
        let y = b.binary(Binary::Add, y, bias).unwrap();
        if self.epilogue == 1 {
            return y;
        }
        let zero = b.constant(0.0, DType::F32);
        let mask = b.binary(Binary::Gt, y, zero).unwrap();
        let y = b.select(mask, y, zero).unwrap();
        if matches!(self.epilogue, 2 | 5) {
            return y;
        }
        let y = b.binary(Binary::Mul, y, bias).unwrap();
        b.binary(Binary::Add, y, y).unwrap()
    }

    fn env(&self, graph: &Graph, seed: u64) -> Env {
        let mut sequence = Sequence::new(seed, 1);
        let mut env = Env::initial(graph, seed);
        for input in graph.inputs.values() {
            let shape = input.ty.shape.at(self.batch);
            let len: usize = shape.iter().product();
            let mut draw = |bound: u32| sequence.below(bound);
            let data = match input.ty.dtype {
                DType::U8 => Data::U8((0..len).map(|_| draw(5) as u8).collect()),
                _ => Data::F32((0..len).map(|_| draw(33) as f32 / 16.0 - 1.0).collect()),
            };
            env.inputs.insert(input.name.clone(), Tensor::new(shape, data));
        }
        if self.epilogue >= 4 {
            // Which element is the largest must not hang on a rounding: all sums are exact.
            for param in &mut env.params {
                if let Data::F32(values) = &mut param.data {
                    values.fill_with(|| sequence.below(17) as f32 / 8.0 - 1.0);
                }
            }
        }
        env
    }

    fn check(&self, seed: u64) {
        let graph = self.graph();
        let what = format!("seed {seed}: {self:?}");
        let env = self.env(&graph, seed);
        // All engines now and then; the widest instructions and one other target always.
        let other = ["avx2", "portable", "portable-no-fma"][seed as usize % 3];
        let chosen = |name: &str| seed.is_multiple_of(8) || name == "avx512" || name == other;
        check::compare_on(&what, &graph, self.batch, &env, chosen);
    }
}

#[test]
fn random_convolutions_give_the_same_values() {
    let cases = if cfg!(debug_assertions) { 96 } else { 3000 };
    let next = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= cases {
                        break;
                    }
                    Case::draw(seed).check(seed);
                }
            });
        }
    });
}

fn case(
    batch: usize,
    extents: [usize; 2],
    channels: [usize; 2],
    (size, stride, pad): (usize, usize, usize),
) -> Case {
    let window = Window { stride: [stride; 2], pad: [(pad, pad); 2], ..Window::plain([size; 2]) };
    Case { batch, extents, channels, window, groups: 1, bytes: false, epilogue: 3 }
}

#[test]
fn weights_in_panels_and_sums_of_all_images() {
    case(2, [5, 4], [48, 100], (3, 1, 1)).check(0);
    case(3, [4, 4], [70, 66], (3, 2, 1)).check(8);
}

#[test]
fn pooled_convolutions_are_never_written() {
    let pooled = |case: Case| Case { epilogue: 5, ..case };
    pooled(case(2, [200, 70], [3, 7], (3, 1, 0))).check(0);
    pooled(case(1, [60, 31], [4, 18], (3, 1, 1))).check(8);
    pooled(case(40, [8, 8], [5, 40], (3, 1, 1))).check(16);
}

#[test]
fn images_larger_than_the_cache_pass_in_bands() {
    case(2, [300, 90], [5, 3], (3, 1, 1)).check(0);
    case(1, [150, 60], [4, 8], (5, 2, 2)).check(8);
}
