//! Where requests are decided: a bundle in force with the live state of its guardrails.
//!
//! The server, policy tests and whoever embeds the engine decide here, so that what one of them
//! says the others do.

use std::sync::Arc;

use super::guarding::{BadCost, Visit, find_guardrails};
use super::{Answer, Decision, Grant, GuardrailTrace, Question, Request, RuleTrace, Scratch, Stops};
use super::{authorize, explain};
use crate::compile::Compiled;
use crate::condition::slots::UsedSoFar;
use crate::guardrail::again::RetryAnswer;
use crate::guardrail::budget::Expected;
use crate::guardrail::key::Flush;
use crate::guardrail::retry::Attempt;
use crate::guardrail::{Asks, At, Draw, Facts, Guard, Ledger, Verdict};
use crate::model::{Approval, Estimate, ReasonCode};

/// A bundle in force, and the state that its guardrails read.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    /// The bundle.
    pub bundle: &'a Compiled,
    /// Its guardrails as [`crate::guardrail::Live::reconcile`] gave them for it.
    pub guards: &'a [Option<Arc<Guard>>],
    /// The state.
    pub ledger: &'a Ledger,
    /// The environment of requests that name none.
    pub environment: &'a str,
    /// What operators have stopped; [`Stops::none`] where there are no operators.
    pub stops: &'a Stops,
}

/// Room to work in, kept by the caller from one decision to the next, and a source of draws.
#[derive(Debug)]
pub struct Tools {
    /// Room of the rules.
    pub scratch: Scratch,
    pub(super) asks: Asks<'static>,
    /// Where random numbers come from.
    pub draw: Draw,
}

/// A decision with what the guardrails said.
#[derive(Debug)]
pub struct Decided<'a> {
    /// What was decided.
    pub decision: Decision<'a>,
    /// What the guardrails said; its tickets are to be kept until the report.
    pub verdict: Verdict<'a>,
    /// What the rules read besides the request.
    pub read: Read<'a>,
}

/// What the rules read besides the request and the time, for who wants to decide the same again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Read<'a> {
    /// What the request's tenant and run had used, where the bundle reads it.
    pub usage: Option<UsedSoFar>,
    /// What became of the grants that came with the request.
    pub grant: Grant<'a>,
}

/// A decision with the account of every rule and of every guardrail that was asked.
#[derive(Debug)]
pub struct Explained<'a> {
    /// What was decided.
    pub decided: Decided<'a>,
    /// How the rules fared, as [`explain`] tells it.
    pub rules: Vec<RuleTrace<'a>>,
    /// How the guardrails fared, by name.
    pub guardrails: Vec<GuardrailTrace<'a>>,
}

/// Who knows the approvers' keys, and which grants are spent.
pub trait GrantBook {
    /// Looks for a grant of the request that holds for the rule that wants the approval, and
    /// remembers it if the request [spends it](Request::spends_grants). Several requests that are
    /// decided together redeem one after the other.
    ///
    /// # Errors
    /// None holds; why the last one does not, for programs and for people.
    fn redeem(
        &mut self,
        request: &Request<'_>,
        decision: &Decision<'_>,
        wanted: &Approval,
    ) -> Result<(), (ReasonCode, &'static str)>;

    /// Begins to spend all that was redeemed. If it may (`true`), nobody else can spend any grant
    /// until [`GrantBook::close`]; if somebody was quicker, all that was redeemed is forgotten.
    fn begin(&mut self) -> bool;

    /// Ends what was begun: `spent` if the actions were allowed and charged, else all is as it was.
    fn close(&mut self, spent: bool);
}

/// Nobody: every grant is unverifiable.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoGrants;

impl GrantBook for NoGrants {
    fn redeem(
        &mut self,
        _: &Request<'_>,
        _: &Decision<'_>,
        _: &Approval,
    ) -> Result<(), (ReasonCode, &'static str)> {
        Err((ReasonCode::GrantUnverifiable, "grants cannot be verified here: no keys of approvers are known"))
    }

    fn begin(&mut self) -> bool {
        true
    }

    fn close(&mut self, _: bool) {}
}

impl Tools {
    /// Tools with draws from this seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { scratch: Scratch::default(), asks: Asks::default(), draw: Draw::seeded(seed) }
    }

    /// Forgets what a decision that panicked left behind.
    pub fn clear(&mut self) {
        (self.scratch, self.asks) = (Scratch::default(), Asks::default());
    }
}

