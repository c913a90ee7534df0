//! The ids of requests that are in flight, so that no two of them have the same.
//!
//! A request is in flight until its answer is handed to the transport, and answers are handed over
//! piece by piece: these are the ids of one piece.

use foldhash::quality::RandomState;
use std::hash::BuildHasher as _;

/// Twice as many as requests in a piece, so that looking stays short.
const SLOTS: usize = 2 * super::ITEMS.next_power_of_two();

/// Ids by their hashes: two that differ meet once in 2^64, under a seed that callers do not know.
#[derive(Debug)]
pub(super) struct Ids {
    seed: RandomState,
    slots: Box<[u64; SLOTS]>,
    used: usize,
}

impl Default for Ids {
    fn default() -> Self {
        Self { seed: RandomState::default(), slots: Box::new([0; SLOTS]), used: 0 }
    }
}

impl Ids {
    /// Adds one; false when it is there already.
    pub(super) fn add(&mut self, id: &str) -> bool {
        // 0 is an empty slot.
        let hash = self.seed.hash_one(id) | 1;
        let start = (hash >> 32) as usize;
        for step in 0..SLOTS {
            match &mut self.slots[(start + step) % SLOTS] {
                slot @ 0 => {
                    *slot = hash;
                    self.used += 1;
                    return true;
                }
                slot if *slot == hash => return false,
                _ => {}
            }
        }
        true
    }

    /// All of them have been answered.
    pub(super) fn forget(&mut self) {
        if self.used > 0 {
            self.slots.fill(0);
            self.used = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_until_it_is_forgotten() {
        let mut ids = Ids::default();
        let names: Vec<String> = (0..super::super::ITEMS).map(|n| format!("request-{n}")).collect();
        assert!(names.iter().all(|id| ids.add(id)));
        assert!(names.iter().all(|id| !ids.add(id)));
        ids.forget();
        assert!(names.iter().all(|id| ids.add(id)));
    }
}
