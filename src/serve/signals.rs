//! What the system asks of the process: SIGTERM and SIGINT drain, a second one ends it at once,
//! SIGHUP reads the bundle and other files again.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The signals that this process answers.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From here on the signals no longer end the process by themselves.
    ///
    /// # Errors
    /// The system refuses.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Answers SIGHUP by reading `again` until a signal asks to stop, or until somebody else cancels
    /// `stop`.
    pub async fn until_stop(&mut self, again: impl Fn(), stop: &CancellationToken) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return draining("SIGTERM", stop),
                _ = self.interrupt.recv() => return draining("SIGINT", stop),
                _ = self.hang_up.recv() => {
                    tracing::info!("SIGHUP: reading the bundle, the keys of approvers and the files of TLS again");
                    again();
                }
                () = stop.cancelled() => return,
            }
        }
    }

    /// The next signal that asks to stop.
    pub async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn draining(signal: &str, stop: &CancellationToken) {
    tracing::info!(signal, "stopping: requests in flight are finished");
    stop.cancel();
}
