//! Many questions at once: one snapshot, one instant (design 1.7).

use tollgate_engine::decide::{Answer as Effect, Decision, Request};
use tollgate_engine::guardrail::key::Flush;
use tollgate_engine::guardrail::ledger::Item as Charge;
use tollgate_engine::guardrail::{Asks, At, Facts, Verdict};
use tollgate_engine::model::{Disposition, ReasonCode};

use super::answer::{Answer, OpenApproval, deny};
use super::approval::{Granted, Ruled};
use super::approvals::{Spending, Token};
use super::authorize::NO_BUNDLE;
use super::guarding::{ask, flush, unnamed};
use super::local::{Parts, Tools};
use super::snapshot::{Serving, Snapshot};
use super::{DataPlane, local, record};

/// One question of a batch.
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large kind")]
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A question that can be decided.
    Ask(Request<'a>),
    /// One that cannot.
    Malformed {
        /// Its id, as far as it can be given back.
        request_id: &'a str,
        /// What is wrong with it, for people.
        reason: &'a str,
    },
}

const BATCH_REFUSED: &str = "another action of this all-or-nothing batch was not allowed";

impl DataPlane {
    /// Decides all of a batch, and gives the answers, in the same order, to `then`.
    pub fn authorize_batch<R>(
        &self,
        items: &[Item<'_>],
        all_or_nothing: bool,
        then: impl FnOnce(Vec<Answer<'_>>) -> R,
    ) -> R {
        local::with(self, |Parts { snapshot, tools, tally }| {
            let at = self.at();
            let call = unnamed(self.clock.decision_id(at.wall));
            let mut nanos = Vec::with_capacity(items.len());
            let mut before = at.now;
            let mut lap = || {
                let after = self.clock.moment();
                nanos.push(after.since(before).nanos());
                before = after;
            };
            let answers = match &snapshot.serving {
                Some(serving) if all_or_nothing => {
                    self.together(snapshot, serving, items, at, call, tools, &mut lap)
                }
                Some(_) | None => self.one_by_one(snapshot, items, at, call, tools, &mut lap),
            };
            for ((answer, item), nanos) in answers.iter().zip(items).zip(nanos) {
                let request = item.request();
                if request.is_none_or(|request| !request.dry_run) {
                    record::decision(tally, snapshot, answer, request, nanos);
                }
            }
            then(answers)
        })
    }

    /// Each item stands alone.
    fn one_by_one<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        items: &[Item<'a>],
        at: At,
        call: Flush<'a>,
        tools: &mut Tools,
        lap: &mut impl FnMut(),
    ) -> Vec<Answer<'a>> {
        let mut answers = Vec::with_capacity(items.len());
        for item in items {
            answers.push(match item {
                Item::Ask(request) => self.answer(snapshot, request, at, call, tools),
                Item::Malformed { request_id, reason } => self.malformed(snapshot, request_id, reason, at),
            });
            lap();
        }
        answers
    }

    /// All items are charged, or none is.
    #[expect(clippy::too_many_arguments, reason = "what a batch is decided with")]
    fn together<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        serving: &'a Serving,
        items: &[Item<'a>],
        at: At,
        call: Flush<'a>,
        tools: &mut Tools,
        lap: &mut impl FnMut(),
    ) -> Vec<Answer<'a>> {
        let mut wishes = Vec::with_capacity(items.len());
        for item in items {
            wishes.push(match item {
                Item::Ask(request) => self.wish(snapshot, serving, *request, at, call, tools),
                Item::Malformed { request_id, reason } => {
                    Wish::Answered(self.malformed(snapshot, request_id, reason, at))
                }
            });
            lap();
        }
        let spending = self.spend_together(snapshot, &mut wishes, at);
        let mut verdicts = self.charge_together(&wishes, spending, at, tools).into_iter();
        let mut refused = false;
        let judged: Vec<(Option<Request<'a>>, Decided<'a>)> = wishes
            .into_iter()
            .map(|wish| match wish {
                Wish::Answered(answer) => (None, Decided::Answer(answer)),
                Wish::Guarded(request, mut decision, ..) => {
                    let verdict = verdicts.next().unwrap_or_default();
                    decision.heed(&verdict);
                    (Some(request), Decided::Decision(decision, verdict))
                }
            })
            .inspect(|(_, decided)| refused |= !decided.is_allowed())
            .collect();
        let mut answers: Vec<Answer<'a>> = judged
            .into_iter()
            .map(|(request, decided)| match (request, decided) {
                (_, Decided::Answer(answer)) => answer,
                (Some(request), Decided::Decision(decision, verdict)) => {
                    // What is refused with the others opens nothing.
                    let request = Request { dry_run: request.dry_run || refused, ..request };
                    self.finish(snapshot, &request, at, decision, verdict)
                }
                (None, Decided::Decision(decision, _)) => self.malformed(snapshot, "", decision.reason, at),
            })
            .collect();
        if refused {
            refuse_all(&mut answers);
        }
        answers
    }

