//! Tiles on every target against products added one by one.

use nnc::base::entity::Entity;
use nnc::base::rng::Sequence;
use nnc::loops::{Access, Affine, RowAxis, SlotId, SumAxis, Tile};

use crate::{assert_same, numbers, run, single, targets, vector};

const SLOTS: [&str; 4] = ["a", "b", "c", "bias"];

/// A plain product of `m` rows, `n` columns and `k` products each.
fn product(m: usize, n: usize, k: usize) -> Tile {
    let at = |slot| Access { slot: SlotId::from_index(slot), index: Affine::default() };
    Tile {
        rows: vec![RowAxis { extent: m, a: k as i64, c: n as i64 }],
        n,
        sum: vec![SumAxis { extent: k, a: 1, b: n as i64 }],
        a: at(0),
        b: at(1),
        c: at(2),
        accumulate: false,
        bias: None,
        relu: false,
    }
}

/// The range of elements that dimensions reach from 0: the smallest and how many.
fn reach(dims: &[(i64, usize)]) -> (i64, usize) {
    if dims.iter().any(|&(_, count)| count == 0) {
        return (0, 1);
    }
    let ends = dims.iter().map(|&(stride, count)| stride * (count as i64 - 1));
    let low: i64 = ends.clone().filter(|&end| end < 0).sum();
    let high: i64 = ends.filter(|&end| end > 0).sum();
    (low, (high - low) as usize + 1)
}

/// Puts a tile's operands at their slots' first elements; gives the slots' sizes.
fn place(tile: &mut Tile) -> [usize; 4] {
    let (a, b, c) = (tile.a_dims(), tile.b_dims(), tile.c_dims());
    let mut lens = [0, 0, 0, tile.n];
    for (slot, (access, dims)) in
        [(&mut tile.a, a), (&mut tile.b, b), (&mut tile.c, c)].into_iter().enumerate()
    {
        let (low, len) = reach(&dims);
        access.index = Affine::constant(-low);
        lens[slot] = len;
    }
    lens
}

/// The tile in the text form of loops.
fn text(tile: &Tile) -> String {
    let mut text = format!("parts i0 in 0..1 {{\ntile n {} {{\n", tile.n);
    for axis in &tile.rows {
        text += &format!("row {} a {} c {}\n", axis.extent, axis.a, axis.c);
    }
    for axis in &tile.sum {
        text += &format!("sum {} a {} b {}\n", axis.extent, axis.a, axis.b);
    }
    let assign = if tile.accumulate { "+=" } else { "=" };
    text += &format!("c {assign} {}\na = {}\nb = {}\n", tile.c, tile.a, tile.b);
    if let Some(bias) = &tile.bias {
        text += &format!("bias = {bias}\n");
    }
    text + if tile.relu { "relu\n}\n}" } else { "}\n}" }
}

/// What the tile leaves in `c`.
fn expected(tile: &Tile, [a, b, c, bias]: &[Vec<f32>; 4]) -> Vec<f32> {
    let at = |access: &Access, by: i64| (access.index.offset + by) as usize;
    let mut c = c.clone();
    for [left, row] in tile.row_offsets() {
        for j in 0..tile.n {
            let place = at(&tile.c, row + j as i64);
            let mut sum = if tile.accumulate { c[place] } else { 0.0f32 };
            for [x, y] in tile.sum_offsets() {
                sum = a[at(&tile.a, left + x)].mul_add(b[at(&tile.b, y + j as i64)], sum);
            }
            if tile.bias.is_some() {
                sum += bias[j];
            }
            if tile.relu && sum.is_nan() | (sum <= 0.0) {
                sum = 0.0;
            }
            c[place] = sum;
        }
    }
    c
}

fn check(mut tile: Tile) {
    let lens = place(&mut tile);
    let values = [0, 1, 2, 3].map(|slot| numbers(lens[slot], slot as u64 + 1));
    let types = lens.map(|len| format!("f32[{len}]"));
    let buffers = [0, 1, 2, 3].map(|slot| (types[slot].as_str(), SLOTS[slot]));
    let program = single(&buffers, 1, &text(&tile));
    let expected = expected(&tile, &values);
    for target in targets() {
        let inputs = [0, 1, 2, 3].map(|slot| (SLOTS[slot], vector(values[slot].clone())));
        let ran = run(&program, &target, 1, &inputs);
        assert_same(&ran.f32s("c"), &expected, &format!("{tile:?} on {}", target.name()));
    }
}

#[test]
fn all_sizes_have_the_same_bits() {
    for m in [1, 5, 14, 33] {
        for n in [1, 2, 3, 4, 10, 17, 65] {
            for k in [1, 2, 7] {
                check(product(m, n, k));
            }
        }
    }
}

#[test]
fn all_kinds_have_the_same_bits() {
    let (m, n, k) = (13, 43, 5);
    for bits in 0..16 {
        let [transposed, accumulate, with_bias, relu] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
        let mut tile = product(m, n, k);
        if transposed {
            (tile.rows[0].a, tile.sum[0].a) = (1, m as i64);
        }
        tile.sum.insert(0, SumAxis { extent: 3, a: (m * k) as i64, b: (k * n) as i64 });
        let bias = Access { slot: SlotId::from_index(3), index: Affine::default() };
        check(Tile { accumulate, bias: with_bias.then_some(bias), relu, ..tile });
    }
    check(product(32, 128, 20));
}

/// Axes as convolutions have them: windows over rows of images, with steps and dilations,
/// backwards, and sums over images.
#[test]
fn rows_and_sums_over_many_axes_have_the_same_bits() {
    let mut rng = Sequence::new(8, 0);
    for _ in 0..150 {
        let mut below = |bound: u32| rng.below(bound);
        let n = 1 + below(70) as usize;
        let mut rows = Vec::new();
        let mut far = n as i64 + i64::from(below(5));
        for _ in 0..below(4) {
            let most = [3, 9, 20][below(3) as usize];
            let extent = 1 + below(most) as usize;
            let c = if below(5) == 0 { -far } else { far };
            rows.insert(0, RowAxis { extent, a: i64::from(below(40)) - 10, c });
            far = far * extent as i64 + i64::from(below(2)) * 7;
        }
        let mut sum = Vec::new();
        for _ in 0..below(5) {
            let extent = if below(40) == 0 { 0 } else { 1 + below(5) as usize };
            let (a, b) = (i64::from(below(40)) - 10, i64::from(below(90)) - 20);
            sum.push(SumAxis { extent, a, b });
        }
        let tile = Tile { rows, sum, accumulate: below(2) == 0, ..product(1, n, 1) };
        check(if below(2) == 0 { tile.merged() } else { tile });
    }
}
