//! The members of a ZIP archive, as `.npz` files are: stored or deflated, with or without ZIP64.
//!
//! ```text
//! member member …  central directory  end record      →  [("features.npy", bytes), …]
//! ```
//!
//! The central directory says what there is (APPNOTE.TXT 6.3). Sizes are not believed: no more memory is
//! taken than the caller allows, whatever a member unpacks to, and each has its CRC-32 checked.

use flate2::bufread::DeflateDecoder;
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
    /// Where its local header is.
    offset: u64,
}

/// Bytes of the end record, without its comment.
const END: usize = 22;

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
    let mut at = usize::try_from(at).map_err(|_| damaged("its directory is beyond its end"))?;
    for _ in 0..count {
        let (member, next) = entry(bytes, at).ok_or_else(|| damaged("its directory is cut"))??;
        if found.iter().any(|known| known.name == member.name) {
            return Err(damaged(&format!("`{}` stands in it twice", member.name)));
        }
        found.push(member);
        at = next;
    }
    Ok(found)
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
        let mut out = Vec::new();
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
        let bytes = self.first_bytes(archive, most.saturating_add(1))?;
        if bytes.len() > most {
            return Err(format!("`{}` unpacks to more than {most} bytes", self.name));
        }
        if bytes.len() as u64 != self.unpacked {
            let (found, said) = (bytes.len(), self.unpacked);
            return Err(damaged(&format!("`{}` has {found} bytes, not {said}", self.name)));
        }
        let mut crc = flate2::Crc::new();
        crc.update(&bytes);
        match crc.sum() == self.crc {
            true => Ok(bytes),
            false => Err(damaged(&format!("the checksum of `{}` does not match", self.name))),
        }
    }
}
