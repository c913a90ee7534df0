//! What guardrails say to an action that the rules allow, and what it takes from them.

use tollgate_engine::condition::slots::UsedSoFar;
use tollgate_engine::decide::{Answer as Effect, Decision, Request, Visit};
use tollgate_engine::guardrail::key::Flush;
use tollgate_engine::guardrail::open::Opened;
use tollgate_engine::guardrail::settle::Taken;
use tollgate_engine::guardrail::{Asks, At, Draw, Facts, Verdict};
use uuid::Uuid;

use super::DataPlane;
use super::answer::Answer;
use super::approval::Granted;
use super::approvals::Spending;
use super::local::Tools;
use super::report::Kept;
use super::snapshot::{Serving, Snapshot};

impl DataPlane {
    /// What this request's tenant and run have used so far, where the bundle reads it.
    pub(super) fn usage(&self, serving: &Serving, request: &Request<'_>, at: At) -> Option<UsedSoFar> {
        let place = serving.compiled.usage_guardrail()?;
        let guard = serving.guards.get(place)?.as_deref()?;
        let mut asks = Asks::default();
        // Its key is tenant and run: no draw, no flush, no environment.
        asks.ask(guard, request, "", Flush::Alone(0), 0, &mut Draw::seeded(0));
        Some(self.live.ledger.used(&asks, at))
    }

    /// Asks the guardrails about an action that the rules allow. It is charged by all of them or
    /// by none, and its grant is spent with that; a dry run takes nothing.
    #[expect(clippy::too_many_arguments, reason = "what a request is charged with")]
    pub(super) fn guard<'a>(
        &self,
        serving: &'a Serving,
        request: &Request<'a>,
        decision: &mut Decision<'a>,
        granted: Option<Granted<'a>>,
        at: At,
        flush: Flush<'a>,
        tools: &mut Tools,
    ) -> Verdict<'a> {
        if !matches!(decision.answer, Effect::Allow(_)) {
            return Verdict::default();
        }
        // Nobody else spends a grant until this is charged, or it is refused and has spent nothing.
        let Ok(spending) =
            Granted::token_of(granted, request).map(|token| self.approvals.spend([token])).transpose()
        else {
            granted.into_iter().for_each(|granted| granted.lost(decision));
            return Verdict::default();
        };
        let mut asks = std::mem::take(&mut tools.asks).recycle();
        let asked = ask(serving, request, decision, flush, tools, &mut asks);
        let verdict = match asked {
            None => Verdict::default(),
            Some(_) if asks.is_empty() => Verdict::default(),
            Some(facts) if request.dry_run => self.live.ledger.peek(&asks, &facts, at, &mut tools.draw),
            Some(facts) => self.live.ledger.charge(&asks, &facts, at, &mut tools.draw),
        };
        tools.asks = asks.recycle();
        decision.heed(&verdict);
        if matches!(decision.answer, Effect::Allow(_)) {
            spending.into_iter().for_each(Spending::commit);
        }
        verdict
    }

    /// Gives an allowed action its id, under which it can be reported.
    pub(super) fn open(&self, answer: &mut Answer<'_>, snapshot: &Snapshot, at: At) {
        let Effect::Allow(obligations) = &answer.decision.answer else { return };
        if answer.verdict.tickets.is_empty() {
            answer.decision_id = self.mark.mark(answer.decision_id);
            return;
        }
        let opened = Opened {
            taken: Taken { at: at.now, timeout: obligations.timeout },
            tickets: std::mem::take(&mut answer.verdict.tickets).into_vec().into(),
            meta: Kept { arm: snapshot.arm() },
        };
        self.open.open(answer.decision_id.as_u128(), opened);
    }
}

/// What a request asks of the guardrails that were found; `None` where its cost cannot be read,
/// which the decision then says.
pub(super) fn ask<'a>(
    serving: &'a Serving,
    request: &Request<'a>,
    decision: &mut Decision<'a>,
    flush: Flush<'a>,
    tools: &mut Tools,
    asks: &mut Asks<'a>,
) -> Option<Facts> {
    let visit = Visit { guards: &serving.guards, environment: decision.environment, flush };
    match visit.ask(request, decision, &tools.scratch, &mut tools.draw, asks) {
        Ok(facts) => Some(facts),
        Err(bad) => {
            decision.refuse_cost(bad);
            None
        }
    }
}

/// The flush of a request: the one it names, else that of its call.
pub(super) fn flush<'a>(request: &Request<'a>, call: Flush<'a>) -> Flush<'a> {
    if request.batch_id.is_empty() { call } else { Flush::Named(request.batch_id) }
}

/// The flush of a call with several requests, by the id of one of its decisions.
pub(super) const fn unnamed(id: Uuid) -> Flush<'static> {
    Flush::Unnamed(id.as_u128())
}
