//! True, false, and two kinds of unknown.

/// What a condition says about a request (design 1.5).
///
/// Unknown never makes an allow match. A deny whose condition failed by error counts as
/// matched; one whose condition is unknown by absence does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Unknown: the request has no such field.
    Absent,
    /// Unknown: the value does not fit what is asked of it.
    Error,
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The request has no such field.
    Absent,
    /// It could not be computed.
    Error,
}

impl Truth {
    /// Both, in any order: a false one settles it, an error outweighs absence.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::Error, _) | (_, Self::Error) => Self::Error,
            (Self::Absent, _) | (_, Self::Absent) => Self::Absent,
            (Self::True, Self::True) => Self::True,
        }
    }

    /// Either, in any order: a true one settles it, an error outweighs absence.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }

    /// The opposite; unknown stays unknown.
    #[must_use]
    pub const fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            unknown @ (Self::Absent | Self::Error) => unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl From<Unknown> for Truth {
    fn from(unknown: Unknown) -> Self {
        match unknown {
            Unknown::Absent => Self::Absent,
            Unknown::Error => Self::Error,
        }
    }
}

impl Unknown {
    /// Both operands are unknown: an error outweighs absence.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Absent, Self::Absent) => Self::Absent,
            _ => Self::Error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{Absent, Error, False, True};

    #[test]
    fn and_or_are_the_table_of_the_page() {
        for (a, b, and, or) in [
            (True, True, True, True),
            (True, False, False, True),
            (False, Absent, False, Absent),
            (False, Error, False, Error),
            (True, Absent, Absent, True),
            (True, Error, Error, True),
            (Absent, Error, Error, Error),
            (Absent, Absent, Absent, Absent),
        ] {
            assert_eq!((a.and(b), b.and(a)), (and, and), "{a:?} and {b:?}");
            assert_eq!((a.or(b), b.or(a)), (or, or), "{a:?} or {b:?}");
        }
    }
}
