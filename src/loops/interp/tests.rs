//! Programs as text, run: their values, and the races and clobbered buffers that are found.

use super::*;
use crate::base::tensor::Tensor;
use crate::loops::read::read;
use crate::loops::verify::verify;

fn program(text: &str) -> Program {
    let program = read(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    verify(&program).unwrap_or_else(|errors| panic!("{errors:#?}"));
    program
}

fn step(seed: u64) -> InterpArgs {
    InterpArgs { seed, step: 1, hypers: Vec::new() }
}

fn floats(memory: &ProgramMemory, name: &str) -> Vec<f32> {
    memory.get(memory.find(name).unwrap()).as_f32().to_vec()
}

fn fill(memory: &mut ProgramMemory, name: &str, values: &[f32]) {
    memory.set(memory.find(name).unwrap(), &Tensor::f32([values.len()], values.to_vec()));
}

/// Doubles 16 numbers in 4 parts, then reverses them: part p reads what part 3 - p wrote.
fn reversal(barrier: &str) -> Program {
    program(&format!(
        r#"program "reversal" {{
    b0 = pinned f32[16] "input.x"
    b1 = scratch f32[16] "%1"
    b2 = pinned f32[16] "output.y"
    kernel k0 "double" parts 4 (s0: f32[16], s1: f32[16]) {{
        parts i0 in 0..4 {{
            vector i1 in 0..4 {{
                r0: f32 = load s0[4*i0 + i1]
                r1: f32 = add r0, r0
                store s1[4*i0 + i1] = r1
            }}
        }}
    }}
    kernel k1 "reverse" parts 4 (s0: f32[16], s1: f32[16]) {{
        parts i0 in 0..4 {{
            vector i1 in 0..4 {{
                r0: f32 = load s0[15 - 4*i0 - i1]
                store s1[4*i0 + i1] = r0
            }}
        }}
    }}
    step {{ run k0(b0, b1) {barrier} run k1(b1, b2) }}
}}"#
    ))
}

#[test]
fn a_missing_barrier_is_a_race_in_any_order_and_a_barrier_cures_it() {
    let values: Vec<f32> = (0..16).map(|x| x as f32).collect();
    let (broken, whole) = (reversal(""), reversal("barrier"));
    for shuffle in 0..20 {
        let mut memory = ProgramMemory::new(&broken);
        fill(&mut memory, "input.x", &values);
        let failure = run(&broken, &mut memory, &step(1), 2, shuffle).unwrap_err();
        // Where the reader comes first, there is nothing to read yet: also a failure.
        match &failure {
            StepFailure::Race { write, other } => {
                assert_eq!((&*write.kernel, &*other.kernel), ("k0 double", "k1 reverse"));
                assert_eq!((&*write.buffer, &*other.buffer), ("b1 %1", "b1 %1"));
                assert_ne!(write.thread, other.thread);
            }
            StepFailure::Clobbered { read, owner: None } => assert_eq!(read.kernel, "k1 reverse"),
            other => panic!("{other}"),
        }
        for threads in [1, 2, 3, 4, 8] {
            let mut memory = ProgramMemory::new(&whole);
            fill(&mut memory, "input.x", &values);
            run(&whole, &mut memory, &step(1), threads, shuffle).unwrap();
            let expected: Vec<f32> = values.iter().rev().map(|x| 2.0 * x).collect();
            assert_eq!(floats(&memory, "output.y"), expected);
        }
    }
    let mut alone = ProgramMemory::new(&broken);
    run(&broken, &mut alone, &step(1), 1, 0).expect("one thread needs no barrier");
}

