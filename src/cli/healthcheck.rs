//! `tollgate healthcheck`

use super::exit::{Exit, OrExit as _, Outcome};
use super::output::{self, BAD, GOOD, styled};
use super::status::StatusAddress;
use std::time::Duration;

/// Ask a running server whether it is ready: for the probe of a container without a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 ready, 1 not ready, 3 nobody answers.

Examples:
  tollgate healthcheck
  tollgate healthcheck --live --address 10.0.0.7:9464")]
pub struct Healthcheck {
    #[command(flatten)]
    address: StatusAddress,
    /// Ask only whether the process lives, not whether a bundle serves
    #[arg(long)]
    live: bool,
    /// How long to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    timeout: u16,
}

impl Healthcheck {
    /// Asks the probe.
    pub fn run(&self) -> Outcome {
        let path = if self.live { "/livez" } else { "/readyz" };
        let patience = Duration::from_secs(self.timeout.into());
        let reply = super::probe::get(&self.address.address, path, patience).or_exit(Exit::Unreachable)?;
        let fine = reply.status == 200;
        output::print(&styled(if fine { GOOD } else { BAD }, reply.body.trim()));
        Ok(if fine { Exit::Fine } else { Exit::Negative })
    }
}
