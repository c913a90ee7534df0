//! Grants that hold, and all the ways in which they do not.

use super::envelope::Signature;
use super::*;
use crate::id::Digest;
use crate::model::{Approval, ReasonCode};
use crate::read::SourceFile;
use crate::time::WallTime;
use proptest::prelude::*;

const NOW: i64 = 1_700_000_000_000_000_000;
const DAY: i64 = 86_400_000_000_000;
const INSTANCE: &str = "018bcfe5-6800-7000-8000-000000000001";

fn key(number: u8) -> PrivateKey {
    PrivateKey::from_seed(&[number; 32])
}

/// 1 and 2 are Ann's, 3 is Bob's, 4 is of Cid who is no treasurer, 5 is Dan's and out of date.
fn approvers() -> Approvers {
    let line = |owner: &str, role: &str, number: u8, more: &str| {
        format!("- {{owner: {owner}, roles: [{role}], key: \"{}\"{more}}}\n", key(number).public())
    };
    let file = [
        line("ann", "treasurer", 1, ""),
        line("ann", "treasurer", 2, ""),
        line("bob", "treasurer, clerk", 3, ""),
        line("cid", "clerk", 4, ""),
        line("dan", "treasurer", 5, ", valid_until: 2023-01-01T00:00:00Z"),
    ];
    read(&file.concat()).unwrap()
}

fn read(text: &str) -> Result<Approvers, String> {
    let (read, findings) = Approvers::read(&SourceFile { name: "keys.yaml", bytes: text.as_bytes() });
    let told = |finding: &crate::model::Finding| {
        format!(
            "{}:{}: {}; {}",
            finding.place.line,
            finding.place.column,
            finding.message,
            finding.suggestion.as_deref().unwrap_or_default()
        )
    };
    read.ok_or_else(|| findings.iter().map(told).collect::<Vec<_>>().join("\n"))
}

fn approval(approvers: u32) -> Approval {
    Approval { approvers, role: "treasurer".into(), ..Approval::default() }
}

fn grant() -> Grant {
    Grant {
        approval_id: "018bcfe5-6800-7000-8000-00000000000a".into(),
        digest: Digest::of(b"asked").to_string().into(),
        rule_id: "ask-first".into(),
        instance: INSTANCE.into(),
        issued_at: WallTime::from_nanos(NOW),
        expires_at: WallTime::from_nanos(NOW + DAY),
        uses: 1,
    }
}

fn wanted(approval: &Approval) -> Wanted<'_> {
    Wanted {
        digest: Digest::of(b"asked"),
        rule_id: "ask-first",
        approval,
        instance: INSTANCE,
        user: "eve",
        now: WallTime::from_nanos(NOW + 1),
    }
}

fn signed(grant: &Grant, keys: &[u8]) -> String {
    let envelope = grant.unsigned(Verdict::Grant);
    keys.iter().fold(envelope, |envelope, number| envelope.sign(&key(*number))).to_text()
}

fn one(text: &str) -> Result<Grant, Refused> {
    verify(text, &approvers(), &wanted(&approval(1)))
}

