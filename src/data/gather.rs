//! A batch of samples that lie in memory: rows of bytes from anywhere, one behind the other.
//!
//! ```text
//! rows of 8 bytes that start at 16, 0, 40   →   bytes 16..24, 0..8, 40..48
//! ```
//!
//! Rows of a shuffled table are far apart, so what costs is to wait for memory. A processor waits for
//! many rows at once if it sees their loads side by side, and it does not where each row is a call of
//! `memcpy`: batches of rows of 24 bytes in a table of a megabyte were eight times as slow. Rows of up to 64
//! bytes are therefore copied by code of their size.

/// Copies the rows of `size` bytes that begin at `starts` into `out`, which has room for exactly those.
pub fn gather(bytes: &[u8], starts: impl Iterator<Item = usize>, size: usize, out: &mut [u8]) {
    match size {
        4 => sized::<4>(bytes, starts, out),
        8 => sized::<8>(bytes, starts, out),
        12 => sized::<12>(bytes, starts, out),
        16 => sized::<16>(bytes, starts, out),
        20 => sized::<20>(bytes, starts, out),
        24 => sized::<24>(bytes, starts, out),
        28 => sized::<28>(bytes, starts, out),
        32 => sized::<32>(bytes, starts, out),
        36 => sized::<36>(bytes, starts, out),
        40 => sized::<40>(bytes, starts, out),
        44 => sized::<44>(bytes, starts, out),
        48 => sized::<48>(bytes, starts, out),
        52 => sized::<52>(bytes, starts, out),
        56 => sized::<56>(bytes, starts, out),
        60 => sized::<60>(bytes, starts, out),
        64 => sized::<64>(bytes, starts, out),
        _ => {
            let rooms = starts.zip(out.chunks_exact_mut(size));
            rooms.for_each(|(start, room)| room.copy_from_slice(&bytes[start..][..size]));
        }
    }
}

/// The same for rows of a size that is known to the compiler.
fn sized<const SIZE: usize>(bytes: &[u8], starts: impl Iterator<Item = usize>, out: &mut [u8]) {
    let (rooms, _) = out.as_chunks_mut::<SIZE>();
    for (start, room) in starts.zip(rooms) {
        let row = bytes[start..].first_chunk().expect("a row ends before the bytes do");
        *room = *row;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_every_size_are_what_a_plain_copy_gives() {
        let bytes: Vec<u8> = (0..4000u32).map(|index| (index * 7 % 251) as u8).collect();
        for size in 1..=130 {
            let starts = [3000, 0, 4000 - size, 17, 17];
            let mut out = vec![0; starts.len() * size];
            gather(&bytes, starts.into_iter(), size, &mut out);
            let plain: Vec<u8> =
                starts.iter().flat_map(|&start| &bytes[start..start + size]).copied().collect();
            assert_eq!(out, plain, "rows of {size} bytes");
        }
    }
}
