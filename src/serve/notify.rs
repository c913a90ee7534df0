//! Tells the service manager how the process is: ready, reloading, stopping, alive, and in words.
//!
//! As `sd_notify` has it: a datagram to the socket that `NOTIFY_SOCKET` names. Without that variable
//! nothing of this runs.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::data_plane::{DataPlane, State, Status};
use crate::source;

/// How often the words are brought up to date, without a watchdog.
const LOOK: Duration = Duration::from_secs(1);
/// How long a reload may take before it counts as done.
const RELOAD: Duration = Duration::from_secs(60);

/// Says that a reload was asked for, which has this number at the source.
#[derive(Clone, Debug)]
pub(super) struct Reloads(Option<mpsc::UnboundedSender<u64>>);

impl Reloads {
    /// It was asked for.
    pub(super) fn begun(&self, number: u64) {
        if let Some(told) = &self.0 {
            // The manager tells this reload from an earlier one by the time.
            match NotifyState::monotonic_usec_now() {
                Ok(now) => tell(&[NotifyState::Reloading, now]),
                Err(_) => tell(&[NotifyState::Reloading]),
            }
            // Who listens ended: the process stops.
            let _ = told.send(number);
        }
    }
}

/// Tells the service manager, if there is one, until the process stops.
pub(super) fn start(
    plane: &Arc<DataPlane>,
    source: &source::file::Handle,
    stop: &CancellationToken,
) -> Reloads {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return Reloads(None);
    }
    let (told, reloads) = mpsc::unbounded_channel();
    let (plane, source, stop) = (Arc::clone(plane), source.clone(), stop.clone());
    tokio::spawn(follow(plane, source, reloads, stop));
    Reloads(Some(told))
}

async fn follow(
    plane: Arc<DataPlane>,
    source: source::file::Handle,
    mut reloads: mpsc::UnboundedReceiver<u64>,
    stop: CancellationToken,
) {
    // Half of the time that the manager waits, as it recommends.
    let watchdog = sd_notify::watchdog_enabled().map(|limit| limit / 2);
    let mut ticks = tokio::time::interval(watchdog.map_or(LOOK, |limit| limit.min(LOOK)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut ready, mut words) = (false, String::new());
    loop {
        let reloading = tokio::select! {
            () = stop.cancelled() => break,
            number = reloads.recv() => number,
            _ = ticks.tick() => None,
        };
        if let Some(number) = reloading {
            let done = tokio::time::timeout(RELOAD, source.reloaded(number));
            tokio::pin!(done);
            // A reload may take longer than the manager waits for a sign of life.
            loop {
                tokio::select! {
                    _ = done.as_mut() => break,
                    () = stop.cancelled() => break,
                    _ = ticks.tick() => {}
                }
                if watchdog.is_some() && plane.stuck().is_none() {
                    tell(&[NotifyState::Watchdog]);
                }
            }
            ready = false;
        }
        let mut news = Vec::new();
        let now = told(&plane.status());
        if now != words {
            words = now;
            news.push(NotifyState::Status(&words));
        }
        if !ready && plane.is_ready() {
            ready = true;
            news.push(NotifyState::Ready);
        }
        if watchdog.is_some() && plane.stuck().is_none() {
            news.push(NotifyState::Watchdog);
        }
        tell(&news);
    }
    tell(&[NotifyState::Stopping, NotifyState::Status("finishing the requests in flight")]);
}

fn tell(news: &[NotifyState<'_>]) {
    if news.is_empty() {
        return;
    }
    if let Err(error) = sd_notify::notify(news) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

/// How it is, in a line.
fn told(status: &Status) -> String {
    match (&status.bundle, status.state) {
        (Some(bundle), State::ReadyLkg) => {
            format!("serving the last good bundle, version {}: newer content cannot be used", bundle.version)
        }
        (Some(bundle), _) => format!("serving bundle version {}, {} rules", bundle.version, bundle.rules),
        (None, _) => {
            let why = status.last_error.as_ref().map(|error| error.refusal.to_string());
            let why = why.unwrap_or_else(|| "no bundle has been read yet".to_owned());
            format!("denying everything: {}", why.lines().next().unwrap_or_default())
        }
    }
}
