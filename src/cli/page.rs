//! The reference page of the command line.

use clap::Command;
use std::fmt::Write as _;

const HEAD: &str = "# Command line

What `--help` says, command by command. Answers go to stdout, everything about them to stderr; colours only to a
terminal, and never when `NO_COLOR` is set. This page is made from the program; `UPDATE=1 cargo test` rewrites it.
";

/// The page as Markdown.
pub fn markdown(command: &Command) -> String {
    let mut page = String::from(HEAD);
    let mut command = command.clone().term_width(100);
    command.build();
    section(&mut command, &mut page);
    page
}

fn section(command: &mut Command, page: &mut String) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.trim().lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n"));
    command.get_subcommands_mut().for_each(|inner| section(inner, page));
}
