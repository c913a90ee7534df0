//! Whose signatures on an envelope count.

use super::approvers::{ApproverKey, Approvers};
use super::envelope::{Envelope, Signature};
use crate::time::WallTime;

/// Who is asked to sign.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// The role they need.
    pub role: &'a str,
    /// Who asks, and therefore cannot be one of them; empty: nobody in particular.
    pub user: &'a str,
    /// When it is looked at.
    pub now: WallTime,
    /// So many different people suffice: the signatures of further ones are not looked at.
    pub enough: u32,
}

/// Whose signatures count, and why others do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signers<'a> {
    /// The owners whose signatures count, each once.
    pub owners: Vec<&'a str>,
    /// Why the first that does not count does not.
    pub rejected: Option<Rejected>,
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// No key of that id is known.
    UnknownKey,
    /// The key did not sign this.
    Forged,
    /// The key does not count yet, or not any longer.
    OutOfDate,
    /// The owner lacks the role.
    WrongRole,
    /// The owner is who asks.
    OwnRequest,
}

impl Rejected {
    /// Why, for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::UnknownKey => "it is signed with a key that is not among the server's `--approver-keys`",
            Self::Forged => "a signature does not fit: the grant was changed, or never signed with that key",
            Self::OutOfDate => "it is signed with a key that does not count at this time",
            Self::WrongRole => "it is signed by somebody who lacks the role that the rule asks for",
            Self::OwnRequest => "it is signed by the user who asks; nobody approves their own request",
        }
    }
}

impl<'a> Signers<'a> {
    /// Looks at the signatures of an envelope. One that does not fit ends it, so that looking at
    /// what somebody made up costs little.
    #[must_use]
    pub fn of(envelope: &Envelope, approvers: &'a Approvers, who: &Who<'_>) -> Self {
        let bytes = envelope.signed_bytes();
        let mut signers = Self::default();
        for signature in &envelope.signatures {
            if signers.are_enough(who.enough) {
                break;
            }
            match judge(signature, &bytes, approvers, who) {
                Err(Rejected::Forged) => {
                    return Self { owners: Vec::new(), rejected: Some(Rejected::Forged) };
                }
                Ok(key) if signers.owners.contains(&&*key.owner) => {}
                Ok(key) => signers.owners.push(&key.owner),
                Err(why) => signers.rejected = signers.rejected.or(Some(why)),
            }
        }
        signers
    }

    /// Whether so many different people have signed.
    #[must_use]
    pub fn are_enough(&self, approvers: u32) -> bool {
        u32::try_from(self.owners.len()).unwrap_or(u32::MAX) >= approvers.max(1)
    }
}

fn judge<'a>(
    signature: &Signature,
    bytes: &[u8],
    approvers: &'a Approvers,
    who: &Who<'_>,
) -> Result<&'a ApproverKey, Rejected> {
    let key = approvers.key(&signature.key_id).ok_or(Rejected::UnknownKey)?;
    if !key.key.verifies(bytes, &signature.bytes) {
        return Err(Rejected::Forged);
    }
    if !key.is_valid(who.now) {
        return Err(Rejected::OutOfDate);
    }
    if !key.has(who.role) {
        return Err(Rejected::WrongRole);
    }
    if !who.user.is_empty() && *key.owner == *who.user {
        return Err(Rejected::OwnRequest);
    }
    Ok(key)
}
