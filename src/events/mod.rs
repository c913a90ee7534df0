//! What happens to policies and guardrails, for those who follow it (design 3.5).
//!
//! Whoever notices something tells the [`Hub`], which never makes them wait: a bounded queue takes
//! it, one thread numbers it, keeps the newest few thousand for those who come back, and hands it
//! to the [`Subscription`]s. What is refused in every decision is folded before it leaves the
//! thread that decides ([`Refusals`]), so that a flood costs a count and not an event.

mod desk;
mod event;
mod filter;
mod fold;
mod guardrails;
mod hub;
mod id;
mod journal;
mod refusals;
mod subscription;

pub use event::{
    Approval, ApprovalState, Breaker, Event, GuardrailChange, KeyOf, Kind, Operator, Source, Stop,
    StopChange, Triggered,
};
pub use filter::Filter;
pub use guardrails::{changes, of_engine};
pub use hub::{Hub, Refused};
pub use id::EventId;
pub use journal::{KEPT, NotKept, Recorded};
pub use refusals::{Refusal, Refusals};
pub use subscription::{Lagged, Subscription};

#[cfg(test)]
mod tests;
