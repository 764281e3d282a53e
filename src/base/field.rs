//! Names that the field knows and that nothing here has: layers, activations, losses, metrics,
//! optimizers, schedules, transforms and initializers of other frameworks.
//!
//! ```text
//! relu6   →  still to come; `relu` is the nearest
//! radam   →  Adam with a rectified rate; `adam` is the nearest
//! ```
//!
//! Such a name is never a slip of one of ours, however near it is spelt: `glu` is not `elu`. What is
//! merely *called* otherwise (`BatchNorm2d`) stands in [`names`](super::names). An item that a program
//! or the prelude has comes first, so a row may stay when its name arrives.

/// Where a name can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// Layers, activations and operators.
    Layer,
    /// A loss, which training makes small.
    Loss,
    /// A metric, which is reported.
    Metric,
    /// Rules of update.
    Optimizer,
    /// Learning rates over time.
    Schedule,
    /// A transform of samples.
    Transform,
    /// How weights begin.
    Initializer,
}

/// A name of the field.
#[derive(Debug)]
pub struct KnownName {
    /// As it would be written here.
    pub name: &'static str,
    /// Other names of it, without underscores and capitals.
    pub also: &'static [&'static str],
    /// One short phrase that says what the word stands for: `"an optimizer"`.
    pub what: &'static str,
    /// Whether the language has it and this version does not yet.
    pub to_come: bool,
    /// The closest equivalent that this language has.
    pub near: Option<&'static str>,
}

impl KnownName {
    /// Whether a word, in any spelling, is its name.
    pub fn is(&self, word: &str) -> bool {
        let word = plain(word);
        plain(self.name) == word || self.also.contains(&word.as_str())
    }

    /// Says of its name, as somebody wrote it, what it is and what is nearest.
    pub fn help(&self, written: &str) -> String {
        let when = if self.to_come { "is still to come" } else { "is not of this language" };
        format!("`{written}` ({}) {when}{}", self.what, self.nearest())
    }

    /// Asks whether it was meant by a slip of its name.
    pub fn asked(&self) -> String {
        let when =
            if self.to_come { "It is not in this version" } else { "It is not of this language" };
        format!("did you mean `{}` ({})? {when}{}", self.name, self.what, self.nearest())
    }

    fn nearest(&self) -> String {
        self.near.map(|near| format!("; `{near}` is the nearest")).unwrap_or_default()
    }
}

/// A name without what spellings differ in.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

/// The entry of a word, where one of these kinds is named.
pub fn known(word: &str, kinds: &[NameKind]) -> Option<&'static KnownName> {
    of(kinds).find(|known| known.is(word))
}

/// All that is known of these kinds.
pub fn of(kinds: &[NameKind]) -> impl Iterator<Item = &'static KnownName> {
    let tables = TABLES.iter().filter(|(kind, _)| kinds.contains(kind));
    tables.flat_map(|(_, table)| table.iter())
}

/// All that is known.
pub fn all() -> impl Iterator<Item = &'static KnownName> {
    TABLES.iter().flat_map(|(_, table)| table.iter())
}

/// The tables, each of a kind.
const TABLES: [(NameKind, &[KnownName]); 7] = [
    (NameKind::Layer, LAYERS),
    (NameKind::Loss, LOSSES),
    (NameKind::Metric, METRICS),
    (NameKind::Optimizer, OPTIMIZERS),
    (NameKind::Schedule, SCHEDULES),
    (NameKind::Transform, TRANSFORMS),
    (NameKind::Initializer, INITIALIZERS),
];

/// A name that is still to come.
const fn to_come(
    name: &'static str,
    also: &'static [&'static str],
    what: &'static str,
    near: &'static str,
) -> KnownName {
    let near = if near.is_empty() { None } else { Some(near) };
    KnownName { name, also, what, to_come: true, near }
}

/// A name of something that the language does not have.
const fn absent(
    name: &'static str,
    also: &'static [&'static str],
    what: &'static str,
    near: &'static str,
) -> KnownName {
    let near = if near.is_empty() { None } else { Some(near) };
    KnownName { name, also, what, to_come: false, near }
}

