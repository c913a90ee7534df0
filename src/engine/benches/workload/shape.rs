//! The pieces that bundles and requests of a workload are made of.

use std::fmt::Write as _;

use tollgate_engine::condition::glob::Glob;
use tollgate_engine::id::{Digest, RuleId};
use tollgate_engine::model::{
    Approval, Bundle, Caps, Condition, Defaults, Disposition, Modify, Op, Path, Pattern, Place, Placed, Rule,
    RuleEffect, Scope, Spelling, Target,
};
use tollgate_engine::unit::Span;
use tollgate_engine::value::{Const, ConstMap};

use super::dice::Dice;

/// A bundle of these rules, which denies where none matches.
pub fn bundle(rules: Vec<Rule>) -> Bundle {
    let mut identity = String::new();
    for rule in &rules {
        let _ = writeln!(identity, "{}", rule.id);
    }
    Bundle {
        version: semver::Version::new(1, 0, 0),
        digest: Digest::of(identity.as_bytes()),
        notes: Box::default(),
        min_engine: None,
        defaults: Defaults::default(),
        data: ConstMap::new(),
        fields: Vec::new(),
        enforce_fields: false,
        mask: Vec::new(),
        metadata: ConstMap::new(),
        rules,
        guardrails: Vec::new(),
        files: vec!["workload.yaml".into()],
    }
}

/// A rule on everything, without conditions.
pub fn rule(number: usize, effect: RuleEffect) -> Rule {
    let id = RuleId::parse(&format!("rule-{number:06}"));
    Rule {
        id: id.unwrap_or_else(|| unreachable!("six digits and a prefix are an id")),
        place: Place::default(),
        agent: None,
        action: None,
        scope: Scope::Global,
        target: Target::default(),
        conditions: Vec::new(),
        when: None,
        effect,
        reason: format!("What rule {number} of this workload says").into(),
        priority: 50,
        budget: None,
        enabled: true,
        tags: Vec::new(),
        metadata: ConstMap::new(),
        log: None,
        on_unavailable: None,
    }
}

/// A deny that is raised.
pub const DENY: RuleEffect = RuleEffect::Deny(Disposition::Raise);

/// Three allows, two denies, one approval.
pub fn some_effect(dice: &mut Dice) -> RuleEffect {
    match dice.below(6) {
        0..3 => RuleEffect::Allow,
        3..5 => DENY,
        _ => RuleEffect::RequireApproval(Approval::default()),
    }
}

/// A mode, a cap and a timeout.
pub fn some_modify(dice: &mut Dice) -> RuleEffect {
    let calls = 1 + dice.below(50) as u64;
    RuleEffect::Modify(Modify {
        mode: dice.percent(50).then(|| "draft".into()),
        limits: Caps { max_tool_calls: Some(calls), ..Caps::default() },
        timeout: Some(Span::from_nanos(calls * 1_000_000_000)),
    })
}

/// The text itself, as a list of patterns.
pub fn exactly(text: &str) -> Option<Vec<Pattern>> {
    Some(vec![Pattern::Exact(text.into())])
}

/// A glob, as a list of patterns.
pub fn glob(text: &str) -> Option<Vec<Pattern>> {
    let glob = Glob::parse(text).unwrap_or_else(|error| unreachable!("`{text}`: {error}"));
    Some(vec![Pattern::Glob(glob)])
}

/// An expression, as a rule has it.
pub fn when(source: String) -> Option<Placed<Box<str>>> {
    Some(Placed { value: source.into(), place: Place::default() })
}

/// A condition on a field of the context.
pub fn on(field: &str, op: Op) -> Condition {
    Condition {
        path: Path::Context(field.split('.').map(Box::from).collect()),
        text: format!("{field} {op:?}").into(),
        op,
        spelling: Spelling::Canonical,
        place: Place::default(),
    }
}

/// `field >= bound`
pub fn at_least(field: &str, bound: f64) -> Condition {
    on(field, Op::Ge(Const::Number(bound)))
}

/// `field <= bound`
pub fn at_most(field: &str, bound: f64) -> Condition {
    on(field, Op::Le(Const::Number(bound)))
}

/// `field == text`
pub fn equals(field: &str, text: &str) -> Condition {
    on(field, Op::Eq(Const::Str(text.into())))
}

/// A map of a context.
pub fn map<const N: usize>(entries: [(&str, Const); N]) -> ConstMap {
    entries.map(|(name, value)| (name.into(), value)).into()
}

/// A text of a context.
pub fn text(text: &str) -> Const {
    Const::Str(text.into())
}
