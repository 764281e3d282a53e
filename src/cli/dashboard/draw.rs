//! A frame: the run's head, its curves, scores and layers, its log, and the keys.
//!
//! ```text
//! ┌──────────────────────────────────────────────┐
//! │ model, epoch, time                           │
//! │ steps of the epoch                           │
//! ├───────────────────────────────┬──────────────┤  what does not fit is left out: first the
//! │ loss                          │ scores       │  right column, then the curves, then the log
//! │                               ├──────────────┤
//! │                               │ layers       │
//! ├───────────────────────────────┴──────────────┤
//! │ log                                          │
//! │ keys                                         │
//! └──────────────────────────────────────────────┘
//! ```

use super::view::TrainingView;
use crate::base::units::{compact, duration};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType, Paragraph};

/// The terminal's abilities.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScreenStyle {
    /// Whether it has colours.
    pub color: bool,
    /// Whether it has nothing but ASCII.
    pub ascii: bool,
}

/// Columns from which scores and layers stand beside the curves.
const WIDE: u16 = 60;
/// Rows from which there are curves, and a log.
const CURVES: u16 = 14;
const LOG: u16 = 6;

/// Draws a run.
pub fn frame(frame: &mut Frame<'_>, view: &TrainingView, style: ScreenStyle) {
    let area = frame.area();
    let log = match area.height {
        0..LOG => 0,
        LOG..CURVES => area.height - 4,
        _ => (area.height / 4).max(4),
    };
    let scores_below = if area.width < WIDE && area.height >= LOG { 1 } else { 0 };
    let rows = [2, scores_below].map(Constraint::Length);
    let parts =
        [rows[0], rows[1], Constraint::Min(0), Constraint::Length(log), Constraint::Length(1)];
    let [head, scores, middle, log, keys] = Layout::vertical(parts).areas(area);
    draw_head(frame, view, head);
    frame.render_widget(Paragraph::new(scores_line(view)), scores);
    if area.height >= CURVES {
        draw_middle(frame, view, middle, style);
    }
    draw_log(frame, view, log);
    let line = view.shown_notice().unwrap_or("c checkpoint  l half the rate  q stop  ↑↓ log");
    frame.render_widget(Paragraph::new(line).dim(), keys);
    if style.ascii {
        in_ascii(frame.buffer_mut());
    }
    if !style.color {
        frame.buffer_mut().set_style(area, Style::reset());
    }
}

fn draw_head(frame: &mut Frame<'_>, view: &TrainingView, area: Rect) {
    let [title, bar] = Layout::vertical([Constraint::Length(1); 2]).areas(area);
    let (heading, (epoch, epochs)) = (&view.heading, view.epoch);
    let mut line =
        format!("{}  epoch {epoch}/{epochs}  {}", heading.model, duration(view.seconds()));
    if let Some(left) = view.left {
        line.push_str(&format!("  {} left", duration(left)));
    }
    let samples = view.rate * heading.batch as f64;
    line.push_str(&format!("  {samples:.0} samples/s  {}", memory(heading.memory)));
    line.push_str(&format!("  {} threads", heading.threads));
    if let Some(folder) = &heading.folder {
        line.push_str(&format!("  {folder}"));
    }
    frame.render_widget(Paragraph::new(Line::from(line).bold()), title);
    let (step, steps) = view.step;
    let gauge = Gauge::default()
        .ratio((step as f64 / steps.max(1) as f64).clamp(0.0, 1.0))
        .label(format!("step {step}/{steps}"))
        .gauge_style(Style::new().fg(Color::Blue));
    frame.render_widget(gauge, bar);
}

fn memory(bytes: usize) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn scores_line(view: &TrainingView) -> String {
    let scores = view.scores.iter().map(|(name, value)| format!("{name} {value}"));
    scores.collect::<Vec<_>>().join("  ")
}

