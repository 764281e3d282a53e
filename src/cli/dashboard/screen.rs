//! The terminal: a screen of its own, keys as they are pressed, and all of it given back.

use super::draw::ScreenStyle;
use crate::cli::color;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::{cursor, execute, terminal};
use ratatui::{Frame, Terminal};
use std::io::{self, BufWriter, Stderr, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Bytes of a frame, at most: a frame is one write, so that none is seen half drawn.
const FRAME_BYTES: usize = 1 << 20;

/// Whether the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// A key that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreenKey {
    /// Keep the run as it is.
    Checkpoint,
    /// Train on with half the learning rate.
    HalveRate,
    /// End the run after a step.
    Stop,
    /// Move the log by so many rows.
    Log(isize),
}

/// The terminal that standard error is.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stderr>>>,
    style: ScreenStyle,
}

impl Screen {
    /// Takes the terminal; a panic gives it back before it is told.
    pub fn open() -> io::Result<Screen> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let told = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                leave();
                told(panic);
            }));
        });
        terminal::enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let entered = execute!(io::stderr(), terminal::EnterAlternateScreen, cursor::Hide);
        let out = BufWriter::with_capacity(FRAME_BYTES, io::stderr());
        match entered.and_then(|()| Terminal::new(CrosstermBackend::new(out))) {
            Ok(terminal) => {
                let style = ScreenStyle { color: color::on(true), ascii: !speaks_unicode() };
                Ok(Screen { terminal, style })
            }
            Err(error) => {
                leave();
                Err(error)
            }
        }
    }

    /// Draws a frame.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>, ScreenStyle)) -> io::Result<()> {
        let style = self.style;
        self.terminal.draw(|frame| draw(frame, style))?;
        self.terminal.backend_mut().flush()
    }

    /// The next key that says something, if one comes in time.
    pub fn key(&mut self, within: Duration) -> io::Result<Option<ScreenKey>> {
        if !event::poll(within)? {
            return Ok(None);
        }
        Ok(match event::read()? {
            Event::Key(key) => known(key),
            _ => None,
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Gives the terminal back, once.
pub fn leave() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs nothing back.
        let _ = execute!(io::stderr(), terminal::LeaveAlternateScreen, cursor::Show);
        let _ = terminal::disable_raw_mode();
    }
}

fn known(key: KeyEvent) -> Option<ScreenKey> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
            Some(ScreenKey::Stop)
        }
        KeyCode::Char('c') => Some(ScreenKey::Checkpoint),
        KeyCode::Char('l') => Some(ScreenKey::HalveRate),
        KeyCode::Char('q' | 's') => Some(ScreenKey::Stop),
        KeyCode::Up | KeyCode::Char('k') => Some(ScreenKey::Log(1)),
        KeyCode::Down | KeyCode::Char('j') => Some(ScreenKey::Log(-1)),
        KeyCode::PageUp => Some(ScreenKey::Log(10)),
        KeyCode::PageDown => Some(ScreenKey::Log(-10)),
        _ => None,
    }
}

/// Whether the terminal's characters are Unicode, by the locale, as POSIX orders its variables.
fn speaks_unicode() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    let locale = locale.unwrap_or_default().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8") || cfg!(windows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_when_they_are_pressed() {
        let press = |code, modifiers| known(KeyEvent::new(code, modifiers));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::NONE), Some(ScreenKey::Checkpoint));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(ScreenKey::Stop));
        assert_eq!(press(KeyCode::Char('l'), KeyModifiers::NONE), Some(ScreenKey::HalveRate));
        assert_eq!(press(KeyCode::Char('x'), KeyModifiers::NONE), None);
        let release =
            KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(known(release), None);
    }
}
