//! The command line: the only part that prints, exits and reads the environment.
//!
//! One file a subcommand; flags that several take are in [`Common`]. Results go to standard
//! output, progress and diagnostics to standard error. Exit codes: 0 fine, 1 the user's program
//! or data is wrong, 2 usage or input/output, 101 a bug of ours, 130 interrupted.

// Before the modules, which get this instead of the standard one: `write` says why. Results go through
// `write::out`, whose failure is the command's.
macro_rules! eprintln {
    ($($text:tt)*) => { $crate::cli::write::note(&format!($($text)*)) };
}

mod allocator;
mod answers;
mod bench;
mod check;
mod color;
mod compare;
mod dashboard;
mod data;
mod diff;
mod doc;
mod doctor;
mod emit_ir;
mod eval;
mod examples;
mod explain;
mod explain_code;
mod export;
mod fmt;
mod gallery;
mod generate;
mod grad;
mod import;
mod init;
mod lr_find;
mod lsp;
mod machine;
mod memory;
mod predict;
mod profile;
mod progress;
pub mod render;
mod run;
mod series;
mod serve;
mod shell;
mod snippet;
mod threads;
mod train;
mod trained;
mod ui;
mod verify;
mod write;

pub use allocator::Allocator;

use crate::base::caught;
use crate::base::shown::{Show, visible_lines};
use crate::codegen::Target;
use crate::driver::{self, Failure, Timing};
use crate::files::read;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit code of a run that Ctrl-C ended, as of [`Failure::Interrupted`].
const INTERRUPTED: u8 = 130;

/// At Ctrl-C calls what begins to stop; where that says that it has begun before, the program ends at
/// once.
fn on_interrupt(begins_to_stop: impl Fn() -> bool + Send + 'static) -> Result<(), Failure> {
    let handler = move || {
        if !begins_to_stop() {
            std::process::exit(i32::from(INTERRUPTED));
        }
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Failure::Io(format!("cannot listen to Ctrl-C: {error}")))
}

/// Compiles and trains neural networks: one file, one binary, a step at the speed of the
/// processor.
#[derive(Parser)]
#[command(name = "nnc", version, max_term_width = 100)]
struct Cli {
    /// Colours in messages: `auto` for terminals, unless NO_COLOR or CLICOLOR_FORCE says otherwise
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    color: ColorChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a model on its data, then test it
    #[command(visible_alias = "train")]
    Run(run::RunArgs),
    /// Train with every combination of the given values, and compare the results
    Sweep(series::SweepArgs),
    /// Compare runs: a table of their results, and a picture of their curves
    Compare(compare::CompareArgs),
    /// Show runs on a page: a list, and curves side by side, while they train
    Ui(ui::UiArgs),
    /// Try learning rates, and suggest one
    LrFind(lr_find::LrFindArgs),
    /// Evaluate a trained model on its data
    #[command(visible_alias = "val")]
    Eval(eval::EvalArgs),
    /// Predict the classes or values of files with a trained model
    Predict(predict::PredictArgs),
    /// Go on with a text, as a trained model thinks likely
    Generate(generate::GenerateArgs),
    /// Answer predictions over HTTP: a page, and KServe's inference protocol
    Serve(serve::ServeArgs),
    /// Write a trained model in a form that other programs read
    Export(export::ExportArgs),
    /// Make a program and its weights of a model in the form of ONNX
    Import(import::ImportArgs),
    /// Find mistakes without running anything, and summarize the model
    Check(check::CheckArgs),
    /// Describe a program's data, and write a batch of it to a file
    Data(data::DataArgs),
    /// Explain the code of a message, with a wrong program and a right one
    Explain(explain_code::ExplainArgs),
    /// Show the documentation of a name, or write a site of all names
    Doc(doc::DocArgs),
    /// Format source files
    Fmt(fmt::FmtArgs),
    /// Answer an editor: the Language Server Protocol on standard input and output
    Lsp(lsp::LspArgs),
    /// Print a stage of the compilation: syntax tree, graph, loops or machine code
    EmitIr(emit_ir::EmitIrArgs),
    /// Measure the time of a step
    Bench(bench::BenchArgs),
    /// Show where the time of a step goes, line by line
    Profile(profile::ProfileArgs),
    /// Compute output, loss and gradients of one training step on given tensors
    Grad(grad::GradArgs),
    /// Check the gradients and the compiled code of a model against reference interpreters
    Verify(verify::VerifyArgs),
    /// Check that nnc works on this machine
    Doctor(doctor::DoctorArgs),
    /// Create a folder with a program to start from
    Init(init::InitArgs),
    /// Print completions for a shell
    Completions(shell::CompletionsArgs),
    /// Print the manual page, or write all of them
    Man(shell::ManArgs),
}

