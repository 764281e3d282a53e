//! `nnc completions` and `nnc man`: what shells and `man` are told of the command line, made from
//! its own definition.

use super::examples::with_examples;
use super::{Cli, write};
use crate::driver::Failure;
use crate::run;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::path::{Path, PathBuf};

/// Prints completions for a shell.
#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

impl CompletionsArgs {
    /// Prints them.
    pub fn execute(self) -> Result<u8, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut with_examples(Cli::command()), "nnc", &mut script);
        write::raw(&script)?;
        Ok(0)
    }
}

/// Prints the manual page, or writes all of them.
#[derive(Args)]
pub struct ManArgs {
    /// Write a page for each command into this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl ManArgs {
    /// Prints or writes.
    pub fn execute(self) -> Result<u8, Failure> {
        let failed =
            |error: std::io::Error| Failure::Io(format!("cannot write the pages: {error}"));
        match self.out {
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(with_examples(Cli::command()))
                    .render(&mut page)
                    .map_err(failed)?;
                write::raw(&page)?;
            }
            Some(folder) => {
                std::fs::create_dir_all(&folder).map_err(failed)?;
                let mut command = with_examples(Cli::command()).disable_help_subcommand(true);
                // Names of sub-commands become those of their pages, `nnc-run`.
                command.build();
                pages(command, &folder)?;
            }
        }
        Ok(0)
    }
}

/// Writes the page of a command and those of the commands in it.
fn pages(command: clap::Command, folder: &Path) -> Result<(), Failure> {
    for inner in command.get_subcommands().filter(|it| !it.is_hide_set()).cloned() {
        pages(inner, folder)?;
    }
    let page = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text)
        .map_err(|error| Failure::Io(format!("cannot make the page: {error}")))?;
    let path = folder.join(page.get_filename());
    run::write_file(&path, &text)
}
