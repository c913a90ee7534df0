//! Bundles and requests to measure the engine with: seeded, so that every run asks the same.
//!
//! Requests are kept as numbers into pools of names and contexts. So a workload asks about all
//! rules of a large bundle while the requests themselves stay in the cache, as a request that
//! was just decoded does; what a large bundle costs in cold memory is not hidden.

pub mod dice;
mod everyday;
pub mod shape;
mod worst;

use tollgate_engine::decide::{Action, Estimate, Grant, Question, Request, Subject};
use tollgate_engine::model::{Bundle, Phase};
use tollgate_engine::value::ConstMap;

use self::dice::Dice;

/// How many requests take turns: far beyond what a branch predictor remembers.
pub const REQUESTS: usize = 16_384;
/// How many different contexts they carry.
const CONTEXTS: usize = 512;

/// What the rules of a workload are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One pair of agent and action each, three conditions, all effects.
    Exact,
    /// Globs, tenants, thresholds, equalities, some `when`, some `modify`.
    Mixed,
    /// As exact, and every rule denies.
    Denies,
    /// As exact with denies, and one field of each request has the wrong type.
    WrongType,
    /// As exact, with as many `modify` rules, and the same `modify` twice on many pairs.
    Modify,
    /// All on everything, one distinct threshold each.
    Threshold,
    /// The same as denies.
    ThresholdDenies,
    /// Thresholds from below and from above in turn; what lies between matches none.
    BothWays,
    /// All on everything, one narrow distinct interval each.
    Window,
    /// All on everything, one distinct text each.
    Equality,
    /// All on everything, one distinct field each.
    FieldEach,
    /// Two thresholds each that only fail together.
    TwoThresholds,
    /// Denies with a threshold and a distinct text; the threshold's field is a text.
    WrongTypeDenies,
    /// `modify` on everything, one distinct threshold each, few of them met.
    ModifyThreshold,
    /// Agents by globs that neither start nor end with a letter.
    Infix,
}

impl Kind {
    /// Every kind with its name.
    pub const ALL: [(&'static str, Self); 15] = [
        ("exact", Self::Exact),
        ("mixed", Self::Mixed),
        ("denies", Self::Denies),
        ("wrong_type", Self::WrongType),
        ("modify", Self::Modify),
        ("worst_threshold", Self::Threshold),
        ("worst_threshold_denies", Self::ThresholdDenies),
        ("worst_both_ways", Self::BothWays),
        ("worst_window", Self::Window),
        ("worst_equality", Self::Equality),
        ("worst_field_each", Self::FieldEach),
        ("worst_two_thresholds", Self::TwoThresholds),
        ("worst_wrong_type", Self::WrongTypeDenies),
        ("worst_modify", Self::ModifyThreshold),
        ("worst_infix_globs", Self::Infix),
    ];
}

/// A bundle and requests for it.
#[derive(Debug, Default)]
pub struct Workload {
    /// The rules' bundle; taken once, to be compiled.
    pub bundle: Option<Bundle>,
    agents: Vec<Box<str>>,
    actions: Vec<Box<str>>,
    tenants: Vec<Box<str>>,
    contexts: Vec<ConstMap>,
    asked: Vec<Asked>,
}

/// One request, by its places in the pools.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    agent: u32,
    action: u32,
    tenant: u32,
    context: u32,
}

/// Nobody's roles, no tags.
static NONE: &[&str] = &[];

impl Workload {
    /// The workload of this kind with so many rules.
    pub fn of(kind: Kind, rules: usize) -> Self {
        let mut dice = Dice::new(rules as u64);
        let dice = &mut dice;
        match kind {
            Kind::Exact => everyday::exact(rules, dice, shape::some_effect),
            Kind::Mixed => everyday::mixed(rules, dice),
            Kind::Denies => everyday::exact(rules, dice, |_| shape::DENY),
            Kind::WrongType => everyday::wrong_type(rules, dice),
            Kind::Modify => everyday::modify(rules, dice),
            Kind::Threshold => worst::threshold(rules, dice, shape::some_effect),
            Kind::ThresholdDenies => worst::threshold(rules, dice, |_| shape::DENY),
            Kind::BothWays => worst::both_ways(rules, dice),
            Kind::Window => worst::window(rules, dice),
            Kind::Equality => worst::equality(rules, dice),
            Kind::FieldEach => worst::field_each(rules, dice),
            Kind::TwoThresholds => worst::two_thresholds(rules, dice),
            Kind::WrongTypeDenies => worst::wrong_type(rules, dice),
            Kind::ModifyThreshold => worst::modify(rules, dice),
            Kind::Infix => worst::infix(rules, dice),
        }
    }

    /// The request at this place; after the last the first follows.
    pub fn request(&self, turn: usize) -> Request<'_> {
        let asked = self.asked[turn % self.asked.len()];
        Request {
            subject: Subject {
                agent: named(&self.agents, asked.agent),
                user: "maria@partner.example",
                tenant: named(&self.tenants, asked.tenant),
                app: "",
                workflow: "",
                run: "run-7f3a",
                roles: &NONE,
            },
            action: Action {
                name: named(&self.actions, asked.action),
                kind: None,
                tool: "",
                provider: "",
                model: "",
                pipeline: "",
                stage: "",
                handler: "",
                tags: &NONE,
            },
            context: &self.contexts[asked.context as usize],
            environment: "production",
            mode: "auto",
            phase: Phase::Dispatch,
            priority: None,
            estimate: Estimate::default(),
            request_id: "req-000001",
            batch_id: "",
            attempt: 0,
            grants: &NONE,
            grant: Grant::None,
            dry_run: false,
            time_left: None,
            question: Question::MayRun,
        }
    }
}

fn named(pool: &[Box<str>], at: u32) -> &str {
    pool.get(at as usize).map_or("", |name| name)
}
