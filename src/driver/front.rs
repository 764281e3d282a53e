//! The front end with its files: reads a program and what it uses, asks the data for its schema,
//! elaborates.

use super::checked::{CheckedProgram, ParsedProgram};
use super::known_weights::{KnownWeights, weights_of};
use super::{checks, schedules};
use crate::base::caught::caught;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::limits::{self, Budget};
use crate::base::schema::Schema;
use crate::base::shown::Show;
use crate::base::source::{FileId, Sources};
use crate::driver::batch::{divides_by_zero, zero_division};
use crate::driver::session::{Failure, ParsedFile, Request, Session, bug};
use crate::driver::source::{Schemas, source};
use crate::elaborate::{self, ElaborateOptions, Experiment, ProgramFiles, Tolerated, Use};
use crate::files::read;
use crate::lint;
use crate::syntax::{self, ast};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Session {
    /// Parses a program and, where that went well, all that follows from it.
    pub(crate) fn parse_and_check(
        &mut self,
        text: String,
        request: &Request,
        schemas: &mut Schemas,
    ) -> Result<(ParsedProgram, CheckedProgram), Failure> {
        self.parse_and_check_within(text, request, schemas, &Budget::default())
    }

    /// The same within a budget.
    pub(crate) fn parse_and_check_within(
        &mut self,
        text: String,
        request: &Request,
        schemas: &mut Schemas,
        budget: &Budget,
    ) -> Result<(ParsedProgram, CheckedProgram), Failure> {
        let (parsed, errors) = self.parse(&request.file, text)?;
        let before = budget.spent();
        let checked = match errors.is_empty() {
            true => self.check_within(&parsed, request, schemas, None, budget)?,
            false => CheckedProgram { errors, unread: true, ..CheckedProgram::default() },
        };
        self.steps += PARSED * parsed.tokens + budget.spent() - before;
        Ok((parsed, checked))
    }

    /// The models of a program that parses, where it has several.
    pub(crate) fn several_models(&mut self, request: &Request) -> Result<Vec<String>, Failure> {
        let (files, errors) = self.trees_of(request)?;
        Ok(if errors.is_empty() { elaborate::several_models(&files) } else { Vec::new() })
    }

    /// Whether a `train` block of the program's files has this setting. Files that do not parse are
    /// left out: their mistakes are reported by whoever compiles them.
    pub(crate) fn has_setting(&mut self, request: &Request, key: &str) -> Result<bool, Failure> {
        let (files, _) = self.trees_of(request)?;
        Ok(files.iter().flat_map(|file| &file.items).any(|item| match &item.kind {
            ast::ItemKind::Train(train) => train.keys.iter().any(|it| it.key.text == key),
            _ => false,
        }))
    }

    /// The trees of a program's files, which this session then need not parse.
    fn trees_of(
        &mut self,
        request: &Request,
    ) -> Result<(Vec<ast::File>, Vec<Diagnostic>), Failure> {
        let text = self.main_text(request)?;
        let mut session = self.beside();
        session.add_prelude();
        let (loading, errors) = session.load_all(&request.file, text)?;
        self.trees = session.trees;
        Ok((loading.files, errors))
    }

    /// Asks the data for their schema and elaborates. What is wrong with the data does not keep the
    /// rest from being looked at. Where errors are tolerated, any other ends the work.
    pub(crate) fn check_within(
        &mut self,
        parsed: &ParsedProgram,
        request: &Request,
        schemas: &mut Schemas,
        tolerated: Option<Vec<Tolerated>>,
        budget: &Budget,
    ) -> Result<CheckedProgram, Failure> {
        let program = parsed.program();
        let mut checked = CheckedProgram::default();
        let model = request.model.clone();
        // Every walk over the trees is as long as the text.
        budget.spend(parsed.tokens + parsed.prelude.items.len());
        let budget = budget.clone();
        let mut options = ElaborateOptions { model, tolerated, budget, ..Default::default() };
        match elaborate::data_request(&program, request.model.as_deref(), &options.budget) {
            Ok(Some(item)) => {
                let name = item.name.clone();
                match source(item, request, schemas, &mut checked.warnings) {
                    Ok(source) => {
                        options.schemas.extend(source.schema.clone().map(|schema| (name, schema)));
                        checked.source = Some(source);
                    }
                    Err(error) => checked.errors.push(*error),
                }
            }
            Ok(None) => {}
            Err(found) => checked.errors.extend(found),
        }
        options.data_failed = !checked.errors.is_empty();
        options.trace = self.trace.clone();
        let elaborated = self.elaborate(&program, &options)?;
        match elaborated {
            Ok(experiment) => checked.experiment = Some(experiment),
            Err(found) => {
                let known = checked.errors.len();
                checked.errors.extend(found);
                // What the data's item says twice is said once.
                let (before, after) = checked.errors.split_at(known);
                let new: Vec<_> =
                    after.iter().filter(|error| !before.contains(error)).cloned().collect();
                checked.errors.truncate(known);
                checked.errors.extend(new);
            }
        }
        if checked.errors.is_empty() {
            self.smaller_buckets(&program, &mut options, &mut checked)?;
        }
        if checked.errors.is_empty() {
            let nodes = checked.experiment.as_ref().map_or(0, |it| it.train.nodes.len());
            options.budget.spend(LINTS * parsed.tokens + nodes);
            self.lint(parsed, &mut checked)?;
            if schemas.as_written {
                self.check_settings(request, &mut checked);
            }
        }
        checks::cap(&mut checked.errors);
        checks::cap(&mut checked.warnings);
        Ok(checked)
    }

    /// Looks for settings that do not fit the data or the model.
    fn check_settings(&self, request: &Request, checked: &mut CheckedProgram) {
        let Some(Experiment { train, eval, training: Some(training), .. }) = &checked.experiment
        else {
            return;
        };
        let settings = &training.settings;
        let mut given = Vec::new();
        if let Some(from) = &settings.init_from {
            match weights_of(request, eval, from) {
                Ok(KnownWeights { values, names }) => {
                    given.extend(values.into_iter().map(|(path, _)| path));
                    checked.names = names;
                }
                Err(error) => checked.errors.push(*error),
            }
        }
        checked.warnings.extend(checks::frozen_at_random(training, train, &given));
        let schema = checked.source.as_ref().and_then(|source| source.schema.as_ref());
        let counts = schema.and_then(Schema::train_counts);
        if let Some((samples, counts)) = schema.and_then(|schema| schema.train).zip(counts) {
            let has_validation =
                schema.and_then(|schema| schema.validation).is_some_and(|count| count > 0);
            checked.errors.extend(checks::unknown_watched(training, has_validation));
            let steps = settings.steps(&counts);
            if steps == 0 {
                checked.errors.push(checks::no_steps(settings, samples));
            }
            checked.errors.extend(schedules::misfits(training, train, steps));
        }
        if let Some(node) = zero_division(train, settings.batch) {
            let place = crate::driver::compiled::place(&self.sources, train, node);
            checked.errors.push(divides_by_zero(&self.sources, settings.batch, place));
        }
    }

    /// Looks for what is suspicious in a sound program.
    fn lint(
        &mut self,
        parsed: &ParsedProgram,
        checked: &mut CheckedProgram,
    ) -> Result<(), Failure> {
        let Some(experiment) = &checked.experiment else { return Ok(()) };
        let source = checked.source.as_ref().filter(|source| !source.presumed);
        let program = lint::LintInput {
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
                Severity::Error => checked.errors.push(finding),
                Severity::Warning => checked.warnings.push(finding),
            }
        }
        Ok(())
    }

    /// Reads and elaborates a program as if it named no data: inputs are what the model declares.
    pub fn front_without_data(
        &mut self,
        request: &Request,
        mixed: bool,
    ) -> Result<Experiment, Failure> {
        let text = self.main_text(request)?;
        let (parsed, errors) = self.parse(&request.file, text)?;
        if !errors.is_empty() {
            return Err(self.program_failure(errors));
        }
        let model = request.model.clone();
        let options = ElaborateOptions { model, mixed, ..Default::default() };
        let elaborated = self.elaborate(&parsed.program(), &options)?;
        elaborated.map_err(|found| self.program_failure(found))
    }

    pub(super) fn elaborate(
        &mut self,
        program: &ProgramFiles<'_>,
        options: &ElaborateOptions,
    ) -> Result<Result<Experiment, Vec<Diagnostic>>, Failure> {
        self.pass(
            "elaborate",
            || syntax::dump(&program.files[0]),
            || Ok(elaborate::elaborate(program, options)),
            |_| String::new(),
        )
    }

    /// Parses the program's files, the named one first, and the prelude; files with errors are
    /// left out.
    pub(crate) fn parse(
        &mut self,
        main: &Path,
        text: String,
    ) -> Result<(ParsedProgram, Vec<Diagnostic>), Failure> {
        let prelude_id = self.add_prelude();
        let (loading, found) = self.load_all(main, text)?;
        let prelude = match self.reached_only {
            true => Arc::new(self.reached_prelude(prelude_id)?),
            false => self.whole_prelude(prelude_id)?,
        };
        Ok((ParsedProgram { files: loading.files, prelude, tokens: loading.tokens }, found))
    }

    /// The prelude's place is always the first, so one tree serves all programs.
    fn add_prelude(&mut self) -> FileId {
        self.sources.add_builtin(elaborate::PRELUDE_NAME, elaborate::PRELUDE)
    }

    /// Parses a program's file and all that it uses.
    fn load_all(
        &mut self,
        main: &Path,
        text: String,
    ) -> Result<(Loading, Vec<Diagnostic>), Failure> {
        let bytes = text.len();
        let id = self.sources.add(main.to_string_lossy().into_owned(), text);
        let known = vec![(real(main), id)];
        let mut loading = Loading { files: Vec::new(), known, bytes, tokens: 0 };
        let mut found = Vec::new();
        self.load(id, main, &mut Vec::new(), &mut loading, &mut found)?;
        Ok((loading, found))
    }

    /// The tree of a file, parsed unless its text was before.
    fn tree(&mut self, id: FileId) -> Result<Result<ast::File, Vec<Diagnostic>>, Failure> {
        let text = &self.sources.file(id).text;
        let known = self.trees.iter().find(|known| known.file == id && known.text == *text);
        if let Some(known) = known {
            return Ok(Ok(ast::File::clone(&known.tree)));
        }
        let parsed = self.parse_file(id)?;
        if let Ok(file) = &parsed {
            let text = self.sources.file(id).text.clone();
            self.trees.push(ParsedFile { file: id, text, tree: Arc::new(file.clone()) });
        }
        Ok(parsed)
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
        let file = match self.tree(id)? {
            Ok(file) => file,
            Err(errors) => {
                found.extend(errors);
                return Ok(());
            }
        };
        let uses = elaborate::uses(&file);
        loading.files.push(file);
        loading.tokens += syntax::measure(id, &self.sources.file(id).text).unwrap_or_default();
        for step in uses {
            if let Some(reason) = loading.too_large() {
                found.push(*syntax::too_large(step.span, reason));
                return Ok(());
            }
            if found.len() >= limits::FINDINGS {
                return Ok(());
            }
            let used = path.parent().unwrap_or(Path::new("")).join(&step.path);
            chain.push((real(path), step.clone()));
            let target = real(&used);
            if let Some(start) = chain.iter().position(|(from, _)| *from == target) {
                let cycle: Vec<Use> = chain[start..].iter().map(|(_, step)| step.clone()).collect();
                found.push(elaborate::cycle(&cycle));
            } else if !loading.known.iter().any(|(known, _)| *known == target) {
                match self.read(&used) {
                    Ok(text) => {
                        loading.bytes += text.len();
                        let id = self.sources.add(used.to_string_lossy().into_owned(), text);
                        loading.known.push((target, id));
                        self.load(id, &used, chain, loading, found)?;
                    }
                    Err(reason) => found.push(missing(&step, &used, &reason, chain)),
                }
            }
            chain.pop();
        }
        Ok(())
    }

    /// The text of the file that a command names, or what stands for it.
    pub(crate) fn main_text(&self, request: &Request) -> Result<String, Failure> {
        match self.overlays.iter().find(|(file, _)| *file == request.file) {
            Some((_, text)) => Ok(text.clone()),
            None => request.text.clone().map_or_else(|| source_text(&request.file), Ok),
        }
    }

    /// The text of a file, or what stands for it.
    fn read(&self, path: &Path) -> Result<String, String> {
        let of_overlay = |(file, _): &&(PathBuf, String)| file == path || real(file) == real(path);
        if let Some((_, text)) = self.overlays.iter().find(of_overlay) {
            return Ok(text.clone());
        }
        used_program(path).map_err(|error| error.to_string())
    }

    /// The prelude's tree, parsed unless it was before.
    pub(crate) fn whole_prelude(&mut self, id: FileId) -> Result<Arc<ast::File>, Failure> {
        let prelude = match self.prelude.clone() {
            Some(prelude) => prelude,
            None => Arc::new(self.parse_file(id)?.expect("the prelude parses")),
        };
        Ok(self.prelude.insert(prelude).clone())
    }

    /// The items of the prelude that the program's files reach.
    fn reached_prelude(&mut self, id: FileId) -> Result<ast::File, Failure> {
        let parsed = self.parse_by(id, |sources, id| {
            let users = sources.iter().filter(|(_, file)| !file.builtin);
            let texts = users.map(|(_, file)| &file.text[..]).chain([elaborate::DEFAULT_OPTIMIZER]);
            syntax::parse_reached(sources, id, texts)
        })?;
        Ok(parsed.expect("the prelude parses"))
    }

    fn parse_file(&mut self, id: FileId) -> Result<Result<ast::File, Vec<Diagnostic>>, Failure> {
        self.parse_by(id, syntax::parse)
    }

    fn parse_by(
        &mut self,
        id: FileId,
        parse: impl Fn(&Sources, FileId) -> Result<ast::File, Vec<Diagnostic>>,
    ) -> Result<Result<ast::File, Vec<Diagnostic>>, Failure> {
        let sources = std::mem::take(&mut self.sources);
        let text = || sources.file(id).text.clone();
        // The prelude is parsed too; only the user's file is shown.
        let name = if sources.file(id).builtin { "prelude" } else { "ast" };
        let parsed = self.pass(
            name,
            text,
            || Ok(parse(&sources, id)),
            |parsed| parsed.as_ref().map(syntax::dump).unwrap_or_default(),
        );
        self.sources = sources;
        parsed
    }
}

