//! From the content of a bundle to a snapshot in force.
//!
//! Runs on the thread that offers the content. Whatever fails leaves the last good bundle.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use metrics::histogram;
use tollgate_engine::compile::{self, Compiled};
use tollgate_engine::model::Finding;
use tollgate_engine::read::{self, SourceFile};

use super::refusal::Refusal;
use super::snapshot::{Serving, Snapshot, State};
use super::{DataPlane, lock};
use crate::telemetry::metrics::BUNDLE_SWAP_DURATION;

/// The content of a bundle, as a source found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Where it came from, as people know it.
    pub name: String,
    /// The files with their names, in the order that counts.
    pub files: Vec<(String, Vec<u8>)>,
}

/// What became of an offer.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is in force.
    Applied,
    /// It was in force already.
    Unchanged,
    /// It was refused; what was in force still is.
    Rejected(Refusal),
}

impl DataPlane {
    /// Reads, compiles and puts in force what a source found. May take long: not for a serving
    /// thread.
    pub fn offer(&self, offer: &Offer) -> Outcome {
        let one_at_a_time = lock(&self.installing);
        let started = self.clock.monotonic();
        let mut swapped = None;
        let outcome = match self.prepare(offer) {
            Ok(None) => {
                self.note(&Outcome::Unchanged);
                self.move_to(State::Ready);
                Outcome::Unchanged
            }
            Ok(Some(compiled)) => {
                self.note(&Outcome::Applied);
                swapped = Some(self.swap(&offer.name, compiled, State::Ready));
                let nanos = self.clock.monotonic().saturating_sub(started);
                let seconds = std::time::Duration::from_nanos(nanos).as_secs_f64();
                histogram!(BUNDLE_SWAP_DURATION).record(seconds);
                self.remember(offer);
                Outcome::Applied
            }
            Err(refusal) => self.rejected(refusal),
        };
        if let (Some(restart), Outcome::Applied | Outcome::Unchanged) = (&self.restart, &outcome) {
            restart.forget_the_rest();
        }
        drop(one_at_a_time);
        self.say(&outcome);
        if let Some((before, serving)) = swapped {
            self.log_content(&serving.digest, offer);
            self.tell_of_swap(before.as_deref(), &serving);
        }
        self.free_retired();
        outcome
    }

    /// Refuses content that a source found and did not even read. What is in force stays.
    pub fn refuse(&self, refusal: Refusal) {
        let one_at_a_time = lock(&self.installing);
        let outcome = self.rejected(refusal);
        drop(one_at_a_time);
        self.say(&outcome);
    }

    /// Notes that a source has no content. What is in force stays.
    pub fn missing(&self, why: Refusal) {
        let one_at_a_time = lock(&self.installing);
        let missing = why.to_string();
        self.warn_of_another_source(&why.source);
        self.note_error(why);
        self.move_to(State::ReadyLkg);
        drop(one_at_a_time);
        tracing::warn!(missing, "nothing to read; {}", self.consequence());
    }

    /// Frees the memory of bundles that no thread reads any longer.
    pub fn free_retired(&self) {
        let mut retired = lock(&self.retired);
        let (used, free) = std::mem::take(&mut *retired)
            .into_iter()
            .partition::<Vec<Arc<Serving>>, _>(|serving| Arc::strong_count(serving) > 1);
        *retired = used;
        // Dropping a large bundle takes a while; nobody has to wait for it.
        drop(retired);
        drop(free);
    }

    /// `None`: it is the bundle that serves.
    fn prepare(&self, offer: &Offer) -> Result<Option<Compiled>, Refusal> {
        let attempt = catch_unwind(AssertUnwindSafe(|| self.read_and_compile(offer)));
        attempt.unwrap_or_else(|_| {
            let text =
                format!("{}: reading it failed by a mistake of this program; please report it", offer.name);
            Err(Refusal::new(&offer.name, text))
        })
    }

