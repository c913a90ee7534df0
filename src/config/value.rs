//! The types of options: each is read from text and says what it takes instead.
//!
//! File, environment and flags all end as text here, so that a value means the same in each.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tollgate_engine::read::nearest;

/// What is wrong with a value, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What the option takes.
    pub wants: String,
    /// The nearest value that it takes.
    pub nearest: Option<&'static str>,
}

impl Wrong {
    pub(super) fn wants(text: impl Into<String>) -> Self {
        Self { wants: text.into(), nearest: None }
    }
}

/// A value that an option can take.
pub trait OptionValue: Sized {
    /// Reads it; `default` is what the option would be if it were not set.
    ///
    /// # Errors
    /// Says what the option takes.
    fn read(text: &str, default: &str) -> Result<Self, Wrong>;
}

/// An address to listen on, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub Option<SocketAddr>);

/// How many threads: a number, or as many as there are cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads(pub usize);

/// The permissions of a file, as octal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions(pub u32);

/// A bound counted in things, at most ten times its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub usize);

/// A bound counted in bytes, at most ten times its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub usize);

/// A time to wait, which is never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub Duration);

/// The name of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub String);

/// In what form log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where a collector is asked, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector(pub Option<String>);

/// A share of all, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio(pub f64);

/// The least severe lines that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// None.
    Off,
    /// What failed.
    Error,
    /// And what needs attention.
    Warn,
    /// And what happened.
    Info,
    /// And how.
    Debug,
    /// And everything else.
    Trace,
}

/// What to do at the start about a state file that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadState {
    /// Do not start.
    #[default]
    Refuse,
    /// Set it aside and start without it.
    Fresh,
}

impl OptionValue for Listen {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        if text == "none" {
            return Ok(Self(None));
        }
        let at = text
            .parse()
            .map_err(|_| Wrong::wants("an address and a port such as `127.0.0.1:4700`, or `none`"))?;
        Ok(Self(Some(at)))
    }
}

impl OptionValue for Option<PathBuf> {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        if text.contains('\0') {
            return Err(Wrong::wants("a path"));
        }
        Ok((!text.is_empty()).then(|| PathBuf::from(text)))
    }
}

impl OptionValue for Name {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        let fits = (1..=256).contains(&text.len()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.into()))
            .ok_or_else(|| Wrong::wants("a name of 1 to 256 bytes without control characters"))
    }
}

impl OptionValue for Collector {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let address = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let fits = address.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', ' ']));
        fits.then(|| Self(Some(text.trim_end_matches('/').into())))
            .ok_or_else(|| Wrong::wants("an address such as `http://collector:4317`, or `https://`"))
    }
}

impl OptionValue for Ratio {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        share.map(Self).ok_or_else(|| Wrong::wants("a number from 0 to 1"))
    }
}

impl OptionValue for bool {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        one_of(text, &[("true", true), ("false", false)])
    }
}

impl OptionValue for Threads {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        if text == "auto" {
            return Ok(Self(std::thread::available_parallelism().map_or(1, usize::from)));
        }
        let count = text.parse().ok().filter(|n| (1..=1024).contains(n));
        count.map(Self).ok_or_else(|| Wrong::wants("a number from 1 to 1024, or `auto` for one a core"))
    }
}

impl OptionValue for Permissions {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        let plain = text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
        let mode = u32::from_str_radix(text, 8).ok().filter(|mode| plain && *mode <= 0o777);
        mode.map(Self).ok_or_else(|| Wrong::wants("three octal digits such as `600` or `660`"))
    }
}

impl OptionValue for usize {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        let count = text.parse().ok().filter(|n| (1..=1_000_000).contains(n));
        count.ok_or_else(|| Wrong::wants("a whole number from 1 to 1000000"))
    }
}

impl OptionValue for Duration {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        let seconds = text.parse::<f64>().ok().filter(|s| (0.0..=86_400.0).contains(s));
        seconds.map(Self::from_secs_f64).ok_or_else(|| Wrong::wants("a number of seconds from 0 to 86400"))
    }
}

