//! The names of other frameworks, with those that stand for them here: a row for each, and nothing else.
//!
//! ```text
//! row("Conv2d", "in_channels filters/out_channels size/kernel_size …", "conv(filters, size(size), …)")
//!      names     parameters in their order, with their other names       what is written here
//! ```
//!
//! A name with `nn.` before it is meant only behind that. A parameter with `#` must be a whole
//! number, one with `*` is given by its name, one with `=` must have that value. What the text here does not name is left out. An argument without a name must be given,
//! unless `??` says what it is otherwise; one with a name is left out where it is not given. The
//! conversions (`size`, `pad`, `item`, …) are in [`row`](super::row); `then(x)` is the stage that an
//! argument names, `as x` its label. A row with `=` gives settings of `train`.

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct TableRow {
    /// The names there, with spaces between.
    pub theirs: &'static str,
    /// The parameters there, in order, each with its other names.
    pub takes: &'static str,
    /// The text here.
    pub ours: &'static str,
}

const fn row(theirs: &'static str, takes: &'static str, ours: &'static str) -> TableRow {
    TableRow { theirs, takes, ours }
}

/// Parameters that no layer here has: shapes follow from what comes in.
pub const DROPPED: &[&str] = &[
    "input_shape",
    "input_dim",
    "batch_input_shape",
    "data_format",
    "inplace",
    "device",
    "dtype",
    "batch_first",
    "training",
    "bottom",
    "top",
    "trainable",
    "padding_mode",
    "bias_filler",
    "bias_initializer",
    "verbose",
    "validation_data",
    "callbacks",
    "return_sequences",
    "input_length",
    "from_logits",
    "reduction",
];

/// Names that only say where something is.
pub const NAMESPACES: &[&str] = &[
    "nn",
    "torch",
    "F",
    "functional",
    "keras",
    "tf",
    "tensorflow",
    "layers",
    "optim",
    "optimizers",
    "losses",
    "metrics",
    "models",
    "activations",
    "schedules",
    "lr_scheduler",
    "utils",
    "pl",
    "L",
    "lightning",
    "torchmetrics",
    "classification",
    "callbacks",
    "caffe",
    "modules",
];

/// Words of other languages, and those here.
pub const WORDS: &[(&str, &str)] = &[
    ("True", "true"),
    ("False", "false"),
    ("None", "none"),
    ("nullptr", "none"),
    ("null", "none"),
];

/// Methods that change a value's shape.
pub const RESHAPES: &[&str] = &["view", "reshape"];

/// Layers in a row.
pub const SEQUENCES: &[&str] = &["Sequential"];

