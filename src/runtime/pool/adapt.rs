//! How many threads a step takes: as many as make it fastest *now*, found by measuring.
//!
//! ```text
//! 2 threads, 0.05 ms a step │ another program starts │ 3 ms a step
//!   └─ every now and then: 1 thread, 0.08 ms: slower, back       └─ 1 thread: 0.08 ms: stay
//!                                                    … 2 threads: 3 ms, back; … 0.05 ms: stay
//! ```
//!
//! A step's threads wait for each other several times. Where one of them has to share its
//! processor with another program, all wait for whole time slices of the scheduler, and the step
//! becomes many times slower than on one thread. Bits do not depend on the number of threads, so
//! it may change between two steps.
//!
//! Takes how long each step took ([`ThreadChoice::took`]); gives the number of threads for the next
//! one ([`ThreadChoice::next`]). Another number is tried (a *probe*) when all steps since the last
//! one cost [`PROBE_SHARE`] times what that one lost, and at once when steps have become much
//! slower. A probe ends as soon as it has lost or gained enough to tell. Steps of different
//! programs (training, the smaller last batch, evaluation) choose apart.
//!
//! It reads no clock and knows no threads, so its tests make up the times.

/// Steps take this many times as long as was lost by the last probe, before the next one: the
/// probes of a run cost at most the reciprocal of it.
const PROBE_SHARE: f64 = 200.0;

/// The same before the first probe, whose loss is guessed.
const FIRST_SHARE: f64 = 100.0;

/// The first steps are not representative: memory is touched for the first time.
const WARM_UP: u32 = 2;

/// Seconds over which the time of a step is averaged: several time slices of a scheduler.
const WINDOW: f64 = 0.02;

/// Seconds that a probe may lose before it ends; at least one step.
const LOSS: f64 = 0.0005;

/// Seconds that a probe has to gain before its number of threads is taken.
const GAIN: f64 = 0.005;

/// A probe that neither loses nor gains ends after so many seconds.
const UNDECIDED: f64 = 0.1;

/// The longest interruption of a step that says nothing of its threads, in seconds: the system
/// has things to do, too. One in a probe is overlooked.
const HICCUP: f64 = 0.005;

/// Another number of threads has to be faster by this factor: a change should pay.
const BETTER: f64 = 0.95;

/// Steps that take this many times as long as before are a reason to try at once.
const TROUBLE: f64 = 1.4;

/// The number of threads was changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThreadChange {
    /// Threads before.
    pub from: usize,
    /// Threads from now on.
    pub to: usize,
}

/// The numbers of threads of a run's steps.
#[derive(Debug)]
pub(super) struct ThreadChoice {
    /// Numbers of threads to choose from, the largest first.
    levels: Vec<usize>,
    /// Times of each program's steps, by the program's key.
    steps: Vec<(usize, StepTimes)>,
    /// The first change to fewer threads, until it is asked for.
    change: Option<ThreadChange>,
    /// Whether there has been one.
    changed: bool,
}

/// Times of one program's steps, and the probe that goes on.
#[derive(Debug)]
struct StepTimes {
    /// The level that is used.
    level: usize,
    /// The level that was tried last.
    tried: usize,
    warm_up: u32,
    /// Steps since the last average was taken.
    window: Sum,
    /// Seconds of a step at `level`; of the fastest one until there is an average.
    average: Option<f64>,
    fastest: f64,
    /// Seconds of steps since the last probe, and how many there should be before the next.
    since: f64,
    rest: Option<f64>,
    /// Seconds that the last probe lost.
    lost: f64,
    probe: Option<Sum>,
}

/// Steps and their seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    steps: f64,
    seconds: f64,
    longest: f64,
}

impl Sum {
    fn add(&mut self, seconds: f64) {
        self.steps += 1.0;
        self.seconds += seconds;
        self.longest = self.longest.max(seconds);
    }

    fn mean(self) -> f64 {
        self.seconds / self.steps
    }
}

impl ThreadChoice {
    /// A choice of up to `threads`, which is at least 1.
    pub(super) fn new(threads: usize) -> ThreadChoice {
        let halves = std::iter::successors(Some(threads), |&n| (n > 1).then_some(n / 2));
        let mut levels: Vec<usize> = halves.chain((threads > 1).then(|| threads - 1)).collect();
        levels.sort_unstable_by(|a, b| b.cmp(a));
        levels.dedup();
        ThreadChoice { levels, steps: Vec::new(), change: None, changed: false }
    }

