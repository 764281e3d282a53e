//! Names that a misspelt one may have meant.
//!
//! `desne` is near `dense`; so are `Dense` and `DENSE`, which differ in nothing but letter case.

use std::collections::HashSet;

/// How many names are near one at most.
const MOST: usize = 8;
/// How many characters a word may have that is taken for a slip.
const LONGEST: usize = 64;

/// The nearest of `names` to `name`, near enough to be a slip of the keyboard.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    near(name, names).into_iter().next()
}

/// The names near `name`, each once, the nearest first; of those equally near, in their order.
pub fn near<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let allowed = (name.chars().count() / 3).max(1);
    let word = plain(name);
    let known = |ours: &str| {
        ELSEWHERE.iter().any(|(name, theirs)| *name == ours && theirs.contains(&word.as_str()))
    };
    // Longer words are not slips of others, and distances take the product of the lengths.
    let length = name.chars().count();
    let too_long = |other: &str| {
        length > LONGEST
            || other.len() > 4 * LONGEST
            || other.chars().count().abs_diff(length) > allowed
    };
    let mut seen = HashSet::new();
    let mut found: Vec<(usize, &'a str)> = Vec::new();
    for candidate in names {
        let distance = match candidate {
            _ if known(candidate) => 0,
            _ if word == plain(candidate) => 1,
            _ if too_long(candidate) => continue,
            _ => 1 + edit_distance(name, candidate),
        };
        if distance <= 1 + allowed && seen.insert(candidate) {
            found.push((distance, candidate));
        }
    }
    found.sort_by_key(|&(distance, _)| distance);
    found.into_iter().map(|(_, candidate)| candidate).take(MOST).collect()
}

