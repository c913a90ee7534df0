//! When requests are due.

/// How requests follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// The next one when an answer came: always so many in flight on each connection.
    Closed {
        /// So many.
        in_flight: usize,
    },
    /// So many a second over all connections, whatever becomes of the answers.
    Open {
        /// So many.
        per_second: f64,
    },
}

/// When a load begins, when it begins to be measured, and when it ends; nanoseconds of one clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first request.
    pub start: u64,
    /// The first that is measured.
    pub from: u64,
    /// Behind the last.
    pub until: u64,
}

/// The requests of one connection among others.
#[derive(Debug)]
pub(super) struct Schedule {
    pace: Pace,
    span: Span,
    /// Which of how many connections.
    place: (u64, u64),
    /// Requests that were due and sent.
    sent: u64,
    /// Measured requests that are still to be sent, where they are counted.
    left: Option<u64>,
}

impl Schedule {
    pub(super) const fn new(pace: Pace, span: Span, place: (u64, u64), left: Option<u64>) -> Self {
        Self { pace, span, place, sent: 0, left }
    }

    pub(super) const fn span(&self) -> Span {
        self.span
    }

    /// The start of the next request, if it is due; in a closed loop that is now.
    pub(super) fn due(&self, now: u64, open: usize) -> Option<u64> {
        if self.left == Some(0) {
            return None;
        }
        match self.pace {
            Pace::Closed { in_flight } => (open < in_flight && now < self.span.until).then_some(now),
            Pace::Open { .. } => self.next(now).filter(|next| *next <= now),
        }
    }

    /// One was sent.
    pub(super) fn sent(&mut self, intended: u64) {
        self.sent += 1;
        if self.is_measured(intended) {
            self.left = self.left.map(|left| left.saturating_sub(1));
        }
    }

    /// When the next one of an open loop is due; `None` when there is none. What was due and could not be
    /// sent before the end is not sent behind it.
    pub(super) fn next(&self, now: u64) -> Option<u64> {
        let Pace::Open { per_second } = self.pace else { return None };
        let is_left = self.left != Some(0) && now < self.span.until;
        is_left.then(|| self.intended(self.sent, per_second)).filter(|next| *next < self.span.until)
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "nanoseconds of hours fit into the digits of a double, and the cast saturates"
    )]
    fn intended(&self, number: u64, per_second: f64) -> u64 {
        let (own, all) = self.place;
        let turn = number.saturating_mul(all).saturating_add(own);
        self.span.start.saturating_add((turn as f64 * 1e9 / per_second) as u64)
    }

    /// Whether none will be due any more.
    pub(super) fn is_over(&self, now: u64) -> bool {
        match self.pace {
            Pace::Closed { .. } => self.left == Some(0) || now >= self.span.until,
            Pace::Open { .. } => self.next(now).is_none(),
        }
    }

    pub(super) const fn is_measured(&self, intended: u64) -> bool {
        intended >= self.span.from
    }

    /// How many measured ones were due before `now` and have not been sent.
    pub(super) fn overdue(&self, now: u64) -> u64 {
        let Pace::Open { per_second } = self.pace else { return 0 };
        let end = now.min(self.span.until);
        let is_due = |number: u64| self.intended(number, per_second) < end;
        // The number of those that are due grows with time: found by halving.
        let first_at = |time: u64| {
            let (mut low, mut high) = (self.sent, self.sent.saturating_add(1 << 40));
            while low < high {
                let middle = low + (high - low) / 2;
                if self.intended(middle, per_second) < time { low = middle + 1 } else { high = middle }
            }
            low
        };
        let count = if is_due(self.sent) { first_at(end) - first_at(self.span.from.min(end)) } else { 0 };
        self.left.map_or(count, |left| count.min(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { start: 1_000, from: 2_000, until: 5_000 };

    #[test]
    fn a_closed_loop_keeps_as_many_in_flight() {
        let mut schedule = Schedule::new(Pace::Closed { in_flight: 2 }, SPAN, (0, 1), Some(1));
        assert_eq!(
            (schedule.due(1_500, 1), schedule.due(1_500, 2), schedule.due(5_000, 0)),
            (Some(1_500), None, None)
        );
        schedule.sent(1_500);
        assert!(!schedule.is_over(1_500), "warming up is not counted");
        schedule.sent(2_000);
        assert!(schedule.is_over(2_000) && schedule.due(2_000, 0).is_none());
    }

    #[test]
    fn connections_of_an_open_loop_take_turns_at_the_rate() {
        // One each 100 ns over both.
        let pace = Pace::Open { per_second: 1e7 };
        let times = |own| {
            let mut schedule = Schedule::new(pace, SPAN, (own, 2), None);
            let mut times = Vec::new();
            while let Some(next) = schedule.next(0) {
                assert_eq!((schedule.due(next - 1, 0), schedule.due(next, 999)), (None, Some(next)));
                times.push(next);
                schedule.sent(next);
            }
            assert!(schedule.is_over(0));
            times
        };
        let mut all = [times(0), times(1)].concat();
        all.sort_unstable();
        assert_eq!(all, (1_000..5_000).step_by(100).collect::<Vec<u64>>());
    }

    #[test]
    fn what_was_due_and_never_sent_is_counted() {
        let pace = Pace::Open { per_second: 1e7 };
        let mut schedule = Schedule::new(pace, SPAN, (0, 1), None);
        assert_eq!((schedule.overdue(1_900), schedule.overdue(2_301), schedule.overdue(9_999)), (0, 4, 30));
        for number in 0..20 {
            schedule.sent(1_000 + number * 100);
        }
        assert_eq!(schedule.overdue(9_999), 20);
        let counted = Schedule::new(pace, SPAN, (0, 1), Some(7));
        assert_eq!(counted.overdue(9_999), 7);
    }
}
