//! The connections of one serving thread: as they come, or when they have shaken hands.
//!
//! A handshake is a task of its own, so none waits for another, and none of those who are served
//! waits for any.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;
use tokio_stream::Stream;

use super::listen::{Accepted, Connection};
use crate::tls::Door;

/// A connection with its place among all.
pub(super) type Arrival = (Accepted, OwnedSemaphorePermit);

/// One that is to be served.
pub(super) type Arrived = (Connection, OwnedSemaphorePermit);

/// What a serving thread takes its connections from.
pub(super) struct Incoming {
    arrivals: mpsc::Receiver<Arrival>,
    door: Option<Door>,
    /// Those that shake hands; nothing comes of who is not let in.
    entering: JoinSet<Option<Arrived>>,
}

impl Incoming {
    pub(super) fn new(arrivals: mpsc::Receiver<Arrival>, door: Option<Door>) -> Self {
        Self { arrivals, door, entering: JoinSet::new() }
    }

    /// The connection, if it can be served at once; who has to shake hands begins to.
    fn receive(&mut self, (accepted, place): Arrival) -> io::Result<Option<Arrived>> {
        let connection = match (accepted, &self.door) {
            (Accepted::Unix(stream), _) => Connection::Unix(tokio::net::UnixStream::from_std(stream)?),
            (Accepted::Tcp(stream, Some(turn)), Some(door)) => {
                let (stream, door) = (tokio::net::TcpStream::from_std(stream)?, door.clone());
                self.entering.spawn(async move {
                    let entered = door.enter(stream, turn).await?;
                    Some((Connection::Tls(Box::new(entered)), place))
                });
                return Ok(None);
            }
            // Nothing comes in beside the door.
            (Accepted::Tcp(_, None), Some(_)) => return Err(io::ErrorKind::ConnectionRefused.into()),
            (Accepted::Tcp(stream, _), None) => Connection::Tcp(tokio::net::TcpStream::from_std(stream)?),
        };
        Ok(Some((connection, place)))
    }
}

impl Stream for Incoming {
    type Item = io::Result<Arrived>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.entering.poll_join_next(cx) {
                Poll::Ready(Some(Ok(Some(arrived)))) => return Poll::Ready(Some(Ok(arrived))),
                // It was not let in, and those who have to know do.
                Poll::Ready(Some(_)) => continue,
                Poll::Ready(None) | Poll::Pending => {}
            }
            match self.arrivals.poll_recv(cx) {
                Poll::Ready(Some(arrival)) => {
                    if let Some(arrived) = self.receive(arrival).transpose() {
                        return Poll::Ready(Some(arrived));
                    }
                }
                Poll::Ready(None) if self.entering.is_empty() => return Poll::Ready(None),
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}
