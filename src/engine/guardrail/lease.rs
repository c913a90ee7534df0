//! Leases: what is taken for an action and comes back with its report, or by itself at a time.

use std::collections::BTreeMap;

use crate::time::Moment;

/// The number of a lease, unique on its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub u64);

/// When a lease ends, and which it is: what finds it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease {
    /// From then on it is over.
    pub ends: Moment,
    /// Which one.
    pub id: LeaseId,
}

/// The leases of one key, by when they end, each with what it holds.
///
/// A few are a sorted list; many a tree, so that giving one back stays quick.
#[derive(Clone, Debug)]
pub enum Leases<T> {
    /// Up to `FEW`.
    Few(Vec<(Lease, T)>),
    /// More; boxed, since it is rare and a key should be small.
    Many(Box<BTreeMap<Lease, T>>),
}

/// Beyond so many leases a tree is quicker than a list.
const FEW: usize = 64;

impl<T> Default for Leases<T> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<T> Leases<T> {
    /// Takes a lease.
    pub fn insert(&mut self, lease: Lease, held: T) {
        match self {
            Self::Few(list) if list.len() < FEW => {
                let at = list.partition_point(|(other, _)| *other < lease);
                if list.len() == list.capacity() {
                    list.reserve_exact(list.len().max(1));
                }
                list.insert(at, (lease, held));
            }
            Self::Few(list) => {
                let mut tree: BTreeMap<Lease, T> = std::mem::take(list).into_iter().collect();
                tree.insert(lease, held);
                *self = Self::Many(Box::new(tree));
            }
            Self::Many(tree) => {
                tree.insert(lease, held);
            }
        }
    }

    /// Gives a lease back; `None` when it is over.
    pub fn remove(&mut self, lease: Lease) -> Option<T> {
        let held = match self {
            Self::Few(list) => {
                let at = list.binary_search_by_key(&lease, |(other, _)| *other).ok()?;
                Some(list.remove(at).1)
            }
            Self::Many(tree) => tree.remove(&lease),
        };
        self.settle();
        held
    }

    /// Takes out the lease that ends first, if it has ended.
    pub fn pop_ended(&mut self, now: Moment) -> Option<(Lease, T)> {
        if self.first().is_none_or(|lease| lease.ends > now) {
            return None;
        }
        let ended = match self {
            Self::Few(list) => Some(list.remove(0)),
            Self::Many(tree) => tree.pop_first(),
        };
        self.settle();
        ended
    }

    /// Drops the leases that have ended.
    pub fn end(&mut self, now: Moment) {
        match self {
            Self::Few(list) => {
                let over = list.partition_point(|(lease, _)| lease.ends <= now);
                list.drain(..over);
            }
            Self::Many(_) => while self.pop_ended(now).is_some() {},
        }
    }

    /// Moves the end of a lease; `None` when it is over.
    pub fn renew(&mut self, lease: Lease, ends: Moment) -> Option<Lease> {
        let held = self.remove(lease)?;
        let renewed = Lease { ends: ends.max(lease.ends), id: lease.id };
        self.insert(renewed, held);
        Some(renewed)
    }

    /// The lease that ends first.
    #[must_use]
    pub fn first(&self) -> Option<Lease> {
        match self {
            Self::Few(list) => list.first().map(|(lease, _)| *lease),
            Self::Many(tree) => tree.first_key_value().map(|(lease, _)| *lease),
        }
    }

    /// The lease that ends last.
    #[must_use]
    pub fn last(&self) -> Option<Lease> {
        match self {
            Self::Few(list) => list.last().map(|(lease, _)| *lease),
            Self::Many(tree) => tree.last_key_value().map(|(lease, _)| *lease),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        let len = match self {
            Self::Few(list) => list.len(),
            Self::Many(tree) => tree.len(),
        };
        u64::try_from(len).unwrap_or(u64::MAX)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All, by when they end.
    pub fn iter(&self) -> impl Iterator<Item = (Lease, &T)> {
        let (list, tree) = match self {
            Self::Few(list) => (Some(list), None),
            Self::Many(tree) => (None, Some(tree)),
        };
        let list = list.into_iter().flatten().map(|(lease, held)| (*lease, held));
        let tree = tree.into_iter().flat_map(|tree| tree.iter());
        list.chain(tree.map(|(lease, held)| (*lease, held)))
    }

    /// How many bytes it keeps outside itself, about.
    #[must_use]
    pub fn heap(&self) -> usize {
        match self {
            Self::Few(list) => list.capacity().saturating_mul(size_of::<(Lease, T)>()),
            Self::Many(tree) => tree.len().saturating_mul(size_of::<(Lease, T)>()).saturating_mul(2),
        }
    }

    /// Gives room back once there is nothing, so that an idle key is small.
    fn settle(&mut self) {
        let empty = match self {
            Self::Few(list) => list.is_empty() && list.capacity() > 4,
            Self::Many(tree) => tree.is_empty(),
        };
        if empty {
            *self = Self::default();
        }
    }
}
