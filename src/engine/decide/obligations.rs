//! Merging what `modify` rules add: of numbers the smallest, of modes the strictest (design 1.3).

use super::{Obligations, Request};
use crate::model::{Bundle, Caps, Modify};
use crate::unit::Span;

/// Obligations while they are gathered, rules by rank.
pub(super) struct Merge<'a> {
    order: &'a [Box<str>],
    mode: &'a str,
    limits: Caps,
    timeout: Option<Span>,
}

impl<'a> Merge<'a> {
    /// Starts with the mode that was requested.
    pub(super) fn of(bundle: &'a Bundle, request: &Request<'a>) -> Self {
        let order = &bundle.defaults.mode_order;
        Self { order, mode: request.mode, limits: Caps::default(), timeout: None }
    }

    pub(super) fn add(&mut self, modify: &'a Modify) {
        if let Some(mode) = &modify.mode {
            let replaces = self.mode.is_empty() || self.strictness(mode) < self.strictness(self.mode);
            if replaces {
                self.mode = mode;
            }
        }
        self.limits = self.limits.strictest(modify.limits);
        self.timeout = shortest(self.timeout, modify.timeout);
    }

    /// The obligations; what is left of the caller's deadline caps a timeout that there is.
    pub(super) fn finish(self, time_left: Option<Span>) -> Obligations<'a> {
        let timeout = self.timeout.map(|own| time_left.map_or(own, |left| own.min(left)));
        Obligations { mode: self.mode, limits: self.limits, timeout, retry: None }
    }

    /// The strictest is the lowest; a mode that is not listed is stricter than all that are.
    fn strictness(&self, mode: &str) -> usize {
        self.order.iter().position(|own| **own == *mode).map_or(0, |at| at + 1)
    }
}

/// The shorter of two, where there are two.
pub(super) fn shortest(a: Option<Span>, b: Option<Span>) -> Option<Span> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}
