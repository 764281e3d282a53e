//! The weights that `init_from` names: a file's tensors, each for the parameter or state that it belongs to, as
//! this language has them; or what does not fit.
//!
//! ```text
//! init_from = weights("net.safetensors", rename: [["encoder.*", "*"]], layout: pytorch)
//! encoder.dense.weight: [10, 784]   →   dense.weight: f32[784, 10]
//! ```
//!
//! Tensors belong to what has their name, after the rules of `rename`. In PyTorch's layout, a file whose names
//! are not the program's is matched by its structure ([`super::torch_names`]).

use super::misfits::{Misfit, MisfitKind, shown, unfit};
use super::run_weights;
use super::torch_names::{FileEntry, NameQuery, NameRow, NameTable, match_names};
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::names::nearest;
use crate::base::settings::InitFrom;
use crate::base::shown::Show;
use crate::base::tensor::{DType, Data, Tensor};
use crate::driver::layout::{AxisPlaces, TorchForm, pytorch_orders, squeezed, torch_forms};
use crate::driver::session::Request;
use crate::elaborate::{known_patterns, path_matches};
use crate::files::read;
use crate::graph::rule::CLASS_WEIGHTS;
use crate::graph::{Graph, Type};
use crate::runtime::weights;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The weights of a file, as a model has them.
#[derive(Debug)]
pub(crate) struct KnownWeights {
    /// Values of parameters and states by their paths.
    pub values: Vec<(String, Tensor)>,
    /// How the file's names were matched, where they are not the program's.
    pub names: Option<NameTable>,
}

/// The values that a file of weights gives to a model's parameters and states, by their paths; or
/// what does not fit. The graph is a forward one.
pub(crate) fn weights_of(
    request: &Request,
    graph: &Graph,
    from: &InitFrom,
) -> Result<KnownWeights, Box<Diagnostic>> {
    weights_in(&place_of(request, from)?, graph, from)
}

/// The same of the file in this place.
pub(crate) fn weights_in(
    file: &Path,
    graph: &Graph,
    from: &InitFrom,
) -> Result<KnownWeights, Box<Diagnostic>> {
    let (named, names) = named(graph, load(file, from)?, from)?;
    Ok(KnownWeights { values: matched(graph, named, from)?, names })
}

/// A tensor of a file.
struct LoadedTensor {
    name: String,
    /// The path that a rule gives it.
    renamed: Option<String>,
    tensor: Tensor,
}

impl LoadedTensor {
    fn path(&self) -> &str {
        self.renamed.as_deref().unwrap_or(&self.name)
    }
}

/// Where the file is.
#[expect(clippy::disallowed_methods, reason = "where weights are")]
fn place_of(request: &Request, from: &InitFrom) -> Result<PathBuf, Box<Diagnostic>> {
    let beside = request.file.parent().map(|folder| folder.join(&from.file));
    let under = request.nnc_data.as_ref().map(|folder| folder.join(&from.file));
    let places: Vec<PathBuf> = beside.into_iter().chain(under).collect();
    let there = |place: &&PathBuf| read::is_there(place) || run_weights::is_run(place);
    let Some(place) = places.iter().find(there) else {
        let mut error = Diagnostic::error(codes::DATA_SOURCE, "the file of weights is not there")
            .primary(from.span, "asked for here");
        for place in &places {
            error = error.note(format!("looked for {}", place.shown()));
            if place.is_dir() {
                error = error.note("that is a folder, but not of a run: it has no run.json");
            }
        }
        return Err(error.into());
    };
    of_run(place, from)
}

/// The tensors of the file that are not to be ignored.
fn load(file: &Path, from: &InitFrom) -> Result<Vec<LoadedTensor>, Box<Diagnostic>> {
    let loaded = weights::load(file).map_err(|error| {
        let (code, message) = match error {
            weights::LoadError::Io(message) => (codes::DATA_SOURCE, message),
            weights::LoadError::Malformed(message) => (codes::WEIGHTS, message),
        };
        Diagnostic::error(code, message).primary(from.span, "")
    })?;
    let rename = |(name, tensor): (String, Tensor)| {
        let renamed = from.rename.iter().find_map(|(old, new)| renamed(old, new, &name));
        LoadedTensor { name, renamed, tensor }
    };
    let is_ignored = |name: &str| from.ignore.iter().any(|pattern| path_matches(pattern, name));
    let names: Vec<&str> = loaded.iter().map(|(name, _)| name.as_str()).collect();
    patterns_match(("ignore", "the file has no tensor that"), &from.ignore, &names, from)?;
    Ok(loaded.into_iter().filter(|(name, _)| !is_ignored(name)).map(rename).collect())
}