    /// Threads for the next step of a program.
    pub(super) fn next(&mut self, program: usize) -> usize {
        let at = self.find(program);
        let times = &self.steps[at].1;
        self.levels[if times.probe.is_some() { times.tried } else { times.level }]
    }

    /// Takes note that the step of a program, with what `next` said, took so many seconds.
    pub(super) fn took(&mut self, program: usize, seconds: f64) {
        if self.levels.len() == 1 {
            return;
        }
        let at = self.find(program);
        let (levels, times) = (&self.levels, &mut self.steps[at].1);
        let before = times.level;
        times.took(levels, seconds);
        let (from, to) = (levels[before], levels[times.level]);
        if to < from && !self.changed {
            self.changed = true;
            self.change = Some(ThreadChange { from, to });
        }
    }

    /// The first change to fewer threads, once.
    pub(super) fn take_change(&mut self) -> Option<ThreadChange> {
        self.change.take()
    }

    fn find(&mut self, program: usize) -> usize {
        let known = self.steps.iter().position(|(key, _)| *key == program);
        known.unwrap_or_else(|| {
            self.steps.push((program, StepTimes::new()));
            self.steps.len() - 1
        })
    }
}

impl StepTimes {
    fn new() -> StepTimes {
        StepTimes {
            level: 0,
            tried: 0,
            warm_up: WARM_UP,
            window: Sum::default(),
            average: None,
            fastest: f64::INFINITY,
            since: 0.0,
            rest: None,
            lost: 0.0,
            probe: None,
        }
    }

    fn took(&mut self, levels: &[usize], seconds: f64) {
        if self.warm_up > 0 {
            self.warm_up -= 1;
            return;
        }
        match self.probe {
            Some(mut probe) => {
                probe.add(seconds);
                self.probe = Some(probe);
                self.decide(levels, probe);
            }
            None => self.settled(levels, seconds),
        }
    }

    /// A step with the number of threads that is used.
    fn settled(&mut self, levels: &[usize], seconds: f64) {
        self.window.add(seconds);
        self.since += seconds;
        self.fastest = self.fastest.min(seconds);
        let mut trouble = false;
        if self.window.seconds >= WINDOW {
            let mean = self.window.mean();
            let average = *self.average.get_or_insert(mean);
            trouble = mean > TROUBLE * average && self.since > self.lost * PROBE_SHARE / 10.0;
            self.average = Some(0.5 * (mean + average));
            self.window = Sum::default();
        }
        let next = self.next_tried(levels.len());
        // Under load single steps are fast by luck: the fastest says what a step should cost, and
        // one with half the threads costs at most twice that.
        let slower = (levels[self.level] as f64 / levels[next] as f64 - 1.0).abs();
        let rest = self.rest.unwrap_or(FIRST_SHARE * slower * self.fastest);
        if trouble || self.since > rest {
            self.tried = next;
            self.probe = Some(Sum::default());
        }
    }

    /// The level to try next, of so many: each other one in turn.
    fn next_tried(&self, levels: usize) -> usize {
        let next = (self.tried + 1) % levels;
        if next == self.level { (next + 1) % levels } else { next }
    }

    /// Seconds of a step at the level that is used, as far as known.
    fn usual(&self) -> f64 {
        self.average.unwrap_or_else(|| {
            if self.window.steps > 0.0 { self.window.mean() } else { self.fastest }
        })
    }

    /// Whether a probe has shown enough, and what follows.
    fn decide(&mut self, levels: &[usize], probe: Sum) {
        let usual = self.usual();
        let hiccup = probe.longest - usual;
        let overlooked = if (0.0..HICCUP).contains(&hiccup) { hiccup } else { 0.0 };
        let gained = probe.steps * usual - (probe.seconds - overlooked);
        if gained >= GAIN && probe.mean() < BETTER * usual {
            // Where one number was better, another may be better still: the next is tried soon.
            self.level = self.tried;
            self.average = Some(probe.mean());
            self.fastest = probe.mean();
            self.window = Sum::default();
            let more = levels.len() > 2;
            self.end_probe(usual, if more { 2.0 * probe.seconds } else { 0.0 });
        } else if -gained > LOSS.max(usual) || probe.seconds > UNDECIDED.max(2.0 * usual) {
            // One that shows no difference costs nothing: it may soon be repeated.
            self.end_probe((-gained).max(probe.seconds / PROBE_SHARE), 0.0);
        }
    }

