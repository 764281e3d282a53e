//! Long element-wise loops, which wide targets compute by functions of their own: each function,
//! and random programs of many values, scalars from outside and shifted accesses, must leave the
//! bits of the interpreter of loops, or of the target whose vectors are short.

use nnc::base::rng::Sequence;
use nnc::base::scalar::{Binary, Unary};
use nnc::base::tensor::Tensor;
use nnc::codegen::{Target, emit};
use nnc::loops;
use nnc::runtime::pool::Pool;
use nnc::runtime::program::{RunMemory, StepArgs};

use crate::{assert_same, compile, numbers, run, single, sound, targets, vector};

/// Whole registers of any width and some elements more.
const LEN: usize = 1047;

fn has_wide_code(program: &loops::Program, target: &Target) -> bool {
    emit(&sound(program.clone()), target)
        .functions()
        .iter()
        .any(|function| function.name.starts_with("wide."))
}

/// Numbers of all kinds.
fn inputs(seed: u64, len: usize) -> Tensor {
    let mut values = numbers(len, seed);
    let edges = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, 1e-20, -2.5];
    for (index, edge) in edges.into_iter().enumerate() {
        values[(index * 131 + seed as usize) % len] = edge;
    }
    vector(values)
}

/// Runs a program everywhere; it must have wide code where the target has wide registers.
fn check(program: &loops::Program, given: &[(&str, Tensor)], parts: usize) {
    for target in targets() {
        let wide = target.wide().is_some();
        assert_eq!(has_wide_code(program, &target), wide, "{}\n{program}", target.name());
        run(program, &target, parts, given);
    }
}

#[test]
fn every_function_of_floats() {
    let ty = format!("f32[{LEN}]");
    let buffers = [(ty.as_str(), "x"), (&ty, "y"), (&ty, "out")];
    let given = [("x", inputs(1, LEN)), ("y", inputs(2, LEN))];
    let unary = Unary::ALL.iter().filter(|&&op| op != Unary::Not);
    let unary = unary.map(|op| format!("r2: f32 = {} r0\nr9: f32 = add r2, r1", op.name()));
    let binary = Binary::ALL.iter().filter(|op| !matches!(op, Binary::And | Binary::Or));
    let binary = binary.map(|op| match op.is_comparison() {
        true => format!("r2: bool = {} r0, r1\nr9: f32 = select r2, r1, r0", op.name()),
        false => format!("r9: f32 = {} r0, r1", op.name()),
    });
    let others = [
        "r9: f32 = fma r0, r1, r0",
        "r2: bool = lt r0, r1\nr3: f32 = cast f32 r2\nr9: f32 = mul r3, r0",
        "r2: bool = lt r0, r1\nr3: bool = not r2\nr4: bool = eq r0, r0\nr5: bool = and r3, r4\n\
         r6: bool = or r2, r5\nr9: f32 = select r6, r0, r1",
    ];
    for body in unary.chain(binary).chain(others.map(str::to_owned)) {
        let text = format!(
            "vector i0 in 0..{LEN} {{\nr0: f32 = load s0[i0]\nr1: f32 = load s1[i0]\n{body}\n\
             store s2[i0] = r9\n}}"
        );
        let program = single(&buffers, 1, &format!("parts i1 in 0..1 {{\n{text}\n}}"));
        check(&program, &given, 1);
    }
}

/// A body of random arithmetic; gives its lines and how many scalars it has in all.
struct Body {
    lines: Vec<String>,
    floats: Vec<usize>,
    bools: Vec<usize>,
    next: usize,
}

impl Body {
    fn value(&mut self, ty: &str, inst: String) -> usize {
        let reg = self.next;
        self.next += 1;
        self.lines.push(format!("r{reg}: {ty} = {inst}"));
        if ty == "f32" {
            self.floats.push(reg)
        } else {
            self.bools.push(reg)
        }
        reg
    }

    fn pick(of: &[usize], random: &mut Sequence) -> usize {
        of[random.below(of.len() as u32) as usize]
    }

