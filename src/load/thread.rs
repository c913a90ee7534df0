//! One thread of a load: its share of the connections, and what it spent.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::task::LocalSet;

use super::Load;
use super::connection::Connection;
use super::job::{Gone, Job, Progress, Trouble};
use super::schedule::{Schedule, Span};
use super::tally::{Fault, Tally};
use crate::clock::Clock;

/// How long before a connection that was lost is made anew.
const PAUSE: Duration = Duration::from_millis(100);

/// Where threads meet when their connections stand, so that no connecting is measured.
#[derive(Debug)]
pub(super) struct Ready {
    barrier: Barrier,
    span: OnceLock<Span>,
}

impl Ready {
    pub(super) fn new(threads: usize) -> Self {
        Self { barrier: Barrier::new(threads), span: OnceLock::new() }
    }

    /// When the load lasts, once it has begun.
    pub(super) fn span(&self) -> Option<Span> {
        self.span.get().copied()
    }
}

/// What threads spent, and for how long they existed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// On a core, in nanoseconds.
    pub on_core: u64,
    /// Waiting for one although there was work.
    pub waiting: u64,
    /// In all.
    pub wall: u64,
}

impl Spent {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            on_core: self.on_core + other.on_core,
            waiting: self.waiting + other.waiting,
            wall: self.wall + other.wall,
        }
    }

    /// What this thread has spent so far, as the kernel says.
    fn now(clock: &Clock) -> Option<Self> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        let mut numbers = text.split(' ').map(|number| number.trim().parse().ok());
        Some(Self { on_core: numbers.next()??, waiting: numbers.next()??, wall: clock.monotonic() })
    }

    const fn since(self, before: Self) -> Self {
        Self {
            on_core: self.on_core.saturating_sub(before.on_core),
            waiting: self.waiting.saturating_sub(before.waiting),
            wall: self.wall.saturating_sub(before.wall),
        }
    }
}

/// What came of one thread.
pub(super) type Done = Result<(Tally, Option<Spent>), Trouble>;

/// What one thread is given.
pub(super) struct Share {
    pub load: Load,
    pub clock: Clock,
    pub number: usize,
    pub threads: usize,
    pub ready: Arc<Ready>,
    pub progress: Arc<Progress>,
    pub stop: Arc<AtomicBool>,
}

impl Share {
    pub(super) fn work(self) -> Done {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Trouble::System)?;
        let local = LocalSet::new();
        runtime.block_on(local.run_until(self.drive()))
    }

    async fn drive(self) -> Done {
        let job = Rc::new(Job {
            target: self.load.target.clone(),
            questions: Arc::clone(&self.load.questions),
            clock: self.clock.clone(),
            now: self.clock.monotonic().into(),
            patience: nanos(self.load.patience),
            stop: Arc::clone(&self.stop),
            progress: Arc::clone(&self.progress),
            tally: Tally::default().into(),
        });
        let opened = self.open(&job).await;
        if opened.is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
        // Whoever failed comes too: the others would wait for ever.
        self.ready.barrier.wait().await;
        let span = *self.ready.span.get_or_init(|| self.span());
        let before = Spent::now(&self.clock);
        let asking: Vec<_> = opened?
            .into_iter()
            .map(|(place, connection)| {
                let schedule = self.schedule(span, place);
                tokio::task::spawn_local(keep(Rc::clone(&job), connection, schedule, place))
            })
            .collect();
        let mut trouble = None;
        for asked in asking {
            if let Ok(Err(own)) = asked.await {
                trouble = Some(own);
            }
        }
        let spent = Spent::now(&self.clock).zip(before).map(|(after, before)| after.since(before));
        let tally = job.tally.borrow().clone();
        trouble.map_or(Ok((tally, spent)), Err)
    }

    fn span(&self) -> Span {
        let start = self.clock.monotonic();
        let from = start.saturating_add(nanos(self.load.warm_up));
        Span { start, from, until: from.saturating_add(nanos(self.load.lasts)) }
    }

    /// The connections of this thread, each with its place among all.
    async fn open(&self, job: &Rc<Job>) -> Result<Vec<(usize, Connection)>, Trouble> {
        let mut opened = Vec::new();
        for place in (self.number..self.load.connections).step_by(self.threads) {
            let first = self.first_turn(place);
            let opening = Connection::open(Rc::clone(job), first);
            let connection = match tokio::time::timeout(self.load.patience, opening).await {
                Ok(Ok(connection)) => connection,
                Ok(Err(Gone::Trouble(trouble))) => return Err(trouble),
                Ok(Err(Gone::Io(error))) => return Err(Trouble::Unreachable(error)),
                Ok(Err(Gone::UsedUp)) => return Err(Trouble::NotHttp2),
                Ok(Err(Gone::Stopped)) => return Ok(vec![]),
                Err(_) => {
                    let why = format!("nothing was heard within {} s", self.load.patience.as_secs_f64());
                    return Err(Trouble::Unreachable(std::io::Error::other(why)));
                }
            };
            opened.push((place, connection));
        }
        Ok(opened)
    }

    /// Connections begin with different requests.
    fn first_turn(&self, place: usize) -> usize {
        place * self.load.questions.len() / self.load.connections.max(1)
    }

    fn schedule(&self, span: Span, place: usize) -> Schedule {
        let (own, all) = (place as u64, self.load.connections as u64);
        let left = self.load.count.map(|count| count / all + u64::from(own < count % all));
        Schedule::new(self.load.pace, span, (own, all), left)
    }
}

/// Asks over one connection, and over another one where it is lost.
async fn keep(
    job: Rc<Job>,
    connection: Connection,
    mut schedule: Schedule,
    place: usize,
) -> Result<(), Trouble> {
    let mut current = Some(connection);
    let result = loop {
        let gone = match current.as_mut() {
            Some(connection) => connection.ask(&mut schedule).await,
            None => Err(Gone::UsedUp),
        };
        let why = match gone {
            Ok(()) | Err(Gone::Stopped) => break Ok(()),
            Err(Gone::Trouble(trouble)) => {
                job.stop.store(true, Ordering::Relaxed);
                break Err(trouble);
            }
            Err(Gone::UsedUp) => None,
            Err(Gone::Io(error)) => Some(error.to_string()),
        };
        if let (Some(connection), Some(why)) = (current.as_mut(), why) {
            connection.give_up(Fault::Lost, &why);
        }
        tokio::time::sleep(PAUSE).await;
        let now = job.clock.monotonic();
        if job.is_stopped() || schedule.is_over(now) {
            break Ok(());
        }
        let patience = Duration::from_nanos(job.patience);
        current = match tokio::time::timeout(patience, Connection::open(Rc::clone(&job), place)).await {
            Ok(Ok(connection)) => {
                job.tally.borrow_mut().reconnects += 1;
                Some(connection)
            }
            Ok(Err(_)) | Err(_) => None,
        };
    };
    match current.as_mut() {
        Some(connection) if job.is_stopped() => connection.forget(),
        Some(connection) => connection.give_up(Fault::NoAnswer, ""),
        None => {}
    }
    job.tally.borrow_mut().unsent += schedule.overdue(job.clock.monotonic());
    result
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
