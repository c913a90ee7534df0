//! What came of a load.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// The longest time that is told apart from longer ones.
const LONGEST: u64 = 600_000_000_000;
/// Numbers of effects and of reason codes, with room for those of later versions.
const EFFECTS: usize = 8;
const REASONS: usize = 128;

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The server answered with this code of gRPC.
    Status(u8),
    /// It answered with this status of HTTP and none of gRPC.
    Http(u16),
    /// It answered with something else than a message of this method.
    Malformed,
    /// It gave this request up.
    Reset,
    /// The connection, or the stream, ended before.
    Lost,
    /// None came while we waited.
    NoAnswer,
}

impl Fault {
    /// The name, as reports have it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Status(code) => code_name(code),
            Self::Http(status) => format!("HTTP_{status}"),
            Self::Malformed => "MALFORMED".into(),
            Self::Reset => "RESET".into(),
            Self::Lost => "CONNECTION_LOST".into(),
            Self::NoAnswer => "NO_ANSWER".into(),
        }
    }
}

fn code_name(code: u8) -> String {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    NAMES.get(usize::from(code)).map_or_else(|| format!("STATUS_{code}"), |name| (*name).to_owned())
}

/// Counts and times of the requests whose start lies in the measured time.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Requests that were sent.
    pub sent: u64,
    /// Those with an answer.
    pub answered: u64,
    /// Those without, by what became of them.
    pub faults: BTreeMap<Fault, u64>,
    /// What the server said of the first of them.
    pub first_fault: Option<String>,
    /// Requests that were due (open loop) and were never sent.
    pub unsent: u64,
    /// Decisions by number of their effect.
    pub effects: [u64; EFFECTS],
    /// Decisions by number of their reason code.
    pub reasons: [u64; REASONS],
    /// Nanoseconds from the intended start to the answer, or to the moment when we stopped waiting.
    pub latency: Histogram<u64>,
    /// From the moment when the request was written.
    pub from_sending: Histogram<u64>,
    /// From the intended start to the moment when it was written, where only we were late.
    pub late: Histogram<u64>,
    /// Requests that had to wait because the server takes no more at once.
    pub blocked: u64,
    /// Connections that were made anew.
    pub reconnects: u64,
    /// All answers, those before the measured time too.
    pub all_answered: u64,
    /// When the last measured answer came.
    pub last: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            sent: 0,
            answered: 0,
            faults: BTreeMap::new(),
            first_fault: None,
            unsent: 0,
            effects: [0; EFFECTS],
            reasons: [0; REASONS],
            latency: histogram(),
            from_sending: histogram(),
            late: histogram(),
            blocked: 0,
            reconnects: 0,
            all_answered: 0,
            last: 0,
        }
    }
}

#[expect(clippy::expect_used, reason = "both bounds and the digits are constants that it takes")]
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("constants")
}

impl Tally {
    /// Requests without an answer.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Decisions in the answers.
    #[must_use]
    pub fn decisions(&self) -> u64 {
        self.effects.iter().sum()
    }

    /// Adds what another thread has seen.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.unsent += other.unsent;
        self.blocked += other.blocked;
        self.reconnects += other.reconnects;
        self.all_answered += other.all_answered;
        self.last = self.last.max(other.last);
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        if self.first_fault.is_none() {
            self.first_fault.clone_from(&other.first_fault);
        }
        add_each(&mut self.effects, &other.effects);
        add_each(&mut self.reasons, &other.reasons);
        let pairs = [
            (&mut self.latency, &other.latency),
            (&mut self.from_sending, &other.from_sending),
            (&mut self.late, &other.late),
        ];
        for (own, others) in pairs {
            // Both have the same bounds, so that each value has a place.
            let _ = own.add(others);
        }
    }

    pub(super) fn decided(&mut self, effect: u64, reason: u64) {
        count(&mut self.effects, effect);
        count(&mut self.reasons, reason);
    }

    pub(super) fn failed(&mut self, fault: Fault, said: &str) {
        *self.faults.entry(fault).or_default() += 1;
        if self.first_fault.is_none() && !said.is_empty() {
            self.first_fault = Some(said.to_owned());
        }
    }
}

/// Numbers that have no place of their own count as 0: not known.
fn count(counts: &mut [u64], number: u64) {
    let at = usize::try_from(number).ok().filter(|at| *at < counts.len()).unwrap_or_default();
    if let Some(count) = counts.get_mut(at) {
        *count += 1;
    }
}

fn add_each(own: &mut [u64], others: &[u64]) {
    own.iter_mut().zip(others).for_each(|(own, other)| *own += other);
}
