//! The members of a ZIP archive, as `.npz` files are: stored or deflated, with or without ZIP64.
//!
//! ```text
//! member member …  central directory  end record      →  [("features.npy", bytes), …]
//! ```
//!
//! The central directory says what there is (APPNOTE.TXT 6.3). Sizes are not believed: no more memory is
//! taken than the caller allows, whatever a member unpacks to, and each has its CRC-32 checked.

use flate2::bufread::DeflateDecoder;
use rustc_hash::FxHashSet;
use std::io::Read;

/// A member of an archive.
#[derive(Clone, Debug, PartialEq)]
pub struct ZipMember {
    /// Its name.
    pub name: String,
    method: u16,
    crc: u32,
    packed: u64,
    unpacked: u64,
    /// Where its local header is, and how long it is at least.
    offset: u64,
    header: u64,
}

/// Bytes of the end record, without its comment.
const END: usize = 22;
/// Bytes that a deflated byte unpacks to at most.
const MOST_PER_BYTE: u64 = 1032;

fn number<const BYTES: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(BYTES)?)?;
    Some(field.iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte)))
}

fn damaged(what: &str) -> String {
    format!("the archive is damaged: {what}")
}

/// The members, in the order of the directory.
pub fn members(bytes: &[u8]) -> Result<Vec<ZipMember>, String> {
    let first = bytes.len().saturating_sub(END + 0xffff);
    let end = (first..(bytes.len() + 1).saturating_sub(END))
        .rev()
        .find(|&at| bytes[at..].starts_with(b"PK\x05\x06"))
        .ok_or_else(|| "not an npz file: it has no directory of an archive".to_owned())?;
    let mut count = number::<2>(bytes, end + 10).unwrap_or(0);
    let mut at = number::<4>(bytes, end + 16).unwrap_or(0);
    let locator = end.checked_sub(20).filter(|&at| bytes[at..].starts_with(b"PK\x06\x07"));
    if let Some(locator) = locator {
        let record = number::<8>(bytes, locator + 8).and_then(|at| usize::try_from(at).ok());
        let record =
            record.filter(|&at| at < bytes.len() && bytes[at..].starts_with(b"PK\x06\x06"));
        let record = record.ok_or_else(|| damaged("its ZIP64 record is missing"))?;
        count = number::<8>(bytes, record + 32).ok_or_else(|| damaged("a record is cut"))?;
        at = number::<8>(bytes, record + 48).ok_or_else(|| damaged("a record is cut"))?;
    }
    let mut found: Vec<ZipMember> = Vec::new();
    let mut names = FxHashSet::default();
    let mut at = usize::try_from(at).map_err(|_| damaged("its directory is beyond its end"))?;
    for _ in 0..count {
        let (member, next) = entry(bytes, at).ok_or_else(|| damaged("its directory is cut"))??;
        if !names.insert(member.name.clone()) {
            return Err(damaged(&format!("`{}` stands in it twice", member.name)));
        }
        found.push(member);
        at = next;
    }
    apart(&found)?;
    Ok(found)
}

/// Refuses members that share bytes: each would unpack them again.
fn apart(members: &[ZipMember]) -> Result<(), String> {
    let mut places: Vec<&ZipMember> = members.iter().filter(|member| member.packed > 0).collect();
    places.sort_by_key(|member| member.offset);
    for pair in places.windows(2) {
        let length = pair[0].header.saturating_add(pair[0].packed);
        if pair[0].offset.saturating_add(length) > pair[1].offset {
            let (first, second) = (&pair[0].name, &pair[1].name);
            return Err(damaged(&format!("`{first}` and `{second}` lie in the same bytes")));
        }
    }
    Ok(())
}

/// An entry of the directory, and where the next one is.
fn entry(bytes: &[u8], at: usize) -> Option<Result<(ZipMember, usize), String>> {
    if !bytes.get(at..)?.starts_with(b"PK\x01\x02") {
        return None;
    }
    let short = |offset| number::<2>(bytes, at + offset);
    let word = |offset| number::<4>(bytes, at + offset);
    let (name, extra, comment) = (short(28)? as usize, short(30)? as usize, short(32)? as usize);
    let text = bytes.get(at + 46..at + 46 + name)?;
    let name_text = String::from_utf8_lossy(text).into_owned();
    if short(8)? & 1 != 0 {
        return Some(Err(format!("`{name_text}` is encrypted")));
    }
    let mut member = ZipMember {
        name: name_text,
        method: short(10)? as u16,
        crc: word(16)? as u32,
        packed: word(20)?,
        unpacked: word(24)?,
        offset: word(42)?,
        header: 30 + name as u64,
    };
    let fields = bytes.get(at + 46 + name..at + 46 + name + extra)?;
    zip64(fields, &mut member)?;
    Some(Ok((member, at + 46 + name + extra + comment)))
}

/// Sizes and place of a member of an archive of more than 4 GiB, from the further fields of its entry.
fn zip64(fields: &[u8], member: &mut ZipMember) -> Option<()> {
    let mut at = 0;
    while at + 4 <= fields.len() {
        let (id, size) = (number::<2>(fields, at)?, number::<2>(fields, at + 2)? as usize);
        if id == 1 {
            let mut place = at + 4;
            for value in [&mut member.unpacked, &mut member.packed, &mut member.offset] {
                if *value == 0xffff_ffff {
                    *value = number::<8>(fields, place)?;
                    place += 8;
                }
            }
        }
        at += 4 + size;
    }
    Some(())
}

