//! The solver of Caffe, whose settings are an optimiser with a rate here.
//!
//! ```text
//! base_lr: 0.01  momentum: 0.9  lr_policy: "step"  stepsize: 1000  gamma: 0.1
//!     optimizer = sgd(lr: step_decay(0.01, every: 1000, factor: 0.1), momentum: 0.9)
//! ```
//!
//! Its steps are those here. A policy that has no schedule here keeps its lines as they are.

use super::settings::ForeignSettings;

/// Names of its settings that are arguments of the optimiser here, whichever that is.
const ARGUMENTS: [(&str, &str); 3] =
    [("momentum2", "beta2"), ("delta", "eps"), ("rms_decay", "alpha")];
/// Its settings that say how a run is watched, not what it computes.
const IDLE: [&str; 9] = [
    "test_iter",
    "test_interval",
    "test_initialization",
    "average_loss",
    "snapshot_after_train",
    "snapshot_format",
    "debug_info",
    "device_id",
    "test_compute_loss",
];

impl ForeignSettings {
    /// Takes a setting of a solver; `false` where a key is none of these.
    pub fn of_caffe(&mut self, key: &str, value: &str, at: usize) -> bool {
        let word = value.trim_matches('"').to_owned();
        if matches!(key, "lr_policy" | "gamma" | "stepsize" | "power") {
            self.caffe.push((key.to_owned(), word, at));
            return true;
        }
        if !self.is_solver {
            return false;
        }
        if let Some((_, ours)) = ARGUMENTS.iter().find(|(theirs, _)| *theirs == key) {
            self.of_optimizer.push((ours, word, at));
            return true;
        }
        let ours = match key {
            "iter_size" => "accumulate",
            "random_seed" => "seed",
            "snapshot" => "checkpoint",
            "max_iter" => "⟦iterations⟧",
            _ => return IDLE.contains(&key) || key == "regularization_type" && word == "L2",
        };
        let word = if key == "snapshot" { format!("every(steps: {word})") } else { word };
        self.found.push((ours.to_owned(), word, at));
        true
    }

    /// The rate of a solver, whose steps are those here.
    pub fn of_solver(&mut self) {
        if self.caffe.is_empty() {
            return;
        }
        let get =
            |key: &str| self.caffe.iter().find(|(own, _, _)| own == key).map(|it| it.1.clone());
        let gamma = get("gamma").unwrap_or_else(|| "0.1".to_owned());
        let schedule = match get("lr_policy").as_deref() {
            Some("step") => {
                get("stepsize").map(|it| format!("step_decay(@, every: {it}, factor: {gamma})"))
            }
            Some("exp") => Some(format!("exponential(@, {gamma})")),
            Some("poly") => get("power").map(|it| format!("polynomial(@, power: {it})")),
            Some("fixed") => None,
            _ => {
                self.found.extend(std::mem::take(&mut self.caffe));
                return;
            }
        };
        let at = self.caffe[0].2;
        self.schedule = self.schedule.take().or(schedule.map(|schedule| (schedule, at)));
        self.caffe.clear();
    }

    /// How many times a run of so many steps goes through the data, where that comes out even.
    pub fn iterations(&mut self, steps: Option<u64>) {
        let Some(found) = self.found.iter_mut().find(|(key, _, _)| key == "⟦iterations⟧")
        else {
            return;
        };
        let count = found.1.parse::<u64>().ok();
        let epochs = count.zip(steps).filter(|(count, steps)| count % steps == 0 && count >= steps);
        if let Some((count, steps)) = epochs {
            (found.0, found.1) = ("epochs".to_owned(), (count / steps).to_string());
        }
    }
}
