//! From the document to what requests read.

use crate::id::Digest;
use crate::model::{Bundle, Finding};

/// A bundle in the form that requests read: indexed, immutable, shared by all threads.
#[derive(Debug)]
pub struct Compiled {
    bundle: Bundle,
}

/// Compiles a bundle.
///
/// # Errors
/// The findings say which expressions and references do not stand, all of them.
pub fn bundle(bundle: Bundle) -> Result<Compiled, Vec<Finding>> {
    Ok(Compiled { bundle })
}

impl Compiled {
    /// The document that it was compiled from.
    #[must_use]
    pub const fn source(&self) -> &Bundle {
        &self.bundle
    }

    /// The digest of the document.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.bundle.digest
    }

    /// Whether a condition or a `when` reads `usage`.
    #[must_use]
    pub fn reads_usage(&self) -> bool {
        false
    }

    /// The agent's name as a metric may carry it: one of the bundle's own vocabulary, else `other`.
    #[must_use]
    pub fn agent_label(&self, _agent: &str) -> &str {
        "other"
    }

    /// The action's name as a metric may carry it: one of the bundle's own vocabulary, else `other`.
    #[must_use]
    pub fn action_label(&self, _action: &str) -> &str {
        "other"
    }
}
