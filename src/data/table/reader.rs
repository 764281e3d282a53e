//! Tables as text: the columns that are asked for, typed, in one pass over the file.
//!
//! ```text
//! island,mass        wanted: island Text, mass Number
//! Biscoe,3750   →    places [0, 1] of the texts ["Biscoe", "Dream"], numbers [3750, NaN]
//! Dream,
//! ```
//!
//! A file is read in blocks of rows ([`super::blocks`], plain or in gzip), which several threads parse,
//! and never held: what is kept are four bytes a cell of the columns that are asked for, in a
//! [`ColumnStore`]. An error names line and column; of several the first in the file is told.

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::blocks::{TableBlock, TableBlocks};
use super::cells::{NOT_UTF8, TableFormat, text};
use super::number::{cut, number};
use crate::base::names::near;
use crate::base::shown::Show;
use crate::data::error::DataError;
use crate::data::fields::{ColumnStore, MISSING_TEXT};
use crate::data::gunzip::unpacked;
use crate::data::spill::Spill;

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
    Ok(open(path, format)?.names)
}

/// The blocks of a file, whose errors name it.
pub fn open(path: &Path, format: &TableFormat) -> Result<TableBlocks, DataError> {
    TableBlocks::open(path, format).map_err(|error| at_file(error, path))
}

/// Names the file of an error.
pub fn at_file(error: DataError, path: &Path) -> DataError {
    match &*error.message {
        NOT_UTF8 => not_utf8(path),
        _ if error.path.is_none() => error.path(path),
        _ => error,
    }
}

/// Reads columns of files into memory, one below the other.
pub fn read(
    paths: &[PathBuf],
    format: &TableFormat,
    wanted: &[(String, CellKind)],
) -> Result<ColumnStore, DataError> {
    Ok(read_groups([paths], format, wanted, &Spill::never())?.0)
}

/// The same of groups of files, and the rows of each group; a group without files has none. Large
/// tables go where `spill` says.
pub fn read_groups<const GROUPS: usize>(
    groups: [&[PathBuf]; GROUPS],
    format: &TableFormat,
    wanted: &[(String, CellKind)],
    spill: &Spill,
) -> Result<(ColumnStore, [Range<usize>; GROUPS]), DataError> {
    let mut reader = TableReader::new(format, wanted, None, spill.clone());
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
) -> Result<ColumnStore, DataError> {
    let mut reader = TableReader::new(format, wanted, Some(wrong), Spill::never());
    reader.group(&[path.to_path_buf()])?;
    Ok(reader.finish())
}

/// A table that is being read.
struct TableReader<'a> {
    format: &'a TableFormat,
    /// The columns, whose cells go to the store.
    columns: Vec<ColumnReader>,
    store: ColumnStore,
    /// Rows with cells that are no values; without it such a cell is an error.
    wrong: Option<&'a mut Vec<(usize, String)>>,
}

