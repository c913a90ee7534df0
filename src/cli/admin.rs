//! Asks a running server what its operators and approvers may ask.

use super::client::Server;
use super::exit::{Exit, Failure, OrExit as _};
use crate::pb::admin_service_client::AdminServiceClient;
use anyhow::Context as _;
use std::path::PathBuf;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Where a server lets operators in: the same words as of `tollgate serve`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct Admin {
    /// The server's admin socket
    #[arg(long, value_name = "PATH", env = "TOLLGATE_ADMIN_UDS", hide_env_values = true)]
    admin_uds: Option<PathBuf>,
    /// The file with the server's admin token, to ask on its gRPC port; a socket that is named wins
    #[arg(long, value_name = "PATH", env = "TOLLGATE_ADMIN_TOKEN_FILE", hide_env_values = true)]
    admin_token_file: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

/// The client that operators' commands ask with.
pub type Client = AdminServiceClient<InterceptedService<Channel, Bearer>>;

/// Sends the token along, where there is one.
#[derive(Clone, Debug)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// The most bytes of an answer; those to lists are made of pages.
const MOST_BYTES: usize = 4 << 20;

impl Admin {
    /// Connects, and asks.
    ///
    /// # Errors
    /// With code 3 when nobody answers or the token is refused, 2 when the request is not taken.
    pub fn ask<T>(
        &self,
        call: impl AsyncFnOnce(Client) -> Result<tonic::Response<T>, Status>,
    ) -> Result<T, Failure> {
        let bearer = self.bearer()?;
        let server = match &self.admin_uds {
            Some(path) => self.server.at(format!("unix:{}", path.display())),
            None => self.server.clone(),
        };
        server.call(async |channel| {
            let client = AdminServiceClient::with_interceptor(channel, bearer);
            call(client.max_decoding_message_size(MOST_BYTES)).await
        })
    }

    fn bearer(&self) -> Result<Bearer, Failure> {
        if self.admin_uds.is_some() {
            return Ok(Bearer(None));
        }
        let Some(path) = &self.admin_token_file else {
            return Err(Failure::usage(
                "which server, and by what right? name its `--admin-uds PATH`, or its `--admin-token-file PATH` \
                 beside `--address`; the server is started with the same",
            ));
        };
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{shown}: the admin token cannot be read"))
            .or_exit(Exit::Unreachable)?;
        let mut token: MetadataValue<Ascii> = format!("Bearer {}", text.trim())
            .parse()
            .ok()
            .with_context(|| format!("{shown}: is no admin token: one line of letters, digits and signs"))
            .or_exit(Exit::Usage)?;
        token.set_sensitive(true);
        Ok(Bearer(Some(token)))
    }
}
