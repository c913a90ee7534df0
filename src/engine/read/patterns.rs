//! Exact values and globs, and the targets that are made of them (design 1.4).

use super::Findings;
use super::form::{Field, Form, Kind, Known, Shape};
use super::nearest::{listed, nearest};
use crate::condition::glob::Glob;
use crate::model::{ActionKind, Pattern, Patterns, Phases, Target};

/// `{eq: ">= 85"}`: a text that is not to be read as a glob.
static LITERAL: Shape = Shape { what: "a literal", fields: &[Known::plain("eq")] };

static TAGS: Shape = Shape {
    what: "`tags` of a target",
    fields: &[Known::of("include", Kind::Patterns), Known::of("exclude", Kind::Patterns)],
};

/// A target of a rule, and what a guardrail is about.
pub(super) static TARGET: Shape = Shape {
    what: "a target",
    fields: &[
        Known::of("agents", Kind::Patterns),
        Known::of("actions", Kind::Patterns),
        Known::of("kinds", Kind::Patterns),
        Known::of("tools", Kind::Patterns),
        Known::of("providers", Kind::Patterns),
        Known::of("models", Kind::Patterns),
        Known::of("tenants", Kind::Patterns),
        Known::of("apps", Kind::Patterns).or(&["application", "applications"]),
        Known::of("users", Kind::Patterns),
        Known::of("workflows", Kind::Patterns),
        Known::of("pipeline_ids", Kind::Patterns),
        Known::of("stage_names", Kind::Patterns),
        Known::of("stage_handler_names", Kind::Patterns),
        Known::of("environments", Kind::Patterns).or(&["environment"]),
        Known::of("modes", Kind::Patterns),
        Known::of("roles", Kind::Patterns),
        Known::of("phases", Kind::Patterns),
        Known::of("tags", Kind::Form(&TAGS)),
    ],
};

/// Reads a target.
pub(super) fn target(field: Field<'_>, found: &mut Findings) -> Option<Target> {
    let form = Form::open(field, &TARGET, found)?;
    let mut list = |name: &str| form.get(name).and_then(|f| patterns(f, found));
    let mut target = Target {
        agents: list("agents"),
        actions: list("actions"),
        kinds: list("kinds"),
        tools: list("tools"),
        providers: list("providers"),
        models: list("models"),
        tenants: list("tenants"),
        apps: list("apps"),
        users: list("users"),
        workflows: list("workflows"),
        pipeline_ids: list("pipeline_ids"),
        stage_names: list("stage_names"),
        stage_handler_names: list("stage_handler_names"),
        environments: list("environments"),
        modes: list("modes"),
        roles: list("roles"),
        ..Target::default()
    };
    if let (Some(field), Some(kinds)) = (form.get("kinds"), &target.kinds) {
        for (field, kind) in field.one_or_many().zip(kinds) {
            check_name(field, kind, &ActionKind::ALL.map(ActionKind::name), found);
        }
    }
    if let Some(field) = form.get("phases") {
        target.phases = phases(field, found).unwrap_or(target.phases);
    }
    if let Some(tags) = form.get("tags").and_then(|f| Form::open(f, &TAGS, found)) {
        target.tags_include = tags.get("include").and_then(|f| patterns(f, found));
        target.tags_exclude = tags.get("exclude").and_then(|f| patterns(f, found));
    }
    Some(target)
}

/// A list of patterns, or one.
pub(super) fn patterns(field: Field<'_>, found: &mut Findings) -> Option<Patterns> {
    if field.node.elements().is_some_and(<[_]>::is_empty) {
        let remedy = "leave it out to match everything, or name what it matches";
        field.bad_value("is an empty list, which matches nothing", remedy, found);
        return None;
    }
    // all or none, so that callers can pair patterns with what they were read from
    let read: Vec<_> = field.one_or_many().map(|f| pattern(f, found)).collect();
    read.into_iter().collect()
}

/// One pattern: a text, or `{eq: "..."}` for a literal.
pub(super) fn pattern(field: Field<'_>, found: &mut Findings) -> Option<Pattern> {
    if field.node.entries().is_some() {
        let form = Form::open(field, &LITERAL, found)?;
        let text = form.required("eq", found)?.filled_text(found)?;
        return Some(Pattern::Exact(text.into()));
    }
    let text = field.text(found)?;
    if text.is_empty() {
        field.bad_value("is empty and matches nothing", "leave it out to match all", found);
        return None;
    }
    glob_or_exact(text, field, found)
}

/// A text as a pattern: a glob where it has a sign of one.
pub(super) fn glob_or_exact(text: &str, field: Field<'_>, found: &mut Findings) -> Option<Pattern> {
    if !Glob::is_glob(text) {
        if text.contains('}') {
            field.bad_value(
                "has a `}` without its partner",
                "write `\\}` to mean the character itself",
                found,
            );
            return None;
        }
        return Some(Pattern::Exact(text.into()));
    }
    if !found.affords_globs() {
        return None;
    }
    match Glob::parse(text) {
        Ok(glob) => found.affords_glob(&glob, field.node.place).then_some(Pattern::Glob(glob)),
        Err(error) => {
            let error = error.to_string();
            let (what, remedy) = error.split_once("; ").unwrap_or((&error, "write another"));
            field.bad_value(&format!("is no glob: {what}"), remedy, found);
            None
        }
    }
}

/// The phases of a target or of a rule; globs over the two names, or `any`.
pub(super) fn phases(field: Field<'_>, found: &mut Findings) -> Option<Phases> {
    let patterns = patterns(field, found)?;
    let (mut dispatch, mut enqueue) = (false, false);
    for (field, pattern) in field.one_or_many().zip(&patterns) {
        check_name(field, pattern, &["dispatch", "enqueue", "any"], found);
        let any = fits(pattern, "any");
        dispatch |= any || fits(pattern, "dispatch");
        enqueue |= any || fits(pattern, "enqueue");
    }
    match (dispatch, enqueue) {
        (true, true) => Some(Phases::Any),
        (true, false) => Some(Phases::Dispatch),
        (false, true) => Some(Phases::Enqueue),
        (false, false) => None,
    }
}

fn fits(pattern: &Pattern, name: &str) -> bool {
    match pattern {
        Pattern::Exact(text) => **text == *name,
        Pattern::Glob(glob) => glob.matches(name),
    }
}

/// Reports a pattern that fits none of the names that the field can have.
fn check_name(field: Field<'_>, pattern: &Pattern, names: &[&'static str], found: &mut Findings) {
    if names.iter().any(|name| fits(pattern, name)) {
        return;
    }
    if !found.keeps_errors() {
        found.count_error();
        return;
    }
    let text = match pattern {
        Pattern::Exact(text) => text,
        Pattern::Glob(glob) => glob.as_str(),
    };
    let suggestion = match nearest(text, names.iter().copied()) {
        Some(name) => format!("write `{name}`"),
        None => format!("write one of {}", listed(names.iter().copied())),
    };
    field.bad_value(&format!("cannot be {}", super::shown(text)), &suggestion, found);
}
