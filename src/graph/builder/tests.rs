//! Nodes that the builder inserts, as graph text.

use super::*;
use crate::base::source::{FileId, Span};
use crate::graph::{Binary, DimOrigin, Origin, Range, Reduce, Unary, verify};

fn tensor(build: &mut Builder, name: &str, dims: &[Dim]) -> NodeId {
    build.input(name, Type::new(DType::F32, dims.to_vec()))
}

const fn known(extent: usize) -> Dim {
    Dim::Known(extent)
}

/// The nodes that are no inputs, as text; the graph must be sound.
fn text(build: &Builder) -> String {
    assert_eq!(verify(&build.graph), Ok(()));
    let text = build.graph.to_string();
    let nodes = text.lines().map(str::trim).filter(|line| line.starts_with('%'));
    nodes.filter(|line| !line.contains("= input")).collect::<Vec<_>>().join("\n")
}

#[test]
fn arguments_broadcast_as_in_numpy() {
    let mut build = Builder::new("test");
    let x = tensor(&mut build, "x", &[Dim::N, known(1), known(3)]);
    let y = tensor(&mut build, "y", &[known(2), known(1)]);
    build.binary(Binary::Add, x, y).expect("they broadcast");
    assert_eq!(
        text(&build),
        "%2 = broadcast %0 : f32[N, 2, 3]\n\
         %3 = broadcast %1 : f32[N, 2, 3]\n\
         %4 = add %2, %3 : f32[N, 2, 3]"
    );
    let z = tensor(&mut build, "z", &[known(4), known(1)]);
    let mismatch = build.binary(Binary::Mul, y, z).unwrap_err();
    assert_eq!(
        mismatch.to_string(),
        "f32[2, 1] * f32[4, 1]: the shapes do not broadcast; \
         aligned at the last axis, axis -2 is 2 against 4, and neither is 1"
    );
    assert_eq!(mismatch.axes, [(0, 0), (1, 0)]);
}

#[test]
fn uniform_values_meet_tensors_as_f32() {
    let mut build = Builder::new("test");
    let x = tensor(&mut build, "x", &[known(3)]);
    let lr = build.hyper("lr", 0.1);
    build.binary(Binary::Mul, lr, x).expect("a scalar and a tensor");
    build.binary(Binary::Div, x, lr).expect("a tensor and a scalar");
    assert_eq!(
        text(&build),
        "%1 = hyper0 : f64\n\
         %2 = cast %1 : f32\n\
         %3 = broadcast %2 : f32[3]\n\
         %4 = mul %3, %0 : f32[3]\n\
         %5 = cast %1 : f32\n\
         %6 = broadcast %5 : f32[3]\n\
         %7 = div %0, %6 : f32[3]"
    );
}

#[test]
fn dividing_by_a_uniform_value_that_is_not_huge_is_multiplying_by_its_reciprocal() {
    let mut build = Builder::new("test");
    let x = tensor(&mut build, "x", &[known(3)]);
    let (small, huge) = (build.constant(5.0, DType::F64), build.constant(3e38, DType::F64));
    build.binary(Binary::Div, x, small).expect("a tensor and a scalar");
    // The reciprocal of this one is a denormal, which would be flushed to 0.
    build.binary(Binary::Div, x, huge).expect("a tensor and a scalar");
    let text = text(&build);
    let count = |op: &str| text.matches(&format!(" = {op} %0")).count();
    assert_eq!((count("mul"), count("div")), (1, 1), "{text}");
}

#[test]
fn constants_take_the_tensors_type() {
    let mut build = Builder::new("test");
    let label = build.input("label", Type::new(DType::I32, vec![Dim::N]));
    let one = build.constant(1.0, DType::F64);
    build.binary(Binary::Sub, label, one).expect("an integer");
    assert_eq!(
        text(&build),
        "%1 = const 1.0 : f64\n\
         %2 = const 1 : i32\n\
         %3 = broadcast %2 : i32[N]\n\
         %4 = sub %0, %3 : i32[N]"
    );
    let half = build.constant(0.5, DType::F64);
    let mismatch = build.binary(Binary::Add, label, half).unwrap_err();
    assert_eq!(mismatch.message, "0.5 is not a value of i32");
}