impl<'a> TableReader<'a> {
    fn new(
        format: &'a TableFormat,
        wanted: &[(String, CellKind)],
        wrong: Option<&'a mut Vec<(usize, String)>>,
        spill: Spill,
    ) -> TableReader<'a> {
        let columns = wanted.iter().map(|(name, kind)| ColumnReader::new(name, *kind)).collect();
        let store = ColumnStore::new(wanted.len(), spill);
        TableReader { format, columns, store, wrong }
    }

    /// Reads files below what there is; returns their rows.
    fn group(&mut self, paths: &[PathBuf]) -> Result<Range<usize>, DataError> {
        let first = self.store.rows();
        for path in paths {
            self.store.begin_file(path);
            self.file(path).map_err(|error| at_file(error, path))?;
        }
        match paths.first().filter(|_| self.store.rows() == first) {
            Some(path) => Err(DataError::new("the table has no rows below its header").path(path)),
            None => Ok(first..self.store.rows()),
        }
    }

    fn file(&mut self, path: &Path) -> Result<(), DataError> {
        let mut blocks = open(path, self.format)?;
        let known = ColumnPlaces::new(&blocks.names);
        let places = self.columns.iter().map(|column| known.of(&column.name));
        let parser = BlockParser {
            format: self.format,
            columns: self.columns.iter().map(ColumnReader::without_cells).collect(),
            places: places.collect::<Result<_, _>>()?,
            cells: blocks.names.len(),
            is_lenient: self.wrong.is_some(),
        };
        let mut next = None;
        let append = |parsed: ParsedBlock| {
            // Empty lines between the rows of two blocks.
            if let (Some(next), Some(&first)) = (next, parsed.lines.first()) {
                let mut between = parser.nothing();
                parser.empty_lines(next..u64::from(first), &mut between)?;
                self.append(between)?;
            }
            next = parsed.next.or(next);
            self.append(parsed)
        };
        blocks.each(|block| parser.parse(block), append)
    }

    /// Appends the rows of a block.
    fn append(&mut self, parsed: ParsedBlock) -> Result<(), DataError> {
        if let Some(error) = parsed.error {
            return Err(error);
        }
        let rows = self.store.rows();
        if rows + parsed.lines.len() > MOST_ROWS {
            return Err(DataError::new(format!("more than {MOST_ROWS} rows")));
        }
        if let Some(wrong) = &mut self.wrong {
            wrong.extend(parsed.wrong.into_iter().map(|(row, why)| (rows + row, why)));
        }
        let columns = self.columns.iter_mut().zip(parsed.columns);
        let cells = columns.map(|(column, more)| column.adopt(more));
        self.store.append(cells.chain([parsed.lines]).collect())
    }

    fn finish(mut self) -> ColumnStore {
        let columns = self.columns.into_iter().map(|column| match column.kind {
            CellKind::Number => (column.name, None),
            CellKind::Text => (column.name, Some(column.texts)),
        });
        self.store.name(columns);
        self.store
    }
}

/// Makes columns of the rows of a block.
struct BlockParser<'a> {
    format: &'a TableFormat,
    /// The columns that are wanted, and their places in a row.
    columns: Vec<ColumnReader>,
    places: Vec<usize>,
    /// Cells of a row.
    cells: usize,
    /// Whether a cell that is no value is missing, and no error.
    is_lenient: bool,
}

/// The rows of a block.
struct ParsedBlock {
    columns: Vec<ColumnReader>,
    lines: Vec<u32>,
    /// Rows with cells that are no values, and why.
    wrong: Vec<(usize, String)>,
    /// In a table of one column, the line behind the last row.
    next: Option<u64>,
    /// The first thing that is wrong; rows behind it are not read.
    error: Option<DataError>,
}

impl BlockParser<'_> {
    fn parse(&self, block: &TableBlock) -> ParsedBlock {
        let mut parsed = self.nothing();
        let delimiter = self.format.delimiter;
        let met = block.rows(delimiter, |line, cells| {
            if self.cells == 1 {
                self.empty_lines(parsed.next.unwrap_or(line)..line, &mut parsed)?;
                let within = cells.iter().copied().flatten().filter(|&&byte| byte == b'\n');
                parsed.next = Some(line + within.count() as u64 + 1);
            }
            if cells.len() != self.cells {
                return Err(ragged(line, cells.len(), self.cells));
            }
            self.row(line, cells, &mut parsed).map(|()| true)
        });
        parsed.error = met.err();
        parsed
    }

    /// No rows yet.
    fn nothing(&self) -> ParsedBlock {
        let (lines, wrong) = (Vec::new(), Vec::new());
        let columns = self.columns.iter().map(ColumnReader::without_cells).collect();
        ParsedBlock { columns, lines, wrong, next: None, error: None }
    }

    /// Empty lines between the rows of a table of one column: cells without a value.
    fn empty_lines(
        &self,
        mut lines: Range<u64>,
        parsed: &mut ParsedBlock,
    ) -> Result<(), DataError> {
        lines.try_for_each(|line| self.row(line, &[b""], parsed))
    }

    fn row(&self, line: u64, cells: &[&[u8]], parsed: &mut ParsedBlock) -> Result<(), DataError> {
        for (column, &place) in parsed.columns.iter_mut().zip(&self.places) {
            let Err(error) = column.push(cells[place], self.format) else { continue };
            if &*error.message == NOT_UTF8 {
                return Err(error);
            }
            let name = column.name.shown();
            let message = format!("line {line}, column `{name}`: {}", error.message);
            if !self.is_lenient {
                return Err(DataError { message: message.into(), ..error });
            }
            column.push(b"", self.format)?;
            parsed.wrong.push((parsed.lines.len(), message));
        }
        parsed.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
        Ok(())
    }
}

