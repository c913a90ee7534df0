//! What time alone brings about: waits that are over, leases and decisions that end.

use tollgate_engine::guardrail::Guards;
use tollgate_engine::guardrail::verdict::Event;

use super::{DataPlane, lock};

/// Keys and open decisions that one step looks at, in pieces of 64 and one by one.
const PIECES: usize = 64;
const DECISIONS: usize = 256;

impl DataPlane {
    /// Looks at keys that refused somebody, and drops some of what nobody would miss. Call it
    /// several times a second, from one thread that serves nobody.
    pub fn sweep(&self) {
        let snapshot = self.snapshot.load_full();
        let at = self.at();
        let events = lock(&self.sweeper).step(&self.live, &snapshot.guards, at, PIECES);
        self.happened(&snapshot.guards, &events);
        self.sweep_approvals();
        self.expire_stops(&snapshot);
        for shard in 0..self.open.shards() {
            self.open.sweep(shard, DECISIONS, at.now);
        }
    }

    /// Tells what happened to guardrails.
    pub(super) fn happened(&self, guards: &Guards, events: &[Event]) {
        for event in events {
            if let Event::Breaker { guard, key, transition } = event
                && let Some(guard) = guards.get(*guard)
            {
                let (guardrail, key) = (guard.name.as_str(), key.display());
                let (from, to) = (transition.from.name(), transition.to.name());
                tracing::info!(guardrail, key, from, to, "a circuit breaker changed");
            }
        }
    }
}
