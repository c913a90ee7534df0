//! The types of the decision log's options.

use super::value::{OptionValue, Wrong, one_of};

/// Limits, refusals and shadow refusals that a record tells of, of each at most so many; more are
/// counted.
pub const MOST_TOLD: usize = 64;
/// More than everything takes besides the request and what guardrails say.
pub const FIXED: usize = 4_096;
/// More than what one guardrail says takes.
pub const EACH_GUARDRAIL: usize = 512;
/// Where actions are refused for want of room, this share of it is left for their reports.
pub const FOR_REPORTS: usize = 8;

/// The room that the record of the largest request needs, and what is left for reports.
#[must_use]
pub const fn least_ring(request_bytes: usize, name_bytes: usize) -> usize {
    // An environment, an id and a mode are told twice.
    let twice = name_bytes.saturating_mul(3);
    let record = request_bytes.saturating_add(twice).saturating_add(FIXED + MOST_TOLD * EACH_GUARDRAIL);
    record.saturating_add(record / (FOR_REPORTS - 1) + FOR_REPORTS)
}

/// What happens when there is no room for a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It is dropped and counted.
    #[default]
    DropNewest,
    /// The oldest records that wait are dropped for it and counted.
    DropOldest,
    /// The action is refused.
    Refuse,
}

/// When what was written is flushed to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// When the system thinks fit.
    Never,
    /// Now and then.
    #[default]
    Interval,
    /// After each write.
    Always,
}

/// The web address of a collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorUrl(pub Option<http::Uri>);

/// JSON pointers, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointers(pub Vec<String>);

/// The steps of a JSON pointer; `None`: it is none.
#[must_use]
pub fn steps(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    let plain = |step: &str| {
        let is_escaped = step.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        is_escaped.then(|| step.replace("~1", "/").replace("~0", "~"))
    };
    pointer.strip_prefix('/')?.split('/').map(plain).collect()
}

/// Which share of the decisions is recorded, by effect and by rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rates {
    effects: Vec<(&'static str, f64)>,
    rules: Vec<(String, f64)>,
}

const EFFECTS: [&str; 4] = ["ALLOW", "DENY", "REQUIRE_APPROVAL", "THROTTLE"];
const RULE: &str = "rule:";

impl Rates {
    /// Whether everything is recorded.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.effects.is_empty() && self.rules.is_empty()
    }

    /// The share of decisions with this effect by this rule (empty: by none) that is recorded.
    #[must_use]
    pub fn of(&self, effect: &str, rule: &str) -> f64 {
        let by_rule = self.rules.iter().find(|(id, _)| id == rule);
        let by_effect = || self.effects.iter().find(|(name, _)| *name == effect).map(|(_, rate)| *rate);
        by_rule.map(|(_, rate)| *rate).or_else(by_effect).unwrap_or(1.0)
    }
}

impl OptionValue for WhenFull {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        let all =
            [("drop_newest", Self::DropNewest), ("drop_oldest", Self::DropOldest), ("refuse", Self::Refuse)];
        one_of(text, &all)
    }
}

impl OptionValue for Fsync {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        one_of(text, &[("never", Self::Never), ("interval", Self::Interval), ("always", Self::Always)])
    }
}

impl OptionValue for CollectorUrl {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let is_web = |uri: &http::Uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
                && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        };
        let uri = text.parse::<http::Uri>().ok().filter(is_web);
        uri.map(|uri| Self(Some(uri))).ok_or_else(|| {
            Wrong::wants("a web address without a password such as `https://collector.example/decisions`")
        })
    }
}

impl OptionValue for Pointers {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        let pointers = text.split(',').map(str::trim).filter(|pointer| !pointer.is_empty());
        let all: Vec<String> = pointers.map(str::to_owned).collect();
        let is_bad = |pointer: &String| steps(pointer).is_none_or(|steps| steps.iter().all(String::is_empty));
        if all.iter().any(is_bad) {
            return Err(Wrong::wants(
                "JSON pointers into a request, separated by commas, such as `/context/card,/subject/user`",
            ));
        }
        Ok(Self(all))
    }
}

impl OptionValue for Rates {
    fn read(text: &str, _: &str) -> Result<Self, Wrong> {
        let mut rates = Self::default();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            rates.add(entry).ok_or_else(|| {
                Wrong::wants(
                    "shares from 0 to 1 of effects and of rules, separated by commas, \
                     such as `ALLOW=0.1,rule:allow-read=0.01`",
                )
            })?;
        }
        Ok(rates)
    }
}

impl Rates {
    fn add(&mut self, entry: &str) -> Option<()> {
        let (of, rate) = entry.split_once('=')?;
        let rate = rate.trim().parse::<f64>().ok().filter(|rate| (0.0..=1.0).contains(rate))?;
        let of = of.trim();
        if let Some(rule) = of.strip_prefix(RULE).filter(|rule| !rule.is_empty()) {
            self.rules.push((rule.to_owned(), rate));
        } else {
            let effect = EFFECTS.into_iter().find(|effect| *effect == of)?;
            self.effects.push((effect, rate));
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_effects_and_of_rules_which_win() {
        let rates = Rates::read("ALLOW=0.25, rule:allow-read=0.5,DENY=0", "").unwrap();
        for (effect, rule, want) in
            [("ALLOW", "", 0.25), ("ALLOW", "allow-read", 0.5), ("DENY", "other", 0.0), ("THROTTLE", "", 1.0)]
        {
            assert_eq!(rates.of(effect, rule), want, "{effect} {rule}");
        }
        assert!(Rates::read("", "").unwrap().is_all() && !rates.is_all());
        for bad in ["ALLOW", "ALLOW=2", "allow=0.1", "rule:=1", "DENY=x", "=1", "ALLOW=-0.1", "ALLOW=NaN"] {
            assert!(Rates::read(bad, "").is_err(), "{bad}");
        }
    }

    #[test]
    fn collectors_and_pointers_say_what_they_take() {
        for good in ["", "http://127.0.0.1:9/x", "https://collector.example"] {
            assert!(CollectorUrl::read(good, "").is_ok(), "{good}");
        }
        for bad in ["collector", "ftp://a/b", "http://", "https://user:secret@host/"] {
            assert!(CollectorUrl::read(bad, "").is_err(), "{bad}");
        }
        let read = Pointers::read("/context/card, /subject/user,", "").unwrap();
        assert_eq!(read.0, ["/context/card", "/subject/user"]);
        for bad in ["context", "/a~2", "/"] {
            assert!(Pointers::read(bad, "").is_err(), "{bad}");
        }
    }
}
