//! `nnc doc`: documentation, signature and source of a name, a list of all of them, or a site.

use super::{threads, write};
use crate::base::field::NameKind;
use crate::base::fit::{cut, wrapped};
use crate::base::fix::Certainty;
use crate::base::names::{self, Meant};
use crate::base::shown::Show;
use crate::command::{self, DocSite};
use crate::driver::{Failure, Request, Session};
use crate::elaborate::{DocBlock, DocKind, Documentation, ItemDoc};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// Columns that a text is indented by.
const INDENT: &str = "    ";

/// Prints the documentation of a layer, loss, operator, setting or any other name.
#[derive(Args)]
#[command(after_long_help = NOTES)]
pub struct DocArgs {
    /// The name, such as `conv`, `adam` or `epochs`; without one, all names are listed
    name: Option<String>,
    /// A program whose items are documented, too; may be given several times
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Write a site of static pages into a folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    html: Option<PathBuf>,
    /// Write into a folder that has other files
    #[arg(long, requires = "html")]
    force: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "html")]
    json: bool,
}

/// Where the texts are from.
const NOTES: &str = "\
Items are documented by the `///` lines before them, in the prelude as in your own files. A name that
is both yours and the prelude's shows yours first.

In a comment, text in code font that is an expression (`(x - mean) / sqrt(variance)`) is a formula on the
site. Lines between ``` are an example: a program that may call the items of its file. It is elaborated,
and shown with its shapes; one that does not hold is an error.";

/// All kinds of names that another framework may call otherwise.
const FOREIGN: [NameKind; 7] = [
    NameKind::Layer,
    NameKind::Loss,
    NameKind::Metric,
    NameKind::Optimizer,
    NameKind::Schedule,
    NameKind::Transform,
    NameKind::Initializer,
];

impl DocArgs {
    /// Prints, or writes the site.
    pub fn execute(self) -> Result<u8, Failure> {
        threads::prepare();
        if let Some(folder) = &self.html {
            let site = command::doc_site(&self.file)?;
            site.write(folder, self.force)?;
            return self.written(&site, folder);
        }
        let own: Vec<Documentation> = self
            .file
            .iter()
            .map(|file| Session::default().documentation(&Request::new(file)))
            .collect::<Result<_, _>>()?;
        let known: Vec<&Documentation> = own.iter().chain([Documentation::of_language()]).collect();
        let Some(name) = &self.name else { return self.list(&known) };
        let items = named(&known, name)?;
        match self.json {
            true => write::line(&Value::from_iter(items.into_iter().map(as_json)).to_string())?,
            false => {
                let width = write::width().min(100);
                let texts: Vec<String> = items.iter().map(|item| page(item, width)).collect();
                write::out(&texts.join("\n"))?;
            }
        }
        Ok(0)
    }

    /// Says what was written.
    fn written(&self, site: &DocSite, folder: &std::path::Path) -> Result<u8, Failure> {
        let index = folder.join("index.html");
        let (pages, names) = (site.pages(), site.names());
        write::line(&format!("{}: {pages} pages, {names} names", index.shown()))?;
        Ok(0)
    }

    /// Prints the names of each kind with a line each.
    fn list(&self, known: &[&Documentation]) -> Result<u8, Failure> {
        if self.json {
            let items = known.iter().flat_map(|it| it.items()).map(as_json);
            write::line(&Value::from_iter(items).to_string())?;
            return Ok(0);
        }
        let width = write::width();
        let mut text = String::new();
        for kind in DocKind::ALL {
            let items: Vec<&ItemDoc> = known.iter().flat_map(|it| it.of_kind(kind)).collect();
            if items.is_empty() {
                continue;
            }
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{}", kind.heading().replace('`', ""));
            for item in items {
                let line = format!("  {:<20} {}", item.name, plain(&item.summary()));
                let _ = writeln!(text, "{}", cut(line.trim_end(), 0, width));
            }
        }
        text += "\n`nnc doc NAME` shows one of them.\n";
        write::out(&text)?;
        Ok(0)
    }
}