#[test]
fn uniform_arithmetic_stays_f64_but_truth_does_not() {
    let mut build = Builder::new("test");
    let (step, warmup) = (build.step(), build.constant(500.0, DType::F64));
    let ratio = build.binary(Binary::Div, step, warmup).expect("two f64");
    assert_eq!(build.ty(ratio), &Type::scalar(DType::F64));
    let early = build.binary(Binary::Lt, step, warmup).expect("two f64");
    assert_eq!(build.ty(early), &Type::scalar(DType::Bool));
    let chosen = build.select(early, ratio, warmup).expect("a condition and two f64");
    assert_eq!(build.ty(chosen), &Type::scalar(DType::F32));
    let truth = build.cast(step, DType::Bool).expect("by f32");
    assert_eq!(build.ty(truth), &Type::scalar(DType::Bool));
    assert_eq!(verify(&build.graph), Ok(()));
}

#[test]
fn a_mean_multiplies_by_the_reciprocal_of_the_count() {
    let mut build = Builder::new("test");
    let x = tensor(&mut build, "x", &[Dim::N, known(4)]);
    build.mean(x, &[1], true).expect("a known count");
    assert_eq!(
        text(&build),
        "%1 = reduce_sum [1] %0 : f32[N]\n\
         %2 = reshape %1 : f32[N, 1]\n\
         %3 = const 4.0 : f64\n\
         %4 = const 0.25 : f32\n\
         %5 = broadcast %4 : f32[N, 1]\n\
         %6 = mul %2, %5 : f32[N, 1]"
    );
    let mut build = Builder::new("test");
    let x = tensor(&mut build, "x", &[Dim::Batch(2), known(4)]);
    build.mean(x, &[1, 0], false).expect("a count of the batch");
    assert_eq!(
        text(&build),
        "%1 = reduce_sum [0, 1] %0 : f32\n\
         %2 = extent N : f64\n\
         %3 = const 8.0 : f64\n\
         %4 = mul %2, %3 : f64\n\
         %5 = const 1.0 : f64\n\
         %6 = div %5, %4 : f64\n\
         %7 = cast %6 : f32\n\
         %8 = mul %1, %7 : f32"
    );
}

#[test]
fn a_dense_layer_is_one_contraction() {
    let mut build = Builder::new("test");
    let x = tensor(&mut build, "x", &[Dim::N, known(5), known(3)]);
    let w = tensor(&mut build, "w", &[known(3), known(2)]);
    build.matmul(x, w).expect("they fit");
    assert_eq!(
        text(&build),
        "%2 = reshape %0 : f32[5N, 3]\n\
         %3 = matmul %2, %1 : f32[5N, 2]\n\
         %4 = reshape %3 : f32[N, 5, 2]"
    );
}

#[test]
fn matrix_products_have_numpys_shapes() {
    let cases: &[(&[Dim], &[Dim], &str)] = &[
        (&[known(3)], &[known(3)], "f32"),
        (&[known(3)], &[known(3), known(2)], "f32[2]"),
        (&[known(2), known(3)], &[known(3)], "f32[2]"),
        (&[Dim::N, known(2), known(3)], &[known(3)], "f32[N, 2]"),
        (&[known(3)], &[Dim::N, known(3), known(2)], "f32[N, 2]"),
        (&[known(4), known(3)], &[Dim::N, known(3), known(2)], "f32[N, 4, 2]"),
        (
            &[Dim::N, known(1), known(4), known(3)],
            &[known(5), known(3), known(2)],
            "f32[N, 5, 4, 2]",
        ),
        (&[Dim::N, Dim::N, known(3)], &[known(3), known(2)], "f32[N, N, 2]"),
    ];
    for (left, right, wanted) in cases {
        let mut build = Builder::new("test");
        let a = tensor(&mut build, "a", left);
        let b = tensor(&mut build, "b", right);
        let product = build.matmul(a, b).expect(wanted);
        assert_eq!(build.ty(product).to_string(), *wanted);
        assert_eq!(verify(&build.graph), Ok(()));
    }
}