/// The files found so far.
struct Loading {
    files: Vec<ast::File>,
    known: Vec<(PathBuf, FileId)>,
    bytes: usize,
    tokens: usize,
}

impl Loading {
    /// The limit that the files pass together.
    fn too_large(&self) -> Option<String> {
        let Loading { known, bytes, tokens, .. } = self;
        if known.len() > limits::SOURCE_FILES {
            return Some(format!("the program has more than {} files", limits::SOURCE_FILES));
        }
        if *bytes > limits::SOURCE_BYTES {
            return Some(format!("the program's files have {bytes} bytes"));
        }
        let passed = *tokens > limits::SOURCE_TOKENS;
        passed.then(|| format!("the program's files have {tokens} words, numbers and signs"))
    }
}

/// Cost of parsing a token, in steps.
pub(crate) const PARSED: usize = 10;
/// How many walks over the trees the lints take.
const LINTS: usize = 4;
/// How many entries of a folder are looked at for a program that may have been meant.
const MOST_ENTRIES: usize = 1000;

/// The text of the file that a command names.
pub fn source_text(file: &Path) -> Result<String, Failure> {
    read::text(file, read::PROGRAM).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => Failure::Data(format!("{} {error}", file.shown())),
        ErrorKind::FileTooLarge => Failure::Data(format!("{} has {error}", file.shown())),
        _ => Failure::Io(format!("cannot read {}: {error}", file.shown())),
    })
}

