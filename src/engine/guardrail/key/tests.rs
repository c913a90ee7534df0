//! What keys are apart, and what they are the same.

use super::*;
use crate::model::request::{Action, Estimate, Grant, Question, Subject};
use crate::model::{Field, Phase};
use crate::value::{Const, ConstMap};
use proptest::prelude::*;

fn request(context: &ConstMap) -> Request<'_> {
    Request {
        subject: Subject {
            agent: "a",
            user: "u",
            tenant: "acme",
            app: "",
            workflow: "",
            run: "r",
            roles: &EMPTY,
        },
        action: Action {
            name: "n",
            kind: None,
            tool: "",
            provider: "",
            model: "",
            pipeline: "",
            stage: "",
            handler: "",
            tags: &EMPTY,
        },
        context,
        environment: "",
        mode: "",
        phase: Phase::Dispatch,
        priority: None,
        estimate: Estimate::default(),
        request_id: "req-1",
        batch_id: "",
        attempt: 0,
        grants: &EMPTY,
        grant: Grant::None,
        dry_run: false,
        time_left: None,
        question: Question::MayRun,
    }
}

static EMPTY: Vec<String> = Vec::new();

fn text(dimensions: &[KeyDimension], context: &ConstMap, flush: Flush<'_>) -> Vec<u8> {
    let mut out = b"before".to_vec();
    write(&mut out, dimensions, &request(context), "prod", flush);
    out.split_off(6)
}

fn context(path: &str) -> KeyDimension {
    KeyDimension::Context(path.split('.').map(Box::from).collect())
}

#[test]
fn values_are_joined_and_what_is_lacking_is_empty() {
    let empty = ConstMap::new();
    let field = KeyDimension::Field;
    let alone = Flush::Alone(1);
    for (dimensions, want) in [
        (vec![], &b""[..]),
        (vec![KeyDimension::Global], b""),
        (vec![field(Field::Tenant)], b"acme"),
        (vec![field(Field::Tenant), field(Field::User)], b"acme\0u"),
        (vec![field(Field::Handler), field(Field::Tool), field(Field::Provider)], b"\0\0"),
        (vec![field(Field::Environment), KeyDimension::Request], b"prod\0req-1"),
        (vec![context("a.b")], b""),
    ] {
        assert_eq!(text(&dimensions, &empty, alone), want, "{dimensions:?}");
    }
    assert_eq!(text(&[KeyDimension::Batch], &empty, Flush::Named("night")), b"night");
    let flush = |n| text(&[KeyDimension::Batch], &empty, Flush::Unnamed(n));
    assert_ne!(flush(1), flush(2));
    assert_eq!(flush(0).len(), 33);
}

#[test]
fn context_values_are_canonical_json() {
    let map = |entries: &[(&str, Const)]| -> ConstMap {
        entries.iter().map(|(name, value)| (Box::from(*name), value.clone())).collect()
    };
    for (value, want) in [
        (Const::Str("x".into()), &b"\"x\""[..]),
        (Const::Str("".into()), b"\"\""),
        (Const::Str("a\"\0\n".into()), b"\"a\\\"\\u0000\\n\""),
        (Const::Number(5.0), b"5"),
        (Const::Number(0.1), b"0.1"),
        (Const::Number(1e21), b"1e+21"),
        (Const::Bool(true), b"true"),
        (Const::Null, b"null"),
        (Const::List(vec![Const::Number(1.0), Const::Str("é".into())]), "[1,\"é\"]".as_bytes()),
        (Const::Map(map(&[("b", Const::Null), ("a", Const::Number(2.0))])), b"{\"a\":2,\"b\":null}"),
    ] {
        let inner = Const::Map(map(&[("b", value.clone())]));
        let got = text(&[context("a.b")], &map(&[("a", inner)]), Flush::Alone(1));
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(want), "{value:?}");
    }
    let flat = map(&[("a", Const::Number(1.0))]);
    assert_eq!(text(&[context("a.b")], &flat, Flush::Alone(1)), b"");
}

#[test]
fn long_texts_become_their_digest() {
    let mut kept = Vec::new();
    write_values(&mut kept, &[&"x".repeat(LONGEST)]);
    assert_eq!(kept.len(), LONGEST);
    let (mut a, mut b) = (Vec::new(), Vec::new());
    write_values(&mut a, &[&"x".repeat(65_536)]);
    write_values(&mut b, &[&"x".repeat(65_537)]);
    assert_eq!((a.len(), a[0]), (33, DIGESTED));
    assert_ne!(a, b);
    let digest = Digest::of("x".repeat(65_536).as_bytes());
    assert_eq!(Key::of(&a).display(), digest.to_string());
}

#[test]
fn keys_are_shown_as_people_say_them() {
    let mut out = Vec::new();
    write_values(&mut out, &["acme", "", "a/b"]);
    assert_eq!(Key::of(&out).display(), "acme//a/b");
    let mut odd = Vec::new();
    write_values(&mut odd, &["a\u{0}b\u{1}c"]);
    assert_eq!(Key::of(&odd).display(), "a\u{0}b\u{1}c");
    let mut flush = Vec::new();
    write(&mut flush, &[KeyDimension::Batch], &request(&ConstMap::new()), "", Flush::Unnamed(7));
    assert_eq!(Key::of(&flush).display(), "(a flush without a name)");
}

proptest! {
    /// No two lists of values of one length share a text, and a key gives its text back.
    #[test]
    fn texts_tell_values_apart(
        a in prop::collection::vec("[\u{0}-\u{2}a0-1]{0,4}", 3),
        b in prop::collection::vec("[\u{0}-\u{2}a0-1]{0,4}", 3),
    ) {
        let text = |values: &[String]| {
            let mut out = Vec::new();
            write_values(&mut out, &values.iter().map(String::as_str).collect::<Vec<_>>());
            out
        };
        prop_assert_eq!(text(&a) == text(&b), a == b);
        let key = Key::of(&text(&a));
        prop_assert_eq!(key.as_bytes(), &text(&a)[..]);
    }

    #[test]
    fn keys_of_every_length_give_their_text_back(bytes in prop::collection::vec(any::<u8>(), 0..130)) {
        let key = Key::of(&bytes);
        prop_assert_eq!(key.as_bytes(), &bytes[..]);
        prop_assert_eq!(key.clone(), key);
        prop_assert_eq!(size_of::<Key>(), 24);
    }
}

#[test]
fn each_dimension_can_be_read_back() {
    let of = |values: &[&str]| {
        let mut text = Vec::new();
        write_values(&mut text, values);
        Key::of(&text)
    };
    let key = of(&["acme", "", "a\0b\u{1}c"]);
    let values: Vec<_> = (0..4).map(|at| key.value(at)).collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(values, [text("acme"), text(""), text("a\0b\u{1}c"), None]);
    assert_eq!(of(&[&"x".repeat(129)]).value(0), None, "only its digest is kept");
}

#[test]
fn only_keys_of_flushes_without_a_name_end_with_their_call() {
    let empty = ConstMap::new();
    let dimensions = [KeyDimension::Field(Field::Tenant), KeyDimension::Batch];
    let ends = |flush| Key::of(&text(&dimensions, &empty, flush)).ends_with_its_call();
    assert!(ends(Flush::Unnamed(7)) && ends(Flush::Alone(7)));
    assert!(!ends(Flush::Named("b")) && !ends(Flush::Named("")));
    assert!(!Key::of(&text(&dimensions[..1], &empty, Flush::Unnamed(7))).ends_with_its_call());
}
