//! Which records somebody wants to see.

use serde_json::Value;
use tollgate_engine::time::WallTime;

use crate::cli::exit::Failure;
use crate::clock::Clock;
use crate::decision_log::{AUTHORIZE, WITHIN_LIMITS};

use super::question;

/// What narrows down which records are shown.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Which")]
pub struct Wanted {
    /// Only records of this kind: decision, report, retry, bundle, guardrail, operator, approval, lost
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only decisions with this effect: ALLOW, DENY, REQUIRE_APPROVAL, THROTTLE
    #[arg(long, value_name = "EFFECT", ignore_case = true)]
    effect: Option<String>,
    /// Only what this rule decided
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Only what this guardrail refused, or what happened to it
    #[arg(long, value_name = "NAME")]
    guardrail: Option<String>,
    /// Only decisions with this reason code
    #[arg(long, value_name = "CODE")]
    reason_code: Option<String>,
    /// Only decisions about this question: AUTHORIZE, WITHIN_LIMITS (which asks no rule)
    #[arg(long, value_name = "QUESTION", ignore_case = true, value_parser = [AUTHORIZE, WITHIN_LIMITS])]
    question: Option<String>,
    /// Only requests of this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Only requests for this action
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// Only requests of this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only requests of this tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Only this decision and its reports
    #[arg(long, value_name = "ID")]
    decision: Option<String>,
    /// Only requests with this id
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Only from this time on: such as 2026-11-21T09:30:00Z, or 15m for the last 15 minutes
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only up to this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// The same with times that were read.
#[derive(Debug)]
pub struct Filter<'w> {
    wanted: &'w Wanted,
    since: Option<WallTime>,
    until: Option<WallTime>,
}

impl Wanted {
    /// Reads the times.
    ///
    /// # Errors
    /// One of them is no time.
    pub fn filter(&self) -> Result<Filter<'_>, Failure> {
        let now = Clock::system().wall();
        let read = |flag: &str, text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| {
                time(text, now).ok_or_else(|| {
                    let what =
                        "is no time; write one such as `2026-11-21T09:30:00Z`, or `15m` for 15 minutes ago";
                    Failure::usage(format!("--{flag}: `{text}` {what}"))
                })
            })
            .transpose()
        };
        Ok(Filter { wanted: self, since: read("since", &self.since)?, until: read("until", &self.until)? })
    }

    /// A text that stands on every line that can be wanted, to pass over others quickly. Ids of decisions
    /// stand there in lower case, however they are asked for.
    #[must_use]
    pub fn needle(&self) -> Option<&str> {
        let is_spelled = |id: &&str| !id.bytes().any(|byte| byte.is_ascii_uppercase());
        let decision = self.decision.as_deref().filter(is_spelled);
        decision.or(self.request_id.as_deref()).filter(|text| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
        })
    }
}

impl Filter<'_> {
    /// Whether a record is wanted.
    #[must_use]
    pub fn wants(&self, record: &Value) -> bool {
        let at = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let is = |wanted: &Option<String>, pointers: &[&str]| {
            wanted.as_deref().is_none_or(|wanted| {
                pointers
                    .iter()
                    .any(|pointer| at(pointer).is_some_and(|text| text.eq_ignore_ascii_case(wanted)))
            })
        };
        let wanted = self.wanted;
        is(&wanted.kind, &["/kind"])
            && is(&wanted.effect, &["/decision/effect"])
            && is(&wanted.rule, &["/decision/rule_id", "/rule_id"])
            && is(&wanted.guardrail, &["/decision/guardrail", "/guardrail", "/retry/guardrail"])
            && is(&wanted.reason_code, &["/decision/reason_code", "/retry/reason_code"])
            && is(&wanted.agent, &["/request/subject/agent"])
            && is(&wanted.action, &["/request/action/name"])
            && is(&wanted.user, &["/request/subject/user"])
            && is(&wanted.tenant, &["/request/subject/tenant"])
            && is(&wanted.decision, &["/decision/decision_id", "/decision_id"])
            && is(&wanted.request_id, &["/decision/request_id", "/request/request_id"])
            && wanted.question.as_deref().is_none_or(|wanted| {
                at("/kind") == Some("decision") && question(record).eq_ignore_ascii_case(wanted)
            })
            && self.is_in_time(at("/time"))
    }

    fn is_in_time(&self, time: Option<&str>) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let Some(time) = time.and_then(|time| time.parse::<jiff::Timestamp>().ok()) else { return false };
        let time = WallTime::from(time);
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time <= until)
    }
}

fn time(text: &str, now: WallTime) -> Option<WallTime> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.into());
    }
    let (number, seconds) = [("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)]
        .iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)))?;
    let ago = number.parse::<f64>().ok().filter(|n| (0.0..1e6).contains(n))? * seconds * 1e9;
    #[expect(clippy::cast_possible_truncation, reason = "less than 10^20, and the cast saturates")]
    let ago = ago as i64;
    Some(WallTime::from_nanos(now.nanos().saturating_sub(ago)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_instants_or_spans_before_now() {
        let now = WallTime::from_nanos(100_000_000_000_000);
        for (text, want) in [
            ("90s", Some(99_910_000_000_000)),
            ("1.5m", Some(99_910_000_000_000)),
            ("1h", Some(96_400_000_000_000)),
            ("1970-01-01T00:00:01Z", Some(1_000_000_000)),
            ("yesterday", None),
            ("-1s", None),
            ("m", None),
        ] {
            assert_eq!(time(text, now).map(WallTime::nanos), want, "{text}");
        }
    }

    #[test]
    fn each_flag_narrows_down() {
        let record = json!({
            "kind": "decision", "time": "2026-11-21T09:30:00Z",
            "decision": {"decision_id": "d-1", "effect": "DENY", "rule_id": "r-1", "reason_code": "rule"},
            "request": {"subject": {"agent": "a", "user": "u"}, "action": {"name": "send"}, "request_id": "q"},
        });
        let some = |text: &str| Some(text.to_owned());
        for (wanted, want) in [
            (Wanted::default(), true),
            (Wanted { effect: some("deny"), ..Wanted::default() }, true),
            (Wanted { effect: some("ALLOW"), ..Wanted::default() }, false),
            (Wanted { rule: some("r-1"), agent: some("a"), user: some("u"), ..Wanted::default() }, true),
            (Wanted { rule: some("r-1"), action: some("other"), ..Wanted::default() }, false),
            (Wanted { decision: some("d-1"), ..Wanted::default() }, true),
            (Wanted { request_id: some("x"), ..Wanted::default() }, false),
            (Wanted { since: some("2026-11-21T09:30:00Z"), ..Wanted::default() }, true),
            (Wanted { until: some("2026-11-21T09:29:59Z"), ..Wanted::default() }, false),
            (Wanted { kind: some("report"), ..Wanted::default() }, false),
            (Wanted { guardrail: some("g"), ..Wanted::default() }, false),
            (Wanted { question: some("authorize"), ..Wanted::default() }, true),
            (Wanted { question: some("WITHIN_LIMITS"), ..Wanted::default() }, false),
        ] {
            assert_eq!(wanted.filter().unwrap().wants(&record), want, "{wanted:?}");
        }
    }
}