/// What Keras, PyTorch, Caffe and Darknet call what has another name here, without underscores and
/// capitals.
const ELSEWHERE: &[(&str, &[&str])] = &[
    ("f32", &["float32", "floattensor"]),
    ("concat", &["cat", "concatenate", "hstack"]),
    ("f1", &["f1score", "fscore"]),
    ("false", &["none", "no", "off", "nil", "null"]),
    ("true", &["yes", "on"]),
    ("crop", &["centercrop", "cropcenter"]),
    ("reflect", &["reflection", "mirror"]),
    ("nearest", &["replicate", "edge"]),
    ("factor", &["gamma", "decayrate"]),
    ("floor", &["etamin", "minlr", "endlearningrate"]),
    ("peak", &["lr", "learningrate", "maxlr", "initiallearningrate"]),
    ("every", &["stepsize", "decaysteps"]),
    ("multiplier", &["depthmultiplier"]),
    ("positive", &["class", "poslabel", "classid"]),
    ("beta1", &["betas", "momentum"]),
    ("momentum", &["beta1", "beta"]),
    ("range", &["heightfactor", "factor"]),
    ("folder", &["root", "directory", "path"]),
    ("i32", &["int32", "int64", "long"]),
    ("u8", &["uint8", "byte"]),
    ("dense", &["linear", "fc", "fullyconnected", "innerproduct", "connected"]),
    ("conv", &["conv1d", "conv2d", "convolution", "convolutional", "convolution2d"]),
    ("depthwise_conv", &["depthwiseconv2d", "separableconv2d"]),
    ("max_pool", &["maxpool1d", "maxpool2d", "maxpooling", "maxpooling1d", "maxpooling2d"]),
    ("avg_pool", &["avgpool2d", "averagepooling", "averagepooling2d", "averagepool"]),
    (
        "global_avg_pool",
        &["gap", "globalaveragepooling2d", "globalaveragepooling", "adaptiveavgpool2d"],
    ),
    ("global_max_pool", &["globalmaxpooling2d", "globalmaxpooling", "adaptivemaxpool2d"]),
    ("batch_norm", &["batchnorm1d", "batchnorm2d", "batchnormalization", "bn"]),
    ("layer_norm", &["layernormalization", "ln"]),
    ("group_norm", &["groupnormalization"]),
    ("dropout", &["dropout2d", "spatialdropout2d"]),
    ("embedding", &["embed"]),
    ("silu", &["swish"]),
    ("hard_swish", &["hardsilu"]),
    ("units", &["outfeatures", "numoutput", "output", "width"]),
    ("filters", &["outchannels", "numoutput", "channels"]),
    ("size", &["kernelsize", "kernel", "poolsize", "imagesize", "targetsize", "imgsize"]),
    ("stride", &["strides"]),
    ("pad", &["padding", "paddings"]),
    ("dilation", &["dilationrate"]),
    ("groups", &["group", "numgroups"]),
    ("bias", &["usebias", "biasterm"]),
    ("init", &["kernelinitializer", "initializer", "weightfiller"]),
    ("rate", &["p", "prob", "dropoutratio"]),
    ("eps", &["epsilon"]),
    ("slope", &["negativeslope", "alpha"]),
    ("count", &["numembeddings", "inputdim", "vocabsize"]),
    ("dim", &["embeddingdim", "outputdim"]),
    ("axis", &["dim"]),
    ("keep", &["keepdim", "keepdims"]),
    ("smoothing", &["labelsmoothing"]),
    ("lr", &["learningrate", "baselr"]),
    ("weight_decay", &["decay"]),
    (
        "cross_entropy",
        &[
            "categoricalcrossentropy",
            "sparsecategoricalcrossentropy",
            "crossentropyloss",
            "softmaxcrossentropy",
            "softmaxwithloss",
        ],
    ),
    ("binary_cross_entropy", &["binarycrossentropy", "bce", "bceloss", "bcewithlogitsloss"]),
    ("mse", &["mseloss", "meansquarederror", "euclideanloss"]),
    ("mae", &["l1loss", "meanabsoluteerror"]),
    ("huber", &["smoothl1loss", "huberloss"]),
    ("nll", &["nllloss"]),
    ("kl_divergence", &["kldivloss", "kldivergence"]),
    ("accuracy", &["acc", "categoricalaccuracy", "sparsecategoricalaccuracy"]),
    ("top_k", &["top5", "topkcategoricalaccuracy", "topkaccuracy"]),
    ("cosine", &["cosineannealing", "cosineannealinglr", "cosinedecay"]),
    ("step_decay", &["steplr", "multistep", "step"]),
    ("exponential", &["exponentiallr", "exponentialdecay"]),
    ("one_cycle", &["onecyclelr"]),
    ("polynomial", &["poly", "polynomialdecay"]),
    ("warmup", &["warmupsteps", "burnin"]),
    ("glorot_uniform", &["xavier", "xavieruniform"]),
    ("glorot_normal", &["xaviernormal"]),
    ("he_normal", &["kaimingnormal", "msra"]),
    ("he_uniform", &["kaiminguniform"]),
    ("optimizer", &["optim", "solver"]),
    ("loss", &["criterion", "lossfunction"]),
    ("metrics", &["metric"]),
    ("batch", &["batchsize"]),
    ("epochs", &["numepochs", "nbepoch", "maxepochs"]),
    ("seed", &["randomseed", "randomstate"]),
    ("last_batch", &["droplast", "dropremainder"]),
    ("clip_norm", &["clipgradnorm", "clipnorm", "gradclip", "maxgradnorm"]),
    ("clip_value", &["clipvalue", "clipgradvalue"]),
    ("validation", &["validationsplit", "val", "valid"]),
    ("images", &["imagefolder", "imagedatasetfromdirectory"]),
    ("random_flip", &["randomhorizontalflip", "hflip", "flip"]),
    ("random_rotate", &["randomrotation"]),
    ("random_erase", &["randomerasing", "cutout"]),
];

/// A name without what spellings differ in.
fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_a_slip_away_or_none() {
        let names = ["relu", "leaky_relu", "gelu", "dense"];
        assert_eq!(nearest("relux", names), Some("relu"));
        assert_eq!(nearest("desne", names), Some("dense"));
        assert_eq!(nearest("LeakyReLU", names), Some("leaky_relu"));
        assert_eq!(nearest("convolution", names), None);
        assert_eq!(nearest("Linear", names), Some("dense"), "of PyTorch");
    }
}
