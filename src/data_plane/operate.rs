//! What operators see of guardrails, and do to them (design 2.1, 2.2).

use std::sync::Arc;

use metrics::counter;
use tollgate_engine::guardrail::directory::Hold;
use tollgate_engine::guardrail::key::Key;
use tollgate_engine::guardrail::operate::{KeyView, NotABreaker, Operation};
use tollgate_engine::guardrail::{Guard, Live};
use tollgate_engine::model::Guardrail;
use tollgate_engine::model::guardrail::KeyDimension;
use tollgate_engine::read::nearest;

use super::DataPlane;
use super::answer::{Arm, BundleRef};
use super::snapshot::{Serving, Snapshot};
use crate::decision_log::KeyTold;
use crate::events::Operator;
use crate::telemetry::metrics::OPERATOR_ACTIONS;

/// Which guardrails an operator wants to see.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Only the one of this name; empty: all.
    pub only: &'a str,
    /// Those that follow the one of this name; empty: from the first on.
    pub after: &'a str,
    /// At most so many.
    pub most: usize,
    /// So many keys of each.
    pub keys: usize,
}

/// A guardrail of the bundle in force, with what it holds.
#[derive(Debug)]
pub struct GuardrailView<'a> {
    /// As it was written.
    pub written: &'a Guardrail,
    /// As requests meet it; `None` for one that is neither enabled nor paused.
    pub live: Option<&'a Guard>,
    /// What an operator holds all its keys in.
    pub hold: Hold,
    /// Its keys that matter most, the first before the others.
    pub keys: Vec<KeyView>,
}

/// Guardrails, and whose they are.
#[derive(Debug)]
pub struct Seen<'a> {
    /// In the order of the bundle.
    pub guardrails: Vec<GuardrailView<'a>>,
    /// Whether others follow.
    pub more: bool,
    /// Which bundle it is.
    pub arm: Arm,
    /// That bundle; `None` when there is none.
    pub bundle: Option<BundleRef<'a>>,
    /// The environment of requests that name none.
    pub environment: &'a str,
}

/// What an operator does to a guardrail.
#[derive(Clone, Copy, Debug)]
pub struct Handling<'a> {
    /// Its name.
    pub guardrail: &'a str,
    /// The values of the key; `None`: all keys.
    pub key: Option<&'a [String]>,
    /// What to do.
    pub operation: Operation,
    /// Who does it; may be empty.
    pub by: &'a str,
    /// Why; may be empty.
    pub reason: &'a str,
}

/// Why nothing was seen or done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHandled {
    /// The bundle has no guardrail of this name.
    #[error(
        "the bundle in force has no guardrail `{}`{}",
        .name.escape_debug(),
        .nearest.as_deref().map_or_else(|| "; see `tollgate guardrails`".into(), |one| format!("; did you mean `{one}`?"))
    )]
    Unknown {
        /// The name.
        name: String,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// It holds nothing.
    #[error("`{0}` is switched off in the bundle and holds nothing; switch it on there")]
    Off(String),
    /// The key does not fit.
    #[error("`{name}` counts {by}; {remedy}")]
    WrongKey {
        /// The guardrail.
        name: String,
        /// What it counts apart.
        by: String,
        /// What to send instead.
        remedy: String,
    },
    /// It is none, and what was asked is for them.
    #[error("`{name}` is a `{kind}`: {NotABreaker}")]
    NotABreaker {
        /// The guardrail.
        name: String,
        /// What it is.
        kind: &'static str,
    },
    /// All keys are held, so that one cannot be set free.
    #[error("all keys of `{name}` are held {held}; close it as a whole first")]
    Held {
        /// The guardrail.
        name: String,
        /// What they are held in.
        held: &'static str,
    },
}

