//! What the upstream gets when something may pass: the obligations, in headers, and of the
//! client's own headers none that looks like ours.

use tollgate_engine::decide::Obligations;
use tollgate_engine::unit::{Money, Span};

use super::header::{self, OURS, replacing};
use crate::data_plane::Answer;
use crate::pb::envoy::service::auth::v3::OkHttpResponse;

/// `sent`: the headers like ours that the client sent.
pub(super) fn response(
    answer: &Answer<'_>,
    obligations: &Obligations<'_>,
    sent: Vec<String>,
) -> OkHttpResponse {
    let set = headers(answer, obligations);
    let is_set = |name: &str| set.iter().any(|(own, _)| *own == name);
    let unset = OURS.iter().filter(|name| !is_set(name)).map(|name| (*name).to_owned());
    let foreign = sent.into_iter().filter(|name| !OURS.contains(&name.as_str()));
    OkHttpResponse {
        headers_to_remove: unset.chain(foreign).collect(),
        headers: set.iter().map(|(name, value)| replacing(name, value)).collect(),
    }
}

fn headers(answer: &Answer<'_>, obligations: &Obligations<'_>) -> Vec<(&'static str, String)> {
    let (decision, limits) = (&answer.decision, &obligations.limits);
    let count = |count: u64| count.to_string();
    let span = |span: Span| span.seconds().to_string();
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let all = [
        (header::DECISION_ID, Some(answer.decision_id.to_string())),
        (header::EFFECT, text(answer.effect_name())),
        (header::REASON_CODE, text(decision.reason_code.name())),
        (header::RULE, decision.rule.map(|rule| rule.as_str().to_owned())),
        (header::ARM, text(answer.arm.name())),
        (header::BUNDLE_VERSION, answer.bundle.map(|bundle| bundle.version.to_owned())),
        (header::MODE, text(obligations.mode)),
        (header::TIMEOUT, obligations.timeout.map(span)),
        (header::REPORT_WITHIN, answer.verdict.report_within.map(span)),
        (header::MAX_TOOL_CALLS, limits.max_tool_calls.map(count)),
        (header::MAX_LLM_CALLS, limits.max_llm_calls.map(count)),
        (header::MAX_LLM_TOKENS, limits.max_llm_tokens.map(count)),
        (header::MAX_COST, limits.max_cost.map(|cost: Money| cost.units().to_string())),
        (header::MAX_COMPUTE, limits.max_compute.map(count)),
        (header::MAX_DURATION, limits.max_duration.map(span)),
        (header::MAX_RETRIES, obligations.retry.map(|plan| plan.rules.max_retries.to_string())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
