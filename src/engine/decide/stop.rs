//! Emergency stops: what operators decide before the rules do (design 1.6, step 1).

use std::sync::Arc;

use super::{Answer, Decision, Obligations, Request};
use crate::compile::target::Selector;
use crate::model::{Disposition, Estimate, ReasonCode, Target};
use crate::time::Moment;

/// What a stop does with what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StopEffect {
    /// It must not run; this beats every stop that allows.
    Deny,
    /// It may run, whatever rules say and without asking people; guardrails still hold.
    Allow,
}

/// A stop that an operator set.
#[derive(Debug)]
pub struct Stop {
    selector: Selector,
    effect: StopEffect,
    reason: Box<str>,
    ends: Moment,
}

/// The stops in force. Part of a snapshot: never changed.
#[derive(Clone, Debug, Default)]
pub struct Stops {
    /// Those that deny first.
    all: Vec<Arc<Stop>>,
}

impl Stops {
    /// None.
    pub const NONE: &'static Self = &Self { all: Vec::new() };
}

impl Stop {
    /// A stop of what fits this target, until then. The operator's reason is told to callers.
    #[must_use]
    pub fn new(target: &Target, effect: StopEffect, reason: &str, ends: Moment) -> Self {
        let told = match effect {
            StopEffect::Deny => format!("an operator stopped actions of this kind: {reason}"),
            StopEffect::Allow => format!("an operator lets actions of this kind pass: {reason}"),
        };
        Self { selector: Selector::of(target), effect, reason: told.into(), ends }
    }

    /// Why, for people.
    #[must_use]
    pub const fn reason(&self) -> &str {
        &self.reason
    }

    /// When it is over.
    #[must_use]
    pub const fn ends(&self) -> Moment {
        self.ends
    }

    fn is_about(&self, request: &Request<'_>, environment: &str, now: Moment) -> bool {
        self.ends > now && self.selector.fits(request, environment)
    }
}

impl Stops {
    /// None at all.
    #[must_use]
    pub fn none() -> &'static Self {
        static NONE: Stops = Stops { all: Vec::new() };
        &NONE
    }

    /// These.
    #[must_use]
    pub fn of(stops: impl IntoIterator<Item = Arc<Stop>>) -> Self {
        let mut all: Vec<Arc<Stop>> = stops.into_iter().collect();
        all.sort_by_key(|stop| stop.effect);
        Self { all }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Decides in place of the rules, where a stop is about the request. An action that it lets
    /// pass is still to be admitted by the guardrails of the bundle.
    #[must_use]
    pub fn decide<'a>(
        &'a self,
        request: &Request<'a>,
        environment: &'a str,
        now: Moment,
    ) -> Option<Decision<'a>> {
        let stop = self.find(request, environment, now)?;
        let answer = match stop.effect {
            StopEffect::Deny => Answer::Deny(Disposition::Raise),
            StopEffect::Allow => Answer::Allow(Obligations { mode: request.mode, ..Obligations::default() }),
        };
        Some(Decision {
            answer,
            reason_code: ReasonCode::EmergencyStop,
            reason: &stop.reason,
            rule: None,
            guardrail: None,
            estimate: Estimate { cost: None, compute: None, risk: None },
            bad_cost: None,
            environment,
            other_errors: 0,
            context_violations: 0,
        })
    }

    /// The same of stops that deny: what an action is told that nothing could hold back if it were
    /// let pass, for want of a bundle, or that has run already.
    #[must_use]
    pub fn deny<'a>(
        &'a self,
        request: &Request<'a>,
        environment: &'a str,
        now: Moment,
    ) -> Option<Decision<'a>> {
        self.decide(request, environment, now).filter(|decided| matches!(decided.answer, Answer::Deny(_)))
    }

    /// The stop that decides: one that denies before any that allows.
    fn find(&self, request: &Request<'_>, environment: &str, now: Moment) -> Option<&Stop> {
        self.all.iter().map(|stop| &**stop).find(|stop| stop.is_about(request, environment, now))
    }
}