fn ragged(line: u64, found: usize, wanted: usize) -> DataError {
    let cells = |count: usize| if count == 1 { "1 cell".into() } else { format!("{count} cells") };
    let message = format!("line {line} has {}, the first row has {}", cells(found), cells(wanted));
    DataError::new(message).help("a cell with the separator or a line break in it stands in quotes")
}

/// The places of columns by their names, to look up many.
pub struct ColumnPlaces<'a> {
    names: &'a [String],
    /// `None` of a name that several have.
    places: FxHashMap<&'a str, Option<usize>>,
}

impl ColumnPlaces<'_> {
    /// Of these names, in order.
    pub fn new(names: &[String]) -> ColumnPlaces<'_> {
        let mut places = FxHashMap::default();
        for (place, name) in names.iter().enumerate() {
            let known = places.entry(name.as_str());
            known.and_modify(|known| *known = None).or_insert(Some(place));
        }
        ColumnPlaces { names, places }
    }

    /// The place of a column by its name.
    pub fn of(&self, name: &str) -> Result<usize, DataError> {
        match self.places.get(name) {
            Some(Some(place)) => Ok(*place),
            _ => place_of(name, self.names),
        }
    }
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

/// A column that is being read.
struct ColumnReader {
    name: String,
    kind: CellKind,
    /// The bits of each number, or the place of each text.
    cells: Vec<u32>,
    /// The different texts, in the order in which they come up, and the place of each.
    texts: Vec<String>,
    known: FxHashMap<Box<str>, u32>,
}

impl ColumnReader {
    fn new(name: &str, kind: CellKind) -> ColumnReader {
        let (cells, texts, known) = (Vec::new(), Vec::new(), FxHashMap::default());
        ColumnReader { name: name.to_owned(), kind, cells, texts, known }
    }

    /// A column of this name and kind.
    fn without_cells(&self) -> ColumnReader {
        ColumnReader::new(&self.name, self.kind)
    }

    fn push(&mut self, cell: &[u8], format: &TableFormat) -> Result<(), DataError> {
        let cell = cell.trim_ascii();
        let is_missing = cell.is_empty() || format.na.iter().any(|na| na.as_bytes() == cell);
        let cell = match (self.kind, is_missing) {
            (CellKind::Number, true) => f32::NAN.to_bits(),
            (CellKind::Number, false) => number(cell)?.to_bits(),
            (CellKind::Text, true) => MISSING_TEXT,
            (CellKind::Text, false) => match text(cell)? {
                // Blanks of other scripts.
                "" => MISSING_TEXT,
                text => self.place(text),
            },
        };
        self.cells.push(cell);
        Ok(())
    }

    /// The cells of a column of the same kind, with the places that its texts have here.
    fn adopt(&mut self, more: ColumnReader) -> Vec<u32> {
        if self.kind == CellKind::Number {
            return more.cells;
        }
        let places: Vec<u32> = more.texts.iter().map(|text| self.place(text)).collect();
        let place = |id: u32| places.get(id as usize).copied().unwrap_or(MISSING_TEXT);
        more.cells.into_iter().map(place).collect()
    }

    /// The place of a text among the texts, at whose end it is put if it is new.
    fn place(&mut self, text: &str) -> u32 {
        if let Some(&place) = self.known.get(text) {
            return place;
        }
        let place = self.texts.len() as u32;
        self.texts.push(text.to_owned());
        self.known.insert(text.into(), place);
        place
    }
}
