//! The three spellings of conditions: what they mean, and what is wrong with the others.

use super::{clean, only_finding, read, with_rule};
use crate::model::{Code, Condition, Field, Op, Path, Spelling};
use crate::value::Const;

fn conditions(map: &str) -> Vec<Condition> {
    let text = with_rule(&format!("conditions: {map}")) + "data: {limits: {max: 5}, list: [1]}\n";
    let reading = read(&text);
    assert!(reading.findings.iter().all(|f| f.code == Code::OldSpelling), "{map} {:#?}", reading.findings);
    reading.bundle.unwrap().rules[0].conditions.clone()
}

#[test]
fn each_spelling_has_its_meaning() {
    for (map, want) in [
        ("{risk: 85}", "risk == 85"),
        ("{risk: '85'}", "risk == \"85\""),
        ("{'>=risk': 85}", "risk >= 85"),
        ("{'>= risk': 85}", "risk >= 85"),
        ("{'risk>=': 85}", "risk >= 85"),
        ("{'risk >=': 85}", "risk >= 85"),
        ("{risk: '>= 85'}", "risk >= 85"),
        ("{risk: '>=85'}", "risk >= 85"),
        ("{risk: ' >= 85 '}", "risk >= 85"),
        ("{risk: '< 0x10'}", "risk < 16"),
        ("{risk: '> -.5'}", "risk > -0.5"),
        ("{risk: '== \"85\"'}", "risk == \"85\""),
        ("{risk: \"== 'it''s'\"}", "risk == \"it's\""),
        ("{risk: '== \"a\\nb\"'}", "risk == \"a\\nb\""),
        ("{risk: '!= true'}", "risk != true"),
        ("{risk: '!= no'}", "risk != \"no\""),
        ("{risk: '== ~'}", "risk == null"),
        ("{risk: '== data.limits.max'}", "risk == \"data.limits.max\""),
        ("{risk: '== a|b'}", "risk == \"a|b\""),
        ("{kind_of: 'a | b|5'}", "kind_of in [\"a\",\"b\",\"5\"]"),
        ("{'==risk': '>= 85'}", "risk == \">= 85\""),
        ("{'risk==': 'a|b'}", "risk == \"a|b\""),
        ("{'==risk': {in: [1]}}", "risk == {\"in\":[1]}"),
        ("{risk: null}", "risk == null"),
        ("{risk: [1, a]}", "risk == [1,\"a\"]"),
        ("{risk: {eq: '>= 85'}}", "risk == \">= 85\""),
        ("{risk: {eq: {a: 1}}}", "risk == {\"a\":1}"),
        ("{risk: {'!=': 1}}", "risk != 1"),
        ("{risk: {in: [1, null]}}", "risk in [1,null]"),
        ("{risk: {not_in: []}}", "risk not_in []"),
        ("{risk: {matches: 'sql.*'}}", "risk matches \"sql.*\""),
        ("{risk: {exists: true}}", "risk exists"),
        ("{risk: {exists: false}}", "risk does not exist"),
        ("{risk: {between: [60, 85]}}", "risk between 60 and 85"),
        ("{risk: {between: [a, b]}}", "risk between \"a\" and \"b\""),
        ("{email.sender.domain: a}", "email.sender.domain == \"a\""),
        ("{data.limits.max: 5}", "data.limits.max == 5"),
        ("{usage.llm_calls: 5}", "usage.llm_calls == 5"),
        ("{context.agent: x}", "context.agent == \"x\""),
        ("{context.risk: x}", "risk == \"x\""),
        ("{request.agent: x}", "request.agent == \"x\""),
        ("{agent: x}", "agent == \"x\""),
        ("{estimate.cost: 1}", "estimate.cost == 1"),
        ("{estimate.other: 1}", "estimate.other == 1"),
        ("{camelCase: 1}", "camelCase == 1"),
    ] {
        let read = conditions(map);
        let texts: Vec<&str> = read.iter().map(|c| &*c.text).collect();
        assert_eq!(texts, [want], "{map}");
    }
}

#[test]
fn a_mapping_asks_all_that_it_holds() {
    let read = conditions("{risk: {'>': 0, '<=': 100, not_in: [13], '!=': 42}}");
    let texts: Vec<&str> = read.iter().map(|c| &*c.text).collect();
    assert_eq!(texts, ["risk > 0", "risk <= 100", "risk not_in [13]", "risk != 42"]);
    let around = conditions("{'>=risk': 60, 'risk<': 85}");
    assert_eq!(around.len(), 2);
}

