//! What is wrong with a request, field by field.

use std::fmt;

use tonic::{Code, Status};
use tonic_types::{BadRequest, ErrorDetails, FieldViolation, StatusExt as _};

/// Violations that are told at most: they travel in a header, and clients bound those.
const TOLD: usize = 8;
/// Characters of a name from the request that are shown at most.
const SHOWN: usize = 48;

/// Bytes of the path of a field, and of what is said of it: all of them make less than 4 KiB.
const PATH_BYTES: usize = 128;
const WHAT_BYTES: usize = 256;

/// Where in a request something stands; spelled out only when something is wrong there.
#[derive(Clone, Copy, Debug)]
pub enum Place<'p> {
    /// A field by its path.
    Field(&'static str),
    /// An entry of a map.
    Key(&'p Place<'p>, &'p str),
    /// An element of a list.
    Index(&'p Place<'p>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(path) => f.write_str(path),
            Self::Key(map, key) => {
                let end = if key.chars().nth(SHOWN).is_some() { "…" } else { "" };
                let key = key.chars().take(SHOWN).collect::<String>();
                write!(f, "{map}.{}{end}", key.escape_debug())
            }
            Self::Index(list, index) => write!(f, "{list}[{index}]"),
        }
    }
}

/// Everything that is wrong with one request.
#[derive(Debug, Default)]
pub struct Violations {
    told: Vec<(String, String)>,
    more: usize,
}

impl Violations {
    /// Notes what is wrong at a place, and what to send instead.
    pub fn add(&mut self, place: Place<'_>, what: impl fmt::Display) {
        if self.told.len() < TOLD {
            self.told.push((cut(place.to_string(), PATH_BYTES), cut(what.to_string(), WHAT_BYTES)));
        } else {
            self.more += 1;
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Takes over what is wrong with an element of a list.
    pub fn adopt(&mut self, list: &'static str, index: usize, own: Self) {
        for (place, what) in own.told {
            if self.told.len() < TOLD {
                self.told.push((cut(format!("{list}[{index}].{place}"), PATH_BYTES), what));
            } else {
                self.more += 1;
            }
        }
        self.more += own.more;
    }

    /// A cost that is no number of units.
    #[must_use]
    pub fn unit_cost(field: &str) -> Self {
        let what = "is what a rate limit reads as its cost; send a whole number from 0 to 2^53";
        let place = cut(field.to_owned(), PATH_BYTES);
        Self { told: vec![(place, what.to_owned())], more: 0 }
    }

    /// One violation.
    #[must_use]
    pub fn one(field: &'static str, what: impl fmt::Display) -> Self {
        let mut one = Self::default();
        one.add(Place::Field(field), what);
        one
    }
}

/// The start of a text that has more bytes than it may.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let room = most - '…'.len_utf8();
        let end = (0..=room).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((place, what)) = self.told.first() {
            write!(f, "`{place}` {what}")?;
        }
        match self.told.len().saturating_sub(1) + self.more {
            0 => Ok(()),
            1 => f.write_str(" (and 1 more field)"),
            more => write!(f, " (and {more} more fields)"),
        }
    }
}

impl From<Violations> for Status {
    fn from(violations: Violations) -> Self {
        let message = violations.to_string();
        let told = violations.told.into_iter();
        let fields: Vec<FieldViolation> =
            told.map(|(place, what)| FieldViolation::new(place, what)).collect();
        let mut details = ErrorDetails::new();
        let details = details.set_bad_request(BadRequest::new(fields).field_violations);
        Self::with_error_details(Code::InvalidArgument, message, details.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_told_fits_into_a_header() {
        let (mut wrong, root, key) = (Violations::default(), Place::Field("context"), "\u{200b}".repeat(99));
        let (one, two);
        (one, two) = (Place::Key(&root, &key), &key);
        for _ in 0..20 {
            wrong.add(Place::Key(&one, two), "é".repeat(1_000));
        }
        let status = Status::from(wrong);
        assert!(status.details().len() + status.message().len() < 4 << 10, "{}", status.details().len());
        let told = status.get_error_details();
        let told = &told.bad_request().unwrap().field_violations;
        assert_eq!(told.len(), TOLD);
        assert!(told.iter().all(|one| one.field.len() <= PATH_BYTES));
    }
}