/// Copies the input to b1 and b2 one after the other, then adds both.
fn plan(first: usize, second: usize) -> Program {
    program(&format!(
        r#"program "plan" {{
    b0 = pinned f32[4] "input.x" at 0
    b1 = scratch f32[4] "%1" at {first}
    b2 = scratch f32[4] "%2" at {second}
    b3 = pinned f32[4] "output.y" at 64
    kernel k0 "copy" parts 1 (s0: f32[4], s1: f32[4]) {{
        parts i0 in 0..1 {{
            vector i1 in 0..4 {{
                r0: f32 = load s0[i1]
                store s1[i1] = r0
            }}
        }}
    }}
    kernel k1 "add" parts 1 (s0: f32[4], s1: f32[4], s2: f32[4]) {{
        parts i0 in 0..1 {{
            vector i1 in 0..4 {{
                r0: f32 = load s0[i1]
                r1: f32 = load s1[i1]
                r2: f32 = add r0, r1
                store s2[i1] = r2
            }}
        }}
    }}
    step {{ run k0(b0, b1) run k0(b0, b2) run k1(b1, b2, b3) }}
}}"#
    ))
}

#[test]
fn buffers_that_share_bytes_while_both_live_are_found() {
    let good = plan(128, 192);
    let mut memory = ProgramMemory::new(&good);
    fill(&mut memory, "input.x", &[1.0, 2.0, 3.0, 4.0]);
    run(&good, &mut memory, &step(1), 2, 5).unwrap();
    assert_eq!(floats(&memory, "output.y"), [2.0, 4.0, 6.0, 8.0]);

    let bad = plan(128, 128);
    let failure = run(&bad, &mut ProgramMemory::new(&bad), &step(1), 1, 0).unwrap_err();
    let expected = "b1 %1 in kernel k1 add on thread 0 is read, but its bytes hold b2 %2";
    assert_eq!(failure.to_string(), expected);
}

#[test]
fn tiles_add_in_order_with_one_rounding_each() {
    let program = program(
        r#"program "tile" {
    b0 = pinned f32[12] "input.a"
    b1 = pinned f32[12] "input.b"
    b2 = pinned f32[3] "input.bias"
    b3 = pinned f32[6] "output.c"
    kernel k0 "product" parts 1 (s0: f32[12], s1: f32[12], s2: f32[3], s3: f32[6]) {
        parts i0 in 0..1 {
            tile n 3 {
                row 2 a 2 c 3
                sum 2 a 4 b 6
                sum 2 a 1 b 3
                c = s3[0]
                a = s0[0]
                b = s1[0]
                bias = s2[0]
                relu
            }
        }
    }
    step { run k0(b0, b1, b2, b3) }
}"#,
    );
    let a: Vec<f32> = (0..12).map(|i| (i as f32 * 0.7).sin()).collect();
    let b: Vec<f32> = (0..12).map(|i| (i as f32 * 1.3).cos()).collect();
    let bias = [0.25, -0.5, 0.125];
    let mut memory = ProgramMemory::new(&program);
    fill(&mut memory, "input.a", &a);
    fill(&mut memory, "input.b", &b);
    fill(&mut memory, "input.bias", &bias);
    run(&program, &mut memory, &step(1), 3, 0).unwrap();
    let found = floats(&memory, "output.c");
    for i in 0..2 {
        for j in 0..3 {
            let mut sum = 0.0f32;
            for block in 0..2 {
                for k in 0..2 {
                    sum = a[4 * block + 2 * i + k].mul_add(b[6 * block + 3 * k + j], sum);
                }
            }
            let sum = sum + bias[j];
            assert_eq!(found[3 * i + j], if sum > 0.0 { sum } else { 0.0 });
        }
    }
    assert!(found.contains(&0.0) && found.iter().any(|&x| x > 0.0), "{found:?}");
}

