//! The index offers every rule that may match: held against a walk over all rules.

use super::*;
use crate::compile::{Compiled, bundle};
use crate::condition::glob::Glob;
use crate::condition::truth::Truth;
use crate::id::{Digest, RuleId};
use crate::model::request::{Action, Estimate, Grant, Question, Request, Subject};
use crate::model::{
    Approval, Bundle, Condition, Defaults, Disposition, Path, Pattern, Phase, Phases, Place, Rule,
    RuleEffect, Scope, Spelling, Target,
};
use crate::time::WallTime;
use crate::value::ConstMap;

/// splitmix64: enough to draw cases, the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn of<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

const NAMES: [&str; 4] = ["inbox.triage", "inbox.send", "pay", "x"];
const FIELDS: [&str; 4] = ["a", "b", "c", "d.e"];

fn patterns(random: &mut Random) -> Option<Vec<Pattern>> {
    let globs = ["inbox.*", "*.send", "*a*", "{pay,x}", "i*e", "*box*", "*.tri*"];
    let one = |random: &mut Random| match random.below(3) {
        0 => Pattern::Glob(Glob::parse(random.of(&globs)).unwrap()),
        _ => Pattern::Exact(random.of(&NAMES).into()),
    };
    match random.below(3) {
        0 => None,
        1 => Some(vec![one(random)]),
        _ => Some(vec![one(random), one(random)]),
    }
}

fn constant(random: &mut Random) -> Const {
    match random.below(6) {
        0 => Const::Str(random.of(&["p", "q"]).into()),
        1 => Const::Bool(random.below(2) == 0),
        2 => Const::Null,
        _ => Const::Number(random.below(40) as f64),
    }
}

fn ordered(random: &mut Random) -> Const {
    match random.below(8) {
        0 => Const::Str("p".into()),
        _ => Const::Number(random.below(40) as f64),
    }
}

fn condition(random: &mut Random) -> Condition {
    let op = match random.below(11) {
        0 => Op::Ne(constant(random)),
        1 => Op::In(vec![constant(random), constant(random)]),
        2 => Op::NotIn(vec![constant(random)]),
        3 => Op::Lt(ordered(random)),
        4 => Op::Le(ordered(random)),
        5 => Op::Gt(ordered(random)),
        6 => Op::Ge(ordered(random)),
        7 => {
            Op::Between(Const::Number(random.below(20) as f64), Const::Number(20.0 + random.below(20) as f64))
        }
        8 => Op::Exists(random.below(2) == 0),
        9 => Op::Matches(Pattern::Exact("p".into())),
        _ => Op::Eq(constant(random)),
    };
    let path = Path::Context(random.of(&FIELDS).split('.').map(Box::from).collect());
    Condition { path, op, spelling: Spelling::Canonical, place: Place::default(), text: "".into() }
}

fn rule(random: &mut Random, number: usize) -> Rule {
    let effects = [
        RuleEffect::Allow,
        RuleEffect::Deny(Disposition::Raise),
        RuleEffect::RequireApproval(Approval::default()),
    ];
    let mut target = Target { phases: Phases::Any, ..Target::default() };
    match random.below(8) {
        0 => target.tenants = Some(vec![Pattern::Exact(random.of(&NAMES).into())]),
        1 => target.tools = patterns(random),
        2 => target.tags_exclude = Some(vec![Pattern::Exact("x".into())]),
        3 => target.roles = Some(vec![Pattern::Exact("x".into())]),
        _ => {}
    }
    let programs = ["context.a + 1 > 9.0", "context.b == context.c", "size(context.d) > 1"];
    Rule {
        id: RuleId::parse(&format!("rule-{number}")).unwrap(),
        place: Place::default(),
        agent: patterns(random),
        action: patterns(random),
        scope: Scope::Global,
        target,
        conditions: (0..random.below(4)).map(|_| condition(random)).collect(),
        when: (random.below(12) == 0)
            .then(|| crate::model::Placed { value: random.of(&programs).into(), place: Place::default() }),
        effect: random.of(&effects),
        reason: "because of a test".into(),
        priority: random.below(1_000) as i32,
        budget: None,
        enabled: true,
        tags: Vec::new(),
        metadata: ConstMap::new(),
        log: None,
        on_unavailable: None,
    }
}

