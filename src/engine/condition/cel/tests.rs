use super::*;
use crate::model::request::{Action, Estimate, Grant, Question, Request, Subject};
use crate::model::{ActionKind, Phase};
use crate::unit::{Money, Span};
use crate::value::{Const, ConstMap};

fn constant(json: &serde_json::Value) -> Const {
    match json {
        serde_json::Value::Null => Const::Null,
        serde_json::Value::Bool(b) => Const::Bool(*b),
        serde_json::Value::Number(n) => Const::Number(n.as_f64().unwrap()),
        serde_json::Value::String(s) if s == "NaN!" => Const::Number(f64::NAN),
        serde_json::Value::String(s) => Const::Str(s.as_str().into()),
        serde_json::Value::Array(items) => Const::List(items.iter().map(constant).collect()),
        serde_json::Value::Object(o) => {
            Const::Map(o.iter().map(|(k, v)| (k.as_str().into(), constant(v))).collect())
        }
    }
}

fn map(json: serde_json::Value) -> ConstMap {
    match constant(&json) {
        Const::Map(map) => map,
        _ => ConstMap::new(),
    }
}

fn compiled(source: &str, slots: &mut SlotTable) -> Result<Vec<Conjunct>, Problem> {
    let data = map(serde_json::json!({
        "flags": {"new": true}, "words": ["a", "b"], "pattern": "^a+$", "n": 5, "zone": "Europe/Berlin", "rows": [{"z": 1}, {"limit": 50}],
    }));
    on_deep_stack(|| compile(source, slots, &data, &mut Shared::default())).unwrap()
}

/// What the expression says about one fixed request.
fn says(source: &str) -> Result<Truth, String> {
    let mut slots = SlotTable::default();
    let parts = compiled(source, &mut slots).map_err(|problem| problem.message)?;
    let context = map(serde_json::json!({
        "n": 7, "half": 0.5, "big": 1e308, "nan": "NaN!", "s": "héllo", "five": "5", "yes": true,
        "nil": null, "list": [1, 2, 3], "names": ["ann", "bob"], "empty": [],
        "m": {"k": 1, "deep": {"x": "y"}}, "items": [{"p": 1}, {"p": 20}], "odd": [{"p": 1}, {}],
        "ip": "10.1.2.3", "t": "2024-03-31T01:30:00Z", "long": vec!["0".repeat(8_000); 100], "risk-score": 90, "d": "90m",
    }));
    let roles = vec!["admin".to_owned()];
    let tags: Vec<String> = Vec::new();
    let request = Request {
        subject: Subject {
            agent: "inbox",
            user: "",
            tenant: "acme",
            app: "",
            workflow: "",
            run: "r1",
            roles: &roles,
        },
        action: Action {
            name: "send",
            kind: Some(ActionKind::Tool),
            tool: "mail",
            provider: "",
            model: "",
            pipeline: "",
            stage: "",
            handler: "",
            tags: &tags,
        },
        context: &context,
        environment: "",
        mode: "auto",
        phase: Phase::Dispatch,
        priority: Some(3),
        estimate: Estimate {
            cost: Money::from_units(0.25),
            duration: Span::from_seconds(90.0),
            ..Estimate::default()
        },
        request_id: "",
        batch_id: "",
        attempt: 0,
        grants: &tags,
        grant: Grant::None,
        dry_run: false,
        time_left: None,
        question: Question::MayRun,
    };
    let mut filled = Slots::default();
    slots.fill(&request, "production", None, &mut filled);
    let now = "2024-06-15T22:30:00Z".parse::<jiff::Timestamp>().unwrap().into();
    Ok(parts
        .iter()
        .map(|part| match &part.form {
            Form::Flat(slot, op) => crate::condition::test::holds(op, filled.get(*slot)),
            Form::Program(program) => program.holds(&filled, now),
        })
        .fold(Truth::True, Truth::and))
}

