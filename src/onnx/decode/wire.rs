//! The wire format of protocol buffers: fields with numbers, one after the other.
//!
//! ```text
//! 08 96 01        field 1, a number: 150
//! 12 02 68 69     field 2, two bytes: "hi"
//! ```
//!
//! See <https://protobuf.dev/programming-guides/encoding/>. Groups, which ONNX does not use, are
//! refused.

use super::DecodeError;
use std::cell::Cell;

/// Bytes that may still be held.
pub(super) struct MemoryBudget(Cell<usize>);

impl MemoryBudget {
    pub fn new(bytes: usize) -> MemoryBudget {
        MemoryBudget(Cell::new(bytes))
    }
}

/// The bytes of a message that have not been read yet.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    /// All bytes of the file.
    file: &'a [u8],
    at: usize,
    end: usize,
    budget: &'a MemoryBudget,
}

/// The contents of a field.
#[derive(Clone, Copy)]
enum Payload {
    Varint(u64),
    Fixed64,
    Bytes(usize),
    Fixed32(u32),
}

/// A field of a message.
#[derive(Clone, Copy)]
pub(super) struct WireField<'a> {
    /// The message, from the field's contents on.
    message: Message<'a>,
    payload: Payload,
}

type Read<T> = Result<T, DecodeError>;

impl<'a> Message<'a> {
    pub fn new(file: &'a [u8], budget: &'a MemoryBudget) -> Message<'a> {
        Message { file, at: 0, end: file.len(), budget }
    }

    /// A mistake here.
    pub fn error(&self, message: String) -> DecodeError {
        DecodeError { at: self.at, message }
    }

    /// Takes the bytes of a value from the budget.
    pub fn take<T>(&self) -> Read<()> {
        // A vector that grows holds at most twice what is in it.
        self.take_bytes(2 * size_of::<T>())
    }

    /// Takes bytes from the budget.
    pub fn take_bytes(&self, bytes: usize) -> Read<()> {
        let left = self.budget.0.get().checked_sub(bytes);
        let left = left.ok_or_else(|| {
            self.error("what the file holds takes more than twice its size in memory".into())
        })?;
        self.budget.0.set(left);
        Ok(())
    }

    /// The next field with its number, or none at the end.
    pub fn next(&mut self) -> Read<Option<(u32, WireField<'a>)>> {
        if self.at == self.end {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).unwrap_or(0);
        if number == 0 {
            return Err(self.error("a field has no number".into()));
        }
        let (payload, length) = match key & 7 {
            0 => (Payload::Varint(self.varint()?), 0),
            1 => (Payload::Fixed64, 8),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).ok().filter(|&it| it <= self.left());
                let length = length.ok_or_else(|| {
                    self.error("a field is longer than what is left of the message".into())
                })?;
                (Payload::Bytes(length), length)
            }
            5 => (Payload::Fixed32(0), 4),
            kind => return Err(self.error(format!("a field is of the kind {kind}, which is none"))),
        };
        if length > self.left() {
            return Err(self.error("the file ends inside of a field".into()));
        }
        let payload = match payload {
            Payload::Fixed32(_) => Payload::Fixed32(u32::from_le_bytes(self.array())),
            payload => payload,
        };
        let field = WireField { message: *self, payload };
        self.at += length;
        Ok(Some((number, field)))
    }

    fn left(&self) -> usize {
        self.end - self.at
    }

    /// The next bytes, which must be there.
    fn array<const LENGTH: usize>(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes.copy_from_slice(&self.file[self.at..self.at + LENGTH]);
        bytes
    }

    /// A number of up to 64 bits, seven in a byte.
    fn varint(&mut self) -> Read<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let Some(&byte) = self.file[..self.end].get(self.at) else {
                return Err(self.error("the file ends inside of a number".into()));
            };
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.error("a number has more than ten bytes".into()))
    }
}

