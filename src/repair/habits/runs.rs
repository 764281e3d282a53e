//! Losses, metrics, optimisers, schedules, settings and data of other frameworks, each as it is written here.
//!
//! ```text
//! row("Adam", "lr/learning_rate …", "adam(lr: lr, …); l2 = half(weight_decay)")
//! ```
//!
//! Rows are written as in [`table`](super::table).

use super::table::{TableRow, row};

/// Items of a run.
pub const RUNS: &[TableRow] = &[
    // Losses.
    row(
        "CrossEntropyLoss cross_entropy SparseCategoricalCrossentropy CategoricalCrossentropy \
         SoftmaxWithLoss",
        "input target *ignore/ignore_index/ignore_class *smoothing/label_smoothing *axis~-1 *weight!",
        "cross_entropy(smoothing: smoothing, ignore: ignore); class_weights = list(weight)",
    ),
    row(
        "CrossEntropyLoss cross_entropy SparseCategoricalCrossentropy CategoricalCrossentropy \
         SoftmaxWithLoss",
        "input target *ignore/ignore_index/ignore_class *smoothing/label_smoothing *axis~-1",
        "cross_entropy(smoothing: smoothing, ignore: ignore)",
    ),
    row(
        "BCEWithLogitsLoss BCELoss BinaryCrossentropy binary_cross_entropy SigmoidCrossEntropyLoss \
         binary_cross_entropy_with_logits",
        "input target weight~none label_smoothing~0",
        "binary_cross_entropy",
    ),
    row("MSELoss MeanSquaredError mse mse_loss EuclideanLoss", "input target", "mse"),
    row("L1Loss MeanAbsoluteError mae l1_loss", "input target", "mae"),
    // With another `beta`, `SmoothL1Loss` is that many times smaller.
    row("SmoothL1Loss smooth_l1_loss", "input target *beta~1", "huber"),
    row("HuberLoss Huber huber huber_loss", "input target *delta", "huber(delta: delta)"),
    row("MultiMarginLoss", "*p~1 *margin", "hinge(margin: margin)"),
    row("NLLLoss nll_loss", "input target weight~none", "nll"),
    row("KLDivLoss kl_div KLDivergence", "input target", "kl_divergence"),
    // Metrics.
    row("Accuracy", "task=binary|multilabel *num_labels *threshold~0.5", "label_accuracy"),
    row(
        "Accuracy accuracy acc SparseCategoricalAccuracy CategoricalAccuracy MulticlassAccuracy",
        "*task~multiclass *num_classes *top_k~1 *name *average~micro",
        "accuracy",
    ),
    row("TopKCategoricalAccuracy SparseTopKCategoricalAccuracy", "k name", "top_k(k: k)"),
    row("Precision", "*name *task~binary", "precision"),
    row("Recall", "*name *task~binary", "recall"),
    row("F1Score", "task num_classes", "f1"),
    row("RootMeanSquaredError rmse root_mean_squared_error", "", "rmse"),
    row("MeanSquaredError mean_squared_error MSE", "", "mse"),
    row("MeanAbsoluteError mean_absolute_error MAE", "", "mae"),
    row("R2Score r2_score r2", "", "r2"),
    row("BinaryAccuracy binary_accuracy", "threshold~0.5", "label_accuracy"),
    row("Perplexity", "", "perplexity"),
    row("MeanIoU IoU JaccardIndex", "task num_classes=2", "iou"),
    row("AUC AUROC", "*name *task~binary *num_classes~2", "auc"),
    // Schedules; the first parameter is the rate of the optimiser that they are made for.
    row(
        "StepLR step_decay",
        "peak every/step_size factor/gamma",
        "step_decay(peak, every: every, factor: factor)",
    ),
    row(
        "ExponentialDecay",
        "peak/initial_learning_rate every/decay_steps factor/decay_rate *staircase=true",
        "step_decay(peak, every: every, factor: factor)",
    ),
    row(
        "ExponentialDecay",
        "peak/initial_learning_rate every/decay_steps factor/decay_rate",
        "exponential(peak, factor, every: every)",
    ),
    row(
        "PolynomialLR",
        "peak total_iters! power last_epoch~-1",
        "polynomial(peak, power: power, length: epochs(total_iters))",
    ),
    row(
        "get_cosine_schedule_with_warmup",
        "peak warmup/num_warmup_steps num_training_steps num_cycles~0.5",
        "cosine(peak, warmup: warmup, length: steps(num_training_steps))",
    ),
    row(
        "get_linear_schedule_with_warmup",
        "peak warmup/num_warmup_steps num_training_steps",
        "linear(peak, warmup: warmup, length: steps(num_training_steps))",
    ),
    row(
        "get_constant_schedule_with_warmup",
        "peak warmup/num_warmup_steps",
        "constant(peak, warmup: warmup)",
    ),
    row("ExponentialLR", "peak factor/gamma", "step_decay(peak, every: ⟦epoch⟧, factor: factor)"),
    row(
        "CosineAnnealingLR",
        "peak T_max floor/eta_min",
        "cosine(peak, floor: floor, length: epochs(T_max))",
    ),
    row(
        "CosineDecay",
        "peak/initial_learning_rate decay_steps alpha *name *warmup_target~none *warmup_steps~0",
        "cosine(peak, floor: part(alpha), length: steps(decay_steps))",
    ),
    row(
        "OneCycleLR",
        "lr peak/max_lr total_steps epochs steps_per_epoch rise/pct_start anneal_strategy~cos \
         start/div_factor final/final_div_factor cycle_momentum",
        "one_cycle(peak, rise: rise, start: start, final: final, length: epochs(epochs), \
         length: per(steps_per_epoch), length: steps(total_steps))",
    ),
    row(
        "LinearLR",
        "peak start_factor=1 end_factor=0 total_iters",
        "linear(peak, length: epochs(total_iters))",
    ),
    row(
        "PolynomialDecay",
        "peak/initial_learning_rate decay_steps floor/end_learning_rate power",
        "polynomial(peak, power: power, floor: floor ?? 0.0001, length: steps(decay_steps))",
    ),
    // Settings of a run.
    row(
        "seed_everything manual_seed manual_seed_all set_random_seed random.seed",
        "seed workers",
        "seed = seed",
    ),
    // The value behind the parameters is read as a rate.
    row("clip_grad_norm_ clip_grad_norm", "max_norm/lr norm_type~2", "clip_norm = max_norm"),
    row("clip_grad_value_ clip_grad_value", "clip_value/lr", "clip_value = clip_value"),
    // Callbacks.
    row(
        "EarlyStopping",
        "monitor min_delta patience verbose mode baseline~none restore/restore_best_weights *strict \
         *check_finite *start_from_epoch~0 *log_rank_zero_only *check_on_train_epoch_end",
        "patience(monitor(monitor) ?? val_loss, patience, min_delta: min_delta, restore: but_true(restore))",
    ),
    row(
        "lr_scheduler.ReduceLROnPlateau",
        "mode factor patience threshold~0.0001 threshold_mode~rel cooldown floor/min_lr eps verbose",
        "patience(val_loss, patience ?? 10, factor: factor, cooldown: cooldown, floor: floor(floor))",
    ),
    row(
        "ReduceLROnPlateau",
        "monitor factor patience verbose mode min_delta cooldown floor/min_lr",
        "patience(monitor(monitor) ?? val_loss, patience ?? 10, factor: factor, min_delta: min_delta, \
         cooldown: cooldown, floor: floor(floor))",
    ),
    row(
        "ModelCheckpoint",
        "filepath/dirpath filename monitor *save_best_only=true save_weights_only mode save_freq~epoch",
        "every(epochs: 1, best: monitor(monitor) ?? val_loss)",
    ),
    row(
        "ModelCheckpoint",
        "filepath/dirpath filename *monitor! save_top_k~1 mode save_last every_n_epochs~1",
        "every(epochs: 1, best: monitor(monitor))",
    ),
    row(
        "ModelCheckpoint",
        "filepath/dirpath filename *every_n_epochs! save_top_k~-1 save_last",
        "every(epochs: every_n_epochs)",
    ),
    row(
        "ModelCheckpoint",
        "filepath/dirpath filename save_best_only~false save_weights_only save_freq~epoch save_last",
        "every(epochs: 1)",
    ),
    // Initialisers.
    row("xavier xavier_uniform GlorotUniform glorot_uniform", "", "glorot_uniform"),
    row("xavier_normal GlorotNormal glorot_normal", "", "glorot_normal"),
    row("msra kaiming_normal HeNormal he_normal", "", "he_normal"),
    row("kaiming_uniform HeUniform he_uniform", "", "he_uniform"),
    row("LecunNormal lecun_normal", "", "lecun_normal"),
    row("Zeros zeros", "", "zeros"),
    row("Ones ones", "", "ones"),
    row("RandomNormal normal_", "mean std/stddev", "normal(mean: mean ?? 0.0, std: std)"),
    row("RandomUniform", "low/minval high/maxval", "uniform(low: low, high: high)"),
    row("TruncatedNormal", "mean std/stddev", "truncated_normal(mean: mean, std: std)"),
    row("Orthogonal orthogonal", "gain", "orthogonal(gain: gain)"),
    row("Constant", "value", "constant(value)"),
    // Data.
    row(
        "MNIST",
        "root train~true transform target_transform~none download *validation!",
        "mnist(validation: validation) |> then(transform)",
    ),
    row(
        "MNIST",
        "root train~true transform target_transform~none download",
        "mnist() |> then(transform)",
    ),
    row(
        "ImageFolder",
        "root transform! target_transform~none",
        "images(root, size: ⟦size⟧) |> then(transform)",
    ),
    row(
        "ImageFolder",
        "root size test validation",
        "images(root, size: pair(size), test: test, validation: validation)",
    ),
    row(
        "image_dataset_from_directory ImageDataGenerator",
        "root/directory labels~inferred label_mode~int class_names~none color_mode~rgb batch_size \
         size/image_size shuffle~true seed validation/validation_split subset interpolation~bilinear",
        "images(root, size: pair(size) ?? [256,256], validation: validation)",
    ),
    row("ToTensor ToImage ToDtype PILToTensor", "dtype scale", ""),
    row(
        "RandomRotation",
        "degrees/factor fill_mode~constant interpolation~bilinear seed fill/fill_value~0",
        "random_rotate(degrees(degrees))",
    ),
    row(
        "RandomZoom",
        "range/height_factor width_factor~none fill_mode~constant interpolation~bilinear seed",
        "random_zoom(range)",
    ),
    row("RandomContrast", "contrast/factor seed", "color_jitter(contrast: contrast)"),
    row("RandomCrop", "*height! *width! seed", "random_crop(both(height))"),
    row("RandomHorizontalFlip", "p", "random_flip(p: p)"),
    row("RandomVerticalFlip", "p", "random_flip('vertical', p: p)"),
    row("RandomFlip", "mode=horizontal", "random_flip"),
    row("RandomFlip", "mode=vertical", "random_flip('vertical')"),
    row("RandomFlip", "mode~horizontal_and_vertical", "random_flip('both')"),
    row(
        "RandomCrop",
        "size pad/padding fill",
        "random_crop(size(size), pad: crop(pad), fill: fill)",
    ),
    row(
        "RandomRotation",
        "degrees interpolation expand~false center~none fill",
        "random_rotate(degrees, fill: fill)",
    ),
    row(
        "ColorJitter",
        "brightness contrast saturation hue",
        "color_jitter(brightness: brightness, contrast: contrast, saturation: saturation, hue: hue)",
    ),
    row(
        "RandomErasing",
        "p scale ratio value",
        "random_erase(p: p, scale: scale, ratio: ratio, value: value)",
    ),
    row("Normalize", "mean std inplace", "normalize(one(mean), one(std))"),
    row("Resize", "size interpolation~bilinear antialias", "resize(size(size))"),
    row("Grayscale", "num_output_channels~1", "grayscale"),
    row("Rescaling", "scale offset", "rescale(scale: scale, offset: offset)"),
    row("MixUp", "alpha num_classes labels_getter~none", "mixup(alpha)"),
    row("CutMix", "alpha num_classes labels_getter~none", "cutmix(alpha)"),
];

