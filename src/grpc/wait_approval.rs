//! `WaitApproval`: how an approval stands, then each change until it is decided.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::Stream;
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::convert::approval;
use super::overload::refuse;
use super::stream::{Answers, until_drained};
use crate::data_plane::DataPlane;
use crate::data_plane::approvals::{News, Standing};
use crate::pb;

/// So many callers wait on one serving thread at most.
const MOST_WAITING: usize = 10_000;

/// The places of those who wait on one serving thread.
#[derive(Clone, Debug)]
pub(super) struct Waiting(Arc<Semaphore>);

impl Default for Waiting {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_WAITING)))
    }
}

pub(super) fn answer(
    plane: &DataPlane,
    waiting: &Waiting,
    drain: &CancellationToken,
    sent: pb::WaitApprovalRequest,
) -> Result<Answers<pb::WaitApprovalResponse>, Status> {
    let id = approval::id(&sent.approval_id)?;
    let Some(news) = plane.approvals().watch(id, plane.clock().wall()) else {
        return Err(unknown(id));
    };
    let Ok(place) = Arc::clone(&waiting.0).try_acquire_owned() else {
        let why =
            format!("{MOST_WAITING} callers wait for approvals already; ask Authorize again later instead");
        return Err(refuse("streams", why));
    };
    let follow = Follow { news: WatchStream::new(news), decided: false, _place: place };
    Ok(until_drained(follow, drain))
}

/// How an approval stands, up to what is final.
struct Follow {
    news: WatchStream<News>,
    decided: bool,
    _place: OwnedSemaphorePermit,
}

impl Stream for Follow {
    type Item = Result<pb::WaitApprovalResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.decided {
            return Poll::Ready(None);
        }
        let next = ready!(Pin::new(&mut self.news).poll_next(cx));
        self.decided = next.as_ref().is_none_or(|news| news.standing != Standing::Pending);
        Poll::Ready(next.map(|news| Ok(approval::news(&news))))
    }
}

/// There is no such approval here.
pub(super) fn unknown(id: uuid::Uuid) -> Status {
    Status::not_found(format!(
        "there is no approval `{id}` here: it was opened at another instance, or ended long ago; ask Authorize again"
    ))
}
