//! The elementary functions as C: the engine of `base::math` that writes statements.
//!
//! ```text
//! math::sigmoid(&mut Statements { … }, x)   →   const float v1 = nnc_neg(x); …; return v30;
//! ```
//!
//! So the polynomials of C, of compiled code and of the interpreters are the same ones.

use super::number;
use crate::base::math::Float32;
use crate::base::scalar::{Binary, Unary};
use std::collections::BTreeSet;
use std::fmt::Write;

/// The functions that a program calls, by name.
#[derive(Default)]
pub(super) struct Functions {
    unary: BTreeSet<&'static str>,
    binary: BTreeSet<&'static str>,
}

impl Functions {
    /// The name of a function of one float; it will be printed.
    pub fn unary(&mut self, op: Unary) -> String {
        if !matches!(op, Unary::Neg | Unary::Abs | Unary::Sqrt | Unary::Floor) {
            self.unary.insert(op.name());
        }
        format!("nnc_{}", op.name())
    }

    /// The name of a function of two floats that gives one; it will be printed.
    pub fn binary(&mut self, op: Binary) -> String {
        if !matches!(op, Binary::Add | Binary::Sub | Binary::Mul | Binary::Div) {
            self.binary.insert(op.name());
        }
        format!("nnc_{}", op.name())
    }

    /// Their definitions.
    pub fn print(&self, out: &mut String) {
        for name in &self.unary {
            let op = Unary::from_name(name).expect("a name of the table");
            let result = |e: &mut Statements, x, _| op.of_f32(e, x);
            definition(out, name, &["x"], result);
        }
        for name in &self.binary {
            let op = Binary::from_name(name).expect("a name of the table");
            definition(out, name, &["x", "y"], |e, x, y| op.of_f32(e, x, y));
        }
    }
}

/// Prints a function of the parameters.
fn definition(
    out: &mut String,
    name: &str,
    params: &[&str],
    result: impl FnOnce(&mut Statements, MathValue, MathValue) -> MathValue,
) {
    let mut engine = Statements::default();
    let given: Vec<MathValue> =
        params.iter().map(|name| engine.known((*name).to_owned())).collect();
    let value = result(&mut engine, given[0], given[given.len() - 1]);
    let declared: Vec<String> = params.iter().map(|name| format!("float {name}")).collect();
    let _ = writeln!(out, "NNC_INLINE float nnc_{name}({}) {{", declared.join(", "));
    out.push_str(&engine.text);
    let _ = writeln!(out, "    return {};\n}}\n", engine.values[value.0]);
}

/// A value of a function: a parameter, a constant, or the result of a statement.
#[derive(Clone, Copy)]
struct MathValue(usize);

/// The statements of a function.
#[derive(Default)]
struct Statements {
    /// The text of each value.
    values: Vec<String>,
    text: String,
    /// How many statements there are.
    count: usize,
}

impl Statements {
    fn known(&mut self, text: String) -> MathValue {
        self.values.push(text);
        MathValue(self.values.len() - 1)
    }

    /// A call as a statement.
    fn call(&mut self, ty: &str, function: &str, args: &[MathValue]) -> MathValue {
        let args: Vec<&str> = args.iter().map(|arg| self.values[arg.0].as_str()).collect();
        let value = format!("{function}({})", args.join(", "));
        self.statement(ty, &value)
    }

    fn statement(&mut self, ty: &str, value: &str) -> MathValue {
        let name = format!("v{}", self.count);
        self.count += 1;
        let _ = writeln!(self.text, "    const {ty} {name} = {value};");
        self.known(name)
    }

    fn float(&mut self, function: &str, args: &[MathValue]) -> MathValue {
        self.call("float", function, args)
    }

    fn int(&mut self, function: &str, args: &[MathValue]) -> MathValue {
        self.call("int32_t", function, args)
    }

