//! How old a connection may get: as old as the operator says, and no older than its client's
//! certificate. Then its client is told to open another one, and what is in flight is answered.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::listen::Connection;
use crate::clock;
use crate::tls::Door;

/// What decides about the age of the connections of one serving thread.
#[derive(Debug)]
pub(super) struct Age {
    /// About how old they may get; zero: as old as they like.
    pub most: Duration,
    /// How long what is in flight may take then. What follows something for ever ends with it.
    pub grace: Duration,
    pub door: Option<Door>,
}

impl Age {
    /// How long this one has; `None`: until its client ends it.
    pub(super) fn left(&self, connection: &Connection) -> Option<Duration> {
        let certificate = match (connection, &self.door) {
            (Connection::Tls(stream), Some(door)) => door.until_it_ends(stream),
            _ => None,
        };
        let most = (!self.most.is_zero()).then(|| spread(self.most));
        most.into_iter().chain(certificate).min()
    }
}

/// Serves a connection; when its time is over it drains, and is cut a while later.
pub(super) async fn serve(
    serving: impl Future<Output = ()>,
    left: Option<Duration>,
    drain: CancellationToken,
    grace: Duration,
) {
    let Some(left) = left else { return serving.await };
    let mut serving = pin!(serving);
    tokio::select! {
        biased;
        () = serving.as_mut() => return,
        () = sleep(left) => drain.cancel(),
    }
    // Who is cut here follows something for ever, or has not read what it asked for.
    let _ = timeout(grace, serving).await;
}

/// Up to a tenth more or less, so that clients who came together do not come back together.
fn spread(most: Duration) -> Duration {
    let share = clock::any_number().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX));
    most.mul_f64(0.9 + 0.2 * share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::time::Instant;

    #[test]
    fn an_age_is_spread_by_a_tenth() {
        let all: Vec<Duration> = (0..100).map(|_| spread(Duration::from_secs(100))).collect();
        assert!(all.iter().all(|age| (90..=110).contains(&age.as_secs())), "{all:?}");
        assert!(all.iter().any(|age| age.as_secs() < 100) && all.iter().any(|age| age.as_secs() >= 100));
    }

    #[tokio::test]
    async fn it_drains_in_time_and_is_cut_after_the_grace() {
        let (short, hour) = (Duration::from_millis(20), Duration::from_secs(3_600));
        let drain = CancellationToken::new();
        serve(drain.clone().cancelled_owned(), Some(short), drain.clone(), hour).await;
        let began = Instant::now();
        serve(pending(), Some(short), drain, 3 * short).await;
        assert!(began.elapsed() >= 4 * short);
        let ended = CancellationToken::new();
        serve(async {}, Some(hour), ended.clone(), hour).await;
        assert!(!ended.is_cancelled());
    }
}
