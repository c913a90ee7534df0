//! The top level and the rules: every field, its default, and what it does not take.

use super::{HEAD, clean, only_finding, read, told, with_only, with_rule};
use crate::model::{
    Bind, Disposition, LogChoice, OnUnavailable, Pattern, Phases, Risk, RuleEffect, Scope, ScopeLevel,
};
use crate::unit::{Money, Span};

fn exact(text: &str) -> Pattern {
    Pattern::Exact(text.into())
}

#[test]
fn every_field_of_the_page_is_read() {
    let bundle = clean(concat!(
        "format: tollgate/v1\nversion: 1.4.0\nnotes: Higher\nminEngine: 0.1.0\n",
        "defaults: {effect: allow, modeOrder: [off, draft, auto], on_unavailable: allow}\n",
        "data: {flags: {new_checkout: true}, vipDomains: ['@a']}\n",
        "fields: {risk_score: {type: number, required: true, min: 0, max: 100}, a.b: {type: string, values: [x]}}\n",
        "enforceFields: true\nmask: [/context/card~1no]\nmetadata: {ownerTeam: x}\n",
        "rules:\n",
        "  - id: full\n    agent: [inbox.*, 'b']\n    action: {eq: 'a*'}\n    scope: {tenant: acme}\n",
        "    target: {tools: 'sql.*', environment: production, application: [shop], kinds: [llm, 'w*'], tags: {include: [a], exclude: b}}\n",
        "    when: 'true'\n    phase: any\n    effect: require_approval\n",
        "    approval: {approvers: 2, role: lead, expires_in_seconds: 1.5, uses: 3, bind: [context.a.b, c]}\n",
        "    reason: Because it is so\n    priority: -0\n    budget: {cost: 0.05, compute: 2, risk: low}\n",
        "    enabled: true\n    tags: [security]\n    metadata: {snakeCase: 1}\n    log: never\n    onUnavailable: deny\n",
    ));
    assert_eq!((bundle.version.to_string().as_str(), &*bundle.notes), ("1.4.0", "Higher"));
    assert!(bundle.defaults.allow && bundle.enforce_fields && bundle.min_engine.is_some());
    assert_eq!(bundle.defaults.mode_order, ["off".into(), "draft".into(), "auto".into()]);
    assert_eq!(bundle.defaults.on_unavailable, OnUnavailable::Allow);
    assert!(bundle.data.contains_key("vipDomains") && bundle.metadata.contains_key("ownerTeam"));
    assert_eq!(bundle.fields[0].max, Some(100.0));
    assert_eq!(bundle.fields[1].path, ["a".into(), "b".into()]);
    assert_eq!(bundle.mask, ["/context/card~1no".into()]);
    let [rule] = bundle.rules.as_slice() else { panic!() };
    assert_eq!(rule.agent.as_ref().map(Vec::len), Some(2));
    assert_eq!(rule.action, Some(vec![exact("a*")]));
    assert_eq!(rule.scope, Scope::Level(ScopeLevel::Tenant, exact("acme")));
    assert_eq!(rule.target.environments, Some(vec![exact("production")]));
    assert_eq!(rule.target.apps, Some(vec![exact("shop")]));
    assert_eq!(rule.target.tags_exclude, Some(vec![exact("b")]));
    assert_eq!(rule.target.phases, Phases::Any);
    let RuleEffect::RequireApproval(approval) = &rule.effect else { panic!() };
    assert_eq!((approval.approvers, &*approval.role, approval.uses), (2, "lead", 3));
    assert_eq!(approval.expires_in, Span::from_nanos(1_500_000_000));
    assert_eq!(approval.bind, Bind::Paths(vec![vec!["a".into(), "b".into()], vec!["c".into()]]));
    let budget = rule.budget.unwrap();
    assert_eq!((budget.cost, budget.risk), (Money::from_units(0.05), Some(Risk::Low)));
    assert!(rule.metadata.contains_key("snakeCase"));
    assert_eq!((rule.log, rule.on_unavailable), (Some(LogChoice::Never), Some(OnUnavailable::Deny)));
    assert_eq!((rule.place.line, rule.place.column), (12, 5));
}

