//! `nnc doc --html`: the documentation as a site of static pages.
//!
//! ```text
//! index.html       every name with a line about it
//! layer.html …     a page a kind: signature, text with formulas, examples, source
//! prelude.html     the prelude with numbered lines, which the items link to
//! NAME.html        a program of the user: its items, and its models' shapes
//! names.js search.js site.css
//! ```
//!
//! Pages load nothing but files of the site, and their policy forbids the rest, so the site works from
//! a disk. Examples are elaborated when the site is made.

mod examples;
mod formula;
mod page;
mod prose;

use self::examples::CheckedExample;
use crate::base::shown::Show;
use crate::driver::layers::layers;
use crate::driver::{Failure, Request, Session};
use crate::elaborate::{DocKind, Documentation, ItemDoc, PRELUDE, PRELUDE_NAME};
use crate::files::write;
use serde_json::json;
use std::path::{Path, PathBuf};

/// A site before it is written.
#[derive(Debug)]
pub struct DocSite {
    /// Names of files with their texts.
    files: Vec<(String, String)>,
    names: usize,
}

/// The page of a kind of items.
struct ItemPage<'d> {
    file: String,
    title: &'static str,
    items: Vec<&'d ItemDoc>,
}

/// A program of the user.
struct DocumentedProgram {
    /// As the user called its file.
    name: String,
    /// The file of its page.
    page: String,
    items: Documentation,
    /// The examples of its items, which hold.
    examples: Vec<CheckedExample>,
    /// Its files: their names, the pages of their texts, and these.
    sources: Vec<(String, String, String)>,
    /// The layers of each model that elaborates.
    layers: Vec<(String, Vec<[String; 4]>)>,
}

impl DocumentedProgram {
    /// Reads a program, and elaborates its models as far as that needs no data.
    fn of(file: &Path, number: usize) -> Result<DocumentedProgram, Failure> {
        let mut session = Session::default();
        let items = session.documentation(&Request::new(file))?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let stem: String =
            stem.chars().filter(|c| c.is_alphanumeric() || "_-".contains(*c)).collect();
        // The number keeps apart programs of one name, and a program from the pages of the language.
        let page = format!("program-{number}-{stem}.html");
        let own = session.sources.iter().filter(|(_, source)| !source.builtin);
        let sources = own.enumerate().map(|(index, (_, source))| {
            let page = format!("source-{number}-{index}-{stem}.html");
            (source.name.clone(), page, source.text.clone())
        });
        let sources = sources.collect();
        let models = items.of_kind(DocKind::Model).map(|model| model.name.clone());
        let layers = models.filter_map(|model| {
            let request = Request { model: Some(model.clone()), ..Request::new(file) };
            let experiment = Session::default().front_without_data(&request, false).ok()?;
            Some((model, layers(&experiment.train).iter().map(|layer| layer.row()).collect()))
        });
        let layers = layers.collect();
        let examples = examples::of_program(file, &items)?;
        Ok(DocumentedProgram {
            name: file.shown().to_string(),
            page,
            items,
            examples,
            sources,
            layers,
        })
    }

    fn source_page(&self, file: &str) -> Option<&str> {
        self.sources.iter().find(|(name, ..)| name == file).map(|(_, page, _)| page.as_str())
    }

    fn layers_of(&self, model: &str) -> &[[String; 4]] {
        self.layers.iter().find(|(name, _)| name == model).map_or(&[], |(_, layers)| layers)
    }
}

/// The site of the language, and of some programs.
pub fn doc_site(programs: &[PathBuf]) -> Result<DocSite, Failure> {
    let numbered = programs.iter().zip(1..);
    let programs: Vec<DocumentedProgram> = numbered
        .map(|(file, number)| DocumentedProgram::of(file, number))
        .collect::<Result<_, _>>()?;
    let language = Documentation::of_language();
    let pages: Vec<ItemPage<'_>> = DocKind::ALL
        .into_iter()
        .map(|kind| ItemPage {
            file: format!("{}.html", kind.word()),
            title: kind.heading(),
            items: language.of_kind(kind).collect(),
        })
        .filter(|page| !page.items.is_empty())
        .collect();
    let examples = examples::examples();
    let mut files = vec![
        ("index.html".to_owned(), page::index(&pages, &programs)),
        ("prelude.html".to_owned(), page::source(PRELUDE_NAME, PRELUDE)),
        ("names.js".to_owned(), names(&pages, &programs)),
        ("search.js".to_owned(), include_str!("search.js").to_owned()),
        ("site.css".to_owned(), include_str!("site.css").to_owned()),
    ];
    files.extend(pages.iter().map(|it| (it.file.clone(), page::kind(it, &examples))));
    for program in &programs {
        files.push((program.page.clone(), page::program(program)));
        let sources = program.sources.iter();
        files.extend(sources.map(|(name, file, text)| (file.clone(), page::source(name, text))));
    }
    let own = programs.iter().map(|program| program.items.items().len()).sum::<usize>();
    Ok(DocSite { files, names: language.items().len() + own })
}

/// The list that the search goes through. A script, since pages on a disk may not fetch.
fn names(pages: &[ItemPage<'_>], programs: &[DocumentedProgram]) -> String {
    let entry = |item: &ItemDoc, page: &str| {
        let address = format!("{page}#{}", page::anchor(item));
        json!([item.name, item.kind.word(), address, item.summary().replace('`', "")])
    };
    let own = programs
        .iter()
        .flat_map(|program| program.items.items().iter().map(|item| entry(item, &program.page)));
    let language =
        pages.iter().flat_map(|page| page.items.iter().map(|item| entry(item, &page.file)));
    let all: Vec<_> = own.chain(language).collect();
    format!("const NAMES = {};\n", serde_json::Value::from(all))
}

impl DocSite {
    /// How many pages it has.
    pub fn pages(&self) -> usize {
        self.files.iter().filter(|(name, _)| name.ends_with(".html")).count()
    }

    /// How many names are documented.
    pub fn names(&self) -> usize {
        self.names
    }

    /// Writes it into a folder, which is made. A folder with files of others is refused, unless
    /// `force` says that this is meant; these files stay.
    pub fn write(&self, folder: &Path, force: bool) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            Failure::Io(format!("cannot write a site into {}: {error}", folder.shown()))
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        if !force && !self.is_ours(folder).map_err(failed)? {
            return Err(Failure::Io(format!(
                "{} has other files; choose another folder, or write among them with --force",
                folder.shown()
            )));
        }
        for (name, text) in &self.files {
            write::replace(&folder.join(name), text.as_bytes()).map_err(failed)?;
        }
        Ok(())
    }

    /// Whether a folder is empty or has an earlier site, which may be written over.
    fn is_ours(&self, folder: &Path) -> std::io::Result<bool> {
        let mut all_known = true;
        for entry in std::fs::read_dir(folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let of_a_program = (name.starts_with("program-") || name.starts_with("source-"))
                && name.ends_with(".html");
            all_known &= of_a_program || self.files.iter().any(|(file, _)| *file == name);
        }
        Ok(all_known)
    }
}
