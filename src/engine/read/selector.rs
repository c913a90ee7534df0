//! What an emergency stop is about: a target, written down alone.

use super::form::Field;
use super::patterns::{TARGET, target};
use super::{Findings, SourceFile, tree};
use crate::model::{Finding, Phases, Target};

/// The longest selector; a glob says more in less.
pub const SELECTOR_BYTES: usize = 2_048;

const LIMITS: tree::Limits = tree::Limits {
    bytes: SELECTOR_BYTES,
    depth: 8,
    nodes: 1_000,
    alias_nodes: 100,
    string_bytes: SELECTOR_BYTES,
    non_finite: false,
};

/// Reads a selector, YAML or JSON. It is spelled as the target of a rule, and about every phase
/// unless it names some: who stops an action wants it neither dispatched nor enqueued.
///
/// # Errors
/// All that is wrong with it.
pub fn selector(text: &str) -> Result<Target, Vec<Finding>> {
    let file = SourceFile { name: "selector", bytes: text.as_bytes() };
    let mut found = Findings::new(vec![file.name.into()]);
    let node = tree::parse(&file, 0, &LIMITS, &mut tree::Used::default(), &mut found);
    let read = node.and_then(|node| {
        let names_phases = node.entries().is_some_and(|entries| {
            entries.iter().any(|e| TARGET.field(&e.key).is_some_and(|(_, known)| known.name == "phases"))
        });
        let read = target(Field::document("selector", &node), &mut found)?;
        Some(if names_phases { read } else { Target { phases: Phases::Any, ..read } })
    });
    let findings = found.into_sorted();
    read.filter(|_| findings.is_empty()).ok_or(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Pattern;

    #[test]
    fn a_selector_is_a_target_of_every_phase() {
        let read = selector("{agents: [a, 'b.*'], tenant: acme}");
        assert!(read.is_err(), "`tenant` is `tenants`");
        let read = selector("{agents: [a, 'b.*'], tenants: acme}").unwrap();
        assert_eq!((read.agents.as_ref().map(Vec::len), read.phases), (Some(2), Phases::Any));
        assert_eq!(read.tenants, Some(vec![Pattern::Exact("acme".into())]));
        assert_eq!(selector("phases: dispatch").unwrap().phases, Phases::Dispatch);
        assert_eq!(selector("{}").unwrap(), Target { phases: Phases::Any, ..Target::default() });
    }

    #[test]
    fn what_is_wrong_is_said_as_of_a_bundle() {
        let said = |text: &str| {
            let finding = selector(text).unwrap_err().remove(0);
            format!("{}; {}", finding.message, finding.suggestion.unwrap_or_default())
        };
        assert_eq!(said("{agent: a}"), "`agent` is no field of a target; write `agents`");
        assert_eq!(said("[a]"), "`selector` is a list; write a target as a map");
        assert!(said("{agents: []}").contains("matches nothing"));
        assert!(said("{kinds: tol}").contains("write `tool`"));
        assert!(selector("").is_err() && selector("null").is_err() && selector("{").is_err());
        assert!(selector(&format!("{{agents: {}}}", "x".repeat(SELECTOR_BYTES))).is_err());
    }
}