#[test]
fn what_is_left_out_has_its_default() {
    let bundle = clean(&with_only("id: abc\neffect: deny\nreason: Because it is so"));
    assert!(!bundle.defaults.allow && bundle.min_engine.is_none());
    let [rule] = bundle.rules.as_slice() else { panic!() };
    assert_eq!(rule.effect, RuleEffect::Deny(Disposition::Raise));
    assert_eq!((rule.priority, rule.enabled, rule.target.phases), (50, true, Phases::Dispatch));
    assert_eq!((&rule.agent, &rule.scope), (&None, &Scope::Global));
    let approval = clean(&with_only("id: abc\neffect: needs_approval\nreason: Because it is so"));
    assert!(matches!(&approval.rules[0].effect, RuleEffect::RequireApproval(a) if *a == Default::default()));
}

#[test]
fn a_star_for_agent_or_action_matches_all_and_in_a_target_it_is_a_glob() {
    let bundle = clean(&with_rule("agent: '*'\naction: [a, '*']\ntarget: {agents: '*'}"));
    let rule = &bundle.rules[0];
    assert_eq!((&rule.agent, &rule.action), (&None, &None));
    assert!(matches!(rule.target.agents.as_deref(), Some([Pattern::Glob(_)])));
}

#[test]
fn phases_are_names_or_globs_over_them() {
    for (lines, want) in [
        ("phase: dispatch", Phases::Dispatch),
        ("phase: enqueue", Phases::Enqueue),
        ("phase: any", Phases::Any),
        ("target: {phases: [enqueue, dispatch]}", Phases::Any),
        ("target: {phases: 'e*'}", Phases::Enqueue),
        ("target: {phases: ['*']}", Phases::Any),
        ("target: {}", Phases::Dispatch),
    ] {
        assert_eq!(clean(&with_rule(lines)).rules[0].target.phases, want, "{lines}");
    }
}

#[test]
fn scopes_are_global_or_one_level() {
    for (lines, want) in [
        ("scope: global", Scope::Global),
        ("scope: {application: shop}", Scope::Level(ScopeLevel::App, exact("shop"))),
        ("scope: {tool: {eq: 'a*'}}", Scope::Level(ScopeLevel::Tool, exact("a*"))),
    ] {
        assert_eq!(clean(&with_rule(lines)).rules[0].scope, want, "{lines}");
    }
}