impl ZipMember {
    /// The first bytes of a member, at most so many, unpacked.
    fn first_bytes(&self, archive: &[u8], most: usize) -> Result<Vec<u8>, String> {
        let at = usize::try_from(self.offset).ok().filter(|&at| at < archive.len());
        let at = at.ok_or_else(|| damaged("a member is beyond its end"))?;
        let cut = || damaged(&format!("`{}` is cut", self.name));
        if !archive[at..].starts_with(b"PK\x03\x04") {
            return Err(damaged(&format!("`{}` has no header", self.name)));
        }
        let name = number::<2>(archive, at + 26).ok_or_else(cut)? as usize;
        let extra = number::<2>(archive, at + 28).ok_or_else(cut)? as usize;
        let packed = usize::try_from(self.packed).map_err(|_| cut())?;
        let start = at + 30 + name + extra;
        let end = start.checked_add(packed).ok_or_else(cut)?;
        let bytes = archive.get(start..end).ok_or_else(cut)?;
        let mut out = Vec::with_capacity(most);
        match self.method {
            0 => out.extend_from_slice(&bytes[..bytes.len().min(most)]),
            8 => {
                let unpacked = DeflateDecoder::new(bytes).take(most as u64).read_to_end(&mut out);
                unpacked.map_err(|error| damaged(&format!("`{}`: {error}", self.name)))?;
            }
            other => {
                return Err(format!(
                    "`{}` is packed by method {other}; 0 and 8 are read",
                    self.name
                ));
            }
        }
        Ok(out)
    }

    /// All of a member. `most` bounds what it may unpack to.
    pub fn read(&self, archive: &[u8], most: usize) -> Result<Vec<u8>, String> {
        if self.unpacked > MOST_PER_BYTE.saturating_mul(self.packed.saturating_add(1)) {
            let (packed, said) = (self.packed, self.unpacked);
            let what = format!("`{}` cannot have {said} bytes in {packed}", self.name);
            return Err(damaged(&what));
        }
        if self.unpacked > most as u64 {
            return Err(format!("`{}` unpacks to more than {most} bytes", self.name));
        }
        // Not a byte more than it says is unpacked.
        let most = self.unpacked as usize;
        let bytes = self.first_bytes(archive, most.saturating_add(1))?;
        if bytes.len() != most {
            let found = if bytes.len() > most { "more".into() } else { bytes.len().to_string() };
            return Err(damaged(&format!("`{}` has {found} bytes, not {most}", self.name)));
        }
        let mut crc = flate2::Crc::new();
        crc.update(&bytes);
        match crc.sum() == self.crc {
            true => Ok(bytes),
            false => Err(damaged(&format!("the checksum of `{}` does not match", self.name))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::DeflateEncoder;
    use std::io::Write;

    /// An archive of deflated members: each with the place of its bytes among `texts`, and the bytes
    /// that it says it has.
    fn archive(texts: &[&[u8]], said: &[(usize, usize)]) -> Vec<u8> {
        let (mut file, mut packed) = (Vec::new(), Vec::new());
        for (index, text) in texts.iter().enumerate() {
            let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(text).unwrap();
            let bytes = encoder.finish().unwrap();
            packed.push((file.len() as u32, bytes.len() as u32));
            file.extend(b"PK\x03\x04");
            file.extend([0; 22]);
            file.extend([1, 0, 0, 0, b'a' + index as u8]);
            file.extend(bytes);
        }
        let start = file.len() as u32;
        for (index, &(of, unpacked)) in said.iter().enumerate() {
            let mut crc = flate2::Crc::new();
            crc.update(texts[of]);
            file.extend(b"PK\x01\x02\x14\0\x14\0\0\0\x08\0\0\0\0\0");
            let numbers = [crc.sum(), packed[of].1, unpacked as u32];
            numbers.iter().for_each(|number| file.extend(number.to_le_bytes()));
            file.extend([1, 0]);
            file.extend([0; 12]);
            file.extend(packed[of].0.to_le_bytes());
            file.push(b'a' + index as u8);
        }
        file.extend(b"PK\x05\x06\0\0\0\0");
        let count = (said.len() as u16).to_le_bytes();
        file.extend([count, count].concat());
        file.extend((file.len() as u32).to_le_bytes());
        file.extend(start.to_le_bytes());
        file.extend([0, 0]);
        file
    }

    #[test]
    fn what_members_say_of_their_bytes_is_bounded() {
        let (zeros, text) = (vec![0; 50_000], b"some text of a member".as_slice());
        let sound = archive(&[&zeros, text], &[(0, 50_000), (1, 21)]);
        let members_of = members(&sound).unwrap();
        assert_eq!(members_of[0].read(&sound, 1 << 20).unwrap(), zeros);
        assert_eq!(members_of[1].read(&sound, 21).unwrap(), text);
        assert!(members_of[1].read(&sound, 20).unwrap_err().contains("more than 20 bytes"));
        // The same bytes under two names.
        let twice = archive(&[&zeros], &[(0, 50_000), (0, 50_000)]);
        assert!(members(&twice).unwrap_err().contains("`a` and `b` lie in the same bytes"));
        // More than deflate can give, less than there is, more than there is.
        for (said, wanted) in [
            (1 << 30, "cannot have 1073741824 bytes in"),
            (20, "more bytes, not 20"),
            (22, "21 bytes, not 22"),
        ] {
            let file = archive(&[text], &[(0, said)]);
            let error = members(&file).unwrap()[0].read(&file, usize::MAX).unwrap_err();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
