//! The front end with its files: reads a program and what it uses, asks the data for its schema,
//! elaborates.

use super::batch::{divides_by_zero, zero_division};
use super::schedules;
use super::session::{Failure, Request, Session, bug};
use crate::base::caught::caught;
use crate::base::codes;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::fix::Edit;
use crate::base::schema::Schema;
use crate::base::source::{FileId, Span};
use crate::data::{self, Argument, Call, DataError, Places, SourceRequest, Watch};
use crate::elaborate::{
    self, DataRequest, Experiment, Literal, Program, Settings, SourceCall, Tolerated, Use,
};
use crate::lint;
use crate::syntax::{self, ast};
use std::path::{Path, PathBuf};

/// An elaborated program and its data source.
#[derive(Debug)]
pub struct Front {
    /// What the program means.
    pub experiment: Experiment,
    /// Where its samples come from, if it names data.
    pub source: Option<Source>,
    /// What is suspicious.
    pub warnings: Vec<Diagnostic>,
}

/// A data source, asked for but not opened.
#[derive(Debug)]
pub struct Source {
    /// What is asked of the data module.
    pub request: SourceRequest,
    /// What samples look like, as far as arguments say it where files are missing; `None` where
    /// those say nothing.
    pub schema: Option<Schema>,
    /// Whether the schema is a guess, because files are missing.
    pub presumed: bool,
    item: DataRequest,
    places: Places,
}

impl Session {
    /// Reads and elaborates a program. Where the data's schema cannot be had, that is an error
    /// if `need_data`, and otherwise a warning.
    pub fn front(&mut self, request: &Request, need_data: bool) -> Result<Front, Failure> {
        let text = source_text(&request.file)?;
        self.front_of(text, request, need_data)
    }

    /// The same, of a file that has been read.
    pub(super) fn front_of(
        &mut self,
        text: String,
        request: &Request,
        need_data: bool,
    ) -> Result<Front, Failure> {
        let (_, judged) = self.look(text, request, &mut Schemas::new(need_data))?;
        judged.front().map_err(|found| self.program_failure(found))
    }

    /// Parses a program and, where that went well, all that follows from it.
    pub(super) fn look(
        &mut self,
        text: String,
        request: &Request,
        schemas: &mut Schemas,
    ) -> Result<(Parsed, Judged), Failure> {
        let (parsed, errors) = self.parse(&request.file, text)?;
        let judged = match errors.is_empty() {
            true => self.judge(&parsed, request, schemas)?,
            false => Judged { errors, unread: true, ..Judged::default() },
        };
        Ok((parsed, judged))
    }

    /// Asks the data for their schema and elaborates. What is wrong with the data does not keep the
    /// rest from being looked at.
    pub(super) fn judge(
        &mut self,
        parsed: &Parsed,
        request: &Request,
        schemas: &mut Schemas,
    ) -> Result<Judged, Failure> {
        self.judge_within(parsed, request, schemas, None, &mut 0)
    }

    /// The same; where errors are tolerated, any other ends the work. Adds the operators built.
    pub(super) fn judge_within(
        &mut self,
        parsed: &Parsed,
        request: &Request,
        schemas: &mut Schemas,
        tolerated: Option<Vec<Tolerated>>,
        effort: &mut usize,
    ) -> Result<Judged, Failure> {
        let program = parsed.program();
        let mut judged = Judged::default();
        let model = request.model.clone();
        let mut asked = elaborate::Request { model, tolerated, ..Default::default() };
        match elaborate::data_request(&program, request.model.as_deref()) {
            Ok(Some(item)) => {
                let name = item.name.clone();
                match source(item, request, schemas, &mut judged.warnings) {
                    Ok(source) => {
                        asked.schemas.extend(source.schema.clone().map(|schema| (name, schema)));
                        judged.source = Some(source);
                    }
                    Err(error) => judged.errors.push(*error),
                }
            }
            Ok(None) => {}
            Err(found) => judged.errors.extend(found),
        }
        asked.data_failed = !judged.errors.is_empty();
        let elaborated = self.elaborate(&program, &asked)?;
        *effort += asked.effort.get();
        match elaborated {
            Ok(experiment) => judged.experiment = Some(experiment),
            Err(found) => {
                let known = judged.errors.len();
                judged.errors.extend(found);
                // What the data's item says twice is said once.
                let (before, after) = judged.errors.split_at(known);
                let new: Vec<_> =
                    after.iter().filter(|error| !before.contains(error)).cloned().collect();
                judged.errors.truncate(known);
                judged.errors.extend(new);
            }
        }
        if judged.errors.is_empty() {
            self.lint(parsed, &mut judged)?;
            if schemas.as_written {
                self.misfits(&mut judged);
            }
        }
        Ok(judged)
    }

