//! The line of a retry decision.

use std::sync::Arc;

use super::super::code::Take;
use super::super::edition::Edition;
use super::json::Json;
use super::{Place, Writes, asked, error_kind, head, hex, wall};

pub fn tell(
    json: &mut Json<'_>,
    writes: &Writes,
    place: Place,
    take: &mut Take<'_>,
    edition: impl Fn(u32) -> Arc<Edition>,
) -> Option<()> {
    let time = wall(take)?;
    let edition = edition(u32::try_from(take.small()?).ok()?);
    let (arm, stale, draw) = (take.text()?, take.flag()?, take.whole()?);
    let mut request = asked::document(take)?;
    edition.masks.hide(&mut request, &mut json.hidden);
    head(json, writes, place, "retry", time);
    let (kind, hint) = (error_kind(take.byte()?)?, take.small()?);
    json.map("error", |json| {
        json.name("kind", kind);
        match hint {
            0 => {}
            1 => json.flag("server_refuses", true),
            _ => json.span("retry_after", Some(take.span()?)),
        }
        Some(())
    })?;
    json.map("retry", |json| {
        json.name("decision", take.text()?);
        json.span("delay", take.some(Take::span)?);
        json.name("reason_code", take.text()?);
        let (policy, reason, environment) = (take.text()?, take.text()?, take.text()?);
        json.text("reason", reason);
        json.name("guardrail", policy);
        json.map("bundle", |json| {
            json.name("version", &edition.version);
            json.name("digest", &edition.digest);
            json.name("arm", arm);
            json.flag("stale", stale);
            json.text("environment", environment);
            Some(())
        })
    })?;
    json.key("request");
    json.told(&request);
    json.map("read", |json| {
        json.name("draw", &hex(draw));
        Some(())
    })?;
    let masked: Vec<String> = edition.masks.hit(&json.hidden).map(str::to_owned).collect();
    let mut each = masked.iter();
    json.list("masked", masked.len(), |json| {
        json.element(each.next()?);
        Some(())
    })?;
    json.flag("replayable", masked.is_empty() && !json.not_finite);
    Some(())
}