const LAYERS: &[KnownName] = &[
    to_come("relu6", &[], "a ReLU that ends at 6", "relu"),
    to_come("prelu", &["parametricrelu"], "a ReLU whose slope is learned", "leaky_relu"),
    to_come("hard_sigmoid", &[], "a sigmoid of three straight lines", "sigmoid"),
    to_come("glu", &["gatedlinearunit"], "a gated linear unit", ""),
    to_come("swiglu", &[], "a linear unit gated by swish", ""),
    to_come("lstm", &["lstmcell"], "a recurrent layer", ""),
    to_come("gru", &["grucell"], "a recurrent layer", ""),
    to_come("rnn", &["simplernn", "rnncell", "elman"], "a recurrent layer", ""),
    to_come(
        "attention",
        &["multiheadattention", "selfattention", "mha", "scaleddotproductattention"],
        "self-attention",
        "",
    ),
    to_come("cross_attention", &[], "attention over a memory", ""),
    to_come("positions", &["positionalembedding", "positionembedding"], "learned positions", ""),
    to_come(
        "sinusoidal_positions",
        &["positionalencoding", "sinepositionencoding"],
        "fixed positions",
        "",
    ),
    to_come("rotary", &["rope", "rotaryembedding"], "rotary positions", ""),
    to_come(
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
        "a transposed convolution",
        "",
    ),
    to_come(
        "upsample",
        &["upsampling1d", "upsampling2d", "upsamplingnearest2d", "interpolate"],
        "enlarging images",
        "",
    ),
    absent("celu", &[], "an ELU with a continuous derivative", "elu"),
    absent("rrelu", &["randomizedrelu"], "a leaky ReLU with random slopes", "leaky_relu"),
    absent("frelu", &["funnelrelu"], "a ReLU against a learned window", "relu"),
    absent("thresholded_relu", &[], "a ReLU with a threshold", "relu"),
    absent("threshold", &[], "a step at a threshold", "relu"),
    absent("hardtanh", &["clippedrelu"], "a clipped identity", "tanh"),
    absent("tanhshrink", &["softshrink", "hardshrink", "shrink"], "a shrinkage", ""),
    absent("softsign", &[], "x / (1 + |x|)", "tanh"),
    absent("softmin", &[], "a softmax of the negative", "softmax"),
    absent("sparsemax", &["entmax"], "a sparse softmax", "softmax"),
    absent("gumbel_softmax", &[], "a softmax with noise", "softmax"),
    absent("softmax2d", &[], "a softmax over the channels of PyTorch's order", "softmax"),
    absent("log_sigmoid", &["logsigmoid"], "the logarithm of a sigmoid", "sigmoid"),
    absent("reglu", &["geglu"], "a gated linear unit", ""),
    absent("quick_gelu", &["gelunew", "gelutanh", "fastgelu"], "an approximate GELU", "gelu"),
    absent("squared_relu", &["relusquared"], "a ReLU squared", "relu"),
    absent("crelu", &["concatrelu"], "a ReLU of both signs", "relu"),
    absent("maxout", &[], "the largest of several linear units", ""),
    absent(
        "instance_norm",
        &["instancenorm1d", "instancenorm2d"],
        "a norm per image and channel",
        "",
    ),
    absent(
        "local_response_norm",
        &["lrn", "localresponsenormalization"],
        "a norm over near channels",
        "",
    ),
    absent("weight_norm", &["spectralnorm"], "a norm of weights", ""),
    absent("sync_batch_norm", &["syncbatchnorm"], "batch norm over several devices", "batch_norm"),
    absent(
        "spatial_dropout",
        &["dropout2d", "spatialdropout2d", "spatialdropout1d", "featuredropout"],
        "dropout of whole channels",
        "dropout",
    ),
    absent("alpha_dropout", &[], "dropout that keeps mean and variance", "dropout"),
    absent("gaussian_dropout", &[], "multiplicative noise", "dropout"),
    absent("gaussian_noise", &[], "additive noise", ""),
    absent("drop_path", &["stochasticdepth", "droppath"], "dropping whole branches", "dropout"),
    absent("drop_block", &["dropblock"], "dropout of squares", "dropout"),
    absent(
        "separable_conv",
        &["separableconv1d", "separableconv2d", "depthwiseseparableconv"],
        "a depthwise convolution and one of size 1",
        "depthwise_conv",
    ),
    absent("conv3d", &["convolution3d"], "a convolution over three axes", "conv"),
    absent(
        "locally_connected",
        &["locallyconnected1d", "locallyconnected2d"],
        "a convolution without shared weights",
        "conv",
    ),
    absent("deformable_conv", &["deformconv2d"], "a convolution with learned offsets", "conv"),
    absent(
        "max_pool3d",
        &["maxpooling3d", "avgpool3d", "averagepooling3d"],
        "pooling over three axes",
        "max_pool",
    ),
    absent(
        "adaptive_avg_pool",
        &["adaptiveavgpool1d", "adaptiveavgpool2d"],
        "pooling to a given size",
        "global_avg_pool",
    ),
    absent(
        "adaptive_max_pool",
        &["adaptivemaxpool1d", "adaptivemaxpool2d"],
        "pooling to a given size",
        "global_max_pool",
    ),
    absent("lp_pool", &["lppool2d", "fractionalmaxpool2d"], "pooling by a norm", "avg_pool"),
    absent("max_unpool", &["maxunpool2d"], "the reverse of max pooling", ""),
    absent("spp", &["spatialpyramidpooling"], "pooling at several sizes", "max_pool"),
    absent("pixel_shuffle", &["depthtospace"], "channels moved into space", "reshape"),
    absent("pixel_unshuffle", &["spacetodepth", "reorg"], "space moved into channels", "reshape"),
    absent("embedding_bag", &[], "a mean of embeddings", "embedding"),
    absent("bilinear", &[], "a product with two inputs", ""),
    absent("highway", &[], "a gated layer", "dense"),
    absent("squeeze_excite", &["squeezeexcitation", "seblock"], "a gate for each channel", ""),
    absent(
        "transformer",
        &["transformerencoder", "transformerencoderlayer", "transformerdecoder"],
        "a stack of attention layers",
        "",
    ),
    absent("bidirectional", &["bilstm", "bigru"], "a recurrent layer both ways", ""),
    absent("time_distributed", &[], "a layer for each step", "dense"),
    absent("lambda", &[], "a function as a layer", ""),
    absent("masking", &[], "skipping steps", ""),
    absent("moe", &["mixtureofexperts"], "a mixture of experts", ""),
    absent("yolo", &["detection", "region", "priorbox"], "a detection head", ""),
    absent("einsum", &[], "a sum of products by index", ""),
];