#[test]
fn expressions_say_what_the_page_says() {
    use Truth::{Absent, Error, False, True};
    let mut wrong = Vec::new();
    for (source, want) in [
        // absence and error
        ("context.missing == 1", Absent),
        ("context.missing != 1", Absent),
        ("context.s.inner == 1", Error),
        ("context.nil.inner == 1", Error),
        ("context.missing.inner == 1", Absent),
        ("has(context.missing)", False),
        ("has(context.nil)", True),
        ("has(context.m.k)", True),
        ("has(context.m.zzz)", False),
        ("has(context.missing.deeper)", False),
        ("has(context.s.inner)", Error),
        ("context.five == 5", False),
        ("context.five != 5", True),
        ("context.five >= 5", Error),
        ("context.nil == null", True),
        ("context.nil < 5", Error),
        ("context.n == 7", True),
        ("context.n == 7.0", True),
        ("7 == context.n", True),
        ("context.nan == 1.0", Error),
        ("context.nan != context.nan", Error),
        // three values
        ("context.missing == 1 && false", False),
        ("context.missing == 1 || true", True),
        ("context.five >= 5 && context.missing == 1", Error),
        ("context.five >= 5 || context.missing == 1 || context.n == 7", True),
        ("!(context.missing == 1)", Absent),
        ("context.yes", True),
        ("context.s", Error),
        ("context.missing ? true : false", Absent),
        ("context.yes ? context.n == 7 : context.missing", True),
        // numbers
        ("context.n + 1 == 8", True),
        ("context.n / 2 == 3.5", True),
        ("7 / 2 == 3", True),
        ("context.n % 2 == 1", True),
        ("context.half % 2 == 0", Error),
        ("context.n / 0 == 1", Error),
        ("context.big * 10.0 > 1.0", Error),
        ("-context.n < 0", True),
        ("context.n - 1.5 == 5.5", True),
        ("--5 == 5 && - -5 == 5 && ---5 == -5", True),
        ("--context.n == 7 && ---context.n < 0", True),
        ("!!context.yes == context.yes && !!!context.yes == false", True),
        ("!!(context.missing == 1)", Absent),
        ("int('+5') == 5 && int('-5') == -5 && int('05') == 5", True),
        ("int(context.five + '+') == 5", Error),
        ("int('+' + '-' + context.five) == 5", Error),
        ("size(context.list) + context.n == 10", True),
        ("context.list[context.n - 6] == 2", True),
        ("context.list[0.5 + context.half] == 2", True),
        ("context.list[3] == 2", Error),
        ("context.list[-1 * size(context.list)] == 2", Error),
        // text
        ("context.s.startsWith('hé') && context.s.endsWith('lo') && context.s.contains('l')", True),
        ("size(context.s) == 5 && context.s.size() == 5", True),
        ("context.s.matches('^h.llo$')", True),
        ("matches(context.s, data.pattern)", False),
        ("'AbC'.lowerAscii() == 'abc' && 'AbC'.upperAscii() == 'ABC'", True),
        ("' x '.trim() == 'x'", True),
        ("'a,b,c'.split(',') == ['a', 'b', 'c']", True),
        ("'a,b,c'.split(',', 2) == ['a', 'b,c']", True),
        ("'abc'.split('') == ['a', 'b', 'c']", True),
        ("'a,b'.split(',', 0) == []", True),
        ("['a', 'b'].join('-') == 'a-b' && ['a', 'b'].join() == 'ab'", True),
        ("context.s + '!' == 'héllo!'", True),
        ("context.n.startsWith('x')", Error),
        // collections
        ("2 in context.list && !(9 in context.list)", True),
        ("'k' in context.m && !('z' in context.m)", True),
        ("'x' in context.missing", Absent),
        ("'x' in context.n", Error),
        ("context.m['k'] == 1 && context['risk-score'] == 90 && context.`risk-score` == 90", True),
        ("context.m[context.s] == 1", Absent),
        ("{'a': context.n}['b'] == 1", Error),
        ("{'a': context.n}.a == 7", True),
        ("context.list == [1, 2, 3] && context.list + [4] == [1, 2, 3, 4]", True),
        ("context.m.deep == {'x': 'y'}", True),
        // macros
        ("context.items.exists(i, i.p > 10)", True),
        ("context.items.all(i, i.p > 0)", True),
        ("context.odd.exists(i, i.p == 1)", True),
        ("context.odd.all(i, i.p == 1)", Absent),
        ("context.odd.exists_one(i, i.p == 1)", Absent),
        ("context.items.exists_one(i, i.p == 1)", True),
        ("context.items.filter(i, i.p > 10).size() == 1", True),
        ("context.items.map(i, i.p * 2) == [2, 40]", True),
        ("context.items.map(i, i.p > 10, i.p) == [20]", True),
        ("context.names.exists(a, context.list.exists(b, b == 3 && a == 'bob'))", True),
        ("context.m.exists(k, k == 'deep')", True),
        ("context.empty.all(x, x > 1) && !context.empty.exists(x, true)", True),
        ("[{'a': context.n}].exists(i, i.b == 1)", Error),
        ("context.odd.map(i, has(i.p)) == [true, false]", True),
        ("context.n.exists(i, true)", Error),
        // subject, action, estimate and the rest
        ("subject.agent == 'inbox' && subject.tenant.startsWith('ac')", True),
        ("subject.user == 'x'", Absent),
        ("has(subject.user) || has(action.tags)", False),
        ("'admin' in subject.roles && size(action.tags) == 0", True),
        ("action.name == 'send' && action.kind == 'tool' && environment == 'production'", True),
        ("priority == 3 && attempt == 0 && mode == 'auto' && phase == 'dispatch'", True),
        ("estimate.cost < 0.3 && estimate.duration == duration('1m30s')", True),
        ("estimate.tokens > 3", Absent),
        ("usage.cost > 1.0", Absent),
        ("data.flags.new && data.n == 5 && 'a' in data.words", True),
        // time
        ("now.getHours() == 22 && now.getHours('Europe/Berlin') == 0", True),
        ("now.getDayOfWeek() == 6 && now.getDayOfWeek(data.zone) == 0", True),
        ("now.getMonth() == 5 && now.getDate() == 15 && now.getDayOfMonth() == 14", True),
        ("now.getHours('+02:00') == 0", True),
        ("timestamp(context.t).getHours('Europe/Berlin') == 3", True),
        ("now > timestamp('2024-01-01T00:00:00Z')", True),
        ("now - timestamp('2024-06-15T22:00:00Z') == duration('30m')", True),
        ("timestamp(context.s) > now", Error),
        ("timestamp('9999-12-31T23:59:59Z') > now", True),
        ("timestamp('9999-12-31T23:59:59.5Z').getMilliseconds() == 500", True),
        ("timestamp('9999-12-31T23:59:59Z').getFullYear('+01:00') == 10000", True),
        ("data.rows.exists(r, r.limit < context.n)", Error),
        ("data.rows.exists(r, has(r.limit) && r.limit > context.n)", True),
        ("timestamp(context.n) < now", Error),
        ("timestamp(int(context.n)) < now && timestamp(0) < now", True),
        ("duration(context.d) > duration('1h') && duration(context.d).getMinutes() == 90", True),
        ("duration('123.456s').getMilliseconds() == 456", True),
        ("now.getHours(context.s) == 1", Error),
        // conversions
        ("int('12') == 12 && int(3.9) == 3 && int(context.n) == 7 && double('1.5') == 1.5", True),
        ("string(context.n) == '7' && string(1.5) == '1.5' && string(true) == 'true'", True),
        ("string(duration('1h')) == '3600s' && bool('true')", True),
        ("int(context.s) == 1", Error),
        ("string(timestamp('2024-01-01T00:00:00Z')) == '2024-01-01T00:00:00Z'", True),
        ("dyn(context.n) == 7", True),
        // addresses
        ("cidr('10.0.0.0/8').containsIP(context.ip)", True),
        ("cidr('10.0.0.0/8').containsIP(ip(context.ip))", True),
        ("ip('::ffff:10.0.0.1') == ip('10.0.0.1')", True),
        ("cidr('10.0.0.0/8').containsIP(context.s)", Error),
    ] {
        let got = says(source);
        if got != Ok(want) {
            wrong.push(format!("{source}: {got:?}, not {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_cannot_stand_is_refused_at_load() {
    for (source, want) in [
        ("1 + 1", "true or false"),
        ("subject.agent", "true or false"),
        ("subject.agent + 1 == 2", "`+` is not defined"),
        ("!context.n && !5", "`!` takes a boolean"),
        ("1/0 > 0", "always fails"),
        ("true || 1/0 > 0", "always fails"),
        ("timestamp('2024-01-01T23:59:00+25:00') < now", "always fails"),
        ("now.getHours('+-2:00') < 8", "does not exist"),
        ("has(data.zone.x)", "not a map"),
        ("data.rows.all(a, data.rows.all(b, true)) && [1].map(x, 1).size() > 2000000 / 0", "always fails"),
        ("timestamp('yesterday') < now", "always fails"),
        ("cidr('10.0.0.1/8').containsIP(context.ip)", "always fails"),
        ("9223372036854775807 + 1 > 0", "always fails"),
        ("now.getHours('Europe/Berlim') < 8", "time zone `Europe/Berlim` does not exist"),
        ("context.s.matches('[')", "pattern `[` cannot be read"),
        ("context.s.matches(context.five)", "must be constant"),
        ("context.s.matches('(a{1000}){1000}')", "cannot be read"),
        ("risk_score > 5", "`risk_score` does not exist"),
        ("subject.agnet == 'x'", "no field `agnet`"),
        ("data.flags.old", "`data.flags.old` does not exist"),
        ("b'x' == b'x'", "bytes are not supported"),
        ("1u == 1u", "unsigned literals are not supported"),
        ("google.protobuf.Timestamp{seconds: 1} == now", "messages are not supported"),
        ("context.?a == 1", "optional"),
        ("type(context.n) == int", "calls of `type` are not supported"),
        ("context.s.substring(1) == 'x'", "calls of `substring`"),
        ("context.list.exists(now, true)", "hides another"),
        ("context.list.exists(x, context.list.exists(x, true))", "hides another"),
        ("context.list.all(x, x)  && context.list.map(x, 1)", "true or false"),
        ("has(context)", "`has` takes a field"),
        ("subject == 1", "no value of its own"),
        ("(", "cannot be read"),
        ("", "cannot be read"),
        ("a.b.c(", "cannot be read"),
    ] {
        let got = says(source);
        assert!(got.as_ref().is_err_and(|message| message.contains(want)), "{source}: {got:?}");
    }
}

#[test]
fn what_is_too_large_is_refused_and_nothing_overflows() {
    let chain = |n: usize| vec!["1"; n].join("+") + " > 0";
    assert_eq!(says(&chain(120)), Ok(Truth::True));
    let deep = |n: usize| format!("{}context.yes{}", "!(".repeat(n), ")".repeat(n));
    assert_eq!(says(&deep(38)), Ok(Truth::True));
    for (source, want) in [
        (chain(2_000), "parts"),
        ("a".repeat(5_000), "bytes"),
        (deep(60), "deep"),
        (deep(2_000), "bytes"),
        (deep(500), "cannot be read"),
        (format!("context{} == 1", ".b".repeat(2_000)), "deep"),
        (format!("context{} == 1", "[0]".repeat(1_300)), "deep"),
        (format!("{}1{}", "[".repeat(900), "]".repeat(900)), ""),
        ("context.a.all(a, context.a.all(b, context.a.all(c, context.a.all(d, a == d))))".into(), "steps"),
    ] {
        let got = says(&source);
        assert!(got.as_ref().is_err_and(|m| m.contains(want)), "{source:.60}: {got:?}");
    }
}

#[test]
fn doubling_text_ends_as_an_error() {
    let source = format!("context.names{}.size() > 0", ".map(x, x + x)".repeat(24));
    assert_eq!(says(&source), Ok(Truth::Error));
}

#[test]
fn simple_parts_become_flat_tests() {
    for (source, flat) in [
        ("context.n >= 85 && subject.tenant == 'acme'", 2),
        ("85 <= context.n", 1),
        ("!(context.s in ['a', 'b'])", 1),
        ("!has(context.x)", 1),
        ("context.n + 1 > 2", 0),
        ("context.yes > true", 0),
        ("estimate.duration > duration('1s')", 0),
    ] {
        let parts = compiled(source, &mut SlotTable::default()).unwrap();
        let found = parts.iter().filter(|part| matches!(part.form, Form::Flat(..))).count();
        assert_eq!(found, flat, "{source}");
    }
}

#[test]
fn token_soup_never_panics() {
    const TOKENS: [&str; 48] = [
        "context",
        ".a",
        ".b",
        "[0]",
        "['k']",
        "subject.agent",
        "action",
        "data.n",
        "now",
        "1",
        "2.5",
        "'x'",
        "true",
        "null",
        "-",
        "!",
        "+",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "?",
        ":",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        " in ",
        "has(",
        "size(",
        ".exists(x, ",
        ".map(x, ",
        ".getHours(",
        "timestamp(",
        "duration(",
        ".matches(",
        "x",
        "`",
        "\u{e9}",
        "0x1F",
    ];
    let mut seed = 11_u64;
    let mut next = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    let mut stood = 0;
    for _ in 0..3_000 {
        let source: String = (0..1 + next(9)).map(|_| TOKENS[next(TOKENS.len())]).collect();
        stood += usize::from(says(&source).is_ok());
    }
    assert!(stood > 5, "only {stood} of the expressions could be evaluated");
}

#[test]
fn a_part_is_shown_as_it_was_written() {
    let source = "(string(context.n) == '5' && !has(context.x)) && context.list.exists(i, i > 2 && i < 9)";
    let parts = compiled(source, &mut SlotTable::default()).unwrap();
    let texts: Vec<&str> = parts.iter().map(|part| &*part.text).collect();
    assert_eq!(
        texts,
        ["string(context.n) == '5'", "!has(context.x)", "context.list.exists(i, i > 2 && i < 9)"]
    );
}

#[test]
fn work_on_long_texts_is_bounded() {
    for call in ["x.trim()", "x.lowerAscii()", "string(int(x))", "x + x", "x.split('').join()"] {
        let source = format!("context.long.exists(x, context.long.exists(y, {call} == context.s))");
        assert_eq!(says(&source), Ok(Truth::Error), "{source}");
    }
}
