//! `tollgate completions`

use super::exit::{Exit, Outcome};
use super::output;
use clap_complete::Shell;

/// A script that lets a shell complete commands and flags
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tollgate completions bash > /etc/bash_completion.d/tollgate
  tollgate completions zsh > \"${fpath[1]}/_tollgate\"
  tollgate completions fish > ~/.config/fish/completions/tollgate.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub fn run(&self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "tollgate", &mut script);
        output::print(&String::from_utf8_lossy(&script));
        Ok(Exit::Fine)
    }
}
