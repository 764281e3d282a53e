//! Loads, stores, indices from data, and reductions.

use nnc::base::tensor::{Data, Tensor};
use nnc::codegen::Target;
use nnc::runtime::program::IndexFault;

use crate::{assert_same, numbers, run, single, targets, vector};

/// The order that `loops::Reduction` documents.
fn in_sixteen_lanes(values: &[f32], neutral: f32, op: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [neutral; 16];
    for (index, &value) in values.iter().enumerate() {
        lanes[index % 16] = op(lanes[index % 16], value);
    }
    for far in [8, 4, 2, 1] {
        for lane in 0..far {
            lanes[lane] = op(lanes[lane], lanes[lane + far]);
        }
    }
    lanes[0]
}

#[test]
fn reductions_have_one_order_at_every_length() {
    let targets: Vec<Target> = targets().collect();
    for len in 1..=70 {
        let x = numbers(len, len as u64);
        let ty = format!("f32[{len}]");
        // A long body, so that one target's loop is not unrolled; and a short one.
        for exponential in [false, true] {
            let value = if exponential { "r1: f32 = exp r0" } else { "r1: f32 = neg r0" };
            let body = format!(
                "parts i1 in 0..1 {{\nvector i0 in 0..{len} {{\nr0: f32 = load s0[i0]\n{value}\n}} \
                 reduce r2: f32 = sum r1, r3: f32 = max r0, r4: f32 = min r1\n\
                 store s1[0] = r2\nstore s1[1] = r3\nstore s1[2] = r4\n}}"
            );
            let program = single(&[(&ty, "x"), ("f32[3]", "y")], 1, &body);
            let mapped: Vec<f32> = x
                .iter()
                .map(|&x| match exponential {
                    true => nnc::base::math::exp(&mut nnc::base::math::Scalar, x),
                    false => -x,
                })
                .collect();
            let expected = [
                in_sixteen_lanes(&mapped, 0.0, |a, b| a + b),
                in_sixteen_lanes(&x, f32::NEG_INFINITY, f32::max),
                in_sixteen_lanes(&mapped, f32::INFINITY, f32::min),
            ];
            // Compiling is what takes long, and the loops are the same for all x86 targets.
            for target in [&targets[0], &targets[targets.len() - 1]] {
                let ran = run(&program, target, 1, &[("x", vector(x.clone()))]);
                assert_same(&ran.f32s("y"), &expected, &format!("{len} on {}", target.name()));
            }
        }
    }
}

#[test]
fn a_nan_comes_through_every_reduction() {
    for at in 0..23 {
        let mut x = numbers(23, 3);
        x[at] = f32::NAN;
        let body = "parts i1 in 0..1 {\nvector i0 in 0..23 {\nr0: f32 = load s0[i0]\n} \
                    reduce r2: f32 = sum r0, r3: f32 = max r0, r4: f32 = min r0\n\
                    store s1[0] = r2\nstore s1[1] = r3\nstore s1[2] = r4\n}";
        let program = single(&[("f32[23]", "x"), ("f32[3]", "y")], 1, body);
        let ran = run(&program, &Target::detect(), 1, &[("x", vector(x))]);
        assert!(ran.f32s("y").iter().all(|value| value.is_nan()), "at {at}");
    }
}

#[test]
fn integers_reduce_too() {
    let x: Vec<i32> = (0..53).map(|index: i32| (index * 37) % 101 - 50).collect();
    let body = "parts i1 in 0..1 {\nvector i0 in 0..53 {\nr0: i32 = load s0[i0]\n} \
                reduce r2: i32 = sum r0, r3: i32 = max r0, r4: i32 = min r0\n\
                store s1[0] = r2\nstore s1[1] = r3\nstore s1[2] = r4\n}";
    let program = single(&[("i32[53]", "x"), ("i32[3]", "y")], 1, body);
    let expected = vec![x.iter().sum(), *x.iter().max().unwrap(), *x.iter().min().unwrap()];
    for target in targets() {
        let ran = run(&program, &target, 1, &[("x", Tensor::i32([53], x.clone()))]);
        assert_eq!(ran.read("y").data, Data::I32(expected.clone()));
    }
}

#[test]
fn data_decides_where_is_stored_and_what_is_done() {
    let x = numbers(12, 4);
    let index = vec![3, 0, 3, 3, 0];
    let body = "parts i0 in 0..1 {\nr0: f32 = f32 7.0\nr1: i32 = i32 1\nr2: i32 = i32 0\n\
                for i1 in 0..5 {\nr3: i32 = load s1[i1]\n\
                r4: i32 = checked r3 < 4 site 0 element i1\nstore s2[0] at r4*1 = r1\n}\n\
                for i2 in 0..4 {\nr5: i32 = load s2[i2]\nr6: bool = ne r5, r2\nif r6 {\n\
                vector i3 in 0..3 {\nr7: f32 = load s0[3*i2 + i3]\nstore s3[3*i2 + i3] = r7\n}\n\
                } else {\nvector i4 in 0..3 {\nstore s3[3*i2 + i4] = r0\n}\n}\n}\n}";
    let slots = [("f32[12]", "x"), ("i32[5]", "index"), ("i32[4]", "used"), ("f32[12]", "y")];
    let program = single(&slots, 1, body);
    let expected: Vec<f32> =
        (0..12).map(|at| if [0, 3].contains(&(at / 3)) { x[at] } else { 7.0 }).collect();
    let given = [
        ("x", vector(x)),
        ("index", Tensor::i32([5], index)),
        ("used", Tensor::i32([4], vec![0; 4])),
    ];
    for target in targets() {
        let ran = run(&program, &target, 1, &given);
        assert_eq!(ran.read("used").data, Data::I32(vec![1, 0, 0, 1]), "{}", target.name());
        assert_same(&ran.f32s("y"), &expected, target.name());
    }
}

