//! Tables as text: the columns that are asked for, typed, in one pass over the file.
//!
//! ```text
//! island,mass        wanted: island Text, mass Number
//! Biscoe,3750   →    Texts { ids: [0, 1], names: ["Biscoe", "Dream"] }, Numbers [3750, NaN]
//! Dream,
//! ```
//!
//! A file is read row by row (RFC 4180, plain or in gzip) and never held: what is kept are four bytes a
//! cell of the columns that are asked for. An error names line and column.

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};
use rustc_hash::FxHashMap;

use super::number::{cut, number};
use crate::base::names::near;
use crate::base::shown::Show;
use crate::data::error::DataError;
use crate::data::fields::{MISSING_TEXT, RawColumn, RawTable};
use crate::data::gunzip::unpacked;

/// How a table is written.
#[derive(Clone, Debug, PartialEq)]
pub struct TableFormat {
    /// The separator of cells.
    pub delimiter: u8,
    /// Whether the first row names the columns; otherwise they are `c1`, `c2`, ….
    pub header: bool,
    /// Texts that mean that a cell has no value, beside the empty one.
    pub na: Vec<String>,
}

/// The kind of values of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// Numbers.
    Number,
    /// Texts.
    Text,
}

/// More rows have no numbers of their own.
const MOST_ROWS: usize = u32::MAX as usize - 1;

/// The names of a file's columns.
pub fn header(path: &Path, format: &TableFormat) -> Result<Vec<String>, DataError> {
    let mut names = None;
    rows(path, format, &mut |_, record| {
        names = Some(names_of(record, format)?);
        Ok(false)
    })?;
    let names = names.ok_or_else(|| {
        let error = DataError::new("the file is empty").path(path);
        error.help("a table has a row of names, then rows of values")
    })?;
    other_delimiter(&names, format).map_err(|error| error.path(path))?;
    Ok(names)
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

fn names_of(record: &ByteRecord, format: &TableFormat) -> Result<Vec<String>, DataError> {
    if !format.header {
        return Ok((1..=record.len()).map(|place| format!("c{place}")).collect());
    }
    record.iter().map(|name| Ok(text(name)?.to_owned())).collect()
}

/// Reads columns of files, one below the other.
pub fn read(
    paths: &[PathBuf],
    format: &TableFormat,
    wanted: &[(String, CellKind)],
) -> Result<RawTable, DataError> {
    Ok(read_groups([paths], format, wanted)?.0)
}

/// The same of groups of files, and the rows of each group; a group without files has none.
pub fn read_groups<const GROUPS: usize>(
    groups: [&[PathBuf]; GROUPS],
    format: &TableFormat,
    wanted: &[(String, CellKind)],
) -> Result<(RawTable, [Range<usize>; GROUPS]), DataError> {
    let mut reader = TableReader::new(format, wanted, None);
    let mut rows = groups.map(|_| 0..0);
    for (paths, rows) in groups.into_iter().zip(&mut rows) {
        *rows = reader.group(paths)?;
    }
    Ok((reader.finish(), rows))
}

/// Reads columns of a file; a cell that is no value is missing, and its row and the reason are appended
/// to `wrong`.
pub fn read_leniently(
    path: &Path,
    format: &TableFormat,
    wanted: &[(String, CellKind)],
    wrong: &mut Vec<(usize, String)>,
) -> Result<RawTable, DataError> {
    let mut reader = TableReader::new(format, wanted, Some(wrong));
    reader.group(&[path.to_path_buf()])?;
    Ok(reader.finish())
}

/// A table on its way into memory.
struct TableReader<'a> {
    format: &'a TableFormat,
    columns: Vec<ColumnReader>,
    lines: Vec<u32>,
    /// Rows with cells that are no values; without it such a cell is an error.
    wrong: Option<&'a mut Vec<(usize, String)>>,
}