/// Arguments of every command that compiles a model from a file.
#[derive(Args)]
struct Common {
    /// The source file; `-` is standard input
    file: PathBuf,
    #[command(flatten)]
    options: ModelArgs,
}

/// Arguments of every command that compiles a model, from a file or from a run.
#[derive(Args, Clone)]
struct ModelArgs {
    /// The model, if the file has several
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Folder or file to read the data from, instead of the one that the program names
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// The instruction set to compile for [default: the best that this processor has]
    #[arg(long, value_parser = target_parser())]
    target: Option<Target>,
    /// Print how long each pass took
    #[arg(long)]
    time_passes: bool,
}

/// The file's name that stands for standard input.
const PIPED: &str = "-";

/// The name of a program that is read from standard input.
const STANDARD_INPUT: &str = "<stdin>";

/// Whether a file's name stands for standard input.
fn is_piped(file: &Path) -> bool {
    file == Path::new(PIPED)
}

/// A program from standard input.
fn standard_input() -> Result<String, Failure> {
    let failed = |error| Failure::Io(format!("cannot read standard input: {error}"));
    let bytes = read::bytes_or_stdin(Path::new(PIPED), read::PROGRAM).map_err(failed)?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::Data("standard input is not UTF-8 text".to_owned()))
}

/// Parses the name of a target that can be forced.
fn target_parser() -> impl TypedValueParser<Value = Target> {
    let offered = |target: &Target| Some(PossibleValue::new(target.name()).help(target.about()?));
    PossibleValuesParser::new(Target::ALL.iter().chain(Target::FOREIGN).filter_map(offered))
        .map(|name| Target::from_name(&name).expect("the names are the targets' own"))
}

/// The command line, or the exit code where it is none or asks for help.
fn command_line() -> Result<Cli, ExitCode> {
    let args = std::env::args_os();
    let early = color::among(args.map(|arg| arg.to_string_lossy().into_owned()));
    let parser = examples::with_examples(Cli::command()).color(early);
    let parsed = parser.try_get_matches().and_then(|found| Cli::from_arg_matches(&found));
    parsed.map_err(|error| {
        // Help and version are not mistakes; clap prints all three where they belong.
        let code = if error.use_stderr() { 2 } else { 0 };
        // What is wrong may be the name of a file, which a pattern of the shell has found.
        let plain = error.render().to_string();
        match visible_lines(&plain) {
            Cow::Owned(shown) => write::note(shown.trim_end()),
            // A closed pipe is no reason to fail: there is nobody left to tell.
            Cow::Borrowed(_) => drop(error.print()),
        }
        ExitCode::from(code)
    })
}

