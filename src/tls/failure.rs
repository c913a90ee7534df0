//! Why a handshake failed: counted by kind, told with the peer, no more often than can be read.

use crate::clock::Clock;
use rustls::{AlertDescription, CertificateError, Error};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Of each kind one line in so long.
const SELDOM: Duration = Duration::from_secs(1);

/// Why a connection was not let in.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub kind: Kind,
    /// For people: what happened, and the remedy where there is one.
    pub why: String,
}

/// Kinds of failures, by what an operator would do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Timeout,
    Shed,
    NoCertificate,
    BadCertificate,
    NameNotAllowed,
    RefusedByClient,
    Protocol,
    Closed,
}

impl Kind {
    /// As metrics and log lines call it.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Shed => "shed",
            Self::NoCertificate => "no_certificate",
            Self::BadCertificate => "bad_certificate",
            Self::NameNotAllowed => "name_not_allowed",
            Self::RefusedByClient => "refused_by_client",
            Self::Protocol => "protocol",
            Self::Closed => "closed",
        }
    }
}

impl Failure {
    pub(super) fn new(kind: Kind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into() }
    }

    /// What this error of a handshake means.
    pub(super) fn of(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(Error::NoCertificatesPresented) => Self::new(
                Kind::NoCertificate,
                "it showed no certificate; give it one that `tls_client_ca` has signed",
            ),
            Some(Error::InvalidCertificate(why)) => Self::new(Kind::BadCertificate, certificate(why)),
            Some(Error::AlertReceived(alert)) => Self::new(Kind::RefusedByClient, refused(*alert)),
            Some(why @ (Error::InvalidMessage(_) | Error::InappropriateMessage { .. })) => {
                Self::new(Kind::Protocol, format!("what it sent is no TLS: {why}; is it told to use TLS?"))
            }
            Some(why) => Self::new(Kind::Protocol, why.to_string()),
            None => Self::new(Kind::Closed, format!("it hung up: {error}")),
        }
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; renew it".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; are both clocks right?".into()
        }
        CertificateError::UnknownIssuer => {
            "its certificate is signed by nobody in `tls_client_ca`; is it of another authority?".into()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is not for clients; issue one with the extended key usage `clientAuth`".into()
        }
        other => format!("its certificate is refused: {other}"),
    }
}

fn refused(alert: AlertDescription) -> String {
    let about_ours = matches!(
        alert,
        AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
    );
    let remedy = if about_ours {
        "; does it know the authority of `tls_cert`, and the name it reaches us by?"
    } else {
        ""
    };
    format!("it refused with the alert {alert:?}{remedy}")
}

/// Tells of failures, and of how many it did not tell.
#[derive(Debug, Default)]
pub(super) struct Complaints(Mutex<Vec<Told>>);

#[derive(Debug)]
struct Told {
    kind: Kind,
    at: Duration,
    held_back: u64,
}

impl Complaints {
    /// Tells of this failure, unless its kind was told of just now.
    pub(super) fn tell(&self, clock: &Clock, port: &'static str, peer: &str, failure: &Failure) {
        let reason = failure.kind.label();
        if failure.kind == Kind::Closed {
            // So end the probes of load balancers: nothing that anybody has to know.
            tracing::debug!(port, peer, reason, "a TLS handshake failed: {}", failure.why);
        } else if let Some(held_back) = self.is_due(failure.kind, Duration::from_nanos(clock.monotonic())) {
            tracing::warn!(port, peer, reason, held_back, "a TLS handshake failed: {}", failure.why);
        }
    }

    /// How many of this kind were not told of, if it is time to tell.
    fn is_due(&self, kind: Kind, now: Duration) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = all.iter_mut().find(|told| told.kind == kind) else {
            all.push(Told { kind, at: now, held_back: 0 });
            return Some(0);
        };
        if now.saturating_sub(told.at) < SELDOM {
            told.held_back += 1;
            return None;
        }
        told.at = now;
        Some(std::mem::take(&mut told.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_of_once_a_second_with_what_was_not() {
        let complaints = Complaints::default();
        let at = |kind, millis| complaints.is_due(kind, Duration::from_millis(millis));
        assert_eq!(at(Kind::Timeout, 0), Some(0));
        assert_eq!((at(Kind::Timeout, 1), at(Kind::Timeout, 999)), (None, None));
        assert_eq!(at(Kind::Protocol, 500), Some(0));
        assert_eq!((at(Kind::Timeout, 1000), at(Kind::Timeout, 2000)), (Some(2), Some(0)));
    }
}
