//! Guardrails found as rules are: by target, through the same index.

use super::rules::{Reads, Rules};
use crate::condition::cel::Problem;
use crate::id::{GuardrailName, RuleId};
use crate::model::guardrail::{self, BudgetLimits, KeyDimension, State};
use crate::model::{Bundle, Field, Guardrail, Modify, Place, Placed, Rule, RuleEffect, Scope};
use crate::unit::{Money, Span};

/// The guardrails that are switched on, as rules without a condition. `source` of each is its
/// place among the bundle's guardrails.
///
/// # Errors
/// Never: what could not be compiled is a `when`, and guardrails have none.
pub(super) fn rules_of(bundle: &Bundle, into: &mut Reads<'_>) -> Result<Rules, Problem> {
    let mut rules = Rules::default();
    let Some(id) = RuleId::parse("guardrail") else { return Ok(rules) };
    for (source, guardrail) in bundle.guardrails.iter().enumerate() {
        if guardrail.state == State::Enabled {
            rules.push(source, &as_rule(&id, guardrail), into)?;
        }
    }
    Ok(rules)
}

/// A rule with the target of a guardrail. An error of a condition, had it one, would not match.
fn as_rule(id: &RuleId, guardrail: &Guardrail) -> Rule {
    Rule {
        id: id.clone(),
        place: guardrail.name.place,
        agent: None,
        action: None,
        scope: Scope::Global,
        target: guardrail.targeting.clone(),
        conditions: Vec::new(),
        when: None,
        effect: RuleEffect::Modify(Modify::default()),
        reason: "".into(),
        priority: 0,
        budget: None,
        enabled: true,
        tags: Vec::new(),
        metadata: crate::value::ConstMap::new(),
        log: None,
        on_unavailable: None,
    }
}

/// What keeps `usage` for a bundle that reads it: a budget of tenant and run that limits nothing.
/// As a shadow guardrail it refuses nobody and shows in no answer.
pub(super) fn usage() -> Guardrail {
    let all = Some(u64::MAX);
    let limits = BudgetLimits {
        max_tool_calls: all,
        max_llm_calls: all,
        max_llm_tokens: all,
        max_cost: Some(Money::from_billionths(u64::MAX)),
        max_compute: all,
        max_duration: None,
    };
    let rules = guardrail::Budget {
        limits,
        window: Span::default(),
        key_by: vec![KeyDimension::Field(Field::Tenant), KeyDimension::Field(Field::Run)],
        default_estimate: guardrail::BudgetEstimate::default(),
        lease: Span::from_nanos(600_000_000_000),
        on_expiry: guardrail::OnExpiry::Charge,
    };
    Guardrail {
        name: Placed { value: GuardrailName::usage(), place: Place::default() },
        rules: guardrail::Rules::Budget(rules),
        targeting: crate::model::Target::default(),
        state: State::Enabled,
        priority: 50,
        scope_of_state: guardrail::ScopeOfState::Local,
        enforcement: guardrail::Enforcement::Shadow,
        refusal: guardrail::Refusal::Throttle,
        max_keys: 1_000_000,
        on_max_keys: guardrail::OnMaxKeys::Refuse,
        idle: Span::from_nanos(86_400_000_000_000),
        description: "".into(),
        tags: Vec::new(),
    }
}