/// Names of settings of a run elsewhere, and here.
pub const SETTINGS: &[(&str, &str)] = &[
    ("criterion", "loss"),
    ("loss_fn", "loss"),
    ("loss_function", "loss"),
    ("loss_func", "loss"),
    ("loss_weights", "loss_weights"),
    ("optim", "optimizer"),
    ("optimiser", "optimizer"),
    ("opt", "optimizer"),
    ("num_epochs", "epochs"),
    ("n_epochs", "epochs"),
    ("nb_epoch", "epochs"),
    ("max_epochs", "epochs"),
    ("EPOCHS", "epochs"),
    ("batch_size", "batch"),
    ("BATCH_SIZE", "batch"),
    ("random_seed", "seed"),
    ("random_state", "seed"),
    ("manual_seed", "seed"),
    ("accumulate_grad_batches", "accumulate"),
    ("gradient_accumulation_steps", "accumulate"),
    ("grad_accum", "accumulate"),
    ("gradient_clip_val", "clip_norm"),
    ("grad_clip", "clip_norm"),
    ("max_grad_norm", "clip_norm"),
    ("clipnorm", "clip_norm"),
    ("global_clipnorm", "clip_norm"),
    ("clip_gradients", "clip_norm"),
    ("clipvalue", "clip_value"),
    ("early_stopping", "early_stop"),
    ("class_weight", "class_weights"),
    ("ema_momentum", "ema"),
    ("max_grad_value", "clip_value"),
    ("clip_grad_norm", "clip_norm"),
    ("accumulation_steps", "accumulate"),
    ("num_train_epochs", "epochs"),
    ("max_epoch", "epochs"),
    ("nepochs", "epochs"),
    ("total_epochs", "epochs"),
    ("per_device_train_batch_size", "batch"),
    ("train_batch_size", "batch"),
    ("bs", "batch"),
    ("metric", "metrics"),
    ("SEED", "seed"),
];