    /// Looks for settings that do not fit the data or the model.
    fn misfits(&self, judged: &mut Judged) {
        let Some(Experiment { train, training: Some(training), .. }) = &judged.experiment else {
            return;
        };
        let settings = &training.settings;
        let schema = judged.source.as_ref().and_then(|source| source.schema.as_ref());
        if let Some(samples) = schema.and_then(|schema| schema.train) {
            let steps = settings.steps(samples);
            if steps == 0 {
                judged.errors.push(no_steps(settings, samples));
            }
            judged.errors.extend(schedules::misfits(training, steps));
        }
        if let Some(node) = zero_division(train, settings.batch) {
            let place = super::pipeline::place(&self.sources, train, node);
            judged.errors.push(divides_by_zero(settings.batch, place));
        }
    }

    /// Looks for what is suspicious in a sound program.
    fn lint(&mut self, parsed: &Parsed, judged: &mut Judged) -> Result<(), Failure> {
        let Some(experiment) = &judged.experiment else { return Ok(()) };
        let source = judged.source.as_ref().filter(|source| !source.presumed);
        let program = lint::Program {
            files: &parsed.files,
            prelude: &parsed.prelude,
            sources: &self.sources,
            experiment,
            schema: source.and_then(|source| source.schema.as_ref()),
            zero_of_one: zero_division(&experiment.train, 1),
        };
        let before = || experiment.train.to_string();
        let linted = caught(|| lint::run(&program));
        let found = linted.map_err(|message| bug("lint", message, before))?;
        for finding in found {
            match finding.severity {
                Severity::Error => judged.errors.push(finding),
                Severity::Warning => judged.warnings.push(finding),
            }
        }
        Ok(())
    }

    /// Reads and elaborates a program as if it named no data: inputs are what the model declares.
    pub fn front_without_data(&mut self, request: &Request) -> Result<Experiment, Failure> {
        let (parsed, errors) = self.parse(&request.file, source_text(&request.file)?)?;
        if !errors.is_empty() {
            return Err(self.program_failure(errors));
        }
        let asked = elaborate::Request { model: request.model.clone(), ..Default::default() };
        let elaborated = self.elaborate(&parsed.program(), &asked)?;
        elaborated.map_err(|found| self.program_failure(found))
    }

    fn elaborate(
        &mut self,
        program: &Program<'_>,
        asked: &elaborate::Request,
    ) -> Result<Result<Experiment, Vec<Diagnostic>>, Failure> {
        self.pass(
            "elaborate",
            || syntax::dump(&program.files[0]),
            || elaborate::elaborate(program, asked),
            |_| Ok(()),
            |_| String::new(),
        )
    }

    /// Parses the program's files, the named one first, and the prelude; files with errors are
    /// left out.
    fn parse(&mut self, main: &Path, text: String) -> Result<(Parsed, Vec<Diagnostic>), Failure> {
        let prelude_id = self.sources.add_builtin(elaborate::PRELUDE_NAME, elaborate::PRELUDE);
        let prelude = self.parse_file(prelude_id)?.expect("the prelude parses");
        let id = self.sources.add(main.display().to_string(), text);
        let mut loading = Loading { files: Vec::new(), known: vec![(real(main), id)] };
        let mut found = Vec::new();
        self.load(id, main, &mut Vec::new(), &mut loading, &mut found)?;
        Ok((Parsed { files: loading.files, prelude }, found))
    }