impl OptionValue for Wait {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        let seconds = text.parse::<f64>().ok().filter(|s| (0.1..=86_400.0).contains(s));
        let wait = seconds.map(|seconds| Self(Duration::from_secs_f64(seconds)));
        wait.ok_or_else(|| Wrong::wants("a number of seconds from 0.1 to 86400"))
    }
}

impl OptionValue for Count {
    fn read(text: &str, default: &str) -> Result<Self, Wrong> {
        let most = default.parse::<usize>().unwrap_or(usize::MAX).saturating_mul(10);
        let count = text.parse().ok().filter(|n| (1..=most).contains(n));
        count
            .map(Self)
            .ok_or_else(|| Wrong::wants(format!("a whole number from 1 to {most}, ten times the default")))
    }
}

impl OptionValue for Bytes {
    fn read(text: &str, default: &str) -> Result<Self, Wrong> {
        let most = bytes(default).unwrap_or(usize::MAX).saturating_mul(10);
        let size = bytes(text).filter(|n| (1..=most).contains(n));
        size.map(Self).ok_or_else(|| {
            let most = size_text(most);
            Wrong::wants(format!("a size such as `{default}`, at most `{most}`, ten times the default"))
        })
    }
}

impl OptionValue for LogFormat {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        one_of(text, &[("auto", Self::Auto), ("text", Self::Text), ("json", Self::Json)])
    }
}

impl OptionValue for LogLevel {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        let levels = [
            ("off", Self::Off),
            ("error", Self::Error),
            ("warn", Self::Warn),
            ("info", Self::Info),
            ("debug", Self::Debug),
            ("trace", Self::Trace),
        ];
        one_of(text, &levels)
    }
}

impl OptionValue for OnBadState {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        one_of(text, &[("refuse", Self::Refuse), ("fresh", Self::Fresh)])
    }
}

pub(super) fn one_of<T: Copy>(text: &str, all: &[(&'static str, T)]) -> Result<T, Wrong> {
    let names = || all.iter().map(|(name, _)| *name);
    all.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| Wrong {
        wants: names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        nearest: nearest(text, names()),
    })
}

const UNITS: [(&str, usize); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A whole number of bytes, with or without a unit.
fn bytes(text: &str) -> Option<usize> {
    let (digits, unit) = UNITS
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?.trim_end(), *unit)))
        .unwrap_or((text, 1));
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

fn size_text(size: usize) -> String {
    let fits = |unit: &usize| size >= *unit && size.is_multiple_of(*unit);
    match UNITS.iter().find(|(_, unit)| fits(unit)) {
        Some((name, unit)) => format!("{}{name}", size / unit),
        None => size.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_units_and_stop_at_ten_times_the_default() {
        for (text, want) in [
            ("1024", Ok(1024)),
            ("2KiB", Ok(2048)),
            ("160 MiB", Ok(160 << 20)),
            ("0", Err(())),
            ("161MiB", Err(())),
            ("-1", Err(())),
            ("99999999999999999999GiB", Err(())),
            ("1MB", Err(())),
        ] {
            let got = Bytes::read(text, "16MiB").map(|b| b.0).map_err(|_| ());
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn a_wrong_choice_names_the_nearest() {
        let wrong = LogLevel::read("inof", "info");
        assert_eq!(wrong.map_err(|wrong| wrong.nearest), Err(Some("info")));
    }

    #[test]
    fn seconds_are_finite_and_not_negative() {
        for text in ["-1", "NaN", "inf", "1e9", ""] {
            assert!(Duration::read(text, "30").is_err(), "{text}");
        }
        assert_eq!(Duration::read("0.5", "30"), Ok(Duration::from_millis(500)));
        assert!(Wait::read("0", "30").is_err() && Wait::read("0.1", "30").is_ok());
    }
}
