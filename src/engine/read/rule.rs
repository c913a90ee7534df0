//! One rule of a bundle (design 1.4).

use super::form::{Field, Form, Kind, Known, Shape};
use super::nearest::{listed, nearest};
use super::take::Choices;
use super::tree::Node;
use super::{Findings, effect, patterns, shown, spelling};
use crate::id::RuleId;
use crate::model::{
    Code, Estimate, Finding, LogChoice, OnUnavailable, Pattern, Patterns, Place, Placed, Risk, Rule, Scope,
    ScopeLevel, Severity, Target,
};
use crate::value::ConstMap;
use std::collections::BTreeMap;

static BUDGET: Shape = Shape {
    what: "`budget` of a rule",
    fields: &[Known::plain("cost"), Known::plain("compute"), Known::plain("risk")],
};

static SCOPE: Shape = Shape {
    what: "a scope",
    fields: &[
        Known::plain("tenant"),
        Known::plain("app").or(&["application"]),
        Known::plain("tool"),
        Known::plain("workflow"),
        Known::plain("agent"),
    ],
};

/// A rule.
pub(super) static RULE: Shape = Shape {
    what: "a rule",
    fields: &[
        Known::plain("id"),
        Known::of("agent", Kind::Patterns),
        Known::of("action", Kind::Patterns),
        Known::of("scope", Kind::Scope(&SCOPE)),
        Known::of("target", Kind::Form(&patterns::TARGET)),
        Known::of("conditions", Kind::Conditions),
        Known::plain("when"),
        Known::of("phase", Kind::Patterns),
        Known::of("effect", Kind::Effect),
        Known::of("modify", Kind::Form(&effect::MODIFY)),
        Known::plain("disposition"),
        Known::of("approval", Kind::Form(&effect::APPROVAL)),
        Known::plain("reason"),
        Known::plain("priority"),
        Known::of("budget", Kind::Form(&BUDGET)),
        Known::plain("enabled"),
        Known::plain("tags"),
        Known::plain("metadata"),
        Known::plain("log"),
        Known::plain("on_unavailable"),
    ],
};

/// The most bytes of a `when` (design 1.5.2).
const WHEN_BYTES: usize = 4_096;
/// A reason is for a person to read at a glance.
const REASON_CHARS: std::ops::RangeInclusive<usize> = 10..=256;
/// Leaves room on both sides.
const DEFAULT_PRIORITY: i32 = 50;

const LEVELS: &Choices<ScopeLevel> = &[
    ("tenant", ScopeLevel::Tenant),
    ("app", ScopeLevel::App),
    ("application", ScopeLevel::App),
    ("tool", ScopeLevel::Tool),
    ("workflow", ScopeLevel::Workflow),
    ("agent", ScopeLevel::Agent),
];

const RISKS: &Choices<Risk> =
    &[("low", Risk::Low), ("medium", Risk::Medium), ("high", Risk::High), ("critical", Risk::Critical)];

const LOGS: &Choices<LogChoice> = &[("always", LogChoice::Always), ("never", LogChoice::Never)];

/// What a client does when no decision point answers.
pub(super) const ON_UNAVAILABLE: &Choices<OnUnavailable> =
    &[("deny", OnUnavailable::Deny), ("allow", OnUnavailable::Allow)];

/// Where the ids of a bundle's rules were given first.
pub(super) type Seen = BTreeMap<Box<str>, Place>;

/// Reads a rule; `None` where it has no id or no effect, which is reported.
pub(super) fn rule(field: Field<'_>, data: &ConstMap, seen: &mut Seen, found: &mut Findings) -> Option<Rule> {
    found.set_subject(field.node.get("id").and_then(|id| id.text()));
    let form = Form::open(field, &RULE, found)?;
    let id = form.required("id", found).and_then(|f| rule_id(f, seen, found));
    let effect = effect::effect(&form, found);
    Some(Rule {
        place: form.place,
        agent: form.get("agent").and_then(|f| who(f, found)),
        action: form.get("action").and_then(|f| who(f, found)),
        scope: form.get("scope").and_then(|f| scope(f, found)).unwrap_or_default(),
        target: target(&form, found),
        conditions: form.get("conditions").map_or_else(Vec::new, |f| spelling::conditions(f, data, found)),
        when: form.get("when").and_then(|f| when(f, found)),
        reason: reason(&form, found),
        priority: form.get("priority").and_then(|f| f.priority(found)).unwrap_or(DEFAULT_PRIORITY),
        budget: form.get("budget").and_then(|f| budget(f, found)),
        enabled: enabled(&form, found),
        tags: form.get("tags").and_then(|f| f.texts(found)).unwrap_or_default(),
        metadata: form.get("metadata").and_then(|f| f.free_map(found)).unwrap_or_default(),
        log: form.get("log").and_then(|f| f.choice(LOGS, found)),
        on_unavailable: form.get("on_unavailable").and_then(|f| f.choice(ON_UNAVAILABLE, found)),
        // last, so that what is wrong with the others is reported too
        id: id?,
        effect: effect?,
    })
}

fn rule_id(field: Field<'_>, seen: &mut Seen, found: &mut Findings) -> Option<RuleId> {
    let text = field.text(found)?;
    let Some(id) = RuleId::parse(text) else {
        let remedy = "write 3 to 64 of `a` to `z`, `0` to `9`, `_` and `-`, a letter or digit first";
        field.bad_value(&format!("cannot be {}", shown(text)), remedy, found);
        return None;
    };
    first_of_its_name(text, "rule", field.node.place, seen, found);
    Some(id)
}