#[test]
fn a_rule_that_is_wrong_says_where_and_what_to_write() {
    for (lines, start, also) in [
        ("prioritty: 5", "unknown-field 7:5 `prioritty` is no field of a rule", "write `priority`"),
        ("prio: 5", "unknown-field 7:5 `prio` is no field of a rule", "write `priority`"),
        ("zzzzzzzz: 5", "unknown-field 7:5 `zzzzzzzz` is no field of a rule", "remove it"),
        ("priority: '5'", "wrong-type 7:15 `priority` is text", "write a whole number"),
        ("priority: 1.5", "bad-value 7:15 `priority` is 1.5", "whole number from -2147483648"),
        ("priority: 3000000000", "bad-value 7:15 `priority` is 3000000000", "to 2147483647"),
        ("priority: 1001", "priority-range 7:15 `priority` is 1001", "between 0 and 1000"),
        (
            "onUnavailable: deny\non_unavailable: deny",
            "bad-value 8:5 `on_unavailable` and `onUnavailable` of line 7",
            "keep one",
        ),
        ("on_unavailable: drop", "bad-value 7:21 `on_unavailable` cannot be `drop`", "`deny`, `allow`"),
        ("log: Always", "bad-value 7:10 `log` cannot be `Always`", "write `always`"),
        ("enabled: yes", "wrong-type 7:14 `enabled` is text", "`true` or `false`"),
        ("enabled: false", "disabled 7:5 the rule is switched off", "delete it"),
        ("agent: []", "bad-value 7:12 `agent` is an empty list", "leave it out"),
        ("agent: ''", "bad-value 7:12 `agent` is empty", "leave it out"),
        ("agent: [a, 5]", "wrong-type 7:16 an element of `agent` is a number", "quotes"),
        ("agent: 'a['", "bad-value 7:12 `agent` is no glob: `[` has no partner", "`\\[`"),
        ("agent: 'a}'", "bad-value 7:12 `agent` has a `}` without its partner", "`\\}`"),
        ("target: {tools: [b, 'a}']}", "bad-value 7:25 an element of `tools` has a `}`", "`\\}`"),
        ("agent: {eq: a, ne: b}", "unknown-field 7:20 `ne` is no field of a literal", "`eq`"),
        ("target: {tool: a}", "unknown-field 7:14 `tool` is no field of a target", "write `tools`"),
        ("target:", "wrong-type 7:11 `target` is null", "map"),
        (
            "target: {environment: a, environments: b}",
            "bad-value 7:30 `environments` and `environment`",
            "keep one",
        ),
        ("target: {kinds: [tol]}", "bad-value 7:22 an element of `kinds` cannot be `tol`", "write `tool`"),
        ("target: {kinds: LLM}", "bad-value 7:21 `kinds` cannot be `LLM`", "write `llm`"),
        ("target: {tags: [a]}", "wrong-type 7:20 `tags` is a list", "as a map"),
        ("target: {phases: later}", "bad-value 7:22 `phases` cannot be `later`", "`enqueue`"),
        ("phase: any\ntarget: {phases: any}", "bad-value 7:5 `phase` and `target.phases`", "keep one"),
        ("scope: tenants", "bad-value 7:12 `scope` cannot be `tenants`", "write `{tenant: acme}`"),
        ("scope: tenant", "bad-value 7:12 `scope` names the level `tenant` and no value", "`{tenant: acme}`"),
        ("scope: {tenant: null}", "wrong-type 7:21 `tenant` is null", "write text"),
        ("scope: {tenant: ''}", "bad-value 7:21 `tenant` is empty", "leave it out"),
        ("scope: everywhere", "bad-value 7:12 `scope` cannot be `everywhere`", "`global`"),
        ("scope: {tenant: a, app: b}", "bad-value 7:12 `scope` names several levels", "`{tenant: acme}`"),
        ("scope: {}", "bad-value 7:12 `scope` names no level", "`global`"),
        ("scope: {user: a}", "unknown-field 7:13 `user` is no field of a scope", "it has"),
        ("budget: {risk: none}", "bad-value 7:20 `risk` cannot be `none`", "`critical`"),
        ("budget: {cost: -1}", "bad-value 7:20 `cost` is -1", "from 0"),
        ("budget: {compute: 0.5}", "bad-value 7:23 `compute` is 0.5", "whole number"),
        ("when: ''", "bad-value 7:11 `when` is empty", "leave it out"),
        ("when: true", "wrong-type 7:11 `when` is a boolean", "quotes"),
        ("tags: a", "wrong-type 7:11 `tags` is text", "write a list"),
        ("metadata: 1", "wrong-type 7:15 `metadata` is a number", "write a map"),
        (
            "modify: {mode: draft}",
            "bad-value 7:5 `modify` belongs to effect `modify` alone",
            "make the effect `modify`",
        ),
        ("approval: {}", "bad-value 7:5 `approval` belongs to effect `require_approval` alone", "remove it"),
        ("disposition: drop", "bad-value 7:5 `disposition` belongs to effect `deny` alone", "remove it"),
        ("conditions:", "wrong-type 7:15 `conditions` is null", "write a map"),
    ] {
        only_finding(&with_rule(lines), start, also);
    }
}