#[test]
fn a_reduction_has_sixteen_lanes() {
    let program = program(
        r#"program "sum" {
    b0 = pinned f32[100] "input.x"
    b1 = pinned f32[2] "output.y"
    kernel k0 "sum" parts 1 (s0: f32[100], s1: f32[2]) {
        parts i0 in 0..1 {
            vector i1 in 0..100 {
                r0: f32 = load s0[i1]
            } reduce r1: f32 = sum r0, r2: f32 = max r0
            store s1[0] = r1
            store s1[1] = r2
        }
    }
    step { run k0(b0, b1) }
}"#,
    );
    let x: Vec<f32> = (0..100).map(|i| (i as f32 * 0.37).sin() * 1e3f32.powi(i % 3)).collect();
    let mut lanes = [0.0f32; 16];
    for (i, &value) in x.iter().enumerate() {
        lanes[i % 16] += value;
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
    }
    let mut memory = ProgramMemory::new(&program);
    fill(&mut memory, "input.x", &x);
    run(&program, &mut memory, &step(1), 1, 0).unwrap();
    let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    assert_eq!(floats(&memory, "output.y"), [lanes[0], largest]);
    assert_ne!(lanes[0], x.iter().sum::<f32>(), "the order matters for these numbers");
}

#[test]
fn a_bad_index_reads_row_0_and_is_named() {
    let program = program(
        r#"program "gather" {
    b0 = pinned f32[8] "input.table"
    b1 = pinned i32[4] "input.index"
    b2 = pinned f32[4] "output.y"
    kernel k0 "gather" parts 4 (s0: f32[8], s1: i32[4], s2: f32[4]) {
        parts i0 in 0..4 {
            r0: i32 = load s1[i0]
            r1: i32 = checked r0 < 4 site 7 element i0
            r2: f32 = load s0[1] at r1*2
            store s2[i0] = r2
        }
    }
    step { run k0(b0, b1, b2) }
}"#,
    );
    let mut memory = ProgramMemory::new(&program);
    fill(&mut memory, "input.table", &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    memory.set(memory.find("input.index").unwrap(), &Tensor::i32([4], vec![3, 1, -1, 4]));
    let failure = run(&program, &mut memory, &step(1), 2, 0);
    assert_eq!(failure, Err(StepFailure::Fault { site: 7, element: 2 }));
    assert_eq!(floats(&memory, "output.y"), [7.0, 3.0, 1.0, 1.0]);
}

#[test]
fn scalars_uniforms_and_random_numbers() {
    let program = program(
        r#"program "scalars" {
    uniforms b0 {
        hyper "lr" = 0.5
        u0 = hyper 0
        u1 = step
        u2 = mul u0, u1
        results u2
    }
    b0 = pinned f32[1] "uniforms"
    b1 = pinned u8[4] "input.x"
    b2 = pinned f32[4] "output.y"
    b3 = thread f32[4] "%3"
    kernel k0 "draw" parts 0 (s0: f32[4]) {
        vector i0 in 0..4 {
            r0: f32 = uniform 9 element i0
            store s0[i0] = r0
        }
    }
    kernel k1 "mix" parts 2 (s0: f32[1], s1: u8[4], s2: f32[4], s3: f32[4]) {
        r0: f32 = load s0[0]
        parts i0 in 0..2 {
            vector i1 in 0..2 {
                r1: i32 = load s1[2*i0 + i1]
                r2: i32 = i32 100
                r3: i32 = sub r1, r2
                r4: i32 = i32 3
                r5: i32 = div r3, r4
                r6: f32 = cast f32 r5
                r7: f32 = load s3[2*i0 + i1]
                r8: f32 = fma r0, r7, r6
                store s2[2*i0 + i1] = r8
            }
        }
    }
    step { run k0(b3) run k1(b0, b1, b2, b3) }
}"#,
    );
    let mut memory = ProgramMemory::new(&program);
    let bytes = crate::base::tensor::Data::U8(vec![0, 99, 101, 255]);
    memory.set(memory.find("input.x").unwrap(), &Tensor::new([4], bytes));
    let args = InterpArgs { seed: 11, step: 3, hypers: vec![0.25] };
    run(&program, &mut memory, &args, 2, 1).unwrap();
    let found = floats(&memory, "output.y");
    for (element, whole) in [-33.0f32, 0.0, 0.0, 51.0].into_iter().enumerate() {
        let random = crate::base::rng::unit_f32(crate::base::rng::element_word(11, 3, 9, element));
        assert_eq!(found[element], 0.75f32.mul_add(random, whole));
    }
}
