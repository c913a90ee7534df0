//! What is left of grants: each use is counted once, together with the charges of the action.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use tollgate_engine::time::WallTime;
use uuid::Uuid;

use super::super::lock;

/// A spent grant is remembered so much longer than it lasts: a clock that was wrong for less
/// than that does not give it back.
const LONGER: i64 = 86_400_000_000_000;

/// The right to one use of a grant that was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// The approval that the grant answers.
    pub id: Uuid,
    /// How often it may be used in all.
    pub uses: u32,
    /// When it ends.
    pub expires_at: WallTime,
}

/// The uses of all grants so far.
///
/// One lock: what people have approved comes as slowly as people do.
#[derive(Debug, Default)]
pub struct Spent(Mutex<Book>);

type Book = HashMap<Uuid, Used, RandomState>;

#[derive(Clone, Copy, Debug)]
struct Used {
    times: u32,
    expires_at: WallTime,
}

/// What is kept of a spent grant over a restart.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SavedSpent {
    /// The approval that it answers.
    pub id: u128,
    /// How often it was used.
    pub times: u32,
    /// When it ends, in nanoseconds since 1970.
    pub expires_at: i64,
}

/// Grants that are about to be used. Until it is dropped nobody else can use any; unless it is
/// committed, nothing has changed.
#[derive(Debug)]
pub struct Spending<'s> {
    book: MutexGuard<'s, Book>,
    tokens: Vec<Token>,
}

impl Spent {
    /// How often this grant has been used.
    pub fn times(&self, id: Uuid) -> u32 {
        lock(&self.0).get(&id).map_or(0, |used| used.times)
    }

    /// Begins to spend one use for each of these, all or none; `None` when one has no use left.
    pub fn begin(&self, tokens: Vec<Token>) -> Option<Spending<'_>> {
        let book = lock(&self.0);
        let mut taken: HashMap<Uuid, u32, RandomState> = HashMap::default();
        let fit = tokens.iter().all(|token| {
            let used = book.get(&token.id).map_or(0, |used| used.times);
            let taken = taken.entry(token.id).or_insert(used);
            *taken = taken.saturating_add(1);
            *taken <= token.uses
        });
        fit.then_some(Spending { book, tokens })
    }

    /// Forgets those that ended long ago.
    pub fn forget(&self, now: WallTime) {
        lock(&self.0).retain(|_, used| used.expires_at.nanos().saturating_add(LONGER) > now.nanos());
    }

    /// What has to be known after a restart.
    pub fn export(&self) -> Vec<SavedSpent> {
        let save = |(id, used): (&Uuid, &Used)| SavedSpent {
            id: id.as_u128(),
            times: used.times,
            expires_at: used.expires_at.nanos(),
        };
        lock(&self.0).iter().map(save).collect()
    }

    /// Takes back what was known before the restart; nothing is ever counted less than it is.
    pub fn import(&self, saved: &[SavedSpent]) {
        let mut book = lock(&self.0);
        for one in saved {
            let expires_at = WallTime::from_nanos(one.expires_at);
            let used = book.entry(Uuid::from_u128(one.id)).or_insert(Used { times: 0, expires_at });
            used.times = used.times.max(one.times);
        }
    }
}

impl Spending<'_> {
    /// Counts the uses.
    pub fn commit(mut self) {
        for Token { id, expires_at, .. } in &self.tokens {
            let used = self.book.entry(*id).or_insert(Used { times: 0, expires_at: *expires_at });
            used.times = used.times.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn token(id: u128, uses: u32) -> Token {
        Token { id: Uuid::from_u128(id), uses, expires_at: WallTime::from_nanos(100) }
    }

    fn times(spent: &Spent, id: u128) -> u32 {
        spent.times(Uuid::from_u128(id))
    }

    #[test]
    fn a_use_counts_when_it_is_committed() {
        let spent = Spent::default();
        drop(spent.begin(vec![token(1, 1)]).unwrap());
        assert_eq!(times(&spent, 1), 0, "dropped, so nothing changed");
        spent.begin(vec![token(1, 1)]).unwrap().commit();
        assert_eq!((times(&spent, 1), times(&spent, 2)), (1, 0));
        assert!(spent.begin(vec![token(1, 1)]).is_none());
    }

    #[test]
    fn several_are_spent_together_or_not_at_all() {
        let spent = Spent::default();
        assert!(spent.begin(vec![token(1, 2), token(1, 2), token(2, 1), token(1, 2)]).is_none());
        assert_eq!(times(&spent, 2), 0);
        spent.begin(vec![token(1, 2), token(2, 1), token(1, 2)]).unwrap().commit();
        assert_eq!((times(&spent, 1), times(&spent, 2)), (2, 1));
        assert!(spent.begin(vec![token(1, 2)]).is_none());
    }

    #[test]
    fn of_many_threads_exactly_as_many_win_as_there_are_uses() {
        for uses in [1, 3] {
            let (spent, won) = (Spent::default(), AtomicU32::new(0));
            std::thread::scope(|scope| {
                for thread in 0..8 {
                    let (spent, won) = (&spent, &won);
                    scope.spawn(move || {
                        for round in 0..50 {
                            match spent.begin(vec![token(7, uses)]) {
                                Some(spending) if (round + thread) % 3 == 0 => {
                                    spending.commit();
                                    won.fetch_add(1, Ordering::SeqCst);
                                }
                                Some(refused_by_a_limit) => drop(refused_by_a_limit),
                                None => {}
                            }
                        }
                    });
                }
            });
            assert_eq!(won.into_inner(), uses);
        }
    }

    #[test]
    fn what_was_spent_stays_so_over_a_restart_and_a_day_longer_than_it_lasts() {
        let (before, after) = (Spent::default(), Spent::default());
        before.begin(vec![token(1, 2)]).unwrap().commit();
        let saved: Vec<SavedSpent> =
            serde_json::from_str(&serde_json::to_string(&before.export()).unwrap()).unwrap();
        after.import(&saved);
        after.import(&saved);
        after.begin(vec![token(1, 2)]).unwrap().commit();
        assert_eq!(times(&after, 1), 2);
        after.forget(WallTime::from_nanos(100 + LONGER - 1));
        assert_eq!(times(&after, 1), 2);
        after.forget(WallTime::from_nanos(100 + LONGER));
        assert!(after.export().is_empty());
    }
}
