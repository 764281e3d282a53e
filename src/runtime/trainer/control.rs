//! Decisions after an epoch from its scores: whether it is the best so far, whether the
//! learning rate goes down, whether to stop.
//!
//! ```text
//! patience(val_loss, 3)     the loss has not gone down for 3 epochs: stop
//! plateau(val_loss, 2)      … for 2 epochs: the learning rate is multiplied by `factor`
//! ```

use super::{EpochRecord, exact};
use serde::{Deserialize, Serialize};

/// A number of each epoch that is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// Its name: `loss`, `val_loss`, `accuracy`, `val_accuracy`.
    pub name: String,
    /// Whether more is better.
    pub higher: bool,
}

impl Monitor {
    /// Its value in an epoch, if that has it.
    pub fn of(&self, record: &EpochRecord) -> Option<f64> {
        let (scores, name) = match self.name.strip_prefix("val_") {
            Some(name) => (record.validation.as_ref()?, name),
            None => (&record.train, self.name.as_str()),
        };
        if name == "loss" {
            return Some(scores.loss);
        }
        scores.metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Its name and value in an epoch where that is no finite number.
    pub(super) fn not_finite(&self, record: &EpochRecord) -> Option<(&str, f64)> {
        let value = self.of(record).filter(|value| !value.is_finite())?;
        Some((&self.name, value))
    }

    /// Whether a value is better than another by more than `least`; NaN is never.
    fn is_better(&self, value: f64, than: f64, least: f64) -> bool {
        if self.higher { value > than + least } else { value < than - least }
    }
}

/// When to stop before the epochs are made.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlyStopRule {
    /// The score to compare.
    pub monitor: Monitor,
    /// Epochs in a row without a better value after which the run stops.
    pub epochs: usize,
    /// The least difference that counts as better.
    pub min_delta: f64,
    /// Whether the parameters of the best epoch are put back.
    pub restore: bool,
}

/// When to lower the learning rate.
#[derive(Clone, Debug, PartialEq)]
pub struct PlateauRule {
    /// The score to compare.
    pub monitor: Monitor,
    /// Epochs in a row without a better value after which the rate is lowered.
    pub epochs: usize,
    /// The least difference that counts as better.
    pub min_delta: f64,
    /// Factor of the learning rate at each reduction, in 0..1.
    pub factor: f64,
    /// Epochs after a lowering that do not count.
    pub cooldown: usize,
    /// The least part of the written rate that is left.
    pub floor: f64,
}

/// The best value so far, and how long ago it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// The best value and its epoch; none before the first.
    pub best: Option<Best>,
    /// Epochs in a row without a better one.
    pub epochs: usize,
}

/// A best value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The value.
    #[serde(with = "exact")]
    pub value: f64,
    /// Its epoch, from 1.
    pub epoch: usize,
}

impl Wait {
    /// Takes the value of an epoch; whether it is the best so far.
    fn see(&mut self, monitor: &Monitor, min_delta: f64, record: &EpochRecord) -> bool {
        let Some(value) = monitor.of(record).filter(|value| !value.is_nan()) else {
            self.epochs += 1;
            return false;
        };
        let before = self.best.as_ref().map(|best| best.value);
        let better = before.is_none_or(|best| monitor.is_better(value, best, min_delta));
        if better {
            *self = Wait { best: Some(Best { value, epoch: record.epoch }), epochs: 0 };
        } else {
            self.epochs += 1;
        }
        better
    }
}

/// The state of all rules, which a checkpoint keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// The part of the learning rate that is left.
    pub lr_scale: f64,
    /// The best epoch.
    pub best: Wait,
    patience: Wait,
    plateau: Wait,
    cooldown: usize,
}

impl Default for Control {
    fn default() -> Self {
        Control {
            lr_scale: 1.0,
            best: Wait::default(),
            patience: Wait::default(),
            plateau: Wait::default(),
            cooldown: 0,
        }
    }
}

/// The decisions after one epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// It is the best so far.
    pub best: bool,
    /// The learning rate was lowered.
    pub lowered: bool,
    /// The run stops.
    pub stop: bool,
}

/// The rules that look at an epoch's scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The score by which the best epoch is chosen.
    pub best: Monitor,
    /// When to stop.
    pub patience: Option<EarlyStopRule>,
    /// When to lower the learning rate.
    pub plateau: Option<PlateauRule>,
}