    /// An operator between two integers.
    fn between(&mut self, operator: &str, a: MathValue, b: MathValue) -> MathValue {
        let value = format!("{} {operator} {}", self.values[a.0], self.values[b.0]);
        self.statement("int32_t", &value)
    }
}

impl Float32 for Statements {
    type V = MathValue;
    type I = MathValue;
    type B = MathValue;

    fn splat(&mut self, value: f32) -> MathValue {
        self.known(number::float(value))
    }
    fn add(&mut self, a: MathValue, b: MathValue) -> MathValue {
        self.float("nnc_add", &[a, b])
    }
    fn sub(&mut self, a: MathValue, b: MathValue) -> MathValue {
        self.float("nnc_sub", &[a, b])
    }
    fn mul(&mut self, a: MathValue, b: MathValue) -> MathValue {
        self.float("nnc_mul", &[a, b])
    }
    fn div(&mut self, a: MathValue, b: MathValue) -> MathValue {
        self.float("nnc_div", &[a, b])
    }
    fn fma(&mut self, a: MathValue, b: MathValue, c: MathValue) -> MathValue {
        self.float("nnc_fma", &[a, b, c])
    }
    fn sqrt(&mut self, a: MathValue) -> MathValue {
        self.float("nnc_sqrt", &[a])
    }
    fn floor(&mut self, a: MathValue) -> MathValue {
        self.float("nnc_floor", &[a])
    }
    fn neg(&mut self, a: MathValue) -> MathValue {
        self.float("nnc_neg", &[a])
    }
    fn abs(&mut self, a: MathValue) -> MathValue {
        self.float("nnc_abs", &[a])
    }
    fn eq(&mut self, a: MathValue, b: MathValue) -> MathValue {
        self.int("nnc_eq", &[a, b])
    }
    fn ne(&mut self, a: MathValue, b: MathValue) -> MathValue {
        self.int("nnc_ne", &[a, b])
    }
    fn lt(&mut self, a: MathValue, b: MathValue) -> MathValue {
        self.int("nnc_lt", &[a, b])
    }
    fn le(&mut self, a: MathValue, b: MathValue) -> MathValue {
        self.int("nnc_le", &[a, b])
    }
    fn and(&mut self, a: MathValue, b: MathValue) -> MathValue {
        self.between("&", a, b)
    }
    fn select(&mut self, condition: MathValue, a: MathValue, b: MathValue) -> MathValue {
        self.float("nnc_select", &[condition, a, b])
    }
    fn to_bits(&mut self, a: MathValue) -> MathValue {
        self.int("nnc_to_bits", &[a])
    }
    fn from_bits(&mut self, a: MathValue) -> MathValue {
        self.float("nnc_from_bits", &[a])
    }
    fn from_int(&mut self, a: MathValue) -> MathValue {
        self.float("(float)", &[a])
    }
    fn isplat(&mut self, value: i32) -> MathValue {
        self.known(number::int(value))
    }
    fn iadd(&mut self, a: MathValue, b: MathValue) -> MathValue {
        self.int("nnc_iadd", &[a, b])
    }
    fn isub(&mut self, a: MathValue, b: MathValue) -> MathValue {
        self.int("nnc_isub", &[a, b])
    }
    fn iand(&mut self, a: MathValue, b: MathValue) -> MathValue {
        self.between("&", a, b)
    }
    fn ior(&mut self, a: MathValue, b: MathValue) -> MathValue {
        self.between("|", a, b)
    }
    fn ixor(&mut self, a: MathValue, b: MathValue) -> MathValue {
        self.between("^", a, b)
    }
    fn ishl(&mut self, a: MathValue, bits: u32) -> MathValue {
        let bits = self.known(bits.to_string());
        self.int("nnc_ishl", &[a, bits])
    }
    fn isar(&mut self, a: MathValue, bits: u32) -> MathValue {
        let bits = self.known(bits.to_string());
        self.between(">>", a, bits)
    }
}
