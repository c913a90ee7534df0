//! The approval that a decision asks for, and the grant that answers it.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use metrics::counter;
use tollgate_engine::compile::Compiled;
use tollgate_engine::decide::{Answer as Effect, Decision, GrantBook, Request};
use tollgate_engine::guardrail::At;
use tollgate_engine::id::RuleId;
use tollgate_engine::model::{Approval, Disposition, ReasonCode, RuleEffect};
use tollgate_engine::sign::{Envelope, Refused};
use tollgate_engine::time::WallTime;
use tollgate_engine::value::View;
use uuid::Uuid;

use super::DataPlane;
use super::answer::OpenApproval;
use super::approvals::{
    Approvals, Asked, Asker, Entry, Full, Question, Spending, Standing, Token, Undecided,
};
use crate::events::{self, ApprovalState, Event};
use crate::telemetry::metrics::APPROVALS;

/// Why a request is denied when nobody can be asked any more.
const APPROVALS_FULL: &str = "people have to approve it, and too many approvals are open already; \
     ask again when some are answered, see `tollgate approvals`";

/// The grants of one call: redeemed one after the other, spent together.
pub(super) struct Grants<'p> {
    approvals: &'p Approvals,
    now: WallTime,
    redeemed: Vec<Token>,
    spending: Option<Spending<'p>>,
}

impl GrantBook for Grants<'_> {
    fn redeem(
        &mut self,
        request: &Request<'_>,
        decision: &Decision<'_>,
        wanted: &Approval,
    ) -> Result<(), (ReasonCode, &'static str)> {
        let told = |why: Refused| (why.code(), why.sentence());
        let rule = decision.rule.ok_or(told(Refused::OtherRule))?;
        let asked = Asked::of(request, decision.environment, rule, &wanted.bind);
        let presented = (0..request.grants.len()).filter_map(|at| match request.grants.at(at) {
            Some(View::Str(grant)) => Some(grant),
            Some(_) | None => None,
        });
        let question = question(request, &asked, rule, wanted);
        let found = self.approvals.verify(presented, &question, &self.redeemed, self.now);
        let token = found.map_err(|why| told(why.unwrap_or(Refused::NoEnvelope)))?;
        if request.spends_grants() {
            self.redeemed.push(token);
        }
        Ok(())
    }

    fn begin(&mut self) -> bool {
        self.spending = self.approvals.spend(std::mem::take(&mut self.redeemed));
        self.spending.is_some()
    }

    fn close(&mut self, spent: bool) {
        self.spending.take().filter(|_| spent).into_iter().for_each(Spending::commit);
    }
}

