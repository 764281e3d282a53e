//! Modules: the tensors of one layer, which share a prefix, each with its role.
//!
//! ```text
//! layer1.0.bn1.weight, .bias, .running_mean, .running_var   module layer1.0.bn1
//! encoder.self_attn.in_proj_weight, in_proj_bias            module encoder.self_attn.in_proj
//! rnn.weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0    module rnn.l0
//! encoder.cls_token                                         module encoder.cls_token
//! ```
//!
//! Files of PyTorch's and paths of a program are grouped alike, so that both can be compared.

use crate::driver::layout::squeezed;

/// The part that a tensor has in its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TensorRole {
    Weight,
    /// Of a recurrent layer, applied to its own last output.
    Recurrent,
    Bias,
    RecurrentBias,
    Mean,
    Variance,
}

/// The last part of a name, and the role it stands for.
const ROLES: &[(&str, TensorRole)] = &[
    ("weight", TensorRole::Weight),
    ("gamma", TensorRole::Weight),
    ("kernel", TensorRole::Weight),
    ("weight_ih", TensorRole::Weight),
    ("bias", TensorRole::Bias),
    ("beta", TensorRole::Bias),
    ("bias_ih", TensorRole::Bias),
    ("recurrent", TensorRole::Recurrent),
    ("weight_hh", TensorRole::Recurrent),
    ("recurrent_bias", TensorRole::RecurrentBias),
    ("bias_hh", TensorRole::RecurrentBias),
    ("running_mean", TensorRole::Mean),
    ("running_var", TensorRole::Variance),
];

/// The module of a tensor's name, and its role there.
pub(super) fn place(name: &str) -> (String, TensorRole) {
    let (prefix, last) = name.rsplit_once('.').unwrap_or(("", name));
    let below = |child: &str| match prefix {
        "" => child.to_owned(),
        prefix => format!("{prefix}.{child}"),
    };
    if let Some(role) = role(last) {
        return (prefix.to_owned(), role);
    }
    // A layer of a recurrent module: `weight_ih_l0`, `bias_hh_l1_reverse`.
    if let Some((start, layer)) = last.split_once("_l")
        && layer.starts_with(|first: char| first.is_ascii_digit())
        && let Some(role) = role(start)
    {
        return (below(&format!("l{layer}")), role);
    }
    for (suffix, role) in [("_weight", TensorRole::Weight), ("_bias", TensorRole::Bias)] {
        if let Some(child) = last.strip_suffix(suffix) {
            return (below(child), role);
        }
    }
    (below(last), TensorRole::Weight)
}

fn role(last: &str) -> Option<TensorRole> {
    ROLES.iter().find(|(name, _)| *name == last).map(|(_, role)| *role)
}

/// One tensor of a module.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ModulePart {
    pub role: TensorRole,
    /// Its whole name.
    pub name: String,
    /// Its shape in PyTorch.
    pub shape: Vec<usize>,
}

/// The tensors of one layer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Module {
    /// The prefix of their names.
    pub path: String,
    /// In order of their roles.
    pub parts: Vec<ModulePart>,
}

/// The role and extents of each tensor of a module, axes of one element left out.
pub(super) type Signature = Vec<(TensorRole, Vec<usize>)>;

impl Module {
    pub fn part(&self, role: TensorRole) -> Option<&ModulePart> {
        self.parts.iter().find(|part| part.role == role)
    }

    fn is_recurrent(&self) -> bool {
        self.part(TensorRole::Recurrent).is_some()
    }

    /// Modules of equal signatures can stand for each other. A recurrent layer may have one bias where
    /// PyTorch has two, which are added up.
    pub fn signature(&self) -> Signature {
        let summed =
            |part: &&ModulePart| !(self.is_recurrent() && part.role == TensorRole::RecurrentBias);
        let parts = self.parts.iter().filter(summed);
        parts.map(|part| (part.role, squeezed(&part.shape))).collect()
    }

    /// How many extents of their weights agree, where the two are the same kind of layer with other extents
    /// or without the same bias.
    pub fn likeness(&self, other: &Module) -> Option<usize> {
        let roles = |module: &Module| module.parts.iter().map(|it| it.role).collect::<Vec<_>>();
        let (mine, theirs) =
            (&self.part(TensorRole::Weight)?.shape, &other.part(TensorRole::Weight)?.shape);
        let resemble = match roles(self) == roles(other) {
            true => mine.len() == theirs.len(),
            false => mine == theirs && mine.len() > 1,
        };
        let equal = mine.iter().zip(theirs).filter(|(a, b)| a == b).count();
        resemble.then_some(equal)
    }
}

/// Groups tensors, each with its name and shape, by their modules, which stay in the order of their first
/// tensors.
pub(super) fn grouped(tensors: impl IntoIterator<Item = (String, Vec<usize>)>) -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for (name, shape) in tensors {
        let (mut path, mut role) = place(&name);
        let taken =
            known.get(&path).is_some_and(|&module: &usize| modules[module].part(role).is_some());
        if taken {
            (path, role) = (name.clone(), TensorRole::Weight);
        }
        let module = *known.entry(path.clone()).or_insert_with(|| {
            modules.push(Module { path, parts: Vec::new() });
            modules.len() - 1
        });
        modules[module].parts.push(ModulePart { role, name, shape });
        modules[module].parts.sort_by_key(|part| part.role);
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_placed_in_their_modules() {
        for (name, module, role) in [
            ("conv1.weight", "conv1", TensorRole::Weight),
            ("weight", "", TensorRole::Weight),
            ("layer1.0.bn1.running_var", "layer1.0.bn1", TensorRole::Variance),
            ("attn.in_proj_bias", "attn.in_proj", TensorRole::Bias),
            ("rnn.weight_hh_l1_reverse", "rnn.l1_reverse", TensorRole::Recurrent),
            ("rnn.bias_ih_l0", "rnn.l0", TensorRole::Bias),
            ("lstm.recurrent", "lstm", TensorRole::Recurrent),
            ("cls_token", "cls_token", TensorRole::Weight),
            (
                "a.relative_position_bias_table",
                "a.relative_position_bias_table",
                TensorRole::Weight,
            ),
        ] {
            assert_eq!(place(name), (module.to_owned(), role), "{name}");
        }
    }

    #[test]
    fn two_tensors_of_a_role_are_two_modules() {
        let tensors = ["norm.weight", "norm.gamma"].map(|name| (name.to_owned(), vec![4]));
        let paths: Vec<String> = grouped(tensors).into_iter().map(|it| it.path).collect();
        assert_eq!(paths, ["norm", "norm.gamma"]);
    }

    #[test]
    fn one_bias_of_a_recurrent_layer_stands_for_two() {
        let module = |names: &[&str]| {
            let tensor =
                |name: &&str| (name.to_string(), vec![8; 1 + usize::from(!name.contains("bias"))]);
            grouped(names.iter().map(tensor)).remove(0).signature()
        };
        let theirs = module(&["r.weight_ih_l0", "r.weight_hh_l0", "r.bias_ih_l0", "r.bias_hh_l0"]);
        assert_eq!(theirs, module(&["lstm.weight", "lstm.recurrent", "lstm.bias"]));
        assert_ne!(theirs, module(&["lstm.weight", "lstm.recurrent"]));
    }
}
