//! The interpreter against the examples of pages 1.3 to 1.6: each row of the table of 1.5, in both languages.

use serde_json::{Value as Json, json};

use crate::naive_request::Facts;
use crate::naive_value::{Answer, Unknown};
use crate::{naive_cel, naive_conditions};

const NOW: &str = "2026-11-21T06:30:15.250Z";

fn word(answer: Answer<bool>) -> &'static str {
    match answer {
        Ok(true) => "true",
        Ok(false) => "false",
        Err(Unknown::Absent) => "absent",
        Err(Unknown::Error) => "error",
    }
}

fn bundle() -> Json {
    json!({"data": {"threshold": 85, "flags": {"on": true}, "vips": ["@partner.com"], "limits": {"acme": 5}}})
}

fn request() -> Json {
    json!({
        "subject": {"agent": "inbox.triage", "user": "", "tenant": "acme", "roles": ["admin"]},
        "action": {"name": "quarantine", "tool": "sql.write", "tags": []},
        "context": {
            "n": 5, "risk_score": 85, "text": "95", "flag": true, "nothing": null, "nan": {"$nan": true},
            "inf": {"$inf": true}, "list": [1, "a", null], "labels": ["a", "b"], "meta": {"a": {"b": 1}, "z": 2},
            "sender": "eve@partner.com", "at": "2026-11-21T08:00:00+01:00", "ip": "::ffff:10.1.2.3",
            "agent": "other", "user": "ann", "tags": ["x"], "nans": [{"$nan": true}, 1], "environment": "dev",
        },
        "estimate": {"cost": 0.05, "duration": "1.5s"},
        "priority": 50, "mode": "auto",
    })
}

fn when(source: &str) -> &'static str {
    let (bundle, request) = (bundle(), request());
    let facts = Facts::new(&bundle, &request, NOW.parse().unwrap(), "default");
    word(naive_cel::holds(source, &facts))
}

fn conditions(written: Json) -> &'static str {
    let (bundle, request) = (bundle(), request());
    let facts = Facts::new(&bundle, &request, NOW.parse().unwrap(), "default");
    word(naive_conditions::hold(written.as_object().unwrap(), &facts))
}

fn check_when(rows: &[(&str, &str)]) {
    for (source, want) in rows {
        assert_eq!(when(source), *want, "`{source}`");
    }
}

fn check_conditions(rows: &[(Json, &str)]) {
    for (written, want) in rows {
        assert_eq!(conditions(written.clone()), *want, "`{written}`");
    }
}

#[test]
fn an_absent_field_is_unknown_by_absence() {
    check_when(&[
        ("context.missing == 5", "absent"),
        ("context.missing != 5", "absent"),
        ("context.missing > 5", "absent"),
        ("context.meta.a.c == 1", "absent"),
        ("context.meta[\"missing\"] == 1", "absent"),
        ("subject.user == \"ann\"", "absent"),
        ("estimate.tokens > 5", "absent"),
        ("usage.cost > 5", "absent"),
        ("context.missing.deeper.still == 1", "absent"),
        ("context.missing in [1]", "absent"),
        ("!context.missing", "absent"),
        ("context.missing ? true : true", "absent"),
        ("[context.missing] == [1]", "absent"),
        ("has(context.missing)", "false"),
        ("size(action.tags) == 0", "true"),
    ]);
    check_conditions(&[
        (json!({"missing": 5}), "absent"),
        (json!({"missing": {"!=": 5}}), "absent"),
        (json!({"missing": {"not_in": [5]}}), "absent"),
        (json!({">=missing": 5}), "absent"),
        (json!({"missing": {"exists": true}}), "false"),
        (json!({"missing": {"exists": false}}), "true"),
        (json!({"usage.cost": {"exists": true}}), "false"),
        (json!({"request.user": "ann"}), "absent"),
    ]);
}

