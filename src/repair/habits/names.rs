//! Names of other frameworks that are not replaced by an item: parameters that are left out, and words that say where
//! something is.
//!
//! ```text
//! Conv2D(8, 3, data_format="channels_last")     conv(8, 3)           the only value here
//! Conv2D(8, 3, trainable=False)                 is reported          another one
//! ```

/// Parameters that mean nothing here, whatever their value: shapes follow from what comes in, and the
/// program says nothing of the machine.
pub const DROPPED: &[&str] = &[
    "input_shape",
    "input_dim",
    "batch_input_shape",
    "batch_shape",
    "inplace",
    "device",
    "dtype",
    "bottom",
    "top",
    "verbose",
    "validation_data",
    "input_length",
    "from_logits",
    "fused",
    "foreach",
    "capturable",
    "jit_compile",
    "run_eagerly",
    "steps_per_execution",
    "auto_scale_loss",
    "memory_efficient",
    "use_cudnn_on_gpu",
    "engine",
    "generator",
];

/// Parameters that have no other value here than one of these: with another one, an argument stays, and is
/// reported.
pub const DEFAULTS: &[(&str, &str)] = &[
    ("data_format", "channels_last"),
    ("trainable", "true"),
    ("padding_mode", "zeros"),
    ("bias_initializer", "zeros"),
    ("bias_filler", "constant"),
    ("beta_initializer", "zeros"),
    ("gamma_initializer", "ones"),
    ("moving_mean_initializer", "zeros"),
    ("moving_variance_initializer", "ones"),
    ("embeddings_initializer", "uniform"),
    ("recurrent_initializer", "orthogonal"),
    ("recurrent_activation", "sigmoid"),
    ("unit_forget_bias", "true"),
    ("reset_after", "true"),
    ("return_sequences", "true"),
    ("return_state", "false"),
    ("stateful", "false"),
    ("unroll", "false"),
    ("time_major", "false"),
    ("mask_zero", "false"),
    ("scale_grad_by_freq", "false"),
    ("sparse", "false"),
    ("batch_first", "true"),
    ("bidirectional", "false"),
    ("dropout", "0"),
    ("recurrent_dropout", "0"),
    ("num_layers", "1"),
    ("proj_size", "0"),
    ("ceil_mode", "false"),
    ("count_include_pad", "true"),
    ("return_indices", "false"),
    ("keepdims", "false"),
    ("align_corners", "false"),
    ("antialias", "false"),
    ("affine", "true"),
    ("elementwise_affine", "true"),
    ("track_running_stats", "true"),
    ("center", "true"),
    ("scale", "true"),
    ("add_bias_kv", "false"),
    ("add_zero_attn", "false"),
    ("need_weights", "false"),
    ("training", "true|self.training|training|is_training"),
    ("reduction", "mean|sum_over_batch_size|auto"),
    ("size_average", "true"),
    ("dampening", "0"),
    ("centered", "false"),
    ("amsgrad", "false"),
    ("maximize", "false"),
    ("differentiable", "false"),
    ("use_ema", "false"),
    ("initial_accumulator_value", "0.1"),
    ("last_epoch", "-1"),
    ("staircase", "false"),
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
    "transforms",
    "T",
    "v2",
    "datasets",
    "torchvision",
    "regularizers",
    "initializers",
    "init",
    "preprocessing",
    "applications",
    "ops",
    "K",
    "backend",
    "math",
    "np",
    "numpy",
    "jnp",
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
pub const SEQUENCES: &[&str] = &["Sequential", "ModuleList", "Compose"];
