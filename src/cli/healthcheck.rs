//! `tollgate healthcheck`

use super::client::Server;
use super::exit::{Exit, OrExit as _, Outcome};
use super::output::{self, BAD, GOOD, styled};
use super::status::StatusAddress;
use super::tls::Tls;
use std::time::Duration;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Ask a running server whether it is ready: for the probe of a container without a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 ready, 1 not ready, 3 nobody answers.

Examples:
  tollgate healthcheck
  tollgate healthcheck --live --address 10.0.0.7:9464
  tollgate healthcheck --grpc unix:/run/tollgate.sock")]
pub struct Healthcheck {
    #[command(flatten)]
    address: StatusAddress,
    /// Ask only whether the process lives, not whether a bundle serves
    #[arg(long, conflicts_with = "grpc")]
    live: bool,
    /// Ask where requests are served instead, over gRPC: `host:port`, `https://host:port`, or `unix:/path`
    #[arg(long, value_name = "ADDR")]
    grpc: Option<String>,
    /// Which service; unless said, the whole server
    #[arg(long, value_name = "NAME", requires = "grpc", default_value = "", hide_default_value = true)]
    service: String,
    /// How long to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    timeout: u16,
    #[command(flatten)]
    tls: Tls,
}

impl Healthcheck {
    /// Asks the probe.
    pub fn run(&self) -> Outcome {
        if let Some(address) = &self.grpc {
            return self.ask_grpc(address);
        }
        let path = if self.live { "/livez" } else { "/readyz" };
        let patience = Duration::from_secs(self.timeout.into());
        let reply = super::probe::get(&self.address.address, path, patience).or_exit(Exit::Unreachable)?;
        Ok(told(reply.status == 200, reply.body.trim()))
    }

    fn ask_grpc(&self, address: &str) -> Outcome {
        let request = HealthCheckRequest { service: self.service.clone() };
        let server = Server::to(address.to_owned(), self.timeout, self.tls.clone());
        let reply = server.call(async |channel| HealthClient::new(channel).check(request).await)?;
        let serving = reply.status() == ServingStatus::Serving;
        Ok(told(serving, if serving { "serving" } else { "not serving" }))
    }
}

fn told(fine: bool, what: &str) -> Exit {
    output::print(&styled(if fine { GOOD } else { BAD }, what));
    if fine { Exit::Fine } else { Exit::Negative }
}
