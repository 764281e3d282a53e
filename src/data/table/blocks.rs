//! A table's file in blocks of whole rows, which may be parsed at once, and the rows of a block.
//!
//! ```text
//! a,b⏎ 1,2⏎ 3,"x⏎y"⏎ 4,5⏎   →   names [a, b], blocks "a,b⏎ 1,2⏎" and "3,"x⏎y"⏎ 4,5⏎", at lines 1 and 3
//! ```
//!
//! Where blocks end depends on the bytes of the file alone, so whatever is made of them in their order
//! is the same for any number of threads. A block without quotes is cut into lines and cells by their
//! separators; one with quotes is read by the crate `csv` (RFC 4180). Nothing here knows what
//! cells mean.

use std::io::Read;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use rayon::prelude::*;

use super::cells::{TableFormat, text};
use super::number::cut;
use crate::data::error::DataError;
use crate::data::gunzip::unpacked;

/// A function of a row's line and cells: whether to go on.
type MeetRow<'a> = dyn FnMut(u64, &[&[u8]]) -> Result<bool, DataError> + 'a;

/// Bytes that are read for a block, if its rows are not longer.
const BLOCK: usize = 256 << 10;
/// TableBlocks that are in memory at once.
const AT_ONCE: usize = 8;

/// Whole rows of a file, as they lie in it.
pub struct TableBlock {
    bytes: Vec<u8>,
    /// The line on which it begins, from 1.
    line: u64,
    /// Rows at its start that are none of the table's: its names.
    skipped: usize,
}

/// The blocks of a file, from its start to its end.
pub struct TableBlocks {
    source: Box<dyn Read>,
    format: TableFormat,
    /// The names of the columns.
    pub names: Vec<String>,
    /// The block that the names were found in, while nobody has taken it.
    first: Option<TableBlock>,
    /// Bytes behind the last row of the last block.
    rest: Vec<u8>,
    line: u64,
    is_over: bool,
}

impl TableBlocks {
    /// Opens a file and reads the names of its columns. Errors do not name the file.
    pub fn open(path: &Path, format: &TableFormat) -> Result<TableBlocks, DataError> {
        let mut blocks = TableBlocks {
            source: unpacked(path)?,
            format: format.clone(),
            names: Vec::new(),
            first: None,
            rest: Vec::new(),
            line: 1,
            is_over: false,
        };
        while let Some(mut block) = blocks.next()? {
            let mut names = None;
            block.rows(format.delimiter, |_, cells| {
                names = Some(names_of(cells, format)?);
                Ok(false)
            })?;
            if let Some(names) = names {
                other_delimiter(&names, format)?;
                block.skipped = usize::from(format.header);
                blocks.names = names;
                blocks.first = Some(block);
                return Ok(blocks);
            }
        }
        let error = DataError::new("the file is empty");
        Err(error.help("a table has a row of names, then rows of values"))
    }

    /// The next block; `None` behind the last one.
    fn next(&mut self) -> Result<Option<TableBlock>, DataError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        if self.is_over {
            return Ok(None);
        }
        let is_start = self.line == 1 && self.rest.is_empty();
        let mut bytes = std::mem::take(&mut self.rest);
        loop {
            // Twice as much where a row is longer than what was read.
            let wanted = bytes.len().max(BLOCK);
            let count = self.source.by_ref().take(wanted as u64).read_to_end(&mut bytes);
            let count = count
                .map_err(|error| DataError::new(format!("cannot be read to its end: {error}")))?;
            if count < wanted {
                self.is_over = true;
                break;
            }
            if let Some(end) = end_of_rows(&bytes, self.format.delimiter).0 {
                self.rest = bytes.split_off(end);
                break;
            }
        }
        if is_start && bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        let line = self.line;
        self.line += count_of(b'\n', &bytes);
        Ok(Some(TableBlock { bytes, line, skipped: 0 }))
    }

    /// Makes something of each block, several at once, and meets what was made in the order of the file,
    /// until `meet` or the file gives an error.
    pub fn each<T: Send>(
        &mut self,
        made: impl Fn(&TableBlock) -> T + Sync,
        mut meet: impl FnMut(T) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        loop {
            let (mut blocks, mut error) = (Vec::new(), None);
            while blocks.len() < AT_ONCE && error.is_none() {
                match self.next() {
                    Ok(Some(block)) => blocks.push(block),
                    Ok(None) => break,
                    Err(found) => error = Some(found),
                }
            }
            let is_end = blocks.is_empty();
            let results: Vec<T> = blocks.par_iter().map(&made).collect();
            results.into_iter().try_for_each(&mut meet)?;
            match error {
                Some(error) => return Err(error),
                None if is_end => return Ok(()),
                None => {}
            }
        }
    }
}

/// Some editors begin a file of UTF-8 with these bytes.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn count_of(byte: u8, bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&it| it == byte).count() as u64
}