#[test]
fn paths_mean_the_request_the_context_the_data_or_the_usage() {
    let path = |text: &str| conditions(&format!("{{{text}: 1}}"))[0].path.clone();
    for (name, field) in Field::ALL {
        assert_eq!(path(name), Path::Either(field), "{name}");
        assert_eq!(path(&format!("request.{name}")), Path::Request(field), "{name}");
    }
    assert_eq!(path("context.a.b"), Path::Context(vec!["a".into(), "b".into()]));
    assert_eq!(path("agent.x"), Path::Context(vec!["agent".into(), "x".into()]));
    assert_eq!(path("estimate"), Path::Context(vec!["estimate".into()]));
    assert_eq!(path("data.list"), Path::Data(vec!["list".into()]));
}

#[test]
fn older_spellings_are_hinted_at_and_say_the_new_one() {
    for (map, suggestion) in [
        ("{'>=risk': 85}", Some("write `risk: {\">=\": 85}`")),
        ("{risk: '>= 85'}", Some("write `risk: {\">=\": 85}`")),
        ("{risk: '== 85'}", Some("write `risk: 85`")),
        ("{'==risk': a|b}", Some("write `risk: {\"==\": \"a|b\"}`")),
        ("{risk: a|b}", Some("write `risk: {in: [\"a\",\"b\"]}`")),
        ("{\">=a.b\\nc\": 85}", Some("write `\"a.b\\nc\": {\">=\": 85}`")),
        ("{\">=a\\u009b\": \"\\u009b\"}", Some("write `\"a\\u009b\": {\">=\": \"\\u009b\"}`")),
        ("{'>=a b: c': 85}", Some("write `\"a b: c\": {\">=\": 85}`")),
        ("{risk: {'>=': 85}}", None),
        ("{risk: {eq: 85}}", None),
        ("{risk: 85}", None),
    ] {
        let reading = read(&with_rule(&format!("conditions: {map}")));
        let told: Vec<_> = reading.findings.iter().map(|f| f.suggestion.as_deref()).collect();
        assert_eq!(told, Vec::from_iter([suggestion].into_iter().filter(Option::is_some)), "{map}");
        let old = reading.bundle.unwrap().rules[0].conditions[0].spelling == Spelling::Old;
        assert_eq!(old, suggestion.is_some(), "{map}");
    }
}