#[test]
fn an_effect_wants_what_belongs_to_it() {
    for (lines, start, also) in [
        ("id: abc", "missing-field 4:5 a rule needs `effect`", "add `effect`"),
        ("effect: deny", "missing-field 4:5 a rule needs `id`", "add `id`"),
        ("id: Abc\neffect: deny", "bad-value 4:9 `id` cannot be `Abc`", "3 to 64"),
        ("id: ab\neffect: deny", "bad-value 4:9 `id` cannot be `ab`", "3 to 64"),
        ("id: 123\neffect: deny", "wrong-type 4:9 `id` is a number", "quotes"),
        ("id: abc\neffect: alow", "bad-value 5:13 `effect` cannot be `alow`", "write `allow`"),
        ("id: abc\neffect: ALLOW", "bad-value 5:13 `effect` cannot be `ALLOW`", "write `allow`"),
        ("id: abc\neffect: modify", "missing-field 4:5 a rule needs `modify`", "add `modify`"),
        ("id: abc\neffect: modify\nmodify: {}", "missing-field 6:13 `modify` changes nothing", "add `mode`"),
        (
            "id: abc\neffect: modify\nmodify: {timeoutSeconds: 0}",
            "bad-value 6:30 `timeoutSeconds` is 0",
            "above 0",
        ),
        (
            "id: abc\neffect: modify\nmodify: {limits: {max_tools: 1}}",
            "unknown-field 6:23 `max_tools` is no field of `limits`",
            "write `max_tool_calls`",
        ),
        (
            "id: abc\neffect: modify\nmodify: {limits: {max_cost: 1e10}}",
            "bad-value 6:33 `max_cost` is 10000000000",
            "1000000000",
        ),
        (
            "id: abc\neffect: deny\ndisposition: silent",
            "bad-value 6:18 `disposition` cannot be `silent`",
            "`raise`",
        ),
        (
            "id: abc\neffect: require_approval\napproval: {approvers: 9}",
            "bad-value 6:27 `approvers` is 9",
            "1 to 8",
        ),
        (
            "id: abc\neffect: require_approval\napproval: {approvers: 0}",
            "bad-value 6:27 `approvers` is 0",
            "1 to 8",
        ),
        (
            "id: abc\neffect: require_approval\napproval: {expires_in_seconds: 31536001}",
            "bad-value 6:36 `expires_in_seconds` is longer than a year",
            "31536000",
        ),
        ("id: abc\neffect: require_approval\napproval: {uses: 0}", "bad-value 6:22 `uses` is 0", "1 to"),
        (
            "id: abc\neffect: require_approval\napproval: {bind: [a..b]}",
            "bad-value 6:23 the path `a..b` has an empty part",
            "one dot",
        ),
        (
            "id: abc\neffect: require_approval\napproval: {role: ''}",
            "bad-value 6:22 `role` is empty",
            "leave it out",
        ),
    ] {
        only_finding(&with_only(&format!("{lines}\nreason: Because it is so")), start, also);
    }
}

#[test]
fn reasons_are_wanted_and_kept_short() {
    let long = "x".repeat(257);
    for (reason, start, also) in [
        ("priority: 1".to_owned(), "missing-reason 4:5 the rule has no reason", "10 to 256"),
        ("reason: ' '".to_owned(), "missing-reason 6:13 the rule has no reason", "10 to 256"),
        ("reason: too short".to_owned(), "short-reason 6:13 the reason has only 9", "10 to 256"),
        (format!("reason: {long}"), "out-of-bounds 6:13 the reason has 257", "10 to 256"),
        ("reason: 5".to_owned(), "wrong-type 6:13 `reason` is a number", "quotes"),
    ] {
        only_finding(&with_only(&format!("id: abc\neffect: deny\n{reason}")), start, also);
    }
    let fits = format!("id: abc\neffect: deny\nreason: {}", "é".repeat(256));
    assert_eq!(clean(&with_only(&fits)).rules.len(), 1);
}

