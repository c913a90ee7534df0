//! Work that takes long is done beside the serving thread, and only so much of it waits.

use std::sync::Arc;

use tokio::sync::{Semaphore, oneshot};
use tonic::Status;

use super::overload::refuse;

/// The place for work of one serving thread.
#[derive(Debug)]
pub(super) struct Aside {
    room: Arc<Semaphore>,
}

impl Aside {
    /// At most so many pieces of work at a time, those that wait included.
    pub(super) fn new(most: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(most)) }
    }

    /// Does this work, unless the caller hangs up before its turn comes.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED when too much waits already; UNAVAILABLE when the server ends.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Status> {
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            return Err(refuse("explanations", "too many explanations are asked for at once; ask later"));
        };
        let (give, given) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            // When the caller is gone, so is the receiver; the work then only gives up its place.
            if !give.is_closed() {
                let _ = give.send(work());
            }
            drop(place);
        });
        given.await.map_err(|_| Status::unavailable("the server ends; ask another one"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    #[test]
    fn only_so_much_waits_and_nothing_is_done_for_who_hung_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let aside = Arc::new(Aside::new(2));
            let (go, wait) = mpsc::channel::<()>();
            let first = tokio::spawn({
                let aside = Arc::clone(&aside);
                async move { aside.work(move || wait.recv().is_ok()).await }
            });
            let done = Arc::new(AtomicBool::new(false));
            let second = tokio::spawn({
                let (aside, done) = (Arc::clone(&aside), Arc::clone(&done));
                async move { aside.work(move || done.store(true, Ordering::SeqCst)).await }
            });
            tokio::task::yield_now().await;
            let shed = aside.work(|| ()).await.unwrap_err();
            assert_eq!(shed.code(), tonic::Code::ResourceExhausted);
            second.abort();
            assert!(second.await.is_err());
            go.send(()).unwrap();
            assert!(first.await.unwrap().unwrap());
            while aside.work(|| ()).await.is_err() {
                tokio::task::yield_now().await;
            }
            assert!(!done.load(Ordering::SeqCst));
        });
    }
}
