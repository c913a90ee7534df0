//! The line of a decision: the answer as its caller got it, what was asked, what was read.

use std::sync::Arc;

use tollgate_engine::guardrail::GuardId;
use tollgate_engine::guardrail::key::Key;
use tollgate_engine::guardrail::refused::Measure;
use tollgate_engine::time::WallTime;
use tollgate_engine::unit::Money;
use uuid::Uuid;

use super::super::code::{Take, Told};
use super::super::edition::Edition;
use super::super::key::KeyTold;
use super::json::Json;
use super::{Place, Writes, asked, error_kind, head, hex, told_key, wall};
use crate::config::decision_log::MOST_TOLD;

/// The question of records that say which; all others say whether the action may run.
pub const WITHIN_LIMITS: &str = "WITHIN_LIMITS";
/// How the others are called.
pub const AUTHORIZE: &str = "AUTHORIZE";

struct Origin<'b> {
    edition: Arc<Edition>,
    arm: &'b str,
    stale: bool,
}

pub fn tell(
    json: &mut Json<'_>,
    writes: &Writes,
    place: Place,
    take: &mut Take<'_>,
    edition: impl Fn(u32) -> Arc<Edition>,
) -> Option<()> {
    let time = wall(take)?;
    let id = take.id()?;
    let number = u32::try_from(take.small()?).ok()?;
    let origin = Origin { edition: edition(number), arm: take.text()?, stale: take.flag()? };
    let took = take.small()?;
    let draw = take.whole()?;
    let sampled = take.some(Take::number)?;
    let mut request = take.some(asked::document)?;
    let request_id = take.text()?;
    let within_limits = take.some(Take::small)?;
    match &mut request {
        Some(request) => origin.edition.masks.hide(request, &mut json.hidden),
        // Of one that was malformed only its id is known.
        None if !request_id.is_empty() => {
            let mut known = Told::Map(vec![("request_id", Told::Text(request_id))]);
            origin.edition.masks.hide(&mut known, &mut json.hidden);
        }
        None => {}
    }
    head(json, writes, place, "decision", time);
    let batch = take.some(|take| Some((take.id()?, take.small()?, take.small()?, take.flag()?)))?;
    let mut more = Untold::default();
    let known = Known { id, time, request_id, origin: &origin };
    answer(json, take, &known, &mut more)?;
    if let Some(units) = within_limits {
        json.name("question", WITHIN_LIMITS);
        json.whole("units", units);
    }
    if let Some(request) = &request {
        json.key("request");
        json.told(request);
    }
    if let Some((call, index, of, all_or_nothing)) = batch {
        json.map("batch", |json| {
            json.id("call", call);
            json.whole("index", index);
            json.whole("of", of);
            json.flag("all_or_nothing", all_or_nothing);
            Some(())
        })?;
    }
    read(json, take, &hex(draw), &more)?;
    json.whole("took_ns", took);
    if let Some(rate) = sampled {
        json.number("sampled", rate);
    }
    let masked: Vec<String> = origin.edition.masks.hit(&json.hidden).map(str::to_owned).collect();
    let mut each = masked.iter();
    json.list("masked", masked.len(), |json| {
        json.element(each.next()?);
        Some(())
    })?;
    let whole = request.is_some() && masked.is_empty() && !json.not_finite;
    json.flag("replayable", whole);
    Some(())
}

struct Known<'b, 'o> {
    id: Uuid,
    time: WallTime,
    request_id: &'b str,
    origin: &'o Origin<'b>,
}

/// What was left out, and what stands elsewhere in the line.
#[derive(Default)]
struct Untold {
    limits: u64,
    refusals: u64,
    /// The refusals with their keys, and those of shadows.
    keys: Vec<Refused>,
    shadows: Vec<Refused>,
}

struct Refused {
    guardrail: String,
    key: Vec<(String, String)>,
    code: String,
    wait: Option<tollgate_engine::unit::Span>,
}

const EFFECTS: [(&str, &str, &str); 5] = [
    ("ALLOW", "", "PROCEED"),
    ("DENY", "RAISE", "NONE"),
    ("DENY", "DROP", "NONE"),
    ("REQUIRE_APPROVAL", "", "REQUEST_APPROVAL"),
    ("THROTTLE", "", "RETRY"),
];

