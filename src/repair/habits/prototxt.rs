//! Blocks of Caffe's prototxt, which are a layer here.
//!
//! ```text
//! convolution_param { num_output: 20 kernel_size: 5 }                      conv(20, 5)
//! layer { name: "ip1" type: "InnerProduct" inner_product_param { … } }     dense(…) as ip1
//! ```

use super::bound::GivenArgument;
use super::pipeline::WrittenStages;
use super::row::{self, identifier};
use super::tokens::{ForeignToken, ForeignTokenKind, closer};

/// How a value is written here.
type ValueWriter<'w, 'a> = &'w dyn Fn(&[ForeignToken<'a>]) -> String;

/// The layer type of each `…_param`.
const PARAMETERS: &[(&str, &str)] = &[
    ("convolution_param", "Convolution"),
    ("deconvolution_param", "Deconvolution"),
    ("pooling_param", "Pooling"),
    ("inner_product_param", "InnerProduct"),
    ("dropout_param", "Dropout"),
    ("relu_param", "ReLU"),
    ("batch_norm_param", "BatchNorm"),
    ("elu_param", "ELU"),
    ("softmax_param", "Softmax"),
];

/// The type that stands for a block of parameters.
fn kind_of(name: &str) -> Option<&'static str> {
    PARAMETERS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
}

/// An entry of a block: `key: value`, or `key { … }`.
struct Entry<'t, 'a> {
    key: &'a str,
    value: &'t [ForeignToken<'a>],
    is_block: bool,
}

/// The layer of a block, and where the tokens go on.
pub fn read<'a>(
    written: ValueWriter<'_, 'a>,
    path: &[&'a str],
    tokens: &[ForeignToken<'a>],
    open: usize,
) -> Option<(WrittenStages, usize)> {
    let [name] = path else { return None };
    let close = closer(tokens, open)?;
    let entries = entries(&tokens[open + 1..close])?;
    let made = match (kind_of(name), *name) {
        (Some(kind), _) => applied(written, kind, &entries)?,
        (None, "layer" | "layers") => layer(written, &entries)?,
        _ => return None,
    };
    Some((made, close + 1))
}

/// A whole layer: its kind, its parameters, and its name where one like it stands here for more than
/// its output.
fn layer<'a>(written: ValueWriter<'_, 'a>, entries: &[Entry<'_, 'a>]) -> Option<WrittenStages> {
    let text = |key: &str| {
        let entry = entries.iter().find(|entry| entry.key == key && !entry.is_block)?;
        entry.value.first().map(|token| token.content().unwrap_or(token.text))
    };
    if is_frozen(entries) {
        return None;
    }
    let own = entries.iter().find(|entry| entry.is_block && kind_of(entry.key).is_some());
    let inner = match own {
        Some(entry) => self::entries(entry.value)?,
        None => Vec::new(),
    };
    let mut made = applied(written, text("type")?, &inner)?;
    // In place: what it gives has its input's name.
    let in_place = text("top").is_some() && text("top") == text("bottom");
    let is_plain =
        matches!(text("type"), Some("ReLU" | "Dropout" | "Softmax" | "TanH" | "Sigmoid"));
    if let (Some(name), Some(stage)) = (text("name"), made.stages.first_mut())
        && !(in_place || is_plain)
    {
        stage.label = Some(identifier(name));
    }
    Some(made)
}

fn applied<'a>(
    written: ValueWriter<'_, 'a>,
    kind: &str,
    entries: &[Entry<'_, 'a>],
) -> Option<WrittenStages> {
    let args: Vec<GivenArgument> = entries.iter().map(|entry| argument(written, entry)).collect();
    row::rows(&[kind]).find_map(|row| row::applied(row, &args))
}

/// An entry as an argument; a filler is what its `type` says.
fn argument<'a>(written: ValueWriter<'_, 'a>, entry: &Entry<'_, 'a>) -> GivenArgument {
    let filler = || filler(written, entry).filter(|_| entry.is_block);
    let value = filler().unwrap_or_else(|| written(entry.value));
    GivenArgument { name: Some(entry.key.to_owned()), equals: true, value }
}

/// The initializer of a filler: `{ type: "gaussian" std: 0.01 }`.
fn filler<'a>(written: ValueWriter<'_, 'a>, entry: &Entry<'_, 'a>) -> Option<String> {
    let entries = entries(entry.value)?;
    let get = |key: &str| {
        let found = entries.iter().find(|it| it.key == key && !it.is_block)?;
        Some(written(found.value))
    };
    let kind = get("type")?;
    Some(match kind.trim_matches('"') {
        "gaussian" => match get("mean").filter(|mean| mean.parse() != Ok(0.0)) {
            Some(mean) => format!("normal(mean: {mean}, std: {})", get("std")?),
            None => format!("normal(std: {})", get("std")?),
        },
        "uniform" => format!("uniform(low: {}, high: {})", get("min")?, get("max")?),
        "constant" => match get("value").filter(|value| value.parse() != Ok(0.0)) {
            Some(value) => format!("constant({value})"),
            None => "\"constant\"".to_owned(),
        },
        _ => kind,
    })
}

/// Whether the weights of a layer learn at another rate than the run: not at all.
fn is_frozen(entries: &[Entry<'_, '_>]) -> bool {
    let first = entries.iter().find(|entry| entry.is_block && entry.key == "param");
    let inner = first.and_then(|entry| self::entries(entry.value)).unwrap_or_default();
    let is_none = |it: &Entry<'_, '_>| {
        matches!(it.key, "lr_mult" | "decay_mult")
            && it.value.first().is_some_and(|value| value.text.parse() == Ok(0.0))
    };
    inner.iter().any(is_none)
}

/// The entries of a block; `None` where something else stands there.
fn entries<'t, 'a>(tokens: &'t [ForeignToken<'a>]) -> Option<Vec<Entry<'t, 'a>>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let key = tokens.get(at).filter(|token| token.kind == ForeignTokenKind::Word)?.text;
        at += 1;
        if tokens.get(at).is_some_and(|token| token.is(":")) {
            at += 1;
        }
        let open = tokens.get(at)?;
        let (value, next, is_block) = match open.is("{") {
            true => {
                let close = closer(tokens, at)?;
                (&tokens[at + 1..close], close + 1, true)
            }
            false => (&tokens[at..=at], at + 1, false),
        };
        found.push(Entry { key, value, is_block });
        at = next;
        if tokens.get(at).is_some_and(|token| token.is(",")) {
            at += 1;
        }
    }
    Some(found)
}
