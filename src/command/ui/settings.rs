//! The settings of a run, from its program as it was run and from its command line, so that runs can be
//! told apart by them.
//!
//! ```text
//! train net on d { optimizer = adam(lr: 1e-3) }    optimizer      adam
//!                                                  optimizer.lr   1e-3
//! nnc run net.nn --limit 100                       --limit        100
//! model net(…) { … }, layer … { … }                model          3f2a91c05e (the same for the same text)
//! ```
//!
//! Values are texts as they are written, on one line. A program that does not parse has none but those of
//! the command line.

use crate::base::source::{Sources, Span};
use crate::run::folder::RunInfo;
use crate::syntax::ast::{Call, Expr, ExprKind, Item, ItemKind};
use crate::syntax::parse;
use std::path::PathBuf;

/// The most characters of a value.
const MOST_CHARACTERS: usize = 200;
/// The most settings of a run.
const MOST_SETTINGS: usize = 200;

/// Names and values of settings.
pub(super) type NamedSettings = Vec<(String, String)>;

/// The settings of a run with these source files, the main one first.
pub(super) fn settings(info: &RunInfo, files: &[(PathBuf, String)]) -> NamedSettings {
    let mut found = SettingsOf::default();
    let mut sources = Sources::new();
    let mut code = blake3::Hasher::new();
    for (index, (path, text)) in files.iter().enumerate() {
        let id = sources.add(path.to_string_lossy(), text.clone());
        let Ok(file) = parse(&sources, id) else { continue };
        for item in &file.items {
            match index {
                0 => found.item(&sources, item, &info.model),
                _ => found.is_code(item),
            }
        }
        for span in found.code.drain(..) {
            for word in sources.text(span).split_whitespace() {
                code.update(word.as_bytes()).update(b" ");
            }
        }
    }
    let mut settings = found.settings;
    settings
        .push(("model".to_owned(), format!("{} {}", info.model, &code.finalize().to_hex()[..10])));
    let number = |name: &str, value: Option<usize>| Some((name.to_owned(), value?.to_string()));
    settings.extend(number("--limit", info.limit));
    settings.extend(number("--overfit", info.overfit));
    let fold = info.fold.map(|(fold, of)| ("--fold".to_owned(), format!("{} of {of}", fold + 1)));
    settings.extend(fold);
    let data = info.data.as_ref().map(|data| data.to_string_lossy().into_owned());
    settings.extend(data.map(|data| ("--data".to_owned(), data)));
    settings.truncate(MOST_SETTINGS);
    settings
}

/// Settings that were found in items.
#[derive(Default)]
struct SettingsOf {
    settings: NamedSettings,
    /// Places of what is computed: models, layers, losses.
    code: Vec<Span>,
}

impl SettingsOf {
    /// Takes an item of the main file.
    fn item(&mut self, sources: &Sources, item: &Item, model: &str) {
        match &item.kind {
            ItemKind::Const { name, value } => {
                self.put(name.text.clone(), sources.text(value.span));
            }
            ItemKind::Data { name, value, fields } => {
                self.value(sources, &format!("data {}", name.text), value);
                let spans = fields.iter().flatten().map(|field| (&field.name, field.value.span));
                let fields: Vec<_> = spans.collect();
                for (field, span) in fields {
                    self.put(format!("data {}.{}", name.text, field.text), sources.text(span));
                }
            }
            ItemKind::Train(train) if train.model.text == model => {
                for key in &train.keys {
                    self.value(sources, &key.key.text, &key.value);
                }
            }
            _ => self.is_code(item),
        }
    }

    fn is_code(&mut self, item: &Item) {
        if let ItemKind::Function(_) = &item.kind {
            self.code.push(item.span);
        }
    }

    /// A value as one setting, or of a call a setting for its name and for each argument with a name.
    fn value(&mut self, sources: &Sources, name: &str, value: &Expr) {
        match &value.kind {
            ExprKind::Call(Call { callee, args }) if args.iter().all(|arg| arg.name.is_some()) => {
                self.put(name.to_owned(), &callee.text);
                for arg in args {
                    let Some(argument) = &arg.name else { continue };
                    self.put(format!("{name}.{}", argument.text), sources.text(arg.value.span));
                }
            }
            _ => self.put(name.to_owned(), sources.text(value.span)),
        }
    }

    fn put(&mut self, name: String, value: &str) {
        let mut value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((end, _)) = value.char_indices().nth(MOST_CHARACTERS) {
            value.truncate(end);
            value.push('…');
        }
        self.settings.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> NamedSettings {
        let mut info = RunInfo::new("net", String::new());
        info.limit = Some(100);
        settings(&info, &[("net.nn".into(), text.to_owned())])
    }

    fn value<'s>(settings: &'s NamedSettings, name: &str) -> Option<&'s str> {
        settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    const TEXT: &str = "const WIDTH = 8
data d = digits(train: 100,
    test: 20)
model net(x: f32[N, 4]) -> f32[N, 2] { x |> dense(WIDTH) |> dense(2) }
model other(x: f32[N, 4]) -> f32[N, 2] { x |> dense(2) }
train other on d { loss = mse }
train net on d {
    loss = cross_entropy
    optimizer = adam(lr: cosine(1e-3,
        warmup: 5))
}
";

    #[test]
    fn settings_are_those_of_the_model_that_was_run() {
        let settings = found(TEXT);
        let of = |name: &str| value(&settings, name);
        assert_eq!((of("WIDTH"), of("loss")), (Some("8"), Some("cross_entropy")));
        assert_eq!((of("data d"), of("data d.test")), (Some("digits"), Some("20")));
        assert_eq!(of("optimizer"), Some("adam"));
        assert_eq!(of("optimizer.lr"), Some("cosine(1e-3, warmup: 5)"));
        assert_eq!(of("--limit"), Some("100"));
    }

    #[test]
    fn models_are_the_same_however_they_are_laid_out() {
        let model = |text: &str| value(&found(text), "model").map(str::to_owned);
        let known = model(TEXT);
        assert!(known.is_some());
        assert_eq!(model(&TEXT.replace("{ x |>", "{\n    x |>")), known);
        assert_eq!(model(&TEXT.replace("1e-3", "1e-4")), known);
        assert_ne!(model(&TEXT.replace("dense(WIDTH)", "dense(WIDTH) |> relu")), known);
        assert_eq!(value(&found("model ("), "loss"), None);
    }
}