    /// Parses one file, then what it uses. `chain` are the `use` items that led here.
    fn load(
        &mut self,
        id: FileId,
        path: &Path,
        chain: &mut Vec<(PathBuf, Use)>,
        loading: &mut Loading,
        found: &mut Vec<Diagnostic>,
    ) -> Result<(), Failure> {
        let file = match self.parse_file(id)? {
            Ok(file) => file,
            Err(errors) => {
                found.extend(errors);
                return Ok(());
            }
        };
        let uses = elaborate::uses(&file);
        loading.files.push(file);
        for step in uses {
            let used = path.parent().unwrap_or(Path::new("")).join(&step.path);
            chain.push((real(path), step.clone()));
            let target = real(&used);
            if let Some(start) = chain.iter().position(|(from, _)| *from == target) {
                let cycle: Vec<Use> = chain[start..].iter().map(|(_, step)| step.clone()).collect();
                found.push(elaborate::cycle(&cycle));
            } else if !loading.known.iter().any(|(known, _)| *known == target) {
                match self.read(&used) {
                    Ok(text) => {
                        let id = self.sources.add(used.display().to_string(), text);
                        loading.known.push((target, id));
                        self.load(id, &used, chain, loading, found)?;
                    }
                    Err(reason) => {
                        let looked = used.display().to_string();
                        let there = programs_in(used.parent());
                        found.push(elaborate::missing_file(&step, &looked, &reason, &there));
                    }
                }
            }
            chain.pop();
        }
        Ok(())
    }

    /// The text of the file that a command names, or what stands for it.
    pub(super) fn main_text(&self, request: &Request) -> Result<String, Failure> {
        match self.instead.iter().find(|(file, _)| *file == request.file) {
            Some((_, text)) => Ok(text.clone()),
            None => source_text(&request.file),
        }
    }

    /// The text of a file, or what stands for it.
    fn read(&self, path: &Path) -> Result<String, String> {
        if let Some((_, text)) = self.instead.iter().find(|(file, _)| file == path) {
            return Ok(text.clone());
        }
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_string())
    }

    fn parse_file(&mut self, id: FileId) -> Result<Result<ast::File, Vec<Diagnostic>>, Failure> {
        let sources = std::mem::take(&mut self.sources);
        let text = || sources.file(id).text.clone();
        // The prelude is parsed too; only the user's file is shown.
        let name = if sources.file(id).builtin { "prelude" } else { "ast" };
        let parsed = self.pass(
            name,
            text,
            || syntax::parse(&sources, id),
            |_| Ok(()),
            |parsed| parsed.as_ref().map(syntax::dump).unwrap_or_default(),
        );
        self.sources = sources;
        parsed
    }

    /// Opens a data source; `watch` follows what takes long.
    pub fn open(&mut self, source: &Source, watch: Watch<'_>) -> Result<data::Dataset, Failure> {
        let start = std::time::Instant::now();
        let opened = data::open(&source.request, &source.places, watch);
        self.add_time("data", start.elapsed().as_secs_f64());
        opened.map_err(|error| match error.interrupted {
            true => Failure::Interrupted(error.message.into()),
            false => self.program_failure(vec![data_diagnostic(&error, &source.item)]),
        })
    }
}

/// A program's files as trees, the named one first, and the prelude.
pub(super) struct Parsed {
    pub files: Vec<ast::File>,
    pub prelude: ast::File,
}

impl Parsed {
    pub fn program(&self) -> Program<'_> {
        Program { files: &self.files, prelude: &self.prelude }
    }
}