/// Parses the arguments, runs the command and maps its result to an exit code.
pub fn main() -> ExitCode {
    let cli = match command_line() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    color::choose(cli.color);
    quiet_panics();
    allocator::explain_refusals();
    let ready = threads::spare_address_space()
        .and_then(|()| threads::from_environment())
        .and_then(|_| render::check_environment());
    if let Err(failure) = ready {
        return ExitCode::from(report(&failure));
    }
    let result = match cli.command {
        Command::Run(command) => command.execute(),
        Command::Sweep(command) => command.execute(),
        Command::Compare(command) => command.execute(),
        Command::Ui(command) => command.execute(),
        Command::LrFind(command) => command.execute(),
        Command::Eval(command) => command.execute(),
        Command::Predict(command) => command.execute(),
        Command::Generate(command) => command.execute(),
        Command::Serve(command) => command.execute(),
        Command::Export(command) => command.execute(),
        Command::Import(command) => command.execute(),
        Command::Check(command) => command.execute(),
        Command::Data(command) => command.execute(),
        Command::Explain(command) => command.execute(),
        Command::Doc(command) => command.execute(),
        Command::Fmt(command) => command.execute(),
        Command::Lsp(command) => command.execute(),
        Command::EmitIr(command) => command.execute(),
        Command::Bench(command) => command.execute(),
        Command::Grad(command) => command.execute(),
        Command::Profile(command) => command.execute(),
        Command::Verify(command) => command.execute(),
        Command::Doctor(command) => command.execute(),
        Command::Init(command) => command.execute(),
        Command::Completions(command) => command.execute(),
        Command::Man(command) => command.execute(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => ExitCode::from(report(&failure)),
    }
}

/// Prints a failure and gives its exit code.
fn report(failure: &Failure) -> u8 {
    match failure {
        Failure::Program { diagnostics, sources } => {
            render::print(diagnostics, sources);
            eprintln!("{}", render::count(diagnostics));
        }
        Failure::Data(message) | Failure::Io(message) => eprintln!("error: {message}"),
        Failure::Shown => {}
        // Whoever has closed the pipe wants to hear no more.
        Failure::Output(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Failure::Output(error) => eprintln!("error: cannot write to standard output: {error}"),
        Failure::Interrupted(message) => eprintln!("{message}"),
        Failure::Bug { pass, message, dump } => {
            eprintln!("nnc has a bug: pass `{pass}` failed: {message}");
            match dump {
                Some(path) => eprintln!("What it was given is in {}.", path.shown()),
                None => eprintln!("What it was given could not be written to a file."),
            }
            eprintln!("Please report it with that file.");
        }
    }
    failure.exit_code()
}

/// Keeps a panic silent that becomes a report of its own: inside a pass or an image decoder.
fn quiet_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !caught::inside() {
            default(panic);
        }
    }));
}

impl Common {
    /// The driver's request, with the environment's part; a program from standard input is read.
    fn request(&self, network: bool) -> Result<driver::Request, Failure> {
        if !is_piped(&self.file) {
            return self.options.request(&self.file, network);
        }
        let text = Some(standard_input()?);
        Ok(driver::Request { text, ..self.options.request(Path::new(STANDARD_INPUT), network)? })
    }

    /// Prints the passes' times, if asked to.
    fn print_timings(&self, timings: &[Timing]) {
        self.options.print_timings(timings);
    }
}

impl ModelArgs {
    /// The driver's request for a file, with the environment's part.
    fn request(&self, file: &Path, network: bool) -> Result<driver::Request, Failure> {
        threads::prepare();
        Ok(driver::Request {
            file: file.to_path_buf(),
            text: None,
            model: self.model.clone(),
            data: self.data.clone(),
            nnc_data: std::env::var_os("NNC_DATA").map(PathBuf::from),
            cache: cache_folder(),
            network,
            target: target(self.target)?,
            memory: memory::limit(),
            fitted: None,
        })
    }

    /// Prints the passes' times, if asked to.
    fn print_timings(&self, timings: &[Timing]) {
        if !self.time_passes {
            return;
        }
        let total: f64 = timings.iter().map(|timing| timing.seconds).sum();
        for timing in timings {
            eprintln!("{:>9.3} ms  {}", timing.seconds * 1e3, timing.pass);
        }
        eprintln!("{:>9.3} ms  total", total * 1e3);
    }
}

/// The folder for what may be made again: downloaded data.
fn cache_folder() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    etcetera::choose_base_strategy().ok().map(|strategy| strategy.cache_dir().join("nnc"))
}

/// The target that was asked for, or the processor's best.
fn target(forced: Option<Target>) -> Result<Target, Failure> {
    let Some(target) = forced else { return Ok(Target::detect()) };
    if target.supported_on_host() {
        Ok(target)
    } else {
        Err(Failure::Io(format!(
            "this processor cannot run code for --target {}; without the flag, the best that it \
             has is chosen",
            target.name()
        )))
    }
}