/// The file itself, or of a run's folder the weights of the best epoch, else the last ones.
#[expect(clippy::disallowed_methods, reason = "where weights are")]
fn of_run(place: &Path, from: &InitFrom) -> Result<PathBuf, Box<Diagnostic>> {
    if !place.is_dir() {
        return Ok(place.to_path_buf());
    }
    let refused = |message: String| {
        Box::new(Diagnostic::error(codes::DATA_SOURCE, message).primary(from.span, ""))
    };
    let files = [run_weights::best(place), run_weights::last(place)];
    let found = files.into_iter().find(|file| file.is_file());
    found.ok_or_else(|| refused(format!("the run in {} has no weights yet", place.shown())))
}

/// The name that a pattern makes of another: `encoder.*` and `*` make `dense.bias` of
/// `encoder.dense.bias`.
fn renamed(old: &str, new: &str, name: &str) -> Option<String> {
    match old.split_once('*') {
        None => (old == name).then(|| new.to_owned()),
        Some((before, after)) => {
            let middle = name.strip_prefix(before)?.strip_suffix(after)?;
            Some(new.replacen('*', middle, 1))
        }
    }
}

/// Tensors by their paths.
type NamedTensors = Vec<(String, Tensor)>;

/// The tensors under the paths that they belong to: those of their names, or of PyTorch's where the two are
/// matched.
fn named(
    graph: &Graph,
    loaded: Vec<LoadedTensor>,
    from: &InitFrom,
) -> Result<(NamedTensors, Option<NameTable>), Box<Diagnostic>> {
    let is_excepted = |path: &str| from.except.iter().any(|pattern| path_matches(pattern, path));
    let own: HashMap<&str, &Type> = model_paths(graph).collect();
    let wanted = own.keys().filter(|path| !is_excepted(path));
    let (known, all) = (
        wanted.clone().filter(|path| loaded.iter().any(|it| it.path() == **path)).count(),
        wanted.count(),
    );
    let entries = entries(&loaded);
    let mut names = None;
    if from.pytorch && known < all && !entries.is_empty() {
        let query = NameQuery {
            graph,
            entries: &entries,
            is_own: &|path| own.get(path).is_some_and(|ty| ty.dtype == DType::F32),
            is_excepted: &is_excepted,
            partial: from.partial,
        };
        // Where most names are the program's, the mistake is in one of the others.
        let mostly = |known: usize| known > 0 && (from.partial || 2 * known >= all);
        match match_names(&query) {
            Ok(table) => {
                fully_used(&table, from)?;
                names = Some(table);
            }
            Err(mismatch) if mostly(known) && !mismatch.is_question() => {}
            Err(mismatch) => return Err(mismatch.diagnostic(from, &graph.name).into()),
        }
    }
    Ok((under_paths(loaded, names.as_ref()), names))
}

/// Every tensor of a module has its parameter.
fn fully_used(table: &NameTable, from: &InitFrom) -> Result<(), Box<Diagnostic>> {
    let has_unused = |row: &&NameRow| !row.excepted && !row.unused.is_empty();
    let Some(row) = table.rows.iter().find(has_unused) else { return Ok(()) };
    let (name, layer) = (&row.unused[0], &row.program);
    let message = format!("`{layer}` has no parameter for `{name}` of the file");
    let error = Diagnostic::error(codes::WEIGHTS, message).primary(from.span, "");
    let help = format!(
        "give the layer one, such as by `bias: true`, or leave the file's out: `ignore: [{name:?}]`"
    );
    Err(error.help(help).into())
}

