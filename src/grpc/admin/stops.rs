//! `SetStop`, `ListStops`, `ClearStop`: emergency stops.

use tollgate_engine::decide::StopEffect;
use tollgate_engine::model::Finding;
use tollgate_engine::read::SELECTOR_BYTES;
use tollgate_engine::unit::Span;
use tonic::Status;
use uuid::Uuid;

use crate::data_plane::DataPlane;
use crate::data_plane::stops::{LONGEST, MOST_STOPS, NewStop, NotSet, SHORTEST};
use crate::grpc::convert::operate::{check_text, stop};
use crate::grpc::convert::violation::Place;
use crate::grpc::convert::{Violations, signed_nanos};
use crate::pb;

pub(super) fn set(plane: &DataPlane, sent: &pb::SetStopRequest) -> Result<pb::SetStopResponse, Status> {
    let mut wrong = Violations::default();
    let selector = sent.selector.trim();
    if selector.is_empty() {
        wrong.add(
            Place::Field("selector"),
            "is needed: say what is meant, such as `{agents: [inbox]}`, or `{}` for everything",
        );
    } else if selector.len() > SELECTOR_BYTES {
        let what = format_args!("has {} bytes; at most {SELECTOR_BYTES} are taken", selector.len());
        wrong.add(Place::Field("selector"), what);
    }
    if sent.reason.trim().is_empty() {
        wrong.add(Place::Field("reason"), "is needed: callers are told why");
    }
    check_text(&mut wrong, "reason", &sent.reason);
    check_text(&mut wrong, "by", &sent.by);
    let effect = match sent.effect() {
        pb::StopEffect::Deny => Some(StopEffect::Deny),
        pb::StopEffect::Allow => Some(StopEffect::Allow),
        pb::StopEffect::Unspecified => {
            wrong.add(Place::Field("effect"), "is needed: `DENY` or `ALLOW`");
            None
        }
    };
    let nanos = sent.ttl.as_ref().map(|ttl| signed_nanos(ttl, "ttl", &mut wrong));
    let ttl = nanos.flatten().and_then(|nanos| u64::try_from(nanos).ok()).map(Span::from_nanos);
    let ttl = ttl.filter(|ttl| (SHORTEST..=LONGEST).contains(ttl));
    // What is no duration at all was said already.
    if ttl.is_none() && nanos != Some(None) {
        wrong.add(Place::Field("ttl"), "is needed: from `1s` to 30 days (`2592000s`)");
    }
    let (Some(effect), Some(ttl), true) = (effect, ttl, wrong.is_empty()) else {
        return Err(wrong.into());
    };
    let new = NewStop { selector, effect, reason: sent.reason.trim(), by: &sent.by, ttl };
    match plane.set_stop(&new) {
        Ok(view) => Ok(pb::SetStopResponse { stop: Some(stop(&view)) }),
        Err(NotSet::Selector(findings)) => Err(unreadable(&findings).into()),
        Err(NotSet::Full) => Err(Status::resource_exhausted(format!(
            "{MOST_STOPS} emergency stops are in force; clear some, or write one with globs"
        ))),
    }
}

pub(super) fn list(plane: &DataPlane) -> pb::ListStopsResponse {
    pb::ListStopsResponse { stops: plane.list_stops().iter().map(stop).collect() }
}

pub(super) fn clear(plane: &DataPlane, sent: &pb::ClearStopRequest) -> Result<pb::ClearStopResponse, Status> {
    let mut wrong = Violations::default();
    check_text(&mut wrong, "by", &sent.by);
    let id = Uuid::try_parse(&sent.id).ok();
    match (sent.all, sent.id.as_str(), id) {
        (true, "", _) | (false, _, Some(_)) => {}
        (true, ..) => wrong.add(Place::Field("id"), "is not needed with `all`; send one of them"),
        (false, ..) => wrong.add(Place::Field("id"), "is not the id of a stop; see `ListStops`"),
    }
    if !wrong.is_empty() {
        return Err(wrong.into());
    }
    let cleared = plane.clear_stops(id, &sent.by);
    match id.filter(|_| cleared.is_empty()) {
        Some(id) => {
            Err(Status::not_found(format!("no emergency stop `{id}` is in force; see `tollgate stop list`")))
        }
        None => Ok(pb::ClearStopResponse { cleared: cleared.iter().map(stop).collect() }),
    }
}

/// What is wrong with a selector, in the words in which it is said of a bundle.
fn unreadable(findings: &[Finding]) -> Violations {
    let mut wrong = Violations::default();
    for finding in findings {
        let (line, column) = (finding.place.line, finding.place.column);
        let remedy = finding.suggestion.as_ref().map(|own| format!("; {own}")).unwrap_or_default();
        let what = format_args!("at {line}:{column}: {}{remedy}", finding.message);
        wrong.add(Place::Field("selector"), what);
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::data_plane::Options;
    use prost_types::Duration;
    use tollgate_engine::time::WallTime;

    #[test]
    fn a_time_to_live_is_a_duration_of_protobuf() {
        let plane = DataPlane::new(Options::default(), Clock::manual(WallTime::from_nanos(0))).unwrap();
        let set = |ttl| {
            let (selector, reason) = ("{}".to_owned(), "drill".to_owned());
            let sent = pb::SetStopRequest { selector, reason, effect: 1, ttl, ..Default::default() };
            set(&plane, &sent).map_or_else(|refused| refused.message().to_owned(), |_| String::new())
        };
        let of = |seconds, nanos| Some(Duration { seconds, nanos });
        assert_eq!(set(of(1, 5)), "");
        for ttl in [None, of(0, 999_999_999), of(-1, 0), of(2_592_000, 1), of(i64::MAX, 0)] {
            assert_eq!(set(ttl), "`ttl` is needed: from `1s` to 30 days (`2592000s`)", "{ttl:?}");
        }
        for (seconds, nanos) in [(2, -1), (2, 1_000_000_000), (-2, 1)] {
            let want = format!("`ttl` is {seconds} s and {nanos} ns; send seconds and nanos of one sign");
            assert!(set(of(seconds, nanos)).starts_with(&want), "{}", set(of(seconds, nanos)));
        }
    }
}