    fn read_and_compile(&self, offer: &Offer) -> Result<Option<Compiled>, Refusal> {
        let files: Vec<SourceFile<'_>> =
            offer.files.iter().map(|(name, bytes)| SourceFile { name, bytes }).collect();
        let reading = read::bundle(&files, &self.options.bounds);
        let Some(bundle) = reading.bundle else {
            let more = reading.draft.as_ref().map(compile::findings).unwrap_or_default();
            let mut errors: Vec<Finding> = reading.findings.into_iter().chain(more).collect();
            errors.retain(Finding::is_format_error);
            read::locate(&mut errors, &files);
            errors.sort_by_key(|finding| finding.place);
            return Err(Refusal::of(&offer.name, &reading.files, &errors));
        };
        let serving = self.snapshot.load();
        if serving.serving.as_ref().is_some_and(|now| now.compiled.digest() == bundle.digest) {
            return Ok(None);
        }
        let compiled = compile::bundle(bundle).map_err(|mut findings| {
            read::locate(&mut findings, &files);
            Refusal::of(&offer.name, &reading.files, &findings)
        })?;
        Ok(Some(compiled))
    }

    /// Gives what served before, and what serves.
    fn swap(&self, name: &str, compiled: Compiled, state: State) -> (Option<Arc<Serving>>, Arc<Serving>) {
        let mut live = self.live.reconcile(&[compiled.guardrails()]);
        if let Some(restart) = &self.restart {
            restart.put_back(&self.live, &live.guards, &self.open, self.at());
        }
        let edition = self.log_bundle(name, &compiled, &live.guards);
        let serving = Arc::new(Serving {
            edition,
            guards: live.arms.pop().unwrap_or_default(),
            version: compiled.source().version.to_string(),
            digest: compiled.digest().to_string(),
            source: name.to_owned(),
            loaded_at: self.clock.wall(),
            loaded_at_monotonic: self.clock.monotonic(),
            compiled,
        });
        // Operators may set and clear stops at any moment: what they did is taken along.
        let before = self.snapshot.rcu(|now| Snapshot {
            state,
            serving: Some(Arc::clone(&serving)),
            guards: Arc::clone(&live.guards),
            stops: Arc::clone(&now.stops),
        });
        if let Some(restart) = &self.restart {
            restart.goes_on();
        }
        lock(&self.retired).extend(before.serving.clone());
        self.ready.send_replace(true);
        self.void_changed_approvals(&serving.compiled);
        (before.serving.clone(), serving)
    }

    /// A state directory may hold the bundle of another source than the one that is followed.
    fn warn_of_another_source(&self, source: &str) {
        let snapshot = self.snapshot.load();
        if let Some(serving) = snapshot.serving.as_ref().filter(|serving| serving.source != source) {
            let kept = serving.source.as_str();
            tracing::warn!(
                kept,
                source,
                "the bundle that serves is of another source; is it the right state directory?"
            );
        }
    }

    fn rejected(&self, refusal: Refusal) -> Outcome {
        self.warn_of_another_source(&refusal.source);
        let outcome = Outcome::Rejected(refusal);
        self.note(&outcome);
        self.move_to(State::ReadyLkg);
        outcome
    }

    /// Changes the state of what serves; without a bundle it stays not ready.
    fn move_to(&self, state: State) {
        let now = self.snapshot.load_full();
        if now.serving.is_some() && now.state != state {
            self.snapshot.rcu(|now| Snapshot { state, ..Snapshot::clone(now) });
        }
    }

    /// Keeps a bundle that is in force over a restart. A disk that fails takes nothing down.
    fn remember(&self, offer: &Offer) {
        let Some(restart) = &self.restart else { return };
        if let Err(error) = restart.dir.remember(offer) {
            let error = format!("{error:#}");
            tracing::error!(error, "the bundle cannot be kept for a restart");
        }
    }

    /// Puts the bundle of the state directory in force, until a source gives a newer one.
    pub(super) fn restore(&self) {
        let Some(kept) = self.restart.as_ref().and_then(|restart| restart.dir.last_good()) else {
            return;
        };
        match self.prepare(&kept) {
            Ok(Some(compiled)) => {
                let (before, serving) = self.swap(&kept.name, compiled, State::ReadyLkg);
                self.log_content(&serving.digest, &kept);
                self.tell_of_swap(before.as_deref(), &serving);
                let version = serving.version.as_str();
                tracing::info!(version, "the last good bundle serves until a source is read");
            }
            Ok(None) => {}
            Err(refusal) => tracing::warn!(%refusal, "the kept bundle is of no use any longer"),
        }
    }
}
