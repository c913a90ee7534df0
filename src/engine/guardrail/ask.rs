//! What one request asks of the guardrails that match it.

use super::budget::Expected;
use super::draw::Draw;
use super::guard::{Guard, Rules};
use super::key::{self, Flush};
use super::sampling;
use super::state::Wanted;
use crate::model::guardrail::KeyDimension;
use crate::model::request::Request;

/// What one request asks: a guardrail, a key and units, for each guardrail that matches.
#[derive(Debug, Default)]
pub struct Asks<'g> {
    text: Vec<u8>,
    list: Vec<Ask<'g>>,
}

/// What is asked of one guardrail.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'g> {
    /// The guardrail.
    pub guard: &'g Guard,
    /// How many units; for a sample, the point of the key.
    pub units: u64,
    /// Whether the flush that is counted has no other request.
    pub alone: bool,
    from: usize,
    to: usize,
}

/// What a request says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// What it is expected to use.
    pub expected: Expected,
    /// Whether it is the first attempt.
    pub first_attempt: bool,
}

impl<'g> Asks<'g> {
    /// Asks a guardrail about a request.
    ///
    /// `units` is what [`super::rate_limit::units_of`] makes of its cost; only rate limits read
    /// it. `draw` is for a sample of requests without an id.
    pub fn ask(
        &mut self,
        guard: &'g Guard,
        request: &Request<'_>,
        environment: &str,
        flush: Flush<'_>,
        units: u64,
        draw: &mut Draw,
    ) {
        let mut from = self.text.len();
        let mut to = from;
        let mut units = units;
        if let Rules::Sampling(_, kinds) = &guard.rules {
            key::write_plain(&mut self.text, &guard.key_by, request, environment, flush);
            let by_request = guard.key_by.contains(&KeyDimension::Request);
            units = if by_request && request.request_id.is_empty() {
                draw.bits()
            } else {
                let values = self.text.get(from..).unwrap_or_default();
                sampling::point(guard.name.as_str(), environment, kinds, values)
            };
            self.text.truncate(from);
        } else if let Some(same) = self.list.last().filter(|last| last.counts_by(&guard.key_by)) {
            (from, to) = (same.from, same.to);
        } else {
            key::write(&mut self.text, &guard.key_by, request, environment, flush);
            to = self.text.len();
        }
        let alone = matches!(flush, Flush::Alone(_));
        self.list.push(Ask { guard, units, alone, from, to });
    }

    /// Asks a guardrail about a key by its values.
    pub fn ask_values(&mut self, guard: &'g Guard, values: &[&str], units: u64) {
        let from = self.text.len();
        key::write_values(&mut self.text, values);
        let to = self.text.len();
        self.list.push(Ask { guard, units, alone: false, from, to });
    }

    /// Asks nothing any more; keeps the room.
    #[must_use]
    pub fn recycle<'h>(mut self) -> Asks<'h> {
        self.text.clear();
        self.list.clear();
        // An empty vector is collected in place: the room is kept, and no borrow with it.
        let list = self.list.into_iter().map_while(|_| None).collect();
        Asks { text: self.text, list }
    }

    /// What is asked, in the order it was put.
    pub fn iter(&self) -> impl Iterator<Item = (&Ask<'g>, &[u8])> {
        self.list.iter().map(|ask| (ask, self.key(ask)))
    }

    /// How many guardrails are asked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether none is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The text of the key that is asked about.
    #[must_use]
    pub fn key(&self, ask: &Ask<'_>) -> &[u8] {
        self.text.get(ask.from..ask.to).unwrap_or_default()
    }
}

impl Ask<'_> {
    /// Whether its key is written from these dimensions, so that the same request has the same.
    fn counts_by(&self, dimensions: &[KeyDimension]) -> bool {
        !matches!(self.guard.rules, Rules::Sampling(..)) && self.guard.key_by == dimensions
    }

    pub(super) const fn wanted<'f>(&self, facts: &'f Facts) -> Wanted<'f> {
        Wanted {
            units: self.units,
            alone: self.alone,
            expected: &facts.expected,
            first_attempt: facts.first_attempt,
        }
    }
}