fn compiled(random: &mut Random, rules: usize) -> Compiled {
    let document = Bundle {
        version: semver::Version::new(1, 0, 0),
        digest: Digest([0; 32]),
        notes: "".into(),
        min_engine: None,
        defaults: Defaults::default(),
        data: ConstMap::new(),
        fields: Vec::new(),
        enforce_fields: false,
        mask: Vec::new(),
        metadata: ConstMap::new(),
        rules: (0..rules).map(|n| rule(random, n)).collect(),
        guardrails: Vec::new(),
        files: Vec::new(),
    };
    bundle(document).unwrap()
}

fn context(random: &mut Random) -> ConstMap {
    let mut context = ConstMap::new();
    for name in ["a", "b", "c"] {
        match random.below(8) {
            0 => {}
            1 => drop(context.insert(name.into(), Const::Number(f64::NAN))),
            2 => drop(context.insert(name.into(), Const::List(vec![Const::Null]))),
            _ => drop(context.insert(name.into(), constant(random))),
        }
    }
    match random.below(4) {
        0 => {}
        1 => drop(context.insert("d".into(), Const::Number(1.0))),
        _ => {
            let inner = [("e".into(), constant(random))].into_iter().collect();
            context.insert("d".into(), Const::Map(inner));
        }
    }
    context
}

/// The best rank that matches, and all that modify would match, without the index.
fn walk<'a>(bundle: &'a Compiled, request: &Request<'a>, slots: &Slots<'a>) -> Option<Rank> {
    bundle.deciding.rules.iter().find(|rule| matches(*rule, request, slots)).map(RuleRef::rank)
}

fn matches<'a>(rule: RuleRef<'a>, request: &Request<'a>, slots: &Slots<'a>) -> bool {
    rule.misfit(request, "default").is_none()
        && match rule.conditions(slots, WallTime::default()) {
            Truth::True => true,
            Truth::Error => rule.fails_closed(),
            Truth::False | Truth::Absent => false,
        }
}

#[test]
fn the_index_finds_what_a_walk_finds() {
    for (seed, rules) in (0..).zip([3, 30, 300, 300, 300, 3_000, 6_000]) {
        let mut random = Random(seed);
        let bundle = compiled(&mut random, rules);
        let mut decided = 0;
        for _ in 0..1_500 {
            let context = context(&mut random);
            let (roles, tags) = (vec![random.of(&NAMES).to_owned()], vec![random.of(&NAMES).to_owned()]);
            let request = Request {
                subject: Subject {
                    agent: random.of(&["", "inbox.triage", "inbox.send", "pay", "y"]),
                    user: "",
                    tenant: random.of(&NAMES),
                    app: "",
                    workflow: "",
                    run: "",
                    roles: &roles,
                },
                action: Action {
                    name: random.of(&NAMES),
                    kind: None,
                    tool: random.of(&["", "pay"]),
                    provider: "",
                    model: "",
                    pipeline: "",
                    stage: "",
                    handler: "",
                    tags: &tags,
                },
                context: &context,
                environment: "",
                mode: "",
                phase: Phase::Dispatch,
                priority: None,
                estimate: Estimate::default(),
                request_id: "",
                batch_id: "",
                attempt: 0,
                grants: &roles,
                grant: Grant::None,
                dry_run: false,
                time_left: None,
                question: Question::MayRun,
            };
            let mut slots = Slots::default();
            bundle.slots.fill(&request, "default", None, &mut slots);
            let mut pairs = Pairs::default();
            bundle.axes.fit(&request, &mut pairs);
            let asked = Asked { request: &request, environment: "default", slots: &slots, pairs: &pairs };
            let found = bundle.deciding.index.first(&asked, &mut |rank| {
                let rule = bundle.deciding.rules.at(rank).unwrap();
                match rule.holds(&request, "default", &slots, WallTime::default()) {
                    Truth::True => true,
                    Truth::Error => rule.fails_closed(),
                    Truth::False | Truth::Absent => false,
                }
            });
            assert_eq!(found, walk(&bundle, &request, &slots), "{rules} rules: {request:?}");
            decided += usize::from(found.is_some());
        }
        assert!(decided > 20, "{rules} rules decided {decided} times");
    }
}
