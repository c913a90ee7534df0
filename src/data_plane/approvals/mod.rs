//! Approvals: what people are asked, what they answered, and what is left of their grants
//! (design 2.2, 3.4).
//!
//! No private key ever comes here. A grant is verified with the public keys that the operator
//! named, wherever it was signed.

pub mod asked;
mod counting;
pub mod pending;
pub mod saved;
pub mod spent;

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tollgate_engine::id::RuleId;
use tollgate_engine::model::Approval;
use tollgate_engine::sign::{Approvers, Envelope, Refused, Wanted, verify};
use tollgate_engine::time::WallTime;
use uuid::Uuid;

pub use asked::Asked;
pub use pending::{Asker, Entry, Full, News, Question, Standing, Undecided};
pub use saved::SavedApprovals;
pub use spent::{Spending, Token};

use super::lock;
use counting::Counted;
use pending::Table;
use saved::SavedApproval;
use spent::Spent;

/// The approvals of one instance.
#[derive(Debug)]
pub struct Approvals {
    instance: Uuid,
    /// The same as grants spell it.
    instance_text: Box<str>,
    approvers: ArcSwap<Approvers>,
    table: Mutex<Table>,
    spent: Spent,
}

impl Approvals {
    /// None yet; at most so many may be open.
    #[must_use]
    pub fn new(instance: Uuid, approvers: Approvers, most: usize) -> Self {
        Self {
            instance,
            instance_text: instance.to_string().into(),
            approvers: ArcSwap::from_pointee(approvers),
            table: Mutex::new(Table::new(most)),
            spent: Spent::default(),
        }
    }

    /// The instance that grants are bound to.
    #[must_use]
    pub const fn instance(&self) -> Uuid {
        self.instance
    }

    /// Whose signatures count from here on.
    pub fn trust(&self, approvers: Approvers) {
        self.approvers.store(Arc::new(approvers));
    }

    /// Looks for a grant among those presented that lets the rule's request through. Nothing is
    /// spent; the token is the right to [`Approvals::spend`] it. What was `redeemed` before in the
    /// same call counts as spent.
    ///
    /// # Errors
    /// Why the last of them does not count.
    pub fn verify<'g>(
        &self,
        grants: impl IntoIterator<Item = &'g str>,
        question: &Question<'_>,
        redeemed: &[Token],
        now: WallTime,
    ) -> Result<Token, Option<Refused>> {
        let approvers = self.approvers.load();
        let wanted = Wanted {
            digest: question.digest,
            rule_id: question.rule.as_str(),
            approval: question.approval,
            instance: &self.instance_text,
            user: question.asker.user,
            now,
        };
        let mut refused = None;
        for grant in grants {
            match self.verify_one(grant, &approvers, &wanted, redeemed) {
                Ok(token) => return Ok(token),
                Err(why) => refused = Some(why),
            }
        }
        Err(refused)
    }

    fn verify_one(
        &self,
        grant: &str,
        approvers: &Approvers,
        wanted: &Wanted<'_>,
        redeemed: &[Token],
    ) -> Result<Token, Refused> {
        let grant = verify(grant, approvers, wanted)?;
        let id = Uuid::try_parse(&grant.approval_id).map_err(|_| Refused::NoGrant)?;
        let standing = lock(&self.table).get(id).map(|entry| entry.news.standing.clone());
        if matches!(standing, Some(Standing::Denied | Standing::Void)) {
            return Err(Refused::Withdrawn);
        }
        let before = redeemed.iter().filter(|token| token.id == id).count();
        let before = u32::try_from(before).unwrap_or(u32::MAX);
        if self.spent.times(id).saturating_add(before) >= grant.uses {
            return Err(Refused::Spent);
        }
        Ok(Token { id, uses: grant.uses, expires_at: grant.expires_at })
    }

    /// Begins to spend grants that were verified, a use for each, all or none; `None` when one has
    /// no use left. What holds it holds up everybody else who spends.
    pub fn spend(&self, tokens: Vec<Token>) -> Option<Spending<'_>> {
        self.spent.begin(tokens)
    }

    /// Opens an approval, or finds the one that asks just this.
    ///
    /// # Errors
    /// Too many are open.
    pub fn open(
        &self,
        question: &Question<'_>,
        now: WallTime,
        id: impl FnOnce() -> Uuid,
    ) -> Result<Entry, Full> {
        lock(&self.table).open(question, now, id, |id, uses| self.spent.times(id) < uses)
    }

    /// Takes an answer that an approver signed.
    ///
    /// # Errors
    /// Why it is no answer to this approval.
    pub fn decide(
        &self,
        id: Uuid,
        answer: &Envelope,
        comment: &str,
        now: WallTime,
    ) -> Result<Entry, Undecided> {
        let approvers = self.approvers.load();
        loop {
            let asked = lock(&self.table).asked(id, now)?;
            // The lock is free meanwhile: who else answers just now has another look at it taken.
            let counted = Counted::of(answer, &asked, &approvers, (&self.instance_text, now))?;
            if let Some(entry) = lock(&self.table).answer(&asked, counted, comment) {
                return Ok(entry);
            }
        }
    }

    /// Who has signed an approval so far: the owners of the keys.
    #[must_use]
    pub fn signed_by(&self, entry: &Entry) -> Vec<String> {
        let approvers = self.approvers.load();
        let signatures = entry.signed.iter().flat_map(|envelope| &envelope.signatures);
        signatures.filter_map(|one| approvers.key(&one.key_id)).map(|key| key.owner.to_string()).collect()
    }

    /// What approvers sign to answer this one.
    #[must_use]
    pub fn grant(&self, entry: &Entry) -> tollgate_engine::sign::Grant {
        entry.grant(&self.instance_text)
    }

    /// Follows an approval: how it stands, then each change.
    #[must_use]
    pub fn watch(&self, id: Uuid, now: WallTime) -> Option<watch::Receiver<News>> {
        let mut table = lock(&self.table);
        table.expire(now);
        table.watch(id)
    }

    /// All approvals that are known, in the order in which they were opened.
    #[must_use]
    pub fn list(&self, now: WallTime) -> Vec<Entry> {
        let mut table = lock(&self.table);
        table.expire(now);
        table.list()
    }

    /// How many are open.
    #[must_use]
    pub fn open_ones(&self) -> usize {
        lock(&self.table).open_ones()
    }

    /// Ends what was not answered in time, and gives once what ended without an answer. To be called every second or so.
    pub fn sweep(&self, now: WallTime) -> Vec<Entry> {
        self.spent.forget(now);
        lock(&self.table).expired(now)
    }

    /// Ends those whose rule does not ask for the same any longer, and gives them.
    pub fn void_unless(&self, holds: impl Fn(&RuleId, &Approval) -> bool) -> Vec<Entry> {
        lock(&self.table).void_unless(holds)
    }

    /// What has to be known after a restart.
    #[must_use]
    pub fn export(&self) -> SavedApprovals {
        SavedApprovals {
            instance: self.instance.as_u128(),
            approvals: lock(&self.table).list().iter().map(SavedApproval::of).collect(),
            spent: self.spent.export(),
        }
    }

    /// Goes on with what was known before the restart. What another instance asked ended with it.
    pub fn import(&self, saved: &SavedApprovals) {
        if saved.instance != self.instance.as_u128() {
            return;
        }
        self.spent.import(&saved.spent);
        let mut table = lock(&self.table);
        for entry in saved.approvals.iter().filter_map(SavedApproval::entry) {
            if table.get(entry.id).is_none() {
                table.insert(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests;