    fn grow(&mut self, random: &mut Sequence) {
        let mut float = || Body::pick(&self.floats, random);
        let (a, b, c) = (float(), float(), float());
        let condition = Body::pick(&self.bools, random);
        let (ty, inst) = match random.below(14) {
            0 | 1 => ("f32", format!("add r{a}, r{b}")),
            2 => ("f32", format!("sub r{a}, r{b}")),
            3 | 4 => ("f32", format!("mul r{a}, r{b}")),
            5 => ("f32", format!("div r{a}, r{b}")),
            6 => ("f32", format!("fma r{a}, r{b}, r{c}")),
            7 => ("f32", format!("sqrt r{a}")),
            8 => ("f32", format!("neg r{a}")),
            9 => ("f32", format!("tanh r{a}")),
            10 => ("f32", format!("max r{a}, r{b}")),
            11 => ("f32", format!("select r{condition}, r{a}, r{b}")),
            12 => ("bool", format!("le r{a}, r{b}")),
            _ => ("bool", format!("not r{condition}")),
        };
        self.value(ty, inst);
    }
}

#[test]
fn random_programs() {
    for seed in 0..60 {
        let mut random = Sequence::new(seed, 21);
        let extent = 200 + random.below(300) as usize;
        let parts = 1 + random.below(3) as usize;
        let len = parts * (extent + 3);
        let mut body = Body { lines: Vec::new(), floats: vec![], bools: vec![], next: 0 };
        // From outside: a number, an element, a truth value.
        body.value("f32", "f32 0.75".into());
        body.value("f32", "load s2[1]".into());
        body.value("bool", "lt r1, r0".into());
        let outside = std::mem::take(&mut body.lines).join("\n");
        let row = format!("{}*i1", extent + 3);
        body.value("f32", format!("load s0[{row} + i0]"));
        body.value("f32", format!("load s0[3 + {row} + i0]"));
        body.value("f32", format!("load s1[1 + {row} + i0]"));
        for _ in 0..4 + random.below(30) {
            body.grow(&mut random);
        }
        let (first, last) = (Body::pick(&body.floats, &mut random), *body.floats.last().unwrap());
        let text = format!(
            "parts i1 in 0..{parts} {{\n{outside}\nvector i0 in 0..{extent} {{\n{}\n\
             store s3[{row} + i0] = r{last}\nstore s4[2 + {row} + i0] = r{first}\n}}\n}}",
            body.lines.join("\n")
        );
        let ty = format!("f32[{len}]");
        let buffers =
            [(ty.as_str(), "x"), (&ty, "y"), ("f32[2]", "z"), (&ty, "out"), (&ty, "other")];
        let program = single(&buffers, parts, &text);
        let given = [
            ("x", inputs(seed, len)),
            ("y", inputs(seed + 1, len)),
            ("z", vector(vec![0.5, -3.25])),
        ];
        // Chains of products may be too small for the interpreter, which flushes nothing to 0.
        let left = |target: Target| {
            let program = compile(program.clone(), &target);
            let mut pool = Pool::new(2);
            let mut memory = RunMemory::for_programs([&program], 2);
            for (name, tensor) in &given {
                program.write(&mut memory, name, tensor);
            }
            let args = StepArgs { step: 1, seed: 0, hypers: &[] };
            assert_eq!(program.run(&mut memory, &mut pool, &args), Ok(()));
            ["out", "other"].map(|name| program.f32s(&memory, name).to_vec())
        };
        let expected = left(Target::from_name("portable").expect("a target of every machine"));
        for target in targets() {
            for (found, expected) in left(target).iter().zip(&expected) {
                assert_same(found, expected, &format!("{} of\n{program}", target.name()));
            }
        }
    }
}

/// A loop may write what it reads, element by element, and write after it has written.
#[test]
fn in_place() {
    let ty = format!("f32[{LEN}]");
    let text = format!(
        "parts i1 in 0..1 {{\nr0: f32 = f32 0.5\nvector i0 in 0..{LEN} {{\nr1: f32 = load s0[i0]\n\
         r2: f32 = mul r1, r0\nstore s0[i0] = r2\nr3: f32 = load s0[i0]\nr4: f32 = add r3, r1\n\
         store s1[i0] = r4\n}}\n}}"
    );
    let program = single(&[(&ty, "x"), (&ty, "out")], 1, &text);
    check(&program, &[("x", inputs(4, LEN))], 1);
}
