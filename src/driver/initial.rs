//! Where parameters and states begin: drawn from the seed, or taken from a file of weights as
//! `init_from` says; running means begin as what they are means of.
//!
//! ```text
//! init_from = weights("net.safetensors", rename: [["encoder.*", "*"]], layout: pytorch)
//! encoder.dense.weight: [10, 784]   →   dense.weight: f32[784, 10]
//! ```

use super::run_weights;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::names::nearest;
use crate::base::settings::{ClassWeights, InitFrom, Settings};
use crate::base::shown::Show;
use crate::base::tensor::{DType, Data, Tensor};
use crate::data::Dataset;
use crate::driver::layout::{AxisPlaces, pytorch_orders, tables};
use crate::driver::session::{Failure, Request, Session};
use crate::elaborate::{known_patterns, path_matches};
use crate::files::read;
use crate::graph::init::initial_value;
use crate::graph::rule::{CLASS_WEIGHTS, MEAN};
use crate::graph::{Graph, Op, Type};
use crate::runtime::weights;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// How a run begins.
pub(crate) struct RunStart {
    /// The first value of every parameter and state of a training step.
    pub values: Vec<(String, Tensor)>,
    /// The paths of those that a file has given.
    pub given: Vec<String>,
}

/// How a run begins. `forward` is the graph of evaluation.
pub(crate) fn initial(
    session: &Session,
    request: &Request,
    (graph, forward): (&Graph, &Graph),
    settings: &Settings,
    data: &Dataset,
) -> Result<RunStart, Failure> {
    let seed = settings.seed;
    let drawn =
        |(path, ty, init): (&str, &_, &_)| (path.to_string(), initial_value(init, ty, path, seed));
    let mut values: Vec<(String, Tensor)> = graph.variables().map(drawn).collect();
    let mut given = Vec::new();
    if let Some(from) = &settings.init_from {
        let loaded = weights_of(request, forward, from);
        let loaded = loaded.map_err(|error| session.program_failure(vec![*error]))?;
        for (name, tensor) in loaded {
            if let Some((path, value)) = values.iter_mut().find(|(path, _)| *path == name) {
                value.data = tensor.data;
                given.push(path.clone());
            }
        }
    }
    if let Some(weights) = &settings.class_weights
        && let Some((_, value)) = values.iter_mut().find(|(path, _)| path == CLASS_WEIGHTS)
    {
        value.data = Data::F32(class_weights(weights, data.train.labels(), value.len())?);
    }
    for mean in 0..values.len() {
        let Some(of) = values[mean].0.strip_prefix(MEAN) else { continue };
        if let Some(first) = values.iter().position(|(path, _)| path == of) {
            values[mean].1.data = values[first].1.data.clone();
        }
    }
    Ok(RunStart { values, given })
}

/// The weight of each class in training on samples of these classes: as written, or, balanced, the
/// same in sum as if all weighed 1.
pub(crate) fn class_weights(
    weights: &ClassWeights,
    labels: Option<Vec<usize>>,
    classes: usize,
) -> Result<Vec<f32>, Failure> {
    let ClassWeights::Balanced = weights else {
        let ClassWeights::Given(weights) = weights else { return Ok(vec![1.0; classes]) };
        return Ok(weights.iter().map(|&weight| weight as f32).collect());
    };
    let labels = labels.ok_or_else(|| {
        Failure::Data("`class_weights = balanced` needs data with a class for each sample".into())
    })?;
    let mut counts = vec![0usize; classes];
    for &label in &labels {
        // A label out of range is reported by the step that meets it.
        if let Some(count) = counts.get_mut(label) {
            *count += 1;
        }
    }
    let all = labels.len() as f64;
    // As scikit-learn's "balanced": samples / (classes · count); a class without samples weighs 0.
    let weight = |&count: &usize| match count {
        0 => 0.0,
        count => (all / (classes as f64 * count as f64)) as f32,
    };
    Ok(counts.iter().map(weight).collect())
}

/// The values that a file of weights gives to a model's parameters and states, by their paths; or
/// what does not fit. The graph is a forward one.
pub(crate) fn weights_of(
    request: &Request,
    graph: &Graph,
    from: &InitFrom,
) -> Result<Vec<(String, Tensor)>, Box<Diagnostic>> {
    matched(graph, load(request, from)?, from)
}

