//! Decisions after an epoch from its scores: whether it is the best so far, whether the
//! learning rate goes down, whether to stop.
//!
//! ```text
//! patience(val_loss, 3)     the loss has not gone down for 3 epochs: stop
//! plateau(val_loss, 2)      … for 2 epochs: the learning rate is multiplied by `factor`
//! ```

use super::{EpochRecord, exact};
use crate::base::settings::{Monitor, ReduceOnPlateau, Settings};
use serde::{Deserialize, Serialize};

impl Monitor {
    /// Its value in an epoch, if that has it.
    pub(super) fn of(&self, record: &EpochRecord) -> Option<f64> {
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

impl Control {
    /// Decides after an epoch; `best` tells the best one.
    pub fn decide(
        &mut self,
        best: &Monitor,
        settings: &Settings,
        record: &EpochRecord,
    ) -> Decision {
        let best = self.best.see(best, 0.0, record);
        let plateau = settings.reduce_on_plateau.as_ref();
        let lowered = plateau.is_some_and(|rule| self.lower(rule, record));
        let stop = settings.early_stop.as_ref().is_some_and(|rule| {
            self.patience.see(&rule.watched.monitor, rule.min_delta, record);
            self.patience.epochs >= rule.epochs
        });
        Decision { best, lowered, stop }
    }

    fn lower(&mut self, rule: &ReduceOnPlateau, record: &EpochRecord) -> bool {
        self.plateau.see(&rule.watched.monitor, rule.min_delta, record);
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
    use crate::base::entity::Entity;
    use crate::base::settings::{EarlyStop, Watched};
    use crate::base::source::{FileId, Span};
    use crate::runtime::trainer::Scores;

    fn record(epoch: usize, val_loss: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            train: Scores::default(),
            validation: Some(Scores {
                loss: val_loss,
                metrics: vec![("f1".into(), -val_loss)],
                ..Scores::default()
            }),
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

    fn watched(monitor: Monitor) -> Watched {
        Watched { monitor, span: Span::new(FileId::from_index(0), 0, 0) }
    }

    /// The decisions after epochs of these losses.
    fn decisions(best: &Monitor, settings: &Settings, losses: &[f64]) -> (Vec<Decision>, Control) {
        let mut control = Control::default();
        let records = (1..).zip(losses).map(|(epoch, &loss)| record(epoch, loss));
        let decisions = records.map(|record| control.decide(best, settings, &record)).collect();
        (decisions, control)
    }

    #[test]
    fn patience_counts_epochs_without_a_better_value() {
        let watched = watched(val_loss());
        let stop = EarlyStop { watched, epochs: 2, min_delta: 0.1, restore: true };
        let settings = Settings { early_stop: Some(stop), ..Settings::default() };
        // 0.95 is better than 1.0, but not by 0.1; NaN counts as no better.
        let (made, control) = decisions(&val_loss(), &settings, &[1.0, 0.95, 0.8, f64::NAN, 0.79]);
        let stops: Vec<bool> = made.iter().map(|decision| decision.stop).collect();
        assert_eq!(stops, [false, false, false, false, true]);
        let bests: Vec<bool> = made.iter().map(|decision| decision.best).collect();
        assert_eq!(bests, [true, true, true, false, true]);
        assert_eq!(control.best.best, Some(Best { value: 0.79, epoch: 5 }));
    }

    #[test]
    fn a_plateau_lowers_the_rate_down_to_its_floor_and_then_cools_down() {
        let plateau = ReduceOnPlateau {
            watched: watched(Monitor { name: "val_f1".into(), higher: true }),
            epochs: 1,
            min_delta: 0.0,
            factor: 0.5,
            cooldown: 1,
            floor: 0.2,
        };
        let settings = Settings { reduce_on_plateau: Some(plateau), ..Settings::default() };
        let (made, control) = decisions(&val_loss(), &settings, &[1.0; 8]);
        let lowered: Vec<bool> = made.iter().map(|decision| decision.lowered).collect();
        assert_eq!(lowered, [false, true, false, true, false, true, false, false]);
        assert_eq!(control.lr_scale, 0.2);
    }

    #[test]
    fn what_an_epoch_does_not_have_is_never_better() {
        let monitor = Monitor { name: "val_recall".into(), higher: true };
        let (made, control) = decisions(&monitor, &Settings::default(), &[1.0, 0.5]);
        assert!(made.iter().all(|decision| !decision.best));
        assert_eq!(control.best.best, None);
    }
}
