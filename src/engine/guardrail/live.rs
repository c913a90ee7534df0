//! Which guardrails are live: found again by name when a bundle changes, so that counts stay.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::directory::Directory;
use super::guard::{Guard, GuardId, Shared};
use super::ledger::Ledger;
use super::sync::{Mutex, lock};
use crate::id::GuardrailName;
use crate::model::Guardrail;
use crate::model::guardrail::{self as written, KeyDimension, State};

/// The guardrails of a process: their state, and who reads it.
#[derive(Debug)]
pub struct Live {
    /// The state.
    pub ledger: Ledger,
    registry: Mutex<Registry>,
}

/// The guardrails that are live, by the number of their state. Part of a snapshot: never changed.
#[derive(Clone, Debug, Default)]
pub struct Guards {
    by_id: HashMap<GuardId, Arc<Guard>, RandomState>,
}

/// What a new bundle's guardrails have become.
#[derive(Clone, Debug)]
pub struct Reconciled {
    /// For each arm, for each of its guardrails in order: how requests meet it; `None` for one
    /// that is neither enabled nor paused.
    pub arms: Vec<Vec<Option<Arc<Guard>>>>,
    /// All of them by number.
    pub guards: Arc<Guards>,
}

#[derive(Debug, Default)]
struct Registry {
    known: Names,
    /// Guardrails that are gone and still have keys to be dropped.
    retired: Vec<Arc<Guard>>,
    next: u32,
}

/// States by what they are known as: one, or those of two arms' breakers.
type Names = HashMap<Identity, Vec<Known>, RandomState>;

/// A state that has a name.
#[derive(Clone, Debug)]
struct Known {
    id: GuardId,
    keys: Arc<Directory>,
    /// The rules it had last; breakers of two arms are told apart by theirs.
    rules: written::Rules,
    guard: Arc<Guard>,
}

/// What makes two guardrails of a name the same: a changed algorithm or key starts new keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    name: GuardrailName,
    kind: &'static str,
    key_by: Vec<KeyDimension>,
}

/// One guardrail of one arm on its way to its state.
struct Claimant<'a> {
    arm: usize,
    place: usize,
    guardrail: &'a Guardrail,
    identity: Identity,
    id: Option<GuardId>,
}

impl Live {
    /// No guardrail yet. `seed` spreads keys; nobody outside should know it.
    #[must_use]
    pub fn new(shards: usize, seed: u64) -> Self {
        Self { ledger: Ledger::new(shards, seed), registry: Mutex::new(Registry::default()) }
    }

    /// Makes the guardrails of these arms live, stable first. Those that were live under the same
    /// name keep their counts; those that are gone lose theirs, bit by bit, in the sweeper.
    pub fn reconcile(&self, arms: &[&[Guardrail]]) -> Reconciled {
        lock(&self.registry).reconcile(arms)
    }

    /// Guardrails that are gone and whose keys are not all dropped yet.
    pub(super) fn retired(&self) -> Vec<Arc<Guard>> {
        lock(&self.registry).retired.clone()
    }

    /// Forgets a guardrail that is gone, once nobody can charge it any more.
    pub(super) fn forget(&self, gone: &Arc<Guard>) {
        // This list and the caller hold it, and nobody else.
        let unused = |guard: &Arc<Guard>| Arc::strong_count(guard) <= 2 && guard.keys.keys() == 0;
        lock(&self.registry).retired.retain(|guard| !(Arc::ptr_eq(guard, gone) && unused(guard)));
    }
}

impl Guards {
    /// The guardrail with this number.
    #[must_use]
    pub fn get(&self, id: GuardId) -> Option<&Guard> {
        self.by_id.get(&id).map(|guard| &**guard)
    }

    /// All, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Guard>> {
        self.by_id.values()
    }

    /// The guardrails with this name: one, or a breaker's two while the arms differ.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Arc<Guard>> {
        self.iter().filter(move |guard| guard.name.as_str() == name)
    }
}

