//! The names that a certificate bears, and patterns over them: who may connect.
//!
//! A pattern is of one kind (a URI has `://`, an e-mail address an `@`, an address of the network is
//! one, everything else is a host name) and fits names of that kind only, so that a host's pattern
//! cannot be met by a URI that ends alike. It is compared part by part, and `*` stays within a part:
//! in `spiffe://prod/ns/*/sa/agent-*` nobody can choose a name that skips over the slashes.

use super::value::{OptionValue, Wrong};
use std::fmt;
use std::net::IpAddr;
use tollgate_engine::condition::glob::Glob;

/// More patterns than this are some other list.
const MOST_PATTERNS: usize = 256;
/// A pattern or a name of more parts fits nothing.
const MOST_PARTS: usize = 64;

/// A name of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A URI, a SPIFFE id for instance.
    Uri(String),
    /// A host name.
    Host(String),
    /// An e-mail address.
    Email(String),
    /// An address of the network.
    Address(IpAddr),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(name) | Self::Host(name) | Self::Email(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// What names have to fit one of; none: every name will do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patterns(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq)]
enum Pattern {
    Uri(Vec<Part>),
    Host(Vec<Part>),
    Email(Vec<Part>),
    Address(IpAddr),
}

/// What stands between two separators.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// Something: an empty part is none of those that `*` stands for.
    One(Glob),
    /// Nothing, as between the slashes of `spiffe://`.
    Empty,
    /// `**`: any number of parts, none included.
    Any,
}

impl Patterns {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of these names fits one of the patterns.
    #[must_use]
    pub fn fit(&self, names: &[Name]) -> bool {
        names.iter().any(|name| self.0.iter().any(|pattern| pattern.fits(name)))
    }
}

impl OptionValue for Patterns {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        let all: Vec<&str> = words(text);
        if all.len() > MOST_PATTERNS {
            return Err(Wrong::wants(format!("at most {MOST_PATTERNS} patterns")));
        }
        let read = |word: &&str| {
            Pattern::read(word)
                .map_err(|why| Wrong::wants(format!("patterns of names, and in `{word}` {why}")))
        };
        all.iter().map(read).collect::<Result<_, _>>().map(Self)
    }
}

impl Pattern {
    fn read(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        if text.contains("://") {
            parts(text, '/').map(Self::Uri)
        } else if text.contains('@') {
            parts(text, '@').map(Self::Email)
        } else {
            parts(&text.to_lowercase(), '.').map(Self::Host)
        }
    }

    fn fits(&self, name: &Name) -> bool {
        match (self, name) {
            (Self::Uri(parts), Name::Uri(name)) => split_fits(parts, name, '/'),
            (Self::Email(parts), Name::Email(name)) => split_fits(parts, name, '@'),
            (Self::Host(parts), Name::Host(name)) => split_fits(parts, &name.to_lowercase(), '.'),
            (Self::Address(address), Name::Address(name)) => address == name,
            _ => false,
        }
    }
}

fn parts(text: &str, separator: char) -> Result<Vec<Part>, String> {
    let read = |part: &str| match part {
        "**" => Ok(Part::Any),
        "" => Ok(Part::Empty),
        _ => Glob::parse(part).map(Part::One).map_err(|error| error.to_string()),
    };
    let parts: Vec<Part> = text.split(separator).map(read).collect::<Result<_, _>>()?;
    match parts.len() {
        0..=MOST_PARTS => Ok(parts),
        count => Err(format!("there are {count} parts; at most {MOST_PARTS} are taken")),
    }
}

fn split_fits(parts: &[Part], name: &str, separator: char) -> bool {
    let name: Vec<&str> = name.split(separator).take(MOST_PARTS + 1).collect();
    name.len() <= MOST_PARTS && all_fit(parts, &name)
}

impl Part {
    /// Whether this is one part and fits that of a name.
    fn fits(&self, part: &str) -> bool {
        match self {
            Self::One(glob) => !part.is_empty() && glob.matches(part),
            Self::Empty => part.is_empty(),
            Self::Any => false,
        }
    }
}

