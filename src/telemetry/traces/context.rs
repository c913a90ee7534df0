//! The caller's context, as W3C writes it: `traceparent` and `tracestate`.

use http::HeaderMap;

/// What a caller says of the trace that its call belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller<'a> {
    /// The trace.
    pub trace: u128,
    /// The caller's own span.
    pub parent: u64,
    /// Whether the caller records it.
    pub sampled: bool,
    /// What tracers along the way keep for themselves, handed on as it is.
    pub state: &'a str,
}

/// The longest `tracestate` that is handed on; W3C asks for as much.
const STATE_BYTES: usize = 512;

impl<'a> Caller<'a> {
    /// Reads the headers of a call.
    #[must_use]
    pub fn of(headers: &'a HeaderMap) -> Option<Self> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self::read(header("traceparent")?, header("tracestate").unwrap_or_default())
    }

    /// Reads both headers. What is not well formed counts as if it were not there.
    #[must_use]
    pub fn read(traceparent: &str, tracestate: &'a str) -> Option<Self> {
        let mut parts = traceparent.split('-');
        let mut hex = |digits: usize| {
            let part = parts.next()?;
            let fits = part.len() == digits && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            fits.then(|| u128::from_str_radix(part, 16).ok()).flatten()
        };
        let (version, trace, parent, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
        // A later version may say more behind this; version 0 may not.
        let ends = version != 0 || parts.next().is_none();
        let fits = version != 0xff && ends && trace != 0 && parent != 0;
        let state = if tracestate.len() <= STATE_BYTES { tracestate } else { "" };
        let parent = u64::try_from(parent).ok()?;
        fits.then_some(Self { trace, parent, sampled: flags & 1 == 1, state })
    }

    /// The same, for longer than the headers are there.
    #[must_use]
    pub fn keep(self) -> Kept {
        Kept { state: self.state.to_owned(), caller: Caller { state: "", ..self } }
    }
}

/// A context that outlives the headers that it was read from.
#[derive(Clone, Debug)]
pub struct Kept {
    caller: Caller<'static>,
    state: String,
}

impl Kept {
    /// The context.
    #[must_use]
    pub fn caller(&self) -> Caller<'_> {
        Caller { state: &self.state, ..self.caller }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_w3c_allows_is_a_context() {
        let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for (text, want) in [
            (format!("00-{trace}-{parent}-01"), Some(true)),
            (format!("00-{trace}-{parent}-00"), Some(false)),
            (format!("00-{trace}-{parent}-03"), Some(true)),
            (format!("cc-{trace}-{parent}-01-more"), Some(true)),
            (format!("00-{trace}-{parent}-01-more"), None),
            (format!("ff-{trace}-{parent}-01"), None),
            (format!("00-{}-{parent}-01", trace.to_uppercase()), None),
            (format!("00-{}-{parent}-01", "0".repeat(32)), None),
            (format!("00-{trace}-{}-01", "0".repeat(16)), None),
            (format!("00-{trace}-{parent}"), None),
            (format!("00-+{}-{parent}-01", &trace[1..]), None),
            (String::new(), None),
            ("é-".repeat(40), None),
        ] {
            let read = Caller::read(&text, "a=b");
            assert_eq!(read.map(|caller| caller.sampled), want, "{text}");
            if let Some(caller) = read {
                assert_eq!(caller.trace, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
                assert_eq!((caller.parent, caller.state), (0x00f0_67aa_0ba9_02b7, "a=b"));
            }
        }
        let text = format!("00-{trace}-{parent}-01");
        let caller = Caller::read(&text, "a=b").unwrap();
        assert_eq!(caller.keep().caller(), caller);
        let long = "x".repeat(513);
        assert_eq!(
            Caller::read(&format!("00-{trace}-{parent}-01"), &long).map(|caller| caller.state),
            Some("")
        );
    }
}