const LOSSES: &[KnownName] = &[
    to_come("dice", &["diceloss", "softdice"], "the overlap of masks", ""),
    to_come("iou", &["iouloss", "jaccard", "jaccardloss"], "the overlap of masks", ""),
    to_come("rmse", &["rmseloss", "rootmeansquarederror"], "the root of the mean square", "mse"),
    to_come("perplexity", &[], "the exponential of a cross entropy", "cross_entropy"),
    to_come("r2", &["r2score"], "the explained share of variance", "mse"),
    absent("bce_loss", &["bceloss"], "a cross entropy of probabilities", "binary_cross_entropy"),
    absent("mape", &["meanabsolutepercentageerror", "smape"], "a mean error in percent", "mae"),
    absent("msle", &["meansquaredlogarithmicerror", "rmsle"], "a mean square of logarithms", "mse"),
    absent("sse", &["sumsquarederror", "euclideanloss"], "a sum of squares", "mse"),
    absent("smooth_l1", &["smoothl1loss"], "a Huber loss divided by its width", "huber"),
    absent("log_cosh", &["logcosh"], "the logarithm of cosh", "huber"),
    absent("quantile", &["quantileloss", "pinball", "pinballloss"], "a loss of quantiles", "mae"),
    absent("poisson", &["poissonnllloss"], "a loss of counts", "mse"),
    absent("gaussian_nll", &["gaussiannllloss"], "a likelihood of mean and variance", "mse"),
    absent("squared_hinge", &[], "a hinge loss squared", "hinge"),
    absent(
        "categorical_hinge",
        &["multimarginloss", "hingeembeddingloss", "softmarginloss"],
        "another hinge loss",
        "hinge",
    ),
    absent(
        "focal_binary",
        &["binaryfocalcrossentropy", "sigmoidfocalloss"],
        "a focal loss of single answers",
        "focal",
    ),
    absent("tversky", &["tverskyloss", "lovasz"], "a weighted overlap of masks", ""),
    absent("ctc", &["ctcloss"], "a loss of unaligned sequences", ""),
    absent("triplet", &["tripletmarginloss", "tripletloss"], "a loss of three embeddings", ""),
    absent(
        "contrastive",
        &["contrastiveloss", "infonce", "ntxent", "cosineembeddingloss"],
        "a loss of pairs",
        "",
    ),
    absent("cosine_similarity", &["cosineloss", "cosineproximity"], "an angle", ""),
    absent("arcface", &["centerloss"], "a loss of angles", "cross_entropy"),
    absent("wasserstein", &["emd"], "a distance of distributions", ""),
    absent("js_divergence", &["jsdivergence"], "a symmetric divergence", "kl_divergence"),
    absent("elbo", &["vaeloss"], "a bound of a likelihood", ""),
];

