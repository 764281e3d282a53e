//! `nnc import`: a model of ONNX as a program, `NAME.nn`, and its weights, `NAME.safetensors`.
//!
//! The program is elaborated before anything is written: that checks it, and tells the paths of its
//! variables, under which the weights are written.

use crate::base::shown::Show;
use crate::base::source::Sources;
use crate::driver::{Failure, Request, Session};
use crate::elaborate::Experiment;
use crate::files::{read, write};
use crate::onnx::decode::decode;
use crate::onnx::import::{self, ImportError, ImportRequest, ImportedModel, ImportedVariable};
use crate::onnx::model::{OnnxExternal, OnnxModel, OnnxTensor};
use crate::runtime::weights::{self, WeightInfo};
use crate::syntax;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes of a file of ONNX: protocol buffers have at most 2 GB.
const FILE: u64 = 1 << 31;

/// The beginning of what is said where the language refuses a program that was made here.
const REFUSED: &str = "the program that was made of it is refused";

/// The file to import, and the place for what is made of it.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The file.
    pub file: PathBuf,
    /// The folder to write into; none for one that is named after the file.
    pub folder: Option<PathBuf>,
    /// Shapes of inputs by their names.
    pub shapes: Vec<(String, Vec<i64>)>,
    /// Whether elements may be read from any file beside the model's, not only from `NAME.onnx.data`.
    pub external: bool,
    /// Whether files that are there may be written over.
    pub force: bool,
}

/// The files that an import has written, and facts about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedFiles {
    /// The program.
    pub program: PathBuf,
    /// The weights; none where there are none.
    pub weights: Option<PathBuf>,
    /// How many variables the weights hold.
    pub variables: usize,
    /// How many numbers they have.
    pub numbers: usize,
    /// Why each sample is a whole input of the graph, whose first axis is no batch; empty where it is
    /// one.
    pub whole: Vec<String>,
}

/// A program that was checked, with its variables by path.
pub struct ImportedProgram {
    /// The text, formatted.
    pub text: String,
    /// The model's graphs.
    pub experiment: Experiment,
    /// The values of its parameters and states by path.
    pub variables: Vec<(String, ImportedVariable)>,
    /// The inputs and outputs, and where their axes are.
    pub model: ImportedModel,
}

/// Imports a file.
pub fn import(options: &ImportOptions) -> Result<ImportedFiles, Failure> {
    let file = &options.file;
    let name = model_name(file);
    let folder = options.folder.clone().unwrap_or_else(|| PathBuf::from(&name));
    let program = folder.join(format!("{name}.nn"));
    let stored = folder.join(format!("{name}.safetensors"));
    for path in [&program, &stored] {
        if !options.force && (path.exists() || read::is_there(path)) {
            let message = format!("{} is there already; --force writes over it", path.shown());
            return Err(Failure::Io(message));
        }
    }
    let model = opened(options)?;
    let request = ImportRequest { name, shapes: options.shapes.clone() };
    let made = imported(&model, &request).map_err(|failure| match failure {
        Failure::Data(message) => Failure::Data(format!("{}: {message}", file.shown())),
        other => other,
    })?;
    let failed =
        |error: io::Error| Failure::Io(format!("cannot write into {}: {error}", folder.shown()));
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let has_weights = !made.variables.is_empty();
    if has_weights {
        let info = |(path, variable): &(String, ImportedVariable)| WeightInfo {
            name: path.clone(),
            shape: variable.dims.clone(),
        };
        let infos: Vec<WeightInfo> = made.variables.iter().map(info).collect();
        weights::write_each(&stored, &infos, |at| made.variables[at].1.values(&model))
            .map_err(Failure::Io)?;
    }
    write::replace(&program, made.text.as_bytes())
        .map_err(|error| Failure::Io(format!("cannot write {}: {error}", program.shown())))?;
    Ok(ImportedFiles {
        program,
        weights: has_weights.then_some(stored),
        variables: made.variables.len(),
        numbers: made.variables.iter().map(|(_, it)| it.dims.iter().product::<usize>()).sum(),
        whole: made.model.whole.iter().map(|it| format!("{}: {}", it.node, it.reason)).collect(),
    })
}

/// The name of the program's model: that of the file.
fn model_name(file: &Path) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    import::model_name(&stem.unwrap_or_default())
}

/// Reads and decodes a file, with what lies beside it.
fn opened(options: &ImportOptions) -> Result<OnnxModel, Failure> {
    let file = &options.file;
    let bytes = read::bytes(file, FILE)
        .map_err(|error| Failure::Io(format!("cannot read {}: {error}", file.shown())))?;
    let model = decode(&bytes).map_err(|error| {
        Failure::Data(format!("{} is no sound file of ONNX: {error}", file.shown()))
    });
    drop(bytes);
    let mut model = model?;
    for tensor in &mut model.graph.initializers {
        if let Some(place) = tensor.external.take() {
            tensor.data = external(options, tensor, &place)?;
        }
    }
    Ok(model)
}