fn draw_middle(frame: &mut Frame<'_>, view: &TrainingView, area: Rect, style: ScreenStyle) {
    if area.width < WIDE {
        draw_curves(frame, view, area, style);
        return;
    }
    let right = Constraint::Length((area.width / 3).min(40));
    let [left, right] = Layout::horizontal([Constraint::Min(0), right]).areas(area);
    draw_curves(frame, view, left, style);
    let count = u16::try_from(view.scores.len()).unwrap_or(u16::MAX);
    let scores = count.saturating_add(2).clamp(3, area.height.saturating_sub(3).max(3));
    let parts = [Constraint::Length(scores), Constraint::Min(0)];
    let [scores, layers] = Layout::vertical(parts).areas(right);
    let inner = usize::from(right.width.saturating_sub(2));
    let rows = view.scores.iter().map(|(name, value)| spread(name, value, inner));
    let rows: Vec<Line<'_>> = rows.map(Line::from).collect();
    frame.render_widget(Paragraph::new(rows).block(Block::bordered().title("last epoch")), scores);
    let rows = view.heading.layers.iter().map(|layer| {
        let share = format!("{:>5.1} %", 100.0 * layer.share);
        Line::from(spread(&layer.path, &share, inner))
    });
    let rows: Vec<Line<'_>> = rows.collect();
    let block = Block::bordered().title("operations by layer");
    frame.render_widget(Paragraph::new(rows).block(block), layers);
}

/// A name at the left, its value at the right.
fn spread(name: &str, value: &str, width: usize) -> String {
    let room = width.saturating_sub(value.chars().count() + 1);
    let name: String = name.chars().take(room).collect();
    format!("{name:<room$} {value}")
}

fn draw_curves(frame: &mut Frame<'_>, view: &TrainingView, area: Rect, style: ScreenStyle) {
    let marker = if style.ascii { Marker::Dot } else { Marker::Braille };
    let curves = [
        ("batches", &view.batches, Color::DarkGray),
        ("training", &view.training, Color::Blue),
        ("validation", &view.validation, Color::Yellow),
    ];
    let finite = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points.iter().copied().filter(|(_, loss)| loss.is_finite()).collect()
    };
    let curves: Vec<_> = curves
        .into_iter()
        .map(|(name, points, color)| (name, finite(points), color))
        .filter(|(_, points, _)| !points.is_empty())
        .collect();
    let losses = || curves.iter().flat_map(|(_, points, _)| points.iter().map(|point| point.1));
    let low = losses().fold(f64::INFINITY, f64::min);
    let high = losses().fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let gap = ((high - low) * 0.05).max(1e-6);
    let (low, high) = (low - gap, high + gap);
    let epochs = view.epoch.1.max(1) as f64;
    let datasets = curves.iter().map(|(name, points, color)| {
        let graph = if *name == "batches" { GraphType::Scatter } else { GraphType::Line };
        let data = Dataset::default().name(*name).marker(marker).graph_type(graph);
        data.style(Style::new().fg(*color)).data(points)
    });
    let number = |value: f64| compact(value as f32);
    let chart = Chart::new(datasets.collect())
        .block(Block::bordered().title("loss"))
        .hidden_legend_constraints((Constraint::Percentage(50), Constraint::Percentage(50)))
        .x_axis(Axis::default().bounds([0.0, epochs]).labels(["0".to_owned(), format!("{epochs}")]))
        .y_axis(Axis::default().bounds([low, high]).labels([number(low), number(high)]));
    frame.render_widget(chart, area);
}

fn draw_log(frame: &mut Frame<'_>, view: &TrainingView, area: Rect) {
    if area.height == 0 {
        return;
    }
    let is_framed = area.height > 3;
    let rows = usize::from(area.height.saturating_sub(if is_framed { 2 } else { 0 }));
    let lines = view.lines();
    let end = lines.len().saturating_sub(view.scrolled);
    let shown = &lines[end.saturating_sub(rows)..end];
    let text: Vec<Line<'_>> = shown.iter().map(|line| Line::from(line.as_str())).collect();
    let text = Paragraph::new(text);
    match is_framed {
        true => frame.render_widget(text.block(Block::bordered().title("log")), area),
        false => frame.render_widget(text, area),
    }
}

