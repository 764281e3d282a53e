//! `nnc import --names`: which tensor of a file of PyTorch's is which parameter of a program.
//!
//! In: the file and the program, whose `train` block may say more of it (`rename`, `except`, `ignore`); the
//! program's data need not be there. Out: the table, and the same as rules of `rename`. Nothing is written.

use crate::base::settings::InitFrom;
use crate::base::shown::Show;
use crate::driver::known_weights::weights_in;
use crate::driver::torch_names::NameTable;
use crate::driver::torch_names::table::rules;
use crate::driver::{Failure, Request, Session};
use serde_json::{Value, json};
use std::path::Path;

/// The names of a file beside those of a program.
#[derive(Clone, Debug)]
pub struct MatchedNames {
    /// The file as it was named.
    file: String,
    /// None where the file has the program's names.
    table: Option<NameTable>,
}

/// Matches the names of a file with those of a program.
pub fn names(
    session: &mut Session,
    request: &Request,
    file: &Path,
) -> Result<MatchedNames, Failure> {
    let front = session.front(request, false)?;
    let experiment = &front.experiment;
    let known = experiment.training.as_ref().and_then(|it| it.settings.init_from.clone());
    let place = || InitFrom::file(String::new(), experiment.model_span);
    let from = InitFrom { pytorch: true, ..known.unwrap_or_else(place) };
    let weights = weights_in(file, &experiment.eval, &from).map_err(|mut error| {
        // Edits would be of the program, which need not name the file.
        error.fixes.clear();
        session.program_failure(vec![*error])
    })?;
    Ok(MatchedNames { file: file.to_string_lossy().into_owned(), table: weights.names })
}

impl MatchedNames {
    /// The table, and what to write.
    pub fn text(&self) -> String {
        let name = Path::new(&self.file).file_name().unwrap_or_default().to_string_lossy();
        let setting =
            format!("    init_from = weights({:?}, layout: pytorch)\n", name.shown().to_string());
        let Some(table) = &self.table else {
            return format!("the file has the names of the program:\n{setting}");
        };
        let all: Vec<(String, String)> = table.rows.iter().flat_map(rules).collect();
        let lines: String =
            all.iter().map(|(old, new)| format!("        [{old:?}, {new:?}],\n")).collect();
        format!(
            "{}\n{} tensors for {} layers; no rules are needed:\n{setting}\nthe same as rules:\n    \
             rename: [\n{lines}    ]\n",
            table.text(),
            table.tensors(),
            table.rows.iter().filter(|row| !row.excepted).count(),
        )
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let table = self.table.as_ref();
        let rules: Vec<Value> = table
            .into_iter()
            .flat_map(|table| table.rows.iter().flat_map(rules))
            .map(|(old, new)| json!([old, new]))
            .collect();
        json!({
            "file": self.file, "names": table.map(NameTable::json), "rename": rules,
        })
    }
}
