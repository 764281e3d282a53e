//! A training loop of Python, whose statements are what a run does here by itself.
//!
//! ```text
//! for epoch in range(5):                         epochs = 5
//!     for x, y in loader:
//!         loss = F.cross_entropy(model(x), y)    loss = cross_entropy
//!         loss.backward()
//! ```
//!
//! In a loop only the loss and the clipping of gradients say something; outside of one, loaders of data do.

use super::body::indent;
use super::reader::{HabitReader, is_space, path};
use super::settings::ForeignSettings;
use super::tokens::{ForeignToken, ForeignTokenKind, split, statements};

/// Calls that are a step of a run, wherever they stand.
const STEPS: [&str; 11] = [
    "zero_grad",
    "backward",
    "step",
    "train",
    "eval",
    "to",
    "cuda",
    "log",
    "save_hyperparameters",
    "summary",
    "test",
];

impl ForeignSettings {
    /// Takes a statement of a loop, or a step of a run; `false` where it may be a setting.
    pub fn of_loop<'a>(
        &mut self,
        reader: &HabitReader<'a>,
        statement: &[ForeignToken<'a>],
        at: usize,
    ) -> bool {
        let first = statement[0];
        let space = indent(reader.text, first.start).len();
        if self.in_loop.is_some_and(|outer| space <= outer) {
            self.in_loop = None;
        }
        if first.is("for") && self.in_loop.is_none() {
            self.in_loop = Some(space);
            self.is_foreign = true;
            let epochs = turns(statement);
            self.found.extend(epochs.map(|epochs| ("epochs".to_owned(), epochs, at)));
            return true;
        }
        let calls = |names: &[&str]| {
            statement.windows(2).any(|it| names.contains(&it[0].text) && it[1].is("("))
        };
        let is_method = statement.get(1).is_some_and(|dot| dot.is("."));
        let is_step = is_method && calls(&STEPS) && !statement.iter().any(|it| it.is("="));
        if self.in_loop.is_none() {
            self.is_foreign |= is_step;
            return is_step;
        }
        let of_loss = |it: &[ForeignToken<'a>]| {
            let functional = it.get(2).is_some_and(|first| is_space(first.text));
            it[0].is("loss") && it.get(1).is_some_and(|sign| sign.is("=")) && functional
        };
        !of_loss(statement) && !calls(&["clip_grad_norm_", "clip_grad_value_"])
    }

    /// The settings that a module of Lightning has in its methods, and the loss that it keeps.
    pub fn of_methods<'a>(
        &mut self,
        reader: &HabitReader<'a>,
        methods: &[(&'a str, &[ForeignToken<'a>])],
        at: usize,
    ) {
        for (name, method) in methods {
            let all = statements(method);
            for statement in all.iter().skip(1) {
                match (*name, statement) {
                    ("__init__", [own, dot, key, equals, value @ ..])
                        if own.is("self") && dot.is(".") && equals.is("=") && is_loss(key.text) =>
                    {
                        self.setting(reader, "loss", value, at);
                    }
                    ("configure_optimizers", _) => self.read(reader, statement, at),
                    ("training_step", _) => {
                        self.in_loop = Some(0);
                        self.read(reader, statement, at);
                        self.in_loop = None;
                    }
                    _ => {}
                }
            }
        }
    }

    /// Takes what loads data: batches are a setting here, loaders of other splits say nothing.
    pub fn of_data<'a>(
        &mut self,
        reader: &HabitReader<'a>,
        key: &str,
        value: &[ForeignToken<'a>],
        at: usize,
    ) -> bool {
        if key == "gradient_clip_algorithm" {
            self.clips_values = value.iter().any(|it| it.content() == Some("value"));
            return true;
        }
        let Some(first) = value.first().filter(|first| first.kind == ForeignTokenKind::Word) else {
            return false;
        };
        // `net = Net()`
        if reader.text.contains(&format!("class {}(", first.text)) {
            self.is_foreign = true;
            return true;
        }
        let (names, _) = path(value, 0);
        if names.last() != Some(&"DataLoader") {
            return false;
        }
        self.is_foreign = true;
        let of_others = ["val", "test", "eval"].iter().any(|it| key.to_lowercase().contains(it));
        of_others || self.call_in(reader, value, at)
    }
}

/// Whether a name is what a loss is mostly called.
fn is_loss(name: &str) -> bool {
    matches!(name, "criterion" | "loss_fn" | "loss" | "loss_func" | "loss_function")
}

/// How often a loop turns: `for epoch in range(5):`; `None` where a name says it.
fn turns(statement: &[ForeignToken<'_>]) -> Option<String> {
    let at = statement.iter().position(|token| token.is("range"))?;
    let close = super::tokens::closer(statement, at + 1)?;
    let bounds = split(&statement[at + 2..close], |token| token.is(","));
    let number = |part: &[ForeignToken<'_>]| match part {
        [only] => only.text.parse::<u64>().ok(),
        _ => None,
    };
    let count = match bounds[..] {
        [count] => number(count)?,
        [from, to] => number(to)?.checked_sub(number(from)?)?,
        _ => return None,
    };
    Some(count.to_string())
}
