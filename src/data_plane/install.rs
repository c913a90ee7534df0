//! From the content of a bundle to a snapshot in force.
//!
//! Runs on the thread that offers the content. Whatever fails leaves the last good bundle.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use metrics::{counter, histogram};
use serde::Serialize;
use tollgate_engine::compile::{self, Compiled};
use tollgate_engine::model::Guardrail;
use tollgate_engine::model::{Bundle, Finding, Place};
use tollgate_engine::read::{self, SourceFile};

use super::snapshot::{Serving, Snapshot, State};
use super::status::LastError;
use super::{DataPlane, lock};
use crate::telemetry::metrics::{BUNDLE_SWAP_DURATION, BUNDLE_UPDATES};

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

/// Why content was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Where it came from.
    pub source: String,
    /// Everything that is wrong with it, at most [`MAX_FINDINGS`].
    pub findings: Vec<String>,
}

/// How many findings a refusal shows at most.
pub const MAX_FINDINGS: usize = 100;

impl Refusal {
    /// One sentence about the source as a whole.
    #[must_use]
    pub fn new(source: &str, finding: impl Into<String>) -> Self {
        Self { source: source.to_owned(), findings: vec![finding.into()] }
    }

    fn of(source: &str, files: &[Box<str>], findings: &[&Finding]) -> Self {
        let text = |finding: &&Finding| at_place(files, finding.place, finding);
        let mut texts: Vec<String> = findings.iter().take(MAX_FINDINGS).map(text).collect();
        if findings.len() > MAX_FINDINGS {
            texts.push(format!("and {} more", findings.len() - MAX_FINDINGS));
        }
        Self { source: source.to_owned(), findings: texts }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.findings.join("\n"))
    }
}

/// `file:line:column: what is wrong; what to write instead`
fn at_place(files: &[Box<str>], place: Place, finding: &Finding) -> String {
    let mut text = String::new();
    if let Some(file) = files.get(usize::from(place.file)) {
        text.push_str(file);
        if place.line > 0 {
            text.push_str(&format!(":{}:{}", place.line, place.column));
        }
        text.push_str(": ");
    }
    text.push_str(&finding.message);
    if let Some(suggestion) = &finding.suggestion {
        text.push_str("; ");
        text.push_str(suggestion);
    }
    text
}

impl DataPlane {
    /// Reads, compiles and puts in force what a source found. May take long: not for a serving
    /// thread.
    pub fn offer(&self, offer: &Offer) -> Outcome {
        let one_at_a_time = lock(&self.installing);
        let started = self.clock.monotonic();
        let outcome = match self.prepare(offer) {
            Ok(None) => self.same_again(),
            Ok(Some(compiled)) => {
                self.swap(&offer.name, compiled, State::Ready);
                let nanos = self.clock.monotonic().saturating_sub(started);
                let seconds = std::time::Duration::from_nanos(nanos).as_secs_f64();
                histogram!(BUNDLE_SWAP_DURATION).record(seconds);
                self.remember(offer);
                Outcome::Applied
            }
            Err(refusal) => self.rejected(refusal),
        };
        drop(one_at_a_time);
        self.note(&outcome);
        self.free_retired();
        outcome
    }

