//! From what a serving thread wrote down to a line of JSON. `docs/decision-log.md` says what its fields
//! mean.

mod asked;
mod decision;
mod json;
mod report;
mod retry;

use std::fmt::Write as _;

use tollgate_engine::time::{Moment, WallTime};
use uuid::Uuid;

use super::code::Take;
use super::edition::Edition;
use super::rare::Rare;
use super::record::{DECISION, REPORT, RETRY};
pub use decision::{AUTHORIZE, WITHIN_LIMITS};
use json::Json;

/// The version of the form of a line.
pub const VERSION: u64 = 1;

/// Who writes.
#[derive(Clone, Debug)]
pub struct Writes {
    /// The instance, which a state directory keeps over restarts.
    pub instance: Uuid,
    /// This run of the process.
    pub boot: Uuid,
}

/// What is known of a record besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its number in the log.
    pub seq: u64,
    /// Which thread brought it; `None`: one that does not serve.
    pub thread: Option<usize>,
    /// When it was brought, by the clock that never goes back.
    pub stamp: u64,
}

/// Appends the line of a record; `None`, and nothing is appended, where the bytes are none.
pub fn record(
    out: &mut Vec<u8>,
    writes: &Writes,
    place: Place,
    bytes: &[u8],
    edition: impl Fn(u32) -> std::sync::Arc<Edition>,
) -> Option<()> {
    let before = out.len();
    let mut json = Json::new(out);
    let mut take = Take(bytes);
    let told = match take.byte()? {
        DECISION => decision::tell(&mut json, writes, place, &mut take, edition),
        REPORT => report::tell(&mut json, writes, place, &mut take),
        RETRY => retry::tell(&mut json, writes, place, &mut take, edition),
        _ => None,
    };
    match told {
        Some(()) => out.extend_from_slice(b"}\n"),
        None => out.truncate(before),
    }
    told
}

/// Appends the line of something that happens rarely.
pub fn rare(out: &mut Vec<u8>, writes: &Writes, place: Place, rare: &Rare, edition: &Edition) {
    let mut json = Json::new(out);
    head(&mut json, writes, place, rare.kind, rare.wall);
    for (name, value) in &rare.body {
        json.key(name);
        json.out.extend_from_slice(value.to_string().as_bytes());
    }
    if let Some(key) = &rare.key {
        let shown = key.shown(&edition.masks, &super::mask::Hidden::default());
        told_key(&mut json, &shown);
    }
    out.extend_from_slice(b"}\n");
}

/// A line about the log itself.
pub fn own(
    out: &mut Vec<u8>,
    writes: &Writes,
    place: Place,
    kind: &str,
    wall: WallTime,
    body: &serde_json::Value,
) {
    let mut json = Json::new(out);
    head(&mut json, writes, place, kind, wall);
    for (name, value) in body.as_object().into_iter().flatten() {
        json.key(name);
        json.out.extend_from_slice(value.to_string().as_bytes());
    }
    out.extend_from_slice(b"}\n");
}

fn head(json: &mut Json<'_>, writes: &Writes, place: Place, kind: &str, wall: WallTime) {
    json.open(b'{');
    json.whole("v", VERSION);
    json.whole("seq", place.seq);
    json.name("kind", kind);
    json.time("time", wall);
    json.id("instance", writes.instance);
    json.id("boot", writes.boot);
    if let Some(thread) = place.thread {
        json.whole("thread", thread as u64);
    }
    json.whole("at_ns", place.stamp.saturating_sub(Moment::START.nanos()));
}

fn told_key(json: &mut Json<'_>, shown: &[(String, String)]) {
    if shown.is_empty() {
        return;
    }
    json.key("key");
    json.open(b'{');
    for (name, value) in shown {
        json.key(name);
        json.element(value);
    }
    json.close(b'}');
}

fn wall(take: &mut Take<'_>) -> Option<WallTime> {
    take.whole().map(|nanos| WallTime::from_nanos(nanos.cast_signed()))
}

fn hex(number: u64) -> String {
    let mut text = String::with_capacity(16);
    // Writing to a string cannot fail.
    let _ = write!(text, "{number:016x}");
    text
}

const fn error_kind(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "TRANSIENT",
        1 => "RATE_LIMITED",
        2 => "TIMEOUT",
        3 => "PERMANENT",
        _ => return None,
    })
}