impl DataPlane {
    /// What redeems the grants of a call at this time.
    pub(super) const fn grants(&self, at: At) -> Grants<'_> {
        Grants { approvals: &self.approvals, now: at.wall, redeemed: Vec::new(), spending: None }
    }

    /// Adds the approval that a decision asks for; denies where no more can be asked.
    pub(super) fn with_approval<'a>(
        &self,
        request: &Request<'_>,
        decision: Decision<'a>,
        decision_id: Uuid,
        now: WallTime,
    ) -> (Decision<'a>, Option<OpenApproval<'a>>) {
        let (Effect::RequireApproval(wanted), Some(rule)) = (&decision.answer, decision.rule) else {
            return (decision, None);
        };
        // What waits for another item of its batch opens nothing of its own.
        if decision.reason_code == ReasonCode::BatchRefused {
            return (decision, None);
        }
        match self.ask_people(request, (decision_id, &decision), rule, wanted, now) {
            Ok(approval) => (decision, Some(approval)),
            Err(Full) => {
                let answer = Effect::Deny(Disposition::Raise);
                let (reason_code, reason) = (ReasonCode::ApprovalsFull, APPROVALS_FULL);
                (Decision { answer, reason_code, reason, ..decision }, None)
            }
        }
    }

    /// Asks people, unless the request only looks or they are asked already.
    fn ask_people<'a>(
        &self,
        request: &Request<'_>,
        (decision_id, decision): (Uuid, &Decision<'_>),
        rule: &RuleId,
        wanted: &'a Approval,
        now: WallTime,
    ) -> Result<OpenApproval<'a>, Full> {
        let asked = Asked::of(request, decision.environment, rule, &wanted.bind);
        let opened = if request.dry_run {
            None
        } else {
            let question = question(request, &asked, rule, wanted);
            let mut is_new = false;
            let entry = self.approvals.open(&question, now, || {
                is_new = true;
                self.clock.secret_id(now)
            })?;
            if is_new {
                self.note_approval(&entry, Some(decision_id));
            }
            Some((entry.id, entry.opened_at, entry.news.expires_at))
        };
        Ok(OpenApproval {
            id: opened.map(|(id, ..)| id),
            opened_at: opened.map(|(_, opened_at, _)| opened_at),
            expires_at: opened.map(|(.., expires_at)| expires_at),
            approvers: wanted.approvers,
            role: &wanted.role,
            uses: wanted.uses,
            request_digest: asked.digest.to_string(),
            instance: self.instance,
        })
    }
    /// Takes the signed answer of an approver.
    ///
    /// # Errors
    /// Why it is no answer to this approval.
    pub fn decide_approval(&self, id: Uuid, answer: &Envelope, comment: &str) -> Result<Entry, Undecided> {
        let entry = self.approvals.decide(id, answer, comment, self.clock.wall())?;
        match entry.news.standing {
            Standing::Pending => {
                let signed = self.approvals.signed_by(&entry).join(", ");
                tracing::info!(approval = %entry.id, signed, "an approval needs more people");
            }
            Standing::Granted(_) | Standing::Denied | Standing::Expired | Standing::Void => {
                self.note_approval(&entry, None);
            }
        }
        Ok(entry)
    }

    /// Ends the approvals that nobody answered in time. To be called about every second.
    pub fn sweep_approvals(&self) {
        for entry in self.approvals.sweep(self.clock.wall()) {
            self.note_approval(&entry, None);
        }
    }

    /// Ends the approvals whose rule does not ask for the same any longer.
    pub(super) fn void_changed_approvals(&self, compiled: &Compiled) {
        let enabled = compiled.source().rules.iter().filter(|rule| rule.enabled);
        let asking: HashMap<&RuleId, &Approval, RandomState> = enabled
            .filter_map(|rule| match &rule.effect {
                RuleEffect::RequireApproval(approval) => Some((&rule.id, approval)),
                RuleEffect::Allow | RuleEffect::Deny(_) | RuleEffect::Modify(_) => None,
            })
            .collect();
        let holds = |rule: &RuleId, approval: &Approval| asking.get(rule) == Some(&approval);
        for entry in self.approvals.void_unless(holds) {
            self.note_approval(&entry, None);
        }
    }

    /// Tells and counts that an approval was opened or ended. Never waits.
    fn note_approval(&self, entry: &Entry, decision_id: Option<Uuid>) {
        let (became, state) = match entry.news.standing {
            Standing::Pending => ("opened", ApprovalState::Pending),
            Standing::Granted(_) => ("granted", ApprovalState::Granted),
            Standing::Denied => ("denied", ApprovalState::Denied),
            Standing::Expired => ("expired", ApprovalState::Expired),
            Standing::Void => ("void", ApprovalState::Void),
        };
        self.log_approval(entry, became, decision_id);
        let event = events::Approval {
            state,
            approval_id: entry.id,
            rule_id: entry.rule.as_str().into(),
            decision_id,
            tenant: entry.tenant.clone(),
            agent: entry.agent.clone(),
            action: entry.action.clone(),
        };
        self.events.emit(Event::Approval(event), self.clock.wall());
        counter!(APPROVALS, "became" => became).increment(1);
    }
}

fn question<'q>(
    request: &Request<'q>,
    asked: &'q Asked,
    rule: &'q RuleId,
    approval: &'q Approval,
) -> Question<'q> {
    let subject = &request.subject;
    let asker = Asker {
        user: subject.user,
        tenant: subject.tenant,
        agent: subject.agent,
        action: request.action.name,
    };
    Question { digest: asked.digest, rule, approval, asker, asked: &asked.json }
}
