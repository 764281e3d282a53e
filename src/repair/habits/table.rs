//! The names of other frameworks, with those that stand for them here: a row for each, and nothing else.
//!
//! ```text
//! row("Conv2d", "in_channels filters/out_channels size/kernel_size …", "conv(filters, size(size), …)")
//!      names     parameters in their order, with their other names       what is written here
//! ```
//!
//! A name with `nn.` before it is meant only behind that. A parameter with `#` must be a whole
//! number, one with `^` one extent, one with `*` is given by its name, one with `!` must be given, one with
//! `=` must have that value, one with `~` must have it where it is given: otherwise the row is not meant.
//! A parameter that the text here does not name is left out. An argument without a name must be given,
//! unless `??` says what it is otherwise; one with a name is left out where it is not given. The
//! conversions (`size`, `pad`, `item`, …) are in [`row`](super::row); `then(x)` is the stage that an
//! argument names, `as x` its label. Text behind `; `, or with ` = `, gives settings of `train`.

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

pub const fn row(theirs: &'static str, takes: &'static str, ours: &'static str) -> TableRow {
    TableRow { theirs, takes, ours }
}

/// All rows; of equal names the first that fits.
pub fn all_rows() -> impl Iterator<Item = &'static TableRow> {
    LAYERS.iter().chain(super::optimisers::OPTIMISERS).chain(super::runs::RUNS)
}

/// The rows of layers and functions.
pub fn all_layers() -> impl Iterator<Item = &'static TableRow> {
    LAYERS.iter()
}

