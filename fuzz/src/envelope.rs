//! What approvers sign: envelopes, grants, keys. What is read is what would be written.

use std::sync::LazyLock;

use tollgate_engine::id::Digest;
use tollgate_engine::model::Approval;
use tollgate_engine::read::SourceFile;
use tollgate_engine::sign::grant::Wanted;
use tollgate_engine::sign::{Approvers, Envelope, Grant, PrivateKey, PublicKey, Verdict, verify};
use tollgate_engine::unit::Span;

use crate::requests::NOW;

/// A key that signs the seeds: no input can be signed by it unless the seeds' signatures are cut from them.
static APPROVERS: LazyLock<Approvers> = LazyLock::new(|| {
    let key = PrivateKey::from_seed(&[7; 32]).public();
    let file = format!("- {{owner: alice, roles: [approver], key: '{key}'}}");
    let (approvers, findings) =
        Approvers::read(&SourceFile { name: "approvers.yaml", bytes: file.as_bytes() });
    approvers.unwrap_or_else(|| panic!("{findings:?}"))
});

pub(crate) fn run(input: &[u8]) {
    if let Some(grant) = Grant::parse(input) {
        assert_eq!(grant.payload(), input, "a grant is signed as it is written");
        let _ = grant.unsigned(Verdict::Denial);
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Some(key) = PublicKey::parse(text) {
        assert_eq!(PublicKey::parse(&key.to_string()), Some(key));
    }
    if let Some(key) = PrivateKey::from_pem(text) {
        assert!(key.to_pem().is_some_and(|pem| PrivateKey::from_pem(&pem).is_some()));
    }
    if let Some(envelope) = Envelope::parse(text) {
        assert_eq!(
            Envelope::parse(&envelope.to_text()),
            Some(envelope),
            "an envelope is read as it was written"
        );
    }
    let approval = approval();
    let wanted = Wanted {
        digest: Digest::of(b"what was asked"),
        rule_id: "rule",
        approval: &approval,
        instance: "instance",
        user: "bob",
        now: NOW,
    };
    if let Ok(grant) = verify(text, &APPROVERS, &wanted) {
        // Whoever changes a letter of what the key has signed has no grant any longer.
        assert_eq!(*grant.digest, *wanted.digest.to_string());
        assert_eq!((&*grant.rule_id, &*grant.instance, grant.uses), ("rule", "instance", approval.uses));
    }
}

fn approval() -> Approval {
    Approval { expires_in: Span::from_nanos(3_600_000_000_000), ..Approval::default() }
}
