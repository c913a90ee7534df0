//! What people sign: grants of what they were asked to approve, and the keys they sign with
//! (design 2.2).
//!
//! Pure functions of bytes, keys and time: whoever holds the public keys can verify a grant without
//! asking anybody.

pub mod approvers;
pub mod envelope;
pub mod grant;
pub mod key;
pub mod signers;

pub use approvers::Approvers;
pub use envelope::Envelope;
pub use grant::{Grant, Refused, Verdict, Wanted, verify};
pub use key::{PrivateKey, PublicKey};
pub use signers::{Rejected, Signers};

#[cfg(test)]
mod tests;
