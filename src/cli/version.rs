//! `tollgate version`

use super::exit::{Exit, Outcome};
use super::output::{self, Output};
use serde_json::json;

/// The version of this program
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tollgate version\n  tollgate version --output json")]
pub struct Version {
    #[command(flatten)]
    output: Output,
}

impl Version {
    /// Says which program this is.
    pub fn run(&self) -> Outcome {
        let (version, engine) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_VERSION"));
        let commit = option_env!("TOLLGATE_COMMIT").filter(|commit| !commit.is_empty());
        if self.output.is_json() {
            output::print_json(&json!({"version": version, "engine": engine, "commit": commit}));
        } else {
            let commit = commit.map(|commit| format!(", commit {commit}")).unwrap_or_default();
            output::print(&format!("tollgate {version} (engine {engine}{commit})"));
        }
        Ok(Exit::Fine)
    }
}
