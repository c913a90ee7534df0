//! The work of the hub's thread, without the thread: numbers events, folds refusals, delivers.

use std::collections::VecDeque;
use std::sync::Arc;

use metrics::{counter, gauge};
use tollgate_engine::time::{Moment, WallTime};

use super::event::Event;
use super::filter::Filter;
use super::hub::{Bell, Refused};
use super::id::EventId;
use super::journal::Journal;
use super::refusals::{Folds, Told};
use super::subscription::{Delivered, Mailbox, Subscription};
use crate::telemetry::metrics::{EVENT_SUBSCRIBERS, EVENT_SUBSCRIBERS_DROPPED, EVENTS};

/// Subscribers at one time.
pub(super) const SUBSCRIBERS: usize = 64;
/// Events that may wait for one subscriber, those apart that it asked to be repeated.
pub(super) const WAITING: usize = 4_096;

/// Who follows, and what is kept for those who come back.
#[derive(Debug)]
pub(super) struct Desk {
    journal: Journal,
    refusals: Folds,
    followers: Vec<Follower>,
}

#[derive(Debug)]
struct Follower {
    filter: Filter,
    mailbox: Arc<Mailbox>,
}

impl Desk {
    /// One for this run of the process, which keeps so many events.
    pub(super) fn new(run: u64, kept: usize) -> Self {
        Self { journal: Journal::new(run, kept), refusals: Folds::default(), followers: Vec::new() }
    }

    /// Records an event and delivers it.
    pub(super) fn publish(&mut self, event: Event, time: WallTime, repeated: u64) {
        counter!(EVENTS, "type" => event.kind().name()).increment(1);
        let recorded = self.journal.record(event, time, repeated);
        let before = self.followers.len();
        self.followers.retain(|follower| {
            if !follower.filter.wants(&recorded.event) {
                return true;
            }
            let delivered = follower.mailbox.deliver(&recorded);
            if delivered == Delivered::Lagged {
                counter!(EVENT_SUBSCRIBERS_DROPPED).increment(1);
                tracing::warn!(event = %recorded.id, "a subscriber of events was too slow and is dropped");
            }
            delivered == Delivered::Yes
        });
        if self.followers.len() != before {
            self.show_followers();
        }
        log(&recorded.event);
    }

    /// Takes a refusal that stands for `more` besides: publishes it, or counts it.
    pub(super) fn refusal(&mut self, told: Box<Told>, more: u64, now: Moment) {
        if let Some((told, repeated)) = self.refusals.take(told, more, now) {
            self.publish(Event::Triggered(told.triggered), told.wall, repeated);
        }
    }

    /// Publishes the refusals that were counted, where no other came to tell of them.
    pub(super) fn tell_due(&mut self, now: Moment) {
        let mut due = Vec::new();
        self.refusals.tell_due(now, |told, repeated| due.push((told, repeated)));
        for (told, repeated) in due {
            self.publish(Event::Triggered(told.triggered), told.wall, repeated);
        }
    }

    /// Whether [`Desk::tell_due`] has something to look at.
    pub(super) fn has_counted(&self) -> bool {
        !self.refusals.is_empty()
    }

    /// Begins a subscription: with what comes, or with what came after an event.
    pub(super) fn subscribe(
        &mut self,
        filter: Filter,
        after: Option<EventId>,
        bell: Bell,
    ) -> Result<Subscription, Refused> {
        self.forget_who_left();
        if self.followers.len() >= SUBSCRIBERS {
            return Err(Refused::Full);
        }
        let missed = self.journal.after(after.unwrap_or(self.journal.newest()))?;
        let missed: VecDeque<_> = missed.filter(|one| filter.wants(&one.event)).cloned().collect();
        let mailbox = Arc::new(Mailbox::new(missed, WAITING));
        self.followers.push(Follower { filter, mailbox: Arc::clone(&mailbox) });
        self.show_followers();
        Ok(Subscription::new(mailbox, bell))
    }

    /// Forgets the subscribers that went away.
    pub(super) fn forget_who_left(&mut self) {
        let before = self.followers.len();
        self.followers.retain(|follower| !follower.mailbox.is_over());
        if self.followers.len() != before {
            self.show_followers();
        }
    }

    fn show_followers(&self) {
        // At most `SUBSCRIBERS`.
        gauge!(EVENT_SUBSCRIBERS).set(f64::from(u32::try_from(self.followers.len()).unwrap_or(u32::MAX)));
    }
}

/// What people who follow the log see too. Written here, since the log may be slow and no thread
/// that serves may wait for it; what found the queue full is not logged either.
fn log(event: &Event) {
    if let Event::Breaker { to, from, of } = event {
        let (guardrail, key) = (&*of.guardrail, &*of.key);
        tracing::info!(guardrail, key, from, ?to, "a circuit breaker changed");
    } else if let Event::Approval(approval) = event {
        let (id, rule) = (approval.approval_id.to_string(), &*approval.rule_id);
        let (agent, action, state) = (&*approval.agent, &*approval.action, approval.state);
        tracing::info!(approval = id, rule, agent, action, ?state, "approval");
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.followers.iter().for_each(|follower| follower.mailbox.close());
    }
}