impl<'a> TableReader<'a> {
    fn new(
        format: &'a TableFormat,
        wanted: &[(String, CellKind)],
        wrong: Option<&'a mut Vec<(usize, String)>>,
    ) -> TableReader<'a> {
        let columns = wanted.iter().map(|(name, kind)| ColumnReader::new(name, *kind)).collect();
        TableReader { format, columns, lines: Vec::new(), wrong }
    }

    /// Reads files below what there is; returns their rows.
    fn group(&mut self, paths: &[PathBuf]) -> Result<Range<usize>, DataError> {
        let first = self.lines.len();
        paths.iter().try_for_each(|path| self.file(path))?;
        match paths.first().filter(|_| self.lines.len() == first) {
            Some(path) => Err(DataError::new("the table has no rows below its header").path(path)),
            None => Ok(first..self.lines.len()),
        }
    }

    fn file(&mut self, path: &Path) -> Result<(), DataError> {
        let names = header(path, self.format)?;
        let places = self.columns.iter().map(|column| place_of(&column.name, &names));
        let places: Vec<usize> =
            places.collect::<Result<_, _>>().map_err(|error: DataError| error.path(path))?;
        let mut is_header = self.format.header;
        // In a table of one column, an empty line is a cell without a value.
        let (mut next, empty) = (None::<u64>, ByteRecord::from(vec![""]));
        rows(path, self.format, &mut |line, record| {
            if std::mem::take(&mut is_header) {
                return Ok(true);
            }
            if names.len() == 1 {
                let mut above = next.unwrap_or(line)..line;
                above.try_for_each(|line| self.row(line, &empty, &places))?;
                let within = record.as_slice().iter().filter(|&&byte| byte == b'\n').count();
                next = Some(line + within as u64 + 1);
            }
            if record.len() != names.len() {
                return Err(ragged(line, record, names.len()));
            }
            self.row(line, record, &places).map(|()| true)
        })
    }

    fn row(&mut self, line: u64, record: &ByteRecord, places: &[usize]) -> Result<(), DataError> {
        if self.lines.len() >= MOST_ROWS {
            return Err(DataError::new(format!("more than {MOST_ROWS} rows")));
        }
        for (column, &place) in self.columns.iter_mut().zip(places) {
            let Err(error) = column.push(&record[place], self.format) else { continue };
            if &*error.message == NOT_UTF8 {
                return Err(error);
            }
            let name = column.name.shown();
            let message = format!("line {line}, column `{name}`: {}", error.message);
            let Some(wrong) = &mut self.wrong else {
                return Err(DataError { message: message.into(), ..error });
            };
            column.push(b"", self.format)?;
            wrong.push((self.lines.len(), message));
        }
        self.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
        Ok(())
    }

    fn finish(self) -> RawTable {
        let columns = self.columns.into_iter().map(|column| (column.name, column.values));
        RawTable { columns: columns.collect(), lines: self.lines }
    }
}

fn ragged(line: u64, record: &ByteRecord, wanted: usize) -> DataError {
    let cells = |count: usize| if count == 1 { "1 cell".into() } else { format!("{count} cells") };
    let found = cells(record.len());
    let message = format!("line {line} has {found}, the first row has {}", cells(wanted));
    // The line break behind the file's end is in a cell whose quote is still open.
    let is_open = record.iter().next_back().is_some_and(|cell| cell.ends_with(b"\n"));
    DataError::new(message).help(match is_open {
        true => "a quote opens in this row that nothing closes",
        false => "a cell with the separator or a line break in it stands in quotes",
    })
}

/// The place of a column by its name.
pub fn place_of(name: &str, names: &[String]) -> Result<usize, DataError> {
    let mut places = names.iter().enumerate().filter(|(_, known)| *known == name);
    match (places.next(), places.next()) {
        (Some((place, _)), None) => Ok(place),
        (Some((first, _)), Some((second, _))) => Err(DataError::new(format!(
            "columns {} and {} are both named `{}`",
            first + 1,
            second + 1,
            cut(name)
        ))
        .help("give them different names in the file")),
        (None, _) => {
            let error = DataError::new(format!("there is no column `{}`", cut(name)));
            let near = near(name, names.iter().map(String::as_str));
            Err(match near.first() {
                Some(near) => error.help(format!("did you mean `{}`?", cut(near))),
                None => error.help(format!("its columns are {}", list(names))),
            })
        }
    }
}