#[test]
fn bytes_strides_and_spread_values() {
    let image: Vec<u8> = (0..4 * 27).map(|index| (index * 89 % 256) as u8).collect();
    let scale = numbers(4, 9);
    // y[j, i] = image[i, j] · scale[i] + j, in vectors along rows and along columns.
    let body = "parts i0 in 0..4 {\nvector i1 in 0..27 {\nr0: i32 = load s0[27*i0 + i1]\n\
                r1: f32 = cast f32 r0\nr2: f32 = load s1[i0]\nr3: f32 = mul r1, r2\n\
                r4: i32 = index i1\nr5: f32 = cast f32 r4\nr6: f32 = add r3, r5\n\
                store s2[i0 + 4*i1] = r6\n}\n}\n\
                for i2 in 0..27 {\nparts i3 in 0..4 {\nr10: i32 = index 21 + 3*i2 - 7*i3\n\
                store s4[4*i2 + i3] = r10\n}\n}";
    let buffers = [
        ("u8[108]", "image"),
        ("f32[4]", "scale"),
        ("f32[108]", "y"),
        ("u8[108]", "copy"),
        ("i32[108]", "index"),
    ];
    let program = single(&buffers, 4, body);
    let mut expected = vec![0.0; 108];
    for i in 0..4 {
        for j in 0..27 {
            expected[i + 4 * j] = f32::from(image[27 * i + j]) * scale[i] + j as f32;
        }
    }
    for target in targets() {
        let inputs = [
            ("image", Tensor::new([108], Data::U8(image.clone()))),
            ("scale", vector(scale.clone())),
        ];
        let ran = run(&program, &target, 1, &inputs);
        assert_same(&ran.f32s("y"), &expected, target.name());
        let index: Vec<i32> = (0..108).map(|at| 21 + 3 * (at / 4) - 7 * (at % 4)).collect();
        assert_eq!(ran.read("index").data, Data::I32(index));
    }
}

const LOOKUP: &str = "parts i0 in 0..1 {\nvector i1 in 0..11 {\nr0: i32 = load s0[i1]\n\
     r1: i32 = checked r0 < 5 site 3 element 20 + 2*i1\nr2: f32 = load s1[i1] at r1*11\n\
     store s2[i1] = r2\n}\nfor i2 in 0..11 {\nr10: i32 = load s0[i2]\n\
     r11: i32 = checked r10 < 5 site 4 element i2\nr12: f32 = load s1[i2] at r11*11\n\
     add s3[0] at r11*1 = r12\n}\n}";
const LOOKUP_BUFFERS: [(&str, &str); 4] =
    [("i32[11]", "index"), ("f32[55]", "table"), ("f32[11]", "row"), ("f32[5]", "sums")];

#[test]
fn indices_from_data_pick_and_add() {
    let index: Vec<i32> = (0..11).map(|at| at * 3 % 5).collect();
    let table = numbers(55, 4);
    let row: Vec<f32> = (0..11).map(|at| table[index[at] as usize * 11 + at]).collect();
    let mut sums = vec![0.0; 5];
    for at in 0..11 {
        sums[index[at] as usize] += row[at];
    }
    let program = single(&LOOKUP_BUFFERS, 1, LOOKUP);
    for target in targets() {
        let inputs =
            [("index", Tensor::i32([11], index.clone())), ("table", vector(table.clone()))];
        let ran = run(&program, &target, 1, &inputs);
        assert_eq!(ran.result, Ok(()));
        assert_same(&ran.f32s("row"), &row, target.name());
        assert_same(&ran.f32s("sums"), &sums, target.name());
    }
}

#[test]
fn a_bad_index_reads_row_zero_and_is_reported() {
    let table = numbers(55, 4);
    let program = single(&LOOKUP_BUFFERS, 1, LOOKUP);
    for at in 0..11usize {
        for bad in [5, -1, i32::MAX, i32::MIN] {
            let mut index = vec![1; 11];
            index[at] = bad;
            // A later one is not the first.
            index[10] = bad;
            let inputs = [("index", Tensor::i32([11], index)), ("table", vector(table.clone()))];
            let ran = run(&program, &Target::detect(), 1, &inputs);
            assert_eq!(ran.result, Err(IndexFault { site: 3, element: 20 + 2 * at }));
            assert_eq!(ran.f32s("row")[at], table[at]);
        }
    }
}