/// The answer in the form that its caller got it in.
fn answer(json: &mut Json<'_>, take: &mut Take<'_>, known: &Known<'_, '_>, more: &mut Untold) -> Option<()> {
    let (environment, code, reason) = (take.text()?, take.text()?, take.text()?);
    let (rule, guardrail) = (take.text()?, take.text()?);
    let effect = take.byte()?;
    let (name, disposition, next) = *EFFECTS.get(usize::from(effect))?;
    json.map("decision", |json| {
        json.id("decision_id", known.id);
        json.text("request_id", known.request_id);
        json.name("effect", name);
        json.name("disposition", disposition);
        json.name("reason_code", code);
        json.text("reason", reason);
        json.name("rule_id", rule);
        json.name("guardrail", guardrail);
        json.name("next_action", next);
        match effect {
            0 => json.map("obligations", |json| obligations(json, take))?,
            4 => json.span("retry_after", Some(take.span()?)),
            _ => {}
        }
        if take.flag()? {
            json.map("approval", |json| approval(json, take, known))?;
        }
        let edition = &known.origin.edition;
        let limits = take.small()?;
        more.limits = limits.saturating_sub(MOST_TOLD as u64);
        let told = usize::try_from(limits).ok()?.min(MOST_TOLD);
        json.list("limits", told, |json| {
            json.open(b'{');
            limit(json, take, edition)?;
            json.close(b'}');
            Some(())
        })?;
        more.keys = refusals(json, take, edition, more)?;
        more.shadows = refusals(json, take, edition, more)?;
        json.span("report_within", take.some(Take::span)?);
        json.map("bundle", |json| {
            json.name("version", &edition.version);
            json.name("digest", &edition.digest);
            json.name("arm", known.origin.arm);
            json.flag("stale", known.origin.stale);
            json.text("environment", environment);
            Some(())
        })?;
        json.time("decided_at", known.time);
        let mut each = more.keys.iter();
        json.list("refusals", more.keys.len(), |json| {
            json.open(b'{');
            refused(json, each.next()?);
            json.close(b'}');
            Some(())
        })
    })
}

fn obligations(json: &mut Json<'_>, take: &mut Take<'_>) -> Option<()> {
    json.text("mode", take.text()?);
    json.map("limits", |json| {
        for name in ["max_tool_calls", "max_llm_calls", "max_llm_tokens"] {
            if let Some(cap) = take.some(Take::small)? {
                json.whole(name, cap);
            }
        }
        if let Some(cap) = take.some(Take::small)? {
            json.number("max_cost", Money::from_billionths(cap).units());
        }
        if let Some(cap) = take.some(Take::small)? {
            json.whole("max_compute", cap);
        }
        json.span("max_duration", take.some(Take::span)?);
        Some(())
    })?;
    json.span("timeout", take.some(Take::span)?);
    if !take.flag()? {
        return Some(());
    }
    json.map("retry", |json| {
        json.name("guardrail", take.text()?);
        json.whole("max_retries", take.small()?);
        json.span("interval", Some(take.span()?));
        json.number("backoff_multiplier", take.number()?);
        json.span("max_interval", Some(take.span()?));
        let kinds = take.count()?;
        json.list("retry_on", kinds, |json| {
            json.element(error_kind(take.byte()?)?);
            Some(())
        })
    })
}

fn approval(json: &mut Json<'_>, take: &mut Take<'_>, known: &Known<'_, '_>) -> Option<()> {
    if let Some(id) = take.some(Take::id)? {
        json.id("id", id);
    }
    for name in ["opened_at", "expires_at"] {
        if let Some(time) = take.some(wall)? {
            json.time(name, time);
        }
    }
    json.whole("approvers", take.small()?);
    json.name("role", take.text()?);
    json.whole("uses", take.small()?);
    let digest = take.text()?;
    // Who knows the rest of the request could guess what is hidden by its digest.
    if json.hidden.is_empty() {
        json.name("request_digest", digest);
    } else {
        json.name("request_digest", &known.origin.edition.masks.token(digest));
    }
    json.id("instance", take.id()?);
    Some(())
}

