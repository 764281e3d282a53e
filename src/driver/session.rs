//! The state of the driver while it calls the stages: sources, times, and the one stage that
//! is to be printed; and how a failure of a stage becomes a report.

use crate::base::caught::caught;
use crate::base::diagnostic::Diagnostic;
use crate::base::schema::Schema;
use crate::base::source::{FileId, Sources};
use crate::codegen::Target;
use crate::elaborate::ValueTrace;
use crate::syntax::ast::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// A program to compile, and the places of its data. Nothing below asks the environment.
#[derive(Clone, Debug)]
pub struct Request {
    /// The source file.
    pub file: PathBuf,
    /// Its text, where it is not read: what came from standard input.
    pub text: Option<String>,
    /// The model, where the file has several.
    pub model: Option<String>,
    /// Path to use instead of the one that the data names.
    pub data: Option<PathBuf>,
    /// Where sources look for data first.
    pub nnc_data: Option<PathBuf>,
    /// Where downloads are kept.
    pub cache: Option<PathBuf>,
    /// Whether data may be downloaded.
    pub network: bool,
    /// The instruction set to compile for.
    pub target: Target,
    /// Bytes of memory that the machine has for this program, where that is known.
    pub memory: Option<usize>,
    /// The fields of samples as an earlier run made them, which are made likewise.
    pub fitted: Option<Arc<Schema>>,
}

impl Request {
    /// A file and nothing else: the best that this processor has, data from beside the program alone,
    /// nothing downloaded or kept, as much memory as there is.
    pub fn new(file: impl Into<PathBuf>) -> Request {
        Request {
            file: file.into(),
            text: None,
            model: None,
            data: None,
            nnc_data: None,
            cache: None,
            network: false,
            target: Target::detect(),
            memory: None,
            fitted: None,
        }
    }
}

/// Why there is no result.
#[derive(Debug)]
pub enum Failure {
    /// The program is wrong: exit code 1.
    Program {
        /// The mistakes.
        diagnostics: Vec<Diagnostic>,
        /// The texts that they point into.
        sources: Box<Sources>,
    },
    /// The data is wrong or missing, or training went wrong: exit code 1.
    Data(String),
    /// A file or the request is: exit code 2.
    Io(String),
    /// Standard output could not be written: exit code 2, or 0 where nobody was left to read it.
    Output(std::io::Error),
    /// The stage that was asked for has run and been printed, so that the rest was left out: no
    /// failure, exit code 0.
    Shown,
    /// The user stopped it: exit code 130. What was going on.
    Interrupted(String),
    /// The compiler is: exit code 101.
    Bug {
        /// The stage that failed.
        pass: String,
        /// The text of its panic, or the verifier's mistakes.
        message: String,
        /// The file that holds what the stage was given.
        dump: Option<PathBuf>,
    },
}

impl Failure {
    /// The exit code of a command that ends with it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Program { .. } | Failure::Data(_) => 1,
            Failure::Shown => 0,
            // A reader that has seen enough (`nnc check … | head`) has closed the pipe.
            Failure::Output(error) if error.kind() == ErrorKind::BrokenPipe => 0,
            Failure::Io(_) | Failure::Output(_) => 2,
            Failure::Interrupted(_) => 130,
            Failure::Bug { .. } => 101,
        }
    }
}

/// How long a stage took.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// The stage.
    pub pass: String,
    /// Seconds, its verification included.
    pub seconds: f64,
}

/// A text that was parsed, with its tree.
#[derive(Clone, Debug)]
pub(crate) struct ParsedFile {
    pub file: FileId,
    pub text: String,
    pub tree: Arc<File>,
}

/// The stages' surroundings.
#[derive(Debug, Default)]
pub struct Session {
    /// The files read so far.
    pub sources: Sources,
    /// The times of the stages run so far, in order; a stage run again adds to its entry.
    pub timings: Vec<Timing>,
    /// Texts that are read in place of those of files.
    pub(crate) overlays: Vec<(PathBuf, String)>,
    /// The prelude's tree, once it was parsed.
    pub(crate) prelude: Option<Arc<File>>,
    /// Whether only those items of the prelude are parsed that the program's words reach.
    pub(crate) reached_only: bool,
    /// The trees of files, by place and text.
    pub(crate) trees: Vec<ParsedFile>,
    /// Steps that parsing and evaluating have taken.
    pub(crate) steps: usize,
    pub(crate) wanted: Option<String>,
    /// Which search for fixes this is part of.
    pub(crate) search: Search,
    /// Where elaboration notes the values of expressions by their places, if anyone wants them.
    pub(crate) trace: Option<ValueTrace>,
    printed: Option<String>,
}

impl Session {
    /// A session that keeps the text of the stage of this name.
    pub fn new(wanted: Option<&str>) -> Self {
        Session { wanted: wanted.map(str::to_string), ..Session::default() }
    }

