//! The table of approvals: what people are asked, and what became of it.
//!
//! One that is open for each digest, so that a caller who asks again waits for the same answer.
//! Bounded in number and in bytes; those that ended are kept for a while, for who still waits.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;
use tokio::sync::watch;
use tollgate_engine::id::{Digest, RuleId};
use tollgate_engine::model::Approval;
use tollgate_engine::sign::{Envelope, Grant, Rejected};
use tollgate_engine::time::WallTime;
use uuid::Uuid;

use super::counting::Counted;

/// What all open approvals may hold of their requests together.
const MOST_BYTES: usize = 64 << 20;
/// An approval is known so much longer than it may be answered.
const KNOWN_LONGER: i64 = 3_600_000_000_000;

/// How an approval stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has decided yet, or not enough people.
    Pending,
    /// This grant was given.
    Granted(Arc<str>),
    /// Somebody denied it.
    Denied,
    /// It was not answered in time, or its grant is out of date.
    Expired,
    /// The rule that asked, or what it asked for, has changed.
    Void,
}

/// What those who wait for an approval are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// How it stands.
    pub standing: Standing,
    /// Until when it may be answered, and its grant be used.
    pub expires_at: WallTime,
    /// What who decided said about it.
    pub comment: Arc<str>,
}

/// Who asks people, for what; empty texts are absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asker<'a> {
    /// The user, who cannot approve it.
    pub user: &'a str,
    /// The tenant.
    pub tenant: &'a str,
    /// The agent.
    pub agent: &'a str,
    /// The action.
    pub action: &'a str,
}

/// What people are asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The digest of what is asked.
    pub digest: Digest,
    /// The rule that asks.
    pub rule: &'a RuleId,
    /// What it asks for.
    pub approval: &'a Approval,
    /// Who asks.
    pub asker: Asker<'a>,
    /// The JSON that the digest is of.
    pub asked: &'a [u8],
}

/// An approval, open or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its id.
    pub id: Uuid,
    /// The digest of what is asked.
    pub digest: Digest,
    /// The rule that asks.
    pub rule: RuleId,
    /// What it asks for.
    pub approval: Approval,
    /// The user who asks.
    pub user: Box<str>,
    /// Of which tenant.
    pub tenant: Box<str>,
    /// By which agent.
    pub agent: Box<str>,
    /// For which action.
    pub action: Box<str>,
    /// The JSON that the digest is of; empty once it ended.
    pub asked: Arc<[u8]>,
    /// When it was opened.
    pub opened_at: WallTime,
    /// How it stands, and until when it may be answered.
    pub news: News,
    /// The signatures so far.
    pub signed: Option<Envelope>,
}

/// Why an approval was not decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecided {
    /// There is none of that id.
    Unknown,
    /// It is not open any longer.
    Over,
    /// What was signed is another approval.
    OtherApproval,
    /// It is neither a grant nor a denial.
    NoAnswer,
    /// Nobody has signed it.
    Unsigned,
    /// A signature does not count.
    Signature(Rejected),
}

/// No further approval can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

#[derive(Debug)]
struct Row {
    entry: Entry,
    told: watch::Sender<News>,
}

/// All approvals.
#[derive(Debug)]
pub struct Table {
    rows: HashMap<Uuid, Row, RandomState>,
    /// Those that answer a further question: open ones, and granted ones.
    by_digest: HashMap<Digest, Uuid, RandomState>,
    /// When something happens to each by itself.
    due: BTreeSet<(WallTime, Uuid)>,
    /// Those that ended without an answer and were not asked for yet.
    untold: Vec<Entry>,
    /// Those that ended, the longest ago first.
    ended: VecDeque<Uuid>,
    open: usize,
    bytes: usize,
    most: usize,
}

impl Table {
    /// An empty table for so many open approvals.
    pub fn new(most: usize) -> Self {
        Self {
            rows: HashMap::default(),
            by_digest: HashMap::default(),
            due: BTreeSet::new(),
            untold: Vec::new(),
            ended: VecDeque::new(),
            open: 0,
            bytes: 0,
            most,
        }
    }

