//! Writes `.npz` as NumPy reads it: a ZIP archive of `.npy` members, stored as they are.
//!
//! ```text
//! output f32 [3, 10]  →  PK\3\4 output.npy  \x93NUMPY 1 0 {'descr': '<f4', …}  120 bytes  PK\1\2 … PK\5\6
//! ```
//!
//! Formats: numpy.lib.format version 1, and APPNOTE.TXT 6.3. Every member has ZIP64 sizes in its local
//! header, as NumPy's own files have, so that its size need not be known before; the directory has them
//! where they are needed. A member's checksum is put into its header once it is written.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::files::write::replace_by;

/// From here on a number of the archive stands in its ZIP64 field.
const WIDE: u64 = 0xffff_ffff;
/// The version of ZIP that reads ZIP64.
const VERSION: u16 = 45;
/// The first day that ZIP can tell, 1980-01-01: files do not depend on the clock.
const DAY: u16 = 1 << 5 | 1;

/// A member that has been written.
struct StoredMember {
    name: Vec<u8>,
    crc: u32,
    bytes: u64,
    /// Where its local header is.
    offset: u64,
}

/// Writes arrays, each with its name and shape, whose elements, little-endian `f32`, are in other files
/// from their beginnings. Names must differ.
pub fn write_npz(path: &Path, arrays: &mut [(String, Vec<usize>, File)]) -> io::Result<()> {
    replace_by(path, |file| {
        let mut written = Vec::new();
        for (name, shape, elements) in arrays {
            elements.seek(SeekFrom::Start(0))?;
            written.push(member(file, name, &header(shape)?, elements)?);
        }
        directory(file, &written)
    })
}

/// The bytes of a `.npy` file before its elements: a multiple of 64, as NumPy has it.
fn header(shape: &[usize]) -> io::Result<Vec<u8>> {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    let comma = if extents.len() == 1 { "," } else { "" };
    let extents = extents.join(", ");
    let mut text =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({extents}{comma}), }}");
    // Magic, version and length are ten bytes; the text ends in a line break.
    let end = (10 + text.len() + 1).next_multiple_of(64);
    text.extend(std::iter::repeat_n(' ', end - 11 - text.len()));
    text.push('\n');
    let length = u16::try_from(text.len()).map_err(|_| io::Error::other("too many axes"))?;
    Ok([b"\x93NUMPY\x01\x00", &length.to_le_bytes()[..], text.as_bytes()].concat())
}

/// Writes a member: its header and elements.
fn member(
    file: &mut File,
    name: &str,
    header: &[u8],
    elements: &mut File,
) -> io::Result<StoredMember> {
    let offset = file.stream_position()?;
    let mut written =
        StoredMember { name: format!("{name}.npy").into_bytes(), crc: 0, bytes: 0, offset };
    file.write_all(&local_header(&written)?)?;
    let mut crc = flate2::Crc::new();
    let mut piece = header.to_vec();
    let mut room = vec![0; 1 << 18];
    while !piece.is_empty() {
        crc.update(&piece);
        written.bytes += piece.len() as u64;
        file.write_all(&piece)?;
        let count = elements.read(&mut room)?;
        piece.clear();
        piece.extend_from_slice(&room[..count]);
    }
    written.crc = crc.sum();
    let end = file.stream_position()?;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(&local_header(&written)?)?;
    file.seek(SeekFrom::Start(end))?;
    Ok(written)
}

/// Version, flags (names are UTF-8), method (stored), time and day.
fn kind() -> Vec<u8> {
    [VERSION, 1 << 11, 0, 0, DAY].iter().flat_map(|field| field.to_le_bytes()).collect()
}

fn length(bytes: &[u8]) -> io::Result<[u8; 2]> {
    let short = u16::try_from(bytes.len()).map_err(|_| io::Error::other("a name is too long"))?;
    Ok(short.to_le_bytes())
}

fn local_header(of: &StoredMember) -> io::Result<Vec<u8>> {
    let sizes = [of.bytes, of.bytes].map(u64::to_le_bytes).concat();
    let extra = [&1u16.to_le_bytes()[..], &length(&sizes)?[..], &sizes[..]].concat();
    Ok([
        b"PK\x03\x04",
        &kind()[..],
        &of.crc.to_le_bytes(),
        &[0xff; 8][..],
        &length(&of.name)?[..],
        &length(&extra)?[..],
        &of.name,
        &extra,
    ]
    .concat())
}

/// A number of 32 bits, or the sign that it stands in the ZIP64 field, where it is put.
fn narrow(number: u64, wide: &mut Vec<u8>) -> [u8; 4] {
    match u32::try_from(number).ok().filter(|_| number < WIDE) {
        Some(number) => number.to_le_bytes(),
        None => {
            wide.extend(number.to_le_bytes());
            [0xff; 4]
        }
    }
}

