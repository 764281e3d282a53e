//! The learning rate range test (Smith 2017): a short run whose rate grows from step to step, until
//! the loss runs away; the rate to begin with lies where the loss falls most steeply.

use crate::data::Watch;
use crate::driver::session::{Failure, Request};
use crate::driver::set::Setting;
use crate::report::chart::{Chart, Mark, Series, SeriesShape, svg};
use crate::run::build::Overrides;
use crate::run::job::{RunPlace, job, prepare};
use crate::runtime::pool::Pool;
use crate::runtime::trainer::{Callback, Decision, Event, TrainError, Trainer, TrainingOutcome};
use std::sync::atomic::{AtomicBool, Ordering};

/// The rates to try.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateRange {
    /// The first.
    pub from: f64,
    /// The last.
    pub to: f64,
    /// How many, at equal ratios.
    pub steps: usize,
}

/// The curve of losses, and the rate that it suggests.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The rate and loss of each step.
    pub points: Vec<(f64, f64)>,
    /// The losses, smoothed.
    pub smooth: Vec<(f64, f64)>,
    /// Where the smoothed loss falls most steeply, if it falls.
    pub steepest: Option<f64>,
    /// Where it is least.
    pub least: Option<f64>,
    /// Whether it ran away before the last rate.
    pub diverged: bool,
}

/// The schedule of the test, written into the program: equal ratios from the first step's rate to
/// that of step `count`, and no more behind it.
const SCHEDULE: &str = "
schedule lr_range_test(step, steps, from: float, to: float, count: int) {
    from * (to / from) ^ (min(step - 1, count - 1) / (count - 1))
}
";

/// How much of a smoothed loss is the one before it.
const SMOOTHING: f64 = 0.9;
/// How many times the least smoothed loss says that it has run away.
const AWAY: f64 = 4.0;
/// Steps before which nothing is judged: the smoothed loss is of few numbers.
const SETTLED: usize = 10;

/// Trains with growing rates. Parameters are thrown away.
pub fn lr_find(
    request: &Request,
    settings: &[Setting],
    overrides: &Overrides,
    range: RateRange,
    pool: &mut Pool,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<Found, Failure> {
    let RateRange { from, to, steps } = range;
    let mut settings = settings.to_vec();
    let set = |key: &str, value: String| Setting { key: key.to_owned(), value };
    let rate = format!("lr_range_test(from: {from:?}, to: {to:?}, count: {steps})");
    settings.push(set("optimizer.lr", rate));
    settings.push(set("train.epochs", steps.to_string()));
    settings.push(set("train.on_nan", "stop".to_owned()));
    let mut job = job(request.clone(), &settings, overrides.clone(), RunPlace::Nowhere)?;
    if let Some(text) = &mut job.text {
        text.push_str(SCHEDULE);
    }
    let prepared = prepare(&job, watch)?;
    let mut sweep = Sweep { steps, points: Vec::new(), smooth: Smooth::default(), stop };
    let mut trainer = prepared.run.trainer(pool);
    let outcome = trainer.train(&mut sweep, stop);
    let diverged = match outcome {
        Ok(
            TrainingOutcome::Stopped | TrainingOutcome::Finished | TrainingOutcome::StoppedEarly,
        ) => sweep.smooth.ran_away,
        // A loss that is no number has run away, too.
        Err(TrainError::NotFinite { .. }) => true,
        Err(error) => return Err(prepared.run.failure(&error, &prepared.session)),
    };
    Ok(found(sweep.points, diverged))
}

/// Follows the run.
struct Sweep<'a> {
    steps: usize,
    points: Vec<(f64, f64)>,
    smooth: Smooth,
    stop: &'a AtomicBool,
}

