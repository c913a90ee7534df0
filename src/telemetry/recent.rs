//! What went wrong lately and what it cost: counts that only grow, remembered from a while ago.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::metrics::{COST_24H, ERROR_RATE};
use super::page::Page;

const SECOND: u64 = 1_000_000_000;
/// The last five minutes, to five seconds.
const ERRORS: (u64, u64) = (300 * SECOND, 5 * SECOND);
/// The last day, to five minutes.
const COST: (u64, u64) = (86_400 * SECOND, 300 * SECOND);

/// Counts since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Decisions.
    pub decisions: u64,
    /// Those with a condition that could not be evaluated.
    pub erred: u64,
    /// Actions that may run, and are reported when they have.
    pub allowed: u64,
    /// Those that were reported.
    pub ended: u64,
    /// Those that were reported as failed, and are not among `erred`.
    pub failed: u64,
    /// What they cost, in billionths.
    pub cost: u64,
}

/// The counts of a while ago.
#[derive(Debug)]
pub struct Recent {
    rings: Mutex<[Ring; 2]>,
}

#[derive(Debug)]
struct Ring {
    window: u64,
    step: u64,
    /// When, and what was counted until then; the oldest first. Never empty.
    kept: VecDeque<(u64, Counts)>,
}

impl Recent {
    /// Nothing was counted before this time.
    #[must_use]
    pub fn since(now: u64) -> Self {
        let ring = |(window, step)| Ring { window, step, kept: VecDeque::from([(now, Counts::default())]) };
        Self { rings: Mutex::new([ring(ERRORS), ring(COST)]) }
    }

    /// Remembers what was counted until now, if it is time to. Call it every few seconds.
    pub fn tick(&self, now: u64, counts: impl FnOnce() -> Counts) {
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        if rings.iter().any(|ring| ring.is_due(now)) {
            let counts = counts();
            rings.iter_mut().filter(|ring| ring.is_due(now)).for_each(|ring| ring.keep(now, counts));
        }
    }

    /// Adds what the policy's health is judged by.
    pub fn hand_over(&self, page: &mut Page, now: u64, counts: Counts) {
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        let [errors, cost] = &*rings;
        if let Some(rate) = counts.since(errors.before(now)).error_rate() {
            page.add(ERROR_RATE, &[], rate);
        }
        page.add(COST_24H, &[], double(counts.since(cost.before(now)).cost) / 1e9);
    }
}

impl Ring {
    fn is_due(&self, now: u64) -> bool {
        self.kept.back().is_none_or(|(at, _)| now.saturating_sub(*at) >= self.step)
    }

    fn keep(&mut self, now: u64, counts: Counts) {
        self.kept.push_back((now, counts));
        // What the second is old enough for, the first is not needed for.
        while self.kept.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= self.window) {
            self.kept.pop_front();
        }
    }

    /// What was counted when the window began: never later, so that nothing in it is missed.
    fn before(&self, now: u64) -> Counts {
        let old = |(at, _): &&(u64, Counts)| now.saturating_sub(*at) >= self.window;
        let found = self.kept.iter().take_while(old).last().or_else(|| self.kept.front());
        found.map(|(_, counts)| *counts).unwrap_or_default()
    }
}

impl Counts {
    const fn since(self, before: Self) -> Self {
        Self {
            decisions: self.decisions.saturating_sub(before.decisions),
            erred: self.erred.saturating_sub(before.erred),
            allowed: self.allowed.saturating_sub(before.allowed),
            ended: self.ended.saturating_sub(before.ended),
            failed: self.failed.saturating_sub(before.failed),
            cost: self.cost.saturating_sub(before.cost),
        }
    }

    /// As design 4.3 has it; `None` without a decision.
    fn error_rate(self) -> Option<f64> {
        let known = self.ended.saturating_mul(2) >= self.allowed;
        let wrong = self.erred + if known { self.failed } else { 0 };
        // A report may come minutes after its decision.
        (self.decisions > 0).then(|| (double(wrong) / double(self.decisions)).min(1.0))
    }
}

#[expect(clippy::cast_precision_loss, reason = "the text format carries doubles")]
const fn double(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::page::Format;

    fn shown(recent: &Recent, now: u64, counts: Counts) -> (Option<f64>, f64) {
        let mut page = Page::default();
        recent.hand_over(&mut page, now, counts);
        let text = page.render(Format::Text);
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().parse().unwrap())
        };
        (value("policy_error_rate_5m "), value("policy_cost_24h ").unwrap())
    }

    #[test]
    fn what_leaves_the_window_no_longer_counts() {
        let recent = Recent::since(0);
        let mut counts = Counts::default();
        assert_eq!(shown(&recent, 0, counts), (None, 0.0));
        // Four decisions a second for ten minutes; the first minute's all err.
        for second in 0..600 {
            counts.decisions += 4;
            counts.erred += if second < 60 { 4 } else { 0 };
            counts.cost += 500_000_000;
            recent.tick(second * SECOND, || counts);
        }
        assert_eq!(shown(&recent, 599 * SECOND, counts), (Some(0.0), 300.0));
        // A day later the cost is gone too.
        recent.tick(90_000 * SECOND, || counts);
        recent.tick(180_000 * SECOND, || counts);
        assert_eq!(shown(&recent, 180_000 * SECOND, counts), (None, 0.0));
        let kept: Vec<usize> = recent.rings.lock().unwrap().iter().map(|ring| ring.kept.len()).collect();
        assert!(kept.iter().all(|kept| *kept < 300), "{kept:?}");
    }

    #[test]
    fn failures_count_where_half_of_the_allowed_were_reported() {
        let recent = Recent::since(0);
        for (allowed, ended, want) in [(10, 5, 0.4), (10, 4, 0.1), (0, 0, 0.4)] {
            let counts = Counts { decisions: 10, erred: 1, allowed, ended, failed: 3, cost: 0 };
            assert_eq!(shown(&recent, SECOND, counts).0, Some(want), "{ended} of {allowed}");
        }
    }

    #[test]
    fn the_window_is_five_minutes_to_five_seconds() {
        let early = Counts { decisions: 1, erred: 1, ..Counts::default() };
        let late = Counts { decisions: 2, ..early };
        for (second, want) in [(309, 0.5), (315, 0.0)] {
            let recent = Recent::since(0);
            for past in 0..=second {
                let counts = if past >= 10 { early } else { Counts::default() };
                recent.tick(past * SECOND, || counts);
            }
            assert_eq!(shown(&recent, second * SECOND, late).0, Some(want), "{second}");
        }
    }
}
