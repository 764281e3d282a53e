//! Statements of Python as those here that read alike, line by line, before anything else is read.
//!
//! ```text
//! model net(x: f32[N, 8]) -> f32[N, 8]:       model net(x: f32[N, 8]) -> f32[N, 8] {
//!     y += x                                      let y = y + x
//! HIDDEN = 128                                const HIDDEN = 128
//! ```
//!
//! In: a text with items as they are here. Out: the text, with blocks in braces, and without imports. What stands in a
//! class or a function of Python stays: that is read as a whole later.

use super::tokens::{ForeignTokenKind, closer, tokens};

/// Words that begin an item whose block is in braces here.
const ITEMS: [&str; 5] = ["model ", "layer ", "loss ", "metric ", "train "];
/// Words that begin a statement with a block.
const BLOCKS: [&str; 4] = ["if ", "else", "elif ", "for "];
/// Names of the first axis elsewhere.
const BATCH: [&str; 9] = ["-1", "None", "none", "batch", "batch_size", "BATCH", "B", "bs", "?"];
/// Names of the type of floats elsewhere.
const FLOATS: [&str; 7] =
    ["torch.Tensor", "tf.Tensor", "Tensor", "torch.float32", "float32", "np.ndarray", "Float"];

/// The text with statements as they are here.
pub fn normalized(text: &str) -> String {
    let mut made = Normalizer::new(text);
    for line in text.split_inclusive('\n') {
        made.line(line);
    }
    made.close(0, "");
    let out = applied_models(&made.out);
    if out == text { text.to_owned() } else { out }
}

struct Normalizer<'t> {
    text: &'t str,
    out: String,
    /// The indents of blocks that are open and have no brace that closes them.
    open: Vec<usize>,
    /// The quotes of a text that goes over several lines.
    quotes: Option<&'static str>,
    /// Whether the last line at the margin begins an item as they are here.
    in_item: bool,
    /// Brackets that lines above have left open.
    depth: i32,
    /// The names of arrays that were loaded.
    loaded: Vec<String>,
}