/// All that is known of a program.
#[derive(Default)]
pub(super) struct Judged {
    /// What it means, where nothing is wrong with it.
    pub experiment: Option<Experiment>,
    /// Its data source, where that is known.
    pub source: Option<Source>,
    /// What is wrong with it.
    pub errors: Vec<Diagnostic>,
    /// What is suspicious.
    pub warnings: Vec<Diagnostic>,
    /// Whether a file could not be parsed, so that nothing else was looked at.
    pub unread: bool,
}

impl Judged {
    /// What a sound program is, or all that was found.
    pub fn front(mut self) -> Result<Front, Vec<Diagnostic>> {
        match self.experiment {
            Some(experiment) if self.errors.is_empty() => {
                Ok(Front { experiment, source: self.source, warnings: self.warnings })
            }
            _ => {
                self.errors.append(&mut self.warnings);
                Err(self.errors)
            }
        }
    }
}

/// The schemas of data sources, each asked for once.
pub(super) struct Schemas {
    /// Whether missing data are an error.
    need_data: bool,
    /// Whether the settings are as they are written: nothing on the command line changes them.
    as_written: bool,
    known: Vec<(SourceRequest, Result<Schema, DataError>)>,
}

impl Schemas {
    pub fn new(need_data: bool) -> Self {
        Schemas { need_data, as_written: false, known: Vec::new() }
    }

    /// Those of a program that is checked as it is written.
    pub fn as_written() -> Self {
        Schemas { as_written: true, ..Schemas::new(false) }
    }

    fn of(&mut self, request: &SourceRequest, places: &Places) -> Result<Schema, DataError> {
        if let Some((_, schema)) = self.known.iter().find(|(known, _)| known == request) {
            return schema.clone();
        }
        let schema = data::schema(request, places);
        self.known.push((request.clone(), schema.clone()));
        schema
    }
}

/// The files found so far.
struct Loading {
    files: Vec<ast::File>,
    known: Vec<(PathBuf, FileId)>,
}

/// The text of the file that a command names.
pub(super) fn source_text(file: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::Io(format!("cannot read {}: {error}", file.display())))?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::Data(format!("{} is not UTF-8 text", file.display())))
}

/// The programs in a folder and in those directly in it, in alphabetical order.
fn programs_in(folder: Option<&Path>) -> Vec<String> {
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    };
    let mut found = Vec::new();
    for name in names(folder) {
        if name.ends_with(".nn") {
            found.push(name);
        } else if !name.starts_with('.') {
            let inner = names(&folder.join(&name)).into_iter().filter(|it| it.ends_with(".nn"));
            found.extend(inner.map(|inner| format!("{name}/{inner}")));
        }
    }
    found.sort();
    found
}

/// One spelling for each file, however it is named.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// A run without a step: there are too few samples for one batch, and the rest is dropped.
fn no_steps(settings: &Settings, samples: usize) -> Diagnostic {
    let batch = settings.batch;
    let message = format!("no step is left: {samples} samples make no batch of {batch}");
    let mut error = Diagnostic::error(codes::NO_SAMPLES, message)
        .help("make `batch` smaller, or write `last_batch = keep`");
    if let Some(&place) = settings.places.get("last_batch") {
        let keep = vec![Edit { span: place, text: "keep".into() }];
        error = error.primary(place, "drops what is no whole batch").fix("write `keep`", keep);
    }
    match settings.places.get("batch") {
        Some(&place) => error.label(place, "the batch"),
        None => error,
    }
}

