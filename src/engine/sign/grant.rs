//! A grant: people's signed word that one request may run, verified offline (design 2.2).
//!
//! It is bound to the digest of what was asked and to the instance that asked, and holds only
//! while the rule asks for just that. What it has left is not known here.

use super::approvers::Approvers;
use super::envelope::Envelope;
use super::key::PrivateKey;
use super::signers::{Rejected, Signers, Who};
use crate::id::Digest;
use crate::model::{Approval, ReasonCode};
use crate::time::WallTime;
use serde_json::{Value, json};

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may run.
    Grant,
    /// It may not.
    Denial,
}

impl Verdict {
    /// The type that is signed with the payload, so that a denial cannot be taken for a grant.
    #[must_use]
    pub const fn payload_type(self) -> &'static str {
        match self {
            Self::Grant => "application/vnd.tollgate.grant.v1+json",
            Self::Denial => "application/vnd.tollgate.denial.v1+json",
        }
    }

    /// What an envelope of this type says.
    #[must_use]
    pub fn of(payload_type: &str) -> Option<Self> {
        [Self::Grant, Self::Denial].into_iter().find(|verdict| verdict.payload_type() == payload_type)
    }
}

/// What approvers sign. All who answer one approval sign the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The approval that it answers, a UUID; what is spent is spent under this id.
    pub approval_id: Box<str>,
    /// The digest of what was asked.
    pub digest: Box<str>,
    /// The rule that asked for it.
    pub rule_id: Box<str>,
    /// The instance that asked.
    pub instance: Box<str>,
    /// When the approval was opened.
    pub issued_at: WallTime,
    /// When it ends.
    pub expires_at: WallTime,
    /// How often it may be used.
    pub uses: u32,
}

impl Grant {
    /// The bytes that are signed: canonical JSON, so that everybody signs the same.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let json = json!({
            "approval_id": self.approval_id,
            "digest": self.digest,
            "rule_id": self.rule_id,
            "instance": self.instance,
            "issued_at": jiff::Timestamp::from(self.issued_at).to_string(),
            "expires_at": jiff::Timestamp::from(self.expires_at).to_string(),
            "uses": self.uses,
        });
        serde_json_canonicalizer::to_vec(&json).unwrap_or_else(|_| json.to_string().into_bytes())
    }

    /// Reads a payload. One that is written in any other way, or says more, is none: who does not
    /// understand all of it must not act on it.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let json: Value = serde_json::from_slice(payload).ok()?;
        let text = |name: &str| json.get(name)?.as_str();
        let time = |name: &str| text(name)?.parse::<jiff::Timestamp>().ok().map(WallTime::from);
        let grant = Self {
            approval_id: text("approval_id")?.into(),
            digest: text("digest")?.into(),
            rule_id: text("rule_id")?.into(),
            instance: text("instance")?.into(),
            issued_at: time("issued_at")?,
            expires_at: time("expires_at")?,
            uses: u32::try_from(json.get("uses")?.as_u64()?).ok()?,
        };
        (grant.payload() == payload).then_some(grant)
    }

    /// The answer that nobody has signed yet.
    #[must_use]
    pub fn unsigned(&self, verdict: Verdict) -> Envelope {
        Envelope::new(verdict.payload_type(), self.payload())
    }

    /// The answer, signed by one approver.
    #[must_use]
    pub fn sign(&self, verdict: Verdict, key: &PrivateKey) -> Envelope {
        self.unsigned(verdict).sign(key)
    }
}

/// What a grant must say to count.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The digest of this request.
    pub digest: Digest,
    /// The rule that decides.
    pub rule_id: &'a str,
    /// What it asks for.
    pub approval: &'a Approval,
    /// The instance that is asked.
    pub instance: &'a str,
    /// Who asks; cannot approve it.
    pub user: &'a str,
    /// When.
    pub now: WallTime,
}