    /// A new session that reads the same texts, and does not parse again what this one has parsed.
    pub fn beside(&self) -> Session {
        Session {
            overlays: self.overlays.clone(),
            prelude: self.prelude.clone(),
            trees: self.trees.clone(),
            search: self.search,
            ..Session::default()
        }
    }

    /// Reads this text wherever the file would be read.
    pub fn overlay(&mut self, file: PathBuf, text: String) {
        self.overlays.retain(|(known, _)| *known != file);
        self.overlays.push((file, text));
    }

    /// The text of the wanted stage, once it has run.
    pub fn take_printed(&mut self) -> Option<String> {
        self.printed.take()
    }

    /// Whether the wanted stage has run.
    pub fn has_printed(&self) -> bool {
        self.printed.is_some()
    }

    /// Keeps this text of the wanted stage, whatever made it.
    pub(crate) fn show(&mut self, text: String) {
        self.printed.get_or_insert(text);
    }

    /// A failure with the session's sources.
    pub fn program_failure(&self, diagnostics: Vec<Diagnostic>) -> Failure {
        Failure::Program { diagnostics, sources: Box::new(self.sources.clone()) }
    }

    /// Runs a stage, whose work verifies what it makes: times it, and prints that if it is wanted.
    /// A panic or what the verifier finds is a bug; `before` prints what the stage was given.
    #[expect(clippy::disallowed_methods, reason = "times of passes, which nothing depends on")]
    pub fn pass<T>(
        &mut self,
        name: &str,
        before: impl FnOnce() -> String,
        work: impl FnOnce() -> Result<T, Vec<String>>,
        print: impl FnOnce(&T) -> String,
    ) -> Result<T, Failure> {
        let start = Instant::now();
        let result = caught(work);
        self.add_time(name, start.elapsed().as_secs_f64());
        let message = match result {
            Ok(Ok(made)) => {
                if self.wanted.as_deref() == Some(name) && self.printed.is_none() {
                    self.printed = Some(print(&made));
                }
                return Ok(made);
            }
            Ok(Err(mistakes)) => format!("its result is malformed: {}", mistakes.join("; ")),
            Err(message) => message,
        };
        Err(bug(name, message, before))
    }

    pub(crate) fn add_time(&mut self, pass: &str, seconds: f64) {
        match self.timings.iter_mut().find(|timing| timing.pass == pass) {
            Some(timing) => timing.seconds += seconds,
            None => self.timings.push(Timing { pass: pass.to_string(), seconds }),
        }
    }
}

/// A failure of a stage that is a bug; `before` prints what it was given.
pub(crate) fn bug(pass: &str, message: String, before: impl FnOnce() -> String) -> Failure {
    Failure::Bug { pass: pass.to_string(), message, dump: dump(pass, before) }
}

/// Writes what a failed stage was given to a file that stays; printing may fail as well.
fn dump(pass: &str, before: impl FnOnce() -> String) -> Option<PathBuf> {
    let text = caught(before);
    let mut file = tempfile::Builder::new()
        .prefix(&format!("nnc-before-{pass}-"))
        .suffix(".txt")
        .disable_cleanup(true)
        .tempfile()
        .ok()?;
    std::io::Write::write_all(&mut file, text.ok()?.as_bytes()).ok()?;
    Some(file.path().to_path_buf())
}

/// How many candidates are tried behind a fix, for each mistake.
const MOST_INNER: usize = 40;

/// Which search a session is part of: what is found behind a fix is searched for fixes in turn, twice
/// at most.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Search {
    level: u8,
}

impl Search {
    /// The search for what is behind a fix.
    pub fn inner(self) -> Search {
        Search { level: self.level + 1 }
    }

    /// Whether habits of other frameworks are read: not in what has been read so already.
    pub fn reads_habits(self) -> bool {
        self.level == 0
    }

    /// Whether it may look behind its fixes.
    pub fn looks_behind(self) -> bool {
        self.level < 2
    }

    /// How many candidates of each finding are tried.
    pub fn candidates(self) -> usize {
        if self.level == 0 { usize::MAX } else { MOST_INNER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_stage_is_a_bug_with_a_dump() {
        let mut session = Session::new(None);
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let failed = session.pass(
            "cse",
            || "graph before".to_string(),
            || -> Result<(), _> { panic!("no such node") },
            |()| String::new(),
        );
        std::panic::set_hook(hook);
        let Err(Failure::Bug { pass, message, dump: Some(path) }) = failed else {
            panic!("expected a bug, found {failed:?}");
        };
        assert_eq!((pass.as_str(), message.as_str()), ("cse", "no such node"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "graph before");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_wanted_stage_is_printed_once_and_all_are_timed() {
        let mut session = Session::new(Some("dce"));
        for number in [1, 2] {
            let made = session.pass("dce", String::new, || Ok(number), i32::to_string);
            assert_eq!(made.unwrap(), number);
        }
        assert_eq!(session.take_printed().as_deref(), Some("1"));
        assert_eq!(session.timings.len(), 1);
    }
}
