//! Optimisers of other frameworks, each as it is written here.
//!
//! ```text
//! keras.optimizers.Adam(1e-3, weight_decay=0.01)      adam(lr: 1e-3), weight_decay = 0.01
//! optim.Adam(net.parameters(), weight_decay=0.01)     adam, l2 = 0.005
//! ```
//!
//! In Keras, and where the rate is called `learning_rate`, weights decay beside the step, as the setting
//! `weight_decay` has it here; in PyTorch a decay is a penalty, but for `AdamW` and `Lion`. Rows are written as
//! in [`table`](super::table).

use super::table::{TableRow, row};

/// Optimisers; of equal names the first that fits.
pub const OPTIMISERS: &[TableRow] = &[
    row(
        "keras.Adam optimizers.Adam tf.Adam",
        "lr/learning_rate beta1/beta_1 beta2/beta_2 eps/epsilon *amsgrad~false *weight_decay *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none *ema_overwrite_frequency~none *jit_compile",
        "adam(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: second(betas), eps: eps); weight_decay = weight_decay; clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema); accumulate = accumulate",
    ),
    row(
        "optim.Adam torch.Adam",
        "lr betas eps weight_decay amsgrad~false *beta1/beta_1 *beta2/beta_2",
        "adam(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: second(betas), eps: eps); l2 = half(weight_decay)",
    ),
    row(
        "Adam adam",
        "*learning_rate! beta1/beta_1 beta2/beta_2 eps/epsilon *amsgrad~false *weight_decay *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none *ema_overwrite_frequency~none *jit_compile",
        "adam(lr: learning_rate, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: second(betas), eps: eps); weight_decay = weight_decay; clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema); accumulate = accumulate",
    ),
    row(
        "Adam adam",
        "lr/learning_rate betas eps weight_decay amsgrad~false *beta1/beta_1 *beta2/beta_2 *clipnorm/global_clipnorm *clipvalue",
        "adam(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: second(betas), eps: eps); l2 = half(weight_decay); clip_norm = clipnorm; clip_value = clipvalue",
    ),
    row(
        "optim.AdamW torch.AdamW",
        "lr betas eps weight_decay amsgrad~false",
        "adamw(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: second(betas), eps: eps, weight_decay: weight_decay)",
    ),
    row(
        "AdamW adamw",
        "lr/learning_rate weight_decay beta1/beta_1 beta2/beta_2 eps/epsilon *betas *amsgrad~false *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none *ema_overwrite_frequency~none *jit_compile",
        "adamw(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: second(betas), eps: eps, weight_decay: weight_decay); clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema); accumulate = accumulate",
    ),
    row(
        "keras.SGD optimizers.SGD tf.SGD",
        "lr/learning_rate momentum nesterov *weight_decay *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none *ema_overwrite_frequency~none *jit_compile",
        "sgd(lr: lr, momentum: momentum, nesterov: nesterov); weight_decay = weight_decay; clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema); accumulate = accumulate",
    ),
    row(
        "optim.SGD torch.SGD",
        "lr momentum dampening~0 weight_decay nesterov",
        "sgd(lr: lr, momentum: momentum, nesterov: nesterov, weight_decay: weight_decay)",
    ),
    row(
        "SGD sgd",
        "*learning_rate! momentum nesterov *weight_decay *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none *ema_overwrite_frequency~none *jit_compile",
        "sgd(lr: learning_rate, momentum: momentum, nesterov: nesterov); weight_decay = weight_decay; clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema); accumulate = accumulate",
    ),
    row(
        "SGD sgd",
        "lr/learning_rate momentum nesterov *weight_decay *dampening~0 *clipnorm/global_clipnorm *clipvalue",
        "sgd(lr: lr, momentum: momentum, nesterov: nesterov, weight_decay: weight_decay); clip_norm = clipnorm; clip_value = clipvalue",
    ),
    row(
        "keras.RMSprop optimizers.RMSprop tf.RMSprop",
        "lr/learning_rate alpha/rho momentum eps/epsilon *centered~false *weight_decay *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none *ema_overwrite_frequency~none *jit_compile",
        "rmsprop(lr: lr, alpha: alpha, eps: eps, momentum: momentum); weight_decay = weight_decay; clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema); accumulate = accumulate",
    ),
    row(
        "optim.RMSprop torch.RMSprop",
        "lr alpha/rho eps/epsilon weight_decay momentum *centered~false",
        "rmsprop(lr: lr, alpha: alpha, eps: eps, momentum: momentum); l2 = half(weight_decay)",
    ),
    row(
        "RMSprop rmsprop RMSProp",
        "*learning_rate! alpha/rho momentum eps/epsilon *centered~false *weight_decay *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none *ema_overwrite_frequency~none *jit_compile",
        "rmsprop(lr: learning_rate, alpha: alpha, eps: eps, momentum: momentum); weight_decay = weight_decay; clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema); accumulate = accumulate",
    ),
    row(
        "RMSprop rmsprop RMSProp",
        "lr/learning_rate alpha/rho eps/epsilon weight_decay momentum *centered~false *clipnorm/global_clipnorm *clipvalue",
        "rmsprop(lr: lr, alpha: alpha, eps: eps, momentum: momentum); l2 = half(weight_decay); clip_norm = clipnorm; clip_value = clipvalue",
    ),
    row(
        "keras.Adagrad optimizers.Adagrad tf.Adagrad",
        "lr/learning_rate initial/initial_accumulator_value eps/epsilon *weight_decay *lr_decay *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none *ema_overwrite_frequency~none *jit_compile",
        "adagrad(lr: lr, lr_decay: lr_decay, eps: eps, initial: initial); weight_decay = weight_decay; clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema); accumulate = accumulate",
    ),
    row(
        "optim.Adagrad torch.Adagrad",
        "lr lr_decay weight_decay initial/initial_accumulator_value eps/epsilon",
        "adagrad(lr: lr, lr_decay: lr_decay, eps: eps, initial: initial); l2 = half(weight_decay)",
    ),
    row(
        "Adagrad adagrad AdaGrad",
        "*learning_rate! initial/initial_accumulator_value eps/epsilon *weight_decay *lr_decay *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none *ema_overwrite_frequency~none *jit_compile",
        "adagrad(lr: learning_rate, lr_decay: lr_decay, eps: eps, initial: initial); weight_decay = weight_decay; clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema); accumulate = accumulate",
    ),
    row(
        "Adagrad adagrad AdaGrad",
        "lr/learning_rate lr_decay weight_decay initial/initial_accumulator_value eps/epsilon *clipnorm/global_clipnorm *clipvalue",
        "adagrad(lr: lr, lr_decay: lr_decay, eps: eps, initial: initial); l2 = half(weight_decay); clip_norm = clipnorm; clip_value = clipvalue",
    ),
    row(
        "keras.Adadelta optimizers.Adadelta tf.Adadelta",
        "lr/learning_rate rho eps/epsilon *weight_decay *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none *ema_overwrite_frequency~none *jit_compile",
        "adadelta(lr: lr, rho: rho, eps: eps); weight_decay = weight_decay; clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema); accumulate = accumulate",
    ),
    row(
        "optim.Adadelta torch.Adadelta",
        "lr rho eps/epsilon weight_decay",
        "adadelta(lr: lr, rho: rho, eps: eps); l2 = half(weight_decay)",
    ),
    row(
        "Adadelta adadelta AdaDelta",
        "*learning_rate! rho eps/epsilon *weight_decay *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none *ema_overwrite_frequency~none *jit_compile",
        "adadelta(lr: learning_rate, rho: rho, eps: eps); weight_decay = weight_decay; clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema); accumulate = accumulate",
    ),
    row(
        "Adadelta adadelta AdaDelta",
        "lr/learning_rate rho eps/epsilon weight_decay *clipnorm/global_clipnorm *clipvalue",
        "adadelta(lr: lr, rho: rho, eps: eps); l2 = half(weight_decay); clip_norm = clipnorm; clip_value = clipvalue",
    ),
    row(
        "keras.Nadam optimizers.Nadam tf.Nadam keras.NAdam optimizers.NAdam tf.NAdam",
        "lr/learning_rate beta1/beta_1 beta2/beta_2 eps/epsilon *weight_decay *momentum_decay *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none *ema_overwrite_frequency~none *jit_compile",
        "nadam(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: second(betas), eps: eps, momentum_decay: momentum_decay); weight_decay = weight_decay; clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema); accumulate = accumulate",
    ),
    row(
        "optim.Nadam torch.Nadam optim.NAdam torch.NAdam",
        "lr betas eps weight_decay momentum_decay *beta1/beta_1 *beta2/beta_2",
        "nadam(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: second(betas), eps: eps, momentum_decay: momentum_decay); l2 = half(weight_decay)",
    ),
    row(
        "NAdam Nadam nadam",
        "*learning_rate! beta1/beta_1 beta2/beta_2 eps/epsilon *weight_decay *momentum_decay *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none *ema_overwrite_frequency~none *jit_compile",
        "nadam(lr: learning_rate, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: second(betas), eps: eps, momentum_decay: momentum_decay); weight_decay = weight_decay; clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema); accumulate = accumulate",
    ),
    row(
        "NAdam Nadam nadam",
        "lr/learning_rate betas eps weight_decay momentum_decay *beta1/beta_1 *beta2/beta_2 *clipnorm/global_clipnorm *clipvalue",
        "nadam(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: second(betas), eps: eps, momentum_decay: momentum_decay); l2 = half(weight_decay); clip_norm = clipnorm; clip_value = clipvalue",
    ),
    row(
        "Lion lion",
        "lr/learning_rate *beta1/beta_1 *beta2/beta_2 betas weight_decay *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none *ema_overwrite_frequency~none *jit_compile",
        "lion(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: second(betas), weight_decay: weight_decay); clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema); accumulate = accumulate",
    ),
    row(
        "Nesterov",
        "lr/learning_rate momentum",
        "sgd(lr: lr, momentum: momentum ?? 0.9, nesterov: true)",
    ),
];
