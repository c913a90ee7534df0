//! The certificate that serves, until a good new one takes its place.

use super::certificate::{Certificate, shown};
use super::door::Port;
use super::failure::Complaints;
use super::load::{Files, Loaded, Read};
use crate::clock::Clock;
use crate::config::identity::{Name, Patterns};
use crate::telemetry::metrics::{TLS_EXPIRY, TLS_RELOADS, TLS_STALE};
use arc_swap::ArcSwap;
use metrics::{counter, gauge};
use rustls::ServerConfig;
use serde::Serialize;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tollgate_engine::id::Digest;

/// What is left of a certificate's time when it should long have been renewed: a tenth, and two
/// weeks at most.
const SOON_PART: i64 = 10;
const SOON_AT_MOST: i64 = 14 * 86_400;

/// TLS of this process. New connections get what is newest; those that are open stay.
pub struct Live {
    pub(super) files: Files,
    allowed: Patterns,
    pub(super) clock: Clock,
    current: ArcSwap<Current>,
    book: Mutex<Book>,
    pub(super) complaints: Complaints,
    /// Wakes who looks at the files.
    pub(super) woken: Notify,
    /// Whether somebody asked to, besides.
    pub(super) asked: AtomicBool,
}

struct Current {
    grpc: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
    certificate: Certificate,
    client_roots: Option<usize>,
    digest: Digest,
    loaded_at: String,
}

#[derive(Default)]
struct Book {
    reloads: Reloads,
    last_error: Option<LastError>,
    /// Whether the log was told that the certificate ends soon, and that it has ended.
    told: Aging,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Aging {
    #[default]
    Fresh,
    Soon,
    Expired,
}

/// TLS as the status shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    certificate: CertificateStatus,
    /// How many roots callers' certificates may come from; none: callers need no certificate.
    client_roots: Option<usize>,
    loaded_at: String,
    reloads: Reloads,
    last_error: Option<LastError>,
}