/// The tensors that names are matched of: PyTorch counts batches, and keeps indices beside weights.
fn entries(loaded: &[LoadedTensor]) -> Vec<FileEntry> {
    let is_weight = |it: &&LoadedTensor| {
        it.tensor.dtype() == DType::F32 && !it.name.ends_with("num_batches_tracked")
    };
    let entry = |it: &LoadedTensor| FileEntry {
        name: it.name.clone(),
        renamed: it.renamed.clone(),
        shape: it.tensor.shape.clone(),
    };
    loaded.iter().filter(is_weight).map(entry).collect()
}

/// The tensors by the paths of a table, or by their names where there is none.
fn under_paths(loaded: Vec<LoadedTensor>, names: Option<&NameTable>) -> NamedTensors {
    let Some(names) = names else {
        return loaded.into_iter().map(|it| (it.path().to_owned(), it.tensor)).collect();
    };
    let mut by_name: HashMap<String, LoadedTensor> =
        loaded.into_iter().map(|it| (it.name.clone(), it)).collect();
    let mut tensors = Vec::new();
    for part in names.rows.iter().flat_map(|row| &row.parts) {
        let parts = part.names.iter().filter_map(|name| by_name.remove(name));
        let sum = parts.map(|it| it.tensor).reduce(|a, b| sum(&a, &b));
        tensors.extend(sum.map(|tensor| (part.path.clone(), tensor)));
    }
    // What was not matched keeps the path that a rule gives it.
    let others = by_name.into_values().filter_map(|it| Some((it.renamed?, it.tensor)));
    tensors.extend(others);
    tensors
}

/// The sum of two tensors of one shape.
fn sum(a: &Tensor, b: &Tensor) -> Tensor {
    let sums = a.as_f32().iter().zip(b.as_f32()).map(|(a, b)| a + b);
    Tensor::new(a.shape.clone(), Data::F32(sums.collect()))
}

/// Every pattern of an argument is of something.
fn patterns_match(
    (argument, nothing): (&str, &str),
    patterns: &[String],
    names: &[&str],
    from: &InitFrom,
) -> Result<(), Box<Diagnostic>> {
    let is_of_none = |it: &&String| !names.iter().any(|name| path_matches(it, name));
    let Some(pattern) = patterns.iter().find(is_of_none) else { return Ok(()) };
    let known = known_patterns(names);
    let near = nearest(pattern, known.iter().map(String::as_str));
    let message = format!("`{argument}`: {nothing} matches `{pattern}`");
    let error = Diagnostic::error(codes::WEIGHTS, message).primary(from.span, "");
    Err(Box::new(match near {
        Some(near) => error.note(format!("there is `{near}`")),
        None => error,
    }))
}

/// The loaded tensors that the model has a place for.
fn matched(
    graph: &Graph,
    loaded: Vec<(String, Tensor)>,
    from: &InitFrom,
) -> Result<Vec<(String, Tensor)>, Box<Diagnostic>> {
    let wrong = |message: String| Diagnostic::error(codes::WEIGHTS, message).primary(from.span, "");
    let paths: Vec<&str> = model_paths(graph).map(|(path, _)| path).collect();
    patterns_match(("except", "no parameter"), &from.except, &paths, from)?;
    let names: Vec<String> = loaded.iter().map(|(name, _)| name.clone()).collect();
    let orders = if from.pytorch { pytorch_orders(graph) } else { HashMap::new() };
    let forms = if from.pytorch { torch_forms(graph) } else { HashMap::new() };
    let mut unused = loaded;
    let (mut found, mut misfits) = (Vec::new(), Vec::new());
    for (path, ty) in model_paths(graph) {
        if from.except.iter().any(|pattern| path_matches(pattern, path)) {
            continue;
        }
        let Some(index) = unused.iter().position(|(name, _)| name == path) else {
            if !from.partial {
                misfits.push(Misfit { path: path.to_owned(), kind: MisfitKind::Missing });
            }
            continue;
        };
        let (name, tensor) = unused.swap_remove(index);
        let form = forms.get(path).copied().unwrap_or_default();
        match fitted(ty, tensor, form, from.pytorch) {
            Ok(tensor) => {
                let ordered = ordered(path, tensor, orders.get(path));
                found.push((
                    name,
                    ordered.map_err(|(message, why)| {
                        let help =
                            "write the weights in this language's order, without `layout: pytorch`";
                        wrong(message).note(why).help(help)
                    })?,
                ));
            }
            Err(kind) => misfits.push(Misfit { path: path.to_owned(), kind }),
        }
    }
    if !misfits.is_empty() {
        return Err(unfit(wrong, &misfits, from, &names, &paths).into());
    }
    if found.is_empty() {
        let help = "`rename: [[\"encoder.*\", \"*\"]]` gives what it holds other names";
        return Err(wrong("nothing in the file belongs to a parameter".into()).help(help).into());
    }
    Ok(found)
}

