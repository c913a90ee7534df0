//! The admin service on a Unix socket of its own, beside the threads that decide.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;

use super::open;
use crate::data_plane::DataPlane;
use crate::grpc::listen::{self, Socket};

/// Its owner and nobody else.
const MODE: u32 = 0o600;
/// A request that is not all here after so long is given up.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests in flight on one connection.
const MAX_STREAMS: u32 = 64;

/// A socket that listens and does not serve yet.
#[derive(Debug)]
pub struct Server(Socket);

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// It cannot be listened on.
    pub fn bind(path: &Path) -> anyhow::Result<Self> {
        listen::uds(path, MODE).map(Self)
    }

    /// Serves until it is told to stop, on the runtime of whoever calls it.
    ///
    /// # Errors
    /// The socket fails.
    pub async fn run(self, plane: Arc<DataPlane>, stop: CancellationToken) -> anyhow::Result<()> {
        // The socket's file goes when this is dropped, so it is kept until the end.
        let listener = UnixListener::from_std(self.0.listener.try_clone()?)?;
        tonic::transport::Server::builder()
            .timeout(REQUEST_TIMEOUT)
            .max_concurrent_streams(MAX_STREAMS)
            .serve_with_incoming_shutdown(
                open(plane),
                UnixListenerStream::new(listener),
                stop.cancelled_owned(),
            )
            .await?;
        Ok(())
    }
}
