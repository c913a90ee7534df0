//! What a record answers: whether an action may run, or whether it is within its limits.

use tollgate::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use tollgate::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;
use tollgate::pb::envoy::service::ratelimit::v3::RateLimitRequest;
use tollgate::pb::envoy::service::ratelimit::v3::rate_limit_service_client::RateLimitServiceClient;

use super::*;

/// Asks for three units of an action that a rule denies.
fn within_limits(serving: &Serving) {
    let entry = |key: &str, value: &str| Entry { key: key.into(), value: value.into() };
    let entries = vec![entry("action", "delete"), entry("user", "alice")];
    let descriptors = vec![RateLimitDescriptor { entries, ..Default::default() }];
    let asked = RateLimitRequest { domain: "web".into(), descriptors, hits_addend: 3 };
    let endpoint = format!("http://{}", serving.grpc);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = RateLimitServiceClient::connect(endpoint).await.unwrap();
        client.should_rate_limit(asked).await.unwrap();
    });
}

#[test]
fn a_record_says_what_was_asked_and_is_explained_as_that() {
    let folder = folder();
    let here = folder.path();
    let serving = start(here, &[]);
    within_limits(&serving);
    let denied = authorize(here, &serving, &["--action", "delete", "--user", "alice"]);
    stop(serving);

    let decisions: Vec<Value> =
        records(here).into_iter().filter(|record| record["kind"] == "decision").collect();
    documented(&decisions);
    let [limited, asked] = &decisions[..] else { panic!("two decisions: {decisions:?}") };
    assert_eq!((&limited["question"], &limited["units"]), (&json!("WITHIN_LIMITS"), &json!(3)));
    assert_eq!((asked.get("question"), asked.get("units")), (None, None));
    assert_eq!(limited["decision"]["effect"], "ALLOW", "the rule that denies was not asked");

    let explain = |id: &Value, more: &[&str]| {
        run(here, &[&["explain", "--decision", id.as_str().unwrap(), "--log", "log"], more].concat())
    };
    let id = &limited["decision"]["decision_id"];
    let shown = explain(id, &["--output", "json"]);
    assert_eq!((shown.code, &*shown.stderr), (0, ""), "{shown:?}");
    let shown = shown.json();
    assert_eq!((&shown["rules"], &shown["question"]), (&json!([]), &json!("WITHIN_LIMITS")));
    assert_eq!(shown["units"], 3);
    let shown = explain(id, &[]).stdout;
    assert!(shown.contains("WITHIN_LIMITS of 3") && shown.contains("none was considered"), "{shown}");
    assert!(!shown.contains("deny-delete"), "{shown}");
    // A record that does not say is one of Authorize, as all of earlier versions are.
    let shown = explain(&denied["decision_id"], &[]).stdout;
    assert!(shown.contains("deny-delete") && !shown.contains("question"), "{shown}");

    let listed = |question: &str| {
        let listed = run(here, &["decisions", "--log", "log", "--question", question]);
        assert_eq!(listed.stdout.lines().count(), 1, "{listed:?}");
        listed.stdout
    };
    let (limits, rules) = (listed("within_limits"), listed("AUTHORIZE"));
    assert!(limits.contains("WITHIN_LIMITS") && limits.contains(id.as_str().unwrap()), "{limits}");
    assert!(!rules.contains("AUTHORIZE") && rules.contains("deny-delete"), "{rules}");
}

#[test]
fn a_question_of_a_later_version_is_no_reason_to_ask_rules() {
    let folder = folder();
    let here = folder.path();
    let serving = start(here, &[]);
    let answer = authorize(here, &serving, &["--action", "delete"]);
    stop(serving);
    let lines: Vec<String> = records(here)
        .into_iter()
        .map(|mut record| {
            if record["kind"] == "decision" {
                record["question"] = json!("LATER");
            }
            record.to_string() + "\n"
        })
        .collect();
    fs::write(here.join("later.jsonl"), lines.concat()).unwrap();
    let id = answer["decision_id"].as_str().unwrap();
    let shown = run(here, &["explain", "--decision", id, "--log", "later.jsonl"]);
    assert!(shown.stderr.contains("`LATER` was asked, which this version does not know"), "{shown:?}");
    assert!(shown.stdout.contains("none was considered") && shown.stdout.contains("LATER"), "{shown:?}");
}