/// Layers and functions of other frameworks, each as it is written here.
const LAYERS: &[TableRow] = &[
    // Layers that multiply by weights.
    row("dense", "in#! units#! bias", "dense(units, bias: bias)"),
    row(
        "Dense dense InnerProduct",
        "units/num_output activation bias/use_bias/bias_term init/kernel_initializer/weight_filler \
         kernel_regularizer name",
        "dense(units, bias: bias, init: item(init), l2: penalty(kernel_regularizer)) |> then(activation) \
         as name",
    ),
    row("Linear LazyLinear", "in_features units/out_features bias", "dense(units, bias: bias)"),
    row("Linear LazyLinear", "units/out_features bias", "dense(units, bias: bias)"),
    row(
        "Conv2D Conv1D Convolution2D Convolution1D conv",
        "filters size/kernel_size stride/strides pad/padding \
         data_format~channels_last dilation/dilation_rate groups \
         activation bias/use_bias init/kernel_initializer kernel_regularizer name",
        "conv(filters, size(size), stride: size(stride), pad: pad(pad), dilation: size(dilation), \
         groups: groups, bias: bias, init: item(init), l2: penalty(kernel_regularizer)) |> then(activation) as name",
    ),
    row(
        "Conv2d Conv1d",
        "in_channels filters/out_channels size/kernel_size stride pad/padding dilation groups bias padding_mode~zeros",
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
        "filters size/kernel_size stride/strides pad/padding data_format~channels_last \
         dilation/dilation_rate \
         multiplier/depth_multiplier activation bias/use_bias name",
        "depthwise_conv(size(size), stride: size(stride), pad: pad(pad), dilation: size(dilation), \
         multiplier: multiplier, bias: bias ?? false) |> conv(filters, 1, bias: bias) |> then(activation) as name",
    ),
    row(
        "Conv2DTranspose Conv1DTranspose conv_transpose",
        "filters size/kernel_size stride/strides pad/padding output_pad/output_padding~none \
         data_format~channels_last dilation/dilation_rate activation bias/use_bias \
         init/kernel_initializer kernel_regularizer name",
        "conv_transpose(filters, size(size), stride: size(stride), pad: pad(pad), \
         dilation: size(dilation), bias: bias, init: item(init), \
         l2: penalty(kernel_regularizer)) |> then(activation) as name",
    ),
    row(
        "ConvTranspose2d ConvTranspose1d",
        "in_channels filters/out_channels size/kernel_size stride pad/padding \
         output_pad/output_padding groups~1 bias dilation",
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
        "count/input_dim/num_embeddings dim/output_dim/embedding_dim input_length padding_idx~none name",
        "embedding(count, dim) as name",
    ),
    row(
        "nn.LSTM",
        "input_size units/hidden_size num_layers bias~true *dropout *bidirectional~false",
        "stack(lstm(units))",
    ),
    row(
        "LSTM",
        "input_size! units/hidden_size! num_layers bias~true *dropout *bidirectional~false",
        "stack(lstm(units))",
    ),
    row(
        "nn.LSTM",
        "input_size units/hidden_size num_layers~1 bias~true *bidirectional=true",
        "bidirectional(lstm(units))",
    ),
    row(
        "LSTM",
        "units *return_sequences=true activation~tanh init/kernel_initializer reverse/go_backwards name",
        "lstm(units, reverse: reverse, init: item(init)) as name",
    ),
    row(
        "LSTM",
        "units return_sequences~false activation~tanh init/kernel_initializer reverse/go_backwards~false name",
        "lstm(units, init: item(init), last: ⟦last⟧)",
    ),
    row(
        "lstm",
        "units/hidden_size activation~tanh init/kernel_initializer reverse/go_backwards name",
        "lstm(units, reverse: reverse, init: item(init)) as name",
    ),
    row(
        "nn.GRU",
        "input_size units/hidden_size num_layers bias~true *dropout *bidirectional~false",
        "stack(gru(units))",
    ),
    row(
        "GRU",
        "input_size! units/hidden_size! num_layers bias~true *dropout *bidirectional~false",
        "stack(gru(units))",
    ),
    row(
        "nn.GRU",
        "input_size units/hidden_size num_layers~1 bias~true *bidirectional=true",
        "bidirectional(gru(units))",
    ),
    row(
        "GRU",
        "units *return_sequences=true activation~tanh init/kernel_initializer reverse/go_backwards name",
        "gru(units, reverse: reverse, init: item(init)) as name",
    ),
    row(
        "GRU",
        "units return_sequences~false activation~tanh init/kernel_initializer reverse/go_backwards~false name",
        "gru(units, init: item(init), last: ⟦last⟧)",
    ),
    row(
        "gru",
        "units/hidden_size activation~tanh init/kernel_initializer reverse/go_backwards name",
        "gru(units, reverse: reverse, init: item(init)) as name",
    ),
    row(
        "nn.RNN",
        "input_size units/hidden_size num_layers nonlinearity~tanh bias~true *dropout *bidirectional~false",
        "stack(rnn(units))",
    ),
    row(
        "RNN",
        "input_size! units/hidden_size! num_layers nonlinearity~tanh bias~true *dropout *bidirectional~false",
        "stack(rnn(units))",
    ),
    row(
        "nn.RNN",
        "input_size units/hidden_size num_layers~1 nonlinearity~tanh bias~true *bidirectional=true",
        "bidirectional(rnn(units))",
    ),
    row(
        "SimpleRNN",
        "units *return_sequences=true activation~tanh init/kernel_initializer reverse/go_backwards name",
        "rnn(units, reverse: reverse, init: item(init)) as name",
    ),
    row(
        "SimpleRNN",
        "units return_sequences~false activation~tanh init/kernel_initializer reverse/go_backwards~false name",
        "rnn(units, init: item(init), last: ⟦last⟧)",
    ),
    row(
        "rnn",
        "units/hidden_size activation~tanh init/kernel_initializer reverse/go_backwards name",
        "rnn(units, reverse: reverse, init: item(init)) as name",
    ),
    row("Bidirectional", "layer merge_mode~concat name", "bidirectional(layer)"),
    row(
        "nn.MultiheadAttention MultiheadAttention",
        "embed_dim heads/num_heads dropout~0 bias",
        "attention(heads, bias: bias)",
    ),
    row(
        "MultiHeadAttention",
        "heads/num_heads key_dim value_dim~none dropout~0 bias/use_bias",
        "attention(heads, bias: bias, width: each(key_dim))",
    ),
    // Windows.
    row(
        "MaxPooling2D MaxPool2D MaxPooling1D MaxPool1D",
        "size/pool_size stride/strides pad/padding data_format~channels_last name",
        "max_pool(size(size) ?? 2, stride: size(stride), pad: pad(pad)) as name",
    ),
    row(
        "AveragePooling2D AvgPool2D AveragePooling1D",
        "size/pool_size stride/strides pad/padding data_format~channels_last name",
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
        "axis~-1|3 momentum eps/epsilon name",
        "batch_norm(momentum: rest(momentum), eps: eps) as name",
    ),
    row(
        "BatchNorm2d BatchNorm1d BatchNorm",
        "num_features eps momentum affine~true track_running_stats~true *use_global_stats~false \
         *moving_average_fraction",
        "batch_norm(eps: eps, momentum: momentum, momentum: rest(moving_average_fraction))",
    ),
    row("LayerNormalization", "axis~-1 eps/epsilon name", "layer_norm(eps: eps) as name"),
    row("LayerNorm", "normalized_shape^ eps elementwise_affine~true", "layer_norm(eps: eps)"),
    row("GroupNormalization", "groups axis~-1 eps/epsilon", "group_norm(groups, eps: eps)"),
    row(
        "GroupNorm",
        "groups/num_groups num_channels eps affine~true",
        "group_norm(groups, eps: eps)",
    ),
    row("RMSNorm", "normalized_shape eps", "rms_norm(eps: eps)"),
    // What has no weights.
    row("Dropout dropout", "rate/p/dropout_ratio", "dropout(rate)"),
    row("Dropout", "", "dropout"),
    row("F.dropout functional.dropout", "x rate/p", "dropout(x, rate)"),
    row("Flatten flatten", "start_dim~1 end_dim~-1 name", "flatten as name"),
    row("torch.flatten", "start_dim=1", "flatten"),
    row("torch.flatten", "x start_dim~1 end_dim~-1", "flatten(x)"),
    row("Reshape", "target_shape", "reshape(shape(target_shape))"),
    row("Identity", "", ""),
    row("Input InputLayer", "shape", ""),
    row("Activation", "activation", "then(activation)"),
    row("cat concat concatenate", "parts/tensors *dim!", "concat(parts, axis: dim(dim))"),
    row("torch.cat torch.concat", "parts/tensors dim", "concat(parts, axis: dim(dim))"),
    row("cat concat concatenate", "parts/tensors axis", "concat(parts, axis: axis)"),
    row("torch.mean", "x dim! keep/keepdim", "mean(x, axis: dim(dim), keep: keep)"),
    row("torch.sum", "x dim! keep/keepdim", "sum(x, axis: dim(dim), keep: keep)"),
    row("torch.amax", "x dim! keep/keepdim", "max(x, axis: dim(dim), keep: keep)"),
    row("reduce_mean", "x axis keep/keepdims", "mean(x, axis: axis, keep: keep)"),
    row("reduce_sum", "x axis keep/keepdims", "sum(x, axis: axis, keep: keep)"),
    row("reduce_max", "x axis keep/keepdims", "max(x, axis: axis, keep: keep)"),
    row("ZeroPadding2D ZeroPad2d", "size/padding", "pad(border(size))"),
    // Activations: as layers, and as functions of a value.
    row("F.relu functional.relu torch.relu tf.relu", "x inplace~true|false", "relu(x)"),
    row("ReLU relu", "*negative_slope! max_value~none threshold~0", "leaky_relu(negative_slope)"),
    row("ReLU relu", "max_value=6 negative_slope~0 threshold~0", "relu6"),
    row("ReLU relu", "inplace~true|false", "relu"),
    row("ReLU6 relu6", "inplace~true|false", "relu6"),
    row(
        "LeakyReLU leaky_relu",
        "slope/alpha/negative_slope inplace~true|false",
        "leaky_relu(slope)",
    ),
    row("LeakyReLU leaky_relu", "", "leaky_relu"),
    row(
        "F.leaky_relu functional.leaky_relu",
        "x slope/negative_slope inplace~true|false",
        "leaky_relu(x, slope)",
    ),
    row("ELU elu", "alpha inplace~true|false", "elu(alpha: alpha)"),
    row("SELU selu", "inplace~true|false", "selu"),
    row("GELU gelu", "approximate~none|false", "gelu"),
    row("SiLU silu Swish swish", "inplace~true|false", "silu"),
    row("Mish mish", "inplace~true|false", "mish"),
    row("Tanh TanH tanh", "", "tanh"),
    row("Sigmoid sigmoid", "", "sigmoid"),
    row("Softplus softplus", "beta~1 threshold~20", "softplus"),
    row("Hardswish hard_swish HardSwish hardswish", "inplace~true|false", "hard_swish"),
    row("Hardsigmoid hard_sigmoid HardSigmoid hardsigmoid", "inplace~true|false", "hard_sigmoid"),
    row("PReLU", "num_parameters~1 init", "prelu(init: init)"),
    row("PReLU", "num_parameters! init", "prelu(channels: true, init: init)"),
    row("PReLU", "*shared_axes!", "prelu(channels: true)"),
    row("Softmax softmax", "*dim!", "softmax(axis: dim(dim))"),
    row("nn.Softmax", "dim!", "softmax(axis: dim(dim))"),
    row("Softmax softmax", "axis", "softmax(axis: axis)"),
    row("LogSoftmax log_softmax", "*dim!", "log_softmax(axis: dim(dim))"),
    row("nn.LogSoftmax", "dim!", "log_softmax(axis: dim(dim))"),
    row("LogSoftmax log_softmax", "axis", "log_softmax(axis: axis)"),
    row("F.softmax functional.softmax torch.softmax", "x dim", "softmax(x, axis: dim(dim))"),
    row(
        "F.log_softmax functional.log_softmax torch.log_softmax",
        "x dim",
        "log_softmax(x, axis: dim(dim))",
    ),
    row("F.gelu functional.gelu", "x approximate~none|false", "gelu(x)"),
    row("F.silu functional.silu", "x inplace~true|false", "silu(x)"),
    row("F.elu functional.elu", "x alpha inplace~true|false", "elu(x, alpha: alpha)"),
    row("F.relu6 functional.relu6", "x inplace~true|false", "relu6(x)"),
    row("F.mish functional.mish", "x inplace~true|false", "mish(x)"),
    row("F.hardswish functional.hardswish", "x inplace~true|false", "hard_swish(x)"),
    row("F.hardsigmoid functional.hardsigmoid", "x inplace~true|false", "hard_sigmoid(x)"),
    row("F.softplus functional.softplus", "x beta~1 threshold~20", "softplus(x)"),
    row("F.glu functional.glu", "x dim", "glu(x, axis: dim(dim))"),
    row("nn.GLU GLU", "dim", "glu(axis: dim(dim))"),
    row(
        "F.layer_norm functional.layer_norm",
        "x normalized_shape^ weight~none bias~none eps",
        "layer_norm(x, eps: eps)",
    ),
    row("Permute", "dims=[2,1]", "transpose('[0,2,1]')"),
    row("torch.transpose", "x dim0=1 dim1=2", "transpose(x, '[0,2,1]')"),
    row("torch.exp", "x", "exp(x)"),
    row("torch.log", "x", "log(x)"),
    row("torch.sqrt", "x", "sqrt(x)"),
    row("torch.abs", "x", "abs(x)"),
    row("F.selu functional.selu torch.selu", "x", "selu(x)"),
    row("F.tanh torch.tanh", "x", "tanh(x)"),
    row("F.sigmoid torch.sigmoid", "x", "sigmoid(x)"),
];
