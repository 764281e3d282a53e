//! The frame around each event of a file, as TensorFlow defines it (`TFRecord`).
//!
//! ```text
//! length: u64   masked CRC of the length: u32   bytes   masked CRC of the bytes: u32
//! ```
//!
//! Numbers are little endian. The checksum is CRC-32C (Castagnoli, RFC 3720), masked because a
//! checksum over data that holds checksums of the same kind says little.

/// The polynomial of CRC-32C, its bits reversed: the lowest bit is that of the highest power.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The remainder of each byte.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut remainder = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            let divisor = if remainder & 1 == 1 { POLYNOMIAL } else { 0 };
            remainder = remainder >> 1 ^ divisor;
            bit += 1;
        }
        table[byte] = remainder;
        byte += 1;
    }
    table
}

/// The CRC-32C of some bytes.
fn crc(bytes: &[u8]) -> u32 {
    let next = |crc: u32, byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ crc >> 8;
    !bytes.iter().fold(!0, next)
}

/// The masked CRC-32C: rotated by 15 bits, then a constant added.
fn masked(bytes: &[u8]) -> u32 {
    crc(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Bytes with their frame.
pub fn frame(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(bytes.len() + 16);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend(bytes);
    record.extend(masked(bytes).to_le_bytes());
    record
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The records of a file, each checksum checked.
    pub fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
        fn take<const N: usize>(file: &mut &[u8]) -> [u8; N] {
            let (taken, rest) = file.split_first_chunk().expect("a whole record");
            *file = rest;
            *taken
        }
        let mut records = Vec::new();
        while !file.is_empty() {
            let length = take::<8>(&mut file);
            assert_eq!(u32::from_le_bytes(take(&mut file)), masked(&length));
            let (bytes, rest) = file.split_at(u64::from_le_bytes(length) as usize);
            file = rest;
            assert_eq!(u32::from_le_bytes(take(&mut file)), masked(bytes));
            records.push(bytes.to_vec());
        }
        records
    }

    #[test]
    fn known_checksums() {
        // RFC 3720, B.4, and the check value of the catalogue of CRCs.
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        assert_eq!(crc(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc(&ascending), 0x46dd_794e);
        assert_eq!(crc(&descending), 0x113f_db5c);
        assert_eq!(crc(b"123456789"), 0xe306_9283);
        assert_eq!(crc(b""), 0);
    }

    #[test]
    fn a_record_that_tensorflow_wrote() {
        // `brain.Event:2`'s event is 24 bytes long; every event file begins with these twelve.
        let expected = [0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22];
        assert_eq!(frame(&[0; 24])[..12], expected);
    }

    #[test]
    fn records_parse_back() {
        let long = vec![7; 1000];
        let file = [frame(b""), frame(b"abc"), frame(&long)].concat();
        assert_eq!(records(&file), [b"".to_vec(), b"abc".to_vec(), long]);
    }
}
