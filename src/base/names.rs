//! Names that a misspelt one may have meant.
//!
//! ```text
//! Dense, Linear  →  dense           the same, spelt otherwise
//! desne          →  dense           the only name a slip away
//! adamx          →  adam, adamw     as likely as each other
//! celu           →  elu             something else: `field` knows what
//! ```

use crate::base::field::{self, KnownName, NameKind, plain};
use crate::base::fix::Certainty;
use std::collections::HashSet;
use strsim::osa_distance;

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
    by_distance(name, names).into_iter().map(|(_, candidate)| candidate).take(MOST).collect()
}

/// The same, with how surely each is meant.
pub fn readings<'a>(
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Vec<(&'a str, Certainty)> {
    let found = by_distance(name, names);
    let best = found.first().map(|&(distance, _)| distance);
    let tied = found.iter().filter(|&&(distance, _)| Some(distance) == best).count();
    let reading = |distance: usize, candidate: &str| match distance {
        ALIAS | SAME_WORD => Certainty::Spelling,
        // Numbers in names tell things apart: `head1` is no slip of `head2`.
        _ if digits(name) != digits(candidate) => Certainty::Suggestion,
        _ if Some(distance) == best && tied == 1 => Certainty::Likely,
        _ => Certainty::Alternative,
    };
    let found = found.into_iter().take(MOST);
    found.map(|(distance, candidate)| (candidate, reading(distance, candidate))).collect()
}

/// The candidates for a name that nothing here has, where things of some kinds are named.
pub struct Meant<'a> {
    /// The names that it may be a slip of, the likeliest first.
    pub near: Vec<(&'a str, Certainty)>,
    /// The entry of the field's vocabulary that the name is, or is a slip of, where nothing here is
    /// the same.
    pub known: Option<&'static KnownName>,
    /// Whether it is a slip of that.
    pub slip: bool,
}

/// Finds a meaning for a name: one of `names`, or an entry of the field's vocabulary.
pub fn meant<'a>(
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
    kinds: &[NameKind],
) -> Meant<'a> {
    let names: Vec<&str> = names.into_iter().collect();
    let mut near = readings(name, names.iter().copied());
    if near.iter().any(|(_, reading)| *reading == Certainty::Spelling) {
        return Meant { near, known: None, slip: false };
    }
    let offer = |known: &KnownName| {
        let nearest = known.near.and_then(|near| names.iter().find(|name| **name == near));
        nearest.map(|name| (*name, Certainty::Suggestion)).into_iter().collect()
    };
    if let Some(known) = field::known(name, kinds) {
        return Meant { near: offer(known), known: Some(known), slip: false };
    }
    // A slip of something that is known elsewhere is none of what is here, however near that is.
    let all = field::of(kinds).filter(|known| digits(known.name) == digits(name));
    let slips = by_distance(name, all.map(|known| known.name));
    let Some(&(distance, word)) = slips.first() else {
        return Meant { near, known: None, slip: false };
    };
    let best = by_distance(name, near.iter().map(|(name, _)| *name)).first().map(|it| it.0);
    let known = field::known(word, kinds);
    match best {
        Some(best) if best < distance => Meant { near, known: None, slip: false },
        Some(best) if best == distance => {
            near.iter_mut().for_each(|(_, reading)| *reading = Certainty::Suggestion);
            Meant { near, known: None, slip: false }
        }
        _ => Meant { near: known.map(offer).unwrap_or_default(), known, slip: true },
    }
}

/// The digits of a name.
fn digits(name: &str) -> String {
    name.chars().filter(char::is_ascii_digit).collect()
}

/// The distance of what another framework calls so.
const ALIAS: usize = 0;
/// The distance of the same word in another spelling.
const SAME_WORD: usize = 1;

/// The names near `name` with their distances, the nearest first.
fn by_distance<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<(usize, &'a str)> {
    let allowed = (name.chars().count() / 3).max(1);
    let word = plain(name);
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
            _ if is_alias(candidate, &word) => ALIAS,
            _ if word == plain(candidate) => SAME_WORD,
            _ if too_long(candidate) => continue,
            _ => SAME_WORD + osa_distance(name, candidate),
        };
        if distance <= SAME_WORD + allowed && seen.insert(candidate) {
            found.push((distance, candidate));
        }
    }
    found.sort_by_key(|&(distance, _)| distance);
    found
}

/// Whether another framework calls so what is `ours` here; `word` is a [plain] name.
fn is_alias(ours: &str, word: &str) -> bool {
    ELSEWHERE.iter().any(|(name, theirs)| *name == ours && theirs.contains(&word))
}

/// The one of `names` that another framework calls `name`.
pub fn alias<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(name);
    names.into_iter().find(|ours| is_alias(ours, &word))
}

