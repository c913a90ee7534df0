//! What an action is, and when it is asked about.

/// The kind of an action (design 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActionKind {
    /// A tool call of an agent.
    Tool,
    /// A call of a language model.
    Llm,
    /// A stage of a pipeline.
    Stage,
    /// A task that leaves a queue.
    Task,
    /// A wait for a time.
    Sleep,
    /// A wait for a signal.
    WaitSignal,
    /// Anything else.
    Other,
}

impl ActionKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Tool, Self::Llm, Self::Stage, Self::Task, Self::Sleep, Self::WaitSignal, Self::Other];

    /// The name that bundles and conditions use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Llm => "llm",
            Self::Stage => "stage",
            Self::Task => "task",
            Self::Sleep => "sleep",
            Self::WaitSignal => "wait_signal",
            Self::Other => "other",
        }
    }
}

/// When an action is asked about (design 1.4): a caller that buffers work asks twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Just before it runs.
    #[default]
    Dispatch,
    /// When it is put into a buffer.
    Enqueue,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 2] = [Self::Dispatch, Self::Enqueue];

    /// The name that bundles and conditions use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Enqueue => "enqueue",
        }
    }
}
