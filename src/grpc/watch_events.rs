//! `WatchEvents`: what happens, as it happens, or from an event on.

use std::collections::HashMap;

use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::convert::{Limits, events};
use super::stream::{Answers, until_drained};
use crate::data_plane::DataPlane;
use crate::events::{Lagged, NotKept, Refused};
use crate::pb;

pub(super) async fn answer(
    plane: &DataPlane,
    limits: &Limits,
    drain: &CancellationToken,
    sent: pb::WatchEventsRequest,
) -> Result<Answers<pb::WatchEventsResponse>, Status> {
    let (filter, after) = events::watch(sent, limits)?;
    let subscription = plane.events().subscribe(filter, after).await.map_err(refused)?;
    let events = subscription.map(|next| match next {
        Ok(event) => Ok(events::event(&event)),
        Err(lagged) => Err(too_slow(lagged)),
    });
    Ok(until_drained(events, drain))
}

fn refused(refused: Refused) -> Status {
    match refused {
        Refused::NotKept(why) => not_kept(why),
        Refused::Full => Status::resource_exhausted(refused.to_string()),
        Refused::Ended => Status::unavailable(refused.to_string()),
    }
}

/// For programs too, which begin anew at what there is.
fn not_kept(why: NotKept) -> Status {
    let oldest = match why {
        NotKept::TooOld { oldest, .. } => Some(("oldest_event_id".to_owned(), oldest.to_string())),
        NotKept::OtherRun { .. } | NotKept::Ahead { .. } => None,
    };
    let known: HashMap<String, String> = oldest.into_iter().collect();
    let details = ErrorDetails::with_error_info("EVENT_NOT_KEPT", "tollgate", known);
    Status::with_error_details(Code::OutOfRange, why.to_string(), details)
}

fn too_slow(lagged: Lagged) -> Status {
    let resume = [("resume_after_event_id".to_owned(), lagged.resume.to_string())];
    let details = ErrorDetails::with_error_info("SUBSCRIBER_TOO_SLOW", "tollgate", HashMap::from(resume));
    Status::with_error_details(Code::ResourceExhausted, lagged.to_string(), details)
}
