//! The interpreter's selection, defaults and obligations against pages 1.3, 1.4 and 1.6.

use serde_json::{Value as Json, json};

use crate::naive::{Expected, decide};

fn ask(rules: Json, defaults: Json, request: Json) -> Expected {
    let bundle = json!({"rules": rules, "defaults": defaults});
    decide(&bundle, &request, jiff::Timestamp::UNIX_EPOCH, "default")
}

fn summary(answer: &Expected) -> String {
    format!("{} {} {}", answer.effect, answer.rule_id, answer.reason_code)
}

#[test]
fn the_highest_priority_wins_then_the_stricter_then_the_first() {
    let rule =
        |id: &str, effect: &str, priority: i64| json!({"id": id, "effect": effect, "priority": priority});
    for (rules, want) in [
        (json!([rule("a", "deny", 1), rule("b", "allow", 2)]), "ALLOW b rule"),
        (json!([rule("a", "allow", 50), rule("b", "deny", 50)]), "DENY b rule"),
        (
            json!([rule("a", "allow", 50), rule("b", "needs_approval", 50)]),
            "REQUIRE_APPROVAL b approval_required",
        ),
        (json!([rule("a", "require_approval", 50), rule("b", "deny", 50)]), "DENY b rule"),
        (json!([rule("a", "deny", 50), {"id": "b", "effect": "deny"}]), "DENY a rule"),
        (json!([rule("a", "modify", 99), rule("b", "allow", -3)]), "ALLOW b rule"),
        (json!([{"id": "a", "effect": "deny", "enabled": false}]), "DENY  default_deny"),
        (json!([]), "DENY  default_deny"),
    ] {
        let answer = ask(rules.clone(), json!({}), json!({"action": {"name": "x"}}));
        assert_eq!(summary(&answer), want, "{rules}");
    }
}

#[test]
fn an_error_makes_deny_and_approval_match_and_nothing_else() {
    let request = json!({"action": {"name": "x"}, "context": {"risk": "95"}});
    for (effect, condition, want) in [
        ("deny", json!({">=risk": 90}), "DENY r condition_error"),
        ("require_approval", json!({">=risk": 90}), "REQUIRE_APPROVAL r condition_error"),
        ("allow", json!({">=risk": 90}), "DENY  default_deny"),
        ("deny", json!({">=missing": 90}), "DENY  default_deny"),
        ("deny", json!({">=missing": 90, ">risk": 1}), "DENY r condition_error"),
        ("deny", json!({"risk": "== \"95\""}), "DENY r rule"),
    ] {
        let rules = json!([{"id": "r", "effect": effect, "conditions": condition}]);
        assert_eq!(summary(&ask(rules.clone(), json!({}), request.clone())), want, "{rules}");
    }
}

#[test]
fn targets_match_as_page_1_4_says() {
    let request = json!({
        "subject": {"tenant": "acme", "roles": ["admin"]},
        "action": {"name": "sql.write", "tool": "sql", "tags": ["pii"]},
        "mode": "auto",
    });
    for (fields, matches) in [
        (json!({}), true),
        (json!({"agent": "*"}), true),
        (json!({"agent": ["a", "*"]}), true),
        (json!({"agent": "?*"}), false),
        (json!({"target": {"agents": ["*"]}}), false),
        (json!({"action": "sql.*"}), true),
        (json!({"action": ["read", {"eq": "sql.*"}]}), false),
        (json!({"scope": "global"}), true),
        (json!({"scope": {"tenant": "acme"}}), true),
        (json!({"scope": {"agent": "acme"}}), false),
        (json!({"target": {"tools": ["sql"], "modes": ["draft"]}}), false),
        (json!({"target": {"tags": {"include": ["p*"]}}}), true),
        (json!({"target": {"tags": {"exclude": ["p*"]}}}), false),
        (json!({"target": {"roles": ["auditor", "admin"]}}), true),
        (json!({"target": {"environment": "default"}}), true),
        (json!({"target": {"kinds": ["tool"]}}), true),
        (json!({"phase": "enqueue"}), false),
        (json!({"phase": "any"}), true),
        (json!({"target": {"phases": ["d*"]}}), true),
    ] {
        let mut rule = fields.clone();
        rule["id"] = json!("r");
        rule["effect"] = json!("allow");
        let answer = ask(json!([rule]), json!({}), request.clone());
        assert_eq!(answer.effect == "ALLOW", matches, "{fields}");
    }
}

#[test]
fn defaults_and_phases() {
    let enqueue = json!({"action": {"name": "x"}, "phase": "enqueue"});
    let rule = json!([{"id": "r", "effect": "deny", "disposition": "drop", "phase": "any"}]);
    assert_eq!(summary(&ask(json!([]), json!({}), enqueue.clone())), "ALLOW  default_enqueue");
    assert_eq!(summary(&ask(rule.clone(), json!({}), enqueue.clone())), "DENY r rule");
    assert_eq!(ask(rule, json!({}), enqueue.clone()).disposition, "DROP");
    let dispatch_only = json!([{"id": "r", "effect": "deny"}]);
    assert_eq!(summary(&ask(dispatch_only, json!({}), enqueue)), "ALLOW  default_enqueue");
    let allow = ask(json!([]), json!({"effect": "allow"}), json!({"action": {"name": "x"}}));
    assert_eq!(summary(&allow), "ALLOW  default_allow");
    let deny = ask(json!([]), json!({}), json!({"action": {"name": "x"}}));
    assert_eq!((deny.disposition.as_str(), deny.mode.as_str()), ("RAISE", ""));
}

#[test]
fn modify_merges_the_smallest_numbers_and_the_strictest_mode() {
    let modify = |priority: i64, modify: Json| json!({"id": "m", "effect": "modify", "priority": priority, "modify": modify});
    let rules = json!([
        modify(1, json!({"limits": {"max_cost": 3, "max_tool_calls": 5}, "timeout_seconds": 30})),
        modify(2, json!({"limits": {"max_cost": 1.5}, "timeout_seconds": 60, "mode": "auto"})),
        modify(3, json!({"mode": "draft"})),
    ]);
    let allow = json!({"effect": "allow"});
    let asked = |extra: Json| {
        let mut request = json!({"action": {"name": "x"}});
        request.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        ask(rules.clone(), allow.clone(), request)
    };
    let answer = asked(json!({"mode": "auto"}));
    assert_eq!(answer.limits, [("max_cost".to_owned(), 1.5), ("max_tool_calls".to_owned(), 5.0)].into());
    assert_eq!((answer.mode.as_str(), answer.timeout_seconds), ("draft", Some(30.0)));
    // An unlisted mode is strictest, and of two the requested one stands first.
    assert_eq!(asked(json!({"mode": "live"})).mode, "live");
    assert_eq!(asked(json!({"time_left": "3s"})).timeout_seconds, Some(3.0));
    let none = ask(json!([]), allow, json!({"action": {"name": "x"}, "time_left": "3s"}));
    assert_eq!(none.timeout_seconds, None);
}
