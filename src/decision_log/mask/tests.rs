//! What is masked is told nowhere, and equal values stay equal where there is a key.

use super::*;

fn told() -> Told<'static> {
    let item = |card: &'static str| Told::Map(vec![("card", Told::Text(card)), ("n", Told::Number(1.0))]);
    Told::Map(vec![
        ("subject", Told::Map(vec![("user", Told::Text("alice")), ("run", Told::Text("run-of-alice"))])),
        (
            "context",
            Told::Map(vec![
                ("pin", Told::Number(4711.0)),
                ("items", Told::List(vec![item("5500-0001"), item("5500-0002")])),
                ("note", Told::Text("paid with 5500-0001 by alice")),
            ]),
        ),
    ])
}

fn masked(pointers: &[&str], key: Option<HashKey>) -> (serde_json::Value, Hidden, Masks) {
    let masks = Masks::new(pointers.iter().copied(), key).unwrap();
    let (mut request, mut hidden) = (told(), Hidden::default());
    masks.hide(&mut request, &mut hidden);
    (request.to_json(), hidden, masks)
}

#[test]
fn places_are_hidden_by_name_by_index_and_by_wildcard() {
    for (pointer, path, want) in [
        ("/subject/user", "/subject/user", "***"),
        ("/context/items/*/card", "/context/items/1/card", "***"),
        ("/context/items/0/card", "/context/items/0/card", "***"),
        ("/context/items/0/card", "/context/items/1/card", "5500-0002"),
        ("/*/user", "/subject/user", "***"),
        ("/context", "/context", "***"),
        ("/context/nothing", "/subject/user", "alice"),
        ("", "", "***"),
    ] {
        let (request, hidden, masks) = masked(&[pointer], None);
        assert_eq!(request.pointer(path).and_then(serde_json::Value::as_str), Some(want), "{pointer}");
        let hit: Vec<&str> = masks.hit(&hidden).collect();
        assert_eq!(hit, if want == "***" || pointer.ends_with("0/card") { vec![pointer] } else { vec![] });
    }
    for bad in ["context", "/a~2", "a/b"] {
        assert!(Masks::new([bad], None).is_err(), "{bad}");
    }
}

#[test]
fn what_is_hidden_is_hidden_where_it_is_repeated() {
    let (_, hidden, masks) = masked(&["/subject/user", "/context/items/*/card", "/context/pin"], None);
    for (text, want) in [
        ("alice", Some("***")),
        ("run-of-alice", Some("run-of-***")),
        ("paid with 5500-0001 by alice", Some("paid with *** by ***")),
        ("4711", Some("***")),
        // A short number is looked for as a whole only: it is met by chance.
        ("14711", None),
        ("bob", None),
    ] {
        assert_eq!(hidden.scrub(text).as_deref(), want, "{text}");
    }
    assert!(masks.covers(&["subject", "user"]) && masks.covers(&["context", "pin"]));
    assert!(masks.covers(&["context"]), "something inside of it is masked");
    assert!(!masks.covers(&["subject", "tenant"]));
}

#[test]
fn with_a_key_equal_values_stay_equal_and_others_do_not() {
    let key = || Some(HashKey::new(b"0123456789abcdef"));
    let (one, ..) = masked(&["/subject/user"], key());
    let (again, _, masks) = masked(&["/subject/user"], key());
    let (other, ..) = masked(&["/subject/user"], Some(HashKey::new(b"another key, as long")));
    let user = |request: &serde_json::Value| request["subject"]["user"].as_str().unwrap().to_owned();
    assert_eq!(user(&one), user(&again));
    assert_eq!(user(&one), masks.token("alice"));
    assert!(user(&one).starts_with("hmac-sha256:") && user(&one) != user(&other));
    assert_ne!(masks.token("alice"), masks.token("bob"));
}

/// RFC 4231, cases 1, 2 and 6.
#[test]
fn the_hash_gives_the_published_values() {
    for (key, text, want) in [
        (vec![0x0b; 20], "Hi There", "b0344c61d8db38535ca8afceaf0bf12b"),
        (b"Jefe".to_vec(), "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c7"),
        (
            vec![0xaa; 131],
            "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f",
        ),
    ] {
        let masks = Masks::new(["/x"], Some(HashKey::new(&key))).unwrap();
        assert_eq!(masks.token(text), format!("hmac-sha256:{want}"));
    }
}

#[test]
fn of_what_holds_something_else_that_is_hidden_no_rest_stays() {
    let (_, hidden, _) = masked(&["/subject/user", "/subject/run"], None);
    assert_eq!(hidden.scrub("by run-of-alice now").as_deref(), Some("by *** now"));
}