/// The items of a name, or of the name that is surely meant; the failure offers near ones.
fn named<'d>(known: &[&'d Documentation], name: &str) -> Result<Vec<&'d ItemDoc>, Failure> {
    let all =
        |name: &str| -> Vec<&'d ItemDoc> { known.iter().flat_map(|it| it.of(name)).collect() };
    let found = all(name);
    if !found.is_empty() {
        return Ok(found);
    }
    let names = known.iter().flat_map(|it| it.items()).map(|item| item.name.as_str());
    let Meant { near, known, .. } = names::meant(name, names, &FOREIGN);
    if let Some((same, Certainty::Spelling)) = near.first() {
        eprintln!("note: `{}` is called `{same}` here", name.shown());
        return Ok(all(same));
    }
    let help = match (known, near.is_empty()) {
        (Some(known), _) if known.is(name) => known.help(name),
        (_, false) => {
            let near: Vec<String> = near.iter().map(|(name, _)| format!("`{name}`")).collect();
            format!("did you mean {}?", near.join(" or "))
        }
        (_, true) => "`nnc doc` lists all names; `--file FILE` adds those of a program".into(),
    };
    Err(Failure::Io(format!("nothing is called `{}`; {help}", name.shown())))
}

/// The documentation of an item, for a terminal.
fn page(item: &ItemDoc, width: usize) -> String {
    let mut text = format!("{} `{}`\n\n", item.kind.word(), item.name);
    for line in item.signature.lines() {
        let _ = writeln!(text, "{}", declared(line, width - INDENT.len()));
    }
    for block in item.blocks() {
        text.push('\n');
        let rows = match block {
            DocBlock::Paragraph(paragraph) => wrapped(&plain(paragraph), width),
            DocBlock::Code(_, code) => code.lines().map(|line| format!("{INDENT}{line}")).collect(),
        };
        for row in rows {
            let _ = writeln!(text, "{row}");
        }
    }
    if !item.facts.is_empty() {
        text.push('\n');
    }
    for (name, fact) in &item.facts {
        for row in wrapped(&format!("{name}: {}", plain(fact)), width) {
            let _ = writeln!(text, "{row}");
        }
    }
    // What has no body is shown whole already.
    if let Some(source) = item.source.as_ref().filter(|source| source.text != item.signature) {
        let _ = writeln!(text, "\n{}:{}\n", source.file, source.line);
        for line in source.text.lines() {
            let _ = writeln!(text, "{INDENT}{line}");
        }
    }
    text
}

/// A declaration, with a parameter a line where it is too wide.
fn declared(signature: &str, room: usize) -> String {
    let short = format!("{INDENT}{signature}");
    let (Some(open), Some(close)) = (signature.find('('), closing(signature)) else { return short };
    if signature.chars().count() <= room {
        return short;
    }
    let mut text = format!("{INDENT}{}\n", &signature[..=open]);
    for parameter in parameters(&signature[open + 1..close]) {
        let _ = writeln!(text, "{INDENT}{INDENT}{},", parameter.trim().trim_end_matches(','));
    }
    text + INDENT + &signature[close..]
}

/// The place of the bracket that closes the first one.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, sign) in text.char_indices() {
        match sign {
            '(' => depth += 1,
            ')' if depth == 1 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Parts between the commas that stand in no brackets.
fn parameters(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, sign) in text.char_indices() {
        match sign {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Markdown without the signs of stress.
fn plain(text: &str) -> String {
    text.replace("**", "")
}

fn as_json(item: &ItemDoc) -> Value {
    let source = item.source.as_ref();
    json!({
        "kind": item.kind.word(),
        "name": item.name,
        "signature": item.signature,
        "text": item.text,
        "facts": item.facts.iter().map(|(name, fact)| json!({"name": name, "text": fact})).collect::<Vec<_>>(),
        "file": source.map(|source| &source.file),
        "line": source.map(|source| source.line),
        "source": source.map(|source| &source.text),
    })
}