    /// What the rules say of one item, and what it asks of guardrails.
    fn wish<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        serving: &'a Serving,
        request: Request<'a>,
        at: At,
        call: Flush<'a>,
        tools: &mut Tools,
    ) -> Wish<'a> {
        let Ruled { mut decision, granted } = self.by_rules(serving, &request, at, &mut tools.scratch);
        let mut asks = Asks::default();
        let flush = flush(&request, call);
        let facts = match decision.answer {
            Effect::Allow(_) => ask(serving, &request, &mut decision, flush, tools, &mut asks),
            Effect::Deny(_) | Effect::RequireApproval(_) | Effect::Throttle(_) => None,
        };
        match facts {
            Some(facts) => Wish::Guarded(request, decision, asks, facts, granted),
            None => Wish::Answered(self.finish(snapshot, &request, at, decision, Verdict::default())),
        }
    }

    /// Begins to spend the grants of all items. Where one has no use left, its item asks people
    /// again, and none is spent.
    fn spend_together<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        wishes: &mut [Wish<'a>],
        at: At,
    ) -> Option<Spending<'a>> {
        let token = |(place, wish): (usize, &Wish<'a>)| match wish {
            Wish::Guarded(request, _, _, _, granted) => Some((place, Granted::token_of(*granted, request)?)),
            Wish::Answered(_) => None,
        };
        let tokens: Vec<(usize, Token)> = wishes.iter().enumerate().filter_map(token).collect();
        if tokens.is_empty() {
            return None;
        }
        let without = match self.approvals.spend(tokens.iter().map(|(_, token)| *token)) {
            Ok(spending) => return Some(spending),
            Err(without) => without,
        };
        let places = without.into_iter().filter_map(|at| tokens.get(at)).map(|(place, _)| *place);
        for place in places {
            if let Some(wish) = wishes.get_mut(place)
                && let Wish::Guarded(request, decision, _, _, Some(granted)) = wish
            {
                granted.lost(decision);
                let answer = self.finish(snapshot, request, at, decision.clone(), Verdict::default());
                *wish = Wish::Answered(answer);
            }
        }
        None
    }

    /// What the guardrails say to those that the rules allow, in their order. They are charged if
    /// nobody refuses any item; one that only looks is not.
    fn charge_together<'a>(
        &self,
        wishes: &[Wish<'a>],
        spending: Option<Spending<'_>>,
        at: At,
        tools: &mut Tools,
    ) -> Vec<Verdict<'a>> {
        let of = |dry: bool| wishes.iter().filter_map(move |wish| wish.charge(dry)).collect::<Vec<_>>();
        let (real, dry) = (of(false), of(true));
        let (ledger, draw) = (&self.live.ledger, &mut tools.draw);
        let looked = ledger.peek_all(&dry, at, draw);
        let all_guarded = real.len() + dry.len() == wishes.len();
        let charged = if all_guarded && looked.iter().all(Verdict::is_allowed) {
            ledger.charge_all(&real, at, draw)
        } else {
            ledger.peek_all(&real, at, draw)
        };
        if all_guarded && looked.iter().chain(&charged).all(Verdict::is_allowed) {
            spending.into_iter().for_each(Spending::commit);
        }
        let (mut charged, mut looked) = (charged.into_iter(), looked.into_iter());
        let next = |wish: &Wish<'_>| match wish {
            Wish::Answered(_) => None,
            Wish::Guarded(request, ..) if request.dry_run => looked.next(),
            Wish::Guarded(..) => charged.next(),
        };
        wishes.iter().filter_map(next).collect()
    }

    fn malformed<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        request_id: &'a str,
        reason: &'a str,
        at: At,
    ) -> Answer<'a> {
        let environment = self.options.environment.as_str();
        let decision = match snapshot.serving {
            Some(_) => deny(ReasonCode::InvalidRequest, reason, environment),
            None => deny(ReasonCode::NoBundle, NO_BUNDLE, environment),
        };
        Answer {
            decision_id: self.clock.decision_id(at.wall),
            request_id,
            decided_at: at.wall,
            arm: snapshot.arm(),
            bundle: snapshot.bundle(),
            decision,
            verdict: Verdict::default(),
            approval: None,
        }
    }
}

