//! `nnc completions` and `nnc man`: what shells and `man` are told of the command line, made from
//! its own definition.

use super::{Cli, write};
use crate::driver::Failure;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::path::PathBuf;

/// Prints completions for a shell.
#[derive(Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints them.
    pub fn execute(self) -> Result<u8, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "nnc", &mut script);
        write::out(&String::from_utf8_lossy(&script))?;
        Ok(0)
    }
}

/// Prints the manual page, or writes all of them.
#[derive(Args)]
pub struct Man {
    /// Write a page for each command into this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Man {
    /// Prints or writes.
    pub fn execute(self) -> Result<u8, Failure> {
        let failed =
            |error: std::io::Error| Failure::Io(format!("cannot write the pages: {error}"));
        match self.out {
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(failed)?;
                write::out(&String::from_utf8_lossy(&page))?;
            }
            Some(folder) => {
                std::fs::create_dir_all(&folder).map_err(failed)?;
                clap_mangen::generate_to(Cli::command(), &folder).map_err(failed)?;
            }
        }
        Ok(0)
    }
}
