//! Programs that break one rule each, and what the verifier says.

use super::*;
use crate::loops::read::read;

const GOOD: &str = r#"program "good" {
    uniforms b2 {
        u0 = step
        results u0
    }
    b0 = global f32[32] "weight" at 64
    b1 = scratch f32[32] "%1"
    b2 = pinned f32[1] "uniforms"
    b3 = pinned i32[4] "input.label"
    b4 = thread f32[32] "%4"
    kernel k0 "all" parts 4 (s0: f32[32], s1: f32[32], s2: i32[4]) {
        parts i0 in 0..4 {
            r0: f32 = f32 1.0
            vector i1 in 0..8 {
                r1: f32 = load s0[8*i0 + i1]
                r2: f32 = mul r1, r0
                store s1[8*i0 + i1] = r2
            } reduce r3: f32 = sum r2
            if i0 < 2 {
                store s1[16*i0 + 15] = r3
            }
            r4: i32 = load s2[i0]
            r5: i32 = checked r4 < 4 site 0 element i0
            r6: f32 = load s0[7] at r5*8
            add s1[i0] at r5*8 = r6
            r7: bool = eq r5, r4
            if r7 {
                store s1[i0 + 1] at r5*7 = r6
            }
            tile n 2 {
                row 2 a 1 c 4
                row 2 a 2 c 2
                sum 3 a 1 b 4
                sum 2 a -1 b 1
                c = s1[8*i0]
                a = s0[8*i0 + 1]
                b = s0[0]
            }
        }
    }
    kernel k1 "whole" parts 0 (s0: f32[32]) {
        for i0 in 0..32 {
            r0: f32 = f32 0.0
            store s0[i0] = r0
        }
    }
    step {
        run k0(b0, b1, b3)
        barrier
        run k1(b4)
    }
}"#;

#[test]
fn a_good_program_passes() {
    assert_eq!(verify(&read(GOOD).unwrap()), Ok(()));
}

/// Each change of the good program breaks the rule that the message names.
fn breaks(cases: &[(&str, &str, &str)]) {
    for (from, to, message) in cases {
        assert!(GOOD.contains(from), "{from:?} is not in the program");
        let text = GOOD.replacen(from, to, 1);
        let program = read(&text).unwrap_or_else(|error| panic!("{to}: {error}"));
        let errors = verify(&program).expect_err(to);
        assert!(errors.iter().any(|error| error.contains(message)), "{to}: {errors:#?}");
    }
}

#[test]
fn rules_of_buffers_uniform_values_and_runs_are_checked() {
    breaks(&[
        ("f32[32] \"weight\" at 64", "f32[32] \"weight\" at 4", "not a multiple of 64"),
        ("f32[32] \"weight\"", "f64[32] \"weight\"", "no buffer holds f64"),
        ("\"weight\"", "\"uniforms\"", "another one is called \"uniforms\""),
        ("u0 = step", "u0 = sqrt u0", "an argument does not come before it"),
        ("u0 = step", "u0 = hyper 0", "an argument does not come before it"),
        ("results u0", "results u1", "a result does not exist"),
        ("uniforms b2 {", "uniforms b1 {", "b1 is not a pinned buffer of 1 f32"),
        ("uniforms b2 {", "uniforms {", "no buffer for them"),
        ("run k0(b0, b1, b3)", "run k2()", "there is no kernel k2"),
        ("run k0(b0, b1, b3)", "run k0(b0, b1)", "takes 3 buffers and is given 2"),
        ("run k0(b0, b1, b3)", "run k0(b0, b1, b9)", "there is no buffer b9"),
        (
            "run k0(b0, b1, b3)",
            "run k0(b0, b1, b4)",
            "b4 is f32[32], but s2 of kernel k0 is i32[4]",
        ),
        ("run k0(b0, b1, b3)", "run k0(b0, b0, b3)", "a tile of kernel k0 reads and writes b0"),
        ("run k1(b4)", "run k1(b1)", "every thread runs all of k1, which writes b1"),
        ("f32[32] \"%1\"", "f32[31] \"%1\"", "b1 is f32[31], but s1 of kernel k0 is f32[32]"),
    ]);
}

#[test]
fn rules_of_loops_and_parts_are_checked() {
    breaks(&[
        ("parts i0 in 0..4", "for i0 in 0..4", "it has 4 parts, but no `parts`"),
        ("parts i0 in 0..4", "parts i0 in 0..3", "i0 counts 3 parts of 4"),
        ("if i0 < 2 {", "for i0 in 0..4 {", "i0 counts two loops in one another"),
        ("if i0 < 2 {", "parts i2 in 0..4 {", "`parts` within `parts`"),
        ("if i0 < 2 {", "if i1 < 2 {", "i1 is not in scope"),
        ("if r7 {", "if r6 {", "if r6: it is no truth value"),
        ("if r7 {", "if r8 { r8: bool = bool true }\nif r7 {", "r8 is used before it is assigned"),
        ("r2: f32 = mul", "for i2 in 0..1 { } r2: f32 = mul", "holds only scalars and stores"),
        (
            "parts i0 in 0..4 {",
            "r10: f32 = f32 1 store s1[0] = r10 parts i0 in 0..4 { r8: f32 = f32 1 r9: f32 = f32 1",
            "outside of its parts",
        ),
    ]);
}