/// A data source and its schema. Where files are missing and not needed, what the arguments say
/// stands for it, with a warning.
fn source(
    item: DataRequest,
    request: &Request,
    schemas: &mut Schemas,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Source, Box<Diagnostic>> {
    let places = Places {
        beside: request.file.parent().unwrap_or(Path::new("")).to_path_buf(),
        nnc_data: request.nnc_data.clone(),
        override_: request.data.clone(),
        cache: request.cache.clone(),
        network: request.network,
        memory: request.memory,
    };
    let source_request = source_request(&item);
    let mut presumed = false;
    let schema = match schemas.of(&source_request, &places) {
        Ok(schema) => Some(schema),
        // What is wrong with a file that is there is wrong for every command.
        Err(error) if schemas.need_data || error.tried.is_empty() => {
            return Err(Box::new(data_diagnostic(&error, &item)));
        }
        Err(error) => {
            presumed = true;
            let schema = data::presumed(&source_request, &places)
                .map_err(|error| Box::new(data_diagnostic(&error, &item)))?;
            let mut warning = data_diagnostic(&error, &item);
            (warning.severity, warning.code) = (Severity::Warning, codes::MISSING_DATA);
            if let Some(classes) = schema.as_ref().and_then(|schema| schema.classes) {
                let note = format!("`{}.classes` is taken to be {classes}", item.name);
                warning = warning.note(note);
            }
            warnings.push(warning);
            schema
        }
    };
    Ok(Source { request: source_request, schema, presumed, item, places })
}

fn source_request(item: &DataRequest) -> SourceRequest {
    let call = |call: &SourceCall| Call { name: call.name.clone(), args: arguments(call) };
    SourceRequest {
        name: item.source.name.clone(),
        args: arguments(&item.source),
        transforms: item.transforms.iter().map(call).collect(),
    }
}

fn arguments(call: &SourceCall) -> Vec<Argument> {
    let argument = |argument: &elaborate::SourceArg| Argument {
        name: argument.name.clone(),
        value: literal(&argument.value),
    };
    call.args.iter().map(argument).collect()
}

fn literal(value: &Literal) -> data::Literal {
    match value {
        Literal::Int(value) => data::Literal::Int(*value),
        Literal::Float(value) => data::Literal::Float(*value),
        Literal::Bool(value) => data::Literal::Bool(*value),
        Literal::Str(value) => data::Literal::Str(value.clone()),
        Literal::Word(value) => data::Literal::Name(value.clone()),
        Literal::List(values) => data::Literal::List(values.iter().map(literal).collect()),
    }
}

/// What is wrong with data, at the argument or call that asked for it.
fn data_diagnostic(error: &DataError, item: &DataRequest) -> Diagnostic {
    let call = match error.transform {
        Some(index) => &item.transforms[usize::from(index)],
        None => &item.source,
    };
    let argument = error.argument.as_deref().and_then(|name| argument(call, name));
    let span: Span = argument.map_or(call.span, |argument| argument.span);
    let path = error.path.as_ref().map(|path| format!("{}: ", path.display()));
    let message = format!("{}{}", path.unwrap_or_default(), error.message);
    let mut diagnostic =
        Diagnostic::error(codes::DATA_SOURCE, message).primary(span, "asked for here");
    for place in &error.tried {
        diagnostic = diagnostic.note(format!("looked in {place}"));
    }
    for note in &error.notes {
        diagnostic = diagnostic.note(note.clone());
    }
    if let Some((word, near)) = error.misspelt.as_deref() {
        let of_argument = call.args.iter().find(|argument| argument.name.as_ref() == Some(word));
        let span = of_argument.and_then(|argument| argument.name_span).unwrap_or(call.name_span);
        diagnostic = diagnostic.misspelt(span, word, near.iter().copied());
    }
    match &error.help {
        Some(help) => diagnostic.help(help.to_string()),
        None => diagnostic,
    }
}

/// The argument that a call gives this name, or that stands in its place.
fn argument<'a>(call: &'a SourceCall, name: &str) -> Option<&'a elaborate::SourceArg> {
    let named = call.args.iter().find(|argument| argument.name.as_deref() == Some(name));
    named.or_else(|| {
        let place = data::argument_names(&call.name).iter().position(|known| *known == name)?;
        call.args.get(place).filter(|argument| argument.name.is_none())
    })
}
