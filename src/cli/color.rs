//! Whether what is printed for people has colours.
//!
//! `--color` decides; where it says `auto`, `NO_COLOR` (no-color.org) takes them away,
//! `CLICOLOR_FORCE` gives them to pipes too, and `CLICOLOR=0` takes them from terminals
//! (bixense.com/clicolors), as does `TERM=dumb`. Else terminals have colours.

use clap::{ColorChoice, ValueEnum};
use std::sync::OnceLock;

/// The user's `--color`.
static CHOSEN: OnceLock<ColorChoice> = OnceLock::new();

/// The value of `--color` among arguments that are not parsed yet, for what the parser itself prints.
pub fn among(args: impl Iterator<Item = String>) -> ColorChoice {
    let mut args = args.skip(1);
    while let Some(arg) = args.next() {
        let value = match arg.strip_prefix("--color") {
            Some("") => args.next(),
            Some(rest) => rest.strip_prefix('=').map(str::to_owned),
            None if arg == "--" => break,
            None => None,
        };
        if let Some(choice) = value.and_then(|value| ColorChoice::from_str(&value, false).ok()) {
            return choice;
        }
    }
    ColorChoice::Auto
}

/// Keeps the value of `--color`.
pub fn choose(choice: ColorChoice) {
    // The command line is parsed once.
    let _ = CHOSEN.set(choice);
}

/// Whether standard error has colours; `terminal` says whether a terminal shows it.
pub fn on(terminal: bool) -> bool {
    let choice = CHOSEN.get().copied().unwrap_or(ColorChoice::Auto);
    is_on(choice, terminal, |name| std::env::var(name).ok())
}

fn is_on(choice: ColorChoice, terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR").is_some() => false,
        ColorChoice::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        ColorChoice::Auto => {
            let plain = set("CLICOLOR").is_some_and(|value| value == "0")
                || set("TERM").is_some_and(|value| value == "dumb");
            terminal && !plain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_decides_then_the_environment_then_the_terminal() {
        use ColorChoice::{Always, Auto, Never};
        for (choice, terminal, set, wanted) in [
            (Auto, true, "", true),
            (Auto, false, "", false),
            (Auto, true, "NO_COLOR=1", false),
            (Auto, true, "NO_COLOR=", true),
            (Auto, false, "CLICOLOR_FORCE=1", true),
            (Auto, false, "CLICOLOR_FORCE=0", false),
            (Auto, true, "CLICOLOR=0", false),
            (Auto, true, "CLICOLOR=1", true),
            (Auto, false, "CLICOLOR=1", false),
            (Auto, true, "TERM=dumb", false),
            (Auto, false, "NO_COLOR=1 CLICOLOR_FORCE=1", false),
            (Always, false, "NO_COLOR=1", true),
            (Never, true, "CLICOLOR_FORCE=1", false),
        ] {
            let variable = |name: &str| {
                let mut pairs = set.split(' ').filter_map(|pair| pair.split_once('='));
                pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
            };
            assert_eq!(is_on(choice, terminal, variable), wanted, "{choice:?} {terminal} {set}");
        }
    }

    #[test]
    fn the_flag_is_found_before_arguments_are_parsed() {
        let among = |line: &str| among(line.split(' ').map(str::to_owned));
        assert_eq!(among("nnc check --color never x.nn"), ColorChoice::Never);
        assert_eq!(among("nnc --color=always check"), ColorChoice::Always);
        assert_eq!(among("nnc check --colors never"), ColorChoice::Auto);
        assert_eq!(among("nnc check -- --color=never"), ColorChoice::Auto);
        assert_eq!(among("nnc check --color"), ColorChoice::Auto);
    }
}
