//! Several evaluations: defaults, and the three semantics.

use serde_json::{Value, json};

use super::{Open, SEVERAL, evaluation};

fn decisions(answer: &Value) -> Vec<bool> {
    answer["evaluations"].as_array().unwrap().iter().map(|one| one["decision"].as_bool().unwrap()).collect()
}

fn resources(ids: &[&str]) -> Value {
    ids.iter().map(|id| json!({"resource": {"type": "document", "id": id}})).collect()
}

#[tokio::test]
async fn the_examples_of_the_specification() {
    let open = Open::start().await;
    let alice = json!({"type": "user", "id": "alice@acmecorp.com"});
    let time = json!({"time": "2024-05-31T15:22-07:00"});
    let documents = ["boxcarring.md", "subject-search.md", "resource-search.md"];
    let full = documents.map(|id| {
        let mut one = evaluation("alice@acmecorp.com", "can_read", "document", id);
        one["context"] = time.clone();
        one
    });
    let read = |id: &str| json!({"action": {"name": "can_read"}, "resource": {"type": "document", "id": id}});
    let edit = json!({"action": {"name": "can_edit"}, "resource": {"type": "document", "id": documents[2]}});
    for (what, asked, want) in [
        ("no defaults", json!({"evaluations": full}), vec![true, true, true]),
        (
            "one subject and context",
            json!({"subject": alice, "context": time, "evaluations": documents.map(read)}),
            vec![true, true, true],
        ),
        (
            "a default that is overridden",
            json!({"subject": alice, "context": time, "action": {"name": "can_read"}, "evaluations": [
                {"resource": {"type": "document", "id": documents[0]}},
                {"resource": {"type": "document", "id": documents[1]}},
                edit,
            ]}),
            vec![true, true, false],
        ),
    ] {
        assert_eq!(decisions(&open.ask(SEVERAL, asked).await), want, "{what}");
    }
    // Without evaluations it is one.
    for more in [json!({}), json!({"evaluations": []})] {
        let mut one = evaluation("alice@acmecorp.com", "can_read", "todo", "1");
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = open.ask(SEVERAL, one).await;
        assert_eq!((&answer["decision"], answer.get("evaluations")), (&json!(true), None), "{answer}");
    }
}

#[tokio::test]
async fn a_semantic_says_when_it_ends() {
    let open = Open::start().await;
    for (semantic, ids, want) in [
        (None, ["1", "2", "3"], vec![true, false, true]),
        (Some("execute_all"), ["1", "2", "3"], vec![true, false, true]),
        (Some("deny_on_first_deny"), ["1", "2", "3"], vec![true, false]),
        (Some("deny_on_first_deny"), ["1", "3", "4"], vec![true, true, true]),
        (Some("permit_on_first_permit"), ["1", "2", "3"], vec![true]),
        (Some("permit_on_first_permit"), ["2", "2", "3"], vec![false, false, true]),
        (Some("permit_on_first_permit"), ["2", "2", "2"], vec![false, false, false]),
    ] {
        let asked = json!({
            "subject": {"type": "user", "id": "alice@example.com"},
            "action": {"name": "read"},
            "options": semantic.map_or(json!({"another_option": "value"}), |name| json!({"evaluations_semantic": name})),
            "evaluations": resources(&ids),
        });
        assert_eq!(decisions(&open.ask(SEVERAL, asked).await), want, "{semantic:?} {ids:?}");
    }
}

#[tokio::test]
async fn an_error_in_one_is_a_denial_of_that_one() {
    let open = Open::start().await;
    let good = evaluation("alice@example.com", "read", "document", "1");
    let bad = |name: &str, value: Value| {
        let mut bad = good.clone();
        bad[name] = value;
        bad
    };
    let many: Value = (0..400).map(|n| (format!("k{n}"), json!(n))).collect::<serde_json::Map<_, _>>().into();
    let items = json!([
        good,
        bad("resource", json!({"type": "document"})),
        bad("subject", json!(7)),
        "no object",
        bad("context", many),
        bad("action", json!({"name": "x".repeat(300)})),
        bad("subject", json!({"type": "user", "id": ""})),
        bad("resource", json!({"type": "document", "id": "1", "properties": []})),
        good,
    ]);
    let answer = open.ask(SEVERAL, json!({"evaluations": items})).await;
    assert_eq!(decisions(&answer), [true, false, false, false, false, false, false, false, true], "{answer}");
    for (at, part) in [
        (1, "`resource.id` is required"),
        (2, "`subject` is no object"),
        (3, "is no object"),
        (4, "more than 256 values"),
        (5, "`action.name`"),
        (6, "`subject.id` is required"),
        (7, "`resource.properties` is no object"),
    ] {
        let error = &answer["evaluations"][at]["context"]["error"];
        assert_eq!(error["status"], 400, "{at}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(part) && message.contains(&format!("evaluations[{at}]")), "{at}: {message}");
    }
    let stops = json!({"evaluations": [good, "bad", good], "options": {"evaluations_semantic": "deny_on_first_deny"}});
    assert_eq!(decisions(&open.ask(SEVERAL, stops).await), [true, false]);
}

#[tokio::test]
async fn what_comes_after_the_end_is_not_charged() {
    let open = Open::start().await;
    let draft = evaluation("ann", "draft", "letter", "1");
    let options = json!({"evaluations_semantic": "permit_on_first_permit", "charge": true});
    for want in [vec![true], vec![true], vec![false, false, false]] {
        let asked = json!({"evaluations": [draft, draft, draft], "options": options});
        assert_eq!(decisions(&open.ask(SEVERAL, asked).await), want);
    }
}
