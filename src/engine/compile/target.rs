//! What a rule is about, in the form that requests are held against.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::condition::glob::Glob;
use crate::model::request::Request;
use crate::model::{Field, Pattern, Phase, Phases, Rule, Scope, ScopeLevel, Target};
use crate::value::View;

/// Everything that a request must be for a rule to be considered.
#[derive(Debug)]
pub(super) struct Needs {
    pub(super) phases: Phases,
    pub(super) needs: Vec<Need>,
}

/// One field and the texts that it must (or must not) hold.
#[derive(Debug)]
pub(super) struct Need {
    pub(super) field: Field,
    pub(super) wanted: bool,
    pub(super) texts: Texts,
}

/// A set of texts: one, or some exact and some by glob.
#[derive(Debug)]
pub(super) enum Texts {
    One(Box<str>),
    Many(Box<Many>),
}

/// Several texts, or globs.
#[derive(Debug)]
pub(super) struct Many {
    exact: HashSet<Box<str>, RandomState>,
    globs: Box<[Glob]>,
}

impl Texts {
    fn of(patterns: &[Pattern]) -> Self {
        if let [Pattern::Exact(text)] = patterns {
            return Self::One(text.clone());
        }
        let (mut exact, mut globs) = (HashSet::default(), Vec::new());
        for pattern in patterns {
            match pattern {
                Pattern::Exact(text) => {
                    exact.insert(text.clone());
                }
                Pattern::Glob(glob) => globs.push(glob.clone()),
            }
        }
        Self::Many(Box::new(Many { exact, globs: globs.into() }))
    }

    fn hold(&self, text: &str) -> bool {
        match self {
            Self::One(own) => **own == *text,
            Self::Many(many) => many.exact.contains(text) || many.globs.iter().any(|glob| glob.matches(text)),
        }
    }

    /// The texts that are no globs.
    pub(super) fn exact(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self {
            Self::One(text) => (Some(&**text), None),
            Self::Many(many) => (None, Some(many.exact.iter().map(|text| &**text))),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// The globs.
    pub(super) fn globs(&self) -> &[Glob] {
        match self {
            Self::One(_) => &[],
            Self::Many(many) => &many.globs,
        }
    }
}

impl Needs {
    /// All that a rule is about.
    pub(super) fn of_rule(rule: &Rule) -> Self {
        let mut needs = target_needs(&rule.target);
        let mut need = |field, patterns: &[Pattern]| {
            needs.push(Need { field, wanted: true, texts: Texts::of(patterns) });
        };
        if let Some(agents) = &rule.agent {
            need(Field::Agent, agents);
        }
        if let Some(actions) = &rule.action {
            need(Field::Action, actions);
        }
        if let Scope::Level(level, pattern) = &rule.scope {
            need(scope_field(*level), std::slice::from_ref(pattern));
        }
        Self { phases: rule.target.phases, needs }
    }
}

/// A target by itself, apart from any bundle and its index.
#[derive(Debug)]
pub struct Selector(Needs);

impl Selector {
    /// What fits this target.
    #[must_use]
    pub fn of(target: &Target) -> Self {
        Self(Needs { phases: target.phases, needs: target_needs(target) })
    }

    /// Whether a request fits.
    #[must_use]
    pub fn fits(&self, request: &Request<'_>, environment: &str) -> bool {
        let Needs { phases, needs } = &self.0;
        includes(*phases, request.phase) && needs.iter().all(|need| need.holds(request, environment))
    }
}

/// Whether a phase is one of these.
pub(super) const fn includes(phases: Phases, phase: Phase) -> bool {
    match phases {
        Phases::Any => true,
        Phases::Dispatch => matches!(phase, Phase::Dispatch),
        Phases::Enqueue => matches!(phase, Phase::Enqueue),
    }
}

/// A field of a target that a request does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The field.
    pub field: Field,
}

impl Need {
    /// Whether the request holds one of these texts there (or none, where none is wanted).
    pub(super) fn holds(&self, request: &Request<'_>, environment: &str) -> bool {
        let list = match self.field {
            Field::Roles => request.subject.roles,
            Field::Tags => request.action.tags,
            field => {
                let text = text_of(request, environment, field);
                return !text.is_empty() && self.texts.hold(text) == self.wanted;
            }
        };
        let text_at = |i| match list.at(i) {
            Some(View::Str(text)) => self.texts.hold(text),
            _ => false,
        };
        (0..list.len()).any(text_at) == self.wanted
    }
}

/// A field of the request as text; empty where it is absent, or no single text.
pub(super) fn text_of<'a>(request: &Request<'a>, environment: &'a str, field: Field) -> &'a str {
    let (subject, action) = (&request.subject, &request.action);
    match field {
        Field::Agent => subject.agent,
        Field::User => subject.user,
        Field::Tenant => subject.tenant,
        Field::App => subject.app,
        Field::Workflow => subject.workflow,
        Field::Run => subject.run,
        Field::Action => action.name,
        Field::Kind => action.kind().name(),
        Field::Tool => action.tool,
        Field::Provider => action.provider,
        Field::Model => action.model,
        Field::Pipeline => action.pipeline,
        Field::Stage => action.stage,
        Field::Handler => action.handler,
        Field::Environment => environment,
        Field::Mode => request.mode,
        Field::Phase => request.phase.name(),
        Field::Roles
        | Field::Tags
        | Field::Priority
        | Field::Attempt
        | Field::EstimateCost
        | Field::EstimateTokens
        | Field::EstimateCompute
        | Field::EstimateDuration => "",
    }
}

const fn scope_field(level: ScopeLevel) -> Field {
    match level {
        ScopeLevel::Tenant => Field::Tenant,
        ScopeLevel::App => Field::App,
        ScopeLevel::Tool => Field::Tool,
        ScopeLevel::Workflow => Field::Workflow,
        ScopeLevel::Agent => Field::Agent,
    }
}

fn target_needs(target: &Target) -> Vec<Need> {
    let all = target.wanted().into_iter().map(|(field, patterns)| (field, true, patterns));
    let all = all.chain([(Field::Tags, false, &target.tags_exclude)]);
    let need = |(field, wanted, patterns): (Field, bool, &Option<Vec<Pattern>>)| {
        patterns.as_ref().map(|patterns| Need { field, wanted, texts: Texts::of(patterns) })
    };
    all.filter_map(need).collect()
}
