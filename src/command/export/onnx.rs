//! `nnc export --format onnx`: the inference of a trained model as an ONNX file.
//!
//! The metadata has all that a user of the file must know beside the graph: the names of classes and
//! columns, units, tokens, which program it was.

use super::ExportDestination;
use crate::base::schema::Field;
use crate::base::shown::Show;
use crate::command::answers::PredictedOutput;
use crate::command::inference::ReadableModel;
use crate::driver::session::{Failure, Request};
use crate::graph::{Graph, Origin};
use crate::onnx::encode::{self, LARGEST_FILE};
use crate::onnx::export::{ExportRefusal, ExportSettings, ImageLayout, export};
use crate::pass::bind;
use crate::run::trained::{self, Model};
use serde_json::{Value, json};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// How a model is written as ONNX.
#[derive(Clone, Copy, Debug)]
pub struct OnnxOptions {
    /// The version of ONNX's operators; none for the lowest that has all that are of use.
    pub opset: Option<i64>,
    /// The order of the axes of images.
    pub layout: ImageLayout,
    /// Samples of a batch; none for any number of them.
    pub batch: Option<usize>,
    /// Whether norms become part of the convolutions before them.
    pub fold: bool,
}

/// Exports a trained model; the files that were written.
pub fn onnx(
    request: &Request,
    model: &Model,
    options: OnnxOptions,
    to: &ExportDestination,
) -> Result<Vec<PathBuf>, Failure> {
    let mut exported = ReadableModel::open(request, model)?;
    let path = to.or_named(&exported.opened.model, ".onnx");
    to.refuse_existing(&path)?;
    if let Some(batch) = options.batch {
        exported.opened.graph = (bind::PASS.run)(&exported.opened.graph, &batch);
    }
    let settings =
        ExportSettings { opset: options.opset, layout: options.layout, fold: options.fold };
    let graph = &exported.opened.graph;
    let made = export(graph, std::mem::take(&mut exported.variables), settings);
    let mut made = made.map_err(|refusal| refused(&exported, graph, &refusal))?;
    made.producer = ("nnc".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    made.metadata = metadata(&exported, options);
    let encoded = encode::encode(&made);
    if encoded.bytes() > LARGEST_FILE {
        let message = format!(
            "{} would have {} bytes, and a file of ONNX has at most {LARGEST_FILE}",
            path.shown(),
            encoded.bytes()
        );
        return Err(Failure::Data(message));
    }
    to.write_by(&path, |file| {
        let mut file = BufWriter::new(file);
        encoded.write(&mut file)?;
        file.flush()
    })?;
    Ok(vec![path])
}

/// A refusal with the place in the program.
fn refused(exported: &ReadableModel, graph: &Graph, refusal: &ExportRefusal) -> Failure {
    let origin = graph.nodes[refusal.node].origin;
    // The user's own line is the outermost of the calls.
    let place = origin.and_then(|id| graph.origins.chain(id).last());
    let place = place.map(|origin: &Origin| {
        let place = exported.session.sources.place(origin.span);
        format!(" ({})", place.shown())
    });
    Failure::Data(format!("{}{}", refusal.message, place.unwrap_or_default()))
}

/// Facts of a model, as texts by name; what has parts is JSON.
fn metadata(exported: &ReadableModel, options: OnnxOptions) -> Vec<(String, String)> {
    let layout = match options.layout {
        ImageLayout::ChannelsLast => "nhwc",
        ImageLayout::ChannelsFirst => "nchw",
    };
    let program = exported.request.file.file_name().unwrap_or_default();
    let inputs: Vec<Value> = exported.reader.fields().iter().map(field).collect();
    let outputs: Vec<Value> = exported.outputs.iter().map(output).collect();
    let mut facts = vec![
        ("nnc.model".to_owned(), exported.opened.model.clone()),
        ("nnc.program".to_owned(), program.to_string_lossy().into_owned()),
        ("nnc.program_hash".to_owned(), program_hash(exported)),
        ("nnc.layout".to_owned(), layout.to_owned()),
        ("nnc.inputs".to_owned(), json!(inputs).to_string()),
        ("nnc.outputs".to_owned(), json!(outputs).to_string()),
    ];
    if !exported.opened.classes.is_empty() {
        facts.push(("nnc.classes".to_owned(), json!(exported.opened.classes).to_string()));
    }
    facts
}

/// A field of a sample: its columns, its tokens, what was fitted on the data.
fn field(field: &Field) -> Value {
    let mut facts = json!({ "name": field.name, "shape": field.shape, "type": field.dtype.name() });
    if let Some(recipe) = &field.recipe {
        facts["columns"] = json!(recipe.columns);
        facts["recipe"] = json!(recipe);
    }
    facts
}

/// An output: its task, its classes, the field that it predicts.
fn output(output: &PredictedOutput) -> Value {
    let mut facts = json!({ "name": output.name, "task": output.task });
    if !output.classes.is_empty() {
        facts["classes"] = json!(output.classes);
    }
    if let Some(target) = &output.target {
        facts["target"] = field(target);
    }
    facts
}

/// The BLAKE3 hash of the program's files: as the run wrote it beside its weights.
fn program_hash(exported: &ReadableModel) -> String {
    if let Some(about) = trained::about(&exported.opened.from) {
        return about.program;
    }
    let mut hasher = blake3::Hasher::new();
    for (_, file) in exported.session.sources.iter().filter(|(_, file)| !file.builtin) {
        hasher.update(&(file.text.len() as u64).to_le_bytes()).update(file.text.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}