/// With one step back to the last `**`, as a glob does it with characters.
fn all_fit(parts: &[Part], name: &[&str]) -> bool {
    let (mut pattern, mut rest) = (parts, name);
    let mut retry: Option<(&[Part], &[&str])> = None;
    loop {
        match (pattern.split_first(), rest.split_first()) {
            (Some((Part::Any, more)), _) => {
                retry = Some((more, rest));
                pattern = more;
                continue;
            }
            (Some((one, more)), Some((part, others))) if one.fits(part) => {
                (pattern, rest) = (more, others);
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((after, [_, others @ ..])) = retry else { return false };
        retry = Some((after, others));
        (pattern, rest) = (after, others);
    }
}

/// Words, between white space and between commas that are not in braces.
fn words(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let between = move |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c.is_whitespace() || (c == ',' && depth == 0)
    };
    text.split(between).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(patterns: &str, name: &Name) -> bool {
        Patterns::read(patterns, "").unwrap().fit(std::slice::from_ref(name))
    }

    #[test]
    fn a_star_stays_within_its_part() {
        let agents = "spiffe://prod/ns/*/sa/agent-*";
        for (pattern, uri, fits) in [
            (agents, "spiffe://prod/ns/pay/sa/agent-7", true),
            (agents, "spiffe://prod/ns/pay/sa/agent-", true),
            (agents, "spiffe://prod/ns/pay/sa/other", false),
            (agents, "spiffe://test/ns/pay/sa/agent-7", false),
            (agents, "spiffe://prod/ns/pay/x/sa/agent-7", false),
            (agents, "spiffe://prod/ns/pay/sa/agent-7/x", false),
            (agents, "spiffe://prod/ns/pay/sa", false),
            (agents, "spiffe://prod/ns//sa/agent-7", false),
            ("spiffe://*/ns/a", "spiffe:///ns/a", false),
            ("spiffe://prod/*", "spiffe://prod/", false),
            ("spiffe://prod/{,a}", "spiffe://prod/", false),
            ("spiffe://prod/", "spiffe://prod/", true),
            ("*://prod/a", "spiffe://prod/a", true),
            ("spiffe://prod/**", "spiffe://prod/ns/pay/sa/x", true),
            ("spiffe://prod/**", "spiffe://prod.evil/ns/pay", false),
            ("spiffe://prod/**/sa/*", "spiffe://prod/a/b/sa/c/sa/d", true),
            ("spiffe://prod/**/sa/*", "spiffe://prod/a/b/sa/c/d", false),
            ("spiffe://{prod,test}/ns/a", "spiffe://test/ns/a", true),
            ("**", "spiffe://prod/ns", false),
        ] {
            assert_eq!(fit(pattern, &Name::Uri(uri.into())), fits, "{pattern} {uri}");
        }
    }

    #[test]
    fn a_pattern_fits_names_of_its_kind_only() {
        let host = |name: &str| Name::Host(name.into());
        let uri = Name::Uri("https://a.example.com".into());
        for (pattern, name, fits) in [
            ("*.example.com", host("A.Example.com"), true),
            ("*.example.com", host("a.b.example.com"), false),
            ("*.example.com", host(".example.com"), false),
            ("**.example.com", host("a.b.example.com"), true),
            ("**.example.com", uri, false),
            ("*@example.com", Name::Email("ann@example.com".into()), true),
            ("*@example.com", host("ann.example.com"), false),
            ("*@example.com", Name::Email("@example.com".into()), false),
            ("10.0.0.7", Name::Address([10, 0, 0, 7].into()), true),
            ("10.0.0.7", host("10.0.0.7"), false),
            ("10.0.0.*", Name::Address([10, 0, 0, 7].into()), false),
        ] {
            assert_eq!(fit(pattern, &name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_come_as_words() {
        let all = Patterns::read(" a.example, {b,c}.example\n\nd.example ", "").unwrap();
        assert_eq!(all.0.len(), 3);
        for name in ["a.example", "b.example", "c.example", "d.example"] {
            assert!(all.fit(&[Name::Host(name.into())]), "{name}");
        }
        assert!(!all.fit(&[]) && Patterns::read("", "").unwrap().is_empty());
        let wrong = Patterns::read("a.[example", "").unwrap_err();
        assert!(wrong.wants.contains("in `a.[example` `[` has no partner"), "{wrong:?}");
    }
}
