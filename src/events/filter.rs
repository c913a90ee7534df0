//! Which events somebody wants.

use tollgate_engine::condition::glob::Glob;

use super::event::{Event, Kind};

/// Which events somebody wants: those that fit every list that is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The kinds that are wanted, by their place in [`Kind`].
    kinds: u32,
    guardrails: Vec<String>,
    tenants: Vec<String>,
}

// Each kind has a bit.
const _: () = assert!(Kind::ALL.len() <= 32);

impl Filter {
    /// Types by globs, guardrails and tenants by name.
    ///
    /// The globs are matched here, once for each kind and not for each event.
    #[must_use]
    pub fn new(types: &[Glob], guardrails: Vec<String>, tenants: Vec<String>) -> Self {
        let wanted = |kind: &&Kind| types.is_empty() || types.iter().any(|glob| glob.matches(kind.name()));
        let kinds = Kind::ALL.iter().filter(wanted).fold(0, |all, kind| all | bit(*kind));
        let sorted = |mut names: Vec<String>| {
            names.sort_unstable();
            names
        };
        Self { kinds, guardrails: sorted(guardrails), tenants: sorted(tenants) }
    }

    /// Every event.
    #[must_use]
    pub fn all() -> Self {
        Self::new(&[], Vec::new(), Vec::new())
    }

    /// Whether this event is wanted.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        self.kinds & bit(event.kind()) != 0
            && fits(&self.guardrails, event.guardrail())
            && fits(&self.tenants, event.tenant())
    }
}

const fn bit(kind: Kind) -> u32 {
    1 << kind as u32
}

fn fits(names: &[String], name: Option<&str>) -> bool {
    names.is_empty() || name.is_some_and(|name| names.binary_search_by(|own| own.as_str().cmp(name)).is_ok())
}
