//! Stages as they are written here.

/// A stage: `conv(32, 3, pad: 1) as stem`.
#[derive(Clone, Debug, Default)]
pub struct WrittenStage {
    /// The item; or a whole stage, where it was written as here.
    pub callee: String,
    /// Its arguments, with their names.
    pub args: Vec<(Option<String>, String)>,
    /// The name behind `as`.
    pub label: Option<String>,
}

/// Stages in a row, and settings of a run that were written as a call.
#[derive(Clone, Debug, Default)]
pub struct WrittenStages {
    /// The stages.
    pub stages: Vec<WrittenStage>,
    /// Whether each stands on a line of its own.
    pub broken: bool,
    /// Whether a value is piped into them, and no argument of the first.
    pub piped: bool,
    /// ForeignSettings: `epochs = 5`.
    pub settings: Vec<(String, String)>,
}

impl WrittenStage {
    /// Its text, with a first argument that comes from elsewhere.
    fn text(&self, first: Option<&str>) -> String {
        let named = self.args.iter().map(|(name, value)| match name {
            Some(name) => format!("{name}: {value}"),
            None => value.clone(),
        });
        let args: Vec<String> = first.map(str::to_owned).into_iter().chain(named).collect();
        let label = self.label.as_ref().map_or(String::new(), |label| format!(" as {label}"));
        match args.is_empty() {
            true => format!("{}{label}", self.callee),
            false => format!("{}({}){label}", self.callee, args.join(", ")),
        }
    }
}

impl WrittenStages {
    /// The stages behind one another.
    pub fn text(&self, indent: &str) -> String {
        let stages: Vec<String> = self.stages.iter().map(|stage| stage.text(None)).collect();
        stages.join(&self.pipe(indent))
    }

    /// The stages applied to a value.
    pub fn applied(&self, value: &str, indent: &str) -> String {
        let Some((first, rest)) = self.stages.split_first() else { return value.to_owned() };
        let rest = rest.iter().map(|stage| stage.text(None));
        let is_call =
            first.label.is_none() && !self.broken && !self.piped && !first.callee.contains('(');
        let all: Vec<String> = match is_call {
            true => std::iter::once(first.text(Some(value))).chain(rest).collect(),
            false => [value.to_owned(), first.text(None)].into_iter().chain(rest).collect(),
        };
        all.join(&self.pipe(indent))
    }

    fn pipe(&self, indent: &str) -> String {
        if self.broken { format!("\n{indent}    |> ") } else { " |> ".to_owned() }
    }
}