#[test]
fn the_signed_bytes_are_those_of_the_specification() {
    let envelope = Envelope::new("http://example.com/HelloWorld", b"hello world".to_vec());
    assert_eq!(envelope.signed_bytes(), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

#[test]
fn a_key_and_a_signature_are_those_of_rfc_8032() {
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let byte = |at: usize| u8::from_str_radix(&seed[2 * at..2 * at + 2], 16).unwrap();
    let key = PrivateKey::from_seed(&std::array::from_fn(byte));
    assert_eq!(key.public().to_string(), "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    assert_eq!(&key.sign(b"")[..4], &[0xe5, 0x56, 0x43, 0x00]);
    let pem = key.to_pem().unwrap();
    assert_eq!(PrivateKey::from_pem(&pem).unwrap().public(), key.public());
    assert_eq!(PrivateKey::from_pem("-----BEGIN PRIVATE KEY-----\n").map(|key| key.public()), None);
    assert!(!format!("{key:?}").contains("nWGxne"), "{key:?}");
}

#[test]
fn a_key_that_verifies_what_nobody_signed_is_none() {
    let neutral = "ed25519:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_eq!(PublicKey::parse(neutral), None);
}

#[test]
fn a_grant_holds_for_what_it_says() {
    assert_eq!(one(&signed(&grant(), &[1])), Ok(grant()));
    let two = approval(2);
    assert_eq!(verify(&signed(&grant(), &[1, 3]), &approvers(), &wanted(&two)), Ok(grant()));
    let crowd = signed(&grant(), &[9, 4, 5, 1]);
    assert_eq!(one(&crowd), Ok(grant()), "signatures that do not count do no harm");
    let any_way =
        signed(&grant(), &[1]).replace('+', "-").replace('/', "_").replace("application_", "application/");
    let any_way = any_way.replace("v1-json", "v1+json").replace('=', "");
    assert_eq!(one(&any_way), Ok(grant()), "{any_way}");
}

#[test]
fn whose_signatures_do_not_count() {
    for (keys, asked, want) in [
        (&[][..], 1, Refused::TooFew),
        (&[9], 1, Refused::Signature(Rejected::UnknownKey)),
        (&[4], 1, Refused::Signature(Rejected::WrongRole)),
        (&[5], 1, Refused::Signature(Rejected::OutOfDate)),
        (&[1], 2, Refused::TooFew),
        (&[1, 2], 2, Refused::TooFew),
        (&[1, 4], 2, Refused::Signature(Rejected::WrongRole)),
    ] {
        let approval = approval(asked);
        let got = verify(&signed(&grant(), keys), &approvers(), &wanted(&approval));
        assert_eq!(got, Err(want), "{keys:?} of {asked}");
        assert_eq!(want.code(), ReasonCode::GrantUnverifiable);
    }
    let approval = approval(1);
    let own = Wanted { user: "ann", ..wanted(&approval) };
    let got = verify(&signed(&grant(), &[1, 2]), &approvers(), &own);
    assert_eq!(got, Err(Refused::Signature(Rejected::OwnRequest)));
    assert_eq!(verify(&signed(&grant(), &[1, 3]), &approvers(), &own), Ok(grant()));
    let none = verify(&signed(&grant(), &[1]), &Approvers::default(), &wanted(&approval));
    assert_eq!(none, Err(Refused::NoKeys));
}

#[test]
fn a_grant_for_something_else_is_a_mismatch() {
    let other = "018bcfe5-6800-7000-8000-000000000002";
    let life = WallTime::from_nanos(NOW + 2 * DAY);
    for (changed, want) in [
        (Grant { instance: other.into(), ..grant() }, Refused::OtherInstance),
        (Grant { digest: Digest::of(b"else").to_string().into(), ..grant() }, Refused::OtherRequest),
        (Grant { rule_id: "another".into(), ..grant() }, Refused::OtherRule),
        (Grant { uses: 2, ..grant() }, Refused::OtherRule),
        (Grant { expires_at: life, ..grant() }, Refused::OtherRule),
    ] {
        assert_eq!(one(&signed(&changed, &[1])), Err(want), "{changed:?}");
        assert_eq!(want.code(), ReasonCode::GrantMismatch);
    }
    let approval = Approval { uses: 5, ..approval(1) };
    assert_eq!(verify(&signed(&grant(), &[1]), &approvers(), &wanted(&approval)), Err(Refused::OtherRule));
}

#[test]
fn a_grant_ends_when_it_says() {
    let approval = approval(1);
    let at = |nanos: i64| {
        let wanted = Wanted { now: WallTime::from_nanos(nanos), ..wanted(&approval) };
        verify(&signed(&grant(), &[1]), &approvers(), &wanted)
    };
    assert_eq!(at(NOW + DAY - 1), Ok(grant()));
    assert_eq!(at(NOW + DAY), Err(Refused::Expired));
    assert_eq!(at(NOW - DAY), Ok(grant()), "a clock that went back takes nothing away");
}

#[test]
fn a_denial_is_no_grant() {
    let denial = grant().sign(Verdict::Denial, &key(1));
    assert_eq!(one(&denial.to_text()), Err(Refused::NoGrant));
    let posing = Envelope { payload_type: Verdict::Grant.payload_type().into(), ..denial };
    assert_eq!(one(&posing.to_text()), Err(Refused::Signature(Rejected::Forged)));
}

#[test]
fn a_payload_that_says_more_or_is_written_otherwise_is_none() {
    let plain = String::from_utf8(grant().payload()).unwrap();
    for payload in [
        plain.replace("\"uses\":1", "\"uses\":1,\"weight\":2"),
        plain.replace("\"uses\":1", "\"uses\": 1"),
        plain.replace("\"uses\":1", "\"uses\":2,\"uses\":1"),
        plain.replace("\"uses\":1", "\"uses\":1.5"),
        plain.replace("\"uses\":1", "\"uses\":99999999999"),
        plain.replace("2023-11-14T22:13:20Z", "2023-11-14T22:13:20+00:00"),
        "[]".to_owned(),
        String::new(),
    ] {
        assert_ne!(payload, plain);
        let envelope = Envelope::new(Verdict::Grant.payload_type(), payload.clone().into()).sign(&key(1));
        assert_eq!(one(&envelope.to_text()), Err(Refused::NoGrant), "{payload}");
    }
}

#[test]
fn what_is_cut_off_is_no_grant() {
    let whole = signed(&grant(), &[1]);
    for end in 0..whole.len() {
        assert_eq!(one(&whole[..end]), Err(Refused::NoEnvelope), "{end} bytes");
    }
}

#[test]
fn an_envelope_has_bounds() {
    let mut envelope = grant().sign(Verdict::Grant, &key(1));
    let twin = envelope.signatures[0].clone();
    envelope.signatures = vec![twin; envelope::MOST_SIGNATURES + 1];
    assert_eq!(one(&envelope.to_text()), Err(Refused::NoEnvelope));
    let deep = "[".repeat(envelope::MOST_BYTES);
    assert_eq!(one(&deep), Err(Refused::NoEnvelope));
    assert_eq!(one(&format!("{deep}[")), Err(Refused::NoEnvelope));
}

#[test]
fn a_key_signs_once() {
    let twice = signed(&grant(), &[1, 3, 1]);
    let keys: Vec<Box<str>> =
        Envelope::parse(&twice).unwrap().signatures.into_iter().map(|one: Signature| one.key_id).collect();
    assert_eq!(keys, [key(3).public().id().into(), key(1).public().id().into()]);
}

#[test]
fn mistakes_in_the_file_are_told_with_their_place() {
    let public = key(1).public();
    let good = format!("- {{owner: ann, role: approver, key: \"{public}\"}}\n");
    assert_eq!(read(&good).unwrap().iter().count(), 1);
    for (text, want) in [
        (String::new(), "1:1: `the file` is null; write a list"),
        (
            "[]".into(),
            "1:1: the file names no key, so nobody could approve anything; add what `tollgate keygen` prints",
        ),
        (format!("{good}{good}"), "2:3: the key `"),
        (
            "- {owner: ann, roles: [a], key: \"ed25519:AAAA\"}".into(),
            "1:33: `key` is no public key of ed25519; write `ed25519:` and",
        ),
        (
            "- {owner: ann, roles: [a], key: \"-----BEGIN PRIVATE KEY-----\"}".into(),
            "is a private key, which belongs to its owner alone",
        ),
        (good.replace("owner: ann", "owner: \"\""), "`owner` is empty"),
        (good.replace("owner: ann, ", ""), "a key of an approver needs `owner`; add `owner`"),
        (good.replace("role: approver", "roles: []"), "`roles` is empty; name a role"),
        (good.replace("role:", "rols:"), "`rols` is no field of a key of an approver; write `roles`"),
        (good.replace("}", ", valid_until: tomorrow}"), "`valid_until` is no instant; write it as"),
        (
            good.replace("}", ", valid_until: 2027-01-01T00:00:00Z, valid_from: 2028-01-01T00:00:00Z}"),
            "`valid_until` is not after `valid_from`",
        ),
    ] {
        let got = read(&text).unwrap_err();
        assert!(got.contains(want), "{text}: {got}");
    }
}

proptest! {
    /// One bit anywhere in the bytes of the envelope: it is refused, or it says the same.
    #[test]
    fn no_flipped_bit_makes_a_grant(at in 0_usize..4_000, bit in 0_u8..8) {
        let whole = signed(&grant(), &[1]);
        let mut bytes = whole.clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(text) = String::from_utf8(bytes) {
            let got = one(&text);
            prop_assert!(got.is_err() || got == Ok(grant()), "{text}");
        }
    }

    #[test]
    fn anything_gets_an_answer(text in ".{0,200}") {
        prop_assert!(one(&text).is_err());
    }
}
