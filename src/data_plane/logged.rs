//! What the decision log is told (design 2.3). Where there is no log it costs a look at a flag.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tollgate_engine::compile::Compiled;
use tollgate_engine::decide::{Answer as Effect, Decision, Request};
use tollgate_engine::guardrail::report::Outcome;
use tollgate_engine::guardrail::retry::Attempt;
use tollgate_engine::guardrail::verdict::{self, Verdict};
use tollgate_engine::guardrail::{At, Guards};
use tollgate_engine::model::ReasonCode;
use uuid::Uuid;

use super::DataPlane;
use super::answer::{Answer, Arm, deny};
use super::install::Offer;
use super::operate::{Handling, operation_name};
use super::report::Reported;
use super::retry::RetryAnswer;
use super::snapshot::{Serving, Snapshot, State};
use super::stops::StopView;
use crate::decision_log::record::{Asked, DecisionRecord, InBatch, Origin, ReportRecord, RetryRecord};
use crate::decision_log::{KeyTold, Pen, Rare, sample};
use crate::events::{self, StopChange};

/// Why an action is refused that could not be recorded.
const UNLOGGED: &str = "what is decided here must be recorded, and the decision log takes no more records; \
     ask again later";

/// What a record tells besides the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// When the decision was taken.
    pub at: At,
    /// How long it took, in nanoseconds.
    pub nanos: u64,
    /// The state of the thread's draws before it.
    pub draw: u64,
    /// Its place in a batch.
    pub batch: Option<InBatch>,
}

impl DataPlane {
    /// What the decision log has done.
    #[must_use]
    pub fn log_stats(&self) -> Option<crate::decision_log::Stats> {
        self.log.as_ref().map(crate::decision_log::Log::stats)
    }

    /// Begins a new file of the decision log.
    pub fn rotate_log(&self) {
        if let Some(log) = &self.log {
            log.rotate();
        }
    }

    /// Tells that the decision log cannot be written, or can be again.
    pub(super) fn tell_of_log(&self) {
        let Some(log) = &self.log else { return };
        let now = log.health().failing.is_some();
        if self.log_failing.swap(now, Ordering::Relaxed) != now {
            let failing = log.health().failing.map(String::into_boxed_str);
            self.events.emit(events::Event::DecisionLog { failing }, self.clock.wall());
        }
    }

    /// The id, saying whether its decision is recorded.
    pub(super) fn sampled(&self, id: Uuid, decision: &Decision<'_>) -> Uuid {
        match &self.log {
            // Also where all are: the process after this one may record a share, and get its report.
            Some(log) if log.rates().is_all() => sample::mark(id, 1.0),
            Some(log) => {
                let rule = decision.rule.map_or("", |rule| rule.as_str());
                sample::mark(id, log.rates().of(effect_name(&decision.answer), rule))
            }
            None => id,
        }
    }