/// Writes what has no place in ASCII as something alike.
fn in_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let ascii = match cell.symbol() {
            symbol if symbol.is_ascii() => continue,
            "│" | "┃" => "|",
            "─" | "━" => "-",
            "•" => "*",
            "█" | "▉" | "▊" | "▋" | "▌" => "#",
            "▍" | "▎" | "▏" => " ",
            "↑" => "^",
            "↓" => "v",
            "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" => "+",
            _ => "?",
        };
        cell.set_symbol(ascii);
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::{LayerShare, RunHeading};
    use super::*;
    use crate::runtime::trainer::{Decision, EpochRecord, Event, Scores};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn scores(loss: f64) -> Scores {
        let metrics = vec![("accuracy".to_owned(), 1.0 - loss / 4.0)];
        Scores { loss, metrics, notes: Vec::new() }
    }

    /// A run in its third epoch.
    fn example() -> TrainingView {
        let layers = [("dense", 0.9), ("dense_2", 0.1)];
        let layers = layers
            .map(|(path, share)| LayerShare { path: path.into(), share })
            .into_iter()
            .collect();
        let mut view = TrainingView::new(RunHeading {
            model: "mnist".into(),
            folder: Some("runs/mnist".into()),
            batch: 32,
            memory: 1_250_000,
            threads: 2,
            layers,
        });
        for epoch in 1..=3 {
            view.event(&Event::EpochStarted { epoch, epochs: 5, steps: 100 });
            for step in [16, 32, 48, 64] {
                let loss = 1.0 / (epoch as f32 + step as f32 / 100.0);
                view.event(&Event::Stepped { step, loss });
            }
            if epoch == 3 {
                break;
            }
            let record = EpochRecord {
                epoch,
                train: scores(1.0 / epoch as f64),
                validation: Some(scores(1.2 / epoch as f64)),
                grad_norm: 1.0,
                scheduled: vec![("lr".to_owned(), 1e-3)],
                steps: 100,
                samples: 3200,
                seconds: 1.0,
                data_seconds: 0.0,
                ended: 0.0,
            };
            let decision = Decision::default();
            view.event(&Event::EpochEnded { record: &record, epochs: 5, decision });
            view.line(&format!("epoch {epoch}/5  loss 0.5"));
        }
        view
    }

    fn drawn(view: &TrainingView, width: u16, height: u16, style: ScreenStyle) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|it| frame(it, view, style)).expect("a frame");
        terminal.backend().buffer().clone()
    }

    fn text(buffer: &Buffer) -> String {
        let rows = buffer.content.chunks(usize::from(buffer.area.width));
        let rows = rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
        rows.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_usual_terminal_shows_all_of_it() {
        let style = ScreenStyle { color: true, ascii: false };
        let shown = text(&drawn(&example(), 80, 24, style));
        for part in [
            "mnist  epoch 3/5",
            "1.2 MB",
            "step 64/100",
            "loss",
            "validation",
            "accuracy          0.8750",
            "val_loss",
            "lr",
            "dense",
            "90.0 %",
            "epoch 2/5  loss 0.5",
            "c checkpoint",
            "⠁",
        ] {
            assert!(shown.contains(part), "no `{part}` in\n{shown}");
        }
    }

    #[test]
    fn a_terminal_of_any_size_shows_what_fits() {
        let style = ScreenStyle::default();
        let view = example();
        for (width, height) in [(1, 1), (20, 5), (20, 10), (20, 24), (59, 13), (60, 14), (200, 60)]
        {
            let shown = text(&drawn(&view, width, height, style));
            assert!(width < 20 || shown.contains("mnist  epoch 3/5"), "{shown}");
            assert!(height < 6 || shown.contains("epoch 2/5"), "{width}×{height}\n{shown}");
        }
        for width in 1..90 {
            for height in 1..30 {
                drawn(&view, width, height, style);
            }
        }
        let unborn = TrainingView::new(RunHeading::default());
        drawn(&unborn, 80, 24, style);
    }

    #[test]
    fn a_terminal_without_unicode_or_colours_gets_none() {
        let style = ScreenStyle { color: false, ascii: true };
        let buffer = drawn(&example(), 80, 24, style);
        let shown = text(&buffer);
        assert!(shown.is_ascii(), "{shown}");
        assert!(shown.contains('*') && !shown.contains('?'), "{shown}");
        assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset), "colours");
    }
}
