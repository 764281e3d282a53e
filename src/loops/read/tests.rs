//! Texts that read back as they print, and the mistakes that are named.

use super::*;
use crate::loops::verify::verify;

/// A program with every kind of statement and instruction.
const EVERYTHING: &str = r#"program "all \"of\" it" {
    uniforms b3 {
        hyper "lr" = 0.001
        u0 = const 0.9
        u1 = step
        u2 = pow u0, u1
        u3 = hyper 0
        u4 = sqrt u2
        results u3, u4
    }
    b0 = global f32[64] "dense.weight" at 0
    b1 = pinned u8[32] "input.image" at 64
    b2 = pinned i32[4] "input.label"
    b3 = pinned f32[2] "uniforms"
    b4 = scratch f32[64] "%7"
    b5 = thread bool[8] "%8"
    kernel k0 "everything" parts 4 (s0: f32[64], s1: u8[32], s2: i32[4], s3: f32[64]) {
        for i1 in 0..2 {
            parts i0 in 0..4 {
                vector i2 in 0..8 {
                    r0: i32 = load s1[8*i0 + i2]
                    r1: f32 = cast f32 r0
                    r2: f32 = f32 0.003921569
                    r3: f32 = mul r1, r2
                    r4: f32 = uniform 3 element 8*i0 + i2
                    r5: bool = lt r4, r3
                    r6: f32 = f32 -inf
                    r7: f32 = f32 nan(0x7fc00001)
                    r8: f32 = select r5, r3, r7
                    r9: f32 = fma r8, r6, r2
                    r10: bool = not r5
                    r11: f32 = exp r9
                    store s3[8 + 8*i0 + i2] = r11
                } reduce r12: f32 = sum r11, r13: f32 = max r3
                r14: i32 = load s2[i0]
                r15: i32 = checked r14 < 10 site 2 element i0
                r16: f32 = load s0[0] at r15*-1
                add s3[9 - i0] at r15*2 = r12
                r17: i32 = i32 -7
                r18: bool = bool true
                r19: i32 = index 2*i0
                if i0 < 2 {
                    tile n 4 {
                        row 2 a 3 c 4
                        sum 2 a 6 b 12
                        sum 3 a -1 b 4
                        c += s3[8*i0]
                        a = s0[2]
                        b = s0[4*i0]
                        bias = s0[60]
                        relu
                    }
                } else {
                    store s3[0] = r13
                }
            }
        }
    }
    kernel k1 "nothing" parts 0 () {
        var i0 in 0..7
        reg r0: f32
    }
    step {
        run k0(b0, b1, b2, b4)
        barrier
        run k1()
    }
    refresh {
        barrier
    }
}
"#;

#[test]
fn printing_and_reading_are_inverse() {
    let program = read(EVERYTHING).unwrap();
    assert_eq!(program.to_string(), EVERYTHING);
    assert_eq!(program.kernels.len(), 2);
    assert_eq!(program.uniforms.hypers, [("lr".to_owned(), 0.001)]);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let cases = [
        ("", 1, "expected `program`, found the end"),
        ("program \"a\" {\n  b1 = global f32[3] \"x\"\n}", 2, "the next buffer is `b0`"),
        ("program \"a\" {\n  b0 = heap f32[3] \"x\"\n}", 2, "`heap` is no space of buffers"),
        (
            "program \"a\" {\n  b0 = global f16[3] \"x\"\n}",
            2,
            "expected an element type, found `f16`",
        ),
        ("program \"a\" {\n  step {\n", 2, "expected `run`, found the end"),
        ("program \"a", 1, "a name has no closing quote"),
        (
            "program \"a\" {\n kernel k0 \"k\" parts 0 () {\n r0: f32 = frobnicate r1\n}\n}",
            3,
            "unknown instruction `frobnicate`",
        ),
        (
            "program \"a\" {\n kernel k0 \"k\" parts 0 () {\n r1: f32 = f32 1\n}\n}",
            4,
            "the kernel does not introduce `r0`",
        ),
        (
            "program \"a\" {\n kernel k0 \"k\" parts 0 () {\n r0: i32 = index 9223372036854775807 + 1\n}\n}",
            3,
            "the index is too large",
        ),
        ("program \"a\" { } }", 1, "expected nothing after the program, found `}`"),
    ];
    for (text, line, message) in cases {
        assert_eq!(read(text), Err(LoopsReadError::at(line, message)), "{text}");
    }
    let deep = "for i0 in 0..1 {".repeat(100_000);
    let text = format!("program \"a\" {{ kernel k0 \"k\" parts 0 () {{ {deep}");
    assert!(read(&text).unwrap_err().message.starts_with("more than 64"));
}

/// Cut, doubled and changed text is read or refused; whatever it is, nothing panics, and what
/// is read prints and reads back the same.
#[test]
fn damaged_text_never_panics() {
    let mut sequence = crate::base::rng::Sequence::new(3, 4);
    let marks = b"{}[]()=+-*,.:<\"\\/0123456789ebirsuk xn\n";
    for _ in 0..4_000 {
        let mut text = EVERYTHING.as_bytes().to_vec();
        for _ in 0..=sequence.below(3) {
            let at = sequence.below(text.len() as u32) as usize;
            let mark = marks[sequence.below(marks.len() as u32) as usize];
            match sequence.below(4) {
                0 => text[at] = mark,
                1 => text.insert(at, mark),
                2 => drop(text.remove(at)),
                _ => text.truncate(at.max(1)),
            }
        }
        let text = String::from_utf8(text).unwrap();
        if let Ok(program) = read(&text) {
            let _ = verify(&program);
            let printed = program.to_string();
            assert_eq!(read(&printed).unwrap().to_string(), printed);
        }
    }
}