    /// Refuses an action for whose record there is no room. Nothing was charged.
    pub(super) fn unlogged<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        request_id: &'a str,
        environment: &'a str,
        at: At,
    ) -> Answer<'a> {
        Answer {
            decision_id: self.clock.decision_id(at.wall),
            request_id,
            decided_at: at.wall,
            arm: snapshot.arm(),
            bundle: snapshot.bundle(),
            decision: deny(ReasonCode::LogUnavailable, UNLOGGED, environment),
            verdict: Verdict::default(),
            approval: None,
            read: tollgate_engine::decide::Read::default(),
        }
    }

    /// Records a decision; `request` is `None` where it was malformed.
    #[inline]
    pub(super) fn log_decision(
        &self,
        pen: &mut Pen,
        snapshot: &Snapshot,
        answer: &Answer<'_>,
        request: Option<&Request<'_>>,
        taken: Taken,
    ) {
        if !pen.is_on() {
            return;
        }
        // It was counted when it was refused.
        if answer.decision.reason_code == ReasonCode::LogUnavailable {
            return;
        }
        let asked = answer.approval.as_ref().map(|open| Asked {
            id: open.id,
            opened_at: open.opened_at,
            expires_at: open.expires_at,
            approvers: open.approvers,
            role: open.role,
            uses: open.uses,
            request_digest: &open.request_digest,
            instance: open.instance,
        });
        pen.decision(&DecisionRecord {
            id: answer.decision_id,
            at: taken.at,
            took: taken.nanos,
            draw: taken.draw,
            origin: origin(snapshot, answer.arm),
            request,
            request_id: answer.request_id,
            batch: taken.batch,
            decision: &answer.decision,
            verdict: &answer.verdict,
            asked,
            read: &answer.read,
            sampled: self.share(&answer.decision),
        });
    }

    /// The share of such decisions that is recorded, where it is not all.
    fn share(&self, decision: &Decision<'_>) -> Option<f64> {
        let rates = self.log.as_ref()?.rates();
        if rates.is_all() {
            return None;
        }
        // Its share was drawn before it was known that nobody can be asked any more.
        let effect = match decision.reason_code {
            ReasonCode::ApprovalsFull => "REQUIRE_APPROVAL",
            _ => effect_name(&decision.answer),
        };
        let share = rates.of(effect, decision.rule.map_or("", |rule| rule.as_str()));
        (share < 1.0).then_some(share)
    }

    /// Records a report.
    pub(super) fn log_report(
        &self,
        pen: &mut Pen,
        id: Uuid,
        outcome: Option<&Outcome>,
        reported: Reported,
        at: At,
    ) {
        if pen.is_on() {
            let within = match reported {
                Reported::Renewed(shortest) => Some(shortest),
                Reported::Applied | Reported::Duplicate | Reported::Unknown => None,
            };
            pen.report(&ReportRecord { at, id, outcome, result: reported.name(), within });
        }
    }

    /// Records a retry decision.
    pub(super) fn log_retry(
        &self,
        pen: &mut Pen,
        snapshot: &Snapshot,
        answer: &RetryAnswer<'_>,
        (request, attempt): (&Request<'_>, &Attempt),
        (at, draw): (At, u64),
    ) {
        if pen.is_on() && answer.plan.code() != ReasonCode::LogUnavailable {
            pen.retry(&RetryRecord {
                at,
                draw,
                origin: origin(snapshot, answer.arm),
                request,
                attempt,
                plan: answer.plan,
                policy: answer.policy.map_or("", |name| name.as_str()),
                reason: answer.stopped.unwrap_or_else(|| answer.plan.reason()),
                environment: answer.environment,
            });
        }
    }

    /// A bundle is about to serve: the number that its records will name, after the record of the
    /// bundle itself.
    pub(super) fn log_bundle(&self, name: &str, compiled: &Compiled, guards: &std::sync::Arc<Guards>) -> u32 {
        let Some(log) = &self.log else { return 0 };
        let (version, digest) = (compiled.source().version.to_string(), compiled.digest().to_string());
        let snapshot = self.snapshot.load();
        let before =
            |of: fn(&Serving) -> &str| snapshot.serving.as_deref().map(of).unwrap_or_default().to_owned();
        let fields = [
            ("version", json!(version)),
            ("digest", json!(digest)),
            ("previous_version", json!(before(|serving| &serving.version))),
            ("previous_digest", json!(before(|serving| &serving.digest))),
            ("source", json!(name)),
            ("environment", json!(self.options.environment)),
        ];
        let edition = log.follow(&version, &digest, guards, &compiled.source().mask);
        log.tell(Rare::new("bundle", self.at(), fields));
        edition
    }

    /// Keeps the text of a bundle beside the log, so that its decisions can be explained later.
    pub(super) fn log_content(&self, digest: &str, offer: &Offer) {
        let Some(log) = &self.log else { return };
        let file =
            |(name, bytes): &(String, Vec<u8>)| json!({"name": name, "text": String::from_utf8_lossy(bytes)});
        let files: Vec<Value> = offer.files.iter().map(file).collect();
        log.keep_bundle(digest, &json!({"digest": digest, "source": offer.name, "files": files}));
    }

    /// Records what a new bundle changes of guardrails.
    pub(super) fn log_changes(&self, changes: &[events::Event]) {
        let Some(log) = &self.log else { return };
        for change in changes {
            if let events::Event::Guardrail { guardrail, .. } = change {
                let name = change.kind().name();
                let name = name.strip_prefix("guardrail.").unwrap_or(name);
                let fields = [("change", json!(name)), ("guardrail", json!(guardrail))];
                log.tell(Rare::new("guardrail", self.at(), fields));
            }
        }
    }

    /// Records what happened to guardrails. Never waits.
    pub(super) fn log_happened(&self, guards: &Guards, happened: &[verdict::Event]) {
        let Some(log) = &self.log else { return };
        let at = self.at();
        for one in happened {
            let (id, key, change, from) = match one {
                verdict::Event::Breaker { guard, key, transition } => {
                    (*guard, key, transition.to.name(), transition.from.name())
                }
                verdict::Event::ThrottleCleared { guard, key } => (*guard, key, "cleared", ""),
                // Told as the action of the operator.
                verdict::Event::Operated { .. } => continue,
            };
            let Some(guard) = guards.get(id) else { continue };
            let fields = [
                ("change", json!(change)),
                ("from", json!(from)),
                ("guardrail", json!(guard.name.as_str())),
                ("type", json!(guard.rules.type_name())),
            ];
            log.tell(Rare::new("guardrail", at, fields).about(Some(KeyTold::of(guard, key))));
        }
    }

    /// Records what an operator did to a guardrail.
    pub(super) fn log_handled(&self, handling: &Handling<'_>, key: Option<KeyTold>, at: At) {
        let Some(log) = &self.log else { return };
        let fields = [
            ("operation", json!(operation_name(handling.operation))),
            ("guardrail", json!(handling.guardrail)),
            ("by", json!(handling.by)),
            ("reason", json!(handling.reason)),
        ];
        log.tell(Rare::new("operator", at, fields).about(key));
    }

    /// Records what became of an emergency stop.
    pub(super) fn log_stop(&self, change: StopChange, view: &StopView, by: &str) {
        let Some(log) = &self.log else { return };
        let operation = match change {
            StopChange::Set => "SET_STOP",
            StopChange::Cleared => "CLEAR_STOP",
            StopChange::Expired => "STOP_EXPIRED",
        };
        let fields = [
            ("operation", json!(operation)),
            ("stop_id", json!(view.id.to_string())),
            ("selector", json!(view.selector)),
            ("effect", json!(view.effect_name())),
            ("by", json!(by)),
            ("reason", json!(view.reason)),
            ("expires_at", json!(jiff::Timestamp::from(view.expires_at).to_string())),
        ];
        log.tell(Rare::new("operator", self.at(), fields));
    }

    /// Records that a question to people was asked, answered or given up.
    pub(super) fn log_approval(&self, entry: &super::approvals::Entry, became: &str, decision: Option<Uuid>) {
        let Some(log) = &self.log else { return };
        let by = self.approvals.signed_by(entry);
        let fields = [
            ("approval_id", json!(entry.id.to_string())),
            ("became", json!(became)),
            ("rule_id", json!(entry.rule.as_str())),
            ("decision_id", decision.map_or(Value::Null, |id| json!(id.to_string()))),
            ("by", if by.is_empty() { Value::Null } else { json!(by) }),
        ];
        log.tell(Rare::new("approval", self.at(), fields));
    }
}

fn origin(snapshot: &Snapshot, arm: Arm) -> Origin {
    let edition = snapshot.serving.as_ref().map_or(0, |serving| serving.edition);
    Origin { edition, arm: arm.name(), stale: snapshot.state == State::ReadyLkg }
}

const fn effect_name(answer: &Effect<'_>) -> &'static str {
    match answer {
        Effect::Allow(_) => "ALLOW",
        Effect::Deny(_) => "DENY",
        Effect::RequireApproval(_) => "REQUIRE_APPROVAL",
        Effect::Throttle(_) => "THROTTLE",
    }
}