/// Names of Keras, PyTorch, Caffe and Darknet for things with another name here, without
/// underscores and capitals.
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
    ("depthwise_conv", &["depthwiseconv", "depthwiseconv1d", "depthwiseconv2d"]),
    ("max_pool", &["maxpool1d", "maxpool2d", "maxpooling", "maxpooling1d", "maxpooling2d"]),
    ("avg_pool", &["avgpool2d", "averagepooling", "averagepooling2d", "averagepool"]),
    ("global_avg_pool", &["gap", "globalaveragepooling2d", "globalaveragepooling"]),
    ("global_max_pool", &["globalmaxpooling2d", "globalmaxpooling"]),
    (
        "conv_transpose",
        &[
            "convtranspose1d",
            "convtranspose2d",
            "conv1dtranspose",
            "conv2dtranspose",
            "transposedconv",
            "deconv",
            "deconv2d",
            "deconvolution",
        ],
    ),
    ("upsample", &["upsampling1d", "upsampling2d", "upsamplingnearest2d", "interpolate"]),
    ("rmse", &["rootmeansquarederror"]),
    ("r2", &["r2score", "rsquared"]),
    ("iou", &["jaccard", "jaccardindex"]),
    ("dice", &["dicescore", "dicecoefficient"]),
    ("batch_norm", &["batchnorm1d", "batchnorm2d", "batchnormalization", "bn"]),
    ("layer_norm", &["layernormalization", "ln"]),
    ("group_norm", &["groupnormalization"]),
    ("embedding", &["embed"]),
    ("lstm", &["lstmcell"]),
    ("gru", &["grucell"]),
    ("rnn", &["simplernn", "rnncell", "elman"]),
    ("attention", &["multiheadattention", "selfattention", "mha"]),
    ("dot_attention", &["scaleddotproductattention"]),
    ("positions", &["positionalembedding", "positionembedding"]),
    ("sinusoidal_positions", &["positionalencoding", "sinepositionencoding"]),
    ("rotary", &["rope", "rotaryembedding"]),
    ("prelu", &["parametricrelu"]),
    ("glu", &["gatedlinearunit"]),
    ("heads", &["numheads", "nhead"]),
    ("ignore", &["ignoreindex", "ignoreclass"]),
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
    ("binary_cross_entropy", &["bce", "bcewithlogitsloss", "sigmoidcrossentropy"]),
    ("mse", &["mseloss", "meansquarederror"]),
    ("mae", &["l1loss", "meanabsoluteerror"]),
    ("huber", &["huberloss"]),
    ("nll", &["nllloss"]),
    ("kl_divergence", &["kldivloss", "kldivergence"]),
    ("accuracy", &["acc", "categoricalaccuracy", "sparsecategoricalaccuracy"]),
    ("top_k", &["top5", "topkcategoricalaccuracy", "topkaccuracy"]),
    ("cosine", &["cosineannealing", "cosineannealinglr", "cosinedecay"]),
    ("step_decay", &["steplr", "step"]),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_field_knows_is_no_slip_of_what_is_here() {
        let names = ["relu", "elu", "gelu", "silu", "selu"];
        let layers = [NameKind::Layer];
        for name in ["celu", "CELU", "rrelu", "RReLU", "reglu"] {
            let meant = meant(name, names, &layers);
            assert!(meant.known.is_some() && !meant.slip, "{name}");
            let sure = |(_, reading): &(&str, Certainty)| *reading != Certainty::Suggestion;
            assert!(!meant.near.iter().any(sure), "{name}");
        }
        let slip = meant("lamdba", names, &layers);
        assert_eq!(slip.known.map(|known| known.name), Some("lambda"));
        assert!(slip.slip && slip.near.is_empty());
        assert_eq!(meant("reluu", names, &layers).near[0], ("relu", Certainty::Likely));
        assert_eq!(meant("Swish", names, &layers).near[0], ("silu", Certainty::Spelling));
        // One key from each.
        let both = meant("zelu", ["gelu", "selu"], &[]).near;
        assert!(both.iter().all(|(_, reading)| *reading == Certainty::Alternative), "{both:?}");
        assert_eq!(readings("head2", ["head1"]), [("head1", Certainty::Suggestion)]);
    }

    /// A name that has an alias here is in no other entry of the vocabulary.
    #[test]
    fn no_name_is_both_the_same_and_something_else() {
        for (ours, theirs) in ELSEWHERE {
            for word in theirs.iter() {
                let of_kind = field::all().find(|known| known.is(word));
                // An argument may be called as a layer is elsewhere.
                let near = of_kind.and_then(|known| known.near);
                assert_ne!(near, Some(*ours), "{word}");
            }
        }
    }

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