/// A file's tensor with the shape and type that a parameter has, its axes turned where they are PyTorch's; or
/// how it does not fit.
fn fitted(ty: &Type, tensor: Tensor, form: TorchForm, pytorch: bool) -> Result<Tensor, MisfitKind> {
    let shape = ty.shape.extents().expect("no parameter or state depends on the batch");
    let of_file = shown(tensor.dtype(), &tensor.shape);
    let as_here = tensor.shape == shape && tensor.dtype() == ty.dtype;
    let backwards = tensor.shape.iter().rev().eq(&shape) && !pytorch;
    let theirs = form.shape(&shape);
    let tensor = match pytorch && squeezed(&tensor.shape) == squeezed(&theirs) {
        // Axes of one element, such as a batch's, hold no order.
        true => Tensor::new(theirs, tensor.data),
        false => tensor,
    };
    let tensor = form.turned(tensor);
    if tensor.shape == shape && tensor.dtype() == ty.dtype {
        return Ok(tensor);
    }
    let read = shown(tensor.dtype(), &tensor.shape);
    let read = Some(read).filter(|read| *read != of_file);
    let of_model = shown(ty.dtype, &shape);
    Err(MisfitKind::Shape { of_file, read, of_model, as_here, backwards })
}

/// A tensor with its elements where this language has them; otherwise what cannot be told, and why.
fn ordered(
    path: &str,
    tensor: Tensor,
    order: Option<&Result<AxisPlaces, &'static str>>,
) -> Result<Tensor, (String, &'static str)> {
    match order {
        None => Ok(tensor),
        Some(Ok(places)) => Ok(moved(tensor, places)),
        Some(Err(why)) => {
            let message = format!(
                "the order in which PyTorch has the elements of `{path}` cannot be derived"
            );
            Err((message, why))
        }
    }
}

/// The parameters and states of the model itself.
fn model_paths(graph: &Graph) -> impl Iterator<Item = (&str, &Type)> {
    let all = graph.variables().map(|(path, ty, _)| (path, ty));
    all.filter(|(path, _)| !path.starts_with(OPTIMIZER) && *path != CLASS_WEIGHTS)
}

/// Prefix of the paths of the optimiser's states.
const OPTIMIZER: &str = "optimizer.";

/// The elements of a tensor of PyTorch's where this language has them.
fn moved(tensor: Tensor, places: &AxisPlaces) -> Tensor {
    let (shape, mut data) = (tensor.shape, tensor.data);
    for (axis, places) in places.iter().enumerate() {
        let (Some(places), Data::F32(values)) = (places, &data) else { continue };
        let inner: usize = shape[axis + 1..].iter().product();
        let block = places.len() * inner;
        let mut next = Vec::with_capacity(values.len());
        for block in values.chunks_exact(block) {
            for place in places {
                next.extend_from_slice(&block[place * inner..][..inner]);
            }
        }
        data = Data::F32(next);
    }
    Tensor::new(shape, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_rewritten_by_patterns() {
        assert_eq!(renamed("encoder.*", "*", "encoder.dense.bias").as_deref(), Some("dense.bias"));
        assert_eq!(renamed("*.w", "*.weight", "a.b.w").as_deref(), Some("a.b.weight"));
        assert_eq!(renamed("fc.bias", "head.bias", "fc.bias").as_deref(), Some("head.bias"));
        assert_eq!(renamed("encoder.*", "*", "decoder.bias"), None);
        assert_eq!(renamed("ab*bc", "*", "abc"), None, "the two ends do not overlap");
    }
}
