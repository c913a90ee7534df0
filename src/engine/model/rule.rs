//! A rule: target and conditions, and the effect it has.

use super::{Condition, OnUnavailable, Patterns, Place, Placed, RuleEffect, Target};
use crate::id::RuleId;
use crate::unit::Money;
use crate::value::ConstMap;

/// One rule of a bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its id, unique in the bundle.
    pub id: RuleId,
    /// Where the rule starts.
    pub place: Place,
    /// Which agents; `None` matches all, an absent agent too.
    pub agent: Option<Patterns>,
    /// Which actions; `None` matches all.
    pub action: Option<Patterns>,
    /// The level the rule speaks for; a target like any other.
    pub scope: Scope,
    /// Everything else it is about, its phases included.
    pub target: Target,
    /// Tests that must all hold.
    pub conditions: Vec<Condition>,
    /// An expression that must hold, as written.
    pub when: Option<Placed<Box<str>>>,
    /// What it does.
    pub effect: RuleEffect,
    /// Why, for people; at most 256 characters.
    pub reason: Box<str>,
    /// The higher decides first: 50 by default.
    pub priority: i32,
    /// What simulation and gates take an action to cost.
    pub budget: Option<Estimate>,
    /// Whether it takes part.
    pub enabled: bool,
    /// Free labels.
    pub tags: Vec<Box<str>>,
    /// Free data.
    pub metadata: ConstMap,
    /// Whether the decision log samples it.
    pub log: Option<LogChoice>,
    /// What a client does when no decision point answers.
    pub on_unavailable: Option<OnUnavailable>,
}

/// The level that a rule speaks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scope {
    /// Everything.
    #[default]
    Global,
    /// One level, and which of its values.
    Level(ScopeLevel, super::Pattern),
}

/// The axes of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeLevel {
    /// `subject.tenant`
    Tenant,
    /// `subject.app`
    App,
    /// `action.tool`
    Tool,
    /// `subject.workflow`
    Workflow,
    /// `subject.agent`
    Agent,
}

/// An estimate of what an action uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Money.
    pub cost: Option<Money>,
    /// Compute units.
    pub compute: Option<u64>,
    /// How risky.
    pub risk: Option<Risk>,
}

/// A judgement of risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

/// Whether the decision log keeps a rule's decisions, whatever its sampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogChoice {
    /// Keep each.
    Always,
    /// Keep none.
    Never,
}
