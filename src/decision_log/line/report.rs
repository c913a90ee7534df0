//! The line of a report.

use super::super::code::Take;
use super::json::Json;
use super::{Place, Writes, asked, error_kind, head, wall};

pub fn tell(json: &mut Json<'_>, writes: &Writes, place: Place, take: &mut Take<'_>) -> Option<()> {
    let time = wall(take)?;
    let id = take.id()?;
    head(json, writes, place, "report", time);
    json.id("decision_id", id);
    let ended = take.flag()?;
    json.map("report", |json| {
        if !ended {
            json.name("status", "IN_PROGRESS");
            return Some(());
        }
        json.name("status", ["SUCCESS", "FAILURE", "CANCELLED"].get(usize::from(take.byte()?)).copied()?);
        if let Some(kind) = take.some(Take::byte)? {
            json.name("error_kind", error_kind(kind)?);
        }
        for (name, value) in asked::estimate(take)? {
            json.key(name);
            json.told(&value);
        }
        Some(())
    })?;
    json.map("reply", |json| {
        json.name("result", take.text()?);
        json.span("report_within", take.some(Take::span)?);
        Some(())
    })
}