impl<'t> Normalizer<'t> {
    fn new(text: &'t str) -> Normalizer<'t> {
        let (out, open) = (String::with_capacity(text.len()), Vec::new());
        Normalizer { text, out, open, quotes: None, in_item: false, depth: 0, loaded: Vec::new() }
    }

    fn line(&mut self, line: &str) {
        let trimmed = line.trim();
        let indent = line.len() - line.trim_start().len();
        if self.in_text(line, trimmed) {
            return;
        }
        if trimmed.is_empty() || trimmed.starts_with('#') || trimmed.starts_with("//") {
            self.out.push_str(line);
            return;
        }
        if self.depth <= 0 {
            self.close(indent, trimmed);
        }
        let at_margin = indent == 0 && self.depth <= 0;
        if at_margin && !trimmed.starts_with(['}', ')', ']']) {
            self.in_item = ITEMS.iter().any(|item| trimmed.starts_with(item));
        }
        if at_margin && is_import(trimmed) {
            return;
        }
        let line = self.block(line, indent).unwrap_or_else(|| self.statement(line, at_margin));
        self.depth += depth(&line);
        if at_margin {
            self.depth = depth(&line);
        }
        self.out.push_str(&line);
    }

    /// Whether a line is part of a text in three quotes, which becomes a comment.
    fn in_text(&mut self, line: &str, trimmed: &str) -> bool {
        let indent = &line[..line.len() - line.trim_start().len()];
        let begins = ["\"\"\"", "'''"].into_iter().find(|quotes| trimmed.starts_with(quotes));
        let (quotes, inner) = match (self.quotes, begins) {
            (Some(quotes), _) => (quotes, trimmed),
            (None, Some(quotes)) => (quotes, &trimmed[3..]),
            _ => return false,
        };
        self.quotes = (!inner.ends_with(quotes)).then_some(quotes);
        let comment = inner.trim_end_matches(quotes).trim();
        if !comment.is_empty() {
            self.out.push_str(&format!("{indent}// {comment}\n"));
        }
        true
    }

    /// Closes the blocks that a line of this indent is no part of.
    fn close(&mut self, indent: usize, next: &str) {
        while let Some(open) = self.open.pop_if(|open| *open >= indent) {
            if !self.out.ends_with('\n') {
                self.out.push('\n');
            }
            let goes_on = open == indent && (next.starts_with("else") || next.starts_with("elif "));
            let space = " ".repeat(open);
            if goes_on {
                self.out.push_str(&format!("{space}}} "));
                return;
            }
            // A blank line that stands before what follows stays there.
            let body = self.out.trim_end().len();
            let blank = self.out.split_off(body);
            let blank = blank.strip_prefix('\n').unwrap_or(&blank);
            self.out.push_str(&format!("\n{space}}}\n{blank}"));
        }
    }

    /// A line that begins a block with a colon.
    fn block(&mut self, line: &str, indent: usize) -> Option<String> {
        let code = code(line);
        let head = code.trim().strip_suffix(':')?.trim_end();
        let words: &[&str] = if indent == 0 { &ITEMS } else { &BLOCKS };
        let is_item = self.in_item && self.depth <= 1 + indent as i32;
        if !is_item || !words.iter().any(|word| code.trim().starts_with(word)) {
            return None;
        }
        let head = head.replacen("elif ", "else if ", 1);
        let head = if indent == 0 { types(&head) } else { head };
        let space = if self.out.ends_with("} ") { "" } else { &line[..indent] };
        self.open.push(indent);
        Some(format!("{space}{head} {{\n"))
    }

    /// A statement of its own.
    fn statement(&mut self, line: &str, at_margin: bool) -> String {
        let line = operators(line);
        if at_margin && self.in_item {
            return types(&line);
        }
        if at_margin {
            return self.loaded(&line).or_else(|| self.constant(&line)).unwrap_or(line);
        }
        if !self.in_item {
            return line;
        }
        let line = while_training(&line).unwrap_or(line);
        assigned(&line).unwrap_or(line)
    }

    /// `(x_train, y_train), (x_test, y_test) = mnist.load_data()`, and what makes numbers of these bytes, as
    /// they are here anyway.
    fn loaded(&mut self, line: &str) -> Option<String> {
        let all = tokens(line);
        let equals = all.iter().position(|token| token.is("="))?;
        let is_load = all[equals..].windows(3).any(|it| it[0].is("mnist") && it[2].is("load_data"));
        if is_load {
            let names = all[..equals].iter().filter(|token| token.kind == ForeignTokenKind::Word);
            self.loaded = names.map(|token| token.text.to_owned()).collect();
            let on = self.text.split_once(" on ").filter(|_| !self.text.contains("\ndata "));
            let on = on.and_then(|(_, rest)| rest.split([' ', '\n']).next());
            return Some(format!("data {} = mnist()\n", on.unwrap_or("handwriting")));
        }
        let scales = |name: &str| {
            ["/ 255", "/255", "astype", "reshape", "expand_dims"].iter().any(|it| line.contains(it))
                && self.loaded.iter().any(|own| own == name)
        };
        let names = all[..equals].iter().filter(|token| token.kind == ForeignTokenKind::Word);
        names.map(|token| token.text).all(scales).then(String::new)
    }

    /// `HIDDEN = 128`, where an item uses it.
    fn constant(&self, line: &str) -> Option<String> {
        let (name, value) = code(line).trim().split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
        let is_name = !name.is_empty() && name.chars().all(word);
        let is_value = !value.is_empty() && value.chars().all(|c| word(c) || " .+-*/^".contains(c));
        let mut in_item = false;
        let is_used = self.text.lines().any(|line| {
            if !line.starts_with([' ', '\t', '}', ')']) && !line.trim().is_empty() {
                in_item = ITEMS.iter().any(|item| line.starts_with(item));
            }
            let all = tokens(line);
            let uses = |at: usize| {
                all[at].is(name)
                    && !all.get(at + 1).is_some_and(|next| next.is("=") || next.is("("))
            };
            in_item && (0..all.len()).any(uses)
        });
        let is_new = !name.starts_with(|c: char| c.is_ascii_digit()) && is_used;
        (is_name && is_value && is_new).then(|| format!("const {}", line.trim_start()))
    }
}

/// A line without the comment behind it.
fn code(line: &str) -> &str {
    let end = [" #", "//"].iter().filter_map(|sign| line.find(sign)).min();
    &line[..end.unwrap_or(line.len())]
}

fn is_import(line: &str) -> bool {
    line.starts_with("import ") || (line.starts_with("from ") && line.contains(" import "))
}

/// How many brackets a line leaves open, but for those of a block.
fn depth(line: &str) -> i32 {
    let all = tokens(line);
    let inner = all.iter().filter(|token| !token.is("{") && !token.is("}"));
    inner.map(|token| i32::from(token.opens()) - i32::from(token.closes())).sum()
}

/// `2**4`, and `256 // 2` where a bracket is open, so that it begins no comment.
fn operators(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let (mut at, mut depth) = (0, 0i32);
    while let Some(c) = line[at..].chars().next() {
        let rest = &line[at..];
        depth += i32::from("([".contains(c)) - i32::from(")]".contains(c));
        let operand = rest.get(2..).and_then(|it| it.trim_start().chars().next());
        let follows = operand.is_some_and(|it| it == '_' || it == '(' || it.is_alphanumeric());
        let before = out.trim_end().chars().last();
        let value = before.is_some_and(|it| it == '_' || it == ')' || it.is_alphanumeric());
        if c == '#' || (rest.starts_with("//") && !(depth > 0 && closes(rest) && value && follows))
        {
            out.push_str(rest);
            return out;
        }
        if c == '"' || c == '\'' {
            let end = rest[1..].find(c).map_or(rest.len(), |end| end + 2);
            out.push_str(&rest[..end]);
            at += end;
            continue;
        }
        let sign = [("//", "/"), ("**", "^")].into_iter().find(|(sign, _)| rest.starts_with(sign));
        match sign.filter(|_| value && follows) {
            Some((sign, ours)) => {
                let space = if rest[sign.len()..].starts_with(' ') { "" } else { " " };
                let gap = if out.ends_with(' ') { "" } else { " " };
                out.push_str(&format!("{gap}{ours}{space}"));
                at += sign.len();
            }
            None => {
                out.push(c);
                at += c.len_utf8();
            }
        }
    }
    out
}

/// Whether the bracket that is open closes in what is left of a line.
fn closes(rest: &str) -> bool {
    let mut depth = 0i32;
    rest.chars().any(|c| {
        depth += i32::from("([".contains(c)) - i32::from(")]".contains(c));
        depth < 0
    })
}

/// `h |> dropout(0.5) if self.training else h`: layers know by themselves whether the run trains.
fn while_training(line: &str) -> Option<String> {
    let (value, rest) = line.split_once(" if ")?;
    let (condition, _) = rest.split_once(" else ")?;
    let trains = matches!(condition.trim(), "self.training" | "training" | "is_training" | "train");
    (trains && value.to_lowercase().contains("dropout")).then(|| format!("{value}\n"))
}

/// `y += x`.
fn assigned(line: &str) -> Option<String> {
    let all = tokens(line);
    let [name, sign, equals, value @ ..] = &all[..] else { return None };
    let joined = sign.end() == equals.start && equals.is("=");
    let is_sign = matches!(sign.text, "+" | "-" | "*" | "/");
    let (first, last) = (value.first()?, value.last()?);
    if name.kind != ForeignTokenKind::Word || !joined || !is_sign {
        return None;
    }
    let text = &line[first.start..last.end()];
    let is_plain = value.len() == 1
        || value.get(1).is_some_and(|open| open.is("(")) && {
            closer(value, 1) == Some(value.len() - 1)
        };
    let text = if is_plain { text.to_owned() } else { format!("({text})") };
    let (space, name, rest) = (&line[..name.start], name.text, &line[last.end()..]);
    Some(format!("{space}let {name} = {name} {} {text}{rest}", sign.text))
}

/// The types of an item's head.
fn types(line: &str) -> String {
    let mut line = line.to_owned();
    for name in FLOATS {
        for sign in [": ", ":", "-> ", "->"] {
            line = line.replace(&format!("{sign}{name}["), &format!("{sign}f32["));
        }
    }
    for (theirs, ours) in [("= True", "= true"), ("= False", "= false"), ("= None", "= none")] {
        line = line.replace(theirs, ours);
    }
    for sign in [": ", "-> "] {
        line = bracketed(&line, &format!("{sign}f32("));
    }
    if line.starts_with("model ") {
        for batch in BATCH {
            line = line.replace(&format!("f32[{batch},"), "f32[N,");
            line = line.replace(&format!("i32[{batch},"), "i32[N,");
        }
    }
    line
}

/// `f32(N, 10)` as `f32[N, 10]`.
fn bracketed(line: &str, open: &str) -> String {
    let Some(start) = line.find(open) else { return line.to_owned() };
    let inner = start + open.len();
    let Some(end) = line[inner..].find(')') else { return line.to_owned() };
    let head = &line[..inner - 1];
    format!("{head}[{}]{}", &line[inner..inner + end], &line[inner + end + 1..])
}

/// `model net = Sequential([…])`: a model whose body is that.
fn applied_models(text: &str) -> String {
    let all = tokens(text);
    let mut out = text.to_owned();
    let starts = (0..all.len()).filter(|at| {
        let begins = all[*at].start == 0 || text[..all[*at].start].ends_with('\n');
        let named = all.get(at + 1).is_some_and(|name| name.kind == ForeignTokenKind::Word);
        begins && named && all[*at].is("model")
    });
    for at in starts.collect::<Vec<_>>().into_iter().rev() {
        let mut depth = 0i32;
        let sets = all[at..].iter().position(|token| {
            depth += i32::from(token.opens()) - i32::from(token.closes());
            depth == 0 && token.is("=") || depth > 0 && token.is("{")
        });
        let Some(equals) = sets.map(|it| at + it).filter(|it| all[*it].is("=")) else { continue };
        let open = all[equals..].iter().position(|token| token.opens()).map(|it| equals + it);
        let Some(close) = open.and_then(|open| closer(&all, open)) else { continue };
        let head = text[all[at].start..all[equals].start].trim_end();
        let head = if head.contains('(') { head.to_owned() } else { format!("{head}(image)") };
        let value = &text[all[equals + 1].start..all[close].end()];
        let model = format!("{head} {{\n    {}\n}}", value.replace('\n', "\n    "));
        out.replace_range(all[at].start..all[close].end(), &model);
    }
    out
}