    /// Opens an approval, or finds the one that asks just this. `has_left` says whether the grant
    /// of an approval can still be used.
    ///
    /// # Errors
    /// The table is full.
    pub fn open(
        &mut self,
        question: &Question<'_>,
        now: WallTime,
        id: impl FnOnce() -> Uuid,
        has_left: impl Fn(Uuid, u32) -> bool,
    ) -> Result<Entry, Full> {
        self.expire(now);
        if let Some(known) = self.by_digest.get(&question.digest).and_then(|id| self.rows.get(id)) {
            let same = known.entry.approval == *question.approval && known.entry.rule == *question.rule;
            if same && has_left(known.entry.id, known.entry.approval.uses) {
                return Ok(known.entry.clone());
            }
            let (id, granted) = (known.entry.id, matches!(known.entry.news.standing, Standing::Granted(_)));
            match granted && same {
                true => drop(self.by_digest.remove(&question.digest)),
                false => self.end_by_itself(id, Standing::Void),
            }
        }
        if self.open >= self.most || self.bytes.saturating_add(question.asked.len()) > MOST_BYTES {
            return Err(Full);
        }
        let expires_at = later(now, i64::try_from(question.approval.expires_in.nanos()).unwrap_or(i64::MAX));
        let entry = Entry {
            id: id(),
            digest: question.digest,
            rule: question.rule.clone(),
            approval: question.approval.clone(),
            user: question.asker.user.into(),
            tenant: question.asker.tenant.into(),
            agent: question.asker.agent.into(),
            action: question.asker.action.into(),
            asked: question.asked.into(),
            opened_at: now,
            news: News { standing: Standing::Pending, expires_at, comment: "".into() },
            signed: None,
        };
        self.insert(entry.clone());
        Ok(entry)
    }

    /// Takes an approval in, as it stands.
    pub fn insert(&mut self, entry: Entry) {
        let (id, digest) = (entry.id, entry.digest);
        match entry.news.standing {
            Standing::Pending => {
                self.open += 1;
                self.bytes += entry.asked.len();
                self.by_digest.insert(digest, id);
            }
            Standing::Granted(_) => {
                self.by_digest.insert(digest, id);
                self.ended.push_back(id);
            }
            Standing::Denied | Standing::Expired | Standing::Void => self.ended.push_back(id),
        }
        self.due.insert((entry.news.expires_at, id));
        let told = watch::Sender::new(entry.news.clone());
        self.rows.insert(id, Row { entry, told });
        self.forget_beyond();
    }

    /// The approval that somebody may answer.
    ///
    /// # Errors
    /// There is none of that id, or it is not open any longer.
    pub fn asked(&mut self, id: Uuid, now: WallTime) -> Result<Entry, Undecided> {
        self.expire(now);
        let entry = &self.rows.get(&id).ok_or(Undecided::Unknown)?.entry;
        match entry.news.standing {
            Standing::Pending => Ok(entry.clone()),
            Standing::Granted(_) | Standing::Denied | Standing::Expired | Standing::Void => {
                Err(Undecided::Over)
            }
        }
    }

    /// Takes an answer that was held against the approval as it was `asked`. `None`: somebody else
    /// has answered meanwhile, and nothing has changed by this.
    pub fn answer(&mut self, asked: &Entry, answer: Counted, comment: &str) -> Option<Entry> {
        let row = self.rows.get_mut(&asked.id).filter(|row| row.entry == *asked)?;
        match answer {
            Counted::Denied => self.end(asked.id, Standing::Denied, comment),
            Counted::Signed(signed, grant) => {
                row.entry.signed = Some(signed);
                row.entry.news.comment = comment.into();
                if let Some(grant) = grant {
                    self.end(asked.id, Standing::Granted(grant), comment);
                }
            }
        }
        self.get(asked.id).cloned()
    }

    /// Those that ended without an answer since this was asked last.
    pub fn expired(&mut self, now: WallTime) -> Vec<Entry> {
        self.expire(now);
        std::mem::take(&mut self.untold)
    }

