//! `nnc run --tui`: a run as it trains, on a whole terminal.
//!
//! ```text
//! training ─ events ─→ TrainingView ←─ reads ─ thread of the screen ─→ terminal, a write a frame
//!          ←─ wishes of keys ──────────────────────────╯
//! ```
//!
//! A thread of its own draws what is known ([`view`], [`draw`]) and reads keys ([`screen`]), so that
//! a slow terminal never holds up a step. What would have been printed is kept as the log, and is
//! printed when the screen is left: the terminal then shows what a run without `--tui` shows.

mod draw;
mod screen;
mod view;

pub use view::{LayerShare, RunHeading};

use crate::runtime::trainer::Event;
use screen::{Screen, ScreenKey};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use view::TrainingView;

/// Time between frames: live enough, and too little work to slow down a step.
const FRAME: Duration = Duration::from_millis(200);

/// How long the screen's thread may take to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// A run on a screen.
pub struct Dashboard {
    shared: Arc<Shared>,
    /// Hears when the screen's thread has ended.
    ended: Option<Receiver<()>>,
}

/// The state that training and the screen share.
struct Shared {
    view: Mutex<TrainingView>,
    /// Ends training after a step.
    stop: Arc<AtomicBool>,
    /// Set by a key until training has seen it.
    checkpoint: AtomicBool,
    halve: AtomicBool,
    /// Ends the screen's thread.
    close: AtomicBool,
}

impl Dashboard {
    /// Takes over the terminal that standard error is.
    pub fn open(heading: RunHeading, stop: Arc<AtomicBool>) -> io::Result<Dashboard> {
        let screen = Screen::open()?;
        let shared = Arc::new(Shared {
            view: Mutex::new(TrainingView::new(heading)),
            stop,
            checkpoint: AtomicBool::new(false),
            halve: AtomicBool::new(false),
            close: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&shared);
        let (end, ended) = channel::<()>();
        std::thread::Builder::new().name("screen".into()).spawn(move || {
            // Given up when the thread ends, however it does.
            let _end = end;
            follow(&theirs, screen);
        })?;
        Ok(Dashboard { shared, ended: Some(ended) })
    }

    /// Keeps a line for the log, and for when the screen is left.
    pub fn line(&self, text: &str) {
        self.view().line(text);
    }

    /// Shows an event.
    pub fn event(&self, event: &Event<'_>) {
        self.view().event(event);
    }

    /// Shows about how many seconds the run still takes.
    pub fn left(&self, seconds: f64) {
        self.view().left = Some(seconds);
    }

    /// Whether a key has asked for a checkpoint since the last call.
    pub fn wants_checkpoint(&self) -> bool {
        self.shared.checkpoint.swap(false, Ordering::Relaxed)
    }

    /// Whether a key has asked for half the learning rate since the last call.
    pub fn halves_rate(&self) -> bool {
        self.shared.halve.swap(false, Ordering::Relaxed)
    }

    /// Gives the terminal back; the lines that were kept.
    pub fn close(mut self) -> Vec<String> {
        self.leave();
        self.view().take_lines()
    }

    fn leave(&mut self) {
        self.shared.close.store(true, Ordering::Relaxed);
        let Some(ended) = self.ended.take() else { return };
        if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            // Reading keys of a terminal that is gone may never end; nothing waits for that.
            screen::leave();
        }
    }

    fn view(&self) -> MutexGuard<'_, TrainingView> {
        self.shared.view()
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Shared {
    fn view(&self) -> MutexGuard<'_, TrainingView> {
        // What a panic has left is still worth showing.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pressed(&self, key: ScreenKey) {
        match key {
            ScreenKey::Checkpoint => {
                self.checkpoint.store(true, Ordering::Relaxed);
                self.view().notice("a checkpoint after this step");
            }
            ScreenKey::HalveRate => {
                self.halve.store(true, Ordering::Relaxed);
                self.view().notice("half the learning rate after this step");
            }
            ScreenKey::Stop if self.stop.swap(true, Ordering::Relaxed) => {
                self.view().notice("stopping: a whole step and its checkpoint come first");
            }
            ScreenKey::Stop => self.view().notice("stops after this step"),
            ScreenKey::Log(rows) => self.view().scroll(rows),
        }
    }
}

/// Draws and reads keys until the run has ended, or the terminal is gone.
fn follow(shared: &Shared, mut screen: Screen) {
    while !shared.close.load(Ordering::Relaxed) {
        let drawn = screen.draw(|frame, style| draw::frame(frame, &shared.view(), style));
        let key = drawn.and_then(|()| screen.key(FRAME));
        match key {
            Ok(Some(key)) => shared.pressed(key),
            Ok(None) => {}
            // Whoever has closed the terminal has sent a signal, too, which stops the run.
            Err(_) => return,
        }
    }
}
