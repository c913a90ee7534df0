//! What time alone brings about: waits that are over, leases and decisions that end.

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
        self.swept(&snapshot.guards, &events);
        self.sweep_approvals();
        self.expire_stops(&snapshot);
        self.tell_of_log();
        self.remember_counts();
        for shard in 0..self.open.shards() {
            self.open.sweep(shard, DECISIONS, at.now);
        }
    }
}
