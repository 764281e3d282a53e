//! `--set lr=1e-3`: settings from the command line, written into the program's text, so that what
//! runs, what errors point at and what is kept with a run are one program.
//!
//! | key | what is written |
//! |---|---|
//! | `train.epochs`, `epochs` | the setting of that name |
//! | `optimizer.lr`, `train.lr`, `lr` | the argument of the optimizer |
//! | `loss.smoothing` | the argument of the loss |
//! | `data.seed` | the argument of the source of the run's data |
//! | `WIDTH` | the constant of that name |

use crate::base::fix::{Edit, apply};
use crate::base::names::near;
use crate::base::source::{FileId, Sources, Span};
use crate::driver::session::Failure;
use crate::elaborate::{DEFAULT_OPTIMIZER, PRELUDE, PRELUDE_NAME, TRAIN_KEYS};
use crate::syntax;
use crate::syntax::ast::{Expr, ExprKind, File, FunctionKind, ItemKind, Train, TrainKey};
use serde::{Deserialize, Serialize};

/// A key and its value, as given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The key.
    pub key: String,
    /// The text of its value.
    pub value: String,
}

impl Setting {
    /// `lr=1e-3`.
    pub fn parse(text: &str) -> Result<Setting, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() && !value.trim().is_empty() => {
                Ok(Setting { key: key.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err("a setting is `KEY=VALUE`, such as `train.lr=1e-3`".to_owned()),
        }
    }
}

/// The text of a program with settings in it. `model` is the one that is trained, where the file
/// has several. A program that does not parse is left as it is: whoever reads it says why.
pub fn set(text: &str, model: Option<&str>, settings: &[Setting]) -> Result<String, Failure> {
    let (mut text, mut sources) = (text.to_owned(), Sources::new());
    if settings.is_empty() {
        return Ok(text);
    }
    let prelude = sources.add_builtin(PRELUDE_NAME, PRELUDE);
    let prelude = syntax::parse(&sources, prelude).expect("the prelude parses");
    for setting in settings {
        let id = sources.add("program", text.clone());
        let Ok(file) = syntax::parse(&sources, id) else { return Ok(text) };
        let program = ParsedText { id, file: &file, prelude: &prelude, model };
        let edit = program.edit(setting).map_err(Failure::Io)?;
        text = apply(&text, [&edit]);
    }
    Ok(text)
}

/// A parsed program.
struct ParsedText<'a> {
    id: FileId,
    file: &'a File,
    prelude: &'a File,
    model: Option<&'a str>,
}

impl<'a> ParsedText<'a> {
    /// The edit that a setting asks for.
    fn edit(&self, setting: &Setting) -> Result<Edit, String> {
        let Setting { key, value } = setting;
        let (room, name) = match key.split_once('.') {
            Some((room, name)) => (Some(room), name),
            None => (None, key.as_str()),
        };
        match room {
            None | Some("train") => {
                if TRAIN_KEYS.contains(&name) {
                    return self.train_key(name, value);
                }
                if self.takes(FunctionKind::Optimizer, name)? {
                    return self.argument("optimizer", name, value);
                }
                match self.constant(name) {
                    Some(span) if room.is_none() => Ok(Edit { span, text: value.clone() }),
                    _ => Err(self.unknown(key, name)),
                }
            }
            Some(room @ ("optimizer" | "loss")) => self.argument(room, name, value),
            Some("data") => self.source_argument(name, value),
            Some(_) => Err(self.unknown(key, name)),
        }
    }

