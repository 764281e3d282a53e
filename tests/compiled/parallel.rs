//! Steps on several threads: shares, barriers, thread buffers, uniform values.

use nnc::base::tensor::Tensor;
use nnc::codegen;
use nnc::runtime::pool::Pool;
use nnc::runtime::program::{CompiledProgram, Marks, RunMemory, StepArgs};

use crate::{assert_same, compile, numbers, planned, run, sound, targets, vector};

/// Each part is doubled, then added to the next part's double, which another thread may own; what
/// all threads need is computed by each for itself.
const STEP: &str = r#"program "neighbours" {
    b0 = global f32[60] "weight"
    b1 = scratch f32[60] "%1"
    b2 = pinned f32[60] "output.y"
    b3 = thread f32[4] "%2"
    kernel k0 "double" parts 15 (s0: f32[60], s1: f32[60]) {
        parts i0 in 0..15 {
            vector i1 in 0..4 {
                r0: f32 = load s0[4*i0 + i1]
                r1: f32 = add r0, r0
                store s1[4*i0 + i1] = r1
            }
        }
    }
    kernel k1 "bias" parts 0 (s0: f32[60], s1: f32[4]) {
        vector i0 in 0..4 {
            r0: f32 = load s0[i0]
            store s1[i0] = r0
        }
    }
    kernel k2 "next" parts 14 (s0: f32[60], s1: f32[4], s2: f32[60]) {
        parts i0 in 0..14 {
            vector i1 in 0..4 {
                r0: f32 = load s0[4*i0 + i1]
                r1: f32 = load s0[4 + 4*i0 + i1]
                r2: f32 = load s1[i1]
                r3: f32 = add r0, r1
                r4: f32 = add r3, r2
                store s2[4*i0 + i1] = r4
            }
        }
    }
    step {
        run k0(b0, b1)
        run k1(b0, b3)
        barrier
        run k2(b1, b3, b2)
    }
}"#;

#[test]
fn the_result_is_the_same_for_any_number_of_threads() {
    let weight = numbers(60, 8);
    let expected: Vec<f32> =
        (0..60)
            .map(|at| {
                if at < 56 { weight[at] * 2.0 + weight[at + 4] * 2.0 + weight[at % 4] } else { 0.0 }
            })
            .collect();
    let program = planned(STEP);
    for target in targets() {
        for threads in [1, 2, 3, 8, 20] {
            let ran = run(&program, &target, threads, &[("weight", vector(weight.clone()))]);
            let what = format!("{threads} threads on {}", target.name());
            assert_same(&ran.f32s("output.y"), &expected, &what);
        }
    }
}

#[test]
fn many_steps_on_many_threads_agree() {
    let program = compile(planned(STEP), &targets().next().expect("a target"));
    let mut pool = Pool::new(4);
    let mut memory = RunMemory::for_programs([&program], 4);
    for step in 0..500 {
        let weight = numbers(60, step);
        program.write(&mut memory, "weight", &vector(weight.clone()));
        let args = StepArgs { step, seed: 0, hypers: &[] };
        program.run(&mut memory, &mut pool, &args).expect("no index from data");
        let y = program.f32s(&memory, "output.y");
        for at in 0..56 {
            assert_eq!(y[at], weight[at] * 2.0 + weight[at + 4] * 2.0 + weight[at % 4]);
        }
    }
}

/// Timed code computes the same, and its marks follow one another on each thread.
#[test]
fn timed_code_computes_the_same_and_says_how_long_actions_took() {
    let loops = planned(STEP);
    let weight = numbers(60, 3);
    for target in targets() {
        let mut pool = Pool::new(3);
        let code = codegen::jit::link(&codegen::emit_timed(&sound(loops.clone()), &target));
        let timed = CompiledProgram::new(code);
        let plain = run(&loops, &target, 3, &[("weight", vector(weight.clone()))]);
        let mut memory = RunMemory::for_programs([&timed], 3);
        timed.write(&mut memory, "weight", &vector(weight.clone()));
        let mut marks = Marks::new(loops.actions.len(), 3);
        let args = StepArgs { step: 1, seed: 0, hypers: &[] };
        let begin = std::time::Instant::now();
        timed.run_timed(&mut memory, &mut pool, &args, &mut marks).expect("no index from data");
        let whole = begin.elapsed().as_secs_f64();
        let y = timed.f32s(&memory, "output.y");
        assert_same(y, &plain.f32s("output.y"), target.name());
        for thread in 0..marks.threads() {
            let seconds = (0..marks.actions()).map(|action| marks.seconds(thread, action));
            let sum: f64 = seconds.inspect(|&it| assert!(it >= 0.0)).sum();
            assert!(0.0 < sum && sum <= whole, "{sum} s of {whole} s");
        }
        // Where nobody asks for marks, none are written.
        timed.run(&mut memory, &mut pool, &args).expect("no index from data");
    }
}

/// `w -= lr · 0.5^step`, with a derived layout that is brought up to date by `refresh`.
fn update(batch: usize) -> CompiledProgram {
    let text = format!(
        r#"program "update" {{
    uniforms b2 {{
        hyper "lr" = 0.1
        u0 = hyper 0
        u1 = const 0.5
        u2 = step
        u3 = pow u1, u2
        u4 = mul u0, u3
        results u4
    }}
    b0 = global f32[6] "w"
    b1 = global f32[6] "w^T"
    b2 = pinned f32[1] "uniforms"
    b3 = pinned f32[{batch}] "input.x"
    kernel k0 "sgd" parts 6 (s0: f32[6], s1: f32[1], s2: f32[{batch}]) {{
        parts i0 in 0..6 {{
            r0: f32 = load s0[i0]
            r1: f32 = load s1[0]
            r2: f32 = load s2[{}]
            r3: f32 = mul r1, r2
            r4: f32 = sub r0, r3
            store s0[i0] = r4
        }}
    }}
    kernel k1 "transpose" parts 2 (s0: f32[6], s1: f32[6]) {{
        parts i0 in 0..2 {{
            vector i1 in 0..3 {{
                r0: f32 = load s0[3*i0 + i1]
                store s1[i0 + 2*i1] = r0
            }}
        }}
    }}
    step {{
        run k0(b0, b2, b3)
    }}
    refresh {{
        run k1(b0, b1)
    }}
}}"#,
        batch - 1
    );
    compile(planned(&text), &targets().next().expect("a target"))
}

#[test]
fn programs_share_parameters_and_take_uniform_values() {
    let (full, last) = (update(64), update(5));
    let mut pool = Pool::new(2);
    let mut memory = RunMemory::for_programs([&full, &last], 2);
    full.write(&mut memory, "w", &Tensor::f32([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    full.refresh(&mut memory, &mut pool);
    assert_eq!(full.f32s(&memory, "w^T"), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);

    let mut expected = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
    for (step, program, batch) in [(1, &full, 64), (2, &last, 5), (3, &full, 64)] {
        program.write(&mut memory, "input.x", &vector(vec![2.0; batch]));
        let args = StepArgs { step, seed: 0, hypers: &[0.1] };
        program.run(&mut memory, &mut pool, &args).expect("no index from data");
        let rate = (0.1 * 0.5f64.powi(step as i32)) as f32;
        expected = expected.map(|w| w - rate * 2.0);
        assert_eq!(program.f32s(&memory, "w"), expected);
    }
}
