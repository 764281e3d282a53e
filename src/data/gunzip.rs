//! Unpacks gzip, member after member, as `gzip` does.
//!
//! `member member …  00 00 00`: a file may be several packed files one behind the other, and zeros may
//! follow the last, which tapes and block devices leave. Anything else there is an error, since it may
//! be the rest of a damaged file.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;

use super::error::DataError;
use crate::files;

/// The bytes of a file, unpacked if they begin like gzip.
pub fn unpacked(path: &Path) -> Result<Box<dyn Read>, DataError> {
    let failed = |error: io::Error| DataError::new(format!("cannot read: {error}")).path(path);
    let mut reader = BufReader::with_capacity(1 << 16, files::read::open(path).map_err(failed)?);
    let start = reader.fill_buf().map_err(failed)?;
    Ok(match start.starts_with(&[0x1f, 0x8b]) {
        true => Box::new(Gunzip::new(reader)),
        false => Box::new(reader),
    })
}

/// Unpacks a stream.
pub struct Gunzip<R> {
    /// The member that is being read, or `None` behind the last.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gunzip<R> {
    /// Of a stream that begins with a member.
    pub fn new(packed: R) -> Self {
        Gunzip { member: Some(GzDecoder::new(packed)) }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(out)?;
            if count > 0 || out.is_empty() {
                return Ok(count);
            }
            let Some(member) = self.member.take() else { break };
            self.member = next(member.into_inner())?.map(GzDecoder::new);
        }
        Ok(0)
    }
}

/// The stream at its next member; `None` where only zeros are left.
fn next<R: BufRead>(mut packed: R) -> io::Result<Option<R>> {
    loop {
        let buffer = packed.fill_buf()?;
        let zeros = buffer.iter().take_while(|&&byte| byte == 0).count();
        match buffer.get(zeros) {
            None if buffer.is_empty() => return Ok(None),
            None => {}
            Some(0x1f) => {
                packed.consume(zeros);
                return Ok(Some(packed));
            }
            Some(_) => {
                let message = "something that is not gzip follows what is packed";
                return Err(io::Error::new(ErrorKind::InvalidData, message));
            }
        }
        packed.consume(zeros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn packed(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    /// Through a buffer so small that members and zeros end anywhere in it.
    fn unpacked(bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        let mut reader = Gunzip::new(BufReader::with_capacity(3, bytes));
        reader.read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn members_follow_one_another_and_zeros_may_follow_them() {
        let (one, two, none) = (packed("one "), packed("two"), packed(""));
        let zeros = [0; 700];
        let all = [&one[..], &two, &none, &two].concat();
        assert_eq!(unpacked(&all).unwrap(), "one twotwo");
        assert_eq!(unpacked(&[&one[..], &zeros].concat()).unwrap(), "one ");
        assert_eq!(unpacked(&[&one[..], &[0], &two, &zeros].concat()).unwrap(), "one two");
    }

    #[test]
    fn what_is_cut_or_followed_by_anything_else_is_damaged() {
        let one = packed("one");
        for cut in 0..one.len() {
            assert!(unpacked(&one[..cut]).is_err(), "{cut} bytes");
        }
        let mut wrong = one.clone();
        let sum = wrong.len() - 8;
        wrong[sum] ^= 1;
        assert!(unpacked(&wrong).is_err(), "a sum that does not match");
        assert!(unpacked(&[&one[..], b"x"].concat()).is_err());
        assert!(unpacked(&[&one[..], &[0, 0], &one[..9]].concat()).is_err());
    }
}