/// The tensors of the file, under the paths that they are to have.
#[expect(clippy::disallowed_methods, reason = "where weights are")]
fn load(request: &Request, from: &InitFrom) -> Result<Vec<(String, Tensor)>, Box<Diagnostic>> {
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
    let file = &of_run(place, from)?;
    let loaded = weights::load(file).map_err(|error| {
        let (code, message) = match error {
            weights::LoadError::Io(message) => (codes::DATA_SOURCE, message),
            weights::LoadError::Malformed(message) => (codes::WEIGHTS, message),
        };
        Diagnostic::error(code, message).primary(from.span, "")
    })?;
    let rename = |(name, tensor): (String, Tensor)| {
        let renamed = from.rename.iter().find_map(|(old, new)| renamed(old, new, &name));
        (renamed.unwrap_or(name), tensor)
    };
    Ok(loaded.into_iter().map(rename).collect())
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

/// Every pattern of `except` is of a parameter.
fn exceptions_match(from: &InitFrom, paths: &[&str]) -> Result<(), Box<Diagnostic>> {
    let is_of_none = |it: &&String| !paths.iter().any(|path| path_matches(it, path));
    let Some(pattern) = from.except.iter().find(is_of_none) else { return Ok(()) };
    let known = known_patterns(paths);
    let near = nearest(pattern, known.iter().map(String::as_str));
    let message = format!("`except`: no parameter matches `{pattern}`");
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
    exceptions_match(from, &paths)?;
    let names: Vec<String> = loaded.iter().map(|(name, _)| name.clone()).collect();
    let orders = if from.pytorch { pytorch_orders(graph) } else { HashMap::new() };
    let tables = tables(graph);
    let mut unused = loaded;
    let upsampling = upsampling_weights(graph);
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
        let is_turned = from.pytorch && !tables.contains(path);
        let tensor = match is_turned && upsampling.contains(path) {
            true => inputs_first(tensor),
            false => tensor,
        };
        match fitted((path, ty), tensor, is_turned, from.pytorch) {
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

/// A file's tensor with the shape and type that a parameter has, its axes turned where they are
/// PyTorch's (`is_turned`); or how it does not fit.
fn fitted(
    (path, ty): (&str, &Type),
    tensor: Tensor,
    is_turned: bool,
    pytorch: bool,
) -> Result<Tensor, MisfitKind> {
    let shape = ty.shape.extents().expect("no parameter or state depends on the batch");
    let of_file = shown(tensor.dtype(), &tensor.shape);
    let as_here = tensor.shape == shape && tensor.dtype() == ty.dtype;
    let backwards = tensor.shape.iter().rev().eq(&shape) && !pytorch;
    let tensor = if is_turned { transposed(path, tensor) } else { tensor };
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

/// A parameter or state that the file does not fit.
struct Misfit {
    path: String,
    kind: MisfitKind,
}

enum MisfitKind {
    /// The file does not have it.
    Missing,
    /// It has another shape or type there.
    Shape {
        /// As the file has it.
        of_file: String,
        /// As it is read from PyTorch's layout, where that is another shape.
        read: Option<String>,
        of_model: String,
        /// Whether the file's shape is the model's, unturned.
        as_here: bool,
        /// Whether its axes stand the other way round, as PyTorch writes them.
        backwards: bool,
    },
}

impl Misfit {
    fn message(&self) -> String {
        let path = &self.path;
        match &self.kind {
            MisfitKind::Missing => format!("the file has no `{path}`"),
            MisfitKind::Shape { of_file, read: None, of_model, .. } => {
                format!("`{path}` is {of_file} in the file, but {of_model} in the model")
            }
            MisfitKind::Shape { of_file, read: Some(read), of_model, .. } => format!(
                "`{path}` is {of_file} in the file, which is {read} in this language's order, but \
                 {of_model} in the model"
            ),
        }
    }
}

/// The error about values that do not fit, with the setting that would leave exactly those out.
fn unfit(
    wrong: impl Fn(String) -> Diagnostic,
    misfits: &[Misfit],
    from: &InitFrom,
    names: &[String],
    paths: &[&str],
) -> Diagnostic {
    const SHOWN: usize = 5;
    let mut error = wrong(misfits[0].message());
    if let MisfitKind::Missing = misfits[0].kind
        && let Some(near) = nearest(&misfits[0].path, names.iter().map(String::as_str))
    {
        error = error.note(format!("it has `{near}`"));
    }
    for misfit in misfits.iter().skip(1).take(SHOWN) {
        error = error.note(misfit.message());
    }
    if misfits.len() > SHOWN + 1 {
        error = error.note(format!("and {} more", misfits.len() - SHOWN - 1));
    }
    let of_shape = |misfit: &&Misfit| matches!(misfit.kind, MisfitKind::Shape { .. });
    let backwards =
        |misfit: &Misfit| matches!(misfit.kind, MisfitKind::Shape { backwards: true, .. });
    if misfits.iter().any(backwards) {
        return error.help("`layout: pytorch` transposes what PyTorch has written");
    }
    let as_here = |misfit: &Misfit| matches!(misfit.kind, MisfitKind::Shape { as_here: true, .. });
    if misfits.iter().filter(of_shape).all(as_here) && misfits.iter().any(as_here) {
        return error.help("the file has this language's order: leave `layout: pytorch` out");
    }
    match misfits.iter().filter(of_shape).count() {
        0 => error.help("`partial: true` lets what is missing begin as if there were no file"),
        _ => {
            // What is left out already stays so.
            let before = from.except.iter().map(|pattern| format!("{pattern:?}"));
            let mut patterns: Vec<String> = before.collect();
            patterns.extend(patterns_of(misfits, paths));
            let patterns = patterns.join(", ");
            error.help(format!("`except: [{patterns}]` lets these begin as if there were no file"))
        }
    }
}

/// Patterns that match these paths and no others: of whole layers where all of them is meant.
fn patterns_of(misfits: &[Misfit], paths: &[&str]) -> Vec<String> {
    let is_misfit = |path: &str| misfits.iter().any(|misfit| misfit.path == path);
    let mut patterns: Vec<String> = Vec::new();
    for Misfit { path, .. } in misfits {
        let layer = path.rsplit_once('.').map(|(layer, _)| format!("{layer}.*"));
        let whole = |pattern: &String| {
            paths.iter().filter(|path| path_matches(pattern, path)).all(|path| is_misfit(path))
        };
        let pattern = layer.filter(whole).unwrap_or_else(|| path.clone());
        if !patterns.contains(&format!("{pattern:?}")) {
            patterns.push(format!("{pattern:?}"));
        }
    }
    patterns
}

/// Prefix of the paths of the optimiser's states.
const OPTIMIZER: &str = "optimizer.";

/// `f32[784, 10]`.
pub(crate) fn shown(dtype: DType, shape: &[usize]) -> String {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("{}[{}]", dtype.name(), extents.join(", "))
}

/// A tensor of PyTorch's in the language's layout: a dense weight `[out, in]` becomes `[in, out]`,
/// a convolution's `[out, in / groups, kh, kw]` becomes `[kh, kw, in / groups, out]`.
fn transposed(path: &str, tensor: Tensor) -> Tensor {
    let rank = tensor.shape.len();
    let is_weight = path.rsplit('.').next().is_some_and(|name| name.contains("weight"));
    if !is_weight || rank < 2 || tensor.dtype() != DType::F32 {
        return tensor;
    }
    let order: Vec<usize> = match rank {
        2 => vec![1, 0],
        _ => (2..rank).chain([1, 0]).collect(),
    };
    permuted(&tensor, &order)
}

/// The weights of transposed convolutions, which PyTorch has as `[in, out, kh, kw]`.
fn upsampling_weights(graph: &Graph) -> HashSet<&str> {
    let mut found = HashSet::new();
    for node in graph.nodes.values().filter(|node| matches!(node.op, Op::ConvInputGrad { .. })) {
        let mut weight = &graph.nodes[node.args[1]];
        while matches!(weight.op, Op::Transpose(_) | Op::Reshape(_)) {
            weight = &graph.nodes[weight.args[0]];
        }
        if let Op::Param(param) = weight.op {
            found.insert(graph.params[param].path.as_str());
        }
    }
    found
}

/// A transposed convolution's weight of PyTorch's as another convolution's: outputs first.
fn inputs_first(tensor: Tensor) -> Tensor {
    let rank = tensor.shape.len();
    if rank < 3 || tensor.dtype() != DType::F32 {
        return tensor;
    }
    let order: Vec<usize> = [1, 0].into_iter().chain(2..rank).collect();
    permuted(&tensor, &order)
}

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

/// The axes in another order.
fn permuted(tensor: &Tensor, order: &[usize]) -> Tensor {
    let values: Vec<f32> = tensor.as_f32().to_vec();
    let array = ndarray::ArrayD::from_shape_vec(tensor.shape.clone(), values)
        .expect("a tensor has as many elements as its shape says");
    let turned = array.permuted_axes(order);
    let shape = turned.shape().to_vec();
    Tensor::new(shape, Data::F32(turned.iter().copied().collect()))
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

    #[test]
    fn pytorchs_layouts_are_turned() {
        let dense = Tensor::f32([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let turned = transposed("dense.weight", dense.clone());
        assert_eq!(turned, Tensor::f32([3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
        assert_eq!(transposed("dense.table", dense.clone()), dense);
        let conv = Tensor::f32([2, 1, 1, 2], vec![1.0, 2.0, 3.0, 4.0]);
        let turned = transposed("conv.weight", conv);
        assert_eq!(turned, Tensor::f32([1, 2, 1, 2], vec![1.0, 3.0, 2.0, 4.0]));
    }
}
