//! Contractions as C: each register block is a function whose loops have constant extents, so that a
//! compiler keeps its sums in registers; a kernel calls them over the panels and blocks of a cut.
//!
//! ```text
//! tile n 64 { row 24 … }   →   for (p < 4) for (q < 3) tile2(a + 256·q, b + 16·p, c + 512·q + 16·p);
//! ```
//!
//! How many rows a block has depends on the registers that the compiler has: it is told two cuts and
//! takes one. Both add each element's products in the tile's order.

use super::number;
use crate::codegen::isa::BlockLimits;
use crate::codegen::tile::{Blocks, MicroTile, Panels, cut};
use crate::loops::{RowAxis, Tile};
use std::collections::HashMap;
use std::fmt::Write;

/// Blocks for 32 registers of 16 lanes.
const LARGE: BlockLimits = BlockLimits { lanes: 16, rows: &[12, 8, 4, 4] };
/// Blocks for 16 registers of 8 lanes, and for smaller ones.
const SMALL: BlockLimits = BlockLimits { lanes: 16, rows: &[4, 2, 1, 1] };
/// The line that chooses the large blocks.
const IF_LARGE: &str = "#if defined(__AVX512F__)";
/// The line that chooses the small ones.
const IF_SMALL: &str = "#if !defined(__AVX512F__)";

/// The register blocks of a program, each a function.
#[derive(Default)]
pub(super) struct TileFunctions {
    numbers: HashMap<MicroTile, usize>,
    /// In the order of their numbers.
    blocks: Vec<TileFunction>,
}

/// The function of a block, and the cuts that call it.
struct TileFunction {
    block: MicroTile,
    large: bool,
    small: bool,
}

/// The operands of a tile in a kernel: C expressions of pointers to their first elements.
pub(super) struct TileOperands {
    /// The left operand.
    pub a: String,
    /// The right operand.
    pub b: String,
    /// The result.
    pub c: String,
    /// The bias of the columns, added to each row.
    pub bias: Option<String>,
}

impl TileFunctions {
    /// The statements of a tile, indented by so many steps.
    pub fn print(&mut self, tile: &Tile, operands: &TileOperands, indent: usize, out: &mut String) {
        let [large, small] = [true, false].map(|large| {
            let cut = cut(if large { LARGE } else { SMALL }, tile);
            let mut text = String::new();
            for panels in &cut.panels {
                let columns_outermost = cut.columns_outermost;
                let calls = PanelCalls { tile, panels, columns_outermost, operands, indent, large };
                self.panels(&calls, &mut text);
            }
            text
        });
        let _ = match large == small {
            true => write!(out, "{large}"),
            false => writeln!(out, "{IF_LARGE}\n{large}#else\n{small}#endif"),
        };
    }

    /// The definitions, for the cuts that call them.
    pub fn define(&self, out: &mut String) {
        for (number, TileFunction { block, large, small }) in self.blocks.iter().enumerate() {
            let condition = match (large, small) {
                (true, false) => Some(IF_LARGE),
                (false, true) => Some(IF_SMALL),
                _ => None,
            };
            out.extend(condition.map(|line| format!("{line}\n")));
            define(number, block, out);
            out.push_str(if condition.is_some() { "#endif\n\n" } else { "\n" });
        }
    }

    /// The calls for panels of one width.
    fn panels(&mut self, calls: &PanelCalls<'_>, out: &mut String) {
        let PanelCalls { tile, panels, columns_outermost, operands, indent, large } = *calls;
        for blocks in &panels.blocks {
            let block = MicroTile::of(tile, &blocks.rows, panels.size);
            let number = self.number(block, large);
            let columns = [Counter { name: "p".to_owned(), extent: panels.count }];
            let rows = row_counters(&panels.outer, blocks);
            let counters: Vec<&Counter> = match columns_outermost {
                true => columns.iter().chain(&rows).collect(),
                false => rows.iter().chain(&columns).collect(),
            };
            let counters = counters.into_iter().filter(|counter| counter.extent > 1);
            let mut depth = indent;
            for Counter { name, extent } in counters {
                let pad = "    ".repeat(depth);
                let _ = writeln!(
                    out,
                    "{pad}for (ptrdiff_t {name} = 0; {name} < {extent}; ++{name}) {{"
                );
                depth += 1;
            }
            let pad = "    ".repeat(depth);
            let args = arguments(operands, panels, blocks);
            let _ = writeln!(out, "{pad}tile{number}({});", args.join(", "));
            for depth in (indent..depth).rev() {
                let _ = writeln!(out, "{}}}", "    ".repeat(depth));
            }
        }
    }

    /// The number of a block's function.
    fn number(&mut self, block: MicroTile, large: bool) -> usize {
        let next = self.blocks.len();
        let number = *self.numbers.entry(block.clone()).or_insert(next);
        if number == next {
            self.blocks.push(TileFunction { block, large: false, small: false });
        }
        let function = &mut self.blocks[number];
        *(if large { &mut function.large } else { &mut function.small }) = true;
        number
    }
}

/// The calls for panels of one width of a tile.
#[derive(Clone, Copy)]
struct PanelCalls<'a> {
    tile: &'a Tile,
    panels: &'a Panels,
    columns_outermost: bool,
    operands: &'a TileOperands,
    indent: usize,
    /// Whether it is for the large blocks.
    large: bool,
}

/// A loop around a block.
struct Counter {
    name: String,
    extent: usize,
}

