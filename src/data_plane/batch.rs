//! Many questions at once: one snapshot, one instant (design 1.7).

use tollgate_engine::decide::{Answer as Effect, Decision, Read, Request, Tools};
use tollgate_engine::guardrail::key::Flush;
use tollgate_engine::guardrail::{At, Verdict};
use tollgate_engine::model::ReasonCode;
use tollgate_engine::unit::Span;

use super::answer::{Answer, deny};
use super::authorize::NO_BUNDLE;
use super::local::Parts;
use super::logged::Taken;
use super::snapshot::{Serving, Snapshot};
use super::{DataPlane, local, record};
use crate::decision_log::Pen;
use crate::decision_log::record::InBatch;

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
    /// One that is shed.
    Shed {
        /// Its id.
        request_id: &'a str,
        /// When to ask again.
        retry_after: Span,
    },
}

/// Why an item is shed, for people.
const OVERLOADED: &str = "the server has more to do than it can; ask again later, with fewer in flight";

impl DataPlane {
    /// Decides all of a batch, and gives the answers, in the same order, to `then`.
    pub fn authorize_batch<R>(
        &self,
        items: &[Item<'_>],
        all_or_nothing: bool,
        then: impl FnOnce(Vec<Answer<'_>>) -> R,
    ) -> R {
        local::with(self, |Parts { snapshot, tools, tally, refusals, pen }| {
            let at = self.at();
            // The flush of the call has a name that no other call has.
            let name = self.clock.decision_id(at.wall).as_u128();
            let call = Flush::Unnamed(name);
            let batch = |index| InBatch { call: name, index, of: items.len(), all_or_nothing };
            pen.done();
            let (answers, nanos) = match &snapshot.serving {
                Some(serving) if all_or_nothing => {
                    let draw = tools.draw.state();
                    let answers = if room_for_all(pen, snapshot, items) {
                        self.together(snapshot, serving, items, at, call, tools)
                    } else {
                        items.iter().map(|item| self.item_unlogged(pen, snapshot, item, at)).collect()
                    };
                    let nanos = self.clock.moment().since(at.now).nanos() / (items.len().max(1) as u64);
                    for (index, (answer, item)) in answers.iter().zip(items).enumerate() {
                        let taken = Taken { at, nanos, draw, batch: Some(batch(index)) };
                        self.log_decision(pen, snapshot, answer, item.request(), taken);
                    }
                    (answers, vec![nanos; items.len()])
                }
                Some(_) | None => self.one_by_one(snapshot, items, (at, call), batch, tools, pen),
            };
            for ((answer, item), nanos) in answers.iter().zip(items).zip(nanos) {
                let request = item.request();
                if request.is_none_or(|request| !request.dry_run) {
                    record::decision(tally, snapshot, answer, request, nanos);
                }
                if let Some(request) = request.filter(|request| !request.dry_run) {
                    self.tell_of_decision(refusals, snapshot, answer, request, at);
                }
            }
            then(answers)
        })
    }

    /// Each item stands alone; the answers, and how long each took. Each is recorded before the next is
    /// decided, so that only the room for one is set aside.
    fn one_by_one<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        items: &[Item<'a>],
        (at, call): (At, Flush<'a>),
        batch: impl Fn(usize) -> InBatch,
        tools: &mut Tools,
        pen: &mut Pen,
    ) -> (Vec<Answer<'a>>, Vec<u64>) {
        let mut before = at.now;
        let each = items.iter().enumerate().map(|(index, item)| {
            let draw = tools.draw.state();
            let answer = match item {
                item if !pen.has_room(item.request(), snapshot.guardrails()) => {
                    self.item_unlogged(pen, snapshot, item, at)
                }
                Item::Ask(request) => self.answer(snapshot, request, at, call, tools),
                Item::Malformed { .. } | Item::Shed { .. } => self.unasked(snapshot, *item, at),
            };
            let after = self.clock.moment();
            let nanos = after.since(before).nanos();
            before = after;
            let taken = Taken { at, nanos, draw, batch: Some(batch(index)) };
            self.log_decision(pen, snapshot, &answer, item.request(), taken);
            pen.done();
            (answer, nanos)
        });
        each.unzip()
    }

    /// All items are allowed and charged, or none is.
    fn together<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        serving: &'a Serving,
        items: &[Item<'a>],
        at: At,
        call: Flush<'a>,
        tools: &mut Tools,
    ) -> Vec<Answer<'a>> {
        let requests: Vec<Request<'a>> = items.iter().filter_map(Item::request).copied().collect();
        let malformed = requests.len() < items.len();
        let desk = self.desk(snapshot, serving);
        let decided = desk.authorize_together(&requests, malformed, at, call, &mut self.grants(at), tools);
        let mut decided = requests.iter().zip(decided);
        let answer = |item: &Item<'a>| match item {
            Item::Ask(_) => {
                let (request, one) = decided.next()?;
                Some(self.finish(snapshot, request, at, one))
            }
            Item::Malformed { .. } | Item::Shed { .. } => Some(self.unasked(snapshot, *item, at)),
        };
        let mut answers: Vec<Answer<'a>> = items.iter().filter_map(answer).collect();
        share_approval(&mut answers);
        answers
    }

    /// Refuses one item, for whose record there is no room.
    fn item_unlogged<'a>(
        &'a self,
        pen: &mut Pen,
        snapshot: &'a Snapshot,
        item: &Item<'a>,
        at: At,
    ) -> Answer<'a> {
        pen.refused();
        let (request_id, environment) = match item {
            Item::Ask(request) => (request.request_id, request.environment_or(&self.options.environment)),
            Item::Malformed { request_id, .. } | Item::Shed { request_id, .. } => {
                (*request_id, self.options.environment.as_str())
            }
        };
        self.unlogged(snapshot, request_id, environment, at)
    }

    /// Answers an item that no policy is asked about.
    fn unasked<'a>(&'a self, snapshot: &'a Snapshot, item: Item<'a>, at: At) -> Answer<'a> {
        let environment = self.options.environment.as_str();
        let (request_id, decision) = match item {
            Item::Shed { request_id, retry_after } => {
                let shed = deny(ReasonCode::Overloaded, OVERLOADED, environment);
                (request_id, Decision { answer: Effect::Throttle(retry_after), ..shed })
            }
            Item::Malformed { request_id, reason } if snapshot.serving.is_some() => {
                (request_id, deny(ReasonCode::InvalidRequest, reason, environment))
            }
            Item::Malformed { request_id, .. } | Item::Ask(Request { request_id, .. }) => {
                (request_id, deny(ReasonCode::NoBundle, NO_BUNDLE, environment))
            }
        };
        Answer {
            decision_id: self.sampled(self.clock.decision_id(at.wall), &decision),
            request_id,
            decided_at: at.wall,
            arm: snapshot.arm(),
            bundle: snapshot.bundle(),
            decision,
            verdict: Verdict::default(),
            approval: None,
            read: Read::default(),
        }
    }
}

impl<'a> Item<'a> {
    const fn request(&self) -> Option<&Request<'a>> {
        match self {
            Self::Ask(request) => Some(request),
            Self::Malformed { .. } | Self::Shed { .. } => None,
        }
    }
}

/// Whether all of a batch can be recorded, whatever is decided.
fn room_for_all(pen: &mut Pen, snapshot: &Snapshot, items: &[Item<'_>]) -> bool {
    pen.has_room_for_all(items.iter().map(Item::request), snapshot.guardrails())
}

/// Those that wait because another item needs an approval wait for the first such.
fn share_approval(answers: &mut [Answer<'_>]) {
    let first = answers.iter().find_map(|answer| answer.approval.clone());
    let waits = |answer: &&mut Answer<'_>| {
        answer.approval.is_none() && matches!(answer.decision.answer, Effect::RequireApproval(_))
    };
    for answer in answers.iter_mut().filter(waits) {
        answer.approval.clone_from(&first);
    }
}
