//! A trained model: the program of a run's folder with its weights, to be evaluated or asked.
//!
//! The weights are the best epoch's, or others that are named; of a run that was killed before it
//! wrote any, those of its newest checkpoint.

use crate::base::shown::Show;
use crate::base::task::Task;
use crate::base::tensor::Tensor;
use crate::driver::misfits::shown;
use crate::driver::session::{Failure, Request, Session};
use crate::graph::rule::{CLASS_WEIGHTS, MEAN};
use crate::graph::{Graph, Init, Type, initial_value};
use crate::run::folder::{RunFolder, RunInfo, SampleInfo};
use crate::runtime::weights::{self, LoadError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which weights of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The best epoch's.
    Best,
    /// Those at the end.
    Last,
    /// Those of a file.
    File(PathBuf),
}

/// Where a trained model is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Model {
    /// The folder of a run.
    Folder(PathBuf, Which),
    /// A program, and a file of weights.
    Program(PathBuf),
}

/// A trained model that was found.
pub(crate) struct Trained {
    /// The contents of its run's `run.json`, where there is one.
    pub info: Option<RunInfo>,
    /// The weights by path.
    pub weights: Vec<(String, Tensor)>,
    /// Where they are from.
    pub from: PathBuf,
}

/// Finds a trained model: of a run, its program is read as it was run from then on.
pub(crate) fn find(
    session: &mut Session,
    request: &mut Request,
    model: &Model,
) -> Result<Trained, Failure> {
    match model {
        Model::Folder(root, which) => of_folder(session, request, root, which),
        Model::Program(file) => {
            Ok(Trained { info: None, weights: load(file)?, from: file.clone() })
        }
    }
}

/// Makes a session read a run's program as it was run, and a request ask for the same model and data.
pub(crate) fn take_program(
    session: &mut Session,
    request: &mut Request,
    folder: &RunFolder,
    info: &RunInfo,
) -> Result<(), Failure> {
    for (path, text) in folder.program(info)? {
        session.overlay(path, text);
    }
    if let Some(main) = info.program.first() {
        request.file = main.path.clone();
    }
    request.model = info.asked_model.clone().or(request.model.take());
    request.data = request.data.take().or(info.data.clone());
    Ok(())
}

fn of_folder(
    session: &mut Session,
    request: &mut Request,
    root: &Path,
    which: &Which,
) -> Result<Trained, Failure> {
    let folder = RunFolder::read(root)?;
    let info = folder.info()?;
    take_program(session, request, &folder, &info)?;
    let file = match which {
        Which::Best => folder.best(),
        Which::Last => folder.last(),
        Which::File(file) => file.clone(),
    };
    if matches!(which, Which::File(_)) || file.is_file() {
        let weights = load(&file)?;
        return Ok(Trained { info: Some(info), weights, from: file });
    }
    let Some(checkpoint) = folder.load(None)? else {
        return Err(Failure::Data(format!("{} has no weights yet", root.shown())));
    };
    let place = folder.places().last().copied();
    let from = place.map_or(file, |place| folder.checkpoint(place));
    let weights = evaluated(checkpoint.tensors);
    Ok(Trained { info: Some(info), weights, from })
}

/// The weights of a file.
pub(crate) fn load(file: &Path) -> Result<Vec<(String, Tensor)>, Failure> {
    weights::load(file).map_err(|error| match error {
        LoadError::Io(message) => Failure::Io(message),
        LoadError::Malformed(message) => Failure::Data(message),
    })
}

/// The description of where weights are from, in the metadata of their file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WeightsOrigin {
    /// The version of the program that wrote it.
    pub nnc: String,
    /// The model.
    pub model: String,
    /// The BLAKE3 hash of the program's files, the main one first.
    pub program: String,
    /// The names of the classes; none where they are numbers.
    pub classes: Vec<String>,
    /// The task of the model.
    pub task: Task,
    /// Shape and range of samples, before and after they are prepared.
    pub samples: Option<SampleInfo>,
    /// The names of the axes of each tensor, where they are known: `in, out`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layouts: BTreeMap<String, String>,
}

/// Reads the description in the metadata of a file of weights; `None` of other programs' files.
pub(crate) fn about(file: &Path) -> Option<WeightsOrigin> {
    serde_json::from_str(&weights::about(file)?).ok()
}

/// The samples that a model was trained on: as its run says, else as the file of its weights does.
pub(crate) fn samples(info: Option<&RunInfo>, weights: &Path) -> Option<SampleInfo> {
    let known = info.and_then(|info| info.samples.clone());
    known.or_else(|| about(weights)?.samples)
}

/// The tensors of a checkpoint that evaluation reads, by the names that the graph has.
fn evaluated(tensors: Vec<(String, Tensor)>) -> Vec<(String, Tensor)> {
    let means: Vec<(String, Tensor)> = tensors
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(MEAN)?.to_owned(), tensor.clone())))
        .collect();
    let own = tensors.into_iter().filter(|(name, _)| !name.starts_with("optimizer."));
    own.map(|(name, tensor)| {
        let mean = means.iter().find(|(of, _)| *of == name).map(|(_, mean)| mean.clone());
        (name, mean.unwrap_or(tensor))
    })
    .collect()
}

/// The values of all parameters and states of a graph, from weights that must have each of them.
pub(crate) fn fitted(
    graph: &Graph,
    weights: Vec<(String, Tensor)>,
    from: &Path,
) -> Result<Vec<(String, Tensor)>, Failure> {
    let places = places(graph, &weights, from)?;
    let mut weights: Vec<Option<Tensor>> =
        weights.into_iter().map(|(_, value)| Some(value)).collect();
    let value = |((path, ty, init), place): ((&str, &Type, &Init), Option<usize>)| {
        // No two variables of a graph have one path.
        let value = place.and_then(|place| weights[place].take());
        (path.to_owned(), value.unwrap_or_else(|| initial_value(init, ty, path, 0)))
    };
    Ok(graph.variables().zip(places).map(value).collect())
}

/// The place among weights of each parameter and state; none of what no file holds.
fn places(
    graph: &Graph,
    weights: &[(String, Tensor)],
    from: &Path,
) -> Result<Vec<Option<usize>>, Failure> {
    let mut places = Vec::new();
    for (path, ty, _) in graph.variables() {
        if path == CLASS_WEIGHTS {
            places.push(None);
            continue;
        }
        let file = from.shown();
        let Some(place) = weights.iter().position(|(name, _)| name == path) else {
            let message = format!("{file} has no `{path}`: it holds the weights of another model");
            return Err(Failure::Data(message));
        };
        let found = &weights[place].1;
        let shape = ty.shape.extents().expect("no parameter or state depends on the batch");
        if found.shape != shape || found.dtype() != ty.dtype {
            let (of_file, of_model) = (shown(found.dtype(), &found.shape), shown(ty.dtype, &shape));
            return Err(Failure::Data(format!(
                "`{path}` is {of_file} in {file}, but {of_model} in the model"
            )));
        }
        places.push(Some(place));
    }
    Ok(places)
}
