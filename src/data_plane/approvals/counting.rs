//! Whose signatures an answer has, and whether they are enough.
//!
//! Looking at signatures takes long beside a decision: not under the lock of the table.

use std::sync::Arc;

use tollgate_engine::sign::signers::Who;
use tollgate_engine::sign::{Approvers, Envelope, Signers, Verdict};
use tollgate_engine::time::WallTime;

use super::pending::{Entry, Undecided};

/// What an answer makes of an approval.
#[derive(Debug)]
pub enum Counted {
    /// Somebody denied it.
    Denied,
    /// Its signatures from now on; with the grant, where they are enough.
    Signed(Envelope, Option<Arc<str>>),
}

impl Counted {
    /// Holds a signed answer against the approval as it stands.
    ///
    /// # Errors
    /// Why it is no answer to it.
    pub fn of(
        answer: &Envelope,
        entry: &Entry,
        approvers: &Approvers,
        (instance, now): (&str, WallTime),
    ) -> Result<Self, Undecided> {
        let verdict = Verdict::of(&answer.payload_type).ok_or(Undecided::NoAnswer)?;
        if *answer.payload != *entry.grant(instance).payload() {
            return Err(Undecided::OtherApproval);
        }
        let who = Who { role: &entry.approval.role, user: &entry.user, now, enough: u32::MAX };
        let signers = Signers::of(answer, approvers, &who);
        if let Some(why) = signers.rejected {
            return Err(Undecided::Signature(why));
        }
        if signers.owners.is_empty() {
            return Err(Undecided::Unsigned);
        }
        Ok(match verdict {
            Verdict::Denial => Self::Denied,
            Verdict::Grant => {
                let merged = merge(entry.signed.as_ref(), answer, approvers);
                let enough = Signers::of(&merged, approvers, &who).are_enough(entry.approval.approvers);
                let grant = enough.then(|| merged.to_text().into());
                Self::Signed(merged, grant)
            }
        })
    }
}

/// The signatures so far and the new ones, one for each owner.
fn merge(so_far: Option<&Envelope>, answer: &Envelope, approvers: &Approvers) -> Envelope {
    let owner = |key_id: &str| approvers.key(key_id).map(|key| key.owner.clone());
    let mut merged = so_far.cloned().unwrap_or_else(|| Envelope { signatures: vec![], ..answer.clone() });
    for signature in &answer.signatures {
        let who = owner(&signature.key_id);
        merged.signatures.retain(|other| owner(&other.key_id).is_some_and(|other| Some(other) != who));
        merged.signatures.push(signature.clone());
    }
    merged
}
