//! What a certificate says about itself, as far as people and patterns want to know it.

use crate::config::identity::Name;
use anyhow::{Context as _, anyhow};
use std::net::IpAddr;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// A certificate, read.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub subject: String,
    pub issuer: String,
    pub serial: String,
    pub names: Vec<Name>,
    /// From when to when it holds, in seconds since 1970.
    pub not_before: i64,
    pub not_after: i64,
}

impl Certificate {
    /// Reads it.
    pub(super) fn parse(der: &[u8]) -> anyhow::Result<Self> {
        let parsed = X509Certificate::from_der(der).map(|(_, parsed)| parsed);
        let parsed = parsed.map_err(|error| anyhow!("{error}")).context("is no certificate of X.509")?;
        let alternative = parsed.subject_alternative_name().ok().flatten();
        let names = alternative.iter().flat_map(|names| &names.value.general_names).filter_map(name);
        Ok(Self {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            serial: parsed.raw_serial_as_string(),
            names: names.collect(),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
        })
    }

    /// Its names, or its subject where it has none.
    pub(super) fn who(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| format!("`{name}`")).collect();
        if names.is_empty() { format!("`{}` (no alternative name)", self.subject) } else { names.join(", ") }
    }
}

fn name(name: &GeneralName<'_>) -> Option<Name> {
    match name {
        GeneralName::DNSName(name) => Some(Name::Host((*name).into())),
        GeneralName::URI(name) => Some(Name::Uri((*name).into())),
        GeneralName::RFC822Name(name) => Some(Name::Email((*name).into())),
        GeneralName::IPAddress(bytes) => address(bytes).map(Name::Address),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four: Option<[u8; 4]> = bytes.try_into().ok();
    let sixteen: Option<[u8; 16]> = bytes.try_into().ok();
    four.map(IpAddr::from).or_else(|| sixteen.map(IpAddr::from))
}

/// A time in seconds since 1970, for people.
pub(super) fn shown(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "an impossible time".into(), |time| time.to_string())
}
