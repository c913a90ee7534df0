//! Asks a running server over gRPC.

use super::exit::{Exit, Failure, OrExit as _};
use super::tls::{self, Peer, Tls};
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
    /// The server: `host:port`, `https://host:port`, or `unix:/path` for its socket
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
    #[command(flatten)]
    tls: Tls,
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

    /// A server that no flag names.
    pub fn to(address: String, timeout: u16, tls: Tls) -> Self {
        Self { address, timeout, tls }
    }

    /// The same server at another address.
    pub fn at(&self, address: String) -> Self {
        Self { address, ..self.clone() }
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
    /// With code 3 when the address makes no sense, or a file of TLS cannot be read.
    pub fn target(&self) -> Result<Target, Failure> {
        let address = self.address.trim_end_matches('/');
        if let Some(path) = address.strip_prefix("unix:") {
            return Ok(Target::Unix(path.into()));
        }
        Ok(match self.encrypted_host().or_exit(Exit::Unreachable)? {
            Some(host) => {
                let Peer { at, name, connector, .. } =
                    Peer::of(host, &self.tls).or_exit(Exit::Unreachable)?;
                Target::Tls { address: at, name, connector }
            }
            None => Target::Tcp(address.trim_start_matches("http://").to_owned()),
        })
    }

    /// A load that came to nothing.
    pub fn trouble(&self, trouble: &Trouble) -> Failure {
        let said = tls::words(trouble).unwrap_or_else(|| trouble.to_string());
        let message = format!("{}: {said}", self.address);
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

    /// The host and port, where TLS is wanted.
    fn encrypted_host(&self) -> anyhow::Result<Option<&str>> {
        let address = self.address.trim_end_matches('/');
        let host = address.strip_prefix("https://").or(self.tls.is_wanted().then_some(address));
        anyhow::ensure!(
            !host.is_some_and(|host| host.starts_with("http://")),
            "`{address}` is an address without TLS; write `https://`, or leave the flags of TLS out"
        );
        Ok(host)
    }

    async fn connect(&self) -> anyhow::Result<Channel> {
        let patience = Duration::from_secs(self.timeout.into());
        let prepare = |endpoint: Endpoint| endpoint.connect_timeout(patience).timeout(patience);
        let address = self.address.trim_end_matches('/');
        let endpoint = |host: &str| {
            let endpoint = Endpoint::from_shared(format!("http://{host}"));
            endpoint.map(prepare).with_context(|| format!("`{address}` is no address"))
        };
        let channel = if let Some(path) = address.strip_prefix("unix:") {
            connect_unix(endpoint("localhost")?, Path::new(path)).await
        } else if let Some(host) = self.encrypted_host()? {
            tls::connect(endpoint(host)?, host, &self.tls).await?
        } else {
            endpoint(address.trim_start_matches("http://"))?.connect().await
        };
        channel.map_err(|error| match tls::words(&error) {
            Some(said) => anyhow!("{}: {said}", self.address),
            None => anyhow!(innermost(&error))
                .context(format!("{}: no server answers; is `tollgate serve` running there?", self.address)),
        })
    }

    fn failure(&self, status: &Status) -> Failure {
        if let Some(said) = tls::words(status) {
            return Failure {
                exit: Exit::Unreachable,
                error: anyhow!("{}: {said}", self.address),
                findings: vec![],
            };
        }
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
