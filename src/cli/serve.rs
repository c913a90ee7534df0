//! `tollgate serve`

use super::exit::{Exit, Failure, OrExit as _, Outcome};
use super::findings::plural;
use super::output::{self, BAD, FAINT, GOOD, HEAD, styled};
use crate::clock::Clock;
use crate::config::Flags;
use crate::serve::{self, Process, Started, Tls};
use std::fmt::Write as _;

/// Answer requests by the rules of a bundle, and follow its changes
#[derive(Debug, clap::Args)]
#[command(after_help = "SIGTERM finishes what is in flight and ends with 0; SIGHUP reads the bundle,
the keys of approvers and the files of TLS again, and begins a new file of the decision log.
Every option can also stand in a file (`--config`) or in a TOLLGATE_* variable;
`tollgate config show` says which holds. `--help` shows all options, `-h` the usual ones.

Examples:
  tollgate serve examples/inbox-triage
  tollgate serve policies/ --environment production --grpc none --uds /run/tollgate.sock
  tollgate serve --config tollgate.yaml")]
pub struct Serve {
    #[command(flatten)]
    flags: Flags,
}

impl Serve {
    /// Serves until a signal ends it.
    pub fn run(&self) -> Outcome {
        let loaded = super::config::load(&self.flags, Exit::Usage)?;
        let config = loaded.config;
        let Some(bundle) = config.bundle.clone() else {
            return Err(Failure::usage(
                "which bundle? name a file or a folder: `tollgate serve my-bundle.yaml`, or `bundle:` in the configuration",
            ));
        };
        serve::install_logs(&config).or_exit(Exit::Usage)?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let for_people = serve::log_form(&config).is_text();
        let process = Process::bind(config, bundle, Clock::system()).or_exit(Exit::Unreachable)?;
        let started = |started: &Started| {
            if for_people {
                output::note(&banner(started));
            } else {
                serve::log_start(started);
            }
        };
        process.run(started).or_exit(Exit::Unreachable)?;
        Ok(Exit::Fine)
    }
}

/// What runs and where, for somebody who looks at a terminal.
fn banner(started: &Started) -> String {
    let mut lines = format!("\n  {} {}\n\n", styled(HEAD, "tollgate"), env!("CARGO_PKG_VERSION"));
    let mut row = |name: &str, value: String| {
        let _ = writeln!(lines, "  {} {value}", styled(FAINT, format!("{name:<9}")));
    };
    let status = &started.status;
    if let Some(address) = started.grpc {
        let tls = if started.tls == Tls::Off { String::new() } else { format!("  {}", started.tls.name()) };
        row("grpc", format!("{address}{}", styled(FAINT, tls)));
    }
    if let Some(path) = &started.uds {
        row("grpc", format!("unix:{}", path.display()));
    }
    if let Some(address) = started.http {
        row("authzen", format!("{address}/access/v1/evaluation"));
    }
    if let Some(address) = started.metrics {
        row("metrics", format!("http://{address}/metrics  /livez /readyz /status"));
    }
    match &status.bundle {
        Some(bundle) => {
            let digest: String = bundle.digest.chars().take(19).collect();
            let counts =
                format!("{}, {}", plural(bundle.rules, "rule"), plural(bundle.guardrails, "guardrail"));
            row(
                "bundle",
                format!(
                    "{}  version {}  {}",
                    bundle.source,
                    bundle.version,
                    styled(FAINT, format!("{digest}…"))
                ),
            );
            row("", counts);
        }
        None => row("bundle", styled(BAD, "none: every decision is a deny until one can be read")),
    }
    row("default", format!("environment {}", status.environment));
    let state = if status.ready { styled(GOOD, "ready") } else { styled(BAD, "not ready") };
    row("state", state);
    lines
}