    /// Ends what is due, and forgets what ended long ago.
    pub fn expire(&mut self, now: WallTime) {
        while let Some(&(when, id)) = self.due.first().filter(|(when, _)| *when <= now) {
            self.due.remove(&(when, id));
            let Some(row) = self.rows.get(&id) else { continue };
            let gone = later(row.entry.news.expires_at, KNOWN_LONGER);
            if when >= gone {
                self.remove(id);
                continue;
            }
            self.due.insert((gone, id));
            if matches!(row.entry.news.standing, Standing::Pending | Standing::Granted(_)) {
                self.end_by_itself(id, Standing::Expired);
            }
        }
    }

    /// Ends those whose rule does not ask for the same any longer, and gives them.
    pub fn void_unless(&mut self, holds: impl Fn(&RuleId, &Approval) -> bool) -> Vec<Entry> {
        let lives = |row: &&Row| matches!(row.entry.news.standing, Standing::Pending | Standing::Granted(_));
        let changed: Vec<Uuid> = self
            .rows
            .values()
            .filter(lives)
            .filter(|row| !holds(&row.entry.rule, &row.entry.approval))
            .map(|row| row.entry.id)
            .collect();
        for id in &changed {
            self.end(*id, Standing::Void, "");
        }
        changed.iter().filter_map(|id| self.rows.get(id)).map(|row| row.entry.clone()).collect()
    }

    /// Follows an approval: how it stands, then each change.
    pub fn watch(&self, id: Uuid) -> Option<watch::Receiver<News>> {
        self.rows.get(&id).map(|row| row.told.subscribe())
    }

    /// One approval.
    pub fn get(&self, id: Uuid) -> Option<&Entry> {
        self.rows.get(&id).map(|row| &row.entry)
    }

    /// All of them, in the order in which they were opened.
    pub fn list(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.rows.values().map(|row| row.entry.clone()).collect();
        entries.sort_by_key(|entry| entry.id);
        entries
    }

    /// How many are open.
    pub const fn open_ones(&self) -> usize {
        self.open
    }

    /// Ends one that nobody decided, to be told of later.
    fn end_by_itself(&mut self, id: Uuid, standing: Standing) {
        self.end(id, standing, "");
        let room = self.untold.len() < self.most;
        self.untold.extend(self.rows.get(&id).filter(|_| room).map(|row| row.entry.clone()));
    }

    fn end(&mut self, id: Uuid, standing: Standing, comment: &str) {
        let Some(row) = self.rows.get_mut(&id) else { return };
        let entry = &mut row.entry;
        if entry.news.standing == Standing::Pending {
            self.open -= 1;
            self.bytes -= entry.asked.len();
            entry.asked = Arc::default();
            self.ended.push_back(id);
        }
        if !matches!(standing, Standing::Granted(_)) && self.by_digest.get(&entry.digest) == Some(&id) {
            self.by_digest.remove(&entry.digest);
        }
        entry.news.standing = standing;
        entry.news.comment = comment.into();
        row.told.send_replace(entry.news.clone());
        self.forget_beyond();
    }

    /// Of those that ended as many are kept as may be open.
    fn forget_beyond(&mut self) {
        while self.rows.len() - self.open > self.most {
            let Some(oldest) = self.ended.front().copied() else { return };
            self.remove(oldest);
        }
    }

    fn remove(&mut self, id: Uuid) {
        let Some(Row { entry, .. }) = self.rows.remove(&id) else { return };
        let expires_at = entry.news.expires_at;
        self.due.remove(&(expires_at, id));
        self.due.remove(&(later(expires_at, KNOWN_LONGER), id));
        if self.by_digest.get(&entry.digest) == Some(&id) {
            self.by_digest.remove(&entry.digest);
        }
        self.ended.retain(|other| *other != id);
    }
}

impl Entry {
    /// What approvers sign.
    pub fn grant(&self, instance: &str) -> Grant {
        Grant {
            approval_id: self.id.to_string().into(),
            digest: self.digest.to_string().into(),
            rule_id: self.rule.as_str().into(),
            instance: instance.into(),
            issued_at: self.opened_at,
            expires_at: self.news.expires_at,
            uses: self.approval.uses,
        }
    }
}

fn later(time: WallTime, nanos: i64) -> WallTime {
    WallTime::from_nanos(time.nanos().saturating_add(nanos))
}