/// Why a grant does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is no envelope.
    NoEnvelope,
    /// It is an envelope of something else.
    NoGrant,
    /// The server knows no keys at all.
    NoKeys,
    /// Nobody whose signature counts has signed it.
    Signature(Rejected),
    /// Fewer people have signed it than the rule asks for.
    TooFew,
    /// It is for another instance.
    OtherInstance,
    /// It is for another request.
    OtherRequest,
    /// The rule, or what it asks for, is not what it was.
    OtherRule,
    /// The approval was denied, or its rule changed.
    Withdrawn,
    /// It is out of date.
    Expired,
    /// It is used up.
    Spent,
}

impl Refused {
    /// Why, for programs.
    #[must_use]
    pub const fn code(self) -> ReasonCode {
        match self {
            Self::NoEnvelope | Self::NoGrant | Self::NoKeys | Self::Signature(_) | Self::TooFew => {
                ReasonCode::GrantUnverifiable
            }
            Self::OtherInstance | Self::OtherRequest | Self::OtherRule | Self::Withdrawn => {
                ReasonCode::GrantMismatch
            }
            Self::Expired => ReasonCode::GrantExpired,
            Self::Spent => ReasonCode::GrantSpent,
        }
    }

    /// Why, for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NoEnvelope => "the grant is no signed envelope: present it just as it was given",
            Self::NoGrant => "what was presented is signed, but it is no grant",
            Self::NoKeys => {
                "the server knows no keys of approvers, so it can verify no grant; start it with `--approver-keys`"
            }
            Self::Signature(why) => why.sentence(),
            Self::TooFew => "the grant needs the signatures of more people than it has",
            Self::OtherInstance => {
                "the grant is for another instance, or for this one before it ended uncleanly; ask again"
            }
            Self::OtherRequest => "the grant is for another request; ask for an approval of this one",
            Self::OtherRule => {
                "the rule, or what it asks for, changed since the grant was given; ask for a new approval"
            }
            Self::Withdrawn => "the approval that the grant answers was denied, or voided by a change",
            Self::Expired => "the grant is out of date; ask for a new approval",
            Self::Spent => "the grant is used up; ask for a new approval",
        }
    }
}

/// Verifies a grant as it was presented.
///
/// # Errors
/// Why it does not count.
pub fn verify(text: &str, approvers: &Approvers, wanted: &Wanted<'_>) -> Result<Grant, Refused> {
    let envelope = Envelope::parse(text).ok_or(Refused::NoEnvelope)?;
    if Verdict::of(&envelope.payload_type) != Some(Verdict::Grant) {
        return Err(Refused::NoGrant);
    }
    // Signatures first: what nobody vouches for is not even read.
    signed(&envelope, approvers, wanted)?;
    let grant = Grant::parse(&envelope.payload).ok_or(Refused::NoGrant)?;
    fits(&grant, wanted)?;
    if wanted.now >= grant.expires_at {
        return Err(Refused::Expired);
    }
    Ok(grant)
}

fn signed(envelope: &Envelope, approvers: &Approvers, wanted: &Wanted<'_>) -> Result<(), Refused> {
    if approvers.is_empty() {
        return Err(Refused::NoKeys);
    }
    let enough = wanted.approval.approvers;
    let who = Who { role: &wanted.approval.role, user: wanted.user, now: wanted.now, enough };
    let signers = Signers::of(envelope, approvers, &who);
    if signers.are_enough(enough) {
        return Ok(());
    }
    Err(signers.rejected.map_or(Refused::TooFew, Refused::Signature))
}

fn fits(grant: &Grant, wanted: &Wanted<'_>) -> Result<(), Refused> {
    if *grant.instance != *wanted.instance {
        return Err(Refused::OtherInstance);
    }
    if *grant.digest != *wanted.digest.to_string() {
        return Err(Refused::OtherRequest);
    }
    let lasts = grant.expires_at.nanos().saturating_sub(grant.issued_at.nanos());
    let same_life = u64::try_from(lasts).is_ok_and(|lasts| lasts == wanted.approval.expires_in.nanos());
    if *grant.rule_id != *wanted.rule_id || grant.uses != wanted.approval.uses || !same_life {
        return Err(Refused::OtherRule);
    }
    Ok(())
}