impl Callback for Sweep<'_> {
    fn on_event(&mut self, _event: Event<'_>) {}

    fn on_step_end(&mut self, trainer: &Trainer<'_>, epoch_over: Option<Decision>) {
        if epoch_over.is_some() {
            return;
        }
        let loss = f64::from(trainer.last_loss());
        let rate = trainer.scheduled().into_iter().find(|(name, _)| name == "lr");
        self.points.push((rate.map_or(0.0, |(_, rate)| f64::from(rate)), loss));
        self.smooth.add(loss);
        if self.points.len() >= self.steps || self.smooth.ran_away {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// A running mean of losses, corrected for its beginning as Adam's moments are.
#[derive(Clone, Debug, Default)]
struct Smooth {
    mean: f64,
    count: i32,
    least: Option<f64>,
    ran_away: bool,
}

impl Smooth {
    fn add(&mut self, loss: f64) -> f64 {
        self.count += 1;
        self.mean = SMOOTHING * self.mean + (1.0 - SMOOTHING) * loss;
        let smooth = self.mean / (1.0 - SMOOTHING.powi(self.count));
        if self.count as usize > SETTLED {
            let least = self.least.map_or(smooth, |least| least.min(smooth));
            self.least = Some(least);
            self.ran_away |= smooth > AWAY * least;
        }
        smooth
    }
}

/// Chooses a rate by the curve of losses.
fn found(points: Vec<(f64, f64)>, diverged: bool) -> Found {
    let mut smoothing = Smooth::default();
    let smooth: Vec<(f64, f64)> =
        points.iter().map(|&(rate, loss)| (rate, smoothing.add(loss))).collect();
    let settled = &smooth[smooth.len().min(SETTLED)..];
    let least = settled.iter().min_by(|a, b| a.1.total_cmp(&b.1)).copied();
    // Behind the least loss a slope is noise, or the way out of a divergence.
    let before: Vec<(f64, f64)> = settled
        .iter()
        .copied()
        .filter(|(rate, _)| least.is_none_or(|least| *rate <= least.0))
        .collect();
    let slope = |pair: &[(f64, f64)]| {
        let [(x0, y0), .., (x1, y1)] = *pair else { return 0.0 };
        (y1 - y0) / (x1.ln() - x0.ln())
    };
    // Over several steps, so that one batch does not decide.
    let windows = before.windows(5).map(|window| (slope(window), window[2].0));
    let steepest = windows.min_by(|a, b| a.0.total_cmp(&b.0)).filter(|(slope, _)| *slope < 0.0);
    Found {
        steepest: steepest.map(|(_, rate)| rate),
        least: least.map(|(rate, _)| rate),
        points,
        smooth,
        diverged,
    }
}

impl Found {
    /// A rate to begin with: where the loss falls most steeply, and no more than a tenth of where
    /// it is least.
    pub fn suggestion(&self) -> Option<f64> {
        let steepest = self.steepest?;
        Some(self.least.map_or(steepest, |least| steepest.min(least / 10.0).max(least / 100.0)))
    }

    /// The losses over the rates.
    pub fn svg(&self, title: &str) -> String {
        let series = |name: &str, points: &[(f64, f64)], shape| Series {
            name: name.to_owned(),
            points: points.to_vec(),
            shape,
        };
        let mark = self.suggestion().map(|x| Mark { x, label: "suggestion".to_owned() });
        svg(&[Chart {
            title: title.to_owned(),
            x_label: "learning rate".to_owned(),
            y_label: "loss".to_owned(),
            log_x: true,
            series: vec![
                series("smoothed", &self.smooth, SeriesShape::Line),
                series("of each step", &self.points, SeriesShape::Dashed),
            ],
            marks: mark.into_iter().collect(),
            ..Chart::default()
        }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_lies_where_the_loss_falls() {
        let rates = (0..200).map(|step| 1e-7 * 10f64.powf(step as f64 * 0.04));
        // Flat, then falling between 1e-4 and 1e-2, then running away above 1.
        let loss = |rate: f64| match rate {
            rate if rate < 1e-4 => 2.3,
            rate if rate < 1e-2 => 2.3 - 0.9 * (rate / 1e-4).log10(),
            rate if rate < 1.0 => 0.5,
            rate => 0.5 + rate,
        };
        let found = found(rates.map(|rate| (rate, loss(rate))).collect(), true);
        let steepest = found.steepest.unwrap();
        assert!((1e-4..2e-2).contains(&steepest), "{steepest}");
        let suggestion = found.suggestion().unwrap();
        assert!((1e-4..1e-1).contains(&suggestion), "{suggestion}");
        assert!(found.svg("x").contains("suggestion"));
    }

    #[test]
    fn a_loss_that_only_grows_suggests_nothing() {
        let points = (1..60).map(|step| (1e-5 * f64::from(step), f64::from(step))).collect();
        assert_eq!(found(points, true).suggestion(), None);
        assert_eq!(found(Vec::new(), false).suggestion(), None);
    }
}
