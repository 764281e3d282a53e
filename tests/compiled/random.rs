//! Random numbers of compiled code against `base::rng`.

use nnc::base::rng;

use crate::{SEED, STEP, assert_same, run, single, targets};

#[test]
fn every_way_to_reach_an_element_gives_its_number() {
    // Blocks in line with lanes; blocks across lanes; every third element; one by one.
    let body = "parts i0 in 0..3 {\nvector i1 in 0..24 {\nr0: f32 = uniform 7 element 24*i0 + i1\n\
                store s0[24*i0 + i1] = r0\n}\nvector i2 in 0..23 {\n\
                r1: f32 = uniform 7 element 23*i0 + i2\nstore s1[23*i0 + i2] = r1\n}\n\
                vector i3 in 0..7 {\nr2: f32 = uniform 7 element 21*i0 + 3*i3 + 2\n\
                store s2[7*i0 + i3] = r2\n}\nr3: f32 = uniform 9 element 1 + i0\n\
                store s3[i0] = r3\n}";
    let buffers = [("f32[72]", "a"), ("f32[69]", "b"), ("f32[21]", "c"), ("f32[3]", "d")];
    let program = single(&buffers, 3, body);
    let number = |stream, element| rng::unit_f32(rng::element_word(SEED, STEP, stream, element));
    for target in targets() {
        let ran = run(&program, &target, 1, &[]);
        let expected: Vec<f32> = (0..72).map(|element| number(7, element)).collect();
        assert_same(&ran.f32s("a"), &expected, "aligned");
        assert_same(&ran.f32s("b"), &expected[..69], "across");
        let strided: Vec<f32> =
            (0..21).map(|at| number(7, 21 * (at / 7) + 3 * (at % 7) + 2)).collect();
        assert_same(&ran.f32s("c"), &strided, "strided");
        let single: Vec<f32> = (0..3).map(|at| number(9, 1 + at)).collect();
        assert_same(&ran.f32s("d"), &single, "single");
    }
}