const METRICS: &[KnownName] = &[
    to_come("dice", &["dicescore", "dicecoefficient"], "the overlap of masks", ""),
    to_come("iou", &["meaniou", "jaccard", "jaccardindex", "miou"], "the overlap of masks", ""),
    to_come("perplexity", &[], "the exponential of a cross entropy", ""),
    to_come("rmse", &["rootmeansquarederror"], "the root of the mean square", ""),
    to_come("mae", &["meanabsoluteerror"], "the mean error", ""),
    to_come("r2", &["r2score", "rsquared"], "the explained share of variance", ""),
    absent("mape", &["meanabsolutepercentageerror", "smape"], "a mean error in percent", ""),
    absent(
        "auc",
        &["rocauc", "auroc", "prauc", "averageprecision", "map"],
        "an area under a curve",
        "f1",
    ),
    absent(
        "binary_accuracy",
        &["balancedaccuracy", "subsetaccuracy"],
        "another accuracy",
        "accuracy",
    ),
    absent("f2", &["fbeta", "fbetascore", "f05"], "another mean of precision and recall", "f1"),
    absent(
        "sensitivity",
        &["tpr", "truepositiverate"],
        "another name of recall for one class",
        "recall",
    ),
    absent(
        "specificity",
        &["tnr", "truenegativerate"],
        "the recall of the other classes",
        "recall",
    ),
    absent("confusion_matrix", &["confusion"], "a table of classes", "accuracy"),
    absent(
        "mcc",
        &["matthewscorrcoef", "cohenkappa", "kappa"],
        "a correlation of classes",
        "accuracy",
    ),
    absent("log_loss", &["logloss"], "the loss itself, which is always reported", ""),
    absent("bleu", &["rouge", "wer", "cer"], "a score of texts", ""),
    absent("psnr", &["ssim"], "a score of images", ""),
    absent("cosine_similarity", &["pearson", "spearman"], "a correlation", ""),
];

const OPTIMIZERS: &[KnownName] = &[
    absent("adamax", &[], "Adam by the largest gradient", "adam"),
    absent("radam", &["rectifiedadam"], "Adam with a rectified rate", "adam"),
    absent("amsgrad", &[], "Adam by the largest second moment", "adam"),
    absent("adabound", &["amsbound"], "Adam with bounded rates", "adam"),
    absent("adabelief", &[], "Adam by the surprise of gradients", "adam"),
    absent("adafactor", &[], "Adam with factored moments", "adam"),
    absent("adahessian", &["sophia"], "Adam by second derivatives", "adam"),
    absent("adan", &[], "Adam with Nesterov's momentum", "nadam"),
    absent("nadamw", &["naadamw"], "Nadam with decoupled decay", "nadam"),
    absent("sparse_adam", &["lazyadam"], "Adam for sparse gradients", "adam"),
    absent("lamb", &[], "Adam with a rate for each layer", "adamw"),
    absent("lars", &["larc"], "SGD with a rate for each layer", "sgd"),
    absent("asgd", &[], "averaged SGD", "sgd"),
    absent("nesterov", &["nag", "momentum", "sgdw"], "SGD with an option", "sgd"),
    absent("rprop", &[], "steps by the sign of gradients", "rmsprop"),
    absent("ftrl", &["adagradda"], "a rule for sparse models", "adagrad"),
    absent("lbfgs", &["bfgs", "conjugategradient"], "a second-order method", "sgd"),
    absent("ranger", &["lookahead"], "Adam with slow weights", "adam"),
    absent("yogi", &[], "Adam with additive moments", "adam"),
    absent("muon", &["shampoo", "soap"], "a rule of whole matrices", "adamw"),
    absent("novograd", &["prodigy", "dadaptadam"], "Adam with rates by layer", "adam"),
    absent("tiger", &["signsgd"], "steps by the sign of a mean", "lion"),
];