/// One item of an all-or-nothing batch before the guardrails were asked.
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large kind")]
enum Wish<'a> {
    /// The rules have refused it.
    Answered(Answer<'a>),
    /// The rules allow it.
    Guarded(Request<'a>, Decision<'a>, Asks<'a>, Facts, Option<Granted<'a>>),
}

impl<'a> Wish<'a> {
    /// What it asks, if it only looks (`dry`), or if it does not.
    const fn charge(&self, dry: bool) -> Option<Charge<'_, 'a>> {
        match self {
            Self::Guarded(request, _, asks, facts, _) if request.dry_run == dry => {
                Some(Charge { asks, facts })
            }
            Self::Guarded(..) | Self::Answered(_) => None,
        }
    }
}

/// One item after.
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large kind")]
enum Decided<'a> {
    Answer(Answer<'a>),
    Decision(Decision<'a>, Verdict<'a>),
}

impl Decided<'_> {
    const fn is_allowed(&self) -> bool {
        match self {
            Self::Answer(answer) => answer.is_allowed(),
            Self::Decision(decision, _) => matches!(decision.answer, Effect::Allow(_)),
        }
    }
}

impl<'a> Item<'a> {
    const fn request(&self) -> Option<&Request<'a>> {
        match self {
            Self::Ask(request) => Some(request),
            Self::Malformed { .. } => None,
        }
    }
}

/// Those that are allowed get the worst answer of the batch instead.
fn refuse_all(answers: &mut [Answer<'_>]) {
    let refused = answers.iter().filter(|answer| !answer.is_allowed());
    let Some(worst) = refused.min_by_key(|answer| rank(answer)) else {
        return;
    };
    let effect = match worst.decision.answer {
        Effect::Deny(_) => Effect::Deny(Disposition::Raise),
        ref other => other.clone(),
    };
    let approval: Option<OpenApproval<'_>> = worst.approval.clone();
    for answer in answers.iter_mut().filter(|answer| answer.is_allowed()) {
        answer.decision = Decision {
            answer: effect.clone(),
            reason_code: ReasonCode::BatchRefused,
            reason: BATCH_REFUSED,
            rule: None,
            ..answer.decision.clone()
        };
        answer.verdict.report_within = None;
        answer.approval.clone_from(&approval);
    }
}

/// The worst first, the longest wait first; of equals `min_by_key` takes the first item.
const fn rank(answer: &Answer<'_>) -> (u8, u64) {
    match answer.decision.answer {
        Effect::Deny(_) => (0, 0),
        Effect::RequireApproval(_) => (1, 0),
        Effect::Throttle(wait) => (2, u64::MAX - wait.nanos()),
        Effect::Allow(_) => (3, 0),
    }
}