#[test]
fn rules_of_scalars_are_checked() {
    breaks(&[
        ("mul r1, r0", "mul r1, r2", "r2 is used before it is assigned"),
        ("= r6\n", "= r1\n", "r1 is used outside of its scope"),
        ("r2: f32 = mul r1, r0", "r0: f32 = mul r1, r0 r2: f32 = f32 1", "r0 is assigned twice"),
        ("mul r1, r0", "and r1, r0", "r1 is f32: `and` takes none"),
        ("mul r1, r0", "fma r1, r0, r8 r8: i32 = i32 1", "r8 is used before"),
        ("mul r1, r0", "not r1", "r1 is f32: `not` takes none"),
        ("mul r1, r0", "lt r1, r0", "r2 is f32, its value bool"),
        ("mul r1, r0", "select r1, r0, r0", "r1 is f32, but must be bool"),
        ("r1: f32 = load", "r1: i32 = load", "r1 is i32, its value f32"),
        ("r0: f32 = f32 1.0", "r0: u8 = f32 1.0", "no scalar has type u8"),
        ("sum r2", "sum r10 reg r10: bool reg r8: f32 reg r9: f32", "r10 is used before"),
        ("= r3\n            }", "= r4\n            }", "r4 is used before"),
        ("at r5*8 = r6", "at r4*8 = r6", "r4 is not a tested index"),
        ("r4 < 4 site", "r4 < 0 site", "no index is below 0"),
        ("add s1[i0] at r5*8 = r6", "add s1[i0] at r5*8 = r5", "r5 is i32, the slot f32"),
    ]);
}

#[test]
fn rules_of_accesses_are_checked() {
    breaks(&[
        ("load s0[8*i0 + i1]", "load s0[8*i0 + 2*i1]", "reaches element 38 of 32"),
        ("store s1[8*i0 + i1]", "store s1[8*i0 - i1]", "reaches element -7 of 32"),
        ("store s1[8*i0 + i1]", "store s1[8*i0]", "all of i1 store to one element"),
        ("load s0[8*i0 + i1]", "load s5[i1]", "there is no s5"),
        ("load s2[i0]", "load s2[i0 + i1]", "i1 is not in scope"),
        ("if i0 < 2 {", "if i0 < 3 {", "reaches element 47 of 32"),
        ("load s0[7] at r5*8", "load s0[8] at r5*8", "reaches element 32 of 32"),
        ("add s1[i0] at r5*8", "add s1[i0] at r5*-8", "reaches element -24 of 32"),
        ("store s1[i0 + 1] at r5*7", "store s1[i0 + 1] at r5*10", "reaches element 34 of 32"),
        ("store s1[i0 + 1] at r5*7", "store s1[i0 + 1] at r4*7", "r4 is not a tested index"),
    ]);
}

#[test]
fn rules_of_tiles_are_checked() {
    breaks(&[
        ("tile n 2", "tile n 0", "a tile has no elements"),
        ("row 2 a 2 c 2", "row 0 a 2 c 2", "a tile has no elements"),
        ("row 2 a 2 c 2", "row 2 a 2 c 1", "rows of the result overlap"),
        ("row 2 a 1 c 4", "row 2 a 1 c 3", "rows of the result overlap"),
        ("row 2 a 1 c 4", "row 2 a 1 c 0", "rows of the result overlap"),
        ("row 2 a 2 c 2", "row 2 a 2 c -2", "reaches element -2 of 32"),
        ("row 2 a 1 c 4", "row 2 a 1 c 5", "reaches element 32 of 32"),
        ("row 2 a 1 c 4", "row 2 a 3 c 4", "reaches element 32 of 32"),
        ("sum 2 a -1 b 1", "sum 2 a -2 b 1", "reaches element -1 of 32"),
        ("sum 3 a 1 b 4", "sum 3 a 1 b 15", "reaches element 32 of 32"),
        ("sum 3 a 1 b 4", "sum 3 a 1 b -1", "reaches element -2 of 32"),
        ("b = s0[0]", "b = s0[0] bias = s2[0]", "operands are f32, not i32"),
        ("b = s0[0]", "b = s0[0] bias = s0[31]", "reaches element 32 of 32"),
    ]);
}