#[test]
fn what_is_wrong_says_what_to_write() {
    for (map, start, also) in [
        ("{'=>risk': 85}", "bad-operator 7:18 `=>` is no operator", "write `>=`"),
        ("{'risk=<': 85}", "bad-operator 7:18 `=<` is no operator", "write `<=`"),
        ("{'=risk': 85}", "bad-operator 7:18 `=` is no operator", "write `==`"),
        ("{risk: '<> 85'}", "bad-operator 7:24 `<>` is no operator", "write `!=`"),
        ("{risk: '=== 85'}", "bad-operator 7:24 `===` is no operator", "write `==`"),
        ("{risk: '!85'}", "bad-operator 7:24 `!` is no operator", "write `!=`"),
        ("{risk: '>> 85'}", "bad-operator 7:24 `>>` is no operator", "write `>`"),
        ("{risk: '~ x*'}", "bad-operator 7:24 `~` is no operator", "matches"),
        ("{risk: '<!>'}", "bad-operator 7:24 `<!>` is no operator", "write one of `>=`"),
        ("{risk: {'=>': 85}}", "bad-operator 7:25 `=>` is no operator", "write `>=`"),
        ("{risk: {notIn: [85]}}", "bad-operator 7:25 `notIn` is no operator", "write `not_in`"),
        ("{risk: {a: 85}}", "bad-operator 7:25 `a` is no operator", "`"),
        ("{risk: {}}", "bad-value 7:24 `risk` asks nothing", "`{eq: {}}`"),
        ("{'>=risk<': 1}", "bad-operator 7:18 `>=risk<` has an operator on both sides", "keep one"),
        ("{'>=': 1}", "bad-value 7:18 the key `>=` names no field", "risk_score"),
        ("{'': 1}", "bad-value 7:18 the key `` names no field", "risk_score"),
        ("{'a>=85': true}", "bad-operator 7:18 `a>=85` has a `>` inside a path", "as the key"),
        ("{'a|b': true}", "bad-operator 7:18 `a|b` has a `|` inside a path", "as the key"),
        ("{a..b: 1}", "bad-value 7:18 the path `a..b` has an empty part", "one dot"),
        ("{request: 1}", "bad-value 7:18 `request` names no field", "`request.`"),
        ("{request.agnt: 1}", "unknown-field 7:18 `agnt` is no field of `request`", "write `request.agent`"),
        ("{usage.calls: 1}", "unknown-field 7:18 `calls` is no field of `usage`", "`"),
        ("{data.limit.max: 1}", "unknown-reference 7:18 `limit` is not in `data`", "write `data.limits`"),
        (
            "{data.limits.mix: 1}",
            "unknown-reference 7:18 `mix` is not in `data.limits`",
            "write `data.limits.max`",
        ),
        ("{data.limits.max.x: 1}", "unknown-reference 7:18 `data.limits.max` is a number", "only maps"),
        ("{risk: '>='}", "bad-value 7:24 nothing follows `>=`", "`{eq: \">=\"}`"),
        ("{risk: '>= [1]'}", "bad-value 7:24 `[1]` is no plain value", "`{\"==\": ...}`"),
        ("{risk: '== \"a'}", "bad-value 7:24 `\"a` is no plain value", "as it is"),
        ("{risk: '== a: b'}", "bad-value 7:24 `a: b` is no plain value", "as it is"),
        ("{risk: '>= .nan'}", "bad-value 7:24 `.nan` is no number", "finite"),
        ("{risk: '>= 9007199254740993'}", "bad-value 7:24 `9007199254740993` is no number", "2^53"),
        ("{risk: 'a||b'}", "bad-value 7:24 `a||b` has an empty part", "`{eq: \"...\"}`"),
        ("{risk: '|'}", "bad-value 7:24 `|` has an empty part", "`a|b`"),
        ("{'>=risk': true}", "wrong-type 7:28 `>=` is given a boolean", "a number or text"),
        ("{risk: {'>': null}}", "wrong-type 7:30 `>` is given null", "a number or text"),
        ("{risk: {in: 5}}", "wrong-type 7:29 `in` is given a number", "write a list"),
        ("{risk: {matches: 5}}", "wrong-type 7:34 `matches` is given a number", "a glob"),
        ("{risk: {matches: '['}}", "bad-value 7:34 no glob: `[` has no partner", "`\\[`"),
        ("{risk: {exists: 1}}", "wrong-type 7:33 `exists` is given a number", "`true` or `false`"),
        ("{risk: {between: 5}}", "wrong-type 7:34 `between` is given a number", "`[60, 85]`"),
        ("{risk: {between: [1, a]}}", "wrong-type 7:34 `between` wants two ends", "`[60, 85]`"),
        ("{risk: {between: [2, 1]}}", "bad-value 7:34 `between` has its lower end above", "swap"),
        ("{risk: {between: [b, a]}}", "bad-value 7:34 `between` has its lower end above", "swap"),
        ("{risk: {matches: 'a}'}}", "bad-value 7:34 no glob: `}` has no partner", "`\\}`"),
        ("{risk: {between: [1]}}", "wrong-type 7:34 `between` wants two ends", "`[60, 85]`"),
        ("{risk: {'==': 1, eq: 1}}", "bad-value 7:18 `==` of `risk` is asked already at line 7", "keep one"),
        ("{risk: 1, context.risk: 2}", "bad-value 7:27 `==` of `risk` is asked already", "keep one"),
    ] {
        let text = with_rule(&format!("conditions: {map}")) + "data: {limits: {max: 5}}\n";
        only_finding(&text, start, also);
    }
}

#[test]
fn several_mistakes_in_one_map_are_all_reported() {
    let reading = read(&with_rule("conditions: {'=>a': 1, b: {x: 1, in: 2}, 'c<': true, d: '<> 1'}"));
    let codes: Vec<Code> = reading.findings.iter().map(|f| f.code).collect();
    let want = [Code::BadOperator, Code::BadOperator, Code::WrongType, Code::WrongType, Code::BadOperator];
    assert_eq!(codes, want);
}

#[test]
fn long_values_are_cut_in_texts_and_whole_in_meaning() {
    let long = "x".repeat(60_000);
    let read = clean(&with_rule(&format!("conditions: {{a: {long}, b: [{}1]}}", "1, ".repeat(50_000))));
    let [a, b] = read.rules[0].conditions.as_slice() else { panic!() };
    assert!(a.text.chars().count() < 140 && a.text.ends_with('…'), "{}", a.text);
    assert!(b.text.chars().count() < 140, "{}", b.text);
    assert_eq!(a.op, Op::Eq(Const::Str(long.into())));
    assert!(matches!(&b.op, Op::Eq(Const::List(items)) if items.len() == 50_001));
}
