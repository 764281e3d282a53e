//! TensorFlow's `Event` as a protocol buffer, as far as scalars need it.
//!
//! ```text
//! Event    1: wall_time (double)   2: step (int64)   3: file_version (string)   5: summary
//! Summary  1: value, repeated
//! Value    1: tag (string)   2: simple_value (float)
//! ```
//!
//! Before each field stands its number with the form of its contents; texts and messages are
//! preceded by their length.

/// The version of the format; the first event of a file says it.
const VERSION: &str = "brain.Event:2";

/// The form of a field's contents.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Eight = 1,
    Bytes = 2,
    Four = 5,
}

/// The event that a file begins with.
pub fn version(wall_time: f64) -> Vec<u8> {
    let mut event = time(wall_time);
    bytes(&mut event, 3, VERSION.as_bytes());
    event
}

/// Named numbers of a step.
pub fn scalars(step: u64, wall_time: f64, scalars: &[(&str, f32)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in scalars {
        let mut scalar = Vec::new();
        bytes(&mut scalar, 1, tag.as_bytes());
        key(&mut scalar, 2, Wire::Four);
        scalar.extend(value.to_le_bytes());
        bytes(&mut summary, 1, &scalar);
    }
    let mut event = time(wall_time);
    key(&mut event, 2, Wire::Varint);
    // The field is signed: a larger step would read as one before the first.
    varint(&mut event, step.min(i64::MAX as u64));
    bytes(&mut event, 5, &summary);
    event
}

/// An event that has only a time.
fn time(wall_time: f64) -> Vec<u8> {
    let mut event = Vec::new();
    key(&mut event, 1, Wire::Eight);
    event.extend(wall_time.to_le_bytes());
    event
}

/// A field's number and the form of what follows.
fn key(out: &mut Vec<u8>, field: u64, wire: Wire) {
    varint(out, field << 3 | wire as u64);
}

/// A text or a message.
fn bytes(out: &mut Vec<u8>, field: u64, contents: &[u8]) {
    key(out, field, Wire::Bytes);
    varint(out, contents.len() as u64);
    out.extend(contents);
}

/// A number in groups of seven bits, the lowest first; the highest bit says that more follow.
fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_of_all_lengths() {
        let of = |number| {
            let mut out = Vec::new();
            varint(&mut out, number);
            out
        };
        assert_eq!(of(0), [0]);
        assert_eq!(of(127), [127]);
        assert_eq!(of(128), [0x80, 1]);
        assert_eq!(of(300), [0xac, 2], "the example of the protocol's documentation");
        assert_eq!(of(u64::MAX).len(), 10);
    }

    #[test]
    fn the_version_to_the_byte() {
        let mut expected = vec![0x09];
        expected.extend(1.5f64.to_le_bytes());
        expected.extend([0x1a, 13]);
        expected.extend(b"brain.Event:2");
        assert_eq!(version(1.5), expected);
        assert_eq!(expected.len(), 24);
    }

    #[test]
    fn scalars_to_the_byte() {
        let mut expected = vec![0x09];
        expected.extend(2f64.to_le_bytes());
        expected.extend([0x10, 0xac, 2]);
        expected.extend([0x2a, 9 + 2 + 7 + 2]);
        expected.extend([0x0a, 9, 0x0a, 2, b'l', b'r', 0x15, 0, 0, 0x80, 0x3f]);
        expected.extend([0x0a, 7, 0x0a, 0, 0x15, 0, 0, 0, 0x40]);
        assert_eq!(scalars(300, 2.0, &[("lr", 1.0), ("", 2.0)]), expected);
    }

    #[test]
    fn a_step_never_reads_as_a_negative_one() {
        assert_eq!(scalars(u64::MAX, 0.0, &[]), scalars(i64::MAX as u64, 0.0, &[]));
    }
}