impl<'a> Desk<'a> {
    /// Decides a request: by the rules, then by the guardrails that are about it, all of which
    /// are charged or none. A dry run charges nothing. `call` is the flush of those that name
    /// none.
    pub fn authorize(
        &self,
        request: &Request<'a>,
        at: At,
        call: Flush<'a>,
        grants: &mut dyn GrantBook,
        tools: &mut Tools,
    ) -> Decided<'a> {
        loop {
            let (decision, read) = self.by_rules(request, at, grants, &mut tools.scratch);
            let by_grant = matches!(read.grant, Grant::Accepted(_)) && spends(request, &decision);
            // If somebody was quicker, the book now says so.
            if by_grant && !grants.begin() {
                continue;
            }
            let mut decided = Decided { decision, verdict: Verdict::default(), read };
            self.by_guardrails(request, &mut decided, at, call, tools);
            if by_grant {
                grants.close(spends(request, &decided.decision));
            }
            return decided;
        }
    }

    /// The same decision, charging nothing, with the account of every rule.
    pub fn explain(
        &self,
        request: &Request<'a>,
        at: At,
        grants: &mut dyn GrantBook,
        tools: &mut Tools,
    ) -> Explained<'a> {
        let request = Request { dry_run: true, ..*request };
        let (decision, rules, read) = match self.without_rules(&request, at, &mut tools.scratch) {
            // No rule was asked.
            Some(decision) => (decision, Vec::new(), Read::default()),
            None => {
                let (_, read) = self.by_rules(&request, at, grants, &mut tools.scratch);
                let request = Request { grant: read.grant, ..request };
                let (usage, scratch) = (read.usage.as_ref(), &mut tools.scratch);
                let told = explain(self.bundle, &request, self.environment, at.wall, usage, scratch);
                (told.decision, told.rules, read)
            }
        };
        let mut decided = Decided { decision, verdict: Verdict::default(), read };
        self.by_guardrails(&request, &mut decided, at, Flush::Alone(0), tools);
        let guardrails = self.account(&request, &decided.decision, &decided.verdict, at, tools);
        Explained { decided, rules, guardrails }
    }

    /// Plans a retry of an action that failed. Only a retry that is granted is counted.
    ///
    /// # Errors
    /// The request field that says what the action costs is no number of units.
    pub fn retry(
        &self,
        request: &Request<'a>,
        attempt: &Attempt,
        at: At,
        tools: &mut Tools,
    ) -> Result<RetryAnswer<'a>, BadCost<'a>> {
        let mut asks = self.look(request, tools)?;
        let visit = self.visit(request, Flush::Alone(0));
        let expected = Expected {
            kind: request.action.kind(),
            estimate: request.estimate,
            rule: Estimate::default(),
            timeout: visit.timeout(&tools.scratch),
        };
        let facts = Facts { expected, first_attempt: false };
        let answer = self.ledger.retry(&asks, &facts, attempt, at, &mut tools.draw);
        tools.asks = std::mem::take(&mut asks).recycle();
        Ok(answer)
    }

    /// How the guardrails stand that are about a request, by name. Charges nothing.
    ///
    /// # Errors
    /// The request field that says what the action costs is no number of units.
    pub fn budget(
        &self,
        request: &Request<'a>,
        at: At,
        tools: &mut Tools,
    ) -> Result<Verdict<'a>, BadCost<'a>> {
        let mut asks = self.look(request, tools)?;
        let facts = Facts { expected: Expected::nothing(), first_attempt: false };
        let verdict = self.ledger.peek(&asks, &facts, at, &mut tools.draw);
        tools.asks = std::mem::take(&mut asks).recycle();
        Ok(verdict)
    }

    /// What operators or the rules say, and what became of the request's grants.
    pub(super) fn by_rules(
        &self,
        request: &Request<'a>,
        at: At,
        grants: &mut dyn GrantBook,
        scratch: &mut Scratch,
    ) -> (Decision<'a>, Read<'a>) {
        if let Some(decision) = self.without_rules(request, at, scratch) {
            return (decision, Read::default());
        }
        let usage = self.usage(request, at);
        let mut say = |request: &Request<'a>| {
            authorize(self.bundle, request, self.environment, at.wall, usage.as_ref(), scratch)
        };
        let decision = say(request);
        let without = Read { usage, grant: Grant::None };
        let (Answer::RequireApproval(wanted), Some(rule)) = (&decision.answer, decision.rule) else {
            return (decision, without);
        };
        if request.grants.is_empty() {
            return (decision, without);
        }
        let grant = match grants.redeem(request, &decision, wanted) {
            Ok(()) => Grant::Accepted(rule),
            Err((code, why)) => Grant::Refused(code, why),
        };
        (say(&Request { grant, ..*request }), Read { usage, grant })
    }

    /// What an operator decided before the rules. An action that is let pass is still to be
    /// admitted by the guardrails, which are found for it.
    fn stopped(&self, request: &Request<'a>, at: At, scratch: &mut Scratch) -> Option<Decision<'a>> {
        let environment = request.environment_or(self.environment);
        let decision = self.stops.decide(request, environment, at.now)?;
        if matches!(decision.answer, Answer::Allow(_)) {
            find_guardrails(self.bundle, request, self.environment, scratch);
        }
        Some(decision)
    }

    /// What is decided before the rules: by an operator, or because only limits are asked about.
    fn without_rules(&self, request: &Request<'a>, at: At, scratch: &mut Scratch) -> Option<Decision<'a>> {
        let stopped = self.stopped(request, at, scratch);
        if stopped.is_some() || request.question == Question::MayRun {
            return stopped;
        }
        find_guardrails(self.bundle, request, self.environment, scratch);
        Some(Decision::no_rule_asked(request.environment_or(self.environment)))
    }

    fn by_guardrails(
        &self,
        request: &Request<'a>,
        Decided { decision, verdict, .. }: &mut Decided<'a>,
        at: At,
        call: Flush<'a>,
        tools: &mut Tools,
    ) {
        if !matches!(decision.answer, Answer::Allow(_)) {
            return;
        }
        let mut asks = std::mem::take(&mut tools.asks).recycle();
        let asked = self.ask(request, decision, call, tools, &mut asks).filter(|_| !asks.is_empty());
        match asked {
            None => {}
            Some(facts) if request.dry_run => {
                *verdict = self.ledger.peek(&asks, &facts, at, &mut tools.draw);
            }
            Some(facts) => self.ledger.charge_into(&asks, &facts, at, &mut tools.draw, verdict),
        }
        tools.asks = asks.recycle();
        decision.heed(verdict);
    }

    /// What an allowed request asks of the guardrails that were found; `None` where its cost
    /// cannot be read, which the decision then says.
    pub(super) fn ask(
        &self,
        request: &Request<'a>,
        decision: &mut Decision<'a>,
        call: Flush<'a>,
        tools: &mut Tools,
        asks: &mut Asks<'a>,
    ) -> Option<Facts> {
        let visit = self.visit(request, call);
        match visit.ask(request, decision, &tools.scratch, &mut tools.draw, asks) {
            Ok(facts) => Some(facts),
            Err(bad) => {
                decision.refuse_cost(bad);
                None
            }
        }
    }

    pub(super) fn look(&self, request: &Request<'a>, tools: &mut Tools) -> Result<Asks<'a>, BadCost<'a>> {
        find_guardrails(self.bundle, request, self.environment, &mut tools.scratch);
        let mut asks = std::mem::take(&mut tools.asks).recycle();
        let visit = self.visit(request, Flush::Alone(0));
        visit.look(request, &tools.scratch, &mut tools.draw, &mut asks)?;
        Ok(asks)
    }

    fn visit(&self, request: &Request<'a>, call: Flush<'a>) -> Visit<'a> {
        let flush = if request.batch_id.is_empty() { call } else { Flush::Named(request.batch_id) };
        Visit { guards: self.guards, environment: request.environment_or(self.environment), flush }
    }

    /// What this request's tenant and run have used so far, where the bundle reads it.
    fn usage(&self, request: &Request<'_>, at: At) -> Option<UsedSoFar> {
        let place = self.bundle.usage_guardrail()?;
        let guard = self.guards.get(place)?.as_deref()?;
        let mut asks = Asks::default();
        // Its key is tenant and run: no draw, no flush, no environment.
        asks.ask(guard, request, "", Flush::Alone(0), 0, &mut Draw::seeded(0));
        Some(self.ledger.used(&asks, at))
    }
}

/// Whether a decision spends the grant that it was allowed by.
pub(super) const fn spends(request: &Request<'_>, decision: &Decision<'_>) -> bool {
    matches!(decision.answer, Answer::Allow(_)) && request.spends_grants()
}