    fn unknown(&self, key: &str, name: &str) -> String {
        let mut known: Vec<&str> = TRAIN_KEYS.to_vec();
        known.extend(self.parameters(FunctionKind::Optimizer).unwrap_or_default());
        known.extend(self.constants().map(|(name, _)| name));
        let near = near(name, known.iter().copied());
        let help = match near.first() {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                "settings of `train`, arguments of the optimizer and constants can be set".into()
            }
        };
        format!("nothing is called `{key}`; {help}")
    }

    /// The block that trains the model.
    fn train(&self) -> Result<(&'a Train, Span), String> {
        let blocks = self.file.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Train(train) => Some((train, item.span)),
            _ => None,
        });
        let mut of_model =
            blocks.filter(|(train, _)| self.model.is_none_or(|model| train.model.text == model));
        of_model.next().ok_or_else(|| "the file has no `train` block to set anything in".to_owned())
    }

    fn key(&self, name: &str) -> Result<Option<&'a TrainKey>, String> {
        let (train, _) = self.train()?;
        Ok(train.keys.iter().find(|key| key.key.text == name))
    }

    fn train_key(&self, name: &str, value: &str) -> Result<Edit, String> {
        match self.key(name)? {
            Some(key) => Ok(Edit { span: key.value.span, text: value.to_owned() }),
            None => {
                let (_, span) = self.train()?;
                // Before the brace that closes the block.
                let end = span.end as usize - 1;
                let span = Span::new(self.id, end, end);
                Ok(Edit { span, text: format!("\n    {name} = {value}\n") })
            }
        }
    }

    /// An argument of what a key chooses: `optimizer = adam(lr: 1e-3)`.
    fn argument(&self, key: &str, name: &str, value: &str) -> Result<Edit, String> {
        let kind = if key == "loss" { FunctionKind::Loss } else { FunctionKind::Optimizer };
        if !self.takes(kind, name)? {
            let known = self.parameters(kind)?.join(", ");
            return Err(format!("the {key} takes no `{name}`; it takes {known}"));
        }
        let Some(chosen) = self.key(key)? else {
            return self.train_key(key, &format!("{DEFAULT_OPTIMIZER}({name}: {value})"));
        };
        Ok(self.given(&chosen.value, &self.parameters(kind)?, name, value))
    }

    /// An argument of the source of the run's data, or of the file's only data.
    fn source_argument(&self, name: &str, value: &str) -> Result<Edit, String> {
        let wanted = self.train().ok().and_then(|(train, _)| train.data.as_ref());
        let mut sources = self.file.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Data { name, value, .. } => Some((name, value)),
            _ => None,
        });
        let found = sources.find(|(name, _)| wanted.is_none_or(|wanted| wanted.text == name.text));
        let Some((_, mut source)) = found else {
            return Err("the file has no data to set anything of".to_owned());
        };
        while let ExprKind::Pipe(before, _) = &source.kind {
            source = before;
        }
        let callee = match &source.kind {
            ExprKind::Name(callee) => callee,
            ExprKind::Call(call) => &call.callee.text,
            _ => return Err("the data have no source whose arguments can be set".to_owned()),
        };
        let known = crate::data::argument_names(callee);
        if !known.contains(&name) {
            let known = known.join(", ");
            return Err(format!("`{callee}` takes no `{name}`; it takes {known}"));
        }
        Ok(self.given(source, known, name, value))
    }

    /// The edit that gives an argument to a call, whose parameters have these names in order, or to
    /// a bare name.
    fn given(&self, callee: &Expr, names: &[&str], name: &str, value: &str) -> Edit {
        let ExprKind::Call(call) = &callee.kind else {
            let end = callee.span.end as usize;
            let span = Span::new(self.id, end, end);
            return Edit { span, text: format!("({name}: {value})") };
        };
        let named =
            |arg: &&syntax::ast::Arg| arg.name.as_ref().is_some_and(|known| known.text == name);
        let place = names.iter().position(|known| *known == name);
        let by_place = place
            .and_then(|place| call.args.get(place))
            .filter(|_| call.args.iter().take(place.unwrap_or(0) + 1).all(|it| it.name.is_none()));
        if let Some(arg) = call.args.iter().find(named).or(by_place) {
            return Edit { span: arg.value.span, text: value.to_owned() };
        }
        // Behind the last one, where a comma may follow.
        match call.args.last() {
            Some(last) => {
                let end = last.value.span.end as usize;
                let span = Span::new(self.id, end, end);
                Edit { span, text: format!(", {name}: {value}") }
            }
            None => {
                let end = callee.span.end as usize - 1;
                let span = Span::new(self.id, end, end);
                Edit { span, text: format!("{name}: {value}") }
            }
        }
    }

    fn takes(&self, kind: FunctionKind, name: &str) -> Result<bool, String> {
        Ok(self.parameters(kind)?.contains(&name))
    }

    /// The arguments that the chosen loss or optimizer takes, beside tensors and the step.
    fn parameters(&self, kind: FunctionKind) -> Result<Vec<&'a str>, String> {
        let (key, tensors, usual) = match kind {
            FunctionKind::Loss => ("loss", 2, None),
            _ => ("optimizer", 3, Some(DEFAULT_OPTIMIZER)),
        };
        let chosen = self.key(key)?.map(|key| &key.value.kind);
        let name = match chosen {
            Some(ExprKind::Name(name)) => Some(name.as_str()),
            Some(ExprKind::Call(call)) => Some(call.callee.text.as_str()),
            _ => usual,
        };
        let functions = self.file.items.iter().chain(&self.prelude.items);
        let mut functions = functions.filter_map(|item| match &item.kind {
            ItemKind::Function(function) => Some(function),
            _ => None,
        });
        let found = functions
            .find(|function| function.kind == kind && Some(function.name.text.as_str()) == name);
        let params = found.map(|function| function.params.iter().skip(tensors));
        Ok(params.map_or(Vec::new(), |params| params.map(|it| it.name.text.as_str()).collect()))
    }

    fn constants(&self) -> impl Iterator<Item = (&'a str, Span)> {
        self.file.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Const { name, value } => Some((name.text.as_str(), value.span)),
            _ => None,
        })
    }

    fn constant(&self, name: &str) -> Option<Span> {
        self.constants().find(|(known, _)| *known == name).map(|(_, span)| span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "const WIDTH = 128\n\
        data seen = csv(\n    \"a.csv\",\n    test: 0.2,\n) { x = number as target }\n\
        model net(x: f32[N, 4]) -> f32[N, 2] { x |> dense(WIDTH) |> dense(2) }\n\
        train net { loss = cross_entropy\n    optimizer = sgd(0.1, momentum: 0.9)\n    epochs = 5 }\n";

    fn edited(settings: &[&str]) -> Result<String, String> {
        let settings: Vec<Setting> =
            settings.iter().map(|text| Setting::parse(text).unwrap()).collect();
        match set(TEXT, None, &settings) {
            Ok(text) => Ok(text),
            Err(Failure::Io(message)) => Err(message),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn settings_are_written_where_they_belong() {
        let cases = [
            ("train.epochs=7", "epochs = 7 }"),
            ("epochs=7", "epochs = 7 }"),
            ("seed=3", "    seed = 3\n}"),
            ("lr=1e-3", "sgd(1e-3, momentum: 0.9)"),
            ("train.lr=cosine(0.1)", "sgd(cosine(0.1), momentum: 0.9)"),
            ("optimizer.momentum=0.5", "sgd(0.1, momentum: 0.5)"),
            ("nesterov=true", "sgd(0.1, momentum: 0.9, nesterov: true)"),
            ("loss.smoothing=0.1", "loss = cross_entropy(smoothing: 0.1)"),
            ("WIDTH=64", "const WIDTH = 64\n"),
            ("data.seed=3", "test: 0.2, seed: 3,\n)"),
            ("data.test=0.3", "    test: 0.3,\n"),
            ("data.file=\"b.csv\"", "csv(\n    \"b.csv\",\n"),
        ];
        for (setting, wanted) in cases {
            let text = edited(&[setting]).unwrap();
            assert!(text.contains(wanted), "{setting}:\n{text}");
        }
        let both = edited(&["train.optimizer=adam", "lr=0.01"]).unwrap();
        assert!(both.contains("optimizer = adam(lr: 0.01)"), "{both}");
    }

    #[test]
    fn what_nothing_is_called_is_refused_with_what_is_near() {
        let cases = [
            ("epoch=3", "did you mean `epochs`?"),
            ("train.momentun=1", "did you mean `momentum`?"),
            ("loss.gamma=2", "the loss takes no `gamma`; it takes smoothing"),
            ("train.WIDTH=3", "nothing is called `train.WIDTH`"),
            ("data.path=3", "`csv` takes no `path`; it takes file"),
            ("date.path=3", "nothing is called `date.path`"),
        ];
        for (setting, wanted) in cases {
            let message = edited(&[setting]).unwrap_err();
            assert!(message.contains(wanted), "{setting}: {message}");
        }
    }
}
