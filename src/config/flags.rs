//! The layer of flags, made from the table for the command line.

use super::options::{OPTIONS, Spec};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use std::path::PathBuf;

/// The flags of a command line: what the user gave, as text.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// Options in the order of the table, with what they were given.
    pub given: Vec<(&'static Spec, String)>,
}

/// How the user writes this option on the command line.
pub(super) fn spelling(spec: &Spec) -> String {
    if spec.field == POSITIONAL { "BUNDLE".into() } else { format!("--{}", spec.flag()) }
}

/// The option that is an argument: `tollgate serve my-bundle.yaml`.
const POSITIONAL: &str = "bundle";

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .short('c')
            .value_name("FILE")
            .env(super::environment::CONFIG)
            .hide_env(true)
            .value_parser(clap::value_parser!(PathBuf))
            .help_heading("Configuration")
            .help("Reads options from this YAML or JSON file; flags and TOLLGATE_* variables win over it");
        OPTIONS.iter().fold(command.arg(config), |command, spec| command.arg(argument(spec)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument(spec: &'static Spec) -> Arg {
    let about = spec.about();
    let arg = Arg::new(spec.field)
        .help(about.split(['.', ':']).next().unwrap_or_default().to_string())
        .long_help(long_help(spec, &about))
        .value_name(spec.value)
        .allow_hyphen_values(false);
    if spec.field == POSITIONAL {
        return arg.value_name("BUNDLE");
    }
    let arg =
        arg.long(spec.flag()).help_heading(spec.group).hide_short_help(spec.group == super::options::BOUNDS);
    if spec.is_switch() {
        return arg.num_args(0..=1).require_equals(true).default_missing_value("true");
    }
    arg
}

fn long_help(spec: &Spec, about: &str) -> String {
    match spec.default {
        "" => format!("{about} [{}]", spec.variable()),
        default => format!("{about} [{}, default {default}]", spec.variable()),
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = matches.get_one::<PathBuf>("config").cloned();
        let given = |spec: &'static Spec| Some((spec, matches.get_one::<String>(spec.field)?.clone()));
        self.given = OPTIONS.iter().filter_map(given).collect();
        Ok(())
    }
}