impl DataPlane {
    /// Looks at guardrails with what they hold, and gives that to `then`. Looks at every key
    /// there is: not for a serving thread.
    ///
    /// # Errors
    /// The one that is wanted, or the one to begin after, is not in the bundle.
    pub fn guardrails<R>(
        &self,
        wanted: &Wanted<'_>,
        then: impl FnOnce(Seen<'_>) -> R,
    ) -> Result<R, NotHandled> {
        let snapshot = self.snapshot.load_full();
        let all: Vec<Pair<'_>> = snapshot.serving.iter().flat_map(pairs).collect();
        let first = match (wanted.only, wanted.after) {
            ("", "") => 0,
            ("", after) => place_of(&all, after)?.saturating_add(1),
            (only, _) => place_of(&all, only)?,
        };
        let most = if wanted.only.is_empty() { wanted.most } else { 1 };
        let page = all.iter().skip(first).take(most);
        let at = self.at();
        let live = page.clone().filter_map(|(_, live)| *live);
        let mut hottest = self.live.hottest(live, wanted.keys, at);
        let guardrails = page.map(|(written, live)| GuardrailView {
            written,
            live: *live,
            hold: live.map_or(Hold::None, Live::hold),
            keys: live.and_then(|live| hottest.remove(&live.id)).unwrap_or_default(),
        });
        let guardrails: Vec<GuardrailView<'_>> = guardrails.collect();
        let more = wanted.only.is_empty() && first.saturating_add(guardrails.len()) < all.len();
        Ok(then(self.seen(&snapshot, guardrails, more)))
    }

    /// Does what an operator asks, and gives how the guardrail stands then to `then`.
    ///
    /// # Errors
    /// It cannot be done, and nothing was.
    pub fn handle_guardrail<R>(
        &self,
        handling: &Handling<'_>,
        then: impl FnOnce(GuardrailView<'_>) -> R,
    ) -> Result<R, NotHandled> {
        let snapshot = self.snapshot.load_full();
        let all: Vec<Pair<'_>> = snapshot.serving.iter().flat_map(pairs).collect();
        let found = all.get(place_of(&all, handling.guardrail)?);
        let name = || handling.guardrail.to_owned();
        let Some((written, Some(guard))) = found else { return Err(NotHandled::Off(name())) };
        let key = handling.key.map(|values| key_of(guard, values)).transpose()?;
        if let (Some(_), Some(held)) = (&key, held(Live::hold(guard))) {
            return Err(NotHandled::Held { name: name(), held });
        }
        let at = self.at();
        let done = self.live.operate(guard, key.as_ref(), handling.operation, at);
        let events = done
            .map_err(|NotABreaker| NotHandled::NotABreaker { name: name(), kind: guard.rules.type_name() })?;
        tell(handling, key.as_ref());
        self.log_handled(handling, key.as_ref().map(|key| KeyTold::of(guard, key)), at);
        let operator = Operator { by: handling.by.into(), reason: handling.reason.into() };
        self.happened_by(&operator, &snapshot.guards, &events);
        let keys = key.and_then(|key| self.live.look(guard, &key, at)).into_iter().collect();
        Ok(then(GuardrailView { written, live: Some(guard), hold: Live::hold(guard), keys }))
    }

    fn seen<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        guardrails: Vec<GuardrailView<'a>>,
        more: bool,
    ) -> Seen<'a> {
        let (arm, bundle) = (snapshot.arm(), snapshot.bundle());
        Seen { guardrails, more, arm, bundle, environment: &self.options.environment }
    }
}

/// What an operator holds all keys of a breaker in, by its name; `None`: nothing.
#[must_use]
pub const fn held(hold: Hold) -> Option<&'static str> {
    match hold {
        Hold::None => None,
        Hold::Open => Some("forced_open"),
        Hold::Disabled => Some("disabled"),
    }
}

/// What a guardrail counts apart, as bundles spell it; nothing where it has one key.
pub fn dimensions(guard: &Guard) -> impl Iterator<Item = String> {
    guard.key_by.iter().filter(|dimension| **dimension != KeyDimension::Global).map(KeyDimension::name)
}

/// The name of an operation, in logs and metrics.
#[must_use]
pub const fn operation_name(operation: Operation) -> &'static str {
    match operation {
        Operation::ForceOpen => "FORCE_OPEN",
        Operation::Close => "CLOSE",
        Operation::Disable => "DISABLE",
        Operation::Reset => "RESET",
    }
}

/// A guardrail as it was written, and as requests meet it.
type Pair<'a> = (&'a Guardrail, Option<&'a Guard>);

/// Those that people wrote.
fn pairs(serving: &Arc<Serving>) -> impl Iterator<Item = Pair<'_>> {
    let all = serving.compiled.guardrails().iter().zip(serving.guards.iter().map(|live| live.as_deref()));
    all.filter(|(written, _)| !written.name.value.is_internal())
}

fn place_of(all: &[Pair<'_>], name: &str) -> Result<usize, NotHandled> {
    let names = || all.iter().map(|(written, _)| written.name.value.as_str());
    names().position(|own| own == name).ok_or_else(|| NotHandled::Unknown {
        name: name.to_owned(),
        nearest: nearest(name, names()).map(str::to_owned),
    })
}

fn key_of(guard: &Guard, values: &[String]) -> Result<Key, NotHandled> {
    guard.key_of(values).ok_or_else(|| {
        let (name, by) = (guard.name.as_str().to_owned(), dimensions(guard).collect::<Vec<_>>());
        let (by, remedy) = match by.len() {
            0 => ("all actions together".to_owned(), "leave the key out".to_owned()),
            1 => (format!("by `{}`", by.join("")), "give its value".to_owned()),
            many => (format!("by `{}`", by.join("`, `")), format!("give these {many} values in that order")),
        };
        NotHandled::WrongKey { name, by, remedy }
    })
}

fn tell(handling: &Handling<'_>, key: Option<&Key>) {
    let operation = operation_name(handling.operation);
    counter!(OPERATOR_ACTIONS, "operation" => operation).increment(1);
    let Handling { guardrail, by, reason, .. } = *handling;
    let key = key.map(Key::display);
    tracing::warn!(operation, guardrail, key, by, reason, "an operator changed a guardrail");
}