fn row_counters(outer: &[RowAxis], blocks: &Blocks) -> Vec<Counter> {
    let around = outer.iter().enumerate();
    let around = around.map(|(at, axis)| Counter { name: format!("o{at}"), extent: axis.extent });
    around.chain([Counter { name: "q".to_owned(), extent: blocks.count }]).collect()
}

/// A pointer, some constant elements on and some a round of each loop.
fn moved(pointer: &str, first: i64, steps: &[(String, usize, i64)]) -> String {
    let mut text = pointer.to_owned();
    for (name, extent, step) in steps {
        if *extent > 1 && *step != 0 {
            let _ = write!(text, " + {step} * {name}");
        }
    }
    if first != 0 {
        let _ = write!(text, " + {first}");
    }
    text.replace("+ -", "- ")
}

fn arguments(operands: &TileOperands, panels: &Panels, blocks: &Blocks) -> Vec<String> {
    let outer = |of: fn(&RowAxis) -> i64| -> Vec<(String, usize, i64)> {
        let axes = panels.outer.iter().enumerate();
        axes.map(|(at, axis)| (format!("o{at}"), axis.extent, of(axis))).collect()
    };
    let column = ("p".to_owned(), panels.count, panels.size as i64);
    let start = panels.start as i64;
    let mut a = outer(|axis| axis.a);
    a.push(("q".to_owned(), blocks.count, blocks.step.a));
    let mut c = outer(|axis| axis.c);
    c.push(("q".to_owned(), blocks.count, blocks.step.c));
    c.push(column.clone());
    let columns = [column];
    let mut args = vec![
        moved(&operands.a, blocks.first.a, &a),
        moved(&operands.b, start, &columns),
        moved(&operands.c, blocks.first.c + start, &c),
    ];
    args.extend(operands.bias.as_ref().map(|bias| moved(bias, start, &columns)));
    args
}

/// Prints the function of a block.
fn define(number: usize, block: &MicroTile, out: &mut String) {
    let bias = if block.bias { ", const float *restrict bias" } else { "" };
    let _ = writeln!(
        out,
        "/* {} rows, {} columns. */\nstatic void tile{number}(const float *restrict a, const float *restrict b, \
         float *restrict c{bias}) {{",
        block.rows.len(),
        block.n
    );
    let rows: Vec<usize> = (0..block.rows.len()).collect();
    let declared: Vec<String> = rows.iter().map(|row| format!("t{row}[{}]", block.n)).collect();
    let _ = writeln!(out, "    float {};", declared.join(", "));
    each_column(block, out, "    ", |row| {
        let from = match block.accumulate {
            true => element("c", "j", block.rows[row].c),
            false => number::float(0.0),
        };
        format!("t{row}[j] = {from};")
    });
    products(block, out);
    each_column(block, out, "    ", |row| {
        let mut value = format!("t{row}[j]");
        if block.bias {
            value = format!("nnc_add({value}, bias[j])");
        }
        let to = element("c", "j", block.rows[row].c);
        match block.relu {
            true => {
                format!("{{ const float y = {value}; {to} = nnc_lt(0.0f, y) ? y : 0.0f; }}")
            }
            false => format!("{to} = {value};"),
        }
    });
    out.push_str("}\n");
}

/// Adds the products up, in the order of the sum's axes.
fn products(block: &MicroTile, out: &mut String) {
    let (mut pad, mut a, mut b) = ("    ".to_owned(), "a".to_owned(), "b".to_owned());
    for (at, axis) in block.sum.iter().enumerate() {
        let extent = axis.extent;
        let _ = writeln!(out, "{pad}for (ptrdiff_t k{at} = 0; k{at} < {extent}; ++k{at}) {{");
        pad.push_str("    ");
        for (pointer, stride) in [(&mut a, axis.a), (&mut b, axis.b)] {
            let _ = match stride {
                0 => Ok(()),
                1 => write!(pointer, " + k{at}"),
                _ => write!(pointer, " + {stride} * k{at}"),
            };
        }
    }
    let _ = writeln!(
        out,
        "{pad}const float *ak = {}, *bk = {};",
        a.replace("+ -", "- "),
        b.replace("+ -", "- ")
    );
    for (row, offset) in block.rows.iter().enumerate() {
        let _ = writeln!(out, "{pad}const float a{row} = ak[{}];", offset.a);
    }
    let update: Vec<String> = (0..block.rows.len())
        .map(|row| format!("{pad}    t{row}[j] = nnc_fma(a{row}, bj, t{row}[j]);"))
        .collect();
    let _ = writeln!(
        out,
        "{pad}for (int j = 0; j < {}; ++j) {{\n{pad}    const float bj = bk[j];\n{}\n{pad}}}",
        block.n,
        update.join("\n")
    );
    for depth in (0..block.sum.len()).rev() {
        let _ = writeln!(out, "    {}}}", "    ".repeat(depth));
    }
}

/// A loop over columns with a statement for each row.
fn each_column(
    block: &MicroTile,
    out: &mut String,
    pad: &str,
    statement: impl Fn(usize) -> String,
) {
    let _ = writeln!(out, "{pad}for (int j = 0; j < {}; ++j) {{", block.n);
    for row in 0..block.rows.len() {
        let _ = writeln!(out, "{pad}    {}", statement(row));
    }
    let _ = writeln!(out, "{pad}}}");
}

/// An element at a constant distance and an index.
fn element(pointer: &str, index: &str, distance: i64) -> String {
    match distance {
        0 => format!("{pointer}[{index}]"),
        _ => format!("{pointer}[{distance} + {index}]"),
    }
}
