//! One axis of the index: which of the bundle's patterns for agents (or actions) may fit a name.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use crate::compile::target::Texts;
use crate::condition::glob::{Anchor, Glob};

/// What a pattern pins down on its axis.
pub type AtomId = u32;

/// The atom of rules that pin nothing here.
pub const ANY: AtomId = 0;

type Map = HashMap<Box<str>, AtomId, RandomState>;

/// How many bytes of a literal inside a glob are looked up; a shorter one pins nothing.
const GRAM: usize = 3;

/// The atoms of one axis.
#[derive(Debug, Default)]
pub struct Axis {
    count: AtomId,
    exact: Map,
    /// By length in bytes.
    prefixes: BTreeMap<usize, Map>,
    suffixes: BTreeMap<usize, Map>,
    /// By the first bytes of what a text must hold somewhere.
    inside: HashMap<[u8; GRAM], AtomId, RandomState>,
}

impl Axis {
    /// The atoms of which at least one fits every text of this set; `ANY` alone where one of
    /// its globs pins nothing.
    pub(in crate::compile) fn atoms(&mut self, texts: &Texts) -> Vec<AtomId> {
        let exact = texts.exact().map(|text| Anchor::Exact(text.to_owned()));
        let globs = texts.globs().iter().flat_map(Glob::anchors);
        let anchors: Vec<Anchor> = exact.chain(globs).collect();
        let mut atoms: Vec<AtomId> = anchors.into_iter().map(|anchor| self.atom(anchor)).collect();
        atoms.sort_unstable();
        atoms.dedup();
        if atoms.contains(&ANY) { vec![ANY] } else { atoms }
    }

    /// Whether a text that fits one of the set's atoms is in the set: nothing is left to check.
    pub(in crate::compile) fn proves(texts: &Texts) -> bool {
        texts.globs().iter().all(Glob::is_anchor)
    }

    fn atom(&mut self, anchor: Anchor) -> AtomId {
        if let Anchor::Inside(text) = &anchor {
            let Some(gram) = text.as_bytes().first_chunk() else { return ANY };
            let count = &mut self.count;
            return *self.inside.entry(*gram).or_insert_with(|| next(count));
        }
        let (map, text) = match anchor {
            Anchor::Exact(text) => (&mut self.exact, text),
            Anchor::Prefix(text) => (self.prefixes.entry(text.len()).or_default(), text),
            Anchor::Suffix(text) => (self.suffixes.entry(text.len()).or_default(), text),
            Anchor::Inside(_) | Anchor::Nothing => return ANY,
        };
        let count = &mut self.count;
        *map.entry(text.into()).or_insert_with(|| next(count))
    }

    /// Gathers the atoms that fit the name, `ANY` first.
    pub fn fitting(&self, name: &str, into: &mut Vec<AtomId>) {
        into.clear();
        into.push(ANY);
        if name.is_empty() {
            return;
        }
        into.extend(self.exact.get(name));
        for (length, map) in self.prefixes.range(..=name.len()) {
            into.extend(name.get(..*length).and_then(|prefix| map.get(prefix)));
        }
        for (length, map) in self.suffixes.range(..=name.len()) {
            let suffix = name.len().checked_sub(*length).and_then(|at| name.get(at..));
            into.extend(suffix.and_then(|suffix| map.get(suffix)));
        }
        if self.inside.is_empty() {
            return;
        }
        for gram in name.as_bytes().windows(GRAM) {
            let atom = <[u8; GRAM]>::try_from(gram).ok().and_then(|gram| self.inside.get(&gram));
            // A name may hold a gram twice; a rule is offered once.
            into.extend(atom.filter(|atom| !into.contains(atom)));
        }
    }
}

const fn next(count: &mut AtomId) -> AtomId {
    *count += 1;
    *count
}