fn limit(json: &mut Json<'_>, take: &mut Take<'_>, edition: &Edition) -> Option<()> {
    let (guardrail, code) = (take.small()?, take.byte()?);
    let (measure, name) = measure(code)?;
    let (limit, used, reserved) = (take.small()?, take.small()?, take.small()?);
    json.name("guardrail", &edition.guardrail(guardrail));
    json.name("measure", name);
    let left = limit.saturating_sub(used).saturating_sub(reserved);
    for (name, amount) in [("limit", limit), ("used", used), ("reserved", reserved), ("left", left)] {
        json.number(name, measure.on_the_wire(amount));
    }
    json.span("window", take.some(Take::span)?);
    json.span("reset_after", take.some(Take::span)?);
    Some(())
}

fn measure(code: u8) -> Option<(Measure, &'static str)> {
    let all = [
        (Measure::ToolCalls, "TOOL_CALLS"),
        (Measure::LlmCalls, "LLM_CALLS"),
        (Measure::LlmTokens, "LLM_TOKENS"),
        (Measure::Cost, "COST"),
        (Measure::Compute, "COMPUTE"),
        (Measure::Duration, "DURATION_SECONDS"),
        (Measure::Units, "UNITS"),
        (Measure::InFlight, "IN_FLIGHT"),
    ];
    all.into_iter().find(|(measure, _)| *measure as u8 == code)
}

fn refusals(
    json: &Json<'_>,
    take: &mut Take<'_>,
    edition: &Edition,
    more: &mut Untold,
) -> Option<Vec<Refused>> {
    let count = take.small()?;
    more.refusals += count.saturating_sub(MOST_TOLD as u64);
    let told = usize::try_from(count).ok()?.min(MOST_TOLD);
    let each = |_| {
        let guard = take.small()?;
        let key = Key::of(take.bytes()?);
        let (code, wait) = (take.text()?.to_owned(), take.some(Take::span)?);
        let live = edition.guards.get(GuardId(u32::try_from(guard).ok()?));
        let key = live.map(|live| KeyTold::of(live, &key).shown(&edition.masks, &json.hidden));
        let guardrail = edition.guardrail(guard);
        Some(Refused { guardrail, key: key.unwrap_or_default(), code, wait })
    };
    (0..told).map(each).collect()
}

fn refused(json: &mut Json<'_>, refused: &Refused) {
    json.name("guardrail", &refused.guardrail);
    json.name("effect", if refused.wait.is_some() { "THROTTLE" } else { "DENY" });
    json.name("reason_code", &refused.code);
    json.span("retry_after", refused.wait);
}

fn read(json: &mut Json<'_>, take: &mut Take<'_>, draw: &str, more: &Untold) -> Option<()> {
    json.map("read", |json| {
        json.name("draw", draw);
        if take.flag()? {
            json.map("usage", |json| {
                for name in ["tool_calls", "llm_calls", "llm_tokens", "cost", "compute"] {
                    json.number(name, take.number()?);
                }
                Some(())
            })?;
        }
        match take.byte()? {
            0 => {}
            1 => json.map("grant", |json| {
                json.name("accepted_for", take.text()?);
                Some(())
            })?,
            _ => json.map("grant", |json| {
                json.name("refused", take.text()?);
                Some(())
            })?,
        }
        for (name, all) in [("refusals", &more.keys), ("shadow_refusals", &more.shadows)] {
            let mut each = all.iter();
            json.list(name, all.len(), |json| {
                let one = each.next()?;
                json.open(b'{');
                refused(json, one);
                told_key(json, &one.key);
                json.close(b'}');
                Some(())
            })?;
        }
        for (name, count) in [
            ("condition_errors", take.small()?),
            ("context_violations", take.small()?),
            ("limits_untold", more.limits),
            ("refusals_untold", more.refusals),
        ] {
            if count > 0 {
                json.whole(name, count);
            }
        }
        Some(())
    })
}
