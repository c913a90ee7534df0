//! Between the wire and the engine: bounds and field violations on the way in, nothing but
//! translation on the way out.

mod amount;
pub mod approval;
mod context;
pub mod decision;
pub mod events;
pub mod field;
pub mod guardrail;
pub mod operate;
pub mod report;
pub mod request;
pub mod trace;
pub mod violation;
mod wire;

pub use amount::signed as signed_nanos;
pub use decision::response;
pub use request::Checked;
pub use violation::Violations;
pub use wire::append;

/// The bounds on what callers send (design 1.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one request: 1 MiB.
    pub request_bytes: usize,
    /// Bytes of a batch: 16 MiB.
    pub batch_bytes: usize,
    /// Requests of a batch: 1,000.
    pub batch_items: usize,
    /// Values of a context, those inside of lists and maps included: 256.
    pub context_values: usize,
    /// Levels of a context: 8. A value right in the context is on the first.
    pub context_depth: usize,
    /// Bytes of a text: 64 KiB.
    pub string_bytes: usize,
    /// Bytes of a name (and of an id, a role, a tag): 256.
    pub name_bytes: usize,
    /// Roles, and tags: 256.
    pub list_items: usize,
    /// Grants: 8.
    pub grants: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 1 << 20,
            batch_bytes: 16 << 20,
            batch_items: 1_000,
            context_values: 256,
            context_depth: 8,
            string_bytes: 64 << 10,
            name_bytes: 256,
            list_items: 256,
            grants: 8,
        }
    }
}

#[cfg(test)]
mod tests;
