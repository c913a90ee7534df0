//! One call, as a trace shows it.

/// What happened between a call and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub(super) name: &'static str,
    pub(super) trace: u128,
    pub(super) id: u64,
    /// The caller's span; 0: none.
    pub(super) parent: u64,
    pub(super) state: String,
    /// In nanoseconds since 1970.
    pub(super) started: u64,
    pub(super) ended: u64,
    pub(super) attributes: Vec<(&'static str, Value)>,
    /// Why the call failed by no mistake of the caller.
    pub(super) failure: Option<String>,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A name that is known beforehand.
    Name(&'static str),
    /// A number.
    Int(i64),
    /// True or false.
    Bool(bool),
}

impl Span {
    pub(super) fn new(
        name: &'static str,
        trace: u128,
        id: u64,
        parent: u64,
        state: String,
        started: u64,
    ) -> Self {
        Self {
            name,
            trace,
            id,
            parent,
            state,
            started,
            ended: started,
            attributes: Vec::with_capacity(16),
            failure: None,
        }
    }

    /// The trace that it belongs to.
    #[must_use]
    pub const fn trace(&self) -> u128 {
        self.trace
    }

    /// The span of who called; 0: the trace begins here.
    #[must_use]
    pub const fn parent(&self) -> u64 {
        self.parent
    }

    /// Says more about it. An empty text is not said.
    pub fn set(&mut self, name: &'static str, value: Value) {
        let empty = matches!(&value, Value::Text(text) if text.is_empty());
        if !empty {
            self.attributes.push((name, value));
        }
    }

    /// Says that it failed, and why.
    pub fn fail(&mut self, why: &str) {
        self.failure = Some(why.to_owned());
    }

    /// Says when it ended.
    pub fn end_at(&mut self, now: u64) {
        self.ended = now.max(self.started);
    }
}