#[test]
fn equality_between_types_is_plain() {
    check_when(&[
        ("\"5\" == 5", "false"),
        ("\"5\" != 5", "true"),
        ("context.n == 5", "true"),
        ("1 == 1.0", "true"),
        ("context.nothing == null", "true"),
        ("context.n == null", "false"),
        ("context.nothing == 0", "false"),
        ("null in context.list", "true"),
        ("1.0 in context.list", "true"),
        ("\"b\" in context.list", "false"),
        ("\"a\" in context.meta", "true"),
        ("context.meta == {\"a\": {\"b\": 1}, \"z\": 2}", "true"),
        ("context.labels == [\"a\", \"b\"]", "true"),
        ("context.labels == [\"a\"]", "false"),
    ]);
    check_conditions(&[
        (json!({"text": 95}), "false"),
        (json!({"text": {"!=": 95}}), "true"),
        (json!({"nothing": null}), "true"),
        (json!({"nothing": "== null"}), "true"),
        (json!({"n": {"in": [null, "5", 5]}}), "true"),
        (json!({"n": {"not_in": ["5"]}}), "true"),
        (json!({"labels": ["a", "b"]}), "true"),
        (json!({"meta.a": {"eq": {"b": 1}}}), "true"),
        (json!({"n": 5.0}), "true"),
    ]);
}

#[test]
fn order_on_another_type_is_an_error() {
    check_when(&[
        ("context.text >= 90", "error"),
        ("context.nothing < 90", "error"),
        ("context.flag < context.n", "error"),
        ("context.flag > false", "true"),
        ("\"b\" > \"a\"", "true"),
        ("now > timestamp(context.at)", "false"),
        ("estimate.duration < duration(\"2s\")", "true"),
        ("context.inf > 1e300", "true"),
        ("\"x\" in context.n", "error"),
    ]);
    check_conditions(&[
        (json!({"text": ">= 90"}), "error"),
        (json!({">=nothing": 90}), "error"),
        (json!({"flag": {"<": true}}), "error"),
        (json!({"text": {"between": ["9", "96"]}}), "true"),
        (json!({"risk_score": {"between": [60, 85]}}), "true"),
        (json!({"text": {"between": [60, 85]}}), "error"),
        (json!({"n": {"matches": "*"}}), "error"),
        (json!({"sender": {"matches": "*@partner.com"}}), "true"),
    ]);
}

#[test]
fn what_cannot_be_computed_is_an_error() {
    check_when(&[
        ("context.nan == context.nan", "error"),
        ("context.nan != \"a\"", "error"),
        ("context.nan > 1", "error"),
        ("context.nan in [1]", "error"),
        ("context.nans == [2, 2]", "false"),
        ("context.nans == [1, 1]", "error"),
        ("1 in context.nans", "true"),
        ("9223372036854775807 + size(context.labels) > 0", "error"),
        ("context.n + 9223372036854775807 > 0", "true"),
        ("context.n / 0 == 1", "error"),
        ("size(context.labels) / 0 == 1", "error"),
        ("context.inf - 1 > 0", "error"),
        ("-context.inf < 0", "true"),
        ("-context.nan < 0 || double(context.nan) < 0", "error"),
        ("9007199254740993 == 9007199254740992.0", "false"),
        ("9007199254740993 > 9007199254740992.0 && 2.5 > 2 && -3 < -2.5", "true"),
        ("context.meta[1] == 1", "error"),
        ("timestamp(context.text) > now", "error"),
        ("context.labels[2] == \"c\"", "error"),
        ("context.labels[1.0] == \"b\"", "true"),
        ("context.labels[0.5] == \"b\"", "error"),
        ("{\"a\": 1}[context.text] == 1", "error"),
        ("context.n.a == 1", "error"),
        ("context.nothing.a == 1", "error"),
        ("context.n % 2 == 1", "true"),
        ("estimate.cost % 2 == 1", "error"),
        ("-7 / 2 == -3", "true"),
        ("int(context.text) == 95", "true"),
        ("int(context.sender) == 95", "error"),
        ("context.n", "error"),
    ]);
    check_conditions(&[
        (json!({"nan": 1}), "error"),
        (json!({"nan": {"not_in": [1]}}), "error"),
        (json!({"nan": {"exists": true}}), "true"),
        (json!({"n.a": 1}), "error"),
        (json!({"nothing.a": {"exists": true}}), "error"),
        (json!({"<inf": 1}), "false"),
    ]);
}

#[test]
fn has_is_false_when_any_part_is_absent() {
    check_when(&[
        ("has(context.meta.a.b)", "true"),
        ("has(context.meta.a.c)", "false"),
        ("has(context.x.y.z)", "false"),
        ("has(context.n.a)", "error"),
        ("has(context.nothing)", "true"),
        ("has(subject.user)", "false"),
        ("has(subject.roles)", "true"),
        ("has(action.tags)", "false"),
        ("has(estimate.duration)", "true"),
    ]);
}

