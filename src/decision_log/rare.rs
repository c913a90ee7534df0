//! What happens rarely, and is told by threads that serve nobody or by those that do without waiting: a
//! bundle is swapped, a guardrail changes, an operator acts.

use serde_json::{Map, Value};
use tollgate_engine::guardrail::At;
use tollgate_engine::time::WallTime;

use super::key::KeyTold;

/// A record of something that happens rarely.
#[derive(Clone, Debug)]
pub struct Rare {
    /// When, by the clock that never goes back.
    pub stamp: u64,
    /// When, by the time of day.
    pub wall: WallTime,
    /// The kind of record.
    pub kind: &'static str,
    /// Its fields.
    pub body: Map<String, Value>,
    /// The key that it is about.
    pub key: Option<KeyTold>,
}

impl Rare {
    /// A record of this kind; empty texts are left out.
    #[must_use]
    pub fn new<'f>(kind: &'static str, at: At, fields: impl IntoIterator<Item = (&'f str, Value)>) -> Self {
        let is_told = |value: &Value| !value.is_null() && value.as_str() != Some("");
        let told = fields.into_iter().filter(|(_, value)| is_told(value));
        Self {
            stamp: at.now.nanos(),
            wall: at.wall,
            kind,
            body: told.map(|(name, value)| (name.to_owned(), value)).collect(),
            key: None,
        }
    }

    /// The same about this key.
    #[must_use]
    pub fn about(mut self, key: Option<KeyTold>) -> Self {
        self.key = key;
        self
    }
}