impl Default for Rules {
    fn default() -> Self {
        let best = Monitor { name: "loss".into(), higher: false };
        Rules { best, patience: None, plateau: None }
    }
}

impl Control {
    /// Decides after an epoch.
    pub fn decide(&mut self, rules: &Rules, record: &EpochRecord) -> Decision {
        let best = self.best.see(&rules.best, 0.0, record);
        let lowered = rules.plateau.as_ref().is_some_and(|rule| self.lower(rule, record));
        let stop = rules.patience.as_ref().is_some_and(|rule| {
            self.patience.see(&rule.monitor, rule.min_delta, record);
            self.patience.epochs >= rule.epochs
        });
        Decision { best, lowered, stop }
    }

    fn lower(&mut self, rule: &PlateauRule, record: &EpochRecord) -> bool {
        self.plateau.see(&rule.monitor, rule.min_delta, record);
        if self.cooldown > 0 {
            self.cooldown -= 1;
            self.plateau.epochs = 0;
        }
        if self.plateau.epochs < rule.epochs {
            return false;
        }
        let scale = (self.lr_scale * rule.factor).max(rule.floor);
        let lowered = scale < self.lr_scale;
        self.lr_scale = scale.min(self.lr_scale);
        (self.plateau.epochs, self.cooldown) = (0, rule.cooldown);
        lowered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::trainer::Scores;

    fn record(epoch: usize, val_loss: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            train: Scores::default(),
            validation: Some(Scores { loss: val_loss, metrics: vec![("f1".into(), -val_loss)] }),
            grad_norm: 0.0,
            scheduled: Vec::new(),
            steps: 1,
            samples: 1,
            seconds: 0.0,
            data_seconds: 0.0,
            ended: 0.0,
        }
    }

    fn val_loss() -> Monitor {
        Monitor { name: "val_loss".into(), higher: false }
    }

    /// The decisions after epochs of these losses.
    fn decisions(rules: &Rules, losses: &[f64]) -> (Vec<Decision>, Control) {
        let mut control = Control::default();
        let records = (1..).zip(losses).map(|(epoch, &loss)| record(epoch, loss));
        let decisions = records.map(|record| control.decide(rules, &record)).collect();
        (decisions, control)
    }

    #[test]
    fn patience_counts_epochs_without_a_better_value() {
        let patience =
            EarlyStopRule { monitor: val_loss(), epochs: 2, min_delta: 0.1, restore: true };
        let rules = Rules { best: val_loss(), patience: Some(patience), plateau: None };
        // 0.95 is better than 1.0, but not by 0.1; NaN counts as no better.
        let (made, control) = decisions(&rules, &[1.0, 0.95, 0.8, f64::NAN, 0.79]);
        let stops: Vec<bool> = made.iter().map(|decision| decision.stop).collect();
        assert_eq!(stops, [false, false, false, false, true]);
        let bests: Vec<bool> = made.iter().map(|decision| decision.best).collect();
        assert_eq!(bests, [true, true, true, false, true]);
        assert_eq!(control.best.best, Some(Best { value: 0.79, epoch: 5 }));
    }

    #[test]
    fn a_plateau_lowers_the_rate_down_to_its_floor_and_then_cools_down() {
        let plateau = PlateauRule {
            monitor: Monitor { name: "val_f1".into(), higher: true },
            epochs: 1,
            min_delta: 0.0,
            factor: 0.5,
            cooldown: 1,
            floor: 0.2,
        };
        let rules = Rules { best: val_loss(), patience: None, plateau: Some(plateau) };
        let (made, control) = decisions(&rules, &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        let lowered: Vec<bool> = made.iter().map(|decision| decision.lowered).collect();
        assert_eq!(lowered, [false, true, false, true, false, true, false, false]);
        assert_eq!(control.lr_scale, 0.2);
    }

    #[test]
    fn what_an_epoch_does_not_have_is_never_better() {
        let monitor = Monitor { name: "val_recall".into(), higher: true };
        let rules = Rules { best: monitor, patience: None, plateau: None };
        let (made, control) = decisions(&rules, &[1.0, 0.5]);
        assert!(made.iter().all(|decision| !decision.best));
        assert_eq!(control.best.best, None);
    }
}