#[test]
fn false_and_true_absorb_in_any_order() {
    check_when(&[
        ("false && context.missing", "false"),
        ("context.text > 1 && false", "false"),
        ("true && context.missing", "absent"),
        ("context.text > 1 && true", "error"),
        ("true || context.text > 1", "true"),
        ("context.missing || true", "true"),
        ("false || context.missing", "absent"),
        ("context.text > 1 || false", "error"),
        ("context.missing && context.text > 1", "error"),
        ("context.text > 1 || context.missing", "error"),
        ("context.missing == context.n / 0", "error"),
        ("context.n && false", "false"),
        ("context.list.exists(x, x > 0)", "true"),
        ("context.list.exists(x, x > 1)", "error"),
        ("context.list.all(x, x > 0)", "error"),
        ("context.list.all(x, x > 1)", "false"),
        ("context.list.exists_one(x, x == 1)", "true"),
        ("context.list.exists_one(x, x > 0)", "error"),
    ]);
    check_conditions(&[
        (json!({"n": 6, "missing": 1}), "false"),
        (json!({"n": 6, ">=text": 1}), "false"),
        (json!({"n": 5, "missing": 1}), "absent"),
        (json!({"missing": 1, ">=text": 1}), "error"),
        (json!({"missing": {"exists": false, "==": 1}}), "absent"),
    ]);
}

#[test]
fn the_three_spellings_mean_the_same() {
    for (at_85, want) in
        [(">=", "true"), ("<=", "true"), (">", "false"), ("<", "false"), ("==", "true"), ("!=", "false")]
    {
        check_conditions(&[
            (json!({format!("{at_85}risk_score"): 85}), want),
            (json!({format!("risk_score{at_85}"): 85}), want),
            (json!({"risk_score": format!("{at_85} 85")}), want),
            (json!({"risk_score": {at_85: 85}}), want),
        ]);
    }
    check_conditions(&[
        (json!({"text": "90|95"}), "true"),
        (json!({"text": " 90 | 95 "}), "true"),
        (json!({"==text": "90|95"}), "false"),
        (json!({"text": {"eq": "90|95"}}), "false"),
        (json!({"text": "== '95'"}), "true"),
        (json!({"text": "== 95"}), "false"),
    ]);
}

#[test]
fn a_bare_name_is_the_requests_where_it_is_set() {
    check_conditions(&[
        (json!({"agent": "inbox.triage"}), "true"),
        (json!({"request.agent": "inbox.triage"}), "true"),
        (json!({"context.agent": "other"}), "true"),
        (json!({"user": "ann"}), "true"),
        (json!({"tags": ["x"]}), "true"),
        (json!({"request.tags": []}), "true"),
        (json!({"request.tags": {"exists": true}}), "false"),
        (json!({"kind": "tool"}), "true"),
        (json!({"action": "quarantine"}), "true"),
        (json!({"attempt": 0}), "true"),
        (json!({"phase": "dispatch"}), "true"),
        (json!({"estimate.duration": 1.5}), "true"),
        (json!({"environment": "dev"}), "true"),
        (json!({"data.flags.on": true}), "true"),
    ]);
}