const SCHEDULES: &[KnownName] = &[
    absent(
        "cosine_restarts",
        &["cosineannealingwarmrestarts", "cosinedecayrestarts", "sgdr"],
        "a cosine that begins again",
        "cosine",
    ),
    absent(
        "cyclic",
        &["cycliclr", "cyclicallearningrate", "triangular"],
        "a rate that goes up and down",
        "one_cycle",
    ),
    absent(
        "piecewise",
        &["piecewiseconstant", "piecewiseconstantdecay", "multisteplr", "multistep"],
        "a rate for each part of a run",
        "step_decay",
    ),
    absent(
        "inverse_time",
        &["inversetimedecay", "inv", "inversesqrt", "noam", "rsqrtdecay"],
        "a rate that falls with the inverse",
        "polynomial",
    ),
    absent(
        "lambda_lr",
        &["lambdalr", "learningratescheduler", "multiplicativelr"],
        "a rate by a function: declare a `schedule`",
        "",
    ),
    absent("reduce_lr_on_plateau", &["reducelronplateau"], "the setting `reduce_on_plateau`", ""),
    absent(
        "warmup_cosine",
        &["linearwarmupcosine", "linearlr", "sequentiallr", "chainedscheduler"],
        "a schedule of several",
        "cosine",
    ),
];

const TRANSFORMS: &[KnownName] = &[
    to_come("standardize", &["standardscaler"], "a mean of 0 and a deviation of 1", "normalize"),
    to_come("minmax", &["minmaxscaler"], "a range of 0 to 1", "rescale"),
    to_come("clip", &["clamp"], "a bound of values", ""),
    to_come("buckets", &["bucketize", "discretization"], "ranges as classes", "one_hot"),
    to_come("spectrogram", &["stft"], "the frequencies of a wave", ""),
    to_come("mel", &["melspectrogram"], "the frequencies that are heard", ""),
    to_come("mfcc", &[], "the cepstrum of a wave", ""),
    absent("random_affine", &["randomshear", "shear"], "a random linear map", "random_rotate"),
    absent(
        "random_translate",
        &["randomtranslation", "randomshift"],
        "a random shift",
        "random_crop",
    ),
    absent("random_resized_crop", &["resizedcrop"], "a crop of a random size", "random_crop"),
    absent(
        "random_perspective",
        &["elastictransform", "elastic"],
        "a random distortion",
        "random_rotate",
    ),
    absent(
        "random_brightness",
        &["randomcontrast", "brightness", "contrast", "hue", "saturation"],
        "one part of `color_jitter`",
        "color_jitter",
    ),
    absent(
        "random_invert",
        &["randomposterize", "randomsolarize", "randomequalize", "autocontrast"],
        "a change of colours",
        "color_jitter",
    ),
    absent("gaussian_blur", &["randomblur", "blur", "sharpness"], "a blur", ""),
    absent("gaussian_noise", &["randomnoise", "noise"], "additive noise", ""),
    absent(
        "auto_augment",
        &["randaugment", "trivialaugment", "augmix"],
        "a policy of transforms",
        "color_jitter",
    ),
    absent("mosaic", &["copypaste"], "images of several", "cutmix"),
    absent(
        "spec_augment",
        &["timemasking", "frequencymasking"],
        "masks over a spectrogram",
        "random_erase",
    ),
    absent("five_crop", &["tencrop"], "several crops", "random_crop"),
    absent("zca", &["whitening", "zcawhitening"], "whitened pixels", "normalize"),
];

const INITIALIZERS: &[KnownName] = &[
    absent("identity", &["eye", "dirac"], "an identity", "orthogonal"),
    absent("sparse", &[], "mostly zeros", "normal"),
    absent("variance_scaling", &[], "a family: glorot, he and lecun are of it", "he_normal"),
    absent("trunc_glorot", &["bilinearfiller"], "another filling of weights", "glorot_normal"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_one_thing_of_a_kind() {
        for (kind, table) in TABLES {
            for known in table {
                for word in known.also.iter().chain([&known.name]) {
                    let same = table.iter().filter(|known| known.is(word)).count();
                    assert_eq!(same, 1, "{word} of {kind:?}");
                    assert_eq!(plain(word).as_str(), plain(&plain(word)), "{word}");
                }
                assert!(known.also.iter().all(|also| *also == plain(also)), "{}", known.name);
            }
        }
    }
}
