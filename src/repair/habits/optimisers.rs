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

/// Parameters that every optimiser of Keras has.
macro_rules! takes {
    ($own:literal) => {
        concat!(
            $own,
            " *clipnorm/global_clipnorm *clipvalue *ema/ema_momentum *use_ema",
            " *accumulate/gradient_accumulation_steps *name *loss_scale_factor~none",
            " *ema_overwrite_frequency~none *jit_compile"
        )
    };
}

/// The settings that these are here.
macro_rules! gives {
    ($own:literal) => {
        concat!(
            $own,
            "; clip_norm = clipnorm; clip_value = clipvalue; ema = ema(use_ema)",
            "; accumulate = accumulate"
        )
    };
}

/// Optimisers; of equal names the first that fits.
pub const OPTIMISERS: &[TableRow] = &[
    row(
        "keras.Adam optimizers.Adam tf.Adam",
        takes!(
            "lr/learning_rate beta1/beta_1 beta2/beta_2 eps/epsilon *amsgrad~false \
         *weight_decay"
        ),
        gives!(
            "adam(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: \
         second(betas), eps: eps); weight_decay = weight_decay"
        ),
    ),
    row(
        "optim.Adam torch.Adam",
        "lr betas eps weight_decay amsgrad~false *beta1/beta_1 *beta2/beta_2",
        "adam(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: \
         second(betas), eps: eps); l2 = half(weight_decay)",
    ),
    row(
        "Adam adam",
        takes!(
            "*learning_rate! beta1/beta_1 beta2/beta_2 eps/epsilon *amsgrad~false \
         *weight_decay"
        ),
        gives!(
            "adam(lr: learning_rate, beta1: beta1, beta2: beta2, beta1: first(betas), \
         beta2: second(betas), eps: eps); weight_decay = weight_decay"
        ),
    ),
    row(
        "Adam adam",
        takes!("lr/learning_rate betas eps weight_decay amsgrad~false *beta1/beta_1 *beta2/beta_2"),
        gives!(
            "adam(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: \
         second(betas), eps: eps); l2 = half(weight_decay)"
        ),
    ),
    row(
        "optim.AdamW torch.AdamW",
        "lr betas eps weight_decay amsgrad~false",
        "adamw(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: \
         second(betas), eps: eps, weight_decay: weight_decay)",
    ),
    row(
        "AdamW adamw",
        takes!(
            "lr/learning_rate weight_decay beta1/beta_1 beta2/beta_2 eps/epsilon *betas \
         *amsgrad~false"
        ),
        gives!(
            "adamw(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: \
         second(betas), eps: eps, weight_decay: weight_decay)"
        ),
    ),
    row(
        "keras.SGD optimizers.SGD tf.SGD",
        takes!("lr/learning_rate momentum nesterov *weight_decay"),
        gives!("sgd(lr: lr, momentum: momentum, nesterov: nesterov); weight_decay = weight_decay"),
    ),
    row(
        "optim.SGD torch.SGD",
        "lr momentum dampening~0 weight_decay nesterov",
        "sgd(lr: lr, momentum: momentum, nesterov: nesterov, weight_decay: weight_decay)",
    ),
    row(
        "SGD sgd",
        takes!("*learning_rate! momentum nesterov *weight_decay"),
        gives!(
            "sgd(lr: learning_rate, momentum: momentum, nesterov: nesterov); \
         weight_decay = weight_decay"
        ),
    ),
    row(
        "SGD sgd",
        takes!("lr/learning_rate momentum nesterov *weight_decay *dampening~0"),
        gives!("sgd(lr: lr, momentum: momentum, nesterov: nesterov, weight_decay: weight_decay)"),
    ),
    row(
        "keras.RMSprop optimizers.RMSprop tf.RMSprop",
        takes!("lr/learning_rate alpha/rho momentum eps/epsilon *centered~false *weight_decay"),
        gives!(
            "rmsprop(lr: lr, alpha: alpha, eps: eps, momentum: momentum); weight_decay = \
         weight_decay"
        ),
    ),
    row(
        "optim.RMSprop torch.RMSprop",
        "lr alpha/rho eps/epsilon weight_decay momentum *centered~false",
        "rmsprop(lr: lr, alpha: alpha, eps: eps, momentum: momentum); l2 = half(weight_decay)",
    ),
    row(
        "RMSprop rmsprop RMSProp",
        takes!("*learning_rate! alpha/rho momentum eps/epsilon *centered~false *weight_decay"),
        gives!(
            "rmsprop(lr: learning_rate, alpha: alpha, eps: eps, momentum: momentum); \
         weight_decay = weight_decay"
        ),
    ),
    row(
        "RMSprop rmsprop RMSProp",
        takes!("lr/learning_rate alpha/rho eps/epsilon weight_decay momentum *centered~false"),
        gives!(
            "rmsprop(lr: lr, alpha: alpha, eps: eps, momentum: momentum); l2 = \
         half(weight_decay)"
        ),
    ),
    row(
        "keras.Adagrad optimizers.Adagrad tf.Adagrad",
        takes!(
            "lr/learning_rate initial/initial_accumulator_value eps/epsilon \
         *weight_decay *lr_decay"
        ),
        gives!(
            "adagrad(lr: lr, lr_decay: lr_decay, eps: eps, initial: initial); \
         weight_decay = weight_decay"
        ),
    ),
    row(
        "optim.Adagrad torch.Adagrad",
        "lr lr_decay weight_decay initial/initial_accumulator_value eps/epsilon",
        "adagrad(lr: lr, lr_decay: lr_decay, eps: eps, initial: initial); l2 = half(weight_decay)",
    ),
    row(
        "Adagrad adagrad AdaGrad",
        takes!(
            "*learning_rate! initial/initial_accumulator_value eps/epsilon *weight_decay \
         *lr_decay"
        ),
        gives!(
            "adagrad(lr: learning_rate, lr_decay: lr_decay, eps: eps, initial: initial); \
         weight_decay = weight_decay"
        ),
    ),
    row(
        "Adagrad adagrad AdaGrad",
        takes!(
            "lr/learning_rate lr_decay weight_decay initial/initial_accumulator_value \
         eps/epsilon"
        ),
        gives!(
            "adagrad(lr: lr, lr_decay: lr_decay, eps: eps, initial: initial); l2 = \
         half(weight_decay)"
        ),
    ),
    row(
        "keras.Adadelta optimizers.Adadelta tf.Adadelta",
        takes!("lr/learning_rate rho eps/epsilon *weight_decay"),
        gives!("adadelta(lr: lr, rho: rho, eps: eps); weight_decay = weight_decay"),
    ),
    row(
        "optim.Adadelta torch.Adadelta",
        "lr rho eps/epsilon weight_decay",
        "adadelta(lr: lr, rho: rho, eps: eps); l2 = half(weight_decay)",
    ),
    row(
        "Adadelta adadelta AdaDelta",
        takes!("*learning_rate! rho eps/epsilon *weight_decay"),
        gives!("adadelta(lr: learning_rate, rho: rho, eps: eps); weight_decay = weight_decay"),
    ),
    row(
        "Adadelta adadelta AdaDelta",
        takes!("lr/learning_rate rho eps/epsilon weight_decay"),
        gives!("adadelta(lr: lr, rho: rho, eps: eps); l2 = half(weight_decay)"),
    ),
    row(
        "keras.Nadam optimizers.Nadam tf.Nadam keras.NAdam optimizers.NAdam tf.NAdam",
        takes!(
            "lr/learning_rate beta1/beta_1 beta2/beta_2 eps/epsilon *weight_decay \
         *momentum_decay"
        ),
        gives!(
            "nadam(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: \
         second(betas), eps: eps, momentum_decay: momentum_decay); weight_decay = \
         weight_decay"
        ),
    ),
    row(
        "optim.Nadam torch.Nadam optim.NAdam torch.NAdam",
        "lr betas eps weight_decay momentum_decay *beta1/beta_1 *beta2/beta_2",
        "nadam(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: \
         second(betas), eps: eps, momentum_decay: momentum_decay); l2 = half(weight_decay)",
    ),
    row(
        "NAdam Nadam nadam",
        takes!(
            "*learning_rate! beta1/beta_1 beta2/beta_2 eps/epsilon *weight_decay \
         *momentum_decay"
        ),
        gives!(
            "nadam(lr: learning_rate, beta1: beta1, beta2: beta2, beta1: first(betas), \
         beta2: second(betas), eps: eps, momentum_decay: momentum_decay); \
         weight_decay = weight_decay"
        ),
    ),
    row(
        "NAdam Nadam nadam",
        takes!(
            "lr/learning_rate betas eps weight_decay momentum_decay *beta1/beta_1 \
         *beta2/beta_2"
        ),
        gives!(
            "nadam(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: \
         second(betas), eps: eps, momentum_decay: momentum_decay); l2 = \
         half(weight_decay)"
        ),
    ),
    row(
        "Lion lion",
        takes!("lr/learning_rate *beta1/beta_1 *beta2/beta_2 betas weight_decay"),
        gives!(
            "lion(lr: lr, beta1: beta1, beta2: beta2, beta1: first(betas), beta2: \
         second(betas), weight_decay: weight_decay)"
        ),
    ),
    row(
        "Nesterov",
        "lr/learning_rate momentum",
        "sgd(lr: lr, momentum: momentum ?? 0.9, nesterov: true)",
    ),
];