#[derive(Clone, Debug, Serialize)]
struct CertificateStatus {
    subject: String,
    issuer: String,
    serial: String,
    names: Vec<String>,
    not_before: String,
    expires_at: String,
    expires_in_seconds: i64,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Reloads {
    applied: u64,
    unchanged: u64,
    rejected: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct LastError {
    at: String,
    error: String,
}

impl Live {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// One of them cannot be used; it is named, with the remedy.
    pub fn start(files: Files, allowed: Patterns, clock: Clock) -> anyhow::Result<Arc<Self>> {
        let read = files.read()?;
        let current = Self::take(&files, &read, &clock)?;
        Ok(Arc::new(Self {
            files,
            allowed,
            clock,
            current: ArcSwap::from_pointee(current),
            book: Mutex::default(),
            complaints: Complaints::default(),
            woken: Notify::new(),
            asked: AtomicBool::new(false),
        }))
    }

    fn take(files: &Files, read: &Read, clock: &Clock) -> anyhow::Result<Current> {
        let Loaded { server, certificate, client_roots } = files.load(read, seconds(clock))?;
        for warning in read.warnings(files, &certificate) {
            tracing::warn!("{warning}");
        }
        gauge!(TLS_STALE).set(0.0);
        #[expect(clippy::cast_precision_loss, reason = "exact for some million years")]
        gauge!(TLS_EXPIRY).set(certificate.not_after as f64);
        let loaded_at = jiff::Timestamp::from(clock.wall()).to_string();
        let of = |port: Port| {
            let mut server = server.clone();
            server.alpn_protocols = port.protocols();
            Arc::new(server)
        };
        let (grpc, http) = (of(Port::Grpc), of(Port::Http));
        Ok(Current { grpc, http, certificate, client_roots, digest: read.digest(), loaded_at })
    }

    /// What a handshake at this port is made with.
    pub(super) fn config(&self, port: Port) -> Arc<ServerConfig> {
        let current = self.current.load();
        Arc::clone(match port {
            Port::Grpc => &current.grpc,
            Port::Http => &current.http,
        })
    }

    /// Whether callers have to have one of some names.
    pub(super) fn asks_for_names(&self) -> bool {
        !self.allowed.is_empty()
    }

    /// Whether who has these names may connect.
    pub(super) fn lets_in(&self, names: &[Name]) -> bool {
        self.allowed.fit(names)
    }

    /// Looks at the files, and takes what is new and good. What is wrong is returned.
    pub(super) fn look(&self, asked: bool) -> anyhow::Result<()> {
        let read = self.files.read()?;
        let serving = self.current.load();
        if read.digest() == serving.digest {
            gauge!(TLS_STALE).set(0.0);
            if self.lock().last_error.take().is_some() {
                tracing::info!("the files of TLS are again those that serve");
            }
            if asked {
                self.count("unchanged", |reloads| &mut reloads.unchanged);
            }
            return Ok(());
        }
        let current = Self::take(&self.files, &read, &self.clock)?;
        let (who, until) = (current.certificate.who(), shown(current.certificate.not_after));
        self.current.store(Arc::new(current));
        self.count("applied", |reloads| &mut reloads.applied);
        let mut book = self.lock();
        book.last_error = None;
        book.told = Aging::Fresh;
        drop(book);
        tracing::info!(names = who, until, "a new certificate serves new connections");
        Ok(())
    }

    /// Says what is wrong with the files, unless that was said already.
    pub(super) fn complain(&self, error: &anyhow::Error, asked: bool) {
        let error = format!("{error:#}");
        let at = jiff::Timestamp::from(self.clock.wall()).to_string();
        let same = self.lock().last_error.as_ref().is_some_and(|last| last.error == error);
        if same && !asked {
            return;
        }
        gauge!(TLS_STALE).set(1.0);
        self.count("rejected", |reloads| &mut reloads.rejected);
        tracing::error!(error, "the new files of TLS are refused; those from before go on serving");
        self.lock().last_error = Some(LastError { at, error });
    }

    /// Warns once when the certificate ends soon, and once when it has.
    pub(super) fn mind_expiry(&self) {
        let current = self.current.load();
        let certificate = &current.certificate;
        let aging = aging(certificate, seconds(&self.clock));
        if aging <= std::mem::replace(&mut self.lock().told, aging) {
            return;
        }
        let (cert, at) = (self.files.cert.display().to_string(), shown(certificate.not_after));
        match aging {
            Aging::Fresh => {}
            Aging::Soon => tracing::warn!(cert, at, "the certificate ends soon; renew it"),
            Aging::Expired => {
                tracing::error!(cert, at, "the certificate has ended, callers refuse it; renew it")
            }
        }
    }

    fn count(&self, result: &'static str, which: impl Fn(&mut Reloads) -> &mut u64) {
        counter!(TLS_RELOADS, "result" => result).increment(1);
        *which(&mut self.lock().reloads) += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What serves, for people.
    #[must_use]
    pub fn status(&self) -> Status {
        let current = self.current.load();
        let book = self.lock();
        let (reloads, last_error) = (book.reloads, book.last_error.clone());
        drop(book);
        let certificate = &current.certificate;
        Status {
            certificate: CertificateStatus {
                subject: certificate.subject.clone(),
                issuer: certificate.issuer.clone(),
                serial: certificate.serial.clone(),
                names: certificate.names.iter().map(ToString::to_string).collect(),
                not_before: shown(certificate.not_before),
                expires_at: shown(certificate.not_after),
                expires_in_seconds: certificate.not_after.saturating_sub(seconds(&self.clock)),
            },
            client_roots: current.client_roots,
            loaded_at: current.loaded_at.clone(),
            reloads,
            last_error,
        }
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("files", &self.files).finish_non_exhaustive()
    }
}

fn seconds(clock: &Clock) -> i64 {
    clock.wall().nanos().div_euclid(1_000_000_000)
}

fn aging(certificate: &Certificate, now: i64) -> Aging {
    let whole = certificate.not_after.saturating_sub(certificate.not_before);
    let soon = (whole / SOON_PART).min(SOON_AT_MOST);
    match certificate.not_after.saturating_sub(now) {
        ..0 => Aging::Expired,
        left if left < soon => Aging::Soon,
        _ => Aging::Fresh,
    }
}
