//! What a rule does, with what belongs to its effect alone (design 1.3, 1.4).

use super::Findings;
use super::form::{Field, Form, Kind, Known, Shape};
use super::path;
use super::take::{Choices, Least};
use crate::model::{Approval, Bind, Caps, Code, Disposition, Modify, RuleEffect};
use crate::unit::Span;

pub(super) static LIMITS: Shape = Shape {
    what: "`limits`",
    fields: &[
        Known::plain("max_tool_calls"),
        Known::plain("max_llm_calls"),
        Known::plain("max_llm_tokens"),
        Known::plain("max_cost"),
        Known::plain("max_compute"),
        Known::plain("max_duration_seconds"),
    ],
};

pub(super) static MODIFY: Shape = Shape {
    what: "`modify`",
    fields: &[
        Known::plain("mode"),
        Known::of("limits", Kind::Form(&LIMITS)),
        Known::plain("timeout_seconds"),
    ],
};

pub(super) static APPROVAL: Shape = Shape {
    what: "`approval`",
    fields: &[
        Known::plain("approvers"),
        Known::plain("role"),
        Known::plain("expires_in_seconds"),
        Known::plain("uses"),
        Known::of("bind", Kind::ContextPaths),
    ],
};

/// More people than this never answer.
const MOST_APPROVERS: u32 = 8;
/// A grant that may be used more often is no approval.
const MOST_USES: u32 = 1_000_000;
/// A year.
const LONGEST_APPROVAL_SECONDS: f64 = 31_536_000.0;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Allow,
    Deny,
    RequireApproval,
    Modify,
}

const EFFECTS: &Choices<Name> = &[
    ("allow", Name::Allow),
    ("deny", Name::Deny),
    ("require_approval", Name::RequireApproval),
    ("modify", Name::Modify),
    ("needs_approval", Name::RequireApproval),
];

const DISPOSITIONS: &Choices<Disposition> = &[("raise", Disposition::Raise), ("drop", Disposition::Drop)];

/// Reads the effect of a rule and what belongs to it.
pub(super) fn effect(rule: &Form<'_>, found: &mut Findings) -> Option<RuleEffect> {
    let name = rule.required("effect", found)?.choice(EFFECTS, found)?;
    let foreign = |field: &str, owner: Name, of: &str, found: &mut Findings| {
        if name != owner {
            let remedy = format!("remove it, or make the effect `{of}`");
            rule.refuse(field, &format!("belongs to effect `{of}` alone"), &remedy, found);
        }
    };
    foreign("modify", Name::Modify, "modify", found);
    foreign("approval", Name::RequireApproval, "require_approval", found);
    foreign("disposition", Name::Deny, "deny", found);
    match name {
        Name::Allow => Some(RuleEffect::Allow),
        Name::Deny => {
            let loud = Disposition::Raise;
            Some(RuleEffect::Deny(rule.choice_or("disposition", DISPOSITIONS, loud, found)))
        }
        Name::RequireApproval => match rule.get("approval") {
            None => Some(RuleEffect::RequireApproval(Approval::default())),
            Some(field) => approval(field, found).map(RuleEffect::RequireApproval),
        },
        Name::Modify => modify(rule.required("modify", found)?, found).map(RuleEffect::Modify),
    }
}

fn approval(field: Field<'_>, found: &mut Findings) -> Option<Approval> {
    let form = Form::open(field, &APPROVAL, found)?;
    let default = Approval::default();
    Some(Approval {
        approvers: form.whole_or("approvers", (1, MOST_APPROVERS), default.approvers, found),
        role: form.get("role").and_then(|f| f.filled_text(found)).map_or(default.role, Into::into),
        expires_in: form
            .get("expires_in_seconds")
            .and_then(|f| expiry(f, found))
            .unwrap_or(default.expires_in),
        uses: form.whole_or("uses", (1, MOST_USES), default.uses, found),
        bind: form.get("bind").and_then(|f| bind(f, found)).unwrap_or(default.bind),
    })
}

fn expiry(field: Field<'_>, found: &mut Findings) -> Option<Span> {
    let span = field.seconds(Least::AboveZero, found)?;
    if span.seconds() > LONGEST_APPROVAL_SECONDS {
        field.bad_value("is longer than a year", "write at most 31536000 seconds", found);
        return None;
    }
    Some(span)
}

/// Context paths, with or without `context.` before them.
fn bind(field: Field<'_>, found: &mut Findings) -> Option<Bind> {
    let mut paths = Vec::new();
    for element in field.list(found)? {
        let Some(text) = element.filled_text(found) else {
            continue;
        };
        match path::segments(path::in_context(text)) {
            Ok(segments) => paths.push(segments),
            Err(problem) => {
                found.error_with(problem.code, element.place, problem.message, problem.suggestion);
            }
        }
    }
    Some(Bind::Paths(paths))
}

fn modify(field: Field<'_>, found: &mut Findings) -> Option<Modify> {
    let form = Form::open(field, &MODIFY, found)?;
    let modify = Modify {
        mode: form.get("mode").and_then(|f| f.filled_text(found)).map(Into::into),
        limits: form.get("limits").and_then(|f| caps(f, found)).unwrap_or_default(),
        timeout: form.get("timeout_seconds").and_then(|f| f.seconds(Least::AboveZero, found)),
    };
    if ["mode", "limits", "timeout_seconds"].iter().all(|name| form.get(name).is_none()) {
        let remedy = "add `mode`, `limits` or `timeout_seconds`";
        found.error_with(Code::MissingField, form.place, "`modify` changes nothing", remedy);
    }
    Some(modify)
}

fn caps(field: Field<'_>, found: &mut Findings) -> Option<Caps> {
    let form = Form::open(field, &LIMITS, found)?;
    let caps = Caps {
        max_tool_calls: form.get("max_tool_calls").and_then(|f| f.count(0, found)),
        max_llm_calls: form.get("max_llm_calls").and_then(|f| f.count(0, found)),
        max_llm_tokens: form.get("max_llm_tokens").and_then(|f| f.count(0, found)),
        max_cost: form.get("max_cost").and_then(|f| f.money(found)),
        max_compute: form.get("max_compute").and_then(|f| f.count(0, found)),
        max_duration: form.get("max_duration_seconds").and_then(|f| f.seconds(Least::Zero, found)),
    };
    Some(caps)
}