/// Where the last whole row of bytes ends that begin with a row, `None` where none does; and where the
/// quote stands that is open behind it.
fn end_of_rows(bytes: &[u8], delimiter: u8) -> (Option<usize>, Option<usize>) {
    let ends = |byte: u8| byte == b'\n' || byte == b'\r';
    if !bytes.contains(&b'"') {
        return (bytes.iter().rposition(|&byte| ends(byte)).map(|at| at + 1), None);
    }
    /// Where in a cell a byte stands.
    #[derive(PartialEq)]
    enum Place {
        Start,
        Plain,
        Quoted,
        /// Behind a quote in a quoted cell: it ends, or the quote is one of two.
        Quote,
    }
    let (mut place, mut end, mut opened) = (Place::Start, None, 0);
    for (at, &byte) in bytes.iter().enumerate() {
        if place == Place::Start && byte == b'"' {
            opened = at;
        }
        place = match (place, byte) {
            (Place::Quoted, b'"') => Place::Quote,
            (Place::Quoted, _) | (Place::Start | Place::Quote, b'"') => Place::Quoted,
            (_, byte) if ends(byte) => {
                end = Some(at + 1);
                Place::Start
            }
            (_, byte) if byte == delimiter => Place::Start,
            _ => Place::Plain,
        };
    }
    (end, (place == Place::Quoted).then_some(opened))
}

impl TableBlock {
    /// Calls `meet` with the line and the cells of each row until it says no. Empty lines, and lines of
    /// blanks in a table of one column, are no rows.
    pub fn rows(
        &self,
        delimiter: u8,
        mut meet: impl FnMut(u64, &[&[u8]]) -> Result<bool, DataError>,
    ) -> Result<(), DataError> {
        let mut left_out = self.skipped;
        let mut row = |line: u64, cells: &[&[u8]]| {
            let is_blank = matches!(cells, [only] if only.trim_ascii().is_empty());
            if is_blank || left_out > 0 {
                left_out -= usize::from(!is_blank);
                return Ok(true);
            }
            meet(line, cells)
        };
        if !self.is_plain() {
            return self.quoted_rows(delimiter, &mut row);
        }
        let mut cells = Vec::new();
        for (line, bytes) in (self.line..).zip(self.bytes.split(|&byte| byte == b'\n')) {
            let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
            cells.clear();
            cells.extend(bytes.split(|&byte| byte == delimiter));
            if !row(line, &cells)? {
                break;
            }
        }
        Ok(())
    }

    /// Where the quote stands that nothing closes to the end of the file.
    fn open_quote(&self, delimiter: u8) -> Option<usize> {
        end_of_rows(&self.bytes, delimiter).1
    }

    /// Whether separators alone tell rows and cells apart.
    fn is_plain(&self) -> bool {
        // A return that no new line follows ends a row too.
        let ends_row = |at: usize| self.bytes.get(at + 1) == Some(&b'\n');
        let returns = || self.bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\r');
        !self.bytes.contains(&b'"')
            && (!self.bytes.contains(&b'\r') || returns().all(|(at, _)| ends_row(at)))
    }

    fn quoted_rows(&self, delimiter: u8, row: &mut MeetRow) -> Result<(), DataError> {
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(&self.bytes[..]);
        let mut record = ByteRecord::new();
        let (mut line, mut counted) = (self.line, 0);
        let open = self.open_quote(delimiter);
        loop {
            let more = reader.read_byte_record(&mut record);
            if !more.map_err(|error| DataError::new(format!("cannot be read: {error}")))? {
                return Ok(());
            }
            // The row begins behind the ends of lines before it.
            let begins = record.position().map_or(0, |position| position.byte() as usize);
            let ends = self.bytes[begins..].iter().take_while(|byte| b"\r\n".contains(byte));
            let begins = begins + ends.count();
            line += count_of(b'\n', &self.bytes[counted..begins]);
            counted = begins;
            // The rest of the file is in one cell, whatever stands in it.
            if let Some(quote) = open.filter(|&at| (at as u64) < reader.position().byte()) {
                return Err(never_closed(line + count_of(b'\n', &self.bytes[begins..quote])));
            }
            let cells: Vec<&[u8]> = record.iter().collect();
            if !row(line, &cells)? {
                return Ok(());
            }
        }
    }
}

fn never_closed(line: u64) -> DataError {
    let error = DataError::new(format!("line {line} opens a quote that nothing closes"));
    error.help("close it behind its cell; a quote within a cell in quotes is written twice")
}

fn names_of(cells: &[&[u8]], format: &TableFormat) -> Result<Vec<String>, DataError> {
    if !format.header {
        return Ok((1..=cells.len()).map(|place| format!("c{place}")).collect());
    }
    cells.iter().map(|name| Ok(text(name)?.to_owned())).collect()
}

