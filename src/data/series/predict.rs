//! The last window of a table as the sample to predict: what comes behind its rows is the forecast.
//!
//! ```text
//! months.csv   144 rows, window 132   →   past: rows 13 to 144, on lines 14 to 145
//! ```

use std::path::Path;

use crate::base::schema::Field;
use crate::data::error::DataError;
use crate::data::fields::Cells;
use crate::data::input::{
    GivenInput, InputContent, InputPlace, InputReader, InputRequest, InputSample,
};
use crate::data::table::predict::InputColumns;

/// Reads the last rows of tables.
pub struct WindowInputs {
    columns: InputColumns,
    fields: Vec<Field>,
    /// Rows of a window.
    window: usize,
}

/// A window: the bytes of each field, and its first and last line.
struct LastWindow {
    fields: Vec<Vec<u8>>,
    lines: (u32, u32),
}

impl WindowInputs {
    /// For a model that reads the rows of the past.
    pub fn new(asked: &InputRequest<'_>) -> Result<WindowInputs, DataError> {
        let fields = asked.wanted.clone();
        if let Some(field) = fields.iter().find(|field| field.is_target) {
            let message = format!("the model reads `{}`, which is still to come", field.name);
            return Err(DataError::new(message));
        }
        let window = asked.args.count("window", 1, 1)?;
        Ok(WindowInputs { columns: InputColumns::new(asked.args, &fields)?, fields, window })
    }

    fn last(&self, path: &Path) -> Result<LastWindow, DataError> {
        let (store, wrong) = self.columns.read(path)?;
        let (rows, window) = (store.rows(), self.window);
        let Some(first) = rows.checked_sub(window) else {
            let message = format!("has {rows} rows; the model reads the last {window}");
            return Err(DataError::new(message));
        };
        if let Some(reason) = (first..rows).find_map(|row| wrong.get(&row)) {
            return Err(DataError::new(reason.clone()));
        }
        let rows = &store.all()[first..];
        let table = store.part(&store.names(), rows)?;
        let field = |field: &Field| -> Result<Vec<u8>, DataError> {
            let cells = Cells::new(field, &table);
            let mut bytes = Vec::with_capacity(field.bytes());
            for (place, &row) in rows.iter().enumerate() {
                cells.write(place, &mut bytes).map_err(|reason| store.error_at(row, &reason))?;
            }
            Ok(bytes)
        };
        let fields = self.fields.iter().map(field).collect::<Result<_, _>>()?;
        let lines = store.lines(&[rows[0], rows[window - 1]])?;
        Ok(LastWindow { fields, lines: (lines[0], lines[1]) })
    }
}

impl InputReader for WindowInputs {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn place_name(&self) -> &'static str {
        "rows"
    }

    fn samples(&self, given: &GivenInput) -> Vec<InputSample> {
        match given.with_file(|path| self.last(path)) {
            Err(error) => given.failed(error),
            Ok(LastWindow { fields, lines: (first, last) }) => vec![InputSample {
                path: given.path().to_path_buf(),
                place: InputPlace::Lines(first, last),
                content: InputContent::Fields(fields),
            }],
        }
    }
}
