//! Answers that go on: they end when the server drains, and take turns with everything else that
//! their thread serves.
//!
//! A stream costs a serving thread nothing while it waits: no thread, no timer, one waker. When
//! the client goes away it is dropped, and with it whatever it follows.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

/// What one stream may send before the decisions of its thread have their turn.
const IN_A_ROW: u32 = 32;

/// The answers of one server stream.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The items of `inner` until it ends, the client goes away, or the server drains: then the last
/// one is UNAVAILABLE.
pub(super) fn until_drained<T, S>(inner: S, drain: &CancellationToken) -> Answers<T>
where
    S: Stream<Item = Result<T, Status>> + Send + Unpin + 'static,
{
    let drained = Box::pin(drain.clone().cancelled_owned());
    Box::pin(UntilDrained { inner, drained, over: false, left: IN_A_ROW })
}

struct UntilDrained<S> {
    inner: S,
    drained: Pin<Box<WaitForCancellationFutureOwned>>,
    over: bool,
    /// Of [`IN_A_ROW`].
    left: u32,
}

impl<T, S: Stream<Item = Result<T, Status>> + Unpin> Stream for UntilDrained<S> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        if self.drained.as_mut().poll(cx).is_ready() {
            self.over = true;
            return Poll::Ready(Some(Err(Status::unavailable("the server ends; follow another one"))));
        }
        if self.left == 0 {
            self.left = IN_A_ROW;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.inner).poll_next(cx);
        self.left = if polled.is_ready() { self.left - 1 } else { IN_A_ROW };
        // After an error nothing comes: it is the status of the whole.
        self.over = matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_stream::StreamExt as _;
    use tonic::Code;

    fn poll(answers: &mut Answers<u32>) -> Poll<Option<Result<u32, Code>>> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        answers.as_mut().poll_next(&mut cx).map(|item| item.map(|item| item.map_err(|status| status.code())))
    }

    #[tokio::test]
    async fn it_gives_way_and_loses_nothing() {
        let drain = CancellationToken::new();
        let mut answers = until_drained(tokio_stream::iter((0..100).map(Ok)), &drain);
        let before = (0..IN_A_ROW).map(|_| poll(&mut answers)).all(|polled| polled.is_ready());
        assert!(before && poll(&mut answers).is_pending());
        let rest: Vec<u32> = answers.map(Result::unwrap).collect().await;
        assert_eq!(rest, (IN_A_ROW..100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_drain_and_an_error_end_it() {
        let drain = CancellationToken::new();
        let mut waiting = until_drained(tokio_stream::pending(), &drain);
        assert!(poll(&mut waiting).is_pending());
        drain.cancel();
        assert_eq!(poll(&mut waiting), Poll::Ready(Some(Err(Code::Unavailable))));
        assert_eq!(poll(&mut waiting), Poll::Ready(None));
        let wrong = [Err(Status::not_found("gone")), Ok(1)];
        let mut wrong = until_drained(tokio_stream::iter(wrong), &CancellationToken::new());
        assert_eq!(poll(&mut wrong), Poll::Ready(Some(Err(Code::NotFound))));
        assert_eq!(poll(&mut wrong), Poll::Ready(None));
    }
}