/// Says that another character separates the cells, where there seems to be one column only.
fn other_delimiter(names: &[String], format: &TableFormat) -> Result<(), DataError> {
    let [only] = names else { return Ok(()) };
    let signs = [(b';', ";"), (b'\t', "\\t"), (b',', ","), (b'|', "|")];
    let found = signs.iter().find(|(sign, _)| {
        *sign != format.delimiter && only.as_bytes().contains(sign) && format.header
    });
    let Some((_, sign)) = found else { return Ok(()) };
    let message = format!("the table seems to have one column, named `{}`", cut(only));
    let help = format!("its cells seem to be separated otherwise: `delimiter: \"{sign}\"`");
    Err(DataError::new(message).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Sequence;

    /// The rows of a file with their lines, as the blocks give them.
    fn rows(text: &[u8], header: bool) -> Vec<(u64, Vec<Vec<u8>>)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        let format = TableFormat { delimiter: b',', header, na: Vec::new() };
        let Ok(mut blocks) = TableBlocks::open(&path, &format) else { return Vec::new() };
        let mut all = Vec::new();
        let made = |block: &TableBlock| {
            let mut rows = Vec::new();
            let met = block.rows(b',', |line, cells| {
                rows.push((line, cells.iter().map(|cell| cell.to_vec()).collect()));
                Ok(true)
            });
            assert!(met.is_ok() || block.open_quote(b',').is_some());
            rows
        };
        let mut meet = |rows: Vec<_>| {
            all.extend(rows);
            Ok(())
        };
        blocks.each(made, &mut meet).unwrap();
        all
    }

    /// The same by one reader over the whole file.
    fn plainly(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
        let records = reader.byte_records().map(Result::unwrap);
        let rows = records.map(|record| record.iter().map(<[u8]>::to_vec).collect());
        let is_row = |row: &Vec<Vec<u8>>| row.len() > 1 || !row[0].trim_ascii().is_empty();
        rows.filter(is_row).collect()
    }

    #[test]
    fn lines_are_those_of_the_file_whatever_ends_them() {
        let lines = |text: &[u8]| -> Vec<u64> { rows(text, true).iter().map(|it| it.0).collect() };
        assert_eq!(lines(b"a,b\n1,2\n\n3,4\n"), [2, 4]);
        assert_eq!(lines(b"a,b\r\n1,2\r\n\r\n3,4"), [2, 4]);
        assert_eq!(lines(b"\"a\",b\r\n1,2\r\n\r\n3,4\r\n5,6"), [2, 4, 5]);
        assert_eq!(lines(b"a,b\n1,\"x\ny\"\n3,4\n"), [2, 4]);
        assert_eq!(lines(b"\xef\xbb\xbfa,b\n1,2\n"), [2]);
        assert_eq!(rows(b"a\r1\r2", false).len(), 3);
    }

    #[test]
    fn a_quote_that_nothing_closes_is_told_by_its_line() {
        let open = |text: &[u8]| {
            let block = TableBlock { bytes: text.to_vec(), line: 5, skipped: 0 };
            block.rows(b',', |_, _| Ok(true)).err().map(|error| error.message.to_string())
        };
        let told = |line| Some(format!("line {line} opens a quote that nothing closes"));
        assert_eq!(open(b"a,b\n\n1,\"2\n3,4\n"), told(7));
        assert_eq!(open(b"a,b\n1,x\n3,\"x\n4,y\n5,x\n"), told(7));
        assert_eq!(open(b"\"a\",b\n\"1\n2\",\"3\n4,5\n"), told(7));
        assert_eq!(open(b"\"a,b\r\n1,2"), told(5));
        assert_eq!(open(b"a,b\n1,\"2\n\"\"\"\n3,\"\"\n"), None);
        assert_eq!(open(b"a,b\n1,2\"\n"), None);
    }

    #[test]
    fn rows_of_blocks_are_those_of_the_whole_file() {
        let mut rng = Sequence::new(3, 0);
        for round in 0..300 {
            // Long files on some rounds, so that there are several blocks.
            let length = if round % 30 == 0 { 3 * BLOCK as u32 } else { rng.below(60) };
            let signs: &[u8] = if round % 3 == 0 { b"ab,\n" } else { b"ab,,\n\n\r\"\"" };
            let letter = |rng: &mut Sequence| signs[rng.below(signs.len() as u32) as usize];
            let text: Vec<u8> = (0..length).map(|_| letter(&mut rng)).collect();
            let found: Vec<_> = rows(&text, false).into_iter().map(|(_, cells)| cells).collect();
            let mut plainly = plainly(&text);
            // What is behind an open quote is an error, and no row.
            if end_of_rows(&text, b',').1.is_some() {
                plainly.truncate(found.len());
            }
            let shown = String::from_utf8_lossy(&text[..text.len().min(80)]).into_owned();
            assert!(found == plainly, "{shown:?}");
        }
    }
}
