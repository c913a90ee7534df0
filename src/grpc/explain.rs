//! `Explain`: the decision with the account of every rule.

use prost::Message as _;
use tonic::Status;

use super::convert::{self, Checked, Limits, Violations, guardrail, trace};
use crate::data_plane::DataPlane;
use crate::pb;

/// Most clients take 4 MiB and no more.
const MOST_BYTES: usize = (4 << 20) - (64 << 10);
/// Guardrails that are accounted for at most: a request that so many are about is none of a person.
const GUARDRAILS: usize = 1_000;
/// The tag and the length of an account.
const FRAME_BYTES: usize = 8;

pub(super) fn answer(
    plane: &DataPlane,
    limits: &Limits,
    sent: pb::ExplainRequest,
) -> Result<pb::ExplainResponse, Status> {
    let Some(request) = sent.request else {
        return Err(Violations::one("request", "is required; send what is to be explained").into());
    };
    let checked = Checked::new(request, limits)?;
    Ok(plane.explain(&checked.request(), |answer, rules, guardrails| {
        let decision = convert::response(&answer);
        let guardrails: Vec<_> = guardrails.iter().take(GUARDRAILS).map(guardrail::trace).collect();
        let held = guardrails.iter().map(|trace| trace.encoded_len() + FRAME_BYTES).sum::<usize>();
        let room = MOST_BYTES.saturating_sub(decision.encoded_len() + held);
        pb::ExplainResponse {
            decision: Some(decision),
            rules: as_fit(rules.into_iter().map(trace::rule_trace), room),
            guardrails,
        }
    }))
}

/// The first accounts that fit: those left out are of the rules that matter least.
fn as_fit(rules: impl Iterator<Item = pb::RuleTrace>, mut room: usize) -> Vec<pb::RuleTrace> {
    let fits = |trace: &pb::RuleTrace| {
        let left = room.checked_sub(trace.encoded_len() + FRAME_BYTES);
        room = left.unwrap_or_default();
        left.is_some()
    };
    rules.take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_stays_below_what_clients_take() {
        let trace = pb::RuleTrace { condition: "c".repeat(60 << 10), ..Default::default() };
        let rules = as_fit(std::iter::repeat_n(trace, 1_000), MOST_BYTES);
        let answer = pb::ExplainResponse { rules, ..Default::default() };
        assert!(answer.encoded_len() <= MOST_BYTES && answer.rules.len() > 60);
    }
}