fn directory_entry(of: &StoredMember) -> io::Result<Vec<u8>> {
    let mut wide = Vec::new();
    let sizes = [narrow(of.bytes, &mut wide), narrow(of.bytes, &mut wide)].concat();
    let offset = narrow(of.offset, &mut wide);
    let extra = match wide.is_empty() {
        true => Vec::new(),
        false => [&1u16.to_le_bytes()[..], &length(&wide)?[..], &wide[..]].concat(),
    };
    Ok([
        b"PK\x01\x02",
        &VERSION.to_le_bytes()[..],
        &kind(),
        &of.crc.to_le_bytes(),
        &sizes,
        &length(&of.name)?[..],
        &length(&extra)?[..],
        // Comment, disk, attributes.
        &[0; 2 + 2 + 2 + 4],
        &offset,
        &of.name,
        &extra,
    ]
    .concat())
}

/// Writes the directory behind the members, and the records of its end.
fn directory(file: &mut File, written: &[StoredMember]) -> io::Result<()> {
    let offset = file.stream_position()?;
    for member in written {
        file.write_all(&directory_entry(member)?)?;
    }
    let end = file.stream_position()?;
    let (count, size) = (written.len() as u64, end - offset);
    if offset >= WIDE || size >= WIDE || count >= 0xffff {
        let record = [
            b"PK\x06\x06",
            // What follows in the record.
            &44u64.to_le_bytes()[..],
            &[VERSION.to_le_bytes(), VERSION.to_le_bytes()].concat(),
            &[0; 8],
            &[count, count, size, offset].map(u64::to_le_bytes).concat(),
        ]
        .concat();
        let locator =
            [b"PK\x06\x07", &[0; 4][..], &end.to_le_bytes(), &1u32.to_le_bytes()].concat();
        file.write_all(&[record, locator].concat())?;
    }
    let short = u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes();
    let narrow = |number| narrow(number, &mut Vec::new());
    let record =
        [b"PK\x05\x06", &[0; 4][..], &short, &short, &narrow(size), &narrow(offset), &[0; 2]];
    file.write_all(&record.concat())
}

#[cfg(test)]
mod tests {
    use super::super::{ArrayFile, npy, zip};
    use super::*;

    #[test]
    fn what_is_written_is_read_back_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.npz");
        let array = |name: &str, shape: &[usize], first: f32| {
            let mut file = tempfile::tempfile().unwrap();
            let count = shape.iter().product::<usize>();
            (0..count).for_each(|i| file.write_all(&(first + i as f32).to_le_bytes()).unwrap());
            (name.to_owned(), shape.to_vec(), file)
        };
        let shapes: [&[usize]; 4] = [&[3, 2], &[5], &[0, 7], &[]];
        let mut all: Vec<_> = (shapes.iter().enumerate())
            .map(|(index, shape)| array(&format!("größe{index}"), shape, index as f32))
            .collect();
        write_npz(&path, &mut all).unwrap();
        let read = ArrayFile::of(&path).unwrap();
        for (index, shape) in shapes.iter().enumerate() {
            let array = read.array(index).unwrap();
            assert_eq!((&array.name, &array.shape[..]), (&format!("größe{index}"), *shape));
            let numbers = array.bytes.as_chunks::<4>().0.iter().map(|it| f32::from_le_bytes(*it));
            let wanted = (0..shape.iter().product()).map(|i: usize| (index + i) as f32);
            assert!(numbers.eq(wanted), "{array:?}");
        }
        assert_eq!(read.names.len(), shapes.len());
    }

    #[test]
    fn wide_numbers_stand_in_their_own_fields() {
        let offset = 5 << 32;
        let of = StoredMember { name: b"a.npy".to_vec(), crc: 1, bytes: WIDE, offset };
        let entry = directory_entry(&of).unwrap();
        let wide = [1u16, 24].map(u16::to_le_bytes).concat();
        let numbers = [WIDE, WIDE, offset].map(u64::to_le_bytes).concat();
        assert!(entry.ends_with(&[wide, numbers].concat()));
        assert_eq!(header(&[7]).unwrap().len() % 64, 0);
        // The end of a file whose directory is as long as it has to be for 65,535 members.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("many.npz");
        let many = 0xffff;
        replace_by(&path, |file| {
            let one = |index: u64| StoredMember {
                name: format!("{index}.npy").into_bytes(),
                crc: 0,
                bytes: 0,
                offset: index,
            };
            directory(file, &(0..many).map(one).collect::<Vec<_>>())
        })
        .unwrap();
        let members = zip::members(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!((members.len() as u64, &members[9].name[..]), (many, "9.npy"));
        assert_eq!(npy::read("a", header(&[0]).unwrap()).unwrap().shape, [0]);
    }
}
