//! The front end with its files: reads a program and what it uses, asks the data for its schema,
//! elaborates.

use super::session::{Failure, Request, Session};
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::schema::Schema;
use crate::base::source::{FileId, Span};
use crate::data::{self, Argument, Call, DataError, Places, SourceRequest, Watch};
use crate::elaborate::{self, DataRequest, Experiment, Literal, Program, SourceCall, Use};
use crate::syntax::{self, ast};
use std::path::{Path, PathBuf};

/// A data source that is wrong, or whose data cannot be had.
const DATA: &str = "E0301";
/// Data that `check` and `bench` do without.
const MISSING_DATA: &str = "W0301";

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
        let (files, prelude) = self.parse(&request.file, text)?;
        let program = Program { files: &files, prelude: &prelude };
        let model = request.model.as_deref();
        let item = elaborate::data_request(&program, model)
            .map_err(|found| self.program_failure(found))?;
        let mut warnings = Vec::new();
        let source = match item {
            Some(item) => Some(self.source(item, request, need_data, &mut warnings)?),
            None => None,
        };
        let schemas = source.iter().filter_map(|source| {
            source.schema.clone().map(|schema| (source.item.name.clone(), schema))
        });
        let asked = elaborate::Request { model: request.model.clone(), schemas: schemas.collect() };
        let experiment = self.elaborate(&program, &asked)?;
        Ok(Front { experiment, source, warnings })
    }

    /// Reads and elaborates a program as if it named no data: inputs are what the model declares.
    pub fn front_without_data(&mut self, request: &Request) -> Result<Experiment, Failure> {
        let (files, prelude) = self.parse(&request.file, source_text(&request.file)?)?;
        let program = Program { files: &files, prelude: &prelude };
        let model = request.model.clone();
        self.elaborate(&program, &elaborate::Request { model, schemas: Vec::new() })
    }

    fn elaborate(
        &mut self,
        program: &Program<'_>,
        asked: &elaborate::Request,
    ) -> Result<Experiment, Failure> {
        let elaborated = self.pass(
            "elaborate",
            || syntax::dump(&program.files[0]),
            || elaborate::elaborate(program, asked),
            |_| Ok(()),
            |_| String::new(),
        )?;
        elaborated.map_err(|found| self.program_failure(found))
    }

    /// Parses the program's files, the named one first, and the prelude.
    fn parse(&mut self, main: &Path, text: String) -> Result<(Vec<ast::File>, ast::File), Failure> {
        let prelude_id = self.sources.add_builtin(elaborate::PRELUDE_NAME, elaborate::PRELUDE);
        let prelude = self.parse_file(prelude_id)?.expect("the prelude parses");
        let id = self.sources.add(main.display().to_string(), text);
        let mut loading = Loading { files: Vec::new(), known: vec![(real(main), id)] };
        let mut found = Vec::new();
        self.load(id, main, &mut Vec::new(), &mut loading, &mut found)?;
        if found.is_empty() {
            Ok((loading.files, prelude))
        } else {
            Err(self.program_failure(found))
        }
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
                match read(&used) {
                    Ok(text) => {
                        let id = self.sources.add(used.display().to_string(), text);
                        loading.known.push((target, id));
                        self.load(id, &used, chain, loading, found)?;
                    }
                    Err(reason) => {
                        let looked = used.display().to_string();
                        found.push(elaborate::missing_file(&step, &looked, &reason));
                    }
                }
            }
            chain.pop();
        }
        Ok(())
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

    fn source(
        &mut self,
        item: DataRequest,
        request: &Request,
        need_data: bool,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<Source, Failure> {
        let places = Places {
            beside: request.file.parent().unwrap_or(Path::new("")).to_path_buf(),
            nnc_data: request.nnc_data.clone(),
            override_: request.data.clone(),
            cache: request.cache.clone(),
            network: request.network,
            memory: request.memory,
        };
        let source_request = source_request(&item);
        let schema = match data::schema(&source_request, &places) {
            Ok(schema) => Some(schema),
            // What is wrong with a file that is there is wrong for every command.
            Err(error) if need_data || error.tried.is_empty() => {
                return Err(self.program_failure(vec![data_diagnostic(&error, &item)]));
            }
            Err(error) => {
                let presumed = data::presumed(&source_request)
                    .map_err(|error| self.program_failure(vec![data_diagnostic(&error, &item)]))?;
                let mut warning = data_diagnostic(&error, &item);
                (warning.severity, warning.code) = (Severity::Warning, MISSING_DATA);
                if let Some(classes) = presumed.as_ref().and_then(|schema| schema.classes) {
                    let note =
                        format!("without it, `{}.classes` is taken to be {classes}", item.name);
                    warning = warning.note(note);
                }
                warnings.push(warning);
                presumed
            }
        };
        Ok(Source { request: source_request, schema, item, places })
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

fn read(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_string())
}

/// One spelling for each file, however it is named.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
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
    let mut diagnostic = Diagnostic::error(DATA, message).primary(span, "asked for here");
    for place in &error.tried {
        diagnostic = diagnostic.note(format!("looked in {place}"));
    }
    for note in &error.notes {
        diagnostic = diagnostic.note(note.clone());
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
