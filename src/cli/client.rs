//! Asks a running server over gRPC.

use super::exit::{Exit, Failure, OrExit as _};
use crate::load::{Target, Trouble};
use crate::pb::policy_decision_service_client::PolicyDecisionServiceClient;
use anyhow::{Context as _, anyhow};
use hyper_util::rt::TokioIo;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Where a server listens for requests.
#[derive(Clone, Debug, clap::Args)]
pub struct Server {
    /// The server: `host:port`, or `unix:/path` for its socket
    #[arg(
        long,
        value_name = "ADDR",
        env = "TOLLGATE_ADDRESS",
        hide_env_values = true,
        default_value = "127.0.0.1:4700"
    )]
    address: String,
    /// How long to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u16,
}

/// The client that commands ask with.
pub type Client = PolicyDecisionServiceClient<Channel>;

/// The most bytes of an answer: one to a batch of the highest bounds has them.
const MOST_BYTES: usize = 32 << 20;

impl Server {
    /// Connects, and asks.
    ///
    /// # Errors
    /// With code 3 when nobody answers, 2 when the server does not take the request.
    pub fn ask<T>(
        &self,
        call: impl AsyncFnOnce(Client) -> Result<tonic::Response<T>, Status>,
    ) -> Result<T, Failure> {
        self.call(async |channel| call(Client::new(channel).max_decoding_message_size(MOST_BYTES)).await)
    }

    /// The same server at another address.
    pub fn at(&self, address: String) -> Self {
        Self { address, timeout: self.timeout }
    }

    /// The address as it was given.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How long to wait.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout.into())
    }

    /// Where to send a load.
    ///
    /// # Errors
    /// With code 2 when the address makes no sense.
    pub fn target(&self) -> Result<Target, Failure> {
        let address = self.address.trim_end_matches('/');
        Ok(match address.strip_prefix("unix:") {
            Some(path) => Target::Unix(path.into()),
            None => Target::Tcp(address.trim_start_matches("http://").to_owned()),
        })
    }

    /// A load that came to nothing.
    pub fn trouble(&self, trouble: &Trouble) -> Failure {
        let message = format!("{}: {trouble}", self.address);
        Failure { exit: Exit::Unreachable, error: anyhow!(message), findings: vec![] }
    }

    /// Connects, and asks through the connection.
    ///
    /// # Errors
    /// As [`Server::ask`].
    pub fn call<T>(
        &self,
        call: impl AsyncFnOnce(Channel) -> Result<tonic::Response<T>, Status>,
    ) -> Result<T, Failure> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().or_exit(Exit::Unreachable)?;
        runtime.block_on(async {
            let channel = self.connect().await.or_exit(Exit::Unreachable)?;
            let reply = call(channel).await;
            reply.map(tonic::Response::into_inner).map_err(|status| self.failure(&status))
        })
    }

    async fn connect(&self) -> anyhow::Result<Channel> {
        let patience = Duration::from_secs(self.timeout.into());
        let prepare = |endpoint: Endpoint| endpoint.connect_timeout(patience).timeout(patience);
        let channel = match self.address.strip_prefix("unix:") {
            Some(path) => {
                connect_unix(prepare(Endpoint::from_static("http://localhost")), Path::new(path)).await
            }
            None => {
                let host = self.address.trim_start_matches("http://").trim_end_matches('/');
                let endpoint = Endpoint::from_shared(format!("http://{host}"));
                let endpoint = endpoint.with_context(|| format!("`{}` is no address", self.address))?;
                prepare(endpoint).connect().await
            }
        };
        channel.map_err(|error| {
            anyhow!(innermost(&error))
                .context(format!("{}: no server answers; is `tollgate serve` running there?", self.address))
        })
    }

    fn failure(&self, status: &Status) -> Failure {
        let (exit, what) = match status.code() {
            Code::InvalidArgument => (Exit::Usage, "the request is not valid"),
            Code::NotFound | Code::FailedPrecondition | Code::PermissionDenied => {
                (Exit::Usage, "the request is refused")
            }
            Code::Unauthenticated => (Exit::Unreachable, "the server does not let you in"),
            Code::Unimplemented => (Exit::Unreachable, "the server does not know this request"),
            Code::DeadlineExceeded | Code::Cancelled => {
                (Exit::Unreachable, "the server did not answer in time")
            }
            _ => (Exit::Unreachable, "the server could not answer"),
        };
        let mut message = format!("{}: {what}: {}", self.address, status.message());
        for violation in status.get_details_bad_request().into_iter().flat_map(|bad| bad.field_violations) {
            message.push_str(&format!("\n{}: {}", violation.field, violation.description));
        }
        Failure { exit, error: anyhow!(message), findings: vec![] }
    }
}

async fn connect_unix(endpoint: Endpoint, path: &Path) -> Result<Channel, tonic::transport::Error> {
    let path = PathBuf::from(path);
    let connect = move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    };
    endpoint.connect_with_connector(tower::service_fn(connect)).await
}

/// The system's own words; what is around them says nothing to a user.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