    /// Notes that a source has nothing that could be read. What is in force stays.
    pub fn refuse(&self, refusal: Refusal) {
        let one_at_a_time = lock(&self.installing);
        let outcome = self.rejected(refusal);
        drop(one_at_a_time);
        self.note(&outcome);
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
            let errors: Vec<&Finding> =
                reading.findings.iter().filter(|finding| finding.is_format_error()).collect();
            return Err(Refusal::of(&offer.name, &reading.files, &errors));
        };
        let serving = self.snapshot.load();
        if serving.serving.as_ref().is_some_and(|now| now.compiled.digest() == bundle.digest) {
            return Ok(None);
        }
        let compiled = compile::bundle(bundle).map_err(|findings| {
            Refusal::of(&offer.name, &reading.files, &findings.iter().collect::<Vec<_>>())
        })?;
        self.refuse_what_is_not_enforced(offer, &compiled)?;
        Ok(Some(compiled))
    }

    /// No ALLOW may ignore a limit in silence (until guardrails are enforced).
    fn refuse_what_is_not_enforced(&self, offer: &Offer, compiled: &Compiled) -> Result<(), Refusal> {
        let unenforced = unenforced(&offer.name, compiled);
        if unenforced.is_empty() {
            return Ok(());
        }
        if !self.options.unenforced_guardrails {
            return Err(Refusal { source: offer.name.clone(), findings: unenforced });
        }
        for finding in &unenforced {
            tracing::warn!(finding, "served all the same, as `--unenforced-guardrails` asks");
        }
        Ok(())
    }

    fn swap(&self, name: &str, compiled: Compiled, state: State) {
        let serving = Arc::new(Serving {
            version: compiled.source().version.to_string(),
            digest: compiled.digest().to_string(),
            source: name.to_owned(),
            loaded_at: self.clock.wall(),
            loaded_at_monotonic: self.clock.monotonic(),
            compiled,
        });
        let before = self.snapshot.swap(Arc::new(Snapshot { state, serving: Some(serving) }));
        lock(&self.retired).extend(before.serving.clone());
        self.ready.send_replace(true);
    }

    fn same_again(&self) -> Outcome {
        self.move_to(State::Ready);
        Outcome::Unchanged
    }

    fn rejected(&self, refusal: Refusal) -> Outcome {
        self.move_to(State::ReadyLkg);
        Outcome::Rejected(refusal)
    }

    /// Changes the state of what serves; without a bundle it stays not ready.
    fn move_to(&self, state: State) {
        let now = self.snapshot.load_full();
        if now.serving.is_some() && now.state != state {
            let serving = now.serving.clone();
            self.snapshot.store(Arc::new(Snapshot { state, serving }));
        }
    }

    fn note(&self, outcome: &Outcome) {
        let mut book = lock(&self.book);
        let (count, result) = match outcome {
            Outcome::Applied => (&mut book.updates.applied, "applied"),
            Outcome::Unchanged => (&mut book.updates.unchanged, "unchanged"),
            Outcome::Rejected(_) => (&mut book.updates.rejected, "rejected"),
        };
        *count += 1;
        book.last_error = match outcome {
            Outcome::Applied | Outcome::Unchanged => None,
            Outcome::Rejected(refusal) => Some(LastError {
                at: jiff::Timestamp::from(self.clock.wall()).to_string(),
                refusal: refusal.clone(),
            }),
        };
        drop(book);
        counter!(BUNDLE_UPDATES, "result" => result).increment(1);
        self.say(outcome);
    }

    fn say(&self, outcome: &Outcome) {
        let snapshot = self.snapshot.load();
        let serving = snapshot.serving.as_ref();
        let version = serving.map_or("none", |serving| serving.version.as_str());
        let digest = serving.map_or("none", |serving| serving.digest.as_str());
        match outcome {
            Outcome::Applied => {
                let rules = serving.map_or(0, |serving| serving.compiled.source().rules.len());
                tracing::info!(version, digest, rules, "bundle in force");
            }
            Outcome::Unchanged => tracing::debug!(version, digest, "bundle unchanged"),
            Outcome::Rejected(refusal) => {
                let source = refusal.source.as_str();
                for finding in &refusal.findings {
                    tracing::error!(source, finding, "bundle refused");
                }
                let state = match serving {
                    Some(_) => "the last good bundle stays in force",
                    None => "no bundle serves: everything is denied",
                };
                tracing::warn!(version, digest, "{state}");
            }
        }
    }

    /// Keeps a bundle that is in force over a restart. A disk that fails takes nothing down.
    fn remember(&self, offer: &Offer) {
        let Some(dir) = &self.state_dir else { return };
        if let Err(error) = dir.remember(offer) {
            let error = format!("{error:#}");
            tracing::error!(error, "the bundle cannot be kept for a restart");
        }
    }

    /// Puts the bundle of the state directory in force, until a source gives a newer one.
    pub(super) fn restore(&self) {
        let Some(kept) = self.state_dir.as_ref().and_then(super::StateDir::last_good) else {
            return;
        };
        match self.prepare(&kept) {
            Ok(Some(compiled)) => {
                self.swap(&kept.name, compiled, State::ReadyLkg);
                let snapshot = self.snapshot.load();
                let version = snapshot.serving.as_ref().map_or("", |now| now.version.as_str());
                tracing::info!(version, "the last good bundle serves until a source is read");
            }
            Ok(None) => {}
            Err(refusal) => tracing::warn!(%refusal, "the kept bundle is of no use any longer"),
        }
    }
}

/// What the bundle asks for and this version does not do.
fn unenforced(name: &str, compiled: &Compiled) -> Vec<String> {
    let bundle: &Bundle = compiled.source();
    let text = |one: &Guardrail| {
        let guardrail = &one.name.value;
        let finding = Finding::error(
            tollgate_engine::model::Code::BadValue,
            one.name.place,
            format!("guardrail `{guardrail}`: a `{}` is not enforced by this version", one.rules.type_name()),
        )
        .suggest("write `state: disabled`, or serve without it by `--unenforced-guardrails`");
        at_place(&bundle.files, finding.place, &finding)
    };
    let mut all: Vec<String> = compiled.enabled_guardrails().map(text).collect();
    if compiled.reads_usage() {
        all.push(format!(
            "{name}: a rule reads `usage`, which this version does not keep; \
             take it out, or serve with its fields absent by `--unenforced-guardrails`"
        ));
    }
    all
}