impl Registry {
    fn reconcile(&mut self, arms: &[&[Guardrail]]) -> Reconciled {
        let mut claimants = claimants(arms);
        let mut taken = Names::default();
        // Equal rules first, so that a promoted canary's breaker keeps the state it had.
        for exactly in [true, false] {
            for claimant in claimants.iter_mut().filter(|claimant| claimant.id.is_none()) {
                self.find(claimant, exactly, &mut taken);
            }
        }
        let mut shared: HashMap<GuardId, Shared, RandomState> = HashMap::default();
        for claimant in &claimants {
            let own = Shared::of(claimant.guardrail);
            let Some(id) = claimant.id else { continue };
            shared.entry(id).and_modify(|all| *all = all.and(own)).or_insert(own);
        }
        let mut made = Reconciled {
            arms: arms.iter().map(|arm| vec![None; arm.len()]).collect(),
            guards: Arc::default(),
        };
        let mut by_id: HashMap<GuardId, Arc<Guard>, RandomState> = HashMap::default();
        let mut names: Vec<&GuardrailName> =
            claimants.iter().map(|claimant| &claimant.identity.name).collect();
        names.sort_unstable();
        for claimant in &claimants {
            let known = taken.get_mut(&claimant.identity).into_iter().flatten();
            let Some(known) = known.into_iter().find(|known| Some(known.id) == claimant.id) else {
                continue;
            };
            let all = shared.get(&known.id).copied();
            let all = all.unwrap_or_else(|| Shared::of(claimant.guardrail));
            let keys = Arc::clone(&known.keys);
            let rank = names.partition_point(|name| **name < claimant.identity.name);
            let rank = u32::try_from(rank).unwrap_or(u32::MAX);
            let mut guard = Guard { rank, ..Guard::of(claimant.guardrail, known.id, all, keys) };
            if guard.window_length() == known.guard.window_length() {
                guard.latest = Arc::clone(&known.guard.latest);
            }
            let guard = Arc::new(guard);
            by_id.entry(known.id).or_insert_with(|| {
                known.guard = Arc::clone(&guard);
                Arc::clone(&guard)
            });
            let arm = made.arms.get_mut(claimant.arm);
            if let Some(slot) = arm.and_then(|arm| arm.get_mut(claimant.place)) {
                *slot = Some(guard);
            }
        }
        let gone = self.known.values().flatten().filter(|old| !by_id.contains_key(&old.id));
        self.retired.extend(gone.map(|old| Arc::clone(&old.guard)));
        self.known = taken;
        made.guards = Arc::new(Guards { by_id });
        made
    }

    /// Finds the state of a guardrail, or begins one.
    fn find(&mut self, claimant: &mut Claimant<'_>, exactly: bool, taken: &mut Names) {
        let equal = |known: &&Known| known.rules == claimant.guardrail.rules;
        let is_breaker = matches!(claimant.guardrail.rules, written::Rules::CircuitBreaker(_));
        let others = taken.entry(claimant.identity.clone()).or_default();
        // Two arms read one state, but breakers that differ.
        if let Some(known) = others.iter().find(|known| !is_breaker || equal(known)) {
            claimant.id = Some(known.id);
            return;
        }
        let free = |known: &&Known| others.iter().all(|other| other.id != known.id);
        let kept = self.known.get(&claimant.identity).into_iter().flatten();
        let kept = kept.filter(free).find(|known| !exactly || equal(known)).cloned();
        let known = match kept {
            Some(known) => known,
            None if exactly => return,
            None => self.begin(claimant),
        };
        claimant.id = Some(known.id);
        others.push(Known { rules: claimant.guardrail.rules.clone(), ..known });
    }

    fn begin(&mut self, claimant: &Claimant<'_>) -> Known {
        let id = GuardId(self.next);
        self.next = self.next.wrapping_add(1);
        let keys = Arc::new(Directory::default());
        let shared = Shared::of(claimant.guardrail);
        let guard = Arc::new(Guard::of(claimant.guardrail, id, shared, Arc::clone(&keys)));
        Known { id, keys, rules: claimant.guardrail.rules.clone(), guard }
    }
}

/// All guardrails that have a state, arm by arm.
fn claimants<'a>(arms: &[&'a [Guardrail]]) -> Vec<Claimant<'a>> {
    let each = arms.iter().enumerate().flat_map(|(arm, guardrails)| {
        guardrails.iter().enumerate().map(move |(place, guardrail)| (arm, place, guardrail))
    });
    let lives = |guardrail: &Guardrail| matches!(guardrail.state, State::Enabled | State::Paused);
    each.filter(|(_, _, guardrail)| lives(guardrail))
        .map(|(arm, place, guardrail)| {
            let guard = Guard::of(
                guardrail,
                GuardId(u32::MAX),
                Shared::of(guardrail),
                Arc::new(Directory::default()),
            );
            let name = guard.name.clone();
            let identity = Identity { name, kind: guard.rules.kind(), key_by: guard.key_by };
            Claimant { arm, place, guardrail, identity, id: None }
        })
        .collect()
}

#[cfg(test)]
mod tests;