#[test]
fn the_top_level_says_what_is_wrong() {
    for (text, start, also) in [
        ("version: 1.0.0", "missing-field 1:1 a bundle needs `format`", "add `format`"),
        ("format: tollgate/v1", "missing-field 1:1 a bundle needs `version`", "version: 1.0.0"),
        ("format: tollgate/v2\nversion: 1.0.0", "bad-value 1:9 `format` is `tollgate/v2`", "`tollgate/v1`"),
        ("format: tollgate/v1\nversion: 1.4", "wrong-type 2:10 `version` is a number", "quotes"),
        ("format: tollgate/v1\nversion: '1.4'", "bad-value 2:10 `version` is `1.4`, no semantic", "`1.4.0`"),
        ("[]", "wrong-type 1:1 `the document` is a list", "map"),
        (
            "format: tollgate/v1\nversion: 1.0.0\nrule: []",
            "unknown-field 3:1 `rule` is no field of a bundle",
            "write `rules`",
        ),
        ("format: tollgate/v1\nversion: 1.0.0\nrules: {}", "wrong-type 3:8 `rules` is a map", "write a list"),
        (
            "format: tollgate/v1\nversion: 1.0.0\nrules: [5]",
            "wrong-type 3:9 an element of `rules` is a number",
            "write a rule as a map",
        ),
        (
            "format: tollgate/v1\nversion: 1.0.0\ndefaults: {effect: modify}",
            "bad-value 3:20 `effect` cannot be `modify`",
            "`deny`, `allow`",
        ),
        (
            "format: tollgate/v1\nversion: 1.0.0\ndefaults: {mode_order: [a, a]}",
            "bad-value 3:24 `mode_order` holds `a` twice",
            "keep one",
        ),
        (
            "format: tollgate/v1\nversion: 1.0.0\nmask: [context]",
            "bad-value 3:8 an element of `mask` is `context`",
            "`/context/card/number`",
        ),
        (
            "format: tollgate/v1\nversion: 1.0.0\nmask: [/a~2]",
            "bad-value 3:8 an element of `mask`",
            "`~0` for `~`",
        ),
        (
            "format: tollgate/v1\nversion: 1.0.0\nfields: {a: {type: text}}",
            "bad-value 3:20 `type` cannot be `text`",
            "`string`",
        ),
        (
            "format: tollgate/v1\nversion: 1.0.0\nfields: {a: {}}",
            "missing-field 3:13 a declared field needs `type`",
            "add",
        ),
        (
            "format: tollgate/v1\nversion: 1.0.0\nfields: {a: {type: string, min: 1}}",
            "bad-value 3:28 `min` belongs to numbers",
            "remove it",
        ),
        (
            "format: tollgate/v1\nversion: 1.0.0\nfields: {a: {type: number, values: [a]}}",
            "bad-value 3:28 `values` belongs to strings",
            "remove it",
        ),
        (
            "format: tollgate/v1\nversion: 1.0.0\nfields: {a: {type: number, min: 2, max: 1}}",
            "bad-value 3:41 `max` is below `min`",
            "at least",
        ),
        (
            "format: tollgate/v1\nversion: 1.0.0\nfields: {a..b: {type: number}}",
            "bad-value 3:10 the path `a..b`",
            "one dot",
        ),
        (
            "format: tollgate/v1\nversion: 1.0.0\nenforceFields: 1",
            "wrong-type 3:16 `enforceFields` is a number",
            "`true`",
        ),
    ] {
        only_finding(text, start, also);
    }
}

#[test]
fn a_newer_bundle_is_refused_and_nothing_else_is_said() {
    only_finding(
        "format: tollgate/v1\nversion: 1.0.0\nmin_engine: 99.1.0\nnew_thing: 1\nrules: [{new: 1}]",
        "bad-value 3:13 the bundle needs engine 99.1.0 or newer, and this is ",
        "update the engine",
    );
    only_finding(&format!("{HEAD}min_engine: new"), "bad-value 3:13 `min_engine` is `new`", "`1.4.0`");
}

#[test]
fn all_errors_are_reported_each_about_its_rule_in_the_order_of_the_source() {
    let reading = read(concat!(
        "format: tollgate/v1\nversion: 1.0.0\n",
        "rules:\n",
        "  - {id: one, effect: deny, reason: Because it is so, priority: x}\n",
        "  - {id: one, efect: deny, reason: Because it is so}\n",
        "  - {id: two, effect: deny, reason: Because it is so, agent: [], conditions: {'=>a': 1}}\n",
        "defaults: {effects: deny}\n",
    ));
    let told: Vec<String> = reading.findings.iter().map(told).collect();
    let subjects: Vec<_> = reading.findings.iter().map(|f| f.subject.as_deref()).collect();
    assert_eq!(
        told,
        [
            "wrong-type 4:65 `priority` is text; write a whole number",
            "missing-field 5:5 a rule needs `effect`; add `effect`",
            "duplicate-id 5:10 a rule `one` stands already at b.yaml:4:10; give it another name",
            "unknown-field 5:15 `efect` is no field of a rule; write `effect`",
            "bad-value 6:62 `agent` is an empty list, which matches nothing; leave it out to match everything, or name what it matches",
            "bad-operator 6:79 `=>` is no operator; write `>=`",
            "unknown-field 7:12 `effects` is no field of `defaults`; write `effect`",
        ]
    );
    assert_eq!(
        subjects,
        [Some("one"), Some("one"), Some("one"), Some("one"), Some("two"), Some("two"), None]
    );
}
