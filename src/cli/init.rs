//! `nnc init`: a new folder with a program to begin with.

use super::gallery::{self, GALLERY, GalleryEntry};
use super::write;
use crate::base::fit::cut;
use crate::base::names::near;
use crate::base::shown::{Show, is_hidden, quoted};
use crate::driver::Failure;
use crate::files;
use clap::{Args, ValueEnum};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Makes a new folder with a program to begin with.
#[derive(Args)]
pub struct InitArgs {
    /// The folder's name, and that of the program in it
    #[arg(required_unless_present = "list")]
    name: Option<PathBuf>,
    /// The program to begin with
    #[arg(long, value_enum, default_value_t = Template::Mnist)]
    template: Template,
    /// Begin with a program of the gallery (`nnc init --list` names them), with the files that it uses
    #[arg(long, value_name = "ENTRY", conflicts_with = "template")]
    from: Option<String>,
    /// List the templates and the gallery
    #[arg(long)]
    list: bool,
}

/// Programs to begin with.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Template {
    /// Handwritten digits, downloaded when they are not there
    Mnist,
    /// Your own photos, in a sub-folder for each class
    Images,
    /// Digits that the program draws itself: no data needed
    Digits,
    /// A dense net over idx files
    Dense,
    /// A residual net for small photos
    Resnet,
}

impl Template {
    fn text(self) -> &'static str {
        match self {
            Template::Mnist => include_str!("templates/mnist.nn"),
            Template::Images => include_str!("templates/images.nn"),
            Template::Digits => include_str!("templates/digits.nn"),
            Template::Dense => include_str!("templates/dense.nn"),
            Template::Resnet => include_str!("templates/resnet.nn"),
        }
    }
}

impl InitArgs {
    /// Makes the folder, or lists the templates.
    pub fn execute(self) -> Result<u8, Failure> {
        let Some(folder) = self.name.filter(|_| !self.list) else {
            write::out(&list())?;
            return Ok(0);
        };
        let entry = self.from.as_deref().map(entry).transpose()?;
        let name = name(&folder)?;
        let program = format!("{name}.nn");
        if entry.is_some_and(|entry| entry.files.iter().any(|(path, _)| *path == program)) {
            let message = format!("{program} is a file that the program uses");
            return Err(Failure::Io(format!("{message}; choose another name")));
        }
        let failed =
            |error: io::Error| Failure::Io(format!("cannot make {}: {error}", folder.shown()));
        if folder.exists() {
            // An empty folder may be there already.
            let mut entries = fs::read_dir(&folder).map_err(failed)?;
            if entries.next().is_some() {
                let message = format!("{} is there already and not empty", folder.shown());
                return Err(Failure::Io(format!("{message}; choose another name")));
            }
        }
        let parent = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // Made beside its place and then moved there: whole or not at all.
        let made =
            tempfile::Builder::new().prefix(".nnc-init-").tempdir_in(parent).map_err(failed)?;
        let write = |file: &str, text: &str| write::replace(&made.path().join(file), text);
        write(&program, entry.map_or(self.template.text(), |entry| entry.text))?;
        for (path, bytes) in entry.map_or(&[][..], |entry| entry.files) {
            let path = made.path().join(path);
            fs::create_dir_all(path.parent().unwrap_or(made.path())).map_err(failed)?;
            files::write::replace(&path, bytes).map_err(failed)?;
        }
        write("README.md", &readme(&name))?;
        write(".gitignore", "runs/\n")?;
        open_to_all(made.path()).map_err(failed)?;
        if folder.exists() {
            fs::remove_dir(&folder).map_err(failed)?;
        }
        fs::rename(made.path(), &folder).map_err(failed)?;
        // It is no longer where it was made.
        let _ = made.keep();
        let (shown, folder) = (folder.shown(), quoted(&folder));
        let file = quoted(program.as_ref());
        write::out(&format!("made {shown}; `cd {folder} && nnc run {file}` trains\n"))?;
        Ok(0)
    }
}

/// The templates and the gallery, each with a line about it.
fn list() -> String {
    let templates = Template::value_variants().iter().map(|template| {
        let value = template.to_possible_value().expect("no variant is skipped");
        let help = value.get_help().map(ToString::to_string).unwrap_or_default();
        (value.get_name().to_owned(), help)
    });
    let entries = GALLERY.iter().map(|entry| (entry.name.to_owned(), entry.about()));
    let mut text = String::from("templates (nnc init NAME --template TEMPLATE)\n");
    let line = |(name, about)| cut(&format!("  {name:<13} {about}"), 0, write::width()) + "\n";
    text.extend(templates.map(line));
    text += "\ngallery (nnc init NAME --from ENTRY)\n";
    text.extend(entries.map(line));
    text
}

/// An entry of the gallery; the failure offers near ones.
fn entry(name: &str) -> Result<&'static GalleryEntry, Failure> {
    gallery::find(name).ok_or_else(|| {
        let near = near(name, GALLERY.iter().map(|entry| entry.name));
        let near = near.first().map(|near| format!("did you mean `{near}`?"));
        let help = near.unwrap_or_else(|| "`nnc init --list` names all entries".into());
        Failure::Io(format!("the gallery has no entry `{}`; {help}", name.shown()))
    })
}

/// The name of a folder that can be that of a program.
fn name(folder: &Path) -> Result<String, Failure> {
    let wrong = |what: &str| Failure::Io(format!("`{}` {what}", folder.shown()));
    let last = match folder.components().next_back() {
        Some(Component::Normal(last)) => last,
        _ => return Err(wrong("is no name of a new folder")),
    };
    let name = last.to_str().ok_or_else(|| wrong("is not UTF-8"))?;
    if name.starts_with(['.', '-']) || name.chars().any(is_hidden) {
        return Err(wrong("is no good name: it begins with `.` or `-`, or has control characters"));
    }
    Ok(name.to_owned())
}

fn readme(name: &str) -> String {
    let file = quoted(format!("{name}.nn").as_ref());
    format!(
        "# {name}\n\n```\nnnc check {file}     # find mistakes, print shapes and memory\n\
         nnc run {file}       # train; a folder runs/{name} has all of it\n\
         nnc run {file} --resume\nnnc eval {file} --confusion\n\
         nnc predict {file} FILES\n```\n"
    )
}

/// Temporary folders are for their owner alone; this one becomes an ordinary folder.
#[cfg(unix)]
fn open_to_all(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, PermissionsExt::from_mode(0o755))
}

#[cfg(not(unix))]
fn open_to_all(_folder: &Path) -> io::Result<()> {
    Ok(())
}