#[test]
fn functions_of_the_subset() {
    check_when(&[
        ("context.sender.endsWith(\"@partner.com\")", "true"),
        ("context.sender.matches(\"^[a-z]+@\")", "true"),
        ("context.sender.upperAscii().lowerAscii() == context.sender", "true"),
        ("\" a \".trim() == \"a\" && \"é\".size() == 1", "true"),
        ("\"a,b,c\".split(\",\", 2) == [\"a\", \"b,c\"]", "true"),
        ("\"ab\".split(\"\") == [\"a\", \"b\"] && \"\".split(\",\") == [\"\"]", "true"),
        ("\"ab\".split(\"\", 1) == [\"ab\"] && \"a\".split(\",\", 0) == []", "true"),
        ("context.labels.join() == \"ab\" && context.labels.join(\"-\") == \"a-b\"", "true"),
        ("context.labels.map(x, x + \"!\") == [\"a!\", \"b!\"]", "true"),
        ("context.labels.map(x, x == \"b\", x + \"!\") == [\"b!\"]", "true"),
        ("context.labels.filter(x, x > \"a\") == [\"b\"]", "true"),
        ("context.meta.map(k, k) == [\"a\", \"z\"]", "true"),
        ("string(1e21) == \"1e+21\" && string(0.00001) == \"1e-05\" && string(1e20).size() == 21", "true"),
        ("string(context.n) == \"5\" && string(0.5) == \"0.5\" && string(true) == \"true\"", "true"),
        ("double(\"1e3\") == 1000 && int(-1.9) == -1 && bool(\"true\")", "true"),
        ("int(1e19) == 0", "error"),
        ("bool(\"maybe\")", "error"),
        ("dyn(context.n) == 5", "true"),
        ("context.n == data.threshold - 80", "true"),
        ("data.limits[subject.tenant] == 5", "true"),
        ("data.limits[context.agent] == 5", "error"),
    ]);
}

#[test]
fn times_zones_and_addresses() {
    check_when(&[
        ("now.getHours(\"Europe/Berlin\") < 8", "true"),
        ("now.getHours() == 6 && now.getMinutes() == 30 && now.getMilliseconds() == 250", "true"),
        ("now.getFullYear() == 2026 && now.getMonth() == 10 && now.getDate() == 21", "true"),
        ("now.getDayOfMonth() == 20 && now.getDayOfWeek() == 6 && now.getDayOfYear() == 324", "true"),
        ("now.getHours(\"+05:45\") == 12 && now.getMinutes(\"-00:31\") == 59", "true"),
        ("now.getHours(context.sender) == 1", "error"),
        ("timestamp(\"2009-02-13T23:31:30Z\").getDate(\"Australia/Sydney\") == 14", "true"),
        ("timestamp(context.at) == timestamp(\"2026-11-21T07:00:00Z\")", "true"),
        ("timestamp(context.at) - now == duration(\"29m44.75s\")", "true"),
        ("duration(\"10000s\").getHours() == 2 && duration(\"1500ms\").getMilliseconds() == 500", "true"),
        ("string(duration(\"-90m\")) == \"-5400s\" && string(duration(\"1.5s\")) == \"1.5s\"", "true"),
        ("string(now) == \"2026-11-21T06:30:15.25Z\"", "true"),
        ("timestamp(\"9999-12-31T23:59:59Z\") + duration(\"1s\") > now", "error"),
        (
            "timestamp(\"9999-12-31T23:59:59Z\") - timestamp(\"0001-01-01T00:00:00Z\") > duration(\"1s\")",
            "true",
        ),
        ("duration(\"87660000h\") + estimate.duration > duration(\"1s\")", "error"),
        ("timestamp(\"9999-12-31T23:59:59Z\").getHours() == 23", "true"),
        ("timestamp(\"0001-01-01T00:00:00Z\").getDayOfWeek() == 1", "true"),
        ("timestamp(\"0001-01-01T00:00:00Z\").getDate() == 1", "true"),
        ("timestamp(\"0001-01-01T00:00:00Z\").getFullYear(\"-01:00\") == 0", "true"),
        ("timestamp(\"2400-12-31T23:59:59Z\").getDayOfYear() == 365", "true"),
        ("timestamp(\"2026-02-29T00:00:00Z\") > now", "error"),
        ("int(timestamp(\"2009-02-13T23:31:30Z\")) == 1234567890", "true"),
        ("cidr(\"10.0.0.0/8\").containsIP(ip(context.ip))", "true"),
        ("cidr(\"10.0.0.0/8\").containsIP(context.ip)", "true"),
        ("cidr(\"10.0.0.0/8\").containsIP(\"11.0.0.1\")", "false"),
        ("cidr(\"0.0.0.0/0\").containsIP(\"::1\")", "false"),
        ("cidr(\"::ffff:10.0.0.0/104\") == cidr(\"10.0.0.0/8\")", "true"),
        ("string(ip(context.ip)) == \"10.1.2.3\"", "true"),
        ("cidr(\"10.0.0.1/8\").containsIP(context.ip)", "error"),
        ("ip(context.ip) == ip(\"10.1.2.3\")", "true"),
        ("ip(context.text) == ip(\"10.1.2.3\")", "error"),
    ]);
}