/// The elements of a tensor that lie in a file beside the model's.
fn external(
    options: &ImportOptions,
    tensor: &OnnxTensor,
    place: &OnnxExternal,
) -> Result<Vec<u8>, Failure> {
    let (name, location) = (tensor.name.shown(), place.location.shown());
    if !options.external && !is_companion(&options.file, &place.location) {
        return Err(Failure::Data(format!(
            "`{name}` lies in another file, `{location}`; --external reads it"
        )));
    }
    let mut parts = Path::new(&place.location).components();
    let plain =
        matches!((parts.next(), parts.next()), (Some(std::path::Component::Normal(_)), None));
    if !plain || place.location.contains(['/', '\\']) {
        return Err(Failure::Data(format!(
            "`{name}` lies in `{location}`, which is no plain name of a file beside the model"
        )));
    }
    let path = options.file.with_file_name(&place.location);
    let failed = |error: io::Error| Failure::Io(format!("cannot read {}: {error}", path.shown()));
    let mut file = read::open(&path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let asked = tensor.byte_count().filter(|&count| {
        place.length.is_none_or(|length| length == count)
            && place.offset.checked_add(count).is_some_and(|end| end <= size)
    });
    let Some(count) = asked else {
        return Err(Failure::Data(format!(
            "`{name}` does not lie where it should in {}, which has {size} bytes",
            path.shown()
        )));
    };
    elements(&mut file, place.offset, count).map_err(failed)
}

/// Whether a location is `NAME.onnx.data` beside `NAME.onnx`, where torch's exporter puts elements, and
/// not a link to another folder.
fn is_companion(model: &Path, location: &str) -> bool {
    let own = model.file_name().and_then(|name| name.to_str()).map(|name| format!("{name}.data"));
    if own.as_deref() != Some(location) {
        return false;
    }
    let path = model.with_file_name(location);
    let folder = |path: &Path| Some(path.parent()?.to_owned());
    let is_link = std::fs::symlink_metadata(&path).is_ok_and(|data| data.is_symlink());
    match (is_link, std::fs::canonicalize(&path), std::fs::canonicalize(model)) {
        (false, ..) => true,
        (true, Ok(data), Ok(model)) => folder(&data) == folder(&model),
        (true, ..) => false,
    }
}

fn elements(file: &mut File, offset: u64, count: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; usize::try_from(count).map_err(io::Error::other)?];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Makes a program of a model, checked and formatted.
pub fn imported(model: &OnnxModel, request: &ImportRequest) -> Result<ImportedProgram, Failure> {
    let made = import::import(model, request).map_err(|error| match error {
        ImportError::Graph(message) => Failure::Data(message),
        unsupported @ ImportError::Unsupported(_) => Failure::Data(unsupported.to_string()),
    })?;
    let text = formatted(&made.program)?;
    let mut session = Session::new(None);
    let file = PathBuf::from(format!("{}.nn", request.name));
    session.overlay(file.clone(), text.clone());
    let experiment = session
        .front_without_data(&Request::new(file), false)
        .map_err(|failure| refused(failure, &text))?;
    let eval = &experiment.eval;
    let parameters = eval.params.values().map(|it| (&it.path, &it.ty)).zip(made.parameters());
    let states = eval.states.values().map(|it| (&it.path, &it.ty)).zip(made.states());
    let counts = [eval.params.len(), eval.states.len()];
    let mut variables = Vec::with_capacity(counts[0] + counts[1]);
    for ((path, ty), variable) in parameters.chain(states) {
        if ty.shape.extents().as_ref() != Some(&variable.dims) {
            return Err(bug(format!("{path} is {ty}, and its weight {:?}", variable.dims), &text));
        }
        variables.push((path.clone(), variable));
    }
    if counts != [made.parameters().len(), made.states().len()] {
        return Err(bug("the program has other variables than were imported".into(), &text));
    }
    Ok(ImportedProgram { text, experiment, variables, model: made })
}

/// Why the language refuses a program that was made of a model: mostly one of its limits.
fn refused(failure: Failure, text: &str) -> Failure {
    match failure {
        Failure::Program { diagnostics, .. } => {
            let first = diagnostics.first();
            let line = first.and_then(|first| first.labels.first()).map(|label| {
                let start = label.span.start as usize;
                text[..start.min(text.len())].matches('\n').count()
            });
            let line = line.and_then(|line| text.lines().nth(line)).unwrap_or_default().trim();
            let message = first.map(|first| first.message.as_str()).unwrap_or_default();
            Failure::Data(format!(
                "{REFUSED}: {message}\n  at: {line}\nplease report it with the model's origin"
            ))
        }
        other => other,
    }
}

fn formatted(text: &str) -> Result<String, Failure> {
    let mut sources = Sources::new();
    let file = sources.add("imported.nn", text);
    syntax::format(&sources, file)
        .map_err(|errors| bug(format!("the program does not parse: {errors:?}"), text))
}

/// A program that is not what it was meant to be.
fn bug(message: String, text: &str) -> Failure {
    Failure::Bug { pass: "import".into(), message: format!("{message}\n{text}"), dump: None }
}