/// The text of a file that a program uses. Only a program is one, also behind links: whoever wrote
/// the program must not choose which of the reader's files is quoted on a screen.
#[expect(clippy::disallowed_methods, reason = "links lead to the file that is meant")]
fn used_program(path: &Path) -> io::Result<String> {
    let real = path.canonicalize()?;
    let is_program = |path: &Path| path.extension().is_some_and(|ending| ending == "nn");
    if !is_program(path) || !is_program(&real) {
        return Err(io::Error::other("no program: its name does not end in `.nn`"));
    }
    read::text(&real, read::PROGRAM)
}

/// The error of a `use` whose file cannot be read; `chain` are the `use` items that led there.
fn missing(step: &Use, used: &Path, reason: &str, chain: &[(PathBuf, Use)]) -> Diagnostic {
    let mut there = programs_in(used.parent());
    let folder = used.parent().unwrap_or(Path::new(""));
    // What is being read must not be used.
    there.retain(|name| {
        let real = real(&folder.join(name));
        chain.iter().all(|(from, _)| *from != real)
    });
    elaborate::missing_file(step, &used.shown().to_string(), reason, &there)
}

/// The programs in a folder and in those directly in it, in alphabetical order.
#[expect(clippy::disallowed_methods, reason = "names of files, to suggest one")]
fn programs_in(folder: Option<&Path>) -> Vec<String> {
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let entries = entries.take(MOST_ENTRIES);
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    };
    let mut found = Vec::new();
    for name in names(folder) {
        if name.ends_with(".nn") {
            found.push(name);
        } else if !name.starts_with('.') && found.len() < MOST_ENTRIES {
            let inner = names(&folder.join(&name)).into_iter().filter(|it| it.ends_with(".nn"));
            found.extend(inner.map(|inner| format!("{name}/{inner}")));
        }
    }
    found.sort();
    found
}

/// One spelling for each file, however it is named.
#[expect(clippy::disallowed_methods, reason = "whether two paths are one file")]
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}