/// Names of settings that are arguments of the optimiser here.
pub const OF_OPTIMIZER: &[(&str, &str)] = &[
    ("base_lr", "lr"),
    ("learning_rate", "lr"),
    ("lr", "lr"),
    ("LR", "lr"),
    ("LEARNING_RATE", "lr"),
    ("init_lr", "lr"),
    ("momentum", "momentum"),
    ("weight_decay", "weight_decay"),
    ("nesterov", "nesterov"),
];

/// Settings that are about the machine, or about messages, and mean nothing here.
pub const IDLE_SETTINGS: &[&str] = &[
    "device",
    "devices",
    "accelerator",
    "strategy",
    "num_workers",
    "workers",
    "pin_memory",
    "persistent_workers",
    "prefetch_factor",
    "precision",
    "verbose",
    "num_nodes",
    "logger",
    "enable_progress_bar",
    "enable_model_summary",
    "log_every_n_steps",
    "default_root_dir",
    "benchmark",
    "gpus",
    "tpu_cores",
    "use_amp",
    "amp",
    "scaler",
    "jit_compile",
    "run_eagerly",
    "steps_per_execution",
    "use_multiprocessing",
    "max_queue_size",
    "num_sanity_val_steps",
    "solver_mode",
    "display",
    "snapshot_prefix",
    "net",
    "train_loader",
    "val_loader",
    "test_loader",
    "train_dataloader",
    "val_dataloader",
    "x",
    "y",
    "model",
    "validation_data",
    "mixed_precision",
    "fp16",
    "bf16",
    "history",
    "download",
    "shuffle_buffer",
    // The run validates after each epoch; what it trains is the same.
    "check_val_every_n_epoch",
    "validation_freq",
    "deterministic",
    "val_check_interval",
    "inference_mode",
    "enable_autolog_hparams",
    "sync_batchnorm",
    "use_distributed_sampler",
    "collate_fn",
    "timeout",
    "weighted_metrics",
    "weights_summary",
    "progress_bar_refresh_rate",
    "auto_select_gpus",
    "num_processes",
    "validation_batch_size",
    "validation_steps",
    "workers",
    "output_dir",
    "logging_dir",
    "logging_steps",
    "report_to",
    "dataloader_num_workers",
];

/// Callbacks that only report.
pub const IDLE_CALLBACKS: &[&str] = &[
    "TensorBoard",
    "CSVLogger",
    "TensorBoardLogger",
    "LearningRateMonitor",
    "TQDMProgressBar",
    "RichProgressBar",
    "ModelSummary",
    "RichModelSummary",
    "DeviceStatsMonitor",
    "ProgbarLogger",
    "Timer",
    "History",
    "WandbLogger",
];

/// Callbacks and calls that are a setting.
pub const KEYS: &[(&str, &str)] = &[
    ("EarlyStopping", "early_stop"),
    ("ReduceLROnPlateau", "reduce_on_plateau"),
    ("ModelCheckpoint", "checkpoint"),
];

/// Calls whose arguments are settings, with the names of those that need none.
pub const OF_SETTINGS: &[(&str, &str)] = &[
    ("compile", "optimizer loss metrics"),
    ("fit", "x y batch_size epochs verbose callbacks validation_split validation_data shuffle"),
    ("Trainer", ""),
    ("DataLoader", "x batch_size shuffle"),
    ("TrainingArguments", ""),
];