/// Remembers a name, or reports that it was given before, and where.
pub(super) fn first_of_its_name(name: &str, what: &str, place: Place, seen: &mut Seen, found: &mut Findings) {
    if let Some(first) = seen.get(name) {
        let message = format!("a {what} {} stands already at {}", shown(name), found.name(*first));
        found.error_with(Code::DuplicateId, place, message, "give it another name");
        return;
    }
    seen.insert(name.into(), place);
}

/// `agent` and `action`: a `*` matches all, an absent value too, as if it were left out.
fn who(field: Field<'_>, found: &mut Findings) -> Option<Patterns> {
    let is_all = |pattern: &Pattern| match pattern {
        Pattern::Glob(glob) => glob.as_str() == "*",
        Pattern::Exact(_) => false,
    };
    patterns::patterns(field, found).filter(|list| !list.iter().any(is_all))
}

/// `global`, or a level and its value.
fn scope(field: Field<'_>, found: &mut Findings) -> Option<Scope> {
    if let Some(text) = field.node.text() {
        return bare_scope(text, field, found);
    }
    let remedy = "write `global`, or a level and its value: `{tenant: acme}`";
    if field.node.entries().is_none() {
        field.wrong_type(remedy, found);
        return None;
    }
    let form = Form::open(field, &SCOPE, found)?;
    let mut levels = LEVELS.iter().filter_map(|(name, level)| Some((*level, form.get(name)?)));
    match (levels.next(), levels.next()) {
        (Some((level, value)), None) => {
            let value = patterns::pattern(value, found)?;
            Some(Scope::Level(level, value))
        }
        // a level that does not exist was reported
        (None, _) if field.node.entries().is_some_and(|e| !e.is_empty()) => None,
        (first, _) => {
            let what = if first.is_none() { "names no level" } else { "names several levels" };
            field.bad_value(what, remedy, found);
            None
        }
    }
}

/// A scope in one word: `global`. A level alone would restrict nothing, and look as if it did.
fn bare_scope(text: &str, field: Field<'_>, found: &mut Findings) -> Option<Scope> {
    if text == "global" {
        return Some(Scope::Global);
    }
    let levels = LEVELS.iter().map(|(name, _)| *name);
    let what = match levels.clone().any(|level| level == text) {
        true => format!("names the level `{text}` and no value of it"),
        false => format!("cannot be {}", shown(text)),
    };
    let remedy = match nearest(text, levels.clone().chain(["global"])) {
        Some("global") => "write `global`".to_owned(),
        Some(level) => format!("write `{{{level}: acme}}`"),
        None => {
            let levels = listed(levels.filter(|level| *level != "application"));
            format!("write `global`, or one of {levels} and its value: `{{tenant: acme}}`")
        }
    };
    field.bad_value(&what, &remedy, found);
    None
}

fn target(form: &Form<'_>, found: &mut Findings) -> Target {
    let field = form.get("target");
    let mut target = field.and_then(|f| patterns::target(f, found)).unwrap_or_default();
    let Some(phase) = form.get("phase") else {
        return target;
    };
    if field.is_some_and(|f| f.node.get("phases").is_some()) {
        let message = "`phase` and `target.phases` say the same thing twice";
        found.error_with(Code::BadValue, phase.place, message, "keep one of them");
    }
    target.phases = patterns::phases(phase, found).unwrap_or(target.phases);
    target
}

fn when(field: Field<'_>, found: &mut Findings) -> Option<Placed<Box<str>>> {
    let text = field.filled_text(found)?;
    if text.len() > WHEN_BYTES {
        let message =
            format!("{} has {} bytes, and at most {WHEN_BYTES} are read", field.label(), text.len());
        found.error_with(Code::OutOfBounds, field.node.place, message, "split the rule");
        return None;
    }
    expression(field.node)
}

/// A text that is short enough for a `when`.
pub(super) fn expression(node: &Node) -> Option<Placed<Box<str>>> {
    let text = node.text().filter(|text| !text.is_empty() && text.len() <= WHEN_BYTES)?;
    Some(Placed { value: text.into(), place: node.place })
}

fn reason(form: &Form<'_>, found: &mut Findings) -> Box<str> {
    let (text, place) = match form.get("reason") {
        None => ("", form.place),
        Some(field) => match field.text(found) {
            None => return Box::default(),
            // a block of lines ends with a line break
            Some(text) => (text.trim(), field.node.place),
        },
    };
    let chars = text.chars().count();
    let suggestion = "say in 10 to 256 characters why the rule is there";
    let finding = |code, message: String| Finding::error(code, place, message).suggest(suggestion);
    if text.is_empty() {
        found.push(finding(Code::MissingReason, "the rule has no reason".into()));
    } else if chars > *REASON_CHARS.end() {
        found.push(finding(Code::OutOfBounds, format!("the reason has {chars} characters")));
    } else if chars < *REASON_CHARS.start() {
        let short = finding(Code::ShortReason, format!("the reason has only {chars} characters"));
        found.push(short.severity(Severity::Warning));
    }
    text.into()
}

fn budget(field: Field<'_>, found: &mut Findings) -> Option<Estimate> {
    let form = Form::open(field, &BUDGET, found)?;
    Some(Estimate {
        cost: form.get("cost").and_then(|f| f.money(found)),
        compute: form.get("compute").and_then(|f| f.count(0, found)),
        risk: form.get("risk").and_then(|f| f.choice(RISKS, found)),
    })
}

fn enabled(form: &Form<'_>, found: &mut Findings) -> bool {
    let Some(field) = form.get("enabled") else {
        return true;
    };
    let enabled = field.boolean(found).unwrap_or(true);
    if !enabled {
        let message = "the rule is switched off and decides nothing";
        let finding = Finding::error(Code::Disabled, field.place, message);
        found.push(finding.severity(Severity::Info).suggest("delete it"));
    }
    enabled
}