/// Names, the first ones of many.
pub fn list(names: &[String]) -> String {
    const MOST: usize = 12;
    let shown: Vec<String> = names.iter().take(MOST).map(|name| cut(name)).collect();
    let more = if names.len() > MOST { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// Calls `meet` with the line and the cells of each row, the header among them, until it says no.
pub fn rows(
    path: &Path,
    format: &TableFormat,
    meet: &mut dyn FnMut(u64, &ByteRecord) -> Result<bool, DataError>,
) -> Result<(), DataError> {
    // The end of the last row is always there to be counted.
    let source = unpacked(path)?.chain(&b"\n"[..]);
    let mut reader = ReaderBuilder::new()
        .delimiter(format.delimiter)
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(1 << 18)
        .from_reader(source);
    let mut record = ByteRecord::new();
    loop {
        let more = reader.read_byte_record(&mut record);
        let more = more.map_err(|error| {
            DataError::new(format!("cannot be read to its end: {error}")).path(path)
        })?;
        if !more {
            return Ok(());
        }
        // A line of blanks is no row of a table with several columns.
        if record.len() == 1 && record[0].trim_ascii().is_empty() {
            continue;
        }
        let within = record.as_slice().iter().filter(|&&byte| byte == b'\n').count() as u64;
        // A record's own place is before the empty lines above it; one whose quote is open has no end.
        let begin = record.position().map_or(1, |place| place.line());
        let line = reader.position().line().saturating_sub(1 + within).max(begin);
        match meet(line, &record) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) if &*error.message == NOT_UTF8 => return Err(not_utf8(path)),
            Err(error) if error.path.is_none() => return Err(error.path(path)),
            Err(error) => return Err(error),
        }
    }
}

const NOT_UTF8: &str = "not UTF-8";

/// The text of a cell, without blanks around it.
pub fn text(cell: &[u8]) -> Result<&str, DataError> {
    let text = std::str::from_utf8(cell).map_err(|_| DataError::new(NOT_UTF8))?;
    Ok(text.trim_start_matches('\u{feff}').trim())
}

/// Names the first byte of a file that is no UTF-8.
fn not_utf8(path: &Path) -> DataError {
    let mut bytes = Vec::new();
    let mut at = 0u64;
    if let Ok(mut source) = unpacked(path) {
        let mut chunk = vec![0; 1 << 16];
        while let Ok(count @ 1..) = source.read(&mut chunk) {
            bytes.extend_from_slice(&chunk[..count]);
            match std::str::from_utf8(&bytes) {
                Ok(_) => {
                    at += bytes.len() as u64;
                    bytes.clear();
                }
                Err(error) => {
                    at += error.valid_up_to() as u64;
                    bytes.drain(..error.valid_up_to());
                    // A character may go on in the next piece.
                    if error.error_len().is_some() {
                        break;
                    }
                }
            }
        }
    }
    let mut first = [0; 2];
    let is_utf16 = unpacked(path).is_ok_and(|mut source| {
        source.read_exact(&mut first).is_ok() && matches!(first, [0xff, 0xfe] | [0xfe, 0xff])
    });
    let error = DataError::new(format!("is not UTF-8 text: byte {at} is none")).path(path);
    error.help(match is_utf16 {
        true => {
            "it is UTF-16: save it as UTF-8, as `iconv -f UTF-16 -t UTF-8` and spreadsheets can"
        }
        false => "save it as UTF-8, as `iconv -t UTF-8` and spreadsheets can",
    })
}

/// A column on its way into memory.
struct ColumnReader {
    name: String,
    values: RawColumn,
    /// The place of each text among the names.
    known: FxHashMap<Box<[u8]>, u32>,
}

impl ColumnReader {
    fn new(name: &str, kind: CellKind) -> ColumnReader {
        let values = match kind {
            CellKind::Number => RawColumn::Numbers(Vec::new()),
            CellKind::Text => RawColumn::Texts { ids: Vec::new(), names: Vec::new() },
        };
        ColumnReader { name: name.to_owned(), values, known: FxHashMap::default() }
    }

    fn push(&mut self, cell: &[u8], format: &TableFormat) -> Result<(), DataError> {
        let cell = cell.trim_ascii();
        let is_missing = cell.is_empty() || format.na.iter().any(|na| na.as_bytes() == cell);
        match &mut self.values {
            RawColumn::Numbers(values) => values.push(match is_missing {
                true => f32::NAN,
                false => number(cell)?,
            }),
            RawColumn::Texts { ids, .. } if is_missing => ids.push(MISSING_TEXT),
            RawColumn::Texts { ids, names } => {
                // Without the blanks of other scripts, too, so that a text has one name.
                let cell = if cell.is_ascii() { cell } else { text(cell)?.as_bytes() };
                let id = match self.known.get(cell) {
                    Some(&id) => id,
                    None => {
                        let id = names.len() as u32;
                        names.push(text(cell)?.to_owned());
                        self.known.insert(cell.into(), id);
                        id
                    }
                };
                ids.push(if cell.is_empty() { MISSING_TEXT } else { id });
            }
        }
        Ok(())
    }
}
