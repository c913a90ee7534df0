//! Several requests of which all are allowed and charged, or none is (design 1.7).

use super::desk::spends;
use super::{Answer, Decided, Decision, Desk, Grant, GrantBook, Read, Request, Tools};
use crate::guardrail::key::Flush;
use crate::guardrail::ledger::Item;
use crate::guardrail::{Asks, At, Facts, Verdict};
use crate::model::{Disposition, ReasonCode};

const REFUSED: &str = "another action of this all-or-nothing batch was not allowed";

/// One request before the guardrails were asked.
struct Wish<'r, 'a> {
    request: &'r Request<'a>,
    decision: Decision<'a>,
    read: Read<'a>,
    /// What it asks, if the rules allow it.
    asks: Option<(Asks<'a>, Facts)>,
}

impl<'a> Desk<'a> {
    /// Decides requests at one instant, one after the other. If any is not allowed, or something
    /// else of their batch is not (`already_refused`), nothing is charged, and those that are
    /// allowed get the worst answer instead: DENY (RAISE), then REQUIRE_APPROVAL, then THROTTLE
    /// with the longest wait. One that only looks (`dry_run`) is never charged.
    pub fn authorize_together(
        &self,
        requests: &[Request<'a>],
        already_refused: bool,
        at: At,
        call: Flush<'a>,
        grants: &mut dyn GrantBook,
        tools: &mut Tools,
    ) -> Vec<Decided<'a>> {
        let (wishes, by_grant) = loop {
            let (wishes, by_grant) = self.wishes(requests, at, call, grants, tools);
            // If somebody was quicker to spend one of the grants, the book now says so.
            if !by_grant || grants.begin() {
                break (wishes, by_grant);
            }
        };
        let mut verdicts = self.charge(&wishes, already_refused, at, tools).into_iter();
        let mut decided: Vec<Decided<'a>> = Vec::with_capacity(wishes.len());
        for Wish { mut decision, read, asks, .. } in wishes {
            let verdict = asks.and_then(|_| verdicts.next()).unwrap_or_default();
            decision.heed(&verdict);
            decided.push(Decided { decision, verdict, read });
        }
        let allowed = decided.iter().all(|one| one.is_allowed()) && !already_refused;
        if by_grant {
            grants.close(allowed);
        }
        if !allowed {
            refuse(&mut decided, already_refused);
        }
        decided
    }

    /// What the rules say, what is then asked of guardrails, and whether a grant is to be spent.
    fn wishes<'r>(
        &self,
        requests: &'r [Request<'a>],
        at: At,
        call: Flush<'a>,
        grants: &mut dyn GrantBook,
        tools: &mut Tools,
    ) -> (Vec<Wish<'r, 'a>>, bool) {
        let mut by_grant = false;
        let mut wishes = Vec::with_capacity(requests.len());
        for request in requests {
            let (mut decision, read) = self.by_rules(request, at, grants, &mut tools.scratch);
            by_grant |= matches!(read.grant, Grant::Accepted(_)) && spends(request, &decision);
            let mut asks = Asks::default();
            let allowed = matches!(decision.answer, Answer::Allow(_));
            let facts = if allowed { self.ask(request, &mut decision, call, tools, &mut asks) } else { None };
            wishes.push(Wish { request, decision, read, asks: facts.map(|facts| (asks, facts)) });
        }
        (wishes, by_grant)
    }

    /// What the guardrails say to those that the rules allow, in their order. They are charged if
    /// nobody refuses any request.
    fn charge(
        &self,
        wishes: &[Wish<'_, 'a>],
        already_refused: bool,
        at: At,
        tools: &mut Tools,
    ) -> Vec<Verdict<'a>> {
        let of = |dry: bool| wishes.iter().filter_map(move |wish| wish.item(dry)).collect::<Vec<_>>();
        let (real, dry) = (of(false), of(true));
        let looked = self.ledger.peek_all(&dry, at, &mut tools.draw);
        let all_guarded = real.len() + dry.len() == wishes.len() && !already_refused;
        let charged = if all_guarded && looked.iter().all(Verdict::is_allowed) {
            self.ledger.charge_all(&real, at, &mut tools.draw)
        } else {
            self.ledger.peek_all(&real, at, &mut tools.draw)
        };
        let (mut charged, mut looked) = (charged.into_iter(), looked.into_iter());
        let guarded = wishes.iter().filter(|wish| wish.asks.is_some());
        guarded.filter_map(|wish| if wish.request.dry_run { looked.next() } else { charged.next() }).collect()
    }
}

impl<'a> Wish<'_, 'a> {
    /// What it asks, if it only looks (`dry`), or if it does not.
    fn item(&self, dry: bool) -> Option<Item<'_, 'a>> {
        let (asks, facts) = self.asks.as_ref()?;
        (self.request.dry_run == dry).then_some(Item { asks, facts })
    }
}

impl Decided<'_> {
    /// Whether the action may run.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self.decision.answer, Answer::Allow(_))
    }
}

/// Those that are allowed get the worst answer instead.
fn refuse(decided: &mut [Decided<'_>], already_refused: bool) {
    let refused = decided.iter().map(|one| &one.decision.answer).filter(|answer| rank(answer).0 < 3);
    let worst = match refused.min_by_key(|answer| rank(answer)) {
        _ if already_refused => Answer::Deny(Disposition::Raise),
        None | Some(Answer::Deny(_)) => Answer::Deny(Disposition::Raise),
        Some(other) => other.clone(),
    };
    for one in decided.iter_mut().filter(|one| one.is_allowed()) {
        one.decision.answer = worst.clone();
        one.decision.reason_code = ReasonCode::BatchRefused;
        one.decision.reason = REFUSED;
        one.decision.rule = None;
        one.verdict.report_within = None;
    }
}

/// The worst first, the longest wait first; of equals `min_by_key` takes the first.
const fn rank(answer: &Answer<'_>) -> (u8, u64) {
    match answer {
        Answer::Deny(_) => (0, 0),
        Answer::RequireApproval(_) => (1, 0),
        Answer::Throttle(wait) => (2, u64::MAX - wait.nanos()),
        Answer::Allow(_) => (3, 0),
    }
}
