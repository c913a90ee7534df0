//! Follows the files: woken by the system's notices, by SIGHUP and every half minute.
//!
//! As with bundles, nothing depends on what a notice says or whether it comes. What is wrong is
//! looked at a second time before anybody hears of it: certificate and key are two files, and are
//! seldom written in one moment.

use super::live::Live;
use crate::source::arrivals::Arrivals;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at without any notice.
const POLL: Duration = Duration::from_secs(30);
/// Changes that come this close together are one.
const QUIET: Duration = Duration::from_millis(100);
/// How long a second look waits for the rest of the files.
const SECOND_LOOK: Duration = Duration::from_secs(1);

impl Live {
    /// Reads the files again, changed or not.
    pub fn reload(&self) {
        self.asked.store(true, Ordering::Release);
        self.woken.notify_one();
    }

    /// Follows the files until `stop`.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut following = Some(self.watch());
        loop {
            let asked = self.asked.swap(false, Ordering::AcqRel);
            following = self.look_and_tell(following, asked).await;
            if following.is_none() {
                tracing::error!("following the files of TLS panicked; it begins anew: please report it");
                following = Some(self.watch());
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(POLL) => {}
                () = self.woken.notified() => tokio::time::sleep(QUIET).await,
            }
        }
    }

    fn watch(self: &Arc<Self>) -> Arrivals {
        let woken = Arc::downgrade(self);
        Arrivals::new(&self.files.paths(), move || {
            if let Some(live) = woken.upgrade() {
                live.woken.notify_one();
            }
        })
    }

    /// Disks may be slow, so this happens where waiting is allowed.
    async fn look_and_tell(self: &Arc<Self>, following: Option<Arrivals>, asked: bool) -> Option<Arrivals> {
        let mut arrivals = following?;
        let live = Arc::clone(self);
        let look = move || {
            arrivals.follow();
            let looked = live.look(asked);
            live.mind_expiry();
            (arrivals, looked)
        };
        let (arrivals, looked) = tokio::task::spawn_blocking(look).await.ok()?;
        if looked.is_err() {
            tokio::time::sleep(SECOND_LOOK).await;
            let live = Arc::clone(self);
            let again = move || {
                if let Err(error) = live.look(asked) {
                    live.complain(&error, asked);
                }
            };
            tokio::task::spawn_blocking(again).await.ok()?;
        }
        Some(arrivals)
    }
}