#[test]
fn a_product_that_does_not_fit_shows_the_shapes_as_written() {
    let mut build = Builder::new("test");
    let a = tensor(&mut build, "a", &[Dim::N, known(5), known(784)]);
    let b = tensor(&mut build, "b", &[known(512), known(10)]);
    let mismatch = build.matmul(a, b).unwrap_err();
    assert_eq!(mismatch.message, "f32[N, 5, 784] @ f32[512, 10] do not fit");
    assert_eq!(mismatch.axes, [(0, 2), (1, 0)]);
    let scalar = build.constant(1.0, DType::F32);
    assert_eq!(
        build.matmul(a, scalar).unwrap_err().message,
        "f32[N, 5, 784] @ f32: a scalar is no matrix"
    );
    let c = tensor(&mut build, "c", &[known(2), known(784), known(3)]);
    let mismatch = build.matmul(a, c).unwrap_err();
    assert_eq!((mismatch.notes.len(), &mismatch.axes[..]), (1, &[(0, 0), (1, 0)][..]));
}

#[test]
fn what_changes_nothing_is_not_built() {
    let mut build = Builder::new("test");
    let x = tensor(&mut build, "x", &[Dim::N, known(3)]);
    let shape = build.ty(x).shape.clone();
    let whole = Range { start: 0, len: Some(3), step: 1 };
    assert_eq!(build.cast(x, DType::F32), Ok(x));
    assert_eq!(build.broadcast_to(x, &shape), Ok(x));
    assert_eq!(build.reshape(x, shape), Ok(x));
    assert_eq!(build.transpose(x, &[0, 1]), Ok(x));
    assert_eq!(build.slice(x, vec![Range::ALL, whole]), Ok(x));
    assert_eq!(build.concat(&[x], 1), Ok(x));
    assert_eq!(build.pad(x, vec![(0, 0), (0, 0)], 0.0), Ok(x));
    assert_eq!(build.reduce(Reduce::Sum, x, &[], false), Ok(x));
    assert_eq!(build.graph.nodes.len(), 1);
}

#[test]
fn random_operators_have_streams_of_their_own_across_resumption() {
    let mut build = Builder::new("test");
    build.uniform(Shape::known(&[2]));
    build.uniform(Shape::known(&[2]));
    let mut build = Builder::resume(build.finish());
    build.uniform(Shape::known(&[2]));
    assert_eq!(verify(&build.graph), Ok(()));
    assert!(text(&build).ends_with("%2 = uniform 2 : f32[2]"));
}

#[test]
fn nodes_get_the_origin_that_is_set_and_dimensions_theirs() {
    let mut build = Builder::new("test");
    let file: FileId = crate::base::entity::Entity::from_index(0);
    let place = Origin { span: Span::new(file, 0, 1), caller: None, path: "flatten".into() };
    let x = tensor(&mut build, "x", &[Dim::N, known(28), known(28), known(1)]);
    let origin = build.graph.intern(place);
    build.set_origin(Some(origin));
    let flat = build.reshape(x, vec![Dim::N, known(784)].into()).expect("as many elements");
    let y = build.unary(Unary::Exp, flat).expect("an f32");
    assert_eq!(build.graph.nodes[y].origin, Some(origin));
    let dims = &build.graph.dim_origins;
    assert_eq!(dims[&(flat, 0)], DimOrigin::From(x, 0));
    let formula = "28 · 28 · 1 = 784".to_owned();
    assert_eq!(dims[&(flat, 1)], DimOrigin::Formula(origin, formula));
    assert_eq!(dims[&(y, 1)], DimOrigin::From(flat, 1));
    assert_eq!(build.graph.dim_origin(y, 1), Some(&dims[&(flat, 1)]));
    assert_eq!(build.graph.dim_origin(y, 0), None);
    let scalar = build.constant(2.0, DType::F64);
    let doubled = build.binary(Binary::Mul, scalar, y).expect("they broadcast");
    let full = build.graph.nodes[doubled].args[0];
    assert_eq!(build.graph.dim_origins[&(full, 1)], DimOrigin::From(y, 1));
}
