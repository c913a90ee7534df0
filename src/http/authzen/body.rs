//! Bodies as they come in: bounded each, bounded together, and not waited for without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{StatusCode, header};
use http_body_util::BodyExt as _;
use metrics::counter;

use super::Refused;
use crate::telemetry::metrics::REQUESTS_SHED;

/// A body that is not all here after so long is given up.
const TIME: Duration = Duration::from_secs(30);
/// All together may hold as much as so many of the largest.
const HELD: usize = 4;

/// What bodies hold that are not answered yet.
#[derive(Debug)]
pub(super) struct Intake {
    held: AtomicUsize,
    most: usize,
}

/// A body, counted until it is dropped.
#[derive(Debug)]
pub(super) struct Sent {
    bytes: Vec<u8>,
    intake: Arc<Intake>,
}

impl Intake {
    pub(super) const fn new(largest: usize) -> Self {
        Self { held: AtomicUsize::new(0), most: HELD * largest }
    }

    /// Reads a body of JSON of at most so many bytes.
    pub(super) async fn read(self: &Arc<Self>, request: Request, most: usize) -> Result<Sent, Refused> {
        if !is_json(&request) {
            return Err(Refused::malformed(
                "`content-type`: is not `application/json`; send JSON and say so",
            ));
        }
        match tokio::time::timeout(TIME, self.collect(request, most)).await {
            Ok(sent) => sent,
            Err(_) => Err(Refused(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not come in time; send it again".into(),
            )),
        }
    }

    async fn collect(self: &Arc<Self>, request: Request, most: usize) -> Result<Sent, Refused> {
        let mut body = request.into_body();
        let mut sent = Sent { bytes: Vec::new(), intake: Arc::clone(self) };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refused::malformed("the body was cut off; send it again"))?;
            let Ok(part) = frame.into_data() else { continue };
            if sent.bytes.len() + part.len() > most {
                let what = format!("the body has more than {most} bytes; send less, or several requests");
                return Err(Refused(StatusCode::PAYLOAD_TOO_LARGE, what));
            }
            sent.bytes.extend_from_slice(&part);
            let held = self.held.fetch_add(part.len(), Ordering::Relaxed) + part.len();
            if held > self.most {
                // What was counted is given back with the bytes.
                counter!(REQUESTS_SHED).increment(1);
                let what = "too much is sent at once; ask again later";
                return Err(Refused(StatusCode::SERVICE_UNAVAILABLE, what.into()));
            }
        }
        Ok(sent)
    }
}

impl Sent {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.intake.held.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(bytes: usize) -> Request {
        let builder = Request::builder().header("content-type", "application/json; charset=utf-8");
        builder.body(axum::body::Body::from("x".repeat(bytes))).unwrap()
    }

    #[tokio::test]
    async fn bodies_are_bounded_alone_and_together() {
        let intake = Arc::new(Intake::new(10));
        let first = intake.read(request(10), 10).await.unwrap();
        assert_eq!(intake.read(request(11), 10).await.unwrap_err().0, StatusCode::PAYLOAD_TOO_LARGE);
        let others =
            [intake.read(request(10), 10).await.unwrap(), intake.read(request(10), 10).await.unwrap()];
        let shed = intake.read(request(20), 20).await.unwrap_err();
        assert_eq!(shed.0, StatusCode::SERVICE_UNAVAILABLE);
        drop((first, others));
        assert_eq!(intake.held.load(Ordering::Relaxed), 0);
        assert_eq!(intake.read(request(10), 10).await.unwrap().bytes().len(), 10);
    }
}
