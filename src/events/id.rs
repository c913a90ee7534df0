//! The name of an event, and the place in the stream after it.

use std::fmt;
use std::str::FromStr;

/// The name of an event. Names sort as the events came.
///
/// It has two parts: the run of the process, and the number of the event in it. Number 0 is before
/// the first. An event of another run is told from one of this run, so that nobody resumes in the
/// wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// The run: when it began, and some bits that two runs of one moment do not share.
    pub run: u64,
    /// The number of the event in its run, from 1.
    pub number: u64,
}

/// Digits of each part.
const DIGITS: usize = 16;

impl EventId {
    /// The place before this event.
    #[must_use]
    pub const fn before(self) -> Self {
        Self { run: self.run, number: self.number.saturating_sub(1) }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0DIGITS$x}-{:0DIGITS$x}", self.run, self.number)
    }
}

/// A text that is no name of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no id of an event; give back an `event_id` as it came")]
pub struct NoEventId;

impl FromStr for EventId {
    type Err = NoEventId;

    fn from_str(text: &str) -> Result<Self, NoEventId> {
        let part = |digits: &str| {
            let plain = digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten().ok_or(NoEventId)
        };
        let (run, number) = text.split_once('-').ok_or(NoEventId)?;
        Ok(Self { run: part(run)?, number: part(number)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_went_and_sorts_as_its_text() {
        let ids = [(1, 0), (1, 9), (1, 10), (1, u64::MAX), (2, 3), (u64::MAX, 1)]
            .map(|(run, number)| EventId { run, number });
        let texts = ids.map(|id| id.to_string());
        assert!(texts.is_sorted());
        for (id, text) in ids.iter().zip(&texts) {
            assert_eq!(text.parse(), Ok(*id), "{text}");
        }
        for text in ["", "-", "1-1", &texts[0][1..], &format!("{}0", texts[0]), &texts[0].replace('0', "+")] {
            assert_eq!(text.parse::<EventId>(), Err(NoEventId), "{text}");
        }
    }
}
