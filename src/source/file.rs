//! Follows a file or a folder.
//!
//! Woken by the system's notices, by [`Handle::reload`], and every 30 s in any case; then it reads
//! everything and compares it with what it offered last. So nothing depends on what a notice says
//! or whether it came.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tollgate_engine::id::Digest;

use super::arrivals::Arrivals;
use super::content::{self, ContentError};
use crate::data_plane::{DataPlane, Offer, Refusal};

/// How often the content is looked at without any notice.
pub const POLL: Duration = Duration::from_secs(30);
/// Changes that come closer together than this are taken as one.
const QUIET: Duration = Duration::from_millis(60);
/// But never wait longer than this for quiet.
const QUIET_AT_MOST: Duration = Duration::from_millis(500);
/// Deep documents and long expressions need room.
const STACK_BYTES: usize = 8 << 20;

/// A source that is being followed.
#[derive(Clone, Debug)]
pub struct Handle {
    wake: mpsc::UnboundedSender<Wake>,
    looked: watch::Receiver<Option<u64>>,
    /// How often it was asked to read it again.
    asked: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wake {
    /// Something may have changed.
    Notice,
    /// Somebody asks to read it again, changed or not: for the how many-th time.
    Reload(u64),
}

impl Wake {
    const fn number(self) -> u64 {
        match self {
            Self::Notice => 0,
            Self::Reload(number) => number,
        }
    }

    /// Both at once: none of the reloads is lost.
    fn and(self, other: Self) -> Self {
        if other.number() > self.number() { other } else { self }
    }
}

impl Handle {
    /// Reads the source again, and offers what is there, changed or not. The number is for
    /// [`Handle::reloaded`].
    pub fn reload(&self) -> u64 {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        // A source that ended has nobody to tell.
        let _ = self.wake.send(Wake::Reload(number));
        number
    }

    /// Returns when what was asked for under this number was done, whatever came of it.
    pub async fn reloaded(&self, number: u64) {
        let mut looked = self.looked.clone();
        let _ = looked.wait_for(|done| *done >= Some(number)).await;
    }

    /// Returns when the source was read for the first time and what was found was installed or
    /// refused.
    pub async fn first_look(&self) {
        let mut looked = self.looked.clone();
        // An error says that the source has ended: there is nothing to wait for.
        let _ = looked.wait_for(Option::is_some).await;
    }
}

/// Follows `path`, a file or a folder, on a thread of its own, until `shutdown`. What is missing
/// is waited for. A thread that cannot be started is a refusal like any other.
pub fn watch(path: impl AsRef<Path>, plane: Arc<DataPlane>, shutdown: CancellationToken) -> Handle {
    let (wake, woken) = mpsc::unbounded_channel();
    let (done, looked) = watch::channel(None);
    let path = path.as_ref().to_owned();
    let handle = Handle { wake: wake.clone(), looked, asked: Arc::default() };
    let follower = Follower { path, plane: Arc::clone(&plane), last: None };
    let source = follower.path.display().to_string();
    let started = spawn(move |runtime| {
        let arrivals = Arrivals::new(std::slice::from_ref(&follower.path), move || {
            // A source that ended has nobody to wake.
            let _ = wake.send(Wake::Notice);
        });
        runtime.block_on(follower.run(arrivals, woken, done, shutdown));
    });
    if let Err(error) = started {
        let text = format!("{source}: cannot be followed: no thread can be started: {error}");
        plane.refuse(Refusal::new(&source, text));
    }
    handle
}

fn spawn(follow: impl FnOnce(Runtime) + Send + 'static) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let thread = std::thread::Builder::new().name("bundle-source".to_owned());
    thread.stack_size(STACK_BYTES).spawn(move || follow(runtime)).map(drop)
}

struct Follower {
    path: PathBuf,
    plane: Arc<DataPlane>,
    /// What was offered or complained about last.
    last: Option<Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Content(Digest),
    Nothing(String),
}

impl Follower {
    async fn run(
        mut self,
        mut arrivals: Arrivals,
        mut woken: mpsc::UnboundedReceiver<Wake>,
        done: watch::Sender<Option<u64>>,
        shutdown: CancellationToken,
    ) {
        let mut wake = Wake::Notice;
        loop {
            arrivals.follow();
            self.look(wake);
            done.send_modify(|last| *last = (*last).max(Some(wake.number())));
            let poll = sleep_until(Instant::now() + POLL);
            wake = tokio::select! {
                () = shutdown.cancelled() => return,
                () = poll => Wake::Notice,
                Some(first) = woken.recv() => settle(first, &mut woken).await,
            };
            self.plane.free_retired();
        }
    }

    fn look(&mut self, wake: Wake) {
        let read = content::read(&self.path, self.plane.bounds());
        let seen = match &read {
            Ok(offer) => Seen::Content(fingerprint(offer)),
            Err(error) => Seen::Nothing(error.to_string()),
        };
        if wake == Wake::Notice && self.last.as_ref() == Some(&seen) {
            return;
        }
        self.last = Some(seen);
        match read {
            Ok(offer) => drop(self.plane.offer(&offer)),
            Err(error) => self.complain(&error),
        }
    }

    fn complain(&self, error: &ContentError) {
        let source = self.path.display().to_string();
        match error {
            ContentError::Missing(_) | ContentError::Empty(_) => {
                let why = format!("{error}; it is read as soon as it appears");
                self.plane.missing(Refusal::new(&source, why));
            }
            _ => self.plane.refuse(Refusal::new(&source, error.to_string())),
        }
    }
}

/// Waits until the changes pause. A request to reload among them is not lost.
async fn settle(first: Wake, woken: &mut mpsc::UnboundedReceiver<Wake>) -> Wake {
    let mut wake = first;
    let end = Instant::now() + QUIET_AT_MOST;
    while wake == Wake::Notice && Instant::now() < end {
        match timeout(QUIET, woken.recv()).await {
            Ok(Some(next)) => wake = next,
            Ok(None) | Err(_) => break,
        }
    }
    while let Ok(next) = woken.try_recv() {
        wake = wake.and(next);
    }
    wake
}

fn fingerprint(offer: &Offer) -> Digest {
    let mut all = Vec::new();
    for (name, bytes) in &offer.files {
        all.extend_from_slice(&name.len().to_le_bytes());
        all.extend_from_slice(name.as_bytes());
        all.extend_from_slice(&Digest::of(bytes).0);
    }
    Digest::of(&all)
}
