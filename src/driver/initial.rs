//! Where parameters and states begin: drawn from the seed, or taken from a file of weights as
//! `init_from` says; running means begin as what they are means of.
//!
//! ```text
//! init_from = weights("net.safetensors", rename: [["encoder.*", "*"]], layout: pytorch)
//! encoder.dense.weight: [10, 784]   →   dense.weight: f32[784, 10]
//! ```

use super::session::{Failure, Request, Session};
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::names::nearest;
use crate::base::tensor::{DType, Data, Tensor};
use crate::data::Dataset;
use crate::elaborate::{ClassWeights, InitFrom, Settings};
use crate::graph::Graph;
use crate::graph::init::initial_value;
use crate::graph::rule::{CLASS_WEIGHTS, MEAN};
use crate::runtime::weights;
use std::path::PathBuf;

/// The first value of every parameter and state of a training step.
pub(super) fn initial(
    session: &Session,
    request: &Request,
    graph: &Graph,
    settings: &Settings,
    seed: u64,
    data: &Dataset,
) -> Result<Vec<(String, Tensor)>, Failure> {
    let drawn =
        |(path, ty, init): (&str, &_, &_)| (path.to_string(), initial_value(init, ty, path, seed));
    let mut values: Vec<(String, Tensor)> = graph.lasting().map(drawn).collect();
    if let Some(from) = &settings.init_from {
        let loaded = weights_of(request, graph, from);
        let loaded = loaded.map_err(|error| session.program_failure(vec![*error]))?;
        for (path, value) in &mut values {
            if let Some((_, found)) = loaded.iter().find(|(name, _)| name == path) {
                value.data = found.data.clone();
            }
        }
    }
    if let Some(weights) = &settings.class_weights
        && let Some((_, value)) = values.iter_mut().find(|(path, _)| path == CLASS_WEIGHTS)
    {
        value.data = Data::F32(class_weights(weights, data, value.len())?);
    }
    for mean in 0..values.len() {
        let Some(of) = values[mean].0.strip_prefix(MEAN) else { continue };
        if let Some(first) = values.iter().position(|(path, _)| path == of) {
            values[mean].1.data = values[first].1.data.clone();
        }
    }
    Ok(values)
}

/// What each class weighs: the same in sum as if all weighed 1.
fn class_weights(
    weights: &ClassWeights,
    data: &Dataset,
    classes: usize,
) -> Result<Vec<f32>, Failure> {
    let ClassWeights::Balanced = weights else {
        let ClassWeights::Given(weights) = weights else { return Ok(vec![1.0; classes]) };
        return Ok(weights.iter().map(|&weight| weight as f32).collect());
    };
    let labels = data.train.labels().ok_or_else(|| {
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

/// What a file of weights has for a model's parameters and states, by their paths; or what does not
/// fit.
pub(super) fn weights_of(
    request: &Request,
    graph: &Graph,
    from: &InitFrom,
) -> Result<Vec<(String, Tensor)>, Box<Diagnostic>> {
    matched(graph, load(request, from)?, from)
}

/// The tensors of the file, under the paths that they are to have.
fn load(request: &Request, from: &InitFrom) -> Result<Vec<(String, Tensor)>, Box<Diagnostic>> {
    let beside = request.file.parent().map(|folder| folder.join(&from.file));
    let under = request.nnc_data.as_ref().map(|folder| folder.join(&from.file));
    let places: Vec<PathBuf> = beside.into_iter().chain(under).collect();
    let Some(file) = places.iter().find(|place| place.is_file()) else {
        let mut error = Diagnostic::error(codes::DATA_SOURCE, "the file of weights is not there")
            .primary(from.span, "asked for here");
        for place in &places {
            error = error.note(format!("looked for {}", place.display()));
        }
        return Err(error.into());
    };
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

/// The loaded tensors that the model has a place for.
fn matched(
    graph: &Graph,
    loaded: Vec<(String, Tensor)>,
    from: &InitFrom,
) -> Result<Vec<(String, Tensor)>, Box<Diagnostic>> {
    let wrong = |message: String| Diagnostic::error(codes::WEIGHTS, message).primary(from.span, "");
    let names: Vec<String> = loaded.iter().map(|(name, _)| name.clone()).collect();
    let mut unused = loaded;
    let mut found = Vec::new();
    for (path, ty, _) in graph.lasting() {
        if path.starts_with(OPTIMIZER) || path == CLASS_WEIGHTS {
            continue;
        }
        let Some(index) = unused.iter().position(|(name, _)| name == path) else {
            if from.partial {
                continue;
            }
            let error = wrong(format!("the file has no `{path}`"))
                .help("`partial: true` lets what is missing begin as if there were no file");
            let near = nearest(path, names.iter().map(String::as_str));
            return Err(match near {
                Some(near) => error.note(format!("it has `{near}`")).into(),
                None => error.into(),
            });
        };
        let (name, tensor) = unused.swap_remove(index);
        let tensor = if from.pytorch { transposed(path, tensor) } else { tensor };
        let shape = ty.shape.extents().expect("no parameter or state depends on the batch");
        if tensor.shape != shape || tensor.dtype() != ty.dtype {
            let of_file = shown(tensor.dtype(), &tensor.shape);
            let of_model = shown(ty.dtype, &shape);
            let error =
                wrong(format!("`{path}` is {of_file} in the file, but {of_model} in the model"));
            let backwards: Vec<usize> = tensor.shape.iter().rev().copied().collect();
            return Err(match backwards == shape && !from.pytorch {
                true => error.help("`layout: pytorch` transposes what PyTorch has written").into(),
                false => error.help("`rename:` and `partial: true` choose what is taken").into(),
            });
        }
        found.push((name, tensor));
    }
    if found.is_empty() {
        let help = "`rename: [[\"encoder.*\", \"*\"]]` gives what it holds other names";
        return Err(wrong("nothing in the file belongs to a parameter".into()).help(help).into());
    }
    Ok(found)
}

/// What the paths of the optimiser's states begin with.
const OPTIMIZER: &str = "optimizer.";

/// `f32[784, 10]`.
pub(super) fn shown(dtype: DType, shape: &[usize]) -> String {
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