/// Items of other frameworks, each as it is written here; of equal names the first that fits.
pub const TABLE: &[TableRow] = &[
    // Layers that multiply by weights.
    row("dense", "in# units# bias", "dense(units, bias: bias)"),
    row(
        "Dense dense InnerProduct",
        "units/num_output activation bias/use_bias/bias_term init/kernel_initializer/weight_filler name",
        "dense(units, bias: bias, init: item(init)) |> then(activation) as name",
    ),
    row("Linear LazyLinear", "in_features units/out_features bias", "dense(units, bias: bias)"),
    row("Linear LazyLinear", "units/out_features bias", "dense(units, bias: bias)"),
    row(
        "Conv2D Conv1D Convolution2D Convolution1D conv",
        "filters size/kernel_size stride/strides pad/padding data_format dilation/dilation_rate groups \
         activation bias/use_bias init/kernel_initializer name",
        "conv(filters, size(size), stride: size(stride), pad: pad(pad), dilation: size(dilation), \
         groups: groups, bias: bias, init: item(init)) |> then(activation) as name",
    ),
    row(
        "Conv2d Conv1d",
        "in_channels filters/out_channels size/kernel_size stride pad/padding dilation groups bias",
        "conv(filters, size(size), stride: size(stride), pad: pad(pad), dilation: size(dilation), \
         groups: groups, bias: bias)",
    ),
    row(
        "LazyConv2d LazyConv1d",
        "filters/out_channels size/kernel_size stride pad/padding dilation groups bias",
        "conv(filters, size(size), stride: size(stride), pad: pad(pad), dilation: size(dilation), \
         groups: groups, bias: bias)",
    ),
    row(
        "Convolution",
        "filters/num_output size/kernel_size pad stride group dilation bias/bias_term init/weight_filler",
        "conv(filters, size(size), stride: size(stride), pad: pad(pad), dilation: size(dilation), \
         groups: group, bias: bias, init: item(init))",
    ),
    row(
        "DepthwiseConv2D DepthwiseConv1D depthwise_conv",
        "size/kernel_size stride/strides pad/padding multiplier/depth_multiplier activation \
         bias/use_bias name",
        "depthwise_conv(size(size), stride: size(stride), pad: pad(pad), multiplier: multiplier, \
         bias: bias) |> then(activation) as name",
    ),
    row(
        "SeparableConv2D SeparableConv1D",
        "filters size/kernel_size stride/strides pad/padding data_format dilation \
         multiplier/depth_multiplier activation bias/use_bias name",
        "depthwise_conv(size(size), stride: size(stride), pad: pad(pad), multiplier: multiplier, \
         bias: bias ?? false) |> conv(filters, 1, bias: bias) |> then(activation) as name",
    ),
    row(
        "Conv2DTranspose Conv1DTranspose conv_transpose",
        "filters size/kernel_size stride/strides pad/padding activation bias/use_bias name",
        "conv_transpose(filters, size(size), stride: size(stride), pad: pad(pad), bias: bias) \
         |> then(activation) as name",
    ),
    row(
        "ConvTranspose2d ConvTranspose1d",
        "in_channels filters/out_channels size/kernel_size stride pad/padding \
         output_pad/output_padding groups bias dilation",
        "conv_transpose(filters, size(size), stride: size(stride), pad: pad(pad), \
         output_pad: pad(output_pad), bias: bias, dilation: size(dilation))",
    ),
    row(
        "Deconvolution",
        "filters/num_output size/kernel_size pad stride bias/bias_term",
        "conv_transpose(filters, size(size), stride: size(stride), pad: pad(pad), bias: bias)",
    ),
    row(
        "Embedding embedding",
        "count/input_dim/num_embeddings dim/output_dim/embedding_dim input_length padding_idx name",
        "embedding(count, dim) as name",
    ),
    row("nn.LSTM", "input_size units/hidden_size num_layers", "lstm(units)"),
    row("nn.GRU", "input_size units/hidden_size num_layers", "gru(units)"),
    row("nn.RNN", "input_size units/hidden_size num_layers", "rnn(units)"),
    row(
        "LSTM lstm",
        "units/hidden_size activation reverse/go_backwards name",
        "lstm(units, reverse: reverse) as name",
    ),
    row(
        "GRU gru",
        "units/hidden_size activation reverse/go_backwards name",
        "gru(units, reverse: reverse) as name",
    ),
    row(
        "SimpleRNN rnn",
        "units/hidden_size activation reverse/go_backwards name",
        "rnn(units, reverse: reverse) as name",
    ),
    row(
        "nn.MultiheadAttention MultiheadAttention",
        "embed_dim heads/num_heads dropout bias",
        "attention(heads, bias: bias)",
    ),
    row(
        "MultiHeadAttention",
        "heads/num_heads key_dim value_dim dropout bias/use_bias",
        "attention(heads, bias: bias)",
    ),
    // Windows.
    row(
        "MaxPooling2D MaxPool2D MaxPooling1D MaxPool1D",
        "size/pool_size stride/strides pad/padding name",
        "max_pool(size(size) ?? 2, stride: size(stride), pad: pad(pad)) as name",
    ),
    row(
        "AveragePooling2D AvgPool2D AveragePooling1D",
        "size/pool_size stride/strides pad/padding name",
        "avg_pool(size(size) ?? 2, stride: size(stride), pad: pad(pad)) as name",
    ),
    row(
        "MaxPool2d MaxPool1d max_pool",
        "size/kernel_size/pool_size stride/strides pad/padding dilation",
        "max_pool(size(size), stride: size(stride), pad: pad(pad), dilation: size(dilation))",
    ),
    row(
        "AvgPool2d AvgPool1d avg_pool",
        "size/kernel_size/pool_size stride/strides pad/padding",
        "avg_pool(size(size), stride: size(stride), pad: pad(pad))",
    ),
    row(
        "max_pool2d max_pool1d",
        "x size/kernel_size stride padding",
        "max_pool(x, size(size), stride: size(stride), pad: pad(padding))",
    ),
    row(
        "avg_pool2d avg_pool1d",
        "x size/kernel_size stride padding",
        "avg_pool(x, size(size), stride: size(stride), pad: pad(padding))",
    ),
    row("Pooling", "pool=AVE global_pooling=true", "global_avg_pool"),
    row("Pooling", "pool=MAX global_pooling=true", "global_max_pool"),
    row(
        "Pooling",
        "pool=AVE size/kernel_size stride pad",
        "avg_pool(size(size), stride: size(stride), pad: pad(pad))",
    ),
    row(
        "Pooling",
        "pool=MAX size/kernel_size stride pad",
        "max_pool(size(size), stride: size(stride), pad: pad(pad))",
    ),
    row(
        "GlobalAveragePooling2D GlobalAveragePooling1D GlobalAvgPool2D",
        "name",
        "global_avg_pool as name",
    ),
    row("GlobalMaxPooling2D GlobalMaxPooling1D GlobalMaxPool2D", "name", "global_max_pool as name"),
    row("AdaptiveAvgPool2d AdaptiveAvgPool1d", "output_size=1", "global_avg_pool"),
    row("AdaptiveMaxPool2d AdaptiveMaxPool1d", "output_size=1", "global_max_pool"),
    row("adaptive_avg_pool2d", "x output_size=1", "global_avg_pool(x)"),
    row(
        "UpSampling2D UpSampling1D",
        "factor/size mode/interpolation",
        "upsample(size(factor), mode: mode)",
    ),
    row("Upsample", "size factor/scale_factor mode", "upsample(factor, mode: mode)"),
    row("interpolate", "x factor/scale_factor mode", "upsample(x, factor, mode: mode)"),
    // Norms.
    row(
        "BatchNormalization batch_norm",
        "axis momentum eps/epsilon name",
        "batch_norm(momentum: rest(momentum), eps: eps) as name",
    ),
    row(
        "BatchNorm2d BatchNorm1d BatchNorm",
        "num_features eps momentum affine track_running_stats",
        "batch_norm(eps: eps, momentum: momentum)",
    ),
    row("LayerNormalization", "axis eps/epsilon name", "layer_norm(eps: eps) as name"),
    row("LayerNorm", "normalized_shape eps", "layer_norm(eps: eps)"),
    row("GroupNormalization", "groups axis eps/epsilon", "group_norm(groups, eps: eps)"),
    row("GroupNorm", "groups/num_groups num_channels eps", "group_norm(groups, eps: eps)"),
    row("RMSNorm", "normalized_shape eps", "rms_norm(eps: eps)"),
    // What has no weights.
    row("Dropout dropout", "rate/p/dropout_ratio", "dropout(rate)"),
    row("Dropout", "", "dropout"),
    row("F.dropout functional.dropout", "x rate/p", "dropout(x, rate)"),
    row("Flatten flatten", "start_dim# end_dim# name", "flatten as name"),
    row("torch.flatten", "start_dim#", "flatten"),
    row("torch.flatten", "x start_dim", "flatten(x)"),
    row("Reshape", "target_shape", "reshape(shape(target_shape))"),
    row("Identity", "", ""),
    row("Input InputLayer", "shape", ""),
    row("Activation", "activation", "then(activation)"),
    row(
        "cat concat concatenate Concatenate",
        "parts/tensors axis/dim",
        "concat(parts, axis: axis)",
    ),
    // Activations: as layers, and as functions of a value.
    row("F.relu functional.relu torch.relu", "x", "relu(x)"),
    row("ReLU relu", "*negative_slope", "leaky_relu(negative_slope)"),
    row("ReLU relu", "", "relu"),
    row("ReLU6 relu6", "", "relu6"),
    row("LeakyReLU leaky_relu", "slope/alpha/negative_slope", "leaky_relu(slope)"),
    row("LeakyReLU leaky_relu", "", "leaky_relu"),
    row("F.leaky_relu functional.leaky_relu", "x slope/negative_slope", "leaky_relu(x, slope)"),
    row("ELU elu", "alpha", "elu(alpha: alpha)"),
    row("SELU selu", "", "selu"),
    row("GELU gelu", "approximate", "gelu"),
    row("SiLU silu Swish swish", "", "silu"),
    row("Mish mish", "", "mish"),
    row("Tanh TanH tanh", "", "tanh"),
    row("Sigmoid sigmoid", "", "sigmoid"),
    row("Softplus softplus", "", "softplus"),
    row("Hardswish hard_swish", "", "hard_swish"),
    row("Hardsigmoid hard_sigmoid", "", "hard_sigmoid"),
    row("PReLU prelu", "num_parameters init", "prelu"),
    row("Softmax softmax", "axis/dim", "softmax(axis: axis)"),
    row("LogSoftmax log_softmax", "axis/dim", "log_softmax(axis: axis)"),
    row("F.softmax functional.softmax torch.softmax", "x axis/dim", "softmax(x, axis: axis)"),
    row("F.log_softmax functional.log_softmax", "x axis/dim", "log_softmax(x, axis: axis)"),
    row("F.gelu functional.gelu", "x", "gelu(x)"),
    row("F.silu functional.silu", "x", "silu(x)"),
    row("F.elu functional.elu", "x alpha", "elu(x, alpha: alpha)"),
    row("F.selu functional.selu torch.selu", "x", "selu(x)"),
    row("F.tanh torch.tanh", "x", "tanh(x)"),
    row("F.sigmoid torch.sigmoid", "x", "sigmoid(x)"),
    // Losses.
    row(
        "CrossEntropyLoss cross_entropy SparseCategoricalCrossentropy CategoricalCrossentropy \
         SoftmaxWithLoss",
        "input target weight ignore/ignore_index smoothing/label_smoothing",
        "cross_entropy(smoothing: smoothing, ignore: ignore)",
    ),
    row(
        "BCEWithLogitsLoss BCELoss BinaryCrossentropy binary_cross_entropy SigmoidCrossEntropyLoss \
         binary_cross_entropy_with_logits",
        "input target weight",
        "binary_cross_entropy",
    ),
    row("MSELoss MeanSquaredError mse mse_loss EuclideanLoss", "input target", "mse"),
    row("L1Loss MeanAbsoluteError mae l1_loss", "input target", "mae"),
    row("HuberLoss SmoothL1Loss Huber huber", "input target delta/beta", "huber(delta: delta)"),
    row("NLLLoss nll_loss", "input target", "nll"),
    row("KLDivLoss kl_div KLDivergence", "input target", "kl_divergence"),
    // Metrics.
    row(
        "Accuracy accuracy acc SparseCategoricalAccuracy CategoricalAccuracy MulticlassAccuracy",
        "task num_classes",
        "accuracy",
    ),
    row("TopKCategoricalAccuracy SparseTopKCategoricalAccuracy", "k", "top_k(k: k)"),
    row("Precision", "", "precision"),
    row("Recall", "", "recall"),
    row("F1Score", "task num_classes", "f1"),
    row("AUC AUROC", "task num_classes", "auc"),
    // Optimisers.
    row(
        "Adam adam",
        "lr/learning_rate beta1/beta_1 beta2/beta_2 eps/epsilon betas",
        "adam(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: second(betas), eps: eps)",
    ),
    row(
        "AdamW adamw",
        "lr/learning_rate weight_decay beta1/beta_1 beta2/beta_2 eps/epsilon betas",
        "adamw(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: second(betas), \
         eps: eps, weight_decay: weight_decay)",
    ),
    row(
        "SGD sgd",
        "lr/learning_rate momentum nesterov weight_decay",
        "sgd(lr: lr, momentum: momentum, nesterov: nesterov, weight_decay: weight_decay)",
    ),
    row(
        "RMSprop rmsprop",
        "lr/learning_rate alpha/rho eps/epsilon momentum",
        "rmsprop(lr: lr, alpha: alpha, eps: eps, momentum: momentum)",
    ),
    row(
        "Adagrad adagrad",
        "lr/learning_rate lr_decay eps/epsilon",
        "adagrad(lr: lr, lr_decay: lr_decay, eps: eps)",
    ),
    row(
        "Adadelta adadelta",
        "lr/learning_rate rho eps/epsilon",
        "adadelta(lr: lr, rho: rho, eps: eps)",
    ),
    row(
        "NAdam Nadam nadam",
        "lr/learning_rate beta1/beta_1 beta2/beta_2 eps/epsilon",
        "nadam(lr: lr, beta1: beta1, beta2: beta2, eps: eps)",
    ),
    row(
        "Lion lion",
        "lr/learning_rate beta1/beta_1 beta2/beta_2 weight_decay",
        "lion(lr: lr, beta1: beta1, beta2: beta2, weight_decay: weight_decay)",
    ),
    // Schedules; the first parameter is the rate of the optimiser that they are made for.
    row(
        "StepLR step_decay",
        "peak every/step_size factor/gamma",
        "step_decay(peak, every: every, factor: factor)",
    ),
    row(
        "ExponentialDecay",
        "peak/initial_learning_rate every/decay_steps factor/decay_rate",
        "exponential(peak, factor, every: every)",
    ),
    row("CosineAnnealingLR", "peak T_max floor/eta_min", "cosine(peak, floor: floor)"),
    row("CosineDecay", "peak/initial_learning_rate decay_steps", "cosine(peak)"),
    row("OneCycleLR", "lr peak/max_lr", "one_cycle(peak)"),
    row("LinearLR", "peak", "linear(peak)"),
    row(
        "PolynomialDecay",
        "peak/initial_learning_rate decay_steps floor/end_learning_rate power",
        "polynomial(peak, power: power, floor: floor)",
    ),
    // ForeignSettings of a run.
    row(
        "compile",
        "optimizer loss metrics",
        "optimizer = item(optimizer); loss = item(loss); metrics = items(metrics)",
    ),
    row("fit", "x y batch_size epochs", "epochs = epochs; batch = batch_size"),
    row(
        "Trainer",
        "max_epochs gradient_clip_val accumulate_grad_batches",
        "epochs = max_epochs; clip_norm = gradient_clip_val; accumulate = accumulate_grad_batches",
    ),
    row("seed_everything manual_seed set_random_seed", "seed workers", "seed = seed"),
    row("clip_grad_norm_ clip_grad_norm", "max_norm", "clip_norm = max_norm"),
    row("clip_grad_value_ clip_grad_value", "clip_value", "clip_value = clip_value"),
    row("EarlyStopping", "monitor patience min_delta mode", "patience(name(monitor), patience)"),
    row(
        "ReduceLROnPlateau",
        "monitor patience factor",
        "patience(name(monitor), patience, factor: factor)",
    ),
    // Initialisers.
    row("xavier xavier_uniform GlorotUniform glorot_uniform", "", "glorot_uniform"),
    row("xavier_normal GlorotNormal glorot_normal", "", "glorot_normal"),
    row("msra kaiming_normal HeNormal he_normal", "", "he_normal"),
    row("kaiming_uniform HeUniform he_uniform", "", "he_uniform"),
    row("LecunNormal lecun_normal", "", "lecun_normal"),
    row("Zeros zeros", "", "zeros"),
    row("Ones ones", "", "ones"),
];

/// Names of settings of a run elsewhere, and here.
pub const SETTINGS: &[(&str, &str)] = &[
    ("criterion", "loss"),
    ("loss_fn", "loss"),
    ("loss_function", "loss"),
    ("optim", "optimizer"),
    ("optimiser", "optimizer"),
    ("num_epochs", "epochs"),
    ("n_epochs", "epochs"),
    ("nb_epoch", "epochs"),
    ("max_epochs", "epochs"),
    ("batch_size", "batch"),
    ("random_seed", "seed"),
    ("random_state", "seed"),
    ("accumulate_grad_batches", "accumulate"),
    ("gradient_clip_val", "clip_norm"),
    ("early_stopping", "early_stop"),
    ("metric", "metrics"),
];

/// Names of settings that are arguments of the optimiser here.
pub const OF_OPTIMIZER: &[(&str, &str)] =
    &[("base_lr", "lr"), ("learning_rate", "lr"), ("lr", "lr"), ("momentum", "momentum")];