impl<'a> WireField<'a> {
    /// A mistake in this field.
    pub fn error(&self, message: String) -> DecodeError {
        self.message.error(message)
    }

    fn unfit(&self, what: &str) -> DecodeError {
        self.error(format!("a field should hold {what}"))
    }

    /// A whole number.
    pub fn int(&self) -> Read<i64> {
        match self.payload {
            // Negative numbers have 64 bits there.
            Payload::Varint(number) => Ok(number as i64),
            _ => Err(self.unfit("a whole number")),
        }
    }

    /// A whole number of 32 bits.
    pub fn small(&self) -> Read<i32> {
        i32::try_from(self.int()?).map_err(|_| self.unfit("a number of 32 bits"))
    }

    /// A number.
    pub fn float(&self) -> Read<f32> {
        match self.payload {
            Payload::Fixed32(bits) => Ok(f32::from_bits(bits)),
            _ => Err(self.unfit("a number of 32 bits")),
        }
    }

    /// The bytes of a field that has a length.
    pub fn bytes(&self) -> Read<&'a [u8]> {
        match self.payload {
            Payload::Bytes(length) => {
                Ok(&self.message.file[self.message.at..self.message.at + length])
            }
            _ => Err(self.unfit("bytes")),
        }
    }

    /// A copy of the same.
    pub fn copied(&self) -> Read<Vec<u8>> {
        let bytes = self.bytes()?;
        self.message.take_bytes(bytes.len())?;
        Ok(bytes.to_vec())
    }

    /// A copy of the same, one of several.
    pub fn listed_bytes(&self) -> Read<Vec<u8>> {
        self.message.take::<Vec<u8>>()?;
        self.copied()
    }

    /// A text.
    pub fn text(&self) -> Read<String> {
        String::from_utf8(self.copied()?).map_err(|_| self.unfit("text in UTF-8"))
    }

    /// A text, one of several.
    pub fn listed_text(&self) -> Read<String> {
        self.message.take::<String>()?;
        self.text()
    }

    /// A message.
    pub fn message(&self) -> Read<Message<'a>> {
        let length = self.bytes()?.len();
        Ok(Message { end: self.message.at + length, ..self.message })
    }

    /// One whole number, or many that are packed.
    pub fn ints(&self, out: &mut Vec<i64>) -> Read<()> {
        self.each_int(|message, number| {
            message.take::<i64>()?;
            out.push(number);
            Ok(())
        })
    }

    /// Calls `each` for one whole number, or many that are packed.
    pub fn each_int(&self, mut each: impl FnMut(&Message<'a>, i64) -> Read<()>) -> Read<()> {
        if let Payload::Varint(number) = self.payload {
            return each(&self.message, number as i64);
        }
        let mut packed = self.message()?;
        while packed.left() > 0 {
            let number = packed.varint()?;
            each(&packed, number as i64)?;
        }
        Ok(())
    }

    /// One number of 32 bits, or many that are packed.
    pub fn floats(&self, out: &mut Vec<f32>) -> Read<()> {
        let mut bytes = Vec::new();
        self.fixed(4, &mut bytes)?;
        self.message.take_bytes(2 * bytes.len())?;
        out.extend(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        Ok(())
    }

    /// The bytes of one number of so many bytes (4 or 8), or of many that are packed.
    pub fn fixed(&self, size: usize, out: &mut Vec<u8>) -> Read<()> {
        let length = match self.payload {
            Payload::Fixed32(_) if size == 4 => 4,
            Payload::Fixed64 if size == 8 => 8,
            Payload::Bytes(length) if length.is_multiple_of(size) => length,
            _ => return Err(self.unfit(&format!("numbers of {} bits", 8 * size))),
        };
        self.message.take_bytes(if out.is_empty() { length } else { 2 * length })?;
        let at = self.message.at;
        out.extend_from_slice(&self.message.file[at..at + length]);
        Ok(())
    }
}