    fn end_probe(&mut self, lost: f64, rest: f64) {
        self.probe = None;
        self.lost = lost;
        self.since = 0.0;
        self.rest = Some(if rest > 0.0 { rest } else { PROBE_SHARE * lost });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs steps for about so many seconds, each as long as `cost` says for its number and its
    /// number of threads; returns the seconds that they took, and how many there were.
    fn run(
        choice: &mut ThreadChoice,
        seconds: f64,
        cost: impl Fn(u64, usize) -> f64,
    ) -> (f64, u64) {
        let (mut total, mut steps) = (0.0, 0);
        while total < seconds {
            let took = cost(steps, choice.next(7));
            choice.took(7, took);
            total += took;
            steps += 1;
        }
        (total, steps)
    }

    /// A step of a small model on an idle machine, interrupted now and then.
    fn idle(step: u64, threads: usize) -> f64 {
        let interrupted = if step % 211 == 5 { 0.4e-3 } else { 0.0 };
        interrupted + if threads == 1 { 80e-6 } else { 50e-6 }
    }

    /// The same beside a busy program: every second step waits for a time slice.
    fn busy(step: u64, threads: usize) -> f64 {
        match threads {
            1 => 80e-6,
            _ if step.is_multiple_of(2) => 4e-3,
            _ => 50e-6,
        }
    }

    #[test]
    fn probes_of_an_idle_machine_cost_less_than_a_hundredth() {
        for (step, threads) in [(50e-6, 2), (5e-3, 2), (0.25, 2), (1e-3, 8), (1e-3, 64)] {
            let mut choice = ThreadChoice::new(threads);
            let cost = |_, used: usize| step * threads as f64 / used as f64;
            let (total, steps) = run(&mut choice, 2000.0 * step, cost);
            let lost = total / (steps as f64 * step) - 1.0;
            assert!(lost < 0.02, "{threads} threads, {step} s a step: lost {lost}");
            assert_eq!(choice.take_change(), None);
        }
    }

    #[test]
    fn beside_a_busy_program_one_thread_is_taken_and_given_up_again() {
        let mut choice = ThreadChoice::new(2);
        run(&mut choice, 0.5, idle);
        let (total, steps) = run(&mut choice, 2.0, busy);
        assert!(total < 1.1 * steps as f64 * 82e-6, "{total} s for {steps} steps");
        assert_eq!(choice.take_change(), Some(ThreadChange { from: 2, to: 1 }));
        let (total, steps) = run(&mut choice, 2.0, idle);
        assert!(total < 1.3 * steps as f64 * 50e-6, "{total} s for {steps} steps");
        run(&mut choice, 1.0, busy);
        assert_eq!(choice.take_change(), None, "a change is told once");
    }

    #[test]
    fn a_run_that_begins_beside_a_busy_program_changes_soon() {
        let mut choice = ThreadChoice::new(2);
        let (total, steps) = run(&mut choice, 0.9, busy);
        assert!(total < 1.2 * steps as f64 * 80e-6, "{total} s for {steps} steps");
    }

    #[test]
    fn some_processors_that_are_taken_leave_the_others_to_use() {
        // Three of eight processors are taken: more than five threads wait for time slices.
        let cost = |_, threads: usize| match threads {
            6.. => 5e-3,
            _ => 8e-3 / threads as f64,
        };
        let mut choice = ThreadChoice::new(8);
        let (total, steps) = run(&mut choice, 5.0, cost);
        assert!(total < 1.2 * steps as f64 * 2e-3, "{total} s for {steps} steps");
    }

    #[test]
    fn two_threads_that_are_slower_than_one_are_given_up() {
        let mut choice = ThreadChoice::new(2);
        let cost = |step, threads: usize| idle(step, 1) + if threads == 1 { 0.0 } else { 12e-6 };
        let (total, steps) = run(&mut choice, 0.8, cost);
        let one = (0..steps).map(|step| idle(step, 1)).sum::<f64>();
        assert!(total < 1.04 * one, "{total} s for {steps} steps, {one} s on one thread");
    }

    #[test]
    fn steps_of_other_programs_choose_apart() {
        let mut choice = ThreadChoice::new(2);
        run(&mut choice, 1.0, busy);
        assert_eq!((choice.next(7), choice.next(8)), (1, 2));
    }
}
