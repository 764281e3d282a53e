//! The common parts of exported sources of C: how they are compiled, where they are from, arrays of numbers.
//!
//! ```text
//! static const float weight0[288] = {
//!     0.12f, …
//! ```

use crate::base::shown::Show;
use crate::base::tensor::{DType, Data};
use crate::codegen::c::{element_type, number};
use crate::command::inference::ReadableModel;

/// How the source is compiled, as the header says.
pub(super) const USAGE: &str = "   Compile NAME.c with a C99 compiler, and best with
       cc -std=c99 -O3 -march=native -ffp-contract=off -fno-math-errno -fno-trapping-math -c NAME.c
   It needs no library; like every C program it may call memcpy, memmove and memset. Results have the
   bits that nnc computes wherever floats are IEEE 754, on any processor: fused multiply-adds are done by
   instructions where the compiler has them, else exactly in double precision, which is slower.
   Denormal numbers count as zero: x86-64 and Arm are set to that mode during a call; elsewhere it is
   tested, which is slow (-DNNC_SOFT_DENORMALS tests everywhere). Never compile it with -ffast-math.
";

/// Where a model is from, in a line.
pub(super) fn origin(exported: &ReadableModel) -> String {
    let from = exported.opened.from.shown();
    format!("{}, exported by nnc {} from {from}", exported.opened.model, env!("CARGO_PKG_VERSION"))
}

/// A constant array.
pub(super) fn array(name: &str, data: &Data) -> String {
    let numbers: Vec<String> = match data {
        Data::F32(values) => values.iter().map(|&value| number::float(value)).collect(),
        Data::I32(values) => values.iter().map(|&value| number::int(value)).collect(),
        Data::U8(values) => values.iter().map(u8::to_string).collect(),
        Data::Bool(values) => values.iter().map(|&it| u8::from(it).to_string()).collect(),
        Data::F64(_) => unreachable!("buffers have no f64"),
    };
    let dtype = match data {
        Data::F32(_) | Data::F64(_) => DType::F32,
        Data::I32(_) => DType::I32,
        Data::U8(_) | Data::Bool(_) => DType::U8,
    };
    let lines: Vec<String> = numbers.chunks(8).map(|line| line.join(", ")).collect();
    format!(
        "static const {} {name}[{}] = {{\n    {}\n}};\n\n",
        element_type(dtype),
        numbers.len(),
        lines.join(",\n    ")
    )
}
