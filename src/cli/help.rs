//! The first page of help: commands by what people want to do.

use super::output::{HEAD, styled};
use clap::Command;
use std::fmt::Write as _;

const GROUPS: &[(&str, &[&str])] = &[
    ("Decide", &["serve", "authorize", "retry", "budget", "report", "explain", "eval"]),
    ("Approve", &["approvals", "approve", "grant", "keygen"]),
    ("Write policies", &["check", "test"]),
    ("Operate", &["decisions", "guardrails", "stop", "status", "healthcheck", "bench", "config"]),
    ("This program", &["version", "completions"]),
];

const EXAMPLES: &str = "Examples:
  tollgate serve examples/inbox-triage
  tollgate authorize --agent inbox.triage --action quarantine --context risk_score=90
  tollgate test examples/inbox-triage

`tollgate COMMAND --help` says more about each, with examples.
Exit codes: 0 fine, 1 findings or a negative answer, 2 wrong use, 3 could not reach or read.";

/// The same command with its subcommands listed by group.
pub fn grouped(command: Command) -> Command {
    let mut list = String::new();
    for (group, names) in GROUPS {
        let _ = writeln!(list, "{}", styled(HEAD.underline(), format!("{group}:")));
        for name in *names {
            if let Some(subcommand) = command.find_subcommand(name) {
                let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
                let _ = writeln!(list, "  {}  {about}", styled(HEAD, format!("{name:<11}")));
            }
        }
        list.push('\n');
    }
    let heading = styled(HEAD.underline(), "Options:");
    let template =
        format!("{{about}}\n\n{{usage-heading}} {{usage}}\n\n{list}{heading}\n{{options}}\n\n{EXAMPLES}\n");
    command.help_template(template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let command = super::super::command();
        let mut listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let mut known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        listed.sort_unstable();
        known.sort_unstable();
        assert_eq!(listed, known);
    }

    #[test]
    fn the_command_line_is_consistent() {
        super::super::command().debug_assert();
    }
}
