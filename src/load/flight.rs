//! The requests in flight on one connection.

use std::collections::VecDeque;

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flying {
    /// When it should have been sent.
    pub intended: u64,
    /// When it was.
    pub sent: u64,
    pub is_measured: bool,
    /// What its message says, once it is here: effect and reason.
    pub decided: Option<(u64, u64)>,
    /// Whether a message came.
    pub is_answered: bool,
}

/// All of them, found by the number in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Flight {
    first: u32,
    flying: VecDeque<Option<Flying>>,
    count: usize,
}

impl Flight {
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// The number that the next one gets.
    pub(super) fn next(&self) -> u32 {
        self.first.wrapping_add(u32::try_from(self.flying.len()).unwrap_or_default())
    }

    pub(super) fn add(&mut self, flying: Flying) {
        self.flying.push_back(Some(flying));
        self.count += 1;
    }

    pub(super) fn get(&mut self, number: u32) -> Option<&mut Flying> {
        let at = number.wrapping_sub(self.first) as usize;
        self.flying.get_mut(at)?.as_mut()
    }

    pub(super) fn take(&mut self, number: u32) -> Option<Flying> {
        let at = number.wrapping_sub(self.first) as usize;
        let taken = self.flying.get_mut(at)?.take()?;
        self.count -= 1;
        while let Some(None) = self.flying.front() {
            self.flying.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        Some(taken)
    }

    /// All of them, the oldest first; none stays.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Flying> + '_ {
        self.first = self.next();
        self.count = 0;
        self.flying.drain(..).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Flying = Flying { intended: 0, sent: 0, is_measured: true, decided: None, is_answered: false };

    #[test]
    fn each_is_found_by_its_number_and_only_once() {
        let mut flight = Flight { first: u32::MAX - 1, ..Flight::default() };
        for intended in 0..4 {
            assert_eq!(flight.next(), (u32::MAX - 1).wrapping_add(intended as u32));
            flight.add(Flying { intended, ..ONE });
        }
        assert_eq!((flight.take(0).unwrap().intended, flight.len()), (2, 3));
        assert!(flight.take(0).is_none() && flight.take(7).is_none());
        assert_eq!(flight.take(u32::MAX - 1).unwrap().intended, 0);
        assert_eq!(flight.get(u32::MAX).unwrap().intended, 1);
        assert_eq!(flight.take_all().map(|one| one.intended).collect::<Vec<_>>(), [1, 3]);
        assert_eq!((flight.len(), flight.next()), (0, 2));
    }
}
